"""Writes a lowered stream as a Program of slots, heads and neurons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from handcraft.language.affine import Affine, Lane, Map
from handcraft.language.rules import MLP, Block, Head, Neuron
from handcraft.language.slots import Slot
from handcraft.language.words import local, scratch, slot
from handcraft.lowering.scheduling.rewriting import rules_of
from handcraft.lowering.stream import Attention, Hinge, LaneTable, Stream
from handcraft.sequence.expression import Expression


def emitted(
    stream: Stream, vocabulary: Sequence[str], n_ctx: int
) -> tuple[tuple[Slot, ...], tuple[Block, ...]]:
    """The slots and the blocks of a stream; the first token stands before each text."""
    return slots_of(stream, vocabulary, n_ctx), blocks_of(stream)


def slots_of(
    stream: Stream, vocabulary: Sequence[str], n_ctx: int
) -> tuple[Slot, ...]:
    """The slots, in the order of their first use; the first token stands before each text."""
    found: dict[Lane, Slot] = {}
    for lane in _old_first(stream):
        table = stream.tables.get(lane)
        if lane in stream.reuse:
            old = found[stream.reuse[lane]]
            found[lane] = scratch(lane.slot, reuse=old)
        else:
            found[lane] = _slot(lane, table, vocabulary, n_ctx)
    return tuple(found.values())


def _old_first(stream: Stream) -> list[Lane]:
    """The lanes; one that takes over another's column stands behind it."""

    def depth(lane: Lane) -> int:
        old = stream.reuse.get(lane)
        return 0 if old is None else 1 + depth(old)

    return sorted(stream.times, key=depth)


def _slot(
    lane: Lane, table: LaneTable | None, vocabulary: Sequence[str], n_ctx: int
) -> Slot:
    if table is None or not (table.tokens or table.positions):
        if lane.slot == "bos":
            return slot("bos", token={vocabulary[0]: 1})
        found: Slot = scratch(lane.slot)
        return found
    if table.tokens:
        kept = {t: x for t, x in table.tokens.items() if x}
        return slot(lane.slot, token=kept or {vocabulary[0]: 0})
    row = [*table.positions]
    if len(row) < n_ctx:  # of the positions behind the first token
        row = [0.0, *row]
    return slot(lane.slot, position=[*row, *[0.0] * (n_ctx - len(row))])


def blocks_of(stream: Stream) -> tuple[Block, ...]:
    """The blocks: heads at odd times, neurons at even ones."""
    times = [rule.time for rule in rules_of(stream)]
    times += [time for time, _, _ in stream.constants]
    count = max((time + 1) // 2 for time in times) if times else 0
    return tuple(_block(stream, b) for b in range(count))


def _block(stream: Stream, b: int) -> Block:
    heads = [head for head in stream.settled() if head.time == 2 * b + 1]
    hinges = [hinge for hinge in stream.hinges if hinge.time == 2 * b + 2]
    constants: dict[Lane, float] = {}
    for time, lane, value in stream.constants:
        if time == 2 * b + 2:
            constants[lane] = constants.get(lane, 0.0) + value
    mlp = None
    said = _whole(stream, 2 * b + 1)
    if hinges or constants:
        written = dict.fromkeys(
            x for hinge in hinges if not hinge.erases for x in hinge.adds
        )
        mlp = MLP(
            [_neuron(hinge) for hinge in hinges],
            adds=Affine.of(constants),
            means=_of(_whole(stream, 2 * b + 2), written),
        )
    return Block([_head(head, said) for head in heads], mlp)


def _whole(stream: Stream, time: int) -> dict[Lane, Expression]:
    """The meanings of the lanes that a sublayer is the last to add to: before, they are parts."""
    last: dict[Lane, int] = {}
    for rule in rules_of(stream):
        for lane in set() if rule.final or _erases(rule) else set(rule.writes):
            last[lane] = max(last.get(lane, 0), rule.time)
    return {
        lane: e for lane, e in stream.meanings.items() if last.get(lane) == time
    }


def _erases(rule: Attention | Hinge) -> bool:
    return isinstance(rule, Hinge) and rule.erases


def _of(
    said: Mapping[Lane, Expression], lanes: Iterable[Lane]
) -> dict[Lane, Expression]:
    return {lane: said[lane] for lane in lanes if lane in said}


def _neuron(hinge: Hinge) -> Neuron:
    return Neuron(
        when=hinge.when, adds=dict(hinge.adds), sharpness=hinge.sharpness
    )


def _head(head: Attention, said: Mapping[Lane, Expression]) -> Head:
    rows = head.rows or ((Affine.of({}), Affine.of({})),)  # sees all alike
    match = local("match", [str(i) for i in range(len(rows))]).lanes
    carried = local("value", [str(i) for i in range(len(head.adds))]).lanes
    query = [(lane, q) for lane, (q, _) in zip(match, rows, strict=True)]
    key = [(lane, k) for lane, (_, k) in zip(match, rows, strict=True)]
    value: list[tuple[Lane, Affine]] = []
    adds: dict[Lane, Affine] = {
        lane: Affine.of({}, x) for lane, x in head.bias.items()
    }
    for lane, (target, (what, gain)) in zip(
        carried, head.adds.items(), strict=True
    ):
        value.append((lane, what))
        given = Affine.of({lane: gain})
        adds[target] = adds[target].plus(given) if target in adds else given
    return Head(
        query=Map.of(query),
        key=Map.of(key),
        value=Map.of(value),
        adds=Map.of(adds.items()),
        scores="exact",
        means=_of(said, head.adds),
        name=head.name or None,
    )
