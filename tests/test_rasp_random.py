"""Random expressions: the evaluator against a second one, a plain recursion over what is drawn,
written from the documentation alone.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from types import ModuleType
from typing import Any

from conftest import examples
from hypothesis import given
from hypothesis import strategies as st

from handcraft import rasp
from handcraft.rasp import causal_eval

VALUES = st.sampled_from([None, 0, 1, -2, 3, 0.5, True, False, "", "a"])
INPUTS = st.lists(VALUES, max_size=4)
ONE: dict[str, Callable[[Any], Any]] = {
    "shown": repr,
    "or_none": lambda x: x or None,
    "less": lambda x: x - 1,  # no text can be made less: an error
    "sort": lambda x: "text" if isinstance(x, str) else -x,
}
TWO: dict[str, Callable[[Any, Any], Any]] = {
    "shown": lambda x, y: f"{x}{y}",
    "second": lambda _, y: y,
    "or_none": lambda x, y: x or y or None,
    "plus": operator.add,
}
OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    **{f.__name__: f for f in (operator.add, operator.sub, operator.mul)},
    **{f.__name__: f for f in (operator.eq, operator.ne, operator.truediv)},
    **{f.__name__: f for f in (operator.lt, operator.le, operator.ge)},
    "and_": lambda x, y: x and y,
    "or_": lambda x, y: x or y,
}
PREDICATES: dict[str, Callable[[Any, Any], Any]] = {
    "EQ": operator.eq,
    "NEQ": operator.ne,
    "LEQ": operator.le,
    "GT": operator.gt,
    "TRUE": lambda *_: True,
    "FALSE": lambda *_: False,
    "same": lambda k, q: type(k) is type(q) and k == q,
    "key": lambda k, _: k,
    "none": lambda k, q: k is None or q is None,
}
FLAGS = st.lists(st.booleans(), min_size=3, max_size=3)
Spec = tuple[Any, ...]


def sops(depth: int) -> st.SearchStrategy[Spec]:
    """S-ops as plain data: a kind and its arguments."""
    leaves = (
        st.sampled_from([("tokens",), ("indices",), ("length",)])
        | st.tuples(st.just("full"), VALUES)
        | st.tuples(
            st.just("constant"),
            st.lists(VALUES, min_size=3, max_size=3).map(tuple),
            st.booleans(),
        )
    )
    if depth == 0:
        return leaves
    inner, chosen = sops(depth - 1), selectors(depth - 1)
    ops = st.sampled_from(sorted(OPERATORS))
    return (
        leaves
        | st.tuples(st.just("map"), st.sampled_from(sorted(ONE)), inner)
        | st.tuples(st.just("pair"), st.sampled_from(sorted(TWO)), inner, inner)
        | st.tuples(st.just("linear"), inner, inner, st.just(2), st.just(-0.5))
        | st.tuples(st.just("invert"), inner)
        | st.tuples(st.just("right"), ops, inner, VALUES)
        | st.tuples(st.just("left"), ops, VALUES, inner)
        | st.tuples(st.just("two"), ops, inner, inner)
        | st.tuples(st.just("width"), chosen)
        | st.tuples(st.just("aggregate"), chosen, inner, VALUES)
    )


def selectors(depth: int) -> st.SearchStrategy[Spec]:
    """Selectors as plain data."""
    keys = sops(max(depth - 1, 0))
    leaves = st.tuples(
        st.just("select"), keys, keys, st.sampled_from(sorted(PREDICATES))
    ) | st.tuples(
        st.just("rows"),
        st.lists(FLAGS.map(tuple), min_size=3, max_size=3).map(tuple),
    )
    if depth == 0:
        return leaves
    inner = selectors(depth - 1)
    kinds = st.sampled_from(["both", "either"])
    return (
        leaves
        | st.tuples(kinds, inner, inner)
        | st.tuples(st.just("contrary"), inner)
    )


def build(
    spec: Spec, to: ModuleType, simplify: bool, known: dict[str, Any]
) -> Any:
    """The expression of a spec in a module that has RASP's names; equal parts are shared."""
    place = repr(spec)  # 1 and True are equal, but not the same
    if place not in known:
        known[place] = _built(spec, to, simplify, known)
    return known[place]


