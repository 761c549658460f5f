"""Finite Markov chains: the closed classes, their periods and their stationary distributions.

A chain is a graph whose edges carry probabilities. Where two states lead to each other they are
in one class; a class that no edge leaves is closed, and whoever is in it stays for ever. Every
other state is transient: it is left in the end. A closed class of one state is absorbing. The
period of a class is the greatest common divisor of the lengths of its circles. A closed class
has exactly one distribution that a step does not change, and it says how much of its time the
chain spends in each state.

It is computed by state reduction: the last state is taken out, and every way through it becomes
a direct edge. Only positive numbers are added, multiplied and divided, none subtracted, so that
a share of 1e-40 is as exact as one of 0.5.

Sources: Kemeny and Snell, Finite Markov Chains, 1960 (classes); Tarjan's and Kosaraju's
depth-first searches (strongly connected components); Denardo, 1977 (periods); Grassmann, Taksar
and Heyman, 1985 (state reduction, here in blocks). Rules of this file: states are numbers; no
model, no text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import gcd

import numpy as np

from handcraft.core.gpt2 import Array

Graph = Sequence[Sequence[int]]  # for each state the states that it leads to
# states of a class whose distribution is computed: its matrix has this many rows and columns
MAX_STATES_SOLVED = 6000
# states taken out at once, so that most of the work is a product of matrices
BLOCK = 64


def components(graph: Graph) -> list[list[int]]:
    """The classes of states that lead to each other, each sorted."""
    back: list[list[int]] = [[] for _ in graph]
    for source, targets in enumerate(graph):
        for target in targets:
            back[target].append(source)
    seen: set[int] = set()
    finished = [
        state for root in range(len(graph)) for state in _tree(graph, root, seen)
    ]
    seen = set()
    return [
        sorted(found)
        for root in reversed(finished)
        if (found := _tree(back, root, seen))
    ]


def _tree(graph: Graph, root: int, seen: set[int]) -> list[int]:
    """The states that are first seen from the root, each after all those that it leads to."""
    if root in seen:
        return []
    seen.add(root)
    finished, path = [], [(root, iter(graph[root]))]
    while path:
        state, targets = path[-1]
        target = next((t for t in targets if t not in seen), None)
        if target is None:
            finished.append(state)
            path.pop()
        else:
            seen.add(target)
            path.append((target, iter(graph[target])))
    return finished


def closed_classes(graph: Graph) -> list[list[int]]:
    """The classes that no edge leaves, by their first state."""
    found = components(graph)
    member = {state: i for i, states in enumerate(found) for state in states}
    return sorted(
        s
        for i, s in enumerate(found)
        if all(member[target] == i for state in s for target in graph[state])
    )


def period(graph: Graph, states: Sequence[int]) -> int:
    """The greatest common divisor of the lengths of all circles of a closed class."""
    depth, waiting = {states[0]: 0}, [states[0]]
    for state in waiting:  # grows while it is read
        for target in graph[state]:
            if target not in depth:
                depth[target] = depth[state] + 1
                waiting.append(target)
    return gcd(
        *(
            depth[state] + 1 - depth[target]
            for state in states
            for target in graph[state]
        )
    )


def stationary(
    rows: Sequence[Mapping[int, float]], states: Sequence[int]
) -> list[float] | None:
    """The share of time in each state of a closed class; None where the probabilities
    underflow, or above LARGEST states.

    `rows` holds the transitions {target: probability} of every state of the chain.
    """
    if len(states) > MAX_STATES_SOLVED:
        return None
    place = {state: i for i, state in enumerate(states)}
    matrix = np.zeros((len(states), len(states)))  # [n, n]
    for state in states:
        for target, probability in rows[state].items():
            matrix[place[state], place[target]] = probability
    with np.errstate(all="ignore"):  # what is past the range is not finite in the end
        shares = _shares(matrix, _reduced(matrix))  # [n]
    return [float(share) for share in shares] if np.isfinite(shares).all() else None


def _shares(matrix: Array, leaving: Array) -> Array:  # [n, n], [n] -> [n]
    """Put the states back in, the first on: each has what the earlier ones give to it, over
    what it gives back.
    """
    shares = np.ones(len(matrix))  # [n]
    for k in range(1, len(matrix)):
        shares[k] = shares[:k] @ matrix[:k, k] / leaving[k]
        shares[: k + 1] /= shares[
            : k + 1
        ].max()  # so that none is past the range, however rare the first
    return shares / shares.sum()


def _reduced(matrix: Array) -> Array:  # [n, n] -> [n]
    """Take out the states from the last on, in place; returns how probable each then was to
    leave to an earlier one.
    """
    leaving = np.zeros(len(matrix))  # [n]
    for top in range(len(matrix), 0, -BLOCK):
        low = max(top - BLOCK, 0)
        for k in range(top - 1, max(low, 1) - 1, -1):
            after = slice(k + 1, top)  # the states of this block that are already out
            matrix[k, :k] += (matrix[k, after] / leaving[after]) @ matrix[
                after, :k
            ]  # [k]
            matrix[:k, k] += (matrix[:k, after] / leaving[after]) @ matrix[
                after, k
            ]  # [k]
            leaving[k] = matrix[k, :k].sum()
        block = slice(max(low, 1), top)
        matrix[:low, :low] += (matrix[:low, block] / leaving[block]) @ matrix[
            block, :low
        ]  # [low, low]
    return leaving
