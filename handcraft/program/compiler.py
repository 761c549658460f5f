"""Compiles the rules of a program to the matrices of a GPT-2, with the reason for every cell.

    embedding   slot tables            -> wte [n_vocab, n_embd], wpe [n_ctx, n_embd]
    head        query, key, value      -> columns of attn.c_attn.w [n_embd, 3 n_embd], constants
                                          into its bias
                output                 -> rows of attn.c_proj.w [n_embd, n_embd], constants into
                                          its bias
    neuron      when                   -> a column of mlp.c_fc.w [n_embd, n_inner]
                adds                   -> a row of mlp.c_proj.w [n_inner, n_embd]

Every cell is written by `Sheet.write`, which also records the rule: the provenance. Rules of this
file: no input or output; arithmetic is float64 and rounded once, at the end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from handcraft.core.errors import ProgramError, printable
from handcraft.core.gpt2 import Array, Weights
from handcraft.core.provenance import Entry, Reason
from handcraft.core.source import Source
from handcraft.core.weights import nest
from handcraft.language.affine import Affine, Lane
from handcraft.language.rules import MLP, Block, Head
from handcraft.language.slot_tables import ONE_HOT
from handcraft.language.slots import Slot
from handcraft.program.check_lanes import head_path, mlp_path, neuron_path
from handcraft.program.layout import Layout
from handcraft.program.program import Program


@dataclass
class Sheet:
    """Matrices that are being filled, and a record of every value written."""

    arrays: dict[str, Array]
    entries: list[Entry] = field(default_factory=list)

    def write(
        self,
        matrix: str,
        row: int,
        column: int,
        value: float,
        reason: Reason,
    ) -> None:
        """Add a value to a cell, and record the reason."""
        array = self.arrays[matrix]
        index = (row, column) if array.ndim == 2 else (column,)
        array[index] += value
        self.entries.append(Entry(matrix, row, column, value, reason))

    def write_row(
        self, matrix: str, row: int, cells: dict[int, float], reason: Reason
    ) -> None:
        """The same for several cells of a row, {column: value}, in one go."""
        self.arrays[matrix][row, list(cells)] += list(cells.values())
        self.entries += [
            Entry(matrix, row, column, value, reason)
            for column, value in cells.items()
        ]

    def write_affine(
        self,
        matrix: str,
        affine: Affine,
        rows: dict[Lane, int],
        column: int,
        reason: Reason,
        factor: float = 1.0,
    ) -> None:
        """Add an expression to a column: coefficients to the matrix, the constant to its bias."""
        for lane, value in affine.terms:
            self.write(
                f"{matrix}.w", rows[lane], column, value * factor, reason
            )
        if affine.constant:
            self.write(
                f"{matrix}.b", 0, column, affine.constant * factor, reason
            )


@dataclass(frozen=True)
class Compiled:
    """The weights of a program in picoGPT's format, all entries that sum to them, the layout."""

    weights: Weights
    entries: tuple[Entry, ...]
    layout: Layout


def shapes(program: Program) -> dict[str, tuple[int, ...]]:
    """The shape of every matrix of a program, by its flat name, in the order of the file."""
    n = program.layout.n_embd
    found: dict[str, tuple[int, ...]] = {
        "wte": (len(program.vocabulary), n),
        "wpe": (program.n_ctx, n),
    }
    for i, block in enumerate(program.layers):
        if block.heads:
            found |= _pair(f"blocks.{i}.attn.c_attn", n, 3 * n)
            found |= _pair(f"blocks.{i}.attn.c_proj", n, n)
        if block.mlp is not None:
            # an MLP of constants has one neuron, which never fires
            inner = max(1, len(block.mlp.neurons))
            found |= _pair(f"blocks.{i}.mlp.c_fc", n, inner)
            found |= _pair(f"blocks.{i}.mlp.c_proj", inner, n)
    return found


