"""Evaluation: aggregates, no token that sees a later one, evaluators of one's own, and programs
that are deep or share their parts.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from conftest import Refused

from handcraft import rasp
from handcraft.rasp import Comparison, causal_eval

EVERY = rasp.Select(rasp.indices, rasp.indices, Comparison.TRUE)
OWN = rasp.Select(rasp.indices, rasp.indices, Comparison.EQ)
NONE = rasp.Select(rasp.indices, rasp.indices, Comparison.FALSE)


def typed(values: Sequence[Any]) -> list[tuple[type, Any]]:
    """The values with their types: 1, 1.0 and True are equal."""
    return [(type(x), x) for x in values]


@pytest.mark.parametrize("default", [None, 0, -1.5, "?", False])
def test_an_aggregate_of_nothing_is_its_default(default: rasp.Value) -> None:
    """Of whatever type, whatever the s-op."""
    nothing = rasp.Aggregate(NONE, rasp.tokens, default)
    assert typed(nothing([1, "a", None])) == typed([default] * 3)


def test_an_aggregate_of_one_value_is_that_value() -> None:
    """As it is, of any type: nothing becomes a float."""
    values = [None, "a", 2, True, 0.5, -0.0]
    assert typed(rasp.Aggregate(OWN, rasp.tokens)(values)) == typed(values)


@pytest.mark.parametrize(
    ("values", "mean"),
    [
        ([1, 2], 1.5),
        ([2, 2], 2.0),
        ([True, False], 0.5),
        ([True, True, 4], 2.0),
        ([-1, 0.5, True, 0], 0.125),
        ([0.1, 0.2], (0.1 + 0.2) / 2),
    ],
)
def test_an_aggregate_of_several_values_is_their_mean(
    values: list[Any], mean: float
) -> None:
    """Of whole numbers, fractions and flags, together too; always a float."""
    found = rasp.Aggregate(EVERY, rasp.tokens)(values)
    assert typed(found) == typed([mean] * len(values))


@pytest.mark.parametrize(
    ("values", "shown"),
    [(["a", "a"], "'a'"), ([2, None], "None"), ([1, "b"], "'b'")],
)
def test_an_aggregate_of_several_values_that_are_no_numbers_is_an_error(
    values: list[Any], shown: str
) -> None:
    """Equal or not, the error names the s-op, the position and the value."""
    mean = rasp.Aggregate(EVERY, rasp.tokens).named("mean")
    with Refused(
        ValueError,
        f"{mean.label} averages 2 values at position 0, and {shown} is no number;"
        " select one value, or map them to numbers first",
    ):
        mean(values)


def test_a_mean_that_no_float_can_hold_is_an_error() -> None:
    """A number of hundreds of digits is no float, nor is its mean."""
    mean = rasp.Aggregate(EVERY, rasp.tokens)
    with Refused(
        ValueError,
        f"{mean.label} averages numbers at position 0 that no float can hold",
    ):
        mean([10**400, 1])
    assert mean([10**400]) == [10**400]


def test_evaluate_is_a_call() -> None:
    """`evaluate(expr, xs)` and `expr(xs)` are the same."""
    for expr in rasp.tokens + rasp.indices, EVERY, rasp.SelectorWidth(EVERY):
        assert rasp.evaluate(expr, [1, 2]) == expr([1, 2])


def test_every_selector_of_a_causal_evaluation_is_a_lower_triangle() -> None:
    """Constants and contraries too, and those inside of others."""
    constant = rasp.ConstantSelector([[True, True], [False, True]])
    triangle = [[True, False], [True, True]]
    assert causal_eval.evaluate(EVERY, "ab") == triangle
    assert causal_eval.evaluate(constant, "ab") == [
        [True, False],
        [False, True],
    ]
    assert causal_eval.evaluate(rasp.SelectorNot(NONE), "ab") == triangle
    assert causal_eval.evaluate(rasp.SelectorNot(EVERY), "ab") == NONE("ab")
    width = rasp.SelectorWidth(rasp.SelectorOr(constant, EVERY))
    assert causal_eval.evaluate(width, "ab") == [1, 2]
    assert rasp.CausalEvaluator().evaluate(width, "ab") == [1, 2]


class Shouting(rasp.DefaultRASPEvaluator):
    """An evaluator that reads every token in capitals."""

    def eval_tokens(
        self, sop: rasp.TokensType, xs: Sequence[rasp.Value]
    ) -> list[rasp.Value]:
        return [str(x).upper() for x in xs]


class Recording(rasp.DefaultRASPEvaluator):
    """An evaluator that counts how often it is asked for the value of each map."""

    def __init__(self) -> None:
        self.maps = Counter[str]()

    def eval_map(
        self, sop: rasp.Map, xs: Sequence[rasp.Value]
    ) -> list[rasp.Value]:
        self.maps[sop.name] += 1
        return super().eval_map(sop, xs)


class Knowing(rasp.DefaultRASPEvaluator):
    """An evaluator that knows the value of some s-ops beforehand."""

    def evaluate(self, expr: rasp.RASPExpr, xs: Sequence[rasp.Value]) -> Any:
        if expr.name == "known":
            return [7] * len(xs)
        return super().evaluate(expr, xs)


class First(rasp.SOp):
    """A class of one's own: the first token everywhere."""

    kind = "first"

    @property
    def children(self) -> list[rasp.RASPExpr]:
        return []


