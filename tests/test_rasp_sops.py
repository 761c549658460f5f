"""S-ops: maps, constants, operators from both sides, and what is refused."""

from __future__ import annotations

import logging
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from conftest import Refused
from hypothesis import given
from hypothesis import strategies as st

from handcraft import rasp

COMPARISONS = [
    *(operator.lt, operator.le, operator.eq),
    *(operator.ne, operator.gt, operator.ge),
]
ARITHMETIC = [operator.add, operator.sub, operator.mul, operator.truediv]
NUMBERS = st.lists(st.sampled_from([-2, -0.5, 0, 1, 3, True]), max_size=6)
EQUAL = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.EQ)


def _and(x: Any, y: Any) -> Any:
    return x and y


def _or(x: Any, y: Any) -> Any:
    return x or y


LOGIC = [(operator.and_, _and), (operator.or_, _or)]


@pytest.mark.parametrize("op", [*COMPARISONS, *ARITHMETIC])
@given(xs=NUMBERS)
def test_an_operator_with_a_value_is_a_map(
    op: Callable[[Any, Any], Any], xs: list[Any]
) -> None:
    """An s-op and a value, in either order, make a Map of the operator."""
    right, left = op(rasp.tokens, 2), op(2, rasp.tokens)
    assert isinstance(right, rasp.Map)
    assert isinstance(left, rasp.Map)
    assert right(xs) == [op(x, 2) for x in xs]
    if op is not operator.truediv or 0 not in xs:
        assert left(xs) == [op(2, x) for x in xs]


@pytest.mark.parametrize("op", [*COMPARISONS, *ARITHMETIC])
@given(xs=NUMBERS)
def test_an_operator_of_two_sops_is_a_sequence_map(
    op: Callable[[Any, Any], Any], xs: list[Any]
) -> None:
    """The values at the same position are combined."""
    pairs = op(rasp.tokens, rasp.indices + 1)
    assert isinstance(pairs, rasp.SequenceMap)
    assert pairs(xs) == [op(x, i + 1) for i, x in enumerate(xs)]


@pytest.mark.parametrize(("op", "plain"), LOGIC)
@given(xs=NUMBERS)
def test_and_and_or_are_pythons(
    op: Callable[[Any, Any], Any],
    plain: Callable[[Any, Any], Any],
    xs: list[Any],
) -> None:
    """`&` and `|` give one of their operands, as `and` and `or` do."""
    assert op(rasp.tokens, 3)(xs) == [plain(x, 3) for x in xs]
    pairs = op(rasp.tokens, rasp.indices)
    assert isinstance(pairs, rasp.SequenceMap)
    assert pairs(xs) == [plain(x, i) for i, x in enumerate(xs)]


@given(xs=NUMBERS)
def test_and_and_or_may_have_the_value_in_front(xs: list[Any]) -> None:
    """`3 & tokens` is `3 and x`; `3 | tokens` prefers the token, and is `x or 3`."""
    assert (3 & rasp.tokens)(xs) == xs
    assert (0 & rasp.tokens)(xs) == [0] * len(xs)
    assert (3 | rasp.tokens)(xs) == [x or 3 for x in xs]
    assert (0 | rasp.tokens)(xs) == xs


@given(xs=NUMBERS)
def test_not_is_pythons(xs: list[Any]) -> None:
    """`~` and sop_not give True where a value is 0, empty or False."""
    assert (~rasp.tokens)(xs) == [not x for x in xs]
    assert rasp.sop_not(rasp.tokens)(xs) == [not x for x in xs]
    assert isinstance(rasp.sop_not(rasp.tokens), rasp.Map)


OPERATORS = [*COMPARISONS, *ARITHMETIC, operator.and_, operator.or_]


@pytest.mark.parametrize("op", OPERATORS)
def test_none_stays_none_under_every_operator(
    op: Callable[[Any, Any], Any],
) -> None:
    """None is equal to nothing and greater than nothing: the result is None, not False."""
    nothing = [None, None]
    assert op(rasp.tokens, 1)(nothing) == nothing
    assert op(1, rasp.tokens)(nothing) == nothing
    assert op(rasp.tokens, rasp.indices)(nothing) == nothing
    assert op(rasp.indices, rasp.tokens)(nothing) == nothing
    assert (~rasp.tokens)(nothing) == nothing


def test_a_comparison_with_none_asks_what_is_there() -> None:
    """`tokens == None` is False of a value, and None of None itself."""
    assert (rasp.tokens == None)([1, None]) == [False, None]  # noqa: E711


