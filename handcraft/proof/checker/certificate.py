"""Certificates as files: JSON, gzipped if the name ends in .gz.

    sections   {finals, end, guesses, order, slots, graph}; graph[k][state] = [group, state
               after it, group, state, ...]
    slots      for each head of a section what it asks: its query, gap and floors
    groups     lists of tokens, named by their number
    earlier    {tokens, after, followed}: the states of earlier positions, if later heads read
               what earlier ones wrote

Rules of this file: the author of a certificate is not trusted. Size and depth are bounded, every
number and list must be of its kind, and anything else is a ProgramError with the file's name.
Whether the certificate is true is not decided here.
"""

from __future__ import annotations

import gzip
import io
import json
import math
import re
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from handcraft.claims.kinds import Claim
from handcraft.core.errors import ProgramError, WeightsError, printable
from handcraft.core.weights import (
    parse_json,
    read_bytes,
    sha256,
    to_safetensors,
)
from handcraft.core.writing import write_atomically
from handcraft.model import Model

_NUMBER = 2
FORMAT = f"handcraft certificate {_NUMBER}"
_MOST_BYTES = 2**26  # bytes of a certificate, unpacked
MOST_LISTS = (
    2**20
)  # of them all; the largest of a bundled program has a fifth of it
MOST_ITEMS = 2**23  # that stand in them
_KEYS = (
    "format",
    "program",
    "weights",
    "claim",
    "dtype",
    "n_ctx",
    "contexts",
    "checked",
    "margin",
    "margin_at",
    "error",
    "assumptions",
    "seconds",
    "alphabet",
    "groups",
    "earlier",
    "sections",
)
CentresAndRadii = tuple[list[float], list[float]]  # centres and radii


@dataclass(frozen=True)
class HeadQuery:
    """The query of one head in a section, or None if keys are told apart by position only;
    and which keys it may leave out.
    """

    name: tuple[int, int]
    query: CentresAndRadii | None
    gap: float
    floor: tuple[float, ...]


@dataclass(frozen=True)
class Section:
    """One graph and the contexts it is meant for: `finals` are the positions and tokens at
    which they end.

    There is no graph if two tokens at a time are compared (pairwise.py).
    """

    finals: tuple[tuple[int, int], ...]
    end: int | None
    guesses: tuple[tuple[int, Any], ...]
    order: tuple[int, ...] | None
    slots: tuple[HeadQuery, ...]
    graph: list[list[list[int]]] | None


@dataclass(frozen=True)
class Certificate:
    """A certificate: the numbers that it states, and its evidence."""

    program: str
    weights: str
    claim: str
    dtype: str
    n_ctx: int
    contexts: int
    checked: int
    margin: float | None
    margin_at: list[str]
    error: float
    assumptions: list[str]
    seconds: float
    alphabet: list[int]
    groups: list[list[int]]
    tokens: list[list[int]]
    after: list[list[list[int]]]
    followed: dict[tuple[int, int], tuple[float, list[list[int]] | None]]
    sections: list[Section]


def weights_hash(model: Model) -> str:
    """Return the SHA-256 of the weights as a safetensors file."""
    return sha256(to_safetensors(model.weights))


def claim_hash(model: Model, alone: Claim | None = None) -> str:
    """Return the SHA-256 of what the claim means: its JSON without source lines, the
    vocabulary, and how the model runs. `alone` is a claim that stands in no program.
    """
    claim = None
    if alone is not None:
        claim = alone.model_dump(mode="json")
    elif model.program:
        claim = model.program.model_dump(mode="json")["claim"]
    runs = [
        model.causal,
        model.activation,
        model.n_head,
        model.dtype,
        model.n_ctx,
    ]
    return sha256(
        json.dumps(
            [_unplaced(claim), list(model.vocabulary.tokens), runs],
            sort_keys=True,
        ).encode()
    )


def _unplaced(value: Any) -> Any:
    """Return the same JSON without the source lines of its parts."""
    if isinstance(value, dict):
        return {
            key: _unplaced(part)
            for key, part in value.items()
            if key != "source"
        }
    return (
        [_unplaced(part) for part in value]
        if isinstance(value, list)
        else value
    )


# ------------------------------------------------------------ writing


def write_certificate(path: Path, certificate: Certificate) -> None:
    """Write the certificate to a file, completely or not at all. Raises ProgramError if it
    is too large to be read again.
    """
    write_json(path, _written(certificate))


