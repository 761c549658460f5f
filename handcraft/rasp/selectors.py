"""Selectors: for each query, which keys it selects.

Rules of this file: `selector_and`, `selector_or`, `selector_not`, and with them `&`, `|` and `~`,
make one Select of two that have the same keys and the same queries: the same objects, or on one
side a Full, which fits any. `simplify=False` keeps both.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from handcraft.rasp.chains import ASKED, Filled, depth, joined, negated
from handcraft.rasp.comparison import Predicate
from handcraft.rasp.expressions import (
    RASPExpr,
    SelectorValue,
    Value,
    as_list,
    expect_function,
    shown,
)
from handcraft.rasp.sops import Full, SOp


class Selector(RASPExpr):
    """An expression with a row for each query and in it a flag for each key."""

    kind = "selector"
    called = "a selector"

    def __call__(self, xs: Sequence[Value]) -> SelectorValue:
        """The rows for this input, one a query."""
        return [list(row) for row in super().__call__(xs)]

    def default_annotation(self, key: str) -> object:
        if key == "encoding":
            raise TypeError(
                f"only an s-op has an encoding, found {shown(self)}"
            )
        return super().default_annotation(key)

    def __and__(self, other: Selector) -> Selector:
        return selector_and(self, other)

    def __rand__(self, other: Selector) -> Selector:
        return selector_and(other, self)

    def __or__(self, other: Selector) -> Selector:
        return selector_or(self, other)

    def __ror__(self, other: Selector) -> Selector:
        return selector_or(other, self)

    def __invert__(self) -> Selector:
        return selector_not(self)


class Select(Selector):
    """The keys of which the predicate holds, with the query's own value."""

    kind = "select"

    def __init__(self, keys: SOp, queries: SOp, predicate: Predicate) -> None:
        SOp.check(keys, "Select(keys)")
        SOp.check(queries, "Select(queries)")
        expect_function(predicate, "Select(predicate)")
        self.keys, self.queries, self.predicate = keys, queries, predicate

    @property
    def children(self) -> list[RASPExpr]:
        return [self.keys, self.queries]


class ConstantSelector(Selector):
    """Rows that do not depend on the input; there must be one for each of its tokens, and in it a
    flag for each, unless `check_length` is False.
    """

    kind = "constant_selector"

    def __init__(
        self, value: Iterable[Iterable[bool]], check_length: bool = True
    ) -> None:
        rows = as_list(value, "ConstantSelector(value)")
        self.value = [as_list(row, "a row of ConstantSelector") for row in rows]
        self.check_length = check_length

    @property
    def children(self) -> list[RASPExpr]:
        return []


class _Pair(Selector):
    """Two selectors, asked of the same key and query."""

    def __init__(self, fst: Selector, snd: Selector) -> None:
        own = type(self).__name__
        Selector.check(fst, f"{own}(fst)")
        Selector.check(snd, f"{own}(snd)")
        self.fst, self.snd = fst, snd

    @property
    def children(self) -> list[RASPExpr]:
        return [self.fst, self.snd]


class SelectorAnd(_Pair):
    """The keys that both selectors select."""

    kind = "selector_and"


class SelectorOr(_Pair):
    """The keys that one of two selectors selects."""

    kind = "selector_or"


class SelectorNot(Selector):
    """The keys that a selector does not select."""

    kind = "selector_not"

    def __init__(self, inner: Selector) -> None:
        Selector.check(inner, "SelectorNot(inner)")
        self.inner = inner

    @property
    def children(self) -> list[RASPExpr]:
        return [self.inner]


def selector_and(
    fst: Selector, snd: Selector, simplify: bool = True
) -> Selector:
    """The keys that both select, as one Select where that can be."""
    both = SelectorAnd(fst, snd)
    return (simplify and _merged(fst, snd, operator.and_)) or both


def selector_or(
    fst: Selector, snd: Selector, simplify: bool = True
) -> Selector:
    """The keys that one of two selects, as one Select where that can be."""
    either = SelectorOr(fst, snd)
    return (simplify and _merged(fst, snd, operator.or_)) or either


def selector_not(inner: Selector, simplify: bool = True) -> Selector:
    """The keys that a selector does not select; of a Select, a Select."""
    if simplify and type(inner) is Select:
        return Select(inner.keys, inner.queries, negated(inner.predicate))
    return SelectorNot(inner)


def _merged(
    fst: Selector, snd: Selector, joins: Callable[[bool, bool], bool]
) -> Select | None:
    """One Select of two, or None where their keys or their queries differ."""
    if not (type(fst) is type(snd) is Select):
        return None
    deep, flat = sorted(
        (fst, snd), key=lambda one: depth(one.predicate), reverse=True
    )
    keys = _common(deep.keys, flat.keys)
    queries = _common(deep.queries, flat.queries)
    if keys is None or queries is None:
        return None
    return Select(
        keys,
        queries,
        joined(_over(deep, keys, queries), _over(flat, keys, queries), joins),
    )


def _common(one: SOp, other: SOp) -> SOp | None:
    if one is other or isinstance(other, Full):
        return one
    return other if isinstance(one, Full) else None


def _over(select: Select, keys: SOp, queries: SOp) -> Callable[[Any, Any], Any]:
    """The predicate, asked of these keys and queries in the place of a Full."""
    key, query = (
        own.fill if isinstance(own, Full) and own is not given else ASKED
        for own, given in ((select.keys, keys), (select.queries, queries))
    )
    asked = key is query is ASKED
    return select.predicate if asked else Filled(select.predicate, key, query)