def test_a_map_does_not_ask_its_function_of_none() -> None:
    """The function is called for the values that are not None."""
    asked = []
    seen = rasp.Map(lambda x: asked.append(x) or x, rasp.tokens)
    assert seen([1, None, 0]) == [1, None, 0]
    assert asked == [1, 0]


def test_a_map_of_a_map_is_one_map() -> None:
    """The functions are put together; the inner s-op is that of the innermost map."""
    three = rasp.Map(str, rasp.Map(abs, rasp.Map(int, rasp.tokens)))
    assert three.inner is rasp.tokens
    assert three([-1.5, 2.7]) == ["1", "2"]
    assert (((rasp.tokens * 2) + 2) / 2).inner is rasp.tokens


def test_a_map_of_a_map_can_be_kept() -> None:
    """With simplify=False the inner map stays, and the values are the same."""
    inner = rasp.tokens * 2
    kept = rasp.Map(lambda x: x + 2, inner, simplify=False)
    assert kept.inner is inner
    assert kept([1, None, "a"[:0]][:2]) == [4, None]


def test_a_none_between_two_maps_ends_there() -> None:
    """In one map as in two, the outer function is not asked of a None that the inner gave."""
    inner = rasp.Map(lambda x: x or None, rasp.tokens)
    for simplify in True, False:
        outer = rasp.Map(lambda x: x + 1, inner, simplify=simplify)
        assert outer([0, 1]) == [None, 2]


def test_a_class_derived_from_map_is_not_taken_apart() -> None:
    """A map of a reader's own may mean something else, so it stays the inner s-op."""

    class Own(rasp.Map):
        pass

    own = Own(abs, rasp.tokens)
    assert rasp.Map(str, own).inner is own


def test_a_sequence_map_is_none_where_either_is() -> None:
    """The function is asked where both values are there."""
    pairs = rasp.SequenceMap(
        lambda x, i: (x, i),
        rasp.tokens,
        rasp.Map(lambda i: i or None, rasp.indices),
    )
    assert pairs(["a", "b", None]) == [None, ("b", 1), None]


@pytest.mark.parametrize(
    "make",
    [
        lambda sop: rasp.SequenceMap(max, sop, sop),
        lambda sop: rasp.LinearSequenceMap(sop, sop, 1, 2),
        lambda sop: sop * sop,
        lambda sop: sop == sop,
    ],
)
def test_two_arguments_that_are_one_object_are_warned_about(
    make: Callable[[rasp.SOp], rasp.SOp], caplog: pytest.LogCaptureFixture
) -> None:
    """A SequenceMap of an s-op with itself logs a warning, since a Map would do."""
    found = make(rasp.tokens)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        f"both s-ops of a {type(found).__name__} are tokens; a Map of it says the same"
    )


