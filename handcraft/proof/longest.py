"""Up to which length of text a proof holds, where positions are told apart by nothing.

    longest_proved(model)       the number of tokens, or None where there is no such length
    with_last_row_to(model, n)  the same model with a longer window

A program without positions has the same row of `wpe` behind the first token at every position. With
that row repeated its weights are a model of a longer window, and a proof of that one says that all
texts up to its length are answered rightly. What ends it is the rounding of more terms, a number
that the program has no neurons for, or one that has no token: there the claim says nothing.
Rules of this file: a length is said only if a proof of it was accepted, and real runs agree; how
long is searched is a limit of tokens.
"""

from __future__ import annotations

import gc
from dataclasses import replace
from random import Random

import numpy as np

from handcraft.claims.kinds import Each
from handcraft.core.gpt2 import gpt2
from handcraft.model import Model
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.check import measured_lanes
from handcraft.sequence.expression import Expression

LONGEST_TRIED = (
    724  # that are looked at: at 1,024 a table of two counts is too large
)
_DRAWN = 4  # texts of the longest length that are run


def longest_proved(model: Model) -> int | None:
    """The most tokens of a text for which the model is proved, with the last row of `wpe` repeated:
    at least those of its window. None where its rows differ, no token begins all texts, or its own
    texts are not proved by what its lanes hold; nor where the claim is silent at some of them:
    nobody would count at how many of longer ones it says anything.
    """
    claim = model.program.claim if model.program else None
    if type(claim) is not Each or claim.begin is None:
        return None
    if not _is_same_everywhere(model):
        return None
    own = model.n_ctx - 1
    if not _holds(model, own):
        return None
    # the longest first: a proof of it is one of all that are shorter
    if own >= LONGEST_TRIED:
        least = most = own
    elif _holds(model, LONGEST_TRIED):
        least = most = LONGEST_TRIED
    else:
        least, most = own, LONGEST_TRIED
    while (
        most > 2 * least
    ):  # only what was proved counts, whatever shorter ones are
        if not _holds(model, 2 * least):
            most = 2 * least
            break
        least = 2 * least
    while most - least > 1:
        middle = (least + most) // 2
        if _holds(model, middle):
            least = middle
        else:
            most = middle
    return least if least == own or _runs(model, claim, least) else None


def with_last_row_to(model: Model, tokens: int) -> Model:
    """The model for texts of so many tokens behind the first one."""
    rows = model.weights["wpe"]
    more = np.repeat(rows[-1:], tokens + 1 - len(rows), axis=0)
    return replace(
        model, weights={**model.weights, "wpe": np.concatenate([rows, more])}
    )


def _is_same_everywhere(model: Model) -> bool:
    """True if all positions behind the first have the same row."""
    rows = model.weights["wpe"][1:]
    return bool(len(rows)) and bool((rows == rows[:1]).all())


def _holds(model: Model, tokens: int) -> bool:
    """True if texts of this length are proved, and the claim speaks at each of their positions."""
    gc.collect()  # tables of symbols refer to each other
    try:
        return not measured_lanes(with_last_row_to(model, tokens), ()).silent
    except (Rejected, MemoryError, RecursionError):
        return False


def _runs(model: Model, claim: Each, tokens: int) -> bool:
    """True if some texts of this length, drawn and run, are answered as the claim says."""
    longer, random = with_last_row_to(model, tokens), Random(tokens)
    ids = model.vocabulary.ids
    if not isinstance(claim.function, Expression) or claim.alphabet is None:
        return False
    for _ in range(_DRAWN):
        text = random.choices(claim.alphabet, k=tokens)
        read = np.array([ids[t] for t in (str(claim.begin), *text)])
        logits = gpt2(read, **longer.weights, **longer.config)[1:]
        said = claim.function.all(text, causal=claim.causal)
        for row, value in zip(logits, said, strict=True):
            if value is not None and int(row.argmax()) != ids[str(value)]:
                return False
    return True
