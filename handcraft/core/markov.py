"""Finite Markov chains: closed classes, their periods, and their stationary distributions.

    class       states that can all reach each other; closed if no edge leaves it
    transient   a state outside every closed class: the chain leaves it for good in the end
    absorbing   a closed class of one state
    period      of a class: the greatest common divisor of the lengths of its cycles
    stationary  the one distribution on a closed class that a step does not change: the share of
                time that the chain spends in each state

The stationary distribution is computed by state reduction: states are removed one after another,
each way through a removed state becoming a direct edge. Only positive numbers are added,
multiplied and divided, none subtracted, so a share of 1e-40 is as exact as one of 0.5.

Sources: Kemeny and Snell, Finite Markov Chains, 1960 (classes); Kosaraju's depth-first searches
(strongly connected components); Denardo, 1977 (periods); Grassmann, Taksar and Heyman, 1985
(state reduction, here in blocks). Rules of this file: states are numbers; no model, no text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import gcd

import numpy as np

from handcraft.core.gpt2 import Array

Graph = Sequence[Sequence[int]]  # for each state its successors
MAX_STATES_SOLVED = 6000  # rows and columns of the matrix of a class; larger ones are not solved
BLOCK = 64  # states removed at once, so that most of the work is a product of matrices


def components(graph: Graph) -> list[list[int]]:
    """The classes of states that can reach each other (strongly connected), each sorted."""
    back: list[list[int]] = [[] for _ in graph]
    for source, targets in enumerate(graph):
        for target in targets:
            back[target].append(source)
    seen: set[int] = set()
    finished: list[int] = []
    for root in range(len(graph)):
        finished += _tree(graph, root, seen)
    seen = set()
    trees = (_tree(back, root, seen) for root in reversed(finished))
    return [sorted(tree) for tree in trees if tree]


def _tree(graph: Graph, root: int, seen: set[int]) -> list[int]:
    """The states first reached from the root, each after all those found beyond it."""
    if root in seen:
        return []
    seen.add(root)
    finished = []
    path = [(root, iter(graph[root]))]
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
    """The classes that no edge leaves, in the order of their first states."""
    found = components(graph)
    member = {state: i for i, states in enumerate(found) for state in states}

    def closed(i: int) -> bool:
        targets = (target for state in found[i] for target in graph[state])
        return all(member[target] == i for target in targets)

    return sorted(states for i, states in enumerate(found) if closed(i))


def period(graph: Graph, states: Sequence[int]) -> int:
    """The greatest common divisor of the lengths of all cycles of a closed class."""
    depth = {states[0]: 0}
    waiting = [states[0]]
    for state in waiting:  # grows while it is read
        for target in graph[state]:
            if target not in depth:
                depth[target] = depth[state] + 1
                waiting.append(target)
    edges = ((state, target) for state in states for target in graph[state])
    return gcd(*(depth[state] + 1 - depth[target] for state, target in edges))


def stationary(
    rows: Sequence[Mapping[int, float]], states: Sequence[int]
) -> list[float] | None:
    """The share of time in each state of a closed class, in the order of `states`.

    `rows` holds {target: probability} for every state of the chain. None where the probabilities
    underflow, or for more than MAX_STATES_SOLVED states.
    """
    if len(states) > MAX_STATES_SOLVED:
        return None
    place = {state: i for i, state in enumerate(states)}
    matrix = np.zeros((len(states), len(states)))  # [n, n]
    for state in states:
        for target, probability in rows[state].items():
            matrix[place[state], place[target]] = probability
    with np.errstate(
        all="ignore"
    ):  # overflow and underflow end in a share that is not finite
        shares = _shares(matrix, _reduced(matrix))  # [n]
    return (
        [float(share) for share in shares]
        if np.isfinite(shares).all()
        else None
    )


def _shares(matrix: Array, leaving: Array) -> Array:  # [n, n], [n] -> [n]
    """The shares, found by putting the states back, from the first on.

    A state's share is the flow into it from earlier states, divided by its probability of
    leaving to them.
    """
    shares = np.ones(len(matrix))  # [n]
    for k in range(1, len(matrix)):
        shares[k] = shares[:k] @ matrix[:k, k] / leaving[k]
        # scaled, so that none leaves the range of floats however rare the first state is
        shares[: k + 1] /= shares[: k + 1].max()
    return shares / shares.sum()


def _reduced(matrix: Array) -> Array:  # [n, n] -> [n]
    """Remove the states in place, the last first, and return their probabilities of leaving.

    That of a state is the probability, at its removal, of a step to an earlier state.
    """
    leaving = np.zeros(len(matrix))  # [n]
    for top in range(len(matrix), 0, -BLOCK):
        low = max(top - BLOCK, 0)
        for k in range(top - 1, max(low, 1) - 1, -1):
            out = slice(k + 1, top)  # the states of this block already removed
            row = matrix[k, out] / leaving[out]  # [n_out]
            matrix[k, :k] += row @ matrix[out, :k]
            columns = matrix[:k, out] / leaving[out]  # [k, n_out]
            matrix[:k, k] += columns @ matrix[out, k]
            leaving[k] = matrix[k, :k].sum()
        block = slice(max(low, 1), top)
        columns = matrix[:low, block] / leaving[block]  # [low, n_block]
        matrix[:low, :low] += columns @ matrix[block, :low]
    return leaving
