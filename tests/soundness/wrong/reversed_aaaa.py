"""Not causal, claimed to reverse the text at every position, and the model says the first token
everywhere. Honest: refuted.
"""

from handcraft import Head, Program, each, position, token

p, t = position(4), token("abcd")
first = Head(query={p[0]: 1024.0}, key={p[0]: p[0]}, value=t, adds=64 * t)
program = Program(
    embedding=(p, t),
    layers=(first,),
    claim=each(lambda text: text[::-1]),
    causal=False,
)
