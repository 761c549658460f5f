"""Builds what a page knows of its models: a header that is JSON, and the bytes of the weights.

    header     {"models": [...]}, each with its sizes, tokens, lanes, slots, heads, claim, verdict,
               and `rules`: path, text and source of each rule, once
    bytes      of each model in turn, as parts/unpack.js reads them:
               entries of rules   values (every different one, float64), then for each run of
                                  entries of one rule in one matrix: rule, matrix, how many; then
                                  rows, columns, and for each the number of its value
               dense              all matrices as float32, where the rules are not all that there
                                  is: weights without rules, or changed after they were compiled

A matrix of a program is the sum of its entries, in their order, rounded to float32 once: the page
adds them up again, so a rule can be switched off. A bias is a matrix of one row.

Rules of this file: data alone; the page names parts, rows and columns itself, as
handcraft.analysis.explain does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from handcraft.core.errors import WeightsError
from handcraft.core.gpt2 import Array
from handcraft.core.provenance import Entry, Reason
from handcraft.core.vocabulary import Vocabulary
from handcraft.core.weights import flatten
from handcraft.model import Model
from handcraft.viewer.accepted import accepted
from handcraft.viewer.byte_pairs import byte_pairs
from handcraft.viewer.packing import deltas, packed, planes, varints

_NUMBER = re.compile("[0-9]+")
_DIGITS = 9  # of a number in a path
MOST_IN_PAGE = 2**24  # of a model: a browser takes long to open more

_ROUNDED = 2**53  # whole numbers from here on


@dataclass(frozen=True)
class Viewed:
    """A model as it is shown.

    docs     the paragraphs that say what it does
    verdict  what was found of its claim, as `handcraft verify --json` says it; None where
             nobody asked
    """

    model: Model
    docs: tuple[str, ...] = ()
    verdict: Mapping[str, Any] | None = None


def payload(views: Sequence[Viewed]) -> str:
    """The models as one text: base64 of what is deflated.

    Raises WeightsError for a model that is not float32, or too large.
    """
    headers = []
    blob = b""
    for one in views:
        header, part = _model(one)
        headers.append(header)
        blob += part
    return packed({"models": headers}, blob)


def _model(view: Viewed) -> tuple[dict[str, Any], bytes]:
    model = view.model
    if model.dtype != "float32":
        raise WeightsError(
            f"a page computes in float32, and {model.name} is a model in"
            f" {model.dtype}; build it in float32"
        )
    arrays = {
        name: np.atleast_2d(array)
        for name, array in flatten(model.weights).items()
    }
    _check_size(model, sum(array.size for array in arrays.values()))
    reasons = list(dict.fromkeys(entry.reason for entry in model.entries))
    ruled = _ruled(model.entries, arrays)
    dense = not all(
        np.array_equal(ruled[name], array) for name, array in arrays.items()
    )
    header = {
        **_named(view),
        **_sized(model, arrays),
        "rules": _rules(reasons),
        "entries": len(model.entries),
        "dense": dense,
    }
    blob = _entries(model.entries, reasons, list(arrays))
    if dense:
        values = np.concatenate([array.ravel() for array in arrays.values()])
        blob += planes(values)
    return header, blob


def _check_size(model: Model, size: int) -> None:
    if size > MOST_IN_PAGE:
        raise WeightsError(
            f"{model.name} has {size:,} weights, and a page holds at most"
            f" {MOST_IN_PAGE:,}; `handcraft trace` and `handcraft explain` show parts of it"
        )


def _named(view: Viewed) -> dict[str, Any]:
    """What has a name: the model, its tokens, lanes, slots and heads, its claim and verdict."""
    model = view.model
    verdict = None if view.verdict is None else _exact(view.verdict)
    return {
        "name": model.name,
        "about": model.about,
        "docs": [*view.docs],
        "tokens": [*model.vocabulary.tokens],
        "texts": _texts(model.vocabulary),
        "lanes": [*model.names.stream],
        "slots": list(_slots(model)),
        "heads": [
            [[[*match], [*value]] for match, value in heads]
            for heads in model.names.heads
        ],
        "claim": accepted(model),
        "verdict": verdict,
    }


def _exact(verdict: Mapping[str, Any]) -> dict[str, Any]:
    """A verdict in which whole numbers that JavaScript would round are texts."""
    return {
        name: str(value)
        if isinstance(value, int) and abs(value) >= _ROUNDED
        else value
        for name, value in verdict.items()
    }


def _sized(model: Model, arrays: Mapping[str, Array]) -> dict[str, Any]:
    return {
        "nHead": model.n_head,
        "activation": model.activation,
        "causal": model.causal,
        "epsilon": model.epsilon,
        "matrices": [[name, *array.shape] for name, array in arrays.items()],
    }


def _texts(vocabulary: Vocabulary) -> dict[str, Any]:
    """How a text is cut into tokens.

    longest    by the longest of the first `known` tokens that matches
    ids        it is numbers between white space
    bytes      by GPT-2's byte pairs (byte_pairs.py)
    list       it is written as a JSON list of tokens: the page has no tokenizer
    """
    if vocabulary.plain:
        return {"cut": "longest", "known": len(vocabulary.in_texts)}
    tokenizer = getattr(vocabulary, "tokenizer", None)
    if tokenizer is None:
        return {"cut": "ids"}
    pairs = byte_pairs(tokenizer)
    return {"cut": "list"} if pairs is None else {"cut": "bytes", **pairs}


def _slots(model: Model) -> Iterator[tuple[str, int, int]]:
    """The name, the first column and the size of each slot."""
    if model.program is None:
        yield "x", 0, model.n_embd
        return
    column = model.program.layout.column
    for slot in model.program.embedding:
        yield slot.name, column[slot.lanes[0]], len(slot.lanes)


def _rules(reasons: Sequence[Reason]) -> dict[str, list[Any]]:
    """The rules by column, since what is alike packs well side by side."""
    return {
        **_counted([reason.rule for reason in reasons]),
        "text": [reason.text for reason in reasons],
        "source": [reason.source for reason in reasons],
    }


def _counted(paths: Sequence[str]) -> dict[str, list[Any]]:
    """Paths with 0 for each number in them, and in `steps` how far each number is from that at its
    place in the path before: neurons are counted up. Paths with a number that is not written as
    Python writes it are left as they are, without `steps`.
    """
    steps: list[int] = []
    before: list[int] = []
    for path in paths:
        found = _NUMBER.findall(path)
        if any(len(n) > _DIGITS or n != str(int(n)) for n in found):
            return {"path": [*paths]}
        numbers = [int(n) for n in found]
        known = [*before, *[0] * len(numbers)]
        steps += [n - b for n, b in zip(numbers, known, strict=False)]
        before = numbers
    return {"path": [_NUMBER.sub("0", path) for path in paths], "steps": steps}


def _ruled(
    entries: Iterable[Entry], arrays: Mapping[str, Array]
) -> dict[str, Array]:
    """The matrices that the entries sum to, in float64, rounded once."""
    sums = {name: np.zeros(array.shape) for name, array in arrays.items()}
    for entry in entries:
        sums[entry.matrix][entry.row, entry.column] += entry.value
    return {name: array.astype(np.float32) for name, array in sums.items()}


def _entries(
    entries: Sequence[Entry], reasons: Sequence[Reason], names: Sequence[str]
) -> bytes:
    """The entries in their order, as runs of one rule in one matrix."""
    rule = {reason: i for i, reason in enumerate(reasons)}
    matrix = {name: i for i, name in enumerate(names)}
    runs = [
        (rule[reason], matrix[name], len(list(run)))
        for (reason, name), run in groupby(
            entries, lambda entry: (entry.reason, entry.matrix)
        )
    ]
    values = list(dict.fromkeys(entry.value for entry in entries))
    number = {value: i for i, value in enumerate(values)}
    return b"".join(
        [
            varints([len(values), len(runs)]),
            planes(np.array(values, np.float64)),
            deltas(run[0] for run in runs),
            deltas(run[1] for run in runs),
            varints(run[2] for run in runs),
            varints(entry.row for entry in entries),
            deltas(entry.column for entry in entries),
            varints(number[entry.value] for entry in entries),
        ]
    )
