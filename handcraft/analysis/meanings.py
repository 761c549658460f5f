"""Finds the first lanes that do not hold what they are to mean, in one context.

The author says what a rule's lanes hold (`means=`), and of some rules it is known
(handcraft.analysis.known_meanings). The meaning of a lane is a number at each position; what it
holds is read from the forward pass, after the sublayer that writes it.

    departed    off by more than a thousandth of the meaning's size (at least of 1)
    far         off by half or more

The first departure is where the trouble begins; where it is small, the first far one is told as
well, since a small leak may be harmless. First means: the least layer, heads before the MLP, then
the least position.

Rules of this file: it explains a verdict and never makes one; a lane without a meaning is passed
over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from handcraft.analysis.known_meanings import known_meanings
from handcraft.core.errors import ProgramError
from handcraft.core.gpt2 import Array
from handcraft.language.affine import Lane
from handcraft.language.meanings import Meaning
from handcraft.language.rules import MLP, Block, Head, Neuron
from handcraft.model import Model
from handcraft.program.check_lanes import (
    head_path,
    mlp_path,
    neuron_path,
    written_by,
)
from handcraft.program.program import Program
from handcraft.sequence.columns import at_last_position
from handcraft.sequence.evaluate import asking, by_columns
from handcraft.sequence.notation import written
from handcraft.sequence.values import Value

DEPARTED = 1e-3  # of the meaning's size, at least of 1
FAR_OFF = 0.5
MOST_ASKED = 100_000  # values of meanings that are computed

Sublayer = Literal["attention", "mlp"]


@dataclass(frozen=True)
class Departure:
    """A lane that holds one number where it means another."""

    layer: int
    sublayer: Sublayer
    position: int
    lane: str
    value: float
    meaning: float
    text: str
    rule: str
    source: str

    @property
    def far(self) -> bool:
        """True if it is off by half or more."""
        return not abs(self.value - self.meaning) < FAR_OFF


@dataclass(frozen=True)
class Statement:
    """A lane with its meaning, and where it holds it.

    head, column   the column of a head's value where the head does not write the lane; else the
                   column of the stream
    """

    layer: int
    sublayer: Sublayer
    lane: Lane
    meaning: Meaning
    rule: str
    source: str
    column: int
    head: int | None = None

    def values(self, arrays: dict[str, Array]) -> Array:  # -> [n_seq]
        """The number that the lane holds at each position."""
        at = f"blocks.{self.layer}"
        if self.head is not None:
            found: Array = arrays[f"{at}.attn.z"][self.head, :, self.column]
            return found
        after = "resid_mid" if self.sublayer == "attention" else "resid_post"
        stream: Array = arrays[f"{at}.{after}"][:, self.column]
        return stream


def departures(
    model: Model, arrays: dict[str, Array], ids: Sequence[int]
) -> list[Departure]:
    """The first lane that left its meaning, and the first that is far from it where that is
    another; none where every lane means what it holds, or the weights are of another shape than
    the rules.
    """
    program = model.program
    if program is None or not _shaped(model, program):
        return []
    tokens = [model.vocabulary.tokens[i] for i in ids]
    found: list[Departure] = []
    given = (*stated(program), *known(program))
    for departure in _departures(program, given, arrays, tokens):
        if not found or departure.far:
            found.append(departure)
        if departure.far:
            break
    return found


def first_stated(
    model: Model, arrays: dict[str, Array], ids: Sequence[int]
) -> Departure | None:
    """The first lane that left what its author says it means, if there is one."""
    program = model.program
    if program is None or not _shaped(model, program):
        return None
    tokens = [model.vocabulary.tokens[i] for i in ids]
    return next(
        _departures(program, tuple(stated(program)), arrays, tokens), None
    )


def unsaid(program: Program) -> list[str]:
    """The lanes that rules write, or that heads take the mean of, whose meaning nobody knows: not
    those of tokens, which are read out.
    """
    read = {
        lane for slot in program.embedding if slot.tokens for lane in slot.lanes
    }
    given = (*stated(program), *known(program))
    followed = {(x.layer, x.lane) for x in given}
    found = (
        str(lane)
        for layer, block in enumerate(program.layers)
        for lane in _filled(block)
        if lane not in read and (layer, lane) not in followed
    )
    return list(dict.fromkeys(found))


def _filled(block: Block) -> Iterator[Lane]:
    for head in block.heads:
        yield from head.value.targets
        yield from head.adds.targets
    if block.mlp is not None:
        yield from written_by(block.mlp)


def _shaped(model: Model, program: Program) -> bool:
    """True if the rules speak of columns and heads that the weights have."""
    layout = program.layout
    found = (model.n_embd, model.n_head, len(model.weights["blocks"]))
    return found == (layout.n_embd, layout.n_head, len(program.layers))


def _departures(
    program: Program,
    statements: Sequence[Statement],
    arrays: dict[str, Array],
    tokens: Sequence[str],
) -> Iterator[Departure]:
    asked = 0
    for group in _by_sublayer(statements):
        rows = [(given, given.values(arrays)) for given in group]
        for position in range(len(tokens)):
            asked += len(group)
            if asked > MOST_ASKED:
                return
            for given, values in rows:
                value = float(values[position])
                meaning = _number(given.meaning, program, tokens, position)
                if meaning is not None and _left(value, meaning):
                    yield _departure(given, position, value, meaning)


def _by_sublayer(statements: Sequence[Statement]) -> list[list[Statement]]:
    """The statements of each sublayer; the first, the author's own, where two speak of one lane."""
    groups: dict[tuple[int, Sublayer], dict[tuple[Lane, int | None], Statement]]
    groups = {}
    for given in statements:
        group = groups.setdefault((given.layer, given.sublayer), {})
        group.setdefault((given.lane, given.head), given)
    return [list(groups[key].values()) for key in sorted(groups)]


