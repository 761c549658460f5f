"""Renderables of a verdict: the report of `handcraft verify`, and how far off exp and tanh are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from handcraft.core.errors import in_quotes
from handcraft.proof.exponential import Finding
from handcraft.proof.report import Report, place_of, wrong_line
from handcraft.results.blame_tables import blame, left
from handcraft.results.tables import plain_table, safe

VERDICT_STYLES = {
    "proved": "bold green",
    "bounded": "yellow",
    "checked": "green",
    "refuted": "bold red",
    "unknown": "yellow",
    "rejected": "bold red",
}


def report(found: Report) -> RenderableType:
    """The verdict, the numbers it rests on, and the counterexample where there is one."""
    verdict = safe(found.verdict, VERDICT_STYLES[found.verdict])
    method = safe(f" ({found.method}, {found.dtype})")
    first = Text.assemble(safe(f"{found.program}: "), verdict, method)
    lines = [safe(f"  {line}") for line in _lines(found)]
    why = blame(found)
    return Group(first, *lines, *why, safe(f"  {found.seconds:.3g} s", "dim"))


def _lines(found: Report) -> Iterator[str]:
    """The lines of the numbers. With a counterexample, which has a margin of its own, the least one
    of some longer context is of no help, nor is the accuracy of a draw that ended there.
    """
    wrong = found.counterexample is not None
    yield (
        f"contexts    {found.contexts:,} covered, {found.checked:,} where the claim speaks"
    )
    yield from _accuracy(found)
    if found.min_margin is not None and not wrong:
        at = found.min_margin_at  # None where a proof does not say where
        place = (
            "" if at is None else f", {place_of(at, found.min_margin_position)}"
        )
        yield f"least margin {found.min_margin:.9g}{place}"
    if found.max_probability_error is not None:
        yield f"largest probability error {found.max_probability_error:.3g}"
    if found.max_lane_error is not None:
        yield f"largest error of the lane {found.max_lane_error:.3g}"
    if found.error_bound is not None and found.min_margin is not None:
        yield f"rounding    at most {found.error_bound:.3g}, in any order of summation"
    if found.longest is not None:
        yield f"longest     proved for every length up to {found.longest:,}"
    if found.claim is not None:
        yield f"claim       that of {found.claim}, alone"
    if found.failed and found.weights is not None:
        same = (
            ""
            if found.weights["cells"]
            else "; the weights are what the rules say"
        )
        yield f"failed      the {' and the '.join(found.failed)}{same}"
    if found.reason:
        yield f"because     {found.reason}"
    yield from _wrong(found) if wrong else _strayed(found)


def _accuracy(found: Report) -> Iterator[str]:
    """How many contexts are right, or surely right."""
    if found.covered is not None:
        yield (
            f"accuracy    at least {found.accuracy_at_least:.10g}:"
            f" {found.covered:,} are surely right, in any order of summation"
        )
    ended = found.counterexample is not None and found.method == "sampled"
    if found.accuracy is not None and not ended:
        yield f"accuracy    {found.accuracy:.10g}"


def _wrong(found: Report) -> Iterator[str]:
    """The counterexample, and the row of a table that decides it."""
    yield wrong_line(found)
    wrong, row = found.counterexample, found.row
    if wrong is not None and row is not None:
        ending = in_quotes("".join(row["ending"]))
        where = f" ({row['source']})" if row["source"] else ""
        longer = len(wrong.tokens) > len(row["ending"])
        why = ", the longest ending that fits" if longer else ""
        yield f"row         {ending} of the claim{where}{why}"


def _strayed(found: Report) -> Iterator[str]:
    """The lane of a right model that does not hold what its author says."""
    for lane in found.departures or ():
        context = in_quotes("".join(lane["context"]))
        yield f"meaning     after {context}, {left(lane)} ({lane['source']})"


def findings(found: Sequence[Finding]) -> RenderableType:
    """A table of the laws that a proof assumes of exp and tanh, with the worst float of each, and
    a last line that says whether all hold.
    """
    table = plain_table()
    table.add_column(safe("law"))
    for name in ("floats", "worst", "at most", "at"):
        table.add_column(safe(name), justify="right", no_wrap=True)
    for finding in found:
        table.add_row(*_finding(finding))
    broken = "; ".join(_law(finding) for finding in found if not finding.holds)
    if broken:
        return Group(table, safe(f"broken: {broken}", "bold red"))
    return Group(
        table, safe("all hold, as a certificate assumes", "bold green")
    )


def _law(found: Finding) -> str:
    return f"{found.law.dtype} {found.law.name}"


def _finding(found: Finding) -> list[Text]:
    floats = f"{found.floats:,}{'' if found.every else ' sampled'}"
    worst = safe(f"{found.worst:.4g}", "" if found.holds else "bold red")
    limit = safe(f"{found.law.limit:g}")
    at = safe(f"{found.at:.9g}")
    return [safe(_law(found)), safe(floats), worst, limit, at]
