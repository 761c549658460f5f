"""Checks the arguments of a call before Python does, so that an author reads our words.

    Head(p, value=t)       Head: takes its arguments by name, as Head(query=..., value=...)
    Head(vlaue=t)          Head > vlaue: has no such argument; ...; did you mean 'value'?
    Head(query=p)          Head > value: is required
    Head(output=t)         an older name: works, with one DeprecationWarning

Rules of this file: a call that Python would accept is passed on as it is.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Any, ParamSpec, TypeVar

from handcraft.core.errors import ProgramError, hint
from handcraft.core.source import caller, reading_data

_P = ParamSpec("_P")
_R = TypeVar("_R")


def checked_call(
    name: str | Callable[[dict[str, Any]], str] = "", **older: str
) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """A decorator that raises ProgramError, with the author's file and line, for a wrong call.

    name   how errors name what was called, or a function of the call's named arguments that
           says so; by default the name of the function, or of the class in an `__init__`
    older  {name of an argument in older programs: its name now}
    """

    def decorate(function: Callable[_P, _R]) -> Callable[_P, _R]:
        expected = signature(function)
        method = "self" in expected.parameters

        @wraps(function)
        def call(*args: _P.args, **fields: _P.kwargs) -> _R:
            called = name(fields) if callable(name) else name
            if not called:
                own = type(args[0]) if method else function
                called = own.__name__
            for old in older.keys() & fields.keys():
                _rename(called, old, older[old], fields)
            problem = _problem(called, expected, args[method:], fields, method)
            if problem is not None:
                raise problem
            return function(*args, **fields)

        return call

    return decorate


def _rename(called: str, old: str, new: str, fields: dict[str, Any]) -> None:
    """Moves an argument from its older name to its name now."""
    if new in fields:
        raise ProgramError(
            f"{old}= is the older name of {new}=; give one of them",
            (called,),
            caller(),
        )
    fields[new] = fields.pop(old)
    if not reading_data():
        where = caller()
        warnings.warn_explicit(
            f"{called}({old}=...) is now {called}({new}=...)",
            DeprecationWarning,
            where.file,
            where.line,
        )


def _problem(
    called: str,
    expected: Signature,
    args: tuple[Any, ...],
    fields: dict[str, Any],
    method: bool,
) -> ProgramError | None:
    """The error of a call that does not fit the signature, or None."""
    parameters = [*expected.parameters.values()][method:]
    places = [
        p
        for p in parameters
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        places += [places[-1]] * len(args) if places else []
    if len(args) > len(places):
        return ProgramError(
            _too_many(called, parameters, places, args), (called,), caller()
        )
    return _misnamed(called, parameters, places[: len(args)], fields)


def _too_many(
    called: str,
    parameters: list[Parameter],
    places: list[Parameter],
    args: tuple[Any, ...],
) -> str:
    named = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    shown = [*(p.name for p in places), *(f"{name}=..." for name in named[:4])]
    first = (
        f"takes {_counted(len(places))} without a name, found {len(args)}"
        if places
        else f"takes its arguments by name, found {len(args)} without"
    )
    return f"{first}: write {called}({', '.join(shown)})"


def _counted(count: int) -> str:
    return f"{count} argument{'s' if count != 1 else ''}"


def _misnamed(
    called: str,
    parameters: list[Parameter],
    filled: list[Parameter],
    fields: dict[str, Any],
) -> ProgramError | None:
    by_name = {
        p.name: p
        for p in parameters
        if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)
    }
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        by_name |= {name: by_name.get(name, parameters[0]) for name in fields}
    for name in fields:
        if name not in by_name:
            message = (
                f"has no such argument; it takes {', '.join(by_name)}"
                f"{hint(name, by_name)}"
            )
            return ProgramError(message, (called, name), caller())
        if any(p.name == name for p in filled):
            return ProgramError("is given twice", (called, name), caller())
    for p in parameters:
        required = p.default is p.empty and p.kind not in (
            p.VAR_KEYWORD,
            p.VAR_POSITIONAL,
        )
        if required and p not in filled and p.name not in fields:
            return ProgramError("is required", (called, p.name), caller())
    return None
