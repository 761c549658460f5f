"""The checker: a certificate is a graph over contexts, and what it says of them is computed here, from the weights.

A section is a graph with one edge for every token that its contexts can go on with, so that each context is one way
through it. Walking it position by position, every state gets what the checker itself knows of all contexts that lead
there: the claim's memory, the states of earlier positions, for each head what its softmax has seen. Where ways meet,
the memories must be the same, and the rest is joined to what covers both. Nothing is searched, nothing is believed:

    an edge that is missing    is rejected; one that leads elsewhere joins what does not belong together, and the bounds
                               become useless or are rejected; no graph whatever makes a wrong bound
    which contexts             no context is in two sections, and those that the sections answer are counted: as many
                               as there are, so all of them
    every ending               its logits are bounded from the weights, and must be right by the certified margin

Rules of this file: it imports nothing of the prover; what is not shown is Rejected with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from handcraft.affine import Lane
from handcraft.claims import Answers, Distribution, Residual
from handcraft.gpt2 import Array
from handcraft.model import Model
from handcraft.proof.checker.boxes import Box, Rejected
from handcraft.proof.checker.document import Certificate, Section, Slot, claim_hash, weights_hash
from handcraft.proof.checker.network import Emissions, Head, Network
from handcraft.proof.checker.reading import OUT, Domain, Reading, reading_of
from handcraft.proof.checker.sums import Softmax

EXPANDED = 20_000  # rows of a section up to which the states of earlier positions are told apart
CHUNK = 512  # rows at a time
NOBODY = -1  # the last position has not been read
MOST_STATES = 10**7
State = tuple[Any, frozenset[int], int, tuple[int, ...]]  # memory, earlier states, the last position's token, what heads saw
Entry = tuple[State, int]  # of how many contexts


@dataclass
class Found:
    """What the checker found: contexts answered by (end, level), how many the claim speaks of, the bounds."""

    answered: dict[tuple[int | None, int], int] = field(default_factory=dict)
    spoken: int = 0
    margin: float = math.inf
    error: float = 0.0
    at: list[int] = field(default_factory=list)


class Checker:
    """One model and one certificate."""

    def __init__(self, model: Model, certificate: Certificate) -> None:
        self.model, self.certificate = model, certificate
        self.claim: Any = model.program.claim if model.program else None
        if self.claim is None:
            raise Rejected("the model has no claim")
        if certificate.weights != weights_hash(model) or certificate.dtype != model.dtype:
            raise Rejected("it is a certificate of other weights")
        if certificate.claim != claim_hash(model):
            raise Rejected("it is a certificate of another claim")
        self.network = Network(model)
        self.domain = Domain(model, self.claim, certificate.alphabet)
        self.emissions = Emissions(self.network, certificate.tokens, certificate.after, certificate.followed)
        self.found = Found()
        lane = isinstance(self.claim, Residual) and model.program
        self.column = model.program.layout.column[Lane.parse(self.claim.lane)] if lane and model.program else 0

    def run(self) -> Found:
        """What holds. Raises Rejected where something does not."""
        certificate = self.certificate
        _disjoint(certificate.sections)
        for section in certificate.sections:
            _Walk(self, section).run()
        sizes = self.domain.sizes(ends=any(s.end is not None for s in certificate.sections))
        for key, size in sizes.items():
            if self.found.answered.get(key, 0) != size:
                raise Rejected(f"it covers {self.found.answered.get(key, 0)} of {size} contexts of {key[1] + 1} tokens")
        return self.found

    def covered(self) -> tuple[int, int]:
        """How many contexts, or prompts, there are, and how many of them the claim speaks of."""
        if isinstance(self.claim, Answers):
            size = self.claim.language(self.model.n_ctx, self.model.vocabulary).size
            return size, size
        return sum(self.found.answered.values()), self.found.spoken


def check(model: Model, certificate: Certificate) -> Found:
    """What a certificate shows of a model. Raises Rejected, with the reason, where it does not hold."""
    start = Checker(model, certificate)
    try:
        found = start.run()
    except (OverflowError, ZeroDivisionError) as error:
        raise Rejected(f"a number of it is out of range: {error}") from None
    stated = certificate.contexts, certificate.checked
    if stated != start.covered():
        raise Rejected(f"it states {stated[0]} contexts, {stated[1]} of them checked; there are {' and '.join(map(str, start.covered()))}")
    if not found.spoken:
        raise Rejected("the claim is silent on every context")
    by_tokens = not isinstance(start.claim, Distribution | Residual)
    if by_tokens and not (certificate.margin is None and math.isinf(found.margin)) and not found.margin >= (certificate.margin or math.inf):
        raise Rejected(f"it states a margin of {certificate.margin:g}, but only {found.margin:.6g} is certain")
    if not found.error <= certificate.error:
        raise Rejected(f"it states an error of at most {certificate.error:g}, but it may be {found.error:.6g}")
    return found


def _disjoint(sections: Iterable[Section]) -> None:
    """Raises Rejected where a context could be in two sections."""
    together: dict[Any, dict[tuple[int, int], list[Section]]] = {}
    kinds = set()
    for section in sections:
        kinds.add((section.end is None, tuple(i for i, _ in section.guesses)))
        row = together.setdefault((section.end, tuple(section.guesses)), {})
        for place in section.finals:
            row.setdefault(place, []).append(section)
    if len(kinds) > 1:
        raise Rejected("the sections do not fix the same beforehand")
    pairs = {(id(a), id(b)): (a, b) for row in together.values() for several in row.values()
             for i, a in enumerate(several) for b in several[:i]}  # fmt: skip
    for a, b in pairs.values():
        queries = zip(a.slots, b.slots, strict=False)
        if not any(x.name == y.name and x.query and y.query and _apart(x.query, y.query) for x, y in queries):
            raise Rejected("a context could be in two sections")


def _apart(a: tuple[list[float], list[float]], b: tuple[list[float], list[float]]) -> bool:
    return len(a[0]) == len(b[0]) and any(abs(x - y) > (r + s) * 1.000001 for x, r, y, s in zip(*a, *b, strict=True))


class _Walk:
    """One section."""

    def __init__(self, checker: Checker, section: Section) -> None:
        self.checker, self.section, self.network, self.emissions = checker, section, checker.network, checker.emissions
        self.levels = sorted({level for level, _ in section.finals})
        last = [token for _, token in section.finals]
        own = checker.domain.tokens[last[0]] if len(set(last)) == 1 else None
        self.reading: Reading = reading_of(checker.domain, section, self.levels, own)
        self.finals = set(section.finals)
        heads = [head for row in self.network.heads for head in row if (head.layer, head.number) not in self.emissions.followed]
        if [(head.layer, head.number) for head in heads] != [slot.name for slot in section.slots]:
            raise Rejected("a section does not say what each head asks")
        self.views = [_View(self.emissions, head, slot) for head, slot in zip(heads, section.slots, strict=True)]
        self.endings: dict[Any, dict[Any, int]] = {}  # (level, token, earlier states, what heads saw) -> {expected: how many}

    def run(self) -> None:
        """All endings, then what they show. Raises Rejected where an edge is missing."""
        now: list[Entry | None] = [((self.reading.start, frozenset([0]), NOBODY, (0,) * len(self.views)), 1)]
        order = self.reading.order or range(self.levels[-1] + 1)
        if self.reading.order is not None and any(len(states) != 1 for states in self.emissions.after):
            raise Rejected("what earlier positions hold depends on the order of reading")
        for k, position in enumerate(order):
            edges = self.section.graph[k] if k < len(self.section.graph) else []
            now = self._position(position, now, edges, last=k == self.levels[-1])
        _Judge(self).run()

    def _position(self, position: int, now: list[Entry | None], edges: list[list[int]], *, last: bool) -> list[Entry | None]:
        """One position more: `edges` holds for every state [group of tokens, state after it, group, state, ...]."""
        after: dict[int, Entry] = {}
        asked: dict[Any, tuple[Any, Any]] = {}
        for number, entry in enumerate(now):
            if entry is None:
                raise Rejected("nothing leads to a state")
            (memory, earlier, own, seen), count = entry
            row = tuple(edges[number]) if number < len(edges) else ()
            name = memory, earlier, own, row
            if name not in asked:
                asked[name] = self._read(memory, earlier, own, position, self._targets(row), last=last)
            steps, ends = asked[name]
            for (following, states, mine, keys, target), times in steps.items():
                new = following, states, mine, self._inserted(seen, keys, position)
                old = after.get(target)
                after[target] = (new, count * times) if old is None else (self._join(old[0], new), old[1] + count * times)
            for expected, token, keys in ends:
                place = self.levels[-1] if self.reading.order else position, token, earlier, self._inserted(seen, keys, None)
                found = self.endings.setdefault(place, {})
                found[expected] = found.get(expected, 0) + count
        return [after.get(i) for i in range(max(after, default=-1) + 1)]

    def _targets(self, row: tuple[int, ...]) -> dict[int, int]:
        """The state after each token."""
        groups = self.checker.certificate.groups
        if len(row) % 2 or any(group >= len(groups) for group in row[::2]) or any(target >= MOST_STATES for target in row[1::2]):
            raise Rejected("an edge has no such group of tokens, or leads nowhere")
        return {token: target for group, target in zip(row[::2], row[1::2], strict=True) for token in groups[group]}

    def _read(
        self, memory: Any, earlier: frozenset[int], own: int, position: int, targets: dict[int, int], *, last: bool
    ) -> tuple[dict[Any, int], list[Any]]:  # fmt: skip
        """Every token that the domain allows: what it leads to, how often; and what contexts that end with it must have."""
        steps, ends, level = dict[Any, int](), list[Any](), self.levels[-1] if self.reading.order else position
        for token in range(self.network.n_vocab):
            following = self.reading.step(memory, position, token)
            if following is None:
                continue
            keys = tuple(view.key(position, earlier, token) for view in self.views)
            mine = token if self.reading.order and position == level else own
            if not last:
                if token not in targets:
                    raise Rejected(f"a state at position {position} has no edge for token {token}")
                states = frozenset(self._after(position, state, token) for state in earlier)
                step = following, states, mine, keys, targets[token]
                steps[step] = steps.get(step, 0) + 1
            final = token if self.reading.order is None else mine
            if (level, final) in self.finals and (last or self.reading.order is None):
                expected = self.reading.answer(following, level, token)
                if expected is not OUT:
                    ends.append((expected, final, keys))
        return steps, ends

    def _after(self, position: int, state: int, token: int) -> int:
        """The state of earlier positions after a token."""
        place = self.emissions.at[position].get(token) if position < len(self.emissions.at) else None
        if place is None:
            raise Rejected(f"token {token} is not listed at position {position}")
        return self.emissions.after[position][state][place]

    def _inserted(self, seen: tuple[int, ...], keys: tuple[int | None, ...], position: int | None) -> tuple[int, ...]:
        return tuple(view.insert(s, key, position) for view, s, key in zip(self.views, seen, keys, strict=True))

    def _join(self, a: State, b: State) -> State:
        """What holds of all contexts that lead to a state by either way."""
        if a[0] != b[0] or a[2] != b[2]:
            raise Rejected("two ways lead to a state, and the claim tells them apart")
        return a[0], a[1] | b[1], a[2], tuple(v.join(x, y) for v, x, y in zip(self.views, a[3], b[3], strict=True))


class _View:
    """What one head sees of every emission by the query of the section; nothing is kept where it has none."""

    def __init__(self, emissions: Emissions, head: Head, slot: Slot) -> None:
        self.emissions, self.head, self.slot = emissions, head, slot
        self.softmax = Softmax(emissions.network.floats, head.scale, slot.gap, emissions.network.n_ctx)
        self.known: dict[Any, int] = {}
        if slot.query is not None:
            self.query = Box.of(*(np.array(part)[None] for part in slot.query))
            keys, self.c, self.r = emissions.seen_by(head)
            if self.query.c.shape[1] != keys.c.shape[1]:
                raise Rejected("a query has another size than the keys")
            self.low, self.high = emissions.network.floats.dot(self.query, keys)

    def key(self, position: int, earlier: frozenset[int], token: int) -> int | None:
        """What a token at a position is for the head, whichever of the earlier states is there."""
        if self.slot.query is None:
            return None
        name = position, earlier, token
        if name not in self.known:
            rows = [self.emissions.emission(position, state, token) for state in earlier]
            c, r = self.c[rows], self.r[rows]
            low, high = float(self.low[rows].min()), float(self.high[rows].max())
            self.known[name] = self.softmax.key(low, high, *hull((c - r).min(axis=0), (c + r).max(axis=0)))
        return self.known[name]

    def insert(self, seen: int, key: int | None, position: int | None) -> int:
        """What is seen with one key more; none is left out where a context ends."""
        floor = self.slot.floor[position] if position is not None and position < len(self.slot.floor) else -math.inf
        return seen if key is None else self.softmax.insert(seen, key, floor)

    def join(self, a: int, b: int) -> int:
        """What covers both."""
        return self.softmax.join(a, b)

    def asked(self, q: Box) -> Array:  # [n, d_head] -> [n] bool
        """Which rows ask what the section says."""
        return np.asarray((np.abs(q.c - self.query.c) + q.r <= self.query.r).all(axis=1))

    def blind(self, q: Box, level: int, emission: int) -> tuple[Array, Array]:  # [1, d_head] -> [n_value] each
        """The mean at a level by a query, where any token can stand at every position before."""
        first = self.emissions.first
        keys, c, r = self.emissions.seen_by(self.head)
        low, high = self.emissions.network.floats.dot(q, keys[: emission + 1])
        softmax, known = Softmax(self.emissions.network.floats, self.head.scale, self.slot.gap, self.emissions.network.n_ctx), 0
        best = max(float(low[a:b].min()) for a, b in zip(first[:level], first[1 : level + 1], strict=True)) if level else -math.inf
        for place in [*(slice(a, b) for a, b in zip(first[:level], first[1 : level + 1], strict=True)), slice(emission, emission + 1)]:
            value = hull((c[place] - r[place]).min(axis=0), (c[place] + r[place]).max(axis=0))
            key = softmax.key(float(low[place].min()), float(high[place].max()), *value)
            known = softmax.insert(known, key, best - self.slot.gap)
        return softmax.mean(known, level + 1)


class _Judge:
    """What the endings of a section show: the stream, block by block, and in the end the logits."""

    def __init__(self, walk: _Walk) -> None:
        self.walk, self.checker, self.network, self.emissions = walk, walk.checker, walk.network, walk.emissions
        self.views = {view.slot.name: (i, view) for i, view in enumerate(walk.views)}
        self.means: dict[Any, tuple[Array, Array]] = {}

    def run(self) -> None:
        """Every ending, some at a time."""
        places = list(self.walk.endings)
        apart = sum(len(place[2]) for place in places) <= EXPANDED
        for i in range(0, len(places), CHUNK):
            chunk = places[i : i + CHUNK]
            rows = [(n, (state,)) for n, p in enumerate(chunk) for state in p[2]] if apart else [(n, tuple(p[2])) for n, p in enumerate(chunk)]
            self._rows(chunk, np.array([n for n, _ in rows]), [states for _, states in rows])

    def _rows(self, places: list[Any], number: Array, states: list[tuple[int, ...]]) -> None:
        """Rows of the stream: the place that each belongs to, and the states of earlier positions."""
        levels, tokens = (np.array([places[n][i] for n in number]) for i in (0, 1))
        emissions = [[self.emissions.emission(int(a), s, int(t)) for s in row] for a, t, row in zip(levels, tokens, states, strict=True)]
        x, alive = self.network.embed(tokens, levels), np.arange(len(number))  # [n_rows, n_embd]
        for i, heads in enumerate(self.network.heads):
            queries = {head.number: self.network.floats.linear(x.plain(), *head.q).plain() for head in heads}
            inside = np.ones(len(alive), dtype=bool)
            for head in heads:
                if (i, head.number) in self.views and (view := self.views[i, head.number][1]).slot.query is not None:
                    inside &= view.asked(queries[head.number])
            x, alive = x[inside], alive[inside]
            if not len(alive):
                return
            means = {head.number: self._mean(head, queries[head.number][inside], places, number[alive],
                                             [emissions[j] for j in alive]) for head in heads}  # fmt: skip
            x = self.network.through(i, x, means)
        if np.intersect1d(np.delete(number, alive), number[alive]).size:
            raise Rejected("a section answers only some of the contexts of a state")
        self._shown(places, number[alive], x)

    def _mean(self, head: Head, q: Box, places: list[Any], number: Array, emissions: list[list[int]]) -> tuple[Array, Array]:
        """A head's mean value in every row [n_rows, n_value]."""
        name = head.layer, head.number
        if name not in self.views:
            c, r = self.emissions.mean(name, np.concatenate(emissions))
            starts = np.cumsum([0, *(len(row) for row in emissions[:-1])])
            return hull(np.minimum.reduceat(c - r, starts), np.maximum.reduceat(c + r, starts)) if len(c) > len(emissions) else (c, r)
        slot, view = self.views[name]
        found = []
        for row, n in enumerate(number.tolist()):
            level, seen = places[n][0], places[n][3][slot]
            blind = view.slot.query is None
            key = (name, q.c[row].tobytes(), q.r[row].tobytes(), level, emissions[row][0]) if blind else (name, seen, level)
            if key not in self.means:
                if blind and len(emissions[row]) > 1:
                    raise Rejected("there are too many states of earlier positions to tell apart")
                self.means[key] = view.blind(q[[row]], level, emissions[row][0]) if blind else view.softmax.mean(seen, level + 1)
            found.append(self.means[key])
        return np.stack([c for c, _ in found]), np.stack([r for _, r in found])

    def _shown(self, places: list[Any], number: Array, x: Box) -> None:
        found, counted = self.checker.found, set[int]()
        for row, n in enumerate(number.tolist()):
            for expected, count in self.walk.endings[places[n]].items():
                if n not in counted:
                    key = self.walk.section.end, places[n][0]
                    found.answered[key] = found.answered.get(key, 0) + count
                    found.spoken += count * (expected is not None)
                if expected is not None:
                    self._right(x, row, expected)
            counted.add(n)

    def _right(self, x: Box, row: int, expected: Any) -> None:
        """Whether a row gives what is expected. Raises Rejected where it may not."""
        found, claim = self.checker.found, self.checker.claim
        if isinstance(claim, Residual):
            at, value = self.checker.column, float(expected)
            error = abs(float(x.c[row, at]) - value) * (1 + 1e-12) + float(x.radius[row, at]) + 1e-15 * abs(value)
        elif isinstance(claim, Distribution):
            low, high = self.network.chances(x, row)
            error = float(np.maximum(np.abs(low - expected), np.abs(high - expected)).max())
        else:
            margin, error = self.network.ahead(x, row, expected)
            found.margin, found.error = min(found.margin, margin), max(found.error, error)
            if not margin > 0:
                raise Rejected(f"the margin may be {margin:.6g}")
            return
        found.error = max(found.error, error)
        if not error <= claim.tolerance:
            raise Rejected(f"the error may be {error:.6g}, more than {claim.tolerance:g}")
