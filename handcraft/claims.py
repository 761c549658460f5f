"""Claims: what a program must predict. The only right next token of a context, or nothing where it is silent.

    after({"aa": "b"})               the last tokens decide; the longest matching ending counts
    distribution({"111": {...}})     next-token probabilities, by the last tokens
    answers(prompts, answer, stop)   a countable domain of prompts, each with one right continuation
    residual(lane, function)         what a lane of the stream must hold in the end
    a plain function                 context -> token or None

Each claim is asked in plain Python, one context at a time: it is the oracle that verification compares the model
with, so it knows nothing of weights. Rules of this file: claims that are data serialise whole; a function
serialises by name, and what a function decides is never proved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, field_validator

from handcraft.affine import Lane, number
from handcraft.errors import ProgramError, PromptError, hint, listing, printable
from handcraft.patterns import parse
from handcraft.prompts import Language
from handcraft.values import Frozen, Where, here
from handcraft.vocabulary import Vocabulary

Ending = str | tuple[str, ...]  # a text, or its tokens where the text could be split in more than one way
Entry = TypeVar("Entry")
Context = str | tuple[str, ...]  # as Vocabulary.context gives it


def _tolerance(value: float) -> float:
    if not 0 <= value < float("inf"):
        raise ProgramError(f"must be a number from 0 on, found {value}")
    return value


Tolerance = Annotated[float, AfterValidator(_tolerance)]


@dataclass(frozen=True, eq=False)
class Callback:
    """A function of the author's, known by name. `call` is None in a program that was read from a file."""

    name: str
    call: Callable[[Any], Any] | None = field(default=None, repr=False)
    code: object = field(default=None, repr=False)  # of the function: equal where its text is

    def __eq__(self, other: object) -> bool:
        """Equal by name and, where both know their function, by its code."""
        if not isinstance(other, Callback):
            return NotImplemented
        return self.name == other.name and (None in (self.code, other.code) or self.code == other.code)

    def __hash__(self) -> int:
        return hash(self.name)

    @classmethod
    def of(cls, value: Any) -> Any:
        """A function, or the name of one, as a Callback."""
        if isinstance(value, str):
            return cls(value)
        if not callable(value) or isinstance(value, cls):
            return value
        return cls(getattr(value, "__name__", type(value).__name__), value, getattr(value, "__code__", value))

    def __call__(self, argument: Any) -> Any:
        if self.call is None:
            raise ProgramError(
                f"the claim is the function '{printable(self.name)}', which a built directory does not hold; "
                "check it beside its program file: verify DIRECTORY --program FILE"
            )
        try:
            return self.call(argument)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # an author's function may raise anything, SystemExit included
            raise ProgramError(
                f"the claim '{printable(self.name)}' raised {type(error).__name__}: {error} on {argument!r}", ("claim",)
            ) from error


Function = Annotated[Callback, BeforeValidator(Callback.of), PlainSerializer(lambda callback: callback.name, return_type=str)]


class After(Frozen):
    """The last tokens decide: the longest ending in the table names the only right next token."""

    kind: Literal["after"] = "after"
    table: tuple[tuple[Ending, str], ...]
    source: Where = Field(default_factory=here)

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens it says must follow."""
        return tuple(token for _, token in self.table)

    def endings(self, vocabulary: Vocabulary) -> dict[tuple[str, ...], str]:
        """The table with its endings split into tokens."""
        return split_endings(self.table, vocabulary)


class Distribution(Frozen):
    """Next-token probabilities by the last tokens, each within `tolerance`. A token not named has probability 0."""

    kind: Literal["distribution"] = "distribution"
    table: tuple[tuple[Ending, tuple[tuple[str, float], ...]], ...]
    tolerance: Tolerance = 1e-6
    source: Where = Field(default_factory=here)

    @field_validator("table")
    @classmethod
    def _sums(cls, table: tuple[tuple[Ending, tuple[tuple[str, float], ...]], ...]) -> Any:
        for ending, row in table:
            total = sum(p for _, p in row)
            if abs(total - 1) > 1e-9 or any(not 0 <= p <= 1 for _, p in row):
                raise ProgramError(f"the probabilities after '{printable(str(ending))}' must sum to 1, found {total:.6g}")
        return table

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens it gives probabilities for."""
        return tuple(token for _, row in self.table for token, _ in row)

    def endings(self, vocabulary: Vocabulary) -> dict[tuple[str, ...], dict[str, float]]:
        """The table with its endings split into tokens."""
        return {ending: dict(row) for ending, row in split_endings(self.table, vocabulary).items()}


