"""Wraps a function of the author's, so that it has a name in JSON and its errors are reported.

A claim may be any Python function. It can only be called, so it is never proved, and a built
directory holds its name alone. Rules of this file: an exception in the author's function is
reported as a ProgramError on the claim.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from handcraft.core.errors import ProgramError, printable


@dataclass(frozen=True, eq=False)
class Callback:
    """A function of the author's, with its name.

    call  the function; None in a program that was read from data
    code  its code object, which is equal for functions with equal text
    """

    name: str
    call: Callable[[Any], Any] | None = field(default=None, repr=False)
    code: object = field(default=None, repr=False)

    def __eq__(self, other: object) -> bool:
        """Compares the names and, where both have a function, its code."""
        if not isinstance(other, Callback):
            return NotImplemented
        return self.name == other.name and (
            None in (self.code, other.code) or self.code == other.code
        )

    def __hash__(self) -> int:
        return hash(self.name)

    @classmethod
    def of(cls, value: Any) -> Any:
        """The Callback of a function or of a name; anything else itself."""
        if isinstance(value, str):
            return cls(value)
        if not callable(value) or isinstance(value, cls):
            return value
        return cls(
            getattr(value, "__name__", type(value).__name__),
            value,
            getattr(value, "__code__", value),
        )

    def __call__(self, argument: Any) -> Any:
        if self.call is None:
            raise ProgramError(
                f"the claim is the function '{printable(self.name)}', which a built"
                " directory does not hold; check it beside its program file: verify"
                " DIRECTORY --program FILE"
            )
        try:
            return self.call(argument)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # also SystemExit: it may raise anything
            raise ProgramError(
                f"the claim '{printable(self.name)}' raised {type(error).__name__}:"
                f" {error} on {argument!r}",
                ("claim",),
            ) from error
