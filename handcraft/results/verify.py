"""Verifies a program in Python: the report on its claim, with the trace of the counterexample."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from handcraft.core.arguments import asked_call
from handcraft.core.errors import ProgramError, printable
from handcraft.core.tracing import Trace
from handcraft.language.affine import kind_of
from handcraft.model import Model
from handcraft.program.program import ClaimLike
from handcraft.proof.claimed import unless_changed
from handcraft.proof.report import Report
from handcraft.proof.task import Budget, Progress, Spread
from handcraft.proof.verify import METHODS, silent
from handcraft.proof.verify import verify as verify_model
from handcraft.results.notes import without_notes
from handcraft.results.opening import Openable, held_as_given, opened
from handcraft.results.shown import ShownResult, fields_of


@dataclass(frozen=True, repr=False)
class ShownReport(ShownResult, Report):
    """A Report that looks as `handcraft verify` prints it."""

    model: Model = field(kw_only=True)

    @cached_property
    def trace(self) -> Trace | None:
        """The forward pass of the counterexample; what is not finite is shown as it is."""
        wrong = self.counterexample
        if wrong is None or self.verdict == "bounded":
            return None
        return self.model.trace(wrong.tokens, wrong.position, checked=False)

    def drawn(self, width: int) -> Any:
        from handcraft.results.model_tables import counterexample_tables
        from handcraft.results.tables import above, safe
        from handcraft.results.verdict_tables import report

        first = report(self)
        try:
            found = self.trace
            if found is None:
                return first
            tables = counterexample_tables(found, width, self.program)
            return above(first, tables)
        except Exception as error:  # the verdict stands
            why = f"{type(error).__name__} {error}".strip()
            return above(first, safe(f"its trace cannot be shown: {why}"))

    def _repr_html_(self) -> str:
        from handcraft.pictures.notebooks import report_page

        text = super()._repr_html_()
        try:
            return report_page(text, self.trace)
        except Exception:  # the text says why, and the verdict stands
            return text

    def to_json(self) -> dict[str, Any]:
        """The report as plain data, as `handcraft verify --json`."""
        kept = Report.__dataclass_fields__
        own = {name: getattr(self, name) for name in kept}
        return Report(**own).to_json()


@asked_call("handcraft.verify", jobs="spread=Spread(jobs=...)")
def verify(
    program: Openable,
    *,
    method: str | Sequence[str] | None = None,
    budget: str | int | Budget | None = None,
    claim: ClaimLike | str | Path = None,
    dtype: str | None = None,
    spread: Spread | None = None,
    progress: Progress = silent,
) -> ShownReport:
    """The report on what a program claims: proved, bounded, checked, or refuted by a text.

    method  lanes, certificate, exhaustive or sampled: only these are tried, in this order
    budget  at most so many contexts (10000), or seconds ("30s")
    claim   the model is held to this claim instead of the program's own: a claim, or the path of
            a file that has one
    dtype   float32 or float64
    spread  the processes to use

    First a proof for every context is looked for; without one every context is checked, and where
    there are too many, contexts are drawn. A model whose weights are not what its rules say is
    refuted, whatever it computes, unless it is held to another claim.
    """
    if not isinstance(spread, Spread | None):
        raise ProgramError(
            f"spread= takes a Spread, such as Spread(jobs=2), found {kind_of(spread)}"
        )
    if not callable(progress):
        raise ProgramError(
            f"progress= takes a function, found {kind_of(progress)}"
        )
    model = opened(program, dtype)
    model, other = held_as_given(model, claim)
    with without_notes():
        report = verify_model(
            model,
            methods=_methods(method),
            budget=_budget(budget),
            progress=progress,
            spread=spread,
            claim=other,
        )
    if other is None:
        return shown_report(model, unless_changed(model, report))
    named = str(claim) if isinstance(claim, str | Path) else repr(other)
    return shown_report(model, replace(report, claim=named))


def shown_report(model: Model, report: Report) -> ShownReport:
    """The report on a model, as a result that shows itself."""
    return ShownReport(**fields_of(report), model=model)


def _methods(given: str | Sequence[str] | None) -> list[str]:
    """The names of methods, all of them where none is given."""
    if given is None:
        return list(METHODS)
    names = given.split(",") if isinstance(given, str) else given
    if not isinstance(names, Iterable) or not (found := list(names)):
        raise ProgramError(
            f"a method is one or several of {', '.join(METHODS)}, found"
            f" {printable(str(given))}"
        )
    return [str(name).strip() for name in found]


def _budget(given: str | int | Budget | None) -> Budget:
    if given is None or isinstance(given, Budget):
        return given or Budget()
    return Budget.parse(str(given))
