"""Makes examples of a claim on prompts: each prompt with its answer.

Rules of this file: all prompts where there is room for them, else as many as are drawn with a fixed
seed; what is right is asked of the claim itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np

from handcraft.model import Model
from handcraft.program.contexts import count_domain
from handcraft.training.claim_texts import DRAWS, short_number
from handcraft.training.examples import ExampleRows


def prompt_rows(model: Model, claim: Any, room: int) -> ExampleRows:
    """Prompts with their answers, in so many positions at most, each asked at the tokens of its
    answer.
    """
    size = count_domain(claim, model.vocabulary, model.n_ctx)
    language = claim.language(model.n_ctx, model.vocabulary)
    most = max(1, room // model.n_ctx)
    if size <= most:
        prompts, whole = list(language), None
    else:
        drawn = dict.fromkeys(language.sample(most * DRAWS))
        prompts = list(islice(drawn, most))
        whole = f"{len(prompts):,} of {short_number(size)} prompts were drawn"
    ask = claim.ahead(prompts, model.vocabulary)
    rows = []
    for prompt in prompts:
        asked = model.vocabulary.encode(prompt)
        answer = claim.expected(prompt, model.vocabulary, model.n_ctx, ask)
        rows.append((asked, model.vocabulary.encode(answer)))
    return _answered(rows, whole)


def _answered(
    rows: Sequence[tuple[list[int], list[int]]], whole: str | None
) -> ExampleRows:
    n = max(len(asked) + len(answer) for asked, answer in rows) - 1
    tokens = np.zeros((len(rows), n), "int32")
    targets, weight = np.zeros_like(tokens), np.zeros((len(rows), n), "float32")
    lengths = np.zeros(len(rows), "int32")
    for i, (asked, answer) in enumerate(rows):
        both = [*asked, *answer]
        lengths[i] = len(both) - 1
        tokens[i, : lengths[i]] = both[:-1]
        targets[i, : lengths[i]] = both[1:]
        weight[i, len(asked) - 1 : lengths[i]] = 1
    return ExampleRows("token", tokens, targets, weight, None, whole)
