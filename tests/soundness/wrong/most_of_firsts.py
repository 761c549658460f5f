"""The token that stood first of three, None where one is missing: the claim is silent where any
is. Never a traceback. Honest: refuted.
"""

from handcraft import Head, Program, position, token
from handcraft.sequence.words import latest, most

p, t = position(4), token("abc")
own = Head(
    query=1024 * p,
    key=p,
    value=t,
    adds={t["b"]: 64 * t["a"], t["c"]: 64 * t["b"], t["a"]: 64 * t["c"]},
)
program = Program(
    embedding=(p, t),
    layers=(own,),
    claim=most({x: latest({0: x}) for x in "abc"}),
)
