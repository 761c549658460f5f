"""Shows a result as its command prints it: as text, on a console of rich, as HTML in notebooks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import fields
from typing import Any


class ShownResult(ABC):
    """A result that looks in Python as on the command line.

    `str(result)` is the text that the command prints, as wide as the terminal, or 120 columns
    where there is none (COLUMNS overrides). Consoles of rich take it, and notebooks show its HTML.
    """

    @abstractmethod
    def drawn(self, width: int) -> Any:
        """The renderable of rich that the command prints, for a console of this width."""

    def __str__(self) -> str:
        from handcraft.results.tables import as_text

        return as_text(self.drawn)

    def __repr__(self) -> str:
        return str(self)

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        yield self.drawn(options.max_width)

    def _repr_html_(self) -> str:
        from handcraft.results.tables import as_html

        return as_html(self.drawn)


def fields_of(found: Any) -> dict[str, Any]:
    """The fields of a dataclass by name, to make one of a subclass."""
    return {field.name: getattr(found, field.name) for field in fields(found)}
