"""The score gap from which on softmax gives all of its weight to the greatest score.

Rules of this file: it speaks of float32, the narrower of the two precisions.
"""

from __future__ import annotations

import math

UNIT_ROUNDOFF = 2.0**-24  # of float32


def gap(n_ctx: int) -> float:
    """The score gap at which softmax over n_ctx positions leaks less than float32's last bit:
    ln(8 n / u).
    """
    return math.log(8 * n_ctx / UNIT_ROUNDOFF)
