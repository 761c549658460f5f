"""Evaluates expressions: the value of an `Expression` after a sequence of tokens, in plain Python.

    evaluate(expression, tokens)      the value: a whole number, a token, a Fraction, or None
    evaluate_each(expression, texts)  the same of many texts of one length
    asking(expression)                the same as a function of tokens and scope, built once
    scope                             the numbers that `here`, `end` and `step` stand for

None means undefined and propagates like NaN: what is computed from it is None. It stops at
`otherwise(x, default)`, at `cases`, where an undefined condition counts as false, and at
selections: an undefined token matches no position, and there are no positions before an
undefined one.

Rules of this file: this is the meaning that proofs are compared with, so it stays plain. Every
accepted expression has a value after every context, or raises a ProgramError where a token
stands where a number is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from math import ceil
from typing import Any, TypeAlias

from handcraft.sequence.columns import at_last_position, at_last_positions
from handcraft.sequence.expression_checks import MOST_PARTS
from handcraft.sequence.operations import NEWER, Fields, branches_of
from handcraft.sequence.values import (
    ARITHMETIC,
    LAZY,
    Scope,
    Value,
    as_number,
    combine,
)

Ask: TypeAlias = Callable[[Sequence[str], Scope], Value]
PLACES = 4096  # results kept of an expression of `here`, `end` and `step` alone


def evaluate(
    expression: Fields,
    tokens: Sequence[str],
    *,
    end: int | None = None,
    step: int | None = None,
) -> Value:
    """The value of an expression on a context.

    `end` is the index of the prompt's last token, `step` the number of a transducer's step.
    Raises ProgramError where a token stands where a number is needed.
    """
    scope = {"here": len(tokens) - 1}
    if end is not None:
        scope["end"] = end
    if step is not None:
        scope["step"] = step
    return asking(expression)(tokens, scope)


def evaluate_each(
    expression: Fields,
    texts: Sequence[Sequence[str]],
    *,
    end: int | None = None,
) -> list[Value]:
    """The values of an expression on contexts of one length; together where that is faster."""
    if not texts:
        return []
    scope = {"here": len(texts[0]) - 1}
    if end is not None:
        scope["end"] = end
    if by_columns(expression):
        return at_last_positions(expression, texts, scope)
    ask = asking(expression)
    return [ask(text, scope) for text in texts]


def by_columns(e: Fields) -> bool:
    """True for an expression that is evaluated at every position, each of its nodes once."""
    return e.uses(*NEWER) or e.spread > MOST_PARTS


@dataclass(frozen=True, eq=False)
class _Same:
    """An expression, compared by identity: hashing its parts would cost more than its value."""

    e: Fields | int | str

    def __hash__(self) -> int:
        return id(self.e)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.e is other.e


def asking(e: Fields | int | str) -> Ask:
    """The function `compiled` of an expression, from a cache."""
    return _kept(_Same(e))


@lru_cache(maxsize=256)
def _kept(same: _Same) -> Ask:
    return compiled(same.e)


def compiled(e: Fields | int | str) -> Ask:
    """The expression as nested functions, much faster than walking its nodes each time."""
    if isinstance(e, int | str):
        return lambda _, __: e
    if by_columns(e):
        return lambda tokens, scope: at_last_position(e, tokens, scope)
    if (select := _SELECTIONS.get(e.op)) is not None:
        return lambda tokens, scope: select(e, tokens, scope)
    if e.op in ("here", "end", "step"):
        return lambda _, scope: scope.get(e.op)
    if e.args and not e.uses(*_SELECTIONS, "token_at"):
        names = [name for name in ("here", "end", "step") if e.uses(name)]
        return _cached_by_scope(_computed(e), names)
    return _computed(e)


def _cached_by_scope(ask: Ask, names: Sequence[str]) -> Ask:
    """The same function, of an expression that reads no token: its values recur in every text."""
    known: dict[Any, Value] = {}
    read = _scope_reader(*names)

    def asked(tokens: Sequence[str], scope: Scope) -> Value:
        place = read(scope)
        if place not in known:
            if len(known) >= PLACES:
                known.clear()
            known[place] = ask(tokens, scope)
        return known[place]

    return asked


def _scope_reader(*names: str) -> Callable[[Scope], Any]:
    """A function from a scope to the value of one name, or the tuple of several; None if unset."""
    if len(names) == 1:
        (name,) = names
        return lambda scope: scope.get(name)
    return lambda scope: tuple([scope.get(name) for name in names])


def _computed(e: Fields) -> Ask:
    asks = [compiled(arg) for arg in e.args]
    if e.op in LAZY:
        return _choosing(asks) if e.op == "cases" else _preferring(*asks)
    if (operation := ARITHMETIC.get(e.op)) is not None:
        return _operating(e, operation, *asks)
    if e.op in ("token_at", "lookup"):
        return _reading(e, *asks) if e.op == "token_at" else _looking(e, asks)

    def compute(tokens: Sequence[str], scope: Scope) -> Value:
        return combine(e, [ask(tokens, scope) for ask in asks], tokens)

    return compute


def _preferring(first: Ask, second: Ask) -> Ask:
    def prefer(tokens: Sequence[str], scope: Scope) -> Value:
        found = first(tokens, scope)
        return second(tokens, scope) if found is None else found

    return prefer


def _choosing(asks: Sequence[Ask]) -> Ask:
    pairs, default = branches_of(asks)

    def choose(tokens: Sequence[str], scope: Scope) -> Value:
        for when, then in pairs:
            if when(tokens, scope) not in (0, None):
                return then(tokens, scope)
        return None if default is None else default(tokens, scope)

    return choose


def _operating(
    e: Fields,
    operation: Callable[[Any, Any], Value],
    left: Ask,
    right: Ask,
) -> Ask:
    def operate(tokens: Sequence[str], scope: Scope) -> Value:
        a = left(tokens, scope)
        b = right(tokens, scope)
        if type(a) is type(b) is int:
            return operation(a, b)
        return combine(e, (a, b), tokens)

    return operate


def _reading(e: Fields, ask: Ask) -> Ask:
    def read(tokens: Sequence[str], scope: Scope) -> Value:
        place = ask(tokens, scope)
        if type(place) is int:
            return tokens[place] if 0 <= place < len(tokens) else None
        return combine(e, (place,), tokens)

    return read


def _looking(e: Fields, asks: Sequence[Ask]) -> Ask:
    rows: Mapping[Any, Value] = e.rows

    def look(tokens: Sequence[str], scope: Scope) -> Value:
        values = tuple([ask(tokens, scope) for ask in asks])
        return None if None in values else rows.get(values)

    return look


def _positions(e: Fields, tokens: Sequence[str], scope: Scope) -> range:
    """The positions that a selection can choose from."""
    before = (
        asking(e.before)(tokens, scope) if e.before is not None else len(tokens)
    )
    stop = 0 if before is None else min(ceil(as_number(e, before)), len(tokens))
    return range(e.every[0], stop, e.every[1])


def _matches(e: Fields, tokens: Sequence[str], scope: Scope) -> Sequence[int]:
    wanted = [
        (
            offset,
            what
            if isinstance(what, str | tuple)
            else asking(what)(tokens, scope),
        )
        for offset, what in e.where
    ]
    found: Sequence[int] = _positions(e, tokens, scope)
    for offset, what in wanted:
        # a position is inside the text, and so is what stands there
        inside = (
            [j for j in found if 0 <= j + offset < len(tokens)]
            if offset
            else found
        )
        if isinstance(what, tuple):
            found = [j for j in inside if tokens[j + offset] in what]
        else:
            found = [j for j in inside if tokens[j + offset] == what]
    return found


def _number(e: Fields, tokens: Sequence[str], scope: Scope) -> int:
    """How many positions a selection could choose from; how often one given token stands there
    is asked of the tokens themselves.
    """
    if len(e.where) == 1:
        ((offset, what),) = e.where
        if offset == 0 and isinstance(what, str):
            read = _positions(e, tokens, scope)
            stop = max(read.stop, 0)  # a slice would count from the end
            return tuple(tokens[read.start : stop : read.step]).count(what)
    return len(_matches(e, tokens, scope))


def _sums(e: Fields, tokens: Sequence[str], scope: Scope) -> list[int]:
    """The running sums of the table's numbers over the positions, from 0 on."""
    read = (tokens[j] for j in _positions(e, tokens, scope))
    numbers = (int(e.rows.get((token,), 0)) for token in read)
    return [0, *accumulate(numbers)]


def _run(e: Fields, tokens: Sequence[str], _: Scope) -> Value:
    state: Value = e.rows[()]
    for token in tokens:
        state = e.rows.get((state, token), state)
    return state


_Select: TypeAlias = Callable[[Fields, Sequence[str], Scope], Value]
_SELECTIONS: Mapping[str, _Select] = {
    "first": lambda e, tokens, scope: min(
        _matches(e, tokens, scope), default=None
    ),
    "latest": lambda e, tokens, scope: max(
        _matches(e, tokens, scope), default=None
    ),
    "count": _number,
    "total": lambda e, tokens, scope: _sums(e, tokens, scope)[-1],
    "lowest": lambda e, tokens, scope: min(_sums(e, tokens, scope)),
    "state": _run,
}
