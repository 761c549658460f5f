"""The kinds of claim: what a program must predict after each context, if anything.

    after({"aa": "b"})               the next token, by the longest matching ending of the context;
                                     or any of several: after({"a": {"b", "c"}})
    distribution({"111": {...}})     next-token probabilities, by the longest matching ending
    answers(prompts, answer, stop)   a regular language of prompts, each with one right
                                     continuation (handcraft.claims.answers)
    residual(lane, function)         the value of a lane of the stream after the last block
    an expression, or a function     context -> token or None
    each(function)                   the whole text -> one token or None for each position
    last(claim)                      the same claim, at the last position of each text only

In a model that is not causal, the answer at a position may depend on later tokens. A claim on
contexts then holds at every position of every text, where the context is the text up to there,
unless it is a `last` one.

BaseClaim (base.py) holds what every kind answers, such as what is compared and with what.
A claim is evaluated in plain Python, one context at a time (handcraft.claims.reference), and
verification compares the model with that, so claims know nothing of weights. Rules of this file:
a claim that is `declared` is data and is stored whole in JSON; a function is stored by its name,
and a claim with a function is never proved.
"""

from __future__ import annotations

from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from functools import cached_property
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    TypeAlias,
    TypeVar,
    get_args,
)

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    StrictInt,
    field_validator,
    model_serializer,
    model_validator,
)

from handcraft.claims.answers import (
    Answer,
    Answering,
    Function,
    Length,
    PlainFunction,
    Table,
    answer_of,
    length_of,
    named_by,
)
from handcraft.claims.base import BaseClaim
from handcraft.claims.functions import Callback
from handcraft.claims.prompt_language import Language
from handcraft.claims.regex import parse
from handcraft.claims.right_tokens import Right, right_of, tokens_of
from handcraft.claims.spelling import quoted, spellings, tokens_within
from handcraft.claims.transducer import Transducer
from handcraft.core.arguments import checked_call
from handcraft.core.errors import ProgramError, PromptError, printable
from handcraft.core.frozen import Frozen
from handcraft.core.source import Where, caller
from handcraft.core.vocabulary import Vocabulary
from handcraft.language.affine import Lane, kind_of, number
from handcraft.sequence.expression import Expression
from handcraft.sequence.value_kinds import (
    FRACTION,
    NOTHING,
    NUMBER,
    TOKEN,
    only,
)


def _in_order(ending: Any) -> Any:
    if not isinstance(ending, str | list | tuple):
        raise ProgramError(
            "an ending is a text or a tuple of tokens, found"
            f" {printable(kind_of(ending))[:60]}"
        )
    return ending


Ending = Annotated[
    str | tuple[str, ...], BeforeValidator(_in_order)
]  # a text; its tokens where it can be spelled in two ways
_Entry = TypeVar("_Entry")


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


