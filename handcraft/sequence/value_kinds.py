"""The kinds of value that an expression can have, found without evaluating it.

The kinds are number, fraction, token and nothing (None). Each operation takes some kinds and
gives some, so an expression that uses a token as a number, or a number as a token, is refused
when its claim is made, not on the first context that shows it.

Rules of this file: the kinds found are never too few (every value is of one of them) and may be
too many; `nothing` is allowed everywhere, and whoever uses the value says what it means: nothing
claimed after a context, no answer to a prompt.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

from handcraft.core.errors import ProgramError
from handcraft.sequence.expression import Expression
from handcraft.sequence.notation import written
from handcraft.sequence.operations import (
    BY_CONDITION,
    branches_of,
    is_here,
    selection_of,
    word_of,
)

Kind: TypeAlias = Literal["number", "fraction", "token", "nothing"]
Kinds: TypeAlias = frozenset[Kind]

NUMBER, TOKEN = frozenset[Kind](["number"]), frozenset[Kind](["token"])
FRACTION, NOTHING = frozenset[Kind](["fraction"]), frozenset[Kind](["nothing"])
GIVES = {
    "here": NUMBER,
    "end": NUMBER,
    "step": NUMBER,
    "count": NUMBER,
    "total": NUMBER,
    "lowest": NUMBER,
    "length": NUMBER,
    "state": TOKEN,
}


def kinds_of(value: Expression | int | str) -> Kinds:
    """The kinds that the value can have.

    Raises ProgramError, with the part in question, where an operation can be given a kind that
    it does not take.
    """
    if not isinstance(value, Expression):
        return TOKEN if isinstance(value, str) else NUMBER
    if "kinds" not in value.kept:
        value.kept["kinds"] = _kinds(value)
    found: Kinds = value.kept["kinds"]
    return found


def _kinds(value: Expression) -> Kinds:
    for _, what in value.where:
        if isinstance(what, Expression):
            _only(value, what, TOKEN, "compares with tokens")
    if value.before is not None:
        _only(
            value,
            value.before,
            NUMBER | FRACTION,
            "takes a position in before=",
        )
    if value.op in GIVES:
        return GIVES[value.op]
    if value.op in ("first", "latest"):
        return NUMBER | NOTHING
    if value.op in BY_CONDITION:
        return _selected(value)
    return _computed(value)


def _selected(e: Expression) -> Kinds:
    """The kinds of a selection by a condition."""
    value, condition, default = selection_of(e)
    _only(e, condition, NUMBER | FRACTION, "takes a condition")
    if e.op in ("count_where", "first_where", "latest_where"):
        return NUMBER if e.op == "count_where" else NUMBER | NOTHING
    if e.op == "fetch":
        otherwise = NOTHING if default is None else kinds_of(default)
        return kinds_of(value) | NOTHING | otherwise
    values = _only(e, value, NUMBER | FRACTION, "takes numbers")
    if e.op == "best":
        return NUMBER | NOTHING
    if e.op == "mean":
        return FRACTION | NOTHING
    return values | NUMBER


def only(value: Expression, wanted: Kinds, role: str) -> None:
    """Raise ProgramError, with the value in question, unless its kinds are wanted or nothing."""
    if isinstance(value, Expression) and value.paired:
        raise ProgramError(
            f"{role}, but {written(value)} stands in the condition of a selection only"
        )
    if found := _wrong(kinds_of(value), wanted):
        raise ProgramError(
            f"{role}, but {written(value)} can be a {found}{_instead(found, wanted)}"
        )


def _wrong(found: Kinds, wanted: Kinds) -> str:
    return " or a ".join(
        kind
        for kind in ("token", "fraction", "number")
        if kind in found - wanted
    )


def _instead(found: str, wanted: Kinds) -> str:
    """The word that makes a number of a token, or a token of a whole number."""
    if found == "token" and "number" in wanted:
        return "; write lookup({token: number}, e) for a token's number"
    if found == "number" and "token" in wanted:
        return "; write map_(str, e, over=range(10)) for a number's token"
    return ""


def _only(
    e: Expression,
    part: Expression | int | str,
    wanted: Kinds,
    takes: str,
) -> Kinds:
    kinds = kinds_of(part)
    if found := _wrong(kinds, wanted):
        raise ProgramError(
            f"{word_of(e.op)} {takes}, but in {written(e)} its"
            f" {written(part, beside=e)} can be a {found}{_instead(found, wanted)}"
        )
    return kinds


def _computed(e: Expression) -> Kinds:
    """The kinds of a node that is computed from other values."""
    if e.op in ("equal", "lookup", "otherwise", "cases"):
        return _chosen(e, [kinds_of(arg) for arg in e.args])
    if e.op in ("there", "given", "value_at"):
        return _taken(e)
    if e.op == "precedes":
        tokens = [_only(e, arg, TOKEN, "compares tokens") for arg in e.args]
        return NUMBER | (NOTHING & _all(tokens))
    args = [_only(e, arg, NUMBER | FRACTION, "takes numbers") for arg in e.args]
    silent = NOTHING & _all(args)
    if e.op in ("token_at", "most"):
        outside = e.op == "token_at" and not is_here(e.args[0])
        return TOKEN | (NOTHING if outside else silent)
    if e.op in ("least", "greatest"):
        return _all(args)
    return _numeric(e, args, silent)


def _taken(e: Expression) -> Kinds:
    """The kinds of a value that is read elsewhere, or only where a condition holds."""
    if e.op == "there":
        return kinds_of(e.args[0])
    role = "takes a condition" if e.op == "given" else "takes a position"
    _only(e, e.args[1], NUMBER | FRACTION, role)
    return kinds_of(e.args[0]) | NOTHING


def _numeric(e: Expression, args: list[Kinds], silent: Kinds) -> Kinds:
    """The kinds of a number that is computed from numbers of these kinds."""
    if e.op in ("below", "both", "either", "negate"):
        return NUMBER | silent
    if e.op in ("divide", "modulo", "ratio") and isinstance(
        e.args[1], Expression
    ):
        silent = NOTHING  # by zero
    if e.op == "ratio":
        return FRACTION | silent
    if e.op == "divide":
        return NUMBER | silent
    found = silent | (FRACTION & _all(args))
    return found | NUMBER if all("number" in kinds for kinds in args) else found


def _chosen(e: Expression, args: list[Kinds]) -> Kinds:
    """The kinds of a node that compares, looks up or chooses: its arguments may be of any kind."""
    if e.op == "equal":
        return NUMBER | (NOTHING & _all(args))
    if e.op == "lookup":
        return NOTHING | _all(kinds_of(value) for value in e.rows.values())
    if e.op == "otherwise":
        first, second = args
        return (first - NOTHING) | second if "nothing" in first else first
    pairs, default = branches_of(args)
    given = _all(then for _, then in pairs)
    return given | (NOTHING if default is None else default)


def _all(kinds: Iterable[Kinds]) -> Kinds:
    return frozenset[Kind]().union(*kinds)
