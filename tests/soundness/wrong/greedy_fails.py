"""`abb` is a, bb, but the longest token ab comes first and leaves b, which is none: no one can
ask the prompt. Honest: error.
"""

from handcraft import Head, Program, answers, position, token

p, t = position(2), token(["a", "ab", "bb"])
head = Head(
    query=1024 * p,
    key=p,
    value=t,
    adds={t["a"]: 8 * t["bb"] + 8 * t["ab"], t["ab"]: 8 * t["a"]},
)
program = Program(
    embedding=(p, t),
    layers=(head,),
    claim=answers("ab|abb", {"ab": "a", "abb": "a"}),
)
