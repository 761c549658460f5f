"""Two of four letters read a tie of scores that floats decide, with opposite signs; the first
pair does not. Honest: refuted or unknown.
"""

from random import Random

from handcraft import Head, Program, answers, local, position, slot, token
from handcraft.sequence.words import count, most

random = Random(1)
asked = [random.gauss(0, 1) * 1.2e5 for _ in range(5)]
offered = [random.gauss(0, 1) for _ in range(5)]
if sum(a * b for a, b in zip(asked, offered, strict=True)) < 0:
    offered = [-b for b in offered]
p, t = position(4), token("abcd=")
e = slot("e", position=[-1.0, 0.0, 0.0, 0.0])
m, o, v, w = (
    local("m", "12345"),
    local("o", "12345"),
    local("v"),
    local("w", "abcde"),
)
tie = Head(
    query={
        **dict(zip(m, asked, strict=True)),
        **dict(zip(o, asked[::-1], strict=True)),
    },
    key={
        **{lane: b * p[0] for lane, b in zip(m, offered, strict=True)},
        **{lane: b * p[1] for lane, b in zip(o, offered[::-1], strict=True)},
    },
    value={v: p[0] - p[1]},
    adds={e: v},
)
vote = Head(
    query={v: 0},
    key={v: 0},
    value={**{w[x]: t[x] for x in "abcd"}, w["e"]: e},
    adds={
        t["a"]: 64 * w["a"] + 16,
        t["b"]: 64 * w["b"] + 15,
        t["c"]: 64 * w["c"] + 14 + 50000 * w["e"],
        t["d"]: 64 * w["d"] + 13 - 50000 * w["e"],
    },
)
rule = most({x: count({0: x}) for x in "abcd"})
program = Program(
    embedding=(p, t, e),
    layers=(tie, vote),
    claim=answers("[abcd]{1,3}=", rule, length=1),
)
