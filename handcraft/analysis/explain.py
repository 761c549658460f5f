"""Builds the explanation of a model: its matrices with names on both sides, and the rule behind
every cell.

A model is explained in parts, each of which is a labelled table:

    wte, wpe                  tokens and positions x stream lanes
    0.h1.q, 0.h1.k, 0.h1.v    stream lanes x the head's lanes: columns of blocks.0.attn.c_attn
    0.h1.o                    the head's value lanes x stream lanes: rows of blocks.0.attn.c_proj
    0.mlp.c_fc, 0.mlp.c_proj  stream lanes x neurons, neurons x stream lanes
    0.h1.qk, 0.h1.ov          the circuits, products of the above; shown when asked for

The bias is the last row, called 1. A part is named by any beginning (`0`, `0.h1`) or by GPT-2's
own name (`0.c_attn`, `0.c_proj`, `0.attn`).

Rules of this file: labelled tables as data; nothing is printed or drawn. Only the parts that are
asked for are made; of weights that no rule wrote, as those of a real GPT-2, at most so many cells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from handcraft.analysis.circuits import ov_circuit, qk_circuit
from handcraft.core.errors import ProgramError, hint, listing
from handcraft.core.gpt2 import Array
from handcraft.core.provenance import Entry, Reason
from handcraft.core.weights import flatten
from handcraft.model import Model

BIAS = "1"  # the name of the row that holds a bias
MOST_CELLS = (
    2**16
)  # of weights that no rule wrote: a head of a real GPT-2 has 2**16 at most
UNRULED = Reason("", "no rule wrote this", "")
_PARTS = {"q": "query", "k": "key", "v": "value"}
_LETTERS = {"query": "q", "key": "k", "value": "v", "output": "o"}


@dataclass(frozen=True)
class Cell:
    """One non-zero weight: the part it stands in, the lanes it joins, the rule that wrote it."""

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
    """A labelled table. `part` is its name, `also` the names of GPT-2's matrices around it."""

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
        reasons = (
            Reason(cell.rule, cell.text, cell.source) for cell in self.cells
        )
        return tuple(dict.fromkeys(reasons))


@dataclass(frozen=True)
class Explanation:
    """The parts that were asked for, as tables."""

    views: tuple[MatrixTable, ...]

    @property
    def cells(self) -> list[Cell]:
        """Every non-zero cell of the views, once."""
        return list(
            dict.fromkeys(cell for view in self.views for cell in view.cells)
        )

    def to_json(self) -> dict[str, Any]:
        """The cells as plain data."""
        return {"cells": [vars(cell) for cell in self.cells]}


@dataclass(frozen=True)
class _Plan:
    """A table before it is made: its names, its size, and the function that makes it."""

    part: str
    size: int  # rows times columns
    make: Callable[[], MatrixTable]
    also: tuple[str, ...] = ()
    on_request: bool = False


def explain(
    model: Model, part: str | None = None, most: int = MOST_CELLS
) -> Explanation:
    """The tables of all matrices of a model, or of the part that is named. Raises ProgramError,
    with the nearest name, for a part that does not exist, and for more than `most` cells that no
    rule wrote.
    """
    views = list(_Views(model))
    shown = [view for view in views if not view.on_request]
    found = shown if part is None else _asked(model, part, views)
    size = sum(view.size for view in found)
    if model.program is None and size > most:
        small = [view.part for view in views if view.size <= most]
        raise ProgramError(
            f"{part or 'the model'} has {size} cells, and of weights without rules at"
            f" most {most} are listed; its smaller parts are {listing(small)}",
            (model.name,),
        )
    return Explanation(tuple(view.make() for view in found))


def _asked(model: Model, part: str, views: Sequence[_Plan]) -> list[_Plan]:
    """The parts of this name. Raises ProgramError, with the nearest name, where there are none."""
    shown = [view for view in views if not view.on_request]
    found = [view for view in views if view.part == part] or [
        view
        for view in shown
        if part in view.also or view.part.startswith(f"{part}.")
    ]
    if not found:
        names = [view.part for view in views]
        names += [name for view in views for name in view.also]
        known = list(dict.fromkeys(names))
        raise ProgramError(
            f"has no part {part!r}{_lacking(model, part)}; its parts are"
            f" {listing(known)}{_nearest(part, known)}",
            (model.name,),
        )
    return found


def _lacking(model: Model, part: str) -> str:
    """The reason why a layer has no such part, where it has no MLP."""
    layer, _, name = part.partition(".")
    bare = [
        str(i)
        for i, block in enumerate(model.weights["blocks"])
        if "mlp" not in block
    ]
    asked = name.startswith("mlp") and layer in bare
    return f", since layer {layer} has no MLP" if asked else ""


def _nearest(part: str, known: Sequence[str]) -> str:
    """The hint at a similar name, or at the first head's `q` where `query` is asked for."""
    letter = _LETTERS.get(part)
    same = [name for name in known if name.endswith(f".{letter}")]
    return hint(same[0], same) if same else hint(part, known)