def write_json(path: Path, data: bytes) -> None:
    """Write a certificate of any kind to a file, completely or not at all. Raises ProgramError if
    it is too large to be read again.
    """
    if len(data) > _MOST_BYTES:
        raise ProgramError(
            f"the certificate has {len(data)} bytes, and at most {_MOST_BYTES} are read again"
        )
    write_atomically(
        path, gzip.compress(data, 6, mtime=0) if path.suffix == ".gz" else data
    )


def _written(certificate: Certificate) -> bytes:
    return json.dumps(
        certificate_json(certificate), allow_nan=False, separators=(",", ":")
    ).encode()


def certificate_hash(certificate: Certificate) -> str:
    """Return the SHA-256 of the certificate as it is written, but for the seconds it took,
    which are 0: the same proof has the same hash.
    """
    return sha256(_written(replace(certificate, seconds=0.0)))


def certificate_json(c: Certificate) -> dict[str, Any]:
    """Return the certificate as plain data."""
    followed = [
        [layer, number, gap, kept]
        for (layer, number), (gap, kept) in c.followed.items()
    ]
    fields = {
        key: getattr(c, key)
        for key in _KEYS
        if key not in ("format", "earlier", "sections")
    }
    earlier = {"tokens": c.tokens, "after": c.after, "followed": followed}
    return {
        "format": FORMAT,
        **fields,
        "earlier": earlier,
        "sections": [_section_json(s) for s in c.sections],
    }


def _section_json(s: Section) -> dict[str, Any]:
    slots = [
        [
            *x.name,
            x.query,
            x.gap,
            [None if math.isinf(f) else f for f in x.floor],
        ]
        for x in s.slots
    ]
    return {
        "finals": s.finals,
        "end": s.end,
        "guesses": s.guesses,
        "order": s.order,
        "slots": slots,
        "graph": s.graph,
    }


# ------------------------------------------------------------ reading


def read_certificate(path: Path) -> Certificate:
    """Return the certificate of a file. Raises ProgramError, with the file's name, if the
    file is not one.
    """
    try:
        return from_json(read_certificate_json(path))
    except WeightsError as error:
        raise ProgramError(str(error.of(path))) from None


def read_certificate_json(path: Path) -> dict[str, Any]:
    """Return the plain data of a certificate of any kind. Raises ProgramError, with the
    file's name, if it is not JSON of a modest size.
    """
    try:
        data = read_bytes(path, _MOST_BYTES)
        data = _unpacked(data) if path.suffix == ".gz" else data
        _modest(data)
        return parse_json(data, _MOST_BYTES)
    except WeightsError as error:
        raise ProgramError(str(error.of(path))) from None


