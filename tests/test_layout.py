"""The layout: which lane is which column of the stream and of each head."""

from __future__ import annotations

import pytest
from conftest import BUNDLED, bundled_program, programs
from hypothesis import given

from handcraft import (
    MLP,
    Block,
    Head,
    Neuron,
    Program,
    local,
    position,
    scratch,
    token,
)
from handcraft.language.affine import Lane
from handcraft.program.layout import HeadLayout

p, t, v = position(3), token("ab"), scratch("v")
anchor = local("anchor", "xyz")


def one(*heads: Head, **options: int) -> Program:
    """A program of one layer with these heads."""
    return Program(
        name="one", embedding=(p, t, v), layers=(Block(heads),), **options
    )


@pytest.mark.slow
@given(programs())
def test_columns_stand_in_the_declared_order(program: Program) -> None:
    """The stream's columns are the slots' lanes as they were declared, then padding."""
    declared = [lane for slot in program.embedding for lane in slot.lanes]
    layout = program.layout
    assert layout.columns == tuple((lane,) for lane in declared)
    assert [layout.column[lane] for lane in declared] == list(
        range(len(declared))
    )
    assert layout.names == (
        *map(str, declared),
        *(f"pad{i}" for i in range(layout.n_embd - len(declared))),
    )


@pytest.mark.slow
@given(programs())
def test_the_shape_is_gpt2s(program: Program) -> None:
    """n_embd = n_head * d_head, no narrower than the stream or than any head's own lanes, and
    no wider than needed.
    """
    layout = program.layout
    heads = [head for block in program.layers for head in block.heads]
    n_head = max([1, *(len(block.heads) for block in program.layers)])
    most = max(
        [
            0,
            *(
                max(len(head.query.targets), len(head.value.targets))
                for head in heads
            ),
        ]
    )
    assert layout.n_head == n_head
    assert layout.n_embd == n_head * layout.d_head
    assert layout.d_head == max(most, -(-len(layout.columns) // n_head))


@given(programs())
def test_no_two_lanes_share_a_column(program: Program) -> None:
    """Within a head each lane has a column of its own, inside the head."""
    for block, places in zip(program.layers, program.layout.heads, strict=True):
        for head, place in zip(block.heads, places, strict=True):
            for lanes, found in (
                (head.query.targets, place.match),
                (head.value.targets, place.value),
            ):
                assert set(found) == set(lanes)
                assert len(set(found.values())) == len(lanes)
                assert all(
                    0 <= column < program.layout.d_head
                    for column in found.values()
                )


def test_one_head_uses_the_columns_of_the_stream() -> None:
    """With one head, a head lane has the index of its residual lane."""
    layout = one(Head(query={t: p[0], p[2]: 1}, value={v: t["a"]})).layout
    assert layout.heads == (
        (HeadLayout({t["a"]: 3, t["b"]: 4, p[2]: 2}, {v.lanes[0]: 5}),),
    )
    assert (layout.n_embd, layout.d_head) == (6, 6)


def test_a_local_lane_takes_the_first_free_column() -> None:
    """With one head, a local lane goes where no residual lane of the same head is."""
    layout = one(
        Head(query={anchor: 1, p[1]: 1}, key={anchor: 1, p[1]: 1}, value={v: 1})
    ).layout
    assert layout.heads[0][0].match == {
        anchor["x"]: 0,
        anchor["y"]: 2,
        anchor["z"]: 3,
        p[1]: 1,
    }


def test_several_heads_are_packed_in_the_order_of_first_use() -> None:
    """With more heads, each one's lanes are packed from its first column."""
    layout = one(
        Head(query={t["b"]: 1, p[0]: 1}, value={v: 1}), Head(value={t: 1})
    ).layout
    assert layout.heads == (
        (
            HeadLayout({t["b"]: 0, p[0]: 1}, {v.lanes[0]: 0}),
            HeadLayout({}, {t["a"]: 0, t["b"]: 1}),
        ),
    )
    assert (layout.n_head, layout.d_head, layout.n_embd) == (2, 3, 6)
    assert layout.head_names(0, 0, "match") == ("token:b", "position:0", "")
    assert layout.head_names(0, 1, "value") == ("token:a", "token:b", "")


def test_the_stream_is_padded_as_gpt2_demands() -> None:
    """Where the heads need more columns than the stream has, empty ones are added at its end."""
    layout = one(*[Head(query=p, value={v: 1})] * 3).layout
    assert (layout.n_head, layout.d_head, layout.n_embd) == (3, 3, 9)
    assert layout.names[-4:] == ("v", "pad0", "pad1", "pad2")


def test_a_wider_head_may_be_asked_for() -> None:
    """`d_head` is the least width of a head; it is never narrower than what the rules need."""
    assert one(Head(value={v: 1}), d_head=16).layout.d_head == 16
    assert one(Head(value={v: 1}), d_head=1).layout.d_head == 6


def test_a_slot_may_take_over_another_ones_columns() -> None:
    """A scratch slot that reuses another stands in its columns, and both names are shown."""
    old, new = (
        scratch("old", "xy"),
        scratch("new", "a", reuse=scratch("old", "xy")),
    )
    layout = Program(embedding=(p, t, old, v, new)).layout
    assert layout.names == (
        "position:0",
        "position:1",
        "position:2",
        "token:a",
        "token:b",
        "old:x/new:a",
        "old:y",
        "v",
    )
    assert layout.column[new["a"]] == layout.column[old["x"]] == 5


def test_without_heads_there_is_one() -> None:
    """A program of neurons alone has the shape of one head, which nothing uses."""
    layout = Program(
        embedding=(p, t, v), layers=(MLP([Neuron(when=v, adds={v: 1})]),)
    ).layout
    assert (layout.n_head, layout.d_head, layout.n_embd, layout.heads) == (
        1,
        6,
        6,
        ((),),
    )


def test_bundled_programs_have_named_columns() -> None:
    """In every bundled program each column is a lane or padding, and no name stands twice."""
    for name in BUNDLED:
        layout = bundled_program(name).layout
        assert len(set(layout.names)) == layout.n_embd
        for text, lanes in zip(layout.names, layout.columns, strict=False):
            assert (
                tuple(
                    map(
                        Lane.parse,
                        text.split("/") if len(lanes) > 1 else [text],
                    )
                )
                == lanes
            )
