"""Slots: which lanes there are, and what the embeddings write into them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from conftest import Refused
from hypothesis import given
from hypothesis import strategies as st

from handcraft import local, position, scratch, slot, token
from handcraft.core.errors import ProgramError
from handcraft.language.affine import Lane, Map
from handcraft.language.slot_tables import MAX_N_CTX
from handcraft.language.slots import Slot


def rows(found: Slot, kind: str) -> dict[Any, tuple[float, ...]]:
    """The values of a slot's lanes for each token, or each position, that its table names."""
    keys = found.vocabulary if kind == "token" else range(found.n_ctx or 0)
    cells = {
        (key, lane): value
        for key, lane, value in (
            found.token_cells() if kind == "token" else found.position_cells()
        )
    }
    assert 0 not in cells.values()
    return {
        key: tuple(cells.get((key, lane), 0.0) for lane in found)
        for key in keys
    }


def names(found: Slot) -> list[str]:
    """The names of a slot's lanes in column order."""
    return [str(lane) for lane in found]


def test_position_is_one_hot() -> None:
    """`position(n)` has one lane a position, which is 1 there and 0 elsewhere."""
    p = position(3)
    assert names(p) == ["position:0", "position:1", "position:2"]
    assert rows(p, "position") == {0: (1, 0, 0), 1: (0, 1, 0), 2: (0, 0, 1)}
    assert (p.n_ctx, p.vocabulary, rows(p, "token")) == (3, (), {})


def test_token_is_one_hot() -> None:
    """`token(tokens)` has one lane a token, in the declared order, which need not be sorted."""
    t = token("ba")
    assert names(t) == ["token:b", "token:a"]
    assert rows(t, "token") == {"b": (1, 0), "a": (0, 1)}
    assert (t.n_ctx, t.vocabulary, rows(t, "position")) == (
        None,
        ("b", "a"),
        {},
    )


def test_tokens_may_be_words() -> None:
    """A token is any non-empty text."""
    assert names(token(["<bos>", "aa", "é"])) == [
        "token:<bos>",
        "token:aa",
        "token:é",
    ]


def test_named_functions_of_the_position() -> None:
    """Lanes by keyword are functions of the position, or tables of it."""
    at = position(4, p=lambda i: i, pp=lambda i: i * i, odd=[0, 1, 0, 1])
    assert names(at) == ["position:p", "position:pp", "position:odd"]
    assert rows(at, "position") == {
        0: (0, 0, 0),
        1: (1, 1, 1),
        2: (2, 4, 0),
        3: (3, 9, 1),
    }


def test_named_functions_of_the_token() -> None:
    """Lanes by keyword are functions of the token."""
    t = token("07", digit=int, seven=lambda c: (c == "7" and 1.0) or 0.0)
    assert rows(t, "token") == {"0": (0, 0), "7": (7, 1)}


def test_a_slot_of_token_and_position_at_once() -> None:
    """`slot` takes a table of the token, of the position, or both, whose sum the stream then
    holds.
    """
    s = slot("square", token={"a": 1, "b": 2.5}, position=range(3))
    assert rows(s, "token") == {"a": (1,), "b": (2.5,)}
    assert rows(s, "position") == {0: (0,), 1: (1,), 2: (2,)}
    assert (s.n_ctx, s.vocabulary) == (3, ("a", "b"))


def test_a_slot_with_labels_takes_a_row_a_key() -> None:
    """With labels, each token or position has one value a lane."""
    s = slot("pair", token={"a": (1, 2)}, labels="xy")
    assert names(s) == ["pair:x", "pair:y"]
    assert rows(s, "token") == {"a": (1, 2)}


def test_scratch_and_local() -> None:
    """Scratch lanes start at zero; local ones have no column, and say so in their name."""
    assert names(scratch("v")) == ["v"]
    assert names(scratch("m", "ab")) == ["m:a", "m:b"]
    assert names(local("anchor")) == ["@anchor"]
    assert (rows(scratch("v"), "token"), rows(scratch("v"), "position")) == (
        {},
        {},
    )


