"""The kinds of arguments of recipes, and their check before a recipe computes with them.

    @takes(most=a_whole_number, flags=expressions)
    def recipe(flags, most, adds): ...

An expression, a map or an amount is checked where it is read, since every kind of operand fits.

Rules of this file: a kind is a function that returns the argument, or raises ProgramError with what
was found and what would work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from inspect import signature
from numbers import Integral
from typing import Any, ParamSpec, TypeVar

from handcraft.core.errors import ProgramError
from handcraft.core.frozen import is_nest
from handcraft.core.nesting import refuse_set
from handcraft.core.source import caller
from handcraft.language.affine import Named, Operand, kind_of, number
from handcraft.language.rules import Head
from handcraft.language.slots import Slot

_P = ParamSpec("_P")
_R = TypeVar("_R")
ArgumentKind = Callable[[Any], Any]


def wrong(recipe: str, argument: str, message: str) -> ProgramError:
    """The error of one argument of a recipe, at the author's line."""
    return ProgramError(message, (recipe, argument), caller())


def takes(
    **kinds: ArgumentKind,
) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """A decorator that gives a recipe each of these arguments as its kind returns it.

    Raises ProgramError with the recipe and the argument. One that is left out is not checked.
    """

    def decorate(recipe: Callable[_P, _R]) -> Callable[_P, _R]:
        form = signature(recipe)

        @wraps(recipe)
        def checked(*args: _P.args, **fields: _P.kwargs) -> _R:
            given = form.bind(*args, **fields)
            for name, value in given.arguments.items():
                kind = kinds.get(name, anything)
                try:
                    given.arguments[name] = kind(value)
                except ProgramError as error:
                    raise error.at(
                        recipe.__name__, name, source=caller()
                    ) from None
            return recipe(*given.args, **given.kwargs)

        return checked

    return decorate


def a_whole_number(value: object) -> int:
    """A whole number."""
    if isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    raise ProgramError(f"must be a whole number, found {kind_of(value)}")


def a_flag(value: object) -> bool:
    """True or False."""
    if isinstance(value, bool):
        return value
    raise ProgramError(f"must be True or False, found {kind_of(value)}")


def a_number(value: object) -> Any:
    """A number, as it was given; a recipe or a weight refuses what is not finite."""
    number(value, "must be a number")
    return value


def number_or_none(value: object) -> Any:
    """A number, or None."""
    return None if value is None else a_number(value)


def expressions(value: object) -> object:
    """A list of expressions; a single expression says itself that it is none."""
    refuse_set(value)
    if isinstance(value, Mapping | str) or not isinstance(value, Iterable):
        raise ProgramError(
            f"takes a list of expressions, [x, y]; found {kind_of(value)}"
        )
    return tuple(value)


def lane_or_slot(value: object) -> Named:
    """A lane or a slot."""
    if isinstance(value, Named):
        return value
    raise ProgramError(f"takes a lane or a slot, found {kind_of(value)}")


def a_slot(value: object) -> Slot:
    """A slot."""
    if isinstance(value, Slot):
        return value
    raise ProgramError(f"takes a slot, found {kind_of(value)}")


def slot_or_none(value: object) -> Slot | None:
    """A slot, or None."""
    return None if value is None else a_slot(value)


def all_heads(value: Iterable[object]) -> tuple[Head, ...]:
    """Heads."""
    for item in value:
        if not isinstance(item, Head):
            raise ProgramError(f"takes heads, found {kind_of(item)}")
    return tuple(value)  # type: ignore[arg-type]  # each is a head


def least_and_greatest(value: object) -> tuple[int, Any] | None:
    """The least and the greatest number, the greatest possibly an expression; None as it is."""
    if value is None:
        return None
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise ProgramError(f"takes (least, greatest), found {kind_of(value)}")
    least, greatest = value
    greatest = (
        greatest if isinstance(greatest, Operand) else a_whole_number(greatest)
    )
    return a_whole_number(least), greatest


def table_of(form: str, key: ArgumentKind, value: ArgumentKind) -> ArgumentKind:
    """The kind of a table with these kinds of keys and values, written as in `form`."""

    def kind(found: object) -> dict[Any, Any]:
        if not isinstance(found, Mapping):
            raise ProgramError(f"takes a table {form}, found {kind_of(found)}")
        return {key(k): value(v) for k, v in found.items()}

    return kind


def anything(value: object) -> object:
    """Anything: it is checked where it is read."""
    return value


def several(value: object) -> object:
    """The key of a table of flags: several lanes."""
    if is_nest(value) or isinstance(value, Slot):
        return value
    raise ProgramError(
        f"a key is a tuple of lanes, (x, y); found {kind_of(value)}"
    )
