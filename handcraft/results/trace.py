"""Traces a program in Python: one forward pass, number by number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from handcraft.core.arguments import asked_call
from handcraft.core.tracing import Trace
from handcraft.model import Prompt
from handcraft.results.opening import Openable, opened
from handcraft.results.shown import ShownResult, fields_of


@dataclass(frozen=True, repr=False)
class ShownTrace(ShownResult, Trace):
    """A Trace that looks as `handcraft trace` prints it."""

    def drawn(self, width: int) -> Any:
        from handcraft.results.model_tables import trace_tables

        return trace_tables(self, width)


@asked_call("handcraft.trace")
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
    found = opened(program, dtype).trace(context, position)
    return ShownTrace(**fields_of(found))