@dataclass(frozen=True)
class _Region:
    """Part of a matrix [rows, columns] by index, each index with its name."""

    matrix: str
    rows: Sequence[tuple[int, str]]
    columns: Sequence[tuple[int, str]]


def _named(
    names: Sequence[str], first: int, used: Array
) -> list[tuple[int, str]]:
    """The columns from `first` on that have a name; one without a name that holds weights is called
    by its number.
    """
    return [
        (first + j, name or f"x{first + j}")
        for j, name in enumerate(names)
        if name or used[first + j]
    ]


@dataclass
class _Views:
    model: Model
    entries: dict[tuple[str, int, int], list[Entry]] = field(
        default_factory=dict
    )

    def __post_init__(self) -> None:
        self.arrays = {
            name: np.atleast_2d(array)
            for name, array in flatten(self.model.weights).items()
        }
        self.stream = list(enumerate(self.model.names.stream))
        for entry in self.model.entries:
            place = (entry.matrix, entry.row, entry.column)
            self.entries.setdefault(place, []).append(entry)

    def __iter__(self) -> Iterator[_Plan]:
        tokens = self.region("wte", self.model.vocabulary.tokens)
        positions = self.region("wpe", map(str, range(self.model.n_ctx)))
        yield self.view("wte", "what each token writes", [tokens])
        yield self.view("wpe", "what each position writes", [positions])
        for i, block in enumerate(self.model.weights["blocks"]):
            yield from self.norms(f"blocks.{i}.ln_1", f"{i}.ln_1", block)
            yield from self.attention(i) if "attn" in block else ()
            yield from self.norms(f"blocks.{i}.ln_2", f"{i}.ln_2", block)
            yield from self.mlp(i) if "mlp" in block else ()
        yield from self.norms("ln_f", "ln_f", self.model.weights)
        if "lm_head" in self.arrays:
            rows = self.region("lm_head", self.model.vocabulary.tokens)
            yield self.view("lm_head", "what each token's logit reads", [rows])

    def region(self, matrix: str, rows: Iterable[str]) -> _Region:
        return _Region(matrix, list(enumerate(rows)), self.stream)

    def norms(self, matrix: str, part: str, parent: Any) -> Iterator[_Plan]:
        if matrix.rpartition(".")[2] in parent:
            regions = [
                _Region(f"{matrix}.{key}", [(0, key)], self.stream)
                for key in "gb"
            ]
            yield self.view(part, "layer norm: gain and bias", regions)

    def attention(self, i: int) -> Iterator[_Plan]:
        n_head = self.model.n_head
        d_head = self.model.n_embd // n_head
        heads = self.model.names.heads[i]
        padding = ([""] * d_head, [""] * d_head)  # a head that no rule wrote
        for h in range(n_head):
            match, value = heads[h] if h < len(heads) else padding
            for key, names in zip("qkv", (match, match, value), strict=True):
                yield from self.head_reads(i, h, key, names)
            yield from self.head_writes(i, h, value)
            yield from self.circuits(i, h)
        if n_head > 1:
            at = f"blocks.{i}.attn.c_proj.b"
            regions = [_Region(at, [(0, BIAS)], self.stream)]
            title = f"output constants of all heads: {at}"
            also = (f"{i}.c_proj", f"{i}.attn")
            yield self.view(f"{i}.c_proj.b", title, regions, also)

    def head_reads(
        self, i: int, h: int, key: str, names: Sequence[str]
    ) -> Iterator[_Plan]:
        """The columns of c_attn that are a head's query, key or value."""
        at = f"blocks.{i}.attn.c_attn"
        n_embd = self.model.n_embd
        first = "qkv".index(key) * n_embd + h * (n_embd // self.model.n_head)
        weighted = (self.arrays[f"{at}.w"] != 0).any(axis=0)  # [3 n_embd]
        used = weighted | (self.arrays[f"{at}.b"][0] != 0)  # [3 n_embd]
        columns = _named(names, first, used)
        regions = [
            _Region(f"{at}.w", self.stream, columns),
            _Region(f"{at}.b", [(0, BIAS)], columns),
        ]
        title = f"{_PARTS[key]} of head {i}.h{h}: columns of {at}"
        if columns:
            also = (f"{i}.c_attn", f"{i}.attn")
            yield self.view(f"{i}.h{h}.{key}", title, regions, also)

    def head_writes(
        self, i: int, h: int, names: Sequence[str]
    ) -> Iterator[_Plan]:
        """The rows of c_proj that are a head's output; with a single head the bias as well."""
        at = f"blocks.{i}.attn.c_proj"
        n_head = self.model.n_head
        used = (self.arrays[f"{at}.w"] != 0).any(axis=1)  # [n_embd]
        rows = _named(names, h * (self.model.n_embd // n_head), used)
        regions = [_Region(f"{at}.w", rows, self.stream)]
        if n_head == 1:
            regions.append(_Region(f"{at}.b", [(0, BIAS)], self.stream))
        title = f"output of head {i}.h{h}: rows of {at}"
        if rows:
            also = (f"{i}.c_proj", f"{i}.attn")
            yield self.view(f"{i}.h{h}.o", title, regions, also)

    def circuits(self, i: int, h: int) -> Iterator[_Plan]:
        weights = self.model.weights
        n_head = self.model.n_head
        stream = [name for _, name in self.stream]
        rows = [*stream, BIAS]
        kinds = (
            ("qk", "query lane x key lane -> score", rows, qk_circuit),
            ("ov", "lane attended to -> lane written", stream, ov_circuit),
        )
        for kind, what, columns, product in kinds:
            part = f"{i}.h{h}.{kind}"
            make = partial(self.circuit, part, what, rows, columns)
            values = partial(product, weights, i, h, n_head)
            size = len(rows) * len(columns)
            yield _Plan(part, size, partial(make, values), on_request=True)

    def circuit(
        self,
        part: str,
        what: str,
        rows: Sequence[str],
        columns: Sequence[str],
        product: Callable[[], Array],
    ) -> MatrixTable:
        """A product of two matrices: its cells come from the rules of both."""
        values = product()
        layer, head, kind = part.split(".")
        factors = "qk" if kind == "qk" else "vo"
        text = "W_Q W_K^T / sqrt(d_head)" if kind == "qk" else "W_V W_O"
        i = int(layer)
        h = int(head[1:])
        rules = [rule for key in factors for rule in self.rules(i, h, key)]
        rule = _joined(rules, "rule")
        source = _joined(rules, "source")
        cells = []
        for r, c in np.argwhere(values):
            value = float(values[r, c])
            cells.append(
                Cell(part, part, rows[r], columns[c], value, rule, text, source)
            )
        title = f"{kind.upper()} circuit of head {layer}.{head}: {what}"
        return MatrixTable(
            part, title, rows, columns, values, tuple(cells), on_request=True
        )

    def rules(self, layer: int, head: int, key: str) -> Iterator[Reason]:
        """The rules behind the query, key, value or output of a head."""
        d_head = self.model.n_embd // self.model.n_head
        n_embd = self.model.n_embd
        first = head * d_head + (
            "qkv".index(key) * n_embd if key in "qkv" else 0
        )
        name = f"blocks.{layer}.attn.c_{'attn' if key in 'qkv' else 'proj'}.w"
        for (matrix, row, column), entries in self.entries.items():
            index = row if key == "o" else column
            if matrix == name and first <= index < first + d_head:
                yield from (entry.reason for entry in entries)

    def mlp(self, i: int) -> Iterator[_Plan]:
        at = f"blocks.{i}.mlp"
        neurons = [
            (j, f"n{j}") for j in range(self.arrays[f"{at}.c_fc.w"].shape[1])
        ]
        regions = [
            _Region(f"{at}.c_fc.w", self.stream, neurons),
            _Region(f"{at}.c_fc.b", [(0, BIAS)], neurons),
        ]
        yield self.view(
            f"{i}.mlp.c_fc", f"when each neuron fires: {at}.c_fc", regions
        )
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
    ) -> _Plan:
        size = sum(len(area.rows) * len(area.columns) for area in regions)
        make = partial(self.table, part, title, regions, also)
        return _Plan(part, size, make, also)

    def table(
        self,
        part: str,
        title: str,
        regions: Sequence[_Region],
        also: tuple[str, ...],
    ) -> MatrixTable:
        kept = [
            regions[0]
        ]  # and of the others, the biases, those that hold something
        kept += [region for region in regions[1:] if self.values(region).any()]
        columns = [name for _, name in regions[0].columns]
        rows = [name for region in kept for _, name in region.rows]
        values = np.vstack([self.values(region) for region in kept])
        cells = tuple(
            cell for region in kept for cell in self.cells(part, region)
        )
        return MatrixTable(part, title, rows, columns, values, cells, also)

    def values(self, region: _Region) -> Array:  # -> [n_rows, n_columns]
        rows = [row for row, _ in region.rows]
        columns = [column for column, _ in region.columns]
        return np.asarray(self.arrays[region.matrix][np.ix_(rows, columns)])

    def cells(self, part: str, region: _Region) -> Iterator[Cell]:
        array = self.arrays[region.matrix]
        for row, row_name in region.rows:
            for column, column_name in region.columns:
                if value := float(array[row, column]):
                    place = (part, region.matrix, row_name, column_name)
                    reason = self.reason(region.matrix, row, column)
                    yield Cell(
                        *place, value, reason.rule, reason.text, reason.source
                    )

    def reason(self, matrix: str, row: int, column: int) -> Reason:
        """The rule of a cell; where several added to it, all of them."""
        entries = self.entries.get((matrix, row, column), ())
        reasons = [entry.reason for entry in entries]
        if len(reasons) < 2:
            return reasons[0] if reasons else UNRULED
        return Reason(
            *(_joined(reasons, key) for key in ("rule", "text", "source"))
        )


def _joined(reasons: Iterable[Reason], key: str) -> str:
    """One field of several reasons, each value once."""
    return "; ".join(dict.fromkeys(getattr(reason, key) for reason in reasons))
