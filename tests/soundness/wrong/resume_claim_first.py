"""Right: after every a comes b and after every b comes a. Its checkpoint is offered to
resume_claim_second.py.
"""

from handcraft import Head, Program, after, position, token

p, t = position(19), token("ab")
flip = Head(
    query=1024 * p,
    key=p,
    value=t,
    adds={t["b"]: 64 * t["a"], t["a"]: 64 * t["b"]},
)
program = Program(
    embedding=(p, t), layers=(flip,), claim=after({"a": "b", "b": "a"})
)
