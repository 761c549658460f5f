"""Programs that answer with the token of the greatest number, small enough to run every prompt."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise, product
from typing import Any

import numpy as np

from handcraft import Program, answers, position, scratch, slot, token
from handcraft.core.gpt2 import gpt2
from handcraft.language.rules import Head
from handcraft.model import Model
from handcraft.recipes import (
    addresses,
    attend_to,
    attend_where,
    mean,
    running_sum,
)
from handcraft.sequence.words import count, most, own


def voted(
    letters: str = "abc",
    longest: int = 4,
    *,
    gain: float | None = None,
    ahead: Callable[[int], float] | None = None,
    **fields: Any,
) -> Program:
    """Which letter a word has most often, of equals the first: programs/majority.py in small. One
    occurrence is worth more than the whole alphabet.
    """
    n_ctx = longest + 2
    gain = 2.0 * n_ctx * len(letters) if gain is None else gain
    at, t = position(n_ctx, p=lambda i: i), token("^=" + letters)
    first = ahead or (lambda i: len(letters) - i)
    adds = {t[x]: gain * t[x] + first(i) for i, x in enumerate(letters)}
    said = most({x: count({0: x}) for x in letters})
    pattern = rf"\^[{letters[0]}-{letters[-1]}]{{1,{longest}}}="
    rows = {
        "embedding": (at, t),
        "layers": (mean(t, adds=adds),),
        "claim": answers(pattern, said, length=1),
    }
    return Program(**(rows | fields))


def followed(
    letters: str = "abc", longest: int = 5, *, said: Any = None, **fields: Any
) -> Program:
    """What most often followed the last letter: programs/in_context_bigram.py in small."""
    at, t = addresses(longest + 1), token("^" + letters)
    before = scratch("before", letters)
    gain = 4.0 * longest * len(letters)
    adds = {t["^"]: gain * t["^"]} | {
        t[x]: gain * t[x] + 2 * (len(letters) - i)
        for i, x in enumerate(letters)
    }
    numbers = {"^": 0} | {x: count({-1: own, 0: x}) for x in letters}
    pattern = rf"\^[{letters[0]}-{letters[-1]}]{{1,{longest}}}"
    rows: dict[str, Any] = {"value": t, "adds": adds, "default": t["^"]}
    follow: Head = attend_where({before: t}, **(rows | fields))
    return Program(
        embedding=(at, t, before),
        layers=(attend_to(at, at["p"] - 1, value={before: t}), follow),
        claim=answers(pattern, most(said or numbers), length=1),
    )


def most_voted(prompt: str, letters: str) -> str:
    """The letter that is most often there, of equals the first in the alphabet."""
    return max(letters, key=prompt.count)


def most_followed(prompt: str, letters: str) -> str:
    """The letter that most often followed the last one, ^ where none did."""
    pairs = list(pairwise(prompt))
    return max("^" + letters, key=lambda x: pairs.count((prompt[-1], x)))


def margins(
    model: Model, right: Callable[[str, str], str], letters: str, longest: int
) -> list[float]:
    """By how much the right token is ahead in a run, of every prompt."""
    ids, found = model.vocabulary.ids, []
    ends = "=" if "=" in ids else ""
    for n in range(1, longest + 1):
        for text in product(letters, repeat=n):
            prompt = "^" + "".join(text) + ends
            read = np.array([ids[c] for c in prompt])
            logits = gpt2(read, **model.weights, **model.config)[-1]
            mine = ids[right(prompt, letters)]
            apart = logits[mine].astype(np.float64) - logits
            found.append(float(np.delete(apart, mine).min()))
    return found


def summed(letters: str = "abc", longest: int = 4, **fields: Any) -> Program:
    """The same as voted, by a head that sums: the first token has nearly all of the attention.
    What is first in the alphabet stands in the embedding.
    """
    ahead = {x: len(letters) - i for i, x in enumerate(letters)}
    at, t = position(longest + 2, p=lambda i: i), token("^=" + letters)
    order = slot("order", token=ahead | {"=": 1, "^": 0})
    gain = 8.0 * len(letters)
    votes = {t[x]: gain * t[x] for x in letters}
    rows: dict[str, Any] = {"layers": (running_sum(t["^"], votes),)}
    return voted(
        letters, longest, **(rows | {"embedding": (at, t, order)} | fields)
    )
