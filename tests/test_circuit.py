"""The circuit of a model: what is in it matters, what is not does nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from conftest import EVERY_PROGRAM, bundled_model, example, slow_from
from patching import (
    contexts_of,
    contribution,
    edge_effects,
    edges_of,
    lanes,
    nodes_of,
    patched,
    run,
    sparse,
    without,
)

from handcraft.core.gpt2 import Array, trace
from handcraft.runtimes.circuit import circuit

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

# ---------------------------------------------------------------- what is not there does nothing


@pytest.mark.parametrize("name", EVERY_PROGRAM)
def test_ablating_what_is_not_in_the_circuit_changes_no_logit(
    name: str,
) -> None:
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
                new[part] = (
                    rng.normal(0, 1, new[part].shape) * size * lanes(model, key)
                )
            return new

        return change

    for size in (0, 1000):
        changes = {
            key: ablated(key, parts, size) for key, parts in absent.items()
        }
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


@pytest.mark.parametrize("name", EVERY_PROGRAM)
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
                (rng.normal(0, 1, value.shape) * lanes(model, key)).astype(
                    value.dtype
                )
                if at == key
                else value
            )
            return seen[at]

        run(model, ids, hook)
        still = [
            n.name
            for n in circuit(model).nodes
            if kind not in n.varies_with
            and n.name in places
            and "bias" not in n.name
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
                patched(model, ids, {key: without(part, taken)}),
                clean["logits"],
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
        (
            5,
            0,
            {("embed", "0.h0", "q")},
        ),  # token:a into a query column that has a key
        (5, 8, {("embed", "0.h0", "k")}),  # into a key column that has a query
        (
            0,
            23,
            {("pos_embed", "0.h0", "v")},
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
