"""Contexts and prompts of a model's claim, drawn with a fixed seed."""

from __future__ import annotations

from itertools import islice
from random import Random

from handcraft import Model
from handcraft.core.errors import HandcraftError


def asked_contexts(model: Model, count: int) -> list[list[int]]:
    """Contexts that the claim is about: of prompts, each with a part of its answer."""
    random = Random(5)
    claim = model.program.claim if model.program else None
    tokens = range(len(model.vocabulary))
    if claim is not None and claim.asks_prompts:
        prompts = islice(prompts_of(model), count)
        return [_partly_answered(model, ids, random) for ids in prompts]
    begin = model.vocabulary.encode(model.begins)
    if claim is not None and claim.whole_text and claim.alphabet:
        tokens = [model.vocabulary.ids[token] for token in claim.alphabet]
    lengths = [
        random.randint(1, model.n_ctx - len(begin)) for _ in range(count)
    ]
    return [begin + random.choices(tokens, k=n) for n in lengths]


def prompts_of(model: Model):  # -> Iterator[list[int]]
    """Prompts of a claim on prompts that fit the window, as ids."""
    claim = model.program.claim
    language = claim.language(model.n_ctx, model.vocabulary)
    for text in language.sample(10_000):
        ids = model.vocabulary.encode(text)
        try:
            model.room(ids)
        except HandcraftError:
            continue
        yield ids


def _partly_answered(model: Model, ids: list[int], random: Random) -> list[int]:
    said = model.continued(ids)
    return ids + said[: random.randrange(len(said))]
