"""Right with relu: a neuron lets 1 pass whole. Its checkpoint is offered to
resume_model_second.py.
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
    activation="relu",
)
