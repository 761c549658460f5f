"""How much more CPU time and memory a proof takes as the window grows.

CPU time is that of this process alone. A proof of aab has one section for each length of a context,
and a section has one state or two at each position: twice the window is four times the work.
"""

from __future__ import annotations

import time
from typing import Any

from growing import aab

from handcraft.proof import verify

SMALL, LARGE = 96, 192
MOST = 5.5  # times as much: 4, and what other programs on the machine take of its caches


def proved(n_ctx: int) -> float:
    """CPU-seconds of a proof of all contexts of a window."""
    model = aab(n_ctx).build()
    start = time.process_time()
    report = verify(model)
    seconds = time.process_time() - start
    assert (report.verdict, report.contexts) == (
        "proved",
        2 ** (n_ctx + 1) - 2,
    )
    # a window that is no power of four divides scores by a root that is rounded
    assert (report.min_margin or 0) > 1022.99
    return seconds


def test_twice_the_window_is_four_times_the_work(benchmark: Any) -> None:
    """The least of two measurements each, in turns; the first proof of all loads what it needs."""
    proved(3)
    small, large = [proved(SMALL)], [proved(LARGE)]
    small.append(proved(SMALL))
    large.append(benchmark.pedantic(proved, (LARGE,), rounds=1))
    ratio = min(large) / min(small)
    benchmark.extra_info |= {"ratio": round(ratio, 2)}
    print(benchmark.extra_info)
    assert ratio <= MOST
