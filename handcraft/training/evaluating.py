"""Measures the loss of each seed's weights on rows of examples, as many at once as memory takes.

Rules of this file: passes are all of one size, so that each set of examples is compiled once; the
rows that fill up the last of them count nothing; sums over passes are taken in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.training.compiling import SeedCompiler
from handcraft.training.examples import Examples
from handcraft.training.loss import Sums, sums
from handcraft.training.shapes import ModelShape, nested

_TOGETHER = 2**13  # positions in one pass


class SeedEvaluation:
    """The compiled evaluation of one set of examples."""

    def __init__(
        self, compiler: SeedCompiler, shape: ModelShape, examples: Examples
    ) -> None:
        self.compiler, self.shape, self.examples = compiler, shape, examples
        self.arrays = compiler.put(examples.arrays)
        over_seeds = compiler.over_seeds(self._one, (0, None, None, None))
        self._all: Callable[..., Any] = compiler.compiled(over_seeds)

    def sums(
        self, weights: Mapping[str, Any], rows: Array
    ) -> Sums:  # of [n_seeds] numbers each
        """The sums over these rows for each seed."""
        many = min(len(rows), max(1, _TOGETHER // self.examples.n_seq))
        found = np.zeros((3, self.compiler.n_seeds))
        for i in range(0, len(rows), many):
            some = rows[i : i + many]
            part = self._all(
                weights, self.arrays, _filled(some, many), len(some)
            )
            found += np.stack([np.asarray(x, "float64") for x in part])
        return Sums(*found)

    def _one(self, weights: Any, arrays: Any, rows: Any, n: Any) -> Any:
        """The sums of one seed over the first n of these rows."""
        xp = self.compiler.jax.numpy
        batch = self.examples.batch(arrays, rows)
        ones = xp.ones(batch["tokens"].shape, "float32")
        there = (xp.arange(len(rows)) < n)[:, None]
        batch["weight"] = batch.get("weight", ones) * there
        own = nested(weights, self.shape.n_layer)
        return sums(own, batch, self.examples.kind, **self.shape.config)


def _filled(rows: Array, many: int) -> Array:  # -> [many]
    """The rows, and the first of them again as often as it takes."""
    return np.concatenate([rows, np.full(many - len(rows), rows[0])])
