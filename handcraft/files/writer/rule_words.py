"""Writes heads, neurons and layers as plain rules.

Neurons that write the same slots have one variable, and those that differ in few places are one
comprehension. Rules of this file: heads and neurons keep their order, so that the columns do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from handcraft.core.errors import ProgramError
from handcraft.core.source import Source
from handcraft.files.writer.expressions import Writing
from handcraft.files.writer.literals import (
    in_python,
    is_whole,
    number_text,
    table_text,
)
from handcraft.files.writer.loops import LoopCell, loop_of
from handcraft.files.writer.maps import (
    cells_of_sum,
    lane_in_loop,
    map_text,
    sum_in_loop,
)
from handcraft.files.writer.names import Variables
from handcraft.files.writer.sums import sum_text
from handcraft.language.affine import Affine, Lane, Map
from handcraft.language.meanings import Meanings, as_meanings
from handcraft.language.notation import call_text
from handcraft.language.rules import GELU_SHARPNESS, MLP, Block, Head, Neuron
from handcraft.sequence.expression import Expression

_MOST_PERIOD = 8  # neurons that are repeated together
_FEWEST = 3  # times that they must be
_MOST_AMOUNTS = 4  # of a neuron, written lane by lane
_LOOP, _TABLE = (
    1.25,
    2.5,
)  # what a character of a loop, or of one with a table, counts
_INLINE = 30  # characters of constants in the layers


@dataclass(frozen=True)
class RuleStatement:
    """A statement and its variable; for remarks the head that it makes, and the line of the first
    rule in it.
    """

    variable: str
    code: str
    source: Source
    head: Head | None = None


class RuleWriter:
    """Writes the rules of a program with its variables."""

    def __init__(self, names: Variables, writing: Writing) -> None:
        self.names = names
        self.writing = writing
        self._lengths: dict[int, int] = {}

    def layer(self, block: Block, i: int) -> tuple[list[RuleStatement], str]:
        """The statements of a layer, and what stands for it in `layers`."""
        statements = [self._head_statement(head) for head in block.heads]
        parts = [one.variable for one in statements]
        if block.mlp is not None:
            rules, inside = self._mlp(block.mlp, i)
            statements += rules
            parts += inside
        if len(parts) == 1:
            return statements, parts[0]
        return statements, f"({', '.join(parts)})"

    # -------------------------------------------------------- heads

    def _head_statement(self, head: Head) -> RuleStatement:
        targets = head.adds.targets
        slot = (
            self.names.slots.get(self.names.key(targets[0])) if targets else ""
        )
        if head.name is not None:
            variable = self.names.new(head.name, "head")
        else:
            variable = self.names.new(f"{slot or 'empty'}_head")
        code = f"{variable} = {self.head(head)}"
        return RuleStatement(variable, code, head.source, head)

    def head(self, head: Head) -> str:
        """The call that makes a head."""
        own_key = Map.identity(head.query.targets)
        own = Map.identity(head.value.targets)
        return call_text(
            "Head",
            query=head.query.rows and map_text(head.query, self.names),
            key=None if head.key == own_key else map_text(head.key, self.names),
            value=map_text(head.value, self.names),
            adds=None if head.adds == own else map_text(head.adds, self.names),
            scores=None if head.scores == "raw" else in_python(head.scores),
            means=self.means(head.means),
            name=None if head.name is None else in_python(head.name),
        )

    # -------------------------------------------------------- meanings

    def means(self, rows: Meanings) -> str:
        """The meanings as an author states them; empty for none."""
        if not rows:
            return ""
        items: list[str] = []
        runs = groupby(rows, key=lambda row: self.names.key(row[0]))
        for _, run in runs:
            found = tuple(run)
            items += self._of_slot(found) or [
                f"{self.names.lane(lane)}: {self.writing.text(x)}"
                for lane, x in found
            ]
        return "{" + ", ".join(items) + "}"

    def _of_slot(self, rows: Meanings) -> list[str] | None:
        """The token that the lanes of a slot stand for, where each is its equality."""
        found = self.names.slot_of([lane for lane, _ in rows])
        x = rows[0][1]
        if found is None or not isinstance(x, Expression) or x.op != "equal":
            return None
        variable, slot = found
        try:
            same = as_meanings({slot: x.args[0]}) == tuple(rows)
        except ProgramError:
            return None
        return [f"{variable}: {self.writing.text(x.args[0])}"] if same else None

    # -------------------------------------------------------- neurons

    def _mlp(self, mlp: MLP, i: int) -> tuple[list[RuleStatement], list[str]]:
        statements: list[RuleStatement] = []
        for group in self._groups(mlp.neurons):
            slot = self._slot_written(group[0])
            variable = self.names.new(f"to_{slot}" if slot else "to_nothing")
            code = f"{variable} = {self._neurons(group)}"
            statements.append(RuleStatement(variable, code, group[0].source))
        parts = [one.variable for one in statements]
        constants = self.constants(mlp.adds)
        if mlp.means or not (mlp.neurons or mlp.adds.terms):
            means = self.means(mlp.means)
            neurons = f"[{', '.join(parts)}]" if parts else ""
            text = call_text(
                "MLP",
                *([neurons] if neurons else []),
                adds=mlp.adds.terms and constants,
                means=means,
            )
            variable = self.names.new(f"mlp{i}")
            statements.append(
                RuleStatement(variable, f"{variable} = {text}", mlp.source)
            )
            return statements, [variable]
        if mlp.adds.terms and len(constants) > _INLINE:
            variable = self.names.new("constants")
            statements.append(
                RuleStatement(variable, f"{variable} = {constants}", mlp.source)
            )
            return statements, [*parts, variable]
        return statements, [*parts, *([constants] if mlp.adds.terms else [])]

    def constants(self, adds: Affine) -> str:
        """The constants as {lane: number}."""
        rows = ((lane, Affine.of({}, x)) for lane, x in adds.terms)
        return map_text(Map.of(rows), self.names)

    def _groups(self, neurons: Sequence[Neuron]) -> Iterator[list[Neuron]]:
        """Neurons side by side that write the same slots."""
        for _, group in groupby(neurons, key=self._written):
            yield list(group)

    def _written(self, neuron: Neuron) -> frozenset[str]:
        return frozenset(map(self.names.key, neuron.adds.lanes_read))

    def _slot_written(self, neuron: Neuron) -> str:
        lanes = neuron.adds.lanes_read
        return (
            self.names.slots.get(self.names.key(lanes[0]), "") if lanes else ""
        )

    def _neurons(self, group: Sequence[Neuron]) -> str:
        """A neuron, or a list of them, with a comprehension for those that are alike."""
        items: list[str] = []
        loops: list[str] = []
        at = 0
        while at < len(group):
            size, text, saved = self._repeated(group[at:])
            if text and saved < self._repeated(group[at + 1 :])[2]:
                size, text = 1, ""  # the next ones are better together
            if text:
                loops.append(text)
                items.append(f"[{text}]")
            else:
                items.append(self.neuron(group[at]))
            at += size
        if len(items) == 1:
            return f"[{loops[0]}]" if loops else items[0]
        return f"[{', '.join(items)}]"

    def _repeated(self, neurons: Sequence[Neuron]) -> tuple[int, str, float]:
        """How many neurons are alike from the first one on, their comprehension, and what it
        saves.
        """
        shapes = [*map(self._shape, neurons)]
        best = 1, "", 0.0
        for period in range(1, _MOST_PERIOD + 1):
            times = 1
            while _repeats(shapes, period, times):
                times += 1
            even = _even_times(neurons[: times * period], period)
            for size in {times * period, even * period}:
                if size < _FEWEST * period:
                    continue
                text, saved = self._comprehension(neurons[:size], period)
                if saved > best[2]:
                    best = size, text, saved
        return best

    def _shape(self, neuron: Neuron) -> object:
        """What neurons must have in common to be written in one comprehension."""
        return (
            tuple(map(self.names.key, neuron.when.lanes_read)),
            tuple(map(self.names.key, neuron.adds.lanes_read)),
            neuron.sharpness,
            neuron.means,
            neuron.name and is_whole(neuron.name) and neuron.name,
            neuron.name is None,
        )

    def _comprehension(
        self, neurons: Sequence[Neuron], period: int
    ) -> tuple[str, float]:
        """The comprehension of neurons, and the characters that it saves, fewer for a table."""
        blocks = [
            neurons[at : at + period] for at in range(0, len(neurons), period)
        ]
        lanes = {lane for one in neurons for lane in _lanes(one)}
        if any(self.names.key(lane) not in self.names.slots for lane in lanes):
            return "", 0
        rows = [
            [cell for one in block for cell in _cells(one)] for block in blocks
        ]
        loop = loop_of(rows, self.names)
        if loop is None:
            return "", 0
        texts = []
        at = 0
        for one in blocks[0]:
            size = len(_cells(one))
            texts.append(self.neuron(one, loop.cells[at : at + size]))
            at += size
        inner = texts[0] if period == 1 else f"({', '.join(texts)})"
        text = f"{inner} {loop.header}"
        whole = sum(self._length(one) for one in neurons)
        return text, whole - len(text) * (_TABLE if loop.is_table else _LOOP)

    def _length(self, neuron: Neuron) -> int:
        """The number of characters of a neuron in a list."""
        if id(neuron) not in self._lengths:
            self._lengths[id(neuron)] = len(self.neuron(neuron)) + 2
        return self._lengths[id(neuron)]

    def neuron(
        self, neuron: Neuron, cells: Sequence[str | None] | None = None
    ) -> str:
        """The call that makes a neuron; with what a loop puts into its cells."""
        when, adds = neuron.when, neuron.adds
        name = None if neuron.name is None else in_python(neuron.name)
        if cells is None:
            when_text, adds_text = sum_text(when, self.names), self.adds(adds)
        else:
            split = len(cells_of_sum(when))
            when_text = sum_in_loop(when, cells[:split], self.names)
            adds_text = self._adds_in_loop(adds, cells[split:-1])
            name = cells[-1] or name
        usual = neuron.sharpness == GELU_SHARPNESS
        return call_text(
            "Neuron",
            when=when_text,
            adds=adds_text,
            sharpness=None if usual else number_text(neuron.sharpness),
            means=self.means(neuron.means),
            name=name,
        )

    def adds(self, adds: Affine) -> str:
        """What a neuron adds: {lane: number}, or a sum where that is shorter."""
        rows = [
            (self.names.lane(lane), number_text(x)) for lane, x in adds.terms
        ]
        summed = sum_text(adds, self.names)
        few = len(rows) <= _MOST_AMOUNTS
        return table_text(rows) if few or ".sum(" not in summed else summed

    def _adds_in_loop(self, adds: Affine, cells: Sequence[str | None]) -> str:
        if not any(cells):
            return self.adds(adds)
        rows: list[tuple[str, str]] = []
        for i, (lane, amount) in enumerate(adds.terms):
            key = lane_in_loop(lane, cells[2 * i], self.names)
            rows.append((key, cells[2 * i + 1] or number_text(amount)))
        return table_text(rows)


def _repeats(shapes: Sequence[object], period: int, times: int) -> bool:
    at = period * times
    return (
        at + period <= len(shapes)
        and shapes[at : at + period] == shapes[:period]
    )


def _even_times(neurons: Sequence[Neuron], period: int) -> int:
    """How many times the first neurons are repeated before a number stops going evenly."""
    rows = [
        [cell for one in neurons[at : at + period] for cell in _cells(one)]
        for at in range(0, len(neurons), period)
    ]
    columns = [[_number(cell) for cell in c] for c in zip(*rows, strict=True)]
    for n in range(2, len(rows)):
        if any(c[n] - c[n - 1] != c[1] - c[0] for c in columns):
            return n
    return len(rows)


def _number(cell: LoopCell) -> float:
    """A number that is as even as the cell: of a text that is none, one that is its own."""
    if isinstance(cell, str):
        return int(cell) if is_whole(cell) else hash(cell)
    return cell or 0.0


def _lanes(neuron: Neuron) -> tuple[Lane, ...]:
    return (*neuron.when.lanes_read, *neuron.adds.lanes_read)


def _cells(neuron: Neuron) -> list[LoopCell]:
    adds = cells_of_sum(neuron.adds)[:-1]
    return [*cells_of_sum(neuron.when), *adds, neuron.name]
