"""What wrong programs share: models, and how a program is entered by its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from handcraft import Head, Program, position, scratch, token

Make = Callable[[], Program]


def entered(where: dict[str, Make]) -> Callable[[Make], Make]:
    """What enters a program there by its name."""

    def enter(make: Make) -> Make:
        where[make.__name__] = make
        return make

    return enter


def followed(p: Any, t: Any, says: dict[str, str], at: int = 1024) -> Head:
    """Each token is followed by what `says` names."""
    rows: dict[Any, Any] = {}
    for before, behind in says.items():
        rows[t[behind]] = rows.get(t[behind], 0 * t[before]) + 64 * t[before]
    return Head(query=at * p, key=p, value=t, adds=rows)


def always_a(letters: str, claim: Any) -> Program:
    """The model says a after everything."""
    p, t, v = position(3), token(letters), scratch("v")
    look = Head(
        query=1024 * p, key=p, value={v: t["a"]}, adds={t["a"]: 4 + 4 * v}
    )
    return Program(embedding=(p, t, v), layers=(look,), claim=claim)