def _built(
    spec: Spec, to: ModuleType, simplify: bool, known: dict[str, Any]
) -> Any:
    def made(part: Spec) -> Any:
        return build(part, to, simplify, known)

    match spec:
        case ("tokens" | "indices" | "length" as name,):
            return getattr(to, name)
        case "full", value:
            return to.Full(value)
        case "constant", values, check:
            return to.ConstantSOp(list(values), check_length=check)
        case "map", f, inner:
            return to.Map(ONE[f], made(inner), simplify)
        case "pair", f, fst, snd:
            return to.SequenceMap(TWO[f], made(fst), made(snd))
        case "linear", fst, snd, a, b:
            return to.LinearSequenceMap(made(fst), made(snd), a, b)
        case "invert", inner:
            return ~made(inner)
        case "right", op, inner, value:
            return getattr(operator, op)(made(inner), value)
        case "left", op, value, inner:
            return getattr(operator, op)(value, made(inner))
        case "two", op, fst, snd:
            return getattr(operator, op)(made(fst), made(snd))
        case "width", selector:
            return to.SelectorWidth(made(selector))
        case "aggregate", selector, sop, default:
            return to.Aggregate(made(selector), made(sop), default)
        case "select", keys, queries, predicate:
            asked = PREDICATES[predicate]
            if predicate.isupper():
                asked = to.Comparison[predicate]
            return to.Select(made(keys), made(queries), asked)
        case "rows", rows:
            return to.ConstantSelector([list(row) for row in rows])
        case "both", fst, snd:
            return to.selector_and(made(fst), made(snd), simplify)
        case "either", fst, snd:
            return to.selector_or(made(fst), made(snd), simplify)
        case "contrary", inner:
            return to.selector_not(made(inner), simplify)
    raise AssertionError(spec)


def naive(spec: Spec, xs: list[Any], causal: bool) -> list[Any]:
    """The value of a spec: every part as often as it is written, by recursion."""
    n = len(xs)

    def value(part: Spec) -> list[Any]:
        return naive(part, xs, causal)

    def mapped(f: Callable[..., Any], *parts: Spec) -> list[Any]:
        columns = zip(*map(value, parts), strict=False)
        return [None if None in map(_none, row) else f(*row) for row in columns]

    match spec:
        case ("tokens",):
            return list(xs)
        case ("indices",):
            return list(range(n))
        case ("length",):
            return [n] * n
        case "full", fill:
            return [fill] * n
        case "constant", values, check:
            if check and len(values) != n:
                raise ValueError
            return list(values)
        case "map", f, inner:
            return mapped(ONE[f], inner)
        case "pair", f, fst, snd:
            return mapped(TWO[f], fst, snd)
        case "linear", fst, snd, a, b:
            return mapped(lambda x, y: a * x + b * y, fst, snd)
        case "invert", inner:
            return mapped(lambda x: not x, inner)
        case "right", op, inner, fixed:
            return mapped(lambda x: OPERATORS[op](x, fixed), inner)
        case "left", op, fixed, inner:
            return mapped(lambda x: OPERATORS[op](fixed, x), inner)
        case "two", op, fst, snd:
            return mapped(OPERATORS[op], fst, snd)
        case "width", selector:
            return [row.count(True) for row in value(selector)]
        case "aggregate", selector, sop, default:
            values = value(sop)
            return [
                _mean(
                    [x for x, on in zip(values, row, strict=False) if on],
                    default,
                )
                for row in value(selector)
            ]
    rows = _rows(spec, value, n)
    return [
        [on and not (causal and k > q) for k, on in enumerate(row)]
        for q, row in enumerate(rows)
    ]


def _rows(spec: Spec, value: Callable[[Spec], list[Any]], n: int) -> list[Any]:
    match spec:
        case "select", keys, queries, predicate:
            return [
                [_asked(predicate, k, q) for k in value(keys)]
                for q in value(queries)
            ]
        case "rows", rows:
            if n != 3:
                raise ValueError
            return list(rows)
        case "both", fst, snd:
            return _joined(value(fst), value(snd), min)
        case "either", fst, snd:
            return _joined(value(fst), value(snd), max)
        case "contrary", inner:
            return [[not on for on in row] for row in value(inner)]
    raise AssertionError(spec)


def _none(x: Any) -> Any:
    return None if x is None else 0


def _mean(found: list[Any], default: Any) -> Any:
    if len(found) < 2:
        return found[0] if found else default
    if not all(isinstance(x, int | float) for x in found):
        raise ValueError
    return sum(found) / len(found)


def _asked(predicate: str, key: Any, query: Any) -> bool:
    if predicate.isupper() and (key is None or query is None):
        raise ValueError
    return bool(PREDICATES[predicate](key, query))


def _joined(
    fst: list[Any], snd: list[Any], join: Callable[..., bool]
) -> list[Any]:
    if [*map(len, fst)] != [*map(len, snd)]:
        raise ValueError
    return [[*map(join, a, b)] for a, b in zip(fst, snd, strict=True)]


def outcome(function: Callable[[], Any]) -> Any:
    """The value with the type of each part, or that there was an error."""
    try:
        return repr(function())
    except (ValueError, TypeError, ZeroDivisionError):
        return "an error"


EXPRESSIONS = sops(4) | selectors(3)


@given(spec=EXPRESSIONS, xs=INPUTS, causal=st.booleans())
@examples(1500)
def test_every_expression_means_what_a_plain_recursion_says(
    spec: Spec, xs: list[Any], causal: bool
) -> None:
    """The same values of the same types, or an error in both; simplified or not."""
    evaluate = causal_eval.evaluate if causal else rasp.evaluate
    expected = outcome(lambda: naive(spec, xs, causal))
    for simplify in True, False:
        expr = build(spec, rasp, simplify, {})
        assert outcome(lambda e=expr: evaluate(e, xs)) == expected
