"""Computes the right answer to a prompt, which a claim can give in four ways.

    a function       prompt -> answer
    a table          {prompt: answer}
    a rule           an expression for the next token (handcraft.sequence.words), applied again
                     and again
    a transducer     a finite machine that reads the prompt at aligned positions
                     (handcraft.claims.transducer)

All but the first are data: they are stored whole in JSON and can be proved. A rule and a
transducer have no end of their own, so their claim must give the length of an answer.

Rules of this file: the prompt comes in as text and as tokens, the answer goes out as tokens; an
answer that is not made of tokens is a ProgramError with the prompt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeAlias

from pydantic import PlainSerializer, PlainValidator, model_validator

from handcraft.claims.functions import Callback
from handcraft.claims.transducer import Transducer
from handcraft.core.errors import (
    ProgramError,
    PromptError,
    hint,
    in_quotes,
    listing,
    printable,
)
from handcraft.core.frozen import Frozen
from handcraft.core.source import reading_data
from handcraft.core.vocabulary import Vocabulary
from handcraft.language.affine import kind_of
from handcraft.sequence.evaluate import (
    Ask,
    asking,
    by_columns,
    evaluate,
    evaluate_each,
)
from handcraft.sequence.expression import Expression
from handcraft.sequence.expression_checks import LARGEST_NUMBER
from handcraft.sequence.short_forms import in_short
from handcraft.sequence.values import Scope, shown

_TOGETHER = 2**9  # texts of which all pairs of positions are looked at at once


class Table(Frozen):
    """A table of the answer to each prompt."""

    CALLED: ClassVar[str] = ""  # an author writes a dict
    table: tuple[tuple[str, str], ...]

    @model_validator(mode="after")
    def _sound(self) -> Table:
        if not self.table or len(self.rows) < len(self.table):
            raise ProgramError(
                "a table of answers needs an entry, and none may stand twice"
            )
        return self

    @cached_property
    def rows(self) -> dict[str, str]:
        """{prompt: answer}."""
        return dict(self.table)


def _reader(expected: str, *kinds: type) -> PlainValidator:
    """A validator for a field of a claim, or its JSON. It raises ProgramError for other kinds."""

    def read(value: Any) -> Any:
        found = value if isinstance(value, Frozen) else Callback.of(value)
        if isinstance(value, Mapping):
            kind = _kind_of(value)
            if kind in kinds:
                found = kind(**_fields(value))
        if not isinstance(found, kinds) or isinstance(found, bool):
            raise ProgramError(
                f"takes {expected}, found {printable(kind_of(value))[:60]}"
            )
        return found

    return PlainValidator(read)


def _kind_of(value: Mapping[Any, Any]) -> type[Frozen]:
    """The kind of an answer that is data; what an author writes as a dict is a table."""
    if reading_data() and ("op" in value or "nodes" in value):
        return Expression
    if reading_data() and "inputs" in value:
        return Transducer
    return Table


def _fields(value: Mapping[Any, Any]) -> dict[str, Any]:
    """The fields of an answer: those in data, or the rows that an author writes as a dict."""
    if reading_data():
        return {str(name): field for name, field in value.items()}
    return {"table": tuple(value.items())}


def _write(value: Any) -> Any:
    """The value as JSON: a callback by its name, everything else whole."""
    return (
        value.model_dump(mode="json")
        if isinstance(value, Frozen)
        else value.name
    )


Answer: TypeAlias = Callback | Expression | Table | Transducer
_FORMS = (Callback, Expression, Table, Transducer)
if TYPE_CHECKING:
    Answering: TypeAlias = Answer
    Function: TypeAlias = Callback | Expression
    Length: TypeAlias = int | Expression | None
else:  # a reader checks all; what pydantic builds for expressions most programs never need
    Answering = Annotated[
        Any,
        _reader("a function, a table, an expression or a transducer", *_FORMS),
        PlainSerializer(_write),
    ]
    Function = Annotated[
        Any,
        _reader("a function or an expression", Callback, Expression),
        PlainSerializer(_write),
    ]
    Length = Annotated[
        Any,
        _reader(
            "a whole number or an expression of `end`",
            int,
            Expression,
            type(None),
        ),
    ]


def followable(value: Any) -> Any:
    """An expression in the words that proofs follow, where they say the same; all else itself."""
    return in_short(value) if isinstance(value, Expression) else value


def named_by(how: Answer) -> tuple[str, ...]:
    """The tokens that an expression or a transducer names; of others none is known beforehand."""
    return how.tokens if isinstance(how, Expression | Transducer) else ()


def ahead(
    rule: Expression, prompts: Mapping[tuple[str, ...], int | None]
) -> Ask:
    """The rule as a function whose values for the answers to these prompts are found at once.

    prompts  {the prompt's tokens: the length of its answer}
    """
    if not by_columns(rule):
        return asking(rule)
    known: dict[tuple[int, tuple[str, ...]], Any] = {}
    by_size: dict[int, list[tuple[list[Any], int]]] = {}
    for asked, length in prompts.items():
        by_size.setdefault(len(asked), []).append(([*asked], length or 1))
    with suppress(ProgramError):  # which is raised again where it is asked
        for size, group in by_size.items():
            _ask_ahead(rule, size - 1, group, known)
    ask = asking(rule)

    def answered(tokens: Sequence[str], scope: Scope) -> Any:
        key = scope.get("end", -1), tuple(tokens)
        return known[key] if key in known else ask(tokens, scope)

    return answered


def _ask_ahead(
    rule: Expression,
    end: int,
    group: Sequence[tuple[list[Any], int]],
    known: dict[tuple[int, tuple[str, ...]], Any],
) -> None:
    """The tokens of answers to prompts of one length, one after another, of all of them at once."""
    for k in range(max(length for _, length in group)):
        texts = [
            tokens
            for tokens, length in group
            if k < length and len(tokens) == end + 1 + k
        ]
        for first in range(0, len(texts), _TOGETHER):
            some = texts[first : first + _TOGETHER]
            values = evaluate_each(rule, some, end=end)
            for tokens, value in zip(some, values, strict=True):
                known[end, tuple(tokens)] = value
                if isinstance(value, str):
                    tokens.append(value)


def answer_of(
    how: Answer,
    prompt: str,
    asked: tuple[str, ...],
    length: int | None,
    stop: str | None,
    vocabulary: Vocabulary,
    ask: Ask | None = None,
) -> tuple[str, ...]:
    """The answer to a prompt in tokens, with the stop token at its end if there is one.

    `asked` are the prompt's tokens, `ask` may know what an expression says (`ahead`). Raises
    ProgramError for an answer that is not made of tokens, or, by a rule or a transducer, does not
    end with the stop token.
    """
    if isinstance(how, Callback):
        return _called(how, prompt, stop, vocabulary)
    if isinstance(how, Table):
        return _split(prompt, _looked_up(how, prompt), stop, vocabulary)
    n = length or 1
    try:
        if isinstance(how, Expression):
            tokens = _applied(ask or asking(how), asked, n)
        else:
            tokens = _run(how, asked, n, stop)
    except ProgramError as error:
        raise ProgramError(
            f"the answer to '{printable(prompt)}': {error.message}", ("claim",)
        ) from None
    _check_tokens(tokens, prompt, stop, vocabulary)
    return tokens


def _check_tokens(
    tokens: tuple[Any, ...],
    prompt: str,
    stop: str | None,
    vocabulary: Vocabulary,
) -> None:
    """Raise ProgramError unless an answer is made of tokens and ends with the stop token."""
    for token in tokens:
        if not isinstance(token, str) or token not in vocabulary.ids:
            raise _no_token(prompt, token, tokens, vocabulary)
    if stop is not None and tokens[-1] != stop:
        found = (
            f"ends with '{printable(tokens[-1])}', not with the stop token"
            f" '{printable(stop)}'"
        )
        raise ProgramError(
            f"the answer to '{printable(prompt)}' {found}", ("claim",)
        )


def length_of(
    length: int | Expression | None, asked: Sequence[str]
) -> int | None:
    """The number of tokens in the answer to a prompt of these tokens, None if not known.

    Raises ProgramError for an expression that gives no length.
    """
    if not isinstance(length, Expression):
        return length
    try:
        found = evaluate(length, asked, end=len(asked) - 1)
    except ProgramError as error:
        raise _no_length(asked, f": {error.message}") from None
    if not isinstance(found, int) or not 1 <= found <= LARGEST_NUMBER:
        raise _no_length(
            asked, f" must be a whole number from 1 on, found {shown(found)}"
        )
    return found


def _no_length(asked: Sequence[str], why: str) -> ProgramError:
    return ProgramError(
        f"the length of the answer to '{printable(''.join(asked))}'{why}",
        ("claim",),
    )


def _looked_up(table: Table, prompt: str) -> str:
    if prompt not in table.rows:
        raise ProgramError(
            f"the table has no answer to '{printable(prompt)}', which is a prompt of"
            " the claim",
            ("claim",),
        )
    return table.rows[prompt]


def _called(
    how: Callback, prompt: str, stop: str | None, vocabulary: Vocabulary
) -> tuple[str, ...]:
    said = how(prompt, "prompt")
    problem = None
    if not isinstance(said, str):
        problem = "it must return the answer as a text"
    elif not (said or stop):
        problem = "without a stop token an answer is one token or more"
    else:
        try:
            return _ended(vocabulary.split(said), stop)
        except PromptError as error:
            problem = str(error)
    raise how.refused(said, prompt, problem, "prompt")


def _ended(tokens: tuple[str, ...], stop: str | None) -> tuple[str, ...]:
    """The tokens with the stop token at their end, if there is one."""
    return tokens if stop is None or tokens[-1:] == (stop,) else (*tokens, stop)


def _split(
    prompt: str,
    text: str,
    stop: str | None,
    vocabulary: Vocabulary,
) -> tuple[str, ...]:
    if not (text or stop):
        raise ProgramError(
            f"the answer to '{printable(prompt)}' must be a text, found {text!r}",
            ("claim",),
        )
    try:
        tokens = vocabulary.split(text)
    except PromptError as error:
        raise ProgramError(
            f"the answer to '{printable(prompt)}' is {text!r}: {error}",
            ("claim",),
        ) from None
    return _ended(tokens, stop)


def _applied(ask: Ask, asked: Sequence[str], length: int) -> tuple[Any, ...]:
    """The tokens that the rule gives, one after another, until one is not a token."""
    tokens = list[Any](asked)
    for here in range(len(asked) - 1, len(asked) + length - 1):
        tokens.append(ask(tokens, {"here": here, "end": len(asked) - 1}))
        if not isinstance(tokens[-1], str):
            break
    return tuple(tokens[len(asked) :])


def _run(
    machine: Transducer,
    asked: Sequence[str],
    length: int,
    stop: str | None,
) -> tuple[str, ...]:
    if stop is None:
        return machine.run(asked, length)
    return (*machine.run(asked, length - 1), stop)


def _nothing(prompt: str, before: str) -> ProgramError:
    """The error of an expression that is None where a token of the answer is due."""
    said = f"'{printable(before)}' and then nothing" if before else "nothing"
    return ProgramError(
        f"the claim answers '{printable(prompt)}' with {said}: its expression is None"
        " there, as token_at(i) is outside the text so far, and lookup without a row;"
        " otherwise(x, token) says what follows then",
        ("claim",),
    )


def _no_token(
    prompt: str,
    token: object,
    tokens: Sequence[object],
    vocabulary: Vocabulary,
) -> ProgramError:
    before = "".join(map(str, tokens[: tokens.index(token)]))
    if token is None:
        return _nothing(prompt, before)
    suggestion = hint(
        token if isinstance(token, str) else "", vocabulary.tokens
    )
    return ProgramError(
        f"the claim answers '{printable(prompt)}' with '{printable(before)}' and then"
        f" {shown(token)}, which is not a token of"
        f" {listing(map(in_quotes, vocabulary.tokens))}{suggestion}",
        ("claim",),
    )
