"""Ranks of what a position of an echo has counted, which another echo counts again."""

from __future__ import annotations

from contextlib import suppress
from itertools import product
from random import Random
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from conftest import slow_from
from lane_programs import answering, answers_rightly, changed
from lane_texts import OnText
from test_lanes_echoes import claim_of, held_to
from test_lanes_prompts_contained import part_escapes, passed, texts_of

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes import ranked, ranked_sums
from handcraft.proof.lanes.asked import AskedMeaning
from handcraft.proof.lanes.check import measured_lanes
from handcraft.proof.lanes.contexts import PromptContexts, contexts_of
from handcraft.proof.lanes.forms import Form
from handcraft.proof.lanes.parts import asked_parts, narrowed_by_parts
from handcraft.proof.lanes.ranked_places import RankedPlaces, echo_places
from handcraft.proof.lanes.ranked_sums import ranks_by_sums
from handcraft.proof.lanes.symbols import (
    AT_END,
    AT_INDEX,
    Labels,
    LaneSymbol,
    Symbols,
)
from handcraft.sequence.expression import Expression

LONGEST = 3
# the last end; of the second echo the places of its elements, and the same of the first
END, SECOND, FIRST = 2, (7, 8, 9), (3, 4, 5)


def sorting(n: int) -> tuple[Symbols, Labels, Array]:
    """The symbols of a sort by frequency, and the weights of the rank."""
    model = answering("sort_by_frequency", n)
    claim: Any = model.program.claim  # type: ignore[union-attr]
    for part in asked_parts(contexts_of(model, claim), claim.answer):
        symbols = part.symbols()
        symbols.known["echoes"] = True
        AskedMeaning(symbols, part).of(claim.answer)
        for s in range(len(symbols.all)):
            if ranked.ranks_at(symbols, s):
                return symbols, *symbols.known["weights", s]
    raise AssertionError("there is no rank")


class Ranks:
    """What is called a rank of weights on the same symbols, and whether it is one on each text."""

    def __init__(self) -> None:
        self.symbols, self.labels, self.numbers = sorting(LONGEST)
        self.found = next(s for _, s in self.labels if s > AT_END)
        self.ends: tuple[int, ...] = self.symbols.texts.ends  # type: ignore[union-attr]
        self.texts = [
            OnText(self.symbols, f"{x}={x}={x}={'a' * m}", m)
            for m in range(1, LONGEST + 1)
            for x in map("".join, product("abc", repeat=m))
        ]

    def said(self, numbers: Array, labels: Labels = ()) -> list[RankedPlaces]:
        """The places at which the sum of such weights is called a rank."""
        return ranks_by_sums(self.symbols, labels or self.labels, numbers)

    def in_second(self, numbers: Array, labels: Labels = ()) -> bool:
        """True if it is called a rank in the second echo."""
        return any(
            tuple(np.flatnonzero(x.there[END])) == SECOND
            for x in self.said(numbers, labels)
        )

    def are_true(self, numbers: Array, labels: Labels = ()) -> bool:
        """True if each position that is called a rank has another count."""
        said = self.said(numbers, labels)
        sum_ = self.symbols.add(LaneSymbol(tuple(range(64))))
        self.symbols.known["weights", sum_] = labels or self.labels, numbers
        return all(
            self._is_true(on, sum_, places)
            for on in self.texts
            for places in said
        )

    def _is_true(self, on: OnText, sum_: int, places: RankedPlaces) -> bool:
        e = self.ends.index(on.whole[AT_END])
        at = np.flatnonzero(places.there[e])
        sums = sorted(on.at(sum_, int(q)) for q in at)
        first = int(places.first[e])
        return sums == [*range(first, first + len(at))]


@pytest.fixture(scope="module")
def ranks() -> Ranks:
    return Ranks()


def flipped(numbers: Array, *rows: tuple[int, ...]) -> Array:
    """Weights with those of some rows the other way round."""
    found = numbers.copy()
    for row in rows:
        found[row] = 1 - found[row]
    return found


# ------------------------------------------------------------ what is proved


