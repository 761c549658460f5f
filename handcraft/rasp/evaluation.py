"""The meaning of each class of expressions, as a method of an evaluator.

`evaluate` gives each node's value once, its children first, from a list of its own: neither a
deep program nor a shared one costs more than its nodes. The method for a class is `eval_` and its
kind. A subclass of an evaluator may change any of them, or `evaluate` itself, which is asked for
every node.

Rules of this file: a method asks `self.evaluate` for its children. What an author's function
raises is passed on, with a note that names the expression.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

from handcraft.rasp.aggregation import Aggregate, SelectorWidth
from handcraft.rasp.expressions import (
    RASPExpr,
    SelectorValue,
    Value,
    as_list,
    shown,
)
from handcraft.rasp.selectors import (
    ConstantSelector,
    Select,
    Selector,
    SelectorAnd,
    SelectorNot,
    SelectorOr,
)
from handcraft.rasp.sops import (
    ConstantSOp,
    Full,
    IndicesType,
    LengthType,
    Map,
    SequenceMap,
    SOp,
    TokensType,
)

_Memo = dict[tuple[int, int], tuple[Any, RASPExpr, Sequence[Value]]]


class RASPEvaluator(ABC):
    """Anything that gives expressions a value."""

    @abstractmethod
    def evaluate(self, expr: RASPExpr, xs: Sequence[Value]) -> Any:
        """The value of an expression for this input."""


class DefaultRASPEvaluator(RASPEvaluator):
    """The evaluator of RASP, where every token sees every other."""

    _memo: _Memo | None = None  # of the run that is going on

    def evaluate(self, expr: RASPExpr, xs: Sequence[Value]) -> Any:
        """The value of an expression for this input: a list of values, or of rows of flags."""
        RASPExpr.check(expr, "evaluate(expr)")
        if self._memo is not None:
            return self._value(expr, xs, self._memo)
        self._memo = {}
        try:
            return self._value(expr, as_list(xs, "the input"), self._memo)
        finally:
            self._memo = None

    def _value(self, expr: RASPExpr, xs: Sequence[Value], memo: _Memo) -> Any:
        place = id(expr), id(xs)  # the memo holds both, so no other has these
        if place not in memo:
            for below in _below(expr, xs, memo):
                self.evaluate(below, xs)
            memo[place] = self._computed(expr, xs), expr, xs
        return memo[place][0]

    def _computed(self, expr: RASPExpr, xs: Sequence[Value]) -> Any:
        method = self._method(expr)
        try:
            return method(expr, xs)
        except Exception as error:
            error.add_note(f"in {expr!r}")
            raise

    def _method(self, expr: RASPExpr) -> Callable[..., Any]:
        for kind in type(expr).__mro__:
            name = f"eval_{vars(kind).get('kind', '')}"
            if hasattr(self, name):
                method: Callable[..., Any] = getattr(self, name)
                return method
        raise TypeError(
            f"{type(self).__name__} needs a method eval_{expr.kind} for {shown(expr)}"
        )

    def eval_tokens(self, _: TokensType, xs: Sequence[Value]) -> list[Value]:
        """The input itself."""
        return list(xs)

    def eval_indices(self, _: IndicesType, xs: Sequence[Value]) -> list[Value]:
        """The positions, from 0."""
        return list(range(len(xs)))

    def eval_length(self, _: LengthType, xs: Sequence[Value]) -> list[Value]:
        """The length, at every position."""
        return [len(xs)] * len(xs)

    def eval_map(self, sop: Map, xs: Sequence[Value]) -> list[Value]:
        """The function of each value; None stays None."""
        inner = self.evaluate(sop.inner, xs)
        return [None if x is None else sop.f(x) for x in inner]

    def eval_sequence_map(
        self, sop: SequenceMap, xs: Sequence[Value]
    ) -> list[Value]:
        """The function of each pair of values; None where either is None."""
        fst, snd = self.evaluate(sop.fst, xs), self.evaluate(sop.snd, xs)
        return [
            None if x is None or y is None else sop.f(x, y)
            for x, y in zip(fst, snd, strict=False)
        ]

    def eval_full(self, sop: Full, xs: Sequence[Value]) -> list[Value]:
        """The same value at every position."""
        return [sop.fill] * len(xs)

    def eval_constant_sop(
        self, sop: ConstantSOp, xs: Sequence[Value]
    ) -> list[Value]:
        """The values given; ValueError where the input is of another length."""
        if sop.check_length and len(sop.value) != len(xs):
            raise _misfit(
                sop, len(sop.value), len(xs), "one value for each token"
            )
        return list(sop.value)

    def eval_selector_width(
        self, sop: SelectorWidth, xs: Sequence[Value]
    ) -> list[Value]:
        """The number of flags that are True in each row."""
        return [sum(map(bool, row)) for row in self.evaluate(sop.selector, xs)]

    def eval_aggregate(
        self, sop: Aggregate, xs: Sequence[Value]
    ) -> list[Value]:
        """The mean of what each row selects."""
        rows = self.evaluate(sop.selector, xs)
        values = self.evaluate(sop.sop, xs)
        chosen = (
            [x for x, flag in zip(values, row, strict=False) if flag]
            for row in rows
        )
        return [_mean(found, sop, i) for i, found in enumerate(chosen)]

    def eval_select(
        self, selector: Select, xs: Sequence[Value]
    ) -> SelectorValue:
        """The verdict of the predicate on each key, for each query."""
        keys = self.evaluate(selector.keys, xs)
        queries = self.evaluate(selector.queries, xs)
        holds = selector.predicate
        return [[bool(holds(k, q)) for k in keys] for q in queries]

    def eval_constant_selector(
        self, selector: ConstantSelector, xs: Sequence[Value]
    ) -> SelectorValue:
        """The rows given; ValueError where the input is of another length."""
        for found in len(selector.value), *map(len, selector.value):
            if selector.check_length and found != len(xs):
                raise _misfit(
                    selector,
                    found,
                    len(xs),
                    "a row for each token, of a flag for each",
                )
        return [[bool(flag) for flag in row] for row in selector.value]

    def eval_selector_and(
        self, selector: SelectorAnd, xs: Sequence[Value]
    ) -> SelectorValue:
        """True where both are."""
        return [
            [x and y for x, y in pairs] for pairs in self._paired(selector, xs)
        ]

    def eval_selector_or(
        self, selector: SelectorOr, xs: Sequence[Value]
    ) -> SelectorValue:
        """True where either is."""
        return [
            [x or y for x, y in pairs] for pairs in self._paired(selector, xs)
        ]

    def _paired(
        self, selector: SelectorAnd | SelectorOr, xs: Sequence[Value]
    ) -> Iterator[Iterator[tuple[bool, bool]]]:
        fst = self.evaluate(selector.fst, xs)
        snd = self.evaluate(selector.snd, xs)
        if [len(row) for row in fst] != [len(row) for row in snd]:
            raise ValueError(
                f"{selector.label} joins selectors of different shapes; give its"
                " constants as many rows and flags as the input has tokens"
            )
        return (zip(a, b, strict=True) for a, b in zip(fst, snd, strict=True))

    def eval_selector_not(
        self, selector: SelectorNot, xs: Sequence[Value]
    ) -> SelectorValue:
        """True where the selector is not."""
        return [
            [not flag for flag in row]
            for row in self.evaluate(selector.inner, xs)
        ]


@overload
def evaluate(expr: SOp, xs: Sequence[Value]) -> list[Value]: ...
@overload
def evaluate(expr: Selector, xs: Sequence[Value]) -> SelectorValue: ...
@overload
def evaluate(expr: RASPExpr, xs: Sequence[Value]) -> Any: ...
def evaluate(expr: RASPExpr, xs: Sequence[Value]) -> Any:
    """The value of an expression for this input, where every token sees every other."""
    return DefaultRASPEvaluator().evaluate(expr, xs)


RASPExpr.evaluate_by(evaluate)


def _below(
    expr: RASPExpr, xs: Sequence[Value], memo: _Memo
) -> Iterator[RASPExpr]:
    """The parts of an expression that have no value yet, children before what holds them."""
    entered, left = {id(expr)}, set[int]()
    waiting = [(child, False) for child in reversed(expr.children)]
    while waiting:
        node, ready = waiting.pop()
        if ready:
            entered.remove(id(node))
            left.add(id(node))
            yield node
        elif id(node) in entered:
            raise ValueError(f"{shown(node)}, is made of itself")
        elif id(node) not in left and (id(node), id(xs)) not in memo:
            entered.add(id(node))
            waiting.append((node, True))
            waiting.extend((child, False) for child in reversed(node.children))


def _mean(found: list[Any], sop: Aggregate, i: int) -> Any:
    if not found:
        return sop.default
    if len(found) == 1:
        return found[0]
    for value in found:
        if not isinstance(value, int | float):
            raise ValueError(  # noqa: TRY004  # as users of RASP expect
                f"{sop.label} averages {len(found)} values at position {i}, and"
                f" {shown(value)} is no number; select one value, or map them to"
                " numbers first"
            )
    try:
        return float(sum(found) / len(found))
    except OverflowError:
        raise ValueError(
            f"{sop.label} averages numbers at position {i} that no float can hold"
        ) from None


def _misfit(expr: RASPExpr, own: int, n: int, wanted: str) -> ValueError:
    # "Constant len ... doesn't match input len ...": tests of programs in RASP look for that
    return ValueError(
        f"{expr.label}: Constant len {own} doesn't match input len {n}; give"
        f" {wanted}, or say check_length=False"
    )
