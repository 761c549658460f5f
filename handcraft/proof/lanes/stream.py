"""Lanes from the embedding to the logits, at the token that begins a text and at its positions.

    LaneStream(model, begin, alphabet).run(seen)   all blocks, calling seen after each sublayer
        .logits(labels)                            the logits of each row of the last symbols

A sublayer is computed lane by lane: what a lane adds up is gathered, with a row for each values of
the symbols that it depends on. Rules of this file: the bounds are those of the checker's own
arithmetic (handcraft.proof.checker.zonotope); what nothing reads is bounded as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.model import Model
from handcraft.proof.checker.zonotope import UP, Floats, Rejected, Zonotope
from handcraft.proof.lanes.attention import HeadReading, keys_of
from handcraft.proof.lanes.numbers import (
    LaneNumbers,
    gathered,
    lanes_of,
    simpler,
    single,
)
from handcraft.proof.lanes.scores import Begin
from handcraft.proof.lanes.symbols import (
    AT_INDEX,
    AT_TOKEN,
    Labels,
    Symbols,
)

_OVERFLOW = 2.0**100  # any number is smaller
_CUBED = 2.0**40  # what a neuron sees is smaller, so that its cube is a float
_MOST_LANES = 4096


class LaneStream:
    """The residual stream of a model, lane by lane. Raises Rejected for one that cannot be bounded.

    text   what each lane holds at a position of a text
    first  the same at the token that begins it
    """

    def __init__(
        self, model: Model, begin: str, alphabet: Sequence[str]
    ) -> None:
        weights = model.weights
        _check(model)
        self.model = model
        self.causal = model.causal
        self.floats = Floats(model.dtype)
        self.activation = model.activation
        self.blocks: list[Any] = weights["blocks"]
        self.wte = weights["wte"].astype(np.float64)
        self.wpe = weights["wpe"].astype(np.float64)
        self.symbols = Symbols(tuple(alphabet), len(self.wpe) - 1, model.causal)
        self.errors = 0
        ids = model.vocabulary.ids
        self.text = self._embedded([ids[t] for t in alphabet])
        start = self.floats.add(
            Zonotope.of(self.wte[[ids[begin]]]), Zonotope.of(self.wpe[[0]])
        )
        self.first = lanes_of(self.symbols, (), start, ())

    def _embedded(self, tokens: Sequence[int]) -> list[LaneNumbers]:
        by_token, by_place = self.wte[tokens], self.wpe[1:]
        return [
            self._sum(
                simpler(self.symbols, _table(AT_TOKEN, by_token[:, i])),
                simpler(self.symbols, _table(AT_INDEX, by_place[:, i])),
            )
            for i in range(self.wte.shape[1])
        ]

    def _sum(self, a: LaneNumbers, b: LaneNumbers) -> LaneNumbers:
        """The sum of two lanes."""
        if b.is_zero:
            return a
        if a.is_zero:
            return b
        labels, rows, errors = gathered(self.symbols, [a, b])
        one, other = (
            Zonotope(rows.c[:, [i]], rows.r[:, [i]], rows.g[:, [i]])
            for i in (0, 1)
        )
        (found,) = lanes_of(
            self.symbols, labels, self.floats.add(one, other), errors
        )
        return self._fewer(found)

    def _fewer(self, lane: LaneNumbers) -> LaneNumbers:
        """The lane with one error instead of several, where it then depends on fewer labels. All of
        its errors together are at most its radius, and so a number from -1 to 1 times that.
        """
        plain = LaneNumbers(lane.labels, lane.c, np.zeros_like(lane.c))
        fewer = simpler(self.symbols, plain)
        if not lane.g or len(fewer.labels) == len(lane.labels):
            return lane
        mask = self.symbols.possible(lane.labels)
        gone = tuple(
            i for i, x in enumerate(lane.labels) if x not in fewer.labels
        )
        r = np.where(mask, lane.radius, 0.0).max(axis=gone) + fewer.r
        return self._own(LaneNumbers(fewer.labels, fewer.c, r * UP))

    def _linear(
        self, lanes: Sequence[LaneNumbers], w: Array, b: Array
    ) -> list[LaneNumbers]:  # n_in lanes, [n_in, n_out], [n_out] -> n_out lanes
        """The products of lanes and columns, each computed from what it reads alone."""
        return [
            self._product(lanes, w[:, i].astype(np.float64), float(b[i]))
            for i in range(w.shape[1])
        ]

    def _product(
        self, lanes: Sequence[LaneNumbers], w: Array, b: float
    ) -> LaneNumbers:
        read = [int(i) for i in np.flatnonzero(w) if not lanes[int(i)].is_zero]
        if not read:
            return single(b)
        labels, rows, errors = gathered(self.symbols, [lanes[i] for i in read])
        found = self.floats.linear(rows, w[read][:, None], np.array([b]))
        (lane,) = lanes_of(self.symbols, labels, found, errors)
        return lane

    def run(self, seen: Callable[[str, LaneStream], None]) -> None:
        """Go through all blocks, and call `seen` with the name of each sublayer after it."""
        for i, block in enumerate(self.blocks):
            if "attn" in block:
                self._attend(block["attn"])
                seen(f"{i}.attn", self)
            if "mlp" in block:
                self._neurons(block["mlp"])
                seen(f"{i}.mlp", self)

    def _bound(self, *groups: Sequence[LaneNumbers]) -> None:
        """Check that no number can overflow. Raises Rejected if one could."""
        for lanes in groups:
            for lane in lanes:
                if not lane.most < _OVERFLOW:
                    raise Rejected("a number of the model could overflow")

    # ------------------------------------------------------------ neurons

    def _neurons(self, mlp: Any) -> None:
        w, b = mlp["c_fc"]["w"], mlp["c_fc"]["b"]
        out, bias = mlp["c_proj"]["w"], mlp["c_proj"]["b"]
        for name in ("text", "first"):
            lanes = getattr(self, name)
            self._bound(lanes)
            self._size(lanes, w, b)
            before = self._linear(lanes, w, b)
            after = [self._active(lane) for lane in before]
            self._bound(after)
            if any(not lane.most < _CUBED for lane in before):
                raise Rejected("a neuron could overflow")
            self._size(after, out, bias)
            added = self._linear(after, out, bias)
            self._bound(added)
            both = zip(lanes, added, strict=True)
            setattr(self, name, [self._sum(x, y) for x, y in both])

    def _active(self, lane: LaneNumbers) -> LaneNumbers:
        labels, rows, errors = gathered(self.symbols, [lane])
        found = self.floats.activation(rows, self.activation)
        (after,) = lanes_of(self.symbols, labels, found, errors)
        return after

    def _size(self, lanes: Sequence[LaneNumbers], w: Array, b: Array) -> None:
        """Check that no sum on the way can overflow, in any order. Raises Rejected if one could."""
        most = np.array([lane.most for lane in lanes])
        sums = most @ np.abs(w).astype(np.float64) + np.abs(b)
        if not (sums < _OVERFLOW).all():
            raise Rejected("a sum of the model could overflow")

    # ------------------------------------------------------------ attention

    def _attend(self, attn: Any) -> None:
        w, b = attn["c_attn"]["w"], attn["c_attn"]["b"]
        out, bias = attn["c_proj"]["w"], attn["c_proj"]["b"]
        self._bound(self.text, self.first)
        self._size(self.text, w, b)
        self._size(self.first, w, b)
        of_text = self._linear(self.text, w, b)
        of_first = self._linear(self.first, w, b)
        d = w.shape[1] // 3
        size = d // self.model.n_head
        brought: list[LaneNumbers] = []
        started: list[LaneNumbers] = []
        for h in range(self.model.n_head):
            own = np.arange(h * size, (h + 1) * size)
            to_text, to_first = self._head(of_text, of_first, own, d, size)
            brought += to_text
            started += to_first
        for name, lanes in (("text", brought), ("first", started)):
            self._bound(lanes)
            self._size(lanes, out, bias)
            added = self._linear(lanes, out, bias)
            self._bound(added)
            both = zip(getattr(self, name), added, strict=True)
            setattr(self, name, [self._sum(x, y) for x, y in both])

    def _head(
        self,
        of_text: Sequence[LaneNumbers],
        of_first: Sequence[LaneNumbers],
        own: Array,
        d: int,
        size: int,
    ) -> tuple[list[LaneNumbers], list[LaneNumbers]]:
        """What one head brings to a position, and to the first token, in each of its columns."""
        (q, q1), (k, k1), (v, v1) = (
            (
                [of_text[i] for i in own + part * d],
                [of_first[i] for i in own + part * d],
            )
            for part in range(3)
        )
        self._bound(q, k, v, q1, k1, v1)
        self._scores_fit([*zip(q, k, strict=True), *zip(q1, k, strict=True)])
        self._scores_fit([*zip(q, k1, strict=True), *zip(q1, k1, strict=True)])
        kept = [i for i in range(size) if not (v[i].is_zero and v1[i].is_zero)]
        match = [
            i
            for i in range(size)
            if not (q[i].is_zero and q1[i].is_zero)
            and not (k[i].is_zero and k1[i].is_zero)
        ]
        nothing = [single(0.0)] * size
        if not kept:
            return nothing, list(nothing)
        head = HeadReading(self.symbols, self.floats, size)
        begin = Begin(
            *(
                self._rows([part[i] for i in columns])[1]
                for part, columns in ((q1, match), (k1, match), (v1, kept))
            )
        )
        queries = self._rows([q[i] for i in match])
        keys = self._rows([k[i] for i in match])
        values = [v[i] for i in kept]
        found = head.brought(queries, keys, values, begin)
        start = lanes_of(
            self.symbols, (), head.begun(begin, keys, values).plain(), ()
        )
        to_text, to_first = list(nothing), list(nothing)
        for i, lane, one in zip(kept, found, start, strict=True):
            to_text[i], to_first[i] = self._own(lane), one
        return to_text, to_first

    def _scores_fit(
        self, pairs: Sequence[tuple[LaneNumbers, LaneNumbers]]
    ) -> None:
        if not sum(a.most * b.most for a, b in pairs) < _OVERFLOW:
            raise Rejected("a score could overflow")

    def _rows(self, lanes: Sequence[LaneNumbers]) -> tuple[Labels, Zonotope]:
        if not lanes:
            return (), Zonotope.of(np.zeros((1, 0)))
        return keys_of(self.symbols, lanes)

    def _own(self, lane: LaneNumbers) -> LaneNumbers:
        """The lane with its radius as an error of its own, for what is computed from it."""
        lane = simpler(
            self.symbols, lane, 0.0
        )  # what is brought may be multiplied by 2^30
        r = lane.radius
        if not r.any():
            return lane
        self.errors += 1
        return LaneNumbers(
            lane.labels, lane.c, np.zeros_like(r), {self.errors: r}
        )

    # ------------------------------------------------------------ logits

    def logits(
        self, labels: Labels
    ) -> tuple[Labels, Zonotope]:  # -> [n_row, n_vocab]
        """The logits at a position, a row for each values of these symbols and the lanes' own."""
        self._bound(self.text)
        self._size(self.text, self.wte.T, np.zeros(len(self.wte)))
        read = [
            i
            for i in range(self.wte.shape[1])
            if self.wte[:, i].any() and not self.text[i].is_zero
        ]
        if not read:
            raise Rejected("the logits are all 0")
        wide, rows, _ = gathered(
            self.symbols, [self.text[i] for i in read], labels
        )
        w = self.wte[:, read].T
        return wide, self.floats.linear(rows, w, np.zeros(w.shape[1]))


