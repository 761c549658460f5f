"""Compares two models in Python, as `handcraft compare` does."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handcraft.core.arguments import asked_call
from handcraft.core.errors import ProgramError
from handcraft.language.affine import kind_of
from handcraft.proof.task import Progress
from handcraft.proof.verify import silent
from handcraft.results.notes import without_notes
from handcraft.results.opening import Openable, held_to_claim_in, opened
from handcraft.results.shown import ShownResult, fields_of
from handcraft.results.view import ModelPage, view
from handcraft.training.comparing.comparison import Comparison, compare_models


@dataclass(frozen=True, repr=False, eq=False)
class ShownComparison(ShownResult, Comparison):
    """A Comparison that looks as `handcraft compare` prints it."""

    def drawn(self, width: int) -> Any:  # noqa: ARG002  # its tables fit by themselves
        from handcraft.results.comparison_tables import comparison_table

        return comparison_table(self)

    def view(
        self, *, verified: bool = True, progress: Progress = silent
    ) -> ModelPage:
        """The page of both models at work, side by side, with this report above them."""
        from handcraft.results.comparison_page import comparison_html

        return view(
            self.a.model,
            self.b.model,
            verified=verified,
            report=comparison_html(self),
            progress=progress,
        )


@asked_call(
    "handcraft.compare", save="handcraft.compare(a, b).view().save(file)"
)
def compare(
    a: Openable,
    b: Openable,
    *,
    claim: str | Path | None = None,
    dtype: str | None = None,
) -> ShownComparison:
    """Two models side by side: their scores on one claim, chains, circuits, patterns, ablations,
    the matching of their heads, and what they do outside the claim.

    claim  a program file, a bundled program or a built directory whose claim both are held to; by
           default the claim of the first of the two that has one

    Raises ProgramError where they do not have the same tokens, or the claim does not fit both.
    """
    if claim is not None and not isinstance(claim, str | os.PathLike):
        raise ProgramError(
            "is a path or the name of a bundled program, whose claim is taken, found"
            f" {kind_of(claim)}",
            ("handcraft.compare", "claim"),
        )
    own, other = opened(a, dtype), opened(b, dtype)
    with without_notes():
        if claim is None:
            found = compare_models(own, other)
        else:
            own, held = held_to_claim_in(own, claim)
            other, _ = held_to_claim_in(other, claim)
            found = compare_models(own, other, held, str(claim))
    return ShownComparison(**fields_of(found))
