"""Compiles many steps of training into one loop of JAX.

A step takes a batch, computes the loss and its gradient, and lets optax change the weights. The
loop's bounds are arguments, so that it is compiled once, and however a run is cut into stretches,
its bits are the same. The rows of a batch are a function of seed and step. A loss or a gradient
that is not finite ends the loop before the weights are changed: they are the last good ones.

On CPUs each sum is computed by one thread: how many there are would otherwise decide about the
order of sums, and so about bits.

Rules of this file: only here JAX is used; what goes in and out are NumPy's arrays, the seeds on
the first axis of each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.training.examples import Examples
from handcraft.training.extra import jax_and_optax
from handcraft.training.loss import Sums, sums
from handcraft.training.settings import TrainingSettings
from handcraft.training.shapes import ModelShape, nested

_TOGETHER = 2**13  # positions in one pass of an evaluation
_ONE_THREAD = {"xla_cpu_multi_thread_eigen": False}
_BATCHES = 1  # a key of its own for what is drawn, beside the seed's


@dataclass
class TrainingState:
    """Where a run stands: [n_seeds, ...] arrays of weights and of the optimiser's state, the last
    loss of each seed, and whether it is still good.
    """

    step: int
    weights: dict[str, Any]
    optimiser: Any
    loss: Any  # [n_seeds]
    good: Any  # [n_seeds] bool
    stopped: Any  # [n_seeds], the step that was not taken


class Steps:
    """The compiled loop of one shape, one set of examples, and one choice of settings.

    frozen  {array: True at each cell that stays as it is}
    """

    def __init__(
        self,
        shape: ModelShape,
        examples: Examples,
        settings: TrainingSettings,
        frozen: Mapping[str, Array],
    ) -> None:
        self.jax, self.optax = jax_and_optax()
        self.shape, self.examples, self.settings = shape, examples, settings
        self.frozen = dict(frozen)
        self.config: dict[str, Any] = {
            "n_head": shape.n_head,
            "activation": shape.activation,
            "causal": shape.causal,
        }
        self.rule = _optimiser(self.optax, settings, shape)
        self.arrays = self.put(examples.arrays)
        self._loop = self._compiled(self._many)
        self._measured: dict[int, tuple[Any, Any]] = {}

    def put(self, arrays: Mapping[str, Array]) -> dict[str, Any]:
        """The arrays as JAX's."""
        return {name: self.jax.numpy.asarray(a) for name, a in arrays.items()}

    def _compiled(self, function: Callable[..., Any]) -> Any:
        on_cpu = self.jax.default_backend() == "cpu"
        options = _ONE_THREAD if on_cpu else None
        return self.jax.jit(function, compiler_options=options)

    # ------------------------------------------------------------ states

    def start(self, weights: Mapping[str, Array]) -> TrainingState:
        """The state before the first step, of weights [n_seeds, ...]."""
        own = self.put(weights)
        n = len(self.settings.seeds)
        state = self.jax.vmap(self.rule.init)(self._trained(own))
        ones = np.ones(n, bool)
        return TrainingState(
            0, own, state, np.full(n, np.nan), ones, np.zeros(n, int)
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
        state.optimiser = self.jax.tree.unflatten(form, typed)
        return state

    # ------------------------------------------------------------ steps

    def go(self, state: TrainingState, until: int) -> TrainingState:
        """The state after the step `until`, or after the last good one of every seed."""
        keys = self._keys()
        found = self._loop(
            state.weights, state.optimiser, keys, self.arrays, state.step, until,
            np.asarray(state.good), np.asarray(state.stopped, "int32"),
        )  # fmt: skip
        weights, optimiser, loss, good, stopped = found
        return TrainingState(
            until,
            weights,
            optimiser,
            np.asarray(loss),
            np.asarray(good),
            np.asarray(stopped),
        )

    def _keys(self) -> Any:  # -> [n_seeds] keys
        seeds = np.array(self.settings.seeds, "uint32")
        fold = self.jax.random.fold_in
        return self.jax.vmap(lambda s: fold(self.jax.random.key(_BATCHES), s))(
            seeds
        )

    def _many(
        self,
        weights: Any,
        optimiser: Any,
        keys: Any,
        arrays: Any,
        start: Any,
        until: Any,
        good: Any,
        stopped: Any,
    ) -> Any:
        xp = self.jax.numpy
        one = self._over_seeds(self._step, (0, 0, 0, None, None, 0, 0))

        def body(carried: Any) -> Any:
            step, w, state, _, ok, at = carried
            w, state, loss, ok, at = one(w, state, keys, arrays, step, ok, at)
            return step + 1, w, state, loss, ok, at

        first = (
            start,
            weights,
            optimiser,
            xp.full(good.shape, xp.nan),
            good,
            stopped,
        )
        found = self.jax.lax.while_loop(
            lambda carried: (carried[0] < until) & carried[4].any(), body, first
        )
        return found[1:]

    def _over_seeds(
        self, function: Callable[..., Any], axes: tuple[int | None, ...]
    ) -> Callable[..., Any]:
        """The function for all seeds at once; for a single one without another axis in each
        product, which would cost time.
        """
        if len(self.settings.seeds) > 1:
            return self.jax.vmap(function, axes)
        tree = self.jax.tree

        def single(*given: Any) -> Any:
            first = [
                value if axis is None else tree.map(lambda x: x[0], value)
                for value, axis in zip(given, axes, strict=True)
            ]
            return tree.map(lambda x: x[None], function(*first))

        return single

    def _step(
        self,
        weights: Any,
        optimiser: Any,
        key: Any,
        arrays: Any,
        step: Any,
        good: Any,
        stopped: Any,
    ) -> Any:
        """One step of one seed: it changes nothing where loss or gradient are not finite."""
        xp, trained = self.jax.numpy, self._trained(weights)
        batch = self.examples.batch(arrays, self._rows(key, step))

        def loss_of_trained(own: Any) -> Any:
            return self._sums(weights | own, batch).loss

        loss, slopes = self.jax.value_and_grad(loss_of_trained)(trained)
        slopes = self._zeroed(slopes)
        changes, after = self.rule.update(slopes, optimiser, trained)
        moved = self.optax.apply_updates(trained, self._zeroed(changes))
        finite = [xp.isfinite(x).all() for x in (loss, *slopes.values())]
        fine = good & xp.stack(finite).all()
        kept = self.jax.tree.map(
            lambda new, old: xp.where(fine, new, old),
            (moved, after),
            (trained, optimiser),
        )
        stopped = xp.where(good & ~fine, step, stopped)
        return weights | kept[0], kept[1], loss, fine, stopped

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

    # ------------------------------------------------------------ evaluation

    def _sums(self, weights: Any, batch: Any) -> Sums:
        own = nested(weights, self.shape.n_layer)
        return sums(own, batch, self.examples.kind, **self.config)

    def measure(
        self, state: TrainingState, examples: Examples, rows: Array
    ) -> Sums:  # of [n_seeds] numbers each
        """The sums over these rows for each seed."""
        if id(examples) not in self._measured:
            self._measured[id(examples)] = (
                self.put(examples.arrays),
                self._compiled(self._evaluation(examples)),
            )
        arrays, evaluate = self._measured[id(examples)]
        many = min(len(rows), max(1, _TOGETHER // examples.n_seq))
        found = np.zeros((3, len(self.settings.seeds)))
        for i in range(0, len(rows), many):
            some = rows[i : i + many]
            part = evaluate(
                state.weights, arrays, _filled(some, many), len(some)
            )
            found += np.stack([np.asarray(x, "float64") for x in part])
        return Sums(*found)

    def _evaluation(self, examples: Examples) -> Callable[..., Any]:
        xp = self.jax.numpy

        def one(weights: Any, arrays: Any, rows: Any, n: Any) -> Any:
            batch = examples.batch(arrays, rows)
            ones = xp.ones(batch["tokens"].shape, "float32")
            there = (xp.arange(len(rows)) < n)[
                :, None
            ]  # those that fill up are not
            batch["weight"] = batch.get("weight", ones) * there
            return self._sums(weights, batch)

        return self._over_seeds(one, (0, None, None, None))


def _filled(rows: Array, many: int) -> Array:  # -> [many]
    """The rows, and the first of them again as often as it takes."""
    return np.concatenate([rows, np.full(many - len(rows), rows[0])])


def _optimiser(
    optax: Any, settings: TrainingSettings, shape: ModelShape
) -> Any:
    """AdamW with its schedule, and a limit on the norm of gradients where one is wanted."""
    matrices = {
        name: len(size) > 1
        for name, size in shape.arrays.items()
        if name not in shape.still
    }
    rule = optax.adamw(
        _schedule(optax, settings),
        b2=settings.beta2,
        weight_decay=settings.decay,
        mask=matrices,
    )
    if settings.clip is None:
        return rule
    return optax.chain(optax.clip_by_global_norm(settings.clip), rule)


def _schedule(optax: Any, settings: TrainingSettings) -> Any:
    """The learning rate as a function of the step."""
    rest = max(1, settings.steps - settings.warmup)
    after = (
        optax.cosine_decay_schedule(settings.rate, rest, settings.final)
        if settings.schedule == "cosine"
        else optax.constant_schedule(settings.rate)
    )
    if not settings.warmup:
        return after
    rises = optax.linear_schedule(0.0, settings.rate, settings.warmup)
    return optax.join_schedules([rises, after], [settings.warmup])
