"""Wrong programs with claims about whole texts, which no proof follows yet."""

from __future__ import annotations

from handcraft import Head, Program, each, position, scratch, token
from handcraft.sequence.words import count, lookup
from leftout.shared import Make, entered

WRONG: dict[str, Make] = {}
wrong = entered(WRONG)


@wrong
def sees_what_follows() -> Program:
    """Each position is asked about the whole text: ab is answered with bb, the model says ab."""
    p, t, v = position(2), token("ab"), scratch("v")
    look = Head(value={v: t["b"]}, adds={t["a"]: 16, t["b"]: 64 * v})
    claim = each(lookup({0: "a", 1: "b", 2: "b"}, count({0: "b"})))
    return Program(embedding=(p, t, v), layers=(look,), claim=claim)