def _unpacked(data: bytes) -> bytes:
    try:
        with gzip.open(io.BytesIO(data)) as file:
            found = file.read(_MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise WeightsError(
            f"not a whole gzip file: {printable(str(error))}"
        ) from None
    if len(found) > _MOST_BYTES:
        raise WeightsError(
            f"it has more than {_MOST_BYTES} bytes; at most {_MOST_BYTES} are read"
        )
    return found


def _modest(data: bytes) -> None:
    """Check the number of lists and items before anything is made of them. Raises
    WeightsError if the JSON would take far more memory than its size.
    """
    lists = data.count(b"[") + data.count(b"{")
    items = data.count(b",")
    if lists > MOST_LISTS or items > MOST_ITEMS:
        raise WeightsError(
            f"it has {lists} lists and {items} items; at most {MOST_LISTS} and"
            f" {MOST_ITEMS} are read"
        )


def from_json(data: dict[str, Any]) -> Certificate:
    """Return the certificate of plain data. Raises WeightsError if it is not one."""
    _check_format(data.get("format"))
    _keys(data, _KEYS)
    earlier = _keys(data["earlier"], ("tokens", "after", "followed"))
    fields: dict[str, Any] = {
        key: _text(data[key], key)
        for key in ("program", "weights", "claim", "dtype")
    }
    fields |= {
        key: _whole(data[key], key) for key in ("n_ctx", "contexts", "checked")
    }
    fields |= {key: _number(data[key], key) for key in ("error", "seconds")}
    fields |= {
        key: [_text(x, key) for x in _list(data[key], key)]
        for key in ("margin_at", "assumptions")
    }
    return Certificate(
        **fields,
        margin=None
        if data["margin"] is None
        else _number(data["margin"], "margin"),
        alphabet=_wholes(data["alphabet"], "alphabet"),
        groups=[_wholes(x, "groups") for x in _list(data["groups"], "groups")],
        tokens=[
            _wholes(x, "tokens") for x in _list(earlier["tokens"], "tokens")
        ],
        after=_table(earlier["after"], "after"),
        followed=dict(
            _followed(x) for x in _list(earlier["followed"], "followed")
        ),
        sections=[_section(x) for x in _list(data["sections"], "sections")],
    )


def _check_format(found: Any) -> None:
    """Raises WeightsError for another format than is written here."""
    text = found if isinstance(found, str) else ""
    name = re.fullmatch(r"handcraft certificate ([1-9][0-9]{0,8})", text)
    if name is None:
        raise WeightsError(f"it is no certificate of the format '{FORMAT}'")
    number = int(name[1])
    if number > _NUMBER:
        raise WeightsError(
            f"it is of format {number}, made by a newer handcraft; this one reads"
            f" format {_NUMBER}"
        )
    if number < _NUMBER:
        raise WeightsError(
            f"it is of format {number}, made by an older handcraft; `handcraft verify"
            " PROGRAM --certificate FILE` writes it anew"
        )


def _keys(value: Any, keys: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict) or set(value) != set(keys):
        found = (
            ", ".join(map(printable, value))
            if isinstance(value, dict)
            else type(value).__name__
        )
        raise WeightsError(
            f"it must hold {', '.join(keys)}, found {found[:200] or 'nothing'}"
        )
    return value


def _amiss(value: Any, what: str, kind: str) -> WeightsError:
    return WeightsError(
        f"'{what}' must be {kind}, found {printable(repr(value))[:60]}"
    )


def _list(value: Any, what: str, size: int | None = None) -> list[Any]:
    if not isinstance(value, list) or (size is not None and len(value) != size):
        raise _amiss(
            value, what, "a list" if size is None else f"a list of {size}"
        )
    return value


def _whole(value: Any, what: str) -> int:
    if type(value) is not int or value < 0:
        raise _amiss(value, what, "a whole number")
    return value


def _wholes(value: Any, what: str) -> list[int]:
    for x in _list(value, what):
        if type(x) is not int or not 0 <= x < 2**31:
            raise _amiss(x, what, "a list of whole numbers")
    return value


def _number(value: Any, what: str) -> float:
    if type(value) not in (int, float) or not abs(value) < 1e300:
        raise _amiss(value, what, "a number")
    return float(value)


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise _amiss(value, what, "a text")
    return value


def _table(value: Any, what: str) -> list[list[list[int]]]:
    return [
        [_wholes(x, what) for x in _list(row, what)]
        for row in _list(value, what)
    ]


def _followed(
    value: Any,
) -> tuple[tuple[int, int], tuple[float, list[list[int]] | None]]:
    layer, number, gap, kept = _list(value, "followed", 4)
    rows = (
        None
        if kept is None
        else [_wholes(x, "followed") for x in _list(kept, "followed")]
    )
    return (_whole(layer, "followed"), _whole(number, "followed")), (
        _number(gap, "followed"),
        rows,
    )


def _section(value: Any) -> Section:
    s = _keys(value, ("finals", "end", "guesses", "order", "slots", "graph"))
    finals = [
        _wholes(_list(x, "finals", 2), "finals")
        for x in _list(s["finals"], "finals")
    ]
    if not finals:
        raise _amiss(finals, "finals", "a list of places and tokens")
    return Section(
        tuple((place, token) for place, token in finals),
        None if s["end"] is None else _whole(s["end"], "end"),
        tuple(_guess(x) for x in _list(s["guesses"], "guesses")),
        None if s["order"] is None else tuple(_wholes(s["order"], "order")),
        tuple(_slot(x) for x in _list(s["slots"], "slots")),
        None if s["graph"] is None else _table(s["graph"], "graph"),
    )


def _guess(value: Any) -> tuple[int, Any]:
    part, guessed = _list(value, "guesses", 2)
    if guessed is not None and type(guessed) not in (int, str):
        raise _amiss(guessed, "guesses", "a number, a text or null")
    return _whole(part, "guesses"), guessed


def _slot(value: Any) -> HeadQuery:
    layer, number, query, gap, floor = _list(value, "slots", 5)
    box = None if query is None else _list(query, "slots", 2)
    centres, radii = (
        ([_number(x, "slots") for x in _list(part, "slots")] for part in box)
        if box
        else ([], [])
    )
    if len(centres) != len(radii) or any(r < 0 for r in radii):
        raise _amiss(query, "slots", "a query of centres and radii")
    bounds = tuple(
        -math.inf if x is None else _number(x, "slots")
        for x in _list(floor, "slots")
    )
    return HeadQuery(
        (_whole(layer, "slots"), _whole(number, "slots")),
        (centres, radii) if box else None,
        _number(gap, "slots"),
        bounds,
    )
