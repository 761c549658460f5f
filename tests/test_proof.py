"""Verification: every context enumerated, or contexts drawn, and the claim asked in plain
Python.
"""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
from conftest import (
    Refused,
    bundled_model,
    claiming,
    endings,
    every,
    examples,
    no_claim,
)
from hypothesis import given

from handcraft import (
    Head,
    Model,
    Program,
    after,
    distribution,
    position,
    residual,
    scratch,
    token,
)
from handcraft.core.errors import ProgramError
from handcraft.proof import Budget, Report, verify
from handcraft.recipes import addresses, attend_to
from handcraft.sequence.words import here, token_at

# ---------------------------------------------------------------- exhaustive verdicts


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_aab_is_checked_whole(dtype: str) -> None:
    """All 62 contexts of aab are covered, the claim speaks on 45, and the least margin is
    exactly 1023.
    """
    report = verify(bundled_model("aab", dtype), methods=["exhaustive"])
    assert report == Report(
        program="aab",
        verdict="checked",
        method="exhaustive",
        contexts=62,
        checked=45,
        accuracy=1.0,
        min_margin=1023.0,
        counterexample=None,
        dtype=dtype,
        seconds=report.seconds,
        min_margin_at=["a", "a"],
    )
    assert report.exit_code == 0


def plain_check(model: Model, reference: Any) -> tuple[int, int, list[str]]:
    """How often the claim speaks, how often the model agrees, and the shortest context where it
    does not.
    """
    spoken, right, wrong = 0, 0, []
    for ids in every(len(model.vocabulary), model.n_ctx):
        context = "".join(model.vocabulary.tokens[i] for i in ids)
        if (expected := reference(context)) is not None:
            logits = dict(
                zip(model.vocabulary.tokens, model(context)[-1], strict=True)
            )
            good = all(
                logits[expected] > x
                for name, x in logits.items()
                if name != expected
            )
            spoken, right = spoken + 1, right + good
            wrong += [] if good else [context]
    return spoken, right, wrong


@pytest.mark.parametrize("as_function", [False, True])
@examples(25)
@given(table=endings)
def test_verdicts_are_those_of_plain_loops(
    as_function: bool, table: dict[str, str]
) -> None:
    """Right or wrong, as data or as a function: counts, accuracy and the shortest
    counterexample are those of plain loops.
    """

    def function(context: str) -> str | None:
        fitting = [ending for ending in table if context.endswith(ending)]
        return table[max(fitting, key=len)] if fitting else None

    model = claiming(function if as_function else after(table)).build()
    spoken, right, wrong = plain_check(model, function)
    report = verify(model)
    assert (report.contexts, report.checked, report.accuracy) == (
        62,
        spoken,
        right / spoken,
    )
    assert (report.verdict, report.exit_code) == (
        ("refuted", 1) if wrong else ("checked" if as_function else "proved", 0)
    )
    if wrong:
        found = report.counterexample
        assert found is not None
        assert "".join(found.tokens) == wrong[0]
        assert (found.expected, {found.expected, found.got}) == (
            function(wrong[0]),
            {"a", "b"},
        )
        assert found.margin is not None
        assert found.margin < 0
    else:
        assert report.counterexample is None


def test_a_claim_wrong_in_one_context_is_found() -> None:
    """Of 32,766 contexts the single one on which the claim differs from the model is found."""
    p, t, v = position(14), token("ab"), scratch("v")
    program = Program(
        name="latest",
        embedding=(p, t, v),
        claim=lambda c: c[-1] if c != "abbabaaabbabab" else "a",
    )
    report = verify(program.build())
    assert (report.contexts, report.checked, report.verdict) == (
        2**15 - 2,
        2**15 - 2,
        "refuted",
    )
    assert report.accuracy == 1 - 1 / (2**15 - 2)
    assert report.counterexample is not None
    assert (
        "".join(report.counterexample.tokens),
        report.counterexample.expected,
    ) == (
        "abbabaaabbabab",
        "a",
    )


