"""A small program to enumerate, and verification by enumeration alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from handcraft import Model, Program, position, proof, scratch, token
from handcraft.proof import Report


def verify(model: Model, **options: Any) -> Report:
    """Verification by enumeration alone: much of what these tests ask could be proved without."""
    return proof.verify(model, methods=["exhaustive"], **options)


def latest(n_ctx: int, claim: Any = None) -> Model:
    """A program that repeats the last letter, over a and b."""
    p, t, v = position(n_ctx), token("ab"), scratch("v")
    return Program(
        name="latest",
        embedding=(p, t, v),
        claim=claim or (lambda context: context[-1]),
    ).build()


def same(report: Report) -> Report:
    """A report without its time."""
    return replace(report, seconds=0.0)
