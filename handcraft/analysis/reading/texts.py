"""Draws the texts on which a model is read: prompts of a claim with their answers, or contexts.

Where there is no claim, any tokens follow each other. The two halves are drawn alike: one is for
fitting, the other for judging what was fitted.

Rules of this file: the same texts each time; a text has at least two positions where the window
has, for one position attends to itself whatever a head is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Any

import numpy as np

from handcraft.claims.kinds import Claim
from handcraft.claims.prompt_language import SEED
from handcraft.core.gpt2 import Array
from handcraft.model import Model

MOST_SEEN_PAIRS = 2**17  # of a query and a key, in all texts together
FEWEST_TEXTS, MOST_TEXTS = 16, 1024  # texts
LONGEST_TEXT = 128  # tokens of a random text


@dataclass(frozen=True, eq=False)
class ReadTexts:
    """Texts, shorter ones filled up with the token 0.

    tokens   [n, n_seq]
    lengths  [n]
    asked    [n, n_seq], True where the prediction counts
    """

    tokens: Array
    lengths: Array
    asked: Array

    @property
    def inside(self) -> Array:  # [n, n_seq]
        """True at the positions of a text."""
        return np.arange(self.tokens.shape[1]) < self.lengths[:, None]

    def some(self, which: Any) -> ReadTexts:
        """The texts at these places."""
        return ReadTexts(
            self.tokens[which], self.lengths[which], self.asked[which]
        )


def texts_to_read(model: Model, claim: Claim | None) -> ReadTexts:
    """Texts of a claim, or of the vocabulary where there is none."""
    prompts = claim is not None and claim.asks_prompts
    n_seq = model.n_ctx if prompts else min(model.n_ctx, LONGEST_TEXT)
    many = min(MOST_TEXTS, max(FEWEST_TEXTS, MOST_SEEN_PAIRS // n_seq**2))
    if prompts:
        rows = list(islice(_answered(model, claim, many), many))
    else:
        rows = [(text, 0) for text in _contexts(model, claim, n_seq, many)]
    if not model.causal:
        rows = _of_one_length(rows)
    return _filled(rows)


def _answered(
    model: Model, claim: Any, many: int
) -> Iterator[tuple[list[int], int]]:
    """Prompts with what answers them, but for the last token; and where the answer begins."""
    prompts = list(
        dict.fromkeys(
            claim.language(model.n_ctx, model.vocabulary).sample(2 * many)
        )
    )
    ask = claim.ahead(prompts[:many], model.vocabulary)
    for prompt in prompts[:many]:
        asked = model.vocabulary.encode(prompt)
        answer = claim.expected(prompt, model.vocabulary, model.n_ctx, ask)
        whole = [*asked, *model.vocabulary.encode(answer)]
        yield whole[:-1], len(asked) - 1


def _contexts(
    model: Model, claim: Any, n_seq: int, many: int
) -> Iterator[list[int]]:
    """Random texts of n_seq tokens; of a claim by endings half are made of its endings."""
    random = Random(SEED)
    begin, letters, endings = _letters(model, claim)
    n = n_seq - len(begin)
    for i in range(many):
        text: list[int] = []
        while endings and i % 2 and len(text) < n:
            text += random.choice(endings)
        yield [*begin, *(text[:n] or random.choices(letters, k=n))]


def _letters(
    model: Model, claim: Any
) -> tuple[list[int], Sequence[int], list[list[int]]]:
    """The token that begins a text, if any; those that follow; and the endings of a table."""
    every = range(len(model.vocabulary))
    if claim is None:
        return [], every, []
    encode = model.vocabulary.encode
    if claim.whole_text:
        begin = [] if claim.begin is None else encode([claim.begin])
        return begin, encode(claim.alphabet) if claim.alphabet else every, []
    known = claim.endings(model.vocabulary) if claim.by_endings else ()
    return [], every, [encode(ending) for ending in known if ending]


def _of_one_length(
    rows: list[tuple[list[int], int]],
) -> list[tuple[list[int], int]]:
    """Those of the most frequent length: where a position sees later ones, nothing is filled up."""
    lengths = [len(text) for text, _ in rows]
    usual = max(set(lengths), key=lambda n: (lengths.count(n), n))
    return [row for row in rows if len(row[0]) == usual]


def _filled(rows: Sequence[tuple[list[int], int]]) -> ReadTexts:
    lengths = np.array([len(text) for text, _ in rows])
    tokens = np.zeros((len(rows), int(lengths.max())), dtype=int)
    asked = np.zeros(tokens.shape, dtype=bool)
    for i, (text, begin) in enumerate(rows):
        tokens[i, : len(text)] = text
        asked[i, begin : len(text)] = True
    return ReadTexts(tokens, lengths, asked)
