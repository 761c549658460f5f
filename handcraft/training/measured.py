"""Holds what a run measures on its way, and what it ends with: one number for each seed.

Rules of this file: plain numbers and arrays; nothing is computed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from handcraft.core.gpt2 import Array

# told the step, the number of steps, the mean loss, and tokens a second
Onlooker = Callable[[int, int, float, float], None]


def untold(step: int, steps: int, loss: float, rate: float) -> None:
    """Show no progress."""


@dataclass(frozen=True)
class Measured:
    """What was measured after so many steps: one number a seed."""

    step: int
    loss: tuple[float, ...]
    accuracy: tuple[float, ...]
    held_out: tuple[float, ...] | None = None
    held_accuracy: tuple[float, ...] | None = None

    @property
    def judged(self) -> tuple[float, ...]:
        """The loss that counts: on what is held out, where something is."""
        return self.loss if self.held_out is None else self.held_out


@dataclass(frozen=True)
class Finished:
    """A run that ended.

    weights  of each seed, flat
    points   what was measured on the way
    stopped  the step that a seed could not take, or None
    kept     the step whose weights these are, for each seed
    held_out  the loss on all that is held out, with these weights; None where nothing is
    seconds   of this process
    tokens    that it read in a second
    early     True if it ended before the last step, without better evaluations
    """

    weights: list[dict[str, Array]]
    points: list[Measured]
    stopped: list[int | None]
    kept: list[int]
    held_out: tuple[float, ...] | None
    seconds: float
    tokens: int
    early: bool
