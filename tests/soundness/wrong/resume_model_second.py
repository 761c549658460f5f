"""The same weights with gelu, which leaves 0.84 of 1: wrong everywhere, and what is counted was
of relu. Honest: error or refuted.
"""

from handcraft import MLP, Neuron, Program, after, position, token

p, t = position(19), token("ab")
flip = MLP(
    [
        Neuron(when=1.0 * t["a"], adds={t["b"]: 1.0625}, sharpness=1),
        Neuron(when=1.0 * t["b"], adds={t["a"]: 1.0625}, sharpness=1),
    ]
)
program = Program(
    embedding=(p, t),
    layers=(flip,),
    claim=after({"a": "b", "b": "a"}),
    activation="gelu",
)