class Answers(BaseClaim):
    """A claim that every prompt of a regular language has one right continuation.

    answer   a function, a table, a rule or a transducer: see handcraft.claims.answers
    stop     the token that ends every answer
    length   the number of tokens of every answer, the stop token included; or an expression of
             `end` for each prompt. Needed with a rule or a transducer
    longest  the most characters of a prompt; by default what n_ctx tokens can hold

    Without a stop token and a length, all answers must have the same number of tokens.
    """

    CALLED: ClassVar[str] = "answers"
    kind: Literal["answers"] = "answers"
    measures: ClassVar[Literal["token"]] = "token"
    asks_prompts: ClassVar[Literal[True]] = True
    whole_text: ClassVar[Literal[False]] = False
    by_endings: ClassVar[Literal[False]] = False
    prompts: str
    answer: Answering
    stop: str | None = None
    length: Length = None
    longest: StrictInt | None = None
    source: Where = Field(default_factory=caller)

    @field_validator("prompts")
    @classmethod
    def _parses(cls, prompts: str) -> str:
        parse(prompts)
        return prompts

    @field_validator("answer", "length", "longest")
    @classmethod
    def _of_prompts(cls, value: Any) -> Any:
        if isinstance(value, int) and value < 1:
            raise ProgramError(f"must be at least 1, found {value}")
        if isinstance(value, Expression) and value.uses("step"):
            raise ProgramError(
                "`step` is known to the inputs of a transducer only; use `here - end`"
            )
        return value

    @field_validator("answer")
    @classmethod
    def _gives_tokens(cls, answer: Any) -> Any:
        if isinstance(answer, Expression):
            only(answer, TOKEN | NOTHING, "an answer is made of tokens")
        return answer

    @field_validator("length")
    @classmethod
    def _gives_numbers(cls, length: Any) -> Any:
        if isinstance(length, Expression):
            only(length, NUMBER | NOTHING, "a length is a whole number")
        return length

    @model_validator(mode="after")
    def _ends(self) -> Answers:
        if self.length is None and isinstance(
            self.answer, Expression | Transducer
        ):
            raise ProgramError(
                "a rule or a transducer has no end of its own: pass length=, how many"
                " tokens an answer has",
                ("length",),
            )
        return self

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens named by a rule or a transducer, and the stop token."""
        named = named_by(self.answer)
        return named if self.stop is None else (*named, self.stop)

    @property
    def rule(self) -> Answer:
        """The answer: see handcraft.claims.answers."""
        return self.answer

    @property
    def one_token(self) -> bool:
        """True if every answer is a single token, without a stop token."""
        return self.length == 1 and self.stop is None

    @property
    def stop_token(self) -> str | None:
        """The token that ends every answer, if there is one."""
        return self.stop

    def language(self, n_ctx: int, vocabulary: Vocabulary) -> Language:
        """The prompts of at most `longest` characters, or as many as n_ctx tokens can have."""
        key = n_ctx, vocabulary.tokens
        if key not in self._languages:
            whole = (
                n_ctx
                if vocabulary.single
                else n_ctx * self._longest_token(vocabulary)
            )
            self._languages[key] = Language(
                self.prompts, min(whole, self.longest or whole)
            )
        return self._languages[key]

    def _longest_token(self, vocabulary: Vocabulary) -> int:
        return max(
            map(
                len,
                tokens_within(vocabulary, Language(self.prompts, 1).characters),
            ),
            default=1,
        )

    @cached_property
    def _languages(self) -> dict[tuple[int, tuple[str, ...]], Language]:
        """Languages by window and tokens, kept because their counts are."""
        return {}

    def size(self, asked: Sequence[str]) -> int | None:
        """The number of tokens in the answer to a prompt of these tokens, None if not given."""
        return length_of(self.length, asked)

    def room(
        self, asked: Sequence[str], vocabulary: Vocabulary, n_ctx: int
    ) -> int:
        """The number of tokens that may follow a prompt of these tokens.

        The length of the answer, or the rest of the window where a stop token ends it.
        """
        room = n_ctx - len(asked) + 1
        length = self.size(asked)
        if self.stop is not None:
            return (
                length
                if isinstance(self.length, int) and length is not None
                else room
            )
        if length is None and isinstance(
            self.answer, Table
        ):  # whose answers are all as long, since nothing ends them
            return len(self.expected("".join(asked), vocabulary, n_ctx))
        return room if length is None else length

    def expected(
        self, prompt: str, vocabulary: Vocabulary, n_ctx: int
    ) -> tuple[str, ...]:
        """The right continuation in tokens, stop token included.

        Raises ProgramError for an answer that is not made of tokens, has the stop token before
        its end, has another length than the claim says (or, if it says nothing, than the answer
        to the first prompt), or does not fit the window together with the prompt. The last token
        of an answer is predicted but not read, so it needs no position.
        """
        tokens = self._asked(prompt, vocabulary, n_ctx)
        if self.stop is None and self.length is None:
            self._ends_alike(prompt, len(tokens), vocabulary, n_ctx)
        return tokens

    def _asked(
        self, prompt: str, vocabulary: Vocabulary, n_ctx: int
    ) -> tuple[str, ...]:
        asked = vocabulary.split(prompt)
        length = self.size(asked)
        if not isinstance(self.answer, Callback):
            self.fits(
                prompt, len(asked) + (length or 1) - 1, n_ctx
            )  # before a rule is asked a million times
        tokens = answer_of(
            self.answer, prompt, asked, length, self.stop, vocabulary
        )
        problem = None
        if self.stop is not None and self.stop in tokens[:-1]:
            problem = f"holds the stop token before its end: '{printable(''.join(tokens))}'"
        elif length is not None and len(tokens) != length:
            problem = f"has {len(tokens)} tokens, but length={length}"
        if problem is not None:
            raise ProgramError(
                f"the answer to '{printable(prompt)}' {problem}", ("claim",)
            )
        self.fits(prompt, len(asked) + len(tokens) - 1, n_ctx)
        return tokens

    def fits(self, prompt: str, needed: int, n_ctx: int) -> None:
        """Raise ProgramError if the window is too short for a prompt and its answer."""
        bound = "e.g. with longest="
        if self.longest is not None:
            bound = f"with less than longest={self.longest}"
        if needed > n_ctx:
            raise ProgramError(
                f"the prompt '{printable(prompt)}' and its answer need {needed}"
                f" positions, but n_ctx is {n_ctx}; bound the prompts, {bound}, or widen"
                " the window",
                ("claim",),
            )

    def _ends_alike(
        self, prompt: str, length: int, vocabulary: Vocabulary, n_ctx: int
    ) -> None:
        """Raise ProgramError for answers of several lengths: `run` could not know where to stop."""
        key = n_ctx, vocabulary.tokens
        if key not in self._first:
            first = next(iter(self.language(n_ctx, vocabulary)), prompt)
            self._first[key] = first, len(self._asked(first, vocabulary, n_ctx))
        first, usual = self._first[key]
        if length != usual:
            found = (
                f"has {length} tokens, that to '{printable(first)}' has {usual}"
            )
            raise ProgramError(
                f"the answer to '{printable(prompt)}' {found}: end them with stop=",
                ("claim",),
                self.source,
            )

    @cached_property
    def _first(self) -> dict[tuple[int, tuple[str, ...]], tuple[str, int]]:
        """The first prompt and the length of its answer."""
        return {}


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
        Function, AfterValidator(_of_contexts), AfterValidator(_of_tokens)
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
        Function, AfterValidator(_of_contexts), AfterValidator(_of_numbers)
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


class Each(BaseClaim):
    """A function from a whole text to one token a position, None where it is silent."""

    CALLED: ClassVar[str] = "each"
    kind: Literal["each"] = "each"
    measures: ClassVar[Literal["token"]] = "token"
    asks_prompts: ClassVar[Literal[False]] = False
    whole_text: ClassVar[Literal[True]] = True
    by_endings: ClassVar[Literal[False]] = False
    function: PlainFunction
    source: Where = Field(default_factory=caller)

    @property
    def rule(self) -> Callback:
        """The function."""
        return self.function

    @property
    def every_position(self) -> bool:
        """True: it says itself where it is silent."""
        return True


Claim: TypeAlias = After | Distribution | Answers | Predicate | Residual | Each
CLAIM_KINDS: tuple[type[BaseClaim], ...] = get_args(Claim)


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
        prompts=prompts, answer=how, stop=stop, length=length, longest=longest
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
def each(function: Callable[[Any], Any]) -> Each:
    """The claim of a function from the whole text to one token, or None, for each position.

    Raises ProgramError for anything but a plain function.
    """
    return Each(function=function)


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
    if isinstance(value, Mapping) and "kind" not in value:
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


def split_endings(
    table: Iterable[tuple[Ending, _Entry]], vocabulary: Vocabulary
) -> dict[tuple[str, ...], _Entry]:
    """The table with its endings split into tokens.

    Raises ProgramError for an ending that is empty, occurs twice, is not in the vocabulary, or
    can be spelled in two ways, one of which would silently not count.
    """
    endings: dict[tuple[str, ...], _Entry] = {}
    for ending, entry in table:
        tokens = _split_ending(ending, vocabulary)
        if not tokens or tokens in endings:
            raise ProgramError(
                f"the ending '{printable(str(ending))}'"
                f" {'stands twice' if tokens else 'is empty'}",
                ("claim",),
            )
        endings[tokens] = entry
    return endings


def _split_ending(ending: Ending, vocabulary: Vocabulary) -> tuple[str, ...]:
    ways = (
        spellings(ending, vocabulary)
        if isinstance(ending, str) and not vocabulary.single
        else []
    )
    if len(ways) > 1:
        found = (
            f"can be spelled in two ways, {quoted(ways[0])} and {quoted(ways[1])};"
            " write the tokens that are meant"
        )
        raise ProgramError(
            f"the ending '{printable(str(ending))}' {found}", ("claim",)
        )
    try:
        return (
            ways[0]
            if ways
            else tuple(vocabulary.tokens[i] for i in vocabulary.encode(ending))
        )
    except PromptError as error:
        raise ProgramError(str(error), ("claim",)) from None
