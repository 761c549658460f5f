"""Attention to a computed position.

A lane p holds the position j and a lane pp its square. The score 2 t j - j^2 = t^2 - (t - j)^2 is greatest at
j = t, and the next whole position is a full unit behind. Times a sharpness, softmax sees one position only.

Source: the (p, p^2) addressing of Perez et al., "Attention is Turing-Complete", 2021; "The Transformer Cookbook",
Yang et al., 2026 (index lookup).
"""

from __future__ import annotations

import math

from handcraft.affine import MapLike, Term, as_affine, value_lanes
from handcraft.errors import ProgramError
from handcraft.rules import Head
from handcraft.slots import Slot
from handcraft.values import here

SHARPNESS = 24.0  # one position apart is a score gap of 24: exp(-24) is below float32's last bit for 64 positions
UNIT_ROUNDOFF = 2.0**-24  # of float32


def attend_to(at: Slot, target: Term, *, value: MapLike, output: MapLike | None = None, sharpness: float = SHARPNESS) -> Head:
    """A head that attends to the position `target`, an expression of the asking position.

    at         a position slot with the lanes p (the position) and pp (its square)
    target     the position asked for; where it lies outside 0..own position, the nearest visible one is attended to
    value      what to fetch from there; output as in Head
    sharpness  the score gap between neighbouring positions; at least ln(8 n_ctx / u), u = 2^-24

    Score of position j: sharpness * (2 target j - j^2). Raises ProgramError for a slot without these lanes and for
    a sharpness that leaks.
    """
    lanes = (at["p"], at["pp"])
    rows = at.positions if isinstance(at.positions, tuple) else ()
    index = [at.labels.index(label) for label in ("p", "pp")] if at.labels else []
    if [[row[i] for i in index] for row in rows] != [[j, j * j] for j in range(len(rows))] or not rows:
        raise ProgramError(
            f"{at.name} must hold the position and its square: position(n_ctx, p=lambda i: i, pp=lambda i: i * i)",
            ("attend_to", "at"),
            here(),
        )
    needed = math.log(8 * len(rows) / UNIT_ROUNDOFF)
    if sharpness < needed:
        raise ProgramError(
            f"a sharpness of {sharpness:g} leaks to neighbours over {len(rows)} positions; {needed:.1f} or more does not",
            ("attend_to", "sharpness"),
            here(),
        )
    query = {lanes[0]: 2 * sharpness * as_affine(target), lanes[1]: -sharpness}
    return Head(query=query, value=value, output=value_lanes(value) if output is None else output, scores="exact")
