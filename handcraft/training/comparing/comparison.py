"""Compares two models: all that the report of `handcraft compare` says.

Rules of this file: it only puts together what the others of this folder compute.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from handcraft.claims.kinds import Claim
from handcraft.core.weights import flatten
from handcraft.model import Model
from handcraft.training.comparing.ablations import Ablations, ablations
from handcraft.training.comparing.chains import ChainRow, chains
from handcraft.training.comparing.contexts import (
    AskedContexts,
    contexts_of_sides,
    outside,
)
from handcraft.training.comparing.named_circuits import (
    NamedCircuits,
    named_circuits,
)
from handcraft.training.comparing.patterns import (
    HeadMatching,
    HeadName,
    HeadsSeen,
    head_name,
    heads_matched,
    seen_by,
)
from handcraft.training.comparing.scores import (
    ClaimScore,
    SameTokens,
    agreement,
    claim_score,
    least_loss,
)
from handcraft.training.comparing.sides import (
    Side,
    Sides,
    rounded_lists,
    side_by_side,
)


@dataclass(frozen=True, eq=False)
class ModelReport:
    """What is said of one of two models.

    score      on the claim; None without one
    circuits   of each head; None where they have too many names
    ablations  None without a claim
    """

    model: Model
    score: ClaimScore | None
    seen: HeadsSeen
    circuits: dict[HeadName, NamedCircuits] | None
    ablations: Ablations | None

    @property
    def sizes(self) -> dict[str, int]:
        """Layers, heads, widths and the numbers of weights."""
        model = self.model
        shape = {
            "n_layer": model.n_layer,
            "n_head": model.n_head,
            "n_embd": model.n_embd,
            "n_ctx": model.n_ctx,
        }
        return shape | model.parameters

    def to_json(self) -> dict[str, Any]:
        """The report as plain data."""
        return {
            "name": self.model.name,
            "parameters": self.sizes,
            "score": self.score and self.score.to_json(),
            "heads": {
                head_name(head): self._head(head) for head in self.seen.patterns
            },
            "ablations": self.ablations and self.ablations.to_json(),
        }

    def _head(self, head: HeadName) -> dict[str, Any]:
        circuits = self.circuits and self.circuits[head].to_json()
        pattern = rounded_lists(self.seen.patterns[head])
        return {"pattern": pattern, **(circuits or {"qk": None, "ov": None})}


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two models side by side.

    origin      whose claim both are held to; None where neither has one
    contexts    those that both were asked
    least_loss  the loss that no model can be below
    same        how often they agree on these, and `outside` on those that the claim is silent on
    chains      the contexts of both Markov chains, or why they are not shown
    matching    which head is like which; None unless both have as many in each layer
    """

    a: ModelReport
    b: ModelReport
    origin: str | None
    contexts: AskedContexts
    least_loss: float | None
    same: SameTokens
    outside: SameTokens | None
    chains: tuple[ChainRow, ...] | str
    same_shape: bool
    matching: HeadMatching | None

    @property
    def both(self) -> tuple[ModelReport, ModelReport]:
        return self.a, self.b

    def to_json(self) -> dict[str, Any]:
        """The comparison as plain data; docs/training.md has the keys."""
        shown = not isinstance(self.chains, str)
        rows = [] if isinstance(self.chains, str) else self.chains
        return {
            "claim": self.origin,
            "contexts": {
                "unit": self.contexts.unit,
                "exhaustive": self.contexts.drawn is None,
                "drawn": self.contexts.drawn,
                "least_loss": self.least_loss,
            },
            "a": self.a.to_json(),
            "b": self.b.to_json(),
            "same": self.same.to_json(),
            "outside": self.outside and self.outside.to_json(),
            "chain": [row.to_json() for row in rows] if shown else None,
            "no_chain": None if shown else self.chains,
            "same_shape": self.same_shape,
            "matching": self.matching and self.matching.to_json(),
        }


def compare_models(
    a: Model, b: Model, claim: Claim | None = None, origin: str | None = None
) -> Comparison:
    """The comparison of two models on this claim, or on that of the first that has one.

    Raises ProgramError where they do not have the same tokens, or the claim does not fit both.
    """
    sides = side_by_side(a, b, claim, origin)
    contexts = contexts_of_sides(sides)
    own, other = (_report(side, sides, contexts) for side in sides.both)
    beyond = outside(sides)
    return Comparison(
        own,
        other,
        sides.origin,
        contexts,
        None if sides.claim is None else least_loss(contexts),
        agreement(sides, contexts),
        None if beyond is None else agreement(sides, beyond),
        chains(sides),
        _shape(a) == _shape(b),
        heads_matched(own.seen, other.seen),
    )


def _report(side: Side, sides: Sides, contexts: AskedContexts) -> ModelReport:
    held: Any = sides.claim
    chances = held is not None and held.measures == "probability"
    tolerance = held.tolerance if chances else None
    seen = seen_by(side, contexts)
    return ModelReport(
        side.model,
        None if held is None else claim_score(side, contexts, tolerance),
        seen,
        named_circuits(side, seen, sides.window),
        None if held is None else ablations(side, contexts, tolerance),
    )


def _shape(model: Model) -> dict[str, tuple[int, ...]]:
    arrays = flatten(model.weights)
    shapes = {name: tuple(array.shape) for name, array in arrays.items()}
    return {**shapes, "heads": (model.n_head,)}
