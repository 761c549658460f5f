"""Finds the best assignment of n things to n others: least cost, each used once.

Exact by trying each set of those that are taken once (2^n sets), up to MOST_TRIED things; beyond,
the cheapest pair first, which need not be best, and is said.

Source: Held and Karp, "A dynamic programming approach to sequencing problems", 1962.
"""

from __future__ import annotations

import math

import numpy as np

from handcraft.core.gpt2 import Array

MOST_TRIED = 12


def assignment(costs: Array) -> tuple[list[int], bool]:  # [n, n]
    """Which column each row is given, and whether no other assignment is better."""
    if len(costs) <= MOST_TRIED:
        return _exact(costs.tolist()), True
    return _greedy(np.array(costs, dtype=float)), False


def _exact(costs: list[list[float]]) -> list[int]:
    """Row k goes to one of the columns that the first k rows left; equal costs keep the order."""
    n = len(costs)
    best = [0.0] + [math.inf] * (2**n - 1)
    last = [0] * 2**n
    for taken in range(1, 2**n):
        row = costs[taken.bit_count() - 1]
        for column in range(n):
            if taken >> column & 1:
                cost = best[taken ^ 1 << column] + row[column]
                # of equal ones the last row takes the last column, so that like goes to like
                if cost <= best[taken]:
                    best[taken], last[taken] = cost, column
    found: list[int] = []
    taken = 2**n - 1
    while taken:
        found.insert(0, last[taken])
        taken ^= 1 << last[taken]
    return found


def _greedy(costs: Array) -> list[int]:  # [n, n]
    found = [0] * len(costs)
    for _ in found:
        row, column = divmod(int(costs.argmin()), len(costs))
        found[row] = column
        costs[row, :] = np.inf
        costs[:, column] = np.inf
    return found
