"""Draws texts of an alphabet, answers them by the evaluator, and compares models on them.

Where there are few texts, all are taken. Rules of this file: the answers are those of
handcraft.sequence, and no model is asked for them; the logits are those of the plain forward pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, product
from random import Random
from typing import TypeAlias

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.model import Model
from handcraft.sequence.columns import at_each_position
from handcraft.sequence.expression import Expression
from handcraft.sequence.values import Value

Words: TypeAlias = tuple[str, ...]
Answered: TypeAlias = tuple[str | None, ...]
EVERY = 6_000  # texts; where there are more, they are drawn
SOME = 2_000
_AT_ONCE = 1_024
_SILENT, _MISSING = -1, -2  # no answer, and one that is no token


def text_count(letters: int, n: int) -> int:
    """The number of texts of 1 to n tokens."""
    return sum(letters**i for i in range(1, n + 1))


def asked_texts(alphabet: Sequence[str], n: int, random: Random) -> list[Words]:
    """All texts of 1 to n tokens, the shorter first; where there are too many, some of each
    length, with those of one token alone and the longest of one kind of token.
    """
    if text_count(len(alphabet), n) <= EVERY:
        return [
            text
            for i in range(1, n + 1)
            for text in product(alphabet, repeat=i)
        ]
    found = [(t,) * i for t in alphabet for i in (1, n)]
    found += [tuple(random.choices(alphabet, k=1 + i % n)) for i in range(SOME)]
    return sorted(dict.fromkeys(found), key=len)


def values_at(
    e: Expression, texts: Sequence[Words], *, causal: bool
) -> list[list[Value]]:
    """The values of an expression at each position of texts, the shorter first."""
    return [
        row
        for _, same in groupby(texts, len)
        for row in at_each_position(e, list(same), causal=causal)
    ]


@dataclass(frozen=True)
class Heard:
    """The answers of a model to texts, beside the right ones.

    margin  the least lead of a right token over every other
    wrong   the first text that is answered wrongly: the text, the position in it, the right
            token, and the one with the greatest logit
    """

    margin: float
    wrong: tuple[str, int, str, str] | None


def asked(
    model: Model, texts: Sequence[Words], answers: Sequence[Answered]
) -> Heard:
    """The answers of a model to texts that stand behind the first token of its vocabulary."""
    names = model.vocabulary.tokens
    ids: dict[str | None, int] = {None: _SILENT}
    ids.update((name, i) for name, i in model.vocabulary.ids.items())
    margin, wrong = np.inf, None
    for start, rows, logits in _answered(model, texts):
        told = answers[start : start + len(rows)]
        right = np.array(
            [[ids.get(token, _MISSING) for token in row] for row in told]
        )  # [n_batch, n]
        lead = _lead(logits, np.maximum(right, 0))  # [n_batch, n]
        lead[right == _SILENT] = np.inf
        lead[right == _MISSING] = -np.inf
        margin = min(margin, float(lead.min()))
        if wrong is None and not lead.min() > 0:
            i, q = divmod(int(lead.argmin()), lead.shape[1])
            got = names[int(logits[i, q].argmax())]
            wrong = "".join(rows[i]), q, str(told[i][q]), got
    return Heard(margin, wrong)


def _lead(logits: Array, right: Array) -> Array:
    """By how much the right logits [n_batch, n] are above all others."""
    at = right[..., None]  # [n_batch, n, 1]
    found = np.take_along_axis(logits, at, -1)[..., 0]  # [n_batch, n]
    others = logits.copy()  # [n_batch, n, n_vocab]
    np.put_along_axis(others, at, -np.inf, -1)
    return np.asarray(found - others.max(-1))


def apart(a: Model, b: Model, texts: Sequence[Words]) -> tuple[float, float]:
    """The greatest difference of the logits of two models after any token of the texts, and the
    greatest logit, by its size.
    """
    most = largest = 0.0
    pairs = zip(_answered(a, texts), _answered(b, texts), strict=True)
    for (_, _, one), (_, _, other) in pairs:
        most = max(most, float(np.abs(one - other).max()))
        largest = max(largest, float(np.abs(one).max()))
    return most, largest


def _answered(
    model: Model, texts: Sequence[Words]
) -> Iterator[tuple[int, Sequence[Words], Array]]:
    """(number of the first, texts, logits [n_batch, n, n_vocab] behind the first token)."""
    ids = model.vocabulary.ids
    start = 0
    while start < len(texts):
        n = len(texts[start])
        rows = texts[start : start + _AT_ONCE]
        rows = [text for text in rows if len(text) == n]
        batch = np.array([[0, *(ids[t] for t in text)] for text in rows])
        yield start, rows, model(batch)[:, 1:]
        start += len(rows)
