"""Domains: the contexts that a claim is about, as an automaton that reads them token by token.

    Domain         every context up to n_ctx
    PromptDomain   the prompts of a claim
    AnswerDomain   the prompts that end at one position, each followed by the same number of
                   tokens of an answer

Behind the end of a prompt every token is allowed that the claim can answer. A rule that holds
for all of these holds for the right one, too. Rules of this file: a domain may allow more
contexts than the claim is about, never fewer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

from handcraft.claims.prompt_claim import Answers
from handcraft.claims.prompt_language import START, Language
from handcraft.model import Model
from handcraft.proof.prover.guesses import Known, fixes
from handcraft.proof.prover.network import Undecided
from handcraft.sequence.expression import Expression


class Domain:
    """Every context up to n_ctx, or those that end at one position."""

    end: int | None = None
    prompted = False  # whether a context that ends here is a prompt
    # the stop token, and whether it must follow here, or must not
    stops: tuple[int, bool] | None = None

    def __init__(self, model: Model, here: int | None = None) -> None:
        self.model = model
        self.tokens = model.vocabulary.tokens
        self.here = here
        self.levels: Sequence[int] = (
            range(model.n_ctx) if here is None else [here]
        )
        self.start: Any = ()

    # every token is allowed
    def step(self, state: Any, position: int, token: int) -> Any:  # noqa: ARG002
        """Return the state after a token, None outside the domain."""
        return state

    def role(self, token: int) -> Hashable:  # noqa: ARG002
        """Return the token's role: tokens of one role are allowed in the same places."""
        return None

    def last(self, everything: Sequence[int]) -> set[int]:
        """Return the tokens with which a context can end; there may be more than needed."""
        return set(everything)

    def complete(self, state: Any) -> bool:  # noqa: ARG002  # every context counts
        """True if a context that leads to this state is one of the domain."""
        return True

    def size(self) -> int:
        """Return the number of contexts in the domain, counted state by state."""
        found = 0
        now = {self.start: 1}
        tokens = self.together()
        for position in range(max(self.levels, default=-1) + 1):
            after: Counter[Any] = Counter()
            for state, ways in now.items():
                for token, n in tokens:
                    if (
                        reached := self.step(state, position, token)
                    ) is not None:
                        after[reached] += ways * n
            now = after
            found += (
                sum(n for state, n in now.items() if self.complete(state))
                if position in self.levels
                else 0
            )
        return found

    def together(self) -> list[tuple[int, int]]:
        """Return one token of each role, and how many tokens have that role."""
        roles: dict[Hashable, list[int]] = {}
        for token in range(len(self.tokens)):
            roles.setdefault(self.role(token), []).append(token)
        return [(alike[0], len(alike)) for alike in roles.values()]

    def allowed(self, everything: Sequence[int]) -> list[set[int]]:
        """Return for each position up to the last level the tokens it can hold."""
        return [set(everything) for _ in range(max(self.levels) + 1)]


class PromptDomain(Domain):
    """The prompts of a claim, each a context whose next token is asked. They may end at any
    position.
    """

    prompted = True

    def __init__(self, claim: Answers, model: Model) -> None:
        super().__init__(model)
        self.language: Language = claim.language(model.n_ctx, model.vocabulary)
        self.start = (START, 0)
        self.known: dict[
            tuple[Any, int], Any
        ] = {}  # what was asked of `step` before
        self.reached = self._reach()
        before = [{self.start}, *self.reached]
        self.read = [
            self._readable(j, states) for j, states in enumerate(before)
        ]
        self.ends = [
            j
            for j, states in enumerate(self.reached)
            if any(self.language.accepts(s) for s, _ in states)
        ]
        self.levels = self.ends
        after = (
            (t, self.step(s, j, t))
            for j, states in enumerate(before)
            for s in states
            for t in self.read[j]
        )
        self.closing = {
            t
            for t, state in after
            if state is not None and self.language.accepts(state[0])
        }

    def _readable(self, position: int, states: set[Any]) -> set[int]:
        """Return the tokens that one of these states can go on with."""
        return {
            token
            for state in states
            for token in range(len(self.tokens))
            if self.step(state, position, token) is not None
        }

    def _reach(self) -> list[set[Any]]:
        """Return the states after each position."""
        found = []
        now = {self.start}
        for position in range(self.model.n_ctx):
            steps = (
                self.step(s, position, t)
                for s in now
                for t in range(len(self.tokens))
            )
            now = {s for s in steps if s is not None}
            found.append(now)
        return found

    def step(self, state: Any, position: int, token: int) -> Any:  # noqa: ARG002
        if (state, token) not in self.known:
            self.known[state, token] = self._step(state, token)
        return self.known[state, token]

    def _step(self, state: Any, token: int) -> Any:
        text = self.tokens[token]
        used = state[1] + len(self.tokens[token])
        after = self.language.step(state[0], text)
        if not after or used > self.language.max_length:
            return None
        return (after, used) if self.language.can_end(after, used) else None

    def role(self, token: int) -> Hashable:
        return self.language.role(self.tokens[token])

    def last(self, everything: Sequence[int]) -> set[int]:  # noqa: ARG002
        return self.closing

    def complete(self, state: Any) -> bool:
        return self.language.accepts(state[0])

    def allowed(self, everything: Sequence[int]) -> list[set[int]]:  # noqa: ARG002
        return self.read[: max(self.levels) + 1]


