"""Says the greatest of four digits: 3914 is answered with 9.

One head and no neuron. The score of a position is its digit times LARGE, so the softmax sees the
greatest digit alone, wherever and however often it stands, and its one-hot code becomes the logit.
Source: attention to the greatest value as in hard attention (Hahn, "Theoretical Limitations of
Self-Attention in Neural Sequence Models", 2020); trained models of this task are a benchmark of
bounds that are compact (Gross et al., "Compact Proofs of Model Performance via Mechanistic
Interpretability", 2024).
"""

from handcraft import Head, Program, answers, local, token
from handcraft.sequence.words import best, fetch, map_, tokens

LARGE = 1024  # one digit more weighs e^1024 as much
DIGITS = "0123456789"

t, size = token(DIGITS), local("size")
greatest = Head(
    query={size: LARGE},
    key={size: sum(int(digit) * t[digit] for digit in DIGITS)},
    value={t: t},
    adds={t: LARGE * t},
    scores="exact",
)

digit = map_(int, tokens, over=DIGITS)
program = Program(
    embedding=(t,),
    layers=(greatest,),
    claim=answers("[0-9]{4}", fetch(tokens, best(digit)), length=1),
    n_ctx=4,
)
