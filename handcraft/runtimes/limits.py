"""Checks that the residual stream of a model stays small enough for layer norms that do nothing.

The bound of handcraft.core.bounds covers every context. Where it is past the limit and the claim
speaks of prompts only, the streams of the compared contexts are checked instead, at every
position.

Rules of this file: a stream that is too large is an ExportError with the lane and the number.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from handcraft.core.bounds import sizes
from handcraft.core.errors import ExportError, printable
from handcraft.core.gpt2 import Array, Hook
from handcraft.model import Model
from handcraft.runtimes.norms import Norm
from handcraft.runtimes.target import Runtime

STREAMS = ("resid_pre", "resid_mid", "resid_final")  # what a norm reads


def check_limit(
    model: Model, norm: Norm, runtime: Runtime
) -> Callable[[Array], Hook] | None:
    """Return a hook that watches the compared contexts; None where no context can pass the limit.

    Raises ExportError where one could and every context is one of the claim's.
    """
    streams = _streams(model)
    over = [
        found
        for found in streams
        if not _root_mean_square(found[1]) < norm.limit
    ]
    if not over:
        return None
    claim = model.program.claim if model.program else None
    if claim is None or not claim.asks_prompts:
        name, size = over[0]
        says = f"can be up to {{size}} {name.removeprefix('lane {i} ')}"
        raise _refused(model, norm, runtime, size, says)
    return lambda ids: _watch(model, norm, runtime, ids)


def _streams(model: Model) -> list[tuple[str, Array]]:
    """The greatest sizes of the stream wherever a norm reads it."""
    found = sizes(model.weights, model.n_head, model.activation, model.epsilon)
    return [(what, size) for what, size, place in found if place is not None]


def _root_mean_square(stream: Array) -> float:  # [..., n_embd] -> the greatest
    """The largest deviation that the mirrored stream can have: padding only lowers it."""
    squares = np.square(stream.astype(np.float64)).mean(axis=-1)
    return float(np.sqrt(squares).max())


def _watch(model: Model, norm: Norm, runtime: Runtime, ids: Array) -> Hook:
    def hook(name: str, value: Array) -> Array:
        if name.endswith(STREAMS) and not _root_mean_square(value) < norm.limit:
            squares = np.square(
                value.astype(np.float64)
            )  # [n_batch, n_seq, n_embd]
            worst = squares.mean(axis=-1)  # [n_batch, n_seq]
            row, at = np.unravel_index(int(worst.argmax()), worst.shape)
            after = printable(
                model.vocabulary.decode(ids[row, : at + 1].tolist())
            )
            says = f"is {{size}} after '{after}'"
            raise _refused(model, norm, runtime, np.abs(value[row, at]), says)
        return value

    return hook


def _refused(
    model: Model, norm: Norm, runtime: Runtime, size: Array, says: str
) -> ExportError:
    """An error that names the largest lane of a stream past the limit, and what would work."""
    lane = int(size.argmax())
    name = str(model.names.stream[lane])
    what = says.format(size=f"{float(size[lane]):.3g}")
    limit = (
        f"the layer norms of '{norm.name}' do nothing to a stream below"
        f" {norm.limit:.3g} alone"
    )
    wider = [other.name for other in runtime.norms if other.limit > norm.limit]
    instead = f"; --norm {wider[0]} may do better" if wider else ""
    number = float(size[lane]) if math.isfinite(size[lane]) else None
    message = (
        f"{model.name} in {runtime.name}: the lane {printable(name)} {what}, and"
        f" {limit}, so nothing was written{instead}"
    )
    return ExportError(
        message, {"lane": name, "size": number, "limit": norm.limit}
    )
