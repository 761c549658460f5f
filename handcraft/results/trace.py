"""Traces a program in Python: one forward pass, number by number."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from handcraft.core.arguments import asked_call
from handcraft.core.tracing import Trace
from handcraft.model import Prompt
from handcraft.pictures.endings import save_svg
from handcraft.pictures.passes import trace_svg
from handcraft.results.opening import Openable, opened
from handcraft.results.shown import ShownResult, fields_of


@dataclass(frozen=True, repr=False)
class ShownTrace(ShownResult, Trace):
    """A Trace that looks as `handcraft trace` prints it."""

    program: str = field(default="", kw_only=True)

    def drawn(self, width: int) -> Any:
        from handcraft.results.model_tables import trace_tables

        return trace_tables(self, width)

    @asked_call("trace(...).save")
    def save(self, file: str | Path) -> Path:
        """Write the attention, the residual stream and the logits to this .svg file, and return its
        path.
        """
        return save_svg(file, trace_svg(self, self.program))

    def _repr_html_(self) -> str:
        from handcraft.pictures.notebooks import trace_page, with_text

        return with_text(trace_page(self), super()._repr_html_())


@asked_call("handcraft.trace", save="handcraft.trace(...).save(file)")
def trace(
    program: Openable,
    context: Prompt,
    position: int | None = None,
    *,
    dtype: str | None = None,
) -> ShownTrace:
    """The attention, the residual stream and the logits of one context: a text, tokens, or ids.

    The contributions of the rules are those at `position`, by default the last. Raises PromptError
    for an empty context or an unknown token.
    """
    model = opened(program, dtype)
    found = model.trace(context, position)
    return ShownTrace(**fields_of(found), program=model.name)
