"""The compiler: from rules to the matrices of a GPT-2, with the reason of every cell.

    embedding   slot tables            -> wte [n_vocab, n_embd], wpe [n_ctx, n_embd]
    head        query, key, value      -> columns of attn.c_attn.w [n_embd, 3 n_embd], constants
                to its bias
                output                 -> rows of attn.c_proj.w [n_embd, n_embd], constants to
                                       its bias
    neuron      when                   -> a column of mlp.c_fc.w [n_embd, n_inner]
                adds                   -> a row of mlp.c_proj.w [n_inner, n_embd]

Each matrix is filled cell by cell through one door, `Sheet.write`, which also records the rule:
that is the provenance. Rules of this file: pure, no input or output; arithmetic is float64 and
rounded once, at the end.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from handcraft.core.errors import ProgramError, printable
from handcraft.core.frozen import Source
from handcraft.core.gpt2 import Array, Weights
from handcraft.core.provenance import Entry, Reason
from handcraft.core.weights import nest
from handcraft.language.affine import Affine, Lane, Map
from handcraft.language.rules import MLP, Block, Head
from handcraft.language.slots import ONE_HOT
from handcraft.program.check_lanes import head_path, mlp_path, neuron_path
from handcraft.program.layout import Layout
from handcraft.program.program import Program


@dataclass
class Sheet:
    """The matrices while they are filled, and the entries that filled them."""

    arrays: dict[str, Array]
    entries: list[Entry] = field(default_factory=list)

    def write(
        self, matrix: str, row: int, column: int, value: float, reason: Reason
    ) -> None:
        """Add a value to a cell, and remember why."""
        array = self.arrays[matrix]
        index = (row, column) if array.ndim == 2 else (column,)
        array[index] += value
        self.entries.append(Entry(matrix, row, column, value, reason))

    def write_affine(
        self,
        matrix: str,
        affine: Affine,
        rows: dict[Lane, int],
        column: int,
        reason: Reason,
        factor: float = 1.0,
    ) -> None:
        """An expression as a column: its coefficients into the matrix, its constant into the
        bias beside it.
        """
        for lane, value in affine.terms:
            self.write(f"{matrix}.w", rows[lane], column, value * factor, reason)
        if affine.constant:
            self.write(f"{matrix}.b", 0, column, affine.constant * factor, reason)


@dataclass(frozen=True)
class Compiled:
    """The weights of a program in picoGPT's format, the entries that make them up, and the
    layout.
    """

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
            found |= _pair(f"blocks.{i}.attn.c_attn", n, 3 * n) | _pair(
                f"blocks.{i}.attn.c_proj", n, n
            )
        if block.mlp is not None:
            inner = max(
                1, len(block.mlp.neurons)
            )  # an MLP of constants has one neuron that never fires
            found |= _pair(f"blocks.{i}.mlp.c_fc", n, inner) | _pair(
                f"blocks.{i}.mlp.c_proj", inner, n
            )
    return found


def _pair(name: str, n_in: int, n_out: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.w": (n_in, n_out), f"{name}.b": (n_out,)}


def compile_program(program: Program, dtype: str = "float32") -> Compiled:
    """The weights and their provenance. Raises ProgramError where a weight is past the range of
    the dtype.
    """
    sheet, layout = (
        Sheet({name: np.zeros(shape) for name, shape in shapes(program).items()}),
        program.layout,
    )
    _compile_embedding(sheet, program, layout)
    for i, block in enumerate(program.layers):
        for h, head in enumerate(block.heads):
            _compile_head(
                sheet,
                f"blocks.{i}.attn",
                head,
                h,
                layout,
                layout.heads[i][h],
                head_path(i, block, h),
            )
        if block.mlp is not None:
            _compile_mlp(sheet, i, block, block.mlp, layout, program.activation)
    arrays = {
        name: _cast(name, array, dtype, sheet, program)
        for name, array in sheet.arrays.items()
    }
    return Compiled(nest(arrays, len(program.layers)), tuple(sheet.entries), layout)


def _cast(name: str, array: Array, dtype: str, sheet: Sheet, program: Program) -> Array:
    with np.errstate(over="ignore"):
        cast = array.astype(dtype)
    if not np.isfinite(cast).all():
        entry = max(
            (e for e in sheet.entries if e.matrix == name), key=lambda e: abs(e.value)
        )
        message = f"writes {entry.value:g} into {name}, past the range of {dtype}"
        raise ProgramError(
            message,
            (program.name, *entry.reason.rule.split(" > ")),
            entry.reason.source,
        )
    return cast


# ---------------------------------------------------------------- embeddings


def _compile_embedding(sheet: Sheet, program: Program, layout: Layout) -> None:
    ids = {token: i for i, token in enumerate(program.vocabulary)}
    for i, slot in enumerate(program.embedding):
        rule = f"embedding[{i}]"
        for table, matrix, what in (
            (slot.tokens, "wte", "token"),
            (slot.positions, "wpe", "position"),
        ):
            text = (
                f"{slot.name} is one-hot: which {what} is here"
                if table == ONE_HOT
                else f"{slot.name} is a table of the {what}"
            )
            reason = Reason(rule, printable(text), str(slot.source))
            cells: Iterable[tuple[Any, Lane, float]] = (
                slot.token_cells() if matrix == "wte" else slot.position_cells()
            )
            for key, lane, value in cells:
                sheet.write(
                    matrix, ids.get(key, key), layout.column[lane], value, reason
                )


# ---------------------------------------------------------------- attention


def _compile_head(
    sheet: Sheet,
    at: str,
    head: Head,
    h: int,
    layout: Layout,
    places: Any,
    path: tuple[str, ...],
) -> None:
    # the head's first column in each third of c_attn, and its first row in c_proj
    first = h * layout.d_head
    folded = head.scores == "exact"
    parts = (
        ("query", head.query, places.match),
        ("key", head.key, places.match),
        ("value", head.value, places.value),
    )
    for third, (part, rows, columns) in enumerate(parts):
        factor, note = (
            (math.sqrt(layout.d_head), ", times sqrt(d_head)")
            if folded and part == "query"
            else (1.0, "")
        )
        for lane, affine in rows.rows:
            reason = _reason(
                (*path, part),
                f"{part} {printable(str(lane))} = {affine}{note}",
                head.source,
            )
            column = third * layout.n_embd + first + columns[lane]
            sheet.write_affine(
                f"{at}.c_attn", affine, layout.column, column, reason, factor
            )
    rows_of = {lane: first + index for lane, index in places.value.items()}
    _write_output(
        sheet,
        f"{at}.c_proj",
        head.output,
        rows_of,
        layout,
        (*path, "output"),
        head.source,
    )


def _write_output(
    sheet: Sheet,
    matrix: str,
    output: Map,
    rows: dict[Lane, int],
    layout: Layout,
    path: tuple[str, ...],
    source: Source,
) -> None:
    for lane, affine in output.rows:
        reason = _reason(path, f"{printable(str(lane))} += {affine}", source)
        sheet.write_affine(matrix, affine, rows, layout.column[lane], reason)


# ---------------------------------------------------------------- neurons


def _compile_mlp(
    sheet: Sheet, layer: int, block: Block, mlp: MLP, layout: Layout, activation: str
) -> None:
    at = f"blocks.{layer}.mlp"
    for j, neuron in enumerate(mlp.neurons):
        path = neuron_path(layer, block, j)
        sharpness = neuron.sharpness if activation == "gelu" else 1.0
        note = "" if sharpness == 1 else f", times {sharpness:g} for gelu"
        reason = _reason((*path, "when"), f"when {neuron.when}{note}", neuron.source)
        sheet.write_affine(
            f"{at}.c_fc", neuron.when, layout.column, j, reason, sharpness
        )
        note = "" if sharpness == 1 else f", divided by {sharpness:g} for gelu"
        reason = _reason((*path, "adds"), f"adds {neuron.adds}{note}", neuron.source)
        for lane, amount in neuron.adds.terms:
            sheet.write(
                f"{at}.c_proj.w", j, layout.column[lane], amount / sharpness, reason
            )
    reason = _reason(
        (*mlp_path(layer, block), "adds"), f"adds {mlp.adds} everywhere", mlp.source
    )
    for lane, amount in mlp.adds.terms:
        sheet.write(f"{at}.c_proj.b", 0, layout.column[lane], amount, reason)


def _reason(path: tuple[str, ...], text: str, source: Source) -> Reason:
    return Reason(" > ".join(path), text, str(source))
