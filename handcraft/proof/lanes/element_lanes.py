"""Lanes at the elements of prompts, by what is said of the element.

    element_lanes(model, contexts, said)   what each lane holds there after each sublayer, and what
                                           heads read there

To a causal model an element is the last position of a text that begins the prompt. So its lanes are
followed as those of any text of so many tokens, without the answer behind it, of which more would
have to be known. What then is kept of a key or a value is its numbers by token and index, or by the
value that is said of the element: how far they can be from the middle is their radius.
Rules of this file: the texts are all of these tokens, whether a prompt begins so or not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.model import Model
from handcraft.proof.checker.zonotope import UP, Rejected
from handcraft.proof.lanes.asked import AskedMeaning
from handcraft.proof.lanes.contexts import PromptContexts
from handcraft.proof.lanes.derived import of_few_rows
from handcraft.proof.lanes.forms import Form, in_numbers, over
from handcraft.proof.lanes.needed import answering_parts
from handcraft.proof.lanes.numbers import LaneNumbers, gathered, single
from handcraft.proof.lanes.stream import LaneStream
from handcraft.proof.lanes.symbols import AT_INDEX, AT_TOKEN, Symbols
from handcraft.sequence.expression import Expression

_PLACED = {(0, AT_TOKEN), (0, AT_INDEX)}


@dataclass(frozen=True, eq=False)
class SaidNumbers:
    """The numbers of a lane by the value that is said: a middle and a radius for each."""

    c: Array  # [n_value]
    r: Array  # [n_value]


@dataclass(frozen=True, eq=False)
class ElementLanes:
    """What is known of elements.

    tokens  those that an element can be
    n       how many elements a prompt has at most
    values  what can be said of one
    after   of each sublayer the lanes, by token and index at most
    read    of each block the columns of queries, keys and values that are known better
    """

    tokens: tuple[str, ...]
    n: int
    values: tuple[Any, ...]
    after: dict[str, list[LaneNumbers]] = field(default_factory=dict)
    read: dict[int, dict[int, LaneNumbers | SaidNumbers]] = field(
        default_factory=dict
    )


@dataclass(frozen=True)
class _Begun:
    """Texts that begin with a token, or none."""

    begin: str | None
    skipped: int


def element_lanes(
    model: Model, contexts: PromptContexts, said: Expression, *, few: bool
) -> ElementLanes:
    """The lanes at elements, with tables that are kept small, or not. Raises Rejected where they
    cannot be followed.
    """
    n = max(contexts.ends)
    tokens = _tokens(contexts)
    if n < 1 or not tokens:
        raise Rejected("there is no element")
    symbols = Symbols(tokens, n, causal=True, few=few)
    begun = _Begun(contexts.begin, contexts.skipped)
    meaning = AskedMeaning(symbols, begun, at_key=True)
    form = of_few_rows(symbols, meaning.of(said))
    if 1 in form.sides:
        raise Rejected("what is said reads a key position")
    form, values = _numbered(symbols, form)
    found = ElementLanes(tokens, n, tuple(values))
    stream = LaneStream(model, contexts.begin, symbols, begins=True)

    asking = answering_parts(stream.blocks, stream.wte, model.n_head)

    def seen(after: str, stream: LaneStream) -> None:
        found.after[after] = [_roughly(x) for x in stream.text]
        i, name = after.split(".")
        block, following = int(i), int(i) + 1
        if name == "attn" and "mlp" in stream.blocks[block]:
            return
        if following < len(stream.blocks) and asking[following].heads:
            columns = stream.columns_of(following, asking[following].heads)
            found.read[following] = {
                j: _kept(symbols, x, form, len(values))
                for j, x in columns.items()
            }

    stream.run(seen)
    return found


def _numbered(symbols: Symbols, form: Form) -> tuple[Form, list[Any]]:
    """The form with a number for each value that an element can have, and these values."""
    numbers, values = in_numbers(form.table)
    can = symbols.possible(form.labels)
    used = np.unique(numbers[can])
    place = np.zeros(len(values), dtype=np.int64)
    place[used] = np.arange(len(used))
    return Form(form.labels, place[numbers]), [values[i] for i in used]


def _tokens(contexts: PromptContexts) -> tuple[str, ...]:
    """The tokens that can stand before the end of a prompt."""
    can = np.zeros(len(contexts.tokens), dtype=bool)
    for there, end in zip(contexts.there, contexts.ends, strict=True):
        can |= there[:end].any(axis=0)
    return tuple(np.array(contexts.tokens, dtype=object)[can].tolist())


def _kept(
    symbols: Symbols, lane: LaneNumbers, form: Form, many: int
) -> LaneNumbers | SaidNumbers:
    """What is kept of what a head reads."""
    if set(lane.labels) <= _PLACED:
        return LaneNumbers(lane.labels, lane.c, lane.radius)
    try:
        return _by_value(symbols, lane, form, many)
    except Rejected:  # too many rows
        return _roughly(lane)


def _roughly(lane: LaneNumbers) -> LaneNumbers:
    """A lane by token and index at most: else it is anything within its size."""
    if set(lane.labels) <= _PLACED:
        return LaneNumbers(lane.labels, lane.c, lane.radius)
    return single(0.0, lane.most)


def _by_value(
    symbols: Symbols, lane: LaneNumbers, form: Form, many: int
) -> SaidNumbers:
    """A lane by the number of the value that is said."""
    labels, rows, _ = gathered(symbols, [lane], form.labels)
    possible = symbols.possible(labels).reshape(-1)
    value = over(symbols, form, labels).reshape(-1)[possible]
    c, r = rows.c[possible, 0], rows.radius[possible, 0] * UP
    low, high = np.full(many, np.inf), np.full(many, -np.inf)
    np.minimum.at(low, value, c - r)
    np.maximum.at(high, value, c + r)
    none = low > high  # no element has it
    low, high = np.where(none, 0.0, low), np.where(none, 0.0, high)
    middle = (low + high) / 2
    far = np.maximum(high - middle, middle - low) * UP
    return SaidNumbers(middle, far + np.abs(middle) * 2.0**-50)
