"""Says how many steps make a stretch of about two seconds, and how many tokens a second that is.

Rules of this file: it decides about when progress is seen, never about bits.
"""

from __future__ import annotations

STRETCH = 2.0  # seconds: for each the compiled loop takes its memory anew


class RunPace:
    """How fast a run is, of which each step reads so many tokens."""

    def __init__(self, tokens_a_step: int) -> None:
        self.tokens_a_step = tokens_a_step
        self.compiled = False
        self.step = 0.0  # seconds that one took
        self.steps = 0
        self.seconds = 0.0

    def stretch(self) -> int:
        """So many steps as take about STRETCH; 1 where that is not known."""
        return max(1, int(STRETCH / self.step)) if self.step else 1

    def took(self, steps: int, seconds: float) -> None:
        """Count a stretch; the first one is compiled, too, and does not count."""
        if self.compiled:
            self.step = seconds / steps
            self.steps += steps
            self.seconds += seconds
        self.compiled = True

    @property
    def tokens_a_second(self) -> float:
        """The tokens that were read in a second; 0 where nothing was counted."""
        tokens = self.steps * self.tokens_a_step
        return tokens / self.seconds if self.seconds else 0.0
