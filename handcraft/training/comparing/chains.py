"""Puts the Markov chains of two models side by side: the same contexts, the chances of both.

Only where the window slides, both have the same window and there are few contexts: see
analysis/states.py, which makes each chain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from handcraft.analysis.states import Chain, explore
from handcraft.training.comparing.sides import Sides

MOST_SHOWN_STATES = 2**8


@dataclass(frozen=True)
class StateOf:
    """What a model does at one context: the chance of each token, and its share of the time in
    the long run, 0 where it is left for good, None where that was not computed.
    """

    chances: dict[str, float]
    share: float | None

    def to_json(self) -> dict[str, Any]:
        """The state as plain data."""
        return {"next": self.chances, "stationary": self.share}


@dataclass(frozen=True)
class ChainRow:
    """One context of both chains; `distance` is half the sum of differences of the chances."""

    context: tuple[str, ...]
    a: StateOf
    b: StateOf

    @property
    def distance(self) -> float:
        tokens = {*self.a.chances, *self.b.chances}
        a, b = self.a.chances, self.b.chances
        return sum(abs(a.get(t, 0.0) - b.get(t, 0.0)) for t in tokens) / 2

    def to_json(self) -> dict[str, Any]:
        """The row as plain data."""
        return {
            "context": list(self.context),
            "a": self.a.to_json(),
            "b": self.b.to_json(),
            "distance": self.distance,
        }


def chains(sides: Sides) -> tuple[ChainRow, ...] | str:
    """The contexts of both chains in the order of the first, or why there are none."""
    if (reason := _unfit(sides)) is not None:
        return reason
    a, b = (explore(side.model) for side in sides.both)
    place = {tuple(b.tokens(i)): i for i in range(len(b.states))}
    rows = []
    for i in range(len(a.states)):
        context = tuple(a.tokens(i))
        other = place[context]
        rows.append(ChainRow(context, _state(a, i), _state(b, other)))
    return tuple(rows)


def _unfit(sides: Sides) -> str | None:
    claim = sides.claim
    if claim is not None and claim.asks_prompts:
        return "the claim is about prompts with answers"
    if claim is not None and claim.whole_text:
        return "the claim is about each position of a text"
    a, b = (side.model.n_ctx for side in sides.both)
    if a != b:
        return f"the windows differ: {a} and {b} positions"
    many: int = len(sides.vocabulary) ** a
    if many > MOST_SHOWN_STATES:
        return f"more than {MOST_SHOWN_STATES} contexts"
    return None


def _state(chain: Chain, i: int) -> StateOf:
    chances = {
        token: chance
        for target, chance in chain.rows[i].items()
        if (token := chain.token(i, target)) is not None
    }
    found = chain.place.get(i)
    return StateOf(chances, 0.0 if found is None else found[1])
