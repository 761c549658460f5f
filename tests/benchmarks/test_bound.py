"""How long it takes to bound one attention layer: seconds, where there are 10^7 to 10^36 texts.

CPU time is that of this process alone, so another program on the machine does not count.
"""

from __future__ import annotations

import time
from typing import Any

import pytest
from ranked import LETTERS, greatest, noisy

from handcraft import Head, Program, local, token, verify

SECONDS = 5  # at most, on one core
N = 60  # tokens


def by_hand(k: int) -> Program:
    """The greatest of k tokens: the score is the rank."""
    t, size = token(LETTERS[:N]), local("size")
    head = Head(
        query={size: 1024},
        key={size: sum(i * t[x] for i, x in enumerate(LETTERS[:N]))},
        value={t: t},
        adds={t: 1024 * t},
        scores="exact",
    )
    return Program(
        name=f"greatest_of_{k}",
        embedding=(t,),
        layers=(head,),
        claim=greatest(N, k),
        n_ctx=k,
    )


def timed(*args: Any, **more: Any) -> tuple[Any, float]:
    """The report of a verification, and the CPU seconds it took."""
    start = time.process_time()
    return verify(*args, **more), time.process_time() - start


@pytest.mark.parametrize("k", [4, 10, 20])
def test_a_rank_by_hand_is_proved_in_seconds(k: int) -> None:
    """However many texts there are."""
    report, seconds = timed(by_hand(k))
    assert report.verdict == "proved"
    assert report.contexts == N**k
    assert seconds < SECONDS


def test_drawn_weights_are_bounded_in_seconds() -> None:
    """Weights that are disturbed: places cannot be told to be alike."""
    report, seconds = timed(noisy(1, N, 4), claim=greatest(N, 4))
    assert report.verdict == "bounded"
    assert seconds < SECONDS
