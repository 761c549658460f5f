"""The second look: what another order of summation could turn is judged by the pass that `run`
makes, and by no longer one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from handcraft import (
    MLP,
    Model,
    Neuron,
    Program,
    after,
    answers,
    position,
    token,
)
from handcraft.core.gpt2 import Array, gpt2
from handcraft.proof import Budget, verify


def nearly(claim: Any, dtype: str) -> Model:
    """After "a" b is ahead of a by some last bits; after more a is ahead by much. The token
    itself adds 1.
    """
    ahead = 1001.1 * (1 + 3 * float(np.finfo(dtype).eps))
    p, t = position(3), token("ab")
    later = Neuron(when=p[1] + p[2], adds={t["a"]: 64})
    early = MLP(
        [later, Neuron(when=1.0 * p[0], adds={t["a"]: 1000.1, t["b"]: ahead})]
    )
    program = Program(
        name="nearly",
        embedding=(p, t),
        layers=(early, MLP([], adds={t["a"]: 0.1, t["b"]: 0.1})),
        claim=claim,
    )
    return Model.of(program, dtype)


@pytest.fixture
def leaning(monkeypatch: pytest.MonkeyPatch) -> None:
    """A forward pass whose rows before the last one round in favour of a: what a text begins
    with is another sum alone.
    """

    def leans(ids: Array, **options: Any) -> Array:
        logits = gpt2(ids, **options).copy()
        logits[..., :-1, 0] += 5000 * np.finfo(logits.dtype).eps
        return logits

    for module in ("judge", "second"):
        monkeypatch.setattr(f"handcraft.proof.{module}.gpt2", leans)


@pytest.mark.usefixtures("leaning")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_answer_is_judged_by_the_prompt_alone(dtype: str) -> None:
    """A pass over prompt and answer says a, and `run` says b: the answer is wrong."""
    model = nearly(answers("a", lambda _: "aa"), dtype)
    report = verify(model, methods=["exhaustive"])
    assert (report.verdict, report.accuracy) == ("refuted", 0.0)
    assert report.counterexample is not None
    assert (report.counterexample.tokens, report.counterexample.got) == (
        ["a"],
        "b",
    )


@pytest.mark.usefixtures("leaning")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_beginning_of_a_drawn_text_is_judged_by_itself(dtype: str) -> None:
    """A pass over a longer text says a after its first token, and `run` says b."""
    model = nearly(after({"a": "a"}), dtype)
    report = verify(model, methods=["sampled"], budget=Budget(contexts=20))
    assert report.verdict == "refuted"
    assert report.counterexample is not None
    assert len(report.counterexample.tokens) == 1
