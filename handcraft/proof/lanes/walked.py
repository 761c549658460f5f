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
    some = fact.any(axis=(0, 1, 2))
    kept = np.flatnonzero(some)
    first, last = int(kept[0]), int(kept[-1])
    if last - first + 1 >= most:
        return None
    values = tuple(range(low + first, low + last + 1))
    new = symbols.add(LaneSymbol(values))
    symbols.known["weights", new] = labels, weights
    symbols.learn(
        (AT_END, AT_INDEX, AT_TOKEN, new), fact[..., first : last + 1]
    )
    return new


def sums_at(
    texts: PromptTexts, walk: TokenWalk, weights: Array
) -> tuple[int, Array]:
    """The least value, and [n_end, n_index, n_token, n_value] True where in a text with this end
    the tokens up to an index, of which this is the last one, can weigh so much together.
    """
    n = texts.there.shape[1]
    low, found = walk.sums(weights, texts.ends, n)
    for row, end in enumerate(texts.ends):
        for i in range(end + 1, n):
            before = found[row, i - 1].any(axis=0)  # [n_value]
            for t in np.flatnonzero(texts.there[row, i]):
                found[row, i, t] = shifted(before, int(weights[t]))
    return low, found
