"""Expressions as JSON: they come back the same, and hostile ones are refused."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from conftest import Refused
from hypothesis import given
from hypothesis import strategies as st

from handcraft.core.errors import ProgramError
from handcraft.sequence.expression import Expression
from handcraft.sequence.expression_checks import DEEPEST
from handcraft.sequence.words import (
    cases,
    end,
    equal,
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


@pytest.mark.parametrize(
    "built",
    [
        here,
        own,
        latest({-1: own, 0: "a", 2: ("b", "c")}, before=end, every=(1, 2)),
        total({"a": -1}),
        lowest({"a": 1}, before=3),
        state({"p": {"a": "q"}}, "p"),
        lookup({("a", 1): "b"}, own, here % 2),
        most({"a": here, "b": 0}),
        cases((equal(own, "a"), 1), "x"),
        otherwise(token_at(2 * end - here), "?"),
        ratio(here, here + 1),
    ],
)
def test_expressions_round_trip_through_json(built: Expression) -> None:
    """An expression reads back equal."""
    data = json.loads(json.dumps(built.model_dump(mode="json")))
    assert Expression(**data) == built


def test_json_holds_what_is_not_as_usual() -> None:
    """The JSON of an expression is short."""
    assert token_at(here - 1).model_dump(mode="json") == {
        "op": "token_at",
        "args": [{"op": "subtract", "args": [{"op": "here"}, 1]}],
    }


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            {"op": "here", "where": [[0, "a"]]},
            "Expression: here takes no where",
        ),
        (
            {"op": "state", "table": [[[], "p"]], "before": 3},
            "Expression: state takes no before",
        ),
        ({"op": "add", "args": [1]}, "Expression: add takes 2 values, found 1"),
        (
            {"op": "lookup", "args": [1], "table": [[["a"], 1], [["a"], 2]]},
            "Expression: a key stands twice in the table of lookup",
        ),
        (
            {"op": "most", "args": [1], "table": [[[3], 0]]},
            "Expression: most takes {token: number} with at least one token",
        ),
        (
            {"op": "state"},
            (
                "Expression: state takes {state: {token: next state}} and a start, all"
                " of them texts"
            ),
        ),
        (
            {"op": "total", "table": [[["a"], "b"]]},
            "Expression: total takes {token: whole number}",
        ),
        (
            {"op": "cases"},
            "Expression: cases takes (condition, value) pairs and a default",
        ),
        (
            {"op": "here", "x": 1},
            (
                "Expression > x: has no such argument; it takes op, args, where,"
                " before, every, table"
            ),
        ),
    ],
)
def test_json_that_is_no_expression(data: dict[str, Any], message: str) -> None:
    """What comes from a file is held to the same rules."""
    with Refused(ProgramError, message, here=True):
        Expression(**data)


def test_what_is_nested_is_read_and_compared_once() -> None:
    """Forty levels are read and compared at once: twice the work at each level would take years."""
    for outer in (
        {"op": "token_at", "args": ["inner"]},
        {"op": "count", "before": "inner"},
        {"op": "count", "where": [[0, "inner"]]},
    ):
        text = json.dumps({"op": "here"})
        for _ in range(DEEPEST - 1):
            text = json.dumps(outer).replace('"inner"', text)
        one, two = (Expression(**json.loads(text)) for _ in range(2))
        assert one == two
        assert hash(one) == hash(two)
        assert one != two.parts[0]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=3)
    | st.sampled_from(["here", "add", "lookup", "state"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["op", "args", "where", "before", "every", "table"]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=30,
)


@pytest.mark.slow
@given(
    st.dictionaries(
        st.sampled_from(["args", "where", "before", "every", "table"]),
        json_values,
    ),
    st.sampled_from(
        [
            "here",
            "token_at",
            "count",
            "total",
            "state",
            "add",
            "lookup",
            "cases",
            "most",
            "otherwise",
        ]
    ),
)
def test_hostile_json_is_refused_or_means_something(
    fields: dict[str, Any], op: str
) -> None:
    """Whatever stands in a file is a ProgramError, or an expression that can be asked."""
    with suppress(ProgramError):
        Expression(op=op, **fields)("aab")
