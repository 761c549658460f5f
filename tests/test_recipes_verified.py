"""Small programs made of recipes over selectors are verified: against expressions of the claims'
language, causal or not, and a wrong selector is refuted with a text.
"""

from __future__ import annotations

from typing import Any

import pytest

from handcraft import (
    Program,
    answers,
    each,
    scratch,
    slot,
    token,
    verify,
    write,
)
from handcraft.core.weights import flatten
from handcraft.recipes import (
    addresses,
    best_by,
    compare,
    fetch_one,
    key_flag,
    mean_over,
    parabola,
    same_number,
    threshold,
    total_over,
    total_over_any,
)
from handcraft.sequence import (
    below,
    best,
    cases,
    count,
    fetch,
    indices,
    latest,
    lookup,
    map_,
    mean,
    min_,
    there,
    tokens,
)

N = 5
at = addresses(N + 1)
t = token("^0123")
DIGITS = {t[d]: int(d) for d in "0123"}
k = slot("k", token={d: int(d) for d in "0123"})
x, xx = scratch("x xx")
decoded = parabola(x, DIGITS)
number = lookup({d: int(d) for d in "0123"}, tokens)
less = compare(DIGITS, "<", DIGITS)


def text(e: Any) -> Any:
    """A number as the token that is said."""
    return map_(str, e, over=range(4))


def program(
    layers: Any,
    claim: Any,
    *,
    causal: bool,
    seen: bool | None = None,
    **options: Any,
) -> Program:
    """A program over texts of digits behind a sink; `seen` where the claim has another mask."""
    masked = causal if seen is None else seen
    return Program(
        embedding=(at, t, k, x, xx),
        layers=layers,
        claim=each(claim, causal=masked, begin="^", alphabet="0123"),
        causal=causal,
        **options,
    )


def heads(causal: bool) -> dict[str, tuple[Any, Any]]:
    """Layers and what they should say."""
    bos: Any = {"sink": t["^"], "causal": causal}
    return {
        "the greatest": (
            [best_by(at, k, value={x: k}, most=3, **bos), decoded],
            fetch(tokens, best(number)),
        ),
        "the least of the greater, latest": (
            [
                best_by(
                    at,
                    -k,
                    value={x: k},
                    most=3,
                    where=~less & ~compare(DIGITS, "==", DIGITS),
                    ties="latest",
                    default=0,
                    **bos,
                ),
                decoded,
            ],
            fetch(
                tokens,
                best(0 - number, there(number) > number),
                default="0",
            ),
        ),
        "the latest that is less, or 3": (
            [
                fetch_one(
                    less, value={x: k}, prefer="latest", at=at, default=3, **bos
                ),
                decoded,
            ],
            fetch(tokens, latest(there(number) < number), default="3"),
        ),
        "how many are less, up to 3": (
            [
                total_over(less, {x: 1}, **bos),
                [threshold(x, {xx: 1}, above=i + 0.5) for i in range(3)],
                parabola(xx, DIGITS),
            ],
            text(min_(count(there(number) < number), 3)),
        ),
        "the mean of the greater or equal, above 2": (
            [
                mean_over(~less, value={x: k}, default=0, **bos),
                threshold(x, {xx: 1}, above=2.1, margin=0.1),
                parabola(xx, DIGITS),
            ],
            text(below(2, mean(number, there(number) >= number))),
        ),
    }


both_masks = pytest.mark.parametrize("causal", [True, False])
NAMES = tuple(heads(causal=True))


@pytest.mark.parametrize("activation", ["gelu", "relu"])
@both_masks
@pytest.mark.parametrize("name", NAMES)
def test_every_position_says_what_is_claimed(
    name: str, causal: bool, activation: Any
) -> None:
    """Every text of five digits behind the sink is asked, at every position."""
    layers, claim = heads(causal)[name]
    made = program(layers, claim, causal=causal, activation=activation)
    assert verify(made, method="exhaustive").verdict == "checked"