def test_a_tie_is_wrong() -> None:
    """Two equal logits are no answer: the margin is zero and the claim refuted."""
    p, t, v = position(2), token("ab"), scratch("v")
    tied = Program(
        embedding=(p, t, v),
        layers=(Head(value={v: 1}, adds={t["a"]: v}),),
        claim=after({"b": "b"}),
    )
    report = verify(tied.build())
    assert (report.verdict, report.min_margin, report.accuracy) == (
        "refuted",
        0.0,
        0.0,
    )
    assert report.counterexample is not None
    assert (report.counterexample.tokens, report.counterexample.margin) == (
        ["b"],
        0.0,
    )


def test_a_model_that_is_not_finite_is_wrong() -> None:
    """A context whose logits are not a number is refuted, not passed over."""
    p, t, v = position(1), token("ab"), scratch("v")
    huge = Head(
        value={v: 1e38 * t["a"]}, adds={t["a"]: 1e38 * v, t["b"]: -1e38 * v}
    )
    with np.errstate(all="ignore"):
        assert (
            verify(
                Program(
                    embedding=(p, t, v),
                    layers=(huge, huge),
                    claim=after({"a": "b"}),
                ).build()
            ).verdict
            == "refuted"
        )


def test_a_single_token_vocabulary() -> None:
    """Where there is no other token every prediction is right, and there is no margin."""
    report = verify(
        Program(
            embedding=(position(4), token("a")), claim=after({"a": "a"})
        ).build()
    )
    assert (
        report.verdict,
        report.contexts,
        report.checked,
        report.min_margin,
    ) == (
        "proved",
        4,
        4,
        None,
    )


# ---------------------------------------------------------------- distributions


def test_a_distribution_is_checked() -> None:
    """baby_gpt has the probabilities that it states, to float32; accuracy and margin are not
    asked.
    """
    report = verify(bundled_model("baby_gpt"))
    assert (report.verdict, report.contexts, report.checked) == (
        "proved",
        14,
        8,
    )
    assert (report.accuracy, report.min_margin) == (None, None)
    assert report.max_probability_error is not None
    assert report.max_probability_error < 1e-6


def test_a_wrong_distribution_is_refuted() -> None:
    """A probability that is off by more than the tolerance is refuted with both rows; within
    it, it is not.
    """
    wrong = {"111": {"0": 0.25, "1": 0.75}}
    report = verify(claiming(distribution(wrong), "baby_gpt").build())
    assert (
        report.verdict,
        report.counterexample and report.counterexample.tokens,
    ) == (
        "refuted",
        ["1", "1", "1"],
    )
    assert report.counterexample is not None
    assert report.counterexample.expected == {"0": 0.25, "1": 0.75}
    assert report.counterexample.got == pytest.approx(
        {"0": 0.5, "1": 0.5}, abs=1e-6
    )
    assert report.max_probability_error == pytest.approx(0.25, abs=1e-6)
    assert (
        verify(
            claiming(distribution(wrong, tolerance=0.26), "baby_gpt").build()
        ).verdict
        == "proved"
    )


# ---------------------------------------------------------------- lanes of the stream


def counting(function: Any, **options: Any) -> Model:
    """A program whose lane v holds the share of a, with a claim on that lane."""
    p, t, v = position(6), token("ab"), scratch("v")
    claim = residual(v.lanes[0], function, **options)
    return Program(
        name="share",
        embedding=(p, t, v),
        layers=(Head(value={v: t["a"]}),),
        claim=claim,
    ).build()


def test_a_lane_is_checked() -> None:
    """What a lane of the stream holds in the end is checked after every context, and its
    greatest error reported.
    """
    report = verify(counting(lambda context: context.count("a") / len(context)))
    assert (
        report.verdict,
        report.contexts,
        report.checked,
        report.accuracy,
        report.min_margin,
    ) == ("checked", 126, 126, None, None)
    assert report.max_lane_error is not None
    assert 0 < report.max_lane_error < 1e-6
    assert report.max_probability_error is None


def test_a_wrong_lane_is_refuted() -> None:
    """A number that is off by more than the tolerance is refuted, with the shortest context and
    both numbers.
    """

    def first(context: str) -> float | None:
        return float(context[0] == "a") if len(context) > 1 else None

    report = verify(counting(first))
    assert (report.verdict, report.checked) == ("refuted", 124)
    assert report.counterexample is not None
    assert (
        report.counterexample.tokens,
        report.counterexample.expected,
        report.counterexample.got,
    ) == (["a", "b"], 1.0, 0.5)
    assert verify(counting(first, tolerance=1.0)).verdict == "checked"


