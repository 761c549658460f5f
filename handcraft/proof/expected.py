"""Evaluates a claim on many contexts at once and returns what must follow as arrays.

    expected tokens         [n] ids, SILENT where the claim says nothing; [n, n_right] if several
                            are right somewhere, the last one repeated where there are fewer
    expected probabilities  [n, n_vocab], NaN in the rows where the claim says nothing
    expected numbers        [n] of a lane, NaN where the claim says nothing

`at_each` gives the same at every position of texts [n, n_seq]: [n, n_seq, ...].

A claim on endings becomes sorted integer codes, so that a million contexts are looked up in one
step; an expression or a function is evaluated one context at a time. Rules of this file: it must
agree with `claims.reference.Reference`, which the tests check.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from handcraft.claims.kinds import (
    After,
    Distribution,
    Each,
    Predicate,
    Residual,
)
from handcraft.claims.reference import Reference
from handcraft.claims.right_tokens import tokens_of
from handcraft.core.errors import ProgramError
from handcraft.core.gpt2 import Array
from handcraft.core.vocabulary import Vocabulary

SILENT = -1


class ExpectedTokens:
    """A lookup by the last tokens of a context; the longest known ending decides."""

    def __init__(
        self, endings: Mapping[tuple[str, ...], Any], vocabulary: Vocabulary
    ) -> None:
        self.n_vocab = len(vocabulary)
        self.window = max(map(len, endings))
        if self.n_vocab**self.window >= 2**63:
            raise ProgramError(
                f"endings of {self.window} tokens over {self.n_vocab} are too long to"
                " number",
                ("claim",),
            )
        self.answers = list(endings.values())
        self.ids = [vocabulary.encode(ending) for ending in endings]
        # length -> sorted codes, the index of each one's answer
        self.codes: dict[int, tuple[Array, Array]] = {}
        for length in sorted({len(ending) for ending in endings}):
            found = [
                (self._code(vocabulary.encode(ending)), i)
                for i, ending in enumerate(endings)
                if len(ending) == length
            ]
            codes, indices = zip(*sorted(found), strict=True)
            self.codes[length] = np.array(codes), np.array(indices)

    def _code(self, ids: list[int]) -> int:
        code = 0
        for i in ids:
            code = code * self.n_vocab + i
        return code

    def lookup(self, ids: Array) -> Array:  # [n, n_seq] -> [n]
        """The index of each context's answer in `answers`, SILENT where none fits."""
        found = np.full(len(ids), SILENT)
        for length in self.codes:  # the longer overwrite the shorter
            codes, indices = self.codes[length]
            if length <= ids.shape[1]:
                powers = self.n_vocab ** np.arange(length - 1, -1, -1)
                wanted = ids[:, ids.shape[1] - length :] @ powers  # [n]
                at = np.minimum(np.searchsorted(codes, wanted), len(codes) - 1)
                found = np.where(codes[at] == wanted, indices[at], found)
        return found


class NextToken:
    """The expected token of each context, or several. `window` is the number of last tokens that
    it needs, None for all.
    """

    def __init__(
        self, claim: After | Predicate, vocabulary: Vocabulary
    ) -> None:
        self.vocabulary = vocabulary
        self.reference = Reference(claim, vocabulary)
        self.endings = (
            ExpectedTokens(claim.endings(vocabulary), vocabulary)
            if claim.by_endings
            else None
        )
        self.window = self.endings.window if self.endings else None
        answers = self.endings.answers if self.endings else []
        rows = [[vocabulary.ids[t] for t in tokens_of(one)] for one in answers]
        # the last one for SILENT = -1
        self._ids = _rectangle([*rows, [SILENT]])

    @property
    def answers(self) -> Array:  # -> [n_endings] or [n_endings, n_right]
        """The token after each ending of a table, or several."""
        return self._ids[:-1]

    def __call__(
        self, ids: Array
    ) -> Array:  # [n, n_seq] -> [n] or [n, n_right]
        if self.endings is not None:
            return self._ids[self.endings.lookup(ids)]
        contexts = list(as_contexts(ids, self.vocabulary))
        tokens = self.reference.of_each(contexts)
        known = self.vocabulary.ids
        return np.array(
            [SILENT if token is None else known[token] for token in tokens]
        )


