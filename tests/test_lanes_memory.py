"""Tables of a proof by lanes that are kept small say what large ones said."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from handcraft import Model
from handcraft.claims.words import answers
from handcraft.proof import verify
from handcraft.proof.lanes.contexts import contexts_of
from handcraft.proof.lanes.forms import Form, as_key, as_objects, in_numbers
from handcraft.proof.lanes.numbers import LaneNumbers, at_rows, gathered
from handcraft.proof.lanes.symbols import AT_END, AT_INDEX, AT_TOKEN, Symbols
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
