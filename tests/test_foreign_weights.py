"""Weights without rules, held to a claim alone: an unembedding of their own and another epsilon of
the layer norms count in every way of asking.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import bundled_model, random_weights

import handcraft
from handcraft.claims.words import after
from handcraft.core.gpt2 import EPSILON, gpt2
from handcraft.model import Model
from handcraft.program.matching import differences
from handcraft.proof.enumerate import compiled
from handcraft.proof.enumerate.trie import enumerate_contexts
from handcraft.proof.judge import Judge
from handcraft.proof.tally import Tally

AB = ("a", "b")
N_CTX = 4


def foreign(
    *, untied: bool, epsilon: float, seed: int = 3, n_layer: int = 2
) -> Model:
    """A model of random weights with layer norms, and no rules. Its embeddings are small, so that
    the epsilon decides what comes out.
    """
    weights = random_weights(
        seed, n_vocab=2, n_ctx=N_CTX, n_layer=n_layer, dtype="float32"
    )
    for key in ("wte", "wpe"):
        weights[key] *= np.float32(0.05)
    if untied:
        weights["lm_head"] = weights["wte"][::-1].copy()
    model = bundled_model("aab").replace(program=None)
    return model.replace(weights=weights, n_head=2, epsilon=epsilon)


def said(model: Model, context: str) -> str:
    """The most likely token by the plain forward pass."""
    ids = np.array([AB.index(token) for token in context])
    logits = gpt2(ids, **model.weights, **model.config)
    return AB[int(logits[-1].argmax())]


def lead_of(model: Model, context: str, token: str) -> float:
    """How far a token is ahead of the other one."""
    ids = np.array([AB.index(token) for token in context])
    logits = gpt2(ids, **model.weights, **model.config)[-1]
    right = AB.index(token)
    return float(logits[right]) - float(logits[1 - right])


def contexts() -> list[str]:
    """All contexts, the shortest first."""
    return [
        "".join(tokens)
        for length in range(1, N_CTX + 1)
        for tokens in itertools.product(AB, repeat=length)
    ]


KINDS = list(itertools.product([False, True], [EPSILON, 1e-6, 30.0]))


@pytest.mark.parametrize(("untied", "epsilon"), KINDS)
@pytest.mark.parametrize("method", ["exhaustive", "sampled"])
def test_a_claim_that_is_wrong_once_is_refuted(
    untied: bool, epsilon: float, method: str
) -> None:
    """The claim says what the model says, but after one context; then it is true."""
    model = foreign(untied=untied, epsilon=epsilon)
    table = {context: said(model, context) for context in contexts()}
    right = handcraft.verify(model, claim=after(table), method=method)
    assert right.accuracy == 1
    assert right.min_margin == pytest.approx(
        min(lead_of(model, x, table[x]) for x in contexts()), rel=1e-3
    )
    for context in (contexts()[0], contexts()[-1]):
        other = AB[1 - AB.index(table[context])]
        wrong = after(table | {context: other})
        found = handcraft.verify(model, claim=wrong, method=method)
        assert found.verdict == "refuted"


@pytest.mark.parametrize(("untied", "epsilon"), KINDS)
def test_shared_prefixes_give_the_logits_of_the_forward_pass(
    untied: bool, epsilon: float
) -> None:
    """Every context, by the trie."""
    model = foreign(untied=untied, epsilon=epsilon)
    for chunk in enumerate_contexts(model.weights, N_CTX, **model.config):
        ids = chunk.ids(2)
        plain = gpt2(ids, **model.weights, **model.config)[:, -1]
        np.testing.assert_allclose(chunk.logits, plain, rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(not compiled.available(), reason="needs numba")
@pytest.mark.parametrize(("untied", "epsilon"), KINDS)
def test_the_compiled_walk_finds_what_is_right(
    untied: bool, epsilon: float
) -> None:
    """What machine code counts is counted with the same unembedding and the same epsilon. Without
    layers, so that no lead is small enough to be asked again.
    """
    for seed in range(6):
        model = foreign(untied=untied, epsilon=epsilon, seed=seed, n_layer=0)
        claim = after({context: said(model, context) for context in contexts()})
        judge, tally = Judge(model, claim), Tally()
        assert compiled.Engine(judge).count(tally, (), N_CTX, lambda _: True)
        assert (tally.correct, tally.checked) == (len(contexts()),) * 2


@pytest.mark.parametrize("change", ["less", "more", "shape"])
def test_weights_of_another_form_are_not_what_the_rules_say(
    change: str,
) -> None:
    """An array that is missing, one too many, and one of another shape are differences."""
    model = bundled_model("aab")
    assert model.program is not None
    weights: dict[str, Any] = dict(model.weights)
    if change == "less":
        weights["blocks"] = [{}]
    if change == "more":
        weights["blocks"] = [*weights["blocks"], *weights["blocks"]]
    if change == "shape":
        weights["wpe"] = weights["wpe"][:-1]
    assert differences(model.weights, model.program) is None
    assert differences(weights, model.program) is not None


def test_an_export_is_held_to_the_claim_it_came_from(tmp_path: Path) -> None:
    """Its layer norms have an epsilon of their own."""
    handcraft.export("aab", "gpt2", tmp_path / "gpt2")
    found = handcraft.verify(tmp_path / "gpt2", claim="aab")
    assert (found.verdict, found.contexts, found.claim) == (
        "checked",
        62,
        "aab",
    )
    wrong = handcraft.verify(tmp_path / "gpt2", claim={"aa": "a"})
    assert (wrong.verdict, wrong.failed) == ("refuted", ["claim"])
    assert wrong.claim == "after({'aa': 'a'})"


def test_weights_without_rules_say_that_they_see_the_whole_text(
    tmp_path: Path,
) -> None:
    """Their file has the mask, which rules would say; what is read again computes the same."""
    model = bundled_model("aab").replace(program=None, causal=False)
    model.save(tmp_path / "out")
    read = handcraft.open(tmp_path / "out")
    assert not read.causal
    assert (read("aaba") == model("aaba")).all()
    model.replace(causal=True).save(tmp_path / "causal")
    assert '"causal"' not in (tmp_path / "causal/program.json").read_text()
    assert handcraft.open(tmp_path / "causal").causal
