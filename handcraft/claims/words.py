"""The words with which an author states a claim: each returns one of handcraft.claims.kinds.

    after({"aa": "b"})               the next token, by the longest matching ending of the context;
                                     or any of several: after({"a": {"b", "c"}})
    distribution({"111": {...}})     next-token probabilities, by the longest matching ending
    answers(prompts, answer, stop)   a regular language of prompts, each with one right
                                     continuation (handcraft.claims.answers)
    residual(lane, function)         the value of a lane of the stream after the last block
    an expression, or a function     context -> token or None
    each(function)                   the whole text -> one token or None for each position
    last(claim)                      the same claim, at the last position of each text only

Rules of this file: what can be seen to be no such claim is refused here, in the author's words
and with the author's line; what is in a claim is checked by its kind.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from handcraft.claims.answers import Answer, Table
from handcraft.claims.base import BaseClaim
from handcraft.claims.endings import Ending
from handcraft.claims.functions import Callback
from handcraft.claims.kinds import (
    After,
    Distribution,
    Each,
    OfContexts,
    Predicate,
    Residual,
)
from handcraft.claims.prompt_claim import Answers
from handcraft.core.arguments import checked_call
from handcraft.core.errors import ProgramError
from handcraft.core.frozen import Frozen
from handcraft.core.source import caller, reading_data
from handcraft.language.affine import Lane, kind_of, number
from handcraft.sequence.expression import Expression


@checked_call()
def after(table: Mapping[Ending, str | Collection[str]]) -> After:
    """The claim that the longest matching ending decides the next token: one, or any of several.

        after({"a": "b", "ba": "c"})   after ba comes c, after any other a comes b
        after({"a": {"b", "c"}})       after a comes b or c

    table  {ending: next token, or a set of tokens of which any is right}. An ending is a text, or
           a tuple of tokens; after a context with none of these endings nothing is claimed

    The right token must have a greater logit than every other: a tie is wrong.
    """
    if not isinstance(table, Mapping) or not table:
        raise ProgramError(
            "takes {last tokens: next token} with at least one entry"
            + _by_function(table),
            (),
            caller(),
        )
    return After(table=tuple(table.items()))


def _by_function(value: object) -> str:
    """The advice where a function stands for a table; else nothing."""
    if not callable(value):
        return ""
    return (
        "; a function is no table: claim=function is the claim that it gives the"
        " next token"
    )


@checked_call()
def distribution(
    table: Mapping[Ending, Mapping[str, float]], *, tolerance: float = 1e-6
) -> Distribution:
    """The claim that the longest matching ending decides the next token's probabilities."""
    if not isinstance(table, Mapping) or not table:
        raise ProgramError(
            "takes {last tokens: {token: probability}}" + _by_function(table),
            (),
            caller(),
        )
    if not all(isinstance(row, Mapping) for row in table.values()):
        raise ProgramError(
            "takes {last tokens: {token: probability}}",
            (),
            caller(),
        )
    rows = {
        ending: tuple(
            (t, number(p, "a probability is a number")) for t, p in row.items()
        )
        for ending, row in table.items()
    }
    return Distribution(table=tuple(rows.items()), tolerance=tolerance)


@checked_call()
def answers(
    prompts: str,
    answer: Callable[[str], str] | Answer | Mapping[str, str],
    *,
    stop: str | None = None,
    length: int | Expression | None = None,
    longest: int | None = None,
    framed: tuple[str, str, int] | None = None,
) -> Answers:
    r"""The claim that every prompt the regular expression matches has one right answer.

        answers("[ab]{1,4}=", lambda prompt: prompt[-2::-1], stop=".")
        answers("[ab]{1,4}=", token_at(2 * end - here - 1), length=end)

    prompts  the regular expression: characters, `[a-z0-9]`, `\d`, `( )`, `|`, `?`, `*`, `+`,
             `{m}`, `{m,n}`, and `\` before a sign that has a meaning. It matches whole prompts
    answer   a function of the prompt's text that returns the answer's text; a table {prompt:
             answer}; an expression for the next token, asked again for each token of the answer;
             or a transducer. All but the function can be proved
    stop     the token that ends every answer. It is appended to what a function or a table gives;
             an expression must give it itself, as the last token
    length   the number of tokens of every answer, the stop token included; a whole number, or an
             expression of `end` (the last position of the prompt). Needed with an expression or a
             transducer
    longest  the most characters of a prompt; by default what n_ctx tokens can hold
    framed   (begin, separator, echoes): a prompt is a text between these two tokens, and the answer
             comes after so many echoes of the text and the separator. Then `model.answer` also
             takes the text alone, and gives what follows the echoes

    Without stop and length all answers must have the same number of tokens. A prompt and its
    answer fit the window; the last token of an answer is never read, so it needs no position.
    Raises ProgramError for what does not fit together.
    """
    how = (
        Table(table=tuple(answer.items()))
        if isinstance(answer, Mapping)
        else answer
    )
    return Answers(
        prompts=prompts,
        answer=how,
        stop=stop,
        length=length,
        longest=longest,
        framed=framed,
    )


