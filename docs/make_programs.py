"""Writes docs/programs.md: every bundled program with its size and its verdict. Fails where one
is refuted.

Verifying them all takes minutes; `tests/test_docs.py` holds the sizes at every run, CI makes
the whole table anew.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from handcraft.files.bundled import bundled
from handcraft.files.program_file import summary
from handcraft.model import Model
from handcraft.proof import Report, verify

HERE = Path(__file__).parent
MANY = 10**15  # contexts from which on a number is rounded
HEADER = """# The programs

Each program is one file in `programs/` and ships in the wheel. Its name is enough to run, explain
or verify it: `handcraft verify NAME`. This page is written by `docs/make_programs.py`, which
verifies every program in float32, with the program's own activation and context window.

- *dense*, *non-zero*, *distinct*: how many weights there are, how many of them are not 0, and how
  many different values those have.
- *proved*: the claim holds on every context, in every order of summation ([how](proofs.md)).
- *checked*: the program was right on every prompt, where there are at most ten million; otherwise
  on 20,000 drawn prompts, at every position after the prompt.
- *least margin*: by how much the right token's logit exceeds the best other one's, at the least;
  in a proof, the least that is certain. For a distribution, or a claim on a lane, it is the
  largest error.

| program | layers | heads | n_embd | dense | non-zero | distinct \
| verdict | contexts | least margin |
|---|--:|--:|--:|--:|--:|--:|---|--:|--:|
"""


def sizes(model: Model) -> list[str]:
    """The columns of the table that need no verification."""
    counts = (
        model.n_layer,
        model.n_head,
        model.n_embd,
        *model.parameters.values(),
    )
    return [f"`{model.name}`", *map(str, counts)]


def verdict(report: Report) -> list[str]:
    """The columns that do."""
    error = (
        report.max_probability_error
        if report.max_lane_error is None
        else report.max_lane_error
    )
    margin = (
        f"error {error:.0e}"
        if report.min_margin is None and error is not None
        else f"{report.min_margin:.4g}"
    )
    contexts = (
        f"{report.contexts:,}"
        if report.contexts < MANY
        else f"{report.contexts:.2g}".replace("e+", "e")
    )
    return [f"{report.verdict}, {report.method}", contexts, margin]


def report_on(name: str) -> Report:
    """The report of verification on a bundled program."""
    return verify(Model.open(name))


def row(name: str, report: Report) -> str:
    """The line of one program. Raises SystemExit where it is not as it claims."""
    model = Model.open(name)
    if (
        report.exit_code
        or report.accuracy not in (None, 1.0)
        or (report.min_margin or 1.0) < 0.25
    ):
        sys.exit(f"{name}: {report}")
    print(f"{name}: {report.verdict} in {report.seconds} s")
    return "| " + " | ".join([*sizes(model), *verdict(report)]) + " |"


def page() -> str:
    """The whole page."""
    with ProcessPoolExecutor() as pool:  # each program in a process of its own
        reports = dict(
            zip(bundled(), pool.map(report_on, bundled()), strict=True)
        )
    rows = "\n".join(row(name, report) for name, report in reports.items())
    lines = "\n".join(
        f"- `{name}`: {summary(path)}" for name, path in bundled().items()
    )
    open_ones = "\n".join(
        f"- `{name}`: {why(report)}"
        for name, report in reports.items()
        if report.verdict != "proved"
    )
    return (
        f"{HEADER}{rows}\n\n## Not proved yet, and why\n\n{open_ones}\n\n## What they"
        f" do\n\n{lines}\n"
    )


def why(report: Report) -> str:
    """The reason why a program is only checked."""
    reasons = (report.reason or "").split("; ")
    start = next(
        (
            i
            for i, reason in enumerate(reasons)
            if reason.startswith("not proved: ")
        ),
        len(reasons),
    )
    return "; ".join(reasons[start:]).removeprefix("not proved: ")


if __name__ == "__main__":
    (HERE / "programs.md").write_text(page())
