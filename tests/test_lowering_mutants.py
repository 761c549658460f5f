"""Compiled programs with one number of a rule changed: whatever changes an answer is refuted."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from itertools import product
from random import Random
from typing import Any

import pytest
from conftest import FULL
from hypothesis import settings
from lowered import answers, compiled

from handcraft import verify
from handcraft.core.errors import HandcraftError
from handcraft.model import Model
from handcraft.program.program import Program
from handcraft.sequence.expression import Expression
from handcraft.sequence.words import (
    any_,
    best,
    count,
    distinct,
    fetch,
    indices,
    latest,
    length,
    lookup,
    max_,
    there,
    tokens,
    total,
    where,
)

# 10,000 are asked for by `make nightly`, which take some minutes
WANTED = int(os.environ.get("LOWERING_MUTANTS", "600"))
MANY = WANTED if settings.default.max_examples >= FULL else 60
EARLIER = there(indices) < indices
HIST = count(there(tokens) == tokens)
RANK = count((there(tokens) < tokens) | (there(tokens) == tokens) & EARLIER)
BEFORE = fetch(tokens, indices - 1, default="b")
PROGRAMS: dict[str, tuple[Expression, bool]] = {
    "hist": (HIST, False),
    "double": (count(there(HIST) == HIST), False),
    "reverse": (fetch(tokens, length - 1 - indices), False),
    "sort": (fetch(tokens, there(RANK) == indices), False),
    "frequent": (fetch(tokens, best(HIST)), False),
    "distinct": (distinct(tokens), False),
    "depth": (
        total(lookup({"a": 1, "b": -1}, tokens, default=0), EARLIER),
        True,
    ),
    "induction": (fetch(tokens, latest(there(BEFORE) == tokens)), True),
    "parity": (count(there(tokens) == "a") % 2, True),
    "any": (where(any_(there(tokens) == "b"), "a", tokens), True),
    "most": (max_(HIST, count(there(tokens) == "a")), True),
}
LETTERS, N = "abc", 3
TEXTS = [
    "".join(x) for n in range(1, N + 1) for x in product(LETTERS, repeat=n)
]


def numbers(data: Any) -> Iterator[tuple[Any, Any]]:
    """Each number of rules written as data, as its place in a list or a dictionary."""
    places = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in list(places):
        if isinstance(value, dict | list):
            if key != "means":
                yield from numbers(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield data, key


def mutant(program: Program, random: Random) -> Program | None:
    """The program with one number changed; None where that makes none."""
    data = deepcopy(program.model_dump(mode="json"))
    places = [*numbers(data["layers"]), *numbers(data["embedding"])]
    holder, key = random.choice(places)
    old = holder[key]
    holder[key] = random.choice([0, -old, 2 * old, old / 2, old + 1, old - 1])
    try:
        return Program.from_data(data)
    except HandcraftError:
        return None


def is_right(model: Model, e: Expression) -> bool:
    """True if the model answers all texts as the evaluator does."""
    ids = model.vocabulary.ids
    for n in range(1, N + 1):
        group = [text for text in TEXTS if len(text) == n]
        for text, row in zip(group, answers(model, group), strict=True):
            wanted = e.all(text, causal=model.causal)
            for value, said in zip(wanted, row, strict=True):
                if value is not None and ids[str(value)] != said:
                    return False
    return True


@pytest.mark.hypothesis
@pytest.mark.parametrize("name", PROGRAMS)
def test_what_changes_an_answer_is_refuted(name: str) -> None:
    """And what changes none is right still; some of both are drawn."""
    e, causal = PROGRAMS[name]
    program = compiled(e, LETTERS, N, causal=causal).program
    random, found = Random(name), Counter[str]()
    for _ in range(MANY // len(PROGRAMS) + 1):
        if (changed := mutant(program, random)) is None:
            continue
        model = changed.build()
        verdict = verify(model, method="exhaustive").verdict
        found["right" if is_right(model, e) else verdict] += 1
    assert found["refuted"] > 0
    assert not found.keys() - {"right", "refuted"}
