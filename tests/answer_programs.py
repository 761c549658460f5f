"""Expressions that are answered, with their alphabets, their echoes and what plain Python says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, TypeAlias

from handcraft.sequence import (
    best,
    count,
    fetch,
    indices,
    latest,
    length,
    lookup,
    there,
    tokens,
    total,
)
from handcraft.sequence.expression import Expression

Meaning: TypeAlias = Callable[[str], Sequence[Any]]

same = there(tokens) == tokens
earlier = there(indices) < indices
hist = count(same)
rank = count((there(tokens) < tokens) | same & earlier)
before = same & earlier | (there(tokens) < tokens)
often = (there(hist) > hist) | (there(hist) == hist) & before
step = lookup({"(": 1, "{": 1, ")": -1, "}": -1}, tokens)
shifted = fetch(tokens, there(indices) == indices - 1, default="a")


def _commonest(text: str) -> str:
    return max(text, key=lambda t: (text.count(t), -text.index(t)))


def _by_frequency(text: str) -> list[str]:
    return sorted(text, key=lambda t: (-text.count(t), t))


def _depths(text: str) -> list[int]:
    return list(accumulate(1 if t in "({" else -1 for t in text))


def _double(text: str) -> list[int]:
    often = Counter(text.count(t) for t in text)
    return [often[text.count(t)] for t in text]


def _induced(text: str) -> list[str]:
    """What followed the latest occurrence of each token that was followed; ? where none was."""
    padded = "a" + text
    return [
        next(
            (text[j] for j in reversed(range(len(text))) if padded[j] == t),
            "?",
        )
        for t in text
    ]


# name: the expression, its alphabet, how many echoes come first, and its meaning
ANSWERED: dict[str, tuple[Expression, str, int, Meaning]] = {
    "copy": (tokens, "abcd", 0, list),
    "reverse": (
        fetch(tokens, length - 1 - indices),
        "abcd",
        0,
        lambda text: text[::-1],
    ),
    "hist": (hist, "abcd", 0, lambda text: [text.count(t) for t in text]),
    "most_frequent": (
        fetch(tokens, best(hist)),
        "abcd",
        1,
        lambda text: _commonest(text) * len(text),
    ),
    "double_hist": (count(there(hist) == hist), "abcd", 1, _double),
    "depth": (total(step, there(indices) <= indices), "(){}", 0, _depths),
    "sort": (
        fetch(tokens, there(rank) == indices),
        "0123456789",
        1,
        sorted,
    ),
    "sort_by_frequency": (
        fetch(tokens, there(count(often)) == indices),
        "abcd",
        2,
        _by_frequency,
    ),
    "induction": (
        fetch(tokens, latest(there(shifted) == tokens)),
        "abc",
        1,
        _induced,
    ),
}
