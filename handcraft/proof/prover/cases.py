"""The cases of a claim: from its last tokens, a table of answers, an expression with its guesses,
or a transducer (transducer_case.py).

Rules of this file: every claim that is data becomes cases or raises Undecided; a claim that a
plain Python function decides always raises Undecided.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from copy import copy
from itertools import product
from typing import Any

from handcraft.claims.answers import Table
from handcraft.claims.functions import Callback
from handcraft.claims.kinds import After, Claim, Distribution
from handcraft.claims.prompt_claim import Answers
from handcraft.claims.transducer import Transducer
from handcraft.core.vocabulary import Vocabulary
from handcraft.model import Model
from handcraft.proof.prover.case import OUT, Case
from handcraft.proof.prover.domains import Domain, PromptDomain, domains_of
from handcraft.proof.prover.guesses import (
    FOLLOWED,
    Known,
    fixes,
    guesses,
    own_token,
    reads_own,
)
from handcraft.proof.prover.network import Undecided
from handcraft.proof.prover.selection_machines import Tracker, track, values_of
from handcraft.proof.prover.transducer_case import aligned_cases
from handcraft.sequence.expression import Expression
from handcraft.sequence.expression_checks import MOST_PARTS
from handcraft.sequence.notation import written
from handcraft.sequence.operations import NEWER, word_of
from handcraft.sequence.short_forms import unfollowed
from handcraft.sequence.values import LAZY, chosen, combine

MOST_CASES = 3_000


def cases_of(claim: Claim, model: Model) -> Iterator[Case]:
    """Return the cases of a claim. Raises Undecided if a plain Python function decides it."""
    if claim.by_endings:
        yield EndingCase(claim, model)
    elif claim.asks_prompts:
        yield from _answers(claim, model)
    elif isinstance(claim.function, Expression):
        _followed(claim.function, whole_text=claim.whole_text)
        lengths = range(model.n_ctx) if fixes(claim.function) else [None]
        yield from _expressions(
            claim.function, model, [Domain(model, here) for here in lengths]
        )
    else:
        raise by_function(claim.function, instead=not claim.whole_text)


def _followed(e: Expression, *, whole_text: bool = False) -> None:
    """Raise Undecided for an expression that the prover does not follow yet."""
    if whole_text:
        what = "is asked at every position of a whole text"
    elif e.uses(*NEWER):
        what = f"uses {', '.join(map(word_of, unfollowed(e)))}"
    elif e.spread > MOST_PARTS:
        what = f"has more than {MOST_PARTS} parts where each is written out"
    else:
        return
    raise Undecided(
        f"the claim {written(e)} {what}, which no proof follows yet"
    )


def by_function(callback: Callback, *, instead: bool = True) -> Undecided:
    """Return the reason why a plain Python function is not proved, and what would be if an
    expression can say the same.
    """
    advice = (
        ", and what an expression of handcraft.sequence.words decides can be"
    )
    return Undecided(
        f"the claim is the Python function '{callback.name}'; what a function decides"
        f" is not proved{advice if instead else ''}"
    )


def _answers(claim: Answers, model: Model) -> Iterator[Case]:
    how = claim.answer
    if isinstance(claim.length, Expression):
        _followed(claim.length)
    if isinstance(how, Callback):
        raise by_function(how)
    if isinstance(how, Table):
        yield TableCase(claim, model)
    elif isinstance(how, Transducer):
        for end in PromptDomain(claim, model).ends:
            yield from aligned_cases(claim, how, model, end)
    else:
        _followed(how)
        yield from _expressions(how, model, list(domains_of(claim, how, model)))


class EndingCase(Case):
    """The only case of a claim that the last tokens decide."""

    def __init__(self, claim: After | Distribution, model: Model) -> None:
        vocabulary = model.vocabulary
        rows = claim.endings(vocabulary)
        self.rows: dict[tuple[int, ...], Any] = {
            tuple(vocabulary.ids[t] for t in ending): _wanted(value, vocabulary)
            for ending, value in rows.items()
        }
        self.window = max(map(len, self.rows))
        self.levels = range(model.n_ctx)
        # which positions are among the last ones somewhere
        self.needed: set[int] | None = None

    def ending_at(self, levels: Sequence[int]) -> Case:
        found = copy(self)
        found.needed = {
            j
            for level in levels
            for j in range(level - self.window + 1, level + 1)
        }
        return found

    def step(
        self, state: tuple[int, ...], k: int, token: int
    ) -> tuple[int, ...]:
        return (
            (*state, token)[-self.window :]
            if self.needed is None or k in self.needed
            else ()
        )

    def role(self, k: int, token: int) -> Hashable:
        return token if self.needed is None or k in self.needed else None

    def expected(self, state: tuple[int, ...], level: int, token: int) -> Any:  # noqa: ARG002
        return next(
            (
                self.rows[state[i:]]
                for i in range(len(state))
                if state[i:] in self.rows
            ),
            None,
        )


def _wanted(value: Any, vocabulary: Vocabulary) -> Any:
    """Return a row's token as an id, several as ids, or the probability of every token."""
    ids = vocabulary.ids
    if isinstance(value, dict):
        return tuple(value.get(token, 0.0) for token in vocabulary.tokens)
    if isinstance(value, tuple):
        return tuple(ids[token] for token in value)
    return ids[value]


