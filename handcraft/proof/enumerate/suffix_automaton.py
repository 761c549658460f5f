"""Builds an automaton from the endings of a claim, which reads a context token by token.

Its states are the prefixes of the endings. After each token the state is the longest of them
that the context ends with (Aho and Corasick, 1975), so one step finds the ending that decides,
however long endings are:

    follow  [n_states, n_vocab]  the state after one more token
    found   [n_states]           the ending that decides there, SILENT where none fits

Rules of this file: state 0 is the empty context; endings are numbered in the order in which they
are given.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.expected import SILENT


def suffix_automaton(
    endings: Sequence[Sequence[int]], n_vocab: int
) -> tuple[Array, Array]:
    """`follow` and `found` for endings that are given as ids."""
    children, found = _tree(endings)
    follow = np.zeros(
        (len(children), n_vocab), dtype=np.int64
    )  # [n_states, n_vocab]
    waiting = deque(
        [(0, 0)]
    )  # each state with the state of its longest proper suffix, the shorter states first
    while waiting:
        state, suffix = waiting.popleft()
        if state:
            follow[state] = follow[suffix]
            found[state] = (
                found[suffix] if found[state] == SILENT else found[state]
            )
        for token, child in children[state].items():
            waiting.append((child, int(follow[state, token])))
            follow[state, token] = child
    return follow, np.array(found)


def _tree(
    endings: Sequence[Sequence[int]],
) -> tuple[list[dict[int, int]], list[int]]:
    """The states as a tree: the child by each token, and the number of the ending that it is."""
    children = [dict[int, int]()]
    found = [SILENT]
    for i, ending in enumerate(endings):
        state = 0
        for token in ending:
            if token not in children[state]:
                children[state][token] = len(children)
                children.append({})
                found.append(SILENT)
            state = children[state][token]
        found[state] = i
    return children, found
