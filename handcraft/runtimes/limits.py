"""Whether the stream of a model stays below what a norm that does nothing allows.

Of every context, by the bound of handcraft.core.bounds. It knows nothing of prompts: where a
claim speaks of prompts alone and the bound is past the limit, the streams of the compared
contexts decide, at every position.

Rules of this file: what does not fit is an ExportError with the lane and the number.
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
    """Something that watches the compared contexts; None where no context can pass the limit.

    Raises ExportError where one could and every context is one of the claim's.
    """
    over = [
        (name, size)
        for name, size in _streams(model)
        if not _root_mean_square(size) < norm.limit
    ]
    if not over:
        return None
    claim = model.program.claim if model.program else None
    if claim is None or not claim.asks_prompts:
        name, size = over[0]
        raise _refused(
            model,
            norm,
            runtime,
            size,
            f"can be up to {{size}} {name.removeprefix('lane {i} ')}",
        )
    return lambda ids: _watch(model, norm, runtime, ids)


def _streams(model: Model) -> list[tuple[str, Array]]:
    """The greatest sizes of the stream wherever a norm reads it."""
    found = sizes(model.weights, model.n_head, model.activation, model.epsilon)
    return [(what, size) for what, size, place in found if place is not None]


def _root_mean_square(stream: Array) -> float:  # [..., n_embd] -> the greatest
    """What the deviation of the mirrored stream is, at most: padding only lowers it."""
    squares = np.square(stream.astype(np.float64)).mean(axis=-1)
    return float(np.sqrt(squares).max())


def _watch(model: Model, norm: Norm, runtime: Runtime, ids: Array) -> Hook:
    def hook(name: str, value: Array) -> Array:
        if name.endswith(STREAMS) and not _root_mean_square(value) < norm.limit:
            worst = np.square(value.astype(np.float64)).mean(
                axis=-1
            )  # [n_batch, n_seq]
            row, at = np.unravel_index(int(worst.argmax()), worst.shape)
            after = printable(model.vocabulary.decode(ids[row, : at + 1].tolist()))
            raise _refused(
                model,
                norm,
                runtime,
                np.abs(value[row, at]),
                f"is {{size}} after '{after}'",
            )
        return value

    return hook


def _refused(
    model: Model, norm: Norm, runtime: Runtime, size: Array, says: str
) -> ExportError:
    """The largest lane of a stream that is past the limit, and what would work."""
    lane = int(size.argmax())
    what = says.format(size=f"{float(size[lane]):.3g}")
    limit = (
        f"the layer norms of '{norm.name}' do nothing to a stream below"
        f" {norm.limit:.3g} alone"
    )
    wider = [other.name for other in runtime.norms if other.limit > norm.limit]
    instead = f"; --norm {wider[0]} may do better" if wider else ""
    number = float(size[lane]) if math.isfinite(size[lane]) else None
    check = {"lane": str(model.names.stream[lane]), "size": number, "limit": norm.limit}
    return ExportError(
        f"{model.name} in {runtime.name}: the lane"
        f" {printable(str(model.names.stream[lane]))} {what}, and {limit}, so nothing"
        f" was written{instead}",
        check,
    )
