"""Small programs whose claims speak of what follows any context, and a run of all contexts."""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np

from handcraft import Head, Program, after, position, scratch, token
from handcraft.core.gpt2 import gpt2
from handcraft.model import Model
from handcraft.proof.lanes.next_meaning import said_next
from handcraft.recipes import addresses, attend_to
from handcraft.sequence.words import latest, own, token_at

LETTERS = "abc"


@cache
def induced(
    n: int = 5,
    nearer: float = 24,
    back: int = 1,
    first: float = 0,
    *,
    swapped: bool = False,
) -> Model:
    """Continues ab..a with b: the program of `induction` with three letters.

    nearer  how much more a match scores for each position
    back    how far before a letter stands what is kept beside it
    first   how much more the first position scores
    swapped  True if the second and the third position change places there
    """
    places = {1: 2, 2: 1} if swapped else {}
    at = addresses(
        n, first=lambda i: int(i == 0), near=lambda i: places.get(i, i)
    )
    now, before = token(LETTERS), scratch("before", LETTERS)
    previous = attend_to(at, at["p"] - back, value={before: now})
    follower = Head(
        query={
            before: max(2**10, 32 * n) * now,
            at["near"]: nearer,
            at["first"]: first,
        },
        value=now,
        adds={now: 50 * now},
        scores="exact",
    )
    return Program(
        name="induced",
        embedding=(at, now, before),
        layers=(previous, follower),
        claim=token_at(latest({-1: own})),
    ).build()


@cache
def repeated(n: int = 5) -> Model:
    """After xy comes x, by a table of endings; after y alone anything may."""
    p, t = position(n), token(LETTERS)
    previous = Head(query=1024 * p.previous, value=t, adds=1024 * t)
    table = {x + y: x for x in LETTERS for y in LETTERS}
    return Program(
        name="repeated",
        embedding=(p, t),
        layers=(previous,),
        claim=after(table),
    ).build()


def contexts_of(model: Model, longest: int | None = None) -> list[str]:
    """All contexts up to a length."""
    letters = model.vocabulary.tokens
    return [
        "".join(x)
        for n in range(1, (longest or model.n_ctx) + 1)
        for x in product(letters, repeat=n)
    ]


def margins(model: Model) -> dict[str, float]:
    """By context where the claim speaks, by how much a run has the right token ahead."""
    said = said_next(model.program.claim, model.vocabulary)  # type: ignore[union-attr]
    ids, found = model.vocabulary.ids, {}
    for text in contexts_of(model):
        if (right := said(text)) is None:
            continue
        row = np.array([ids[c] for c in text])
        logits = gpt2(row, **model.weights, **model.config)[-1]
        wanted = ids[str(right)]
        others = np.delete(logits, wanted)
        found[text] = float((logits[wanted] - others).min())
    return found


def is_right_next(model: Model) -> bool:
    """True if a run answers each context rightly."""
    return all(x > 0 for x in margins(model).values())
