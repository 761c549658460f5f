"""Avoidance: can a context that holds some text ever be reached from the contexts that do not?

A search through the chain of `states`, breadth first, so that a path that is found is a
shortest one. The answer is "never" only where everything that the allowed starts lead to was
seen, with all its transitions; a limit that cut the search off leaves it undecided. An edge is
a token whose probability, as it was computed, is above the chain's floor: a token of 1e-40 is
one under a floor of 0.

With tokens of several characters one text has many spellings. A text is looked for in what was
written, character by character, by an automaton that runs beside the chain (Knuth, Morris and
Pratt, "Fast Pattern Matching in Strings", 1977), so that it is found however it is spelled, and
where it lies across the edge of a window that slides. Tokens that are given as such
(`--tokens`) are looked for side by side, in this spelling only.

Source: Baier and Katoen, Principles of Model Checking, 2008 (invariants, checked by
reachability; the automaton beside the system is its product). Rules of this file: what is
looked for is a sequence of symbols, characters or ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from handcraft.analysis.states import Chain
from handcraft.core.errors import PromptError, listing, printable
from handcraft.core.vocabulary import Vocabulary
from handcraft.model import Prompt

_Verdict = Literal["reached", "never", "undecided"]
_EXIT_CODES: dict[_Verdict, int] = {"never": 0, "reached": 1, "undecided": 3}


_Place = tuple[
    int, int
]  # a state of the chain, and how much of the text was written last


@dataclass(frozen=True)
class Watch:
    """What is looked for: the characters of a text, or ids; `after` says how many of them stand
    at the end.
    """

    vocabulary: Vocabulary
    symbols: tuple[str, ...] | tuple[int, ...]

    @classmethod
    def of(cls, chain: Chain, text: Prompt) -> Watch:
        """A text as its characters, where its spelling is open; anything else as ids. Raises
        PromptError as `Model.ids` does.
        """
        vocabulary = chain.model.vocabulary
        if vocabulary.single or not isinstance(text, str) or not text:
            return cls(vocabulary, tuple(chain.model.ids(text)))
        found = cls(vocabulary, tuple(text))
        if not found.fewest:
            raise PromptError(
                f"no tokens of {listing(vocabulary.tokens)} write '{printable(text)}'"
            )
        return found

    def after(self, ids: Sequence[int], at: int = 0) -> int:
        """How many symbols stand at the end after these tokens, `at` before them; all of them
        where they stood before.
        """
        for symbol in self._symbols(ids):
            if at < len(self.symbols):
                while at and self.symbols[at] != symbol:
                    at = self._shorter[at]
                at += self.symbols[at] == symbol
        return at

    def _symbols(self, ids: Sequence[int]) -> Sequence[str | int]:
        return self.vocabulary.decode(ids) if isinstance(self.symbols[0], str) else ids

    @cached_property
    def _shorter(self) -> list[int]:
        """For each beginning of the symbols the length of its longest proper beginning that
        also ends it.
        """
        found, at = [0, 0], 0
        for symbol in self.symbols[1:]:
            while at and self.symbols[at] != symbol:
                at = found[at]
            at += self.symbols[at] == symbol
            found.append(at)
        return found

    @cached_property
    def fewest(self) -> int:
        """The least number of tokens that hold the symbols; 0 where none do."""
        level, seen, n = {0}, set[int](), 0
        while level and len(self.symbols) not in level:
            seen, n = seen | level, n + 1
            level = {
                self.after([i], at) for at in level for i in range(len(self.vocabulary))
            } - seen
        return n if level else 0

    @property
    def label(self) -> str:
        """What is looked for, safe to show."""
        text = isinstance(self.symbols[0], str)
        return (
            printable("".join(map(str, self.symbols)))
            if text
            else self.vocabulary.show(self._ids)
        )

    def to_json(self) -> str | list[str]:
        """A text as it is, tokens as a list."""
        if isinstance(self.symbols[0], str):
            return "".join(map(str, self.symbols))
        return [self.vocabulary.tokens[i] for i in self._ids]

    @property
    def _ids(self) -> list[int]:
        return [symbol for symbol in self.symbols if isinstance(symbol, int)]


@dataclass(frozen=True)
class Avoided:
    """Whether a context that holds the text is reached; if so by a shortest path, as states.

    watched  the text, or the ids of the tokens that are looked for in this spelling
    allowed  how many starts of the chain do not hold it: the search begins there
    """

    chain: Chain
    watched: Watch
    verdict: _Verdict
    allowed: int
    path: tuple[int, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 where it is never reached, 1 where it is, 3 where the limit left it open."""
        return _EXIT_CODES[self.verdict]

    @property
    def label(self) -> str:
        """The text, safe to show."""
        return self.watched.label

    @property
    def steps(self) -> list[tuple[int, str | None, float]]:
        """Each step of the path: the state that it reaches, by which token, how probable."""
        pairs = zip(self.path, self.path[1:], strict=False)
        return [
            (target, self.chain.token(source, target), self.chain.rows[source][target])
            for source, target in pairs
        ]

    def to_json(self) -> dict[str, Any]:
        """The answer as plain data; the path begins with its start, to which no token led."""
        steps = [*((state, None, None) for state in self.path[:1]), *self.steps]
        path = [
            {"context": self.chain.tokens(s), "token": token, "probability": p}
            for s, token, p in steps
        ]
        return {
            "text": self.watched.to_json(),
            "verdict": self.verdict,
            "allowed": self.allowed,
            "floor": self.chain.floor,
            "path": path,
        }


