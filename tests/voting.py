"""Programs whose logits are whole numbers, and claims of one or several right answers."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

from hypothesis import strategies as st

from handcraft import Block, Head, Program, after, position, token


def three(claim: Any, c: float = 50, n_ctx: int = 3) -> Program:
    """After a the tokens b and c have 50 each (or c another logit), after b the token a has 50,
    after c it has 1.
    """
    p, t = position(n_ctx), token("abc")
    say = Head(
        query=1024 * p,
        key=p,
        value=t,
        adds={
            t["a"]: 50 * t["b"] + t["c"] - t["a"],
            t["b"]: 50 * t["a"] - t["b"],
            t["c"]: c * t["a"] - t["c"],
        },
    )
    return Program(embedding=(p, t), layers=(say,), claim=claim, name="three")


@dataclass(frozen=True)
class Votes:
    """The logits after a context: what its last token gives, and what the one before it gives;
    whole numbers.
    """

    tokens: tuple[str, ...]
    n_ctx: int
    own: tuple[tuple[int, ...], ...]
    before: tuple[tuple[int, ...], ...]
    table: tuple[tuple[tuple[str, ...], frozenset[str]], ...]

    def program(self) -> Program:
        """Two heads, which copy the last token and the one before it."""
        p, t = position(self.n_ctx), token(self.tokens)

        def gives(rows: tuple[tuple[int, ...], ...]) -> Any:
            return {
                t[one]: sum(
                    (row[i] * t[other] for other, row in self._rows(rows)),
                    start=0 * t[one],
                )
                for i, one in enumerate(self.tokens)
            }

        own = Head(query=2048 * p, key=p, value=t, adds=gives(self.own))
        before = Head(
            query=2048 * p.previous + 0 * p,  # at the first position itself
            key=p,
            value=t,
            adds=gives(self.before),
        )
        return Program(
            embedding=(p, t),
            layers=(Block([own, before]),),
            claim=after(dict(self.table)),
            name="votes",
        )

    def _rows(self, rows: Any) -> Any:
        return zip(self.tokens, rows, strict=True)

    def contexts(self) -> list[tuple[str, ...]]:
        """Every context."""
        return [
            context
            for n in range(1, self.n_ctx + 1)
            for context in product(self.tokens, repeat=n)
        ]

    def right(self, context: tuple[str, ...]) -> frozenset[str] | None:
        """The tokens that are right after a context."""
        fits = [
            (len(ending), right)
            for ending, right in self.table
            if context[-len(ending) :] == ending
        ]
        return max(fits, key=lambda fit: fit[0])[1] if fits else None

    def margins(self) -> dict[tuple[str, ...], int]:
        """The best right logit minus the best wrong one, where the claim speaks."""
        found = {}
        for context in self.contexts():
            if (right := self.right(context)) is None:
                continue
            index = self.tokens.index
            votes = list(self.own[index(context[-1])])
            votes[index(context[-1])] += 1  # its own lane is read out, too
            row = self.before[index(context[-2:][0])]
            votes = [a + b for a, b in zip(votes, row, strict=True)]
            named = dict(zip(self.tokens, votes, strict=True))
            found[context] = max(named[x] for x in right) - max(
                named[x] for x in self.tokens if x not in right
            )
        return found


@st.composite
def votes(draw: Any) -> Votes:
    """Small programs with logits that are often tied, and claims of one to all but one token."""
    tokens = draw(st.sampled_from(["abc", "abcd", ("ab", "c", "d")]))
    tokens = tuple(tokens)
    cells = st.tuples(*[st.integers(-2, 3)] * len(tokens))
    ending = st.lists(st.sampled_from(tokens), min_size=1, max_size=3)
    right = st.frozensets(
        st.sampled_from(tokens), min_size=1, max_size=len(tokens) - 1
    )
    table = draw(
        st.dictionaries(ending.map(tuple), right, min_size=1, max_size=4)
    )
    given_by = [draw(st.tuples(*[cells] * len(tokens))) for _ in range(2)]
    if draw(st.booleans()):  # so that more are right
        given_by[0] = tuple(
            tuple(
                8 if token in table.get((own,), ()) else vote
                for token, vote in zip(tokens, row, strict=True)
            )
            for own, row in zip(tokens, given_by[0], strict=True)
        )
    n_ctx = draw(st.integers(max(map(len, table)), 3))
    return Votes(tokens, n_ctx, *given_by, tuple(table.items()))
