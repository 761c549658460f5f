"""The circuit of a model: what is in it matters, what is not does nothing. The oracle is the
forward pass, patched.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from conftest import (
    BUNDLED,
    Refused,
    bundled_model,
    every,
    example,
    random_weights,
    slow_from,
)

from handcraft import Model, Neuron, Program, position, scratch, token
from handcraft.core.errors import WeightsError
from handcraft.core.gpt2 import Array, Hook, Weights, gpt2, trace
from handcraft.core.vocabulary import Vocabulary
from handcraft.runtimes.circuit import Circuit, circuit
from handcraft.runtimes.norms import NONE
from handcraft.runtimes.transformer_lens import files

SMALL = ("aab", "induction", "baby_gpt")
PATCHED = (
    *SMALL,
    "abc",
    "adder",
    "brackets",
    "caesar",
    "causal_mean",
    "counter",
    "majority",
    "palindrome",
    "parity",
    "sort",
)
AAB = {
    "program": "aab",
    "residual": [
        "position:0",
        "position:1",
        "position:2",
        "position:3",
        "position:4",
        "token:a",
        "token:b",
        "v",
    ],
    "heads": [
        [
            {
                "match": [
                    "position:0",
                    "position:1",
                    "position:2",
                    "position:3",
                    "position:4",
                    "",
                    "",
                    "",
                ],
                "value": ["", "", "", "", "", "", "", "v"],
            }
        ]
    ],
    "rules": [
        {
            "rule": "embedding[1]",
            "text": "token is one-hot: which token is here",
            "source": "aab.py:8",
        },
        {
            "rule": "embedding[0]",
            "text": "position is one-hot: which position is here",
            "source": "aab.py:7",
        },
        {
            "rule": "layers[0] > query",
            "text": "query position:0 = 1024 position:0 + 1024 position:1",
            "source": "aab.py:11",
        },
        {
            "rule": "layers[0] > query",
            "text": "query position:1 = 1024 position:1 + 1024 position:2",
            "source": "aab.py:11",
        },
        {
            "rule": "layers[0] > query",
            "text": "query position:2 = 1024 position:2 + 1024 position:3",
            "source": "aab.py:11",
        },
        {
            "rule": "layers[0] > query",
            "text": "query position:3 = 1024 position:3 + 1024 position:4",
            "source": "aab.py:11",
        },
        {
            "rule": "layers[0] > query",
            "text": "query position:4 = 1024 position:4",
            "source": "aab.py:11",
        },
        {
            "rule": "layers[0] > key",
            "text": "key position:0 = position:0",
            "source": "aab.py:11",
        },
        {
            "rule": "layers[0] > key",
            "text": "key position:1 = position:1",
            "source": "aab.py:11",
        },
        {
            "rule": "layers[0] > key",
            "text": "key position:2 = position:2",
            "source": "aab.py:11",
        },
        {
            "rule": "layers[0] > key",
            "text": "key position:3 = position:3",
            "source": "aab.py:11",
        },
        {
            "rule": "layers[0] > key",
            "text": "key position:4 = position:4",
            "source": "aab.py:11",
        },
        {
            "rule": "layers[0] > value",
            "text": "value v = token:a - token:b",
            "source": "aab.py:11",
        },
        {
            "rule": "layers[0] > output",
            "text": "token:a += -1024 v + 1024",
            "source": "aab.py:11",
        },
        {
            "rule": "layers[0] > output",
            "text": "token:b += 1024 v",
            "source": "aab.py:11",
        },
    ],
    "nodes": [
        {
            "name": "embed",
            "output": {"hook": "hook_embed"},
            "inputs": {},
            "varies_with": ["token"],
            "rules": [0],
        },
        {
            "name": "pos_embed",
            "output": {"hook": "hook_pos_embed"},
            "inputs": {},
            "varies_with": ["position"],
            "rules": [1],
        },
        {
            "name": "a0.h0",
            "output": {"hook": "blocks.0.attn.hook_z", "index": 0},
            "inputs": {
                "q": {
                    "hook": "blocks.0.attn.hook_q",
                    "index": 0,
                    "stream": "blocks.0.attn.q.hook_in",
                },
                "k": {
                    "hook": "blocks.0.attn.hook_k",
                    "index": 0,
                    "stream": "blocks.0.attn.k.hook_in",
                },
                "v": {
                    "hook": "blocks.0.attn.hook_v",
                    "index": 0,
                    "stream": "blocks.0.attn.v.hook_in",
                },
            },
            "varies_with": ["token", "position"],
            "rules": [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14],
        },
        {
            "name": "a0.bias",
            "output": {"parameter": "blocks.0.attn.o.bias"},
            "inputs": {},
            "varies_with": [],
            "rules": [13],
        },
        {
            "name": "logits",
            "output": {"hook": "unembed.hook_out"},
            "inputs": {
                "logits": {"hook": "unembed.hook_out", "stream": "unembed.hook_in"}
            },
            "varies_with": ["token", "position"],
            "rules": [0],
        },
    ],
    "edges": [
        {
            "from": "pos_embed",
            "to": "a0.h0",
            "into": "q",
            "lanes": [
                "position:0",
                "position:1",
                "position:2",
                "position:3",
                "position:4",
            ],
        },
        {
            "from": "pos_embed",
            "to": "a0.h0",
            "into": "k",
            "lanes": [
                "position:0",
                "position:1",
                "position:2",
                "position:3",
                "position:4",
            ],
        },
        {"from": "embed", "to": "a0.h0", "into": "v", "lanes": ["token:a", "token:b"]},
        {
            "from": "embed",
            "to": "logits",
            "into": "logits",
            "lanes": ["token:a", "token:b"],
        },
        {
            "from": "a0.h0",
            "to": "logits",
            "into": "logits",
            "lanes": ["token:a", "token:b"],
        },
        {"from": "a0.bias", "to": "logits", "into": "logits", "lanes": ["token:a"]},
    ],
    "components": {
        "nodes": ["input", "a0.h0", "logits"],
        "edges": [
            "input->a0.h0<q>",
            "input->a0.h0<k>",
            "input->a0.h0<v>",
            "input->logits",
            "a0.h0->logits",
        ],
    },
}


# ---------------------------------------------------------------- the oracle: a forward pass
# that can be patched


def nodes_of(weights: Weights, n_head: int) -> dict[str, tuple[str, Any]]:
    """Every part of a model: where the forward pass shows its output, and which part of that is
    its own.
    """
    found: dict[str, tuple[str, Any]] = {
        "embed": ("embed", ...),
        "pos_embed": ("pos_embed", ...),
    }
    for i, block in enumerate(weights["blocks"]):
        if "attn" in block:
            found |= {
                f"a{i}.h{h}": (f"blocks.{i}.attn.z", np.s_[..., h, :, :])
                for h in range(n_head)
            }
            found[f"a{i}.bias"] = (f"blocks.{i}.attn_out", ...)
        if "mlp" in block:
            found |= {
                f"m{i}.n{j}": (f"blocks.{i}.mlp.post", np.s_[..., j])
                for j in range(len(block["mlp"]["c_fc"]["b"]))
            }
            found[f"m{i}.bias"] = (f"blocks.{i}.mlp_out", ...)
    return found


def sublayer(weights: Weights, name: str) -> Weights:
    return weights["blocks"][int(name[1 : name.index(".")])][
        "attn" if name[0] == "a" else "mlp"
    ]


def contribution(
    model: Model, name: str, clean: dict[str, Array]
) -> Array:  # -> [n_seq, n_embd]
    """What a node added to the stream in a run."""
    key, part = nodes_of(model.weights, model.n_head)[name]
    if name.endswith("embed"):
        return clean[key]
    c_proj, d_head = (
        sublayer(model.weights, name)["c_proj"],
        model.n_embd // model.n_head,
    )
    if name.endswith("bias"):
        return np.broadcast_to(c_proj["b"], clean[key].shape)
    index = int(name.split(".")[1][1:])
    if name[0] == "m":
        return np.outer(clean[key][part], c_proj["w"][index])
    return clean[key][part] @ c_proj["w"].reshape(model.n_head, d_head, -1)[index]


def readers(model: Model) -> Iterator[tuple[str, str, str, Any, Array]]:
    """Every input of every node: name, into, the intermediate that is its projection, the part
    of it, its matrix.
    """
    n, d_head = model.n_embd, model.n_embd // model.n_head
    for name in nodes_of(model.weights, model.n_head):
        if name.endswith(("embed", "bias")):
            continue
        i, index, layer = (
            name[1 : name.index(".")],
            int(name.split(".")[1][1:]),
            sublayer(model.weights, name),
        )
        if name[0] == "m":
            yield (
                name,
                "mlp",
                f"blocks.{i}.mlp.pre",
                np.s_[:, index],
                layer["c_fc"]["w"][:, index],
            )  # [n_embd]
            continue
        w = layer["c_attn"]["w"].reshape(n, 3, model.n_head, d_head)
        for third, into in enumerate("qkv"):
            yield (
                name,
                into,
                f"blocks.{i}.attn.{into}",
                np.s_[index],
                w[:, third, index],
            )  # [n_embd, d_head]
    yield "logits", "logits", "resid_final", ..., np.eye(n, dtype=model.dtype)


def patched(model: Model, ids: Array, changes: dict[str, Any]) -> Array:
    """The logits of a run in which some intermediates go through a function."""

    def hook(name: str, value: Array) -> Array:
        return changes[name](value) if name in changes else value

    return run(model, ids, hook)


def run(model: Model, ids: Array, hook: Hook) -> Array:
    return gpt2(ids, **model.weights, **model.config, hook=hook)


def without(part: Any, taken: Array) -> Any:
    """The function that subtracts from a part of an intermediate."""

    def change(value: Array) -> Array:
        new = value.copy()
        new[part] -= taken
        return new

    return change


def edge_effects(
    model: Model, contexts: list[Array]
) -> dict[tuple[str, str, str], bool]:
    """For each sender, receiver and input: whether taking the sender's contribution out of that
    input alone moves a logit.
    """
    found: dict[tuple[str, str, str], bool] = {}
    order = [*nodes_of(model.weights, model.n_head), "logits"]
    depth = {
        name: (
            2 * int(name[1 : name.index(".")]) + (name[0] == "m") if "." in name else -1
        )
        for name in order
    }
    depth["logits"] = 2 * model.n_layer
    for ids in contexts:
        clean = trace(ids, model.weights, **model.config)
        added = {name: contribution(model, name, clean) for name in order[:-1]}
        for receiver, into, key, part, w in readers(model):
            for sender in (name for name in added if depth[name] < depth[receiver]):
                logits = patched(model, ids, {key: without(part, added[sender] @ w)})
                edge = (sender, receiver, into)
                found[edge] = found.get(edge, False) or not np.array_equal(
                    logits, clean["logits"]
                )
    return found


def edges_of(found: Circuit) -> set[tuple[str, str, str]]:
    return {(edge.sender, edge.receiver, edge.into) for edge in found.edges}


def contexts_of(name: str) -> list[Array]:
    """Contexts on which every part of a small program shows: all of them, or some that repeat
    letters.
    """
    model = bundled_model(name)
    if name == "induction":
        return [
            np.array(ids) for ids in ([0, 1, 0], [2, 3, 2, 4, 2], [5, 5, 6, 7, 5, 6])
        ]
    return [np.array(ids) for ids in every(len(model.vocabulary), model.n_ctx)]


def lanes(model: Model, key: str) -> Any:
    """The columns that an embedding can write; every column of anything else."""
    return (
        (model.weights[{"embed": "wte", "pos_embed": "wpe"}[key]] != 0).any(axis=0)
        if "embed" in key
        else 1
    )


def sparse(seed: int) -> Model:
    """A random model with most weights zero."""
    rng = np.random.default_rng(seed)
    weights = random_weights(seed, norms=False)
    for block in weights["blocks"]:
        for layer in (layer for part in block.values() for layer in part.values()):
            layer["w"] *= rng.random(layer["w"].shape) < 0.1
            layer["b"] *= rng.random(layer["b"].shape) < 0.2
    for key in ("wte", "wpe"):
        weights[key] *= (rng.random(weights[key].shape[1]) < 0.4)[None]
    return Model(f"sparse {seed}", weights, Vocabulary(("x", "y", "z")), 2)


# ---------------------------------------------------------------- as data


def test_the_circuit_of_aab() -> None:
    """The whole circuit of aab, as JSON."""
    found = json.loads(json.dumps(circuit(bundled_model("aab")).to_json()))
    for rule in found["rules"]:
        rule["source"] = rule["source"].rpartition("/")[2]
    assert found == AAB


def test_the_components_of_induction() -> None:
    """Induction in the names of edge attribution patching: the second head composes with the
    first through its keys.
    """
    found = circuit(bundled_model("induction")).components
    assert found["nodes"] == ["input", "a0.h0", "a1.h0", "logits"]
    assert [edge for edge in found["edges"] if not edge.startswith("input")] == [
        "a0.h0->a1.h0<k>",
        "a1.h0->logits",
    ]


def test_the_components_of_baby_gpt() -> None:
    """An MLP is one component, whichever of its neurons an edge belongs to."""
    assert circuit(bundled_model("baby_gpt")).components["edges"] == [
        "input->a0.h0<q>",
        "input->a0.h0<k>",
        "input->a0.h0<v>",
        "input->a0.h1<q>",
        "input->a0.h1<k>",
        "input->a0.h1<v>",
        "input->m0",
        "a0.h0->m0",
        "a0.h1->m0",
        "input->logits",
        "m0->logits",
    ]


def test_a_neuron_names_its_rules() -> None:
    """A node's rules are those that wrote its weights."""
    node = next(
        node
        for node in circuit(bundled_model("baby_gpt")).nodes
        if node.name == "m0.n7"
    )
    assert [reason.rule for reason in node.rules] == [
        "layers[0] > mlp > after 111 > when",
        "layers[0] > mlp > after 111 > adds",
    ]


