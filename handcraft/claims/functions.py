"""Callbacks: a function of the author's, known by name.

A claim may be any function, and then nothing but asking it can tell what it says: it is never
proved, and a built directory holds its name only. Rules of this file: whatever the function
does wrong is told as the claim's fault.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from handcraft.core.errors import ProgramError, printable


@dataclass(frozen=True, eq=False)
class Callback:
    """A function of the author's, known by name. `call` is None in a program that was read from
    a file.
    """

    name: str
    call: Callable[[Any], Any] | None = field(default=None, repr=False)
    code: object = field(
        default=None, repr=False
    )  # of the function: equal where its text is

    def __eq__(self, other: object) -> bool:
        """Equal by name and, where both know their function, by its code."""
        if not isinstance(other, Callback):
            return NotImplemented
        return self.name == other.name and (
            None in (self.code, other.code) or self.code == other.code
        )

    def __hash__(self) -> int:
        return hash(self.name)

    @classmethod
    def of(cls, value: Any) -> Any:
        """A function, or the name of one, as a Callback."""
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
        except (
            BaseException
        ) as error:  # an author's function may raise anything, SystemExit included
            raise ProgramError(
                f"the claim '{printable(self.name)}' raised {type(error).__name__}:"
                f" {error} on {argument!r}",
                ("claim",),
            ) from error
