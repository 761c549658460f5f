"""Not causal: at the end of a text of three the middle token is asked, and the model gives the
mean of the outer two. Honest: refuted.
"""

from handcraft import Head, Program, position, token
from handcraft.claims.words import last
from handcraft.sequence.words import cases, equal, here, own, token_at

p, t = position(12), token("abc")
look = Head(query=1024 * p, key=p, value=t, adds=64 * t)
rule = cases((equal(here, 2), token_at(1)), own)
program = Program(
    embedding=(p, t), layers=(look,), claim=last(rule), causal=False
)