def _rectangle(rows: list[list[int]]) -> Array:  # -> [n] or [n, n_right]
    """Rows of ids as one array; each row's last id is repeated as far as the longest goes."""
    most = max(map(len, rows))
    found = np.array([row + row[-1:] * (most - len(row)) for row in rows])
    return found[:, 0] if most == 1 else found


class EachToken:
    """The expected token at each position of whole texts, SILENT where the claim says nothing."""

    window = None

    def __init__(self, claim: Each, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.reference = Reference(claim, vocabulary)

    def __call__(self, ids: Array) -> Array:  # [n, n_seq] -> [n, n_seq]
        known = self.vocabulary.ids
        rows = [
            [SILENT if token is None else known[token] for token in row]
            for row in self.reference.each_of(
                list(as_contexts(ids, self.vocabulary))
            )
        ]
        return np.array(rows)


class ExpectedProbabilities:
    """The expected probabilities of each context."""

    def __init__(self, claim: Distribution, vocabulary: Vocabulary) -> None:
        self.endings = ExpectedTokens(claim.endings(vocabulary), vocabulary)
        self.window: int | None = self.endings.window
        rows = [
            [row.get(token, 0.0) for token in vocabulary.tokens]
            for row in self.endings.answers
        ]
        # the last one for SILENT = -1
        self._rows = np.array([*rows, [np.nan] * len(vocabulary)])

    @property
    def answers(self) -> Array:  # -> [n_endings, n_vocab]
        """The probabilities after each ending."""
        return self._rows[:-1]

    def __call__(self, ids: Array) -> Array:  # [n, n_seq] -> [n, n_vocab]
        return self._rows[self.endings.lookup(ids)]


class ExpectedNumbers:
    """The number a lane must hold after each context."""

    window = None

    def __init__(self, claim: Residual, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.reference = Reference(claim, vocabulary)

    def __call__(self, ids: Array) -> Array:  # [n, n_seq] -> [n]
        values = map(self.reference, as_contexts(ids, self.vocabulary))
        return np.array(
            [np.nan if value is None else value for value in values]
        )


def is_silent(expected: Array) -> Array:  # [n] or [n, n_right] -> [n] bool
    """True where a claim on tokens says nothing."""
    first = expected if expected.ndim == 1 else expected[:, 0]
    return np.asarray(first == SILENT)


def as_data(expected: Array) -> Any:  # one row
    """What is expected of one context: an id, a tuple of several, probabilities or a number."""
    found = expected.tolist()
    if expected.ndim == 0 or not np.issubdtype(expected.dtype, np.integer):
        return found
    several = tuple(dict.fromkeys(found))
    return several if len(several) > 1 else several[0]


def at_each(
    expect: Callable[[Array], Array], ids: Array
) -> Array:  # [n, n_seq] -> [n, n_seq, ...]
    """The values expected at every position of texts by a claim on contexts: it is evaluated on the
    text so far.
    """
    return np.stack(
        [_once(expect, ids[:, :n]) for n in range(1, ids.shape[1] + 1)], axis=1
    )


def _once(
    expect: Callable[[Array], Array], ids: Array
) -> Array:  # [n, n_seq] -> [n, ...]
    """The values expected after each context; equal neighbours, as in an enumeration, are evaluated
    once.
    """
    new = np.r_[True, (ids[1:] != ids[:-1]).any(axis=1)]  # [n]
    return expect(ids[new])[np.cumsum(new) - 1]


def as_contexts(
    ids: Array, vocabulary: Vocabulary
) -> list[str] | list[str | tuple[str, ...]]:  # [n, n_seq] -> n contexts
    """The contexts as a claim sees them (Vocabulary.context)."""
    if vocabulary.single and "\0" not in vocabulary.ids:
        characters = np.array(vocabulary.tokens, dtype="U1")[ids]  # [n, n_seq]
        joined: list[str] = (
            np.ascontiguousarray(characters)
            .view(f"U{ids.shape[1]}")
            .ravel()
            .tolist()
        )
        return joined
    return [vocabulary.context(row) for row in ids.tolist()]
