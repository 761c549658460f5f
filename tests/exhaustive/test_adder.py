"""The adder beyond what it is drawn with: every carry pattern, every local case, every pair of
three digits.
"""

from __future__ import annotations

import runpy
from collections.abc import Iterable
from itertools import islice, product
from pathlib import Path
from random import Random

import numpy as np

from handcraft import Model
from handcraft.proof import verify

DIGITS = 10
adder = runpy.run_path(
    str(Path(__file__).parents[2] / "programs" / "adder.py")
)["adder"]


def least_margin(
    model: Model, pairs: Iterable[tuple[int, int]]
) -> tuple[int, float]:
    """How many sums were checked, and the least logit margin of any digit of any of them; below
    zero where one is wrong.
    """
    count, least, iterator = 0, np.inf, iter(pairs)
    while batch := list(islice(iterator, 2048)):
        texts = [
            f"{a:011d}+{b:011d}=" + f"{a + b:011d}"[::-1] for a, b in batch
        ]
        ids = np.array(
            [[model.vocabulary.ids[c] for c in text] for text in texts]
        )  # [n, 35]
        logits = model(ids[:, :-1])[:, 23:]  # [n, 11, n_vocab]
        right = ids[:, 24:, None]  # [n, 11, 1]
        own = np.take_along_axis(logits, right, axis=2)
        others = np.where(np.arange(logits.shape[2]) == right, -np.inf, logits)
        least = min(least, float((own[..., 0] - others.max(axis=2)).min()))
        count += len(batch)
    return count, least


def test_a_hundred_draws_of_each_of_the_1024_carry_patterns() -> None:
    """Whatever carries where, out of the top digit too, the sum is right."""
    random = Random(2025)

    def pair(pattern: tuple[int, ...]) -> tuple[int, int]:
        a = b = carry = 0
        for place, out in enumerate(pattern):
            digits = [
                (x, y)
                for x, y in product(range(10), repeat=2)
                if (x + y + carry > 9) == bool(out)
            ]
            x, y = random.choice(digits)
            a, b, carry = a + x * 10**place, b + y * 10**place, out
        return a, b

    pairs = (
        pair(pattern)
        for pattern in product((0, 1), repeat=DIGITS)
        for _ in range(100)
    )
    count, least = least_margin(adder(DIGITS).build(), pairs)
    assert count == 102_400
    assert least >= 0.39


def test_every_local_case() -> None:
    """Every digit pair, every digit pair below it, either carry into those, at every place: 10
    x 20,000 cases.
    """

    def pairs() -> Iterable[tuple[int, int]]:
        for place in range(DIGITS):
            for a, b, c, d, carry in product(*[range(10)] * 4, (0, 1)):
                low = 5 * 10 ** (place - 2) if carry and place >= 2 else 0
                below = 10 ** (place - 1) if place else 0
                yield (
                    a * 10**place + c * below + low,
                    b * 10**place + d * below + low,
                )

    count, least = least_margin(adder(DIGITS).build(), pairs())
    assert count == 200_000
    assert least >= 0.39


def test_three_digits_on_all_pairs() -> None:
    """All 1,000,000 pairs, with a thousandth of the 12.3 million parameters that a compiled
    peer needs.
    """
    model = adder(3).build()
    report = verify(model, methods=["exhaustive"])
    assert (
        report.verdict,
        report.method,
        report.contexts,
        report.accuracy,
    ) == (
        "checked",
        "exhaustive",
        10**6,
        1.0,
    )
    assert report.min_margin is not None
    assert report.min_margin >= 0.39
    assert model.parameters["dense"] <= 12_300


def test_binary_increment_on_every_row() -> None:
    """All 256 rows of the counter, with a thousandth of the 21 million parameters that a
    compiled peer needs.
    """
    model = Model.open("counter")
    report = verify(model, methods=["exhaustive"])
    assert (
        report.verdict,
        report.method,
        report.contexts,
        report.accuracy,
    ) == (
        "checked",
        "exhaustive",
        256,
        1.0,
    )
    assert model.parameters["dense"] <= 21_000
