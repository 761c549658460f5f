"""The claim, read token by token: what must follow a context, from a memory that the checker keeps
itself.

A section of a certificate may fix beforehand where the prompt ends, the last token, and the
values of some parts of the claim's expression. At the end of a context the checker sees whether
they are true of it; if not, the context belongs to another section.

    step(memory, position, token)    the memory after a token; None outside the domain
    answer(memory, level, token)     a token's id, or a tuple of several ids; probabilities or a
                                     number; None if the claim says nothing; OUT if the context
                                     is another section's

Rules of this file: the meaning is that of `sequence.expression.evaluate`; what cannot be
followed is rejected.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from handcraft.claims.answers import Table
from handcraft.claims.kinds import Claim
from handcraft.claims.prompt_claim import Answers
from handcraft.claims.prompt_language import START, Language
from handcraft.claims.transducer import Transducer
from handcraft.model import Model
from handcraft.proof.checker.zonotope import Rejected
from handcraft.sequence.evaluate import evaluate
from handcraft.sequence.expression import Expression

OUT = "another section"
SELECTION_WORDS = (
    "first",
    "latest",
    "count",
    "total",
    "lowest",
    "state",
    "token_at",
)
_WORDS = frozenset(
    [
        *SELECTION_WORDS,
        *("here", "end", "step", "add", "subtract", "multiply", "divide"),
        *("modulo", "ratio", "equal", "below", "lookup", "otherwise"),
        *("cases", "most"),
    ]
)  # what is followed here
_MOST_PARTS = 5_000  # of an expression, each counted as often as it occurs


class Domain:
    """The contexts that there are, as {(where the prompt ends, the level): how many}, and
    the guesses of one section.
    """

    def __init__(
        self, model: Model, claim: Claim, alphabet: Sequence[int]
    ) -> None:
        _followed(claim)
        self.model = model
        self.claim = claim
        self.alphabet = set(alphabet)
        self.tokens = model.vocabulary.tokens
        self.ids = model.vocabulary.ids
        self.language = (
            claim.language(model.n_ctx, model.vocabulary)
            if claim.asks_prompts
            else None
        )
        stop = claim.stop_token
        self.stop = self.ids[stop] if stop is not None else None
        if self.language is not None and not isinstance(claim.rule, Table):
            _spelled_once(self.language, self.tokens)
        self.table = (
            _written_out(model, claim)
            if claim.asks_prompts and isinstance(claim.answer, Table)
            else None
        )

    def length(self, end: int) -> int:
        """Return the number of tokens that answer a prompt that ends there."""
        length = self.claim.length if self.claim.asks_prompts else 1
        if isinstance(length, Expression):
            if length.uses(*SELECTION_WORDS, "here", "step"):
                raise Rejected(
                    "the length of an answer depends on more than the prompt's"
                )
            length = evaluate(length, (), end=end)  # type: ignore[assignment]
        if type(length) is not int or length < 1:
            raise Rejected(
                "the claim does not say how long an answer is, or an answer has no"
                " token"
            )
        if end + length > self.model.n_ctx:
            raise Rejected("a prompt and its answer do not fit the window")
        return length

    def ends_with(self, found: int, end: int, level: int) -> int:
        """Return a token of an answer. Raises Rejected for a stop token that is too early,
        and for another token in its place.
        """
        if self.stop is not None and (found == self.stop) != (
            level == end + self.length(end) - 1
        ):
            raise Rejected(
                "an answer holds the stop token too early, or does not end with it"
            )
        return found

    def sizes(self, *, ends: bool) -> dict[tuple[int | None, int], int]:
        """Return the number of contexts at each level; with `ends`, also by where the
        prompt ends.
        """
        if self.language is None:
            return {
                (None, level): len(self.tokens) ** (level + 1)
                for level in range(self.model.n_ctx)
            }
        if self.table is not None:
            return {
                (None, n - 1): sum(len(c) == n for c in self.table[0])
                for n in {len(c) for c in self.table[0]}
            }
        if not ends:
            if any(self.length(n - 1) != 1 for n in self.language.lengths):
                raise Rejected("the sections do not say where the prompts end")
            return {
                (None, n - 1): count
                for n, count in self.language.lengths.items()
            }
        found: dict[tuple[int | None, int], int] = {}
        width = (
            1 if isinstance(self.claim.rule, Transducer) else len(self.alphabet)
        )
        for n, count in self.language.lengths.items():
            found |= {
                (n - 1, n - 1 + i): count * width**i
                for i in range(self.length(n - 1))
            }
        return found

    def step(
        self, state: Any, position: int, token: int, end: int | None
    ) -> Any:
        """Return the state of the prompt after a token, () behind its end, None outside the
        domain.
        """
        if self.language is None:
            return state
        if end is not None and position > end:
            return () if token in self.alphabet else None
        text = self.tokens[token]
        at = self.language.step(state[0], text)
        used = state[1] + len(text)
        if (
            not at
            or used > self.language.max_length
            or not self.language.can_end(at, used)
        ):
            return None
        if len(text) > 1:
            raise Rejected("a prompt holds a token of several characters")
        if end is None or position < end:
            return at, used
        return () if self.language.accepts(at) else None

    def complete(self, state: Any) -> bool:
        """True if a context that leads to this state is one of the domain."""
        return (
            self.language is None
            or state == ()
            or self.language.accepts(state[0])
        )


def _followed(claim: Claim) -> None:
    """Check that the claim is of contexts or prompts, in words that are followed here. Raises
    Rejected if not.
    """
    if claim.whole_text:
        raise Rejected("the claim is about whole texts")
    parts = (claim.rule, claim.length if claim.asks_prompts else None)
    for e in parts:
        if not isinstance(e, Expression):
            continue
        if not e.ops <= _WORDS or e.spread > _MOST_PARTS:
            raise Rejected("the claim uses words that are not followed here")


def _spelled_once(language: Language, tokens: Sequence[str]) -> None:
    """Check that no token of several characters can stand in a prompt, since prompts are
    counted by character. Raises Rejected if one can.
    """
    longer = [text for text in tokens if len(text) > 1]
    chars = set("".join(tokens))
    waiting = [START]
    seen = {START}
    while waiting and longer:
        state = waiting.pop()
        if any(language.step(state, text) for text in longer):
            raise Rejected("a prompt holds a token of several characters")
        after = {language.step(state, char) for char in chars} - seen - {0}
        seen |= after
        waiting += after


def _written_out(
    model: Model, claim: Answers
) -> tuple[dict[tuple[int, ...], int], set[tuple[int, ...]]]:
    """Return for a table of answers what follows every context, and all beginnings of these
    contexts.
    """
    follows: dict[tuple[int, ...], int] = {}
    lengths = set[int]()
    for prompt in claim.language(model.n_ctx, model.vocabulary):
        ids = model.vocabulary.ids
        asked = [ids[t] for t in model.vocabulary.split(prompt)]
        whole = (
            *asked,
            *(
                ids[t]
                for t in claim.expected(prompt, model.vocabulary, model.n_ctx)
            ),
        )
        lengths.add(len(whole) - len(asked))
        if (
            len(whole) - 1 > model.n_ctx
            or len(whole) == len(asked)
            or (claim.stop is None and len(lengths) > 1)
        ):
            raise Rejected(
                "answers of a table have no token, do not fit the window, or several"
                " lengths and nothing that ends them"
            )
        for i in range(len(asked), len(whole)):
            if follows.setdefault(whole[:i], whole[i]) != whole[i]:
                raise Rejected("the table answers a text in two ways")
    return follows, {
        context[:i] for context in follows for i in range(len(context) + 1)
    }


class Reading:
    """The claim as one section reads it."""

    order: tuple[int, ...] | None = None
    start: Any = ()
    # whether an answer depends on the last token other than by the memory
    reads_own = False

    def __init__(
        self, domain: Domain, levels: Sequence[int], end: int | None
    ) -> None:
        self.domain = domain
        self.levels = levels
        self.end = end

    def step(self, memory: Any, position: int, token: int) -> Any:
        """Return the memory after one more token."""
        raise NotImplementedError

    def groups(
        self, memory: Any, position: int
    ) -> list[tuple[Any, tuple[int, ...]]]:
        """Return every token that the domain allows, grouped by the memory that it leads
        to: (that memory, tokens).
        """
        found: dict[Any, list[int]] = {}
        for token in range(len(self.domain.tokens)):
            if (after := self.step(memory, position, token)) is not None:
                found.setdefault(after, []).append(token)
        return [(after, tuple(tokens)) for after, tokens in found.items()]

    def answer(self, memory: Any, level: int, token: int) -> Any:
        """Return what must follow."""
        raise NotImplementedError


class Endings(Reading):
    """The reading of a claim that the last tokens decide: it remembers positions that are
    among the last of a level.
    """

    def __init__(
        self, domain: Domain, levels: Sequence[int], end: int | None
    ) -> None:
        super().__init__(domain, levels, end)
        claim: Any = domain.claim
        self.rows = claim.endings(domain.model.vocabulary)
        self.window = max(map(len, self.rows))
        self.needed = {
            j
            for level in levels
            for j in range(level - self.window + 1, level + 1)
        }

    def step(
        self, memory: tuple[str, ...], position: int, token: int
    ) -> tuple[str, ...]:
        return (
            (*memory, self.domain.tokens[token])[-self.window :]
            if position in self.needed
            else ()
        )

    def answer(self, memory: tuple[str, ...], level: int, token: int) -> Any:  # noqa: ARG002
        found = next(
            (
                self.rows[memory[i:]]
                for i in range(len(memory))
                if memory[i:] in self.rows
            ),
            None,
        )
        if isinstance(found, dict):
            return tuple(found.get(t, 0.0) for t in self.domain.tokens)
        if isinstance(found, tuple):
            return tuple([self.domain.ids[t] for t in found])
        return None if found is None else self.domain.ids[found]


class Written(Reading):
    """The reading of a table of answers: it remembers the whole context."""

    def step(self, memory: tuple[int, ...], position: int, token: int) -> Any:  # noqa: ARG002
        return (
            (*memory, token)
            if self.domain.table and (*memory, token) in self.domain.table[1]
            else None
        )

    def answer(self, memory: tuple[int, ...], level: int, token: int) -> Any:  # noqa: ARG002
        return (
            self.domain.table[0].get(memory, OUT) if self.domain.table else OUT
        )


class Aligned(Reading):
    """The reading of a transducer, in an order in which every step has what it needs:
    (state, steps done, tokens read, token due).
    """

    def __init__(
        self,
        domain: Domain,
        levels: Sequence[int],
        end: int,
        order: Sequence[int],
    ) -> None:
        super().__init__(domain, levels, end)
        claim: Any = domain.claim
        self.machine = claim.answer
        self.order = tuple(order)
        self.shape = _shape(domain, end)
        steps = levels[0] - end + 1
        self.stop = claim.stop if steps == domain.length(end) else None
        count = steps - (self.stop is not None)
        if len(levels) > 1 or sorted(order) != list(range(levels[0] + 1)):
            raise Rejected("an order must read every position once")
        self.places: list[list[Any]] = [
            [evaluate(e, (), end=end, step=i) for e in self.machine.inputs]
            for i in range(count)
        ]
        self.start = self._advanced(self.machine.start, 0, (), None)

    def step(self, memory: Any, position: int, token: int) -> Any:
        state, done, read, due = memory
        end = self.end or 0
        text = self.domain.tokens[token]
        if position > end:
            if due is None or position != end + done:
                raise Rejected(
                    "the order reads what is written before it is known"
                )
            return (
                self._advanced(state, done, read, None) if due == text else None
            )
        if token not in self.shape[position]:
            return None
        wanted = any(position in places for places in self.places[done:])
        return self._advanced(
            state, done, (*read, (position, text)) if wanted else read, due
        )

    def _advanced(
        self,
        state: Any,
        done: int,
        read: tuple[tuple[int, str], ...],
        due: str | None,
    ) -> Any:
        if (
            due is None
            and done < len(self.places)
            and set(self.places[done]) <= {p for p, _ in read}
        ):
            known = dict(read)
            row = self.machine.rows.get(
                (state, *(known[p] for p in self.places[done]))
            )
            if row is None:
                raise Rejected("the transducer has no row for what it reads")
            later = {p for places in self.places[done + 1 :] for p in places}
            return (
                row[1],
                done + 1,
                tuple((p, x) for p, x in read if p in later),
                row[0],
            )
        return state, done, read, due

    def answer(self, memory: Any, level: int, token: int) -> Any:  # noqa: ARG002
        _, done, _, due = memory
        found = self.stop if self.stop is not None and due is None else due
        if found is None or done < len(self.places):
            raise Rejected("the transducer has not come to its end")
        return self.domain.ends_with(
            self.domain.ids[found], self.end or 0, self.levels[0]
        )


def _shape(domain: Domain, end: int) -> list[set[int]]:
    """Return the tokens at each position of the prompts that end there. Raises Rejected
    unless the prompts are all combinations of them, which is counted.
    """
    language = domain.language
    states = {START}
    shape = list[set[int]]()
    if language is None or not domain.model.vocabulary.single:
        raise Rejected(
            "prompts can be read in another order only where tokens are single"
            " characters"
        )
    for position in range(end + 1):
        steps = {
            (s, t): language.step(s, text)
            for s in states
            for text, t in domain.ids.items()
        }
        alive = {
            key: after
            for key, after in steps.items()
            if after and language.ends_in(after, end - position)
        }
        shape.append({t for _, t in alive})
        states = set(alive.values())
    if prod(map(len, shape)) != language.lengths.get(end + 1, 0):
        raise Rejected(
            "the tokens of a prompt depend on each other, so that they cannot be read"
            " in another order"
        )
    return shape
