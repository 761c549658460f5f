"""The claim on prompts: every prompt of a regular language has one right continuation.

    answers("[ab]{1,4}=", reverse, stop=".")            a stop token ends each answer
    answers("[ab]{1,4}=", rule, length=end)             an expression says how long each is

The language of the prompts is in handcraft.claims.prompt_language, what is right after each of
them in handcraft.claims.answers. Rules of this file: a prompt and its answer fit the window, and
where nothing ends the answers, all have the same number of tokens; what does not is a
ProgramError with the prompt.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, ClassVar, Literal

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    StrictInt,
    StrictStr,
    field_validator,
    model_serializer,
    model_validator,
)

from handcraft.claims.answers import (
    Answer,
    Answering,
    Length,
    Table,
    ahead,
    answer_of,
    followable,
    length_of,
    named_by,
)
from handcraft.claims.base import BaseClaim
from handcraft.claims.functions import Callback
from handcraft.claims.prompt_language import Language
from handcraft.claims.regex import parse
from handcraft.claims.spelling import tokens_within
from handcraft.claims.transducer import Transducer
from handcraft.core.errors import ProgramError, printable
from handcraft.core.source import Where, caller
from handcraft.core.vocabulary import Vocabulary
from handcraft.sequence.evaluate import Ask
from handcraft.sequence.expression import Expression
from handcraft.sequence.value_kinds import NOTHING, NUMBER, TOKEN, only


class Answers(BaseClaim):
    """A claim that every prompt of a regular language has one right continuation.

    answer   a function, a table, a rule or a transducer: see handcraft.claims.answers
    stop     the token that ends every answer
    length   the number of tokens of every answer, the stop token included; or an expression of
             `end` for each prompt. Needed with a rule or a transducer
    longest  the most characters of a prompt; by default what n_ctx tokens can hold
    framed   (begin, separator, echoes), where a prompt is a text between these two tokens, and is
             said so often again before what `model.answer` gives

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
    framed: tuple[StrictStr, StrictStr, StrictInt] | None = None
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
        return followable(answer)

    @field_validator("length")
    @classmethod
    def _gives_numbers(cls, length: Any) -> Any:
        if isinstance(length, Expression):
            only(length, NUMBER | NOTHING, "a length is a whole number")
        return followable(length)

    @field_validator("framed")
    @classmethod
    def _of_signs(cls, framed: Any) -> Any:
        if framed is not None and not (all(framed[:2]) and framed[2] >= 0):
            raise ProgramError(
                "takes (begin, separator, echoes): two tokens, and how often a prompt is"
                " said again"
            )
        return framed

    @model_serializer(mode="wrap")
    def _write(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """The fields, without `framed` where there is no frame."""
        fields: dict[str, Any] = write(self)
        if fields.get("framed", "") is None:
            del fields["framed"]
        return fields

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

    def ahead(
        self, prompts: Iterable[str], vocabulary: Vocabulary
    ) -> Ask | None:
        """What an expression says of these prompts, for `expected`: many are asked at once."""
        if not isinstance(self.answer, Expression):
            return None
        asked = map(vocabulary.split, prompts)
        return ahead(
            self.answer, {tokens: self.size(tokens) for tokens in asked}
        )

    def expected(
        self,
        prompt: str,
        vocabulary: Vocabulary,
        n_ctx: int,
        ask: Ask | None = None,
    ) -> tuple[str, ...]:
        """The right continuation in tokens, stop token included.

        Raises ProgramError for an answer that is not made of tokens, has the stop token before
        its end, has another length than the claim says (or, if it says nothing, than the answer
        to the first prompt), or does not fit the window together with the prompt. The last token
        of an answer is predicted but not read, so it needs no position.
        """
        tokens = self._asked(prompt, vocabulary, n_ctx, ask)
        if self.stop is None and self.length is None:
            self._ends_alike(prompt, len(tokens), vocabulary, n_ctx)
        return tokens

    def _asked(
        self,
        prompt: str,
        vocabulary: Vocabulary,
        n_ctx: int,
        ask: Ask | None = None,
    ) -> tuple[str, ...]:
        asked = vocabulary.split(prompt)
        length = self.size(asked)
        if not isinstance(self.answer, Callback):
            self.fits(
                prompt, len(asked) + (length or 1) - 1, n_ctx
            )  # before a rule is asked a million times
        tokens = answer_of(
            self.answer, prompt, asked, length, self.stop, vocabulary, ask
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