def test_weights_without_a_program_have_a_circuit_without_rules() -> None:
    """Weights from elsewhere have numbered lanes and no rules."""
    found = circuit(
        Model("found", random_weights(0, norms=False), Vocabulary(("x", "y", "z")), 2)
    )
    assert found.residual == tuple(f"x{i}" for i in range(8))
    assert all(not node.rules for node in found.nodes)
    assert len(found.nodes) == 2 + 2 * (2 + 1 + 5 + 1) + 1


def test_layer_norms_are_refused() -> None:
    """Through a layer norm every lane reaches every other."""
    model = Model("found", random_weights(0), Vocabulary(("x", "y", "z")), 2)
    with Refused(
        WeightsError,
        "found has layer norms, through which every lane reaches every other; a circuit"
        " needs none",
    ):
        circuit(model)


def test_a_neuron_that_nobody_reads_is_not_in_the_circuit() -> None:
    """A neuron that writes a lane without a reader is absent, and so is what only it reads."""
    p, t, v = position(3), token("ab"), scratch("v")
    model = Program(
        embedding=(p, t, v),
        layers=(Neuron(when=p[0], adds={v: 1}), Neuron(when=t["a"], adds={t["b"]: 1})),
    ).build()
    assert [node.name for node in circuit(model).nodes] == ["embed", "m1.n0", "logits"]


