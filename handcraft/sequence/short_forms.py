"""Rewrites selections by conditions as the short ones that proofs follow, where they say the same.

    in_short(e)   the same expression of the older words alone; e itself where there is none
    unfollowed(e) the operations that have no short form there

    count(there(tokens) == "a")                         count({0: "a"})
    latest((there(token_at(here - 1)) == tokens) & (there(here) < 5))
                                                        latest({-1: own}, before=5)
    total(lookup(numbers, tokens, default=0), there(here) <= here)
                                                        total(numbers, before=here + 1)
    fetch(tokens, there(here) == p)                     token_at(p)
    length                                              here + 1

Rules of this file: both have the same value at the last position of every text. What is read at
a key position is never rewritten, since `here` is another position there, nor is what depends on
it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

from handcraft.core.errors import ProgramError
from handcraft.sequence.expression import Expression
from handcraft.sequence.operations import NEWER, is_here, is_own
from handcraft.sequence.value_kinds import NOTHING, TOKEN, kinds_of

Part: TypeAlias = Any


def in_short(e: Expression) -> Expression:
    """The same expression of words that proofs follow; itself where there is none."""
    if not e.uses(*NEWER) or e.paired:
        return e
    found = _shortened(e)
    return found if not found.uses(*NEWER) else e


def unfollowed(e: Expression) -> tuple[str, ...]:
    """The operations for which there is no short form where they stand."""
    found = _shortened(e)
    return tuple(op for op in NEWER if found.uses(op))


def _shortened(e: Expression) -> Expression:
    """As much of it in short as has a short form."""
    try:
        found: Expression = Shortening()(e)
    except ProgramError:  # a node more makes it too deep, or too large
        return e
    return found


class Shortening:
    """Shortens the nodes of one expression, each once: called with one it gives it in short."""

    def __init__(self) -> None:
        # by identity, with the node, so that no other one takes its place
        self._known: dict[int, tuple[Expression, Any]] = {}

    def __call__(self, e: Part) -> Any:
        if not isinstance(e, Expression) or e.paired:
            return e
        if id(e) not in self._known:
            self._known[id(e)] = e, self._shortened(e)
        return self._known[id(e)][1]

    def _shortened(self, e: Expression) -> Expression:
        args = tuple(map(self, e.args))
        where = tuple((at, self(what)) for at, what in e.where)
        before = self(e.before)
        fields = {"args": args, "where": where, "before": before}
        same = all(
            getattr(e, name) is x or getattr(e, name) == x
            for name, x in fields.items()
        )
        node = e if same else e.model_copy(update=fields)
        rewrite = _REWRITING.get(node.op)
        return node if rewrite is None else rewrite(node, self)


class Selected(NamedTuple):
    """A condition as a short selection says it: what stands where, and below which position."""

    where: tuple[tuple[int, Any], ...] = ()
    before: Any = None


def _limits(condition: Part) -> Selected | None:
    """The condition in short; None where it says something else."""
    where: list[tuple[int, Any]] = []
    before: list[Any] = []
    for part in _parts(condition):
        if (place := _token_there(part)) is not None:
            where.append(place)
        elif (limit := _limit(part)) is not None:
            before.append(limit)
        else:
            return None
    if len(before) > 1:
        return None
    return Selected(tuple(where), *before)


def _parts(condition: Part) -> Iterator[Part]:
    """The conditions that are joined by `&`, each once."""
    done = set[int]()
    waiting = [condition]
    while waiting:
        part = waiting.pop()
        if id(part) in done or part == 1:  # every position
            continue
        done.add(id(part))
        if isinstance(part, Expression) and part.op == "both":
            waiting.extend(reversed(part.args))
        else:
            yield part


def _token_there(part: Part) -> tuple[int, Any] | None:
    """A comparison of a token there, as its distance and what must stand there."""
    if not isinstance(part, Expression) or part.op != "equal":
        return None
    for at_key, other in (part.args, part.args[::-1]):
        distance = _distance(at_key)
        if distance is not None and _is_token(other):
            return distance, other
    return None


def _is_token(value: Part) -> bool:
    paired = isinstance(value, Expression) and value.paired
    return not paired and kinds_of(value) - NOTHING == TOKEN


def _distance(value: Part) -> int | None:
    """The distance of there(token_at(here - distance)): 0 or less, since what comes after a key
    may be hidden from it.
    """
    if not isinstance(value, Expression) or value.op != "there":
        return None
    (token,) = value.args
    if not isinstance(token, Expression) or token.op != "token_at":
        return None
    (place,) = token.args
    if is_here(place):
        return 0
    if not isinstance(place, Expression) or place.op not in ("add", "subtract"):
        return None
    base, by = place.args
    if not is_here(base) or not isinstance(by, int):
        return None
    distance = by if place.op == "add" else -by
    return distance if distance <= 0 else None


def _limit(part: Part) -> Any:
    """The position below which there(here) must be."""
    if not isinstance(part, Expression):
        return None
    if (
        part.op == "below"
        and _is_place(part.args[0])
        and not _reads_key(part.args[1])
    ):
        return part.args[1]
    if part.op == "negate":
        (inner,) = part.args
        if (
            isinstance(inner, Expression)
            and inner.op == "below"
            and _is_place(inner.args[1])
            and _is_whole(inner.args[0])
        ):
            return Expression(op="add", args=(inner.args[0], 1))
    return None


def _is_place(value: Part) -> bool:
    """True for there(here)."""
    is_there = isinstance(value, Expression) and value.op == "there"
    return is_there and is_here(value.args[0])


def _reads_key(value: Part) -> bool:
    return isinstance(value, Expression) and value.paired


def _is_number(value: Part) -> bool:
    """True for a value at the query position that is never a token, which is no position."""
    return not _reads_key(value) and not kinds_of(value) >= TOKEN


def _is_whole(value: Part) -> bool:
    return not _reads_key(value) and "fraction" not in kinds_of(value)


# What rewrites a node is given `short`, for the parts of its condition that become values at the
# query position, to be shortened themselves.


def _selection(e: Expression, short: Shortening) -> Expression:
    found = _limits(e.args[0])
    if found is None:
        return e
    op = e.op.removesuffix("_where")
    where = tuple((at, short(what)) for at, what in found.where)
    return Expression(op=op, where=where, before=short(found.before))


def _total(e: Expression, short: Shortening) -> Expression:
    """total({token: number}) for the sum of a table with the default 0."""
    value, condition = e.args
    found = _limits(condition)
    if found is None or found.where or not isinstance(value, Expression):
        return e
    table = (
        value.args[0]
        if value.op == "otherwise" and value.args[1] == 0
        else None
    )
    if not isinstance(table, Expression) or table.op != "lookup":
        return e
    numbers = all(isinstance(x, int) for _, x in table.table)
    tokens = all(isinstance(key, str) for (key, *_), _ in table.table)
    if (
        len(table.args) != 1
        or not is_own(table.args[0])
        or not numbers
        or not tokens
        or not table.table
    ):
        return e
    before = short(found.before)
    return Expression(op="total", table=table.table, before=before)


def _fetch(e: Expression, short: Shortening) -> Expression:
    """token_at(p) for the token where there(here) == p."""
    value, condition, *default = e.args
    if (
        not is_own(value)
        or not isinstance(condition, Expression)
        or condition.op != "equal"
    ):
        return e
    for place, other in (condition.args, condition.args[::-1]):
        if _is_place(place) and _is_number(other):
            token = Expression(op="token_at", args=(short(other),))
            if not default:
                return token
            return Expression(op="otherwise", args=(token, default[0]))
    return e


def _length(_: Expression, __: Shortening) -> Expression:
    return Expression(op="here") + 1


def _given(e: Expression, _: Shortening) -> Expression:
    return Expression(op="cases", args=e.args[::-1])


_REWRITING: Mapping[str, Callable[[Expression, Shortening], Expression]] = {
    "count_where": _selection,
    "first_where": _selection,
    "latest_where": _selection,
    "total_where": _total,
    "fetch": _fetch,
    "length": _length,
    "given": _given,
}
