"""Says how a model is trained: steps, rate, batch, and the like, each with what it may be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from handcraft.core.errors import ProgramError, either, printable

RateSchedule = Literal["constant", "cosine"]
MOST_STEPS = 10**9
MOST_SEEDS = 1024


@dataclass(frozen=True)
class TrainingSettings:
    """The settings of a run. Raises ProgramError for one that cannot be.

    steps     so many updates of the weights
    rate      AdamW's learning rate, at its highest
    schedule  constant, or a cosine down to `final` times the rate
    warmup    steps in which the rate rises from 0
    decay     AdamW's weight decay, of matrices alone
    beta2     AdamW's second decay rate
    clip      the most that the norm of a gradient may be; None for no limit
    batch     rows of a step, drawn; None for all of them
    every     an evaluation after so many steps
    patience  stop after so many evaluations without a better one; None for never
    seeds     of the first weights and of what is drawn; each is a model of its own
    """

    steps: int = 1000
    rate: float = 1e-3
    schedule: RateSchedule = "constant"
    warmup: int = 0
    final: float = 0.1
    decay: float = 0.1
    beta2: float = 0.999
    clip: float | None = None
    batch: int | None = None
    every: int = 50
    patience: int | None = None
    seeds: tuple[int, ...] = (0,)

    def __post_init__(self) -> None:
        self._check_counts()
        self._check_numbers()
        if self.schedule not in get_args(RateSchedule):
            raise ProgramError(
                f"the schedule is {either(get_args(RateSchedule))}, found"
                f" {printable(str(self.schedule))[:40]!r}"
            )
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ProgramError("the seeds must be one or more, and differ")
        if (
            len(self.seeds) > MOST_SEEDS
            or min(self.seeds) < 0
            or max(self.seeds) >= 2**31
        ):
            raise ProgramError(
                f"at most {MOST_SEEDS:,} seeds of 0 to 2^31 - 1 are trained at once"
            )

    def _check_counts(self) -> None:
        for name, least in (
            ("steps", 0),
            ("warmup", 0),
            ("batch", 1),
            ("every", 1),
            ("patience", 1),
        ):
            found = getattr(self, name)
            if found is None and name in ("batch", "patience"):
                continue
            whole = isinstance(found, int) and not isinstance(found, bool)
            if not whole or not least <= found <= MOST_STEPS:
                raise ProgramError(
                    f"{name} takes a whole number from {least} to {MOST_STEPS:,}, found"
                    f" {printable(str(found))[:40]}"
                )

    def _check_numbers(self) -> None:
        for name, least, most in (
            ("rate", 0.0, math.inf),
            ("final", 0.0, 1.0),
            ("decay", 0.0, math.inf),
            ("beta2", 0.0, 1.0),
            ("clip", 0.0, math.inf),
        ):
            found = getattr(self, name)
            if found is None and name == "clip":
                continue
            number = isinstance(found, int | float) and not isinstance(
                found, bool
            )
            if not number or not least <= found <= most or math.isinf(found):
                bound = "on" if most == math.inf else f"to {most:g}"
                raise ProgramError(
                    f"{name} takes a number from {least:g} {bound}, found"
                    f" {printable(str(found))[:40]}"
                )
