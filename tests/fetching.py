"""What heads fetch: the last stream of a program, in its lanes."""

from __future__ import annotations

from typing import Any

import numpy as np

from handcraft import Program, scratch, slot
from handcraft.core.gpt2 import Array, trace
from handcraft.language.affine import Lane
from handcraft.recipes import addresses, attend_to

seen = scratch("seen")
AT = addresses(8)


def final(program: Program, contexts: Any, *lanes: Lane) -> Array:
    """What the lanes hold in the end after contexts [n_batch][n_seq] of tokens: [n_batch,
    n_seq], or one more axis.
    """
    model, ids = (
        program.build(),
        {name: i for i, name in enumerate(program.vocabulary)},
    )
    stream = trace(
        np.array([[ids[t] for t in tokens] for tokens in contexts]),
        model.weights,
        **model.config,
    )["resid_final"]
    found = stream[
        ..., [program.layout.column[lane] for lane in lanes or seen.lanes]
    ]
    return found if lanes else found[..., 0]


def fetched(
    n_ctx: int, goals: list[float], d_head: int | None = None, **options: Any
) -> Array:
    """Where a head that attends to a computed target looks, for every goal and every position:
    [n_goals, n_ctx].
    """
    at, goal = addresses(n_ctx), slot("goal", token={str(g): g for g in goals})
    look = attend_to(at, goal, value={seen: at["p"]}, **options)
    return final(
        Program(embedding=(at, goal, seen), layers=(look,), d_head=d_head),
        [[str(g)] * n_ctx for g in goals],
    )