def test_a_neuron_that_never_fires_is_not_in_the_circuit() -> None:
    """Of 0 both activations make 0, so a neuron that reads nothing and has no bias writes
    nothing.
    """
    model = bundled_model("baby_gpt")
    mlp = model.weights["blocks"][0]["mlp"]
    silent = {
        key: array * (np.arange(8) != 3) for key, array in mlp["c_fc"].items()
    }  # [n_embd, 8], [8]
    block = model.weights["blocks"][0] | {"mlp": mlp | {"c_fc": silent}}
    found = circuit(replace(model, weights=model.weights | {"blocks": [block]}))
    assert {node.name for node in circuit(model).nodes} - {
        node.name for node in found.nodes
    } == {"m0.n3"}


# ---------------------------------------------------------------- what is not there does nothing


@pytest.mark.parametrize("name", BUNDLED)
def test_ablating_what_is_not_in_the_circuit_changes_no_logit(name: str) -> None:
    """All absent nodes at once may put out zero, or anything: every logit stays what it was, to
    the bit.
    """
    model = bundled_model(name)
    ids, rng = np.array(model.ids(example(name))), np.random.default_rng(1)
    inside = {node.name for node in circuit(model).nodes}
    absent: dict[str, list[Any]] = {}
    for node, (key, part) in nodes_of(model.weights, model.n_head).items():
        if node not in inside and not node.endswith("bias"):
            absent.setdefault(key, []).append(part)

    def ablated(key: str, parts: list[Any], size: float) -> Any:
        def change(value: Array) -> Array:
            new = value.copy()
            for part in parts:
                new[part] = rng.normal(0, 1, new[part].shape) * size * lanes(model, key)
            return new

        return change

    for size in (0, 1000):
        changes = {key: ablated(key, parts, size) for key, parts in absent.items()}
        assert np.array_equal(patched(model, ids, changes), model(ids))


