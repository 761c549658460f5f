"""Recipes for neurons, against plain Python: every whole number of the range, in float32, with
gelu and with relu.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from itertools import product as combinations
from typing import Any

import numpy as np
import pytest
from conftest import Refused
from hypothesis import given
from hypothesis import strategies as st

from handcraft import MLP, Program, scratch, slot, token
from handcraft import recipes as r
from handcraft.core.errors import ProgramError
from handcraft.core.gpt2 import Array, trace

ACTIVATIONS: Any = ("gelu", "relu")
out, twice = scratch("out"), scratch("twice")
ADDS = {out: 1, twice: -2}
both = pytest.mark.parametrize("activation", ACTIVATIONS)


def stream(
    neurons: Callable[..., Sequence[Any]],
    inputs: Sequence[Sequence[float]],
    activation: Any,
    *adds: Any,
) -> Array:
    """What stands in the stream, x first, for every tuple of inputs: [n_inputs, n_lanes]; a
    position is one tuple.
    """
    xs = [
        slot(f"x{j}", position=column)
        for j, column in enumerate(zip(*inputs, strict=True))
    ]
    mlp = MLP(neurons(*xs), *adds)
    model = Program(
        embedding=(*xs, out, twice, token("a")),
        layers=(mlp,),
        activation=activation,
    ).build()
    found = trace(np.zeros(len(inputs), int), model.weights, **model.config)[
        "resid_final"
    ]
    return found[:, : len(xs) + 2]


def check(
    recipe: Callable[..., Any],
    reference: Callable[..., float],
    *ranges: Iterable[float],
    tolerance: float = 0,
) -> None:
    """The recipe adds what the reference says for every combination, and twice the opposite to the
    other lane.
    """
    inputs = list(combinations(*ranges))
    expected = np.array(
        [[*case, reference(*case), -2 * reference(*case)] for case in inputs]
    )
    for activation in ACTIVATIONS:
        found = stream(recipe, inputs, activation)
        wrong = np.argwhere(~(np.abs(found - expected) <= tolerance))
        assert not len(wrong), (
            f"{activation} {inputs[wrong[0][0]]}: {found[wrong[0][0]]}, not {expected[wrong[0][0]]}"
        )


FLAGS = (0, 1)
WHOLE = range(-300, 301)
SMALL = range(-20, 21)


@pytest.mark.parametrize("n", range(1, 7))
def test_logic_of_n_flags(n: int) -> None:
    """Conjunction and disjunction of up to six flags, on every one of their combinations."""
    check(
        lambda *xs: r.conjunction(xs, ADDS), lambda *xs: all(xs), *[FLAGS] * n
    )
    check(
        lambda *xs: r.disjunction(xs, ADDS), lambda *xs: any(xs), *[FLAGS] * n
    )


def test_negated_flags() -> None:
    """A flag may be an expression; negation is 1 where it is 0."""
    check(
        lambda x, y: r.conjunction([x, 1 - y], ADDS),
        lambda x, y: x and not y,
        FLAGS,
        FLAGS,
    )
    check(
        lambda x, y: r.disjunction([1 - x, y], ADDS),
        lambda x, y: not x or y,
        FLAGS,
        FLAGS,
    )
    check(lambda x: r.negation(x, ADDS), lambda x: not x, FLAGS)


@given(st.integers(-100, 100), st.sampled_from([0.125, 0.25, 0.5, 1, 3]))
def test_step_is_sharp_at_its_margin(whole: int, margin: float) -> None:
    """Nothing at `margin` below the threshold and less, once at `margin` above and more."""
    above = whole + 0.5
    xs = [
        above + sign * (margin + d)
        for sign in (-1, 1)
        for d in (0, 0.25, 1, 50)
    ]
    check(
        lambda x: r.threshold(x, ADDS, above=above, margin=margin),
        lambda x: x > above,
        xs,
        tolerance=1e-4,
    )


def test_step_between_whole_numbers() -> None:
    """With the margin that it has by default, a threshold stands between two whole numbers."""
    for above in (-0.5, 0.5, 7.5, -100.5):
        check(
            lambda x, above=above: r.threshold(x, ADDS, above=above),
            lambda x, above=above: x > above,
            WHOLE,
        )


@pytest.mark.parametrize("number", [-299, -1, 0, 1, 42])
def test_equals(number: int) -> None:
    """Only the number itself."""
    check(lambda x: r.equals(x, number, ADDS), lambda x: x == number, WHOLE)


@both
@given(
    numbers=st.lists(st.integers(-40, 40), min_size=2, max_size=9, unique=True),
    part=st.sampled_from([1, 0.5, 4]),
    error=st.sampled_from([0.0, 0.25, -0.25]),
)
def test_one_hot_of_a_number(
    activation: Any, numbers: list[int], part: float, error: float
) -> None:
    """The lane of the number is 1, within a quarter of the distance of two numbers; outside, that
    of the nearest; where the sink is 1, none is.
    """
    lanes = scratch("lanes", [str(x * part) for x in numbers])
    values = sorted(x * part for x in numbers)
    close = min(b - a for a, b in itertools.pairwise(values))
    inputs = [
        *(x + error * close for x in values),
        values[0] - 9,
        values[-1] + 9,
    ]
    found = written_classes(lanes, inputs, activation, 0.0)
    right = [*values, values[0], values[-1]]
    expected = [[x == n * part for n in numbers] for x in right]
    assert np.abs(found - expected).max() < 1e-4
    assert not written_classes(lanes, values, activation, 1.0).any()


def written_classes(
    lanes: Any, inputs: Sequence[float], activation: Any, sink: float
) -> Array:
    """What one_hot_of writes for each input: [n_inputs, n_lanes]."""
    x, bos = (
        slot("x", position=inputs),
        slot("bos", position=[sink] * len(inputs)),
    )
    program = Program(
        embedding=(x, bos, lanes, token("a")),
        layers=(MLP(r.one_hot_of(x, lanes, sink=bos)),),
        activation=activation,
    )
    model = program.build()
    stream = trace(np.zeros(len(inputs), int), model.weights, **model.config)
    columns = [program.layout.column[lane] for lane in lanes.lanes]
    found: Array = stream["resid_final"][:, columns]
    return found


@given(
    st.dictionaries(
        st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")),
        st.integers(-9, 9),
        min_size=1,
    )
)
def test_table_of_one_hot_lanes(entries: dict[tuple[str, str], int]) -> None:
    """A function of two tokens: what is not in the table adds nothing."""
    pairs = ["".join(pair) for pair in combinations("abc", "xyz")]
    one = slot(
        "one",
        labels="abc",
        token={p: [float(p[0] == c) for c in "abc"] for p in pairs},
    )
    two = slot(
        "two",
        labels="xyz",
        token={p: [float(p[1] == c) for c in "xyz"] for p in pairs},
    )
    neurons = r.table(
        {(one[a], two[b]): {out: amount} for (a, b), amount in entries.items()}
    )
    assert len(neurons) == len(entries)
    for activation in ACTIVATIONS:
        model = Program(
            embedding=(one, two, out),
            n_ctx=1,
            layers=(MLP(neurons),),
            activation=activation,
        ).build()
        found = trace(np.arange(9)[:, None], model.weights, **model.config)[
            "resid_final"
        ][:, 0, 6]
        assert found.tolist() == [entries.get((p[0], p[1]), 0) for p in pairs]


@both
@given(
    points=st.dictionaries(
        st.integers(-12, 12), st.integers(-20, 20), min_size=2, max_size=8
    )
)
def test_piecewise_linear(activation: Any, points: dict[int, float]) -> None:
    """Linear between the points, flat outside; the value at the least point is the constant of
    the MLP.
    """
    xs = [(float(x),) for x in range(-15, 16)]
    found = stream(
        lambda x: r.piecewise_linear(x, points, {out: 1}),
        xs,
        activation,
        {out: points[min(points)]},
    )[:, 1]
    assert found == pytest.approx(
        np.interp(
            [x for (x,) in xs],
            sorted(points),
            [points[k] for k in sorted(points)],
        ),
        abs=1e-4,
    )


@pytest.mark.parametrize("most", [1, 2, 9, 60])
def test_square(most: int) -> None:
    """Every square of the range."""
    check(lambda x: r.square(x, most, ADDS), lambda x: x * x, range(most + 1))


@given(st.integers(2, 12), st.integers(0, 300))
def test_modulo_and_quotient(divisor: int, most: int) -> None:
    """Both for every whole number of the range, with as many neurons as promised."""
    check(
        lambda x: r.modulo(x, divisor, most, ADDS),
        lambda x: x % divisor,
        range(most + 1),
    )
    check(
        lambda x: r.quotient(x, divisor, most, ADDS),
        lambda x: x // divisor,
        range(most + 1),
    )
    assert len(r.modulo(out, divisor, most, ADDS)) == 1 + 2 * (most // divisor)


@pytest.mark.parametrize(
    ("recipe", "reference", "most"),
    [
        pytest.param(
            lambda x, most: r.modulo(x, 2, most, ADDS),
            lambda x: x % 2,
            3000,
            marks=pytest.mark.slow,
        ),
        pytest.param(
            lambda x, most: r.quotient(x, 2, most, ADDS),
            lambda x: x // 2,
            3000,
            marks=pytest.mark.slow,
        ),
        pytest.param(
            lambda x, most: r.square(x, most, ADDS),
            lambda x: x * x,
            2048,
            marks=pytest.mark.slow,
        ),
        (lambda x, most: r.square(x, most, ADDS), lambda x: x * x, 5000),
    ],
)
def test_long_ranges_are_exact_or_refused(
    recipe: Any, reference: Any, most: int
) -> None:
    """A range that is accepted is exact to its end; one past exact float32 is refused."""
    try:
        recipe(out, most)
    except ProgramError:
        assert reference(most) > 2**23
        return
    check(
        lambda x: recipe(x, most),
        reference,
        [*range(20), *range(most - 20, most + 1)],
    )


def test_absolute_and_copy() -> None:
    """The size of a whole number, and the number itself."""
    check(lambda x: r.absolute(x, ADDS), abs, WHOLE)
    check(lambda x: r.copy(x, ADDS), lambda x: x, WHOLE)
    check(
        lambda x, y: r.copy(x - 2 * y + 3, ADDS),
        lambda x, y: x - 2 * y + 3,
        SMALL,
        SMALL,
    )


@pytest.mark.slow
def test_maximum_and_minimum() -> None:
    """Of every pair of whole numbers."""
    check(lambda x, y: r.maximum(x, y, ADDS), max, SMALL, SMALL)
    check(lambda x, y: r.minimum(x, y, ADDS), min, SMALL, SMALL)
    check(lambda x: r.maximum(x, 3, ADDS), lambda x: max(x, 3), WHOLE)


@pytest.mark.parametrize("most", [0, 1, 5, 250])
def test_gated_copy_and_product(most: int) -> None:
    """A number behind an open gate, nothing behind a closed one."""
    check(
        lambda g, x: r.gated_copy(g, x, most, ADDS),
        lambda g, x: g * x,
        FLAGS,
        range(-most, most + 1),
    )
    check(
        lambda g, x: r.product(x, g, most, ADDS),
        lambda g, x: g * x,
        FLAGS,
        range(-most, most + 1),
    )


@both
def test_erase_and_move(activation: Any) -> None:
    """Erased lanes hold zero; moved ones stand elsewhere, and zero where they were."""
    case = [(float(x), float(y)) for x in SMALL for y in SMALL]
    expected = np.array([[0, y, 0, 0] for _, y in case])
    assert (stream(lambda x, _: r.erase(x), case, activation) == expected).all()
    counts = [(abs(x), y) for x, y in case]
    assert (
        stream(lambda x, _: r.erase(x, signed=False), counts, activation)
        == expected
    ).all()
    moved = stream(
        lambda x, y: [*r.move(x, out), *r.move(y, twice)], case, activation
    )
    assert (moved == [[0, 0, x, y] for x, y in case]).all()


@both
def test_erase_and_move_of_a_slot_with_labels(activation: Any) -> None:
    """Every lane of a slot goes to the lane with the same label."""
    t, away = token("abc"), scratch("away", "abc")
    for neurons, expected in (
        (r.erase(t), np.zeros((3, 6))),
        (r.move(t, away), np.eye(3, 6, 3)),
    ):
        model = Program(
            embedding=(t, away),
            n_ctx=1,
            layers=(MLP(neurons),),
            activation=activation,
        ).build()
        assert (
            trace(np.arange(3)[:, None], model.weights, **model.config)[
                "resid_final"
            ][:, 0]
            == expected
        ).all()
    assert (len(r.erase(t)), len(r.erase(t, signed=False))) == (6, 3)


MODULUS = (
    "modulo > modulus: needs a modulus of at least 2 and a range from 0, found"
)
DIVISOR = "quotient > divisor: needs a divisor of at least 1 and a range from 0, found"
POINTS = "piecewise_linear > points: takes at least two whole numbers, found"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            lambda: r.threshold(out, ADDS, above=0, margin=0),
            "threshold > margin: must be positive, found 0",
        ),
        (
            lambda: r.threshold(out, ADDS, above=0, margin=-1),
            "threshold > margin: must be positive, found -1",
        ),
        (
            lambda: r.threshold(out, ADDS, above=0, margin=math.nan),
            "threshold > margin: must be positive, found nan",
        ),
        (lambda: r.piecewise_linear(out, {}, ADDS), f"{POINTS} []"),
        (lambda: r.piecewise_linear(out, {1: 2}, ADDS), f"{POINTS} [1]"),
        (
            lambda: r.piecewise_linear(out, {0: 1, 0.5: 2}, ADDS),
            f"{POINTS} [0, 0.5]",
        ),
        (
            lambda: r.piecewise_linear(out, {0: 1, math.inf: 2}, ADDS),
            f"{POINTS} [0, inf]",
        ),
        (
            lambda: r.one_hot_of(out, scratch("s", "ab")),
            (
                "one_hot_of > lanes: the label of s:a is no number; write {lane:"
                " number}"
            ),
        ),
        (
            lambda: r.one_hot_of(out, {out: 1}),
            "one_hot_of > lanes: takes at least two lanes, found 1",
        ),
        (
            lambda: r.one_hot_of(out, {out: 1, twice: 1}),
            "one_hot_of > lanes: out and twice both stand for 1",
        ),
        (
            lambda: r.one_hot_of(out, {out: 1, twice: out}),
            "one_hot_of > lanes: twice stands for one number, found out",
        ),
        (
            lambda: r.one_hot_of(out, [0, 1]),
            (
                "one_hot_of > lanes: takes {lane: number} or a slot with numbers for"
                " labels, found list [0, 1]"
            ),
        ),
        (lambda: r.modulo(out, 1, 5, ADDS), f"{MODULUS} 1 and 5"),
        (lambda: r.modulo(out, 3, -1, ADDS), f"{MODULUS} 3 and -1"),
        (lambda: r.quotient(out, 0, 5, ADDS), f"{DIVISOR} 0 and 5"),
        (lambda: r.quotient(out, 2, -1, ADDS), f"{DIVISOR} 2 and -1"),
        (
            lambda: r.conjunction([scratch("s", "ab")], ADDS),
            (
                "conjunction: expected one expression, found s (2 lanes): choose one of them,"
                " such as s['a'], or add them up with .sum()"
            ),
        ),
        (
            lambda: r.conjunction(["a"], ADDS),
            (
                "conjunction: an expression is made of lanes, slots and numbers, found str"
                " 'a'; a lane is written slot['label']"
            ),
        ),
        (
            lambda: r.negation(out, {out: "1"}),
            "negation > adds: an amount to add is a number, found str '1'",
        ),
        (
            lambda: r.move(scratch("s", "ab"), scratch("t", "bc")),
            (
                "move: t:c has no partner: lanes pair by equal labels, and the expression has"
                " 'a', 'b'"
            ),
        ),
    ],
)
def test_wrong_use(wrong: Callable[[], Any], message: str) -> None:
    """Each refusal names the recipe and the argument, says what was found, and where."""
    where = f" ({__file__}:{wrong.__code__.co_firstlineno})"
    with Refused(ProgramError, message + where):
        wrong()


def test_a_lane_that_the_program_lacks() -> None:
    """A recipe's neurons are checked like any others: the path leads to the neuron."""
    t = token("ab")
    with pytest.raises(ProgramError) as refusal:
        Program(
            name="lost",
            embedding=(t,),
            n_ctx=1,
            layers=(MLP(r.negation(out, {t["a"]: 1})),),
        )
    assert refusal.value.path == ("lost", "layers[0]", "neurons[0]", "when")
    assert (
        refusal.value.message
        == "out is not a lane of the embedding (those are token)"
    )
