"""Says whether brackets are balanced: ^(()())= is answered with Y, ^())(= with N.

The first head adds up +1 for ( and -1 for ): the depth. A neuron marks each place below zero, the
second head counts them, and the answer is Y where there are none and the depth is zero. Source:
Dyck-1 by counting, Bhattamishra et al., "On the Ability and Limitations of Transformers to
Recognize Formal Languages", 2020.
"""

from handcraft import Program, answers, position, scratch, token
from handcraft.recipes import equals, running_sum, threshold
from handcraft.sequence.words import below, cases, equal, lowest, total

at, t = position(32, p=lambda i: i), token("^=()YN")
depth, early, bad = scratch("depth early bad")

sink = running_sum(t["^"], {depth: t["("] - t[")"]})
mark = threshold(depth, {early: -1}, above=-0.5)  # early = 1 - [depth >= 0]
count = running_sum(t["^"], {bad: early})
verdict = equals(40 * bad + depth, 0, {t["Y"]: 50, t["N"]: -50})


signs = {"(": 1, ")": -1}
balanced = cases((below(lowest(signs), 0), "N"), (equal(total(signs), 0), "Y"), "N")

program = Program(
    embedding=(at, t, depth, early, bad),
    layers=((sink, mark, {early: 1}), (count, verdict, {t["N"]: 25})),
    claim=answers(r"\^[()]{0,30}=", balanced, length=1),
)
