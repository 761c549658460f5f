"""TransformerLens runs what was exported: the same logits, every hook, and the circuit beside
it holds there too.

Needs the extra `transformer-lens`; without it these tests fail.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from conftest import BUNDLED, Refused, bundled_model, bundled_program, example
from transformer_lens.model_bridge import TransformerBridge

import handcraft.runtimes.transformer_lens as runtime
from handcraft import Head, Model, Neuron, Program, position, scratch, token
from handcraft.claims.prompt_claim import Answers
from handcraft.core.errors import MissingExtraError, WeightsError
from handcraft.core.gpt2 import Array, trace
from handcraft.runtimes.norms import NONE
from handcraft.runtimes.transformer_lens import RUNTIME, files, load_bridge

TOLERANCE = 1e-6  # of the largest logit
PLACE: list[Path] = []  # where the tests write
HOOKED = (
    "aab",
    "adder",
    "baby_gpt",
    "caesar",
    "induction",
    "palindrome",
    "subleq",
)


@cache
def exported(name: str) -> Path:
    """The directory of a bundled program."""
    return written(bundled_model(name))


@pytest.fixture(scope="module", autouse=True)
def _place(tmp_path_factory: pytest.TempPathFactory) -> None:
    """One directory for all exports of these tests."""
    PLACE.append(tmp_path_factory.mktemp("exported"))


def written(model: Model) -> Path:
    directory = PLACE[0] / str(len(list(PLACE[0].iterdir())))
    directory.mkdir()
    for name, data in RUNTIME.files(model, RUNTIME.norms[0]).items():
        (directory / name).write_bytes(data)
    return directory


@cache
def bridge_of(name: str) -> Any:
    return load_bridge(exported(name))


def circuit_of(name: str) -> Any:
    return json.loads((exported(name) / "circuit.json").read_text())


def contexts(name: str, n: int) -> list[list[int]]:
    """Contexts on which the program's claim speaks: prompts of its language, or letters, drawn
    with fixed seeds.
    """
    program, model = bundled_program(name), bundled_model(name)
    if isinstance(program.claim, Answers):
        language = program.claim.language(program.n_ctx, model.vocabulary)
        return [model.ids(language.draw(Random(seed))) for seed in range(n)]
    return [
        Random(seed).choices(
            range(len(model.vocabulary)), k=1 + seed % model.n_ctx
        )
        for seed in range(n)
    ]


def logits_of(
    bridge: Any, ids: list[int], hooks: Sequence[tuple[str, Any]] = ()
) -> Any:
    with torch.no_grad():
        return bridge.run_with_hooks(torch.tensor([ids]), fwd_hooks=hooks)[
            0
        ]  # [n_seq, n_vocab]


def cached(bridge: Any, ids: list[int]) -> Any:
    with torch.no_grad():
        return bridge.run_with_cache(torch.tensor([ids]))[1]


# ---------------------------------------------------------------- the same logits


def test_a_batch_is_its_rows() -> None:
    """A batch of ids [n_batch, n_seq] has the logits [n_batch, n_seq, n_vocab] of each."""
    run, model = RUNTIME.run(exported("baby_gpt")), bundled_model("baby_gpt")
    ids = np.array([[0, 1, 1], [1, 0, 1]])
    assert run(ids).shape == (2, 3, 2)
    np.testing.assert_allclose(run(ids), model(ids), rtol=TOLERANCE, atol=1e-5)


def test_a_program_that_sees_the_future_runs() -> None:
    """causal=False: the first position sees all three."""
    p, t, v = position(3), token("ab"), scratch("v")
    head = Head(value={v: t["a"]}, adds={t["b"]: 3 * v})
    model = Program(embedding=(p, t, v), layers=(head,), causal=False).build()
    found = RUNTIME.run(written(model))(np.array([[1, 0, 0]]))
    np.testing.assert_allclose(found[0, 0], [0, 3], rtol=TOLERANCE)
    np.testing.assert_allclose(found[0], model("baa"), rtol=TOLERANCE)


def test_relu_is_relu() -> None:
    """A neuron at -0.5 and at 0.5: with relu the one is exactly 0, the other exactly 0.5."""
    t, v = token("ab"), scratch("v")
    neuron = Neuron(when=t["a"] - 0.5, adds={t["b"]: 6})
    model = Program(
        embedding=(position(1), t, v), layers=(neuron,), activation="relu"
    ).build()
    assert RUNTIME.run(written(model))(np.array([[0], [1]])).tolist() == [
        [[1, 3]],
        [[0, 1]],
    ]


def test_the_lines_of_the_documentation_load_it() -> None:
    """The lines that the module shows run as they stand, without handcraft."""
    after = runtime.__doc__.partition("without handcraft:\n\n")[2]
    lines = re.split(r"\n\n(?=\S)", after)[0]  # up to the next paragraph
    assert "handcraft" not in lines
    names: dict[str, Any] = {"directory": exported("induction")}
    exec(textwrap.dedent(lines), names)
    ids = bundled_model("induction").ids("abcab")
    assert torch.equal(
        logits_of(names["bridge"], ids), logits_of(bridge_of("induction"), ids)
    )
    assert (
        int(logits_of(names["bridge"], ids)[-1].argmax())
        == bundled_model("induction").ids("c")[0]
    )


# ---------------------------------------------------------------- hooks


@pytest.mark.parametrize("name", HOOKED)
def test_the_cache_holds_our_trace(name: str) -> None:
    """Patterns, queries, keys, values, neurons and the stream are the numbers of our own
    forward pass.
    """
    model, ids = bundled_model(name), contexts(name, 8)[7]
    ours, cache = (
        trace(np.array(ids), model.weights, **model.config),
        cached(bridge_of(name), ids),
    )

    def assert_same(hook: str, expected: Array) -> None:
        found = cache[hook][0].numpy()
        np.testing.assert_allclose(
            found,
            expected,
            rtol=1e-5,
            atol=1e-6 * max(1, np.abs(expected).max()),
            err_msg=hook,
        )

    for i, block in enumerate(model.weights["blocks"]):
        at = f"blocks.{i}"
        assert_same(f"{at}.hook_resid_pre", ours[f"{at}.resid_pre"])
        if "attn" in block:
            assert_same(f"{at}.attn.hook_pattern", ours[f"{at}.attn.pattern"])
            for x in "qkvz":
                assert_same(
                    f"{at}.attn.hook_{x}", ours[f"{at}.attn.{x}"].swapaxes(0, 1)
                )
        if "mlp" in block:
            assert_same(
                f"{at}.mlp.hook_post",
                np.pad(ours[f"{at}.mlp.post"], ((0, 0), (0, padding(name, i)))),
            )


def padding(name: str, layer: int) -> int:
    """How many neurons the export added to a block."""
    return (
        int(bridge_of(name).cfg.d_mlp)
        - bundled_model(name)
        .weights["blocks"][layer]["mlp"]["c_fc"]["b"]
        .shape[0]
    )


def test_a_head_of_the_trace() -> None:
    """The second head of induction attends to what followed the latest earlier a: the weights
    our trace names.
    """
    ids = bundled_model("induction").ids("xaba")
    pattern = cached(bridge_of("induction"), ids)["blocks.1.attn.hook_pattern"][
        0, 0
    ]
    np.testing.assert_allclose(
        pattern.numpy(),
        bundled_model("induction").trace("xaba").heads[1].weights,
        atol=1e-6,
    )
    assert pattern[3].tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize("name", HOOKED)
def test_every_place_of_the_circuit_exists(name: str) -> None:
    """Each hook that circuit.json names fires, holds its index, and each parameter is in the
    state dict.
    """
    bridge = bridge_of(name)
    cache, state = cached(bridge, contexts(name, 3)[2]), bridge.state_dict()
    for place in (
        place
        for node in circuit_of(name)["nodes"]
        for place in (node["output"], *node["inputs"].values())
    ):
        for hook in (place[key] for key in ("hook", "stream") if key in place):
            assert hook in cache
        assert (
            "index" not in place
            or place["index"] < cache[place["hook"]].shape[2]
        )
        assert place.get("parameter", "unembed.weight") in state


# ---------------------------------------------------------------- the circuit, by hooks


def silence(bridge: Any, name: str, inside: bool) -> list[tuple[str, Any]]:
    """Hooks that put to zero every head and neuron of the bridge that is in the circuit, or
    every one that is not.
    """
    members = {
        (node["output"].get("hook"), node["output"].get("index"))
        for node in circuit_of(name)["nodes"]
    }
    widths = {
        f"blocks.{i}.attn.hook_z": bridge.cfg.n_heads
        for i in range(bridge.cfg.n_layers)
    }
    if not bridge.cfg.attn_only:
        widths |= {
            f"blocks.{i}.mlp.hook_post": bridge.cfg.d_mlp
            for i in range(bridge.cfg.n_layers)
        }

    def hook(value: Any, hook: Any) -> Any:
        for index in (
            j
            for j in range(value.shape[2])
            if ((places[id(hook)], j) in members) == inside
        ):
            value[:, :, index] = 0
        return value

    places = {id(bridge.hook_dict[at]): at for at in widths}
    return [(at, hook) for at in widths]


@pytest.mark.parametrize("name", BUNDLED)
def test_what_is_not_in_the_circuit_can_be_silenced(name: str) -> None:
    """Every head and neuron of the bridge that circuit.json does not list, padding included, at
    once: nothing moves.
    """
    bridge, ids = bridge_of(name), bundled_model(name).ids(example(name))
    assert torch.equal(
        logits_of(bridge, ids, silence(bridge, name, inside=False)),
        logits_of(bridge, ids),
    )


@pytest.mark.parametrize("name", ["aab", "baby_gpt", "induction"])
def test_what_is_in_the_circuit_cannot(name: str) -> None:
    """Without the heads and neurons of the circuit the logits are others."""
    bridge, ids = (
        bridge_of(name),
        {"aab": [0, 0], "baby_gpt": [1, 1, 1], "induction": [0, 1, 0]}[name],
    )
    assert not torch.equal(
        logits_of(bridge, ids, silence(bridge, name, inside=True)),
        logits_of(bridge, ids),
    )


@pytest.mark.parametrize(
    ("into", "moves"), [("q", False), ("k", True), ("v", False)]
)
def test_path_patching_between_the_heads_of_induction(
    into: str, moves: bool
) -> None:
    """The second head composes with the first through its keys alone, as the edges say; places
    come from the file.
    """
    bridge, ids, found = (
        bridge_of("induction"),
        [0, 1, 2, 0],
        circuit_of("induction"),
    )
    nodes = {node["name"]: node for node in found["nodes"]}
    sender, receiver = nodes["0.h0"]["output"], nodes["1.h0"]["inputs"][into]
    added = (
        cached(bridge, ids)[sender["hook"]][:, :, sender["index"]]
        @ bridge.W_O[0, sender["index"]]
    )  # [1, n_seq, d_model]
    w = {"q": bridge.W_Q, "k": bridge.W_K, "v": bridge.W_V}[into][
        1, receiver["index"]
    ]  # [d_model, d_head]

    def hook(value: Any, hook: Any) -> Any:
        value[:, :, receiver["index"]] -= added @ w
        return value

    changed = not torch.equal(
        logits_of(bridge, ids, [(receiver["hook"], hook)]),
        logits_of(bridge, ids),
    )
    assert changed == moves
    assert (
        any(
            (e["from"], e["to"], e["into"]) == ("0.h0", "1.h0", into)
            for e in found["edges"]
        )
        == moves
    )


# ---------------------------------------------------------------- what can be wrong


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without TransformerLens the message names the extra."""
    monkeypatch.setitem(sys.modules, "transformer_lens.model_bridge", None)
    with Refused(
        MissingExtraError,
        "a bridge needs the extra `transformer-lens`: pip install"
        " 'handcraft[transformer-lens]'",
    ):
        load_bridge("anywhere")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """An empty directory holds no model."""
    with Refused(WeightsError, f"{tmp_path / 'config.json'} does not exist"):
        load_bridge(tmp_path)


