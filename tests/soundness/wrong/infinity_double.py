"""In float64, by nine layers that each multiply by 2^120: a query lane is infinite beside keys
of zero. Honest: refuted.
"""

from handcraft import Head, Program, after, position, scratch, token

p, t, w, z = position(3), token("ab"), scratch("w"), scratch("z")
lanes = [scratch(f"x{i}") for i in range(9)]
flip = Head(
    query=1024 * p,
    key=p,
    value=t,
    adds={t["b"]: 64 * t["a"], t["a"]: 64 * t["b"]},
)
read = [p[2], *lanes]
grow = [
    Head(
        query=1024 * p,
        key=p,
        value={w: 2.0**60 * read[i]},
        adds={lane: 2.0**60 * w},
    )
    for i, lane in enumerate(lanes)
]
ask = Head(
    query={w: 2.0**64 * lanes[-1]},
    key={w: p[0]},
    value={w: t["a"]},
    adds={z: w},
)
program = Program(
    embedding=(p, t, w, z, *lanes),
    layers=(flip, *grow, ask),
    claim=after({"a": "b", "b": "a"}),
)
