"""No head, only neurons: the greatest of four counts is not the next letter of a ring. Never a
traceback. Honest: refuted.
"""

from handcraft import MLP, Neuron, Program, position, token
from handcraft.sequence.words import count, most

p, t = position(2), token("abcd")
ring = MLP(
    [
        Neuron(when=1.0 * t[a], adds={t[b]: 64})
        for a, b in zip("abcd", "bcda", strict=True)
    ]
)
program = Program(
    embedding=(p, t),
    layers=(ring,),
    claim=most({x: count({0: x}) for x in "abcd"}),
)
