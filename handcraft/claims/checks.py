"""Checks a claim once, when its Program is made.

    check_claim(claim, vocabulary, n_ctx, causal=...)

Everything that uses the claim of a Program (verification, the prover, the checker, `run`) may
rely on this:

    kinds     an expression gives tokens (or nothing) as an answer or a next token, numbers (or
              nothing) on a lane and as a length; arithmetic, `below`, positions and `most` get
              numbers, `where` gets tokens (handcraft.sequence.value_kinds)
    tokens    every token that a claim names as an answer, a stop or a key of probabilities is
              in the vocabulary
    endings   each can be spelled in one way, occurs once and fits the window; a row names a
              token once, and of several right ones it leaves some token wrong
    prompts   each can be spelled in one way, which `Vocabulary.split` finds, in at most n_ctx
              tokens; so sequences of tokens are as many as `language(...).size` counts texts
              (handcraft.claims.spelling)
    lengths   a length that is a number, or an expression of `end` and numbers only, is a whole
              number from 1 on for every prompt, and prompt and answer fit the window; of an
              expression that reads the prompt's tokens this is known of the first prompts only
    tables    every prompt has an answer, which passes all checks of `Answers.expected`
    machines  a transducer reads only positions inside the prompt, and no row writes the stop token
    the rest  a missing row, an answer of nothing, a rule's early stop and everything about a
              function's answers is found when it is evaluated: `Answers.expected` (prompts) and
              `Reference` (contexts) alone say what is right, and raise ProgramError otherwise

Rules of this file: what can be decided for every prompt is decided, on the automaton of the
prompts; rules and transducers are evaluated on the first prompts, so that a claim that is always
wrong makes no Program; a function is never called.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from handcraft.claims.answers import Table
from handcraft.claims.kinds import After, Claim, Distribution
from handcraft.claims.prompt_claim import Answers
from handcraft.claims.prompt_language import Language
from handcraft.claims.right_tokens import Right, as_named, spelled
from handcraft.claims.spelling import Spelling
from handcraft.claims.transducer import Transducer
from handcraft.core.errors import (
    ProgramError,
    PromptError,
    hint,
    in_quotes,
    listing,
    printable,
)
from handcraft.core.vocabulary import Vocabulary
from handcraft.sequence.evaluate import compiled
from handcraft.sequence.expression import Expression
from handcraft.sequence.operations import NEWER

_CUT = 4096  # prompts at most that a tokenizer cuts, each of which is looked at
_FEW = 64  # with at most so many prompts, all answers are computed
# otherwise a rule or a transducer computes so many tokens of answers, to the first prompts
ASKED = 8
# operations that read the prompt's tokens
OF_TOKENS = ("token_at", "first", "latest", "count", "total", "lowest", "state")


def check_claim(
    claim: Claim,
    vocabulary: Vocabulary,
    n_ctx: int,
    *,
    causal: bool = True,
) -> None:
    """Raise ProgramError, with the claim's file and line, unless all that is listed above holds."""
    try:
        _named(claim, vocabulary)
        if claim.asks_prompts:
            _check_answers(claim, vocabulary, n_ctx, causal=causal)
        elif claim.by_endings:
            _check_endings(claim, vocabulary, n_ctx)
        elif claim.whole_text and not claim.lengths(n_ctx):
            raise ProgramError(
                f"begin={claim.begin!r} leaves no room for a text in n_ctx {n_ctx}"
            )
    except ProgramError as error:
        path = (
            error.path
            if error.path[:1] == ("claim",)
            else ("claim", *error.path)
        )
        raise ProgramError(error.message, path, claim.source) from None


def _named(claim: Claim, vocabulary: Vocabulary) -> None:
    unknown = [token for token in claim.tokens if token not in vocabulary.ids]
    if unknown:
        message = (
            f"the token '{printable(unknown[0])}'{_among(claim, unknown[0])} is not in"
            " the vocabulary"
            f" {listing(map(in_quotes, vocabulary.tokens))}"
        )
        other = vocabulary.otherwise(unknown[0])
        raise ProgramError(
            message + hint(unknown[0], vocabulary.tokens)
            if other is None
            else as_named(unknown[0], other)
        )
    for token in _texts(claim):
        if (other := vocabulary.otherwise(token)) is not None:
            raise ProgramError(as_named(token, other))


def _texts(claim: Claim) -> Iterator[str]:
    """Every token that a claim names: as right, in an ending, or to be compared with."""
    yield from claim.tokens
    if claim.by_endings:
        for ending, _ in claim.table:
            yield from () if isinstance(ending, str) else ending
        return
    for rule in (claim.rule, getattr(claim, "length", None)):
        if isinstance(rule, Expression):
            yield from rule.texts
        elif isinstance(rule, Transducer):
            for key in rule.rows:
                yield from (
                    token for token in key[1:] if isinstance(token, str)
                )


def _among(claim: Claim, token: str) -> str:
    """The row that names a token beside others; an empty text where it stands alone."""
    rows = claim.table if claim.kind == "after" else ()
    for ending, right in rows:
        if not isinstance(right, str) and token in right:
            return f", one of those that are right after '{spelled(ending)}',"
    return ""


