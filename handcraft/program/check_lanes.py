"""Where a rule stands in a program, and what can be wrong between rules that no rule can know
alone.

    layers[0] > query                 of a bare head
    layers[0] > heads[1] > query      of a head among others; its own name takes the place of
    heads[1]
    layers[1] > mlp > neurons[3]      of a neuron in a block; of a bare MLP without `mlp`

Every lane that is read or written must exist; a query and its key must speak of the same space;
an output reads the head's own value lanes. Rules of this file: a problem is a path, the rule,
and a text; the Program raises it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from handcraft.core.errors import hint, listing, printable
from handcraft.language.affine import Lane, describe
from handcraft.language.rules import Block, Head
from handcraft.language.slots import Slot


def head_path(layer: int, block: Block, head: int) -> tuple[str, ...]:
    """`layers[0]` where the block is one bare head, else `layers[0]`, `heads[1]`; a head's own
    name takes that place.
    """
    here = () if len(block.heads) == 1 and block.mlp is None else (f"heads[{head}]",)
    name = block.heads[head].name
    return (f"layers[{layer}]", *(here if name is None else (printable(name),)))


def mlp_path(layer: int, block: Block) -> tuple[str, ...]:
    """`layers[1]` where the block is a bare MLP, else `layers[1]`, `mlp`."""
    return (f"layers[{layer}]", "mlp") if block.heads else (f"layers[{layer}]",)


def neuron_path(layer: int, block: Block, neuron: int) -> tuple[str, ...]:
    """The path of a neuron; its own name stands last where it has one."""
    name = block.mlp.neurons[neuron].name if block.mlp else None
    return (
        *mlp_path(layer, block),
        f"neurons[{neuron}]" if name is None else printable(name),
    )


Problem = tuple[
    tuple[str, ...], object, str
]  # the path, the rule, what was found and what would work


def rule_problems(
    embedding: Sequence[Slot], blocks: Sequence[Block]
) -> Iterator[Problem]:
    """Whatever is wrong between the rules of a program, in the order of the layers."""
    stream = {str(lane): lane for slot in embedding for lane in slot.lanes}
    for i, block in enumerate(blocks):
        for j, head in enumerate(block.heads):
            yield from (
                ((*head_path(i, block, j), part), head, text)
                for part, text in _head_problems(head, stream)
            )
        if block.mlp is not None:
            path = mlp_path(i, block)
            yield from (
                ((*path, "adds"), block.mlp, text)
                for text in unknown_lanes(block.mlp.adds.lanes_read, stream)
            )
            for j, neuron in enumerate(block.mlp.neurons):
                parts = (("when", neuron.when), ("adds", neuron.adds))
                yield from (
                    ((*neuron_path(i, block, j), part), neuron, text)
                    for part, affine in parts
                    for text in unknown_lanes(affine.lanes_read, stream)
                )


def _head_problems(head: Head, stream: Mapping[str, Lane]) -> Iterator[tuple[str, str]]:
    asked, offered = head.query.targets, head.key.targets
    if set(asked) != set(offered):
        yield "query", _mismatch(asked, offered)
    for part in ("query", "key", "value"):
        yield from (
            (part, text)
            for text in unknown_lanes(getattr(head, part).lanes_read, stream)
        )
    yield from (("output", text) for text in unknown_lanes(head.output.targets, stream))
    own = {str(lane): lane for lane in head.value.targets}
    yield from (
        ("output", text)
        for text in unknown_lanes(
            head.output.lanes_read, own, "a value lane of this head"
        )
    )
    for part, lanes in (("query", asked), ("value", head.value.targets)):
        yield from (
            (part, text)
            for text in unknown_lanes(
                (lane for lane in lanes if not lane.local), stream
            )
        )


def _mismatch(asked: Sequence[Lane], offered: Sequence[Lane]) -> str:
    found = f"asks about {describe(asked)} but the key offers {describe(offered)}"
    missing = [str(lane) for lane in asked if lane not in offered]
    extra = [str(lane) for lane in offered if lane not in asked]
    if {lane.slot for lane in asked} != {lane.slot for lane in offered}:
        return found
    return found + "".join(
        f"; {text} {listing(lanes, 4)}"
        for text, lanes in (("not offered:", missing), ("not asked:", extra))
        if lanes
    )


def unknown_lanes(
    lanes: Iterable[Lane],
    known: Mapping[str, Lane],
    kind: str = "a lane of the embedding",
) -> Iterator[str]:
    """For each lane that is not known what is wrong with it, with the nearest name."""
    for lane in lanes:
        if str(lane) not in known:
            slots = dict.fromkeys(known_lane.slot for known_lane in known.values())
            have = listing(known if lane.slot in slots else slots)
            yield f"{printable(str(lane))} is not {kind} (those are {have})" + hint(
                str(lane), known
            )
