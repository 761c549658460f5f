"""Takes the lane of BOS out of a stream whose texts begin with any token.

without_bos(stream)   the same rules where that lane is always 0
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace

from handcraft.language.affine import Affine
from handcraft.lowering.stream import BOS, Attention, Stream


def without_bos(stream: Stream) -> Stream:
    """The stream without the lane `bos`, which is 0 at every position."""
    found = copy(stream)
    found.heads = [_of_head(head) for head in stream.heads]
    found.hinges = [
        replace(hinge, when=_without(hinge.when)) for hinge in stream.hinges
    ]
    found.times = {k: x for k, x in stream.times.items() if k != BOS}
    found.tables = {k: x for k, x in stream.tables.items() if k != BOS}
    found.constants = [x for x in stream.constants if x[1] != BOS]
    return found


def _of_head(head: Attention) -> Attention:
    rows = [(_without(query), _without(key)) for query, key in head.rows]
    kept = tuple(row for row in rows if not any(map(_nothing, row)))
    return replace(
        head,
        rows=kept,
        adds={k: (_without(x), gain) for k, (x, gain) in head.adds.items()},
        bias={k: x for k, x in head.bias.items() if k != BOS},
        sink=0.0,
    )


def _without(x: Affine) -> Affine:
    terms = {lane: value for lane, value in x.terms if lane != BOS}
    return Affine.of(terms, x.constant)


def _nothing(x: Affine) -> bool:
    return not x.terms and not x.constant
