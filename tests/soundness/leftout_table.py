"""Writes LEFTOUT.md: every check of prover and checker, what would be called right without it,
and who stops that.

    python tests/soundness/leftout_table.py [--search]

With --search the inputs are looked for anew, which takes some minutes, and kept in
leftout/found.json.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

from leftout.bounds import CHECKERS, PROVERS
from leftout.inputs import AS_STATED
from leftout.sides import PROVED
from leftout.sites import sites
from leftout.table import (
    FOUND,
    What,
    found,
    of_gate,
    reason,
    row,
    search,
    stopped_by,
    with_input,
)

TARGET = Path(__file__).parent / "LEFTOUT.md"
HEAD = """# Checks that are left out

Written by `python tests/soundness/leftout_table.py`; `leftout/` has the inputs,
`test_leftout.py` asks every row anew.

Each place where the prover or the checker gives up is left out, alone, in memory; and each
bound below is made wrong. The input is then called right by that side alone: the prover of the
model, the checker of the certificate (forged, or of a prover that lets everything pass). Who
stops it then, with no real runs: the other side, or the claim rules, which refuse the program.
The last column is what real runs say where both sides are broken: the checker without this
check, asked about a certificate that no honest prover writes.
"""


def main() -> int:
    """Writes the table. Returns 1 where something is stopped by nobody."""
    warnings.simplefilter("ignore")
    if "--search" in sys.argv:
        FOUND.write_text(json.dumps(search(), indent=0, sort_keys=True) + "\n")
        found.cache_clear()
    rows = {what: _line(what) for what in with_input()}
    parts = [HEAD, _counts(rows)]
    for title, of_prover in (("The prover", True), ("The checker", False)):
        inside: list[What] = [s for s in sites() if s.of_prover is of_prover]
        parts += [f"\n## {title} gives up\n", *_table(inside, rows)]
    for title, edits in (
        ("Bounds and counts of the prover", PROVERS),
        ("Bounds and counts of the checker", CHECKERS),
    ):
        parts += [
            f"\n## {title}\n",
            *_table([edit for edit in edits if edit in rows], rows),
        ]
        parts += [
            "\nNo input was found for, and none is known:\n",
            *(f"- `{e}`" for e in edits if e not in rows),
        ]
    TARGET.write_text("\n".join(parts) + "\n")
    return any("NOBODY" in line for line in rows.values())


def _line(what: What) -> str:
    name = found()[str(what)]
    line = row(what, name)
    gate = (
        ""
        if what.of_prover or name.partition("/")[0] in AS_STATED
        else _gate(what, name)
    )
    return f"`{name}` | {stopped_by(line)} | {gate}"


def _gate(what: What, name: str) -> str:
    said = of_gate(what, name)
    return "does not see it" if said == PROVED else "stops it"


def _table(inside: list[What], rows: dict[What, str]) -> list[str]:
    found_ = [
        "| left out | input | stopped by | real runs |",
        "|---|---|---|---|",
    ]
    for what in inside:
        text = str(what).replace("|", "\\|")
        found_.append(
            f"| {text} | {rows[what]} |"
            if what in rows
            else f"| {text} | none: {reason(what) or 'NOT KNOWN'} | | |"
        )
    return found_


def _counts(rows: dict[What, str]) -> str:
    lines = list(rows.values())
    seen, not_seen = (
        sum(text in line for line in lines)
        for text in ("stops it", "does not see it")
    )
    open_ = sum(str(s) not in found() and reason(s) is None for s in sites())
    return (
        f"{len(sites())} places: {sum(s in rows for s in sites())} with an input,"
        f" {sum(reason(s) is not None for s in sites())} with the reason why there can"
        f" be none, {open_} with neither. {len(rows) - sum(s in rows for s in sites())}"
        " wrong bounds with an input. Stopped by nobody:"
        f" {sum('NOBODY' in line for line in lines)}. With both sides broken real runs"
        f" stop {seen} of {seen + not_seen}."
    )


if __name__ == "__main__":
    sys.exit(main())
