"""The length of an answer depends on the prompt's letters; prompts of one size have answers of
two. Honest: error.
"""

from handcraft import Head, Program, answers, position, token

p, t = position(5), token("ab")
flip = Head(
    query=1024 * p,
    key=p,
    value=t,
    adds={t["b"]: 64 * t["a"], t["a"]: 64 * t["b"]},
)
table = {"aa": "b", "ab": "ab", "ba": "ba", "bb": "a"}
program = Program(
    embedding=(p, t), layers=(flip,), claim=answers("[ab]{2}", table)
)
