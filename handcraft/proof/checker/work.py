"""How much a certificate may ask for: steps that are counted, never the clock.

A step is one token that is read in one state, or as much work as that. What is honest needs no
more steps than it has bytes, times what a list of tokens stands for, so the limit follows from
what was read. Rules of this file: whoever works counts first.
"""

from __future__ import annotations

from handcraft.proof.checker.zonotope import Rejected

LEAST_STEPS = 2**20  # steps that any certificate may ask for


class Allowance:
    """What may still be done. `most` is how many steps there may be in all."""

    def __init__(self, most: int = LEAST_STEPS) -> None:
        self.most, self.done = most, 0

    def spend(self, steps: int) -> None:
        """Counts them. Raises Rejected where there are too many."""
        self.done += steps
        if self.done > self.most:
            raise Rejected(
                f"to check it takes more than {self.most} steps, which is more than its size allows"
            )
