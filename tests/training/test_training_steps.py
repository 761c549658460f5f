"""Gradients and steps of JAX and optax are those of plain Python; seeds and cuts change nothing."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from drawn_weights import random_weights

from handcraft.core.weights import flatten
from handcraft.training import pace
from handcraft.training.examples import ExampleRows
from handcraft.training.loss import loss_of, sums
from handcraft.training.measured import Finished
from handcraft.training.running import TrainingRun
from handcraft.training.settings import TrainingSettings
from handcraft.training.shapes import gpt_shape, initial, nested
from handcraft.training.texts import Data, of_sequence, of_text

BITS = "111101111011110"
DATA = of_sequence(BITS, 3)
SHAPE = gpt_shape(2, 3, layers=1, heads=2, width=4)
FEW = TrainingSettings(steps=7, every=3, rate=0.01)


def trained(
    settings: TrainingSettings = FEW, data: Data = DATA, **options: Any
) -> Finished:
    """A run of a tiny model."""
    return TrainingRun(data, SHAPE, settings, **options).run()


def same_bits(one: Finished, other: Finished) -> bool:
    """True if the weights of all seeds are the same to the last bit."""
    return all(
        a.keys() == b.keys()
        and all(a[name].tobytes() == b[name].tobytes() for name in a)
        for a, b in zip(one.weights, other.weights, strict=True)
    )


@pytest.mark.parametrize("kind", ["token", "any", "chances"])
def test_gradients_are_finite_differences(kind: Any) -> None:
    """Every 7th weight of a model with norms and neurons, moved a little to both sides, changes
    the loss, computed by NumPy in float64, as JAX's gradient says.
    """
    weights, random = random_weights(4), np.random.default_rng(6)
    targets: Any = {
        "token": random.integers(0, 3, (3, 4)),
        "any": np.array([[True, False, True]] * 12).reshape(3, 4, 3),
        "chances": random.dirichlet(np.ones(3), (3, 4)),
    }[kind]
    tokens = random.integers(0, 3, (3, 4))
    rows = ExampleRows(kind, tokens, targets, random.random((3, 4)))
    flat, n_layer = flatten(weights), len(weights["blocks"])

    def loss(given: Any) -> Any:
        own = nested(given, n_layer)
        return sums(own, dict(rows.arrays), kind, n_head=2).loss

    with jax.enable_x64(True):
        slopes = jax.grad(loss)(
            {k: jax.numpy.asarray(x) for k, x in flat.items()}
        )
    step = 1e-5
    for name, array in flat.items():
        for at in range(0, array.size, 7):
            both = []
            for sign in (1, -1):
                moved = array.copy()
                moved.flat[at] += sign * step
                own = nested(flat | {name: moved}, n_layer)
                both.append(loss_of(own, rows, n_head=2).loss)
            expected = (both[0] - both[1]) / (2 * step)
            found = float(np.asarray(slopes[name]).flat[at])
            assert found == pytest.approx(expected, rel=1e-4, abs=1e-8), name


def test_the_first_step_is_adamws() -> None:
    """After one step Adam's mean over its root is the gradient over its size: each matrix cell
    moves by the rate against it, and by the rate times the decay of itself.
    """
    settings = replace(FEW, steps=1, rate=0.01, decay=0.5)
    flat = initial(SHAPE, 0)

    def loss(given: Any) -> Any:
        return sums(
            nested(given, 1), dict(DATA.examples.arrays), "token", n_head=2
        ).loss

    slopes = jax.grad(loss)({k: jax.numpy.asarray(x) for k, x in flat.items()})
    found = trained(settings).weights[0]
    for name, before in flat.items():
        slope = np.asarray(slopes[name], "float64")
        decay = 0.5 * before if before.ndim == 2 else 0.0
        expected = before - 0.01 * (slope / (np.abs(slope) + 1e-8) + decay)
        clear = np.abs(slope) > 1e-4  # in others rounding decides
        np.testing.assert_allclose(
            found[name][clear], expected[clear], atol=1e-5
        )


def test_seeds_at_once_are_each_alone() -> None:
    """Several seeds in one batch end where each ends by itself, apart from rounding."""
    together = trained(replace(FEW, seeds=(3, 5)))
    for i, seed in enumerate((3, 5)):
        alone = trained(replace(FEW, seeds=(seed,)))
        for name, array in alone.weights[0].items():
            np.testing.assert_allclose(
                together.weights[i][name], array, atol=2e-5
            )
        assert together.points[-1].loss[i] == pytest.approx(
            alone.points[-1].loss[0], abs=1e-5
        )


def test_what_was_measured_is_the_loss_of_the_weights() -> None:
    """The last number of the curve is what NumPy computes for the weights that came out."""
    done = trained()
    wide = {k: x.astype("float64") for k, x in done.weights[0].items()}
    found = loss_of(nested(wide, 1), DATA.examples, n_head=2)
    assert [p.step for p in done.points] == [0, 3, 6, 7]
    assert done.points[-1].loss[0] == pytest.approx(found.loss, abs=1e-6)
    assert done.points[-1].accuracy[0] == pytest.approx(found.accuracy)


def test_the_whole_of_what_is_held_out_is_measured() -> None:
    """At the end all windows of the held-out part count, the cut one apart."""
    data = of_text("t", "abba" * 30 + "ab" * 9, 3, held_out=0.2)
    assert data.held_out is not None
    done = TrainingRun(
        data, gpt_shape(2, 3, layers=1, heads=1, width=4), FEW
    ).run()
    wide = {k: x.astype("float64") for k, x in done.weights[0].items()}
    rows = data.held_out.every()
    found = loss_of(nested(wide, 1), data.held_out, rows, n_head=1)
    assert done.held_out == pytest.approx((found.loss,), abs=1e-5)


@pytest.mark.parametrize("batch", [None, 4])
def test_a_run_is_cut_anywhere_without_a_bit_changed(
    batch: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one stretch, or step by step."""
    settings = replace(FEW, batch=batch, steps=12, every=12)
    whole = trained(settings)
    monkeypatch.setattr(pace, "STRETCH", 0.0)
    assert same_bits(trained(settings), whole)