def number_of(found: Any) -> float:
    """Return a claim's number as a float. Raises Undecided if its size is 2^53 or more."""
    try:
        near = float(found)  # a Fraction is slow to compare
    except OverflowError:
        near = math.inf
    if not abs(near) < 2.0**53:
        raise Undecided(
            "the claim answers a number that is too large to compare with"
        )
    return near


class TableCase(Case):
    """The only case of a table of answers: its state is the whole context."""

    def __init__(self, claim: Answers, model: Model) -> None:
        self.next: dict[tuple[int, ...], int] = {}
        self.known: set[tuple[int, ...]] = set()
        encode = model.vocabulary.encode
        language = claim.language(model.n_ctx, model.vocabulary)
        if language.size > MOST_CASES:
            raise Undecided(f"the table has more than {MOST_CASES} prompts")
        for prompt in language:
            asked = encode(prompt)
            answer = encode(
                claim.expected(prompt, model.vocabulary, model.n_ctx)
            )
            whole = (*asked, *answer)
            self.known |= {whole[:i] for i in range(len(whole))}
            for i in range(len(asked), len(whole)):
                if self.next.setdefault(whole[:i], whole[i]) != whole[i]:
                    raise Undecided(
                        "the table answers a text in two ways: as a prompt, and as the"
                        " start of another answer"
                    )
        self.levels = sorted({len(context) - 1 for context in self.next})
        self.prompts = {tuple(encode(prompt)) for prompt in language}

    def step(
        self,
        state: tuple[int, ...],
        k: int,  # noqa: ARG002  # the same at every position
        token: int,
    ) -> tuple[int, ...] | None:
        after = (*state, token)
        return after if after in self.known else None

    def expected(self, state: tuple[int, ...], level: int, token: int) -> Any:  # noqa: ARG002
        return self.next.get(state, OUT)

    def counts(self, state: tuple[int, ...], level: int) -> bool:  # noqa: ARG002
        return state in self.prompts

    def allowed(self, everything: Sequence[int]) -> list[set[int]]:  # noqa: ARG002
        return [
            {context[i] for context in self.known if len(context) > i}
            for i in range(max(self.levels) + 1)
        ]


def _expressions(
    rule: Expression, model: Model, domains: Sequence[Domain]
) -> Iterator[Case]:
    """Yield a case for each domain and each combination of guessed values."""
    tokens = model.vocabulary.tokens
    guessed = guesses(rule)
    options = [
        tokens if own_token(g) else values_of(g, tokens, model.n_ctx)
        for g in guessed
    ]
    count = len(domains)
    for values in options:
        count *= len(values)
    if count > MOST_CASES:
        raise Undecided(
            f"the claim falls into {count} cases, more than {MOST_CASES}"
        )
    for domain in domains:
        for values in product(*options):
            yield ExpressionCase(
                rule, domain, list(zip(guessed, values, strict=True))
            )


