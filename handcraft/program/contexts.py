"""Counts the contexts that a claim is about, and draws random ones with hypothesis.

A claim on endings is about every context of every length up to n_ctx; a claim on prompts is
about the texts of its regular language. Rules of this file: counts are exact integers;
hypothesis is imported only when contexts are drawn.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random
from typing import TYPE_CHECKING

from handcraft.claims.kinds import Claim
from handcraft.claims.prompt_claim import Answers
from handcraft.core.arguments import asked_call
from handcraft.core.errors import ProgramError
from handcraft.core.vocabulary import Vocabulary
from handcraft.language.affine import kind_of
from handcraft.program.program import Program

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


def count_contexts(n_vocab: int, n_ctx: int) -> int:
    """The number of contexts of length 1 to n_ctx."""
    return sum(n_vocab**length for length in range(1, n_ctx + 1))


def count_domain(claim: Claim, vocabulary: Vocabulary, n_ctx: int) -> int:
    """The exact number of contexts, or prompts, that a claim is about."""
    if claim.asks_prompts:
        return claim.language(n_ctx, vocabulary).size
    if claim.whole_text:
        n_vocab = len(claim.alphabet or vocabulary.tokens)
        return count_contexts(n_vocab, n_ctx - claim.skipped)
    return count_contexts(len(vocabulary), n_ctx)


def token_contexts(
    vocabulary: Sequence[str], n_ctx: int
) -> SearchStrategy[list[str]]:
    """A strategy for contexts of 1 to n_ctx tokens, which shrink to the first token alone."""
    from hypothesis import strategies as st

    def of_length(n: int) -> SearchStrategy[list[str]]:
        return st.lists(st.sampled_from(vocabulary), min_size=n, max_size=n)

    return st.integers(1, n_ctx).flatmap(of_length)


def whole_texts(
    claim: Claim, vocabulary: Vocabulary, n_ctx: int
) -> SearchStrategy[list[str]]:
    """A strategy for the texts that a claim speaks of; for contexts where it is of no texts."""
    if not claim.whole_text:
        return token_contexts(vocabulary.tokens, n_ctx)
    first = [] if claim.begin is None else [claim.begin]
    alphabet = claim.alphabet or vocabulary.tokens
    rest = token_contexts(alphabet, n_ctx - claim.skipped)
    return rest.map(lambda tokens: [*first, *tokens])


def drawn_texts(
    claim: Claim, vocabulary: Vocabulary, n_ctx: int
) -> SearchStrategy[list[str]]:
    """A strategy for the same, which draws a text at once where its tokens are letters; it does not
    shrink to the first token.
    """
    from hypothesis import strategies as st

    if not claim.whole_text:
        return token_contexts(vocabulary.tokens, n_ctx)
    letters = claim.alphabet or vocabulary.tokens
    if not all(
        len(t) == 1 and t.isascii() and t.isprintable() for t in letters
    ):
        return whole_texts(claim, vocabulary, n_ctx)
    first = [] if claim.begin is None else [claim.begin]
    rest = st.integers(1, n_ctx - claim.skipped).flatmap(
        lambda n: st.text("".join(letters), min_size=n, max_size=n)
    )
    return rest.map(lambda text: [*first, *text])


def prompts(
    claim: Answers, n_ctx: int, vocabulary: Vocabulary
) -> SearchStrategy[str]:
    """A strategy for the prompts of a claim that fit the window."""
    from hypothesis import strategies as st

    language = claim.language(n_ctx, vocabulary)
    pattern = re.compile(claim.prompts, re.ASCII)
    return st.from_regex(pattern, fullmatch=True).filter(
        lambda text: text in language
    )


@asked_call("contexts")
def contexts(program: Program) -> SearchStrategy[list[str]]:
    """A strategy for lists of tokens: prompts of the program's claim, or any up to n_ctx tokens."""
    if not isinstance(program, Program):
        raise ProgramError(
            f"takes a Program, found {kind_of(program)}", ("contexts",)
        )
    if program.claim is not None and program.claim.asks_prompts:
        vocabulary = Vocabulary(program.vocabulary)
        texts = prompts(program.claim, program.n_ctx, vocabulary)
        return texts.map(lambda text: list(vocabulary.split(text)))
    if program.claim is None:
        return token_contexts(program.vocabulary, program.n_ctx)
    vocabulary = Vocabulary(program.vocabulary)
    return whole_texts(program.claim, vocabulary, program.n_ctx)


def first_context(
    strategy: SearchStrategy[list[str]],
    condition: Callable[[list[str]], bool],
    examples: int,
    *,
    shrink: bool = True,
    random: Random | None = None,
) -> list[str] | None:
    """The first context drawn that meets the condition, shrunk; None if none of `examples` does.

    Raises what the condition raises, and holds it to what it said of a context that met it: a
    condition asks the author's functions, and hypothesis asks it again.
    """
    from hypothesis import HealthCheck, Phase, find, settings
    from hypothesis.errors import NoSuchExample

    failed: list[BaseException] = []
    met = set[tuple[str, ...]]()

    def meets(tokens: list[str]) -> bool:
        if failed or tuple(tokens) in met:
            return True
        try:
            found = condition(tokens)
        except (Exception, SystemExit) as error:
            failed.append(error)
            return True
        if found:
            met.add(tuple(tokens))
        return found

    options = settings(
        max_examples=examples,
        database=None,
        derandomize=True,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink) if shrink else (Phase.generate,),
    )
    try:
        found: list[str] = find(
            strategy, meets, settings=options, random=random
        )
    except NoSuchExample:
        return None
    except BaseExceptionGroup as group:  # an exit between two contexts
        for one in group.exceptions:
            if isinstance(one.__cause__, SystemExit):
                raise one.__cause__ from None
        raise
    if failed:
        raise failed[0]
    return found
