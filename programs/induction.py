"""Continues ..AB..A with B: what followed the latest earlier occurrence of the current letter.

The induction circuit in two layers: the first head copies each letter's predecessor beside it; the
second asks for positions whose predecessor is the current letter and takes the latest. Source:
Olsson et al., "In-context Learning and Induction Heads", 2022.
"""

from string import ascii_lowercase as LETTERS

from handcraft import Head, Program, scratch, token
from handcraft.recipes import addresses, attend_to
from handcraft.sequence.words import latest, own, token_at

NEARER = 24  # a later match wins by this much for each position
MATCH = 2**14  # a match beats every recency: more than NEARER * n_ctx

at = addresses(64)
now, before = token(LETTERS), scratch("before", LETTERS)

previous = attend_to(at, at["p"] - 1, value={before: now})
follower = Head(
    query={before: MATCH * now, at["p"]: NEARER},
    value=now,
    adds={now: 50 * now},
    scores="exact",
)


program = Program(embedding=(at, now, before), layers=(previous, follower),
                  claim=token_at(latest({-1: own})))
