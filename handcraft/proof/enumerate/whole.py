"""Counts whole texts: every continuation of a prefix, each text by itself, by the plain forward
pass.

It serves what shares no prefixes: a model that is not causal answers otherwise when more follows,
and a claim on whole texts speaks of every position of each. Rules of this file: texts in the
order of their ids, as many at once as the memory of a forward pass allows; the judge decides and
counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from handcraft.claims.kinds import Each
from handcraft.core.gpt2 import Array
from handcraft.model import Model
from handcraft.proof.judge import Judge
from handcraft.proof.tally import Tally

NUMBERS = 2**22  # of one layer's attention and stream at once


def count_texts(
    judge: Judge,
    tally: Tally,
    prefix: Sequence[int],
    longest: int,
    go_on: Callable[[int], bool],
) -> bool:
    """Count all texts that continue the prefix, up to a length; return True if there was time for
    them.
    """
    n_vocab = len(judge.model.vocabulary)
    start = sum(
        token * n_vocab**power for power, token in enumerate(reversed(prefix))
    )
    for length in range(len(prefix) + 1, longest + 1):
        n = n_vocab ** (length - len(prefix))  # texts of this length
        step = at_once(judge.model, length)
        for first in range(start * n, (start + 1) * n, step):
            if not go_on(tally.contexts):
                return False
            judge.texts(
                tally,
                numbered(
                    first, min(first + step, (start + 1) * n), length, n_vocab
                ),
            )
    return True


def count_told(
    judge: Judge, tally: Tally, claim: Each, go_on: Callable[[int], bool]
) -> bool:
    """Count all texts of the claim's alphabet, each behind the token that it begins with; return
    True if there was time for them.
    """
    vocabulary = judge.model.vocabulary
    first = vocabulary.encode(() if claim.begin is None else [claim.begin])
    letters = np.array(
        vocabulary.encode(claim.alphabet or vocabulary.tokens)
    )  # [n_letters]
    for length in claim.lengths(judge.model.n_ctx):
        n = length - len(first)
        size = len(letters) ** n
        step = at_once(judge.model, length)
        for start in range(0, size, step):
            if not go_on(tally.contexts):
                return False
            end = min(start + step, size)
            rest = letters[numbered(start, end, n, len(letters))]
            begin = np.tile(np.array(first, dtype=int), (len(rest), 1))
            judge.texts(tally, np.hstack([begin, rest]))
    return True


def at_once(model: Model, length: int) -> int:
    """The number of texts of a length that go through the model together."""
    return max(
        1,
        NUMBERS
        // (
            length
            * (length * model.n_head + 4 * model.n_embd + len(model.vocabulary))
        ),
    )


def numbered(
    first: int, last: int, length: int, n_vocab: int
) -> Array:  # -> [last - first, length]
    """The texts whose ids, as digits in base n_vocab, are the numbers first to last - 1."""
    numbers = range(first, last)
    kind = np.int64 if last <= np.iinfo(np.int64).max else object
    digits = np.array(numbers, dtype=kind)[:, None] // np.array(
        [n_vocab**k for k in range(length - 1, -1, -1)], dtype=kind
    )
    return (digits % n_vocab).astype(np.int64)
