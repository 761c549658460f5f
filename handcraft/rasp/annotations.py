"""The annotations of an expression: a read-only table whose `name` and `encoding` are always there.

Rules of this file: the table is a view. What an author noted comes before the expression's own
defaults, which are made when they are asked for.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from handcraft.core.errors import in_quotes, listing


class Encoding(enum.Enum):
    """The place of an s-op's values in the stream: a lane for each, or one for all."""

    CATEGORICAL = "categorical"
    NUMERICAL = "numerical"


class Annotated(Protocol):
    """An expression, as far as its annotations ask."""

    def default_annotation(self, key: str) -> object:
        """The annotation that nobody made; KeyError where there is none."""

    def default_annotations(self) -> tuple[str, ...]:
        """The keys that have a default."""


class Annotations(Mapping[str, Any]):
    """The annotations of one expression."""

    def __init__(self, expr: Annotated, noted: Mapping[str, Any]) -> None:
        self._expr = expr
        self._noted = noted

    @property
    def noted(self) -> Mapping[str, Any]:
        """The annotations that were made, without the defaults."""
        return self._noted

    def __getitem__(self, key: str) -> Any:
        if key in self._noted:
            return self._noted[key]
        try:
            return self._expr.default_annotation(key)
        except KeyError:
            raise KeyError(
                f"there is no annotation {in_quotes(str(key))}; there is"
                f" {listing(self)}"
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(
            {**dict.fromkeys(self._expr.default_annotations()), **self._noted}
        )

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __contains__(self, key: object) -> bool:
        return key in list(iter(self))

    def __repr__(self) -> str:
        return repr(dict(self))
