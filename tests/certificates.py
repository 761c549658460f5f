"""Small models, and the certificates of their claims."""

from __future__ import annotations

from handcraft import (
    Head,
    Model,
    Program,
    answers,
    position,
    residual,
    scratch,
    token,
)
from handcraft.proof.checker import Certificate
from handcraft.proof.prover.recorder import Recorder
from handcraft.recipes import addresses, attend_to, attend_where, mean
from handcraft.sequence.words import (
    end,
    here,
    latest,
    own,
    ratio,
    token_at,
    total,
)

SMALL = ("aab", "baby_gpt", "bigram", "counter", "flip_flop")


def recorded(model: Model) -> Certificate:
    """The certificate of a model's claim."""
    return (
        Recorder(model, model.program.claim, float("inf"), lambda *_: None)
        .recorded()
        .certificate
    )


def induction() -> Model:
    """Three letters in a window of five: two layers, the second asks by content, the claim
    guesses the last token.
    """
    at, now, before = (
        position(5, p=lambda i: i, pp=lambda i: i * i),
        token("abc"),
        scratch("before", "abc"),
    )
    follower = Head(
        query={before: 2**10 * now, at["p"]: 24},
        value={now: now},
        adds={now: 50 * now},
        scores="exact",
    )
    layers = (attend_to(at, at["p"] - 1, value={before: now}), follower)
    return Program(
        name="small",
        embedding=(at, now, before),
        layers=layers,
        claim=token_at(latest({-1: own})),
    ).build()


def copying() -> Model:
    """Copies words of up to two letters: prompts with answers, two layers, and the second asks
    what the first found.
    """
    at, t, equals = addresses(7), token("^=ab"), scratch("equals")
    find = attend_where(
        {t["="]: 1}, value={equals: at["p"]}, at=at, prefer="first"
    )
    read = attend_to(at, at["p"] - equals + 1, value=t, adds=50 * t)
    claim = answers(
        r"\^[ab]{0,2}=", token_at(here - end + 1), length=end, stop="="
    )
    return Program(
        name="copying",
        embedding=(at, t, equals),
        layers=(find, read),
        claim=claim,
    ).build()


def averaging() -> Model:
    """The mean of the digits so far, as a claim on a lane."""
    t, average = token("0123"), scratch("mean")
    rule = ratio(total({d: int(d) for d in "0123"}), here + 1)
    layer = mean({average: sum((int(d) * t[d] for d in "123"), 0)})
    claim = residual(average.lanes[0], rule, tolerance=5e-5)
    return Program(
        name="averaging",
        embedding=(t, average),
        layers=(layer,),
        n_ctx=5,
        claim=claim,
    ).build()
