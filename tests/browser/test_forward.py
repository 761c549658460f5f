"""The forward pass in the page's JavaScript, against the one in NumPy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asking import asked_contexts, prompts_of
from cli_runner import handcraft
from drawn_weights import random_weights
from node import Engine

from handcraft import Head, Model, Program, position, scratch, token, verify
from handcraft.core.gpt2 import convert, gpt2
from handcraft.core.gpt2 import trace as arrays_of
from handcraft.core.vocabulary import Vocabulary
from handcraft.core.weights import flatten, nest
from handcraft.files.bundled import bundled

EVERY = list(bundled())
ROUNDED = 1e-5  # of the largest logit
BY_PROOF = {"dyck1", "luhn"}  # NumPy rounds them further than that


def opened(name: str) -> Model:
    return Model.open(name)


def judged_at(model: Model, logits: Any) -> Any:
    """The logits at the positions of a context that the claim is about: [n, n_vocab]."""
    return np.array(logits if model.begins or whole(model) else logits[-1:])


def whole(model: Model) -> bool:
    claim = model.program.claim if model.program else None
    return claim is not None and claim.whole_text


@pytest.mark.parametrize("name", EVERY)
def test_the_logits_are_those_of_numpy(name: str, tmp_path: Path) -> None:
    """On 200 contexts of each program: the same token first, and no logit further off than the
    rounding that a proof allows, or a hundred-thousandth of the largest.

    NumPy's float32 strays further from the real numbers in sort_numbers; the page does not.
    """
    model = opened(name)
    contexts = asked_contexts(model, 200)
    found = Engine(tmp_path, model).ask(*(("logits", ids) for ids in contexts))
    bound = verify(model).error_bound if name in BY_PROOF else None
    exact = convert(model.weights, lambda array: array.astype(np.float64))
    for ids, said in zip(contexts, found, strict=True):
        ours = judged_at(model, said)
        numpys = judged_at(model, model(np.array(ids)))
        assert (ours.argmax(-1) == numpys.argmax(-1)).all()
        allowed = max(bound or 0, ROUNDED * np.abs(numpys).max())
        if name == "sort_numbers":
            numpys = judged_at(
                model, gpt2(np.array(ids), **exact, **model.config)
            )
        assert np.abs(ours - numpys).max() <= allowed


SHAPES = {
    "gelu": {"norms": False},
    "norms": {},
    "relu": {"norms": False, "activation": "relu"},
    "all tokens see all": {"causal": False},
    "an unembedding of its own": {"lm_head": True},
    "another epsilon": {"epsilon": 0.5},
    "no attention in block 0": {"without": "attn"},
    "no MLP in block 0": {"without": "mlp"},
}


def shaped(
    *,
    norms: bool = True,
    activation: Any = "gelu",
    causal: bool = True,
    lm_head: bool = False,
    epsilon: float = 1e-5,
    without: str | None = None,
) -> Model:
    """A random model of two blocks with two heads each."""
    weights = random_weights(3, norms=norms, dtype="float32")
    if without is not None:
        del weights["blocks"][0][without]
        weights["blocks"][0].pop({"attn": "ln_1", "mlp": "ln_2"}[without], None)
    if lm_head:
        weights["lm_head"] = weights["wte"][::-1] * 2
    names = Vocabulary(("a", "b", "c"))
    return Model(
        "random", weights, names, 2, activation, causal, epsilon=epsilon
    )


@pytest.mark.parametrize("kind", SHAPES)
def test_every_number_of_the_pass_is_that_of_numpy(
    kind: str, tmp_path: Path
) -> None:
    """Queries, keys, scores, weights, values, neurons and the stream, of every kind of model."""
    model = shaped(**SHAPES[kind])
    ids = [2, 0, 1, 1, 0, 2]
    (said,) = Engine(tmp_path, model).ask(("trace", ids))
    seen = arrays_of(np.array(ids), model.weights, **model.config)
    close(said["embed"], seen["embed"] + seen["pos_embed"])
    for i, block in enumerate(said["blocks"]):
        close(block["residPre"], seen[f"blocks.{i}.resid_pre"])
        close(block["residMid"], seen[f"blocks.{i}.resid_mid"])
        close(block["residPost"], seen[f"blocks.{i}.resid_post"])
        for h, head in enumerate(block["heads"]):
            for key in ("q", "k", "v", "z", "pattern"):
                close(head[key], seen[f"blocks.{i}.attn.{key}"][h])
            scores = seen[f"blocks.{i}.attn.scores"][h]
            visible = np.tri(len(ids), dtype=bool) | (not model.causal)
            # JSON writes the infinity of a hidden key as null
            shown = np.array(head["scores"], dtype=float)
            assert (np.isnan(shown) == ~visible).all()
            close(shown[visible], scores[visible])
        if block["heads"]:
            written = sum(np.array(head["written"]) for head in block["heads"])
            bias = model.weights["blocks"][i]["attn"]["c_proj"]["b"]
            close(written + bias, seen[f"blocks.{i}.attn_out"])
        if block["pre"]:
            close(block["pre"], seen[f"blocks.{i}.mlp.pre"])
            close(block["post"], seen[f"blocks.{i}.mlp.post"])
    close(said["final"], seen["resid_final"])
    close(said["logits"], seen["logits"])


def close(ours: Any, numpys: Any) -> None:
    size = np.abs(numpys).max()
    np.testing.assert_allclose(np.array(ours), numpys, rtol=0, atol=1e-5 * size)


@pytest.mark.parametrize("name", ["aab", "adder", "parity", "random"])
def test_a_token_at_a_time_gives_the_same_logits(
    name: str, tmp_path: Path
) -> None:
    """Keys and values of earlier positions are kept, not computed again."""
    model = shaped() if name == "random" else opened(name)
    ids = [0, 1, 0, 1][: model.n_ctx]
    at_once, one_by_one = Engine(tmp_path, model).ask(
        ("logits", ids), ("stepped", ids)
    )
    assert at_once == one_by_one


@pytest.mark.parametrize("name", EVERY)
def test_it_answers_as_the_command_run(name: str, tmp_path: Path) -> None:
    """A prompt, or a context: the tokens that `handcraft run` adds, up to its stop token."""
    model = opened(name)
    claim = model.program.claim
    texts = asked_contexts(model, 4)
    if claim.asks_prompts:
        prompts = prompts_of(model)
        texts = [next(prompts) for _ in range(4)]
    found = Engine(tmp_path, model).ask(*(("answer", ids) for ids in texts))
    for ids, said in zip(texts, found, strict=True):
        run = handcraft("run", name, model.vocabulary.decode(ids), "--json")
        tokens = [model.vocabulary.tokens[i] for i in said["answer"]]
        assert tokens == run.json["completion_tokens"]
        read = [model.vocabulary.tokens[i] for i in said["ids"]]
        assert (
            read[len(read) - len(run.json["prompt_tokens"]) :]
            == (run.json["prompt_tokens"])
        )


def test_past_the_window_the_oldest_token_is_dropped(tmp_path: Path) -> None:
    """As `handcraft run` does, with and without the causal mask."""
    for model in (opened("aab"), opened("parity"), shaped(causal=False)):
        ids = [0] * model.n_ctx
        if model.program and model.program.claim.asks_prompts:
            continue
        (said,) = Engine(tmp_path, model).ask(("run", ids, 30))
        assert said == model.continued(ids, 30)


def test_what_numpy_calls_not_finite_is_not_finite(tmp_path: Path) -> None:
    """Also where the overflow stands in a lane that the logits do not read: 0 times it is no number
    in NumPy, and the page adds up no zeros.
    """
    for seed in range(12):
        model = shaped(causal=True)
        arrays = {k: a.copy() for k, a in flatten(model.weights).items()}
        rng = np.random.default_rng(seed)
        for array in arrays.values():
            array[rng.random(array.shape) < 0.5] = 0
        names = [name for name in arrays if name.endswith("c_proj.w")]
        arrays[str(rng.choice(names))].flat[0] = 3e38
        arrays[str(rng.choice(names))].flat[0] = 3e38
        weights = nest(arrays)
        changed = model.replace(weights=weights)
        ids = [0, 1, 2]
        finite, logits = Engine(tmp_path, changed).ask(
            ("finite", ids), ("logits", ids)
        )
        numpys = gpt2(np.array(ids), **weights, **model.config)
        assert finite == np.isfinite(numpys).all()
        if finite:
            assert np.array(logits) == pytest.approx(numpys, rel=1e-4)


def test_rules_that_cancel_each_other_have_their_parts(tmp_path: Path) -> None:
    """They write into the same cell, which is then 0."""
    at, now = position(3), token("ab")
    first, second = scratch("first"), scratch("second")
    heads = tuple(
        Head(
            query=99 * at, key=at, value={lane: now["a"]}, adds={now["a"]: gain}
        )
        for lane, gain in ((first, 2), (second, -2))
    )
    model = Program(embedding=(at, now, first, second), layers=(heads,)).build()
    (found,) = Engine(tmp_path, model).ask(("contributions", [0, 1], 1))
    ours = {part["rule"]["path"]: part["logits"] for part in found}
    for part in model.trace([0, 1]).contributions:
        assert ours[part["rule"]] == [*part["logits"].values()]
    assert ours["layers[0] > heads[0] > adds"] == [2, 0]
