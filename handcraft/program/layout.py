"""Assigns lanes to columns of the residual stream, and head lanes to columns of each head.

The stream's columns are in the declared order of the slots. With one head, a head lane takes the
column with the same index as its lane in the stream, so that the matrices read alike; a local
lane takes the first free one. With several heads, the lanes of each head fill its d_head columns
in the order of first use. GPT-2 demands n_embd = n_head * d_head, so the stream is padded with
empty columns where that is wider.

Rules of this file: order is declared order, never sorted; only shapes are decided here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from handcraft.language.affine import Lane
from handcraft.language.rules import Block, Head
from handcraft.language.slots import Slot


@dataclass(frozen=True)
class HeadLayout:
    """The index of each match lane and each value lane among the head's d_head columns."""

    match: dict[Lane, int]
    value: dict[Lane, int]


@dataclass(frozen=True)
class Layout:
    """The columns of a program.

    columns  the lanes of each column of the stream: several where a slot reuses another's
    heads    [layer][head]
    """

    columns: tuple[tuple[Lane, ...], ...]
    n_head: int
    d_head: int
    heads: tuple[tuple[HeadLayout, ...], ...]

    @property
    def n_embd(self) -> int:
        """The number of columns of the stream, padding included."""
        return self.n_head * self.d_head

    @cached_property
    def column(self) -> dict[Lane, int]:
        """The column of each lane of the stream."""
        return {
            lane: i for i, lanes in enumerate(self.columns) for lane in lanes
        }

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of all columns; padding is called pad0, pad1, ..."""
        shown = ("/".join(map(str, lanes)) for lanes in self.columns)
        n_pad = self.n_embd - len(self.columns)
        return (*shown, *(f"pad{i}" for i in range(n_pad)))

    def head_names(self, layer: int, head: int, part: str) -> tuple[str, ...]:
        """The names of a head's d_head columns, empty for unused ones.

        `part` is "match" for the columns of query and key, "value" for those of the value.
        """
        heads = self.heads[layer]
        places: dict[Lane, int] = {}
        if head < len(heads):
            places = getattr(heads[head], part)
        names = {index: str(lane) for lane, index in places.items()}
        return tuple(names.get(i, "") for i in range(self.d_head))

    @classmethod
    def of(
        cls,
        embedding: Sequence[Slot],
        blocks: Sequence[Block],
        d_head: int | None = None,
    ) -> Layout:
        """The layout of these slots and blocks, with heads at least `d_head` wide."""
        columns = _columns(embedding)
        heads = [head for block in blocks for head in block.heads]
        n_head = max((len(block.heads) for block in blocks), default=1) or 1
        spaces = [space for head in heads for space in (head.query, head.value)]
        widths = [len(space.targets) for space in spaces]
        share = -(-len(columns) // n_head)  # rounded up
        width = max([*widths, share, d_head or 1])
        column: dict[Lane, int] = {}
        if n_head == 1:
            column = {
                lane: i for i, lanes in enumerate(columns) for lane in lanes
            }
        placed = tuple(
            tuple(_head_layout(head, column) for head in block.heads)
            for block in blocks
        )
        return cls(columns, n_head, width, placed)


def _columns(embedding: Sequence[Slot]) -> tuple[tuple[Lane, ...], ...]:
    """The lanes in declared order; a slot that reuses another's columns is put into those."""
    columns: list[list[Lane]] = []
    start: dict[str, int] = {}
    for slot in embedding:
        free = len(columns)
        start[slot.name] = start.get(slot.reuse, free) if slot.reuse else free
        for i, lane in enumerate(slot.lanes, start=start[slot.name]):
            if i == len(columns):
                columns.append([])
            columns[i].append(lane)
    return tuple(map(tuple, columns))


def _head_layout(head: Head, column: dict[Lane, int]) -> HeadLayout:
    return HeadLayout(
        _places(head.query.targets, column), _places(head.value.targets, column)
    )


def _places(lanes: Iterable[Lane], column: dict[Lane, int]) -> dict[Lane, int]:
    """The index of each lane: that of its column if it has one, else the first free one."""
    lanes = tuple(lanes)
    own: dict[int, Lane] = {}
    for lane in lanes:
        # of two lanes that share a column the first keeps it
        own.setdefault(column.get(lane, -1), lane)
    own.pop(-1, None)
    free = (i for i in range(len(own) + len(lanes)) if i not in own)
    kept = {lane: i for i, lane in own.items()}
    return {lane: kept[lane] if lane in kept else next(free) for lane in lanes}
