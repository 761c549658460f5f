"""A function that answers with as many tokens as were asked, and nothing ends them: `run`
cannot know where. Honest: error.
"""

from handcraft import Head, Program, answers, position, token

p, t = position(6), token("ab")
flip = Head(
    query=1024 * p,
    key=p,
    value=t,
    adds={t["b"]: 64 * t["a"], t["a"]: 64 * t["b"]},
)
claim = answers(
    "[ab]{1,3}",
    lambda text: ("ba" * 3 if text[-1] == "a" else "ab" * 3)[: len(text)],
)
program = Program(embedding=(p, t), layers=(flip,), claim=claim)
