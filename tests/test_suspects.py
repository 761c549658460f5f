"""What a proof could not show to be right is asked by itself: it is wrong, and then it is the
counterexample, or it is right, and then the reason says so.
"""

from __future__ import annotations

import pytest
from conftest import bundled_model, claiming

from handcraft import after
from handcraft.proof import verify
from handcraft.proof.prove import undecided
from handcraft.proof.prover.network import Undecided
from handcraft.proof.task import Outcome, Task
from handcraft.proof.verify import METHODS


def suspecting(context: tuple[int, ...]) -> object:
    """A method that gives up after a context."""

    def gives_up(task: Task) -> Outcome:
        text = task.model.vocabulary.decode(list(context))
        why = f"the margin may be -1 after '{text}'"
        return undecided(Undecided(why, context))

    return gives_up


def test_a_suspect_that_is_right_is_no_counterexample(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The report says why there is no proof, and what a run of that context has."""
    monkeypatch.setitem(METHODS, "certificate", suspecting((1, 0)))  # type: ignore[arg-type]
    report = verify(bundled_model("aab"))
    assert (report.verdict, report.method) == ("checked", "exhaustive")
    assert report.reason == (
        "not proved: the margin may be -1 after 'ba', but a run of that is right, by 1025"
    )


@pytest.mark.slow
def test_a_suspect_of_prompts_is_asked_as_a_prompt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the claim is about prompts, the prompt that it begins with is asked, with its whole
    answer.
    """
    model = bundled_model("parity")
    context = tuple(model.vocabulary.encode("^10="))
    monkeypatch.setitem(METHODS, "certificate", suspecting(context))  # type: ignore[arg-type]
    report = verify(model, methods=["certificate", "sampled"])
    assert report.reason is not None
    assert "the margin may be -1 after '^10=', but a run of" in report.reason


def test_a_suspect_that_is_wrong_is_the_counterexample(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One ending of a table is wrong, and no method but the prover's suspicion finds it."""
    wrong = claiming(after({"aa": "b", "ab": "b", "ba": "a"})).build()
    monkeypatch.setitem(METHODS, "certificate", suspecting((0, 1)))  # type: ignore[arg-type]

    def sees_nothing(task: Task) -> Outcome:
        return METHODS["lanes"](task) or undecided(Undecided("nothing"))

    monkeypatch.setitem(METHODS, "exhaustive", sees_nothing)  # type: ignore[arg-type]
    report = verify(wrong, methods=["certificate", "exhaustive"])
    assert report.verdict == "refuted"
    assert report.counterexample is not None
    assert report.counterexample.tokens == ["a", "b"]
