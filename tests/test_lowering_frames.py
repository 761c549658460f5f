"""What a frame must keep in mind: values not known yet, undefined ones, and who sees what."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from random import Random

import numpy as np
import pytest

from handcraft import Program, answer, next_token, of, tag, verify
from handcraft.claims.words import answers
from handcraft.core.errors import ProgramError
from handcraft.core.gpt2 import gpt2
from handcraft.sequence import (
    below,
    best,
    count,
    fetch,
    here,
    indices,
    latest,
    lookup,
    mean,
    otherwise,
    own,
    there,
    token_at,
    tokens,
    where,
)


def test_an_echo_is_right_whatever_is_computed_beside_it() -> None:
    draw = Random(1)
    earlier = there(indices) < indices
    before = (there(tokens) < tokens) | (there(tokens) == tokens) & earlier
    number = lookup({"a": 0, "b": 2, "c": 7}, tokens)
    kth = fetch(number, there(count(before)) == indices)
    hist = count(there(tokens) == tokens)
    pairs = product(range(10), range(5))
    table = {pair: draw.randrange(-50, 50) for pair in pairs}
    e = lookup(table, kth, hist)
    model = answer(e, tokens="abc", n=4).build()
    names = model.vocabulary.tokens
    for x in map("".join, product("abc", repeat=3)):
        text = [*f"^{x}={x}=", *map(str, e.all(x)), "$"]
        ids = np.array([names.index(t) for t in text])
        given = gpt2(ids[:-1], **model.weights, **model.config).argmax(-1)
        assert [names[i] for i in given[4:]] == text[5:]


@pytest.mark.parametrize(
    "make",
    [
        lambda: next_token(
            otherwise(
                fetch(
                    lookup({"a": "b"}, tokens),
                    there(indices) == indices - 2,
                    default=own,
                ),
                "c",
            ),
            tokens="abc",
            n=4,
        ),
        lambda: of(
            answers(
                r"\^[abc]{1,3}=",
                otherwise(
                    fetch(
                        lookup({"a": "b"}, tokens),
                        latest(there(tokens) == "c"),
                        default="a",
                    ),
                    "c",
                ),
                length=1,
            )
        ),
    ],
    ids=["a computed default", "a latest position"],
)
def test_a_default_of_a_claim_does_not_stand_for_an_undefined_value(
    make: Callable[[], Program],
) -> None:
    report = verify(make(), method="exhaustive")
    assert report.verdict == "checked"


def test_a_head_that_looks_at_all_alike_needs_no_token_that_begins() -> None:
    share = mean(lookup({"a": 1, "b": 3, "c": 0}, tokens))
    made = next_token(where(below(share, 1), "a", "b"), tokens="abc", n=5)
    report = verify(made, method="exhaustive")
    assert report.verdict == "checked"


def test_what_an_earlier_position_does_not_see_is_refused() -> None:
    ahead = best(count(there(tokens) == tokens))
    row = {0: "x", 1: "y", 2: "z", 3: "w", 4: "v"}
    with pytest.raises(
        ProgramError,
        match=r"^compile: count\(there\(tokens\) == tokens\) is read at earlier"
        " positions, which do not see the whole text; what would fit: a condition",
    ):
        of(answers(r"\^[ab]{1,4}=", lookup(row, ahead), length=1))


def test_a_part_that_is_no_expression_of_its_own_is_named_shortly() -> None:
    claim = answers(
        "a[ab]{0,3}=",
        otherwise(token_at(latest({0: "a", 1: "b"}, before=here)), "n"),
        length=1,
    )
    with pytest.raises(ProgramError, match=r"^compile: .{57}\.\.\. is weighed"):
        of(claim)


@pytest.mark.parametrize("begin", [5, None, ""])
def test_what_is_no_token_begins_no_text(begin: object) -> None:
    with pytest.raises(
        ProgramError, match=rf"^tag > begin: takes a token, found {begin!r} "
    ):
        tag(indices, tokens="ab", n=3, begin=begin)  # type: ignore[arg-type]
