"""Helpers for an author's own tests: an assertion that a program is right, and random contexts.

    from hypothesis import given
    from handcraft.testing import assert_accurate, contexts

    def test_program():
        assert_accurate(program)

Rules of this file: it verifies as `handcraft verify` does, and what is not certain fails unless
the author says that a sample is enough; a failure shows the counterexample with its attention
table.
"""

from __future__ import annotations

from collections.abc import Sequence

from handcraft.core.arguments import asked_call
from handcraft.core.errors import either
from handcraft.program.contexts import contexts
from handcraft.program.program import ClaimLike
from handcraft.proof.task import Budget
from handcraft.results.opening import Openable
from handcraft.results.verify import ShownReport, verify

__all__ = ["assert_accurate", "contexts"]


@asked_call("assert_accurate")
def assert_accurate(
    program: Openable,
    *,
    method: str | Sequence[str] | None = None,
    budget: str | int | Budget | None = None,
    claim: ClaimLike = None,
    dtype: str | None = None,
    sampled: bool = False,
) -> None:
    """Check that a program is right about everything that it claims, as `handcraft verify` does.

    It is proved, or every context is checked. Where there are too many contexts for both, some
    are drawn: that no mistake is found among them passes only with `sampled=True`, unless they
    are all that there are.

    program  a Program, a Model, a path, or the name of a bundled program
    method   lanes, certificate, exhaustive or sampled: only these are tried, in this order
    budget   at most so many contexts (10000), or seconds ("30s")
    claim    the model is held to this claim instead of the program's own
    dtype    float32 or float64
    sampled  True if contexts that are drawn are enough

    Raises AssertionError with the counterexample and its attention table, or where nothing is
    decided; ProgramError for a program without a claim.
    """
    found = verify(
        program, method=method, budget=budget, claim=claim, dtype=dtype
    )
    certain = (
        found.verdict == "proved"
        or found.method == "exhaustive"
        or found.every_context is True
    )
    bounded = found.verdict == "bounded"  # of the other contexts nobody knows
    if found.exit_code or bounded or not (certain or sampled):
        raise AssertionError(_failure(found, method))


def _failure(found: ShownReport, method: str | Sequence[str] | None) -> str:
    """The reason why a report is no success, in full."""
    if found.verdict == "bounded":
        only = f"{found.covered} of {found.contexts} are surely right"
        return "; ".join(
            filter(None, (f"{found.program}: only {only}", _wrong(found)))
        )
    if found.counterexample is not None:
        return f"{_wrong(found)}\n\n{found.trace}"
    because = f": {found.reason}" if found.reason else ""
    if found.verdict == "checked":
        certain = method is None or "exhaustive" in method
        other = "a larger budget=" if certain else "leave out method="
        return (
            f"{found.program} is neither proved nor checked exhaustively{because}; pass"
            f" sampled=True if that is enough, or {other}"
        )
    verdict = "undecided" if found.verdict == "unknown" else found.verdict
    return f"{found.program} is {verdict}{because}"


def _wrong(found: ShownReport) -> str:
    """The counterexample in one line."""
    wrong = found.counterexample
    if wrong is None:
        return ""
    margin = "" if wrong.margin is None else f" (margin {wrong.margin:.6g})"
    place = f"after {wrong.tokens}"
    if wrong.position is not None:
        place = f"at position {wrong.position} of {wrong.tokens}"
    right = wrong.expected
    several = right if isinstance(right, tuple | list) else (right,)
    got = f"got {wrong.got!r}"
    if found.tied is not None:
        got = f"but {' and '.join(map(repr, found.tied))} are equal"
    said = f"expected {either(map(repr, several))}, {got}{margin}"
    return f"{found.program} {place}: {said}"
