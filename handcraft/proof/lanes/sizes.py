"""How large lanes can be where nothing else is known of them: what neurons add to such lanes.

    after_neurons(sizes, mlp, floats)   the sizes of lanes behind a sublayer of neurons
    UnknownSizes(lanes, floats)         lanes that are not followed, by such sizes

By the sizes of weights alone two neurons that cancel add up: relu(x) - relu(x - 1) is from 0 to 1,
however large x is. So neurons that read the same lanes in the same proportion are looked at
together: what they bring is a function of one number, bent at a few places, and is greatest and
least at one of these or at an end. Those that read nothing bring what their biases say. A gelu is
at most so much below the relu.
Rules of this file: a size may be too large, never too small; what floats round is added.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import UP, Floats
from handcraft.proof.lanes.numbers import LaneNumbers
from handcraft.proof.lanes.overflow import (
    CUBED,
    OVERFLOW,
    NotFollowed,
    Unfollowed,
)

_BELOW_RELU = 0.2  # by how much a gelu is below the relu, at most
_STEEP = 1.2  # how much faster than what it sees a neuron changes, at most


def after_neurons(
    sizes: Array, mlp: Any, floats: Floats
) -> tuple[Array, Array]:
    """What neurons see at most, and the sizes of lanes with what they bring.

    sizes  [n_embd] before
    """
    w, b = (mlp["c_fc"][x].astype(np.float64) for x in ("w", "b"))
    out, bias = (mlp["c_proj"][x].astype(np.float64) for x in ("w", "b"))
    seen = (sizes @ np.abs(w) + np.abs(b)) * 1.01  # [n_unit]
    n = len(sizes) + len(b) + 2
    # of the sum that a neuron sees, of the gelu, and of what underflows
    off = _STEEP * floats.gamma(n) * seen + 64 * floats.u * seen
    off = off + _BELOW_RELU + 4 * n * floats.least
    rounded = floats.gamma(n) + 2.0**-40  # of what is brought, here and there
    most = (rounded * (seen + off) + off) @ np.abs(out)  # [n_embd]
    for units, d, factors, apart in _groups(w):
        far = float(sizes @ np.abs(d)) * UP
        found = _of_one_number(far, factors, b[units], out[units])
        most = most + found + (_STEEP * (sizes @ apart)) @ np.abs(out[units])
    alone = np.where((w != 0).any(axis=0), 0.0, np.maximum(b, 0.0))
    with_bias = most + np.abs(bias) + np.abs(alone @ out)
    both = sizes + with_bias
    return seen, (both + 4 * floats.u * both + floats.least) * UP * 1.001


class UnknownSizes(Unfollowed):
    """The greatest size of each lane, where lanes are not followed for many sublayers."""

    def __init__(self, lanes: Sequence[LaneNumbers], floats: Floats) -> None:
        super().__init__(lanes)
        self.floats = floats

    def add_neurons(self, mlp: Any) -> None:
        """Check the neurons of a block, and add what they bring."""
        self.sizes = self.with_neurons(mlp)

    def with_neurons(self, mlp: Any) -> Array:  # -> [n_embd]
        """The sizes behind the neurons of a block. Raises Rejected if one could overflow."""
        seen, found = after_neurons(self.sizes, mlp, self.floats)
        out, bias = np.abs(mlp["c_proj"]["w"]), np.abs(mlp["c_proj"]["b"])
        on_the_way = (seen + 1) @ out.astype(np.float64) + bias + found
        if not (seen < CUBED).all() or not (on_the_way < OVERFLOW).all():
            raise NotFollowed("a neuron could overflow")
        return found


def _groups(w: Array) -> list[tuple[list[int], Array, Array, Array]]:
    """Neurons that read lanes in nearly the same proportion: their numbers, the proportion, how
    much of it each reads, and what is left of what it reads, [n_embd, n_unit].
    """
    kinds: dict[bytes, list[int]] = {}
    for j, column in enumerate(w.T):
        at = int(np.argmax(np.abs(column)))
        if column[at] != 0:
            key = np.round(column / column[at], 9) + 0.0
            kinds.setdefault(key.tobytes(), []).append(j)
    found = []
    for units in kinds.values():
        d = w[:, units[0]]
        at = int(np.argmax(np.abs(d)))
        factors = w[at, units] / d[at]
        apart = np.abs(w[:, units] - np.outer(d, factors))
        apart = apart + np.abs(np.outer(d, factors)) * 2.0**-50
        found.append((units, d, factors, apart))
    return found


def _of_one_number(far: float, factors: Array, b: Array, out: Array) -> Array:
    """The size of sum of out * relu(factor x + b) in each lane, of x from -far to far."""
    bends = np.clip(-b / factors, -far, far)
    x = np.concatenate([bends, [-far, far]])  # [n_x]
    active = np.maximum(np.outer(x, factors) + b, 0.0)  # [n_x, n_unit]
    return np.asarray(np.abs(active @ out).max(axis=0))
