"""Places the rules of a stream in blocks: each as early as it can be, with so many heads a block.

    cheapest(stream, sizes)    the schedule with the fewest weights, of 1 to 8 heads a block
    scheduled(stream, heads)   the same rules at other times
    merged(stream)             one head for those that look at the same places

All heads of a model have one width, and every block has room for as many heads as the fullest. So
a block less is not always cheaper than a head less. Rules of this file: a lane is read after what
writes it, and the answer, which is written over lanes of the embedding, after all that reads them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace

from handcraft.language.affine import Affine, Lane
from handcraft.lowering.scheduling.reusing import reused
from handcraft.lowering.scheduling.rewriting import (
    Rule,
    fused,
    pruned,
    rules_of,
)
from handcraft.lowering.scheduling.spanning import Texts, spanned, told_once
from handcraft.lowering.stream import BOS, Attention, Stream

MOST_HEADS = 8


@dataclass(frozen=True)
class Sizes:
    """The numbers of rows of wte and wpe, and the tokens of texts where they are known."""

    n_vocab: int
    n_ctx: int
    tokens: tuple[str, ...] = ()


def cheapest(stream: Stream, sizes: Sizes) -> Stream:
    """The schedule with the fewest weights; of equals, the one with fewer blocks. The sums that
    became one lane are noted in the stream that is given, too.
    """
    plain = fused(pruned(stream))
    stream.sums = plain.sums
    texts = Texts(sizes.tokens, sizes.n_ctx - 1)
    few = [spanned(plain, texts, every=every) for every in (False, True)]
    tried = [
        final
        for lanes in (plain, *few)
        for rules in (told_once(merged(lanes), texts), lanes)
        for placed in _schedules(rules)
        for final in reused(placed)
    ]
    return exact(min(tried, key=lambda s: (weights(s, sizes), _blocks(s))))


def exact(stream: Stream) -> Stream:
    """The stream with each score times a number from 1 to 2 by which its weights are whole again
    after they are multiplied by the square root of the width of a head, so that what is selected
    scores 0 in float32. What counts keeps the score of BOS.
    """
    n_head, width = _shape(stream)
    root = math.sqrt(_columns(stream, n_head, width) // n_head)
    by = 2.0 ** math.ceil(math.log2(root)) / root
    found = copy(stream)
    found.heads = [
        replace(head, rows=tuple(_scaled(head, q, k, by) for q, k in head.rows))
        for head in stream.heads
    ]
    return found


def _scaled(
    head: Attention, query: Affine, key: Affine, by: float
) -> tuple[Affine, Affine]:
    if not head.counts:
        return query.scaled(by), key
    terms = dict(key.terms)
    at_bos = terms.get(BOS, 0.0) + key.constant
    terms[BOS] = at_bos / by - key.constant
    return query.scaled(by), Affine.of(terms, key.constant)


def _schedules(stream: Stream) -> Iterator[Stream]:
    """The schedules with 1 to so many heads a block as there is use for."""
    for heads in range(1, MOST_HEADS + 1):
        found = scheduled(stream, heads)
        yield found
        if _shape(found)[0] < heads:
            return


# ---------------------------------------------------------------- heads that look at the same


def merged(stream: Stream) -> Stream:
    """The same with one head for those that look at the same places, where neither reads what the
    other brings about.
    """
    found = copy(stream)
    found.heads = list(stream.heads)
    i = 0
    while i < len(found.heads):
        if (j := _twin(found, i)) is None:
            i += 1
        else:
            found.heads[i] = _joined(found.heads[i], found.heads.pop(j))
    return found


def _twin(stream: Stream, i: int) -> int | None:
    """The next head that can be one with this one."""
    head = stream.heads[i]
    alike = [
        j
        for j, other in enumerate(stream.heads)
        if j > i and _alike(head, other)
    ]
    behind = _behind(stream, head.writes) if alike else set()
    for j in alike:
        other = stream.heads[j]
        later = _behind(stream, other.writes)
        if behind.isdisjoint(other.read) and later.isdisjoint(head.read):
            return j
    return None


def _alike(a: Attention, b: Attention) -> bool:
    same = (a.rows, a.sink, a.final, a.counts) == (
        b.rows,
        b.sink,
        b.final,
        b.counts,
    )
    return same and not a.adds.keys() & b.adds.keys()


def _joined(a: Attention, b: Attention) -> Attention:
    return replace(a, adds={**a.adds, **b.adds}, bias={**a.bias, **b.bias})


def _behind(stream: Stream, lanes: Iterable[Lane]) -> set[Lane]:
    """These lanes, and all that is computed from them."""
    found, size = set(lanes), 0
    while size < len(found):
        size = len(found)
        for rule in rules_of(stream):
            if not rule.final and not found.isdisjoint(rule.read):
                found |= set(rule.writes)
    return found


# ---------------------------------------------------------------- times


@dataclass(frozen=True)
class _Step:
    """A head, or the neurons that write the same lanes.

    after   the steps that write what it reads
    past    the steps that read what it writes over: of the answer only
    height  the most sublayers that follow it
    """

    rules: tuple[Rule, ...]
    after: frozenset[int]
    past: frozenset[int]
    height: int

    @property
    def is_head(self) -> bool:
        """True for a head."""
        return isinstance(self.rules[0], Attention)


def scheduled(stream: Stream, heads: int) -> Stream:
    """The same rules, with at most so many heads a block."""
    steps = _steps(stream)
    times: dict[int, int] = {}
    time = 0
    while len(times) < len(steps):
        time += 1
        ready = [
            i
            for i, step in enumerate(steps)
            if i not in times
            and step.is_head == (time % 2 == 1)
            and _can(step, times, time)
        ]
        ready.sort(key=lambda i: -steps[i].height)
        for i in ready[: heads if time % 2 else len(ready)]:
            times[i] = time
    return _placed(stream, steps, times)


def _can(step: _Step, times: dict[int, int], time: int) -> bool:
    """True if all that it waits for is done before, and all that it writes over is read."""
    done = all(times.get(i, time) < time for i in step.after)
    return done and all(i in times for i in step.past)


def _placed(
    stream: Stream, steps: Sequence[_Step], times: dict[int, int]
) -> Stream:
    found = copy(stream)
    found.times = dict.fromkeys(stream.times, 0)
    found.heads, found.hinges = [], []
    for i in sorted(times, key=lambda i: times[i]):
        for rule in steps[i].rules:
            new = replace(rule, time=times[i])
            kept = found.heads if steps[i].is_head else found.hinges
            kept.append(new)  # type: ignore[arg-type]
            for lane in rule.writes:
                found.times[lane] = max(found.times[lane], times[i])
    last = max(times.values(), default=0)
    last = max(last + last % 2, 2)
    found.constants = [(last, lane, x) for _, lane, x in stream.constants]
    return found


def _steps(stream: Stream) -> list[_Step]:
    """The heads and groups of neurons, the answer's last."""
    groups = sorted(_groups(stream), key=lambda rules: rules[0].final)
    writers: dict[Lane, set[int]] = {}
    for i, rules in enumerate(groups):
        for lane in {x for rule in rules for x in rule.writes}:
            if not rules[0].final:
                writers.setdefault(lane, set()).add(i)
    read = [{x for rule in rules for x in rule.read} for rules in groups]
    after = [
        frozenset(j for lane in lanes for j in writers.get(lane, ()))
        for lanes in read
    ]
    heights = _heights(after)
    return [
        _Step(tuple(rules), after[i], _past(rules, read, i), heights[i])
        for i, rules in enumerate(groups)
    ]


