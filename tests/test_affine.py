"""Lanes, expressions of lanes and maps: the algebra every rule is written in."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from conftest import Refused, coefficients, evaluate
from hypothesis import given
from hypothesis import strategies as st

from handcraft import Head, local, position, scratch, token
from handcraft.core.errors import ProgramError
from handcraft.core.frozen import UnknownAttributeError
from handcraft.language.affine import Affine, Lane, Map, describe, format_number
from handcraft.language.coerce import as_affine, as_direction, as_map

t, p, v, anchor = token("ab"), position(3), scratch("v"), local("anchor")
a, b = t["a"], t["b"]
LANES = (a, b, *p.lanes, v.lanes[0], anchor.lanes[0])


# ---------------------------------------------------------------- the algebra

expressions = st.recursive(
    st.sampled_from(LANES).map(lambda lane: (lane.expression(), str(lane)))
    | coefficients.map(lambda x: (Affine.of({}, x), repr(x))),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(
            lambda pair: (
                pair[0][0] + pair[1][0],
                f"({pair[0][1]} + {pair[1][1]})",
            )
        ),
        st.tuples(inner, inner).map(
            lambda pair: (
                pair[0][0] - pair[1][0],
                f"({pair[0][1]} - {pair[1][1]})",
            )
        ),
        st.tuples(inner, coefficients).map(
            lambda pair: (pair[0][0] * pair[1], f"({pair[0][1]} * {pair[1]})")
        ),
        st.tuples(inner, coefficients).map(
            lambda pair: (pair[1] * pair[0][0], f"({pair[1]} * {pair[0][1]})")
        ),
        st.tuples(inner, coefficients).map(
            lambda pair: (pair[0][0] / pair[1], f"({pair[0][1]} / {pair[1]})")
        ),
        inner.map(lambda one: (-one[0], f"(-{one[1]})")),
    ),
    max_leaves=8,
)
values = st.fixed_dictionaries(
    {lane: st.floats(-8, 8).map(lambda x: round(x * 16) / 16) for lane in LANES}
)


@given(expressions, values)
def test_algebra_is_arithmetic(
    expression: tuple[Affine, str], lanes: dict[Lane, float]
) -> None:
    """An expression built with + - * / has, on any values of its lanes, the value the same
    arithmetic gives.
    """
    built, text = expression
    for lane in sorted(LANES, key=lambda one: -len(str(one))):
        text = text.replace(str(lane), f"({lanes[lane]!r})")
    assert evaluate(built, lanes) == pytest.approx(
        eval(text), rel=1e-12, abs=1e-12
    )


@given(expressions)
def test_no_term_is_zero(expression: tuple[Affine, str]) -> None:
    """A lane that cancels out is no longer read."""
    assert all(value != 0 for _, value in expression[0].terms)
    assert (expression[0] - expression[0]).terms == ()


@given(expressions)
def test_json_round_trip(expression: tuple[Affine, str]) -> None:
    """An expression is the same after a trip through JSON."""
    built = expression[0]
    assert as_affine(json.loads(json.dumps(built.to_json()))) == built


def test_numbers_may_stand_on_either_side() -> None:
    """A number, a NumPy number and a lane combine from both sides."""
    assert 2 * a == a * 2 == np.float32(2) * a == a * np.int64(2) == a + a
    assert 1 - a == -a + 1 == Affine.of({a: -1.0}, 1.0)
    assert sum(t) == a + b


def test_terms_keep_the_order_of_first_use() -> None:
    """Terms stand in the order in which they were first written."""
    assert (b + 2 * a + b).lanes_read == (b, a)
    assert str(b + 2 * a + b - 3) == "2 token:b + 2 token:a - 3"


def test_a_number_beside_a_slot_goes_to_every_lane() -> None:
    """Arithmetic with a slot is arithmetic with each of its lanes."""
    assert 2 * t + 1 == Map.of([(a, 2 * a + 1), (b, 2 * b + 1)])
    assert t - v == Map.of([(a, a - v), (b, b - v)])
    assert (t + t) / 2 == t.expression()


def test_slots_add_lane_by_lane() -> None:
    """Two maps add where they share a lane and stand side by side where they do not."""
    assert p + p.previous == Map.of(
        [(p[0], p[0] + p[1]), (p[1], p[1] + p[2]), (p[2], p[2].expression())]
    )


# ---------------------------------------------------------------- equality, hashing, immutability


def test_equality_compares_content() -> None:
    """`==` is a plain comparison: it builds no expression."""
    assert (a == token("ab")["a"]) is True
    assert (a == b) is False
    assert (a == "token:a") is False
    assert scratch("w") != local("w")


def test_equal_values_hash_alike() -> None:
    """Lanes and slots are keys of dicts by their content."""
    assert {a: 1, t: 2}[token("ab")["a"]] == 1
    assert {a: 1, t: 2}[token("ab")] == 2
    assert len({local("w").lanes[0], scratch("w").lanes[0]}) == 2


@pytest.mark.parametrize(
    ("value", "field"),
    [(a, "slot"), (a + b, "constant"), (t, "name"), (as_map(t), "rows")],
)
def test_values_are_frozen(value: Any, field: str) -> None:
    """Nothing of the language can be changed after it was made."""
    with Refused(
        UnknownAttributeError,
        f"{type(value).__name__} > {field}: is frozen; a changed copy of it is"
        f" .model_copy(update={{{field!r}: ...}})",
        here=True,
    ):
        setattr(value, field, None)


def test_operators_return_new_values() -> None:
    """`+=` rebinds a name and leaves the old expression alone."""
    kept = total = a + b
    total += v
    assert kept == a + b
    assert total == a + b + v


# ---------------------------------------------------------------- what is refused


def test_an_array_never_swallows_an_expression() -> None:
    """np.array * expression is a TypeError from either side, never an array of objects."""
    for build in (
        lambda: np.array([1.0, 2.0]) * a,
        lambda: a * np.array([1.0, 2.0]),
        lambda: np.array([1.0, 2.0]) + a,
    ):
        with pytest.raises((TypeError, ProgramError)) as caught:
            build()
        assert str(caught.value).endswith("found an array of shape (2,)")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: a * b,
            (
                "an expression can only be multiplied by a number, found the lane token:b;"
                " a lane times a flag is recipes.product(x, flag, most, {lane: 1})"
            ),
        ),
        (
            lambda: a * True,
            "an expression can only be multiplied by a number, found True",
        ),
        (
            lambda: a * "3",
            "an expression can only be multiplied by a number, found str '3'",
        ),
        (
            lambda: a / "3",
            "an expression can only be divided by a number, found str '3'",
        ),
        (lambda: a / 0, "division of an expression by zero"),
        (
            lambda: a + None,
            "an expression is made of lanes, slots and numbers, found None",
        ),
        (lambda: a * float("inf"), "a weight must be finite, found inf"),
        (lambda: a + float("nan"), "a weight must be finite, found nan"),
        (lambda: 1e308 * a * 10, "a weight must be finite, found inf"),
        (
            lambda: as_affine({"token:a": float("-inf")}),
            "a weight must be finite, found -inf",
        ),
        (
            lambda: as_affine({"token:a": "1"}),
            "a coefficient is a number, found str '1'",
        ),
        (
            lambda: as_affine(t),
            (
                "expected one expression, found token (2 lanes): choose one of them, such as"
                " token['a'], or add them up with .sum()"
            ),
        ),
        (
            lambda: as_affine(t + p),
            (
                "expected one expression, found token (2 lanes) and position (3 lanes): choose"
                " one of them, such as token['a'], or add them up with .sum()"
            ),
        ),
        (
            lambda: as_map(3),
            "say which lane this is for, as {lane: expression}; found 3",
        ),
        (
            lambda: as_map(a + 2 * b),
            "say which lane this is for, as {lane: expression}; found token:a + 2 token:b",
        ),
        (
            lambda: as_map({3: a}),
            "the left side of a map is a lane or a slot, as in {lane: expression}; found int 3",
        ),
        (
            lambda: as_map({v: t}),
            (
                "v is one lane, and the expression has token (2 lanes): choose one of them,"
                " such as token['a'], or add them up with .sum()"
            ),
        ),
        (
            lambda: as_map({t: token("bc")}),
            "token:a has no partner: lanes pair by equal labels, and the expression has 'b', 'c'",
        ),
        (
            lambda: as_direction({a: b}),
            (
                "an amount to add is a number, found the lane token:b; what varies stands in"
                " when=, as in Neuron(when=x, adds={lane: 1})"
            ),
        ),
        (
            lambda: as_map({"\x1b[2J": "x"}),
            (
                "an expression is made of lanes, slots and numbers, found str 'x'; a lane is"
                " written slot['label']"
            ),
        ),
    ],
)
def test_what_is_no_expression_is_refused(build: Any, message: str) -> None:
    """Whatever is not linear in the lanes, or not finite, is refused with what was found."""
    with Refused(ProgramError, message):
        build()


# ---------------------------------------------------------------- maps


def test_a_slot_stands_for_the_map_of_its_lanes() -> None:
    """A slot or a scaled slot, given for a map, maps each of its lanes."""
    assert as_map(t) == Map.of([(a, a.expression()), (b, b.expression())])
    assert as_map(2 * v + 1) == Map.of([(v.lanes[0], 2 * v + 1)])


def test_lanes_pair_by_equal_labels() -> None:
    """`{slot: slot}` maps each lane from the lane with the same label, in whatever order those
    stand.
    """
    kept = scratch("kept", "ba")
    assert as_map({kept: 3 * t}) == Map.of(
        [(kept["b"], 3 * b), (kept["a"], 3 * a)]
    )


def test_lanes_with_one_label_meet_in_their_partner() -> None:
    """Where an expression has two lanes with one label, the partner gets their sum."""
    kept, other = scratch("kept", "ab"), scratch("other", "ab")
    assert as_map({kept: t - 2 * other}) == Map.of(
        [(kept["a"], a - 2 * other["a"]), (kept["b"], b - 2 * other["b"])]
    )


def test_one_expression_under_a_slot_goes_to_each_lane() -> None:
    """A number or a single expression on the right is given to every lane on the left."""
    assert as_map({t: v}) == Map.of([(a, v.expression()), (b, v.expression())])
    assert as_map({t: 1}) == Map.of(
        [(a, Affine.of({}, 1.0)), (b, Affine.of({}, 1.0))]
    )
    assert as_map({v: a}) == Map.of([(v.lanes[0], a.expression())])


def test_amounts_to_add() -> None:
    """A direction is a number for each lane; a slot's number goes to each of its lanes."""
    assert as_direction({v: 1, t: 2}) == v + 2 * a + 2 * b
    assert as_direction({v: 0.0}) == Affine()


