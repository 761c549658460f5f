"""Predicates: which keys a query selects.

Rules of this file: a predicate is asked of a key and a query, in this order. A comparison with
None is an error and not False, which a `not` around it would turn into True.
"""

from __future__ import annotations

import enum
import operator
from collections.abc import Callable
from typing import Any, Protocol


class Predicate(Protocol):
    """A function of a key and a query."""

    def __call__(self, key: Any, query: Any, /) -> Any:
        """True where the query selects the key."""


class Comparison(enum.Enum):
    """The comparisons of a key with a query, each a predicate."""

    EQ = "=="
    LT = "<"
    LEQ = "<="
    GT = ">"
    GEQ = ">="
    NEQ = "!="
    TRUE = "True"
    FALSE = "False"

    def __call__(self, key: Any, query: Any) -> Any:
        for value, what in (key, "key"), (query, "query"):
            if value is None:
                raise ValueError(
                    f"Comparison.{self.name} is asked of a {what} that is None;"
                    " map None to a value first, or write a predicate that"
                    " allows it"
                )
        return _MEANING[self](key, query)


_MEANING: dict[Comparison, Callable[[Any, Any], Any]] = {
    Comparison.EQ: operator.eq,
    Comparison.LT: operator.lt,
    Comparison.LEQ: operator.le,
    Comparison.GT: operator.gt,
    Comparison.GEQ: operator.ge,
    Comparison.NEQ: operator.ne,
    Comparison.TRUE: lambda _, __: True,
    Comparison.FALSE: lambda _, __: False,
}
