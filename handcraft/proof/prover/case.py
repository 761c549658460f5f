"""A case: a small automaton that reads the contexts of a claim token by token and then knows what
must follow.

Each case covers some contexts, and every context of the claim's domain is covered by exactly
one. A case may choose beforehand what a left-to-right reading cannot know yet (guesses.py). The
choice is checked at the end; a context for which it is wrong belongs to another case.

    step(state, k, token)            the state after the k-th token that is read; None if no
                                     context of the domain goes on like that
    expected(state, level, token)    what must follow a context that ends at this position: a
                                     token's id, or those of several of which any is right; a row
                                     of probabilities or a number; None if the claim says nothing;
                                     OUT if the context is another case's

Tokens are read from left to right, or in the case's own `order` of positions. Rules of this
file: a case knows the claim and never the weights.
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
    # whether what must follow depends on the last token otherwise than by the state
    reads_own: bool = True

    def step(self, state: Any, k: int, token: int) -> Any:
        """Return the state after one more token, None outside the domain."""
        raise NotImplementedError

    def expected(self, state: Any, level: int, token: int) -> Any:
        """Return what must follow a context that ends in this state."""
        raise NotImplementedError

    def role(self, k: int, token: int) -> Hashable:  # noqa: ARG002
        """Return the token's role: k-th tokens of one role lead every state to the same
        state and leave what is expected the same.
        """
        return token

    def last(self, everything: Sequence[int]) -> list[int]:
        """Return the tokens with which a context of this case can end; there may be more
        than needed.
        """
        return list(everything)

    def ending_at(self, levels: Sequence[int]) -> Case:  # noqa: ARG002
        """Return the same case for contexts that end at these levels only; it may remember less."""
        return self

    def counts(self, state: Any, level: int) -> bool:  # noqa: ARG002
        """True if a context that ends here is counted. Of prompts with answers only the
        prompts are.
        """
        return True

    def allowed(self, everything: Sequence[int]) -> list[set[int]]:
        """Return for each position up to the last level the tokens it can hold, or more."""
        return [
            set(everything) for _ in range(max(self.levels, default=-1) + 1)
        ]