def test_lanes_by_label() -> None:
    """`t["a"]` and `p[0]` are lanes."""
    assert token("ab")["b"] == Lane(slot="token", label="b")
    assert position(3)[2] == Lane(slot="position", label="2")
    assert local("m", "xy")["x"] == Lane(slot="m", label="x", local=True)


def test_previous_reads_the_next_lane() -> None:
    """`p.previous` is 1 in lane j exactly where the position is j + 1, and nowhere at position
    0.
    """
    p = position(3)
    assert p.previous == Map.of(
        [(p[0], p[1].expression()), (p[1], p[2].expression())]
    )


@given(st.integers(1, 40))
def test_one_hot_rows_have_one_one(n: int) -> None:
    """At every position exactly the lane of that position is 1."""
    found = rows(position(n), "position")
    assert {i: row.index(1.0) for i, row in found.items()} == {
        i: i for i in range(n)
    }
    assert all(sum(row) == 1 and len(row) == n for row in found.values())


def test_equal_by_content_wherever_written() -> None:
    """Two equal slots on different lines are equal: where a rule stands is not part of what it
    is.
    """
    first = position(3)
    second = position(3)
    assert first == second
    assert first.source.line + 1 == second.source.line
    assert first.source.file == __file__


@pytest.mark.parametrize(
    "found",
    [
        position(3),
        token("ab"),
        scratch("v"),
        local("m", "ab"),
        slot("s", token={"a": 1}, position=[1, 2]),
        slot("r", token={"a": (1, 2), "b": (3, 4)}, labels=("x", "y")),
        position(2, p=float),
    ],
)
def test_slots_round_trip_through_json(found: Slot) -> None:
    """A slot is plain data: it reads back equal."""
    assert Slot.model_validate_json(found.model_dump_json()) == found


def test_a_one_hot_slot_is_stored_by_name() -> None:
    """A one-hot table is not written out in JSON."""
    assert position(2).model_dump(mode="json")["positions"] == "one-hot"
    assert token("ab").model_dump(mode="json")["tokens"] == "one-hot"


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: token("abb"),
            (
                "token: a text is one token for each letter, and 'b' stands twice in"
                " 'abb'; words are given as a list: token(['abb'])"
            ),
        ),
        (
            lambda: token(""),
            "token: the labels of token must be distinct, and at least one; there are none",
        ),
        (
            lambda: scratch("m", ()),
            "scratch: the labels of m must be distinct, and at least one; there are none",
        ),
        (
            lambda: scratch("a-b"),
            "scratch: a slot's name must be an identifier, found 'a-b'",
        ),
        (
            lambda: scratch("\x1b[2J"),
            r"scratch: a slot's name must be an identifier, found '\x1b[2J'",
        ),
        (
            lambda: position(0),
            f"position: n_ctx must be a whole number from 1 to {MAX_N_CTX}, found 0",
        ),
        (
            lambda: position(10**9),
            f"position: n_ctx must be a whole number from 1 to {MAX_N_CTX}, found 1000000000",
        ),
        (
            lambda: position(2.5),
            f"position: n_ctx must be a whole number from 1 to {MAX_N_CTX}, found 2.5",
        ),
        (
            lambda: slot("s", position=[]),
            f"slot: n_ctx must be a whole number from 1 to {MAX_N_CTX}, found 0",
        ),
        (
            lambda: position(3, p=[1, 2]),
            "position: position:p has 2 values for 3 rows of the table",
        ),
        (
            lambda: slot("s", token=[1, 2]),
            "s: token= takes a table {token: number}, found list",
        ),
        (
            lambda: slot("s", position="123"),
            "s: position= takes a list of one number a position, found str",
        ),
        (
            lambda: position(True),
            f"position: n_ctx must be a whole number from 1 to {MAX_N_CTX}, found True",
        ),
        (
            lambda: slot("s", token={"a": (1, 2)}, labels="xyz"),
            (
                "slot: s has 3 lanes, but its table has a row of 2; labels= names one"
                " lane a number"
            ),
        ),
        (
            lambda: slot("s", token={"a": float("nan")}),
            "slot: a weight must be finite, found nan",
        ),
        (
            lambda: slot("s", position=[1, float("inf")]),
            "slot: a weight must be finite, found inf",
        ),
        (
            lambda: position(3)[3],
            "position has no lane '3'; its lanes are '0', '1', '2'",
        ),
        (
            lambda: token(["left", "right"])["lft"],
            "token has no lane 'lft'; its lanes are 'left', 'right'; did you mean 'left'?",
        ),
        (
            lambda: scratch("v")["a"],
            "v has no lane 'a'; it is one lane, written v",
        ),
        (
            lambda: token("ab").previous,
            (
                "only a one-hot position slot has positions back, token is not one; where it holds"
                " the position as token['p'], write attend_to(token, token['p'] - 1, ...)"
            ),
        ),
        (
            lambda: position(3, p=float).previous,
            (
                "only a one-hot position slot has positions back, position is not one; where it"
                " holds the position as position['p'], write attend_to(position, position['p'] -"
                " 1, ...)"
            ),
        ),
        (
            lambda: Slot(name="s", tokens="one-hot"),
            "Slot: s is one-hot, so its lanes need labels",
        ),
        (
            lambda: Slot(name="s", label="x"),
            (
                "Slot > label: has no such argument; it takes name, labels, tokens,"
                " positions, local, reuse, source; did you mean 'labels'?"
            ),
        ),
        (
            lambda: Slot(),  # noqa: PLW0108  # the line of the lambda is wanted
            "Slot > name: is required",
        ),
    ],
)
def test_what_is_no_slot_is_refused(build: Any, message: str) -> None:
    """Slots that cannot be are refused, with the author's line and the nearest name."""
    line = build.__code__.co_firstlineno
    with pytest.raises(ProgramError) as caught:
        build()
    text, _, place = str(caught.value).rpartition(" (")
    assert text == message
    assert place in (f"{__file__}:{line})", f"{__file__}:{line - 1})")


