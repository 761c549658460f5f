"""An answer of two tokens whose first is the stop token: `run` ends before the second. Honest:
error.
"""

from handcraft import Head, Program, answers, position, token
from handcraft.sequence.words import cases, end, equal, here

p, t = position(4), token("ab.")
head = Head(
    query=1024 * p,
    key=p,
    value=t,
    adds={t["."]: 64 * t["a"] + 64 * t["b"] + 64 * t["."]},
)
rule = cases((equal(here, end), "."), ".")
program = Program(
    embedding=(p, t),
    layers=(head,),
    claim=answers("[ab]{1,2}", rule, length=2, stop="."),
)
