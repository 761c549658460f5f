"""Looks for a text on which an author's function raises what it raised while it was tabulated.

Functions are asked for all combinations of values that cannot be ruled out, and some of these never
occur. Short texts are tried, and drawn ones; what none of them shows has no meaning to be kept: the
s-op itself has no value where it occurs.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

from handcraft.lowering.rasp.translation import Raised, Translation, raises
from handcraft.lowering.rasp.values import Unusual
from handcraft.rasp import causal_eval
from handcraft.rasp import evaluate as evaluate_all
from handcraft.sequence.values import Value

_SHORT, _DRAWN = 300, 60  # texts that are tried


def tried_texts(alphabet: Sequence[Any], n: int) -> Iterator[list[Any]]:
    """Texts of 1 to n tokens: the shortest ones, and some that are drawn."""
    left = _SHORT
    for length in range(1, n + 1):
        if len(alphabet) ** length > left:
            break
        left -= len(alphabet) ** length
        yield from map(list, product(alphabet, repeat=length))
    drawn = random.Random(0)
    for i in range(_DRAWN):
        length = n if i % 3 == 0 else drawn.randint(1, n)
        yield [drawn.choice(alphabet) for _ in range(length)]


def witness(here: Translation, found: Raised, n: int) -> str | None:
    """The error for a text, in words; None where no text shows it."""
    evaluate = causal_eval.evaluate if here.causal else evaluate_all
    for text in tried_texts(list(here.names.values()), n):
        try:
            columns = [evaluate(part, text) for part in found.parts]
            rows = _rows(here, columns, apart=found.apart)
        except Exception:  # noqa: S112  # what it is made of raises: another witness
            continue
        for row in rows:
            if row in found.rows:
                told = [here.told(part) for part in found.parts]
                when = f"which occurs for {text!r}"
                return raises(told, row, found.rows[row], when)
    return None


def _rows(
    here: Translation, columns: Sequence[Sequence[Any]], *, apart: bool
) -> list[tuple[Value, ...]]:
    try:
        values = [[here.book.value(x) for x in column] for column in columns]
    except Unusual:
        return []
    pairs = product(*values) if apart else zip(*values, strict=True)
    return list(pairs)
