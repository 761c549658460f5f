"""Writes docs/programs.md: every bundled program with its size and its verdict. Fails where one is refuted.

Verifying them all takes minutes; `tests/test_docs.py` holds the sizes at every run, CI makes the whole table anew.
"""

from __future__ import annotations

import sys
from pathlib import Path

from handcraft.loader import bundled, summary
from handcraft.model import Model
from handcraft.proof import Report, verify

HERE = Path(__file__).parent
HEADER = """# The programs

Each is one file in `programs/`, ships in the wheel, and is run, explained and verified by its name:
`handcraft verify NAME`. The table is written by `docs/make_programs.py`, which verifies every program in float32 with
its own activation: every context or prompt where there are at most ten million, else 20,000 drawn ones with all
positions after the prompt. The margin is the least difference between the right token's logit and the best other one's;
of a distribution, or of a claim on a lane, it is the largest error.

| program | layers | heads | n_embd | dense | non-zero | distinct | verdict | contexts | least margin |
|---|--:|--:|--:|--:|--:|--:|---|--:|--:|
"""


def sizes(model: Model) -> list[str]:
    """The columns of the table that need no verification."""
    counts = (model.n_layer, model.n_head, model.n_embd, *model.parameters.values())
    return [f"`{model.name}`", *map(str, counts)]


def verdict(report: Report) -> list[str]:
    """The columns that do."""
    error = report.max_probability_error if report.max_lane_error is None else report.max_lane_error
    margin = f"error {error:.0e}" if report.min_margin is None and error is not None else f"{report.min_margin:.4g}"
    return [f"{report.verdict}, {report.method}", f"{report.contexts:,}", margin]


def row(name: str) -> str:
    """The line of one program. Raises SystemExit where it is not as it claims."""
    model = Model.open(name)
    report = verify(model)
    if report.exit_code or report.accuracy not in (None, 1.0) or (report.min_margin or 1.0) < 0.25:
        sys.exit(f"{name}: {report}")
    print(f"{name}: {report.verdict} in {report.seconds} s")
    return "| " + " | ".join([*sizes(model), *verdict(report)]) + " |"


def page() -> str:
    """The whole page."""
    rows = "\n".join(row(name) for name in bundled())
    lines = "\n".join(f"- `{name}`: {summary(path)}" for name, path in bundled().items())
    return f"{HEADER}{rows}\n\n## What they do\n\n{lines}\n"


if __name__ == "__main__":
    (HERE / "programs.md").write_text(page())
