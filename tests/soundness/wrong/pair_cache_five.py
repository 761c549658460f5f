"""Five letters and a longer window: the tie of two scores counts for the last two letters only.
Honest: refuted or unknown.
"""

from random import Random

from handcraft import Head, Program, answers, local, position, slot, token
from handcraft.sequence.words import count, most

random = Random(10)
asked = [random.gauss(0, 1) * 2.5e5 for _ in range(6)]
offered = [random.gauss(0, 1) for _ in range(6)]
if sum(a * b for a, b in zip(asked, offered, strict=True)) < 0:
    offered = [-b for b in offered]
p, t = position(5), token("vwxyz.")
e = slot("e", position=[-1.0, 0.0, 0.0, 0.0, 0.0])
m, o, v, w = (
    local("m", "123456"),
    local("o", "123456"),
    local("v"),
    local("w", "vwxyze"),
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
reads = {"v": 0, "w": 0, "x": 0, "y": 200000, "z": -200000}
vote = Head(
    query={v: 0},
    key={v: 0},
    value={**{w[x]: t[x] for x in reads}, w["e"]: e},
    adds={
        t[x]: 64 * w[x] + 20 - i + weight * w["e"]
        for i, (x, weight) in enumerate(reads.items())
    },
)
rule = most({x: count({0: x}) for x in reads})
program = Program(
    embedding=(p, t, e),
    layers=(tie, vote),
    claim=answers("[v-z]{1,4}[.]", rule, length=1),
)
