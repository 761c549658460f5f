"""Defines what a method of verification is given, and what it returns.

    Budget   how much may be spent
    Spread   the processes to use, and the file that keeps an unfinished run
    Task     the model, its claim, and both of these
    Outcome  the counts, and whether they decide

Rules of this file: plain data; each method is described in its own file.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

from handcraft.claims.kinds import Claim
from handcraft.core.errors import ProgramError, hint, printable
from handcraft.model import Model
from handcraft.program.contexts import count_domain
from handcraft.proof.checker.certificate import Certificate
from handcraft.proof.judge import Judge
from handcraft.proof.lanes.certificate import LaneCertificate
from handcraft.proof.separable.certificate import LayerCertificate
from handcraft.proof.tally import Tally

DRAWN = 20_000  # contexts or prompts, where they are drawn
BACKENDS = ("loky", "dask", "ray")

Progress = Callable[[int, int], None]  # told how many are done, of how many


@dataclass(frozen=True)
class Budget:
    """A limit on contexts that are enumerated, contexts or prompts that are drawn, and seconds."""

    contexts: int = 10**7
    drawn: int = DRAWN
    seconds: float = math.inf

    @classmethod
    def parse(cls, text: str) -> Budget:
        """The budget of a text such as `1000000` (contexts) or `30s`. Raises ProgramError for
        anything else.
        """
        match = re.fullmatch(r"([0-9]{1,18})(s?)", text.replace("_", ""))
        if not match or not int(match[1]):
            shown = printable(text[:60])
            raise ProgramError(
                "a budget is a number of contexts or of seconds, such as 1000000 or"
                f" 30s, found {shown!r}"
            )
        if match[2]:
            return cls(seconds=float(match[1]), drawn=10**9)
        return cls(contexts=int(match[1]), drawn=int(match[1]))


@dataclass(frozen=True)
class Spread:
    """The processes of an enumeration. Raises ProgramError for a backend that does not exist, or
    options that do not go together.

    jobs        the number of processes; 0 for one on each core; None for one, or for all that a
                cluster has
    backend     loky (this machine), dask or ray
    address     the address of the cluster; without it dask and ray start one on this machine
    checkpoint  a file that holds what is done, from which an interrupted run goes on
    """

    jobs: int | None = None
    backend: str = "loky"
    address: str | None = None
    checkpoint: Path | None = None

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS:
            known = ", ".join(BACKENDS)
            name = self.backend
            raise ProgramError(
                f"there is no backend '{printable(name)}'; there are {known}"
                + hint(name, BACKENDS)
            )
        if self.backend == "loky" and self.address is not None:
            raise ProgramError("an address goes with the backend dask or ray")
        if self.jobs is not None and self.jobs < 0:
            raise ProgramError(
                "jobs must be a number of processes, or 0 for one on each core, found"
                f" {self.jobs}"
            )


@dataclass(frozen=True)
class Task:
    """The model to verify, its claim, and the limits."""

    model: Model
    claim: Claim
    budget: Budget
    deadline: float
    progress: Progress
    spread: Spread = field(default_factory=Spread)

    @cached_property
    def judge(self) -> Judge:
        """The judge of what is right."""
        return Judge(self.model, self.claim)

    @cached_property
    def size(self) -> int:
        """The exact number of contexts, or of prompts."""
        return count_domain(self.claim, self.model.vocabulary, self.model.n_ctx)


AnyCertificate: TypeAlias = Certificate | LaneCertificate | LayerCertificate


@dataclass(frozen=True)
class Outcome:
    """The counts of a method, whether they decide, and why the verdict is not stronger.

    declined     this method does not apply; try the next one
    told         True if the report gives the reason even if another method decides
    suspect      a context that could not be shown to be right, to be judged by itself
    proved       True if the claim holds for every context, in any order of float operations
    error_bound  of a proof, the largest radius of a difference of logits, of a probability or
                 of a lane
    bounded      True if what is known is how many contexts are surely right: `covered`; a
                 counterexample among the others changes nothing
    certificate  of a proof or a bound, what the checker accepted
    """

    tally: Tally
    decided: bool
    reason: str | None = None
    declined: bool = False
    told: bool = False
    suspect: tuple[int, ...] = ()
    proved: bool = False
    error_bound: float | None = None
    assumptions: tuple[str, ...] = ()
    bounded: bool = False
    covered: int | None = None
    certificate: AnyCertificate | None = None
