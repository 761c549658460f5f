"""A proof that the prover has and the checker loses, and what helps, as docs/proofs.md says."""

from __future__ import annotations

from typing import Any

import pytest

from handcraft import (
    Head,
    Program,
    Slot,
    answers,
    attend_to,
    local,
    position,
    scratch,
    token,
)
from handcraft.proof import verify
from handcraft.recipes import addresses

NAMES = "ABCD"
TOKENS = f"#{NAMES}"
t, s, d = token(TOKENS), scratch("s", TOKENS), scratch("d", TOKENS)
name = local("name", NAMES)
at, p = addresses(4), position(4)
TARGET: Any = {"value": {s: t}, "missing": "nearest"}
LOST = (
    "not proved: the proof has no certificate that can be checked: it covers 0 of"
    " 12 contexts of 4 tokens"
)
CONTENT = Head(  # looks for the names B and D two back, and shuns A and C
    query={name[x]: (30 if x in "BD" else -30) * s[x] for x in NAMES},
    key={name[x]: t[x] for x in NAMES},
    value={d: s},
    scores="exact",
)


def program(of: Slot, two_back: Head) -> Program:
    """A program that learns the token two back and looks for it; its claim is what it says after
    each of the 12 prompts such as #ABA.
    """
    layers = (two_back, CONTENT, {t: 20 * d - 30 * t})
    model = Program(embedding=(of, t, s, d), layers=layers).build()
    prompts = [f"#{x}{y}{x}" for x in NAMES for y in NAMES if x != y]
    said = {
        prompt: TOKENS[int(model(prompt)[-1].argmax())] for prompt in prompts
    }
    return Program(
        embedding=(of, t, s, d),
        layers=layers,
        claim=answers("|".join(prompts), said, length=1),
    )


def test_a_computed_position_can_leave_the_checker_no_context() -> None:
    """The model is right on every prompt, and the reason says that the proof was lost."""
    model = program(at, attend_to(at, at["p"] - 2, **TARGET)).build()
    assert verify(model, methods=["certificate"]).reason == LOST
    assert verify(model, methods=["exhaustive"]).verdict == "checked"


@pytest.mark.parametrize(
    ("of", "two_back"),
    [
        (at, attend_to(at, at["p"] - 2, sharpness=200, **TARGET)),
        (
            at,
            Head(
                query={at["p"]: 400 * (at["p"] - 2), at["pp"]: -200},
                value={s: t},
                scores="exact",
            ),
        ),
        (p, Head(query=1024 * p.back(2), value={s: t})),
    ],
    ids=["sharpness", "factor", "one-hot"],
)
def test_scores_that_leave_no_doubt_are_proved(
    of: Slot, two_back: Head
) -> None:
    """A greater sharpness, a greater factor, and one-hot positions: each is enough."""
    report = verify(program(of, two_back).build(), methods=["certificate"])
    assert report.verdict == "proved"
