"""Explanation: the matrices of a model with names on both sides, and the rule behind every cell.

A model is shown as views, each the part of a matrix that one reader's question is about:

    wte, wpe              tokens and positions x stream lanes
    0.h1.q  0.h1.k  0.h1.v  stream lanes x the head's lanes         columns of blocks.0.attn.c_attn
    0.h1.o                the head's value lanes x stream lanes     rows of blocks.0.attn.c_proj
    0.mlp.c_fc  0.mlp.c_proj                                        neurons
    0.h1.qk  0.h1.ov      the circuits, products of the above; shown when asked for

The bias stands in a last row called 1. A part is asked for by any beginning (`0`, `0.h1`) or by
GPT-2's own name (`0.c_attn`, `0.c_proj`, `0.attn`). Rules of this file: labelled tables as
data; nothing is printed or drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from handcraft.analysis.circuits import ov_circuit, qk_circuit
from handcraft.core.errors import ProgramError, hint, listing
from handcraft.core.gpt2 import Array
from handcraft.core.provenance import Entry, Reason
from handcraft.core.weights import flatten
from handcraft.model import Model

BIAS = "1"  # the name of the row that holds a bias
UNRULED = Reason("", "no rule wrote this", "")
_PARTS = {"q": "query", "k": "key", "v": "value"}


@dataclass(frozen=True)
class Cell:
    """One non-zero weight, the lanes it joins, and the rule that put it there. `part` is the
    view it belongs to.
    """

    part: str
    matrix: str
    row: str
    column: str
    value: float
    rule: str
    text: str
    source: str


@dataclass(frozen=True)
class MatrixTable:
    """A labelled table. `part` is the name it is asked for by, `also` are GPT-2's names that
    include it.
    """

    part: str
    title: str
    rows: Sequence[str]
    columns: Sequence[str]
    values: Array  # [n_rows, n_columns]
    cells: tuple[Cell, ...] = ()
    also: tuple[str, ...] = ()
    on_request: bool = False

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """The rules behind its cells, each once, in the order of the cells."""
        return tuple(
            dict.fromkeys(
                Reason(cell.rule, cell.text, cell.source) for cell in self.cells
            )
        )


@dataclass(frozen=True)
class Explanation:
    """The views that were asked for."""

    views: tuple[MatrixTable, ...]

    @property
    def cells(self) -> list[Cell]:
        """Every non-zero cell of the views, once."""
        return list(dict.fromkeys(cell for view in self.views for cell in view.cells))

    def to_json(self) -> dict[str, Any]:
        """The cells as plain data."""
        return {"cells": [vars(cell) for cell in self.cells]}


def explain(model: Model, part: str | None = None) -> Explanation:
    """The matrices of a model, or the part that is named. Raises ProgramError with the nearest
    name.
    """
    views = list(_Views(model))
    if part is None:
        return Explanation(tuple(view for view in views if not view.on_request))
    found = [view for view in views if view.part == part]
    found = found or [
        view
        for view in views
        if not view.on_request
        and (part in view.also or view.part.startswith(f"{part}."))
    ]
    if not found:
        names = [view.part for view in views] + [
            name for view in views for name in view.also
        ]
        known = list(dict.fromkeys(names))
        raise ProgramError(
            f"has no part {part!r}; its parts are {listing(known)}" + hint(part, known),
            (model.name,),
        )
    return Explanation(tuple(found))


@dataclass(frozen=True)
class _Region:
    """Part of a matrix [rows, columns] by index, each index with its name."""

    matrix: str
    rows: Sequence[tuple[int, str]]
    columns: Sequence[tuple[int, str]]


def _named(names: Sequence[str], first: int, used: Array) -> list[tuple[int, str]]:
    """The columns from the first on that have a name; one without that holds weights all the
    same is called by its number.
    """
    return [
        (first + j, name or f"x{first + j}")
        for j, name in enumerate(names)
        if name or used[first + j]
    ]


@dataclass
class _Views:
    model: Model
    entries: dict[tuple[str, int, int], list[Entry]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.arrays = {
            name: np.atleast_2d(array)
            for name, array in flatten(self.model.weights).items()
        }
        self.stream = list(enumerate(self.model.names.stream))
        for entry in self.model.entries:
            self.entries.setdefault((entry.matrix, entry.row, entry.column), []).append(
                entry
            )

    def __iter__(self) -> Iterator[MatrixTable]:
        yield self.view(
            "wte",
            "what each token writes",
            [self.region("wte", self.model.vocabulary.tokens)],
        )
        yield self.view(
            "wpe",
            "what each position writes",
            [self.region("wpe", map(str, range(self.model.n_ctx)))],
        )
        for i, block in enumerate(self.model.weights["blocks"]):
            yield from self.norms(f"blocks.{i}.ln_1", f"{i}.ln_1", block)
            yield from self.attention(i) if "attn" in block else ()
            yield from self.norms(f"blocks.{i}.ln_2", f"{i}.ln_2", block)
            yield from self.mlp(i) if "mlp" in block else ()
        yield from self.norms("ln_f", "ln_f", self.model.weights)

    def region(self, matrix: str, rows: Iterable[str]) -> _Region:
        return _Region(matrix, list(enumerate(rows)), self.stream)

    def norms(self, matrix: str, part: str, parent: Any) -> Iterator[MatrixTable]:
        if matrix.rpartition(".")[2] in parent:
            regions = [
                _Region(f"{matrix}.{key}", [(0, key)], self.stream) for key in "gb"
            ]
            yield self.view(part, "layer norm: gain and bias", regions)

    def attention(self, i: int) -> Iterator[MatrixTable]:
        n_head, at = self.model.n_head, f"blocks.{i}.attn"
        d_head = self.model.n_embd // n_head
        heads = self.model.names.heads[i]
        for h in range(n_head):
            match, value = (
                heads[h] if h < len(heads) else ([""] * d_head, [""] * d_head)
            )
            for third, (key, names) in enumerate(
                zip("qkv", (match, match, value), strict=True)
            ):
                first = third * self.model.n_embd + h * d_head
                used = (self.arrays[f"{at}.c_attn.w"] != 0).any(axis=0) | (
                    self.arrays[f"{at}.c_attn.b"][0] != 0
                )
                columns = _named(names, first, used)
                regions = [
                    _Region(f"{at}.c_attn.w", self.stream, columns),
                    _Region(f"{at}.c_attn.b", [(0, BIAS)], columns),
                ]
                title = f"{_PARTS[key]} of head {i}.h{h}: columns of {at}.c_attn"
                if columns:
                    yield self.view(
                        f"{i}.h{h}.{key}", title, regions, (f"{i}.c_attn", f"{i}.attn")
                    )
            rows = _named(
                value, h * d_head, (self.arrays[f"{at}.c_proj.w"] != 0).any(axis=1)
            )
            regions = [_Region(f"{at}.c_proj.w", rows, self.stream)]
            regions += (
                [_Region(f"{at}.c_proj.b", [(0, BIAS)], self.stream)]
                if n_head == 1
                else []
            )
            title = f"output of head {i}.h{h}: rows of {at}.c_proj"
            if rows:
                yield self.view(
                    f"{i}.h{h}.o", title, regions, (f"{i}.c_proj", f"{i}.attn")
                )
            yield from self.circuits(i, h)
        if n_head > 1:
            regions = [_Region(f"{at}.c_proj.b", [(0, BIAS)], self.stream)]
            yield self.view(
                f"{i}.c_proj.b",
                f"output constants of all heads: {at}.c_proj.b",
                regions,
                (f"{i}.c_proj", f"{i}.attn"),
            )

    def circuits(self, i: int, h: int) -> Iterator[MatrixTable]:
        stream = [name for _, name in self.stream]
        qk = qk_circuit(self.model.weights, i, h, self.model.n_head)
        yield self.circuit(
            f"{i}.h{h}.qk",
            "asking lane x lane asked about -> score",
            [*stream, BIAS],
            [*stream, BIAS],
            qk,
        )
        ov = ov_circuit(self.model.weights, i, h, self.model.n_head)
        yield self.circuit(
            f"{i}.h{h}.ov",
            "lane attended to -> lane written",
            [*stream, BIAS],
            stream,
            ov,
        )

    def circuit(
        self,
        part: str,
        what: str,
        rows: Sequence[str],
        columns: Sequence[str],
        values: Array,
    ) -> MatrixTable:
        """A product of two matrices: its cells come from the rules of both."""
        layer, head, kind = part.split(".")
        factors, text = (
            ("qk", "W_Q W_K^T / sqrt(d_head)") if kind == "qk" else ("vo", "W_V W_O")
        )
        rules = dict.fromkeys(
            r for key in factors for r in self.rules(int(layer), int(head[1:]), key)
        )
        rule, source = (
            "; ".join(dict.fromkeys(getattr(r, key) for r in rules))
            for key in ("rule", "source")
        )
        cells = (
            Cell(
                part, part, rows[r], columns[c], float(values[r, c]), rule, text, source
            )
            for r, c in np.argwhere(values)
        )
        title = f"{kind.upper()} circuit of head {layer}.{head}: {what}"
        return MatrixTable(
            part, title, rows, columns, values, tuple(cells), on_request=True
        )

    def rules(self, layer: int, head: int, key: str) -> Iterator[Reason]:
        """The rules behind the query, key, value or output of a head."""
        d_head, n_embd = self.model.n_embd // self.model.n_head, self.model.n_embd
        first = head * d_head + ("qkv".index(key) * n_embd if key in "qkv" else 0)
        name = f"blocks.{layer}.attn.c_{'attn' if key in 'qkv' else 'proj'}.w"
        for (matrix, row, column), entries in self.entries.items():
            index = row if key == "o" else column
            if matrix == name and first <= index < first + d_head:
                yield from (entry.reason for entry in entries)

    def mlp(self, i: int) -> Iterator[MatrixTable]:
        at = f"blocks.{i}.mlp"
        neurons = [(j, f"n{j}") for j in range(self.arrays[f"{at}.c_fc.w"].shape[1])]
        regions = [
            _Region(f"{at}.c_fc.w", self.stream, neurons),
            _Region(f"{at}.c_fc.b", [(0, BIAS)], neurons),
        ]
        yield self.view(f"{i}.mlp.c_fc", f"when each neuron fires: {at}.c_fc", regions)
        regions = [
            _Region(f"{at}.c_proj.w", neurons, self.stream),
            _Region(f"{at}.c_proj.b", [(0, BIAS)], self.stream),
        ]
        yield self.view(
            f"{i}.mlp.c_proj", f"what each neuron adds: {at}.c_proj", regions
        )

    def view(
        self,
        part: str,
        title: str,
        regions: Sequence[_Region],
        also: tuple[str, ...] = (),
    ) -> MatrixTable:
        columns = [name for _, name in regions[0].columns]
        values = [
            self.arrays[r.matrix][
                np.ix_([row for row, _ in r.rows], [column for column, _ in r.columns])
            ]
            for r in regions
        ]
        kept = [
            (r, v)
            for i, (r, v) in enumerate(zip(regions, values, strict=True))
            if i == 0 or v.any()
        ]  # no empty bias
        rows = [name for region, _ in kept for _, name in region.rows]
        cells = tuple(cell for region, _ in kept for cell in self.cells(part, region))
        return MatrixTable(
            part, title, rows, columns, np.vstack([v for _, v in kept]), cells, also
        )

    def cells(self, part: str, region: _Region) -> Iterator[Cell]:
        array = self.arrays[region.matrix]
        for row, row_name in region.rows:
            for column, column_name in region.columns:
                if value := float(array[row, column]):
                    reason = self.reason(region.matrix, row, column)
                    yield Cell(
                        part,
                        region.matrix,
                        row_name,
                        column_name,
                        value,
                        reason.rule,
                        reason.text,
                        reason.source,
                    )

    def reason(self, matrix: str, row: int, column: int) -> Reason:
        """The rule of a cell; where several added to it, all of them."""
        reasons = [
            entry.reason for entry in self.entries.get((matrix, row, column), ())
        ]
        if len(reasons) < 2:
            return reasons[0] if reasons else UNRULED
        return Reason(
            *(
                "; ".join(dict.fromkeys(getattr(r, key) for r in reasons))
                for key in ("rule", "text", "source")
            )
        )
