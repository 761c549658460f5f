"""How fast every context is checked; one core, float32."""

from __future__ import annotations

from typing import Any

import numpy as np

from handcraft import Head, Program, after, position, scratch, token
from handcraft.gpt2 import gpt2
from handcraft.proof import Budget, verify

LARGE = 1024


def aab(n_ctx: int) -> Program:
    """The aab program with a window of n_ctx."""
    p, t, v = position(n_ctx), token("ab"), scratch("v")
    pair = Head(
        query=LARGE * (p + p.previous), key=p, value={v: t["a"] - t["b"]}, output={t["a"]: LARGE - LARGE * v, t["b"]: LARGE * v}
    )
    return Program(embedding=(p, t, v), layers=(pair,), claim=after({"aa": "b", "ab": "a", "ba": "a"}), name="aab")


def test_aab_with_n_ctx_18_is_checked_at_200_000_contexts_a_second(benchmark: Any) -> None:
    """2^19 - 2 contexts with a tabulated claim, prefixes shared."""
    model = aab(18).build()
    report = benchmark(verify, model, budget=Budget(contexts=10**6))
    assert (report.verdict, report.contexts, report.min_margin) == ("checked", 2**19 - 2, 1023.0)
    assert report.contexts / benchmark.stats.stats.min >= 200_000


def test_picogpt_context_by_context(benchmark: Any) -> None:
    """The same contexts computed from scratch, one at a time: what sharing prefixes is compared with."""
    model = aab(18).build()
    contexts = np.random.default_rng(0).integers(0, 2, (200, 18))  # the longest are the most
    benchmark(lambda: [gpt2(ids, **model.weights, **model.config) for ids in contexts])
