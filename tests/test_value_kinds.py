"""Kinds of values: what an expression can be, against what it is."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from conftest import examples
from hypothesis import given
from hypothesis import strategies as st

from handcraft import answers
from handcraft.core.errors import ProgramError
from handcraft.runtimes.claim_text import claim_text
from handcraft.sequence.evaluate import evaluate
from handcraft.sequence.expression import Expression
from handcraft.sequence.notation import written
from handcraft.sequence.value_kinds import kinds_of
from handcraft.sequence.words import (
    below,
    cases,
    count,
    end,
    equal,
    first,
    here,
    latest,
    lookup,
    lowest,
    most,
    otherwise,
    own,
    ratio,
    state,
    token_at,
    total,
)

leaves = st.sampled_from(
    [
        here,
        end,
        own,
        total({"a": 1, "b": -1}),
        lowest({"b": -2}),
        state({"a": {"b": "b"}}, "a"),
        0,
        1,
        2,
        "a",
        "b",
    ]
)
plain = st.sampled_from([0, 1, "a", "b"])
tables = st.dictionaries(plain, plain, max_size=3)


def grown(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Larger expressions from smaller ones, of whatever kinds."""
    pair = st.tuples(inner, inner)
    return st.one_of(
        pair.flatmap(
            lambda p: st.sampled_from([below, equal, ratio, otherwise]).map(
                lambda f: (f, p)
            )
        ),
        pair.flatmap(
            lambda p: st.sampled_from(
                ["add", "subtract", "multiply", "divide", "modulo"]
            ).map(lambda op: (op, p))
        ),
        inner.map(lambda e: (token_at, (e,))),
        st.tuples(inner, inner, inner).map(
            lambda t: (lambda a, b, c: cases((a, b), c), t)
        ),
        pair.map(lambda p: (lambda a, b: cases((a, b)), p)),
        pair.map(lambda p: (lambda a, b: most({"a": a, "b": b}), p)),
        st.tuples(tables, inner).map(lambda t: (lookup, t)),
        st.tuples(st.sampled_from([first, latest, count]), inner, inner).map(
            lambda t: (lambda f, w, b: f({0: w}, before=b), t)
        ),
    ).map(_made)


def _made(found: tuple[Any, tuple[Any, ...]]) -> Any:
    make, args = found
    try:
        return (
            Expression(op=make, args=args)
            if isinstance(make, str)
            else make(*args)
        )
    except (
        ProgramError
    ):  # what no expression is, as a text where a number must stand
        return own


expressions = st.recursive(leaves, grown, max_leaves=8)


def kind(value: Any) -> str:
    """The kind of one value."""
    if value is None:
        return "nothing"
    return {int: "number", Fraction: "fraction", str: "token"}[type(value)]


@pytest.mark.slow
@examples(1500)
@given(expressions, st.text("ab", min_size=1, max_size=5), st.integers(0, 4))
def test_a_value_is_of_a_kind_that_was_seen(
    e: Any, text: str, last: int
) -> None:
    """What is accepted never meets a token where it needs a number, and gives nothing that was
    not foreseen.
    """
    try:
        kinds = kinds_of(e)
    except ProgramError:
        return
    value = (
        evaluate(e, tuple(text), end=min(last, len(text) - 1))
        if isinstance(e, Expression)
        else e
    )
    assert kind(value) in kinds


@examples(500)
@given(expressions, st.text("ab", min_size=1, max_size=4))
def test_what_fails_was_refused(e: Any, text: str) -> None:
    """Where asking raises an error, the kinds had said so."""
    try:
        evaluate(e, tuple(text), end=0) if isinstance(e, Expression) else e
    except ProgramError:
        try:
            kinds_of(e)
        except ProgramError:
            return
        raise


def test_kinds_of_the_words() -> None:
    """Each word gives what its documentation says; `nothing` only where it can."""
    expected = {
        own: "token",
        token_at(0): "nothing token",
        here: "number",
        first({0: "a"}): "nothing number",
        count({0: own}): "number",
        here // 2: "number",
        here // here: "nothing number",
        ratio(here, 2): "fraction",
        ratio(here, 2) // 1: "number",
        ratio(here, 2) % 1: "fraction",
        cases((own, 1), ratio(here, 2)) + 1: "fraction number",
        token_at(otherwise(first({0: "a"}), 0)): "nothing token",
        otherwise(first({0: "a"}), "b"): "number token",
        otherwise(own, 1): "token",
        lookup({"a": 1}, own): "nothing number",
        equal(own, first({0: "a"})): "nothing number",
        cases((own, 1), "a"): "number token",
        cases((own, 1)): "nothing number",
        most({"a": 1, "b": first({0: "a"})}): "nothing token",
        state({"p": {"a": "q"}}, "p"): "token",
    }
    assert {e: " ".join(sorted(kinds_of(e))) for e in expected} == expected


def test_an_expression_is_shown_as_it_is_written() -> None:
    """And cut where it is long."""
    shown = [
        written(e)
        for e in (
            own,
            (here + 1) * 2,
            token_at(end - 1),
            count({0: ("a", "b")}, before=here),
            "a\x1b",
        )
    ]
    assert shown == [
        "own",
        "(here + 1) * 2",
        "token_at(end - 1)",
        "count({0: ('a', 'b')}, before=here)",
        r"'a\x1b'",
    ]
    assert written(most(dict.fromkeys("abcdefghijklmnop", here))).endswith(
        "..."
    )
    assert len(written(most(dict.fromkeys("abcdefghijklmnop", here)))) == 60


def test_a_table_that_is_shortened_says_so() -> None:
    """Four rows are shown; of more, how many there are: in a message, a claim's repr and a model
    card, none of which may show another claim than there is.
    """
    four, five = (dict.fromkeys(range(n), "a") for n in (4, 5))
    shown = "0: 'a', 1: 'a', 2: 'a', 3: 'a'"
    assert written(lookup(four, end)) == f"lookup({{{shown}}}, end)"
    assert (
        written(lookup(five, end)) == f"lookup({{{shown}, ... (5 rows)}}, end)"
    )
    claim = answers("[0-4]", lookup(five, end), length=1)
    assert repr(claim) == (
        f"answers('[0-4]', answer=lookup({{{shown}, ... (5 rows)}}, end), length=1)"
    )
    assert list(claim_text(claim))[-1] == (
        "The answer is given, token by token, by"
        f" `lookup({{{shown}, ... (5 rows)}}, end)`."
    )
    many = {chr(97 + i) * 4: "long" for i in range(26)}
    assert written(lookup(many, own)) == (
        "lookup({'aaaa': 'long', 'bbbb': 'long', 'cccc': 'long', '..."
    )
