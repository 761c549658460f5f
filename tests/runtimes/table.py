"""docs/runtimes.md as data: what it says of each program in each runtime."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "runtimes.md"


@cache
def tables() -> list[dict[str, dict[str, str]]]:
    """The cells of the two tables after the mark, by program and column."""
    found = []
    for text in PAGE.read_text().split("<!-- table -->")[1].split("## float16"):
        head, _, *body = [
            line.split(" | ")
            for line in re.findall(r"^\|\s?(.*?)\s?\|$", text, re.MULTILINE)
        ]
        found.append(
            {
                row[0].strip("`"): dict(zip(head[1:], row[1:], strict=True))
                for row in body
            }
        )
    return found


def documented(name: str, to: str) -> tuple[int, float]:
    """How many contexts of a program are compared, and how far a logit may be away in a runtime."""
    row = tables()[0][name]
    return int(row["contexts"].replace(",", "")), float(row[to])


def documented_low(name: str, dtype: str) -> int:
    """In how many contexts another token is first at low precision."""
    return int(tables()[1][name][dtype].split(" of ")[0].replace(",", ""))
