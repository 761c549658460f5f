"""Decoders: from lanes of the stream to logits, through the token lanes that the tied
unembedding reads out.

The current token's own one-hot is still in the stream and gives its logit 1; a decoder's gain
must beat that.

    one_hot       a lane a token                     gain x lane                        margin
                  gain - 1
    parabola      a number, read as the nearest      gain (1 + 2 v x - v^2)             margin
                  gain - 1
    thermometer   flags "at least this one"          gain (flag - next flag)            margin
                  gain - 1
    log_probabilities                                ln p - [current token]             exact
                                                     after softmax

Each returns a map {token lane: expression}, for the output of a head or, through `as_mlp`, for
neurons. Source: the parabola read-out of AdderBoard's hand-set adders; "The Transformer
Cookbook", Yang et al., 2026.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from handcraft.core.errors import ProgramError, printable
from handcraft.core.frozen import caller
from handcraft.language.affine import Affine, Lane, Map, Term
from handcraft.language.coerce import MapLike, as_affine, as_map
from handcraft.language.rules import MLP, Neuron
from handcraft.language.slots import Slot

SUM_ERROR = 1e-9
_NEVER = -104.0  # exp(-104) is 0 in float32


def _checked(gain: float, recipe: str) -> float:
    """The gain. Raises ProgramError for one that cannot beat the current token's own 1."""
    if not gain > 1:
        raise ProgramError(
            f"{gain:g} cannot beat the 1 of the current token's own logit; use more"
            " than 1",
            (recipe, "gain"),
            caller(),
        )
    return gain


def one_hot(tokens: MapLike, gain: float) -> Map:
    """{token lane: lane that is 1 where it must follow}, times the gain."""
    return as_map(tokens).scaled(_checked(gain, "one_hot"))


def parabola(x: Term, numbers: Mapping[Any, float], gain: float) -> Map:
    """The token whose number is nearest to x: {token lane: its number}; gain (1 + 2 v x - v^2)
    is greatest there.

    The next number is behind by `gain` times the square of their distance, less twice the error
    of x; a token that is no number is behind by `gain` and more.
    """
    expression, gain = as_affine(x), _checked(gain, "parabola")
    rows = {
        lane: expression.scaled(2 * v).plus(Affine.of({}, 1 - v * v)).scaled(gain)
        for lane, v in numbers.items()
    }
    return as_map(rows)


def thermometer(flags: Sequence[Term], tokens: Sequence[Lane], gain: float) -> Map:
    """The first token whose flag is 1, for flags that rise once from 0 to 1: gain (flag - flag
    before).
    """
    if len(flags) != len(tokens):
        raise ProgramError(
            f"{len(flags)} flags for {len(tokens)} tokens",
            ("thermometer", "flags"),
            caller(),
        )
    _checked(gain, "thermometer")
    rises = [as_affine(flag) for flag in flags]
    before = [Affine(), *rises[:-1]]
    return Map.of(
        (t, (a - b).scaled(gain)) for t, a, b in zip(tokens, rises, before, strict=True)
    )


def log_probabilities(
    token: Slot, row: Mapping[str, float], current: str | None = None
) -> Affine:
    """What a neuron adds so that softmax gives exactly these probabilities: ln p a token, less
    the current one's 1.

    A token that the row does not name has probability 0. Raises ProgramError for a token that
    is not one of the slot's, and for probabilities that do not sum to 1.
    """
    lanes = {lane.label or "": lane for lane in token.lanes}
    unknown = [
        label
        for label in (*row, *([] if current is None else [current]))
        if label not in lanes
    ]
    if unknown:
        raise ProgramError(
            f"{token.name} has no token '{printable(unknown[0])}'",
            ("log_probabilities", "row"),
            caller(),
        )
    if abs(sum(row.values()) - 1) > SUM_ERROR or min(row.values()) < 0:
        message = (
            "probabilities are not negative and sum to 1, found the sum"
            f" {sum(row.values()):g}"
        )
        raise ProgramError(message, ("log_probabilities", "row"), caller())
    chances = {label: row.get(label, 0.0) for label in lanes}
    logits = {
        label: (math.log(p) if p > 0 else _NEVER) - (label == current)
        for label, p in chances.items()
    }
    return Affine.of({lanes[label]: value for label, value in logits.items()})


def as_mlp(decoder: MapLike) -> MLP:
    """A decoder as an MLP: a pair of neurons for each lane it reads (whole numbers), and its
    constants.

    A head can hold a decoder in its output; this is for lanes that are in the stream already.
    """
    rows = as_map(decoder).rows
    read = dict.fromkeys(lane for _, affine in rows for lane in affine.lanes_read)
    neurons = []
    for lane in read:
        adds = Affine.of(
            {
                target: dict(affine.terms)[lane]
                for target, affine in rows
                if lane in dict(affine.terms)
            }
        )
        neurons += [
            Neuron(when=lane, adds=adds),
            Neuron(when=-lane, adds=adds.scaled(-1.0)),
        ]
    return MLP(
        neurons, adds=Affine.of({target: affine.constant for target, affine in rows})
    )
