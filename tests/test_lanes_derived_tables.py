"""What is put over fewer rows, or is kept by what it was computed from, holds what it held."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from lane_programs import tagged
from lane_texts import OnText

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import Floats, Zonotope
from handcraft.proof.lanes import derived
from handcraft.proof.lanes.derived import as_derived
from handcraft.proof.lanes.meaning import MeaningForms
from handcraft.proof.lanes.numbers import LaneNumbers, fewer_rows, smaller
from handcraft.proof.lanes.scores import HeadScores, no_begin
from handcraft.proof.lanes.stream import LaneStream
from handcraft.proof.lanes.symbols import (
    AT_INDEX,
    AT_LENGTH,
    AT_TOKEN,
    Labels,
    Symbols,
)

OWN: Labels = ((0, AT_TOKEN), (0, AT_INDEX))
SLACK = 2.0**-40  # what is rounded here
CORNERS = tuple(product((-1.0, 1.0), repeat=2))

# ------------------------------------------------------------ rows of a lane


def with_a_flag() -> tuple[Symbols, Array]:
    """Symbols with a derived one, a flag of token and index, and its table."""
    symbols = Symbols(("a", "b"), 4, causal=True)
    flag: Array = np.add.outer(np.arange(2), np.arange(4)) % 2
    as_derived(symbols, OWN, flag)
    return symbols, flag


def noisy(flag: Array) -> LaneNumbers:
    """A lane that is nearly the flag: in each row by another centre, error and remainder."""
    random = np.random.default_rng(0)
    off, r, g = random.random((3, *flag.shape))
    return LaneNumbers(OWN, flag + off * 2.0**-27, r, {1: g - 0.5})


def test_a_lane_over_fewer_rows_holds_all_that_it_held() -> None:
    """Whatever the shared error is: all that the lane can then be."""
    symbols, flag = with_a_flag()
    lane = noisy(flag)
    found = smaller(symbols, lane)
    assert found.c.size == 2
    for at in np.ndindex(*flag.shape):
        row = int(flag[at])
        for e, d in CORNERS:
            number = lane.c[at] + lane.g[1][at] * e + lane.r[at] * d
            middle = found.c[row] + found.g[1][row] * e
            assert abs(number - middle) <= found.r[row]


def test_rows_over_fewer_rows_hold_all_that_they_held() -> None:
    """All errors are part of the radius."""
    symbols, flag = with_a_flag()
    lane = noisy(flag)
    g = lane.g[1].reshape(-1, 1, 1)
    rows = Zonotope(lane.c.reshape(-1, 1), lane.r.reshape(-1, 1), g)
    labels, found = fewer_rows(symbols, OWN, rows)
    assert len(found.c) == 2
    assert labels != OWN
    for number, row in enumerate(flag.reshape(-1)):
        for e, d in CORNERS:
            at = rows.c[number] + rows.g[number, :, 0] * e + rows.r[number] * d
            assert np.abs(at - found.c[row]) <= found.radius[row]


def two_columns(by_index: Array) -> Zonotope:
    """Rows by token and index: of the index alone, and what the token adds to the second one."""
    index = np.broadcast_to(np.arange(4.0), (2, 4))
    c = np.stack([index, index + by_index], axis=-1).reshape(8, 2)
    r: Array = np.random.default_rng(0).random((8, 2))
    return Zonotope.of(c, r)


def test_rows_that_fewer_of_their_labels_decide_hold_all_that_they_held() -> (
    None
):
    """No symbol is derived: the token says nothing of the rows, but how far off they may be."""
    symbols = Symbols(("a", "b"), 4, causal=True)
    off = 2.0**-27 * np.arange(8).reshape(2, 4)
    rows = two_columns(off)
    labels, found = fewer_rows(symbols, OWN, rows)
    assert labels == ((0, AT_INDEX),)
    for token, index in np.ndindex(2, 4):
        old = 4 * token + index
        far = np.abs(rows.c[old] - found.c[index]) + rows.r[old]
        assert (far <= found.radius[index]).all()


def test_rows_that_a_label_moves_in_one_column_keep_it() -> None:
    symbols = Symbols(("a", "b"), 4, causal=True)
    off = np.zeros((2, 4))
    off[1, 2] = 1
    rows = two_columns(off)
    labels, found = fewer_rows(symbols, OWN, rows)
    assert labels == OWN
    assert found is rows


def test_numbers_that_differ_are_not_put_in_one_row() -> None:
    symbols, flag = with_a_flag()
    c = flag + 0.0
    c[0, 2] = 2.0**-20
    lane = LaneNumbers(OWN, c, np.zeros(c.shape))
    assert smaller(symbols, lane).labels == OWN


# ------------------------------------------------------------ scores


def escaped(symbols: Symbols, queries: Any, keys: Any) -> list[Any]:
    """The pairs of keys of one query whose scores can be farther apart than is said: queries are
    taken with all of their errors, keys have none.
    """
    found = HeadScores(symbols, Floats("float64"), 4).of(
        queries, keys, no_begin(2, 1)
    )
    own = [x for x in keys[0] if not symbols.all[x[1]].everywhere]
    rows = keys[1].c.reshape(*symbols.shape(keys[0]), 2)
    many = [len(symbols.all[s].values) for _, s in own]
    out = []
    for row, (low, high) in enumerate(zip(found.low, found.high, strict=True)):
        # what all share is the last label of the keys, and the query's only one
        k = rows if len(own) == len(keys[0]) else rows[..., row, :]
        k = k.reshape(int(np.prod(many)), 2)
        q = row if len(queries[1].c) == len(found.low) else 0
        for signs in CORNERS:
            asks = queries[1].c[q] + queries[1].radius[q] * np.array(signs)
            scores = k @ asks / 2
            for i, j in product(range(len(k)), repeat=2):
                apart = scores[i] - scores[j]
                least, most = low[i] - high[j], high[i] - low[j]
                if not least - SLACK <= apart <= most + SLACK:
                    out.append((row, i, j))
    return out


def test_a_query_that_is_less_certain_has_scores_of_its_own() -> None:
    """Queries with one centre and other radii: what is known of the first one is not known of the
    next ones.
    """
    symbols = Symbols(("a", "b", "c"), 3, causal=True)
    centre = np.ones((3, 2))
    radius = np.array([[0.0, 0.0], [0.5, 0.0], [0.5, 2.0]])
    queries = ((0, AT_INDEX),), Zonotope.of(centre, radius)
    keys = (
        ((0, AT_TOKEN),),
        Zonotope.of(np.array([[1.0, 0], [0, 2], [3, 1]])),
    )
    assert escaped(symbols, queries, keys) == []


def test_keys_of_texts_of_another_length_have_scores_of_their_own() -> None:
    symbols = Symbols(("a", "b"), 2, causal=False)
    queries = (), Zonotope.of(np.ones((1, 2)))
    rows = np.array([[1.0, 0], [0, 3], [2, 0], [0, -5]])
    keys = ((0, AT_TOKEN), (0, AT_LENGTH)), Zonotope.of(rows)
    assert escaped(symbols, queries, keys) == []


# ------------------------------------------------------------ facts


@contextmanager
def any_table_is_large() -> Iterator[None]:
    """A time in which small tables count as large, of several together as well."""
    with (
        patch.object(derived, "_LARGE", 8),
        patch.object(derived, "_TOGETHER", 8),
        np.errstate(all="ignore"),
    ):
        yield


def known_of(name: str, n: int) -> Symbols:
    """The symbols of a program, and all that was learnt of them on the way through its model."""
    model = tagged(name, n)
    claim: Any = model.program.claim  # type: ignore[union-attr]
    symbols = Symbols(claim.alphabet, n, model.causal)
    with any_table_is_large():
        stream = LaneStream(model, "^", symbols)
        MeaningForms(symbols).of(claim.function)
        stream.run(lambda _, __: None)
    return symbols


def learnt_of_several(symbols: Symbols) -> int:
    """How many facts are on two derived symbols."""
    several = {x.symbol for x in symbols.known["derived"]}
    return sum(len(several & set(x)) > 1 for x, _ in symbols.facts)


@pytest.mark.parametrize(("name", "n"), [("dyck2", 3), ("palindrome", 4)])
def test_each_fact_is_so_at_each_position_of_each_text(
    name: str, n: int
) -> None:
    symbols = known_of(name, n)
    assert learnt_of_several(symbols)
    for m in range(1, n + 1):
        for text in product(symbols.alphabet, repeat=m):
            on = OnText(symbols, text)
            for q, (known, fact) in product(range(m), symbols.facts):
                assert fact[on.row(tuple((0, s) for s in known), q)]
