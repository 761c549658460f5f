"""The prover's plain arithmetic: numbers of a layer, each with the size of all that it is made of.

A sum of products is off by at most a few u times the number of its terms times the sum of their
sizes; where terms are sums themselves, their sizes are those of all their terms. That is more than
the checker will find, and takes two products of matrices.

Rules of this file: it shares no bound with the checker (layer.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.model import Model
from handcraft.proof.prover.network import HeadPart, Network, Undecided

_OF_SCORES = (
    4.0  # times u and the number of terms: three sums inside each other
)
_OF_LOGITS = 5.0  # the same of the value, the mean, the output and the logit


@dataclass(frozen=True, eq=False)
class Sized:
    """Numbers, and the sums of the sizes of all terms that they are made of."""

    c: Array
    size: Array

    def through(self, w: Array, b: Array | float = 0.0) -> Sized:
        """W x + b."""
        return Sized(self.c @ w + b, self.size @ np.abs(w) + np.abs(b))

    def __getitem__(self, rows: int) -> Sized:
        return Sized(self.c[rows], self.size[rows])


class LayerParts:
    """The parts of a layer's scores and logits at every place. Raises Undecided for a model that is
    not one attention layer with one head.
    """

    def __init__(self, model: Model) -> None:
        network = Network(model)
        if len(network.blocks) != 1 or "mlp" in network.blocks[0]:
            raise Undecided("the model is not one attention layer")
        heads = [head for head in network.heads[0] if head.out.any()]
        if len(heads) != 1:
            raise Undecided("the layer has not one head that adds something")
        self.head: HeadPart = heads[0]
        self.u = network.precision.u
        self.wte = network.wte.astype(np.float64)
        self.wpe = network.wpe.astype(np.float64)
        b = network.blocks[0]["attn"]["c_proj"]["b"]
        self.b = b.astype(np.float64)

    def stream(self, tokens: Sequence[int], place: int) -> Sized:
        """The residual stream of tokens at a place."""
        w, p = self.wte[[*tokens]], self.wpe[place]
        return Sized(w + p, np.abs(w) + np.abs(p))

    def read(self, x: Sized, part: tuple[Array, Array]) -> Sized:
        """What queries, keys or values read of a stream."""
        w, b = (array.astype(np.float64) for array in part)
        return x.through(w, b)

    def keys(self, tokens: Sequence[int], place: int) -> Sized:
        """The keys of tokens at a place."""
        return self.read(self.stream(tokens, place), self.head.key)

    def added(self, tokens: Sequence[int], place: int) -> Sized:
        """What the values of tokens at a place add to the logits."""
        values = self.read(self.stream(tokens, place), self.head.value)
        out = self.head.out.astype(np.float64)
        return values.through(out).through(self.wte.T)

    def there(self, tokens: Sequence[int], place: int) -> Sized:
        """What stands in the logits without the head."""
        x = self.stream(tokens, place)
        return Sized(x.c + self.b, x.size + np.abs(self.b)).through(self.wte.T)

    def slack(self, x: Sized, terms: float) -> Array:
        """How far logits may be off."""
        n_embd = self.wte.shape[1]
        return (_OF_LOGITS * (n_embd + terms + 8) * self.u) * x.size

    def scores(
        self, query: Sized, keys: Sized
    ) -> tuple[Array, Array]:  # [n_match], [n, n_match] -> [n], [n]
        """The scores of keys, and how far they may be off."""
        scale = self.head.scale
        n_embd = self.wte.shape[1]
        off = _OF_SCORES * (n_embd + 8) * self.u / scale
        return keys.c @ query.c / scale, off * (keys.size @ query.size)