@checked_call()
def residual(
    lane: Lane | str, function: Callable[[Any], Any], *, tolerance: float = 1e-5
) -> Residual:
    """The claim that a lane holds this number after the last block."""
    named = getattr(lane, "lanes", (lane,))  # a slot of one lane is that lane
    only = named[0] if len(named) == 1 else lane
    return Residual(lane=str(only), function=function, tolerance=tolerance)


@checked_call()
def each(
    function: Callable[[Any], Any] | Expression,
    *,
    causal: bool = False,
    begin: str | None = None,
    alphabet: Iterable[str] | None = None,
) -> Each:
    """The claim of one token, or None, for each position of a whole text.

        each(token_at(length - 1 - here))
        each(token_at(length - 1 - here), begin="^", alphabet="abcd")

    function  an expression, whose value at each position is meant, or a function that returns
              them all
    causal    True if an expression sees the text up to its position only
    begin     a token that each text begins with; the claim is silent there, and of a text of
              nothing else, and `function` sees what follows it
    alphabet  the tokens of what follows; by default any. The claim is silent about other texts
    Raises ProgramError for anything else.
    """
    return Each(
        function=function, causal=causal, begin=begin, alphabet=alphabet
    )


@checked_call()
def predicts(rule: Expression | Callable[[Any], Any]) -> Predicate:
    """The claim that the rule's value comes next: what `claim=rule` stands for.

        predicts(token_at(latest({-1: own})))

    rule  an expression, or a function of the context; None is silence
    Raises ProgramError for anything else.
    """
    found = as_claim(rule)
    if not isinstance(found, Predicate):
        raise ProgramError(
            f"takes an expression or a function, found {kind_of(rule)}",
            (),
            caller(),
        )
    return found


@checked_call()
def last(claim: OfContexts | Expression | Callable[[Any], Any]) -> OfContexts:
    """The claim at the last position of each text only, instead of at every one (`causal=False`).

    Raises ProgramError for `each` and `answers`, which have positions of their own.
    """
    found = as_claim(claim)
    if not isinstance(found, OfContexts):
        kind = (
            f"{found.kind}(...)"
            if isinstance(found, Answers | Each)
            else kind_of(claim)
        )
        raise ProgramError(
            f"takes a claim on contexts or a function, found {kind}",
            (),
            caller(),
        )
    return found.model_copy(update={"at": "last"})


def as_claim(value: object) -> object:
    """The claim of a table, an expression or a plain function; anything else itself."""
    if isinstance(value, Mapping) and not reading_data():
        return after(value)
    if isinstance(value, BaseClaim | Mapping | None):
        return value
    if isinstance(value, Expression):
        return _predicate(value)
    if callable(value) and not isinstance(value, Frozen):  # as a Program is
        return _predicate(Callback.of(value))
    raise ProgramError(
        "a claim is a table {last tokens: next token}, such as {'aa': 'b'}, a claim such as"
        f" answers(...), an expression, or a function of the context; found {kind_of(value)}",
        (),
        caller(),
    )


def _predicate(rule: Expression | Callback) -> Predicate:
    """The claim of a rule; its errors are of the rule, which stands for the claim."""
    try:
        return Predicate(function=rule)
    except ProgramError as error:
        raise ProgramError(error.message, (), error.source) from None