class Extended(rasp.DefaultRASPEvaluator):
    """An evaluator that knows a class more."""

    def eval_first(
        self, sop: First, xs: Sequence[rasp.Value]
    ) -> list[rasp.Value]:
        return [xs[0]] * len(xs)


def test_an_evaluator_can_change_the_meaning_of_a_class() -> None:
    """The method of a class is asked wherever the class stands in a program."""
    doubled = rasp.tokens + rasp.Aggregate(OWN, rasp.tokens)
    assert Shouting().evaluate(doubled, "ab") == ["AA", "BB"]


def test_an_evaluator_can_change_evaluate() -> None:
    """It is asked for every node, deep inside too, and what it knows is not computed."""
    known = rasp.Map(lambda _: 1 / 0, rasp.tokens).named("known")
    twice = rasp.SequenceMap(lambda x, y: x + y, known, known + rasp.indices)
    assert Knowing().evaluate(twice, "ab") == [14, 15]


def test_an_evaluator_can_learn_a_class() -> None:
    """A method for a kind of one's own; without it the error names the method."""
    first = First()
    length = rasp.Map(len, first)
    assert Extended().evaluate(length, ["ab", "c"]) == [2, 2]
    with Refused(
        TypeError,
        f"DefaultRASPEvaluator needs a method eval_first for an s-op, {first.label}",
    ):
        length(["ab", "c"])


def test_a_class_derived_from_another_means_the_same() -> None:
    """Until an evaluator says something else, the class above it gives the meaning."""

    class Twice(rasp.Map):
        kind = "twice"

        def __init__(self, inner: rasp.SOp) -> None:
            super().__init__(lambda x: 2 * x, inner)

    assert Twice(rasp.tokens)([1, "a", None]) == [2, "aa", None]
    assert Twice(rasp.tokens).name == "twice"


def test_what_an_evaluator_knows_is_asked_for_once() -> None:
    """Below the root a hundred s-ops that double each other are known: none is walked twice."""
    known: rasp.SOp = rasp.tokens.named("known")
    for _ in range(100):
        known = rasp.SequenceMap(max, known, known).named("known")
    assert Knowing().evaluate(rasp.sop_not(known), "ab") == [False, False]


class Whispering(rasp.CausalEvaluator):
    """A causal evaluator that reads every token in small letters."""

    def eval_tokens(
        self, sop: rasp.TokensType, xs: Sequence[rasp.Value]
    ) -> list[rasp.Value]:
        return [str(x).lower() for x in xs]


class Counting(rasp.RASPEvaluator):
    """An evaluator that has nothing of the others: it gives the number of children."""

    def evaluate(self, expr: rasp.RASPExpr, xs: Sequence[rasp.Value]) -> Any:
        return len(expr.children)


def test_a_causal_evaluator_can_be_changed_too() -> None:
    """The change and the lower triangle hold together."""
    last = rasp.Select(rasp.indices, rasp.length - 1, Comparison.EQ)
    assert Whispering().evaluate(rasp.Aggregate(last, rasp.tokens), "AB") == [
        *(None, "b")
    ]


def test_an_evaluator_may_mean_something_else() -> None:
    """RASPEvaluator asks for nothing but `evaluate`."""
    evaluators: list[rasp.RASPEvaluator] = [Counting(), rasp.CausalEvaluator()]
    found = [
        one.evaluate(rasp.tokens + rasp.indices, [5]) for one in evaluators
    ]
    assert found == [2, [5]]


def test_an_evaluator_is_a_rasp_evaluator() -> None:
    """Whatever evaluates can be asked for by its class."""
    assert isinstance(rasp.DefaultRASPEvaluator(), rasp.RASPEvaluator)
    assert issubclass(rasp.CausalEvaluator, rasp.DefaultRASPEvaluator)
    with pytest.raises(TypeError, match="abstract"):
        rasp.RASPEvaluator()


