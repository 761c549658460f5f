"""Finds the name that was probably meant.

Two names are near where few slips of the hand lead from one to the other: one slip (a character
too many, too few, another one, or two exchanged) for each three characters of the longer name.
Near, too, are names that differ in case or signs alone (`end` and `<end>`), and a beginning of at
least three characters. Of two lanes, `slot:label`, both parts must be near. Rules of this file: a
far-fetched suggestion is worse than none.
"""

from __future__ import annotations

from collections.abc import Iterable

_CHARACTERS_A_SLIP = 3
_LONGEST = 64  # characters of a name that is compared


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is nearest to the given one, the first of equals; None where none is
    near.
    """
    given = name.casefold()
    found = ((_distance(given, one.casefold()), one) for one in known)
    near = [(far, one) for far, one in found if far is not None]
    return min(near, key=lambda pair: pair[0])[1] if near else None


def _distance(a: str, b: str) -> float | None:
    """How far two names are from each other, in slips; None where they are not near."""
    if a == b:
        return 0
    if not 0 < min(len(a), len(b)) <= max(len(a), len(b)) <= _LONGEST:
        return None
    if ":" in a and ":" in b:
        return _of_parts(a.partition(":")[::2], b.partition(":")[::2])
    if (letters := _letters(a)) and letters == _letters(b):
        return 0.5
    shorter, longer = sorted((a, b), key=len)
    most = len(longer) // _CHARACTERS_A_SLIP
    if len(longer) - len(shorter) <= most and (far := slips(a, b)) <= most:
        return far
    begins = len(longer) > len(shorter) >= 3 and longer.startswith(shorter)
    return most + 0.5 if begins else None


def _of_parts(a: Iterable[str], b: Iterable[str]) -> float | None:
    total = 0.0
    for x, y in zip(a, b, strict=True):
        if (far := _distance(x, y)) is None:
            return None
        total += far
    return total


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name))


def slips(a: str, b: str) -> int:
    """The least number of characters to insert, delete, replace or exchange with the next one."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a):
        following = [i + 1]
        for j, y in enumerate(b):
            least = min(row[j + 1] + 1, following[j] + 1, row[j] + (x != y))
            if i and j and x == b[j - 1] and a[i - 1] == y:
                least = min(least, before[j - 1] + 1)
            following.append(least)
        before, row = row, following
    return row[-1]
