"""Weight files: what is written comes back, bit for bit."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import EVERY_PROGRAM, bundled_model, random_weights

from handcraft.core.gpt2 import Weights
from handcraft.core.weights import (
    flatten,
    load_weights,
    nest,
    sha256,
    to_npz,
    to_safetensors,
)
from handcraft.core.writing import write_atomically

SMALL = random_weights(
    0, n_layer=1, n_embd=2, n_inner=1, n_vocab=2, n_ctx=2, dtype="float32"
)


def same(a: Weights, b: Weights) -> bool:
    """Whether two dicts hold the same names, dtypes, shapes and bits."""
    x, y = flatten(a), flatten(b)
    return set(x) == set(y) and all(
        (x[n].dtype, x[n].shape, x[n].tobytes())
        == (y[n].dtype, y[n].shape, y[n].tobytes())
        for n in x
    )


def written(weights: Weights, path: Path) -> str:
    """Write the weights to a file of either kind; returns its SHA-256."""
    data = to_npz(weights) if path.suffix == ".npz" else to_safetensors(weights)
    write_atomically(path, data)
    return sha256(data)


# ---------------------------------------------------------------- there and back


@pytest.mark.parametrize("ending", [".safetensors", ".npz"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("norms", [True, False])
def test_round_trip(
    tmp_path: Path, ending: str, dtype: str, norms: bool
) -> None:
    """Weights come back bit for bit from the file of that hash, and no other file is left."""
    weights, path = (
        random_weights(1, dtype=dtype, norms=norms),
        tmp_path / f"model{ending}",
    )
    sha = written(weights, path)
    assert same(load_weights(path, sha), weights)
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("name", EVERY_PROGRAM)
def test_bundled_programs_round_trip(tmp_path: Path, name: str) -> None:
    """The weights of each bundled program come back bit for bit."""
    weights = bundled_model(name).weights
    for ending in (".safetensors", ".npz"):
        written(weights, tmp_path / f"model{ending}")
        assert same(load_weights(tmp_path / f"model{ending}"), weights)


def test_names_are_gpt2s_own() -> None:
    """Flattened names are the dict's keys joined with dots, and nesting undoes it."""
    flat = flatten(SMALL)
    assert set(flat) == {
        "wte",
        "wpe",
        "ln_f.g",
        "ln_f.b",
        *(f"blocks.0.{p}" for p in ("ln_1.g", "ln_1.b", "ln_2.g", "ln_2.b")),
        *(
            f"blocks.0.{p}.{k}"
            for p in ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")
            for k in "wb"
        ),
    }
    assert same(nest(flat), SMALL)


def test_what_is_read_is_read_only(tmp_path: Path) -> None:
    """Arrays from a file cannot be written to."""
    written(SMALL, tmp_path / "a.npz")
    with pytest.raises(ValueError, match="read-only"):
        load_weights(tmp_path / "a.npz")["wte"][0, 0] = 1
