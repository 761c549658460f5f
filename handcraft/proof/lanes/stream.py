"""Lanes from the embedding to the logits, at the token that begins a text and at its positions.

    LaneStream(model, begin, symbols).run(seen)   all blocks, calling seen after each sublayer
        .logits(labels)                           the logits of each row of the last symbols

A sublayer is computed lane by lane: what a lane adds up is gathered, with a row for each values of
the symbols that it depends on. Rules of this file: the bounds are those of the checker's own
arithmetic (handcraft.proof.checker.zonotope); what nothing reads is bounded as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.model import Model
from handcraft.proof.checker.zonotope import UP, Floats, Rejected, Zonotope
from handcraft.proof.lanes.attention import HeadReading, keys_of
from handcraft.proof.lanes.derived import count_rows
from handcraft.proof.lanes.head_prompt import some_mean
from handcraft.proof.lanes.logits import LogitRows
from handcraft.proof.lanes.needed import needed_heads
from handcraft.proof.lanes.numbers import (
    MOST_GATHERED,
    LaneNumbers,
    at_rows,
    gathered,
    in_blocks,
    lanes_of,
    read_together,
    simpler,
    single,
)
from handcraft.proof.lanes.scores import Begin, no_begin
from handcraft.proof.lanes.symbols import (
    AT_INDEX,
    AT_TOKEN,
    Labels,
    Symbols,
    TooManyRows,
)

_OVERFLOW = 2.0**100  # any number is smaller
_CUBED = 2.0**40  # what a neuron sees is smaller, so that its cube is a float
_MOST_LANES = 4096
_GREAT = 2.0**-10  # a remainder
_MOST_KEPT = 2**15  # rows of a lane with one error more


class NotFollowed(Rejected):
    """What is not followed may overflow, by sizes alone: more may be known of it."""


@dataclass(frozen=True, eq=False)
class HeadParts:
    """What one head reads: queries of one sort of position, keys, values, and the first token.

    columns  of all that heads bring, those of the values
    """

    head: HeadReading
    columns: Array
    queries: tuple[Labels, Zonotope]
    keys: tuple[Labels, Zonotope]
    values: list[LaneNumbers]
    begin: Begin


@dataclass(frozen=True, eq=False)
class _Offered:
    """What one head reads of each sort of position; `kept` are its columns that are not all 0."""

    own: Array
    kept: list[int]
    queries: dict[str, list[LaneNumbers]]
    keys: tuple[Labels, Zonotope]
    values: list[LaneNumbers]
    begin: Begin

    def head(self, stream: LaneStream) -> HeadReading:
        """What bounds the head."""
        return HeadReading(stream.symbols, stream.floats, len(self.own))

    def of(self, stream: LaneStream, name: str) -> HeadParts:
        """The same for one sort of position."""
        with stream.symbols.of_asked(name == "asked"):
            queries = stream.rows_of(self.queries[name])
        return HeadParts(
            self.head(stream),
            self.own[self.kept],
            queries,
            self.keys,
            self.values,
            self.begin,
        )


class LaneStream:
    """The residual stream of a model, lane by lane. Raises Rejected for one that cannot be bounded.

    text   what each lane holds at a position of a text
    asked  the same at one that is asked, where not all are; else None
    first  the same at the token that begins it, where there is one
    """

    def __init__(
        self,
        model: Model,
        begin: str | None,
        symbols: Symbols,
        *,
        follows_all: bool = False,
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
        self.symbols = symbols
        self.follows_all = follows_all  # what nobody reads, too
        self.errors = 0
        ids = model.vocabulary.ids
        self.first: list[LaneNumbers] | None = None
        self.asked: list[LaneNumbers] | None = None
        if begin is not None:
            start = self.floats.add(
                Zonotope.of(self.wte[[ids[begin]]]), Zonotope.of(self.wpe[[0]])
            )
            self.first = lanes_of(self.symbols, (), start, ())
        skipped = int(begin is not None)
        if symbols.n != len(self.wpe) - skipped:
            raise Rejected("the texts have another window")
        self.text = self._embedded([ids[t] for t in symbols.alphabet], skipped)
        if symbols.texts is not None:
            self.asked = list(self.text)
        self._sizes: Array | None = None  # of lanes that are not followed
        self._last = max(
            (i for i, b in enumerate(self.blocks) if "attn" in b), default=-1
        )
        # where only some positions are asked, others are followed as far as these read them
        self._needed = needed_heads(self.blocks, model.n_head)

    def _embedded(
        self, tokens: Sequence[int], skipped: int
    ) -> list[LaneNumbers]:
        by_token, by_place = self.wte[tokens], self.wpe[skipped:]
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
        labels, own, errors = read_together(
            self.symbols, [lanes[i] for i in read]
        )
        rows = np.arange(count_rows(self.symbols, labels))
        if len(rows) * len(own) * (len(errors) + 2) > MOST_GATHERED:
            raise TooManyRows("what is read together has too many rows")
        found = [
            self.floats.linear(
                at_rows(self.symbols, own, labels, some),
                w[read][:, None],
                np.array([b]),
            )
            for some in in_blocks(rows, len(own) * (len(errors) + 2))
        ]
        (lane,) = lanes_of(self.symbols, labels, _joined(found), errors)
        return lane

    def run(
        self, seen: Callable[[str, LaneStream], None], *, to_last: bool = False
    ) -> None:
        """Go through all blocks, and call `seen` with the name of each sublayer after it; with
        `to_last` up to the last block.
        """
        for i, block in enumerate(self.blocks):
            # what no later head reads is needed where it is asked alone
            self.read_later = (
                self.asked is None or i < self._last or self.follows_all
            )
            if not self.read_later and self._sizes is None:
                self._sizes = np.array([lane.most for lane in self.text])
            if to_last and i == len(self.blocks) - 1:
                return
            if "attn" in block:
                self._attend(block["attn"], self._needed[i])
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
        self._sized(w, b, out, bias)
        for name in self._sorts():
            with self.symbols.of_asked(name == "asked"):
                setattr(self, name, self._after(getattr(self, name), mlp))

    def _after(self, lanes: list[LaneNumbers], mlp: Any) -> list[LaneNumbers]:
        """Lanes with what the neurons add to them."""
        w, b = mlp["c_fc"]["w"], mlp["c_fc"]["b"]
        out, bias = mlp["c_proj"]["w"], mlp["c_proj"]["b"]
        self._bound(lanes)
        self._size(lanes, w, b)
        before = self._linear(lanes, w, b)
        after = [self._active(lane) for lane in before]
        self._bound(after)
        if any(not lane.most < _CUBED for lane in before):
            raise Rejected("a neuron could overflow")
        return self._added(lanes, after, out, bias)

    def _added(
        self,
        lanes: Sequence[LaneNumbers],
        brought: Sequence[LaneNumbers],
        out: Array,
        bias: Array,
    ) -> list[LaneNumbers]:
        """Lanes with the products of what was brought to a sublayer."""
        self._bound(brought)
        self._size(brought, out, bias)
        added = self._linear(brought, out, bias)
        self._bound(added)
        return [
            self._kept_apart(self._sum(x, y))
            for x, y in zip(lanes, added, strict=True)
        ]

    def _kept_apart(self, lane: LaneNumbers) -> LaneNumbers:
        """The lane with a great remainder as an error of its own, beside those that it has: what is
        taken off the lane later takes it away as well.
        """
        if not lane.r.max() > _GREAT or lane.c.size > _MOST_KEPT:
            return lane
        self.errors += 1
        zero = np.zeros_like(lane.r)
        g = lane.g | {self.errors: lane.r}
        return LaneNumbers(lane.labels, lane.c, zero, g)

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

    def _sized(self, w: Array, b: Array, out: Array, bias: Array) -> None:
        """Check that nothing overflows where lanes are not followed: by sizes alone."""
        if self._sizes is None:
            return
        before = _through(self._sizes, w, b)
        if not (before < _CUBED).all():
            raise NotFollowed("a neuron could overflow")
        self._sizes = self._sizes + _through(before, out, bias)
        if not (self._sizes < _OVERFLOW).all():
            raise NotFollowed("a number of the model could overflow")

    # ------------------------------------------------------------ attention

    def _sorts(self) -> list[str]:
        """The sorts of positions that are followed."""
        sorts = ["text"] if self.read_later else []
        sorts += ["asked"] if self.asked is not None else []
        return [*sorts, "first"] if self.first is not None else sorts

    def _attend(self, attn: Any, needed: set[int]) -> None:
        out, bias = attn["c_proj"]["w"], attn["c_proj"]["b"]
        brought: dict[str, list[LaneNumbers]] = {x: [] for x in self._sorts()}
        before, d, size = self._asked_of(attn)
        for h in range(self.model.n_head):
            own = np.arange(h * size, (h + 1) * size)
            followed = self.asked is None or h in needed or self.follows_all
            for name, lanes in self._head(before, own, d, followed).items():
                brought[name] += lanes
        for name, lanes in brought.items():
            with self.symbols.of_asked(name == "asked"):
                found = self._added(getattr(self, name), lanes, out, bias)
            setattr(self, name, found)

    def _asked_of(
        self, attn: Any
    ) -> tuple[dict[str, list[LaneNumbers]], int, int]:
        """What heads read of each sort of position, the number of columns of each part, and of each
        head.
        """
        w, b = attn["c_attn"]["w"], attn["c_attn"]["b"]
        d = w.shape[1] // 3
        before = {}
        for name in dict.fromkeys(("text", *self._sorts())):
            self._bound(getattr(self, name))
            self._size(getattr(self, name), w, b)
            with self.symbols.of_asked(name == "asked"):
                before[name] = self._linear(getattr(self, name), w, b)
        if self._sizes is not None:  # a head brings a mean of values
            most = np.array([x.most for x in before["text"][2 * d :]])
            if "first" in before:
                begun = [x.most for x in before["first"][2 * d :]]
                most = np.maximum(most, np.array(begun))
            out, bias = attn["c_proj"]["w"], attn["c_proj"]["b"]
            self._sizes = self._sizes + _through(most * 2, out, bias)
            if not (self._sizes < _OVERFLOW).all():
                raise Rejected("a number of the model could overflow")
        return before, d, d // self.model.n_head

    def last_heads(self) -> list[HeadParts]:
        """What the heads of the last block read at a position that is asked: those that can bring
        anything.
        """
        before, d, size = self._asked_of(self.blocks[-1]["attn"])
        name = "text" if self.asked is None else "asked"
        found = []
        for h in range(self.model.n_head):
            own = np.arange(h * size, (h + 1) * size)
            part = self._offered(before, own, d)
            if part is not None:
                found.append(part.of(self, name))
        return found

    def _head(
        self,
        before: dict[str, list[LaneNumbers]],
        own: Array,
        d: int,
        followed: bool,
    ) -> dict[str, list[LaneNumbers]]:
        """What one head brings to each sort of position in each of its columns: at those that are
        not followed, some mean.
        """
        found = {x: [single(0.0)] * len(own) for x in self._sorts()}
        part = self._offered(before, own, d)
        if part is None:
            return found
        for name in self._sorts():
            if name == "first":
                continue
            if followed or name == "asked":
                lanes = self._brought(part.of(self, name), name)
            else:
                lanes = self._some_means(part.head(self), part)
            for i, lane in zip(part.kept, lanes, strict=True):
                found[name][i] = lane
        if part.begin.there:
            begun = part.head(self).begun(part.begin, part.keys, part.values)
            start = lanes_of(self.symbols, (), begun.plain(), ())
            for i, lane in zip(part.kept, start, strict=True):
                found["first"][i] = lane
        return found

    def _offered(
        self, before: dict[str, list[LaneNumbers]], own: Array, d: int
    ) -> _Offered | None:
        """What one head reads of each sort of position; None where it brings nothing."""
        parts = {
            name: [[lanes[i] for i in own + part * d] for part in range(3)]
            for name, lanes in before.items()
        }
        self._bound(*(x for part in parts.values() for x in part))
        seen = [parts[x] for x in ("text", "first") if x in parts]
        for q, _, _ in parts.values():
            for _, k, _ in seen:
                self._scores_fit([*zip(q, k, strict=True)])
        size = len(own)
        kept = [
            i for i in range(size) if not all(v[i].is_zero for *_, v in seen)
        ]
        match = [
            i
            for i in range(size)
            if not all(q[i].is_zero for q, *_ in parts.values())
            and not all(k[i].is_zero for _, k, _ in seen)
        ]
        if not kept:
            return None
        begin = no_begin(len(match), len(kept))
        if "first" in parts:
            q1, k1, v1 = parts["first"]
            rows = [
                self.rows_of([part[i] for i in columns])[1]
                for part, columns in ((q1, match), (k1, match), (v1, kept))
            ]
            begin = Begin(rows[0], rows[1], rows[2])
        with self.symbols.of_asked(False):  # a key stands anywhere
            keys = self.rows_of([parts["text"][1][i] for i in match])
        values = [parts["text"][2][i] for i in kept]
        queries = {x: [q[i] for i in match] for x, (q, *_) in parts.items()}
        return _Offered(own, kept, queries, keys, values, begin)

    def _brought(self, part: HeadParts, name: str) -> list[LaneNumbers]:
        """What a head brings to the positions of one sort."""
        with self.symbols.of_asked(name == "asked"):
            lanes = part.head.brought(
                part.queries, part.keys, part.values, part.begin
            )
            return [self._own(lane) for lane in lanes]

    def _some_means(
        self, head: HeadReading, part: _Offered
    ) -> list[LaneNumbers]:
        """What it brings where nobody asks to which positions."""
        c, r = part.begin.v.c[0], part.begin.v.radius[0]
        return [
            single(*some_mean(head.scores, lane, (float(c[i]), float(r[i]))))
            for i, lane in enumerate(part.values)
        ]

    def _scores_fit(
        self, pairs: Sequence[tuple[LaneNumbers, LaneNumbers]]
    ) -> None:
        if not sum(a.most * b.most for a, b in pairs) < _OVERFLOW:
            raise Rejected("a score could overflow")

    def rows_of(self, lanes: Sequence[LaneNumbers]) -> tuple[Labels, Zonotope]:
        """Lanes as rows; those of no lane are one row of nothing."""
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

    def logits(self, labels: Labels) -> LogitRows:
        """The logits at a position, a row for each values of these symbols and the lanes' own."""
        lanes = self.text if self.asked is None else self.asked
        self._logits_fit()
        read = [
            i
            for i in range(self.wte.shape[1])
            if self.wte[:, i].any() and not lanes[i].is_zero
        ]
        if not read:
            raise Rejected("the logits are all 0")
        wide, own, _ = read_together(
            self.symbols, [lanes[i] for i in read], labels
        )
        return LogitRows(
            self.symbols, self.floats, own, self.wte[:, read].T, wide
        )

    def _logits_fit(self) -> None:
        """Check that no logit can overflow, asked or not: a run ends at one that is no number."""
        none = np.zeros(len(self.wte))
        for lanes in filter(None, (self.text, self.asked, self.first)):
            self._bound(lanes)
            self._size(lanes, self.wte.T, none)
        if self._sizes is not None:
            logits = _through(self._sizes, self.wte.T, none)
            if not (logits < _OVERFLOW).all():
                raise Rejected("a logit could overflow")


def _joined(parts: Sequence[Zonotope]) -> Zonotope:
    """Blocks of rows as one."""
    if len(parts) == 1:
        return parts[0]
    c, r, g = (
        np.concatenate(x)
        for x in zip(*((x.c, x.r, x.g) for x in parts), strict=True)
    )
    return Zonotope(c, r, g)


def _through(sizes: Array, w: Array, b: Array) -> Array:
    """The greatest size of products with numbers of these sizes, with what is rounded."""
    found: Array = (sizes @ np.abs(w).astype(np.float64) + np.abs(b)) * 1.01
    return found


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
