"""Returns the circuit of a model as data: the nodes that matter, the edges between them, and the
rules behind them.

Methods that discover circuits (ACDC, edge attribution patching) score edges between the parts
of a model by patching activations. In a program the answer is known, since every weight was
written by a rule:

    node    embed, pos_embed, 0.h1 (head 1 of layer 0), 0.mlp.n3 (neuron 3), 0.attn.bias and
            0.mlp.bias (c_proj.b), logits
    edge    from a node that writes a lane to a later one that reads it: into its q, k, v, mlp
            or logits

A head writes a lane where a value column that holds a weight meets a non-zero row of c_proj; it
reads a lane into q (or k) where that column's partner in k (or q) is not all zero. A neuron
reads by its column of c_fc and writes by its row of c_proj; the logits read the columns of wte.

Only what has a path to the logits is listed. A node or an edge that is not listed does nothing:
set to zero, to a mean, or to its value in another context, it changes no logit by a single bit.
One that is listed is connected, which is an upper bound: on a given context it may carry nothing,
what two rules write may cancel, and a constant added to every key shifts all scores of a query
alike. `varies_with` says what its output can depend on: patching between contexts that differ
only in their tokens never sees a node without "token", such as a bias, which writes the same
everywhere.

Each node says where TransformerLens shows it: `output` (hook and index on the axis of heads or
neurons, or the name of a parameter), and for each of its inputs the `hook` of its own
projection and the `stream` before it, which all heads share. What a head adds to the stream is
`hook_z[:, :, index] @ W_O[layer, index]`, what a neuron adds `hook_post[:, :, index] *
W_out[layer, index]`. `components` is the same graph as edge attribution patching names it: one
node `input` for both embeddings, `a0.h1` for head 0.h1, `m0` for a layer's MLP with its constants,
no constants of attention.

Rules of this file: a Model in, plain values out; weights decide what is connected, provenance
only says why. Sources: Elhage et al., "A Mathematical Framework for Transformer Circuits",
2021; Conmy et al., "Towards Automated Circuit Discovery", 2023; Syed et al., "Attribution
Patching Outperforms Automated Circuit Discovery", 2023.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from handcraft.core.errors import WeightsError
from handcraft.core.gpt2 import Array, Weights, unembedding
from handcraft.core.provenance import Entry, Reason
from handcraft.model import Model
from handcraft.runtimes.norms import has_norms

_Place = dict[
    str, str | int
]  # of an activation or a parameter in TransformerLens


@dataclass(frozen=True)
class _Node:
    """A part of the model that matters. `inputs` has a key for each `into` of its edges, read or
    not.
    """

    name: str
    output: _Place
    inputs: Mapping[str, _Place]
    varies_with: tuple[
        str, ...
    ]  # token, position: what its output can depend on
    rules: tuple[Reason, ...]


@dataclass(frozen=True)
class _Edge:
    """The lanes that one node writes and a later one reads into its q, k, v, mlp or logits."""

    sender: str
    receiver: str
    into: str
    lanes: tuple[str, ...]


@dataclass(frozen=True)
class Circuit:
    """Everything that can change a logit. `heads` names the match (q, k) and value columns by layer
    and head.
    """

    program: str
    residual: tuple[str, ...]
    heads: tuple[tuple[tuple[Sequence[str], Sequence[str]], ...], ...]
    nodes: tuple[_Node, ...]
    edges: tuple[_Edge, ...]

    @property
    def components(self) -> dict[str, list[str]]:
        """The nodes and edges with whole MLPs, under the names of edge attribution patching:
        `a0.h1->a1.h0<q>`.
        """
        nodes = dict.fromkeys(
            filter(None, (_component(node.name) for node in self.nodes))
        )
        edges = dict.fromkeys(filter(None, map(_component_edge, self.edges)))
        return {"nodes": list(nodes), "edges": list(edges)}

    def to_json(self) -> dict[str, Any]:
        """The circuit as plain data; each node gives its rules by their index in `rules`."""
        rules = dict.fromkeys(
            rule for node in self.nodes for rule in node.rules
        )
        index = {rule: i for i, rule in enumerate(rules)}
        nodes = [
            {
                "name": node.name,
                "output": node.output,
                "inputs": dict(node.inputs),
                "varies_with": list(node.varies_with),
                "rules": [index[reason] for reason in node.rules],
            }
            for node in self.nodes
        ]
        edges = [
            {
                "from": e.sender,
                "to": e.receiver,
                "into": e.into,
                "lanes": list(e.lanes),
            }
            for e in self.edges
        ]
        heads = [
            [
                {"match": list(match), "value": list(value)}
                for match, value in layer
            ]
            for layer in self.heads
        ]
        return {
            "program": self.program,
            "residual": list(self.residual),
            "heads": heads,
            "rules": [vars(rule) for rule in rules],
            "nodes": nodes,
            "edges": edges,
            "components": self.components,
        }


def circuit(model: Model) -> Circuit:
    """The circuit of a model. Raises WeightsError for one with layer norms: through them every lane
    reaches every other.
    """
    if has_norms(model.weights):
        raise WeightsError(
            f"{model.name} has layer norms, through which every lane reaches every"
            " other; a circuit needs none"
        )
    parts = list(_parts(model.weights, model.n_head))
    edges = _edges(parts, model.names.stream)
    names = {edge.sender for edge in edges} | {"logits"}
    rules = _rules(model.entries, model.n_embd // model.n_head, model.n_embd)
    varies = _varies(edges)
    nodes = []
    for part in (part for part in parts if part.name in names):
        varies_with = _sorted(varies.get(part.name, set()))
        reasons = tuple(rules.get(part.name, ()))
        node = _Node(part.name, part.output, part.inputs, varies_with, reasons)
        nodes.append(node)
    heads = tuple(
        tuple((tuple(match), tuple(value)) for match, value in layer)
        for layer in model.names.heads
    )
    return Circuit(
        model.name, tuple(model.names.stream), heads, tuple(nodes), tuple(edges)
    )


# ---------------------------------------------------------------- parts: what they read and write


@dataclass(frozen=True)
class _Part:
    """A candidate for a node: `depth` is its sublayer, the masks are of the stream's columns."""

    name: str
    depth: int
    output: _Place
    writes: Array  # [n_embd]
    inputs: dict[str, _Place] = field(default_factory=dict)
    reads: dict[str, Array] = field(default_factory=dict)  # into -> [n_embd]


