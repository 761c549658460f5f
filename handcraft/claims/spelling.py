"""Checks that every prompt of a language is spelled by tokens in one way, which splitting finds.

A text is split by the longest token that matches (handcraft.core.vocabulary). With tokens of
several characters a prompt may have no spelling, one that splitting does not find, or two; then a
proof that counts sequences of tokens would not count prompts. All this is decided on the
language's automaton, together with the rest that a longer token would leave over (Sardinas and
Patterson, "A Necessary and Sufficient Condition for the Unique Decomposition of Coded Messages",
1953): a spelling is not what splitting finds if, somewhere, a longer token than its own fits too.

Rules of this file: searches go by the number of characters, so that they find shortest prompts;
only tokens made of the language's characters count, and where all of those are single characters
nothing is searched.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from heapq import heappop, heappush
from itertools import count
from typing import Any

from handcraft.claims.prompt_language import START, Language
from handcraft.core.errors import PromptError, printable
from handcraft.core.vocabulary import Vocabulary

# node -> (the text read, the next node)
_Steps = Callable[[Any], Iterator[tuple[str, Any]]]


def tokens_within(
    vocabulary: Vocabulary, characters: set[str] | frozenset[str]
) -> tuple[str, ...]:
    """The tokens that are made of these characters only."""
    return tuple(
        token for token in vocabulary.in_texts if characters.issuperset(token)
    )


@dataclass(frozen=True)
class Spelling:
    """The spellings of the prompts of a language, in a window of `n_ctx` tokens."""

    language: Language
    vocabulary: Vocabulary
    n_ctx: int

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        """The tokens that can stand in a prompt."""
        return tokens_within(self.vocabulary, self.language.characters)

    @cached_property
    def single(self) -> bool:
        """True if these are single characters, so that a prompt has one token a character."""
        return all(len(token) == 1 for token in self.tokens)

    def problem(self) -> str | None:
        """The problem, in words, of a shortest prompt with not just one spelling, or one too long.

        None if there is no such prompt.
        """
        if (text := self._unspelled()) is not None:
            return f"the prompt '{printable(text)}': {self._refused(text)}"
        if not self.single and (spelled := self._otherwise()) is not None:
            return self._two_ways(spelled)
        for n in self.counts:
            if n > self.n_ctx:
                return self._too_long(self.example(n))
        return None

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """The numbers of tokens that prompts have, given that there is no problem."""
        if self.single:
            return tuple(self.language.lengths)
        return tuple(sorted(self._shortest))

    def example(self, n: int) -> str:
        """A shortest prompt of n tokens."""
        return self.language.first(n) if self.single else self._shortest[n]

    # ------------------------------------------------------------ the searches

    def _unspelled(self) -> str | None:
        """A shortest prompt that no sequence of tokens spells."""
        if self.language.characters.issubset(self.tokens):
            return None
        known = frozenset(self.tokens)
        beginnings = {
            token[:n] for token in self.tokens for n in range(len(token))
        }

        def steps(
            node: tuple[int, frozenset[str]],
        ) -> Iterator[tuple[str, Any]]:
            # `begun`: the part of the last token that was read, for every way to spell the text
            state, begun = node
            for target, chars in self.language.after(state).items():
                for char in chars:
                    longer = {part + char for part in begun}
                    whole = not known.isdisjoint(longer)
                    ended = {""} if whole else set()
                    yield char, (target, frozenset(longer & beginnings | ended))

        def ends(node: tuple[int, frozenset[str]]) -> bool:
            return self.language.accepts(node[0]) and "" not in node[1]

        found = self._search((START, frozenset([""])), steps, ends)
        return None if found is None else "".join(found)

    def _otherwise(self) -> tuple[str, ...] | None:
        """A spelling of a shortest prompt that splitting by the longest match does not find."""

        def steps(node: tuple[int, str | None]) -> Iterator[tuple[str, Any]]:
            # `dangling`: the rest of a longer token; "" if it fits whole, None if there is none
            state, dangling = node
            for token, target in self._reach(state):
                if dangling is None:
                    yield token, (target, None)
                    yield from (
                        (token, (target, rest)) for rest in self._rests[token]
                    )
                elif token.startswith(dangling):
                    yield token, (target, "")
                elif dangling.startswith(token):
                    yield token, (target, dangling[len(token) :])

        def ends(node: tuple[int, str | None]) -> bool:
            return node[1] == "" and self.language.accepts(node[0])

        return self._search((START, None), steps, ends)

    @cached_property
    def _shortest(self) -> dict[int, str]:
        """{number of tokens: a shortest prompt}; n_ctx + 1 stands for all larger numbers."""
        found: dict[int, str] = {}

        def steps(node: tuple[int, int]) -> Iterator[tuple[str, Any]]:
            state, n = node
            known = set[tuple[int, int]]()
            for token, target in self._reach(state):
                if (target, len(token)) not in known:
                    known.add((target, len(token)))
                    yield token, (target, min(n + 1, self.n_ctx + 1))

        for node, read in self._walk((START, 0), steps):
            if node[1] and self.language.accepts(node[0]):
                found.setdefault(node[1], "".join(read()))
        return found

    @cached_property
    def _rests(self) -> dict[str, list[str]]:
        """For each token the rests of the longer tokens that begin with it."""
        return {
            t: [u[len(t) :] for u in self.tokens if u.startswith(t) and u != t]
            for t in self.tokens
        }

    @cached_property
    def _reached(self) -> dict[int, list[tuple[str, int]]]:
        return {}

    def _reach(self, state: int) -> list[tuple[str, int]]:
        """The tokens that can follow a state, each with the next state."""
        if state not in self._reached:
            steps = (
                (token, self.language.step(state, token))
                for token in self.tokens
            )
            self._reached[state] = [
                (token, target) for token, target in steps if target
            ]
        return self._reached[state]

    def _search(
        self,
        start: Any,
        steps: _Steps,
        ends: Callable[[Any], bool],
    ) -> tuple[str, ...] | None:
        """The texts read on a shortest way to a node that ends the search; None if no node does."""
        for node, read in self._walk(start, steps):
            if ends(node):
                return read()
        return None

    def _walk(
        self, start: Any, steps: _Steps
    ) -> Iterator[tuple[Any, Callable[[], tuple[str, ...]]]]:
        """All reachable nodes, nearest in characters first, with a function for the texts read."""
        came: dict[Hashable, tuple[Any, str] | None] = {}
        order = count()
        waiting: list[tuple[int, int, Any, tuple[Any, str] | None]] = [
            (0, next(order), start, None)
        ]
        while waiting:
            used, _, node, before = heappop(waiting)
            if node in came:
                continue
            came[node] = before
            yield node, lambda node=node: _way(came, node)  # type: ignore[misc]
            for read, target in steps(node):
                far = used + len(read)
                if target not in came and far <= self.language.max_length:
                    heappush(waiting, (far, next(order), target, (node, read)))

    # ------------------------------------------------------------ in words

    def _too_long(self, text: str) -> str:
        n = len(self.vocabulary.split(text))
        return (
            f"the prompt '{printable(text)}' needs {n} tokens, but n_ctx is"
            f" {self.n_ctx}; bound the prompts, e.g. with longest="
        )

    def _refused(self, text: str) -> str:
        try:
            self.vocabulary.split(text)
        except PromptError as error:
            return str(error)
        return "it is not made of tokens as they are named"

    def _two_ways(self, tokens: Sequence[str]) -> str:
        text = "".join(tokens)
        try:
            other = self.vocabulary.split(text)
        except PromptError:
            found = (
                f"is spelled {quoted(tokens)}, but a text is split by the longest token"
                " that matches"
            )
            return (
                f"the prompt '{printable(text)}' {found}, which fails here; choose"
                " tokens none of which begins another"
            )
        ways = f"{quoted(tokens)} and {quoted(other)}"
        return (
            f"the prompt '{printable(text)}' can be spelled in two ways, {ways}; choose"
            " tokens or prompts that leave one"
        )


def spellings(text: str, vocabulary: Vocabulary) -> list[tuple[str, ...]]:
    """The first two sequences of tokens that spell the text, or as many as there are."""
    # ways[i] are those of the text from character i on
    ways: list[list[tuple[str, ...]]] = [[] for _ in text]
    ways.append([()])
    for at in range(len(text) - 1, -1, -1):
        fits = (
            token for token in vocabulary.in_texts if text.startswith(token, at)
        )
        found = [
            (token, *rest) for token in fits for rest in ways[at + len(token)]
        ]
        ways[at] = found[:2]
    return ways[0]


def quoted(tokens: Sequence[str]) -> str:
    """The tokens as a printable text, each in quotes."""
    return " ".join(f"'{printable(token)}'" for token in tokens)


def _way(
    came: dict[Hashable, tuple[Any, str] | None], node: Any
) -> tuple[str, ...]:
    read: list[str] = []
    while (step := came[node]) is not None:
        node, text = step
        read.append(text)
    return tuple(reversed(read))
