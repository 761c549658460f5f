"""Returns a prompt and what the model says to it, for people to try in another runtime.

Rules of this file: the text ends where two tokens are nearly as likely, since there another order
of summation may choose the other one.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np

from handcraft.claims.kinds import After, Distribution
from handcraft.claims.prompt_claim import Answers
from handcraft.model import Model
from handcraft.runtimes.target import Card, Trial

_TRIED = 5  # prompts
_NEW = 8  # tokens at most that follow a context
# of the largest logit: a lead that no runtime's rounding turns
_CLEAR = 1e-2


def example_of(model: Model, card: Card) -> Trial:
    """A prompt, and what the model says: as far as another runtime must say the same, and as it
    spells the two.
    """
    found = [_continued(model, card, tokens) for tokens in _prompts(model)]
    return next((example for example in found if example.clear), found[0])


def _prompts(model: Model) -> Iterator[list[str]]:
    """Up to a few prompts as tokens."""
    claim = model.program.claim if model.program else None
    if isinstance(claim, Answers):
        language = claim.language(model.n_ctx, model.vocabulary)
        asked = (prompt for prompt in language.sample(4 * _TRIED) if prompt)
        texts: Iterator[list[str]] = (
            list(model.vocabulary.split(prompt)) for prompt in asked
        )
    else:
        endings: list[tuple[str, ...]] = []
        if isinstance(claim, After | Distribution):
            endings = [end for end in claim.endings(model.vocabulary) if end]
        tokens = model.vocabulary.tokens
        texts = iter([*map(list, endings), *([token] for token in tokens)])
    yield from islice(texts, _TRIED)


def _continued(model: Model, card: Card, tokens: list[str]) -> Trial:
    ids = model.ids(tokens)
    room = model.room(ids)
    most = min(_NEW, model.n_ctx - len(ids) + 1) if room is None else room
    prompt = card.spelled(model, ids)
    said = [*model.continued(ids, max(1, most))]
    clear = 0
    for i in range(len(said)):
        logits = np.sort(model(np.array([*ids, *said[:i]]))[-1])
        if (
            logits.size > 1
            and logits[-1] - logits[-2] < _CLEAR * np.abs(logits).max()
        ):
            break
        clear = i + 1
    new = max(1, clear)
    return Trial(
        prompt,
        tuple(tokens),
        new,
        card.spelled(model, said[:new]),
        clear > 0,
    )
