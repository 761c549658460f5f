"""Makes examples of a claim: its contexts or its prompts, all of them where that is possible.

    claims on prompts     each prompt with its answer, asked at the tokens of the answer
                          (claim_prompts.py)
    claims on contexts    texts of the whole window; each of their beginnings is a context
    claims on each        whole texts, asked at every position (both: claim_texts.py, which texts,
                          and claim_targets.py, what follows)

Where there are more than MOST_IN_ROWS they are drawn with a fixed seed, and a tenth of what was
drawn is held out.

Rules of this file: a claim about a lane has no tokens to train on.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from handcraft.claims.kinds import Claim
from handcraft.core.errors import ProgramError
from handcraft.core.gpt2 import Array
from handcraft.model import Model
from handcraft.training.claim_prompts import prompt_rows
from handcraft.training.claim_targets import padded_texts, said_of_texts
from handcraft.training.claim_texts import (
    count_claim_texts,
    short_number,
    texts_of_lengths,
)
from handcraft.training.examples import ExampleRows
from handcraft.training.texts import Data

MOST_IN_ROWS = 2**17  # positions of the rows of a claim
_TENTH = 10


def of_claim(model: Model, claim: Claim) -> Data:
    """The contexts or prompts of a claim, with what must follow.

    Raises ProgramError for a claim about a lane, or that is silent on all that was drawn.
    """
    if claim.measures == "lane":
        raise ProgramError(
            "the claim is about a lane, not about tokens, so that there is nothing to"
            " predict; give another program, or a text",
            (model.name,),
        )
    table = (
        prompt_rows(model, claim, MOST_IN_ROWS)
        if claim.asks_prompts
        else _texts(model, claim)
    )
    asked: Array = table.weight.max(axis=1) > 0
    if not asked.any():
        raise ProgramError(
            f"the claim is silent on all of {len(asked):,} texts that were drawn; there"
            " is nothing to predict",
            (model.name,),
        )
    table = table.rows(np.flatnonzero(asked))
    if table.whole is None:
        return Data(model.name, model.vocabulary, table)
    apart = np.arange(table.size) % _TENTH == _TENTH - 1
    return Data(
        model.name,
        model.vocabulary,
        table.rows(np.flatnonzero(~apart)),
        table.rows(np.flatnonzero(apart)) if apart.any() else None,
    )


def _texts(model: Model, claim: Any) -> ExampleRows:
    """Texts of the window, or of every length where a position sees later ones, with what the
    claim says at each position.
    """
    grouped = [
        (ids, said_of_texts(model, claim, ids))
        for ids in texts_of_lengths(model, claim, MOST_IN_ROWS)
    ]
    found = padded_texts(grouped, model)
    size, drawn = (
        count_claim_texts(model, claim),
        sum(len(ids) for ids, _ in grouped),
    )
    if drawn == size:
        return found
    return replace(
        found, whole=f"{drawn:,} of {short_number(size)} texts were drawn"
    )
