"""Logits that are linear in the stream behind the last heads: read by wte alone, or by neurons that
are straight lines.

    ReadOut(stream)        the logits as a matrix and a constant for each token
        .errors(size)      how far each logit is from that, of lanes of this size

Two neurons of opposite weights and opposite effect are one line: gelu(z) - gelu(-z) is z, and so is
relu(z) - relu(-z). In floats both are off by what is rounded on the way.
Rules of this file: any other neuron that writes something is Rejected.
"""

from __future__ import annotations

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import UP, Rejected
from handcraft.proof.lanes.stream import LaneStream

_OVERFLOW = 2.0**100  # any number is smaller
_CUBED = 2.0**40  # what a neuron sees is smaller, so that its cube is a float
_SLOPE = 1.13  # of gelu, at most
_LOST = 2.0**-44  # what float64 rounds here, of all sizes together


class ReadOut:
    """How the lanes behind the last heads are read.

    matrix    [n_vocab, n_embd]
    constant  [n_vocab]
    """

    def __init__(self, stream: LaneStream) -> None:
        self.floats = stream.floats
        self.wte = stream.wte
        self.matrix = stream.wte
        self.constant = np.zeros(len(stream.wte))
        mlp = stream.blocks[-1].get("mlp")
        self.mlp = None if mlp is None else _doubles(mlp)
        if self.mlp is not None:
            self._straighten(*self.mlp)

    def _straighten(self, w: Array, b: Array, out: Array, bias: Array) -> None:
        """Add what each pair of neurons writes, as the line that it is."""
        for i in _pairs(w, b, out):
            effect = self.wte @ out[i]  # [n_vocab]
            self.matrix = self.matrix + effect[:, None] * w[:, i]
            self.constant = self.constant + effect * b[i]
        self.constant = self.constant + self.wte @ bias

    def errors(self, size: Array) -> Array:  # [n_embd] -> [n_vocab]
        """How far the logits can be off. Raises Rejected where a number could overflow."""
        off = np.zeros(len(size))
        if self.mlp is not None:
            size, off = self._behind(size, *self.mlp)
        read = np.abs(self.wte)
        logits = size @ read.T
        if not max(size.max(), logits.max()) < _OVERFLOW:
            raise Rejected("a number of the model could overflow")
        terms = ((read > 0) & (size > 0)).sum(axis=1)
        error = self.floats.gamma(terms) * logits + read @ off
        if self.mlp is not None:
            error = error + self._lost(size)
        return np.asarray((error + (terms + 2) * self.floats.least) * UP)

    def _behind(
        self, size: Array, w: Array, b: Array, out: Array, bias: Array
    ) -> tuple[Array, Array]:
        """How large lanes are behind the neurons, and how far they can be off there."""
        floats = self.floats
        seen = size @ np.abs(w) + np.abs(b)  # [n_neuron]
        terms = ((w != 0) & (size > 0)[:, None]).sum(axis=0) + (b != 0)
        wrong = floats.gamma(terms) * seen + (terms + 2) * floats.least
        seen = (seen + wrong) * UP
        if not seen.max(initial=0.0) < _CUBED:
            raise Rejected("a neuron could overflow")
        wrong = _SLOPE * wrong + 16 * (floats.u + 2.0**-52) * seen
        wrong = (wrong + floats.least) * UP
        effect = np.abs(out)
        added = (seen + wrong) @ effect + np.abs(bias)  # [n_embd]
        terms = (out != 0).sum(axis=0) + (bias != 0)
        off = floats.gamma(terms) * added + (terms + 2) * floats.least
        both = (size + added + off) * UP
        rounded = (floats.u + 2.0**-50) * both + floats.least
        off = np.where(terms > 0, off + rounded, 0.0) + wrong @ effect
        return (both + off) * UP, off * UP

    def _lost(self, size: Array) -> Array:  # -> [n_vocab]
        """What the matrix and the constant are off by: they are sums of products in float64."""
        if self.mlp is None:
            return np.zeros(len(self.wte))
        w, b, out, bias = self.mlp
        seen = size @ np.abs(w) + np.abs(b)
        read = np.abs(self.wte)
        whole = read @ (np.abs(out).T @ seen + np.abs(bias) + size)
        return np.asarray(whole * (_LOST * (len(b) + 8)))


def _doubles(mlp: dict[str, dict[str, Array]]) -> tuple[Array, ...]:
    """The weights and biases of neurons, and of what they write, as float64."""
    return tuple(
        mlp[part][key].astype(np.float64)
        for part in ("c_fc", "c_proj")
        for key in ("w", "b")
    )


def _pairs(w: Array, b: Array, out: Array) -> list[int]:
    """One neuron of each two that are opposite. Raises Rejected if another one writes something."""
    waiting: dict[bytes, list[int]] = {}
    found: list[int] = []
    for i in np.flatnonzero(out.any(axis=1)):
        own = np.concatenate([w[:, i], b[i : i + 1], out[i]])
        opposite = waiting.get((0.0 - own).tobytes())
        if opposite:
            opposite.pop()
            found.append(int(i))
        else:
            waiting.setdefault((own + 0.0).tobytes(), []).append(int(i))
    if any(waiting.values()):
        raise Rejected("neurons behind the last heads are no straight lines")
    return found
