"""Counting: how many predictions are right, by how much at least, and the shortest one that is wrong.

Rules of this file: contexts come in batches of one length; of several wrong ones the shortest is kept, and of those
the first; so it is with equal margins. Hence tallies of parts merge to the tally of the whole, in whatever order. A tie
has margin zero and is wrong; so is a logit that is not finite.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from handcraft.gpt2 import Array, softmax
from handcraft.proof.expectation import SILENT

Context = list[int]
Find = Callable[[int], Context]  # the ids of the i-th context of a batch


def order(context: Context) -> tuple[int, Context]:
    """The shorter first, and of equal length the first by its ids."""
    return len(context), context


@dataclass
class Wrong:
    """A wrong prediction: the context, what was expected and what was predicted."""

    context: Context
    expected: object
    got: object
    margin: float | None

    @property
    def key(self) -> tuple[int, Context]:
        """By which the shortest is chosen, and of those the first."""
        return order(self.context)


@dataclass
class Tally:
    """The running result of a verification."""

    contexts: int = 0
    checked: int = 0
    correct: int = 0
    min_margin: float = math.inf
    min_margin_at: Context | None = None
    max_error: float | None = None
    worst: Wrong | None = None
    unsure: Wrong | None = None  # right by the forward pass that runs, within rounding of being wrong

    def add_tokens(self, expected: Array, logits: Array, find: Find) -> None:
        """A batch: expected ids [n], logits [n, n_vocab]."""
        self.contexts += len(expected)
        spoken = np.flatnonzero(expected != SILENT)
        if not len(spoken):
            return
        margins = margins_of(logits[spoken], expected[spoken])  # [n_spoken]
        self.lower(float(margins.min()), lambda: find(int(spoken[margins.argmin()])))
        wrong = np.flatnonzero(~(margins > 0))
        self.checked += len(spoken)
        self.correct += len(spoken) - len(wrong)
        if len(wrong):
            i, margin = int(spoken[wrong[0]]), float(margins[wrong[0]])
            got = int(logits[i].argmax()) if math.isfinite(margin) else None
            self.keep(Wrong(find(i), int(expected[i]), got, margin if math.isfinite(margin) else None))

    def add_chances(self, expected: Array, logits: Array, tolerance: float, find: Find) -> None:
        """A batch: expected probabilities [n, n_vocab] (NaN where silent), logits [n, n_vocab]."""
        self.contexts += len(expected)
        spoken = np.flatnonzero(~np.isnan(expected[:, 0]))
        found = softmax(logits[spoken].astype(np.float64))  # [n_spoken, n_vocab]
        errors = np.abs(found - expected[spoken]).max(axis=1, initial=0.0)  # [n_spoken]
        self._add_errors(spoken, errors, tolerance, lambda i: (expected[spoken[i]].tolist(), found[i].tolist()), find)

    def add_values(self, expected: Array, found: Array, tolerance: float, find: Find) -> None:
        """A batch: expected numbers [n] (NaN where silent), found ones [n]."""
        self.contexts += len(expected)
        spoken = np.flatnonzero(~np.isnan(expected))
        errors = np.abs(found[spoken].astype(np.float64) - expected[spoken])  # [n_spoken]
        self._add_errors(spoken, errors, tolerance, lambda i: (float(expected[spoken[i]]), float(found[spoken[i]])), find)

    def _add_errors(
        self, spoken: Array, errors: Array, tolerance: float, values: Callable[[int], tuple[object, object]], find: Find
    ) -> None:
        if not len(spoken):
            return
        errors = np.where(np.isfinite(errors), errors, np.inf)
        self.checked += len(spoken)
        self.max_error = max(self.max_error or 0.0, float(errors.max()))
        wrong = np.flatnonzero(errors > tolerance)
        self.correct += len(spoken) - len(wrong)
        if len(wrong):
            i = int(wrong[0])
            expected, got = values(i)
            self.keep(Wrong(find(int(spoken[i])), expected, got if math.isfinite(errors[i]) else None, None))

    def lower(self, margin: float, find: Callable[[], Context]) -> None:
        """Remember a margin if it is less than the least one known, or equal and its context is shorter."""
        if margin > self.min_margin or margin == math.inf:
            return
        at = find()
        if margin < self.min_margin or self.min_margin_at is None or order(at) < order(self.min_margin_at):
            self.min_margin, self.min_margin_at = margin, at

    def keep(self, wrong: Wrong) -> None:
        """Remember a wrong prediction if it is shorter than the one known."""
        if self.worst is None or wrong.key < self.worst.key:
            self.worst = wrong

    def keep_unsure(self, doubt: Wrong) -> None:
        """Remember a prediction that only rounding makes right, if it is shorter than the one known."""
        if self.unsure is None or doubt.key < self.unsure.key:
            self.unsure = doubt

    def merge(self, other: Tally) -> None:
        """Add what was counted in another part; each part must be added once."""
        self.contexts += other.contexts
        self.checked += other.checked
        self.correct += other.correct
        if other.min_margin_at is not None:
            at = other.min_margin_at
            self.lower(other.min_margin, lambda: at)
        if other.max_error is not None:
            self.max_error = max(self.max_error or 0.0, other.max_error)
        if other.worst is not None:
            self.keep(other.worst)
        if other.unsure is not None:
            self.keep_unsure(other.unsure)


def margins_of(logits: Array, expected: Array) -> Array:  # [n, n_vocab], [n] -> [n]
    """The logit of the expected token minus the best other one; inf where there is no other, -inf where not finite."""
    rows = np.arange(len(logits))
    right = logits[rows, expected]
    others = logits.copy()
    others[rows, expected] = -np.inf
    margins = right - others.max(axis=1)
    return np.where(np.isfinite(logits).all(axis=1), margins, -np.inf)
