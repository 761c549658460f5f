"""A table whose answer to b is `.a`: it stops at once, and what stands behind the stop is never
said. Honest: error.
"""

from handcraft import Head, Program, answers, position, token

p, t = position(4), token("ab.")
head = Head(
    query=1024 * (p + p.previous),
    key=p,
    value=t,
    adds={
        t["."]: 64 * t["a"] + 64 * t["b"],
        t["a"]: 256 * t["."] - 64 * t["a"],
    },
)
program = Program(
    embedding=(p, t),
    layers=(head,),
    claim=answers("[ab]", {"a": ".", "b": ".a"}, stop="."),
)
