"""The check of the endings of all sections: the residual stream of the last position, block by
block, and at the end the logits.

Rules of this file: a context whose last position does not ask what its section says is not
answered by the section, and not counted. Every other one must be right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from handcraft.claims.kinds import Claim
from handcraft.core.gpt2 import Array
from handcraft.proof.checker.graph import Example, Setting, Walk
from handcraft.proof.checker.network import HeadWeights
from handcraft.proof.checker.zonotope import Rejected, Zonotope, hull

EXPANDED = 20_000  # rows of a section up to which the states of earlier positions are told apart
_CHUNK = 512  # rows at a time
_APART = (
    2**11
)  # rows at a time where the states of earlier positions are told apart
_STATES = 2**14  # position states that they come from, about
HELD = 2**15  # states of their walks, about
_EXAMPLES = 2_000  # of the endings, at most


@dataclass(frozen=True, eq=False)
class Shown:
    """One ending: a context that leads there, what must follow, and between which bounds
    the model's numbers lie.

    `end` is where the prompt ends, if the section fixed that beforehand.

    The numbers are the logits after the context [n_vocab]; for a claim on a lane that lane
    alone [1].
    """

    context: tuple[int, ...]
    expected: Any
    low: Array
    high: Array
    end: int | None = None


@dataclass
class Found:
    """The results of the checker: the contexts answered by (end, level), how many of them
    the claim says something about, and the bounds.

    contexts    the number of contexts, or prompts, in the domain: all of them are answered
    checked     the number of them that the claim says something about
    examples    endings, spread evenly over all of them
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
        """Count one more ending; true if it is to be an example."""
        self.endings += 1
        return (self.endings - 1) % self.stride == 0

    def keep(self, shown: Shown) -> None:
        """Add an example; if there are too many, every second one goes."""
        self.examples.append(shown)
        if len(self.examples) > _EXAMPLES:
            self.examples = self.examples[::2]
            self.stride = 2 * self.stride


_Asked = tuple[
    int, Any, tuple[Walk, Example]
]  # the row, what must follow, an ending


@dataclass(frozen=True, eq=False)
class _Row:
    """The last position of some contexts: where in which walk they end, and the states of
    earlier positions.
    """

    number: int  # of the ending: all rows of one have the same
    walk: Walk
    place: Any  # (level, token, earlier states, what heads saw)
    states: tuple[int, ...]


