"""Computes how many tokens a model may add to a prompt of its claim, and refuses other prompts.

This number is called the prompt's room; it is not a room of the package.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from handcraft.claims.prompt_claim import Answers
from handcraft.core.errors import PromptError, clipped, printable
from handcraft.core.vocabulary import Vocabulary


def prompt_room(
    claim: Answers,
    ids: Sequence[int],
    vocabulary: Vocabulary,
    n_ctx: int,
    name: str,
) -> int:
    """The number of tokens that may follow the prompt with these ids.

    `name` is the model's, for messages. Raises PromptError for a text that is not a prompt of
    the claim, or that does not fit the window together with its answer.
    """
    text = vocabulary.decode(ids)
    is_prompt = text in claim.language(n_ctx, vocabulary)
    if not is_prompt or vocabulary.encode(text) != list(ids):
        domain = _domain(claim, vocabulary, n_ctx)
        raise PromptError(
            f"'{printable(text)}' is not a prompt of {name}; {domain}"
        )
    if claim.known:
        claim.expected(
            text, vocabulary, n_ctx
        )  # raises where the answer does not fit
    asked = [vocabulary.tokens[i] for i in ids]
    if n_ctx - len(ids) + 1 < (claim.size(asked) or 1):
        raise PromptError(
            f"'{printable(text)}' and its answer do not fit the {n_ctx} tokens of {name}"
        )
    return claim.room(asked, vocabulary, n_ctx)


def in_frame(
    claim: Answers, ids: Sequence[int], vocabulary: Vocabulary
) -> tuple[list[int], int]:
    """The prompt of a text, or of a prompt itself; and how many tokens of what follows come before
    the answer: the echoes of a framed claim.
    """
    if claim.framed is None:
        return list(ids), 0
    begin, separator, echoes = claim.framed
    first, last = vocabulary.encode([begin, separator])
    whole = list(ids) if ids[0] == first else [first, *ids, last]
    return whole, echoes * (len(whole) - 1)


def _domain(claim: Answers, vocabulary: Vocabulary, n_ctx: int) -> str:
    example = max(islice(claim.language(n_ctx, vocabulary), 20), key=len)
    return (
        f"its prompts match '{clipped(claim.prompts)}', such as '{printable(example)}', and"
        f" fit {n_ctx} tokens with their answer"
    )
