"""Proofs over domains that nobody enumerates, at full size."""

from __future__ import annotations

import pytest
from conftest import bundled_model

from handcraft import Head, Program, after, position, scratch, token
from handcraft.proof import verify


def test_aab_over_256_positions() -> None:
    """Every one of the 2^257 - 2 contexts, with the margin 1023 up to its last bits."""
    p, t, v = position(256), token("ab"), scratch("v")
    pair = Head(
        query=1024 * (p + p.previous),
        key=p,
        value={v: t["a"] - t["b"]},
        adds={t["a"]: 1024 - 1024 * v, t["b"]: 1024 * v},
    )
    program = Program(
        name="long",
        embedding=(p, t, v),
        layers=(pair,),
        claim=after({"aa": "b", "ab": "a", "ba": "a"}),
    )
    report = verify(program.build(), methods=["certificate"])
    assert (report.verdict, report.contexts) == ("proved", 2**257 - 2)
    assert report.min_margin == pytest.approx(
        1023, abs=1e-3
    )  # the last rounding of a logit is not seen to be none


@pytest.mark.parametrize(
    ("name", "way", "contexts", "margin"),
    [
        ("induction", "lanes", sum(26**n for n in range(1, 65)), 48.99),
        ("majority", "certificate", sum(26**n for n in range(1, 63)), 0.87),
        ("adder", "certificate", 10**20, 0.2),
    ],
)
def test_large_domains_are_proved(
    name: str, way: str, contexts: int, margin: float
) -> None:
    """Each context is counted, and the margin that is certain is near the one that is found."""
    report = verify(bundled_model(name), methods=[way])
    assert (report.verdict, report.contexts) == ("proved", contexts)
    assert report.min_margin is not None
    assert report.min_margin > margin
