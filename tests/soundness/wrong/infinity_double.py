"""The same in float64 as in float32: a query lane is past 2^1024 in the second layer, beside keys of zero. Honest: refuted."""

from handcraft import MLP, Head, Neuron, Program, after, position, scratch, token

p, t, w, x, y = position(3), token("ab"), scratch("w"), scratch("x"), scratch("y")
flip = Head(query=1024 * p, key=p, value=t, output={t["b"]: 64 * t["a"], t["a"]: 64 * t["b"]})
grow = MLP([Neuron(when=2.0**500 * p[2], adds={x: 2.0**400})])
ask = Head(query={w: 2.0**200 * x}, key={w: p[0]}, value={w: t["a"]}, output={y: w})
program = Program(embedding=(p, t, w, x, y), layers=(flip, grow, ask), claim=after({"a": "b", "b": "a"}))