@pytest.mark.parametrize("name", PATCHED)
def test_patching_an_edge_that_is_absent_changes_no_logit(name: str) -> None:
    """Of all pairs of an earlier and a later node, only those in the circuit carry anything to
    the logits.
    """
    model = bundled_model(name)
    effects = edge_effects(model, [np.array(model.ids(example(name)))])
    assert {edge for edge, moved in effects.items() if moved} <= edges_of(
        circuit(model)
    )


@pytest.mark.parametrize("seed", slow_from(3, range(20)))
def test_the_edges_of_random_models(seed: int) -> None:
    """So it is for sparse random weights, and there most edges of the circuit do carry
    something.
    """
    model, rng = sparse(seed), np.random.default_rng(seed)
    effects = edge_effects(model, [rng.integers(0, 3, 6) for _ in range(3)])
    edges, moved = (
        edges_of(circuit(model)),
        {edge for edge, moved in effects.items() if moved},
    )
    assert moved <= edges
    assert len(moved) >= 0.5 * len(edges)


@pytest.mark.parametrize("name", BUNDLED)
def test_what_a_node_varies_with(name: str) -> None:
    """A node that varies with neither tokens nor positions puts out the same whatever the
    embeddings hold.
    """
    model = bundled_model(name)
    ids, rng = np.array(model.ids(example(name))), np.random.default_rng(2)
    clean, places = (
        trace(ids, model.weights, **model.config),
        nodes_of(model.weights, model.n_head),
    )
    for kind, key in (("token", "embed"), ("position", "pos_embed")):
        seen: dict[str, Array] = {}

        def hook(
            at: str, value: Array, key: str = key, seen: dict[str, Array] = seen
        ) -> Array:
            seen[at] = (
                (rng.normal(0, 1, value.shape) * lanes(model, key)).astype(value.dtype)
                if at == key
                else value
            )
            return seen[at]

        run(model, ids, hook)
        still = [
            n.name
            for n in circuit(model).nodes
            if kind not in n.varies_with and n.name in places and "bias" not in n.name
        ]
        for at, part in (places[node] for node in still):
            assert np.array_equal(seen[at][part], clean[at][part])


