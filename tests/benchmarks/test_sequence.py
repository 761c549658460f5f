"""How fast sequence programs are evaluated at every position of a long text: in seconds, where a
pass through each pair of positions in Python takes hours.

CPU time is that of this process alone, so another program on the machine does not count.
"""

from __future__ import annotations

import time
from collections import Counter
from random import Random
from typing import Any

import pytest

from handcraft.sequence.expression import Expression
from handcraft.sequence.words import (
    best,
    count,
    fetch,
    indices,
    latest,
    length,
    lookup,
    mean,
    there,
    tokens,
    total,
)

LETTERS = "abcdefgh"
LONG = 10_000  # positions
SECONDS = 20  # at most, on one core
same = there(tokens) == tokens
before = there(indices) < indices
so_far = there(indices) <= indices
hist = count(same)
rank = count((there(tokens) < tokens) | same & before)
rarer = (there(hist) < hist) | (there(hist) == hist) & before
step = lookup({"a": 1, "b": -1}, tokens, default=0)
run = indices - latest((there(tokens) != tokens) & before)

PROGRAMS: dict[str, Expression] = {
    "reverse": fetch(tokens, there(indices) == length - 1 - indices),
    "double histogram": count(there(hist) == hist),
    "sort": fetch(tokens, there(rank) == indices),
    "sort by frequency": fetch(tokens, there(count(rarer)) == indices),
    "counts of counts of counts": count(
        there(count(there(count(there(hist) == hist)) == hist)) == rank
    ),
    "running mean": mean(step, so_far),
    "running sum of sums": total(total(step, so_far), so_far),
    "longest run": fetch(run, best(run, so_far)),
    "every third, by difference": count((indices - there(indices)) % 3 == 0),
}


def long_text() -> str:
    """Letters drawn with a fixed seed."""
    return "".join(Random(8).choices(LETTERS, k=LONG))


@pytest.mark.parametrize("name", PROGRAMS)
def test_ten_thousand_positions(name: str, benchmark: Any) -> None:
    """Each node once, and each condition once a pair of positions."""
    text = long_text()
    start = time.process_time()
    found = benchmark.pedantic(PROGRAMS[name].all, (text,), rounds=1)
    seconds = time.process_time() - start
    assert len(found) == LONG
    if name == "sort":
        assert found == sorted(text)
    if name == "double histogram":
        counts = Counter(text)
        sizes = Counter(counts[t] for t in text)
        assert found == [sizes[counts[t]] for t in text]
    assert seconds < SECONDS
