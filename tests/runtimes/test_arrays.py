"""The forward pass on arrays of torch and JAX: one function, the same logits, and what those
libraries add.

Run with torch, array-api-compat and JAX installed; without them these tests fail.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from conftest import Refused, bundled_model, example, random_weights

from handcraft.core.errors import MissingExtraError, PromptError, WeightsError
from handcraft.core.gpt2 import (
    ACTIVATIONS,
    Array,
    Cache,
    Weights,
    convert,
    forward,
    gpt2,
    namespace,
    recorder,
    trace,
)
from handcraft.core.weights import flatten

LIBRARIES: dict[str, Callable[[Array], Any]] = {
    "torch": torch.tensor,
    "jax": jnp.asarray,
}
IDS = np.array([[2, 0, 1, 1, 0, 2], [0, 0, 1, 2, 2, 1]])
PROGRAMS = ["aab", "adder", "induction", "reverse", "sort"]


@pytest.fixture(autouse=True)
def _wide() -> Iterator[None]:
    """JAX keeps float64 where it is given."""
    with jax.enable_x64(True):
        yield


def assert_same(found: Any, expected: Array, tolerance: float) -> None:
    """Arrays of any library agree relative to the largest number."""
    np.testing.assert_allclose(
        np.asarray(found),
        expected,
        rtol=tolerance,
        atol=tolerance * np.abs(expected).max(),
    )


# ---------------------------------------------------------------- the same numbers


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", PROGRAMS)
def test_logits_of_bundled_programs(name: str, library: str) -> None:
    """A program's logits are those that NumPy computes, in float32."""
    model, make = bundled_model(name), LIBRARIES[library]
    ids = np.array(model.ids(example(name)))
    found = forward(make(ids), convert(model.weights, make), **model.config)
    assert type(found) is type(make(ids))
    assert_same(found, model(ids), 1e-5)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    "config", [{}, {"activation": "relu"}, {"causal": False}, {"epsilon": 0.3}]
)
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-12)]
)
def test_every_intermediate_of_a_batch(
    config: dict[str, Any], library: str, dtype: str, tolerance: float
) -> None:
    """With layer norms, heads, neurons and a batch every intermediate is NumPy's, and keeps the
    dtype.
    """
    make, weights = LIBRARIES[library], random_weights(1, dtype=dtype)
    expected = trace(IDS, weights, n_head=2, **config)
    found = trace(make(IDS), convert(weights, make), n_head=2, **config)
    assert list(found) == list(expected)
    for name, array in found.items():
        assert str(array.dtype).removeprefix("torch.") == dtype
        assert_same(array, expected[name], tolerance)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_cache_changes_nothing(library: str) -> None:
    """Reading a batch piece by piece gives the logits of reading it whole."""
    make, weights = LIBRARIES[library], random_weights(2)
    cache: Cache = [None, None]
    own = convert(weights, make)
    found = [
        forward(make(IDS[:, a:b]), own, n_head=2, cache=cache)
        for a, b in [(0, 3), (3, 4), (4, 6)]
    ]
    assert_same(
        namespace(found[0]).concat(found, axis=1),
        forward(IDS, weights, n_head=2),
        1e-12,
    )


def test_epsilon_reaches_every_layer_norm() -> None:
    """With a large epsilon each of the five layer norms gives its input by the root of epsilon,
    and its own shift.
    """
    weights, expected = random_weights(3), dict[str, Array]()
    gpt2(IDS, **weights, n_head=2, epsilon=1e12, hook=recorder(expected))
    norms = {"ln_f": (weights["ln_f"], "blocks.1.resid_post")}
    for i, block in enumerate(weights["blocks"]):
        norms |= {
            f"blocks.{i}.{k}": (block[k], f"blocks.{i}.{x}")
            for k, x in (("ln_1", "resid_pre"), ("ln_2", "resid_mid"))
        }
    for name, (norm, before) in norms.items():
        x = expected[before]
        centred = (x - x.mean(-1, keepdims=True)) / 1e6
        np.testing.assert_allclose(
            expected[name],
            norm["g"] * centred + norm["b"],
            rtol=1e-9,
            atol=1e-15,
        )


@pytest.mark.parametrize("library", LIBRARIES)
def test_greedy_tokens_of_aab(library: str) -> None:
    """Program aab goes on as in NumPy, token by token."""
    model, make = bundled_model("aab"), LIBRARIES[library]
    weights, ids = convert(model.weights, make), model.ids("a")
    for _ in range(model.n_ctx - 1):
        ids.append(
            int(
                gpt2(make(np.array(ids)), **weights, **model.config)[
                    -1
                ].argmax()
            )
        )
    assert model.vocabulary.decode(ids[1:]) == model.generate(
        "a", model.n_ctx - 1
    )


def test_everything_stays_on_the_weights_device() -> None:
    """On torch's device of shapes alone, which mixes with no other, every intermediate is
    there, with NumPy's shape.
    """
    expected, found = dict[str, Array](), dict[str, Any]()
    cache: Cache = [None, None]
    gpt2(IDS, **random_weights(0), n_head=2, hook=recorder(expected))
    weights = convert(
        random_weights(0), lambda array: torch.tensor(array, device="meta")
    )
    gpt2(
        torch.tensor(IDS, device="meta"),
        **weights,
        n_head=2,
        hook=recorder(found),
    )
    assert {name: tuple(tensor.shape) for name, tensor in found.items()} == {
        name: a.shape for name, a in expected.items()
    }
    assert {tensor.device.type for tensor in found.values()} == {"meta"}
    gpt2(
        torch.tensor(IDS[:, :3], device="meta"),
        **weights,
        n_head=2,
        cache=cache,
    )
    assert (
        gpt2(
            torch.tensor(IDS[:, 3:5], device="meta"),
            **weights,
            n_head=2,
            cache=cache,
        ).device.type
        == "meta"
    )


