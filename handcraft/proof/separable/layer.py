"""The attention layer in the checker's arithmetic: what scores and logits can be in floats.

The logit of token l after a text is, with P_i the weights that the softmax gives,

    U_l (x + b + sum_i P_i v_i W)   and in floats off by at most   E(l) + sum_i P_i e_i(l),

for |z| <= sum_i P_i |v_i|, and so each rounding after the softmax is bounded by a mean of sizes:

    z = sum P v        gamma_(2n+2) |v|     the sum of the exponentials, the division, the mean
    z W + b            gamma_(d+1)
    x + ...            u
    U_l ...            gamma_d

with n keys and d lanes; what may be flushed to zero is in E. Rules of this file: one block with
one head and no neuron; a bound is never too small; P_i is bounded in weighing.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.model import Model
from handcraft.proof.checker.network import Network
from handcraft.proof.checker.zonotope import Rejected, Zonotope

_MORE = 1.001  # what is rounded is rounded again, and by the checker itself
_MOST_GAMMA = 1e-4  # so that second-order terms are below that
_OWN = 2.0**-48  # of the checker's own sums


@dataclass(frozen=True, eq=False)
class Seen:
    """Tokens at places, as the head sees them: keys, and how their values add to the logits.

    added  [n, n_vocab], and how far the model may be off: e_i(l)
    """

    keys: Zonotope  # [n, n_match]
    added: Array
    off: Array

    def same(self, other: Seen) -> bool:
        """True where the head cannot tell the two apart."""
        pairs = (
            (self.keys.c, other.keys.c),
            (self.keys.r, other.keys.r),
            (self.added, other.added),
            (self.off, other.off),
        )
        return all(np.array_equal(a, b) for a, b in pairs)


class OneLayer:
    """One block with one head. Raises Rejected for any other model."""

    def __init__(self, model: Model) -> None:
        self.network = Network(model)
        blocks = self.network.blocks
        if len(blocks) != 1 or "mlp" in blocks[0]:
            raise Rejected("the model is not one attention layer")
        if len(self.network.heads[0]) != 1:
            raise Rejected("the layer has not one head that adds something")
        (self.head,) = self.network.heads[0]
        self.floats = self.network.floats
        out = blocks[0]["attn"]["c_proj"]
        self.w = out["w"][self.head.rows].astype(
            np.float64
        )  # [n_value, n_embd]
        self.b = out["b"].astype(np.float64)  # [n_embd]
        self.size = np.abs(self.network.wte).T  # [n_embd, n_vocab]

    def gamma(self, k: int) -> float:
        """The relative error of k roundings, and of as many of the checker's own. Raises Rejected
        where it is too large for what is neglected.
        """
        found = float(self.floats.gamma(k))
        if found > _MOST_GAMMA:
            raise Rejected("so many terms are summed that rounding matters")
        return found

    def seen(self, tokens: Sequence[int], place: int, n_keys: int) -> Seen:
        """What the head sees of tokens at one place of a text of so many."""
        x = self._stream(tokens, place)
        keys = self.floats.linear(x, *self.head.k).plain()
        values = self.floats.linear(x, *self.head.v).plain()
        through = np.abs(self.w)
        size = (np.abs(values.c) + values.r) @ through  # [n, n_embd]
        n_embd = self.w.shape[1]
        terms = (
            self.gamma(2 * n_keys + 2)
            + self.gamma(n_embd + 1)
            + self.gamma(n_embd)
            + self.floats.u
            + _OWN
        )
        off = (terms * size + values.r @ through) @ self.size
        return Seen(keys, values.c @ self.w @ self.network.wte.T, off * _MORE)

    def there(
        self, tokens: Sequence[int], place: int, n_keys: int, values: float
    ) -> tuple[Array, Array]:  # -> [n, n_vocab] each
        """What stands in the logits without the head, and how far the model may be off: E(l).
        No value is greater than `values`.
        """
        x = self._stream(tokens, place)
        n_embd = self.w.shape[1]
        b = np.abs(self.b)
        size = np.abs(x.c) + x.r + b  # [n, n_embd]
        sums = self.gamma(n_embd) + self.floats.u + _OWN
        off = self.gamma(n_embd + 1) * b + sums * size + x.r
        flushed = self.floats.least * (
            4 * n_keys * (1 + values) * np.abs(self.w).sum() + 4 * n_embd + 4
        )
        found = (off + flushed) @ self.size + 4 * n_embd * self.floats.least
        return (x.c + self.b) @ self.network.wte.T, found * _MORE

    def values(self, tokens: Sequence[int], place: int) -> float:
        """The greatest size of a value lane of these tokens."""
        v = self.floats.linear(self._stream(tokens, place), *self.head.v)
        return float((np.abs(v.c) + v.radius).max(initial=0.0))

    def scores(
        self, token: int, place: int, keys: Zonotope
    ) -> tuple[Array, Array]:  # -> [n], [n]
        """The least and the greatest score of keys, by the query of the last token."""
        x = self._stream([token], place)
        query = self.floats.linear(x, *self.head.q).plain()
        low, high = self.floats.dot(query, keys)
        scale = self.head.scale
        wide = 0.0 if math.frexp(scale)[0] == 0.5 else 4 * self.floats.u
        tiny = self.floats.least  # a quotient may be flushed
        return (
            (low - (wide + _OWN) * np.abs(low)) / scale - tiny,
            (high + (wide + _OWN) * np.abs(high)) / scale + tiny,
        )

    def _stream(self, tokens: Sequence[int], place: int) -> Zonotope:
        at = np.full(len(tokens), place)
        return self.network.embed(np.array(tokens), at).plain()
