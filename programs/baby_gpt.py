"""The baby GPT: a Markov chain over three bits, with the exact probabilities of 111101111011110.

Two heads fetch the bits one and two back; eight neurons, one a context, each write the logarithms
of their probabilities. Source: Karpathy, "GPT as a finite-state Markov chain", 2023 (there trained,
here stated).
"""

from itertools import product
from math import log

from handcraft import Head, Neuron, Program, distribution, position, scratch, token

SEQUENCE = "111101111011110"
LARGE = 1024
NEVER = -104  # exp(-104) is 0 in float32

p, t = position(3), token("01")
back = scratch("back", ("one", "two"))  # the bit one back, the bit two back
read = (back["two"], back["one"], t["1"])  # the context, the oldest bit first

one = Head(query=LARGE * p.previous, value={back["one"]: t["1"]})
two = Head(query=LARGE * p.back(2), value={back["two"]: t["1"]})


def chances(context: str) -> dict[str, float]:
    """How often each bit follows the context in the sequence; a context that never occurs is
    even.
    """
    follows = [SEQUENCE[i + 3] for i in range(len(SEQUENCE) - 3)
               if SEQUENCE[i : i + 3] == context] or ["0", "1"]
    return {bit: follows.count(bit) / len(follows) for bit in "01"}


def neuron(context: str) -> Neuron:
    """+1 on its own context and at most -1 on every other: writes log p, less the current bit's own
    logit.
    """
    bits = [2 * lane - 1 if bit == "1" else 1 - 2 * lane
            for bit, lane in zip(context, read, strict=True)]
    logits = {t[bit]: (log(chance) if chance else NEVER) - (bit == context[-1])
              for bit, chance in chances(context).items()}
    return Neuron(when=bits[0] + bits[1] + bits[2] - 2, adds=logits, name=f"after {context}")


contexts = ["".join(bits) for bits in product("01", repeat=3)]
program = Program(
    embedding=(p, t, back),
    layers=((one, two, map(neuron, contexts)),),
    claim=distribution({c: chances(c) for c in contexts}),
)