def _pair(name: str, n_in: int, n_out: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.w": (n_in, n_out), f"{name}.b": (n_out,)}


def compile_program(program: Program, dtype: str = "float32") -> Compiled:
    """The weights and their provenance.

    Raises ProgramError where a weight is beyond the range of the dtype.
    """
    empty = {name: np.zeros(shape) for name, shape in shapes(program).items()}
    sheet = Sheet(empty)
    layout = program.layout
    _compile_embedding(sheet, program, layout)
    for i, block in enumerate(program.layers):
        for h, head in enumerate(block.heads):
            _compile_head(sheet, i, head, h, layout, head_path(i, block, h))
        if block.mlp is not None:
            _compile_mlp(sheet, i, block, block.mlp, layout, program.activation)
    arrays = {
        name: _cast(name, array, dtype, sheet, program)
        for name, array in sheet.arrays.items()
    }
    return Compiled(
        nest(arrays, len(program.layers)), tuple(sheet.entries), layout
    )


def _cast(
    name: str, array: Array, dtype: str, sheet: Sheet, program: Program
) -> Array:
    with np.errstate(over="ignore"):
        cast = array.astype(dtype)
    if not np.isfinite(cast).all():
        entries = [entry for entry in sheet.entries if entry.matrix == name]
        largest = max(entries, key=lambda entry: abs(entry.value))
        message = (
            f"writes {largest.value:g} into {name}, past the range of {dtype}"
        )
        path = (program.name, *largest.reason.rule.split(" > "))
        raise ProgramError(message, path, largest.reason.source)
    return cast


# ---------------------------------------------------------------- embeddings


def _compile_embedding(sheet: Sheet, program: Program, layout: Layout) -> None:
    ids = {token: i for i, token in enumerate(program.vocabulary)}
    for i, slot in enumerate(program.embedding):
        rule = f"embedding[{i}]"
        column = layout.column
        reason = _table_reason(rule, slot, slot.tokens, "token")
        for token, lane, value in slot.token_cells():
            sheet.write("wte", ids[token], column[lane], value, reason)
        reason = _table_reason(rule, slot, slot.positions, "position")
        for position, lane, value in slot.position_cells():
            sheet.write("wpe", position, column[lane], value, reason)


def _table_reason(rule: str, slot: Slot, table: object, what: str) -> Reason:
    text = f"{slot.name} is a table of the {what}"
    if table == ONE_HOT:
        text = f"{slot.name} is one-hot: which {what} is here"
    return Reason(rule, printable(text), str(slot.source))


# ---------------------------------------------------------------- attention


def _compile_head(
    sheet: Sheet,
    layer: int,
    head: Head,
    h: int,
    layout: Layout,
    path: tuple[str, ...],
) -> None:
    at = f"blocks.{layer}.attn"
    places = layout.heads[layer][h]
    # the head's first column in each third of c_attn, and its first row in c_proj
    first = h * layout.d_head
    parts = (
        ("query", head.query, places.match),
        ("key", head.key, places.match),
        ("value", head.value, places.value),
    )
    for third, (part, rows, columns) in enumerate(parts):
        folded = head.scores == "exact" and part == "query"
        factor = math.sqrt(layout.d_head) if folded else 1.0
        note = ", times sqrt(d_head)" if folded else ""
        for lane, affine in rows.rows:
            text = f"{part} {printable(str(lane))} = {affine}{note}"
            reason = _reason((*path, part), text, head.source)
            column = third * layout.n_embd + first + columns[lane]
            sheet.write_affine(
                f"{at}.c_attn",
                affine,
                layout.column,
                column,
                reason,
                factor,
            )
    rows_of = {lane: first + index for lane, index in places.value.items()}
    for lane, affine in head.adds.rows:
        text = f"{printable(str(lane))} += {affine}"
        reason = _reason((*path, "adds"), text, head.source)
        sheet.write_affine(
            f"{at}.c_proj", affine, rows_of, layout.column[lane], reason
        )


# ---------------------------------------------------------------- neurons


def _compile_mlp(
    sheet: Sheet,
    layer: int,
    block: Block,
    mlp: MLP,
    layout: Layout,
    activation: str,
) -> None:
    at = f"blocks.{layer}.mlp"
    column = layout.column
    for j, neuron in enumerate(mlp.neurons):
        path = neuron_path(layer, block, j)
        sharpness = neuron.sharpness if activation == "gelu" else 1.0
        note = "" if sharpness == 1 else f", times {sharpness:g} for gelu"
        reason = _reason(
            (*path, "when"), f"when {neuron.when}{note}", neuron.source
        )
        sheet.write_affine(
            f"{at}.c_fc", neuron.when, column, j, reason, sharpness
        )
        note = "" if sharpness == 1 else f", divided by {sharpness:g} for gelu"
        reason = _reason(
            (*path, "adds"), f"adds {neuron.adds}{note}", neuron.source
        )
        cells = {column[lane]: x / sharpness for lane, x in neuron.adds.terms}
        sheet.write_row(f"{at}.c_proj.w", j, cells, reason)
    path = (*mlp_path(layer, block), "adds")
    reason = _reason(path, f"adds {mlp.adds} everywhere", mlp.source)
    for lane, amount in mlp.adds.terms:
        sheet.write(f"{at}.c_proj.b", 0, column[lane], amount, reason)


def _reason(path: tuple[str, ...], text: str, source: Source) -> Reason:
    return Reason(" > ".join(path), text, str(source))
