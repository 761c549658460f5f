"""Writes the comments of a file: what is in a layer, where a head looks, what its lanes mean.

Only what is certain is said: the positions that the rules themselves name, and meanings that were
found (handcraft.analysis.known_meanings). Rules of this file: a comment is text that no reader of
the file executes, so line breaks in it are written as escapes.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from math import log

from handcraft.core.errors import printable
from handcraft.files.writer.lines import WIDTH
from handcraft.files.writer.literals import in_python
from handcraft.files.writer.names import Variables
from handcraft.files.writer.rule_words import RuleWriter
from handcraft.files.writer.sums import sum_text
from handcraft.language.affine import Affine, Lane, Map
from handcraft.language.meanings import Meaning, Meanings
from handcraft.language.rules import EVERYWHERE, Block, Head
from handcraft.program.check_lanes import written_by
from handcraft.program.program import Program
from handcraft.recipes.sums import ANCHOR, ANCHOR_LANE
from handcraft.sequence.expression import Expression

_ANCHORED = Map.of([(ANCHOR_LANE.lanes[0], Affine.of({}, log(ANCHOR)))])
_MOST_SAID = 240  # characters of meanings
KnownByHead = Mapping[tuple[int, int], Meanings]  # by layer and head


@dataclass(frozen=True)
class Told:
    """What a file says beside its code.

    about    the first line of its docstring
    known    the meanings of lanes that were found, by layer and head
    sources  True for the line that each rule comes from, beside it
    as_data  True for expressions as data, since their words do not make them again
    """

    about: str = ""
    known: KnownByHead = field(default_factory=dict)
    sources: bool = False
    as_data: bool = False


def comment(text: str) -> str:
    """A comment on as many lines as it needs."""
    lines = textwrap.wrap(printable(text), WIDTH - 2, break_on_hyphens=False)
    return "\n".join(f"# {line}" for line in lines)


def counted(count: int, what: str) -> str:
    """So many things: `1 head`, `2 heads`."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def of_layer(block: Block, i: int) -> str:
    """The comment that begins a layer."""
    neurons = len(block.mlp.neurons) if block.mlp else 0
    parts = [
        *([counted(len(block.heads), "head")] if block.heads else []),
        *([counted(neurons, "neuron")] if neurons else []),
        *(["constants"] if block.mlp and block.mlp.adds.terms else []),
    ]
    return comment(f"layers[{i}]: {', '.join(parts) or 'an empty MLP'}")


def of_head(
    head: Head,
    means: Meanings,
    writer: RuleWriter,
    changed: frozenset[Lane],
) -> str:
    """The comment on a head: where it looks, and what is known of its lanes; empty for nothing.

    changed  the lanes that any rule adds to
    """
    said = [*_where(head, writer.names, changed)]
    if means:
        text = ", ".join(_said(means, writer))
        more = len(text) > _MOST_SAID
        said.append(text[:_MOST_SAID] + "..." * more)
    return comment("; ".join(said)) if said else ""


def _said(means: Meanings, writer: RuleWriter) -> Iterator[str]:
    """What the lanes mean: of a slot whose lanes mean the same of their labels, once."""
    for key, run in groupby(means, key=lambda row: writer.names.key(row[0])):
        rows = list(run)
        slot = writer.names.slots[key]
        texts = [_shown(x, writer) for _, x in rows]
        alike = {
            text.replace(in_python(lane.label or ""), "c")
            for (lane, _), text in zip(rows, texts, strict=True)
        }
        if len(rows) > 1 and len(alike) == 1 and rows[0][0].label is not None:
            yield f"{slot}[c]: {alike.pop()}"
        else:
            for (lane, _), text in zip(rows, texts, strict=True):
                yield f"{writer.names.lane(lane)}: {text}"


def _shown(meaning: Meaning, writer: RuleWriter) -> str:
    """The meaning, without the tokens that count for nothing."""
    short = _shorter(meaning)
    return writer.writing.text(short) + _else(short, meaning)


def _else(short: Meaning, meaning: Meaning) -> str:
    """What is said of the tokens of a lookup that were left out."""
    if short == meaning or not isinstance(short, Expression):
        return ""
    return ", else 0" if short.op == "lookup" else ""


