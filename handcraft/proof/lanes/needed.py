"""Which heads matter at positions that nobody asks: those on which a later key or value depends.

    needed_heads(blocks, n_head)   of each block the numbers of such heads

What no position reads is bounded, and not followed: at a position of the prompt a program may
compute anything of which its answer does not depend. Rules of this file: a lane depends on another
one where a weight between them is not 0, whatever the numbers are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array


def needed_heads(blocks: Sequence[Any], n_head: int) -> list[set[int]]:
    """The heads that are followed at all positions, block by block."""
    found: list[set[int]] = [set() for _ in blocks]
    width = _width(blocks)
    read: Array = np.zeros(width, dtype=bool)  # [n_embd] by what comes later
    last = max((i for i, b in enumerate(blocks) if "attn" in b), default=-1)
    for i in range(last, -1, -1):
        if "mlp" in blocks[i]:
            read = _before_mlp(blocks[i]["mlp"], read)
        if "attn" in blocks[i]:
            read, found[i] = _before_attn(blocks[i]["attn"], read, n_head)
    return found


def _width(blocks: Sequence[Any]) -> int:
    for block in blocks:
        for part, layer in (("attn", "c_attn"), ("mlp", "c_fc")):
            if part in block:
                return len(block[part][layer]["w"])
    return 0


def _before_mlp(mlp: Any, read: Array) -> Array:
    units = (mlp["c_proj"]["w"][:, read] != 0).any(axis=1)  # [n_unit]
    return np.array(read | (mlp["c_fc"]["w"][:, units] != 0).any(axis=1))


def _before_attn(attn: Any, read: Array, n_head: int) -> tuple[Array, set[int]]:
    """The lanes that are read before a sublayer, and the heads that matter in it."""
    w, out = attn["c_attn"]["w"], attn["c_proj"]["w"]
    d = w.shape[1] // 3
    size = d // n_head
    writes = (out[:, read] != 0).any(axis=1)  # [d] by column of the heads
    heads = {int(i) // size for i in np.flatnonzero(writes)}
    asks = np.isin(np.arange(d) // size, sorted(heads))
    columns = np.concatenate([asks, np.ones(2 * d, dtype=bool)])
    return np.array(read | (w[:, columns] != 0).any(axis=1)), heads
