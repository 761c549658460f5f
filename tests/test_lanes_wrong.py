"""The errors that a first prover made, each with a model that it would have called right."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from itertools import product
from random import Random
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from lane_programs import is_right, tagged
from lane_texts import OnText

from handcraft import each, tag
from handcraft.core.gpt2 import Array
from handcraft.lowering.lower import Lowering
from handcraft.model import Model
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.check import measured_lanes
from handcraft.proof.lanes.meaning import MeaningForms
from handcraft.proof.lanes.symbols import LaneSymbol, Symbols
from handcraft.sequence.expression import Expression
from handcraft.sequence.words import (
    best,
    count,
    fetch,
    first,
    indices,
    latest,
    lookup,
    min_,
    otherwise,
    there,
    tokens,
    total,
)


def refused(model: Model, why: str | None = None) -> None:
    """Check that a model is wrong, and that it is not proved."""
    assert not is_right(model)
    with pytest.raises(Rejected, match=why):
        measured_lanes(model, ())


def cells(model: Model, part: str, block: int = 0) -> tuple[Model, Array]:
    """A copy of a model, and the matrix c_attn or c_proj of its heads, to be changed."""
    weights = deepcopy(model.weights)
    return replace(model, weights=weights), weights["blocks"][block]["attn"][
        part
    ]["w"]


def held_to(model: Model, e: Expression) -> Model:
    """The same model, with the claim that it answers another expression."""
    program = model.program
    assert program is not None
    claim: Any = program.claim
    other = each(e, causal=claim.causal, begin="^", alphabet=claim.alphabet)
    return replace(model, program=program.model_copy(update={"claim": other}))


# ------------------------------------------------------------ what a value lane reads


def test_a_value_that_is_read_from_another_lane() -> None:
    model, w = cells(tagged("shift", 4), "c_attn")
    n = len(w)
    value = w[:, 2 * n :]
    assert measured_lanes(tagged("shift", 4), ()).margin > 0
    value[:] = np.roll(value, 1, axis=0)  # each lane reads its neighbour
    refused(model)


def test_a_value_that_is_read_twice() -> None:
    model, w = cells(tagged("hist", 4), "c_attn")
    w[:, 2 * len(w) :] *= 2
    refused(model, "the margin may be")


# ------------------------------------------------------------ the anchor's score


@pytest.mark.parametrize("more", [-0.7, 0.3, 0.7, 25.0])
def test_a_first_token_of_another_score(more: float) -> None:
    """A count is as many times as much as e^score of the first token is less."""
    model, w = cells(tagged("hist", 4), "c_attn")
    n = len(w)
    at = np.argmax(w[0, n : 2 * n])  # its key
    w[0, n + at] *= 1 + more / 20.8
    refused(model)


def test_a_first_token_that_brings_a_value() -> None:
    """A 2^-24th of a lane at the first token is 64 in a count."""
    model, w = cells(tagged("hist", 4), "c_attn")
    n = len(w)
    w[0, 2 * n :] += np.where(w[:, 2 * n :].any(axis=0), 2.0**-24, 0)
    refused(model)


# ------------------------------------------------------------ declared domains


def test_a_declared_domain_is_not_believed() -> None:
    """A model that takes a count for at most 1 is right as long as it is no more."""
    many = count(there(tokens) == "a")
    says = {0: "a", 1: "b", 2: "a", 3: "b"}
    believing = tag(lookup(says, min_(many, 1)), tokens="ab", n=3).build()
    assert measured_lanes(believing, ()).margin > 0
    refused(held_to(believing, lookup(says, many)), "the margin may be")


# ------------------------------------------------------------ "exactly one"


@pytest.mark.parametrize("causal", [False, True])
def test_one_position_is_not_believed(causal: bool) -> None:
    """A head that should fetch from one position, where there may be several: it brings a mean."""
    e = otherwise(fetch(tokens, there(tokens) != tokens), "c")
    with patch.object(Lowering, "selects_one", lambda *_: True):
        program = tag(e, tokens="abc", n=4, causal=causal)
    with pytest.raises(Rejected, match="several positions"):
        measured_lanes(program.build(), ())


def test_a_head_that_brings_one_of_several_is_no_fetch() -> None:
    """A fetch of several positions is undefined, though the model brings one of them."""
    same = there(tokens) == tokens
    model = tag(
        fetch(tokens, latest(same)), tokens="ab", n=3, causal=True
    ).build()
    assert measured_lanes(model, ()).margin > 0
    with pytest.raises(Rejected, match="a fetch may select several positions"):
        measured_lanes(held_to(model, fetch(tokens, same)), ())


def test_a_count_that_is_no_rank_places_nothing() -> None:
    """Of three tokens that beat each other in a circle no count is a rank."""
    loser = lookup({"0": "1", "1": "2", "2": "0"}, tokens)
    earlier = (there(loser) == tokens) | (there(tokens) == tokens) & (
        there(indices) < indices
    )
    placed = otherwise(fetch(tokens, there(count(earlier)) == indices), "0")
    with pytest.raises(Rejected, match="a fetch may select several positions"):
        measured_lanes(held_to(tagged("median", 3), placed), ())


# ------------------------------------------------------------ a choice that reads itself

LETTERS = "abcd"  # of values: those of the texts are a and b
BEFORE = there(indices) < indices
PLACES = {
    "previous": indices - 1,
    "next": indices + 1,
    "first": first(there(tokens) == "a"),
    "latest": latest((there(tokens) == "b") & BEFORE),
    "same": latest((there(tokens) == tokens) & BEFORE),
    "best": best(
        there(lookup({"a": 1, "b": 2}, tokens)), there(indices) != indices
    ),
}


def nested(places: list[str], defaults: str) -> Expression:
    """The token at a position of a position of ..., and what is said where there is none."""
    e: Expression = tokens
    for place, default in zip(places, defaults, strict=True):
        e = fetch(e, there(indices) == PLACES[place], default=default)
    return e


def said_wrongly(e: Expression, causal: bool) -> list[tuple[str, int]] | None:
    """The texts and positions where the form of an expression is not its value; None where it has
    no form.
    """
    symbols = Symbols(("a", "b"), 3, causal)
    try:
        form = MeaningForms(symbols).of(e)
    except Rejected:
        return None
    possible = symbols.possible(form.labels)
    found = []
    for text in (
        "".join(x) for n in (1, 2, 3) for x in product("ab", repeat=n)
    ):
        on = OnText(symbols, text)
        for q, value in enumerate(e.all(text, causal=causal)):
            row = on.row(form.labels, q)
            if form.table[row] != value or not possible[row]:
                found.append((text, q))
    return found


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(
    ("places", "made", "wanted"),
    [
        ("previous previous", "aa", "ab"),
        ("latest latest", "ab", "aa"),
        ("same same", "aa", "ab"),
        ("previous same previous", "aaa", "aab"),
        ("latest previous latest", "aab", "baa"),
        ("previous best previous", "baa", "bab"),
        ("previous previous previous", "aab", "aba"),
        ("previous previous previous", "aba", "aaa"),
    ],
)
def test_that_it_selects_nothing_is_not_that_what_it_reads_was_nowhere(
    places: str, made: str, wanted: str, causal: bool
) -> None:
    """A position before the first one is none; one before the second is there, and has none."""
    names = places.split()
    model = tag(nested(names, made), tokens="ab", n=3, causal=causal).build()
    assert measured_lanes(model, ()).margin > 0
    refused(held_to(model, nested(names, wanted)), "the margin may be")


@pytest.mark.parametrize("causal", [False, True])
def test_what_is_read_together_may_be_nowhere_at_different_depths(
    causal: bool,
) -> None:
    """The token before is there, and the one before that is not."""
    x = nested(["previous"], "a")
    y = nested(["previous", "previous"], "cc")
    says = {(p, q): p for p, q in product("ab", "abc")}
    model = tag(lookup(says, x, y), tokens="ab", n=3, causal=causal).build()
    assert measured_lanes(model, ()).margin > 0
    other = says | {("b", "c"): "a"}
    refused(held_to(model, lookup(other, x, y)), "the margin may be")


@pytest.mark.parametrize("causal", [False, True])
def test_a_form_of_nested_choices_is_what_the_evaluator_says(
    causal: bool,
) -> None:
    random, compared = Random(11), 0
    for _ in range(60):
        few = random.sample(list(PLACES), 2)
        parts = []
        for _ in range(random.choice((1, 2))):
            depth = random.choice((2, 3, 3, 4))
            defaults = "".join(random.choices(LETTERS, k=depth))
            parts.append(nested(random.choices(few, k=depth), defaults))
        says = {pair: random.choice("ab") for pair in product(LETTERS, LETTERS)}
        e = lookup(says, *parts) if len(parts) == 2 else parts[0]
        found = said_wrongly(e, causal)
        compared += found is not None
        assert not found
    assert compared > 40


def test_a_symbol_has_no_value_twice() -> None:
    with pytest.raises(Rejected, match="the same value twice"):
        LaneSymbol(("a", "b", "a"))


# ------------------------------------------------------------ what overflows and cancels


def with_a_neuron(weight: float, places: slice, block: int) -> Model:
    """A model of neurons alone, with two more lanes of the stream, both 2^20 at these positions,
    and one more neuron, which is their difference times a weight and adds to no lane.
    """
    says = {("a", 1): "b", ("b", 2): "a"}
    e = otherwise(lookup(says, tokens, indices), tokens)
    model = tag(e, tokens="ab", n=3, causal=True).build()
    weights = deepcopy(model.weights)
    d = weights["wte"].shape[1]
    weights["wte"] = np.pad(weights["wte"], ((0, 0), (0, 2)))
    weights["wpe"] = np.pad(weights["wpe"], ((0, 0), (0, 2)))
    weights["wpe"][places, d:] = 2.0**20
    for i, parts in enumerate(weights["blocks"]):
        into, out = parts["mlp"]["c_fc"], parts["mlp"]["c_proj"]
        more = int(i == block)
        into["w"] = np.pad(into["w"], ((0, 2), (0, more)))
        into["b"] = np.pad(into["b"], (0, more))
        out["w"] = np.pad(out["w"], ((0, more), (0, 2)))
        out["b"] = np.pad(out["b"], (0, 2))
        if more:
            into["w"][d:, -1] = weight, -weight
    return replace(model, weights=weights)


@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
@pytest.mark.parametrize("block", [0, 1])
@pytest.mark.parametrize(
    "places", [slice(None), slice(1, None), slice(3, None)]
)
def test_a_neuron_whose_products_overflow_and_cancel(
    places: slice, block: int
) -> None:
    """The sum of a product and its opposite is 0, but not of two that are infinite."""
    fits = with_a_neuron(2.0**70, places, block)
    assert is_right(fits)
    assert measured_lanes(fits, ()).margin > 0
    refused(with_a_neuron(2.0**110, places, block), "sum .* could overflow")


# ------------------------------------------------------------ the claim


CLAIMS = {
    "count of another token": count(there(tokens) == "a"),
    "strictly before": count(
        (there(tokens) == tokens) & (there(indices) < indices)
    ),
    "one more": count(there(tokens) == tokens) + 1,
    "the others": count(there(tokens) != tokens),
    "a sum": total(lookup({"a": 1, "b": 2, "c": 3}, tokens)),
}


@pytest.mark.parametrize("e", CLAIMS.values(), ids=list(CLAIMS))
def test_another_claim_is_not_proved(e: Expression) -> None:
    said = lookup({i: str(i) for i in range(1, 5)}, e)
    with pytest.raises(Rejected):
        measured_lanes(held_to(tagged("hist", 4), said), ())
