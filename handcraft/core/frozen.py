"""The base class of all values of the language: frozen, strict, and aware of their source line.

Values are pydantic models. They refuse unknown fields, compare by content, and remember the file
and line where the author wrote them.

Rules of this file: a wrong argument raises one ProgramError with the name of the rule, the
argument and the author's file and line, never pydantic's own report. The source line is not part
of a value: equal rules on different lines are equal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from handcraft.core.arguments import checked_call
from handcraft.core.errors import ProgramError, hint, printable
from handcraft.core.source import (
    caller,
    reading_data,
    without_source_lines,
)

# the name of a program, which is also a folder's: no separators
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


_PYDANTIC = frozenset(dir(BaseModel))
if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass as Kind
else:
    Kind = type(BaseModel)


class UnknownAttributeError(ProgramError, AttributeError):
    """A name after the dot that is not there, or cannot be changed."""


def no_attribute(
    called: tuple[str, ...], name: str, instead: str, known: Iterable[str]
) -> UnknownAttributeError:
    """The error of a name that what is called so has not: what to write, or a name that is near."""
    return UnknownAttributeError(
        f"there is no {name!r}{instead or hint(name, known)}", called, caller()
    )


class Listed(Kind):
    """The kind of every value: `dir` and `help` list what this package defines, and not the 60
    names that pydantic adds.
    """

    def __dir__(self) -> list[str]:
        ours = (
            x for x in self.__mro__ if x.__module__.startswith("handcraft.")
        )
        names = dict.fromkeys(name for kind in ours for name in vars(kind))
        return [name for name in names if name[0] != "_" and name not in _SET]


# what a class tells pydantic, and has of it
_SET = ("model_config", "model_validate", "model_validate_json")


class Frozen(BaseModel, metaclass=Listed):
    """The base of every value: frozen, without unknown fields, equal by content."""

    # deferred: most commands use few of these classes, and building one takes 1 ms
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        arbitrary_types_allowed=True,
        defer_build=True,
    )

    @checked_call()
    def __init__(self, /, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise _readable(error, type(self)) from None

    @classmethod
    def is_data(cls, value: object) -> bool:
        """True for the data of a value of this class; a table that an author writes is none, as
        any name in it may be a lane's.
        """
        return (
            reading_data()
            and isinstance(value, Mapping)
            and all(isinstance(key, str) for key in value)
        )

    @classmethod
    def model_validate(cls, obj: Any, **how: Any) -> Self:
        """The value of its data, as pydantic reads it."""
        with without_source_lines():
            return super().model_validate(obj, **how)

    @classmethod
    def model_validate_json(
        cls, json_data: str | bytes | bytearray, **how: Any
    ) -> Self:
        """The value of its JSON, as pydantic reads it."""
        with without_source_lines():
            return super().model_validate_json(json_data, **how)

    def __dir__(self) -> list[str]:
        return [*type(self).model_fields, *dir(type(self))]

    def __str__(self) -> str:
        return repr(self)

    def __setattr__(self, name: str, value: Any) -> None:
        raise self._unchanged(name)

    def __delattr__(self, name: str) -> None:
        raise self._unchanged(name)

    def _unchanged(self, name: str) -> UnknownAttributeError:
        changed = f"model_copy(update={{{name!r}: ...}})"
        return UnknownAttributeError(
            f"is frozen; a changed copy of it is .{changed}",
            (type(self).__name__, name),
            caller(),
        )

    if not TYPE_CHECKING:  # a type checker knows the attributes

        def __getattr__(self, name: str) -> Any:
            """Raises the error of an attribute that is not there, with what is."""
            known = [x for x in dir(self) if x not in _PYDANTIC]
            if name.startswith("_") or name in _PYDANTIC:
                raise AttributeError(name)
            raise no_attribute(
                _called(type(self)), name, self._instead_of(name), known
            )

    def _instead_of(self, name: str) -> str:  # noqa: ARG002  # for kinds that know better
        """What an author may have meant by an attribute that is not there; else empty."""
        return ""

    def model_copy(
        self,
        *,
        update: Mapping[str, Any] | None = None,
        deep: bool = False,  # noqa: ARG002  # there is nothing to deepen
    ) -> Self:
        """A copy with some fields changed, checked like any other value."""
        if not isinstance(update, Mapping | None):
            raise ProgramError(
                "update= takes a dict of fields", _called(type(self)), caller()
            )
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self)(**{**fields, **(update or {})})


def is_nest(value: object) -> bool:
    """True for a list of any kind; a text, a table, a slot and a rule can be iterated too, and an
    array of no dimension cannot.
    """
    if isinstance(value, str | bytes | Mapping | Frozen):
        return False
    return isinstance(value, Iterable) and getattr(value, "shape", None) != ()


def _readable(error: ValidationError, kind: type[BaseModel]) -> ProgramError:
    # a misspelt name comes first: it explains the other errors
    errors = sorted(
        error.errors(), key=lambda e: e["type"] != "extra_forbidden"
    )
    first = errors[0]
    cause = first.get("ctx", {}).get("error")
    path = (*_called(kind), *_steps(first["loc"]))
    if isinstance(cause, ProgramError):  # raised by one of our own validators
        # a value inside one of the same kind has a path that starts alike: keep the inner one
        inner = cause.path[:1]
        if inner and path and _says_as_much(inner[0], path[-1]):
            path = path[:-1]
        return cause.at(*(() if inner == path[:1] else path), source=caller())
    message = unfit(first)
    if first["type"] == "extra_forbidden":
        known = list(kind.model_fields)
        suggestion = hint(str(first["loc"][-1]), known)
        message = (
            f"has no such argument; it takes {', '.join(known)}{suggestion}"
        )
    return ProgramError(message, path, caller())


def _called(kind: type[BaseModel]) -> tuple[str, ...]:
    """What an author writes to make a value of this class: nothing where she never does."""
    name = getattr(kind, "CALLED", kind.__name__)
    return (name,) if name else ()


def _says_as_much(inner: str, outer: str) -> bool:
    """True if the inner step of a path tells what the outer one does: `layers[1]` in `layers`."""
    return inner == outer or inner.startswith(f"{outer}[")


_FITTING = {  # by pydantic's name of the error, the braces from its context
    "bool_parsing": "True or False",
    "bool_type": "True or False",
    "callable_type": "a function",
    "dataclass_type": "a line of a file, such as aab.py:14",
    "dict_type": "a table {{...: ...}}",
    "float_parsing": "a number",
    "float_type": "a number",
    "greater_than_equal": "at least {ge}",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "is_instance_of": "of type {class}",
    "list_type": "a list",
    "literal_error": "{expected}",
    "model_type": "of type {class_name}",
    "string_type": "a text",
    "tuple_type": "a list or a tuple",
}
_NAMED = {  # what is said without what was found
    "extra_forbidden": "has no place here",
    "missing": "is required",
    "too_long": "must have at most {max_length} items, found {actual_length}",
    "too_short": "must have at least {min_length} items, found {actual_length}",
    "union_tag_invalid": "must be of kind {expected_tags}, found {tag!r:.60}",
    "union_tag_not_found": "needs {discriminator}, which says what it is",
}


def unfit(details: ErrorDetails) -> str:
    """The message for what pydantic refuses, in our words: what would fit, and what was found."""
    kind = details["type"]
    context = details.get("ctx", {})
    if kind in _NAMED:
        return _NAMED[kind].format(**context)
    if kind in _FITTING:
        fitting = _FITTING[kind].format(**context)
        return f"must be {fitting}, found {_shown(details['input'])}"
    return details["msg"].removeprefix("Value error, ")


def _shown(value: Any) -> str:
    """A plain value as it is written, and the type of any other."""
    plain = value is None or isinstance(value, str | bool | int | float)
    if not plain or (isinstance(value, int) and value.bit_length() > 64):
        return f"a value of type {type(value).__name__}"
    return printable(repr(value))[:60]


def _steps(loc: tuple[int | str, ...]) -> tuple[str, ...]:
    """The path of a location of pydantic: `layers`, 0, `query` -> `layers[0]`, `query`."""
    steps: list[str] = []
    for part in loc:
        if isinstance(part, int) and steps:
            steps[-1] += f"[{part}]"
        elif not str(part).startswith("function-"):  # a validator, no field
            steps.append(str(part))
    return tuple(steps)
