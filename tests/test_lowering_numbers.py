"""Programs at the ends of what float32 holds, and values that are missing or of two kinds."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from lowered import answers, compiled

from handcraft import tag
from handcraft.core.errors import ProgramError
from handcraft.lowering.reading.core import Core
from handcraft.lowering.reading.domains import Domains
from handcraft.sequence import (
    cases,
    count,
    equal,
    fetch,
    indices,
    latest,
    lookup,
    max_,
    mean,
    otherwise,
    there,
    tokens,
    where,
)
from handcraft.sequence.expression import Expression


def wrong(
    e: Expression,
    alphabet: str,
    n: int,
    texts: Sequence[str] = (),
    *,
    causal: bool = False,
) -> list[tuple[str, int]]:
    """The texts and positions at which the program of an expression answers otherwise."""
    model = compiled(e, alphabet, n, causal=causal).program.build()
    draw = random.Random(0)
    drawn = [
        "".join(draw.choice(alphabet) for _ in range(size))
        for size in sorted({1, 2, 3, n - 1, n} & {*range(1, n + 1)})
        for _ in range(12)
    ]
    found = []
    for text in texts or drawn:
        (given,) = answers(model, [text])
        for i, value in enumerate(e.all(text, causal=causal)):
            token = model.vocabulary.tokens[given[i]] if given[i] >= 0 else "?"
            if value is not None and token != str(value):
                found.append((text, i))
    return found


GREAT = lookup({"a": 5001, "b": 5003}, tokens)


def test_numbers_whose_squares_float32_rounds_are_told_apart() -> None:
    assert wrong(count(there(GREAT) == GREAT), "ab", 5) == []
    assert wrong(fetch(tokens, latest(there(GREAT) == GREAT)), "ab", 5) == []


def test_the_latest_of_many_equal_great_numbers() -> None:
    great = lookup({"a": 900, "b": 901}, tokens)
    assert wrong(latest(there(great) == great), "ab", 20) == []


def test_answers_whose_squares_float32_rounds_are_refused() -> None:
    with pytest.raises(
        ProgramError,
        match=r"can be answered with 5,007, .*what would fit: numbers up to 2,048",
    ):
        tag(indices + 5000, tokens="ab", n=8)
    assert wrong(indices + 2041, "ab", 8) == []


BEFORE = fetch(tokens, there(indices) == indices - 1)
SOME = lookup({"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}, tokens)


@pytest.mark.parametrize("value", [SOME, BEFORE])
def test_what_is_undefined_is_not_counted_as_unlike(value: Expression) -> None:
    assert wrong(count(~(there(value) == value)), "abcdef", 5) == []


@pytest.mark.parametrize(
    "place", [there(indices) == indices - 1, latest(there(tokens) == "c")]
)
def test_a_computed_default_does_not_stand_for_an_undefined_value(
    place: Expression,
) -> None:
    number = lookup({"a": 1, "b": 2}, tokens)
    found = fetch(number, place, default=indices + 5)
    assert wrong(otherwise(found, 9), "abc", 5) == []


def test_a_token_that_looks_like_a_number_is_not_that_number() -> None:
    mixed = where(equal(tokens, "0"), count(there(tokens) == "1"), tokens)
    assert wrong(equal(mixed, "1"), "012", 5) == []
    assert wrong(count(there(mixed) == tokens), "012", 5) == []


def test_four_numbers_that_stand_at_unequal_distances_are_told_apart() -> None:
    def back(i: int, *numbers: int) -> Expression:
        value = lookup(dict(zip("abc", numbers, strict=True)), tokens)
        return fetch(value, there(indices) == indices - i, default=0)

    draw = random.Random(3)
    rows = {
        (x, y, z, w): draw.randrange(7) * draw.randrange(5)
        for x in (0, 1)
        for y in (0, 2, 5)
        for z in (0, 1)
        for w in (0, 2, 5)
    }
    parts = (back(1, 0, 1, 1), back(2, 0, 2, 5), back(3, 1, 0, 1))
    e = lookup(rows, parts[0], parts[1], parts[2], back(4, 0, 2, 5))
    assert wrong(e, "abc", 6) == []


FLAG = lookup({"a": 1}, tokens, default=0)


@pytest.mark.parametrize(
    "e",
    [
        max_(mean(FLAG, there(tokens) == tokens), 0),
        cases((equal(tokens, "a"), mean(FLAG, there(tokens) == tokens)), 0),
        mean(FLAG * 3, there(tokens) == tokens) + indices,
        mean(mean(FLAG, there(tokens) == tokens), there(tokens) == tokens),
    ],
    ids=str,
)
def test_real_numbers_of_no_known_distance_are_not_said_to_have_one(
    e: Expression,
) -> None:
    domain = Domains("ab", 300, causal=False).of(Core(causal=False).of(e))
    assert (domain.step, domain.apart) == (None, 0)