def test_another_seed_draws_other_batches() -> None:
    """With the same first weights, drawn rows lead to others."""
    begins = initial(SHAPE, 0)
    settings = replace(FEW, batch=3)
    one = trained(settings, begins=begins)
    other = trained(replace(settings, seeds=(1,)), begins=begins)
    assert same_bits(one, trained(settings, begins=begins))
    assert not same_bits(one, other)


def test_biases_that_are_not_wanted_stay_0() -> None:
    """And all else moves."""
    shape = gpt_shape(2, 3, layers=1, heads=2, width=4, biases=False)
    found = TrainingRun(DATA, shape, FEW).run().weights[0]
    before = initial(shape, 0)
    for name, array in found.items():
        assert (array != before[name]).any() == (not name.endswith(".b")), name


def test_frozen_cells_stay_bit_for_bit() -> None:
    """With weight decay too; the other cells of the same arrays move."""
    mark = np.zeros((4, 12), bool)
    mark[1:3, 4:9] = True
    name = "blocks.0.attn.c_attn.w"
    held = {name: np.full((4, 12), 0.7, "float32")}
    done = trained(frozen={name: mark}, held=held)
    assert (done.weights[0][name][mark] == np.float32(0.7)).all()
    assert (
        done.weights[0][name][~mark] != initial(SHAPE, 0)[name][~mark]
    ).all()


def test_patience_keeps_the_best() -> None:
    """A text that is learned by heart: the held-out loss rises, the run ends early, and the
    weights are those of the best evaluation.
    """
    random = np.random.default_rng(0)
    text = "".join(random.choice(list("abcd"), 90))
    data = of_text("t", text, 6, held_out=0.3)
    shape = gpt_shape(4, 6, layers=1, heads=2, width=16)
    settings = TrainingSettings(steps=3000, rate=0.01, every=20, patience=3)
    done = TrainingRun(data, shape, settings).run()
    losses = [p.judged[0] for p in done.points]
    best = int(np.argmin(losses))
    assert done.early
    assert len(losses) == best + 1 + 3
    assert done.kept == [done.points[best].step]
    assert data.held_out is not None
    wide = {k: x.astype("float64") for k, x in done.weights[0].items()}
    sample = data.held_out.sample()
    found = loss_of(nested(wide, 1), data.held_out, sample, n_head=2)
    assert found.loss == pytest.approx(losses[best], abs=1e-4)


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_a_loss_that_is_not_finite_ends_the_run(seeds: tuple[int, ...]) -> None:
    """The weights are the last with which loss and gradient were finite: those of the step that
    is named, as a run that ends there has them.
    """
    settings = TrainingSettings(
        steps=50, rate=1e25, every=10, decay=0.0, seeds=seeds
    )
    done = trained(settings)
    for i, at in enumerate(done.stopped):
        assert at is not None
        assert done.kept[i] == max(at - 1, 0)
        assert math.isfinite(done.points[-1].loss[i])
        short = trained(replace(settings, steps=done.kept[i]))
        assert short.stopped[i] is None
        for name, array in short.weights[i].items():
            assert array.tobytes() == done.weights[i][name].tobytes()


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_last_step_to_a_loss_that_is_not_finite_is_taken_back(
    steps: int,
) -> None:
    """No further step would notice: the evaluation does, and the run has not ended well."""
    settings = TrainingSettings(steps=steps, rate=1e25, every=1, decay=0.0)
    done = trained(settings)
    assert done.stopped == [1]
    assert done.kept == [0]
    assert [p.step for p in done.points] == [0]
    for name, array in initial(SHAPE, 0).items():
        assert array.tobytes() == done.weights[0][name].tobytes()


def test_one_bad_seed_does_not_stop_the_others() -> None:
    """The good one ends where it ends by itself."""
    begins = initial(SHAPE, 0)
    run = TrainingRun(DATA, SHAPE, replace(FEW, seeds=(0, 1)))
    run.first = {k: np.stack([x, x]) for k, x in begins.items()}
    run.first["wte"][1] = 3e38
    done = run.run()
    assert done.stopped == [None, 0]
    alone = trained(begins=begins)
    for name, array in alone.weights[0].items():
        np.testing.assert_allclose(done.weights[0][name], array, atol=2e-5)


def test_a_run_that_was_stopped_goes_on_to_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped by an exception, also where it has just measured; the curve is the same, too."""
    monkeypatch.setattr(pace, "STRETCH", 0.0)
    settings = replace(FEW, batch=4, patience=9)
    whole = trained(settings)

    class Stop(BaseException):
        pass

    def stop(step: int, *_: Any) -> None:
        if step == at:
            raise Stop

    for at in (3, 5):  # 3 is measured
        file = tmp_path / str(at)
        with pytest.raises(Stop):
            trained(settings, file=file, told=stop)
        seen: list[int] = []
        onlooker = partial(_noted, seen)
        went_on = trained(settings, file=file, told=onlooker)
        assert seen[0] == at + 1
        assert same_bits(went_on, whole)
        assert went_on.points == whole.points


def _noted(seen: list[int], step: int, *_: Any) -> None:
    seen.append(step)
