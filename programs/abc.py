"""Continues abcabcabc...: the next letter is the one that the last pair lacks.

The rules of aab, with a longer cycle: the head still looks at its own position and the one before,
and `seen` is the mean of the pair, one lane a letter. Source: the aab transformer.
"""

from handcraft import Head, Program, position, scratch, token

LARGE = 1024

p = position(6)
t = token("abc")
seen = scratch("seen", "abc")  # 1/2 for each letter of the pair, 0 for the one it lacks

pair = Head(
    query=LARGE * (p + p.previous),
    key=p,
    value={seen: t},
    adds={t: LARGE - LARGE * seen},
)

# After a single letter two are missing, and aa, ba, ... never occur: there the claim is silent.
program = Program(embedding=(p, t, seen), layers=(pair,), claim={"ab": "c", "bc": "a", "ca": "b"})
