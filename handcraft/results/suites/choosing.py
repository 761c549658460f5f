"""Chooses the programs of a suite: which expression stands at each place, for a seed.

Each place draws by a Random of its own until an expression is good enough: short, not said before,
no constant, defined at half of all positions, and in need of attention, that is, no table of the
token and its position. Two expressions that agree on all short texts of the tokens that they share
are one.

Rules of this file: nothing is compiled here; what a place draws depends on the seed, the settings
and the places before it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from random import Random
from typing import Any, TypeAlias

from handcraft.core.errors import ProgramError
from handcraft.core.source import NOWHERE, author
from handcraft.results.suites.drawing import KINDS, drawn
from handcraft.results.suites.texts import EVERY, text_count, values_at
from handcraft.sequence.expression import Expression
from handcraft.sequence.values import Value

ALPHABETS = ("ab", "abc", "abcd", "01", "xyz", "()")
WINDOWS = range(4, 9)
_DEEPEST = 3
_TRIES = 600  # of a place; in the second half the kind is drawn as well
_LONGEST = 160  # characters of an expression
_LETTERS, _SHORT = (
    4,
    4,
)  # tokens and lengths of the texts that tell programs apart

Says: TypeAlias = Mapping[tuple[int, ...], tuple[Any, ...]]


@dataclass(frozen=True)
class Settings:
    """The settings that decide about the programs of a suite.

    tokens, n  the alphabet and the longest text of every program; where None, each draws its own
    """

    seed: int
    tokens: tuple[str, ...] | None = None
    n: int | None = None


@dataclass(frozen=True)
class Candidate:
    """An expression with its alphabet and its window, at a place of the suite."""

    place: int
    kind: str
    expression: Expression
    alphabet: tuple[str, ...]
    n: int
    causal: bool

    @property
    def name(self) -> str:
        """The name of the program and of its folder."""
        return f"{self.place:04d}_{self.kind}"

    @property
    def text(self) -> str:
        """The expression as it is written."""
        return repr(self.expression)

    def random(self, what: str, seed: int) -> Random:
        """A Random of this place for one purpose."""
        return Random(f"{seed}:{self.place}:{what}")


class Choice:
    """The candidates of each place, and what was chosen before."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.texts: set[str] = set()
        self.said: dict[Any, list[Says]] = defaultdict(list)

    def candidates(self, place: int) -> Iterator[tuple[Candidate, Says]]:
        """Those that are good enough for a place, in the order in which they are tried."""
        random = Random(f"{self.settings.seed}:{place}")
        for i in range(_TRIES):
            found = self._drawn(random, place, free=2 * i >= _TRIES)
            if found is not None and found.text not in self.texts:
                says = _says(found)
                if says is not None and not self._known(says):
                    yield found, says

    def take(self, candidate: Candidate, says: Says) -> None:
        """Make a candidate a program of the suite."""
        self.texts.add(candidate.text)
        self.said[_key(says)].append(says)

    def _known(self, says: Says) -> bool:
        return any(_agree(says, other) for other in self.said[_key(says)])

    def _drawn(
        self, random: Random, place: int, *, free: bool
    ) -> Candidate | None:
        alphabet = self.settings.tokens or tuple(random.choice(ALPHABETS))
        n = random.choice(_windows(len(alphabet)))
        kind = KINDS[place % len(KINDS)]
        if free:
            kind = random.choice(KINDS)
        deep = 1 + place // len(KINDS) % _DEEPEST
        if free:
            deep = random.randint(1, _DEEPEST)
        causal = random.random() < 0.5
        try:
            with author(NOWHERE, {}):
                e = drawn(random, alphabet, kind, deep)
        except ProgramError:
            return None
        found = Candidate(
            place, kind, e, alphabet, self.settings.n or n, causal
        )
        return found if len(found.text) <= _LONGEST else None


def _windows(letters: int) -> list[int]:
    """The windows whose texts are few enough to be tried all; the shortest one at least."""
    few = [n for n in WINDOWS if text_count(letters, n) <= EVERY // 2]
    return few or [WINDOWS[0]]


def _says(candidate: Candidate) -> Says | None:
    """The answers to all short texts, tokens by their number; None of an expression that is too
    little to be a program.
    """
    alphabet = candidate.alphabet[:_LETTERS]
    texts = [
        text
        for i in range(1, min(candidate.n, _SHORT) + 1)
        for text in product(range(len(alphabet)), repeat=i)
    ]
    words = [tuple(alphabet[i] for i in text) for text in texts]
    try:
        rows = values_at(candidate.expression, words, causal=candidate.causal)
    except ProgramError:
        return None
    if not _is_something([*zip(texts, rows, strict=True)]):
        return None
    number = {t: i for i, t in enumerate(alphabet)}
    return {
        text: tuple(
            ("token", number.get(x, x)) if type(x) is str else x for x in row
        )
        for text, row in zip(texts, rows, strict=True)
    }


def _is_something(said: list[tuple[tuple[int, ...], list[Value]]]) -> bool:
    """True unless it is a constant, mostly undefined, or a table of token and position."""
    values = [x for _, row in said for x in row]
    defined = [x for x in values if x is not None]
    if 2 * len(defined) < len(values) or len(set(defined)) < 2:
        return False
    table: dict[tuple[int, int], set[Value]] = defaultdict(set)
    for text, row in said:
        for i, (token, x) in enumerate(zip(text, row, strict=True)):
            table[token, i].add(x)
    return any(len(row) > 1 for row in table.values())


def _key(says: Says) -> Any:
    """The answers to the texts of two tokens, which all alphabets have."""
    return tuple(row for text, row in says.items() if max(text) < 2)


def _agree(one: Says, other: Says) -> bool:
    return all(row == other[text] for text, row in one.items() if text in other)