class AnswerDomain(PromptDomain):
    """The prompts that end at one position, followed by a fixed number of answer tokens."""

    def __init__(
        self, whole: PromptDomain, answer: set[int], end: int, here: int
    ) -> None:
        self.__dict__.update(whole.__dict__)
        self.answer = answer
        self.end = end
        self.here = here
        self.levels = [here]

    def step(self, state: Any, position: int, token: int) -> Any:
        if state == ():
            return state if token in self.answer else None
        after = super().step(state, position, token)
        if after is None or position < (self.end or 0):
            return after
        return () if self.language.accepts(after[0]) else None

    def role(self, token: int) -> Hashable:
        return super().role(token), token in self.answer

    def last(self, everything: Sequence[int]) -> set[int]:
        return (
            super().last(everything) if self.here == self.end else self.answer
        )

    def complete(self, state: Any) -> bool:
        return state == ()

    def allowed(self, everything: Sequence[int]) -> list[set[int]]:  # noqa: ARG002
        end = self.end or 0
        return [
            *self.read[: end + 1],
            *(self.answer for _ in range(max(self.levels) - end)),
        ]


def domains_of(
    claim: Answers, rule: Expression, model: Model
) -> Iterator[Domain]:
    whole = PromptDomain(claim, model)
    if claim.one_token and not fixes(rule):
        yield whole
        return
    alphabet = outputs(rule, set().union(*whole.read), model)
    if claim.stop is not None:
        alphabet.discard(model.vocabulary.ids[claim.stop])
    for end in whole.ends:
        length = length_at(claim.length, end)
        for i in range(length):
            if end + i >= model.n_ctx:
                raise Undecided(
                    f"the answer to a prompt of {end + 1} tokens does not fit the"
                    " window"
                )
            domain = AnswerDomain(whole, alphabet, end, end + i)
            domain.stops = (
                (model.vocabulary.ids[claim.stop], i == length - 1)
                if claim.stop is not None
                else None
            )
            yield domain


def length_at(length: int | Expression | None, end: int) -> int:
    """Return the number of tokens that answer a prompt that ends there. Raises Undecided if
    it depends on more than the prompt's length.
    """
    if isinstance(length, Expression):
        value = Known({"end": end})(length)
        if not isinstance(value, int):
            raise Undecided(
                "the length of the answer depends on more than the prompt's length"
            )
        return value
    return length or 1


def outputs(e: Any, prompt: set[int], model: Model) -> set[int]:
    """Return the tokens that a rule can answer; `prompt` are the tokens that prompts hold."""
    ids = model.vocabulary.ids
    if not isinstance(e, Expression):
        return {ids[e]} if e in ids else set()
    if e.op == "token_at":
        return (
            set(prompt)
            if not isinstance(e.args[0], Expression) or e.args[0].op != "here"
            else set(ids.values())
        )
    if e.op in ("lookup", "most"):
        return {ids[token] for token in e.tokens if token in ids}
    if e.op == "cases":
        values = [*e.args[1::2], *(e.args[-1:] if len(e.args) % 2 else ())]
        return set().union(*(outputs(value, prompt, model) for value in values))
    if e.op == "otherwise":
        return set().union(*(outputs(value, prompt, model) for value in e.args))
    return set(ids.values())
