"""Decides whether a text can ever be written: is a context that holds it reached from the contexts
that do not?

The answer comes from a search through the chain of `states`, breadth first, so that a path that
is found is a shortest one.

    reached    there is such a path
    never      everything that the allowed starts lead to was seen, with all its transitions
    undecided  a limit cut the search off

An edge is a token whose computed probability is above the chain's floor: with a floor of 0 a
token of probability 1e-40 is an edge.

With tokens of several characters one text has many spellings. The search looks for a text
character by character, by an automaton that runs beside the chain (Knuth, Morris and Pratt,
"Fast Pattern Matching in Strings", 1977), so that the text is found in every spelling, and where
it lies across the edge of a sliding window. Tokens that are given as such (`--tokens`) are found
in this spelling only.

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
from handcraft.core.errors import PromptError, in_quotes, listing, printable
from handcraft.core.vocabulary import Vocabulary
from handcraft.files.file_tokens import IdTokens
from handcraft.model import Prompt

_Verdict = Literal["reached", "never", "undecided"]
_EXIT_CODES: dict[_Verdict, int] = {"never": 0, "reached": 1, "undecided": 3}
# a state of the chain, and the number of symbols of the text that stand at its end
_Place = tuple[int, int]


@dataclass(frozen=True)
class Watch:
    """The symbols that are looked for: the characters of a text, or ids. `after` is the transition
    function of the automaton that finds them.
    """

    vocabulary: Vocabulary
    symbols: tuple[str, ...] | tuple[int, ...]

    @classmethod
    def of(cls, chain: Chain, text: Prompt) -> Watch:
        """The characters of a text that has several spellings, else ids. Raises PromptError as
        `Model.ids` does, and for a text that no tokens write.
        """
        vocabulary = chain.model.vocabulary
        by_ids = vocabulary.single or isinstance(vocabulary, IdTokens)
        if by_ids or not isinstance(text, str) or not text:
            try:
                return cls(vocabulary, tuple(chain.model.ids(text)))
            except PromptError as error:
                raise error.of("the text to avoid") from None
        found = cls(vocabulary, tuple(text))
        if not found.fewest:
            raise PromptError(
                f"no tokens of {listing(map(in_quotes, vocabulary.tokens))} write"
                f" '{printable(text)}'"
            )
        return found

    def after(self, ids: Sequence[int], at: int = 0) -> int:
        """The number of symbols that stand at the end after these tokens, given that `at` stood
        there before; all of them for ever once all stood there.
        """
        for symbol in self._symbols(ids):
            if at < len(self.symbols):
                while at and self.symbols[at] != symbol:
                    at = self._shorter[at]
                at += self.symbols[at] == symbol
        return at

    def _symbols(self, ids: Sequence[int]) -> Sequence[str | int]:
        return (
            self.vocabulary.decode(ids)
            if isinstance(self.symbols[0], str)
            else ids
        )

    @cached_property
    def _shorter(self) -> list[int]:
        """For each beginning of the symbols the length of its longest proper beginning that also
        ends it.
        """
        found = [0, 0]
        at = 0
        for symbol in self.symbols[1:]:
            while at and self.symbols[at] != symbol:
                at = found[at]
            at += self.symbols[at] == symbol
            found.append(at)
        return found

    @cached_property
    def fewest(self) -> int:
        """The least number of tokens that hold the symbols; 0 where none do."""
        level = {0}
        seen = set[int]()
        n = 0
        while level and len(self.symbols) not in level:
            seen = seen | level
            n = n + 1
            ids = range(len(self.vocabulary))
            level = {self.after([i], at) for at in level for i in ids} - seen
        return n if level else 0

    @property
    def label(self) -> str:
        """The text or the tokens that are looked for, safe to show."""
        if isinstance(self.symbols[0], str):
            return printable("".join(map(str, self.symbols)))
        return self.vocabulary.show(self._ids)

    def to_json(self) -> str | list[str]:
        """The text, or the list of tokens, as plain data."""
        if isinstance(self.symbols[0], str):
            return "".join(map(str, self.symbols))
        return [self.vocabulary.tokens[i] for i in self._ids]

    @property
    def _ids(self) -> list[int]:
        return [symbol for symbol in self.symbols if isinstance(symbol, int)]


@dataclass(frozen=True)
class Avoided:
    """The verdict on a text to avoid, and a shortest path to it, as states, if it is reached.

    watched  the text, or the ids of the tokens that are looked for in this spelling
    allowed  the number of starts of the chain that do not hold it: the search begins there
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
        """The steps of the path: the state that is reached, the token that leads there, its
        probability.
        """
        pairs = zip(self.path, self.path[1:], strict=False)
        return [
            (
                target,
                self.chain.token(source, target),
                self.chain.rows[source][target],
            )
            for source, target in pairs
        ]

    def to_json(self) -> dict[str, Any]:
        """The answer as plain data; the path begins with its start, to which no token led."""
        start = [(state, None, None) for state in self.path[:1]]
        path = [
            {
                "context": self.chain.tokens(state),
                "token": token,
                "probability": p,
            }
            for state, token, p in (*start, *self.steps)
        ]
        return {
            "text": self.watched.to_json(),
            "verdict": self.verdict,
            "allowed": self.allowed,
            "floor": self.chain.floor,
            "path": path,
        }


def avoid(chain: Chain, text: Prompt) -> Avoided:
    """Return whether a context that holds the text can be reached from the starts that do not hold
    it, with a shortest path if so.

    A text is found in every spelling, tokens or ids only in their own. Raises PromptError for a
    text that no context has room for, or that every start holds.
    """
    watch = Watch.of(chain, text)
    # an answer's last token is never read
    answers = any(state.left is not None for state in chain.states)
    longest = chain.model.n_ctx + answers
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
    seen_whole = chain.every and all(
        state < len(chain.rows) for state, _ in came
    )
    return Avoided(
        chain, watch, "never" if seen_whole else "undecided", len(allowed)
    )


def _search(
    chain: Chain, allowed: list[_Place], watch: Watch
) -> tuple[dict[_Place, _Place | None], _Place | None]:
    """A breadth-first search: for each place that was reached the one before it, and the first
    where the text is whole.
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
    path = [hit[0]]
    place = came[hit]
    while place is not None:
        path.append(place[0])
        place = came[place]
    return tuple(reversed(path))
