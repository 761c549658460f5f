"""Computes what becomes of a model without one of its heads, or without one of its neurons.

A head that is left out adds nothing but the bias of its layer's output; a neuron that is left out
is 0. Rules of this file: where all contexts would be too much work, fewer are taken, evenly
spread; where even few are, what is left out is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from handcraft.core.gpt2 import Array, Hook
from handcraft.training.comparing.contexts import AskedContexts
from handcraft.training.comparing.patterns import head_name
from handcraft.training.comparing.scores import ClaimScore, claim_score
from handcraft.training.comparing.sides import Side

MOST_ABLATED = (
    2**35
)  # weights times positions, of all parts of a model together
_FEWEST = 8  # texts that say anything


@dataclass(frozen=True)
class Ablated:
    """The score without one part: its name, as 0.h1 or 0.mlp.n3, and the score."""

    part: str
    score: ClaimScore

    def to_json(self) -> dict[str, Any]:
        """The part, and what becomes of the model without it."""
        return {
            "part": self.part,
            "accuracy": self.score.accuracy,
            "loss": self.score.loss,
        }


@dataclass(frozen=True)
class Ablations:
    """The scores without each head and without each neuron, on the same texts.

    whole     the score with all parts
    left_out  what was too much work, in words
    """

    whole: ClaimScore
    heads: tuple[Ablated, ...]
    neurons: tuple[Ablated, ...]
    drawn: str | None
    left_out: str | None

    def to_json(self) -> dict[str, Any]:
        """The scores as plain data."""
        return {
            "whole": self.whole.to_json(),
            "heads": [one.to_json() for one in self.heads],
            "neurons": [one.to_json() for one in self.neurons],
            "drawn": self.drawn,
            "left_out": self.left_out,
        }


def ablations(
    side: Side, contexts: AskedContexts, tolerance: float | None
) -> Ablations:
    """The scores of a model without each of its heads, and without each of its neurons."""
    heads, neurons = _heads(side), _neurons(side)
    kept, left_out = [*heads, *neurons], None
    if _texts(side, contexts, len(kept)) < _FEWEST < contexts.size:
        kept, left_out = heads, f"{len(neurons):,} neurons"
    if _texts(side, contexts, len(kept)) < _FEWEST < contexts.size:
        kept, left_out = [], f"{len(heads):,} heads and {left_out}"
    some = contexts.within(max(_FEWEST, _texts(side, contexts, len(kept))))
    scores = [
        Ablated(part, claim_score(side, some, tolerance, hook))
        for part, hook in kept
    ]
    return Ablations(
        claim_score(side, some, tolerance),
        tuple(scores[: len(heads)]),
        tuple(scores[len(heads) :]),
        some.drawn,
        left_out,
    )


def _texts(side: Side, contexts: AskedContexts, parts: int) -> int:
    """The number of texts that so many parts leave time for."""
    return MOST_ABLATED // (side.cost * contexts.n_seq * (parts + 1))


def _heads(side: Side) -> list[tuple[str, Hook]]:
    return [
        (head_name((layer, head)), _without_head(layer, head))
        for layer, block in enumerate(side.weights["blocks"])
        if "attn" in block
        for head in range(side.model.n_head)
    ]


def _neurons(side: Side) -> list[tuple[str, Hook]]:
    return [
        (f"{layer}.mlp.n{neuron}", _without_neuron(layer, neuron))
        for layer, block in enumerate(side.weights["blocks"])
        if "mlp" in block
        for neuron in range(block["mlp"]["c_proj"]["w"].shape[0])
    ]


def _without_head(layer: int, head: int) -> Hook:
    def hook(name: str, value: Array) -> Array:
        if name != f"blocks.{layer}.attn.z":
            return value
        value = value.copy()  # [n, n_head, n_seq, d_head]
        value[:, head] = 0
        return value

    return hook


def _without_neuron(layer: int, neuron: int) -> Hook:
    def hook(name: str, value: Array) -> Array:
        if name != f"blocks.{layer}.mlp.post":
            return value
        value = value.copy()  # [n, n_seq, n_inner]
        value[..., neuron] = 0
        return value

    return hook
