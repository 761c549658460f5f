"""Sums over the tokens of a prompt, bounded by what its automaton allows.

    of_walk(symbols, labels, weights, most)   such a sum as a symbol of its own; None for one that
                                              does not depend on tokens alone, or has too many
                                              values

Place by place, of fifteen letters each may be a `#`; but in every prompt one is. The sums that all
ways through the automaton have, up to each place, are the values of the symbol; behind the end the
tokens of the answer are added to them.
Rules of this file: a fact may allow too much, never too little.
"""

from __future__ import annotations

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.symbols import (
    AT_END,
    AT_INDEX,
    AT_TOKEN,
    Labels,
    LaneSymbol,
    PromptTexts,
    Symbols,
)
from handcraft.proof.lanes.walks import TokenWalk, shifted


def of_walk(
    symbols: Symbols, labels: Labels, weights: Array, most: int
) -> int | None:
    """The symbol of such a sum, if it has fewer values than `most`."""
    texts = symbols.texts
    if texts is None or texts.walk is None or labels != ((1, AT_TOKEN),):
        return None
    low, fact = sums_at(texts, texts.walk, weights)
    kept = _values_of(fact)
    asked = fact & texts.asked[..., None, None]
    count = _values_of(asked) if symbols.asking else kept
    if count.stop - count.start >= most:
        return None
    new = _symbol(symbols, labels, weights, low, kept, fact)
    if symbols.asking:
        symbols.learn((AT_END, AT_INDEX, AT_TOKEN, new), asked[..., kept])
    return new


def _values_of(fact: Array) -> slice:
    """From the first to the last value that can be."""
    found = np.flatnonzero(fact.any(axis=(0, 1, 2)))
    if not len(found):
        raise Rejected("there is no such position in any text")
    return slice(int(found[0]), int(found[-1]) + 1)


def _symbol(
    symbols: Symbols,
    labels: Labels,
    weights: Array,
    low: int,
    kept: slice,
    fact: Array,
) -> int:
    """The symbol of such a sum: the same at any position and at those that are asked."""
    key = "walked symbol", weights.tobytes()
    if key not in symbols.known:
        values = tuple(range(low + kept.start, low + kept.stop))
        with symbols.of_asked(False):
            new = symbols.add(LaneSymbol(values))
            place = AT_END, AT_INDEX, AT_TOKEN
            symbols.learn((*place, new), fact[..., kept])
        symbols.known["weights", new] = labels, weights
        symbols.known["is walked", new] = True
        symbols.known[key] = new
    found: int = symbols.known[key]
    return found


def is_walked(symbols: Symbols, symbol: int) -> bool:
    """True for the symbol of such a sum."""
    return ("is walked", symbol) in symbols.known


def sums_at(
    texts: PromptTexts, walk: TokenWalk, weights: Array
) -> tuple[int, Array]:
    """The least value, and [n_end, n_index, n_token, n_value] True where in a text with this end
    the tokens up to an index, of which this is the last one, can weigh so much together.
    """
    n = texts.there.shape[1]
    low, found = walk.sums(weights, texts.ends, n)
    lasting = texts.lasting
    if lasting is not None and not lasting.is_of(weights):
        lasting = None
    for row, end in enumerate(texts.ends):
        # [n_value, n_value] what the prompt adds up to, and what the text does
        now = np.diag(found[row, end].any(axis=0))
        for i in range(end + 1, n):
            if lasting is not None:
                now = now & lasting.going(row, i - end)[:, None]
            tokens = np.flatnonzero(texts.there[row, i])
            after = [shifted(now, int(weights[t])) for t in tokens]
            for t, can in zip(tokens, after, strict=True):
                found[row, i, t] = can.any(axis=0)
            now = np.any([np.zeros_like(now), *after], axis=0)
    return low, found
