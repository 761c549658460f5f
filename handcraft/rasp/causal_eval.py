"""Evaluation where no token sees a later one: of every selector the lower triangle.

Rules of this file: the triangle is taken of each selector after its own meaning, so the `not` of
an empty selector selects no later token either.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

from handcraft.rasp.evaluation import DefaultRASPEvaluator
from handcraft.rasp.expressions import RASPExpr, SelectorValue, Value
from handcraft.rasp.selectors import Selector
from handcraft.rasp.sops import SOp


class CausalEvaluator(DefaultRASPEvaluator):
    """The evaluator of RASP in a causal transformer."""

    def evaluate(self, expr: RASPExpr, xs: Sequence[Value]) -> Any:
        """The value of an expression for this input, each selector without later keys."""
        value = super().evaluate(expr, xs)
        return lower_triangle(value) if isinstance(expr, Selector) else value


def lower_triangle(rows: SelectorValue) -> SelectorValue:
    """The rows with every key after its query left out."""
    return [
        [flag and k <= q for k, flag in enumerate(row)]
        for q, row in enumerate(rows)
    ]


@overload
def evaluate(expr: SOp, xs: Sequence[Value]) -> list[Value]: ...
@overload
def evaluate(expr: Selector, xs: Sequence[Value]) -> SelectorValue: ...
@overload
def evaluate(expr: RASPExpr, xs: Sequence[Value]) -> Any: ...
def evaluate(expr: RASPExpr, xs: Sequence[Value]) -> Any:
    """The value of an expression for this input, where no token sees a later one."""
    return CausalEvaluator().evaluate(expr, xs)
