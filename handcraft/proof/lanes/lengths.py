"""The length of answers by what the text adds up to, and that the stop token is due just there.

    asked_contexts(model, claim)    the texts of a claim, whatever their length depends on
    check_stop(...)           that at each position that is asked the claim is the stop token if it
                              is the last one of its answer, and only then

The length is a form of the end, asked there alone; as such it may depend on one sum over the tokens
of the prompt. At a later position the same sum is what that one's own is without the answer so far.
Rules of this file: a position that is asked is in no text where the length says that it is not;
where the stop token is due is shown of each text up to there, so what stands behind it is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from handcraft.claims.prompt_claim import Answers
from handcraft.core.gpt2 import Array
from handcraft.model import Model
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.asked import AskedMeaning
from handcraft.proof.lanes.contexts import PromptContexts, contexts_of
from handcraft.proof.lanes.forms import Form, labels_of, over
from handcraft.proof.lanes.lasting import Lasting, said_at_most
from handcraft.proof.lanes.symbols import (
    AT_END,
    AT_INDEX,
    AT_TOKEN,
    Symbols,
)
from handcraft.sequence.expression import Expression

_OF_TEXT = "how long an answer is depends on more than the end and one sum"


def asked_contexts(model: Model, claim: Answers) -> PromptContexts:
    """The texts of a claim. Raises Rejected where they are not of a kind that is known here."""
    contexts = contexts_of(model, claim)
    if contexts.length is None:
        return contexts
    there = contexts.there.copy()
    said = said_at_most(claim.answer, model.vocabulary.tokens)
    if (
        said is not None
    ):  # behind the last one, which is the stop token, is nothing
        can = np.array([t in said - {claim.stop} for t in contexts.tokens])
        for row, end in enumerate(contexts.ends):
            there[row, end + 1 :] &= can
    contexts = replace(contexts, there=there)
    return _as_long(contexts, _lasting(contexts))


def _lasting(contexts: PromptContexts) -> Lasting:
    """The length of each answer, as it is asked at the end of its prompt."""
    n = contexts.asked.shape[1]
    ends = np.array(contexts.ends)
    at_end = replace(contexts, asked=np.arange(n)[None] == ends[:, None])
    symbols = at_end.symbols()
    form = AskedMeaning(symbols, at_end).of(contexts.length)
    weights = _weights(symbols, form)
    low, sums = contexts.walk.sums(weights, contexts.ends, n)
    lengths = np.zeros((len(ends), sums.shape[-1]), dtype=np.int64)
    for row, end in enumerate(contexts.ends):
        for at in np.flatnonzero(sums[row, end].any(axis=0)):
            found = _said(symbols, form, row, end, low + int(at))
            if not isinstance(found, int) or found < 1:
                raise Rejected("the length of an answer is no number from 1 on")
            if end + found > n:
                raise Rejected("a prompt and its answer do not fit the window")
            lengths[row, at] = found
    return Lasting(weights, low, lengths)


def _weights(symbols: Symbols, form: Form) -> Array:
    """What the tokens weigh in the only sum that a form depends on; nothing where there is none."""
    places = {(0, AT_END), (0, AT_INDEX)}
    sums = [s for side, s in form.labels if (side, s) not in places]
    if not sums:  # the end says it
        return np.zeros(len(symbols.alphabet), dtype=np.int64)
    known = [symbols.known.get(("weights", s)) for s in sums]
    if len(known) != 1 or known[0] is None or known[0][0] != ((1, AT_TOKEN),):
        raise Rejected(_OF_TEXT)
    return np.asarray(known[0][1])


def _said(symbols: Symbols, form: Form, row: int, end: int, total: int) -> Any:
    """The value of a form at the end of a prompt whose tokens add up to this."""
    at = []
    for _, s in form.labels:
        values = symbols.all[s].values
        known = {AT_END: row, AT_INDEX: end}.get(s)
        if known is None and total not in values:
            raise Rejected(_OF_TEXT)
        at.append(values.index(total) if known is None else known)
    return form.table[tuple(at)]


def _as_long(contexts: PromptContexts, lasting: Lasting) -> PromptContexts:
    """The texts with the positions that some answer reaches."""
    there, asked = contexts.there.copy(), contexts.asked.copy()
    last = []
    for row, end in enumerate(contexts.ends):
        last.append(end + int(lasting.lengths[row].max()) - 1)
        there[row, last[-1] + 1 :] = False
        asked[row, last[-1] + 1 :] = False
    return replace(
        contexts, there=there, asked=asked, last=tuple(last), lasting=lasting
    )


def check_stop(
    contexts: PromptContexts,
    symbols: Symbols,
    meaning: AskedMeaning,
    said: Form,
    stop: str | None,
) -> None:
    """Raise Rejected unless an answer has the stop token as its last one, and nowhere else. What
    is asked is asked within its answer, which is learnt of it.
    """
    at_end = Expression(
        op="value_at", args=(contexts.length, Expression(op="end"))
    )
    length = meaning.of(at_end)
    with symbols.of_asked(True):
        places = Form(((0, AT_END), (0, AT_INDEX)), np.zeros(0))
        labels = labels_of(length, places)
        inside = np.zeros(symbols.shape(labels), dtype=bool)
        for at, long, used in _rows(contexts, symbols, length, labels):
            inside[at] = isinstance(long, int) and used <= long
        symbols.learn([s for _, s in labels], inside)
        if stop is None:
            return
        labels = labels_of(length, said, places)
        possible = symbols.possible(labels)
        claimed = over(symbols, said, labels)
        for at, long, used in _rows(contexts, symbols, length, labels):
            if possible[at] and (claimed[at] == stop) != (long == used):
                raise Rejected("an answer may end somewhere else")


def _rows(
    contexts: PromptContexts, symbols: Symbols, length: Form, labels: Any
) -> Iterator[tuple[tuple[int, ...], Any, int]]:
    """Each row of a table over labels, with the length of the answer there, and how much of the
    answer is asked with the position that asks.
    """
    table = over(symbols, length, labels)
    end, index = labels.index((0, AT_END)), labels.index((0, AT_INDEX))
    for at in np.ndindex(*table.shape):
        yield at, table[at], at[index] - contexts.ends[at[end]] + 1
