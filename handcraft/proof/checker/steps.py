"""The steps of a walk at one position: what every token leads to, each part computed once.

Many states of a walk differ only in a part of what is known of them: the claim's memory, the
states of earlier positions, or the edges that the certificate gives. Each part is computed by
itself, for all tokens, and tokens that it treats alike in every way are one group.

    groups(memory, earlier)    [(memory after, earlier states after, tokens), ...], tokens that
                               have the same score for each head
    keys(earlier, tokens)      for such tokens one key for each head: that score, and what covers
                               their values
    answer(memory, token)      what must follow a context that ends here

Rules of this file: what is kept depends on nothing but one position of one walk, and what it was
computed from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from handcraft.proof.checker.claim import Reading
from handcraft.proof.checker.views import View
from handcraft.proof.checker.work import Allowance

Keys = tuple[int | None, ...]  # of each head
_Group = tuple[Any, frozenset[int] | None, tuple[int, ...]]


class Steps:
    """One position of a walk. `last` is true if no token follows."""

    def __init__(
        self,
        views: Sequence[View],
        reading: Reading,
        finals: set[tuple[int, int]],
        after: Callable[[int, int, int], int],
        work: Allowance,
        position: int,
        level: int,
        *,
        last: bool,
    ) -> None:
        self.views = views
        self.reading = reading
        self.finals = finals
        self.after = after
        self.work = work
        self.position = position
        self.level = level
        self.last = last
        # whether contexts of the section end here
        self.ends = any(place == level for place, _ in finals)
        self.tokens = range(len(reading.domain.tokens))
        # the token read is the last of the context
        self.listed = self.reading.order is not None and position == level
        self._after: dict[Any, list[tuple[Any, tuple[int, ...]]]] = {}
        self._parted: dict[
            tuple[frozenset[int], tuple[int, ...]], list[tuple[int, ...]]
        ] = {}
        self._offers: dict[
            frozenset[int], list[tuple[Keys, int, frozenset[int] | None] | None]
        ] = {}
        # scores of all heads and states after, numbered
        self._kinds: dict[Any, int] = {}
        self._together: dict[Any, Keys] = {}
        self._groups: dict[Any, list[_Group]] = {}
        self._answers: dict[Any, Any] = {}

    def groups(self, memory: Any, earlier: frozenset[int]) -> list[_Group]:
        """Return every token that the domain allows, in groups, in the order of each
        group's first token.

        Raises Rejected for a token that is not listed.
        """
        name = memory, earlier
        found = self._groups.get(name)
        if found is None:
            self.work.spend(len(self.tokens) * len(earlier))
            found = self._groups[name] = []
            for following, tokens in self._followed(memory):
                for alike in (
                    self._listed(tokens)
                    if self.listed
                    else self._alike(earlier, tokens)
                ):
                    found.append(
                        (following, self._offered(earlier, alike[0])[2], alike)
                    )
        return found

    def _followed(self, memory: Any) -> list[tuple[Any, tuple[int, ...]]]:
        """Return the memory after each token, tokens of one memory together."""
        found = self._after.get(memory)
        if found is None:
            found = self._after[memory] = self.reading.groups(
                memory, self.position
            )
        return found

    def _listed(self, tokens: tuple[int, ...]) -> list[tuple[int, ...]]:
        """Yield each listed token by itself; contexts that end with another one do not
        belong to this section.
        """
        return [
            (token,) for token in tokens if (self.level, token) in self.finals
        ]

    def _alike(
        self, earlier: frozenset[int], tokens: tuple[int, ...]
    ) -> list[tuple[int, ...]]:
        """Return tokens together that offer each head one score and lead to the same states."""
        name = earlier, tokens
        if name not in self._parted:
            found: dict[int, list[int]] = {}
            for token in tokens:
                found.setdefault(self._offered(earlier, token)[1], []).append(
                    token
                )
            self._parted[name] = [tuple(alike) for alike in found.values()]
        return self._parted[name]

    def keys(self, earlier: frozenset[int], tokens: tuple[int, ...]) -> Keys:
        """Return one key for each head, which covers those of all these tokens."""
        if len(tokens) == 1:
            return self._offered(earlier, tokens[0])[0]
        name = earlier, tokens
        if name not in self._together:
            rows = zip(
                *(self._offered(earlier, token)[0] for token in tokens),
                strict=True,
            )
            self._together[name] = tuple(
                view.covering(keys)
                for view, keys in zip(self.views, rows, strict=True)
            )
        return self._together[name]

    def _offered(
        self, earlier: frozenset[int], token: int
    ) -> tuple[Keys, int, frozenset[int] | None]:
        """Return the keys that a token offers to each head, the number of their scores and
        states, and the states after it.
        """
        row = self._offers.setdefault(earlier, [None] * len(self.tokens))
        found = row[token]
        if found is None:
            keys = tuple(
                view.key(self.position, earlier, token) for view in self.views
            )
            states = (
                frozenset(
                    self.after(self.position, state, token) for state in earlier
                )
                if not self.last
                else None
            )
            if self.last and self.reading.order is not None:
                # listed like those before: what other heads see covers it
                self.after(self.position, 0, token)
            scores = tuple(
                [
                    view.score(key)
                    for view, key in zip(self.views, keys, strict=True)
                ]
            )
            found = row[token] = (
                keys,
                self._kinds.setdefault((scores, states), len(self._kinds)),
                states,
            )
        return found

    def answer(self, memory: Any, token: int) -> Any:
        """Return what must follow a context that ends here with this token."""
        name = (memory, token) if self.reading.reads_own else memory
        if name not in self._answers:
            self._answers[name] = self.reading.answer(memory, self.level, token)
        return self._answers[name]
