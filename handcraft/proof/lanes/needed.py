"""Which heads matter at positions that nobody asks: those on which a later key or value depends.

    needed_heads(blocks, n_head)           of each block the numbers of such heads
    answering_parts(blocks, wte, n_head)   heads and lanes on which logits of the same position
                                           depend

What no position reads is bounded, and not followed: at a position of the prompt a program may
compute anything of which its answer does not depend. Rules of this file: a lane depends on another
one where a weight between them is not 0, whatever the numbers are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, eq=False)
class Answering:
    """What matters of a block to what is predicted at the position itself.

    heads  the numbers of heads
    lanes  [n_embd] True for those that are read behind it
    """

    heads: set[int]
    lanes: Array


def answering_parts(
    blocks: Sequence[Any], wte: Array, n_head: int
) -> list[Answering]:
    """The heads and lanes on which logits of the same position depend, block by block."""
    found: list[Answering] = []
    read = np.array((wte != 0).any(axis=0))  # [n_embd] by what comes later
    for block in reversed(blocks):
        heads: set[int] = set()
        behind = read
        if "mlp" in block:
            read = _before_mlp(block["mlp"], read)
        if "attn" in block:
            w = block["attn"]["c_attn"]["w"]
            heads = _writing(block["attn"], read, n_head)
            own = _columns_of(heads, w.shape[1] // 3, n_head)
            asks = np.concatenate([own, np.zeros(2 * len(own), dtype=bool)])
            read = np.array(read | (w[:, asks] != 0).any(axis=1))
        found.append(Answering(heads, behind))
    return found[::-1]


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
    w = attn["c_attn"]["w"]
    d = w.shape[1] // 3
    heads = _writing(attn, read, n_head)
    asks = _columns_of(heads, d, n_head)
    columns = np.concatenate([asks, np.ones(2 * d, dtype=bool)])
    return np.array(read | (w[:, columns] != 0).any(axis=1)), heads


def _writing(attn: Any, read: Array, n_head: int) -> set[int]:
    """The heads that write to any of these lanes."""
    out = attn["c_proj"]["w"]
    writes = (out[:, read] != 0).any(axis=1)  # [d] by column of the heads
    size = len(out) // n_head
    return {int(i) // size for i in np.flatnonzero(writes)}


def _columns_of(heads: set[int], d: int, n_head: int) -> Array:  # -> [d]
    """True for the columns of some heads."""
    return np.isin(np.arange(d) // (d // n_head), sorted(heads))