def _table(symbol: int, numbers: Array) -> LaneNumbers:
    return LaneNumbers(
        ((0, symbol),), np.array(numbers), np.zeros(len(numbers))
    )


def _check(model: Model) -> None:
    """Raise Rejected for a model whose floats are not bounded here."""
    weights = model.weights
    if weights.get("ln_f") is not None or any(
        "ln_1" in b or "ln_2" in b for b in weights["blocks"]
    ):
        raise Rejected("a model that normalises cannot be checked")
    if weights.get("lm_head") is not None:
        raise Rejected("the unembedding is not wte")
    if model.dtype not in ("float32", "float64"):
        raise Rejected(f"the rounding of {model.dtype} is not bounded")
    if model.activation not in ("relu", "gelu"):
        raise Rejected(f"the activation {model.activation} is not bounded")
    least = Floats(model.dtype).least
    for array in _arrays(weights):
        size = np.abs(array)
        if not np.isfinite(array).all():
            raise Rejected("a weight is not finite")
        if ((size > 0) & (size < least)).any():
            raise Rejected("a weight is below the least normal number")
    if max(weights["wte"].shape) > _MOST_LANES:
        raise Rejected("the model has too many lanes")


def _arrays(value: Any) -> list[Array]:
    if isinstance(value, dict):
        return [x for part in value.values() for x in _arrays(part)]
    if isinstance(value, list):
        return [x for part in value for x in _arrays(part)]
    return [] if value is None else [value]