@both_masks
@pytest.mark.parametrize("name", NAMES)
def test_another_mask_or_sign_is_refuted(name: str, causal: bool) -> None:
    """What is true of the greater is not of the less, nor of what was not seen."""
    layers, claim = heads(causal)[name]
    other = program(layers, claim, causal=causal, seen=not causal)
    assert verify(other).verdict == "refuted"
    others = {"the greatest": "the latest that is less, or 3"}
    layers, _ = heads(causal)[others.get(name, "the greatest")]
    other = program(layers, claim, causal=causal)
    assert verify(other).verdict == "refuted"


# ---------------------------------------------------------------- proved


letters = token("^ab=0123456789")
NUMBERS = {letters[d]: int(d) for d in "0123456789"}
EITHER = {letters["a"]: 0, letters["b"]: 1}
MOST = 9
here = addresses(MOST + 3)
back = (here["p"] - 1, here["pp"] - 2 * here["p"] + 1)
y = scratch("y")
BOS: Any = {"sink": letters["^"]}
a_or_b = key_flag(letters["a"] + letters["b"])
same_or_end = compare(EITHER, "==", {letters["a"]: 0, letters["="]: 1})
IS_B: Any = {"value": {x: letters["b"]}, "default": 0, **BOS}
PROVED = {
    "a sum over key_flag": (
        [
            total_over(key_flag(letters["a"]), {x: 1}, **BOS),
            parabola(x, NUMBERS),
        ],
        map_(str, count({0: "a"}), over=range(10)),
    ),
    "a sum over any of three": (
        [
            list(
                total_over_any(
                    [
                        key_flag(letters["a"]),
                        key_flag(letters["b"]),
                        same_or_end,
                    ],
                    {x: 1},
                    **BOS,
                )
            ),
            parabola(x, NUMBERS),
        ],
        map_(str, indices - 1, over=range(10)),
    ),
    "the latest": (
        [
            fetch_one(a_or_b, prefer="latest", at=here, **IS_B),
            parabola(x, EITHER),
        ],
        fetch(tokens, indices - 1),
    ),
    "the least position": (
        [
            best_by(here, -here["p"], most=MOST + 2, where=a_or_b, **IS_B),
            parabola(x, EITHER),
        ],
        fetch(tokens, 1),
    ),
    "a mean above one half": (
        [
            mean_over(a_or_b, value={x: letters["a"]}, default=0, **BOS),
            threshold(x, {y: 1}, above=0.49, margin=0.005),
            parabola(y, {letters["b"]: 0, letters["a"]: 1}),
        ],
        cases((below(count({0: "a"}), count({0: "b"})), "b"), "a"),
    ),
    "a fetch by a position": (
        [
            fetch_one(same_number(here, back, most=MOST + 2), **IS_B),
            parabola(x, EITHER),
        ],
        fetch(tokens, indices - 1),
    ),
}


@pytest.mark.parametrize("name", PROVED)
def test_a_claim_that_the_prover_follows_is_proved(name: str) -> None:
    """The recipes stay within what the prover bounds, and the certificate is accepted."""
    layers, claim = PROVED[name]
    made = Program(
        embedding=(here, letters, x, y),
        layers=layers,
        claim=answers(rf"\^[ab]{{1,{MOST}}}=", claim, length=1),
    )
    assert verify(made).verdict == "proved"


@both_masks
def test_a_program_of_recipes_is_written_and_read_back(causal: bool) -> None:
    """What `write` prints of such heads makes the same weights."""
    layers = [layer for name in NAMES for layer in heads(causal)[name][0][:1]]
    made = program(layers, tokens, causal=causal)
    names: dict[str, Any] = {"__name__": "written"}
    exec(compile(str(write(made)), "written.py", "exec"), names)
    again, weights = (
        flatten(one.build().weights) for one in (names["program"], made)
    )
    assert all((again[key] == weights[key]).all() for key in weights)
