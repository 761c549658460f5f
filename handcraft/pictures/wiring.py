"""Returns which slot, head and neuron feeds which, as data: the circuit of a model, by slots.

    embedding.p   a slot of the embedding; without a program `embed` and `pos_embed`
    0.h1          head 1 of layer 0
    1.mlp.n3      neuron 3 of layer 1; of a layer with many, those that read and write the same
                  slots are one node, and where these are many too, all of the layer
    0.attn.bias   the constants that a sublayer adds
    logits        what the unembedding reads

An edge leads from a node that writes a lane to a later one that reads it, into its q, k or v, its
neurons, or the logits. What is connected is found by `runtimes/circuit.py`, from the weights: a
node or an edge that is not here does nothing. Here it is put together for who looks at it.

Rules of this file: a Model in, plain values out; nothing is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from handcraft.core.provenance import Reason
from handcraft.model import Model
from handcraft.runtimes.circuit import Circuit, circuit

NodeKind: TypeAlias = Literal["slot", "head", "neurons", "constants", "logits"]
Reads: TypeAlias = tuple[
    str, tuple[str, ...]
]  # into q, k, v, mlp or logits; lanes
MOST_NEURONS = 4  # of a layer, each a node of its own
_LISTED = 3  # lanes of a slot that are named one by one


@dataclass(frozen=True)
class WiredNode:
    """A node of the picture.

    column  its sublayer: 0 for the embedding, then attention and MLP in turn, then the logits
    parts   the names of the parts of the model that it stands for
    rules   the rules that wrote their weights
    """

    name: str
    label: str
    kind: NodeKind
    column: int
    parts: tuple[str, ...]
    rules: tuple[Reason, ...]

    def to_json(self) -> dict[str, Any]:
        """The node as plain data."""
        return {
            **{
                k: x
                for k, x in vars(self).items()
                if k not in ("parts", "rules")
            },
            "parts": list(self.parts),
            "rules": [vars(rule) for rule in self.rules],
        }


@dataclass(frozen=True)
class WiredEdge:
    """From a node to a later one. `reads` has, for each input of the later one, the lanes."""

    sender: str
    receiver: str
    reads: tuple[Reads, ...]

    @property
    def lanes(self) -> tuple[str, ...]:
        """All of its lanes, each once."""
        return tuple(dict.fromkeys(x for _, lanes in self.reads for x in lanes))

    def to_json(self) -> dict[str, Any]:
        """The edge as plain data."""
        reads = [{"into": a, "lanes": list(b)} for a, b in self.reads]
        return {"from": self.sender, "to": self.receiver, "reads": reads}


@dataclass(frozen=True)
class Wiring:
    """The nodes in the order of the computation, and the edges. `columns` names the sublayers,
    `slots` has the lanes of each slot.
    """

    program: str
    columns: tuple[str, ...]
    nodes: tuple[WiredNode, ...]
    edges: tuple[WiredEdge, ...]
    slots: Mapping[str, tuple[str, ...]]

    def to_json(self) -> dict[str, Any]:
        """The wiring as plain data."""
        return {
            "program": self.program,
            "columns": list(self.columns),
            "nodes": [node.to_json() for node in self.nodes],
            "edges": [edge.to_json() for edge in self.edges],
        }

    def said(self, lanes: Sequence[str]) -> str:
        """Lanes as a short text: a whole slot by its name, of many lanes of one the number."""
        by_slot: dict[str, list[str]] = {}
        for lane in lanes:
            by_slot.setdefault(slot_of(lane), []).append(lane)
        return ", ".join(self._part(*item) for item in by_slot.items())

    def _part(self, slot: str, lanes: Sequence[str]) -> str:
        known = self.slots.get(slot, ())
        if len(lanes) == len(known) and len(lanes) > 1:
            return slot
        if len(lanes) <= _LISTED:
            return ", ".join(lanes)
        return f"{slot} ({len(lanes)} of {len(known)})"


def slot_of(lane: str) -> str:
    """The slot of a lane; of a column that several lanes share, that of the first. Without a
    program all columns are of one, x.
    """
    slot, colon, label = lane.partition(":")
    if colon and slot and label:
        return slot
    return "x" if lane[:1] == "x" and lane[1:].isdecimal() else lane


def wiring(model: Model) -> Wiring:
    """Which slot, head and neuron of a model feeds which.

    Raises WeightsError for a model with layer norms: through them every lane reaches every other.
    """
    found = circuit(model)
    slots: dict[str, list[str]] = {}
    for lane in found.residual:
        slots.setdefault(slot_of(lane), []).append(lane)
    edges = list(_by_slot(found, model))
    nodes = {node.name: node.rules for node in found.nodes}
    names = _grouped(edges)
    merged = _merged(edges, names)
    columns = _columns(model)
    wired = _nodes(edges, names, nodes, columns)
    lanes = {slot: tuple(known) for slot, known in slots.items()}
    order = {node.name: i for i, node in enumerate(wired)}
    merged.sort(key=lambda edge: (order[edge.receiver], order[edge.sender]))
    return Wiring(model.name, columns, wired, tuple(merged), lanes)


_Edge: TypeAlias = tuple[
    str, str, str, tuple[str, ...]
]  # from, to, into, lanes


def _by_slot(found: Circuit, model: Model) -> Iterator[_Edge]:
    """The edges of the circuit, those of the two embeddings by the slot that writes the lane."""
    writers = _writers(model)
    for edge in found.edges:
        by_writer: dict[str, list[str]] = {}
        for lane in edge.lanes:
            own = writers.get((edge.sender, lane), (edge.sender,))
            for name in own:
                by_writer.setdefault(name, []).append(lane)
        for name, lanes in by_writer.items():
            yield name, edge.receiver, edge.into, tuple(lanes)


def _writers(model: Model) -> dict[tuple[str, str], tuple[str, ...]]:
    """(embed or pos_embed, name of a column) -> the slots whose tables write it."""
    if model.program is None:
        return {}
    layout = model.program.layout
    found: dict[tuple[str, str], list[str]] = {}
    for slot in model.program.embedding:
        name = f"embedding.{slot.name}"
        tables = {
            "embed": slot.token_cells(),
            "pos_embed": slot.position_cells(),
        }
        for part, cells in tables.items():
            for lane in dict.fromkeys(lane for _, lane, _ in cells):
                key = part, layout.names[layout.column[lane]]
                found.setdefault(key, []).append(name)
    return {key: tuple(names) for key, names in found.items()}


# ---------------------------------------------------------------- neurons together


def _grouped(edges: Sequence[_Edge]) -> dict[str, str]:
    """The node of each neuron that is not a node of its own."""
    layers: dict[str, dict[str, tuple[set[str], set[str]]]] = {}
    for sender, receiver, _, lanes in edges:
        slots = {slot_of(lane) for lane in lanes}
        for name, side in ((receiver, 0), (sender, 1)):
            if _is_neuron(name):
                own = layers.setdefault(name.partition(".")[0], {})
                own.setdefault(name, (set(), set()))[side].update(slots)
    found: dict[str, str] = {}
    for layer, neurons in layers.items():
        if len(neurons) > MOST_NEURONS:
            found |= _groups(layer, neurons)
    return found


def _groups(
    layer: str, neurons: Mapping[str, tuple[set[str], set[str]]]
) -> dict[str, str]:
    """The node of each neuron of a layer: one for those that read and write the same slots."""
    kinds: dict[tuple[frozenset[str], frozenset[str]], list[str]] = {}
    for name in sorted(neurons, key=_index):
        reads, writes = neurons[name]
        kinds.setdefault((frozenset(reads), frozenset(writes)), []).append(name)
    if len(kinds) == 1 or len(kinds) > MOST_NEURONS:
        return dict.fromkeys(neurons, f"{layer}.mlp")
    return {
        name: f"{layer}.mlp.{_range(members)}"
        for members in kinds.values()
        for name in members
    }


def _range(members: Sequence[str]) -> str:
    """`n3`, or `n3+4` for five neurons of which n3 is the first."""
    first = f"n{_index(members[0])}"
    return first if len(members) == 1 else f"{first}+{len(members) - 1}"


def _is_neuron(name: str) -> bool:
    return ".mlp.n" in name and not name.startswith("embedding.")


def _index(name: str) -> int:
    return int(name.rpartition(".n")[2])


def _merged(
    edges: Sequence[_Edge], names: Mapping[str, str]
) -> list[WiredEdge]:
    """An edge for each two nodes, with what it carries into each input."""
    found: dict[tuple[str, str], dict[str, dict[str, None]]] = {}
    for sender, receiver, into, lanes in edges:
        pair = names.get(sender, sender), names.get(receiver, receiver)
        own = found.setdefault(pair, {}).setdefault(into, {})
        own.update(dict.fromkeys(lanes))
    return [
        WiredEdge(*pair, tuple((into, tuple(x)) for into, x in reads.items()))
        for pair, reads in found.items()
    ]


# ---------------------------------------------------------------- nodes


def _columns(model: Model) -> tuple[str, ...]:
    """The names of the sublayers: the model computes in this order."""
    found = ["embedding"]
    for i in range(model.n_layer):
        found += [f"{i}.attention", f"{i}.mlp"]
    return (*found, "logits")


def _nodes(
    edges: Sequence[_Edge],
    names: Mapping[str, str],
    rules: Mapping[str, tuple[Reason, ...]],
    columns: Sequence[str],
) -> tuple[WiredNode, ...]:
    """The nodes of the edges, by column, and in a column as in the model."""
    parts: dict[str, dict[str, None]] = {"logits": {"logits": None}}
    for sender, receiver, _, _ in edges:
        for name in (sender, receiver):
            parts.setdefault(names.get(name, name), {})[name] = None
    made = [
        _node(name, tuple(own), rules, columns) for name, own in parts.items()
    ]
    return tuple(sorted(made, key=lambda node: (node.column, _place(node))))


def _place(node: WiredNode) -> tuple[int, int]:
    """The place of a node among those of its sublayer: constants come last."""
    first = node.parts[0]
    index = first.rpartition(".")[2].lstrip("hn")
    number = int(index) if node.kind != "slot" and index.isdecimal() else 0
    return int(node.kind == "constants"), number


def _node(
    name: str,
    parts: tuple[str, ...],
    rules: Mapping[str, tuple[Reason, ...]],
    columns: Sequence[str],
) -> WiredNode:
    kind, label, column = _looks(name, parts, columns)
    if kind == "slot":
        given = (*rules.get("embed", ()), *rules.get("pos_embed", ()))
        named = f"{label} is "
        own = [rule for rule in given if rule.text.startswith(named)]
        reasons: Iterable[Reason] = own or rules.get(name, ())
    elif kind == "logits":
        reasons = ()  # the unembedding is wte, whose rules stand at the slots
    else:
        reasons = (rule for part in parts for rule in rules.get(part, ()))
    unique = tuple(dict.fromkeys(reasons))
    return WiredNode(name, label, kind, column, parts, unique)


def _looks(
    name: str, parts: Sequence[str], columns: Sequence[str]
) -> tuple[NodeKind, str, int]:
    """The kind of a node, what it is called, and its column."""
    if name == "logits":
        return "logits", "logits", len(columns) - 1
    if name.startswith("embedding.") or name in ("embed", "pos_embed"):
        return "slot", name.removeprefix("embedding."), 0
    layer, _, rest = name.partition(".")
    column = 1 + 2 * int(layer)
    if rest.startswith("attn"):
        return "constants", f"constants of {layer}.attention", column
    if rest.startswith("h"):
        return "head", f"head {name}", column
    if rest == "mlp.bias":
        return "constants", f"constants of {layer}.mlp", column + 1
    return "neurons", _called(name, layer, parts), column + 1


def _called(name: str, layer: str, parts: Sequence[str]) -> str:
    """What neurons are called: one by its name, those of a whole layer by their number, others by
    the first, and the last where they follow each other.
    """
    if len(parts) == 1:
        return f"neuron {name}"
    if name == f"{layer}.mlp":
        return f"{len(parts)} neurons of {name}"
    index = sorted(map(_index, parts))
    first, last = index[0], index[-1]
    if last - first == len(index) - 1:
        return f"neurons {layer}.mlp.n{first} to n{last}"
    return f"neurons {layer}.mlp.n{first} and {len(index) - 1} more"