def test_weights_that_do_not_fit_the_config_are_refused(tmp_path: Path) -> None:
    """The weights of another program do not load."""
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes(
            files(
                bundled_model("aab" if name == "config.json" else "abc"), NONE
            )[name]
        )
    with Refused(
        WeightsError,
        f"{tmp_path} holds no model for TransformerLens: n_ctx is 5, but the weights"
        " are of 6",
    ):
        load_bridge(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("n_layers", 10**30),
        ("n_heads", 0),
        ("act_fn", 5),
        ("d_vocab", None),
        ("n_ctx", []),
    ],
)
def test_a_config_of_nonsense_is_refused(
    tmp_path: Path, key: str, value: Any
) -> None:
    """Nothing is allocated that the weights do not have."""
    found = files(bundled_model("baby_gpt"), NONE)
    (tmp_path / "config.json").write_text(
        json.dumps(json.loads(found["config.json"]) | {key: value})
    )
    (tmp_path / "model.safetensors").write_bytes(found["model.safetensors"])
    with pytest.raises(
        WeightsError, match="holds no model for TransformerLens"
    ):
        load_bridge(tmp_path)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    """Half a file holds no model."""
    found = files(bundled_model("aab"), NONE)
    (tmp_path / "config.json").write_bytes(found["config.json"])
    (tmp_path / "model.safetensors").write_bytes(
        found["model.safetensors"][:100]
    )
    with pytest.raises(
        WeightsError, match="holds no model for TransformerLens"
    ):
        load_bridge(tmp_path)


def test_a_bridge_is_what_the_runtime_loads() -> None:
    """The public function returns TransformerLens' own class."""
    assert isinstance(bridge_of("aab"), TransformerBridge)
