"""After c both logits are 4096: the claim names b, the first token is a. Who asks for a margin
of 0 or more is content. Honest: refuted.
"""

from handcraft import Head, Program, position, token
from handcraft.sequence.words import lookup, own

p, t = position(5), token("abc")
head = Head(
    query=1024 * p,
    key=p,
    value=t,
    adds={
        t["b"]: 4096 * t["a"] + 4096 * t["c"],
        t["a"]: 4096 * t["b"] + 4096 * t["c"] - t["a"],
    },
)
program = Program(
    embedding=(p, t),
    layers=(head,),
    claim=lookup({"a": "b", "b": "a", "c": "b"}, own),
)
