"""Builds decoders: maps from lanes of the stream to logits, {token lane: expression}, for the
what a head adds or, as a part of a layer, for neurons.

The unembedding is tied, so what is written to a token's lane is its logit. The current token's
one-hot still stands in the stream and gives its own logit 1; a decoder's gain must beat that.

    one_hot            one lane for each token            gain x lane
    parabola           the token with the nearest number  gain (1 + 2 v x - v^2)
    thermometer        flags "at least this one"          gain (flag - flag before)
    log_probabilities  exact after softmax                ln p - [current token]

The first three win by a margin of gain - 1.

Sources: the parabola of AdderBoard's hand-set adders; "The Transformer Cookbook", Yang et al.,
2026.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from handcraft.core.arguments import checked_call
from handcraft.core.errors import ProgramError, printable
from handcraft.core.source import caller
from handcraft.language.affine import Affine, Lane, Map, Term, kind_of, number
from handcraft.language.coerce import MapLike, as_affine, as_map
from handcraft.language.slots import Slot
from handcraft.recipes.kinds import (
    a_number,
    a_slot,
    anything,
    expressions,
    table_of,
    takes,
)

GAIN = 50.0  # of a decoder, where its author names none: far above the 1 of the current token
SUM_ERROR = 1e-9
_NEVER = -104.0  # exp(-104) is 0 in float32


def _checked(gain: float, recipe: str) -> float:
    """Return the gain. Raises ProgramError for one that cannot beat the logit 1 of the current
    token.
    """
    if not gain > 1:
        raise ProgramError(
            f"{gain:g} cannot beat the 1 of the current token's own logit; use more"
            " than 1",
            (recipe, "gain"),
            caller(),
        )
    return gain


@checked_call()
@takes(gain=a_number)
def one_hot(tokens: MapLike, gain: float = GAIN) -> Map:
    """The map {token lane: lane that is 1 where the token must follow}, times the gain."""
    return as_map(tokens).scaled(_checked(gain, "one_hot"))


@checked_call()
@takes(gain=a_number)
def parabola(x: Term, numbers: Mapping[Any, float], gain: float = GAIN) -> Map:
    """A map to the token whose number is nearest to x, for {token lane: its number}: the logit
    gain (1 + 2 v x - v^2) is greatest there.

    The token of the next number is behind by `gain` times the square of their distance, less twice
    the error of x; a token without a number is behind by `gain` and more.
    """
    expression = as_affine(x)
    gain = _checked(gain, "parabola")
    if not isinstance(numbers, Mapping):
        raise ProgramError(
            "takes a table {token lane: its number}, found"
            f" {printable(kind_of(numbers))}",
            ("parabola", "numbers"),
            caller(),
        )
    rows = {}
    for lane, found in numbers.items():
        v = number(found, "a token stands for a number")
        slope = expression.scaled(2 * v)
        constant = Affine.of({}, 1 - v * v)
        rows[lane] = slope.plus(constant).scaled(gain)
    return as_map(rows)


@checked_call()
@takes(flags=expressions, tokens=expressions, gain=a_number)
def thermometer(
    flags: Sequence[Term], tokens: Sequence[Lane], gain: float = GAIN
) -> Map:
    """A map to the first token whose flag is 1, for flags that rise once from 0 to 1: gain (flag -
    flag before). Raises ProgramError unless there is one flag for each token.
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
    steps = zip(tokens, rises, before, strict=True)
    return Map.of((token, (a - b).scaled(gain)) for token, a, b in steps)


@checked_call()
@takes(token=a_slot, row=table_of("{token: probability}", anything, a_number))
def log_probabilities(
    token: Slot, row: Mapping[str, float], current: str | None = None
) -> Affine:
    """The amounts that a neuron adds so that softmax gives exactly these probabilities: ln p for
    each token, less the 1 of the current one.

    A token that the row does not name has probability 0. Raises ProgramError for a token that
    is not one of the slot's, and for probabilities that do not sum to 1.
    """
    lanes = {lane.label or "": lane for lane in token.lanes}
    named = [*row] if current is None else [*row, current]
    unknown = [label for label in named if label not in lanes]
    if unknown:
        raise ProgramError(
            f"{token.name} has no token '{printable(unknown[0])}'",
            ("log_probabilities", "row"),
            caller(),
        )
    if not abs(sum(row.values()) - 1) <= SUM_ERROR or min(row.values()) < 0:
        message = (
            "probabilities must not be negative and must sum to 1, found the sum"
            f" {sum(row.values()):g}"
        )
        raise ProgramError(message, ("log_probabilities", "row"), caller())
    chances = {label: row.get(label, 0.0) for label in lanes}
    logits = {
        label: (math.log(p) if p > 0 else _NEVER) - (label == current)
        for label, p in chances.items()
    }
    return Affine.of({lanes[label]: value for label, value in logits.items()})