def test_two_objects_are_not_warned_about(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A copy of an s-op is another object."""
    rasp.SequenceMap(max, rasp.tokens, rasp.tokens.copy())
    assert not caplog.records


@given(xs=NUMBERS)
def test_a_linear_sequence_map_keeps_its_factors(xs: list[Any]) -> None:
    """The factors can be read, and so can the function that they make."""
    linear = rasp.LinearSequenceMap(rasp.tokens, rasp.indices, 2, -0.5)
    assert isinstance(linear, rasp.SequenceMap)
    assert (linear.fst_fac, linear.snd_fac) == (2, -0.5)
    assert linear.f(10, 4) == 18
    assert linear(xs) == [2 * x - 0.5 * i for i, x in enumerate(xs)]


@pytest.mark.parametrize("fill", [None, -1, 0.5, "a", True])
def test_a_full_has_its_value_everywhere(fill: rasp.Value) -> None:
    """As often as there are tokens."""
    full = rasp.Full(fill)
    assert full.fill is fill
    assert full("abc") == [fill] * 3
    assert full([]) == []


@pytest.mark.parametrize(
    "xs", ["abc", ["a", "b", "c"], ("a", "b", "c"), iter("abc")]
)
def test_an_input_is_any_sequence(xs: Any) -> None:
    """A text is its characters; what can be read once is read once."""
    both = rasp.tokens + rasp.tokens.copy()
    assert both(xs) == ["aa", "bb", "cc"]


def test_a_call_gives_a_list_of_its_own() -> None:
    """A caller that changes a result changes nothing else."""
    xs, values = [1, 2], [3, 4]
    constant = rasp.ConstantSOp(values)
    rasp.tokens(xs).append(0)
    constant(xs).append(0)
    values.append(5)
    assert (xs, constant(xs)) == ([1, 2], [3, 4])


def test_a_constant_must_be_as_long_as_the_input() -> None:
    """Else it is a ValueError that says both lengths, unless check_length is False."""
    constant = rasp.ConstantSOp([1, 2, 3])
    assert constant("abc") == [1, 2, 3]
    with Refused(
        ValueError,
        f"{constant.label}: Constant len 3 doesn't match input len 13; give one value"
        " for each token, or say check_length=False",
    ):
        constant("longer string")
    free = rasp.ConstantSOp([1, 2, 3], check_length=False)
    assert free("longer string") == [1, 2, 3]
    assert (free + rasp.indices)("longer string") == [1, 3, 5]


def test_a_number_of_numpy_may_stand_on_the_left() -> None:
    """NumPy leaves the operator to the s-op."""
    less = np.int64(3) - rasp.tokens
    assert isinstance(less, rasp.Map)
    assert less([1, 2]) == [2, 1]


REFUSED = {
    "Map(f) must be a function, found 1": lambda: rasp.Map(1, rasp.tokens),
    "Map(f) must be a function, found an s-op, tokens": lambda: rasp.Map(
        rasp.tokens, rasp.tokens
    ),
    "Map(inner) must be an s-op, found 'abc'": lambda: rasp.Map(len, "abc"),
    f"Map(inner) must be an s-op, found a selector, {EQUAL.label}": lambda: (
        rasp.Map(len, EQUAL)
    ),
    "SequenceMap(f) must be a function, found None": lambda: rasp.SequenceMap(
        None, rasp.tokens, rasp.indices
    ),
    "SequenceMap(fst) must be an s-op, found 1": lambda: rasp.SequenceMap(
        max, 1, rasp.indices
    ),
    "SequenceMap(snd) must be an s-op, found 2.5": lambda: rasp.SequenceMap(
        max, rasp.tokens, 2.5
    ),
    "LinearSequenceMap(snd) must be an s-op, found 2": lambda: (
        rasp.LinearSequenceMap(rasp.tokens, 2, 1, 1)
    ),
    "Full(fill) must be a value, found an s-op, tokens": lambda: rasp.Full(
        rasp.tokens
    ),
    "ConstantSOp(value) must be a list, found 5": lambda: rasp.ConstantSOp(5),
    "ConstantSOp(value) must be a list, found a set, which has no order": lambda: (
        rasp.ConstantSOp({1, 2})
    ),
    "sop_not(sop) must be an s-op, found True": lambda: rasp.sop_not(True),
    f"sop_not(sop) must be an s-op, found a selector, {EQUAL.label}": lambda: (
        rasp.sop_not(EQUAL)
    ),
    "SelectorWidth(selector) must be a selector, found an s-op, tokens": lambda: (
        rasp.SelectorWidth(rasp.tokens)
    ),
    "Aggregate(selector) must be a selector, found an s-op, tokens": lambda: (
        rasp.Aggregate(rasp.tokens, rasp.tokens)
    ),
    "Aggregate(sop) must be an s-op, found 1": lambda: rasp.Aggregate(EQUAL, 1),
    "the input must be a list, found 5": lambda: rasp.tokens(5),
    "the input must be a list, found an s-op, indices": lambda: rasp.tokens(
        rasp.indices
    ),
    "the input must be a list, found a set, which has no order": lambda: (
        rasp.tokens({"a", "b"})
    ),
    "evaluate(expr) must be an expression, found 'hist'": lambda: rasp.evaluate(
        "hist", "abc"
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_is_no_sop_is_refused_where_it_is_written(message: str) -> None:
    """The error names the argument, what it must be, and what was found."""
    with Refused(TypeError, message):
        REFUSED[message]()


@pytest.mark.parametrize(
    "op", [*ARITHMETIC, operator.and_, operator.or_, operator.lt, operator.ge]
)
def test_an_sop_and_a_selector_are_not_combined(
    op: Callable[[Any, Any], Any],
) -> None:
    """The error says what makes an s-op of a selector."""
    with Refused(
        TypeError,
        f"an s-op is combined with an s-op or a value, found a selector, {EQUAL.label};"
        " Aggregate and SelectorWidth make s-ops of selectors",
    ):
        op(rasp.tokens, EQUAL)


@pytest.mark.parametrize(
    "op", [operator.mod, operator.floordiv, operator.pow, operator.matmul]
)
def test_other_operators_are_not_there(op: Callable[[Any, Any], Any]) -> None:
    """A Map of a function says all else."""
    with pytest.raises(TypeError, match="unsupported operand"):
        op(rasp.tokens, 2)
