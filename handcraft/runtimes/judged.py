"""Judges the claim of a model that is exported, for its model card and for whoever exports it.

A proof may take a minute, so an export alone looks at every context or prompt where there are at
most _EVERY, else at _DRAWN of them, drawn with a fixed seed; it does not judge a claim that is a
Python function, which may raise or take long.
"""

from __future__ import annotations

from dataclasses import dataclass

from handcraft.core.errors import printable
from handcraft.model import Model
from handcraft.proof.report import Report, Verdict, wrong_line
from handcraft.proof.task import Budget
from handcraft.proof.verify import verify

_EVERY, _DRAWN = 2000, 100


@dataclass(frozen=True)
class Judged:
    """What was found of a claim.

    report   the report on it; None where nothing was asked
    changed  the first cell that is not what the rules say; then the claim is not asked
    """

    report: Report | None = None
    changed: str | None = None

    @property
    def verdict(self) -> Verdict | None:
        """The verdict; None where there is none."""
        if self.changed is not None:
            return "refuted"
        return self.report.verdict if self.report else None

    def refutation(self, name: str) -> str | None:
        """The line that says that the model of this name is wrong; None where it is not refuted."""
        name = printable(name)
        if self.changed is not None:
            return (
                f"refuted: the weights of {name} are not what its rules say, at"
                f" {printable(self.changed)}"
            )
        if self.report is None or self.report.verdict != "refuted":
            return None
        line = printable(wrong_line(self.report))
        return f"refuted: {name} is {line}, and so are these files"


def judged(model: Model, *, verified: bool) -> Judged:
    """What is found of a model's claim; `verified` looks for a proof first."""
    claim = model.program.claim if model.program else None
    if claim is None:
        return Judged()
    if changed := model.differences():
        return Judged(changed=changed[0])
    if verified:
        return Judged(verify(model))
    if not claim.declared:
        return Judged()
    budget = Budget(contexts=_EVERY, drawn=_DRAWN)
    return Judged(
        verify(model, methods=("exhaustive", "sampled"), budget=budget)
    )
