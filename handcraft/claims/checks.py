"""What makes a claim an error, found once, when its Program is made.

    check_claim(claim, vocabulary, n_ctx, causal=...)

What whoever asks a claim of a Program may assume, be it a method of verification, the prover,
the checker or `run`:

    kinds     an expression gives tokens (or nothing) as an answer or a next token, numbers (or
              nothing) on a lane and as a length; arithmetic, `below`, positions and `most` get
              numbers, `where` gets tokens (handcraft.sequence.value_kinds)
    tokens    every token that a claim names as an answer, a stop or a key of probabilities is
              in the vocabulary
    endings   each has one spelling that is meant, stands once and fits the window; a row names
              a token once
    prompts   each has one spelling, which is the one that `Vocabulary.split` finds, of at most
              n_ctx tokens; so there are as many sequences of tokens as `language(...).size`
              counts texts (handcraft.claims.spelling)
    lengths   a length that is a number, or an expression of `end` and numbers only, is a whole
              number from 1 on for every prompt, and prompt and answer fit the window; of an
              expression that reads the prompt's tokens this is known of the first prompts only
    tables    every prompt has its answer, which is right in every way that `Answers.expected`
              asks for
    transducers   read inside every prompt, and no row writes the stop token
    the rest  a missing row, an answer that is nothing, an early stop of a rule, and whatever a
              function says, is known when it is asked: `Answers.expected` (prompts) and
              `Reference` (contexts) are the only ones that say what is right, and raise
              ProgramError for what cannot be

Rules of this file: what can be decided for every prompt is, on the automaton of the prompts; of
data the first prompts are asked, so that a claim that is always wrong is no Program; a function
is never called.
"""

from __future__ import annotations

from collections.abc import Iterator

from handcraft.claims.answers import Table
from handcraft.claims.functions import Callback
from handcraft.claims.kinds import After, Answers, Claim, Distribution
from handcraft.claims.prompt_language import Language
from handcraft.claims.spelling import Spelling
from handcraft.claims.transducer import Transducer
from handcraft.core.errors import ProgramError, hint, listing, printable
from handcraft.core.vocabulary import Vocabulary
from handcraft.sequence.evaluate import compiled
from handcraft.sequence.expression import Expression

_FEW = 64  # prompts, all of which are asked
# tokens of answers that a rule or a transducer is asked for, of the first prompts, where there
# are more
ASKED = 8
OF_TOKENS = (
    "token_at",
    "first",
    "latest",
    "count",
    "total",
    "lowest",
    "state",
)  # words that read the prompt


def check_claim(
    claim: Claim, vocabulary: Vocabulary, n_ctx: int, *, causal: bool = True
) -> None:
    """Raises ProgramError, with the claim's own file and line, unless the claim is sound as
    this file says.
    """
    try:
        _named(claim, vocabulary)
        if isinstance(claim, Answers):
            _check_answers(claim, vocabulary, n_ctx, causal=causal)
        elif isinstance(claim, After | Distribution):
            _check_endings(claim, vocabulary, n_ctx)
    except ProgramError as error:
        path = error.path if error.path[:1] == ("claim",) else ("claim", *error.path)
        raise ProgramError(error.message, path, claim.source) from None


def _named(claim: Claim, vocabulary: Vocabulary) -> None:
    unknown = [token for token in claim.tokens if token not in vocabulary.ids]
    if unknown:
        message = (
            f"the token '{printable(unknown[0])}' is not in the vocabulary"
            f" {listing(vocabulary.tokens)}"
        )
        raise ProgramError(message + hint(unknown[0], vocabulary.tokens))


def _check_endings(
    claim: After | Distribution, vocabulary: Vocabulary, n_ctx: int
) -> None:
    longest = max(claim.endings(vocabulary), key=len, default=())
    if not longest:
        raise ProgramError("needs at least one entry")
    if len(longest) > n_ctx:
        raise ProgramError(
            f"the ending '{printable(''.join(longest))}' is longer than n_ctx {n_ctx},"
            " so it never speaks"
        )


def _check_answers(
    claim: Answers, vocabulary: Vocabulary, n_ctx: int, *, causal: bool
) -> None:
    if not causal and claim.length != 1:
        raise ProgramError(
            "answers are read token by token, which needs causal=True, or length=1"
        )
    language = claim.language(n_ctx, vocabulary)
    if not language.size:
        raise ProgramError(
            f"no prompt of '{printable(claim.prompts)}' fits n_ctx {n_ctx}",
            ("prompts",),
        )
    spelling = Spelling(language, vocabulary, n_ctx)
    if (problem := spelling.problem()) is not None:
        raise ProgramError(problem, ("prompts",))
    for n, length in _lengths(claim, spelling):
        _check_length(claim, spelling, n, length)
        if isinstance(claim.answer, Transducer):
            _check_places(claim, claim.answer, spelling, n, length)
    if isinstance(claim.answer, Transducer):
        _check_rows(claim.answer, claim.stop)
    _ask(claim, language, vocabulary, n_ctx)


# ------------------------------------------------------------ for every length of a prompt


def _lengths(claim: Answers, spelling: Spelling) -> Iterator[tuple[int, object]]:
    """The numbers of tokens that prompts have, each with that of the answer, where the claim
    knows it by `end` alone.
    """
    if isinstance(claim.length, Expression):
        if not claim.length.uses(*OF_TOKENS):
            ask = compiled(claim.length)
            yield from (
                (n, ask((), {"here": n - 1, "end": n - 1})) for n in spelling.counts
            )
    elif claim.length is not None:
        yield from ((n, claim.length) for n in spelling.counts)


def _check_length(claim: Answers, spelling: Spelling, n: int, length: object) -> None:
    if isinstance(length, int) and 1 <= length <= spelling.n_ctx + 1 - n:
        return
    prompt = spelling.example(n)
    # raises where it is no length
    needed = n + (claim.size(spelling.vocabulary.split(prompt)) or 1) - 1
    claim.fits(prompt, needed, spelling.n_ctx)


def _check_places(
    claim: Answers, machine: Transducer, spelling: Spelling, n: int, length: object
) -> None:
    """Raises ProgramError where the transducer reads outside the prompts of n tokens."""
    steps = (length if isinstance(length, int) else 0) - (claim.stop is not None)
    for k in range(steps):
        if (problem := machine.outside(n, k)) is not None:
            raise ProgramError(
                f"the answer to '{printable(spelling.example(n))}': {problem}"
            )


def _check_rows(machine: Transducer, stop: str | None) -> None:
    for key, (token, _) in machine.rows.items():
        if token == stop:
            row = printable(repr(key))[:60]
            raise ProgramError(
                f"the row {row} of the transducer writes the stop token"
                f" '{printable(token)}' before the end",
                ("answer",),
            )


# ------------------------------------------------------------ asking it


def _ask(
    claim: Answers, language: Language, vocabulary: Vocabulary, n_ctx: int
) -> None:
    """Raises what `expected` does: of a table on every prompt, of a rule or a transducer on the
    first ones.
    """
    if isinstance(claim.answer, Callback):
        return
    whole, asked = isinstance(claim.answer, Table) or language.size <= _FEW, 0
    for prompt in language:
        asked += len(claim.expected(prompt, vocabulary, n_ctx))
        if asked >= ASKED and not whole:
            return
