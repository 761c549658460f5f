"""Writes docs/programs.md: every bundled program with its size and its verdict, the hand-made ones
and those that are compiled. Fails where one is refuted.

Verifying them all takes minutes; `tests/test_docs.py` holds the sizes at every run, CI makes
the whole table anew.
"""

from __future__ import annotations

import runpy
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from handcraft.files.bundled import bundled, by_hand
from handcraft.files.program_file import summary
from handcraft.model import Model
from handcraft.proof import Report, verify
from handcraft.proof.by_lanes import is_for
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.check import measured_lanes

HERE = Path(__file__).parent
# of a program that is not proved, the size of one that is: what its function is called with
SMALLER: dict[str, tuple[object, ...]] = {
    "automaton": (8,),
    "sort_numbers": ("01", 5),
}
MANY = 10**15  # contexts from which on a number is rounded
HEADER = """# The programs

Each program is one file in `programs/` and ships in the wheel. Its name is enough to run, explain
or verify it: `handcraft verify NAME`. The first table has those whose rules are written by hand; a
second one those that are compiled. This page is written by `docs/make_programs.py`, which
verifies every program in float32, with the program's own activation and context window.

- *dense*, *non-zero*, *distinct*: how many weights there are, how many of them are not 0, and how
  many different values those have.
- *proved*: the claim holds on every context, in every order of summation ([how](proofs.md)).
- Of those that are not proved below stands what fails first, in each of the two ways, and a smaller
  version that is proved, made by the function in the program's file.
- *checked*: the program was right on every prompt, where there are at most ten million; otherwise
  on 20,000 drawn prompts, at every position after the prompt.
- *least margin*: by how much the right token's logit exceeds the best other one's, at the least;
  in a proof, the least that is certain. For a distribution, or a claim on a lane, it is the
  largest error.

| program | layers | heads | n_embd | dense | non-zero | distinct \
| verdict | contexts | least margin |
|---|--:|--:|--:|--:|--:|--:|---|--:|--:|
"""

COMPILED = """## Compiled from an expression

The programs of `programs/sequence/` are an expression of a few lines in a frame, as in
`tag(count(there(tokens) == tokens), tokens="abc", n=8)`, which is compiled to slots and rules;
`handcraft write sequence/hist` shows them. Each answers every position of a text of up to *n* of
its *tokens*; with *causal* it sees the text up to that position only. Another length or alphabet is
another `n=` or `tokens=`. They are proved by what each lane holds ([proofs](proofs.md)).

| program | tokens | n | causal | layers | heads | dense | verdict | contexts | least margin |
|---|---|--:|---|--:|--:|--:|---|--:|--:|
"""


def compiled_sizes(name: str) -> list[str]:
    """The columns of the second table that need no verification."""
    model = Model.open(name)
    claim = model.program.claim  # type: ignore[union-attr]
    return [
        f"`{name}`",
        f"`{''.join(claim.alphabet)}`",  # type: ignore[union-attr]
        str(model.n_ctx - 1),
        "yes" if model.causal else "no",
        *map(str, (model.n_layer, model.n_head, model.parameters["dense"])),
    ]


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
        else _rounded(report.min_margin, report.method)
    )
    contexts = (
        f"{report.contexts:,}"
        if report.contexts < MANY
        else f"{report.contexts:.2g}".replace("e+", "e")
    )
    return [f"{report.verdict}, {report.method}", contexts, margin]


def _rounded(margin: float, method: str) -> str:
    """A margin as a text; of drawn prompts the third digit differs from machine to machine, by
    the order in which they add.
    """
    return f"{margin:.2g}" if method == "sampled" else f"{margin:.4g}"


def report_on(name: str) -> Report:
    """The report of verification on a bundled program."""
    return verify(Model.open(name))


def row(name: str, report: Report) -> str:
    """The line of one program. Raises SystemExit where it is not as it claims."""
    by_rules = name in by_hand()
    columns = sizes(Model.open(name)) if by_rules else compiled_sizes(name)
    if (
        report.exit_code
        or report.accuracy not in (None, 1.0)
        or (report.min_margin or 1.0) < 0.25
    ):
        sys.exit(f"{name}: {report}")
    print(f"{name}: {report.verdict} in {report.seconds} s")
    return "| " + " | ".join([*columns, *verdict(report)]) + " |"


def page() -> str:
    """The whole page."""
    with ProcessPoolExecutor() as pool:  # each program in a process of its own
        reports = dict(
            zip(bundled(), pool.map(report_on, bundled()), strict=True)
        )
    rows = {name: row(name, report) for name, report in reports.items()}
    first = "\n".join(rows[name] for name in by_hand())
    second = "\n".join(rows[name] for name in rows if name not in by_hand())
    lines = "\n".join(
        f"- `{name}`: {summary(path)}" for name, path in bundled().items()
    )
    open_ones = "\n".join(
        open_one(name, reports[name])
        for name in by_hand()
        if reports[name].verdict != "proved"
    )
    return (
        f"{HEADER}{first}\n\n## Not proved yet, and why\n\n{open_ones}\n\n{COMPILED}"
        f"{second}\n\n## What they do\n\n{lines}\n"
    )


def open_one(name: str, report: Report) -> str:
    """The line of a program that is not proved: what fails first, in either way, and a smaller
    version that is proved.
    """
    reasons = [f"followed context by context: {why(report)}"]
    if (lanes := why_by_lanes(Model.open(name))) is not None:
        reasons.append(f"by its lanes: {lanes}")
    if name in SMALLER:
        reasons.append(smaller(name))
    return f"- `{name}`: " + "; ".join(reasons)


def why_by_lanes(model: Model) -> str | None:
    """The first obligation that fails, where a claim is of the kind that lanes are asked for."""
    if not is_for(model):
        return None
    try:
        measured_lanes(model, ())
    except Rejected as reason:
        return str(reason)
    return None


def smaller(name: str) -> str:
    """The smaller version of a program, verified. Raises SystemExit where it is not proved."""
    build = runpy.run_path(str(bundled()[name]))[name]
    report = verify(build(*SMALLER[name]).build())
    call = f"{name}({', '.join(map(repr, SMALLER[name]))})"
    if report.verdict != "proved":
        sys.exit(f"{call}: {report}")
    way, contexts, margin = verdict(report)
    return f"`{call}` is {way}: {contexts} contexts, least margin {margin}"


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
