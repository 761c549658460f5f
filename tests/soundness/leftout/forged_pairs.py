"""Certificates forged in the pairs of the greatest of many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from handcraft.model import Model
from handcraft.proof.checker import Certificate
from handcraft.proof.checker.certificate import Section
from leftout.forging import Forge, blank, entered, every, section

FORGED: dict[str, Forge] = {}
forged = entered(FORGED)


def _pairs(
    model: Model, sections: Sequence[Section] | None = None, **fields: Any
) -> Certificate:
    last = (
        [model.n_ctx - 1]
        if hasattr(model.program.claim, "prompts")
        else range(model.n_ctx)
    )  # type: ignore[union-attr]
    own = (
        [replace(section(model, level), graph=None) for level in last]
        if sections is None
        else sections
    )
    return blank(model, own, **fields)


@forged("lane_of_votes")
def pairs_of_a_lane(model: Model) -> Certificate:
    """Pairs of logits, for a claim on a lane."""
    return _pairs(model)


@forged("votes_with_stop")
def pairs_and_a_stop(model: Model) -> Certificate:
    """Pairs of logits, for answers that must be the stop token."""
    return _pairs(
        model,
        [replace(section(model, level), graph=None) for level in range(2)],
    )


@forged("spoiled_first")
def pairs_of_the_longest(model: Model) -> Certificate:
    """No section holds the contexts of one token."""
    return _pairs(model, [replace(section(model, 1), graph=None)])


@forged("greatest_first_place")
def pairs_of_places(model: Model) -> Certificate:
    """Places are added up as if they were counts."""
    return _pairs(model)


@forged("unequal_counts")
def pairs_of_unlike_counts(model: Model) -> Certificate:
    """The counts do not count the same of each token."""
    return _pairs(model)


@forged("votes_of_tokens")
def pairs_of_tokens(model: Model) -> Certificate:
    """Tokens are compared."""
    return _pairs(model)


@forged("second_voter")
def pairs_of_one_head(model: Model) -> Certificate:
    """The second head is not asked."""
    return _pairs(
        model,
        [replace(own, graph=None, slots=own.slots[:1]) for own in every(model)],
    )


@forged("neuron_behind")
def pairs_without_neurons(model: Model) -> Certificate:
    """The neuron behind the last head is passed over."""
    return _pairs(model)


@forged("spoiled_last")
def ghost_pairs(model: Model) -> Certificate:
    """Contexts that end in a or b are there twice, told apart by a guess that nobody reads; the
    others nowhere.
    """
    own = [section(model, 0, [0, 1], guesses=((0, i),)) for i in (1, 2)]
    return _pairs(model, [replace(one, graph=None) for one in own])


@forged("spoiled_last")
def listed_twice(model: Model) -> Certificate:
    """Of the four tokens two are listed, each of them twice."""
    own = [replace(section(model, 0, [0, 1]), graph=None)]
    return _pairs(model, own, tokens=[[0, 1, 0, 1]])
