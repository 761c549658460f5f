"""The prompts of a claim as arrays of ids, in the order of their characters.

    PromptIds.of(language, vocabulary)     None where a prompt is not one token a character
    .rows(length, first, last)             the prompts with these numbers, of those of one length

A number is followed through the automaton of the language, character by character: at each state
the texts that begin with the first character come first, and so on. Rules of this file: the same
order as the language has, so that neighbours share their beginnings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from handcraft.claims.prompt_language import START, Language
from handcraft.core.gpt2 import Array
from handcraft.core.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False)
class PromptIds:
    """The texts of a language in the ids of a vocabulary whose tokens are characters."""

    language: Language
    vocabulary: Vocabulary
    _edges: dict[tuple[int, int], tuple[Array, list[int], Array]] = field(
        default_factory=dict
    )

    @classmethod
    def of(cls, language: Language, vocabulary: Vocabulary) -> PromptIds | None:
        """The prompts; None where one may not be cut into characters, or cannot be at all."""
        known = vocabulary.single and type(vocabulary) is Vocabulary
        if not known or not vocabulary.ids.keys() >= language.characters:
            return None
        if language.size > np.iinfo(np.int64).max:
            return None
        return cls(language, vocabulary)

    def blocks(self, rows: int) -> Iterator[tuple[int, int, int]]:
        """All prompts, as length, first and last number, at most so many at once."""
        for length, count in self.language.lengths.items():
            for first in range(0, count, rows):
                yield length, first, min(first + rows, count)

    def rows(
        self, length: int, first: int, last: int
    ) -> Array:  # -> [last - first, length]
        """The prompts of a length with the numbers first to last - 1."""
        number = np.arange(first, last)
        ids = np.empty((last - first, length), dtype=np.int64)
        states = np.full(last - first, 0)
        known = [START]
        for i in range(length):
            after = np.empty_like(states)
            reached: dict[int, int] = {}
            for k in np.unique(states).tolist():
                here = np.flatnonzero(states == k)
                letters, targets, before = self._from(known[k], length - i - 1)
                which = np.searchsorted(before, number[here], "right") - 1
                ids[here, i] = letters[which]
                number[here] -= before[which]
                places = [reached.setdefault(q, len(reached)) for q in targets]
                after[here] = np.array(places)[which]
            states, known = after, list(reached)
        return ids

    def _from(
        self, state: int, left: int
    ) -> tuple[Array, list[int], Array]:  # -> [n_char], ..., [n_char]
        """What can follow a state if so many characters come after it: the id of each character,
        the state that it leads to, and the number of texts before its first one.
        """
        key = state, left
        if key not in self._edges:
            edges = sorted(
                (char, target)
                for target, chars in self.language.after(state).items()
                if self.language.ends_in(target, left)
                for char in chars
            )
            sizes = [self.language.ways(target, left) for _, target in edges]
            ids = [self.vocabulary.ids[char] for char, _ in edges]
            before = np.cumsum([0, *sizes[:-1]])
            targets = [target for _, target in edges]
            self._edges[key] = np.array(ids), targets, before
        return self._edges[key]