class Answers(Frozen):
    """Every prompt of a regular language has one right continuation.

    stop     the token that ends every answer
    length   how many tokens every answer has, where that is always the same
    longest  the most characters of a prompt; n_ctx where it is not given
    """

    kind: Literal["answers"] = "answers"
    prompts: str
    answer: Function
    stop: str | None = None
    length: int | None = None
    longest: int | None = None
    source: Where = Field(default_factory=here)

    @field_validator("length", "longest")
    @classmethod
    def _positive(cls, value: int | None) -> int | None:
        if value is not None and value < 1:
            raise ProgramError(f"must be at least 1, found {value}")
        return value

    @field_validator("prompts")
    @classmethod
    def _parses(cls, prompts: str) -> str:
        parse(prompts)
        return prompts

    @property
    def tokens(self) -> tuple[str, ...]:
        """The stop token, which must be in the vocabulary."""
        return () if self.stop is None else (self.stop,)

    def language(self, n_ctx: int, vocabulary: Vocabulary) -> Language:
        """The prompts that a window of `n_ctx` tokens can hold, where each token is as long as the longest."""
        most = n_ctx * max(map(len, vocabulary.tokens))
        return Language(self.prompts, min(most, self.longest or most))

    def expected(self, prompt: str, vocabulary: Vocabulary, n_ctx: int) -> tuple[str, ...]:
        """The right continuation in tokens, stop token included.

        Raises ProgramError for an answer that is no text of the vocabulary or does not fit the window: prompt and
        answer share it, and the answer's last token is predicted but never read.
        """
        tokens = self._tokens(prompt, self.answer(prompt), vocabulary)
        problem = None
        if self.stop is not None and self.stop in tokens[:-1]:
            problem = f"holds the stop token before its end: '{printable(''.join(tokens))}'"
        elif self.length is not None and len(tokens) != self.length:
            problem = f"has {len(tokens)} tokens, but length={self.length}"
        if problem is not None:
            raise ProgramError(f"the answer to '{printable(prompt)}' {problem}", ("claim",))
        needed = len(vocabulary.split(prompt)) + len(tokens) - 1
        if needed > n_ctx:
            raise ProgramError(
                f"the prompt '{printable(prompt)}' and its answer need {needed} positions, but n_ctx is {n_ctx}; "
                "bound the prompts, e.g. with longest=, or widen the window",
                ("claim",),
            )
        return tokens

    def _tokens(self, prompt: str, text: object, vocabulary: Vocabulary) -> tuple[str, ...]:
        """The answer split into tokens, with the stop token at its end."""
        if not isinstance(text, str) or not (text or self.stop):
            raise ProgramError(f"the answer to '{printable(prompt)}' must be a text, found {text!r}", ("claim",))
        try:
            tokens = vocabulary.split(text)
        except PromptError as error:
            raise ProgramError(f"the answer to '{printable(prompt)}' is {text!r}: {error}", ("claim",)) from None
        return tokens if self.stop is None or tokens[-1:] == (self.stop,) else (*tokens, self.stop)


class Predicate(Frozen):
    """A plain function: context -> the only right next token, or None where it is silent."""

    kind: Literal["function"] = "function"
    function: Function
    source: Where = Field(default_factory=here)

    @property
    def tokens(self) -> tuple[str, ...]:
        """None is known beforehand."""
        return ()


class Residual(Frozen):
    """What a lane of the residual stream must hold after every context, within `tolerance`: context -> number or None."""

    kind: Literal["residual"] = "residual"
    lane: str
    function: Function
    tolerance: Tolerance = 1e-5
    source: Where = Field(default_factory=here)

    @property
    def tokens(self) -> tuple[str, ...]:
        """It names no token."""
        return ()


