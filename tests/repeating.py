"""A program that repeats its last token, with a claim, and what the claim is refused with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from handcraft import Head, Program, position, token
from handcraft.core.errors import ProgramError

FLIP = {(0, "a"): ("b", 0), (0, "b"): ("a", 0)}
PAIRS = [x + y for x in "ab" for y in "ab"]
WIDEN = "bound the prompts, e.g. with longest=, or widen the window"
ONE_WAY = "choose tokens or prompts that leave one"
LONGEST = (
    "but a text is split by the longest token that matches, which fails here; choose"
    " tokens none of which begins another"
)


def program(claim: Any, tokens: Any = "ab;", n_ctx: int = 5) -> Program:
    """A program that repeats its last token, with this claim."""
    p, t = position(n_ctx), token(tokens)
    return Program(
        name="p",
        embedding=(p, t),
        layers=(Head(query=1024 * p, key=p, value=t, adds=8 * t),),
        claim=claim,
    )


def message(build: Callable[[], object]) -> str:
    """What a claim is refused with, without its file and line."""
    with pytest.raises(ProgramError) as caught:
        build()
    return str(ProgramError(caught.value.message, caught.value.path))
