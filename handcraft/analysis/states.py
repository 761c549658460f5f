"""Builds the finite-state Markov chain over contexts that a model is: what may follow what.

A GPT with n_vocab tokens and a window of n_ctx has finitely many contexts. Sampling a token
leads from one to the next with the probability that the softmax gives to the token, so the
contexts are the states of a Markov chain.

    state   a context. Where the window slides, a full one (n_ctx tokens) drops its oldest token
            and a shorter one grows. For a claim on prompts it is a prompt with its answer so far;
            with the stop token, the claim's length or the end of the window it has ended, and
            stays as it is (absorbing)
    edge    a token whose probability is above the floor; the probability of the others is
            shared out in proportion
    starts  the contexts given; else every full window, or every prompt of the claim

`explore` follows the edges from the starts until nothing is new, at most `limit` contexts through
the model, all of a layer at once. Probabilities are what `Sampler` draws from, compared with the
floor as computed: floating-point numbers from logits in the model's dtype, with no bound on their
error.

Source: Karpathy, "GPT as a finite-state Markov chain", 2023. Rules of this file: the states are
in the order of the search, the starts first, so that the same question always has the same
answer, bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, product
from numbers import Integral, Real
from typing import Any

import numpy as np

from handcraft.core.decoding import Sampler, is_real
from handcraft.core.errors import PromptError, UndecidedError, printable
from handcraft.core.gpt2 import Array
from handcraft.core.markov import closed_classes, period, stationary
from handcraft.model import Model, Prompt

LIMIT = 4096  # contexts whose next tokens are computed
# times the limit: how many contexts are kept that were only seen; beyond, the search ends early
SEEN = 16
# numbers of one layer's attention and stream at once, and of the probabilities of a layer of states
_BATCH = 2**22
MOST_DIGITS = 30  # of a number of prompts that is written out


@dataclass(frozen=True)
class State:
    """A context; `left` is the number of tokens that may still follow, None where the window
    slides.
    """

    ids: tuple[int, ...]
    left: int | None = None

    @property
    def ended(self) -> bool:
        """True if nothing can follow any more."""
        return self.left == 0


@dataclass(frozen=True)
class ClosedClass:
    """States that lead to each other and nowhere else; `shares` is their stationary distribution,
    if it was computed.
    """

    states: tuple[int, ...]
    period: int
    shares: tuple[float, ...] | None

    @property
    def absorbing(self) -> bool:
        """True if it is a single state."""
        return len(self.states) == 1


@dataclass(frozen=True)
class Chain:
    """The states that were found, the starts first, and the transitions of as many as the limit
    allowed.

    rows    {target: probability} of states[0], states[1], ...; each sums to 1
    starts  the number of states that are starts; `every` is True if no others were left out
    """

    model: Model
    states: tuple[State, ...]
    rows: tuple[Mapping[int, float], ...]
    starts: int
    every: bool
    origin: str
    floor: float
    limit: int

    @property
    def complete(self) -> bool:
        """True if every state that the starts lead to was found, with its transitions."""
        return self.every and len(self.rows) == len(self.states)

    @property
    def edges(self) -> list[tuple[int, int, str | None, float]]:
        """Source, target, token and probability of each edge; an ended context leads to itself,
        with no token.
        """
        return [
            (i, j, self.token(i, j), p)
            for i, row in enumerate(self.rows)
            for j, p in row.items()
        ]

    def token(self, source: int, target: int) -> str | None:
        """The token that leads from one state to another; None where nothing follows."""
        if self.states[source].ended:
            return None
        return self.model.vocabulary.tokens[self.states[target].ids[-1]]

    def label(self, state: int) -> str:
        """The context of a state as a safe text."""
        return self.model.vocabulary.show(self.states[state].ids)

    def tokens(self, state: int) -> list[str]:
        """The context of a state as tokens."""
        return [self.model.vocabulary.tokens[i] for i in self.states[state].ids]

    def whole(self) -> Chain:
        """The chain itself. Raises UndecidedError where the limit cut it off."""
        if not self.complete:
            raise UndecidedError(
                f"{self.model.name} has more than {self.limit} states from"
                f" {self.origin}; raise the limit (--limit), start from fewer contexts"
                " (--from), or set a floor under the probabilities (--floor)"
            )
        return self

    @cached_property
    def closed(self) -> tuple[ClosedClass, ...]:
        """The closed classes, each with its period and its stationary distribution."""
        graph = [list(row) for row in self.whole().rows]
        found = []
        for states in closed_classes(graph):
            shares = stationary(self.rows, states)
            own = None if shares is None else tuple(shares)
            found.append(ClosedClass(tuple(states), period(graph, states), own))
        return tuple(found)

    @cached_property
    def place(self) -> dict[int, tuple[int, float | None]]:
        """The closed class of each state, and its share of the time there; transient states are
        missing.
        """
        found: dict[int, tuple[int, float | None]] = {}
        for i, closed in enumerate(self.closed):
            shares = closed.shares or (None,) * len(closed.states)
            for state, share in zip(closed.states, shares, strict=True):
                found[state] = i, share
        return found

    @property
    def transient(self) -> list[int]:
        """The states that the chain leaves for good in the end."""
        return [
            state
            for state in range(len(self.states))
            if state not in self.place
        ]

    def to_json(self) -> dict[str, Any]:
        """The chain as plain data. Classes and shares are null where the limit cut it off."""
        edges = [
            {"from": i, "to": j, "token": token, "probability": p}
            for i, j, token, p in self.edges
        ]
        states = self._states_json()
        return {
            "states": states,
            "edges": edges,
            "reachable": self._reachable_json(),
        }

    def _states_json(self) -> list[dict[str, Any]]:
        place = self.place if self.complete else {}
        found = []
        for i, state in enumerate(self.states):
            closed, share = place.get(i, (None, None))
            shown = {"context": self.tokens(i), "ended": state.ended}
            found.append({**shown, "class": closed, "stationary": share})
        return found

    def _reachable_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "starts": self.starts,
            "complete": self.complete,
        }
        if not (self.complete and self.place):
            return {**found, "closed": None, "transient": None}
        closed = [
            {
                "states": list(c.states),
                "period": c.period,
                "absorbing": c.absorbing,
            }
            for c in self.closed
        ]
        return {**found, "closed": closed, "transient": self.transient}


# ---------------------------------------------------------------- exploring


def explore(
    model: Model,
    starts: Sequence[Prompt] = (),
    *,
    sampler: Sampler | None = None,
    floor: float = 0.0,
    limit: int = LIMIT,
) -> Chain:
    """The chain from these contexts; from every full window, or every prompt of the claim, where
    none is given.

    sampler  its temperature, top_k and top_p make the probabilities; top_k=1 is greedy
    floor    a token whose probability is not above it counts as impossible
    limit    at most so many contexts go through the model; see `Chain.complete`

    Raises PromptError for a start that the claim does not cover, or a floor that leaves some
    context no token.
    """
    kinds = isinstance(limit, Integral) and (
        isinstance(floor, Real) and is_real(floor)
    )
    if not kinds or not 0 <= floor < 1 or limit < 1:
        raise PromptError(
            "the floor must lie from 0 to below 1 and the limit from 1 on, found"
            f" {printable(repr(floor))[:60]} and {printable(repr(limit))[:60]}"
        )
    if not starts:
        _check_windows(model, limit)
    sampler = sampler or Sampler()
    given = _given(model, starts) if starts else _every(model)
    states = list(dict.fromkeys(islice(given, limit)))
    n_starts = len(states)
    rows = _followed(model, states, sampler, floor, limit)
    every = next(given, None) is None
    origin = _origin(model, starts)
    found = tuple(states), tuple(rows)
    return Chain(model, *found, n_starts, every, origin, floor, limit)


def _check_windows(model: Model, limit: int) -> None:
    """Raise PromptError where the full windows of weights without a program are too many."""
    n_vocab = len(model.vocabulary)
    digits = model.n_ctx * math.log(n_vocab)
    if model.program is None and digits > math.log(limit) + 1e-9:
        raise PromptError(
            f"{model.name} has {n_vocab}^{model.n_ctx} full windows, and the limit is"
            f" {limit} contexts; name a context to start from (--from)"
        )


def _followed(
    model: Model,
    states: list[State],
    sampler: Sampler,
    floor: float,
    limit: int,
) -> list[dict[int, float]]:
    """The transitions of at most `limit` states; the states that they lead to are appended."""
    index = {state: i for i, state in enumerate(states)}
    rows: list[dict[int, float]] = []
    at_once = max(1, _BATCH // len(model.vocabulary))
    while len(rows) < min(len(states), limit) and len(states) <= SEEN * limit:
        layer = states[len(rows) : min(limit, len(rows) + at_once)]
        chances = _chances(model, layer, sampler, floor)
        for state, row in zip(layer, chances, strict=True):
            targets = _targets(model, state, row)
            for target in targets:
                if target not in index:
                    index[target] = len(states)
                    states.append(target)
            rows.append(
                {index[target]: chance for target, chance in targets.items()}
            )
    return rows


def _given(model: Model, starts: Iterable[Prompt]) -> Iterator[State]:
    for prompt in starts:
        try:
            ids = model.ids(prompt)
        except PromptError as error:
            raise error.of("the context to start from") from None
        left = model.room(ids)
        yield State(tuple(ids[-model.n_ctx :] if left is None else ids), left)


def _every(model: Model) -> Iterator[State]:
    """Every prompt of the claim, or every full window in the order of the ids."""
    claim = model.program.claim if model.program else None
    if claim is None or not claim.asks_prompts:
        yield from map(
            State, product(range(len(model.vocabulary)), repeat=model.n_ctx)
        )
        return
    for text in claim.language(model.n_ctx, model.vocabulary):
        ids = model.vocabulary.encode(text)
        room = (
            model.n_ctx - len(ids) + 1
        )  # the last token is predicted, but never read
        prompt = [model.vocabulary.tokens[i] for i in ids]
        size = claim.size(prompt)
        size = size or claim.room(prompt, model.vocabulary, model.n_ctx)
        yield State(tuple(ids), min(size, room))


def _origin(model: Model, starts: Sequence[Prompt]) -> str:
    """The starts in words; the number of windows as an exact power."""
    claim = model.program.claim if model.program else None
    if starts:
        n = len(starts)
        return "the given context" if n == 1 else f"{n} given contexts"
    if claim is not None and claim.asks_prompts:
        size = claim.language(model.n_ctx, model.vocabulary).size
        if size < 10**MOST_DIGITS:
            return f"its {size:,} prompts"
        return f"more than 10^{MOST_DIGITS} prompts"
    return f"its {len(model.vocabulary)}^{model.n_ctx} full windows"


def _chances(
    model: Model, states: Sequence[State], sampler: Sampler, floor: float
) -> list[Array | None]:
    """The probabilities [n_vocab] after each state; None after one that has ended. Contexts of
    one length go together.
    """
    chances: list[Array | None] = [None] * len(states)
    by_length: dict[int, list[int]] = {}
    for i, state in enumerate(states):
        if not state.ended:
            by_length.setdefault(len(state.ids), []).append(i)
    for length, places in sorted(by_length.items()):
        size = _at_once(model, length)
        for first in range(0, len(places), size):
            some = places[first : first + size]
            logits = model(np.array([states[i].ids for i in some]))
            last = logits[
                :, -1
            ]  # [n_batch, n_seq, n_vocab] -> [n_batch, n_vocab]
            for i, row in zip(some, last, strict=True):
                chances[i] = _above(
                    floor, sampler.probabilities(row), model, states[i]
                )
    return chances


def _at_once(model: Model, length: int) -> int:
    """The number of contexts of a length that go through the model together."""
    numbers = length * model.n_head + 4 * model.n_embd + len(model.vocabulary)
    return max(1, _BATCH // (length * numbers))


def _above(
    floor: float, chances: Array, model: Model, state: State
) -> Array:  # [n_vocab] -> [n_vocab]
    """The probabilities above the floor, scaled to sum to 1."""
    kept = np.where(chances > floor, chances, 0.0)
    if not kept.any():
        best = f"{chances.max():.3g}"
        raise PromptError(
            f"no token after '{model.vocabulary.show(state.ids)}' is above the floor of"
            f" {floor}; its best has {best}"
        )
    return kept / kept.sum()


def _targets(
    model: Model, state: State, chances: Array | None
) -> dict[State, float]:
    """The states that may follow, each with its probability."""
    if chances is None:
        return {state: 1.0}
    return {
        _next(model, state, int(i)): float(chances[i])
        for i in np.flatnonzero(chances)
    }


def _next(model: Model, state: State, token: int) -> State:
    """The context after one more token."""
    ids = (*state.ids, token)
    if state.left is None:
        return State(ids[-model.n_ctx :])
    claim = model.program.claim if model.program else None
    stop = claim.stop_token if claim else None
    return State(
        ids, 0 if model.vocabulary.tokens[token] == stop else state.left - 1
    )
