"""In the second of two layers a head whose output is zero squares what the first one wrote
after three of b: no number. Honest: refuted.
"""

from handcraft import (
    MLP,
    Block,
    Head,
    Neuron,
    Program,
    after,
    position,
    scratch,
    token,
)

p, t, c, w, v = (
    position(5),
    token("ab"),
    scratch("c"),
    scratch("w"),
    scratch("v"),
)
seen = Head(
    query=1024 * p,
    key=p,
    value=t,
    adds={t["b"]: 64 * t["a"], t["a"]: 64 * t["b"]},
)
mean = Head(query=0 * p, key=0 * p, value={c: t["b"]}, adds={c: c})
rare = MLP(
    [Neuron(when=2.0**10 * p[2] + 2.0**12 * c - 2.0**12, adds={w: 2.0**60})]
)  # bbb: 1 + 4 - 4
dead = Head(query={v: w}, key={v: w}, value={v: t["a"]}, adds={v: 0.0 * v})
program = Program(
    embedding=(p, t, c, w, v),
    layers=(Block([mean], rare), dead, seen),
    claim=after({"a": "b", "b": "a"}),
    activation="relu",
)