class EndingsJudge:
    """The check of the endings of all sections. `column` is the lane that a claim on a lane
    is about.
    """

    def __init__(
        self, setting: Setting, claim: Claim, column: int, found: Found
    ) -> None:
        self.network = setting.network
        self.position_states = setting.position_states
        self.work = setting.work
        self.claim = claim
        self.column = column
        self.found = found
        self.waiting: list[_Row] = []
        # of what waits: endings, position states, states of their walks
        self.count = 0
        self.size = 0
        self.held = 0
        self.means: dict[Any, tuple[Array, Array]] = {}

    def add(self, walk: Walk) -> None:
        """Add every ending of a section. Those of several sections are judged together,
        since most have few.
        """
        apart = sum(len(place[2]) for place in walk.endings) <= EXPANDED
        held = sum(map(len, walk.back))
        if self.held + held > HELD:
            self.run()
        self.held += held
        for place in walk.endings:
            self.work.spend(len(place[2]))
            states = [(s,) for s in place[2]] if apart else [tuple(place[2])]
            if (
                self.count == _CHUNK
                or len(self.waiting) + len(states) > _APART
                or self.size + len(place[2]) > _STATES
            ):
                self.run()
            self.waiting += [
                _Row(self.count, walk, place, row) for row in states
            ]
            self.count = self.count + 1
            self.size = self.size + len(place[2])

    def run(self) -> None:
        """Judge everything that waits. Raises Rejected if one ending may be wrong."""
        rows = self.waiting
        self.waiting = []
        self.count = 0
        self.size = 0
        self.held = 0
        self.means.clear()
        if rows:
            self._rows(rows)

    def _rows(self, rows: list[_Row]) -> None:
        """Follow the streams of all rows, without those that do not ask what their section says."""
        levels, tokens = (
            np.array([row.place[i] for row in rows]) for i in (0, 1)
        )
        ends = zip(levels.tolist(), tokens.tolist(), rows, strict=True)
        number = np.array([row.number for row in rows])
        position_states = [
            [
                self.position_states.position_state(level, s, token)
                for s in row.states
            ]
            for level, token, row in ends
        ]
        x = self.network.embed(tokens, levels)  # [n_rows, n_embd]
        alive = np.arange(len(rows))
        for i, heads in enumerate(self.network.heads):
            queries = {
                head.number: self.network.floats.linear(
                    x.plain(), *head.q
                ).plain()
                for head in heads
            }
            inside = np.ones(len(alive), dtype=bool)
            for head in heads:
                inside &= self._asked(
                    head, queries[head.number], [rows[j] for j in alive]
                )
            if not inside.any():
                return
            if not inside.all():
                x = x[inside]
                alive = alive[inside]
                queries = {number: q[inside] for number, q in queries.items()}
            means = {
                head.number: self._mean(
                    head,
                    queries[head.number],
                    [rows[j] for j in alive],
                    [position_states[j] for j in alive],
                )
                for head in heads
            }
            x = self.network.through(i, x, means)
        if np.intersect1d(np.delete(number, alive), number[alive]).size:
            raise Rejected(
                "a section answers only some of the contexts of a state"
            )
        self._shown([rows[j] for j in alive], x)

    def _asked(
        self, head: HeadWeights, q: Zonotope, rows: list[_Row]
    ) -> Array:  # [n_rows, d_head] -> [n_rows] bool
        """True for each row that asks of the head what its section says; any query will do
        if that is nothing.
        """
        inside = np.ones(len(rows), dtype=bool)
        name = (head.layer, head.number)
        if name in self.position_states.followed:
            return inside
        views = [row.walk.named[name][1] for row in rows]
        known = np.flatnonzero([view.slot.query is not None for view in views])
        if len(known):
            c, r = (
                np.concatenate(part)
                for part in zip(
                    *[(views[i].query.c, views[i].query.r) for i in known],
                    strict=True,
                )
            )
            inside[known] = (np.abs(q.c[known] - c) + q.r[known] <= r).all(
                axis=1
            )
        return inside

    def _mean(
        self,
        head: HeadWeights,
        q: Zonotope,
        rows: list[_Row],
        position_states: list[list[int]],
    ) -> tuple[Array, Array]:
        """Return a head's mean value in every row [n_rows, n_value]."""
        name = head.layer, head.number
        if name in self.position_states.followed:
            c, r = self.position_states.mean(
                name, np.concatenate(position_states)
            )
            starts = np.cumsum([0, *(len(row) for row in position_states[:-1])])
            if len(c) == len(position_states):
                return c, r
            low = np.minimum.reduceat(c - r, starts)
            high = np.maximum.reduceat(c + r, starts)
            return hull(low, high)
        self._together(name, rows)
        found = [
            self._seen(name, q, i, row, position_states[i])
            for i, row in enumerate(rows)
        ]
        return np.stack([c for c, _ in found]), np.stack([r for _, r in found])

    def _together(self, name: tuple[int, int], rows: list[_Row]) -> None:
        """Compute the means of a head that rows ask for and that are not known, those of one
        section and level at once.
        """
        asked: dict[Any, dict[int, None]] = {}
        for row in rows:
            slot, view = row.walk.named[name]
            seen, level = row.place[3][slot], row.place[0]
            if (
                view.slot.query is not None
                and (view, seen, level) not in self.means
            ):
                asked.setdefault((view, level), {})[seen] = None
        for (view, level), numbers in asked.items():
            means = view.softmax.means(list(numbers), level + 1)
            for seen, c, r in zip(numbers, *means, strict=True):
                self.means[view, seen, level] = c, r

    def _seen(
        self,
        name: tuple[int, int],
        q: Zonotope,
        i: int,
        row: _Row,
        position_states: list[int],
    ) -> tuple[Array, Array]:
        """Return the mean value [n_value] of a head that is not followed, in the i-th row,
        which asks the i-th query of q.
        """
        (slot, view), level = row.walk.named[name], row.place[0]
        key: Any
        if view.slot.query is not None:
            return self.means[view, row.place[3][slot], level]
        if len(position_states) > 1:
            raise Rejected(
                "there are too many states of earlier positions to tell apart"
            )
        query = q.c[i].tobytes(), q.r[i].tobytes()
        key = name, view.slot.gap, *query, level, position_states[0]
        if key not in self.means:
            self.means[key] = view.blind(q[[i]], level, position_states[0])
        return self.means[key]

    def _shown(self, rows: list[_Row], x: Zonotope) -> None:
        found = self.found
        counted = set[int]()
        rounding = self.network.rounding(x)  # [n_rows, n_vocab]
        asked: list[_Asked] = []  # row, what must follow, an ending
        number = np.array([row.number for row in rows])
        for i, row in enumerate(rows):
            for expected, (count, example) in row.walk.endings[
                row.place
            ].items():
                if row.number not in counted:
                    key = row.walk.section.end, row.place[0]
                    found.answered[key] = found.answered.get(key, 0) + count
                    found.spoken += count * (expected is not None)
                if expected is not None:
                    asked.append((i, expected, (row.walk, example)))
                    if row.number not in counted and found.wants():
                        found.keep(
                            self._example(
                                x,
                                np.flatnonzero(number == row.number),
                                expected,
                                rounding,
                                row.walk,
                                example,
                            )
                        )
            counted.add(row.number)
        if self.claim.measures != "token":
            self._near(x, asked)
        else:
            self._right(x, asked, rounding)

    def _example(
        self,
        x: Zonotope,
        rows: Array,
        expected: Any,
        rounding: Array,
        walk: Walk,
        example: Example,
    ) -> Shown:
        """Keep an ending as an example, by one of its contexts, which may be in any of
        these rows.
        """
        if self.claim.measures == "lane":
            c, r = (
                x.c[rows][:, [self.column]],
                x.radius[rows][:, [self.column]],
            )  # [n_rows, 1]
        else:
            c, r = self.network.logits(x, rows, rounding)  # [n_rows, n_vocab]
        r = r * (1 + 1e-12) + 1e-15 * np.abs(c)
        return Shown(
            tuple(walk.example(example)),
            expected,
            (c - r).min(axis=0),
            (c + r).max(axis=0),
            walk.section.end,
        )

    def _right(self, x: Zonotope, asked: list[_Asked], rounding: Array) -> None:
        """Check that rows give the tokens that are expected, or one of several. Raises
        Rejected if one may not.
        """
        found = self.found
        rows = np.array([row for row, _, _ in asked], dtype=int)
        wanted = [
            right if isinstance(right, tuple) else (right,)
            for _, right, _ in asked
        ]
        numbers = {right: i for i, right in enumerate(dict.fromkeys(wanted))}
        which = np.array([numbers[right] for right in wanted], dtype=int)
        margins = np.zeros(len(rows))
        errors = np.zeros(len(rows))
        for right, number in numbers.items():
            those = which == number
            margins[those], errors[those] = self.network.ahead(
                x, rows[those], right, rounding
            )
        if not (margins > 0).all():
            worst = int(np.flatnonzero(~(margins > 0))[0])
            walk, example = asked[worst][2]
            raise Rejected(
                f"the margin may be {margins[worst]:.6g}", walk.example(example)
            )
        for (_, _, (walk, example)), margin in zip(
            asked, margins.tolist(), strict=True
        ):
            # of nearly equal ones the first, on any machine
            if margin < found.margin * (1 - 1e-6):
                found.at = walk.example(example)
            found.margin = min(found.margin, margin)
        found.error = max(found.error, float(errors.max(initial=0.0)))

    def _near(self, x: Zonotope, asked: list[_Asked]) -> None:
        """Check that rows give the numbers or the probabilities that are expected. Raises
        Rejected if one may not.
        """
        found = self.found
        tolerance = self.claim.allowed_error
        for (_, _, (walk, example)), error in zip(
            asked, self._errors(x, asked), strict=True
        ):
            if error > found.error * (1 + 1e-6):
                found.at = walk.example(example)
            found.error = max(found.error, error)
            if not error <= tolerance:
                raise Rejected(
                    f"the error may be {error:.6g}, more than {tolerance:g}"
                )

    def _errors(self, x: Zonotope, asked: list[_Asked]) -> list[float]:
        """Return how far each row can be from what is expected."""
        rows = [row for row, _, _ in asked]
        if self.claim.measures == "lane":
            value = np.array([float(expected) for _, expected, _ in asked])
            c = x.c[rows, self.column]
            r = x.radius[rows, self.column]
            return list(
                (
                    np.abs(c - value) * (1 + 1e-12) + r + 1e-15 * np.abs(value)
                ).tolist()
            )
        both = [
            (expected, *self.network.chances(x, row))
            for row, expected, _ in asked
        ]
        return [
            float(
                np.maximum(
                    np.abs(low - expected), np.abs(high - expected)
                ).max()
            )
            for expected, low, high in both
        ]