def test_what_a_map_defines_and_reads() -> None:
    """A map gives its targets and the lanes it reads, in their order."""
    found = as_map({v: a - b, a: v})
    assert found.targets == (v.lanes[0], a)
    assert found.lanes_read == (a, b, v.lanes[0])


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("lane", "text"),
    [
        (a, "token:a"),
        (v.lanes[0], "v"),
        (anchor.lanes[0], "@anchor"),
        (local("m", "x")["x"], "@m:x"),
        (token(":1")[":"], "token::"),
    ],
)
def test_json_names(lane: Lane, text: str) -> None:
    """A lane's name in JSON is slot:label, with @ in front inside one head, and reads back as
    the same lane.
    """
    assert str(lane) == text
    assert Lane.parse(text) == lane


def test_json_of_a_map() -> None:
    """A map serialises lane by lane, "1" being the constant, and reads back equal."""
    found = as_map({a: 1024 - 1024 * v, anchor: t["b"] + 0.5})
    assert found.to_json() == {
        "token:a": {"v": -1024.0, "1": 1024.0},
        "@anchor": {"token:b": 1.0, "1": 0.5},
    }
    assert as_map(found.to_json()) == found


def test_a_token_called_1_is_not_the_constant() -> None:
    """The lane of the token 1 is token:1; the constant alone is "1"."""
    one = token("01")["1"]
    assert (2 * one + 3).to_json() == {"token:1": 2.0, "1": 3.0}
    assert as_affine({"token:1": 2, "1": 3}) == 2 * one + 3


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (1024 - 1024 * v, "-1024 v + 1024"),
        (-a, "-token:a"),
        (a - b, "token:a - token:b"),
        (0.1 * a + 1 / 3, "0.1 token:a + 0.333333"),
        (v - v, "0"),
        (2**19 * a, "524288 token:a"),
        (as_map({a: v, b: 2}), "{token:a: v, token:b: 2}"),
        (1 * token(["\x1b[2J"])["\x1b[2J"], r"token:\x1b[2J"),
    ],
)
def test_how_expressions_read(expression: Any, text: str) -> None:
    """Expressions read as an author would write them, control characters made visible."""
    assert str(expression) == text


def test_numbers_and_lanes_in_messages() -> None:
    """Messages show six significant digits and count lanes by slot."""
    assert [format_number(x) for x in (1024.0, 0.1, 1e-7, 1234567.0)] == [
        "1024",
        "0.1",
        "1e-07",
        "1.23457e+06",
    ]
    assert (
        describe((*p, *v, *anchor))
        == "position (3 lanes) and v (1 lane) and @anchor (1 lane)"
    )
    assert describe(()) == "no lanes"


def test_wrong_argument_carries_rule_and_line() -> None:
    """An expression that a rule cannot take is reported with the rule, the argument and the
    author's line.
    """
    with Refused(
        ProgramError,
        "Head > value: say which lane this is for, as {lane: expression}; found 3",
        here=True,
    ):
        Head(value=3, adds={a: 1})