# ---------------------------------------------------------------- what they add: compilers,
# batches, gradients


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_jit_and_vmap(activation: Any) -> None:
    """Compiled by JAX, and mapped over a batch of single sequences, the logits are the same."""
    weights = random_weights(4)
    expected = forward(IDS, weights, n_head=2, activation=activation)

    def logits(
        weights: Weights, ids: Any
    ) -> Any:  # {...}, [..., n_seq] -> [..., n_seq, n_vocab]
        return gpt2(ids, **weights, n_head=2, activation=activation)

    own = convert(weights, jnp.asarray)
    assert_same(jax.jit(logits)(own, jnp.asarray(IDS)), expected, 1e-12)
    assert_same(
        jax.jit(jax.vmap(logits, in_axes=(None, 0)))(own, jnp.asarray(IDS)),
        expected,
        1e-12,
    )


def loss(
    weights: Weights, ids: Any, xp: Any
) -> Any:  # {...}, [n_batch, n_seq] -> []
    """The mean cross-entropy of each next token."""
    logits = gpt2(ids, **weights, n_head=2)[
        :, :-1
    ]  # [n_batch, n_seq - 1, n_vocab]
    total = xp.log(xp.sum(xp.exp(logits), axis=-1))
    chosen = xp.sum(logits * xp.asarray(np.eye(3)[IDS[:, 1:]]), axis=-1)
    return xp.mean(total - chosen)


def test_gradients_are_those_of_finite_differences() -> None:
    """The gradients of JAX by every weight array are the central differences of NumPy's loss."""
    weights = random_weights(5, n_layer=1)
    found = flatten(
        convert(
            jax.grad(loss)(
                convert(weights, jnp.asarray), jnp.asarray(IDS), jnp
            ),
            np.asarray,
        )
    )
    rng, step, arrays = np.random.default_rng(0), 1e-6, flatten(weights)
    assert set(found) == set(arrays)  # JAX sorts the keys
    for name, array in arrays.items():
        for at in rng.choice(array.size, min(4, array.size), replace=False):
            kept, sides = array.flat[at], list[float]()
            for moved in (kept + step, kept - step):
                array.flat[at] = moved
                sides.append(float(loss(weights, IDS, np)))
            array.flat[at] = kept
            assert found[name].flat[at] == pytest.approx(
                (sides[0] - sides[1]) / (2 * step), rel=1e-5, abs=1e-8
            ), name


def test_torch_and_jax_agree_on_gradients() -> None:
    """Torch's autograd gives JAX's gradients by every weight."""
    weights = random_weights(6)
    expected = flatten(
        convert(
            jax.grad(loss)(
                convert(weights, jnp.asarray), jnp.asarray(IDS), jnp
            ),
            np.asarray,
        )
    )
    own = convert(
        weights, lambda array: torch.tensor(array, requires_grad=True)
    )
    loss(own, torch.tensor(IDS), namespace(own["wte"])).backward()
    found = flatten(convert(own, lambda tensor: np.asarray(tensor.grad)))
    assert set(found) == set(expected)
    for name, gradient in found.items():
        np.testing.assert_allclose(
            gradient, expected[name], rtol=1e-9, atol=1e-12, err_msg=name
        )


# ---------------------------------------------------------------- what is refused, and converted


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_checks_serve_every_library(library: str) -> None:
    """What NumPy's forward refuses is refused in the same words."""
    make = LIBRARIES[library]
    weights = convert(random_weights(0), make)
    with Refused(PromptError, "token ids must lie in 0..2, found 0..3"):
        forward(make(np.array([0, 3])), weights, n_head=2)
    with Refused(
        PromptError,
        "tokens must be [n_seq] or [n_batch, n_seq] and not empty, found shape (0,)",
    ):
        forward(make(np.zeros(0, dtype=int)), weights, n_head=2)
    with Refused(
        WeightsError,
        "wte (3, 8) and wpe (6, 7) must be matrices of the same width",
    ):
        forward(make(IDS), weights | {"wpe": weights["wpe"][:, :7]}, n_head=2)
    weights["blocks"][1]["mlp"]["c_proj"]["b"] = make(np.zeros(7))
    with Refused(
        WeightsError, "blocks.1.mlp.c_proj.b has shape (7,), expected (8,)"
    ):
        forward(make(IDS), weights, n_head=2)


def test_convert_keeps_the_nesting() -> None:
    """Dicts, lists and an absent layer norm stay as they are; only arrays change."""
    found = convert(
        {
            "wte": np.ones(2),
            "blocks": [{"ln_1": {"g": np.ones(1)}}, {}],
            "ln_f": None,
        },
        np.ndarray.tolist,
    )
    assert found == {
        "wte": [1, 1],
        "blocks": [{"ln_1": {"g": [1]}}, {}],
        "ln_f": None,
    }


def test_torch_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without array-api-compat a tensor is refused, with the extra that helps."""
    monkeypatch.setitem(sys.modules, "array_api_compat", None)
    with Refused(
        MissingExtraError,
        "arrays of torch need the extra `torch`: pip install 'handcraft[torch]'",
    ):
        gpt2(
            torch.tensor([0]),
            **convert(random_weights(0), torch.tensor),
            n_head=2,
        )
