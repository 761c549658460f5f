"""The kinds of claim: what a program must predict after each context, if anything.

    After          the next token, by the longest matching ending of the context
    Distribution   next-token probabilities, by the longest matching ending
    Answers        a regular language of prompts, each with one right continuation
                   (handcraft.claims.prompt_claim)
    Predicate      an expression, or a function: context -> token or None
    Residual       the value of a lane of the stream after the last block
    Each           the whole text -> one token or None for each position

Authors state them with the words of handcraft.claims.words. In a model that is not causal, the
answer at a position may depend on later tokens. A claim on contexts then holds at every position
of every text, where the context is the text up to there, unless it is a `last` one.

BaseClaim (base.py) holds what every kind answers, such as what is compared and with what.
A claim is evaluated in plain Python, one context at a time (handcraft.claims.reference), and
verification compares the model with that, so claims know nothing of weights. Rules of this file:
a claim that is `declared` is data and is stored whole in JSON; a function is stored by its name,
and a claim with a function is never proved.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, TypeAlias, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    StrictBool,
    ValidationInfo,
    field_validator,
    model_serializer,
)

from handcraft.claims.answers import Function, followable, named_by
from handcraft.claims.base import BaseClaim
from handcraft.claims.endings import Ending, split_endings
from handcraft.claims.functions import Callback
from handcraft.claims.prompt_claim import Answers
from handcraft.claims.right_tokens import Right, right_of, tokens_of
from handcraft.core.errors import ProgramError, printable
from handcraft.core.source import Where, caller
from handcraft.core.vocabulary import Vocabulary
from handcraft.language.affine import kind_of
from handcraft.sequence.expression import Expression
from handcraft.sequence.value_kinds import (
    FRACTION,
    NOTHING,
    NUMBER,
    TOKEN,
    only,
)


def _kept(row: Any) -> Any:
    """A row of `after` with its right side as it is kept."""
    if isinstance(row, list | tuple) and len(row) == 2:
        return row[0], right_of(*row)
    return row


_Row = Annotated[tuple[Ending, Right], BeforeValidator(_kept)]


def _tolerance(value: float) -> float:
    if not 0 <= value < float("inf"):
        raise ProgramError(f"must be a number from 0 on, found {value}")
    return value


Tolerance = Annotated[float, AfterValidator(_tolerance)]
Positions = Literal[
    "every", "last"
]  # of a text that is not read from the left alone; of causal models both are the same


class OfContexts(BaseClaim):
    """The base of claims on contexts: `at` says at which positions of a text they hold (`last`)."""

    asks_prompts: ClassVar[Literal[False]] = False
    whole_text: ClassVar[Literal[False]] = False
    at: Positions = "every"

    @property
    def every_position(self) -> bool:
        """True if it speaks of all positions of a text, and not of the last one alone."""
        return self.at == "every"

    @model_serializer(mode="wrap")
    def _write(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """The fields, without `at` where it is the default."""
        fields: dict[str, Any] = write(self)
        return (
            fields
            if fields.get("at") != "every"
            else {key: fields[key] for key in fields if key != "at"}
        )


class After(OfContexts):
    """A table from endings to the next token that is right, or to several that are.

    The longest matching ending counts; of several tokens any may follow.
    """

    CALLED: ClassVar[str] = "after"
    kind: Literal["after"] = "after"
    measures: ClassVar[Literal["token"]] = "token"
    by_endings: ClassVar[Literal[True]] = True
    table: tuple[_Row, ...]
    source: Where = Field(default_factory=caller)

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens that it names as right."""
        return tuple(
            token for _, right in self.table for token in tokens_of(right)
        )

    def endings(self, vocabulary: Vocabulary) -> dict[tuple[str, ...], Right]:
        """The table with its endings split into tokens."""
        return split_endings(self.table, vocabulary)


class Distribution(OfContexts):
    """A table from endings to next-token probabilities, each right within `tolerance`.

    The longest matching ending counts; a token that is not named has probability 0.
    """

    CALLED: ClassVar[str] = "distribution"
    kind: Literal["distribution"] = "distribution"
    measures: ClassVar[Literal["probability"]] = "probability"
    by_endings: ClassVar[Literal[True]] = True
    table: tuple[tuple[Ending, tuple[tuple[str, float], ...]], ...]
    tolerance: Tolerance = 1e-6
    source: Where = Field(default_factory=caller)

    @field_validator("table")
    @classmethod
    def _sums(
        cls, table: tuple[tuple[Ending, tuple[tuple[str, float], ...]], ...]
    ) -> Any:
        for ending, row in table:
            total = sum(p for _, p in row)
            if abs(total - 1) > 1e-9 or any(not 0 <= p <= 1 for _, p in row):
                raise ProgramError(
                    f"the probabilities after '{printable(str(ending))}' must sum to 1,"
                    f" found {total:.6g}"
                )
            if len({token for token, _ in row}) < len(row):
                raise ProgramError(
                    "a token stands twice in the probabilities after"
                    f" '{printable(str(ending))}'"
                )
        return table

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens that it gives probabilities for."""
        return tuple(token for _, row in self.table for token, _ in row)

    @property
    def allowed_error(self) -> float:
        """The tolerance."""
        return self.tolerance

    def endings(
        self, vocabulary: Vocabulary
    ) -> dict[tuple[str, ...], dict[str, float]]:
        """The table with its endings split into tokens."""
        return {
            ending: dict(row)
            for ending, row in split_endings(self.table, vocabulary).items()
        }


def _of_contexts(value: Callback | Expression) -> Callback | Expression:
    if isinstance(value, Expression) and value.uses("end", "step"):
        raise ProgramError(
            "`end` and `step` are known to a claim on prompts only: see answers(...)"
        )
    return value


def _of_tokens(value: Callback | Expression) -> Callback | Expression:
    if isinstance(value, Expression):
        only(value, TOKEN | NOTHING, "what follows is a token or nothing")
    return value


def _of_numbers(value: Callback | Expression) -> Callback | Expression:
    if isinstance(value, Expression):
        only(value, NUMBER | FRACTION | NOTHING, "a lane holds a number")
    return value


class Predicate(OfContexts):
    """An expression or a function from a context to the only right next token, or None."""

    CALLED: ClassVar[str] = ""
    kind: Literal["function"] = "function"
    measures: ClassVar[Literal["token"]] = "token"
    by_endings: ClassVar[Literal[False]] = False
    function: Annotated[
        Function,
        AfterValidator(_of_contexts),
        AfterValidator(_of_tokens),
        AfterValidator(followable),
    ]
    source: Where = Field(default_factory=caller)

    @property
    def rule(self) -> Callback | Expression:
        """The expression or the function."""
        return self.function

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens that an expression names; none for a function."""
        return named_by(self.function)


