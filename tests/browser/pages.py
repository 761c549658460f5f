"""The programs whose pages are opened, and a text for each."""

from __future__ import annotations

from functools import cache
from random import Random

from handcraft import Model, answer
from handcraft.files.bundled import bundled
from handcraft.sequence import fetch, indices, length, tokens

EVERY = tuple(bundled())
SOME = ("aab", "adder", "induction", "sort", "subleq", "sequence/sort")
REVERSE = fetch(tokens, length - 1 - indices)
FRAMED = answer(REVERSE, tokens="abc", n=4).build()  # of a prompt ^x=


@cache
def model_of(name: str) -> Model:
    """The model of a bundled program."""
    return Model.open(name)


@cache
def text_for(name: str, seed: int = 7) -> str:
    """A text that the claim speaks about: a prompt, or a few tokens drawn with a fixed seed."""
    model = model_of(name)
    claim = model.program.claim
    random = Random(seed)
    if claim.asks_prompts:
        return str(claim.language(model.n_ctx, model.vocabulary).draw(random))
    letters = [
        token
        for token in model.vocabulary.tokens
        if not claim.whole_text or token != claim.begin
    ]
    if claim.whole_text and claim.alphabet is not None:
        letters = [*claim.alphabet]
    room = model.n_ctx - len(model.begins)
    return "".join(random.choices(letters, k=min(room, 9)))


@cache
def ids_of(name: str) -> tuple[int, ...]:
    """The ids of that text, with the token that texts of the claim begin with."""
    model = model_of(name)
    begin = model.vocabulary.encode(model.begins)
    return (*begin, *model.ids(text_for(name)))
