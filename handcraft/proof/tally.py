"""Counting: how many predictions are right, by how much at least, and the shortest one that is wrong.

Rules of this file: contexts come in batches of one length; of several wrong ones the shortest is kept, and of those
the first. A tie has margin zero and is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from handcraft.gpt2 import Array, softmax
from handcraft.proof.expectation import SILENT

Context = list[int]
Key = tuple[int, Context]  # shorter first, then in the order of the ids


@dataclass
class Wrong:
    """A wrong prediction: the context, what was expected and what was predicted."""

    context: Context
    expected: object
    got: object
    margin: float | None

    @property
    def key(self) -> Key:
        """By which the shortest is chosen."""
        return len(self.context), self.context


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

    def add_tokens(self, expected: Array, logits: Array, context: Callable[[int], Context]) -> None:
        """A batch: expected ids [n], logits [n, n_vocab]; `context(i)` gives the i-th context where it is needed."""
        self.contexts += len(expected)
        spoken = np.flatnonzero(expected != SILENT)
        if not len(spoken):
            return
        margins = margins_of(logits[spoken], expected[spoken])
        least = int(margins.argmin())
        if margins[least] < self.min_margin:
            self.min_margin, self.min_margin_at = float(margins[least]), context(int(spoken[least]))
        wrong = np.flatnonzero(~(margins > 0))
        self.checked += len(spoken)
        self.correct += len(spoken) - len(wrong)
        if len(wrong):
            i = int(spoken[wrong[0]])
            self.keep(Wrong(context(i), int(expected[i]), int(logits[i].argmax()), float(margins[wrong[0]])))

    def add_chances(self, expected: Array, logits: Array, tolerance: float, context: Callable[[int], Context]) -> None:
        """A batch: expected probabilities [n, n_vocab] (NaN where silent), logits [n, n_vocab]."""
        self.contexts += len(expected)
        spoken = np.flatnonzero(~np.isnan(expected[:, 0]))
        if not len(spoken):
            return
        found = softmax(logits[spoken].astype(np.float64))  # [n, n_vocab]
        errors = np.abs(found - expected[spoken]).max(axis=1)  # [n]
        self.checked += len(spoken)
        self.max_error = max(self.max_error or 0.0, float(errors.max()))
        wrong = np.flatnonzero(~(errors <= tolerance))
        self.correct += len(spoken) - len(wrong)
        if len(wrong):
            i = int(wrong[0])
            self.keep(Wrong(context(int(spoken[i])), expected[spoken[i]].tolist(), found[i].tolist(), None))

    def keep(self, wrong: Wrong) -> None:
        """Remember a wrong prediction if it is shorter than the one known."""
        if self.worst is None or wrong.key < self.worst.key:
            self.worst = wrong


def margins_of(logits: Array, expected: Array) -> Array:  # [n, n_vocab], [n] -> [n]
    """The logit of the expected token minus the best other one; infinite where there is no other."""
    rows = np.arange(len(logits))
    right = logits[rows, expected]
    others = logits.copy()
    others[rows, expected] = -np.inf
    return right - others.max(axis=1)
