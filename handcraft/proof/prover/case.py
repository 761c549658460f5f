"""A case: a small machine that reads contexts of a claim token by token and then knows what
must follow.

Each case covers some contexts, and every context of the claim's domain is covered by one. A
case may fix beforehand what a left-to-right reading cannot know (guesses.py). A guess is
checked in the end; a context for which it is wrong belongs to another case.

    step(state, k, token)            the state after the k-th token that is read; None outside
                                     the domain
    expected(state, level, token)    what must follow a context that ends here: a token's id, a
                                     row of probabilities or a number; None where the claim is
                                     silent; OUT in another case

Tokens are read from left to right, or in the case's own `order` of positions. Rules of this
file: data in, Python out; never the weights.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from handcraft.proof.prover.domains import Domain

OUT = "another case"


class Case:
    """One case. `levels` are the positions at which a context can end."""

    levels: Sequence[int] = ()
    domain: Domain | None = None  # of several cases, which cover it together
    order: tuple[int, ...] | None = None
    start: Hashable = ()

    def step(self, state: Any, k: int, token: int) -> Any:
        """The state after one more token."""
        raise NotImplementedError

    def expected(self, state: Any, level: int, token: int) -> Any:
        """What must follow."""
        raise NotImplementedError

    def role(self, k: int, token: int) -> Hashable:  # noqa: ARG002
        """Tokens of one role, read as the k-th, lead every state to the same and leave the same
        expected.
        """
        return token

    def last(self, everything: Sequence[int]) -> list[int]:
        """The tokens with which a context of this case can end, at least."""
        return list(everything)

    def ending_at(self, levels: Sequence[int]) -> Case:  # noqa: ARG002
        """The same case for contexts that end at some of its levels only: it may remember less."""
        return self

    def counts(self, state: Any, level: int) -> bool:  # noqa: ARG002
        """Whether a context that ends here counts: every one, or of prompts with answers only
        the prompts.
        """
        return True

    def allowed(self, everything: Sequence[int]) -> list[set[int]]:
        """For each position up to the last level the tokens it can hold, at least."""
        return [set(everything) for _ in range(max(self.levels, default=-1) + 1)]