def _parts(weights: Weights, n_head: int) -> Iterator[_Part]:
    """Every part in the order of the computation."""
    blocks = weights["blocks"]
    yield _Part("embed", 0, {"hook": "hook_embed"}, _any(weights["wte"], 0))
    yield _Part(
        "pos_embed", 0, {"hook": "hook_pos_embed"}, _any(weights["wpe"], 0)
    )
    for i, block in enumerate(blocks):
        attn = block.get("attn")
        mlp = block.get("mlp")
        if attn is not None:
            yield from (_head(i, h, attn, n_head) for h in range(n_head))
            yield _bias(
                f"{i}.attn.bias", 2 * i + 1, f"blocks.{i}.attn.o.bias", attn
            )
        if mlp is not None:
            yield from (
                _neuron(i, j, mlp) for j in range(mlp["c_fc"]["b"].shape[0])
            )
            yield _bias(
                f"{i}.mlp.bias", 2 * i + 2, f"blocks.{i}.mlp.out.bias", mlp
            )
    yield _logits(weights, 2 * len(blocks) + 1)


def _logits(weights: Weights, depth: int) -> _Part:
    read = _any(unembedding(weights), 0)  # [n_embd]
    writes = np.zeros_like(read)  # [n_embd]
    output: _Place = {"hook": "unembed.hook_out"}
    place: _Place = {**output, "stream": "unembed.hook_in"}
    return _Part(
        "logits", depth, output, writes, {"logits": place}, {"logits": read}
    )


def _any(x: Array, axis: int) -> Array:  # [...] -> [...] without that axis
    return np.asarray((x != 0).any(axis=axis))


def _bias(name: str, depth: int, parameter: str, sublayer: Weights) -> _Part:
    return _Part(
        name, depth, {"parameter": parameter}, sublayer["c_proj"]["b"] != 0
    )