def test_a_table_that_is_not_of_numbers_is_refused() -> None:
    """What stands in a table must be a number."""
    with Refused(
        ProgramError, "slot: s takes a number, found str 'x'", here=True
    ):
        slot("s", token={"a": "x"})
    with Refused(
        ProgramError,
        "position: position:p takes a number, found None",
        here=True,
    ):
        position(2, p=lambda _: None)


# ---------------------------------------------------------------- sums


def test_a_slot_of_one_lane_is_its_own_sum() -> None:
    """The sum of all lanes is that lane, times a number where one is given."""
    v = scratch("v")
    assert v.sum() == v.expression()
    assert v.sum(None, 5) == v.expression().scaled(5.0)
    assert v.sum(None, len) == v.expression()


def test_positions_are_numbers_too() -> None:
    """A number names the lane that it names in brackets."""
    p = position(12)
    ten = p["10"].expression()
    assert p.sum([1, 10]) == p["1"].expression().plus(ten)
    assert p.sum(range(10, 11)) == p.sum(np.arange(10, 11)) == ten
    assert p.sum({10: 2, "1": 1}) == ten.scaled(2.0).plus(p["1"].expression())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            lambda p: p.sum("10"),
            (
                "position.sum: a text is read letter by letter, and '10' is one label; write"
                " position['10'] for its lane, or a list of labels"
            ),
        ),
        (
            lambda p: p.sum([1, "1"]),
            "position.sum: '1' stands twice; where it counts twice, write {label: 2}",
        ),
        (
            lambda p: p.sum({1: 2, "1": 3}),
            "position.sum: '1' stands twice; where it counts twice, write {label: 2}",
        ),
        (
            lambda p: p.sum([True]),
            "position: the labels must be texts, found True",
        ),
        (
            lambda p: p.sum({"1": 1}, np.array([1, 2])),
            (
                "position.sum: the table has the number of each label already; leave out an"
                " array of shape (2,)"
            ),
        ),
    ],
)
def test_sums_that_say_two_things(
    wrong: Callable[[Slot], object], message: str
) -> None:
    """One label is not its letters, no lane is summed twice, and a table has its numbers."""
    with pytest.raises(ProgramError) as error:
        wrong(position(12))
    assert str(error.value).rpartition(" (")[0] == message
