"""Programs that reverse a text of four letters, a right one and a wrong one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from conftest import every

from handcraft import Head, Model, Program, each, position, scratch, token
from handcraft.proof import Budget

EXHAUSTIVE: dict[str, Any] = {"methods": ["exhaustive"]}
SAMPLED: dict[str, Any] = {"methods": ["sampled"], "budget": Budget(drawn=300)}
BOTH = pytest.mark.parametrize(
    "how", [EXHAUSTIVE, SAMPLED], ids=["exhaustive", "sampled"]
)
at = position(
    4, p=lambda i: i, pp=lambda i: i * i
)  # position and its square, which find a computed place
t = token("abcd")
middle = scratch("middle")
SHARP = 128
# 1. Uniform attention over the whole text: the mean position is the middle, half the last one.
# 2. Position i attends to 2 middle - i, the score of place j is SHARP (2 target j - j^2), and
# says its token.
find_middle = Head(value={middle: at["p"]}, adds={middle: middle})
mirror = Head(
    query={at["p"]: 2 * SHARP * (2 * middle - at["p"]), at["pp"]: -SHARP},
    value=t,
    adds=9 * t,
    scores="exact",
)
first = Head(
    query={at["pp"]: -SHARP},
    key={at["pp"]: at["pp"]},
    value=t,
    adds=9 * t,
    scores="exact",
)  # aaaa for abcd


def backwards(text: Any) -> Any:
    """What a right reverse says."""
    return text[::-1]


BACKWARDS = each(backwards)


def reverse(claim: Any = BACKWARDS, **options: Any) -> Program:
    """A right program that reverses its text, over a window of 4."""
    return Program(
        name="reverse",
        embedding=(at, t, middle),
        layers=(find_middle, mirror),
        claim=claim,
        **{"causal": False} | options,
    )


def aaaa(claim: Any = BACKWARDS) -> Program:
    """A wrong one: the first token at every position, which is right at the last."""
    return Program(
        name="aaaa",
        embedding=(at, t, middle),
        layers=(first,),
        claim=claim,
        causal=False,
    )


def wrong_places(
    model: Model, expected: Callable[[str], Any]
) -> list[tuple[str, int]]:
    """Every text and position where the most likely token is not the expected one, the shortest
    first: by plain loops.
    """
    tokens, found = model.vocabulary.tokens, []
    for ids in every(len(tokens), model.n_ctx):
        text, logits = "".join(tokens[i] for i in ids), model(np.array(ids))
        for i, right in enumerate(expected(text)):
            best = max(logits[i])
            if right is not None and not (
                logits[i][tokens.index(right)] == best
                and list(logits[i]).count(best) == 1
            ):
                found.append((text, i))
    return found
