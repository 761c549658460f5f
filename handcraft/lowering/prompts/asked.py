"""What a claim asks: after which texts a program must answer, and which tokens stand in them.

    asked_of(claim, vocabulary, n_ctx)   the places where it answers, the tokens that it reads
    vocabulary_of(claim)                 the tokens of a claim that is alone
    window_of(claim, vocabulary)         the positions that its prompts and answers need

A place is (end, here): the positions of the prompt's last token and of the context's; a claim on
contexts has no prompt, and its `end` is here. Rules of this file: no place is left out, and no
token that can be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from handcraft.claims.answers import Table, length_of
from handcraft.claims.kinds import After, Claim, Distribution
from handcraft.claims.prompt_claim import Answers
from handcraft.claims.prompt_language import START, Language
from handcraft.claims.spelling import tokens_within
from handcraft.claims.transducer import Transducer
from handcraft.core.errors import ProgramError
from handcraft.core.vocabulary import Vocabulary
from handcraft.sequence.expression import Expression

_MOST_TOKENS = 512  # of a prompt whose claim says no window
_LISTED = 10_000  # prompts whose lengths are asked one by one


@dataclass(frozen=True)
class Demand:
    """The places and tokens of a claim.

    places  (end, here), where the context is as long as here says
    begin   the token that begins every prompt and stands nowhere else; None where there is none
    close   the token that ends every prompt and stands nowhere else in it
    first   the tokens that can stand at position 0
    behind  the tokens that can be read from position 1 on
    standing  the tokens that can stand at each position; none where that is not known
    single  True if an answer is one token, so that a prompt's end is where it is asked
    """

    places: tuple[tuple[int, int], ...]
    first: tuple[str, ...]
    behind: tuple[str, ...]
    begin: str | None = None
    close: str | None = None
    single: bool = False
    standing: tuple[frozenset[str], ...] = ()

    def at(self, position: int) -> frozenset[str]:
        """The tokens that can stand at a position."""
        if position < len(self.standing):
            return self.standing[position]
        return frozenset({*self.first, *self.behind})

    @property
    def ends(self) -> set[int]:
        """The positions at which a prompt can end."""
        return {end for end, _ in self.places}


def asked_of(claim: Claim, vocabulary: Vocabulary, n_ctx: int) -> Demand:
    """The places and tokens that a claim asks of a program with this vocabulary and window."""
    if isinstance(claim, Answers):
        return _of_prompts(claim, vocabulary, n_ctx)
    places = tuple((here, here) for here in range(n_ctx))
    tokens = vocabulary.tokens
    return Demand(places, tokens, tokens, single=True)


def _of_prompts(claim: Answers, vocabulary: Vocabulary, n_ctx: int) -> Demand:
    language = claim.language(n_ctx, vocabulary)
    _check_some(language)
    characters = language.characters
    if wide := [t for t in tokens_within(vocabulary, characters) if len(t) > 1]:
        raise ProgramError(
            f"takes prompts of tokens of one character, and in these {wide[0]!r} can"
            " stand as one token; what would fit: other names of tokens",
            ("of",),
        )
    standing, last, inner = _standing(language)
    places = _places(claim, language, vocabulary, n_ctx)
    single = all(end == here for end, here in places)
    begin = _begin(standing)
    behind = frozenset[str]().union(*standing[1:])
    if not single:  # what is answered is read, all but the end of it
        behind |= set(vocabulary.tokens) - {begin}
    close = next(iter(last)) if len(last) == 1 and not last & inner else None
    order = vocabulary.tokens
    shortest = min(end for end, _ in places)
    return Demand(
        places,
        tuple(t for t in order if t in standing[0]),
        tuple(t for t in order if t in behind),
        begin,
        close,
        single,
        tuple(
            chars | (set() if single or i <= shortest else behind)
            for i, chars in enumerate(standing)
        ),
    )


def _check_some(language: Language) -> None:
    """Raise ProgramError where the limits leave no prompt."""
    if not language.lengths:
        raise ProgramError(
            f"takes a claim that has prompts, and none is of {language.max_length}"
            " characters or less; what would fit: a greater longest= or n=",
            ("of",),
        )


def _begin(standing: list[frozenset[str]]) -> str | None:
    """The token that begins all prompts and stands nowhere else in them."""
    if len(standing[0]) != 1 or any(standing[0] & x for x in standing[1:]):
        return None
    (token,) = standing[0]
    return token


def _standing(
    language: Language,
) -> tuple[list[frozenset[str]], frozenset[str], frozenset[str]]:
    """The characters at each position; those that can be last, and those that can be followed."""
    states, found = {START}, list[frozenset[str]]()
    last, inner = set[str](), set[str]()
    used = 0
    while states:
        used += 1
        chars, targets = set[str](), set[int]()
        for state in states:
            for target, by in language.after(state).items():
                if not language.can_end(target, used):
                    continue
                chars |= set(by)
                targets.add(target)
                if language.accepts(target):
                    last |= set(by)
                if any(
                    language.can_end(further, used + 1)
                    for further in language.after(target)
                ):
                    inner |= set(by)
        if chars:
            found.append(frozenset(chars))
        states = targets
    return found, frozenset(last), frozenset(inner)


def _places(
    claim: Answers, language: Language, vocabulary: Vocabulary, n_ctx: int
) -> tuple[tuple[int, int], ...]:
    found = list[tuple[int, int]]()
    for size in language.lengths:
        most = _longest(claim, language, vocabulary, size, n_ctx)
        found += [(size - 1, size - 1 + k) for k in range(most)]
    return tuple(place for place in found if place[1] < n_ctx)


def _longest(
    claim: Answers,
    language: Language,
    vocabulary: Vocabulary,
    size: int,
    n_ctx: int,
) -> int:
    """The most tokens of an answer to a prompt of so many tokens."""
    room = n_ctx - size + 1
    if isinstance(claim.length, Expression):
        if claim.length.ops <= {*_ARITHMETIC, "here", "end"}:
            return length_of(claim.length, language.first(size)) or room
        return room
    if claim.length is not None:
        return claim.length
    if isinstance(claim.answer, Table):
        return max(
            len(vocabulary.split(answer)) + (claim.stop is not None)
            for _, answer in claim.answer.table
        )
    return room


_ARITHMETIC = ("add", "subtract", "multiply", "divide", "modulo")

# ---------------------------------------------------------------- claims that stand alone


def vocabulary_of(claim: Claim) -> tuple[str, ...]:
    """The tokens that a claim names and those of its prompts, in order."""
    found = dict.fromkeys(_prompt_tokens(claim))
    found |= dict.fromkeys(claim.tokens)
    if isinstance(claim, Answers) and isinstance(claim.answer, Table):
        found |= dict.fromkeys(x for _, a in claim.answer.table for x in a)
    if isinstance(claim, Answers) and isinstance(claim.answer, Transducer):
        found |= dict.fromkeys(claim.answer.tokens)
    if isinstance(claim, After | Distribution):
        found = dict.fromkeys(sorted({x for e, _ in claim.table for x in e}))
        found |= dict.fromkeys(claim.tokens)
    if not found:
        raise ProgramError(
            "takes a claim that names its tokens, or tokens=, such as tokens='abc'",
            ("of",),
        )
    return tuple(found)


def _prompt_tokens(claim: Claim) -> Iterable[str]:
    if not isinstance(claim, Answers):
        return ()
    language = Language(claim.prompts, 1)
    return sorted(language.characters, key=lambda c: (c != _head(claim), c))


def _head(claim: Answers) -> str:
    """The first character of a prompt."""
    return next(iter(Language(claim.prompts, 1).after(START).values()), "")


def window_of(claim: Claim, vocabulary: Vocabulary) -> int:
    """The positions that the prompts of a claim need, each with its answer."""
    if not isinstance(claim, Answers):
        raise ProgramError(
            "takes n=, the most tokens of a context, with a claim that speaks of"
            " contexts of any length",
            ("of",),
        )
    most = claim.longest or _MOST_TOKENS
    language = Language(claim.prompts, most)
    if claim.longest is None and most in language.lengths:
        raise ProgramError(
            "takes n=, the positions of the window, with a claim on prompts of any"
            " length",
            ("of",),
        )
    _check_some(language)
    sizes = _sizes(claim, language, vocabulary)
    return max(size + length - 1 for size, length in sizes)


def _sizes(
    claim: Answers, language: Language, vocabulary: Vocabulary
) -> Iterator[tuple[int, int]]:
    """The lengths of prompts and of their answers."""
    many = 2 * _MOST_TOKENS
    if isinstance(claim.length, Expression) and not (
        claim.length.ops <= {*_ARITHMETIC, "here", "end"}
    ):
        if language.size > _LISTED:
            raise _no_window()
        for text in islice(language, _LISTED):
            yield len(text), length_of(claim.length, text) or 1
        return
    for size in language.lengths:
        length = _longest(claim, language, vocabulary, size, many)
        if length == many - size + 1:
            raise _no_window()
        yield size, length


def _no_window() -> ProgramError:
    return ProgramError(
        "takes n=, the positions of the window, with a claim whose answers have no"
        " length that is known beforehand",
        ("of",),
    )
