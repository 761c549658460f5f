"""docs/runtimes.md as data: what it says of each program in each runtime."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "runtimes.md"


@cache
def rows() -> dict[str, dict[str, str]]:
    """The cells of the first table, by program and column."""
    lines = re.findall(r"^\| (.*) \|$", PAGE.read_text().split("<!-- table -->")[1].split("## float16")[0], re.MULTILINE)
    head, *body = [line.split(" | ") for line in lines]
    return {row[0].strip("`"): dict(zip(head[1:], row[1:], strict=True)) for row in body}


def documented(name: str, to: str) -> tuple[int, float]:
    """How many contexts of a program are compared, and how far a logit may be away in a runtime."""
    row = rows()[name]
    return int(row["contexts"].replace(",", "")), float(row[to])
