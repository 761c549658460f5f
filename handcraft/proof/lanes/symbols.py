"""Symbols: what is known of a position of a text, each with finitely many values.

    token, index, length   the token there, its place from 0 on, the number of tokens (where a
                           position sees what follows; else that is index + 1)
    end                    the index of the last token of the prompt, where texts are prompts and
                           their answers
    a total                the sum of whole weights over the positions that it sees
    a choice               a symbol at the position that it selects, Nowhere if it selects none
    a comparison           whether a position that is seen has less of a symbol than the one that
                           asks, the same or more: -1, 0 or 1 (handcraft.proof.lanes.compared)

A label is (side, symbol): side 0 is the position that asks, side 1 one that it sees. A fact is a
table over some labels that is True for all that can be; `possible` joins the facts that fit.
Rules of this file: a fact may allow too much, never too little.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import prod
from typing import Any, TypeAlias

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.lasting import Lasting
from handcraft.proof.lanes.walks import TokenWalk

AxisLabel: TypeAlias = tuple[int, int]
Labels: TypeAlias = tuple[AxisLabel, ...]
MOST_TABLE_ROWS = 4_000_000  # of one table
TOLD_LESS = "told less"  # is known where a table that tells more was too large
MOST_LEARNT = 2_000_000  # of a fact on symbols that define another one
AT_TOKEN, AT_INDEX, AT_LENGTH = 0, 1, 2
SIGNS = np.array((-1, 0, 1))  # the values of a comparison
IS_SAME = 1  # of which this one is that of a position and itself
AT_END = 2  # of contexts of a prompt, which a causal model reads: where the prompt ends


class TooManyRows(Rejected):
    """A table is too large."""


@dataclass(frozen=True)
class Nowhere:
    """The value of what is read by a choice that selects no position.

    choice  the number of the choice
    read    the symbol that it would read: what is read can be nowhere, too, where the same choice
            selects no position, and is then another value
    """

    choice: int
    read: int


@dataclass
class LaneSymbol:
    """A symbol: its values, the same in every text, and whether all positions have the same one.

    first   of a rank, which all positions have a different one of: the least, else None
    choice  the number of the choice that it reads, and the symbol that is read there
    asked   True if it is known of positions that are asked alone, and so of no key
    compares  the symbol that a comparison compares; it is a symbol of keys alone
    """

    values: tuple[Any, ...]
    everywhere: bool = False
    first: int | None = None
    choice: tuple[int, int] | None = None
    asked: bool = False
    compares: int | None = None

    def __post_init__(self) -> None:
        # a row of a table is found by its value
        if len({(type(x) is str, x) for x in self.values}) < len(self.values):
            raise Rejected("a symbol has the same value twice")


@dataclass(frozen=True, eq=False)
class PromptTexts:
    """What is known of texts that are a prompt and its answer.

    ends   where the prompts end
    there  [n_end, n_index, n_token] True if a text with this end can have this token there
    asked  [n_end, n_index] True for positions at which something is claimed
    walk   the automaton of the prompts, where it is known
    lasting  how long answers are, where the text decides it
    """

    ends: tuple[int, ...]
    there: Array
    asked: Array
    walk: TokenWalk | None = None
    lasting: Lasting | None = None


@dataclass
class Symbols:
    """The symbols of one check, and the facts that are known of them.

    n       the most tokens of a text
    causal  True if a position sees the text up to itself only
    texts   of prompts and their answers, else None
    asking  True while the position that asks is one at which something is claimed
    later   True while the key is one that stands behind it, which it does not see
    few     True if tables are kept small, by derived symbols
    placed  True if a position whose index is known is chosen by that alone, without its pairs
    """

    alphabet: tuple[str, ...]
    n: int
    causal: bool
    texts: PromptTexts | None = None
    asking: bool = False
    later: bool = False
    few: bool = False
    placed: bool = False
    all: list[LaneSymbol] = field(default_factory=list)
    known: dict[Any, Any] = field(default_factory=dict)
    choices: dict[Any, int] = field(default_factory=dict)
    facts: list[tuple[tuple[int, ...], Array]] = field(default_factory=list)
    _of_asked: list[tuple[tuple[int, ...], Array]] = field(default_factory=list)
    _never: list[tuple[Labels, Array, Labels, Array]] = field(
        default_factory=list
    )
    _masks: dict[tuple[bool, bool, Labels], Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.all = [LaneSymbol(self.alphabet), LaneSymbol(tuple(range(self.n)))]
        if not self.causal:
            lengths = tuple(range(1, self.n + 1))
            self.all.append(LaneSymbol(lengths, everywhere=True))
            inside = np.less.outer(np.arange(self.n), np.array(lengths))
            self.facts.append(((AT_INDEX, AT_LENGTH), inside))
        if self.texts is not None:
            self.all.append(LaneSymbol(self.texts.ends, everywhere=True))
            there = AT_END, AT_INDEX, AT_TOKEN
            self.facts.append((there, self.texts.there))
            asked = self.texts.there & self.texts.asked[..., None]
            self._of_asked = [(there, asked)]

    @contextmanager
    def of_asked(self, asking: bool) -> Iterator[None]:
        """A time in which the position that asks is one at which something is claimed, or any."""
        before = self.asking, self.later
        self.asking, self.later = asking, False
        try:
            yield
        finally:
            self.asking, self.later = before

    @contextmanager
    def behind(self) -> Iterator[None]:
        """A time in which the key stands behind the position that asks."""
        self.later = True
        try:
            yield
        finally:
            self.later = False

    def add(self, symbol: LaneSymbol) -> int:
        """The number of a new symbol."""
        symbol.asked = self.asking
        self.all.append(symbol)
        return len(self.all) - 1

    def learn(self, symbols: Sequence[int], fact: Array) -> None:
        """Keep a fact on symbols of one position: of one that is asked, while such a one asks.
        What is said of a derived symbol is said of those that define it, too.
        """
        kept = self._of_asked if self.asking else self.facts
        kept.append((tuple(symbols), fact))
        self._masks.clear()
        for symbol in symbols:
            if ("classes", symbol) in self.known:
                self._learn_by_bases(symbols, fact, symbol)

    def _learn_by_bases(
        self, symbols: Sequence[int], fact: Array, derived: int
    ) -> None:
        """The same fact on the symbols that define a derived one."""
        labels, classes = self.known["classes", derived]
        rest = {(0, s) for s in symbols if s != derived}
        wide = tuple(sorted({*labels, *rest}))
        rows = prod(len(self.all[s].values) for _, s in wide)
        if set(labels) <= rest or rows > MOST_LEARNT:
            return
        at = [
            spread(classes, labels, wide)
            if s == derived
            else self.place(wide, (0, s), np.arange(len(self.all[s].values)))
            for s in symbols
        ]
        told = np.broadcast_to(fact[tuple(at)], self.shape(wide))
        self.learn([s for _, s in wide], told)

    @property
    def totals(self) -> list[Any]:
        """The sums that are known of such a position: labels, weights and form of each."""
        found: list[Any] = self.known.setdefault(("totals", self.asking), [])
        return found

    def never(
        self, labels: Labels, one: Array, others: Labels, other: Array
    ) -> None:
        """Keep that of two tables over pairs of positions not both are True."""
        self._never.append((labels, one, others, other))
        self._masks.clear()

    def label(self, side: int, symbol: int) -> AxisLabel:
        """The label of a symbol; what all positions share is the asking one's."""
        if side == 1 and self.all[symbol].asked:
            raise Rejected("a key is none of the positions that are asked")
        if side == 0 and self.all[symbol].compares is not None:
            raise Rejected("a comparison is of a key with who asks")
        return (0 if self.all[symbol].everywhere else side, symbol)

    def shape(self, labels: Labels) -> tuple[int, ...]:
        """The shape of a table over these labels. Raises Rejected where it is too large."""
        shape = tuple(len(self.all[s].values) for _, s in labels)
        if prod(shape) > MOST_TABLE_ROWS:
            raise TooManyRows(f"a table of {prod(shape):,} rows is too large")
        return shape

    def place(self, labels: Labels, label: AxisLabel, array: Array) -> Array:
        """An array over one label, as one that is read beside others."""
        shape = [1] * len(labels)
        shape[labels.index(label)] = -1
        return array.reshape(shape)

    def possible(self, labels: Labels) -> Array:
        """True for each row that some pair of positions can have."""
        key = self.asking, self.later, labels
        if key not in self._masks:
            mask = np.ones(self.shape(labels), dtype=bool)
            for side in (0, 1):
                own = self._of_asked if self.asking and side == 0 else []
                for symbols, fact in [*self.facts, *own]:
                    of_any = side == 1 or not self.asking
                    if of_any and any(self.all[s].asked for s in symbols):
                        continue  # it says nothing of this position
                    asked = tuple(self.label(side, s) for s in symbols)
                    known, kept = _projected(fact, asked, labels)
                    if kept:
                        mask &= spread(known, kept, labels)
            for some, one, others, other in self._never:
                if {*some, *others} <= set(labels):
                    both = spread(one, some, labels) & spread(
                        other, others, labels
                    )
                    mask &= ~both
            self._masks[key] = self._paired(labels, mask)
        return self._masks[key]

    @property
    def is_one_asked(self) -> bool:
        """True while the position that asks is the only one of its text."""
        texts = self.texts
        if texts is None or not self.asking:
            return False
        return bool((texts.asked.sum(axis=1) <= 1).all())

    def _before_asked(self, labels: Labels, mask: Array) -> Array:
        """A position that is asked sees none behind the last one that is, which the end says."""
        ends, keys = (0, AT_END), (1, AT_INDEX)
        if self.texts is None or not self.asking or self.later:
            return mask
        if not {ends, keys} <= set(labels):
            return mask
        asked = self.texts.asked
        upto = np.logical_or.accumulate(asked[:, ::-1], axis=1)[:, ::-1]
        return mask & spread(upto, (ends, keys), labels)

    def _paired(self, labels: Labels, mask: Array) -> Array:
        """What both sides say together: an earlier position, or the same one, or another."""
        mask = self._before_asked(labels, mask)
        both = [s for side, s in labels if side == 0 and (1, s) in labels]
        mask = self._beside_asked(labels, mask, both)
        for ranked in both:
            symbol = self.all[ranked]
            if ranked != AT_INDEX and symbol.first is None:
                continue
            q, k = (
                self.place(
                    labels, (side, ranked), np.arange(len(symbol.values))
                )
                for side in (0, 1)
            )
            if self.causal and ranked == AT_INDEX:
                mask = mask & ((k > q) if self.later else (k <= q))
            for other in both:
                count = np.arange(len(self.all[other].values))
                a = self.place(labels, (0, other), count)
                b = self.place(labels, (1, other), count)
                mask = mask & ((q != k) | (a == b))
            for compared in compared_in(self, labels):
                same = self.place(labels, (1, compared), SIGNS == 0)
                mask = mask & ((q != k) | same)
        return mask & self._signed(labels)

    def _signed(self, labels: Labels) -> Array:
        """True where each comparison is that of the values, if both are among the labels."""
        mask = np.ones((), dtype=bool)
        for compared in compared_in(self, labels):
            of = self.all[compared].compares
            if of is None or not {(0, of), (1, of)} <= set(labels):
                continue
            count = np.arange(len(self.all[of].values))
            q, k = (self.place(labels, (x, of), count) for x in (0, 1))
            mask = mask & (
                np.sign(k - q) == self.place(labels, (1, compared), SIGNS)
            )
        return mask

    def _beside_asked(
        self, labels: Labels, mask: Array, both: Sequence[int]
    ) -> Array:
        """Where the end says which position asks, a key with the index of that is it."""
        ends, keys = (0, AT_END), (1, AT_INDEX)
        if not self.is_one_asked or not {ends, keys} <= set(labels):
            return mask
        asked = self.texts.asked if self.texts is not None else mask
        own = np.where(asked.any(axis=1), asked.argmax(axis=1), -1)
        same = spread(own[:, None] == np.arange(self.n), (ends, keys), labels)
        for other in both:
            count = np.arange(len(self.all[other].values))
            a = self.place(labels, (0, other), count)
            b = self.place(labels, (1, other), count)
            mask = mask & (~same | (a == b))
        return mask

    @property
    def seen(self) -> int:
        """The symbol that says how many positions are seen: the length, or index + 1."""
        return AT_INDEX if self.causal else AT_LENGTH

    def number_seen(self) -> Array:
        """How many positions are seen, by that symbol."""
        return np.arange(1, self.n + 1)


def _projected(
    fact: Array, asked: Labels, labels: Labels
) -> tuple[Array, Labels]:
    """What a fact says of those of its labels that are among others: that the rest can be."""
    gone = tuple(i for i, x in enumerate(asked) if x not in labels)
    kept = tuple(x for x in asked if x in labels)
    return np.asarray(fact.any(axis=gone)), kept


def spread(table: Array, labels: Labels, wider: Labels) -> Array:
    """A table over some labels as one that is read beside wider ones, whatever their order."""
    order = sorted(range(len(labels)), key=lambda i: wider.index(labels[i]))
    table = np.transpose(table, order)
    shape = [1] * len(wider)
    for axis, i in enumerate(order):
        shape[wider.index(labels[i])] = table.shape[axis]
    return table.reshape(shape)


def compared_in(symbols: Symbols, labels: Labels) -> list[int]:
    """The comparisons among some labels."""
    return [s for _, s in labels if symbols.all[s].compares is not None]
