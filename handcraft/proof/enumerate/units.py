"""Cuts the trie of contexts into units of work, each counted by one process at a time.

The short contexts, up to some depth, are the first unit; every other unit is a run of prefixes
of that depth, each with all of its continuations. The cut depends only on the size of the trie,
so that the counts, the margin and the counterexample are the same however many processes there
are, and a unit means the same to a run that goes on.

Rules of this file: plain integers and a pure function of (model, claim, unit); nothing knows of
processes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial

from handcraft.claims.kinds import Claim
from handcraft.model import Model
from handcraft.program.contexts import count_contexts
from handcraft.proof.enumerate import compiled
from handcraft.proof.enumerate.trie import enumerate_contexts
from handcraft.proof.enumerate.whole import count_texts
from handcraft.proof.judge import Judge
from handcraft.proof.tally import Tally

UNIT = (
    2**18
    # contexts of a unit, about: a fraction of a second, and hundreds of times what handing one over
    # costs
)
MOST_UNITS = 2**12  # of which a larger trie gets larger ones
# contexts; for fewer the trie in NumPy is done before numba has started
FAST_FROM = 2 * 10**6

GoOn = Callable[
    [int], bool
]  # told how many contexts of a unit are done; whether there is time for more


@dataclass(frozen=True)
class Unit:
    """The prefixes first to last - 1 of one depth, in the order of their ids, with
    continuations up to a length.
    """

    depth: int
    first: int
    last: int
    longest: int

    def prefixes(self, n_vocab: int) -> Iterator[tuple[int, ...]]:
        """Each prefix as ids."""
        for index in range(self.first, self.last):
            yield tuple(
                index // n_vocab**power % n_vocab
                for power in range(self.depth - 1, -1, -1)
            )

    def size(self, n_vocab: int) -> int:
        """The number of its contexts."""
        return (self.last - self.first) * count_contexts(
            n_vocab, self.longest - self.depth
        )


@dataclass(frozen=True)
class Units:
    """The units of all contexts of 1 to n_ctx tokens, each of at most so many contexts where
    that can be.
    """

    n_vocab: int
    n_ctx: int
    most: int

    @classmethod
    def of(cls, model: Model) -> Units:
        """The units for a model."""
        n_vocab = len(model.vocabulary)
        return cls(
            n_vocab,
            model.n_ctx,
            max(UNIT, count_contexts(n_vocab, model.n_ctx) // MOST_UNITS),
        )

    @cached_property
    def depth(self) -> int:
        """The length of the prefixes: as short as their continuations allow."""
        return next(
            (
                d
                for d in range(self.n_ctx)
                if count_contexts(self.n_vocab, self.n_ctx - d) <= self.most
            ),
            self.n_ctx - 1,
        )

    @cached_property
    def _width(self) -> int:
        return max(
            1,
            self.most // count_contexts(self.n_vocab, self.n_ctx - self.depth),
        )

    def __len__(self) -> int:
        return (
            1
            if self.depth == 0
            else 1 - self.n_vocab**self.depth // -self._width
        )

    def __getitem__(self, index: int) -> Unit:
        if not 0 <= index < len(self):
            raise IndexError(index)
        if index == 0:
            return Unit(0, 0, 1, self.depth or self.n_ctx)
        first = (index - 1) * self._width
        return Unit(
            self.depth,
            first,
            min(first + self._width, self.n_vocab**self.depth),
            self.n_ctx,
        )


@dataclass(frozen=True)
class Work:
    """The data that every process needs: the model, its claim, and the way to enumerate. It equals
    only its own copies.

    fast    True if the compiled enumeration counts
    shared  True if prefixes are shared; else each context goes through the plain forward pass
    """

    model: Model = field(compare=False)
    claim: Claim = field(compare=False)
    units: Units
    fast: bool
    identity: str = field(compare=False)
    shared: bool = True
    made: str = field(
        default_factory=lambda: os.urandom(16).hex()
    )  # no digest of what it holds: two may have the same

    def count(
        self, index: int, go_on: GoOn | None = None
    ) -> tuple[Tally, bool]:
        """The tally of a unit, and True if that is all of it."""
        tally = Tally()
        unit = self.units[index]
        engine = _engine(self)
        prefixes = unit.prefixes(self.units.n_vocab)
        done = all(
            engine.count(tally, prefix, unit.longest, go_on or _always)
            for prefix in prefixes
        )
        return tally, done


class Trie:
    """The trie in NumPy, which serves every model and every claim."""

    def __init__(self, judge: Judge, *, shared: bool = True) -> None:
        self.judge = judge
        self.shared = shared

    def count(
        self, tally: Tally, prefix: Sequence[int], longest: int, go_on: GoOn
    ) -> bool:
        """Count all continuations of the prefix, up to a length; return True if there was time for
        them.
        """
        model = self.judge.model
        n_vocab = len(self.judge.model.vocabulary)
        if self.judge.alone:
            return count_texts(self.judge, tally, prefix, longest, go_on)
        for chunk in enumerate_contexts(
            model.weights,
            longest,
            **model.config,
            prefix=prefix,
            shared=self.shared,
        ):
            if not go_on(tally.contexts):
                return False
            ids = chunk.ids(
                n_vocab, self.judge.window
            )  # [n, the last tokens that the claim needs]
            self.judge.batch(
                tally,
                ids,
                chunk.stream,
                chunk.logits,
                partial(chunk.context, n_vocab=n_vocab),
            )
        return True


def is_fast(judge: Judge, size: int) -> bool:
    """True if so many contexts are worth the compiled enumeration, and it is installed."""
    return (
        size >= FAST_FROM and compiled.available() and compiled.applies(judge)
    )


@lru_cache(maxsize=1)  # a process mostly has one piece of work, in many units
def _engine(work: Work) -> Trie | compiled.Engine:
    judge = Judge(work.model, work.claim)
    return (
        compiled.Engine(judge)
        if work.fast and work.shared
        else Trie(judge, shared=work.shared)
    )


def _always(_: int) -> bool:
    return True