def _number(
    meaning: Meaning, program: Program, tokens: Sequence[str], position: int
) -> float | None:
    """The number that a lane means at a position; None where nothing is said. A text is what
    follows the token that the claim's texts begin with.
    """
    skipped = begun(program)
    if position < skipped:
        return None
    scope = {"here": position - skipped}
    seen = (
        tokens[skipped : position + 1] if program.causal else tokens[skipped:]
    )
    try:
        value: Value = (
            at_last_position(meaning, seen, scope, causal=True)
            if program.causal
            and not isinstance(meaning, int)
            # a meaning in older words reads tokens alone
            and by_columns(meaning)
            else asking(meaning)(seen, scope)
        )
        return None if value is None or isinstance(value, str) else float(value)
    except (ProgramError, OverflowError):
        return None


def begun(program: Program) -> int:
    """The number of tokens before the texts that the claim, and so the meanings, speak of."""
    claim = program.claim
    return claim.skipped if claim is not None and claim.whole_text else 0


def _left(value: float, meaning: float) -> bool:
    """True if the value is not the meaning; what is not finite is never it."""
    return not abs(value - meaning) <= DEPARTED * max(1.0, abs(meaning))


def _departure(
    given: Statement, position: int, value: float, meaning: float
) -> Departure:
    return Departure(
        given.layer,
        given.sublayer,
        position,
        str(given.lane),
        value,
        meaning,
        written(given.meaning),
        given.rule,
        given.source,
    )


def stated(program: Program) -> Iterator[Statement]:
    """What the author says of lanes."""
    for i, block in enumerate(program.layers):
        for h, head in enumerate(block.heads):
            path = head_path(i, block, h)
            for lane, meaning in head.means:
                yield _of_head(program, i, h, path, lane, meaning)
        if block.mlp is None:
            continue
        rules: list[tuple[tuple[str, ...], MLP | Neuron]]
        rules = [(mlp_path(i, block), block.mlp)]
        rules += [
            (neuron_path(i, block, j), neuron)
            for j, neuron in enumerate(block.mlp.neurons)
        ]
        for path, rule in rules:
            for lane, meaning in rule.means:
                yield Statement(
                    i,
                    "mlp",
                    lane,
                    meaning,
                    " > ".join(path),
                    str(rule.source),
                    program.layout.column[lane],
                )


def known(program: Program) -> Iterator[Statement]:
    """What is known of the lanes that heads write, where a text is all tokens."""
    if begun(program):
        return
    for found in known_meanings(program):
        layer, h = found.layer, found.head
        path = head_path(layer, program.layers[layer], h)
        yield _of_head(program, layer, h, path, found.lane, found.meaning)


def _of_head(
    program: Program,
    layer: int,
    h: int,
    path: tuple[str, ...],
    lane: Lane,
    meaning: Meaning,
) -> Statement:
    head: Head = program.layers[layer].heads[h]
    inside = lane not in head.adds.targets
    places = program.layout.heads[layer][h].value
    return Statement(
        layer,
        "attention",
        lane,
        meaning,
        " > ".join(path),
        str(head.source),
        places[lane] if inside else program.layout.column[lane],
        h if inside else None,
    )
