"""Counts right and wrong predictions, and keeps the least margin and the shortest wrong context.

A text that is judged at several positions comes as that many rows, and counts as one context: it
is right if every position at which the claim speaks is right.

Rules of this file: contexts come in batches of one length. Of several wrong ones the shortest is
kept, of those the first, at its first position; likewise for equal margins. Hence tallies of
parts merge to the tally of the whole, in any order. A tie has margin zero and is wrong; so is a
logit that is not finite.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from handcraft.core.gpt2 import Array, softmax
from handcraft.proof.expected import as_data, is_silent

_Context = list[int]
Find = Callable[[int], _Context]  # the ids of the i-th context of a batch
# a context, and the position where not only the last is judged
_Place = tuple[_Context, int | None]


def order(
    context: _Context, position: int | None = None
) -> tuple[int, _Context, int]:
    """A sort key: the shorter context first, of equal length the first by its ids, and of one
    context the first position.
    """
    return len(context), context, position or 0


def place(find: Find, row: int, positions: int | None) -> _Place:
    """The context and position of a row, in a batch with `positions` rows of each context; None:
    one row a context, its last.
    """
    if positions is None:
        return find(row), None
    return find(row // positions), row % positions


@dataclass
class Wrong:
    """A wrong prediction: the context, the expected and the predicted value, and the position, if
    not the last. After a tie the predicted token is the one that is as great as a right one.
    """

    context: _Context
    expected: object
    got: object
    margin: float | None
    position: int | None = None

    @property
    def key(self) -> tuple[int, _Context, int]:
        """The sort key by which the first of the shortest is chosen."""
        return order(self.context, self.position)


@dataclass
class Tally:
    """The running counts of a verification."""

    contexts: int = 0
    checked: int = 0
    correct: int = 0
    min_margin: float = math.inf
    min_margin_at: _Context | None = None
    max_error: float | None = None
    worst: Wrong | None = None
    min_margin_position: int | None = None
    # right by the forward pass that runs, within rounding of being wrong
    unsure: Wrong | None = None

    def add_tokens(
        self,
        expected: Array,
        logits: Array,
        find: Find,
        positions: int | None = None,
    ) -> None:
        """Count a batch: expected ids [n] or [n, n_right], logits [n, n_vocab]; `positions` rows
        of each context, one if not given.
        """
        spoken = np.flatnonzero(~is_silent(expected))
        if not len(spoken):
            return self._count(len(expected), spoken, spoken, positions)
        margins = margins_of(logits[spoken], expected[spoken])  # [n_spoken]
        least = int(spoken[margins.argmin()])
        self.lower(float(margins.min()), lambda: place(find, least, positions))
        wrong = np.flatnonzero(~(margins > 0))
        self._count(len(expected), spoken, spoken[wrong], positions)
        if len(wrong):
            i = int(spoken[wrong[0]])
            margin = float(margins[wrong[0]])
            at, position = place(find, i, positions)
            wanted, got = (
                as_data(expected[i]),
                best_wrong(logits[i], expected[i]),
            )
            if math.isfinite(margin):
                self.keep(Wrong(at, wanted, got, margin, position))
            else:
                self.keep(Wrong(at, wanted, None, None, position))
        return None

    @np.errstate(all="ignore")  # what is not finite is wrong, and told as such
    def add_chances(
        self,
        expected: Array,
        logits: Array,
        tolerance: float,
        find: Find,
        positions: int | None = None,
    ) -> None:
        """Count a batch: expected probabilities [n, n_vocab] (NaN where silent), logits [n,
        n_vocab].
        """
        spoken = np.flatnonzero(~np.isnan(expected[:, 0]))
        found = softmax(
            logits[spoken].astype(np.float64)
        )  # [n_spoken, n_vocab]
        errors = np.abs(found - expected[spoken]).max(
            axis=1, initial=0.0
        )  # [n_spoken]

        def values(i: int) -> tuple[object, object]:
            return expected[spoken[i]].tolist(), found[i].tolist()

        wrong = self._add_errors(
            len(expected), spoken, errors, tolerance, positions
        )
        where = partial(place, find, positions=positions)
        self._keep_error(wrong, spoken, errors, values, where)

    @np.errstate(all="ignore")
    def add_values(
        self,
        expected: Array,
        found: Array,
        tolerance: float,
        find: Find,
        positions: int | None = None,
    ) -> None:
        """Count a batch: expected numbers [n] (NaN where silent), found ones [n]."""
        spoken = np.flatnonzero(~np.isnan(expected))
        wide = found[spoken].astype(np.float64)
        errors = np.abs(wide - expected[spoken])  # [n_spoken]

        def values(i: int) -> tuple[object, object]:
            return float(expected[spoken[i]]), float(found[spoken[i]])

        wrong = self._add_errors(
            len(expected), spoken, errors, tolerance, positions
        )
        where = partial(place, find, positions=positions)
        self._keep_error(wrong, spoken, errors, values, where)

    def _add_errors(
        self,
        rows: int,
        spoken: Array,
        errors: Array,
        tolerance: float,
        positions: int | None,
    ) -> Array:
        """Count errors [n_spoken] and return the indices of those that are too large."""
        errors = np.where(np.isfinite(errors), errors, np.inf)
        wrong = np.flatnonzero(errors > tolerance)
        self._count(rows, spoken, spoken[wrong], positions)
        if len(spoken):
            self.max_error = max(self.max_error or 0.0, float(errors.max()))
        return wrong

    def _keep_error(
        self,
        wrong: Array,
        spoken: Array,
        errors: Array,
        values: Callable[[int], tuple[object, object]],
        where: Callable[[int], _Place],
    ) -> None:
        if len(wrong):
            i = int(wrong[0])
            expected, got = values(i)
            at, position = where(int(spoken[i]))
            shown = got if math.isfinite(errors[i]) else None
            self.keep(Wrong(at, expected, shown, None, position))

    def _count(
        self, rows: int, spoken: Array, wrong: Array, positions: int | None
    ) -> None:
        """Count contexts of so many rows each: those where the claim speaks, and those that are
        right wherever it does.
        """
        self.contexts += rows // (positions or 1)
        if positions is not None:
            spoken = np.unique(spoken // positions)
            wrong = np.unique(wrong // positions)
        self.checked += len(spoken)
        self.correct += len(spoken) - len(wrong)

    def lower(self, margin: float, find: Callable[[], _Place]) -> None:
        """Remember a margin if it is less than the least one known, or equal and its context is
        shorter.
        """
        if margin > self.min_margin or margin == math.inf:
            return
        at, position = find()
        known = self.min_margin_at
        before = (
            None if known is None else order(known, self.min_margin_position)
        )
        first = before is None or order(at, position) < before
        if margin < self.min_margin or first:
            self.min_margin = margin
            self.min_margin_at = at
            self.min_margin_position = position

    def keep(self, wrong: Wrong) -> None:
        """Remember a wrong prediction if it is shorter than the one known."""
        if self.worst is None or wrong.key < self.worst.key:
            self.worst = wrong

    def keep_unsure(self, doubt: Wrong) -> None:
        """Remember a prediction that only rounding makes right, if it is shorter than the one
        known.
        """
        if self.unsure is None or doubt.key < self.unsure.key:
            self.unsure = doubt

    def merge(self, other: Tally) -> None:
        """Add what was counted in another part; each part must be added once."""
        self.contexts += other.contexts
        self.checked += other.checked
        self.correct += other.correct
        if other.min_margin_at is not None:
            at = other.min_margin_at, other.min_margin_position
            self.lower(other.min_margin, lambda: at)
        if other.max_error is not None:
            self.max_error = max(self.max_error or 0.0, other.max_error)
        if other.worst is not None:
            self.keep(other.worst)
        if other.unsure is not None:
            self.keep_unsure(other.unsure)


@np.errstate(all="ignore")  # what is not finite has no margin
def margins_of(
    logits: Array, expected: Array
) -> Array:  # [n, n_vocab], [n] or [n, n_right] -> [n]
    """The logit of the expected token, or the best of several, minus the best other one; inf where
    there is no other, -inf where a logit is not finite.
    """
    rows = np.arange(len(logits))
    if expected.ndim > 1:
        rows = rows[:, None]
    right = logits[rows, expected]
    if expected.ndim > 1:
        right = right.max(axis=1)
    others = logits.copy()
    others[rows, expected] = -np.inf
    margins = right - others.max(axis=1)
    return np.where(np.isfinite(logits).all(axis=1), margins, -np.inf)


def best_wrong(
    logits: Array, expected: Array
) -> int:  # [n_vocab], [] or [n_right]
    """The id of the greatest logit among the tokens that are not right, the first of several."""
    others = logits.copy()
    others[expected] = -np.inf
    return int(others.argmax())
