"""Checks the arguments of a call before Python does, so that an author reads our words.

    Head(p, value=t)       Head: takes its arguments by name, as Head(query=..., value=...)
    Head(vlaue=t)          Head > vlaue: has no such argument; ...; did you mean 'value'?
    Head(query=p)          Head > value: is required
    Head(output=t)         an older name: works, with one DeprecationWarning

`checked_call` is for what an author writes in a program: a rule or a function that returns rules.
`asked_call` is for what is asked of a program, and leaves the function's own errors as they are.

Rules of this file: a call that Python would accept is passed on as it is.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from inspect import Parameter, signature
from typing import Any, ParamSpec, TypeVar

from handcraft.core.errors import ProgramError, hint
from handcraft.core.source import caller, reading_data

_P = ParamSpec("_P")
_R = TypeVar("_R")
_K = TypeVar("_K")


def checked_call(
    name: str | Callable[[dict[str, Any]], str] = "", **older: str
) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """A decorator that raises ProgramError, with the author's file and line, for a wrong call.

    name   how errors name what was called, or a function of the call's named arguments that
           says so; by default the name of the function, or of the class in an `__init__`
    older  {name of an argument in older programs: its name now}
    """

    def decorate(function: Callable[_P, _R]) -> Callable[_P, _R]:
        method, parameters = _parameters(function)
        free = any(p.kind is p.VAR_KEYWORD for p in parameters)

        @wraps(function)
        def checked(*args: _P.args, **fields: _P.kwargs) -> _R:
            own = type(args[0]) if method else function
            called = name(fields) if callable(name) else name or own.__name__
            for old in older.keys() & fields.keys():
                _rename(called, old, older[old], fields)
            names = tuple(getattr(own, "model_fields", ()) if free else ())
            call = _Call(called, _written(function, own), parameters, names)
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


def asked_call(
    called: str, **instead: str
) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """A decorator that raises ProgramError for a wrong call, and passes every other error on.

    called   how an author writes it, such as handcraft.verify or model.trace
    instead  {name of an argument that may be looked for: what to write}
    """

    def decorate(function: Callable[_P, _R]) -> Callable[_P, _R]:
        method, parameters = _parameters(function)
        call = _Call(called, called, parameters, instead=instead)

        @wraps(function)
        def checked(*args: _P.args, **fields: _P.kwargs) -> _R:
            problem = call.problem(args[method:], fields)
            if problem is not None:
                raise problem
            return function(*args, **fields)

        return checked

    return decorate


def asked_class(called: str) -> Callable[[type[_K]], type[_K]]:
    """The same for a class that is written with arguments, such as a dataclass."""

    def decorate(kind: type[_K]) -> type[_K]:
        kind.__init__ = asked_call(called)(kind.__init__)  # type: ignore[method-assign]
        return kind

    return decorate


def _parameters(
    function: Callable[..., Any],
) -> tuple[bool, list[Parameter]]:
    """True for a method, and what an author passes to a function."""
    parameters = [*signature(function).parameters.values()]
    method = bool(parameters) and parameters[0].name in ("self", "cls")
    return method, parameters[method:]


def _written(function: Callable[..., Any], own: Any) -> str:
    """What an author writes to call it: the name of the class for an `__init__`."""
    return str((own if function.__name__ == "__init__" else function).__name__)


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


_PLACES = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_NAMELESS = (Parameter.POSITIONAL_ONLY, Parameter.VAR_POSITIONAL)
# how an argument that may stand without its name is written in a call
_SHOWN = {
    Parameter.POSITIONAL_ONLY: "",
    Parameter.POSITIONAL_OR_KEYWORD: "",
    Parameter.VAR_POSITIONAL: "*",
}


@dataclass(frozen=True)
class _Call:
    """A call that is checked: how errors name it, what the author wrote, what it takes.

    fields   the names of a value's fields, where it takes them all by name
    instead  what to write in place of an argument that it has not
    """

    called: str
    written: str
    parameters: list[Parameter]
    fields: tuple[str, ...] = ()
    instead: Mapping[str, str] = field(default_factory=dict)

    def problem(
        self, args: tuple[Any, ...], fields: dict[str, Any]
    ) -> ProgramError | None:
        """The error of arguments that do not fit, or None."""
        places = [p for p in self.parameters if p.kind in _PLACES]
        several = any(p.kind is p.VAR_POSITIONAL for p in self.parameters)
        if len(args) > len(places) and not several:
            message = self.too_many(places, len(args))
            return ProgramError(message, (self.called,), caller())
        filled = places[: len(args)]
        unknown = (self.misnamed(name, filled) for name in fields)
        return next(filter(None, unknown), self.missing(filled, fields))

    def too_many(self, places: list[Parameter], found: int) -> str:
        count = f"{len(places)} argument{'s' if len(places) > 1 else ''}"
        first = (
            f"takes {count} without a name, found {found}"
            if places
            else f"takes its arguments by name, found {found} without"
        )
        return f"{first}: write {self.form()}"

    def form(self) -> str:
        """The call as it is written, with the first of its named arguments."""
        places = [
            _SHOWN[p.kind] + p.name for p in self.parameters if p.kind in _SHOWN
        ]
        named = [p.name for p in self.parameters if p.kind is p.KEYWORD_ONLY]
        shown = [
            *places,
            *(f"{name}=..." for name in [*named, *self.fields][:4]),
        ]
        return f"{self.written}({', '.join(shown)})"

    def misnamed(
        self, name: str, filled: list[Parameter]
    ) -> ProgramError | None:
        """The error of a name that is unknown, or given twice, or None."""
        kinds = (Parameter.KEYWORD_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
        known = [p.name for p in self.parameters if p.kind in kinds]
        nameless = [p for p in self.parameters if p.kind in _NAMELESS]
        free = any(p.kind is p.VAR_KEYWORD for p in self.parameters)
        if any(p.name == name for p in filled if name in known):
            return self.error(name, "is given twice")
        if any(p.name == name for p in nameless if p not in filled):
            how = f"is given without its name: write {self.form()}"
            return self.error(name, how)
        if name in known or free:
            return None
        takes = (
            f"it takes {', '.join(known)}" if known else f"write {self.form()}"
        )
        meant = self.instead.get(name)
        other = hint(name, known) if meant is None else f"; write {meant}"
        return self.error(name, f"has no such argument; {takes}{other}")

    def missing(
        self, filled: list[Parameter], fields: dict[str, Any]
    ) -> ProgramError | None:
        """The error of the first argument that must be given and is not, or None."""
        for p in self.parameters:
            optional = p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
            given = p in filled or (
                p.name in fields and p.kind not in _NAMELESS
            )
            if p.default is p.empty and not optional and not given:
                return self.error(p.name, "is required")
        return None

    def error(self, argument: str, message: str) -> ProgramError:
        return ProgramError(message, (self.called, argument), caller())
