"""After c the two letters are said to be equally likely, and a head's leak makes it 0.62 to
0.38. Honest: refuted.
"""

from handcraft import Head, Program, distribution, position, scratch, token

p, t, v, x = position(2), token("ab"), scratch("v"), scratch("x")
leak = Head(
    query={v: 18.0},
    key={v: p[0]},
    scores="exact",
    value={v: p[1]},
    adds={x: v},
)
say = Head(
    query=1024 * p,
    key=p,
    value={v: 2.0**25 * x},
    adds={t["a"]: v - 64 * v + 64 * v},
)
clear = Head(
    query=1024 * p,
    key=p,
    value=t,
    adds={t["a"]: -1 * t["a"], t["b"]: -1 * t["b"]},
)
half = {"a": 0.5, "b": 0.5}
program = Program(
    embedding=(p, t, v, x),
    layers=(leak, clear, say),
    claim=distribution({"a": half, "b": half}, tolerance=1e-3),
)