def _head(i: int, h: int, attn: Weights, n_head: int) -> _Part:
    at = f"blocks.{i}.attn"
    n = attn["c_proj"]["b"].shape[0]
    own = slice(h * (n // n_head), (h + 1) * (n // n_head))
    (q, qs), (k, ks), (v, vs) = (
        _columns(attn["c_attn"], slice(t * n + own.start, t * n + own.stop))
        for t in range(3)
    )
    rows = attn["c_proj"]["w"][own]  # [d_head, n_embd]
    match, value = (
        qs & ks,
        vs & _any(rows, 1),
    )  # [d_head]  columns that can count
    reads = {
        "q": _any(q[:, match], 1),
        "k": _any(k[:, match], 1),
        "v": _any(v[:, value], 1),
    }  # [n_embd] each
    inputs: dict[str, _Place] = {
        x: {"hook": f"{at}.hook_{x}", "index": h, "stream": f"{at}.{x}.hook_in"}
        for x in "qkv"
    }
    output: _Place = {"hook": f"{at}.hook_z", "index": h}
    writes = _any(rows[value], 0)  # [n_embd]
    return _Part(f"{i}.h{h}", 2 * i + 1, output, writes, inputs, reads)


def _columns(layer: Weights, columns: slice) -> tuple[Array, Array]:
    """The weights of some columns [n_embd, n], and a mask [n] of those that hold anything, bias
    included.
    """
    w = layer["w"][:, columns]  # [n_embd, n]
    return w, _any(w, 0) | (layer["b"][columns] != 0)


def _neuron(i: int, j: int, mlp: Weights) -> _Part:
    at, (w, fires) = f"blocks.{i}.mlp", _columns(mlp["c_fc"], slice(j, j + 1))
    inputs: dict[str, _Place] = {
        "mlp": {"hook": f"{at}.hook_pre", "index": j, "stream": f"{at}.hook_in"}
    }
    output: _Place = {"hook": f"{at}.hook_post", "index": j}
    # a neuron that reads nothing stays 0: both activations map 0 to 0
    writes = (mlp["c_proj"]["w"][j] != 0) & fires  # [n_embd]
    reads = {"mlp": w[:, 0] != 0}
    return _Part(f"{i}.mlp.n{j}", 2 * i + 2, output, writes, inputs, reads)


# ---------------------------------------------------------------- edges, backwards from the logits


def _edges(parts: Sequence[_Part], lanes: Sequence[str]) -> list[_Edge]:
    """Every edge on a path to the logits, in the order of the receivers."""
    writes = np.array([part.writes for part in parts])  # [n_parts, n_embd]
    depth = np.array([part.depth for part in parts])  # [n_parts]
    matter = {"logits"}
    found = []
    for part in reversed(parts):
        if part.name in matter:
            before = writes & (depth < part.depth)[:, None]  # [n_parts, n_embd]
            edges = [
                edge
                for into in part.reads
                for edge in _into(part, into, parts, before, lanes)
            ]
            matter |= {edge.sender for edge in edges}
            found.append(edges)
    return [edge for edges in reversed(found) for edge in edges]


def _into(
    part: _Part,
    into: str,
    parts: Sequence[_Part],
    writes: Array,
    lanes: Sequence[str],
) -> Iterator[_Edge]:
    shared = writes & part.reads[into]  # [n_parts, n_embd]
    for s in np.flatnonzero(shared.any(axis=1)).tolist():
        names = tuple(
            lanes[column] for column in np.flatnonzero(shared[s]).tolist()
        )
        yield _Edge(parts[s].name, part.name, into, names)


def _varies(edges: Iterable[_Edge]) -> dict[str, set[str]]:
    """The inputs that each node's output can depend on: an edge's sender stands before its
    receiver.
    """
    found = {"embed": {"token"}, "pos_embed": {"position"}}
    for edge in edges:
        found.setdefault(edge.receiver, set()).update(
            found.get(edge.sender, ())
        )
    return found


def _sorted(kinds: Iterable[str]) -> tuple[str, ...]:
    return tuple(kind for kind in ("token", "position") if kind in kinds)


# ---------------------------------------------------------------- rules


def _rules(
    entries: Iterable[Entry], d_head: int, n_embd: int
) -> dict[str, dict[Reason, None]]:
    """The rules that wrote the weights of each node, each once, in the order they wrote."""
    found: dict[str, dict[Reason, None]] = {}
    for entry in entries:
        for name in _owners(entry, d_head, n_embd):
            found.setdefault(name, {})[entry.reason] = None
    return found


def _owners(entry: Entry, d_head: int, n_embd: int) -> tuple[str, ...]:
    if not entry.matrix.startswith("blocks."):
        # tied: wte is read as well
        return ("embed", "logits") if entry.matrix == "wte" else ("pos_embed",)
    _, i, part, layer, kind = entry.matrix.split(".")
    if layer == "c_proj" and kind == "b":
        return (f"{i}.{part}.bias",)
    index = entry.row if layer == "c_proj" else entry.column
    if part == "attn":  # c_attn: query, key and value side by side
        return (f"{i}.h{index % n_embd // d_head}",)
    return (f"{i}.mlp.n{index}",)


# ---------------------------------------------------------------- whole MLPs


def _component(name: str) -> str | None:
    """The name in edge attribution patching; None for the constants of attention, which are not a
    node there.
    """
    if name in ("embed", "pos_embed"):
        return "input"
    layer, _, part = name.partition(".")
    if part.startswith("mlp."):
        return f"m{layer}"
    if part == "attn.bias":
        return None
    return f"a{name}" if part else name


def _component_edge(edge: _Edge) -> str | None:
    sender = _component(edge.sender)
    into = f"<{edge.into}>" if edge.into in ("q", "k", "v") else ""
    return (
        None
        if sender is None
        else f"{sender}->{_component(edge.receiver)}{into}"
    )
