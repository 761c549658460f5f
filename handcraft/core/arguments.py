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
from dataclasses import dataclass
from functools import wraps
from inspect import Parameter, signature
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
        parameters = [*signature(function).parameters.values()]
        method = parameters[0].name == "self" if parameters else False
        parameters = parameters[method:]

        @wraps(function)
        def checked(*args: _P.args, **fields: _P.kwargs) -> _R:
            own = type(args[0]) if method else function
            called = name(fields) if callable(name) else name or own.__name__
            for old in older.keys() & fields.keys():
                _rename(called, old, older[old], fields)
            call = _Call(called, own.__name__, parameters)
            problem = call.problem(args[method:], fields)
            if problem is not None:
                raise problem
            if method:
                return function(*args, **fields)
            try:
                return function(*args, **fields)
            except ProgramError as error:
                raise _of(called, error) from None

        return checked

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


def _of(called: str, error: ProgramError) -> ProgramError:
    """The error of what a function wrote, with the function's name in place of the rule's."""
    if error.path[:1] and error.path[0] not in _WRITTEN:
        return error
    rest = error.path[1:]
    return ProgramError(
        error.message, (called, *rest), error.source or caller()
    )


# what functions that an author calls return; she has not written these names
_WRITTEN = ("Head", "Neuron", "Slot")


@dataclass(frozen=True)
class _Call:
    """A call that is checked: how errors name it, what the author wrote, what it takes."""

    called: str
    written: str
    parameters: list[Parameter]

    def problem(
        self, args: tuple[Any, ...], fields: dict[str, Any]
    ) -> ProgramError | None:
        """The error of arguments that do not fit, or None."""
        kinds = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
        places = [p for p in self.parameters if p.kind in kinds]
        if any(p.kind is p.VAR_POSITIONAL for p in self.parameters):
            return None
        if len(args) > len(places):
            message = self.too_many(places, len(args))
            return ProgramError(message, (self.called,), caller())
        return self.misnamed(places[: len(args)], fields)

    def too_many(self, places: list[Parameter], found: int) -> str:
        named = [p.name for p in self.parameters if p.kind is p.KEYWORD_ONLY]
        shown = [*(p.name for p in places), *(f"{x}=..." for x in named[:4])]
        count = f"{len(places)} argument{'s' if len(places) > 1 else ''}"
        first = (
            f"takes {count} without a name, found {found}"
            if places
            else f"takes its arguments by name, found {found} without"
        )
        return f"{first}: write {self.written}({', '.join(shown)})"

    def misnamed(
        self, filled: list[Parameter], fields: dict[str, Any]
    ) -> ProgramError | None:
        """The error of a name that is unknown, given twice or missing, or None."""
        kinds = (Parameter.KEYWORD_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
        known = [p.name for p in self.parameters if p.kind in kinds]
        free = any(p.kind is p.VAR_KEYWORD for p in self.parameters)
        for name in fields:
            if name not in known and not free:
                takes = f"it takes {', '.join(known)}{hint(name, known)}"
                return self.error(name, f"has no such argument; {takes}")
            if any(p.name == name for p in filled if name in known):
                return self.error(name, "is given twice")
        for p in self.parameters:
            required = p.default is p.empty and p.kind is not p.VAR_KEYWORD
            if required and p not in filled and p.name not in fields:
                return self.error(p.name, "is required")
        return None

    def error(self, argument: str, message: str) -> ProgramError:
        return ProgramError(message, (self.called, argument), caller())
