"""Puts two models side by side: their tokens in one order, one claim, one window.

Tokens have the ids of the first model everywhere; the other's ids and logits are translated. All
is computed in float64, whatever dtype the weights are of.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from handcraft.claims.functions import Callback
from handcraft.claims.kinds import Claim
from handcraft.core.errors import ProgramError, in_quotes, listing, printable
from handcraft.core.gpt2 import Array, Hook, Weights, convert, gpt2
from handcraft.core.vocabulary import Vocabulary
from handcraft.model import Model
from handcraft.proof.claimed import held_to_claim
from handcraft.training.loss import unseen

_TOGETHER = 2**14  # positions in one pass


@dataclass(frozen=True)
class Side:
    """One of the two models.

    order  [n_vocab] its own id of each token of the first model
    """

    model: Model
    order: Array

    @cached_property
    def weights(self) -> Weights:
        """Its weights in float64."""
        return convert(self.model.weights, lambda x: x.astype(np.float64))

    @property
    def cost(self) -> int:
        """The weights that one position goes through."""
        return self.model.parameters["dense"]

    # [n, n_seq] -> [n, n_seq, n_vocab]
    def logits(
        self, tokens: Array, lengths: Array | None, hook: Hook | None = None
    ) -> Array:
        """The logits after every position; `lengths` [n] where rows are filled up."""
        hooks: list[Hook] = [] if lengths is None else [unseen(lengths)]
        hooks += [] if hook is None else [hook]

        def each(name: str, value: Array) -> Array:
            for one in hooks:
                value = one(name, value)
            return value

        found = gpt2(
            self.order[tokens], **self.weights, **self.model.config, hook=each
        )
        return found[..., self.order]


@dataclass(frozen=True)
class Sides:
    """Two models with the same tokens, held to the same claim, if there is one.

    window  positions that both have
    origin  whose claim it is
    """

    a: Side
    b: Side
    claim: Claim | None
    origin: str | None
    window: int

    @property
    def both(self) -> tuple[Side, Side]:
        return self.a, self.b

    @property
    def vocabulary(self) -> Vocabulary:
        """The tokens in the order of the first model."""
        return self.a.model.vocabulary

    @property
    def causal(self) -> bool:
        return self.a.model.causal

    @property
    def cost(self) -> int:
        """The weights that one position goes through in the larger model."""
        return max(self.a.cost, self.b.cost)

    @property
    def asked(self) -> Model:
        """The first model, with no more positions than both have: it has what a claim is asked
        of.
        """
        model = self.a.model
        if model.n_ctx == self.window:
            return model
        weights = model.weights | {"wpe": model.weights["wpe"][: self.window]}
        return model.replace(weights=weights, program=None)


def side_by_side(
    a: Model, b: Model, claim: Claim | None = None, origin: str | None = None
) -> Sides:
    """The two models, held to this claim, or to that of the first of them that has one.

    Raises ProgramError where they do not have the same tokens, or the claim does not fit both.
    """
    _check_tokens(a, b)
    if a.causal != b.causal:
        one, other = (a, b) if a.causal else (b, a)
        raise ProgramError(
            f"{printable(one.name)} is causal and {printable(other.name)} is not: they"
            " see other positions"
        )
    if claim is None:
        a, b, claim, origin = _own_claim(a, b)
    window = min(a.n_ctx, b.n_ctx)
    order = np.array([b.vocabulary.ids[t] for t in a.vocabulary.tokens])
    same = np.arange(len(order))
    return Sides(Side(a, same), Side(b, order), claim, origin, window)


def _own_claim(
    a: Model, b: Model
) -> tuple[Model, Model, Claim | None, str | None]:
    """Both models, held to the claim of one of them."""
    for owner in (a, b):
        program = owner.program
        if program is not None and (claim := _usable(program.claim)):
            held = [
                one if one is owner else held_to_claim(one, claim, program)
                for one in (a, b)
            ]
            return held[0], held[1], claim, owner.name
    return a, b, None, None


def _usable(claim: Claim | None) -> Claim | None:
    """The claim, if it is about tokens and at hand."""
    if claim is None or claim.measures == "lane":
        return None
    lost = not claim.known and isinstance(claim.rule, Callback)
    return None if lost else claim


def _check_tokens(a: Model, b: Model) -> None:
    """Raise ProgramError unless both have the same tokens, in whatever order."""
    own, other = a.vocabulary.tokens, b.vocabulary.tokens
    if set(own) == set(other):
        return
    only = [
        f"only {printable(model.name)} has {_some(set(tokens) - set(against))}"
        for model, tokens, against in ((a, own, other), (b, other, own))
        if set(tokens) - set(against)
    ]
    raise ProgramError(
        f"models are compared token by token, and these do not have the same tokens:"
        f" {'; '.join(only)}"
    )


def _some(tokens: set[str]) -> str:
    return listing([in_quotes(token) for token in sorted(tokens)], 4)


def batches(n: int, n_seq: int) -> Iterator[slice]:
    """Slices of n rows, each as many as go through a model together."""
    many = max(1, _TOGETHER // max(1, n_seq))
    for start in range(0, n, many):
        yield slice(start, start + many)


def rounded_lists(array: Array, digits: int = 6) -> Any:
    """An array as lists for JSON, rounded to so many significant digits; None for NaN."""
    if array.ndim:
        return [rounded_lists(row, digits) for row in array]
    value = float(array)
    return None if np.isnan(value) else float(f"{value:.{digits}g}")