def avoid(chain: Chain, text: Prompt) -> Avoided:
    """Whether a context that holds the text can be reached from the starts that do not hold it;
    a shortest path if so.

    A text is found in every spelling, tokens or ids only in their own. Raises PromptError for a
    text that no context has room for, or that every start holds.
    """
    watch = Watch.of(chain, text)
    longest = chain.model.n_ctx + any(
        state.left is not None for state in chain.states
    )  # an answer's last token is never read
    if watch.fewest > longest:
        raise PromptError(
            f"the text to avoid has {watch.fewest} tokens, but no context has more than {longest}"
        )
    starts = {i: watch.after(chain.states[i].ids) for i in range(chain.starts)}
    allowed = [(i, at) for i, at in starts.items() if at < len(watch.symbols)]
    if not allowed:
        raise PromptError(
            f"every start holds '{watch.label}' already; start from contexts without it"
        )
    came, hit = _search(chain, allowed, watch)
    if hit is not None:
        return Avoided(chain, watch, "reached", len(allowed), _path(came, hit))
    seen_whole = chain.every and all(state < len(chain.rows) for state, _ in came)
    return Avoided(chain, watch, "never" if seen_whole else "undecided", len(allowed))


def _search(
    chain: Chain, allowed: list[_Place], watch: Watch
) -> tuple[dict[_Place, _Place | None], _Place | None]:
    """Breadth first: for each place that was reached the one before it, and the first where the
    text is whole.
    """
    came: dict[_Place, _Place | None] = dict.fromkeys(allowed)
    waiting = [*allowed]
    for state, at in waiting:  # grows while it is read
        # what has ended stays, and writes nothing
        goes_on = state < len(chain.rows) and not chain.states[state].ended
        for target in chain.rows[state] if goes_on else ():
            place = target, watch.after(chain.states[target].ids[-1:], at)
            if place not in came:
                came[place] = state, at
                if place[1] == len(watch.symbols):
                    return came, place
                waiting.append(place)
    return came, None


def _path(came: dict[_Place, _Place | None], hit: _Place) -> tuple[int, ...]:
    path, place = [hit[0]], came[hit]
    while place is not None:
        path.append(place[0])
        place = came[place]
    return tuple(reversed(path))
