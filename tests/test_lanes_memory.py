"""Tables of a proof by lanes that are kept small say what large ones said."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from handcraft import Model
from handcraft.claims.words import answers
from handcraft.proof import verify
from handcraft.proof.checker.zonotope import Rejected, Zonotope
from handcraft.proof.lanes.contexts import contexts_of
from handcraft.proof.lanes.dust import LaneFloats
from handcraft.proof.lanes.forms import (
    Form,
    as_key,
    as_objects,
    constant_form,
    in_numbers,
    least_and_most,
)
from handcraft.proof.lanes.head_choice import levels_beside
from handcraft.proof.lanes.levels import whole_numbers
from handcraft.proof.lanes.numbers import LaneNumbers, at_rows, gathered
from handcraft.proof.lanes.pair_table import PairTable
from handcraft.proof.lanes.scores import Begin, HeadScores
from handcraft.proof.lanes.symbols import AT_END, AT_INDEX, AT_TOKEN, Symbols
from handcraft.proof.lanes.widened import PlacedSum
from handcraft.sequence.words import own


def test_a_large_table_is_numbered_as_a_small_one() -> None:
    """Equal values have one number, whatever objects they are, in the order in which they come."""
    few = ["b", 1, Fraction(1), None, 300, "1", Fraction(600, 2)]
    table = as_objects([few[i % len(few)] for i in range(7000)])
    numbers, values = in_numbers(table)
    assert values == ["b", 1, None, 300, "1"]
    assert numbers[:7].tolist() == [0, 1, 1, 2, 3, 4, 3]
    assert numbers.tolist() == numbers[:7].tolist() * 1000


def test_a_form_of_numbers_has_their_values() -> None:
    form = Form.of_numbers(((0, 0),), np.array([2, 0, 2]), [5, "a", None])
    assert form.table.tolist() == [None, 5, None]
    assert form.values_at(np.array([True, False, True])) == [None]


@pytest.mark.parametrize("other", [[0, 1, -1], [0, 1, 256], [0, 1, 2**40]])
def test_tables_that_differ_have_different_keys(other: list[int]) -> None:
    key = as_key(np.array([0, 1, 255]))
    assert as_key(np.array(other)) != key
    assert as_key(np.array([0, 1, 255], dtype=np.int32)) == key


def test_great_numbers_beside_one_below_zero_are_not_rounded() -> None:
    """No type of whole numbers holds all that these two types do."""
    one, other = (as_key(np.array([-1, 2**60 + i])) for i in (0, 1))
    assert one != other


@pytest.mark.parametrize("far", [1, 2**40])
def test_whole_numbers_are_numbered_in_order(far: int) -> None:
    """Those near each other without being sorted, those far from each other as well."""
    table = np.array([3, -1, 3, 0] * 2000) * far
    numbers, values = in_numbers(table)
    assert values == [-far, 0, 3 * far]
    assert numbers.tolist() == [2, 0, 2, 1] * 2000


def test_whole_numbers_in_few_bytes_have_differences_that_need_more() -> None:
    table = np.array([100, -100, 100] * 2000, dtype=np.int8)
    numbers, values = in_numbers(table)
    assert values == [-100, 100]
    assert numbers.tolist() == [1, 0, 1] * 2000


def test_levels_have_the_same_numbers_however_they_are_kept() -> None:
    label = ((0, AT_INDEX),)
    for table in (as_objects([2, -1, 0]), np.array([2, -1, 0], dtype=np.int32)):
        assert whole_numbers(Form(label, table)).tolist() == [2, -1, 0]
    form = Form.of_numbers(label, np.array([0, 1, 2]), [2, -1, 0])
    assert whole_numbers(form).tolist() == [2, -1, 0]


def test_the_least_level_is_that_of_keys_that_count() -> None:
    symbols = Symbols(("a", "b"), 3, causal=True)
    pairs = PairTable.of(symbols, ((0, AT_INDEX),), ((1, AT_INDEX),))
    levels = np.array([[5, 1, 1], [4, 3, 1], [2, 2, 0]], dtype=np.int32)
    none = np.iinfo(np.int64).max
    assert pairs.least(levels, pairs.mask).tolist() == [5, 3, 0]
    assert pairs.least(levels, levels > 2).tolist() == [5, 3, none]


def test_where_a_query_is_zero_keys_add_nothing() -> None:
    """The scores are those of the columns that it has alone, and of the rows that are asked."""
    random = np.random.default_rng(0)
    symbols = Symbols(("a", "b"), 3, causal=True)
    head = HeadScores(symbols, LaneFloats("float32"), 4)
    few = [random.integers(-9, 9, (n, 2)).astype(float) for n in (1, 6, 1)]
    wide = [np.zeros((1, 9)), *(random.normal(size=(n, 9)) for n in (6, 1))]
    for narrow, part in zip(few, wide, strict=True):
        part[:, [2, 7]] = narrow
    rows = np.array([4, 0])
    found = [
        head.row(
            Zonotope.of(q, (q != 0) * 0.125),
            Zonotope.of(k),
            Begin(Zonotope.of(b), Zonotope.of(b), Zonotope.of(b)),
            rows,
        )
        for q, k, b in (few, wide)
    ]
    for one, other in zip(*found, strict=True):
        assert np.array_equal(one, other)


def test_a_key_without_a_bound_is_no_score() -> None:
    """Nothing is left out beside it: 0 times infinity is not a number."""
    symbols = Symbols(("a", "b"), 3, causal=True)
    head = HeadScores(symbols, LaneFloats("float32"), 4)
    q, k = np.zeros((1, 4)), np.ones((2, 4))
    q[0, 0], k[1, 3] = 1.0, np.inf
    begin = Begin(*(Zonotope.of(q) for _ in range(3)))
    wrong = pytest.raises(Rejected, match="a score is out of range")
    with np.errstate(all="ignore"), wrong:
        head.row(Zonotope.of(q), Zonotope.of(k), begin)


def test_levels_are_those_of_a_walk_from_the_least_score() -> None:
    random = np.random.default_rng(1)
    for _ in range(200):
        low = random.integers(-60, 60, random.integers(0, 9)).astype(float)
        high = low + random.integers(0, 30, len(low))
        top, level, wanted = -np.inf, -1, dict[int, int]()
        for i in np.argsort(low, kind="stable"):
            level += low[i] - top > 12
            wanted[int(i)] = level
            top = max(top, high[i])
        levels, _ = levels_beside(low, high, -np.inf, -np.inf)
        assert levels.tolist() == [wanted[i] for i in range(len(low))]


def test_some_rows_are_those_of_all() -> None:
    symbols = Symbols(("a", "b", "c"), 4, causal=True)
    by_token = LaneNumbers(((0, AT_TOKEN),), np.arange(3.0), np.ones(3))
    by_both = LaneNumbers(
        ((0, AT_TOKEN), (0, AT_INDEX)),
        np.arange(12.0).reshape(3, 4),
        np.zeros((3, 4)),
        {7: np.arange(12.0).reshape(3, 4) / 8},
    )
    labels, whole, _ = gathered(symbols, [by_token, by_both])
    rows = np.array([11, 0, 5])
    some = at_rows(symbols, [by_token, by_both], labels, rows)
    for part in ("c", "r", "g"):
        assert (getattr(some, part) == getattr(whole, part)[rows]).all()
    assert some.c.tolist() == [[2, 11], [0, 0], [1, 5]]


@pytest.mark.parametrize("far", [1, 2**40])
def test_the_least_and_the_most_are_of_what_can_be_alone(far: int) -> None:
    """Where nothing can be both are 0; asked row by row in plain Python."""
    random = np.random.default_rng(far)
    numbers = random.integers(-3, 4, (5, 3, 4)) * far
    mask = random.integers(0, 4, (5, 3, 4)) == 0
    low, high, there = least_and_most(numbers, mask, (1, 2))
    kept = [n[m].tolist() for n, m in zip(numbers, mask, strict=True)]
    assert low.tolist() == [min(x, default=0) for x in kept]
    assert high.tolist() == [max(x, default=0) for x in kept]
    assert there.tolist() == [bool(x) for x in kept]
    mask[0] = False
    wide = least_and_most(numbers, mask, (1, 2), keepdims=True)
    assert [x.shape for x in wide] == [(5, 1, 1)] * 3
    assert [x[0].item() for x in wide] == [0, 0, False]


def test_of_two_sums_the_rarer_has_less_at_the_first_key_or_in_all() -> None:
    """Of those that are as much the labels tell, then what stands in them."""
    none = constant_form(0)
    label, other = ((1, 0),), ((1, 1),)
    sums = [
        PlacedSum(none, label, np.array([0, 9]), 0),
        PlacedSum(none, label, np.array([1, 1]), 1),
        PlacedSum(none, other, np.array([1, 1]), 1),
        PlacedSum(none, other, np.array([2, 0]), 1),
        PlacedSum(none, label, np.array([1, 2]), 1),
    ]
    for (i, one), (j, two) in product(enumerate(sums), repeat=2):
        assert one.is_rarer(two) == (i < j)


def test_of_one_that_asks_the_key_at_its_place_is_itself() -> None:
    """Where the end of a prompt says who asks, a pair is of one text, and all of these are there:
    compared with all pairs of all texts.
    """
    claim = answers(r"\^[ab]{1,3}\?[ab]", own, length=1)
    model = Model.open("count_letter")
    contexts = contexts_of(model, claim)
    symbols = contexts.symbols()
    labels = ((0, AT_TOKEN), (0, AT_END), (1, AT_TOKEN), (1, AT_INDEX))
    seen = set()
    for n in (1, 2, 3):
        for letters in product("ab", repeat=n + 1):
            text = [*letters[:n], "?", letters[n]]
            for k, token in enumerate(text):
                seen.add((text[-1], len(text) - 1, token, k))
    with symbols.of_asked(True):
        assert symbols.is_one_asked
        possible = symbols.possible(labels)
    values = [symbols.all[s].values for _, s in labels]
    found = {
        tuple(v[i] for v, i in zip(values, at, strict=True))
        for at in np.argwhere(possible)
    }
    assert found == seen


def test_count_letter_is_proved_by_its_lanes() -> None:
    """A vocabulary of 56 tokens, by 22,620 rows: they are looked at some at a time."""
    report = verify(Model.open("count_letter"), methods=("lanes",))
    assert (report.verdict, report.min_margin) == (
        "proved",
        pytest.approx(49),
    )
