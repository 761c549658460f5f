"""Finite Markov chains as numbers: classes, periods and stationary distributions, beside plain
searches and sums.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handcraft.core.markov import (
    BLOCK,
    MAX_STATES_SOLVED,
    closed_classes,
    components,
    period,
    stationary,
)

Rows = list[dict[int, float]]


@st.composite
def graphs(draw: Any) -> list[list[int]]:
    """Graphs of up to seven states, each leading somewhere."""
    n = draw(st.integers(1, 7))
    return [
        sorted(draw(st.sets(st.integers(0, n - 1), min_size=1, max_size=3)))
        for _ in range(n)
    ]


def reach(graph: list[list[int]]) -> list[set[int]]:
    """For each state what it leads to in any number of steps, itself included."""
    found = [{i, *targets} for i, targets in enumerate(graph)]
    for _ in graph:
        found = [set().union(*(found[j] for j in states)) for states in found]
    return found


def returns(graph: list[list[int]], state: int, most: int) -> set[int]:
    """In how many steps, up to so many, a state can come back to itself."""
    found, now = set(), {state}
    for n in range(1, most + 1):
        now = {target for source in now for target in graph[source]}
        found |= {n} if state in now else set()
    return found


@given(graphs())
def test_a_class_is_the_states_that_lead_to_each_other(
    graph: list[list[int]],
) -> None:
    """Two states are in one class exactly where each is reached from the other."""
    leads = reach(graph)
    expected = {
        tuple(j for j in range(len(graph)) if j in leads[i] and i in leads[j])
        for i in range(len(graph))
    }
    assert sorted(map(tuple, components(graph))) == sorted(expected)


@given(graphs())
def test_a_closed_class_leads_nowhere_else(graph: list[list[int]]) -> None:
    """A class is closed exactly where all that is reached from it is itself; there is always
    one.
    """
    leads = reach(graph)
    expected = {
        tuple(sorted(leads[i]))
        for i in range(len(graph))
        if all(i in leads[j] for j in leads[i])
    }
    assert list(map(tuple, closed_classes(graph))) == sorted(expected)
    assert expected


@given(graphs())
def test_the_period_divides_every_return(graph: list[list[int]]) -> None:
    """The period is the greatest common divisor of all lengths in which a state comes back to
    itself.
    """
    for states in closed_classes(graph):
        assert period(graph, states) == math.gcd(
            *returns(graph, states[0], 4 * len(graph))
        )


@given(graphs(), st.randoms(use_true_random=False))
def test_a_step_does_not_change_the_stationary_distribution(
    graph: list[list[int]], random: Any
) -> None:
    """The shares sum to 1, are above zero, and are the same after one step, to the last digits."""
    rows: Rows = []
    for targets in graph:
        weights = [10.0 ** -random.randrange(30) for _ in targets]
        rows.append(
            {
                target: w / sum(weights)
                for target, w in zip(targets, weights, strict=True)
            }
        )
    for states in closed_classes(graph):
        shares = stationary(rows, states)
        assert shares is not None
        assert min(shares) > 0
        assert sum(shares) == pytest.approx(1)
        known = dict(zip(states, shares, strict=True))
        for state in states:
            arriving = math.fsum(
                known[source] * rows[source].get(state, 0.0)
                for source in states
            )
            assert arriving == pytest.approx(known[state], rel=1e-12)


def test_rare_states_are_as_exact_as_common_ones() -> None:
    """Two states that change places with 1e-40 and 0.25: the rare one's share has all its
    digits.
    """
    shares = stationary([{0: 1.0, 1: 1e-40}, {0: 0.25, 1: 0.75}], [0, 1])
    assert shares == pytest.approx([1.0, 4e-40], rel=1e-14)


@pytest.mark.parametrize("n", [BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 3])
def test_blocks_change_nothing(n: int) -> None:
    """A walk on a line that goes up half as often as down has shares that halve, whatever the
    size of a block.
    """
    up, down = 1 / 3, 2 / 3
    rows: Rows = [
        {max(i - 1, 0): down, min(i + 1, n - 1): up} for i in range(n)
    ]
    shares = stationary(rows, list(range(n)))
    weights = [Fraction(1, 2**i) for i in range(n)]
    assert shares == pytest.approx(
        [float(w / sum(weights)) for w in weights], rel=1e-12
    )


def test_only_the_states_of_the_class_count() -> None:
    """A class among other states is solved alone, in the order in which its states are given."""
    rows: Rows = [{0: 0.5, 2: 0.5}, {3: 1.0}, {2: 1.0}, {1: 0.75, 3: 0.25}]
    assert closed_classes([list(row) for row in rows]) == [[1, 3], [2]]
    assert stationary(rows, [3, 1]) == pytest.approx([4 / 7, 3 / 7])
    assert stationary(rows, [2]) == [1.0]


def test_probabilities_past_the_range_of_a_float_have_no_answer() -> None:
    """Where a way is so rare that one over it is past the largest number, nothing is made up."""
    rare = 5e-324
    assert (
        stationary([{1: 1.0}, {1: 1.0, 2: rare}, {2: 1.0, 0: rare}], [0, 1, 2])
        is None
    )
    assert stationary(
        [{1: 1.0}, {1: 1.0, 2: 1e-300}, {2: 1.0, 0: 1e-300}], [0, 1, 2]
    ) == pytest.approx([1e-300 / 2, 0.5, 0.5])


def test_a_class_that_is_too_large_is_not_solved() -> None:
    """Above the largest size no matrix is made: the answer is that there is none."""
    n = MAX_STATES_SOLVED + 1
    assert (
        stationary([{(i + 1) % n: 1.0} for i in range(n)], list(range(n)))
        is None
    )