@pytest.mark.parametrize("n", slow_from(1, [3, 10]))
def test_a_sort_by_frequency_is_answered(n: int) -> None:
    shown = measured_lanes(answering("sort_by_frequency", n), ())
    assert shown.margin > 793
    assert shown.contexts == sum(3**m for m in range(1, n + 1))


def test_its_answers_are_right() -> None:
    assert answers_rightly(answering("sort_by_frequency", 3))


@pytest.mark.slow
def test_no_number_of_it_leaves_its_table() -> None:
    """Nor does the claim say anything else than in the evaluator's word."""
    random, model = Random(1), answering("sort_by_frequency", 3)
    claim: Any = model.program.claim  # type: ignore[union-attr]

    def said(part: PromptContexts) -> tuple[Symbols, Form]:
        symbols = part.symbols()
        return symbols, AskedMeaning(symbols, part).of(claim.answer)

    def of_echoes(contexts: PromptContexts, **given: Any) -> Symbols:
        symbols = made(contexts, **given)
        symbols.known["echoes"] = True
        return symbols

    whole, made = contexts_of(model, claim), PromptContexts.symbols
    with patch.object(PromptContexts, "symbols", of_echoes):
        contexts = narrowed_by_parts(whole, claim.answer, said)
        for one in (model, changed(model, random), changed(model, random)):
            runs = [
                (prompt, said, passed(one, [*prompt, *said[:-1]]))
                for prompt, said in texts_of(one, random, 8)
            ]
            for part in asked_parts(contexts, claim.answer):
                assert part_escapes(one, part, runs) == []


# ------------------------------------------------------------ what is wrong is not proved


def seldom(e: Expression) -> Expression:
    """The rarest first."""
    if e.op != "below" or not all(counts(x) for x in e.args):
        return e
    return e.model_copy(update={"args": e.args[::-1]})


def counts(e: Any) -> bool:
    return isinstance(e, Expression) and e.uses("count_where")


def latest(e: Expression) -> Expression:
    """Of as many the latest first."""
    if e.op != "below" or not str(e).startswith("there(indices - 1) <"):
        return e
    return e.model_copy(update={"args": e.args[::-1]})


@pytest.mark.parametrize("change", slow_from(1, [seldom, latest]))
def test_another_order_is_another_claim(change: Any) -> None:
    model = answering("sort_by_frequency", 3)
    other = held_to(model, change)
    assert str(claim_of(other).answer) != str(claim_of(model).answer)
    with pytest.raises(Rejected, match="the margin may be"):
        measured_lanes(other, ())


@pytest.mark.slow
@pytest.mark.hypothesis
def test_a_wrong_one_is_not_proved() -> None:
    model, random = answering("sort_by_frequency", 3), Random(2)
    for _ in range(8):
        mutant = changed(model, random)
        with suppress(Rejected):
            measured_lanes(mutant, ())
            assert answers_rightly(mutant)


# ------------------------------------------------------------ what is a rank


def test_the_rank_is_found_in_the_second_echo(ranks: Ranks) -> None:
    assert ranks.labels == (
        *((0, AT_INDEX), (0, AT_END), (0, ranks.found)),
        *((1, AT_INDEX), (1, ranks.found)),
    )
    assert ranks.in_second(ranks.numbers)
    assert ranks.are_true(ranks.numbers)


@pytest.mark.parametrize("seed", range(40))
def test_what_is_called_a_rank_is_one(ranks: Ranks, seed: int) -> None:
    """Of weights that are changed for one pair of elements, or for two pairs."""
    random, numbers = Random(seed), ranks.numbers
    for _ in range(random.choice((1, 1, 2))):
        i, j = random.choices(range(3), k=2)
        t, u = random.choices(range(3), k=2)
        one = (SECOND[i], END, t, FIRST[j], u)
        other = (SECOND[j], END, u, FIRST[i], t)
        both = i != j and random.random() < 0.7
        numbers = flipped(numbers, *((one, other) if both else (one,)))
    assert ranks.are_true(numbers)


