"""Bundled files that build longer programs than the one they are: each against plain Python."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from itertools import product
from random import Random
from string import ascii_lowercase
from typing import Any

import numpy as np
import pytest

from handcraft import Program
from handcraft.core.gpt2 import gpt2
from handcraft.files.bundled import bundled
from handcraft.proof import verify


def longer(name: str, length: int) -> Program:
    """The program of a bundled file for another length."""
    made: Any = runpy.run_path(str(bundled()[name]))[name](length)
    assert isinstance(made, Program)
    return made


@pytest.mark.parametrize("alphabet", ["ab", "abc", ascii_lowercase])
def test_induction_over_1024_letters(alphabet: str) -> None:
    """At every position, what followed the latest earlier occurrence of the letter there, however
    far back.
    """
    model = longer("induction", 1024).build()
    text = "z" + "".join(Random(6).choices(alphabet, k=1022)) + "z"
    ids = np.array(model.vocabulary.encode(text))
    said = gpt2(ids, **model.weights, **model.config).argmax(axis=-1)
    seen: dict[str, str] = {}
    for i, letter in list(enumerate(text))[1:]:
        seen[text[i - 1]] = letter
        if letter in seen:
            assert ascii_lowercase[said[i]] == seen[letter], i


@pytest.mark.parametrize("length", [0, 1, 23, 510, 511])
def test_copy_over_1024_tokens(length: int) -> None:
    """A word of up to 511 letters is copied, ^ and = beside it."""
    model = longer("copy", 511).build()
    assert model.n_ctx == 1024
    word = "".join(Random(length).choices("abz", k=length))
    ids = np.array(model.vocabulary.encode(f"^{word}={word}"))
    said = gpt2(ids, **model.weights, **model.config).argmax(axis=-1)
    answer = said[length + 1 : 2 * length + 2]
    assert model.vocabulary.decode(answer.tolist()) == word + "="


# ---------------------------------------------------------------- the adder


def local_cases(digits: int) -> Iterator[tuple[int, int]]:
    """Pairs with every place between 0 and the last, of these digits there and below, with and
    without a carry into those: what an answer depends on, and where it is least certain.
    """
    few = (0, 4, 5, 9)
    for place in range(digits):
        for a, b, c, d, carry in product(few, few, few, few, (0, 1)):
            low = 5 * 10 ** (place - 2) if carry and place >= 2 else 0
            below = 10 ** (place - 1) if place else 0
            yield (
                a * 10**place + c * below + low,
                b * 10**place + d * below + low,
            )


@pytest.mark.parametrize(
    "digits", [15, pytest.param(20, marks=pytest.mark.slow), 30]
)
def test_the_adder_of_many_digits(digits: int) -> None:
    """Every answer of every local case, against Python's own sum."""
    model = longer("adder", digits).build()
    pairs = list(local_cases(digits))
    least = np.inf
    for i in range(0, len(pairs), 512):
        texts = [
            f"{a:0{digits + 1}d}+{b:0{digits + 1}d}="
            + f"{a + b:0{digits + 1}d}"[::-1]
            for a, b in pairs[i : i + 512]
        ]
        ids = np.array([model.vocabulary.encode(text) for text in texts])
        asked = 2 * digits + 3  # tokens before the first = has been read
        logits = model(ids[:, :-1])[:, asked:]  # [n, digits + 1, n_vocab]
        right = ids[:, asked + 1 :, None]
        own = np.take_along_axis(logits, right, axis=2)[..., 0]
        others = np.where(np.arange(logits.shape[2]) == right, -np.inf, logits)
        least = min(least, float((own - others.max(axis=2)).min()))
    assert 0.36 < least < 0.41


@pytest.mark.slow
@pytest.mark.parametrize("digits", [15, 20])
def test_the_adder_of_many_digits_is_proved(digits: int) -> None:
    """All 100^digits pairs, whatever the order of summation."""
    report = verify(longer("adder", digits).build())
    assert (report.verdict, report.method) == ("proved", "certificate")
    assert report.contexts == 100**digits
    assert report.min_margin is not None
    assert 0.25 < report.min_margin < 0.41
