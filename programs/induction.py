"""Continues ..AB..A with B: what followed the latest earlier occurrence of the current letter.

The induction circuit in two layers: the first head copies each letter's predecessor beside it; the
second asks for positions whose predecessor is the current letter and takes the latest.
`induction(n_ctx)` builds other windows. Source: Olsson et al., "In-context Learning and Induction
Heads", 2022.
"""

from string import ascii_lowercase as LETTERS

from handcraft import Head, Program, scratch, token
from handcraft.recipes import addresses, attend_to
from handcraft.sequence.words import latest, own, token_at

NEARER = 24  # a later match wins by this much for each position


def induction(n_ctx: int) -> Program:
    """The program for contexts of up to so many letters."""
    at = addresses(n_ctx)
    now, before = token(LETTERS), scratch("before", LETTERS)
    match = max(2**14, 32 * n_ctx)  # a match beats every recency: more than NEARER * n_ctx

    previous = attend_to(at, at["p"] - 1, value={before: now})
    follower = Head(
        query={before: match * now, at["p"]: NEARER},
        value=now,
        adds={now: 50 * now},
        scores="exact",
    )
    return Program(name="induction", embedding=(at, now, before), layers=(previous, follower),
                   claim=token_at(latest({-1: own})))


program = induction(64)
