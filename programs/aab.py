"""Continues aabaabaab...: b follows aa, a follows everything else."""

from handcraft import Head, Program, position, scratch, token

LARGE = 1024  # softmax then sees only what the query names; the output's gain, too

p = position(5)      # [P P P P P . . .]  one-hot: where am I?
t = token("ab")      # [. . . . . T T .]  one-hot: which token is here?
v = scratch("v")     # [. . . . . . . V]  mean of the pair: aa +1, ab 0, bb -1

pair = Head(
    query=LARGE * (p + p.previous),      # attend to my position and the one before
    key=p,
    value={v: t["a"] - t["b"]},
    adds={t["a"]: LARGE - LARGE * v, t["b"]: LARGE * v},
)

# After a single token either may follow, and bb never occurs: there the claim is silent.
program = Program(embedding=(p, t, v), layers=(pair,), claim={"aa": "b", "ab": "a", "ba": "a"})
