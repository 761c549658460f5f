"""The gate of real runs: what a proof states that no run bears out is never `proved`, whoever
accepted it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from conftest import bundled_model

from handcraft import Model, after
from handcraft.core.weights import flatten
from handcraft.proof import Report, gate, verify
from handcraft.proof import prove as certified
from handcraft.proof.checker import Found
from handcraft.proof.prover.recorder import Recorded, Recorder

BUG = "; this is a bug of handcraft"


def honest(model: Model) -> Found:
    """What the checker finds of an honest certificate."""
    return (
        Recorder(model, model.program.claim, float("inf"), lambda *_: None)
        .recorded()
        .found
    )  # type: ignore[union-attr, arg-type]


def with_found(
    monkeypatch: pytest.MonkeyPatch, model: Model, found: Found
) -> Report:
    """The verdict where the checker is made to have found this."""
    nothing = Recorded(None, found)  # type: ignore[arg-type]
    monkeypatch.setattr(certified, "recorded", lambda _: nothing)
    return verify(model)


def changed(found: Found, **fields: Any) -> Found:
    """The first example with other fields."""
    return replace(
        found,
        examples=[replace(found.examples[0], **fields), *found.examples[1:]],
    )


def test_what_is_true_is_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what the checker found nothing is in the way."""
    model = bundled_model("aab")
    assert with_found(monkeypatch, model, honest(model)).verdict == "proved"


def test_a_margin_that_a_run_undercuts_is_a_bug(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """1023 is the least margin of aab; a proof of 1024 is none."""
    model = bundled_model("aab")
    report = with_found(
        monkeypatch, model, replace(honest(model), margin=1024.0)
    )
    said = (
        "a proof was found and checked, but a real run has the margin 1023, and the"
        " proof says at least 1024" + BUG
    )
    assert (report.verdict, report.reason) == ("unknown", said)


def test_an_error_that_a_run_exceeds_is_a_bug(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Bigram's probabilities are off by a little; a proof that they are exact is none."""
    model = bundled_model("bigram")
    report = with_found(monkeypatch, model, replace(honest(model), error=0.0))
    assert report.verdict == "unknown"
    assert report.reason is not None
    assert report.reason.startswith(
        "a proof was found and checked, but a real run has the error "
    )
    assert report.reason.endswith("and the proof says at most 0" + BUG)


def test_an_example_with_another_token_is_a_bug(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The proof took another token for right than the claim says."""
    model = bundled_model("aab")
    found = honest(model)
    report = with_found(
        monkeypatch,
        model,
        changed(found, expected=1 - found.examples[0].expected),
    )
    assert report.verdict == "unknown"
    assert "the claim does not say there what the proof takes for right" in (
        report.reason or ""
    )


def test_an_example_outside_its_bounds_is_a_bug(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A logit of the example lies elsewhere."""
    model = bundled_model("aab")
    found = honest(model)
    low, high = found.examples[0].low + 1, found.examples[0].high + 1
    report = with_found(monkeypatch, model, changed(found, low=low, high=high))
    assert report.verdict == "unknown"
    assert "as the proof says" in (report.reason or "")


def test_a_wrong_model_that_was_proved_is_refuted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every context of a small model is run, whatever the proof says."""
    model = bundled_model("aab")
    found = replace(honest(model), examples=[])
    program = model.program.model_copy(
        update={"claim": after({"aa": "a", "ab": "a", "ba": "a"})}
    )  # type: ignore[union-attr]
    wrong = program.build()
    report = with_found(monkeypatch, wrong, found)
    assert (report.verdict, report.exit_code) == ("refuted", 1)
    assert report.counterexample is not None
    assert report.counterexample.tokens == ["a", "a"]


def test_fewer_tokens_of_a_larger_model_are_run_but_as_many_contexts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the runs near a proof may cost is limited by numbers that are multiplied; the contexts
    that are asked in all stay as many.
    """
    model = bundled_model("flip_flop")
    found = honest(model)
    size = found.contexts
    numbers = sum(w.size for w in flatten(model.weights).values())

    def asked(work: int) -> tuple[int, int]:
        monkeypatch.setattr(gate, "_WORK", work)
        of = gate.Gate(model, model.program.claim, size, lambda *_: None)
        return of.most_read, of.ask(found.examples).contexts

    many, few = asked(2**35), asked(100 * numbers)
    assert (many[0], few[0]) == (2**17, 100)
    assert many[1] >= 20_000
    assert few[1] >= 20_000
