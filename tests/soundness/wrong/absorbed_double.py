"""In float64 a leak of 2^-58 is lost beside 8, and is there alone; who lets it cancel says a.
Honest: refuted.
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

p, t = position(3), token("abc")
v, w, x, y = scratch("v"), scratch("w"), scratch("x"), scratch("y")
look = Head(
    query={v: 40.2},
    key={v: p[0]},
    scores="exact",
    value={v: 8 * p[1] + 8 * p[2], w: 8 * p[0] + 8 * p[1] + 8 * p[2]},
    adds={x: v + w - 8, y: v},
)
tell = MLP(
    [Neuron(when=2.0**58 * (y - x), adds={t["b"]: 32})], adds={t["a"]: 4}
)
program = Program(
    embedding=(p, t, v, w, x, y),
    layers=(Block([look], tell),),
    claim=after({"a": "a", "b": "a", "c": "a"}),
    activation="relu",
)