def test_the_method_of_a_class_can_be_asked_alone() -> None:
    """It evaluates what the expression is made of by itself."""
    evaluator = rasp.DefaultRASPEvaluator()
    assert evaluator.eval_map(rasp.tokens + 1, [1, 2]) == [2, 3]
    assert evaluator.eval_selector_width(rasp.SelectorWidth(OWN), "ab") == [
        1,
        1,
    ]


def test_an_evaluator_can_be_asked_again() -> None:
    """One input is forgotten before the next, after an error too."""
    evaluator = rasp.DefaultRASPEvaluator()
    halves = 1 / rasp.tokens
    xs = [1, 2]
    assert evaluator.evaluate(halves, xs) == [1, 0.5]
    for number in 4, 8:
        xs[0] = number
        assert evaluator.evaluate(halves, xs) == [1 / number, 0.5]
    with pytest.raises(ZeroDivisionError):
        evaluator.evaluate(halves, [0])
    assert evaluator.evaluate(halves, [2]) == [0.5]


def test_a_shared_part_is_evaluated_once() -> None:
    """A program that doubles itself a thousand times has as many nodes, not 2^1000."""
    shared: rasp.SOp = rasp.Map(lambda x: x, rasp.tokens).named("shared")
    for _ in range(1000):
        shared = rasp.SequenceMap(max, shared, shared)
    recording = Recording()
    assert recording.evaluate(shared, [3, 4]) == [3, 4]
    assert recording.maps == {"shared": 1}


def test_every_selector_is_evaluated_once() -> None:
    """A predicate is asked once for each pair, however many s-ops read the selector."""
    asked = Counter[tuple[Any, Any]]()
    select = rasp.Select(
        rasp.tokens, rasp.tokens, lambda k, q: asked.update([(k, q)]) or k <= q
    )
    width = rasp.SelectorWidth(select)
    both = (
        width + rasp.Aggregate(select & OWN, width) + rasp.SelectorWidth(select)
    )
    assert both("ab") == [3, 6]
    assert set(asked.values()) == {1}
    assert len(asked) == 4


@pytest.mark.parametrize("simplify", [True, False])
@pytest.mark.parametrize("evaluate", [rasp.evaluate, causal_eval.evaluate])
def test_a_deep_program_is_no_deep_recursion(
    simplify: bool, evaluate: Any
) -> None:
    """A chain of maps far longer than Python's stack is evaluated like a short one."""
    deep: rasp.SOp = rasp.tokens
    n = 3 * sys.getrecursionlimit()
    for _ in range(n):
        deep = rasp.Map(lambda x: x + 1, deep, simplify=simplify)
    assert isinstance(deep, rasp.Map)
    assert (deep.inner is rasp.tokens) == simplify
    assert evaluate(deep, [0, None]) == [n, None]


def test_a_deep_program_of_every_class_is_no_deep_recursion() -> None:
    """Selectors of s-ops of selectors, a thousand times over."""
    deep: rasp.SOp = rasp.tokens
    for _ in range(sys.getrecursionlimit()):
        here = rasp.Select(deep, deep, lambda k, q: k is q) & OWN
        deep = rasp.Aggregate(rasp.SelectorNot(rasp.SelectorNot(here)), deep)
    assert deep(["a", "b"]) == ["a", "b"]


def test_a_program_that_is_made_of_itself_is_an_error() -> None:
    """Whoever changes an expression after it was made may close a circle."""
    inner = rasp.Map(len, rasp.tokens)
    outer = inner + rasp.indices
    inner.inner = outer
    with Refused(ValueError, f"an s-op, {inner.label}, is made of itself"):
        inner("ab")
    with Refused(ValueError, f"an s-op, {inner.label}, is made of itself"):
        (inner + rasp.length)("ab")


def test_an_error_of_an_authors_function_names_the_expression() -> None:
    """The error is the function's own, with a note that says where it was asked."""
    broken = rasp.Map(lambda x: {}[x], rasp.tokens, simplify=False).named(
        "broken"
    )
    outer = rasp.SelectorWidth(rasp.Select(broken, rasp.tokens, Comparison.EQ))
    with pytest.raises(KeyError) as caught:
        outer("a")
    assert caught.value.args == ("a",)
    assert caught.value.__notes__ == [f"in <Map {broken.label} of tokens>"]


def test_a_program_may_evaluate_another() -> None:
    """A function that calls an s-op starts an evaluation of its own."""
    lengths = rasp.Map(lambda word: rasp.length(word)[0], rasp.tokens)
    assert lengths(["ab", "c"]) == [2, 1]
