"""A program with a window of any length, for what is measured as windows grow."""

from __future__ import annotations

from handcraft import Head, Program, after, position, scratch, token

LARGE = 1024


def aab(n_ctx: int) -> Program:
    """The aab program with a window of n_ctx."""
    p, t, v = position(n_ctx), token("ab"), scratch("v")
    pair = Head(
        query=LARGE * (p + p.previous),
        key=p,
        value={v: t["a"] - t["b"]},
        adds={t["a"]: LARGE - LARGE * v, t["b"]: LARGE * v},
    )
    return Program(
        embedding=(p, t, v),
        layers=(pair,),
        claim=after({"aa": "b", "ab": "a", "ba": "a"}),
        name="aab",
    )
