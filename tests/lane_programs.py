"""The programs of programs/sequence/ as tags of any length, and models with numbers changed."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path
from random import Random
from string import ascii_lowercase
from typing import Any

import numpy as np

from handcraft import answer, tag
from handcraft.core.gpt2 import gpt2
from handcraft.model import Model
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.check import measured_lanes
from handcraft.sequence import map_

FOLDER = Path(__file__).parents[1] / "programs" / "sequence"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))


@cache
def tagged(name: str, n: int) -> Model:
    """The model of one of the programs, for texts of up to n tokens."""
    found = runpy.run_path(str(FOLDER / f"{name}.py"))
    claim = found["program"].claim
    return tag(
        found[name],
        tokens=claim.alphabet,
        n=n,
        causal=claim.causal,
        name=name,
    ).build()


@cache
def answering(name: str, n: int) -> Model:
    """The model that answers a prompt with what one of the programs says, for texts of up to n
    tokens. A 10 would be read as the tokens 1 and 0 where these are letters of the text: there it
    is said in other letters. Where = is an answer, another token stands behind the text.
    """
    found = runpy.run_path(str(FOLDER / f"{name}.py"))
    claim = found["program"].claim
    said, separator = found[name], "="
    if name == "inversions":
        said = map_(ascii_lowercase.__getitem__, said, over=range(n))
    if name == "leader":
        separator = "|"
    return answer(
        said,
        tokens=claim.alphabet,
        n=n,
        causal=claim.causal,
        separator=separator,
    ).build()


def answers_rightly(model: Model) -> bool:
    """True if the model answers every prompt as the claim's evaluator does."""
    claim = model.program.claim  # type: ignore[union-attr]
    vocabulary, n_ctx = model.vocabulary, model.n_ctx
    for prompt in claim.language(n_ctx, vocabulary):  # type: ignore[union-attr]
        said = claim.expected(prompt, vocabulary, n_ctx)  # type: ignore[union-attr]
        read = vocabulary.encode([*vocabulary.split(prompt), *said[:-1]])
        logits = gpt2(np.array(read), **model.weights, **model.config)
        logits = logits[-len(said) :]
        if not np.isfinite(logits).all():
            return False
        for token, found in zip(said, logits, strict=True):
            right = vocabulary.ids[token]
            if not (np.delete(found, right) < found[right]).all():
                return False
    return True


def is_right(model: Model) -> bool:
    """True if the model answers every text as the claim's evaluator does, in this order of sums."""
    claim = model.program.claim  # type: ignore[union-attr]
    ids = model.vocabulary.ids
    for n in range(1, model.n_ctx):
        texts = ["".join(x) for x in product(claim.alphabet, repeat=n)]  # type: ignore[union-attr]
        rows = [[ids[c] for c in "^" + text] for text in texts]
        logits = gpt2(np.array(rows), **model.weights, **model.config)[:, 1:]
        if not np.isfinite(logits).all():
            return False
        for text, row in zip(texts, logits, strict=True):
            wanted = claim.function.all(text, causal=claim.causal)  # type: ignore[union-attr]
            for value, found in zip(wanted, row, strict=True):
                others = np.delete(found, ids[value]) if value else found[:0]
                if not (others < found[ids[value] if value else 0]).all():
                    return False
    return True


def changed(model: Model, random: Random) -> Model:
    """The model with one or two of its numbers changed."""
    weights = deepcopy(model.weights)
    arrays: list[Any] = []
    _arrays(weights, arrays)
    for _ in range(random.choice((1, 1, 2))):
        array = random.choice(arrays)
        places = np.argwhere(array != 0)
        if not len(places) or random.random() < 0.25:
            places = np.argwhere(np.isfinite(array))
        at = tuple(random.choice(places))
        old = float(array[at])
        array[at] = random.choice(
            (
                -old,
                0.0,
                2 * old,
                old / 2,
                old + 1,
                old - 1,
                old * 1.1,
                old + random.choice((-1, 1)) * 2.0 ** random.randrange(-6, 12),
            )
        )
    return replace(model, weights=weights)


def proved_mutants(
    model: Model, random: Random, many: int, right: Callable[[Model], bool]
) -> int:
    """How many of so many models with numbers changed are proved; each of those must be right."""
    proved = 0
    for _ in range(many):
        mutant = changed(model, random)
        try:
            measured_lanes(mutant, ())
        except Rejected:
            continue
        proved += 1
        assert right(mutant)
    return proved


def _arrays(value: Any, found: list[Any]) -> None:
    parts = value.values() if isinstance(value, dict) else value
    for part in parts:
        if isinstance(part, dict | list):
            _arrays(part, found)
        elif part is not None:
            found.append(part)
