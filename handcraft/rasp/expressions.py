"""The base of every RASP expression: a name, a label, an id, children, annotations, copies, and a
value for each input.

Rules of this file: an expression is itself and no other. It is compared by identity wherever a
table or a set asks, and a copy is another one, with an id of its own. Only its annotations can be
set. What evaluates an expression that is called is said by evaluation.py, which imports this file.
"""

from __future__ import annotations

import copy
import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self, TypeVar

from handcraft.core.errors import printable
from handcraft.rasp.annotations import Annotations

NumericValue = int | float
Value = None | int | float | str | bool
SelectorValue = list[list[bool]]  # a row a query, a flag a key

VT = TypeVar("VT", None, int, float, str, bool)
RASPExprT = TypeVar("RASPExprT", bound="RASPExpr")

_IDS = itertools.count(1)


class RASPExpr(ABC):
    """An s-op or a selector.

    `kind` is the default name of a class, and `eval_` before it the method of an evaluator that
    gives its meaning; a class without one has that of the class above it.
    """

    kind: ClassVar[str] = "expression"
    called: ClassVar[str] = "an expression"  # in messages
    _evaluate: ClassVar[Callable[[RASPExpr, Sequence[Value]], Any]]
    _noted: Mapping[str, Any]
    _unique_id: int

    def __new__(cls, *_: object, **__: object) -> Self:
        expr = super().__new__(cls)
        expr._noted, expr._unique_id = {}, next(_IDS)
        return expr

    @property
    @abstractmethod
    def children(self) -> Sequence[RASPExpr]:
        """The expressions that this one is made of."""

    def __call__(self, xs: Sequence[Value]) -> Any:
        """The value for this input."""
        return RASPExpr._evaluate(self, xs)

    @classmethod
    def evaluate_by(
        cls, function: Callable[[RASPExpr, Sequence[Value]], Any]
    ) -> None:
        """Sets what gives every expression its value where it is called."""
        RASPExpr._evaluate = function

    @property
    def unique_id(self) -> int:
        """A number that no other expression has."""
        return self._unique_id

    @property
    def name(self) -> str:
        """The name that its author gave it, or its kind."""
        return str(self.annotations["name"])

    @property
    def label(self) -> str:
        """A name that no other expression has."""
        return f"{self.name}_{self.unique_id}"

    @property
    def annotations(self) -> Mapping[str, Any]:
        """The table of what is noted on it, its name and its encoding included."""
        return Annotations(self, self._noted)

    @annotations.setter
    def annotations(self, noted: Mapping[str, Any]) -> None:
        own = noted.noted if isinstance(noted, Annotations) else noted
        self._noted = dict(own)

    def default_annotation(self, key: str) -> object:
        """The annotation that nobody made; KeyError where there is none."""
        if key == "name":
            return self.kind
        raise KeyError(key)

    def default_annotations(self) -> tuple[str, ...]:
        """The keys that have a default."""
        return ("name",)

    @classmethod
    def check(cls, value: object, place: str) -> None:
        """Raises TypeError where a value is no expression of this class."""
        if not isinstance(value, cls):
            raise TypeError(
                f"{place} must be {cls.called}, found {shown(value)}"
            )

    def copy(self) -> Self:
        """The same expression once more, with an id of its own."""
        return copy.copy(self)

    def named(self, name: str) -> Self:
        """A copy of this name."""
        return annotate(self, name=name)

    def annotated(self, **annotations: Any) -> Self:
        """A copy with these annotations added."""
        return annotate(self, **annotations)

    def __getstate__(self) -> dict[str, Any]:
        # of every copy, which has its own id from `__new__`
        return {k: v for k, v in vars(self).items() if k != "_unique_id"}

    def __repr__(self) -> str:
        parts = ", ".join(child.label for child in self.children)
        return f"<{type(self).__name__} {self.label}{parts and ' of '}{parts}>"


def annotate(expr: RASPExprT, **annotations: Any) -> RASPExprT:
    """A copy of an expression with these annotations added."""
    RASPExpr.check(expr, "annotate(expr)")
    twin = expr.copy()
    twin.annotations = {**expr._noted, **annotations}  # noqa: SLF001  # of its own class
    return twin


def expect_function(value: object, place: str) -> None:
    """Raises TypeError for what cannot be called as a function; an expression is no function of
    values.
    """
    if isinstance(value, RASPExpr) or not callable(value):
        raise TypeError(f"{place} must be a function, found {shown(value)}")


def as_list(values: Iterable[Any], place: str) -> list[Any]:
    """The values in a new list; TypeError for what has none, or has them in no order."""
    if isinstance(values, set | frozenset):
        raise TypeError(
            f"{place} must be a list, found a set, which has no order"
        )
    if isinstance(values, RASPExpr) or not isinstance(values, Iterable):
        raise TypeError(f"{place} must be a list, found {shown(values)}")
    return list(values)


def shown(value: object) -> str:
    """A value as a message names it."""
    if isinstance(value, RASPExpr):
        return f"{value.called}, {printable(value.label)}"
    return printable(repr(value))[:60]
