"""Another claim on the same weights under the same name, wrong after ab: the certificate of
moved_program.py is none of it. Honest: rejected.
"""

from handcraft import Head, Program, after, position, token

p, t = position(5), token("ab")
flip = Head(
    query=1024 * p,
    key=p,
    value=t,
    adds={t["b"]: 64 * t["a"], t["a"]: 64 * t["b"]},
)
program = Program(
    embedding=(p, t),
    layers=(flip,),
    claim=after({"a": "b", "b": "a", "ab": "b"}),
    name="moved",
)