Claim: TypeAlias = After | Distribution | Answers | Predicate | Residual


def after(table: Mapping[Ending, str]) -> After:
    """The last tokens decide what must follow."""
    if not isinstance(table, Mapping) or not table:
        raise ProgramError("after takes {last tokens: next token} with at least one entry", ("claim",), here())
    return After(table=tuple(table.items()))


def distribution(table: Mapping[Ending, Mapping[str, float]], *, tolerance: float = 1e-6) -> Distribution:
    """The last tokens decide the probabilities of what follows."""
    if not isinstance(table, Mapping) or not table:
        raise ProgramError("distribution takes {last tokens: {token: probability}}", ("claim",), here())
    if not all(isinstance(row, Mapping) for row in table.values()):
        raise ProgramError("distribution takes {last tokens: {token: probability}}", ("claim",), here())
    rows = {ending: tuple((t, number(p, "a probability is a number")) for t, p in row.items()) for ending, row in table.items()}
    return Distribution(table=tuple(rows.items()), tolerance=tolerance)


def answers(
    prompts: str,
    answer: Callable[[str], str],
    *,
    stop: str | None = None,
    length: int | None = None,
    longest: int | None = None,
) -> Answers:
    """Every prompt that the regular expression matches has one right answer: see Answers."""
    return Answers(prompts=prompts, answer=answer, stop=stop, length=length, longest=longest)


def residual(lane: Lane | str, function: Callable[[Any], float | None], *, tolerance: float = 1e-5) -> Residual:
    """A lane of the stream must end with this number: for programs that compute rather than predict."""
    return Residual(lane=str(lane), function=function, tolerance=tolerance)


def as_claim(value: object) -> object:
    """A plain function as a claim; anything else as it is."""
    return Predicate(function=value) if callable(value) and not isinstance(value, Frozen) else value


def split_endings(table: Iterable[tuple[Ending, Entry]], vocabulary: Vocabulary) -> dict[tuple[str, ...], Entry]:
    """The table by endings split into tokens.

    Raises ProgramError for an ending that is empty, stands twice, or is not in the vocabulary.
    """
    endings: dict[tuple[str, ...], Entry] = {}
    for ending, entry in table:
        try:
            tokens = tuple(vocabulary.tokens[i] for i in vocabulary.encode(ending))
        except PromptError as error:
            raise ProgramError(str(error), ("claim",)) from None
        if not tokens or tokens in endings:
            raise ProgramError(f"the ending '{printable(str(ending))}' {'stands twice' if tokens else 'is empty'}", ("claim",))
        endings[tokens] = entry
    return endings


class Oracle:
    """A claim bound to a vocabulary: what must follow a context, asked one context at a time in plain Python."""

    def __init__(self, claim: After | Distribution | Predicate | Residual, vocabulary: Vocabulary) -> None:
        self.claim, self.vocabulary = claim, vocabulary

    @cached_property
    def _endings(self) -> Mapping[tuple[str, ...], Any]:
        return {} if isinstance(self.claim, Predicate | Residual) else self.claim.endings(self.vocabulary)

    @cached_property
    def _lengths(self) -> list[int]:
        return sorted({len(ending) for ending in self._endings}, reverse=True)

    def __call__(self, context: Context) -> Any:
        """The right token, the right probabilities or the right number; None where the claim is silent."""
        if isinstance(self.claim, Predicate):
            return self._checked(self.claim.function(context), context)
        if isinstance(self.claim, Residual):
            value = self.claim.function(context)
            return None if value is None else number(value, f"the claim on {self.claim.lane} takes a number")
        tokens = tuple(context)
        endings = (tokens[len(tokens) - n :] for n in self._lengths if n <= len(tokens))
        return next((self._endings[ending] for ending in endings if ending in self._endings), None)

    def _checked(self, token: Any, context: Context) -> Any:
        if token is not None and (not isinstance(token, str) or token not in self.vocabulary.ids):
            known = listing(self.vocabulary.tokens)
            raise ProgramError(
                f"the claim answers {printable(repr(token))} to {context!r}, which is not a token of {known}"
                + hint(str(token), self.vocabulary.tokens),
                ("claim",),
            )
        return token
