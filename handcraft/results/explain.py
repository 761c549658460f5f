"""Explains a program in Python: the matrices, and the rule of each cell."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from handcraft.analysis.explain import Explanation
from handcraft.analysis.explain import explain as explain_model
from handcraft.core.arguments import asked_call
from handcraft.model import Model
from handcraft.results.opening import Openable, opened
from handcraft.results.shown import ShownResult, fields_of


@dataclass(frozen=True, repr=False)
class ShownExplanation(ShownResult, Explanation):
    """An Explanation that looks as `handcraft explain` prints it."""

    model: Model = field(kw_only=True)

    def drawn(self, width: int) -> Any:
        from handcraft.results.model_tables import explanation

        return explanation(self.model, self, width)


@asked_call("handcraft.explain")
def explain(
    program: Openable,
    part: str | int | None = None,
    *,
    dtype: str | None = None,
) -> ShownExplanation:
    """The matrices of a program with the rule of each cell, or the part that is named.

    A part is, for example, wte, 0 (a layer), 0.c_attn, 0.h1, 0.h1.qk or 0.mlp. Raises
    ProgramError for a part that does not exist.
    """
    model = opened(program, dtype)
    found = explain_model(model, None if part is None else str(part))
    return ShownExplanation(**fields_of(found), model=model)
