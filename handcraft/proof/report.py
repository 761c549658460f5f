"""Holds the report of a verification, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from handcraft.core.errors import either

# only a certificate is rejected
Verdict = Literal[
    "proved", "bounded", "checked", "refuted", "unknown", "rejected"
]
OPTIONAL = (  # reported where there is one
    "max_probability_error",
    "max_lane_error",
    "error_bound",
    "assumptions",
    "min_margin_position",
    "failed",
    "weights",
    "every_context",
    "claim",
    "compared",
    "contributions",
    "departures",
    "unsaid",
    "row",
    "accuracy_at_least",
    "covered",
    "longest",
)
ENOUGH = 0.5  # a bound below this decides nothing
EXIT_CODES: dict[Verdict, int] = {
    "proved": 0,
    "bounded": 0,
    "checked": 0,
    "refuted": 1,
    "unknown": 3,
    "rejected": 1,
}


@dataclass(frozen=True)
class Counterexample:
    """The shortest context on which the model is wrong. `expected` and `got` are tokens, or
    probabilities; `expected` is a tuple where several tokens are right. A tie is wrong, too: its
    margin is 0, and `got` is the token that is as great as a right one.

    position  the position in the text, if texts are judged at every position; else the model is
              wrong at the end
    """

    tokens: list[str]
    expected: Any
    got: Any
    margin: float | None
    position: int | None = None

    def to_json(self) -> dict[str, Any]:
        """The counterexample as plain data; the position where there is one."""
        expected = self.expected
        if isinstance(expected, tuple):
            expected = list(expected)
        found = vars(self) | {"expected": expected}
        return {
            key: value
            for key, value in found.items()
            if value is not None or key != "position"
        }


@dataclass(frozen=True)
class Report:
    """The verdict on a claim, and the numbers it rests on.

    contexts    the number of contexts covered; for a claim on prompts, of prompts
    checked     the number of those where the claim speaks
    accuracy    the share of `checked` that is right; None for a distribution, or where nothing
                was checked
    min_margin  the least logit margin; `min_margin_at` is the context where it occurs, and
                `min_margin_position` the position in it, if texts are judged at every position
    reason      why the verdict is not stronger
    error_bound, assumptions   of a proof: how far float arithmetic can be off, and what is
                               taken for granted
    failed      of a refutation: "weights" where they are not what the rules say, "claim" where
                there is a counterexample, or both
    weights     how far they are from the rules: the number of cells that differ, the first one,
                the largest difference and its cell
    every_context  True where contexts were drawn, and all that there are came
    claim       the file whose claim alone the model was held to
    compared        of a counterexample, the right token (the best of several) and the wrong one
    contributions   the amounts that each rule gave to their logits (handcraft.analysis.blame)
    departures      of a counterexample, the first lanes that left their meaning; of a model that
                    is right, the first that was seen to leave what its author says, and the
                    context
    unsaid          of a counterexample where no lane is known to have left its meaning, the lanes
                    whose meaning nobody said
    row             of a counterexample to a table of endings, the ending that decides there, and
                    the line of the claim
    accuracy_at_least, covered   of a bound: the number of contexts that are surely right, and
                    their share of `checked`, rounded down
    longest         of a proof, if it was asked for: up to how many tokens it holds, where the last
                    row of `wpe` is repeated (handcraft.proof.longest)
    """

    program: str
    verdict: Verdict
    method: str
    contexts: int
    checked: int
    accuracy: float | None
    min_margin: float | None
    counterexample: Counterexample | None
    dtype: str
    seconds: float
    min_margin_at: list[str] | None = None
    max_probability_error: float | None = None
    max_lane_error: float | None = None
    reason: str | None = None
    error_bound: float | None = None
    assumptions: list[str] | None = None
    min_margin_position: int | None = None
    failed: list[str] | None = None
    weights: dict[str, Any] | None = None
    every_context: bool | None = None
    claim: str | None = None
    compared: list[str] | None = None
    contributions: list[dict[str, Any]] | None = None
    departures: list[dict[str, Any]] | None = None
    unsaid: list[str] | None = None
    row: dict[str, Any] | None = None
    accuracy_at_least: float | None = None
    covered: int | None = None
    longest: int | None = None

    @property
    def tied(self) -> tuple[str, str] | None:
        """The right token of the counterexample, the best of several, and the other one, where the
        logits of the two are equal.
        """
        wrong = self.counterexample
        if wrong is None or wrong.margin != 0 or not isinstance(wrong.got, str):
            return None
        if isinstance(wrong.expected, str):
            return wrong.expected, wrong.got
        return (self.compared[0], wrong.got) if self.compared else None

    @property
    def exit_code(self) -> int:
        """The exit code: 0 where the claim holds, 1 where it or its certificate is refuted, 3 where
        it is undecided, or less than half is certain.
        """
        if self.verdict == "bounded" and (self.accuracy_at_least or 0) < ENOUGH:
            return EXIT_CODES["unknown"]
        return EXIT_CODES[self.verdict]

    def to_json(self) -> dict[str, Any]:
        """The report as plain data."""
        wrong = self.counterexample.to_json() if self.counterexample else None
        found = vars(self) | {"counterexample": wrong}
        return {
            key: value
            for key, value in found.items()
            if value is not None or key not in OPTIONAL
        }


def wrong_line(found: Report) -> str:
    """The counterexample of a report in one line; empty where there is none."""
    wrong = found.counterexample
    if wrong is None:
        return ""
    place = place_of(wrong.tokens, wrong.position)
    margin = "" if wrong.margin is None else f" (margin {wrong.margin:.6g})"
    got = f"got {_said(wrong.got)}"
    if found.tied is not None:
        got = f"but {' and '.join(map(_said, found.tied))} are equal"
    return f"wrong {place}: expected {_said(wrong.expected)}, {got}{margin}"


def place_of(tokens: Sequence[str], position: int | None) -> str:
    """A context, or a position of a text, counted from 0 as in every table."""
    text = f"'{''.join(tokens)}'"
    return (
        f"after {text}"
        if position is None
        else f"at position {position} of {text}"
    )


def _said(value: object) -> str:
    if isinstance(value, tuple):
        return either(map(_said, value))
    return f"'{value}'" if isinstance(value, str) else str(value)