def _groups(stream: Stream) -> Iterator[list[Rule]]:
    for head in stream.heads:
        yield [head]
    groups: dict[object, list[Rule]] = {}
    for hinge in stream.hinges:
        # the answer's may read what they write over, so they stand together
        name = "final" if hinge.final else frozenset(hinge.adds)
        groups.setdefault(name, []).append(hinge)
    yield from groups.values()


def _past(
    rules: Sequence[Rule], read: Sequence[set[Lane]], own: int
) -> frozenset[int]:
    if not rules[0].final:
        return frozenset()
    over = {lane for rule in rules for lane in rule.writes}
    return frozenset(
        i
        for i, lanes in enumerate(read)
        if i != own and not over.isdisjoint(lanes)
    )


def _heights(after: Sequence[frozenset[int]]) -> list[int]:
    """For each step the length of the longest chain of steps that need it."""
    found = [0] * len(after)
    again = True
    while again:
        again = False
        for i, earlier in enumerate(after):
            for j in earlier:
                if found[j] < found[i] + 1:
                    found[j], again = found[i] + 1, True
    return found


# ---------------------------------------------------------------- sizes


def _blocks(stream: Stream) -> int:
    times = [rule.time for rule in rules_of(stream)]
    times += [time for time, _, _ in stream.constants]
    return max(((time + 1) // 2 for time in times), default=0)


def weights(stream: Stream, sizes: Sizes) -> int:
    """The number of weights of a model with these rules."""
    times = {head.time for head in stream.heads}
    d = _columns(stream, *_shape(stream))
    found = d * (sizes.n_vocab + sizes.n_ctx) + len(times) * (4 * d * d + 4 * d)
    for t in {h.time for h in stream.hinges} | {
        t for t, _, _ in stream.constants
    }:
        inner = max(1, sum(h.time == t for h in stream.hinges))
        found += inner * (2 * d + 1) + d
    return found


def _shape(stream: Stream) -> tuple[int, int]:
    """The number of heads, and the width that they need."""
    heads = stream.settled()
    of_block = Counter(head.time for head in heads)
    widths = [max(len(head.rows), len(head.adds)) for head in heads]
    return max(of_block.values(), default=1), max(widths, default=1)


def _columns(stream: Stream, n_head: int, width: int) -> int:
    """The width of the stream: a multiple of the number of heads."""
    d = max(len(stream.times) - len(stream.reuse), n_head * width)
    return d + -d % n_head
