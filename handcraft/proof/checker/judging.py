"""What the endings of a section show: the stream of the last position, block by block, and in the end the logits.

Rules of this file: a context that does not ask what its section says is not answered by it, and not counted; every
other one must be right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from handcraft.claims import Claim, Distribution, Residual
from handcraft.gpt2 import Array
from handcraft.proof.checker.boxes import Box, Rejected, hull
from handcraft.proof.checker.network import Head
from handcraft.proof.checker.sections import Example, Walk

EXPANDED = 20_000  # rows of a section up to which the states of earlier positions are told apart
CHUNK = 512  # rows at a time
EMISSIONS = 2**14  # that they come from, about
EXAMPLES = 2_000  # of the endings, at most


@dataclass(frozen=True, eq=False)
class Shown:
    """One ending: a context that leads there, what must follow, and where the model's numbers must lie.

    `end` is where the prompt ends, if the section fixed that beforehand.

    The numbers are the logits after the context [n_vocab]; for a claim on a lane that lane alone [1].
    """

    context: tuple[int, ...]
    expected: Any
    low: Array
    high: Array
    end: int | None = None


@dataclass
class Found:
    """What the checker found: contexts answered by (end, level), how many the claim speaks of, the bounds.

    contexts    how many contexts, or prompts, the domain has: all of them are answered
    checked     how many of them the claim speaks of
    examples    endings, spread evenly over all of them; at most EXAMPLES
    """

    answered: dict[tuple[int | None, int], int] = field(default_factory=dict)
    spoken: int = 0
    margin: float = math.inf
    error: float = 0.0
    at: list[int] = field(default_factory=list)
    contexts: int = 0
    checked: int = 0
    examples: list[Shown] = field(default_factory=list)
    endings: int = 0
    stride: int = 1  # every so many endings one is an example

    def wants(self) -> bool:
        """Counts one more ending: whether it shall be an example."""
        self.endings += 1
        return (self.endings - 1) % self.stride == 0

    def keep(self, shown: Shown) -> None:
        """One more example; where there are too many, every second one goes."""
        self.examples.append(shown)
        if len(self.examples) > EXAMPLES:
            self.examples, self.stride = self.examples[::2], 2 * self.stride


class Judge:
    """The endings of one section; `column` is the lane that a claim on a lane is about."""

    def __init__(self, walk: Walk, claim: Claim, column: int, found: Found) -> None:
        self.walk, self.network, self.emissions = walk, walk.network, walk.emissions
        self.claim, self.column, self.found = claim, column, found
        self.views = {view.slot.name: (i, view) for i, view in enumerate(walk.views)}
        self.means: dict[Any, tuple[Array, Array]] = {}

    def run(self) -> None:
        """Every ending, some at a time."""
        places, work = list(self.walk.endings), self.walk.setting.work
        apart = sum(len(place[2]) for place in places) <= EXPANDED
        most = max((len(place[2]) for place in places), default=1)
        size = max(1, min(CHUNK, EMISSIONS // most))
        for i in range(0, len(places), size):
            chunk = places[i : i + size]
            work.spend(sum(len(place[2]) for place in chunk))
            rows = [(n, states) for n, p in enumerate(chunk) for states in ([(s,) for s in p[2]] if apart else [tuple(p[2])])]
            self._rows(chunk, np.array([n for n, _ in rows]), [states for _, states in rows])

    def _rows(self, places: list[Any], number: Array, states: list[tuple[int, ...]]) -> None:
        """Rows of the stream: the place that each belongs to, and the states of earlier positions."""
        levels, tokens = (np.array([places[n][i] for n in number]) for i in (0, 1))
        ends = zip(levels.tolist(), tokens.tolist(), states, strict=True)
        emissions = [[self.emissions.emission(level, s, token) for s in row] for level, token, row in ends]
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
            together = len(c) > len(emissions)
            return hull(np.minimum.reduceat(c - r, starts), np.maximum.reduceat(c + r, starts)) if together else (c, r)
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
        found, counted, rounding = self.found, set[int](), self.network.rounding(x)  # [n_rows, n_vocab]
        asked: list[tuple[int, Any, Example]] = []  # row, what must follow, an ending
        for row, n in enumerate(number.tolist()):
            for expected, (count, example) in self.walk.endings[places[n]].items():
                if n not in counted:
                    key = self.walk.section.end, places[n][0]
                    found.answered[key] = found.answered.get(key, 0) + count
                    found.spoken += count * (expected is not None)
                if expected is not None:
                    asked.append((row, expected, example))
                    if n not in counted and found.wants():
                        found.keep(self._example(x, np.flatnonzero(number == n), expected, rounding, example))
            counted.add(n)
        if isinstance(self.claim, Residual | Distribution):
            self._near(x, asked)
        else:
            self._right(x, asked, rounding)

    def _example(self, x: Box, rows: Array, expected: Any, rounding: Array, example: Example) -> Shown:
        """An ending by one of its contexts, which may be in any of these rows."""
        if isinstance(self.claim, Residual):
            c, r = x.c[rows][:, [self.column]], x.radius[rows][:, [self.column]]  # [n_rows, 1]
        else:
            c, r = self.network.logits(x, rows, rounding)  # [n_rows, n_vocab]
        r = r * (1 + 1e-12) + 1e-15 * np.abs(c)
        return Shown(tuple(self.walk.example(example)), expected, (c - r).min(axis=0), (c + r).max(axis=0),
                     self.walk.section.end)  # fmt: skip

    def _right(self, x: Box, asked: list[tuple[int, Any, Example]], rounding: Array) -> None:
        """Whether rows give the tokens that are expected. Raises Rejected where one may not."""
        found, rows = self.found, np.array([row for row, _, _ in asked], dtype=int)
        tokens = np.array([expected for _, expected, _ in asked], dtype=int)
        margins, errors = np.zeros(len(rows)), np.zeros(len(rows))
        for token in np.unique(tokens).tolist():
            those = tokens == token
            margins[those], errors[those] = self.network.ahead(x, rows[those], token, rounding)
        if not (margins > 0).all():
            raise Rejected(f"the margin may be {margins[~(margins > 0)][0]:.6g}")
        for (_, _, example), margin in zip(asked, margins.tolist(), strict=True):
            if margin < found.margin * (1 - 1e-6):  # of nearly equal ones the first, on any machine
                found.at = self.walk.example(example)
            found.margin = min(found.margin, margin)
        found.error = max(found.error, float(errors.max(initial=0.0)))

    def _near(self, x: Box, asked: list[tuple[int, Any, Example]]) -> None:
        """Whether rows give the numbers or the probabilities that are expected. Raises Rejected where one may not."""
        found, tolerance = self.found, self.claim.tolerance  # type: ignore[union-attr]
        for (_, _, example), error in zip(asked, self._errors(x, asked), strict=True):
            if error > found.error * (1 + 1e-6):
                found.at = self.walk.example(example)
            found.error = max(found.error, error)
            if not error <= tolerance:
                raise Rejected(f"the error may be {error:.6g}, more than {tolerance:g}")

    def _errors(self, x: Box, asked: list[tuple[int, Any, Example]]) -> list[float]:
        """How far each row can be off what is expected."""
        rows = [row for row, _, _ in asked]
        if isinstance(self.claim, Residual):
            value = np.array([float(expected) for _, expected, _ in asked])
            c, r = x.c[rows, self.column], x.radius[rows, self.column]
            return list((np.abs(c - value) * (1 + 1e-12) + r + 1e-15 * np.abs(value)).tolist())
        both = [(expected, *self.network.chances(x, row)) for row, expected, _ in asked]
        return [float(np.maximum(np.abs(low - expected), np.abs(high - expected)).max()) for expected, low, high in both]