def test_another_strict_order_is_a_rank_too(ranks: Ranks) -> None:
    """Here 1 is before 2 where both have found 1; it was the other way round."""
    other = flipped(
        ranks.numbers,
        (SECOND[0], END, 1, FIRST[1], 1),
        (SECOND[1], END, 1, FIRST[0], 1),
    )
    assert ranks.in_second(other)
    assert ranks.are_true(other)


# ------------------------------------------------------------ each check left out


def test_left_out_what_else_is_counted_no_rank_is_one(ranks: Ranks) -> None:
    """The last position of the prompt is counted, too."""
    numbers = flipped(ranks.numbers, (SECOND[0], END, 0, 2, 0))
    numbers[SECOND[0], END, :, 2, :] = 1
    assert not ranks.in_second(numbers)
    with patch.object(
        ranked_sums._SumOrder, "_counts_others", lambda *_: False
    ):
        assert not ranks.are_true(numbers)


def test_left_out_the_order_no_rank_is_one(ranks: Ranks) -> None:
    """Where all have found the same, 1 is before 2, 2 before 3 and 3 before 1."""
    numbers = flipped(
        ranks.numbers,
        *((SECOND[0], END, t, FIRST[2], t) for t in range(3)),
        *((SECOND[2], END, t, FIRST[0], t) for t in range(3)),
    )
    assert not ranks.in_second(numbers)
    with patch.object(ranked_sums, "least_in_order", lambda *_: 0):
        assert not ranks.are_true(numbers)


def test_left_out_that_both_have_found_the_same_no_rank_is_one(
    ranks: Ranks,
) -> None:
    """A sum that the second echo finds in more positions than the first."""
    symbols, found = ranks.symbols, ranks.found
    labels, weights = symbols.known["weights", found]
    places = [labels.index(x) for x in ((0, AT_INDEX), (1, AT_INDEX))]
    more = np.moveaxis(weights, places, (0, 1)).copy()
    more[SECOND[0], FIRST[1]] = 1
    size = len(symbols.all[found].values) + 1
    new = symbols.add(LaneSymbol(tuple(range(size))))
    symbols.known["weights", new] = labels, np.moveaxis(more, (0, 1), places)
    of_new = tuple((side, new if s == found else s) for side, s in ranks.labels)
    numbers = np.zeros(symbols.shape(of_new), dtype=np.int64)
    echoes = echo_places(symbols)
    for e, second in enumerate(echoes[1]):
        at = np.flatnonzero(second), np.flatnonzero(echoes[0, e])
        for i, j in product(range(len(at[0])), repeat=2):
            for t, u in product(range(size), repeat=2):
                before = u > t or (u == t and j < i)
                numbers[at[0][i], e, t, at[1][j], u] = before
    assert not ranks.in_second(numbers, of_new)
    with patch.object(ranked_sums, "_is_same", lambda *_: True):
        assert ranks.in_second(numbers, of_new)
        assert not ranks.are_true(numbers, of_new)


def test_left_out_of_which_element_it_is_no_rank_is_one(ranks: Ranks) -> None:
    """The positions that are counted stand for the next element each. That both find it in the
    same way says so, too.
    """
    later = echo_places(ranks.symbols)
    later[0] = np.roll(later[0], 1, axis=1)
    numbers = np.roll(ranks.numbers, 1, axis=ranks.labels.index((1, AT_INDEX)))
    element = ranked_sums._element

    def as_before(*given: Any) -> Array:
        read = element(*given)
        assert read is not None
        return np.where(later[0], np.roll(read, 1, axis=1), read)

    by_element = patch.object(ranked_sums, "_element", as_before)
    by_sum = patch.object(ranked_sums, "_is_same", lambda *_: True)
    with patch.object(ranked_sums, "echo_places", lambda _: later):
        assert not ranks.in_second(numbers)
        with by_element:
            assert not ranks.in_second(numbers)
        with by_sum:
            assert not ranks.in_second(numbers)
        with by_element, by_sum:
            assert ranks.in_second(numbers)
            assert not ranks.are_true(numbers)