# ---------------------------------------------------------------- what is there matters


@pytest.mark.parametrize("name", SMALL)
def test_removing_any_node_changes_some_logit(name: str) -> None:
    """Each node of a small circuit, put to zero, is missed on some context."""
    model = bundled_model(name)
    for node in (node.name for node in circuit(model).nodes[:-1]):
        key, part = nodes_of(model.weights, model.n_head)[node]
        moved = False
        for ids in contexts_of(name):
            clean = trace(ids, model.weights, **model.config)
            taken = (
                contribution(model, node, clean)
                if node.endswith("bias")
                else clean[key][part]
            )
            moved = moved or not np.array_equal(
                patched(model, ids, {key: without(part, taken)}), clean["logits"]
            )
        assert moved, node


@pytest.mark.parametrize("name", SMALL)
def test_patching_any_edge_changes_some_logit(name: str) -> None:
    """The edges of a small circuit are exactly those that carry something to the logits on some
    context.
    """
    model = bundled_model(name)
    effects = edge_effects(model, contexts_of(name))
    assert {edge for edge, moved in effects.items() if moved} == edges_of(
        circuit(model)
    )


@pytest.mark.parametrize(
    ("row", "column", "new"),
    [
        (5, 0, {("embed", "a0.h0", "q")}),  # token:a into a query column that has a key
        (5, 8, {("embed", "a0.h0", "k")}),  # into a key column that has a query
        (
            0,
            23,
            {("pos_embed", "a0.h0", "v")},
        ),  # position:0 into the value column that is put out
        (5, 7, set()),  # into a query column without a key
        (5, 15, set()),  # into a key column without a query
        (0, 16, set()),  # into a value column that is not put out
    ],
)
def test_a_changed_weight_changes_the_circuit(
    row: int, column: int, new: set[tuple[str, str, str]]
) -> None:
    """The weights decide, not the rules: one more cell of c_attn is one more edge where it can
    count, else none.
    """
    model = bundled_model("aab")
    attn = model.weights["blocks"][0]["attn"]
    w = attn["c_attn"]["w"].copy()
    w[row, column] = 1.0
    changed = replace(
        model,
        weights=model.weights
        | {"blocks": [{"attn": attn | {"c_attn": attn["c_attn"] | {"w": w}}}]},
    )
    assert edges_of(circuit(changed)) - edges_of(circuit(model)) == new


