"""Checks lanes across the rules of a program, and names each rule by its path.

    layers[0] > query                 of a bare head
    layers[0] > heads[1] > query      of one head of several; its own name, if any, replaces
                                      heads[1]
    layers[1] > mlp > neurons[3]      of a neuron in a block; without `mlp` in a bare MLP

Every lane that is read or written must exist; a query and its key must have the same lanes; an
output reads value lanes of its own head. Rules of this file: a problem is a path, the rule and a
text; the Program raises it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

from handcraft.core.errors import hint, in_quotes, listing, printable
from handcraft.language.affine import Lane, describe
from handcraft.language.rules import MLP, Block, Head, Neuron
from handcraft.language.slots import Slot


def head_path(layer: int, block: Block, head: int) -> tuple[str, ...]:
    """The path of a head: `layers[0]` for a bare head, else `layers[0]`, `heads[1]`.

    A head's own name replaces `heads[1]`.
    """
    here = (
        ()
        if len(block.heads) == 1 and block.mlp is None
        else (f"heads[{head}]",)
    )
    name = block.heads[head].name
    return (f"layers[{layer}]", *(here if name is None else (printable(name),)))


def mlp_path(layer: int, block: Block) -> tuple[str, ...]:
    """The path of an MLP: `layers[1]` for a bare MLP, else `layers[1]`, `mlp`."""
    return (f"layers[{layer}]", "mlp") if block.heads else (f"layers[{layer}]",)


def neuron_path(layer: int, block: Block, neuron: int) -> tuple[str, ...]:
    """The path of a neuron, which ends with its own name if it has one."""
    name = block.mlp.neurons[neuron].name if block.mlp else None
    last = f"neurons[{neuron}]" if name is None else printable(name)
    return (*mlp_path(layer, block), last)


# the path, the rule, what was found and what would work
Problem = tuple[tuple[str, ...], object, str]


def rule_problems(
    embedding: Sequence[Slot], blocks: Sequence[Block]
) -> Iterator[Problem]:
    """The problems between the rules of a program, in the order of the layers."""
    stream = {str(lane): lane for slot in embedding for lane in slot.lanes}
    for i, block in enumerate(blocks):
        for j, head in enumerate(block.heads):
            for part, text in _head_problems(head, stream):
                yield (*head_path(i, block, j), part), head, text
        if block.mlp is not None:
            path = (*mlp_path(i, block), "adds")
            for text in unknown_lanes(block.mlp.adds.lanes_read, stream):
                yield path, block.mlp, text
            for text in _meant(block.mlp, written_by(block.mlp), "this MLP"):
                yield (*mlp_path(i, block), "means"), block.mlp, text
            for j, neuron in enumerate(block.mlp.neurons):
                for part, text in _neuron_problems(neuron, stream):
                    yield (*neuron_path(i, block, j), part), neuron, text


def written_by(mlp: MLP) -> tuple[Lane, ...]:
    """The lanes that an MLP adds to."""
    added = [neuron.adds.lanes_read for neuron in mlp.neurons]
    return tuple(dict.fromkeys(chain(*added, mlp.adds.lanes_read)))


def _meant(
    rule: Head | MLP | Neuron, written: Sequence[Lane], name: str
) -> Iterator[str]:
    """The problem of each lane that has a meaning and is none that the rule writes."""
    known = {str(lane): lane for lane in written}
    lanes = [lane for lane, _ in rule.means]
    yield from unknown_lanes(lanes, known, f"a lane that {name} writes")


def _neuron_problems(
    neuron: Neuron, stream: Mapping[str, Lane]
) -> Iterator[tuple[str, str]]:
    for part, affine in (("when", neuron.when), ("adds", neuron.adds)):
        for text in unknown_lanes(affine.lanes_read, stream):
            yield part, text
    for text in _meant(neuron, neuron.adds.lanes_read, "this neuron"):
        yield "means", text


def _head_problems(
    head: Head, stream: Mapping[str, Lane]
) -> Iterator[tuple[str, str]]:
    asked = head.query.targets
    offered = head.key.targets
    if set(asked) != set(offered):
        yield "query", _mismatch(asked, offered)
    read: list[tuple[str, Sequence[Lane]]] = [
        ("query", head.query.lanes_read),
        ("key", head.key.lanes_read),
        ("value", head.value.lanes_read),
        ("adds", head.adds.targets),
    ]
    for part, lanes in read:
        for text in unknown_lanes(lanes, stream):
            yield part, text
    own = {str(lane): lane for lane in head.value.targets}
    for text in unknown_lanes(
        head.adds.lanes_read, own, "a value lane of this head"
    ):
        yield "adds", text
    for part, lanes in (("query", asked), ("value", head.value.targets)):
        in_stream = (lane for lane in lanes if not lane.local)
        for text in unknown_lanes(in_stream, stream):
            yield part, text
    written = (*head.adds.targets, *head.value.targets)
    for text in _meant(head, written, "this head"):
        yield "means", text


def _mismatch(asked: Sequence[Lane], offered: Sequence[Lane]) -> str:
    found = (
        f"asks about {describe(asked)} but the key offers {describe(offered)}"
    )
    missing = [str(lane) for lane in asked if lane not in offered]
    extra = [str(lane) for lane in offered if lane not in asked]
    if {lane.slot for lane in asked} != {lane.slot for lane in offered}:
        return found
    if missing:
        found += f"; not offered: {listing(missing, 4)}"
    if extra:
        found += f"; not asked: {listing(extra, 4)}"
    return found


def unknown_lanes(
    lanes: Iterable[Lane],
    known: Mapping[str, Lane],
    kind: str = "a lane of the embedding",
) -> Iterator[str]:
    """The problem of each lane that is not among the known ones, with the nearest name."""
    for lane in lanes:
        if str(lane) not in known:
            slots = dict.fromkeys(
                known_lane.slot for known_lane in known.values()
            )
            have = listing(known if lane.slot in slots else slots)
            suggestion = _labelled(lane, known) or hint(str(lane), known)
            yield f"{printable(str(lane))} is not {kind} (those are {have}){suggestion}"


def _labelled(lane: Lane, known: Mapping[str, Lane]) -> str:
    """The question for a slot's lane where only its label is written; else nothing."""
    same = [name for name, found in known.items() if found.label == str(lane)]
    return f"; did you mean {in_quotes(same[0])}?" if same else ""
