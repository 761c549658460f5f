"""Claims whose values are of the wrong kind, or that no table can hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from repeating import FLIP, message, program

from handcraft import (
    Program,
    after,
    answers,
    position,
    residual,
    token,
    transducer,
)
from handcraft.claims.kinds import Distribution
from handcraft.proof import verify
from handcraft.sequence.words import (
    below,
    cases,
    count,
    equal,
    first,
    here,
    lookup,
    most,
    own,
    ratio,
    step,
    total,
)

# ---------------------------------------------------------------- kinds

INSTEAD = {
    "token": "; write lookup({token: number}, e) for a token's number",
    "number": "; write map_(str, e, over=range(10)) for a number's token",
    "fraction": "",
}


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (
            lambda: residual("v", own),
            "residual > function: a lane holds a number, but own can be a token",
        ),
        (
            lambda: residual("v", cases((equal(own, "a"), 1), own)),
            (
                "residual > function: a lane holds a number, but cases((equal(own, 'a'),"
                " 1), own) can be a token"
            ),
        ),
        (
            lambda: residual("v", most({"a": 1, "b": here})),
            (
                "residual > function: a lane holds a number, but most({'a': 1, 'b':"
                " here}) can be a token"
            ),
        ),
        (
            lambda: residual("v", total({"a": 1}, before=own)),
            (
                "residual > function: total takes a position in before=, but in"
                " total({'a': 1}, before=own) its own can be a token"
            ),
        ),
        (
            lambda: residual("v", below(own, 1)),
            (
                "residual > function: below takes numbers, but in below(own, 1) its own"
                " can be a token"
            ),
        ),
        (
            lambda: residual("v", count({0: here})),
            (
                "residual > function: count compares with tokens, but in count({0:"
                " here}) its here can be a number"
            ),
        ),
        (
            lambda: program(here + 0),
            (
                "p > claim: what follows is a token or nothing,"
                " but here + 0 can be a number"
            ),
        ),
        (
            lambda: program(ratio(here, 2)),
            (
                "p > claim: what follows is a token or nothing,"
                " but ratio(here, 2) can be a fraction"
            ),
        ),
        (
            lambda: program(most({"a": own, "b": 1})),
            (
                "p > claim: most takes numbers, but in"
                " most({'a': own, 'b': 1}) its own can be a token"
            ),
        ),
        (
            lambda: residual("v", lookup({1: "a", 2: 3}, here) + 1),
            (
                "residual > function: add takes numbers, but in lookup({1: 'a', 2: 3},"
                " here) + 1 its lookup({1: 'a', 2: 3}, here) can be a token"
            ),
        ),
        (
            lambda: answers("a", lookup({"a": 1}, own), length=1),
            (
                "answers > answer: an answer is made of tokens, but lookup({'a': 1},"
                " own) can be a number"
            ),
        ),
        (
            lambda: answers("a", own, length=own),
            "answers > length: a length is a whole number, but own can be a token",
        ),
        (
            lambda: answers("a", own, length=ratio(4, 2)),
            (
                "answers > length: a length is a whole number, but ratio(4, 2) can be a"
                " fraction"
            ),
        ),
        (
            lambda: answers("a", own, length=2 * (own + 1)),
            (
                "answers > length: add takes numbers, but in own + 1 its own can be a"
                " token"
            ),
        ),
    ],
)
def test_a_token_is_no_number(
    build: Callable[[], object], expected: str
) -> None:
    """Nor is a number a token: what can be of the wrong kind is refused, with the part that can and
    the word that gives the other kind.
    """
    assert message(build) == expected + INSTEAD[expected.rsplit(maxsplit=1)[-1]]


@pytest.mark.parametrize(
    ("claim", "verdict", "checked"),
    [
        (
            most({x: lookup({"a": 1}, own) for x in "ab"}),
            "proved",
            21,
        ),  # speaks after a, and says a
        (
            most({"a": here // here, "b": 1}),
            "refuted",
            None,
        ),  # of equals the first, but silent on one token
        (
            most({x: first({0: x}) for x in "abcd"}),
            "unknown",
            0,
        ),  # four letters in three places
    ],
)
def test_the_greatest_of_nothing_is_nothing(
    claim: Any, verdict: str, checked: int | None
) -> None:
    """Where a part of `most` says nothing the claim is silent: the model, which repeats its
    last token, is held to the rest.
    """
    report = verify(program(claim, "abcd", 3).build())
    assert report.verdict == verdict
    assert checked is None or (report.contexts, report.checked) == (
        4 + 16 + 64,
        checked,
    )


# ---------------------------------------------------------------- what no table can hold


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (
            lambda: Distribution(table=(("a", (("a", 0.5), ("a", 0.5))),)),
            "distribution > table: a token stands twice in the probabilities after 'a'",
        ),
        (
            lambda: after({frozenset("a"): "b"}),  # type: ignore[dict-item]
            (
                "after > table[0][0]: an ending is a text or a tuple of tokens, found"
                " frozenset frozenset({'a'})"
            ),
        ),
        (
            lambda: after({"a": 5}),
            (
                "after > table[0]: what is right after 'a' is a token, or a set of"
                " tokens such as {'a', 'b'}, found int 5"
            ),
        ),  # type: ignore[dict-item]
        (
            lambda: answers("a", {"a": ["b"]}),
            "table[0][1]: must be a text, found a value of type list",
        ),  # type: ignore[dict-item]
        (
            lambda: lookup({True: "a"}, own),
            (
                "claim: lookup takes a table of whole numbers and tokens, found True; for a"
                " value that is computed write cases((condition, value), ...), and leave"
                " out what is undefined"
            ),
        ),
        (
            lambda: transducer(step, {(True, "a"): ("b", 1)}, True),
            "transducer > table[0][0][0] > int: must be a whole number, found True",
        ),
        (
            lambda: transducer({"a"}, FLIP, 0),  # type: ignore[arg-type]
            "claim: the inputs of a transducer are positions in order, found set {'a'}",
        ),
        (
            lambda: transducer(3, FLIP, 0),
            "claim: the inputs of a transducer are positions in order, found int 3",
        ),  # type: ignore[arg-type]
        (
            lambda: answers("a", str, longest=True),
            "answers > longest: must be a whole number, found True",
        ),
        (
            lambda: Program(
                name="p",
                embedding=(position(2), token("ab")),
                vocabulary={"a", "b"},
            ),
            (
                "p > vocabulary: a set has no order, and the ids of the tokens are"
                " their places: pass a list"
            ),
        ),
    ],
)
def test_values_that_no_table_can_hold(
    build: Callable[[], object], expected: str
) -> None:
    """A set has another order each time, True is no number, and a row names a token once."""
    assert message(build) == expected


def test_a_set_of_tokens_is_kept_in_order() -> None:
    """So that the same claim is written the same way each time."""
    assert count({0: {"b", "c", "a"}}).where == ((0, ("a", "b", "c")),)