# ---------------------------------------------------------------- the files for
# TransformerLens, which need neither it nor torch


def test_the_files_of_aab() -> None:
    """The configuration, the circuit, the vocabulary and the state dict."""
    found = files(bundled_model("aab"), NONE)
    assert list(found) == [
        "config.json",
        "model.safetensors",
        "circuit.json",
        "vocab.json",
    ]
    assert json.loads(found["config.json"]) == {
        "model_name": "aab",
        "n_layers": 1,
        "n_ctx": 5,
        "d_vocab": 2,
        "d_model": 8,
        "n_heads": 1,
        "d_head": 8,
        "d_mlp": 0,
        "attn_only": True,
        "act_fn": "gelu_new",
        "attention_dir": "causal",
        "normalization_type": None,
        "init_weights": False,
    }
    assert json.loads(found["vocab.json"]) == {"a": 0, "b": 1}
    assert json.loads(found["circuit.json"])["edges"] == AAB["edges"]


@pytest.mark.parametrize("name", BUNDLED)
def test_every_matrix_is_there_in_its_shape(name: str) -> None:
    """Transposed, and every block filled to the same shape."""
    from safetensors.numpy import load

    model = bundled_model(name)
    written = files(model, NONE)
    config, state = (
        json.loads(written["config.json"]),
        load(written["model.safetensors"]),
    )
    n, inner, n_vocab = config["d_model"], config["d_mlp"], config["d_vocab"]
    shapes = {"embed.weight": (n_vocab, n), "pos_embed.weight": (config["n_ctx"], n)}
    shapes |= {"unembed.weight": (n_vocab, n), "unembed.bias": (n_vocab,)}
    for i, part in product(range(config["n_layers"]), "qkvo"):
        shapes |= {
            f"blocks.{i}.attn.{part}.weight": (n, n),
            f"blocks.{i}.attn.{part}.bias": (n,),
        }
    for i in range(config["n_layers"] if inner else 0):
        shapes |= {
            f"blocks.{i}.mlp.in.weight": (inner, n),
            f"blocks.{i}.mlp.in.bias": (inner,),
        }
        shapes |= {
            f"blocks.{i}.mlp.out.weight": (n, inner),
            f"blocks.{i}.mlp.out.bias": (n,),
        }
    assert {key: array.shape for key, array in state.items()} == shapes
    assert all(array.dtype == "float32" for array in state.values())


def test_writing_imports_neither_torch_nor_transformer_lens() -> None:
    """The files can be written where neither is installed."""
    code = (
        "import sys; sys.modules['torch'] = sys.modules['transformer_lens'] ="
        " None\nfrom handcraft import Model; from handcraft.runtimes.transformer_lens"
        " import RUNTIME\nassert len(RUNTIME.files(Model.open('aab'),"
        " RUNTIME.norms[0])) == 4"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
