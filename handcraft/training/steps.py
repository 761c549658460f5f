"""Compiles many steps of training into one loop of JAX.

A step takes a batch, computes the loss and its gradient, and lets optax change the weights. The
loop's bounds are arguments, so that it is compiled once, and however a run is cut into stretches,
its bits are the same. The rows of a batch are a function of seed and step. Where a loss or a
gradient is not finite, the last step led there: it is taken back, and the seed makes no more.

Rules of this file: what goes in and out are NumPy's arrays, or JAX's that are not looked into, the
seeds on the first axis of each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.training.compiling import SeedCompiler
from handcraft.training.examples import Examples
from handcraft.training.loss import Sums, sums
from handcraft.training.optimiser import optimiser
from handcraft.training.settings import TrainingSettings
from handcraft.training.shapes import ModelShape, nested

_BATCHES = 1  # a key of its own for what is drawn, beside the seed's


@dataclass(frozen=True)
class TrainingState:
    """Where a run stands: [n_seeds, ...] arrays of weights, of those before the last step, and of
    the optimiser's state; the last loss of each seed, and whether it is still good.
    """

    step: int
    weights: Mapping[str, Any]
    before: Mapping[str, Any]  # a loss and a gradient were finite with these
    optimiser: Any
    loss: Array  # [n_seeds]
    good: Array  # [n_seeds] bool
    stopped: Array  # [n_seeds], the step that was not taken

    def taken_back(self, bad: Array) -> TrainingState:
        """The same without the last step of these seeds [n_seeds], which make no more."""
        weights = {
            name: np.where(wide_as(bad, array), self.before[name], array)
            for name, array in self.weights.items()
        }
        stopped = np.where(bad & self.good, self.step, self.stopped)
        good = self.good & ~bad
        found = replace(self, weights=weights, good=good, stopped=stopped)
        return found.ended()

    def ended(self) -> TrainingState:
        """The same, at the last good step where no seed is good any more."""
        if self.good.any():
            return self
        return replace(self, step=int(self.kept.max()))

    @property
    def kept(self) -> Array:  # -> [n_seeds]
        """The step whose weights each seed has."""
        return np.where(self.good, self.step, np.maximum(self.stopped - 1, 0))


def wide_as(chosen: Array, array: Any) -> Array:
    """The choice of seeds in the shape of an array of all seeds."""
    return chosen.reshape(-1, *[1] * (np.ndim(array) - 1))


class Steps:
    """The compiled loop of one shape, one set of examples, and one choice of settings.

    frozen  {array: True at each cell that stays as it is}
    """

    def __init__(
        self,
        compiler: SeedCompiler,
        shape: ModelShape,
        examples: Examples,
        settings: TrainingSettings,
        frozen: Mapping[str, Array],
    ) -> None:
        self.compiler = compiler
        self.jax, self.optax = compiler.jax, compiler.optax
        self.shape, self.examples, self.settings = shape, examples, settings
        self.frozen = dict(frozen)
        self.rule = optimiser(self.optax, settings, shape)
        self.arrays = compiler.put(examples.arrays)
        self._loop: Callable[..., Any] = compiler.compiled(self._many)

    # ------------------------------------------------------------ states

    def start(self, weights: Mapping[str, Array]) -> TrainingState:
        """The state before the first step, of weights [n_seeds, ...]."""
        own = self.compiler.put(weights)
        n = len(self.settings.seeds)
        state = self.jax.vmap(self.rule.init)(self._trained(own))
        ones = np.ones(n, bool)
        return TrainingState(
            0, own, own, state, np.full(n, np.nan), ones, np.zeros(n, int)
        )

    def leaves(self, state: TrainingState) -> list[Array]:
        """The arrays of the optimiser's state, in an order of their own."""
        return [np.asarray(x) for x in self.jax.tree.leaves(state.optimiser)]

    def with_leaves(
        self, state: TrainingState, leaves: list[Array]
    ) -> TrainingState:
        """The state with these arrays of the optimiser's. Raises ValueError if they do not fit."""
        own, form = self.jax.tree.flatten(state.optimiser)
        if [x.shape for x in own] != [x.shape for x in leaves]:
            raise ValueError("the optimiser's state has other arrays")
        put = self.jax.numpy.asarray
        pairs = zip(own, leaves, strict=True)
        typed = [put(new.astype(old.dtype)) for old, new in pairs]
        return replace(state, optimiser=self.jax.tree.unflatten(form, typed))

    # ------------------------------------------------------------ steps

    def go(self, state: TrainingState, until: int) -> TrainingState:
        """The state after the step `until`, or after the last good one of every seed."""
        weights, before, rule, *told = self._loop(
            state.weights, state.before, state.optimiser, self._keys(), self.arrays,
            state.step, until, state.good, np.asarray(state.stopped, "int32"),
        )  # fmt: skip
        loss, good, stopped = map(np.asarray, told)
        return TrainingState(
            until, weights, before, rule, loss, good, stopped
        ).ended()

    def _keys(self) -> Any:  # -> [n_seeds] keys
        seeds = np.array(self.settings.seeds, "uint32")
        fold = self.jax.random.fold_in
        return self.jax.vmap(lambda s: fold(self.jax.random.key(_BATCHES), s))(
            seeds
        )

    def _many(
        self,
        weights: Any,
        before: Any,
        optimiser: Any,
        keys: Any,
        arrays: Any,
        start: Any,
        until: Any,
        good: Any,
        stopped: Any,
    ) -> Any:
        xp = self.jax.numpy
        one = self.compiler.over_seeds(
            self._step, (0, 0, 0, 0, None, None, 0, 0)
        )

        def body(carried: Any) -> Any:
            step, w, old, state, _, ok, at = carried
            return step + 1, *one(w, old, state, keys, arrays, step, ok, at)

        nothing = xp.full(good.shape, xp.nan)
        first = (start, weights, before, optimiser, nothing, good, stopped)
        found = self.jax.lax.while_loop(
            lambda carried: (carried[0] < until) & carried[5].any(), body, first
        )
        return found[1:]

    def _step(
        self,
        weights: Any,
        before: Any,
        optimiser: Any,
        key: Any,
        arrays: Any,
        step: Any,
        good: Any,
        stopped: Any,
    ) -> Any:
        """One step of one seed; where loss or gradient are not finite, the last one taken back."""
        xp, trained = self.jax.numpy, self._trained(weights)
        batch = self.examples.batch(arrays, self._rows(key, step))
        loss, slopes = self.jax.value_and_grad(self._loss(weights, batch))(
            trained
        )
        slopes = self._zeroed(slopes)
        changes, after = self.rule.update(slopes, optimiser, trained)
        moved = self.optax.apply_updates(trained, self._zeroed(changes))
        finite = [xp.isfinite(x).all() for x in (loss, *slopes.values())]
        fine = good & xp.stack(finite).all()
        ends = good & ~fine

        def chosen(new: Any, old: Any, earlier: Any) -> Any:
            return xp.where(fine, new, xp.where(ends, earlier, old))

        tree = self.jax.tree
        own = tree.map(chosen, moved, trained, self._trained(before))
        last = tree.map(lambda w, old: xp.where(fine, w, old), weights, before)
        state = tree.map(
            lambda new, old: xp.where(fine, new, old), after, optimiser
        )
        at = xp.where(ends, step, stopped)
        return weights | own, last, state, loss, fine, at

    def _loss(self, weights: Any, batch: Any) -> Callable[[Any], Any]:
        """The loss on a batch, as a function of the weights that are trained."""

        def loss_of_trained(own: Any) -> Any:
            every = nested(weights | own, self.shape.n_layer)
            found: Sums = sums(
                every, batch, self.examples.kind, **self.shape.config
            )
            return found.loss

        return loss_of_trained

    def _rows(self, key: Any, step: Any) -> Any:  # -> [n] row numbers
        size, many = self.examples.size, self.settings.batch
        if many is None or many >= size:
            return self.jax.numpy.arange(size)
        drawn = self.jax.random.fold_in(key, step)
        return self.jax.random.randint(drawn, (many,), 0, size)

    def _trained(self, weights: Any) -> dict[str, Any]:
        still = self.shape.still
        return {name: w for name, w in weights.items() if name not in still}

    def _zeroed(self, changes: dict[str, Any]) -> dict[str, Any]:
        """What changes the weights, 0 at each frozen cell."""
        where = self.jax.numpy.where
        frozen = {
            name: where(mark, 0.0, changes[name])
            for name, mark in self.frozen.items()
            if name in changes
        }
        return changes | frozen
