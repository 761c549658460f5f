"""Says whether a word is a^n b^n c^n: ^aabbcc= is answered with Y.

The first head holds the share of each letter so far; a neuron marks a letter that comes after a later one. The second
head averages the marks; the answer is Y where there are none and the three shares are equal, to less than half a
letter. Source: counting by means, Bhattamishra et al., 2020; the Transformer Cookbook (Yang et al., 2026).
"""

from handcraft import MLP, Block, Neuron, Program, answers, position, scratch, token
from handcraft.recipes import mean
from handcraft.selections import cases, count, equal, state

N_CTX = 32
SCALE = 2 * N_CTX  # shares differ by at least 1 / N_CTX

at, t = position(N_CTX, half=lambda i: 0.5 / (i + 1)), token("^=YNabc")  # half: half a letter's share
share, bad, marks = scratch("share", "abc"), scratch("bad"), scratch("marks")

shares = mean({share[x]: t[x] for x in "abc"})
later = {"a": share["b"] + share["c"], "b": share["c"]}
order = [Neuron(when=SCALE * (later[x] - 2 * (1 - t[x])), adds={bad: 1}) for x in later]
average = mean({marks: bad})
pairs = [("a", "b"), ("b", "a"), ("b", "c"), ("c", "b")]
uneven = [Neuron(when=SCALE * (share[x] - share[y] - at["half"]), adds={t["N"]: 50, t["Y"]: -50}) for x, y in pairs]
misplaced = Neuron(when=SCALE * marks, adds={t["N"]: 50, t["Y"]: -50})


a, b, c = (count({0: x}) for x in "abc")
after = {"a": {"b": "b", "c": "c"}, "b": {"a": "-", "c": "c"}, "c": {"a": "-", "b": "-"}}  # the latest letter; - is disorder
verdict = cases((equal(state(after, "a"), "-"), "N"), (equal(a, b) * equal(b, c), "Y"), "N")

program = Program(
    embedding=(at, t, share, bad, marks),
    layers=(Block([shares], MLP(order)), Block([average], MLP([*uneven, misplaced], adds={t["Y"]: 25}))),
    claim=answers(r"\^(a{0,10}b{0,10}c{0,10}|[abc]{1,30})=", verdict, length=1),
)