# ---------------------------------------------------------------- what is undecided


def test_what_a_budget_does_not_cover_is_unknown() -> None:
    """A named method that cannot decide within the budget says so, and why."""
    report = verify(
        bundled_model("aab"), methods=["exhaustive"], budget=Budget(contexts=61)
    )
    assert (
        report.verdict,
        report.exit_code,
        report.contexts,
        report.checked,
        report.accuracy,
    ) == ("unknown", 3, 0, 0, None)
    assert report.reason == "there are 62 contexts, more than the budget of 61"
    assert (
        verify(
            bundled_model("aab"),
            methods=["exhaustive"],
            budget=Budget(contexts=62),
        ).verdict
        == "checked"
    )


def test_no_time_is_unknown() -> None:
    """When the time is over before every context was seen, nothing is claimed."""
    report = verify(
        claiming(after({"aa": "b"})).build(),
        methods=["exhaustive"],
        budget=Budget(seconds=-1.0),
    )
    assert report.verdict == "unknown"
    assert report.reason is not None
    assert report.reason.startswith("the time was over after ")
    assert (
        verify(bundled_model("adder"), budget=Budget(seconds=-1.0)).verdict
        == "unknown"
    )


def test_a_claim_that_is_always_silent_decides_nothing() -> None:
    """A claim that never speaks is neither checked nor refuted."""
    report = verify(claiming(no_claim).build())
    assert (report.verdict, report.checked, report.contexts) == (
        "unknown",
        0,
        62,
    )
    assert (
        report.reason == "the claim is silent on every context that was checked"
    )


def test_what_cannot_be_verified_is_refused() -> None:
    """No claim, and no such method, are errors."""
    with Refused(
        ProgramError, "aab: has no claim to verify; pass claim= to Program"
    ):
        verify(claiming(None).build())
    with Refused(
        ProgramError,
        "there is no method 'sample'; there are lanes, certificate, exhaustive, sampled; did"
        " you mean 'sampled'?",
    ):
        verify(bundled_model("aab"), methods=["sample"])


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("1000", Budget(1000, 1000)),
        ("1_000", Budget(1000, 1000)),
        ("30s", Budget(drawn=10**9, seconds=30.0)),
    ],
)
def test_budgets(text: str, budget: Budget) -> None:
    """A budget is a number of contexts or of seconds."""
    assert Budget.parse(text) == budget


@pytest.mark.parametrize(
    "text", ["", "0", "0s", "-1", "s", "1m", "1.5", "1e6", "9" * 30]
)
def test_budgets_that_are_none(text: str) -> None:
    """Anything else is refused."""
    with Refused(
        ProgramError,
        "a budget is a number of contexts or of seconds, such as 1000000 or 30s, found"
        f" {text!r}",
    ):
        Budget.parse(text)


@pytest.mark.parametrize("collects", [True, False])
def test_the_garbage_collector_is_left_as_it_was(collects: bool) -> None:
    """A proof pauses it, and gives it back whether it proves or passes."""
    was = gc.isenabled()
    try:
        gc.enable() if collects else gc.disable()
        proved, passed = (
            verify(bundled_model(name), methods=["certificate"]).verdict
            for name in ("aab", "brackets")
        )
        assert (proved, passed, gc.isenabled()) == (
            "proved",
            "unknown",
            collects,
        )
    finally:
        gc.enable() if was else gc.disable()


@pytest.mark.parametrize("back", [1, 2])
def test_a_query_whose_terms_cancel_is_proved(back: int) -> None:
    """The position that is asked for can be 0, as a sum of large numbers: prover and checker
    need not add them in one order.
    """
    at, t = addresses(6), token("abc")
    look = attend_to(at, at["p"] - back, value=t, adds=50 * t)
    claim = token_at(here - back)
    program = Program(embedding=(at, t), layers=(look,), claim=claim, d_head=5)
    report = verify(program.build(), methods=("certificate",))
    assert (report.verdict, report.method) == ("proved", "certificate")