def _check_endings(
    claim: After | Distribution,
    vocabulary: Vocabulary,
    n_ctx: int,
) -> None:
    longest = max(claim.endings(vocabulary), key=len, default=())
    if not longest:
        raise ProgramError("needs at least one entry")
    if len(longest) > n_ctx:
        raise ProgramError(
            f"the ending '{printable(''.join(longest))}' is longer than n_ctx {n_ctx},"
            " so it never speaks"
        )
    if claim.measures == "token":
        _check_wrong_ones(claim.endings(vocabulary), vocabulary)


def _check_wrong_ones(
    endings: Mapping[tuple[str, ...], Right], vocabulary: Vocabulary
) -> None:
    """Raise ProgramError where several tokens are right and none is left that would be wrong."""
    for ending, right in endings.items():
        if isinstance(right, str) or len(right) < len(vocabulary):
            continue
        shorter = (ending[i:] for i in range(1, len(ending)))
        hidden = next((tail for tail in shorter if tail in endings), None)
        instead = ": leave it out"
        if hidden is not None:
            instead = (
                f" but hides the row '{spelled(hidden)}': write longer endings"
                " instead of that"
            )
        raise ProgramError(
            f"every token is right after '{spelled(ending)}', so the row says"
            f" nothing{instead}"
        )


def _check_answers(
    claim: Answers,
    vocabulary: Vocabulary,
    n_ctx: int,
    *,
    causal: bool,
) -> None:
    if not causal and claim.length != 1:
        raise ProgramError(
            "answers are read token by token, which needs causal=True, or length=1"
        )
    language = claim.language(n_ctx, vocabulary)
    spelling = Spelling(language, vocabulary, n_ctx)
    if not vocabulary.plain:
        _check_cut(claim, spelling)
    if not language.size:
        raise ProgramError(_none_fits(claim, vocabulary, n_ctx), ("prompts",))
    if (problem := spelling.problem()) is not None:
        raise ProgramError(problem, ("prompts",))
    for n, length in _lengths(claim, spelling):
        _check_length(claim, spelling, n, length)
        if isinstance(claim.answer, Transducer):
            _check_places(claim, claim.answer, spelling, n, length)
    if isinstance(claim.answer, Transducer):
        _check_rows(claim.answer, claim.stop)
    _ask(claim, language, vocabulary, n_ctx)


def _none_fits(claim: Answers, vocabulary: Vocabulary, n_ctx: int) -> str:
    """The error of a claim without prompts: what is too narrow, `longest` or the window."""
    what = f"no prompt of '{printable(claim.prompts)}'"
    unbounded = claim.model_copy(update={"longest": None})
    if unbounded.language(n_ctx, vocabulary).size:
        return f"{what} has at most longest={claim.longest} characters"
    return f"{what} fits n_ctx {n_ctx}"


def _check_cut(claim: Answers, spelling: Spelling) -> None:
    """Raise ProgramError unless each prompt is cut into tokens that stand in it as they are."""
    language, vocabulary = spelling.language, spelling.vocabulary
    if (
        0 < language.size <= _CUT
        and spelling.problem() is None
        and all(_stands(prompt, vocabulary) for prompt in language)
    ):
        return
    raise ProgramError(
        "`answers` is about texts made of tokens as they are named, and the prompts of"
        f" '{printable(claim.prompts)}' are not: the model has a tokenizer, or ids alone;"
        " say what follows tokens, as in after({(token, token): token})",
        ("prompts",),
    )


def _stands(prompt: str, vocabulary: Vocabulary) -> bool:
    """True if a prompt is cut into tokens that are the prompt, by their names and as a text."""
    try:
        ids = vocabulary.encode(prompt)
    except PromptError:
        return False
    named = "".join(vocabulary.tokens[i] for i in ids)
    return named == prompt == vocabulary.decode(ids)


# ------------------------------------------------------------ for every length of a prompt


def _lengths(
    claim: Answers, spelling: Spelling
) -> Iterator[tuple[int, object]]:
    """The numbers of tokens that prompts have, each with the length of the answer.

    Nothing where the length depends on more than the number of the prompt's tokens.
    """
    length = claim.length
    if length is None:
        return
    if not isinstance(length, Expression):
        yield from ((n, length) for n in spelling.counts)
    elif not length.uses(*OF_TOKENS, *NEWER):
        ask = compiled(length)
        for n in spelling.counts:
            yield n, ask((), {"here": n - 1, "end": n - 1})


def _check_length(
    claim: Answers, spelling: Spelling, n: int, length: object
) -> None:
    if isinstance(length, int) and 1 <= length <= spelling.n_ctx + 1 - n:
        return
    prompt = spelling.example(n)
    # raises if it is not a length
    size = claim.size(spelling.vocabulary.split(prompt)) or 1
    claim.fits(prompt, n + size - 1, spelling.n_ctx)


def _check_places(
    claim: Answers,
    machine: Transducer,
    spelling: Spelling,
    n: int,
    length: object,
) -> None:
    """Raise ProgramError where the transducer reads outside the prompts of n tokens."""
    steps = (length if isinstance(length, int) else 0) - (
        claim.stop is not None
    )
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


# ------------------------------------------------------------ on prompts


def _ask(
    claim: Answers,
    language: Language,
    vocabulary: Vocabulary,
    n_ctx: int,
) -> None:
    """Raise what `expected` raises: for a table on every prompt, for others on the first ones."""
    if not claim.declared:
        return
    whole = isinstance(claim.answer, Table) or language.size <= _FEW
    asked = 0
    for prompt in language:
        asked += len(claim.expected(prompt, vocabulary, n_ctx))
        if asked >= ASKED and not whole:
            return
