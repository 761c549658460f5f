"""Random expressions: the evaluator against a second one, a plain recursion over what is drawn,
written from the documentation alone.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from conftest import examples
from hypothesis import given
from hypothesis import strategies as st

from handcraft import rasp
from handcraft.rasp import causal_eval

NUMBERS = st.sampled_from([0, 1, -2, 3, 0.5, True, False])
VALUES = NUMBERS | st.sampled_from([None, "", "a", 1, 2])
INPUTS = st.lists(NUMBERS, min_size=3, max_size=3) | st.lists(
    VALUES, max_size=4
)
ONE: dict[str, Callable[[Any], Any]] = {
    "shown": repr,
    "or_none": lambda x: x or None,
    "more": lambda x: x + 1,  # of a text: an error
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


BUILT: dict[
    str, Callable[..., Any]
] = {  # of the module, the parts and the arguments
    "tokens": lambda to, _: to.tokens,
    "indices": lambda to, _: to.indices,
    "length": lambda to, _: to.length,
    "full": lambda to, _, value: to.Full(value),
    "constant": lambda to, _, values: to.ConstantSOp(values),
    "pair": lambda to, made, f, x, y: to.SequenceMap(TWO[f], made(x), made(y)),
    "linear": lambda to, made, x, y, a, b: to.LinearSequenceMap(
        made(x), made(y), a, b
    ),
    "invert": lambda _, made, x: ~made(x),
    "right": lambda _, made, op, x, v: getattr(operator, op)(made(x), v),
    "left": lambda _, made, op, v, x: getattr(operator, op)(v, made(x)),
    "two": lambda _, made, op, x, y: getattr(operator, op)(made(x), made(y)),
    "width": lambda to, made, chosen: to.SelectorWidth(made(chosen)),
    "aggregate": lambda to, made, chosen, x, default: to.Aggregate(
        made(chosen), made(x), default
    ),
    "select": lambda to, made, keys, queries, p: to.Select(
        made(keys),
        made(queries),
        to.Comparison[p] if p.isupper() else PREDICATES[p],
    ),
    "rows": lambda to, _, rows: to.ConstantSelector([list(r) for r in rows]),
}
SIMPLIFIED: dict[str, Callable[..., Any]] = {  # with `simplify` in front
    "map": lambda s, to, made, f, x: to.Map(ONE[f], made(x), s),
    "both": lambda s, to, made, x, y: to.selector_and(made(x), made(y), s),
    "either": lambda s, to, made, x, y: to.selector_or(made(x), made(y), s),
    "contrary": lambda s, to, made, x: to.selector_not(made(x), s),
}


def build(spec: Spec, to: ModuleType, simplify: bool) -> Any:
    """The expression of a spec in a module that has RASP's names; equal parts are shared."""
    known: dict[str, Any] = {}

    def made(part: Spec) -> Any:
        kind, *arguments = part
        place = repr(part)  # 1 and True are equal, but not the same
        if place not in known:
            known[place] = (
                SIMPLIFIED[kind](simplify, to, made, *arguments)
                if kind in SIMPLIFIED
                else BUILT[kind](to, made, *arguments)
            )
        return known[place]

    return made(spec)


def _mapped(f: Callable[..., Any], *columns: list[Any]) -> list[Any]:
    rows = zip(*columns, strict=False)
    return [None if any(x is None for x in row) else f(*row) for row in rows]


def _constant(rows: Sequence[Any], n: int) -> list[Any]:
    if len(rows) != n:
        raise ValueError
    return list(rows)


def _aggregate(rows: list[Any], values: list[Any], default: Any) -> list[Any]:
    return [
        _mean([x for x, on in zip(values, row, strict=False) if on], default)
        for row in rows
    ]


def _mean(found: list[Any], default: Any) -> Any:
    if len(found) < 2:
        return found[0] if found else default
    if not all(isinstance(x, int | float) for x in found):
        raise ValueError
    return sum(found) / len(found)


def _select(keys: list[Any], queries: list[Any], predicate: str) -> list[Any]:
    return [[_asked(predicate, k, q) for k in keys] for q in queries]


def _asked(predicate: str, key: Any, query: Any) -> bool:
    if predicate.isupper() and (key is None or query is None):
        raise ValueError
    return bool(PREDICATES[predicate](key, query))


def _joined(fst: list[Any], snd: list[Any], join: Any) -> list[Any]:
    return [[*map(join, a, b)] for a, b in zip(fst, snd, strict=True)]


NAIVE: dict[
    str, Callable[..., Any]
] = {  # of the input, the values and the arguments
    "tokens": lambda xs, _: list(xs),
    "indices": lambda xs, _: list(range(len(xs))),
    "length": lambda xs, _: [len(xs)] * len(xs),
    "full": lambda xs, _, fill: [fill] * len(xs),
    "constant": lambda xs, _, values: _constant(values, len(xs)),
    "map": lambda _, value, f, x: _mapped(ONE[f], value(x)),
    "pair": lambda _, value, f, x, y: _mapped(TWO[f], value(x), value(y)),
    "linear": lambda _, value, x, y, a, b: _mapped(
        lambda one, two: a * one + b * two, value(x), value(y)
    ),
    "invert": lambda _, value, x: _mapped(operator.not_, value(x)),
    "right": lambda _, value, op, x, fixed: _mapped(
        lambda one: OPERATORS[op](one, fixed), value(x)
    ),
    "left": lambda _, value, op, fixed, x: _mapped(
        lambda one: one or fixed if op == "or_" else OPERATORS[op](fixed, one),
        value(x),
    ),
    "two": lambda _, value, op, x, y: _mapped(
        OPERATORS[op], value(x), value(y)
    ),
    "width": lambda _, value, chosen: [
        row.count(True) for row in value(chosen)
    ],
    "aggregate": lambda _, value, chosen, x, default: _aggregate(
        value(chosen), value(x), default
    ),
    "select": lambda _, value, keys, queries, predicate: _select(
        value(keys), value(queries), predicate
    ),
    "rows": lambda xs, _, rows: _constant(rows, len(xs)),
    "both": lambda _, value, x, y: _joined(value(x), value(y), min),
    "either": lambda _, value, x, y: _joined(value(x), value(y), max),
    "contrary": lambda _, value, x: [
        [not on for on in row] for row in value(x)
    ],
}
MATRICES = {"select", "rows", "both", "either", "contrary"}


def naive(spec: Spec, xs: list[Any], causal: bool) -> list[Any]:
    """The value of a spec: every part as often as it is written, by recursion."""
    kind, *arguments = spec
    found: list[Any] = NAIVE[kind](
        xs, lambda part: naive(part, xs, causal), *arguments
    )
    if kind not in MATRICES:
        return found
    return [
        [on and not (causal and k > q) for k, on in enumerate(row)]
        for q, row in enumerate(found)
    ]


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
        expr = build(spec, rasp, simplify)
        assert outcome(lambda e=expr: evaluate(e, xs)) == expected
