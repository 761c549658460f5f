"""The lanes at positions that are asked, where what stands at the elements is known beforehand.

    ElementStream(model, symbols, known).run(seen)   all blocks, at the asked positions alone

The keys are the elements, whose lanes are known by token and index or by what is said of them, and
the positions behind the prompt. Of those nothing is known but how large a lane can be, apart from
lanes that no sublayer has written yet. A head on which no logit depends brings some mean.
Rules of this file: where a lane is not known it is anything within its size.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.model import Model
from handcraft.proof.lanes.derived import count_rows
from handcraft.proof.lanes.element_lanes import ElementLanes, SaidNumbers
from handcraft.proof.lanes.numbers import (
    LaneNumbers,
    simpler,
    single,
)
from handcraft.proof.lanes.offered import HeadOffer, offered
from handcraft.proof.lanes.placed import texts_of
from handcraft.proof.lanes.sizes import UnknownSizes
from handcraft.proof.lanes.stream import LaneStream
from handcraft.proof.lanes.symbols import (
    AT_END,
    AT_INDEX,
    AT_TOKEN,
    Labels,
    LaneSymbol,
    Symbols,
    spread,
)

_FEW = 4096  # rows of what a head reads together
_SAID = "said of an element"


def symbol_said(symbols: Symbols, known: ElementLanes) -> int:
    """A symbol for what is said of an element: of any other position it may be any of its values,
    so nothing that is asked may read it there.
    """
    with symbols.of_asked(False):
        new = symbols.add(LaneSymbol(known.values))
    symbols.known[_SAID] = new
    return new


class ElementStream(LaneStream):
    """The stream at the asked positions."""

    def __init__(
        self,
        model: Model,
        begin: str | None,
        symbols: Symbols,
        known: ElementLanes,
    ) -> None:
        super().__init__(model, begin, symbols)
        self.elements = known
        self.said: int = symbols.known[_SAID]
        self._unwritten = list(self.text)
        self._written = np.zeros(len(self.text), dtype=bool)
        self._unknown = UnknownSizes(self.text, self.floats)
        self._unfollowed = self._unknown

    def run(
        self, seen: Callable[[str, LaneStream], None], *, to_last: bool = False
    ) -> None:
        """Go through all blocks, and call `seen` with the name of each sublayer after it."""
        self.read_later = False
        for i, block in enumerate(self.blocks):
            if to_last and i == len(self.blocks) - 1:
                return
            for name in ("attn", "mlp"):
                if name not in block:
                    continue
                self._at_block = i
                if name == "attn":
                    self._attend(block[name], set(), self._answering[i].heads)
                else:
                    self._neurons(block[name])
                self._know(f"{i}.{name}", block[name]["c_proj"])
                seen(f"{i}.{name}", self)

    def _sizes_brought(
        self, before: dict[str, list[LaneNumbers]], d: int
    ) -> Array:  # -> [d]
        """How large what heads bring can be: a mean of values, of which all but the first token's
        have a small part together where that token stands far above them.
        """
        most = np.array([x.most for x in before["text"][2 * d :]])
        begun = [x.most for x in before.get("first", [])[2 * d :]]
        if not begun:
            return most
        size = d // self.model.n_head
        for h in range(self.model.n_head):
            own = np.arange(h * size, (h + 1) * size)
            part = offered(self.symbols, self.floats, before, own, d)
            if part is not None:
                most[own] *= self._part_of_others(part, "text")
        return most + np.array(begun)

    def _some_means(self, part: HeadOffer, name: str) -> list[LaneNumbers]:
        share = self._part_of_others(part, name)
        first = np.abs(part.begin.v.c[0]) + part.begin.v.radius[0]
        most = [
            float(share * lane.most + first[i]) * 1.01
            for i, lane in enumerate(part.values)
        ]
        least = (self.symbols.n + 3) * self.floats.least
        return [single(0.0, x + least * (1 + x)) for x in most]

    def _part_of_others(self, part: HeadOffer, name: str) -> float:
        """The part of the attention that the keys behind the first token have at most together."""
        if not part.begin.there:
            return 1.0
        asked = part.queries[name]
        rows = {x for lane in asked for x in lane.labels} | {*part.keys[0]}
        if count_rows(self.symbols, tuple(rows)) > _FEW:
            return 1.0
        head = part.of(name)
        with self.symbols.of_asked(name == "asked"):
            found = head.head.scores.of(head.queries, head.keys, head.begin)
            there = found.asked
        ahead = found.high - found.first_low[:, None]
        ahead = ahead[found.pairs.mask & there[:, None]]
        if not ahead.size:
            return 1.0
        far = float(ahead.max())
        # a score is rounded when the best one is taken off, and so is exp
        size = float(np.abs(found.first_low[there]).max(initial=0.0))
        far += 8 * self.floats.u * (size + abs(min(far, 0.0))) + 2.0**-10
        return min(1.0, self.symbols.n * math.exp(min(0.0, far)) * 1.01)

    def _after(self, lanes: list[LaneNumbers], mlp: Any) -> list[LaneNumbers]:
        """Lanes with what the neurons add to them: those on which no logit depends by size."""
        if not self.symbols.asking:
            return super()._after(lanes, mlp)
        sizes = UnknownSizes(lanes, self.floats).with_neurons(mlp)
        read = self._answering[self._at_block].lanes
        w, b = mlp["c_proj"]["w"], mlp["c_proj"]["b"]
        units = (w[:, read] != 0).any(axis=1)
        c_fc, c_proj = mlp["c_fc"], {"w": w[units] * read, "b": b * read}
        c_fc = {"w": c_fc["w"][:, units], "b": c_fc["b"][units]}
        found = super()._after(lanes, {"c_fc": c_fc, "c_proj": c_proj})
        wrote = (w != 0).any(axis=0) | (b != 0)
        return [
            single(0.0, float(sizes[i])) if wrote[i] and not read[i] else lane
            for i, lane in enumerate(found)
        ]

    def _know(self, after: str, out: Any) -> None:
        """Put what is known of elements after a sublayer in place of what was known before it."""
        wrote = (out["w"] != 0).any(axis=0) | (out["b"] != 0)
        self._written |= wrote
        if after not in self.elements.after:
            return  # no later head reads it
        self.text = [
            self._anywhere(lane, single(0.0, float(self._unknown.sizes[i])))
            if self._written[i]
            else self._unwritten[i]
            for i, lane in enumerate(self.elements.after[after])
        ]

    def _asked_of(
        self, attn: Any
    ) -> tuple[dict[str, list[LaneNumbers]], int, int]:
        """The same, where more is known of what is read at elements."""
        before, d, size = super()._asked_of(attn)
        for j, known in self.elements.read.get(self._at_block, {}).items():
            before["text"][j] = self._anywhere(known, before["text"][j])
        return before, d, size

    def _anywhere(
        self, known: LaneNumbers | SaidNumbers, other: LaneNumbers
    ) -> LaneNumbers:
        """Numbers at any position: what they are at an element, else those of another lane."""
        if isinstance(known, SaidNumbers):
            labels: Labels = ((0, self.said),)
            c, r = known.c, known.r
        else:
            labels = known.labels
            c, r = (self._as_here(labels, x) for x in (known.c, known.r))
        place = {(0, AT_INDEX), (0, AT_END)}
        wide = tuple(sorted({*labels, *other.labels, *place}))
        shape = self.symbols.shape(wide)
        inside = np.broadcast_to(self._inside(labels, wide), shape)
        found = LaneNumbers(
            wide,
            np.where(
                inside,
                spread(c, labels, wide),
                spread(other.c, other.labels, wide),
            ),
            np.where(
                inside,
                spread(r, labels, wide),
                spread(other.radius, other.labels, wide),
            ),
        )
        return simpler(self.symbols, found, 0.0)

    def _inside(self, labels: Labels, wide: Labels) -> Array:
        """True where a position is an element, with a token that is known of elements."""
        ends = np.array(texts_of(self.symbols).ends)
        at = np.arange(self.symbols.n)
        places = spread(at < ends[:, None], ((0, AT_END), (0, AT_INDEX)), wide)
        if (0, AT_TOKEN) not in labels:
            return places
        own = [t in self.elements.tokens for t in self.symbols.alphabet]
        return np.array(places & spread(np.array(own), ((0, AT_TOKEN),), wide))

    def _as_here(self, labels: Labels, table: Array) -> Array:
        """A table by the tokens and indices of elements as one by those of the whole texts."""
        for axis, (_, symbol) in enumerate(labels):
            if symbol == AT_TOKEN:
                known = self.elements.tokens
                at = [
                    known.index(t) if t in known else 0
                    for t in self.symbols.alphabet
                ]
            else:
                last = self.elements.n - 1
                at = np.minimum(np.arange(self.symbols.n), last).tolist()
            table = table.take(at, axis=axis)
        return table
