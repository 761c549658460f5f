"""Says whether brackets are balanced: ^(()())= is answered with Y, ^())(= with N.

The first head adds up +1 for ( and -1 for ): the depth. A neuron marks each place below zero, the second head counts
them, and the answer is Y where there are none and the depth is zero. Source: Dyck-1 by counting, Bhattamishra et
al., "On the Ability and Limitations of Transformers to Recognize Formal Languages", 2020.
"""

from handcraft import MLP, Block, Program, answers, position, scratch, token
from handcraft.recipes import equals, running_sum, step

at, t = position(32, p=lambda i: i), token("^=()YN")
depth, below, bad = scratch("depth"), scratch("below"), scratch("bad")

sink = running_sum(t["^"], {depth: t["("] - t[")"]})
mark = step(depth, {below: -1}, above=-0.5)  # below = 1 - [depth >= 0]
count = running_sum(t["^"], {bad: below})
verdict = equals(40 * bad + depth, 0, {t["Y"]: 50, t["N"]: -50})


def answer(prompt: str) -> str:
    """Y where no closing bracket comes too early and none is missing."""
    depth = 0
    for bracket in prompt[1:-1]:
        depth += 1 if bracket == "(" else -1
        if depth < 0:
            return "N"
    return "N" if depth else "Y"


program = Program(
    embedding=(at, t, depth, below, bad),
    layers=(Block([sink], MLP(mark, adds={below: 1})), Block([count], MLP(verdict, adds={t["N"]: 25}))),
    claim=answers(r"\^[()]{0,30}=", answer, length=1),
)
