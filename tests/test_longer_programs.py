"""Bundled files that build longer programs than the one they are: each against plain Python."""

from __future__ import annotations

import runpy
from random import Random
from string import ascii_lowercase
from typing import Any

import numpy as np
import pytest

from handcraft import Program
from handcraft.core.gpt2 import gpt2
from handcraft.files.bundled import bundled


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
