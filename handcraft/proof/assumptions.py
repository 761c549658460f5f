"""Lists what a proof takes for granted: the same list stands in the report, in the certificate and
in docs/proofs.md.

Rules of this file: plain sentences. The prover and the checker share no arithmetic, but they
assume the same of the machine, so both read this list.
"""

from __future__ import annotations

ASSUMPTIONS = (
    (
        "IEEE 754 arithmetic, rounding to nearest, in any order of summation, with or"
        " without fused multiply-add"
    ),
    "a block's output is summed by itself and then added to the residual stream",
    "what is below the least normal number may be flushed to zero",
    (
        "exp and tanh within 8 units of roundoff, exp(0) = 1, exp underflows to 0, tanh"
        " is 1 where gelu passes its input on"
    ),
    "`handcraft assumptions` checks exp and tanh for every float32",
)
