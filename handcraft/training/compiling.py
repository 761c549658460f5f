"""Compiles functions of one seed's weights by JAX, to run for all seeds at once.

On CPUs each sum is computed by one thread: how many there are would otherwise decide about the
order of sums, and so about bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from handcraft.core.gpt2 import Array
from handcraft.training.extra import jax_and_optax

_ONE_THREAD = {"xla_cpu_multi_thread_eigen": False}


class SeedCompiler:
    """JAX and optax, for so many seeds: the first axis of each array of theirs."""

    def __init__(self, n_seeds: int) -> None:
        self.jax, self.optax = jax_and_optax()
        self.n_seeds = n_seeds

    def put(self, arrays: Mapping[str, Array]) -> dict[str, Any]:
        """The arrays as JAX's."""
        return {name: self.jax.numpy.asarray(a) for name, a in arrays.items()}

    def compiled(self, function: Callable[..., Any]) -> Any:
        """The function as one that JAX compiles when it is first called."""
        on_cpu = self.jax.default_backend() == "cpu"
        options = _ONE_THREAD if on_cpu else None
        return self.jax.jit(function, compiler_options=options)

    def over_seeds(
        self, function: Callable[..., Any], axes: tuple[int | None, ...]
    ) -> Callable[..., Any]:
        """The function for all seeds at once; for a single one without another axis in each
        product, which would cost time.
        """
        if self.n_seeds > 1:
            return self.jax.vmap(function, axes)
        tree = self.jax.tree

        def single(*given: Any) -> Any:
            first = [
                value if axis is None else tree.map(lambda x: x[0], value)
                for value, axis in zip(given, axes, strict=True)
            ]
            return tree.map(lambda x: x[None], function(*first))

        return single
