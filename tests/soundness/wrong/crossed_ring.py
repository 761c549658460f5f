"""Three counts of five are passed on in a ring, though the model gives each its own: all pairs
look alike. Honest: refuted.
"""

from handcraft import Head, Program, answers, position, token
from handcraft.sequence.words import count, most

letters, counted = "uvxyz", {"u": "u", "v": "v", "x": "y", "y": "z", "z": "x"}
p, t = position(4), token([*letters, "="])
vote = Head(
    query=0 * p,
    key=0 * p,
    value=t,
    adds={t[c]: 64 * t[c] + 5 - i for i, c in enumerate(letters)},
)
rule = most({c: count({0: counted[c]}) for c in letters})
program = Program(
    embedding=(p, t),
    layers=(vote,),
    claim=answers("[uvxyz]{1,3}=", rule, length=1),
)
