"""Averages all numbers so far: the lane `mean` ends with the mean of this and every earlier digit.

Uniform causal attention is the lower-triangular averaging matrix: with every score 0, softmax gives
each of the n visible positions 1 / n. Source: the "mathematical trick in self-attention" of
Karpathy's nanoGPT lecture, 2023.
"""

from handcraft import Program, residual, scratch, token
from handcraft.recipes import mean
from handcraft.sequence.words import here, ratio, total

DIGITS = "0123456789"

t = token(DIGITS)
average = scratch("mean")
uniform = mean({average: t.sum(DIGITS, int)})


claim = residual(average.lanes[0], ratio(total({d: int(d) for d in DIGITS}), here + 1),
                 tolerance=5e-5)
program = Program(embedding=(t, average), layers=(uniform,), n_ctx=64, claim=claim)
