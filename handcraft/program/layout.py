"""The layout: which lane is which column of the residual stream, and of each head.

The stream's columns stand in the declared order of the slots. With one head, a head lane takes
the column of the same index as its residual lane, so that the matrices read like the stream; a
local lane takes the first free one. With more heads, a head's lanes are packed in the order of
first use into its d_head columns. GPT-2 demands n_embd = n_head * d_head, so the stream is
padded with empty columns where that is wider.

Rules of this file: order is declared order, never sorted; only the shape is decided here, no
weight.
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
    """The column of each match lane and of each value lane among the head's d_head columns."""

    match: dict[Lane, int]
    value: dict[Lane, int]


@dataclass(frozen=True)
class Layout:
    """The columns of a program."""

    columns: tuple[
        tuple[Lane, ...], ...
    ]  # the lanes of each column: several where one takes over another
    n_head: int
    d_head: int
    heads: tuple[tuple[HeadLayout, ...], ...]  # for each layer, for each of its heads

    @property
    def n_embd(self) -> int:
        """Columns of the stream, padding included."""
        return self.n_head * self.d_head

    @cached_property
    def column(self) -> dict[Lane, int]:
        """The column of each lane of the stream."""
        return {lane: i for i, lanes in enumerate(self.columns) for lane in lanes}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The name of every column; padding is called pad0, pad1, ..."""
        shown = ("/".join(map(str, lanes)) for lanes in self.columns)
        return (*shown, *(f"pad{i}" for i in range(self.n_embd - len(self.columns))))

    def head_names(self, layer: int, head: int, part: str) -> tuple[str, ...]:
        """The names of a head's d_head columns in its query, key (`match`) or value (`value`);
        unused ones are empty.
        """
        heads = self.heads[layer]
        places: dict[Lane, int] = (
            getattr(heads[head], part) if head < len(heads) else {}
        )
        names = {index: str(lane) for lane, index in places.items()}
        return tuple(names.get(i, "") for i in range(self.d_head))

    @classmethod
    def of(
        cls,
        embedding: Sequence[Slot],
        blocks: Sequence[Block],
        d_head: int | None = None,
    ) -> Layout:
        """The layout of these slots and blocks; `d_head` asks for at least that width."""
        columns = _columns(embedding)
        heads = [head for block in blocks for head in block.heads]
        n_head = max((len(block.heads) for block in blocks), default=1) or 1
        widths = [
            len(space.targets) for head in heads for space in (head.query, head.value)
        ]
        width = max([*widths, -(-len(columns) // n_head), d_head or 1])
        column = (
            {lane: i for i, lanes in enumerate(columns) for lane in lanes}
            if n_head == 1
            else {}
        )
        placed = tuple(
            tuple(_head_layout(head, column) for head in block.heads)
            for block in blocks
        )
        return cls(columns, n_head, width, placed)


def _columns(embedding: Sequence[Slot]) -> tuple[tuple[Lane, ...], ...]:
    """The lanes in their declared order; a slot that takes over another's stands in that one's
    columns.
    """
    columns: list[list[Lane]] = []
    start: dict[str, int] = {}
    for slot in embedding:
        start[slot.name] = (
            start.get(slot.reuse, len(columns)) if slot.reuse else len(columns)
        )
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
    """The lanes that have a column keep its index, the others take the first free ones in their
    order.
    """
    lanes = tuple(lanes)
    own: dict[int, Lane] = {}
    for lane in lanes:
        own.setdefault(
            column.get(lane, -1), lane
        )  # of two lanes that share a column the first keeps it
    own.pop(-1, None)
    free = (i for i in range(len(own) + len(lanes)) if i not in own)
    kept = {lane: i for i, lane in own.items()}
    return {lane: kept[lane] if lane in kept else next(free) for lane in lanes}
