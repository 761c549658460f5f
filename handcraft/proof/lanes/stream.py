"""Lanes from the embedding to the logits, at the token that begins a text and at its positions.

    LaneStream(model, begin, symbols).run(seen)   all blocks, calling seen after each sublayer
        .logits(labels)                           the logits of each row of the last symbols

A sublayer is computed lane by lane (lane_arithmetic.py), of those positions that a later head or
the answer needs. Rules of this file: what nothing reads is bounded as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.model import Model
from handcraft.proof.checker.zonotope import Rejected, Zonotope
from handcraft.proof.lanes.checked_model import check_model
from handcraft.proof.lanes.derived import count_rows
from handcraft.proof.lanes.dust import LaneFloats
from handcraft.proof.lanes.head_prompt import some_mean
from handcraft.proof.lanes.lane_arithmetic import LaneArithmetic
from handcraft.proof.lanes.logits import LogitRows
from handcraft.proof.lanes.needed import answering_parts, needed_heads
from handcraft.proof.lanes.numbers import (
    LaneNumbers,
    lanes_of,
    read_together,
    simpler,
    single,
)
from handcraft.proof.lanes.offered import HeadOffer, HeadParts, offered
from handcraft.proof.lanes.overflow import (
    Unfollowed,
    check_fit,
    check_neurons,
    check_sums,
)
from handcraft.proof.lanes.symbols import (
    AT_INDEX,
    AT_TOKEN,
    Labels,
    Symbols,
)

_MOST_UNREAD = 2**19  # pairs for which a head is followed that answers nothing


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
        begins: bool = False,
    ) -> None:
        weights = model.weights
        check_model(model)
        self.model = model
        self.causal = model.causal
        self.floats = LaneFloats(model.dtype)
        self.blocks: list[Any] = weights["blocks"]
        self.wte = weights["wte"].astype(np.float64)
        self.wpe = weights["wpe"].astype(np.float64)
        self.symbols = symbols
        self.arithmetic = LaneArithmetic(symbols, self.floats)
        self.follows_all = follows_all  # what nobody reads, too
        # texts of which others stand behind: only what later heads read counts
        self.begins = begins and model.causal
        ids = model.vocabulary.ids
        self.first: list[LaneNumbers] | None = None
        self.asked: list[LaneNumbers] | None = None
        if begin is not None:
            start = self.floats.add(
                Zonotope.of(self.wte[[ids[begin]]]), Zonotope.of(self.wpe[[0]])
            )
            self.first = lanes_of(self.symbols, (), start, ())
        skipped = int(begin is not None)
        window = len(self.wpe) - skipped
        # texts of prompts say themselves which places they have, and need not fill the window
        shorter = self.begins or symbols.texts is not None
        if symbols.n > window or (symbols.n < window and not shorter):
            raise Rejected("the texts have another window")
        self.text = self._embedded([ids[t] for t in symbols.alphabet], skipped)
        if symbols.texts is not None:
            self.asked = list(self.text)
        self._unfollowed: Unfollowed | None = None
        self._last = max(
            (i for i, b in enumerate(self.blocks) if "attn" in b), default=-1
        )
        # where only some positions are asked, others are followed as far as these read them
        self._needed = needed_heads(self.blocks, model.n_head)
        self._answering = answering_parts(self.blocks, self.wte, model.n_head)
        self._at_block = 0
        self.spared = (
            False  # True once a head is not followed where it is asked
        )

    def _embedded(
        self, tokens: Sequence[int], skipped: int
    ) -> list[LaneNumbers]:
        by_token = self.wte[tokens]
        by_place = self.wpe[skipped : skipped + self.symbols.n]
        return [
            self.arithmetic.sum(
                simpler(self.symbols, _table(AT_TOKEN, by_token[:, i])),
                simpler(self.symbols, _table(AT_INDEX, by_place[:, i])),
            )
            for i in range(self.wte.shape[1])
        ]

    def run(
        self, seen: Callable[[str, LaneStream], None], *, to_last: bool = False
    ) -> None:
        """Go through all blocks, and call `seen` with the name of each sublayer after it; with
        `to_last` up to the last block.
        """
        for i, block in enumerate(self.blocks):
            self._at_block = i
            # what no later head reads is needed where it is asked alone
            self.read_later = (
                self.asked is None or i < self._last or self.follows_all
            )
            if not self.read_later and self._unfollowed is None:
                self._unfollowed = Unfollowed(self.text)
            if to_last and i == len(self.blocks) - 1:
                return
            if self.begins and i == self._last:
                return  # no later head reads what comes now
            if "attn" in block:
                self._attend(block["attn"], self._needed[i])
                seen(f"{i}.attn", self)
            if "mlp" in block:
                self._neurons(block["mlp"])
                seen(f"{i}.mlp", self)

    # ------------------------------------------------------------ neurons

    def _neurons(self, mlp: Any) -> None:
        if self._unfollowed is not None:
            self._unfollowed.add_neurons(mlp)
        for name in self._sorts():
            with self.symbols.of_asked(name == "asked"):
                setattr(self, name, self._after(getattr(self, name), mlp))

    def _after(self, lanes: list[LaneNumbers], mlp: Any) -> list[LaneNumbers]:
        """Lanes with what the neurons add to them."""
        w, b = mlp["c_fc"]["w"], mlp["c_fc"]["b"]
        check_fit(lanes)
        check_sums(lanes, w, b)
        before = self.arithmetic.linear(lanes, w, b)
        after = [
            self.arithmetic.active(lane, self.model.activation)
            for lane in before
        ]
        check_fit(after)
        check_neurons(before)
        return self._added(lanes, after, mlp["c_proj"])

    def _added(
        self,
        lanes: Sequence[LaneNumbers],
        brought: Sequence[LaneNumbers],
        projection: Any,
    ) -> list[LaneNumbers]:
        """Lanes with the products of what was brought to a sublayer."""
        out, bias = projection["w"], projection["b"]
        check_fit(brought)
        check_sums(brought, out, bias)
        added = self.arithmetic.linear(brought, out, bias)
        check_fit(added)
        return [
            self.arithmetic.kept_apart(self.arithmetic.sum(x, y))
            for x, y in zip(lanes, added, strict=True)
        ]

    # ------------------------------------------------------------ attention

    def _sorts(self) -> list[str]:
        """The sorts of positions that are followed."""
        sorts = ["text"] if self.read_later else []
        sorts += ["asked"] if self.asked is not None else []
        return [*sorts, "first"] if self.first is not None else sorts

    def _attend(
        self, attn: Any, needed: set[int], answering: set[int] | None = None
    ) -> None:
        """Add what heads bring: `needed` are those that are followed where nobody asks, `answering`
        those that are at positions that are asked, if not all are.
        """
        brought: dict[str, list[LaneNumbers]] = {x: [] for x in self._sorts()}
        before, d, size = self._asked_of(attn)
        for h in range(self.model.n_head):
            own = np.arange(h * size, (h + 1) * size)
            all_ = self.asked is None and not self.begins
            followed = (
                {"asked"} if answering is None or h in answering else set()
            )
            if answering is None and self._is_spared(h, before, own, d):
                followed = set()
            if all_ or h in needed or self.follows_all:
                followed.add("text")
            for name, lanes in self._head(before, own, d, followed).items():
                brought[name] += lanes
        for name, lanes in brought.items():
            with self.symbols.of_asked(name == "asked"):
                found = self._added(getattr(self, name), lanes, attn["c_proj"])
            setattr(self, name, found)

    def _is_spared(
        self,
        head: int,
        before: dict[str, list[LaneNumbers]],
        own: Array,
        d: int,
    ) -> bool:
        """True if a head makes no difference to what is predicted where it is asked, and there is
        much to compute.
        """
        if self.asked is None or self.follows_all:
            return False
        if head in self._answering[self._at_block].heads:
            return False
        rows = 1
        for name, columns in (("asked", own), ("text", own + d)):
            lanes = [before[name][i] for i in columns]
            rows *= count_rows(
                self.symbols, tuple({x for lane in lanes for x in lane.labels})
            )
        if rows <= _MOST_UNREAD:
            return False
        self.spared = True
        return True

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
            check_fit(getattr(self, name))
            check_sums(getattr(self, name), w, b)
            # a key stands anywhere: of a position that is asked no key is read
            read = d if name == "asked" else 3 * d
            with self.symbols.of_asked(name == "asked"):
                before[name] = self.arithmetic.linear(
                    getattr(self, name), w[:, :read], b[:read]
                )
            before[name] += [single(0.0)] * (3 * d - read)
        if self._unfollowed is not None:
            self._unfollowed.add_heads(self._sizes_brought(before, d), attn)
        return before, d, d // self.model.n_head

    def _sizes_brought(
        self, before: dict[str, list[LaneNumbers]], d: int
    ) -> Array:  # -> [d]
        """How large what heads bring can be: a mean of values, of each sort of position."""
        read = [before[x] for x in ("text", "first") if x in before]
        most = np.array([[x.most for x in lanes[2 * d :]] for lanes in read])
        return np.asarray(most.max(axis=0))

    def columns_of(self, block: int, heads: set[int]) -> dict[int, LaneNumbers]:
        """What some heads of a block would read of keys and values, by the number of the column."""
        attn = self.blocks[block]["attn"]
        w, b = attn["c_attn"]["w"], attn["c_attn"]["b"]
        d = w.shape[1] // 3
        size = d // self.model.n_head
        found = {}
        for h in heads:
            for j in range(h * size, (h + 1) * size):
                for at in (d + j, 2 * d + j):
                    (found[at],) = self.arithmetic.linear(
                        self.text, w[:, [at]], b[[at]]
                    )
        return found

    def last_heads(self) -> list[HeadParts]:
        """What the heads of the last block read at a position that is asked: those that can bring
        anything.
        """
        before, d, size = self._asked_of(self.blocks[-1]["attn"])
        name = "text" if self.asked is None else "asked"
        found = []
        for h in range(self.model.n_head):
            own = np.arange(h * size, (h + 1) * size)
            part = offered(self.symbols, self.floats, before, own, d)
            if part is not None:
                found.append(part.of(name))
        return found

    def _head(
        self,
        before: dict[str, list[LaneNumbers]],
        own: Array,
        d: int,
        followed: set[str],
    ) -> dict[str, list[LaneNumbers]]:
        """What one head brings to each sort of position in each of its columns: to those for which
        it is not followed, some mean.
        """
        found = {x: [single(0.0)] * len(own) for x in self._sorts()}
        part = offered(self.symbols, self.floats, before, own, d)
        if part is None:
            return found
        for name in self._sorts():
            if name == "first":
                continue
            if name in followed:
                lanes = self._brought(part.of(name), name)
            else:
                lanes = self._some_means(part, name)
            for i, lane in zip(part.kept, lanes, strict=True):
                found[name][i] = lane
        if part.begin.there:
            begun = part.head.begun(part.begin, part.keys, part.values)
            start = lanes_of(self.symbols, (), begun.plain(), ())
            for i, lane in zip(part.kept, start, strict=True):
                found["first"][i] = lane
        return found

    def _brought(self, part: HeadParts, name: str) -> list[LaneNumbers]:
        """What a head brings to the positions of one sort."""
        with self.symbols.of_asked(name == "asked"):
            lanes = part.head.brought(
                part.queries, part.keys, part.values, part.begin
            )
            return [self.arithmetic.own(lane) for lane in lanes]

    def _some_means(self, part: HeadOffer, _: str) -> list[LaneNumbers]:
        """What a head brings where nobody asks to which positions: some mean of its values."""
        c, r = part.begin.v.c[0], part.begin.v.radius[0]
        return [
            single(
                *some_mean(part.head.scores, lane, (float(c[i]), float(r[i])))
            )
            for i, lane in enumerate(part.values)
        ]

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
            check_fit(lanes)
            check_sums(lanes, self.wte.T, none)
        if self._unfollowed is not None:
            self._unfollowed.check_logits(self.wte.T)


def _table(symbol: int, numbers: Array) -> LaneNumbers:
    return LaneNumbers(
        ((0, symbol),), np.array(numbers), np.zeros(len(numbers))
    )