def _shorter(meaning: Meaning) -> Meaning:
    """The meaning without the tokens that count for nothing, in sums and as a whole."""
    if not isinstance(meaning, Expression):
        return meaning
    if meaning.op == "ratio":
        total, size = meaning.args
        if isinstance(total, Expression) and total.op == "total":
            return Expression(op="ratio", args=(_shorter(total), size))
        return meaning
    rows = tuple(row for row in meaning.table if row[1] != 0)
    if meaning.op not in ("total", "lookup") or not rows:
        return meaning
    return Expression(op=meaning.op, args=meaning.args, table=rows)


def _where(
    head: Head, names: Variables, changed: frozenset[Lane]
) -> Iterator[str]:
    """The positions that the query names, as far as the rule says so itself."""
    if head.query == EVERYWHERE:
        yield "the mean over every position"
    elif head.query == _ANCHORED and head.scores == "exact":
        yield (
            "log(2**30): where the key is 1, a position weighs 2**30 times as much as where it"
            " is 0"
        )
    elif (target := _address(head, names, changed)) is not None:
        lane = head.query.targets[0]
        back = -target.constant
        if target.terms == ((lane, 1.0),) and back == int(back) >= 0:
            yield f"looks {int(back)} back"
        else:
            yield f"looks at position {sum_text(target, names)}"


def _address(
    head: Head, names: Variables, changed: frozenset[Lane]
) -> Affine | None:
    """The position that the query looks for, where it scores 2 a target p - a p^2; else None."""
    lanes = head.query.targets
    if head.key != Map.identity(lanes) or len(lanes) != 2:
        return None
    (p, target), (square, factor) = head.query.rows
    if factor.terms or factor.constant >= 0 or not changed.isdisjoint(lanes):
        return None
    if not (
        _holds(p, names, lambda i: i) and _holds(square, names, lambda i: i * i)
    ):
        return None
    return target.scaled(-0.5 / factor.constant)


def _holds(lane: Lane, names: Variables, value: Callable[[int], float]) -> bool:
    """True if the embedding alone fills a lane with this function of the position."""
    slot = names.known.get(names.key(lane))
    if slot is None or slot.tokens or slot.reuse or slot.local:
        return False
    rows, column = slot.positions, slot.lanes.index(lane)
    return isinstance(rows, tuple) and all(
        row[column] == value(i) for i, row in enumerate(rows)
    )


def lanes_changed(program: Program) -> frozenset[Lane]:
    """The lanes that any rule adds to."""
    blocks = program.layers
    heads = (head for block in blocks for head in block.heads)
    mlps = (block.mlp for block in blocks if block.mlp is not None)
    return frozenset(
        (
            *(lane for head in heads for lane in head.adds.targets),
            *(lane for mlp in mlps for lane in written_by(mlp)),
        )
    )


def docstring(about: str, program: Program) -> str:
    """The docstring of the file: what the program does, and what it consists of."""
    heads = sum(len(block.heads) for block in program.layers)
    neurons = sum(
        len(block.mlp.neurons) for block in program.layers if block.mlp
    )
    first = about or f"The program {program.name}."
    sizes = (
        f"Written by `handcraft write`: {counted(len(program.layers), 'layer')},"
        f" {counted(heads, 'head')}, {counted(neurons, 'neuron')}; a stream of"
        f" {counted(program.layout.n_embd, 'lane')}; a window of"
        f" {counted(program.n_ctx, 'position')};"
        f" {counted(len(program.vocabulary), 'token')}."
    )
    return _as_docstring(first, sizes)


def _as_docstring(first: str, more: str) -> str:
    text = printable(" ".join(first.split()))
    safe = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    opening = textwrap.wrap(safe, WIDTH - 3, break_on_hyphens=False)
    lines = [*opening, "", *textwrap.wrap(more, WIDTH, break_on_hyphens=False)]
    prefix = "r" if "\\" in safe and '\\"' not in safe else ""
    if prefix:
        lines = [line.replace("\\\\", "\\") for line in lines]
    return f'{prefix}"""' + "\n".join(lines) + '\n"""'


def meanings_by_head(
    found: Sequence[tuple[int, int, Meanings]],
) -> dict[tuple[int, int], Meanings]:
    """The meanings of the lanes of each head."""
    known: dict[tuple[int, int], Meanings] = {}
    for layer, head, rows in found:
        known[layer, head] = (*known.get((layer, head), ()), *rows)
    return known
