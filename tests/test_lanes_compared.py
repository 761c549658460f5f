"""Comparisons: a rank of counts and places is known by whether a key has more, as much, or less.

For 64 tokens there are 17,305,600 pairs of a count and a place. For the tests of small models any
number of pairs is too many.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import product
from random import Random
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from conftest import slow_from
from lane_programs import changed, is_right, tagged
from lane_texts import OnText
from test_lanes_derived import drawn, followed
from test_lanes_frequency import CLAIMS, HIST
from test_lanes_wrong import held_to

from handcraft import tag
from handcraft.core.gpt2 import Array
from handcraft.model import Model
from handcraft.proof.checker.zonotope import Rejected, Zonotope
from handcraft.proof.lanes import (
    bounds,
    check,
    compared,
    derived,
    first_rank,
    head_compared,
    levels,
    totals,
)
from handcraft.proof.lanes.check import measured_lanes
from handcraft.proof.lanes.compared import (
    by_comparisons,
    comparison_of,
    follows,
)
from handcraft.proof.lanes.derived import smaller_form
from handcraft.proof.lanes.dust import LaneFloats
from handcraft.proof.lanes.forms import Form, variable
from handcraft.proof.lanes.head_compared import _Products, _ScoredRows
from handcraft.proof.lanes.meaning import MeaningForms
from handcraft.proof.lanes.shown import ShownByLanes
from handcraft.proof.lanes.symbols import (
    AT_INDEX,
    AT_LENGTH,
    IS_SAME,
    SIGNS,
    LaneSymbol,
    Symbols,
)
from handcraft.sequence.expression import Expression
from handcraft.sequence.words import (
    cases,
    count,
    equal,
    fetch,
    first,
    indices,
    length,
    otherwise,
    there,
    tokens,
)

MORE, EQUAL = there(HIST) > HIST, there(HIST) == HIST
BEFORE = there(indices) < indices


@contextmanager
def any_pairs_are_too_many() -> Iterator[None]:
    """A time in which a head is scored by comparisons, however few pairs it has."""
    with patch.object(head_compared, "MOST_TABLE_ROWS", 0):
        yield


def shown(model: Model) -> ShownByLanes:
    """What is shown by comparisons. Raises Rejected."""
    with any_pairs_are_too_many(), np.errstate(all="ignore"):
        return check._check_of(model, (), believed=True).run(few=True)


def is_shown(model: Model) -> bool:
    """True if it is."""
    with suppress(Rejected):
        return shown(model).margin > 0
    return False


def of_three() -> tuple[Symbols, int]:
    """Symbols of texts of three tokens, and that of their histogram, of which pairs compare."""
    symbols = Symbols(tuple("abc"), 3, causal=False, few=True)
    MeaningForms(symbols).of(HIST)
    return symbols, len(symbols.all) - 1


# ------------------------------------------------------------ what is proved


@pytest.mark.parametrize("n", slow_from(1, [21, 64, 30, 44, 45]))
def test_sorting_by_frequency_is_proved_at_any_of_these_lengths(n: int) -> None:
    assert measured_lanes(tagged("sort_by_frequency", n), ()).margin > 79


@pytest.mark.parametrize("said", CLAIMS)
def test_each_of_these_ranks_is_proved_by_comparisons(said: str) -> None:
    model = tag(CLAIMS[said], tokens="abc", n=4).build()
    whole = measured_lanes(model, ())
    assert shown(model).margin == pytest.approx(whole.margin)


def test_two_heads_are_scored_by_comparisons_in_these_tests() -> None:
    with patch.object(
        _ScoredRows, "scores", autospec=True, side_effect=_ScoredRows.scores
    ) as scored:
        shown(tagged("sort_by_frequency", 4))
    assert scored.call_count == 2


@pytest.mark.parametrize("said", [x for x in CLAIMS if x != "often"])
def test_a_rank_by_another_key_or_with_other_ties_is_not(said: str) -> None:
    assert not is_shown(held_to(tagged("sort_by_frequency", 4), CLAIMS[said]))


# ------------------------------------------------------------ what is said is so


def test_what_two_comparisons_say_of_a_third() -> None:
    """Of any three numbers, and no more than three of them show."""
    found: dict[tuple[int, int], set[int]] = {}
    for a, b, c in product(range(3), repeat=3):
        one, other, third = (int(np.sign(x)) + 1 for x in (b - a, c - b, c - a))
        found.setdefault((one, other), set()).add(third)
    assert found == {x: set(follows(*x)) for x in found}
    assert len(found) == 9


@pytest.mark.parametrize("seed", range(20))
def test_a_form_by_comparisons_says_the_same_of_all_pairs(seed: int) -> None:
    """A table of places and counts that reads counts by their order, and any other table."""
    symbols, hist = of_three()
    random = Random(seed)
    wide = (0, AT_INDEX), (0, hist), (1, AT_INDEX), (1, hist)
    table = np.zeros(symbols.shape(wide), dtype=object)
    by_order = [random.choices(range(3), k=27) for _ in range(3)]
    for row in np.ndindex(table.shape):
        sign = (row[3] > row[1]) - (row[3] < row[1])
        table[row] = by_order[sign][row[0] * 3 + row[2]]
    form = Form(wide, table)
    found = by_comparisons(symbols, form)
    assert found.labels == (
        *((0, AT_INDEX), (1, AT_INDEX)),
        (1, comparison_of(symbols, hist)),
    )
    _says_the_same(symbols, form, found)
    table[1, 2, 0, 1] += 1
    assert by_comparisons(symbols, Form(wide, table)).labels == wide


def _says_the_same(symbols: Symbols, one: Form, other: Form) -> None:
    for n in (1, 2, 3):
        for text in map("".join, product("abc", repeat=n)):
            on = OnText(symbols, text)
            for q, k in product(range(n), repeat=2):
                a, b = (
                    x.table[tuple(on.place(i, q, k) for i in x.labels)]
                    for x in (one, other)
                )
                assert a == b


def test_no_pair_of_a_text_is_called_impossible() -> None:
    symbols, hist = of_three()
    comparison = 1, comparison_of(symbols, hist)
    wide = (0, AT_INDEX), (0, hist), (1, AT_INDEX), (1, hist), comparison
    for labels in (wide, wide[::2], wide[1:], (comparison,)):
        can = symbols.possible(tuple(sorted(labels)))
        for text in map("".join, product("abc", repeat=3)):
            on = OnText(symbols, text)
            for q, k in product(range(3), repeat=2):
                assert can[tuple(on.place(x, q, k) for x in sorted(labels))]
    # and a position is as itself, a comparison that of its values
    assert not symbols.possible(wide[::2])[1, 1, 0]
    assert not symbols.possible(wide)[1, 1, 2, 2, 0]


@pytest.mark.parametrize("name", ["sort_by_frequency", "double_hist", "median"])
def test_no_number_leaves_its_table(name: str) -> None:
    random, model = Random(name), tagged(name, 4)
    with any_pairs_are_too_many():
        for one in (model, *(changed(model, random) for _ in range(4))):
            assert followed(one, drawn(one, random))[0] == []


def test_a_product_of_floats_is_where_it_is_said_to_be() -> None:
    """Whatever the order of the sum, exact or not."""
    random = np.random.default_rng(5)
    for whole in (True, False):
        q, k = (random.normal(0, 300, (6, 9)) for _ in range(2))
        q, k = (x.round() if whole else x for x in (q, k))
        q, k = (x.astype(np.float32).astype(np.float64) for x in (q, k))
        products = _Products.of(
            LaneFloats("float32"), Zonotope.of(q), Zonotope.of(k)
        )
        low, high = products.bounds(np.arange(6))
        assert (low == high).all() == whole
        for _ in range(40):
            order = random.permutation(9)
            found = np.zeros((6, 6), dtype=np.float32)
            for i in order:
                found += np.outer(q[:, i], k[:, i]).astype(np.float32)
            assert ((low <= found) & (found <= high)).all()


def test_a_product_of_what_is_off_is_so_far_off() -> None:
    """A key or a query that is off moves the products that read it, and no others."""
    q, k = np.array([[3.0, 0.0], [0.0, 5.0]]), np.array([[2.0, 7.0]])
    off = np.array([[0.5, 0.0]])
    for one, other in (((q, None), (k, off)), ((k, off), (q, None))):
        products = _Products.of(
            LaneFloats("float32"), Zonotope.of(*one), Zonotope.of(*other)
        )
        low, high = products.bounds(np.arange(len(one[0])))
        moved, still = low.reshape(-1), high.reshape(-1)
        assert moved[0] <= 4.5
        assert still[0] >= 7.5
        assert moved[1] == still[1] == 35


# ------------------------------------------------------------ what is wrong is not proved


@pytest.mark.slow
@pytest.mark.hypothesis
@pytest.mark.parametrize("name", ["sort_by_frequency", "double_hist"])
def test_what_is_wrong_is_not_proved(name: str) -> None:
    random, model = Random(name), tagged(name, 3)
    for _ in range(12):
        mutant = changed(model, random)
        assert is_right(mutant) or not is_shown(mutant)


# ------------------------------------------------------------ which counts are ranks


def is_rank(numbers: Array, first: int | None) -> bool:
    """True if the sums of these weights, by places and comparisons, are a rank on all texts."""
    for n in (1, 2, 3):
        for held in product(range(3), repeat=n):
            sums = [
                sum(
                    numbers[q, k, int(np.sign(held[k] - held[q])) + 1]
                    for k in range(n)
                )
                for q in range(n)
            ]
            if first is None or sorted(sums) != [*range(first, first + n)]:
                return False
    return True


def test_a_count_that_is_called_a_rank_is_one() -> None:
    """Of drawn tables, most of which say for each two positions which of them is before."""
    symbols, hist = of_three()
    labels = (0, AT_INDEX), (1, AT_INDEX), (1, comparison_of(symbols, hist))
    random, found = Random(7), []
    for _ in range(3000):
        numbers = np.array(random.choices((0, 1), k=27)).reshape(3, 3, 3)
        numbers[range(3), range(3), IS_SAME] = random.choice((0, 1))
        for q, k, i in product(range(3), repeat=3):
            if q < k and random.random() < 0.99:
                numbers[k, q, 2 - i] = 1 - numbers[q, k, i]
        first = first_rank.first_rank(symbols, labels, numbers)
        if first is not None:
            assert is_rank(numbers, first)
        found.append(first)
    assert set(found) == {None, 0, 1}


# ------------------------------------------------------------ each check left out


def in_a_circle() -> Expression:
    """Of as many: 0 is before 1, 1 before 2 and 2 before 0, so that three have the same count."""
    after = (equal(indices, 0) & equal(there(indices), 2)) | (
        equal(there(indices), indices - 1)
    )
    return count(MORE | EQUAL & after)


def both_ways() -> Expression:
    """Of as many each is before the other."""
    other = ~equal(there(indices), indices)
    return count(MORE | EQUAL & other)


def yes(e: Expression) -> Expression:
    """An a where it is so, else b."""
    return cases((e, "a"), "b")


def fetched(rank: Expression) -> Expression:
    return fetch(tokens, there(rank) == indices)


@pytest.mark.parametrize(
    ("rank", "left_out", "instead"),
    [
        (in_a_circle, "follows", lambda *_: ()),
        (both_ways, "is_strict_order", lambda *_: True),
    ],
)
def test_left_out_of_the_order_a_claim_without_a_value_is_followed(
    rank: Any, left_out: str, instead: Any
) -> None:
    symbols = Symbols(tuple("abc"), 3, causal=False, few=True)
    with pytest.raises(Rejected, match="may select several"):
        MeaningForms(symbols).of(fetched(rank()))
    symbols = Symbols(tuple("abc"), 3, causal=False, few=True)
    with patch.object(first_rank, left_out, instead):
        MeaningForms(symbols).of(fetched(rank()))


def one_of_each(scored: _ScoredRows, low: Any, high: Any, _: Any) -> Any:
    """The scores of one pair of values of each order."""
    size = scored.keys.shape[1]
    order = scored.keys.reshape(-1)
    low, high = (x[:, order].reshape(size, -1, size) for x in (low, high))
    some = ((2, 1), (1, 1), (1, 2))
    return tuple(
        np.stack([x[a, :, b] for a, b in some], axis=-1) for x in (low, high)
    )


def test_left_out_the_other_pairs_of_an_order_a_wrong_model_is_proved() -> None:
    """A head of one mutant scores one pair of values otherwise than others in that order."""
    random, model = Random(3), tagged("sort_by_frequency", 3)
    mutant = [changed(model, random) for _ in range(12)][-1]
    assert not is_right(mutant)
    assert not is_shown(mutant)
    with patch.object(_ScoredRows, "_of_signs", one_of_each):
        assert is_shown(mutant)


def test_left_out_that_who_asks_is_compared_a_wrong_model_is_proved() -> None:
    """How many have more is not the same for all: the model says it of who asks, the claim of the
    first position.
    """
    said = yes(equal(count(MORE), 0))
    model = tag(said, tokens="ab", n=3).build()
    wrong = held_to(model, fetch(said, 0))
    assert not is_right(wrong)
    assert is_shown(model)
    assert not is_shown(wrong)
    with patch.object(totals, "compared_in", lambda *_: []):
        assert is_shown(wrong)


def test_left_out_that_a_position_is_as_itself_a_wrong_model_is_proved() -> (
    None
):
    """In aaa all three have at least as much as any."""
    many = count(there(HIST) >= HIST)
    model = tag(yes(equal(length, 0)), tokens="ab", n=3).build()
    assert is_shown(held_to(model, yes(equal(many, 0))))
    wrong = held_to(model, yes(equal(many, length)))
    assert not is_right(wrong)
    assert not is_shown(wrong)
    with patch.object(bounds, "IS_SAME", 2):
        assert is_shown(wrong)


def test_left_out_that_positions_are_not_chosen_so_a_wrong_model_is_proved() -> (
    None
):
    """The first that has more is not the same for all."""
    at = otherwise(first(MORE & ~EQUAL), 3)
    of_first = yes(equal(fetch(at, 0), at))
    model = tag(yes(equal(length, length)), tokens="ab", n=3).build()
    wrong = held_to(model, of_first)
    assert not is_right(wrong)
    with patch.object(derived, "MOST_TABLE_ROWS", -1):
        assert not is_shown(wrong)
        with patch.object(levels, "compared_in", lambda *_: []):
            assert is_shown(wrong)


def test_a_comparison_is_nothing_that_one_position_has() -> None:
    symbols, hist = of_three()
    comparison = comparison_of(symbols, hist)
    with pytest.raises(Rejected, match="a comparison is of a key with who"):
        variable(symbols, comparison)
    form = Form(
        ((1, AT_INDEX), (1, comparison)),
        np.arange(9, dtype=object).reshape(3, 3) // 8,
    )
    assert smaller_form(symbols, form) is form
    with (
        patch.object(derived, "compared_in", lambda *_: []),
        pytest.raises(Rejected, match="a comparison is of a key"),
    ):
        smaller_form(symbols, form)


def test_what_all_positions_share_is_not_compared() -> None:
    symbols, hist = of_three()
    assert compared.is_compared(symbols, hist)
    assert not compared.is_compared(symbols, AT_INDEX)
    assert not compared.is_compared(symbols, AT_LENGTH)
    shared = symbols.add(LaneSymbol((0, 1), everywhere=True))
    assert not compared.is_compared(symbols, shared)
    texts = symbols.add(LaneSymbol(("a", "b")))
    assert not compared.is_compared(symbols, texts)
    assert SIGNS[IS_SAME] == 0
