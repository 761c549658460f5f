"""Says which texts a claim on contexts or on whole texts is learned from.

    texts_of_lengths    the texts of each length: all of them, or drawn with a fixed seed
    count_claim_texts         how many there are
    short_number        such a number, as a text

Of a causal model those of the whole window have all others in them. Half of the texts that are
drawn for a table of endings are made of its endings, which random texts seldom have.

Rules of this file: it does not ask what the claim says of a text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from random import Random
from typing import Any

import numpy as np

from handcraft.claims.prompt_language import SEED
from handcraft.core.gpt2 import Array
from handcraft.model import Model

DRAWS = 4  # for each text that is wanted: equal ones count once


def short_number(size: int) -> str:
    """The number, or about how large it is."""
    return f"{size:,}" if size < 10**9 else f"about 10^{len(str(size)) - 1}"


def _alphabet(model: Model, claim: Any) -> list[int]:
    names = (
        claim.alphabet if claim.whole_text else None
    ) or model.vocabulary.tokens
    return model.vocabulary.encode(list(names))


def _lengths(model: Model, claim: Any) -> list[int]:
    """The lengths of the texts: of a causal model those of the whole window have all others."""
    if claim.whole_text and not model.causal:
        return list(claim.lengths(model.n_ctx))
    return [model.n_ctx] if model.causal else list(range(1, model.n_ctx + 1))


def _begin(model: Model, claim: Any) -> list[int]:
    given = claim.begin if claim.whole_text else None
    return [] if given is None else model.vocabulary.encode([given])


def count_claim_texts(model: Model, claim: Any) -> int:
    """The number of texts of all these lengths."""
    letters, skipped = len(_alphabet(model, claim)), len(_begin(model, claim))
    return sum(letters ** (n - skipped) for n in _lengths(model, claim))


def texts_of_lengths(model: Model, claim: Any, most: int) -> Iterator[Array]:
    """The texts [n, n_seq] of each length: all of them, or as many of each as fit in so many
    positions.
    """
    begin, letters = _begin(model, claim), _alphabet(model, claim)
    lengths = _lengths(model, claim)
    room = max(1, most // sum(lengths))
    everything = count_claim_texts(model, claim) * model.n_ctx <= most
    for n in lengths:
        rest = n - len(begin)
        if everything or len(letters) ** rest <= room:
            made = [[*begin, *text] for text in product(letters, repeat=rest)]
        else:
            made = [
                [*begin, *text]
                for text in _drawn(model, claim, letters, rest, room)
            ]
        yield np.array(made, dtype="int32").reshape(-1, n)


def _drawn(
    model: Model, claim: Any, letters: Sequence[int], n: int, many: int
) -> list[tuple[int, ...]]:
    """Different random texts; of a claim by endings half are made of its endings."""
    random = Random(SEED + n)
    found = dict[tuple[int, ...], None]()
    endings = []
    if claim.by_endings:
        known = claim.endings(model.vocabulary)
        endings = [model.vocabulary.encode(ending) for ending in known]
    for i in range(many * DRAWS):
        if len(found) == many:
            break
        if endings and i % 2:
            text: list[int] = []
            while len(text) < n:
                text += random.choice(endings)
            found[tuple(text[-n:])] = None
        else:
            found[tuple(random.choices(letters, k=n))] = None
    return list(found)
