"""The work that a certificate may ask for, counted in steps and never by the clock.

A step is one token that is read in one state, or as much work as that. An honest certificate
needs no more steps than it has bytes, times what a list of tokens stands for, so the limit
follows from its size. Rules of this file: steps are counted before they are done.
"""

from __future__ import annotations

from handcraft.proof.checker.zonotope import Rejected

LEAST_STEPS = 2**20  # steps that any certificate may ask for


class Allowance:
    """The work that may still be done. `most` is the number of steps that are allowed in all."""

    def __init__(self, most: int = LEAST_STEPS) -> None:
        self.most = most
        self.done = 0

    def spend(self, steps: int) -> None:
        """Count these steps. Raises Rejected if there are too many."""
        self.done += steps
        if self.done > self.most:
            raise Rejected(
                f"to check it takes more than {self.most} steps, which is more than its size allows"
            )