class ExpressionCase(Case):
    """An expression over one domain, with a value for each guess."""

    domain: Domain

    def __init__(
        self,
        rule: Expression,
        domain: Domain,
        guesses: list[tuple[Expression, Any]],
    ) -> None:
        self.rule = rule
        self.domain = domain
        self.guesses = guesses
        self.tokens = domain.tokens
        self.ids = domain.model.vocabulary.ids
        self.levels = domain.levels
        scope: dict[str, int | None] = (
            {"here": domain.here} if domain.here is not None else {}
        )
        if domain.end is not None or not domain.prompted:
            scope["end"] = domain.end
        self.known = Known(scope, guesses)
        self.followed: list[Expression] = []
        # of each node that is followed, by identity: comparing them takes long
        self.places: dict[int, int] = {}
        for e in (rule, *(guess for guess, _ in guesses)):
            self._collect(e)
        self.trackers: list[Tracker] = [
            track(e, self.known) for e in self.followed
        ]
        self.start = (domain.start, *(t.start for t in self.trackers))
        self.reads_own = any(
            reads_own(e) for e in (rule, *(e for e, _ in guesses))
        )

    def role(self, k: int, token: int) -> Hashable:
        text = self.tokens[token]
        own = token if self.reads_own and k in self.levels else None
        return (
            own,
            self.domain.role(token),
            tuple(t.role(k, text) for t in self.trackers),
        )

    def _collect(self, e: Expression) -> None:
        """Collect the selections and tokens that the value is computed from."""
        if own_token(e):
            return
        if e.op in FOLLOWED or e.op == "token_at":
            if e not in self.followed:
                self.followed.append(e)
            self.places[id(e)] = self.followed.index(e)
            return
        for arg in e.args:
            if isinstance(arg, Expression):
                self._collect(arg)

    def step(self, state: Any, k: int, token: int) -> Any:
        inside = self.domain.step(state[0], k, token)
        if inside is None:
            return None
        text = self.tokens[token]
        return (
            inside,
            *[
                t.step(s, k, text)
                for t, s in zip(self.trackers, state[1:], strict=True)
            ],
        )

    def expected(self, state: Any, level: int, token: int) -> Any:
        if not self.domain.complete(state[0]):
            return OUT
        end = (
            level
            if self.domain.prompted and self.domain.end is None
            else self.domain.end
        )
        scope = {"here": level, "end": end}
        if not self._guessed(state, scope, token):
            return OUT
        found = self._value(self.rule, state, scope, token)
        if self.domain.prompted and not isinstance(found, str):
            raise Undecided(
                f"the claim has no answer to some context of {level + 1} tokens"
            )
        if isinstance(found, str) and found not in self.ids:
            raise Undecided(f"the claim answers {found!r}, which is no token")
        if (
            self.domain.stops is not None
            and (found == self.tokens[self.domain.stops[0]])
            != self.domain.stops[1]
        ):
            raise Undecided(
                "the claim gives its stop token too early, or not in the end"
            )
        if isinstance(found, str):
            return self.ids[found]
        return None if found is None else number_of(found)

    def allowed(self, everything: Sequence[int]) -> list[set[int]]:
        return self.domain.allowed(everything)

    def last(self, everything: Sequence[int]) -> list[int]:
        guessed = {
            self.ids[value] for e, value in self.guesses if own_token(e)
        } or set(everything)
        return sorted(guessed & self.domain.last(everything))

    def counts(self, state: Any, level: int) -> bool:  # noqa: ARG002
        return self.domain.end is None or level == self.domain.end

    def _guessed(
        self, state: Any, scope: dict[str, int | None], token: int
    ) -> bool:
        """True if every guess is right."""
        return not any(
            self._value(guess, state, scope, token) != value
            for guess, value in self.guesses
        )

    def _value(
        self, e: Any, state: Any, scope: dict[str, int | None], token: int
    ) -> Any:
        if not isinstance(e, Expression):
            return e
        if e.op in scope:
            return scope[e.op]
        if own_token(e):
            return self.tokens[token]
        i = self.places.get(id(e))
        if i is not None:
            return self.trackers[i].value(state[1 + i])
        if e.op in LAZY:
            return chosen(e, lambda arg: self._value(arg, state, scope, token))
        return combine(
            e, [self._value(arg, state, scope, token) for arg in e.args]
        )
