"""A forward pass that can be patched: the oracle of what a circuit says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from conftest import bundled_model, every, random_weights

from handcraft import Model
from handcraft.core.gpt2 import Array, Hook, Weights, gpt2, trace
from handcraft.core.vocabulary import Vocabulary
from handcraft.runtimes.circuit import Circuit


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
                f"{i}.h{h}": (f"blocks.{i}.attn.z", np.s_[..., h, :, :])
                for h in range(n_head)
            }
            found[f"{i}.attn.bias"] = (f"blocks.{i}.attn_out", ...)
        if "mlp" in block:
            found |= {
                f"{i}.mlp.n{j}": (f"blocks.{i}.mlp.post", np.s_[..., j])
                for j in range(len(block["mlp"]["c_fc"]["b"]))
            }
            found[f"{i}.mlp.bias"] = (f"blocks.{i}.mlp_out", ...)
    return found


def sublayer(weights: Weights, name: str) -> Weights:
    layer, _, part = name.partition(".")
    return weights["blocks"][int(layer)][
        "mlp" if part.startswith("mlp") else "attn"
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
    index = int(name.rpartition(".")[2][1:])
    if ".mlp." in name:
        return np.outer(clean[key][part], c_proj["w"][index])
    return (
        clean[key][part] @ c_proj["w"].reshape(model.n_head, d_head, -1)[index]
    )


def readers(model: Model) -> Iterator[tuple[str, str, str, Any, Array]]:
    """Every input of every node: name, into, the intermediate that is its projection, the part
    of it, its matrix.
    """
    n, d_head = model.n_embd, model.n_embd // model.n_head
    for name in nodes_of(model.weights, model.n_head):
        if name.endswith(("embed", "bias")):
            continue
        i, index, layer = (
            name.partition(".")[0],
            int(name.rpartition(".")[2][1:]),
            sublayer(model.weights, name),
        )
        if ".mlp." in name:
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
            2 * int(name.partition(".")[0]) + (".mlp." in name)
            if "." in name
            else -1
        )
        for name in order
    }
    depth["logits"] = 2 * model.n_layer
    for ids in contexts:
        clean = trace(ids, model.weights, **model.config)
        added = {name: contribution(model, name, clean) for name in order[:-1]}
        for receiver, into, key, part, w in readers(model):
            for sender in (
                name for name in added if depth[name] < depth[receiver]
            ):
                logits = patched(
                    model, ids, {key: without(part, added[sender] @ w)}
                )
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
            np.array(ids)
            for ids in ([0, 1, 0], [2, 3, 2, 4, 2], [5, 5, 6, 7, 5, 6])
        ]
    return [np.array(ids) for ids in every(len(model.vocabulary), model.n_ctx)]


def lanes(model: Model, key: str) -> Any:
    """The columns that an embedding can write; every column of anything else."""
    return (
        (model.weights[{"embed": "wte", "pos_embed": "wpe"}[key]] != 0).any(
            axis=0
        )
        if "embed" in key
        else 1
    )


def sparse(seed: int) -> Model:
    """A random model with most weights zero."""
    rng = np.random.default_rng(seed)
    weights = random_weights(seed, norms=False)
    for block in weights["blocks"]:
        for layer in (
            layer for part in block.values() for layer in part.values()
        ):
            layer["w"] *= rng.random(layer["w"].shape) < 0.1
            layer["b"] *= rng.random(layer["b"].shape) < 0.2
    for key in ("wte", "wpe"):
        weights[key] *= (rng.random(weights[key].shape[1]) < 0.4)[None]
    return Model(f"sparse {seed}", weights, Vocabulary(("x", "y", "z")), 2)
