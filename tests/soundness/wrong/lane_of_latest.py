"""A lane is claimed to hold the token before the last, whose id it does hold: a token is no
number. Honest: error.
"""

from handcraft import Head, Program, position, residual, scratch, token
from handcraft.sequence.words import here, otherwise, token_at

p, t, v = position(4), token("abc"), scratch("v")
before = Head(
    query=1024 * p.previous,
    key=p,
    value={v: t["b"] + 2 * t["c"]},
    adds={v: v},
)
program = Program(
    embedding=(p, t, v),
    layers=(before,),
    claim=residual("v", otherwise(token_at(here - 1), 0)),
)
