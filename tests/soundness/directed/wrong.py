"""A model that is wrong, and a context on which it is: what every family of this package makes.

    Wrong           rules, a claim, and where they part, shown by the forward pass of plain.py
                    and by the model itself
    said(wrong)     what verification says of it: one word, `error` where the claim or the
                    program is refused

Rules of this file: that something is wrong is shown here, without any part of what is tested.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import plain

from handcraft.claims.reference import Reference
from handcraft.core.errors import HandcraftError, WeightsError
from handcraft.language.affine import Lane
from handcraft.model import Model
from handcraft.program.program import Program
from handcraft.proof import verify
from handcraft.proof.checker import Rejected
from handcraft.proof.prover.network import Undecided
from handcraft.proof.prover.pairwise import Pairs, wanted
from handcraft.proof.prover.prover import Prover
from handcraft.proof.prover.recorder import Recorder

RIGHT = {
    "proved",
    "checked",
    "bounded",
}  # what must never be said of a wrong one
SECONDS = 20.0  # for one proof


@dataclass(frozen=True)
class Wrong:
    """Rules and a claim that do not agree.

    fields    of the Program, but its claim        claim      makes the claim
    context   tokens after which it is wrong       claimed    what the claim says there, a
              frozenset of several tokens; None: the claim is an error there
    dtype     float32 or float64                   lane, tolerance   of a claim on a lane
    """

    fields: dict[str, Any]
    claim: Callable[[], Any]
    context: tuple[str, ...]
    claimed: Any
    dtype: str = "float32"
    lane: str | None = None
    tolerance: float = 1e-5

    def program(self) -> Program:
        """The program with its claim. Raises HandcraftError where that is refused."""
        return Program(**self.fields, claim=self.claim(), name="directed")

    def model(self) -> Model:
        """The model with its claim."""
        return Model.of(self.program(), self.dtype)

    def holds(self) -> bool:
        """Whether it is wrong indeed: after its context, by a forward pass written apart, and
        by the model's own.
        """
        if self.claimed is None:
            return self._is_error()
        model = Model.of(Program(**self.fields, name="directed"), self.dtype)
        ids = np.array(model.vocabulary.encode(self.context))
        if self.lane is not None:
            column = model.program.layout.column[Lane.parse(self.lane)]  # type: ignore[union-attr]
            found = plain.lane(model, ids, column)
            return not abs(found - self.claimed) <= self.tolerance
        if isinstance(self.claimed, dict):
            return self._unlikely(model, ids)
        if isinstance(self.claimed, frozenset):
            return self._beaten(model, ids)
        claimed = model.vocabulary.ids[self.claimed]
        return claimed not in (
            _own(model, ids),
            plain.first_of(plain.last(model, ids)),
        )

    def _unlikely(self, model: Model, ids: Any) -> bool:
        logits = plain.last(model, ids).astype(np.float64)
        chances = np.exp(logits - logits.max())
        chances /= chances.sum()
        rows = np.array(
            [self.claimed.get(token, 0.0) for token in model.vocabulary.tokens]
        )
        return not np.abs(chances - rows).max() <= self.tolerance

    def _beaten(self, model: Model, ids: Any) -> bool:
        """Whether a token that is not right has as much as the best of the right ones."""
        right = [model.vocabulary.ids[token] for token in self.claimed]
        return all(
            not logits[right].max() > np.delete(logits, right).max()
            for logits in (plain.last(model, ids), np.array(model(ids))[-1])
        )

    def _is_error(self) -> bool:
        """Whether the claim itself is refused, when it is made or when it is asked."""
        try:
            program = self.program()
            claim: Any = program.claim
            model = Model.of(program, self.dtype)
            if hasattr(claim, "prompts"):
                answered = claim.expected(
                    "".join(self.context), model.vocabulary, model.n_ctx
                )
                return (
                    claim.stop is None
                    and len(answered) != 1
                    and claim.length is None
                )
            Reference(claim, model.vocabulary)(
                model.vocabulary.context(model.vocabulary.encode(self.context))
            )
        except HandcraftError:
            return True
        return False


def _own(model: Model, ids: Any) -> int | None:
    """What the model's own forward pass says, as `run` asks it."""
    try:
        return plain.first_of(model(ids.tolist())[-1])
    except WeightsError:  # it is not finite
        return None


def said(wrong: Wrong, stage: str = "verify") -> str:
    """The verdict of a stage: `verify` as a user asks it, one of its methods, or the `prover`
    without what watches it; `checker` is the prover and the checker, without the real runs.
    """
    try:
        model = wrong.model()
        if stage in ("prover", "checker"):
            return proved(model) if stage == "prover" else accepted(model)
        methods = {} if stage == "verify" else {"methods": (stage,)}
        return str(verify(model, **methods).verdict)
    except HandcraftError:
        return "error"
    except Exception as error:
        return f"traceback: {type(error).__name__}"


def proved(model: Model) -> str:
    """`proved` where the prover alone finds a proof, else `unknown`."""
    claim: Any = model.program.claim if model.program else None
    try:
        (Pairs if wanted(claim) else Prover)(
            model, claim, time.monotonic() + SECONDS, lambda *_: None
        ).run()
    except Undecided:
        return "unknown"
    return "proved"


def accepted(model: Model) -> str:
    """`proved` where the prover finds a proof and the checker accepts it, else `unknown`."""
    claim: Any = model.program.claim if model.program else None
    try:
        Recorder(
            model, claim, time.monotonic() + SECONDS, lambda *_: None
        ).recorded()
    except (Undecided, Rejected):
        return "unknown"
    return "proved"
