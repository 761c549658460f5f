"""Eight neurons are summed in two orders and subtracted: whichever token a pass prefers,
another order disagrees. Honest: refuted or unknown.
"""

from random import Random

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

random = Random(3)
p, t, z = position(4), token("ab"), scratch("z", "ab")
clear = Head(
    query=1024 * p,
    key=p,
    value=t,
    adds={
        t["a"]: -1 * t["a"],
        t["b"]: -1 * t["b"],
        z["a"]: t["a"],
        z["b"]: t["b"],
    },
)
lanes = [*p, *z]
whens = [
    sum((random.gauss(0, 1) * lane for lane in lanes), start=0 * p[0])
    for _ in range(8)
]
sizes = [random.gauss(0, 1) for _ in range(8)]
order = [3, 6, 0, 7, 2, 5, 1, 4]
vote = MLP(
    [Neuron(when=whens[i], adds={t["a"]: sizes[i]}) for i in range(8)]
    + [Neuron(when=whens[i], adds={t["b"]: sizes[i]}) for i in order]
)
every = [(x, y, u, v) for x in "ab" for y in "ab" for u in "ab" for v in "ab"]
program = Program(
    embedding=(p, t, z),
    layers=(Block([clear], vote),),
    claim=after(dict.fromkeys(every, "a")),
)
