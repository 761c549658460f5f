"""Explains a program in Python: the matrices, and the rule of each cell."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from handcraft.analysis.explain import Explanation
from handcraft.analysis.explain import explain as explain_model
from handcraft.core.arguments import asked_call
from handcraft.model import Model
from handcraft.pictures.endings import save_svg
from handcraft.pictures.matrices import explanation_svg
from handcraft.results.opening import Openable, opened
from handcraft.results.shown import ShownResult, fields_of


@dataclass(frozen=True, repr=False)
class ShownExplanation(ShownResult, Explanation):
    """An Explanation that looks as `handcraft explain` prints it."""

    model: Model = field(kw_only=True)

    def drawn(self, width: int) -> Any:
        from handcraft.results.model_tables import explanation

        return explanation(self.model, self, width)

    @asked_call("explain(...).save")
    def save(self, file: str | Path) -> Path:
        """Write the matrices with their rules to this .svg file, and return its path. Those for
        which there is no room are listed with their sizes.
        """
        return save_svg(file, explanation_svg(self, repr(self.model)))

    def _repr_html_(self) -> str:
        from handcraft.pictures.notebooks import (
            MOST_CELLS_AS_TEXT,
            explanation_page,
            with_text,
        )

        page = explanation_page(self, repr(self.model))
        few = len(self.cells) <= MOST_CELLS_AS_TEXT  # of more it takes seconds
        return with_text(page, super()._repr_html_() if few else None)


@asked_call("handcraft.explain", save="handcraft.explain(...).save(file)")
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
