"""Finds the token at which an anchored head rests: nearly all of its attention lies there, and the
value there is nothing.

So do the heads of `recipes.running_sum` and its like: the anchor weighs 2^30 times as much as any
other position, and what is summed is multiplied by 2^30. What such a head reads is told by how
the rest of its attention is shared.

Rules of this file: a sink is a token, or the first position.
"""

from __future__ import annotations

import numpy as np

from handcraft.analysis.reading.texts import ReadTexts
from handcraft.analysis.reading.watching import Watched
from handcraft.core.gpt2 import Array

_RESTS = 0.999  # of the attention, in nearly every query
_NOTHING = 1e-6  # of the longest value


def resting_token(seen: Watched, texts: ReadTexts, sees: Array) -> int | None:
    """The id of the token at which a head rests; None where there is none.

    sees  [n, n_seq, n_seq], True where a query sees a key
    """
    queries = sees.sum(axis=-1) > 1  # [n, n_seq]
    if not queries.any():
        return None
    best = seen.pattern.argmax(axis=-1)  # [n, n_seq]
    weight = seen.pattern.max(axis=-1)[queries]
    size = np.take_along_axis(seen.size, best, axis=1)[queries]
    longest = seen.size[texts.inside].max()
    rests = (weight > _RESTS) & (size <= _NOTHING * longest)
    tokens = np.take_along_axis(texts.tokens, best, axis=1)[queries]
    same = int(np.bincount(tokens).argmax())
    found = rests & (tokens == same)
    return same if longest and found.mean() > _RESTS else None
