"""Places the rules of a stream in blocks: each as early as it can be, with so many heads a block.

    scheduled(stream, heads)   the same rules at other times
    cheapest(stream, sizes)    the schedule with the fewest weights, of 1 to 8 heads a block

All heads of a model have one width, and every block has room for as many heads as the fullest. So
a block less is not always cheaper than a head less. Rules of this file: a lane is read after what
writes it, and the answer, which is written over lanes of the embedding, after all that reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace

from handcraft.lowering.stream import (
    Attention,
    Hinge,
    Stream,
    heads_after,
    neurons_after,
)

MOST_HEADS = 8


@dataclass(frozen=True)
class Sizes:
    """The numbers of rows of wte and wpe."""

    n_vocab: int
    n_ctx: int


def cheapest(stream: Stream, sizes: Sizes) -> Stream:
    """The schedule with the fewest weights; of equals, the one with fewer blocks."""
    widest = max(
        (len(_of_block(stream, t)) for t in _head_times(stream)), default=1
    )
    tried = [
        scheduled(stream, heads)
        for heads in range(1, min(widest, MOST_HEADS) + 1)
    ]
    return min([stream, *tried], key=lambda s: (weights(s, sizes), _blocks(s)))


def scheduled(stream: Stream, heads: int) -> Stream:
    """The same rules, with at most so many heads a block."""
    stream = merged(stream)
    found = copy(stream)
    found.times = dict.fromkeys(stream.times, 0)
    taken: dict[int, int] = {}
    new: list[Attention | Hinge] = []
    for rules in _in_order(stream):
        first = rules[0]
        read = [found.times[lane] for rule in rules for lane in rule.read]
        time = max(read, default=0)
        if first.final:
            time = max(time, _last_read(new, rules))
        if isinstance(first, Attention):
            time = heads_after(time)
            while taken.get(time, 0) >= heads:
                time += 2
            taken[time] = taken.get(time, 0) + 1
        else:
            time = neurons_after(time)
        new += [replace(rule, time=time) for rule in rules]
        for rule in rules:
            for lane in rule.writes:
                found.times[lane] = max(found.times[lane], time)
    found.heads = [rule for rule in new if isinstance(rule, Attention)]
    found.hinges = [rule for rule in new if isinstance(rule, Hinge)]
    last = max((rule.time for rule in new if rule.final), default=0)
    fixed = max(last, max((rule.time for rule in new), default=0))
    if stream.constants:
        time = fixed if fixed % 2 == 0 else fixed + 1
        found.constants = [
            (max(time, 2), lane, x) for _, lane, x in stream.constants
        ]
    return found


def merged(stream: Stream) -> Stream:
    """The same with one head for those that look at the same places."""
    found, heads = copy(stream), dict[object, Attention]()
    for head in stream.heads:
        key = (head.rows, head.sink, head.final)
        known = heads.get(key)
        if known is None:
            heads[key] = head
        else:
            heads[key] = replace(
                known,
                adds={**known.adds, **head.adds},
                bias={**known.bias, **head.bias},
                time=max(known.time, head.time),
            )
    found.heads = list(heads.values())
    return found


def _in_order(stream: Stream) -> list[list[Attention | Hinge]]:
    """The rules by time, the neurons of one lane together; the answer's last, all together, since
    they may read what they write to.
    """
    groups: dict[object, list[Attention | Hinge]] = {}
    for i, head in enumerate(stream.heads):
        groups[(head.time, "head", i)] = [head]
    for hinge in stream.hinges:
        written = "final" if hinge.final else tuple(hinge.adds)
        groups.setdefault((hinge.time, written), []).append(hinge)
    rules = list(groups.values())
    return sorted(rules, key=lambda rs: (rs[0].final, rs[0].time))


def _last_read(
    rules: Sequence[Attention | Hinge], final: Sequence[Attention | Hinge]
) -> int:
    """The time before which the answer must not be written."""
    found, written = 0, {lane for rule in final for lane in rule.writes}
    for rule in rules:
        if not written.isdisjoint(rule.read):
            found = max(found, rule.time - 1)
    return found


def _head_times(stream: Stream) -> set[int]:
    return {head.time for head in stream.heads}


def _of_block(stream: Stream, time: int) -> list[Attention]:
    return [head for head in stream.heads if head.time == time]


def _blocks(stream: Stream) -> int:
    times = [rule.time for rule in (*stream.heads, *stream.hinges)]
    times += [time for time, _, _ in stream.constants]
    return max(((time + 1) // 2 for time in times), default=0)


def weights(stream: Stream, sizes: Sizes) -> int:
    """The number of weights of a model with these rules."""
    heads = stream.settled()
    times = {head.time for head in heads}
    n_head = max((sum(h.time == t for h in heads) for t in times), default=1)
    width = max((max(len(h.rows), len(h.adds)) for h in heads), default=1)
    d = max(len(stream.times), n_head * width)
    d += -d % n_head
    found = d * (sizes.n_vocab + sizes.n_ctx) + len(times) * (4 * d * d + 4 * d)
    for t in {h.time for h in stream.hinges} | {
        t for t, _, _ in stream.constants
    }:
        inner = max(1, sum(h.time == t for h in stream.hinges))
        found += inner * (2 * d + 1) + d
    return found