class Residual(OfContexts):
    """A function from a context to a lane's value after the last block, or None.

    The lane must be within `tolerance` of it.
    """

    CALLED: ClassVar[str] = "residual"
    kind: Literal["residual"] = "residual"
    measures: ClassVar[Literal["lane"]] = "lane"
    by_endings: ClassVar[Literal[False]] = False
    lane: str
    function: Annotated[
        Function,
        AfterValidator(_of_contexts),
        AfterValidator(_of_numbers),
        AfterValidator(followable),
    ]
    tolerance: Tolerance = 1e-5
    source: Where = Field(default_factory=caller)

    @property
    def rule(self) -> Callback | Expression:
        """The expression or the function."""
        return self.function

    @property
    def lanes(self) -> tuple[str, ...]:
        """The lane that it speaks of."""
        return (self.lane,)

    @property
    def allowed_error(self) -> float:
        """The tolerance."""
        return self.tolerance


def _different(alphabet: Any) -> Any:
    """The tokens of an alphabet, each once."""
    if alphabet is None:
        return None
    if not isinstance(alphabet, str | list | tuple) or not alphabet:
        raise ProgramError(
            "takes the tokens of a text, such as 'ab' or ['a', 'b'], found"
            f" {kind_of(alphabet)}"
        )
    tokens = tuple(alphabet)
    for token in tokens:
        if tokens.count(token) > 1:
            raise ProgramError(f"{printable(repr(token))} stands twice")
    return tokens


class Each(BaseClaim):
    """What a whole text must be answered with: one token a position, None where it is silent.

    function  a function of the whole text, or an expression, which is asked at each position
    causal    True if an expression sees the text up to its position only
    begin     a token that each text begins with: the claim is silent there, and `function` sees
              what follows it
    alphabet  the tokens of what follows; None for any tokens
    """

    CALLED: ClassVar[str] = "each"
    kind: Literal["each"] = "each"
    measures: ClassVar[Literal["token"]] = "token"
    asks_prompts: ClassVar[Literal[False]] = False
    whole_text: ClassVar[Literal[True]] = True
    by_endings: ClassVar[Literal[False]] = False
    function: Annotated[
        Function, AfterValidator(_of_contexts), AfterValidator(_of_tokens)
    ]
    causal: StrictBool = False
    begin: str | None = None
    alphabet: Annotated[tuple[str, ...] | None, BeforeValidator(_different)] = (
        None
    )
    source: Where = Field(default_factory=caller)

    @field_validator("causal")
    @classmethod
    def _of_expressions(cls, causal: bool, info: ValidationInfo) -> bool:
        if causal and isinstance(info.data.get("function"), Callback):
            raise ProgramError(
                "is for an expression; a function sees the whole text as it likes"
            )
        return causal

    @property
    def rule(self) -> Callback | Expression:
        """The function or the expression."""
        return self.function

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens that an expression names, and those of the texts as far as they are told."""
        begin = () if self.begin is None else (self.begin,)
        return (*named_by(self.function), *begin, *(self.alphabet or ()))

    @property
    def every_position(self) -> bool:
        """True: it says itself where it is silent."""
        return True

    @property
    def of_some_texts(self) -> bool:
        """True if it is not of all texts of the vocabulary."""
        return self.begin is not None or self.alphabet is not None

    @property
    def skipped(self) -> int:
        """The number of tokens before those that `function` sees."""
        return int(self.begin is not None)

    def speaks_of(self, text: Sequence[str]) -> bool:
        """True for a text that begins as it must and is made of its alphabet."""
        rest = text[self.skipped :]
        if self.begin is not None and (text[0] != self.begin or not rest):
            return False
        return self.alphabet is None or set(rest) <= set(self.alphabet)

    def lengths(self, n_ctx: int) -> range:
        """The numbers of tokens of its texts, `begin` included."""
        return range(1 + self.skipped, n_ctx + 1)

    @model_serializer(mode="wrap")
    def _write(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """The fields, without those that say nothing of the texts."""
        fields: dict[str, Any] = write(self)
        silent = {"begin", "alphabet"} - {k for k, x in fields.items() if x}
        return {key: x for key, x in fields.items() if key not in silent}


Claim: TypeAlias = After | Distribution | Answers | Predicate | Residual | Each
CLAIM_KINDS: tuple[type[BaseClaim], ...] = get_args(Claim)
