"""Several functions as one, run in a loop: a chain of thousands is no deeper than one call.

Rules of this file: a link is made in constant time and knows the link before it; the links are
put in a row when the chain is first called.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Final

ASKED: Final = object()  # in a Filled: the key or the query that is asked


class Chain:
    """A function followed by others, each of the result of the one before; None ends it."""

    def __init__(
        self, before: Callable[[Any], Any], then: Callable[[Any], Any]
    ) -> None:
        self.before, self.then = before, then

    @cached_property
    def _functions(self) -> list[Callable[[Any], Any]]:
        found = []
        link: Callable[[Any], Any] = self
        while isinstance(link, Chain):
            found.append(link.then)
            link = link.before
        return [link, *reversed(found)]

    def __call__(self, value: Any) -> Any:
        for function in self._functions:
            if value is None:
                return None
            value = function(value)
        return value


class Judgement:
    """A predicate that changes the verdict of another one: both are asked of every pair.

    `depth` is how many calls stand in each other. `joined` builds on the deeper of two, so that a
    judgement of n predicates is at most log2(n) deep.
    """

    def __init__(
        self,
        before: Callable[[Any, Any], Any],
        change: Callable[[bool, Any, Any], bool],
        depth: int,
    ) -> None:
        self.before, self.change = before, change
        self.depth = depth

    @cached_property
    def _row(
        self,
    ) -> tuple[
        Callable[[Any, Any], Any], list[Callable[[bool, Any, Any], bool]]
    ]:
        changes = []
        link: Callable[[Any, Any], Any] = self
        while isinstance(link, Judgement):
            changes.append(link.change)
            link = link.before
        return link, changes[::-1]

    def __call__(self, key: Any, query: Any) -> bool:
        first, changes = self._row
        verdict = bool(first(key, query))
        for change in changes:
            verdict = change(verdict, key, query)
        return verdict


def joined(
    deeper: Callable[[Any, Any], Any],
    other: Callable[[Any, Any], Any],
    joins: Callable[[bool, bool], bool],
) -> Judgement:
    """The predicate that joins the verdicts of two, of which the first is at least as deep."""

    def change(verdict: bool, key: Any, query: Any) -> bool:
        return joins(verdict, bool(other(key, query)))

    return Judgement(deeper, change, max(depth(deeper), depth(other) + 1))


def negated(predicate: Callable[[Any, Any], Any]) -> Judgement:
    """The predicate that holds where another one does not."""
    return Judgement(
        predicate, lambda verdict, _, __: not verdict, depth(predicate)
    )


class Filled:
    """A predicate that is asked of one value in the place of every key, or of every query."""

    def __init__(
        self, predicate: Callable[[Any, Any], Any], key: Any, query: Any
    ) -> None:
        self._predicate, self._key, self._query = predicate, key, query
        self.depth = depth(predicate) + 1

    def __call__(self, key: Any, query: Any) -> Any:
        return self._predicate(
            key if self._key is ASKED else self._key,
            query if self._query is ASKED else self._query,
        )


def depth(predicate: Callable[[Any, Any], Any]) -> int:
    """The number of predicates of this file that call each other when this one is asked."""
    if isinstance(predicate, Judgement | Filled):
        return predicate.depth
    return 0
