"""The automaton of the prompts, in arrays: which tokens can stand where, and what they add up to.

    walk_of(language)          the automaton, followed from the start and back from its ends
        .places(length)        the characters at each place of a prompt of this length
        .of_tokens(...)        the same over the tokens of a text, behind the first one
    TokenWalk.sums(...)        what the tokens up to each place can weigh together

A prompt is a way through the automaton. What all ways have in common is known of every prompt: that
there is one `#` in it, or that no more brackets are open than so many. Rules of this file: a way
that is no prompt may be looked at, too, but no prompt is left out; the number of prompts is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from handcraft.claims.prompt_language import START, Language
from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import Rejected

_MOST_STEPS = 40_000_000  # states, characters and places
_MOST_SUMMED = 100_000_000  # of these by the values of a sum


@dataclass(frozen=True, eq=False)
class PromptWalk:
    """The automaton of a language.

    characters  all of them, in a fixed order
    after       [n_state, n_char] the next state, -1 where no text goes on so
    reached     [n + 1, n_state] True for the states after so many characters
    left        [n + 1, n_state] True where so many characters more can be the rest of a text
    prompts     how many texts there are
    """

    characters: tuple[str, ...]
    after: Array
    reached: Array
    left: Array
    prompts: int

    @property
    def lengths(self) -> list[int]:
        """The lengths of texts."""
        found = range(1, len(self.left))
        return [m for m in found if self.left[m, 0]]

    def places(self, length: int) -> list[set[str]]:
        """The characters at each place of a text of this length."""
        found = []
        for i in range(length):
            on = self.after[self.reached[i]]  # [n_reached, n_char]
            can: Array = (on >= 0) & self.left[length - i - 1][on]
            which = np.flatnonzero(can.any(axis=0))
            found.append({self.characters[j] for j in which})
        return found

    def of_tokens(self, tokens: Sequence[str], skipped: int) -> TokenWalk:
        """The walk over tokens, behind so many that all texts begin with."""
        after = np.full((len(self.after), len(tokens)), -1, dtype=np.int64)
        for j, char in enumerate(self.characters):
            if char in tokens:
                after[:, tokens.index(char)] = self.after[:, j]
        return TokenWalk(after, self.reached[skipped], self.left)


@dataclass(frozen=True, eq=False)
class TokenWalk:
    """The automaton over tokens.

    after  [n_state, n_token] the next state, -1 where no text goes on so
    start  [n_state] True for the states before index 0
    left   [n + 1, n_state] True where so many tokens more can be the rest of a text
    """

    after: Array
    start: Array
    left: Array

    def sums(
        self, weights: Array, ends: Sequence[int], n: int
    ) -> tuple[int, Array]:  # [n_token] -> [n_end, n, n_token, n_value]
        """The least value, and True where in a prompt with this end the tokens up to an index, of
        which the last one is known, can weigh so much together.
        """
        low = n * min(0, int(weights.min()))
        values = n * max(0, int(weights.max())) - low + 1
        if self.after.size * n * values > _MOST_SUMMED * 8:
            raise Rejected("what the prompts add up has too many values")
        found = np.zeros((len(ends), n, len(weights), values), dtype=bool)
        now = np.zeros((len(self.after), values), dtype=bool)
        now[self.start, -low] = True
        for i in range(max(ends) + 1):
            rows = [x for x, end in enumerate(ends) if end >= i]
            left = self.left[[ends[x] - i for x in rows]].astype(np.float32)
            steps = np.stack(
                [self._step(now, t, int(w)) for t, w in enumerate(weights)]
            )  # [n_token, n_state, n_value]
            can = np.einsum(
                "es,tsv->etv", left, steps.astype(np.float32), optimize=True
            )
            found[rows, i] = can > 0
            now = np.array(steps.any(axis=0))
        return low, found

    def _step(self, now: Array, token: int, weight: int) -> Array:
        """[n_state, n_value] what can be after one more token."""
        found = np.zeros_like(now)
        some = np.flatnonzero((self.after[:, token] >= 0) & now.any(axis=1))
        if len(some):
            moved = shifted(now[some], weight)
            np.logical_or.at(found, self.after[some, token], moved)
        return found


def shifted(table: Array, by: int) -> Array:
    """A table with what stands in its last axis so many places further."""
    found = np.zeros_like(table)
    size = table.shape[-1]
    if abs(by) >= size:
        return found
    if by >= 0:
        found[..., by:] = table[..., : size - by]
    else:
        found[..., :by] = table[..., -by:]
    return found


def walk_of(language: Language) -> PromptWalk:
    """The automaton of a language. Raises Rejected for one that is too large."""
    states, levels, prompts = _levels(language)
    characters = tuple(sorted(language.characters))
    number = {state: i for i, state in enumerate(states)}
    size = len(states) * len(characters) * (language.max_length + 1)
    if size > _MOST_STEPS:
        raise Rejected("the prompts have too many forms")
    after = np.full((len(states), len(characters)), -1, dtype=np.int64)
    for state in states:
        for target, chars in language.after(state).items():
            for char in chars:
                if target in number:  # else it is longer than any text
                    at = number[state], characters.index(char)
                    after[at] = number[target]
    reached = np.zeros((len(levels), len(states)), dtype=bool)
    for i, level in enumerate(levels):
        reached[i, [number[s] for s in level]] = True
    accepts = np.array([language.accepts(s) for s in states])
    return PromptWalk(
        characters, after, reached, _left(after, accepts, len(levels)), prompts
    )


def _left(after: Array, accepts: Array, n: int) -> Array:
    """From which states so many characters lead to an end."""
    found = [accepts]
    for _ in range(n - 1):
        can: Array = (after >= 0) & found[-1][after]
        found.append(np.array(can.any(axis=1)))
    return np.stack(found)


def _levels(
    language: Language,
) -> tuple[list[int], list[dict[int, int]], int]:
    """All states, START first, those after each number of characters with how many texts lead
    there, and how many texts there are.
    """
    levels: list[dict[int, int]] = [{START: 1}]
    edges: dict[int, dict[int, str]] = {START: language.after(START)}
    prompts = 0
    for _ in range(language.max_length):
        following: dict[int, int] = {}
        for state, ways in levels[-1].items():
            for target, chars in edges[state].items():
                known = following.get(target, 0)
                following[target] = known + ways * len(chars)
        for state in following:
            if state not in edges:
                edges[state] = language.after(state)
        if len(edges) > _MOST_STEPS // language.max_length:
            raise Rejected("the prompts have too many forms")
        levels.append(following)
        prompts += sum(
            ways for s, ways in following.items() if language.accepts(s)
        )
    return list(edges), levels, prompts
