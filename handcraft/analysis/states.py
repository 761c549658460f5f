"""The model as a finite-state Markov chain over contexts: what may follow what, and what can
never be reached.

A GPT with n_vocab tokens and a window of n_ctx has finitely many contexts. Sampling a token
leads from one to the next with the probability that the softmax gives to the token, so the
contexts are the states of a Markov chain.

    a state      a context. Where the window slides, a full one (n_ctx tokens) drops its oldest
                 token and a shorter one grows. Where the claim is on prompts, it is a prompt
                 with what was answered so far; with the stop token, the claim's length or the
                 end of the window it has ended, and stays as it is (absorbing)
    an edge      a token whose probability is above the floor; what the others had is shared out
                 in proportion
    the starts   the contexts given; else every full window, or every prompt of the claim

`explore` goes from the starts along the edges until nothing is new, at most `limit` contexts
through the model, all of a layer at once. Probabilities are what `Sampler` draws from, compared
with the floor as they were computed: floating-point numbers from logits in the model's dtype,
with no bound on their error.

Source: Karpathy, "GPT as a finite-state Markov chain", 2023. Rules of this file: the order of
states is that of the search, the starts first, so that the same question has the same answer to
the last bit of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, product
from typing import Any

import numpy as np

from handcraft.core.decoding import Sampler
from handcraft.core.errors import PromptError, UndecidedError
from handcraft.core.gpt2 import Array
from handcraft.core.markov import closed_classes, period, stationary
from handcraft.model import Model, Prompt

LIMIT = 4096  # contexts whose next tokens are computed
# times the limit: how many contexts are kept that were only seen; beyond, the search ends early
SEEN = 16
_BATCH = (
    2**22
    # numbers of one layer's attention and stream at once, and of the probabilities of a layer of
    # states
)
MOST_DIGITS = 30  # of a number of prompts that is written out


@dataclass(frozen=True)
class State:
    """A context; `left` is how many tokens may still follow, None where the window slides."""

    ids: tuple[int, ...]
    left: int | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing follows any more."""
        return self.left == 0


@dataclass(frozen=True)
class ClosedClass:
    """States that lead to each other and nowhere else; `shares` is their stationary
    distribution, if it was computed.
    """

    states: tuple[int, ...]
    period: int
    shares: tuple[float, ...] | None

    @property
    def absorbing(self) -> bool:
        """Whether it is a single state."""
        return len(self.states) == 1


@dataclass(frozen=True)
class Chain:
    """The states that were found, the starts first, and the transitions of as many as the limit
    allowed.

    rows    {target: probability} of states[0], states[1], ...; each sums to 1
    starts  how many of the states are starts; `every` says whether these are all of them
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
        """Whether every state that the starts lead to was found, with its transitions."""
        return self.every and len(self.rows) == len(self.states)

    @property
    def edges(self) -> list[tuple[int, int, str | None, float]]:
        """Source, target, token, probability; an ended context stays as it is, with no token."""
        return [
            (i, j, self.token(i, j), p)
            for i, row in enumerate(self.rows)
            for j, p in row.items()
        ]

    def token(self, source: int, target: int) -> str | None:
        """The token that leads from one state to another; None where nothing follows."""
        return (
            None
            if self.states[source].ended
            else self.model.vocabulary.tokens[self.states[target].ids[-1]]
        )

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
                f" {self.origin}; raise the limit, start from fewer contexts, or set a"
                " floor under the probabilities"
            )
        return self

    @cached_property
    def closed(self) -> tuple[ClosedClass, ...]:
        """The closed classes, each with its period and its own stationary distribution."""
        graph = [list(row) for row in self.whole().rows]
        found = []
        for states in closed_classes(graph):
            shares = stationary(self.rows, states)
            found.append(
                ClosedClass(
                    tuple(states),
                    period(graph, states),
                    None if shares is None else tuple(shares),
                )
            )
        return tuple(found)

    @cached_property
    def place(self) -> dict[int, tuple[int, float | None]]:
        """State -> its closed class and its share of the time in it; a transient state has none."""
        shares = (
            (i, c, c.shares or (None,) * len(c.states))
            for i, c in enumerate(self.closed)
        )
        return {
            state: (i, share)
            for i, c, own in shares
            for state, share in zip(c.states, own, strict=True)
        }

    @property
    def transient(self) -> list[int]:
        """The states that are left in the end."""
        return [state for state in range(len(self.states)) if state not in self.place]

    def to_json(self) -> dict[str, Any]:
        """The chain as plain data. Classes and shares are null where the limit cut it off."""
        place = self.place if self.complete else {}
        states = [
            {
                "context": self.tokens(i),
                "ended": s.ended,
                "class": c,
                "stationary": share,
            }
            for i, s in enumerate(self.states)
            for c, share in [place.get(i, (None, None))]
        ]
        closed = (
            [
                {"states": list(c.states), "period": c.period, "absorbing": c.absorbing}
                for c in self.closed
            ]
            if place
            else None
        )
        reachable = {
            "starts": self.starts,
            "complete": self.complete,
            "closed": closed,
            "transient": self.transient if place else None,
        }
        edges = [
            {"from": i, "to": j, "token": token, "probability": p}
            for i, j, token, p in self.edges
        ]
        return {"states": states, "edges": edges, "reachable": reachable}


# ---------------------------------------------------------------- exploring


def explore(
    model: Model,
    starts: Sequence[Prompt] = (),
    *,
    sampler: Sampler | None = None,
    floor: float = 0.0,
    limit: int = LIMIT,
) -> Chain:
    """The chain from these contexts; from every full window, or every prompt of the claim,
    where none is given.

    sampler  its temperature, top_k and top_p make the probabilities; top_k=1 is greedy
    floor    a token whose probability is not above it counts as impossible
    limit    at most so many contexts go through the model; see `Chain.complete`

    Raises PromptError for a start that the claim does not cover, or a floor that leaves some
    context no token.
    """
    if not 0 <= floor < 1 or limit < 1:
        raise PromptError(
            "the floor must lie from 0 to below 1 and the limit from 1 on, found"
            f" {floor} and {limit}"
        )
    sampler, given = (
        sampler or Sampler(),
        _given(model, starts) if starts else _every(model),
    )
    states = list(dict.fromkeys(islice(given, limit)))
    index = {state: i for i, state in enumerate(states)}
    n_starts, rows = len(states), list[dict[int, float]]()
    while len(rows) < min(len(states), limit) and len(states) <= SEEN * limit:
        layer = states[
            len(rows) : min(limit, len(rows) + max(1, _BATCH // len(model.vocabulary)))
        ]
        for state, chances in zip(
            layer, _chances(model, layer, sampler, floor), strict=True
        ):
            targets = _targets(model, state, chances)
            for target in targets:
                if target not in index:
                    index[target] = len(states)
                    states.append(target)
            rows.append({index[target]: chance for target, chance in targets.items()})
    every = next(given, None) is None
    return Chain(
        model,
        tuple(states),
        tuple(rows),
        n_starts,
        every,
        _origin(model, starts),
        floor,
        limit,
    )


def _given(model: Model, starts: Iterable[Prompt]) -> Iterator[State]:
    for prompt in starts:
        ids = model.ids(prompt)
        left = model.room(ids)
        yield State(tuple(ids[-model.n_ctx :] if left is None else ids), left)


def _every(model: Model) -> Iterator[State]:
    """Every prompt of the claim, or every full window in the order of the ids."""
    claim = model.program.claim if model.program else None
    if claim is None or not claim.asks_prompts:
        yield from map(State, product(range(len(model.vocabulary)), repeat=model.n_ctx))
        return
    for text in claim.language(model.n_ctx, model.vocabulary):
        ids = model.vocabulary.encode(text)
        room = model.n_ctx - len(ids) + 1  # the last token is predicted, but never read
        asked = [model.vocabulary.tokens[i] for i in ids]
        yield State(
            tuple(ids),
            min(
                claim.size(asked) or claim.room(asked, model.vocabulary, model.n_ctx),
                room,
            ),
        )


def _origin(model: Model, starts: Sequence[Prompt]) -> str:
    """Where the chain starts, in words; the number of windows as an exact power."""
    claim = model.program.claim if model.program else None
    if starts:
        return (
            "the given context" if len(starts) == 1 else f"{len(starts)} given contexts"
        )
    if claim is not None and claim.asks_prompts:
        size = claim.language(model.n_ctx, model.vocabulary).size
        return (
            f"its {size} prompts"
            if size < 10**MOST_DIGITS
            else f"more than 10^{MOST_DIGITS} prompts"
        )
    return f"its {len(model.vocabulary)}^{model.n_ctx} full windows"


def _chances(
    model: Model, states: Sequence[State], sampler: Sampler, floor: float
) -> list[Array | None]:
    """The probabilities [n_vocab] after each state; None after one that has ended. Contexts of
    one length go together.
    """
    chances: list[Array | None] = [None] * len(states)
    lengths = {len(state.ids) for state in states if not state.ended}
    for length in sorted(lengths):
        places = [
            i
            for i, state in enumerate(states)
            if len(state.ids) == length and not state.ended
        ]
        size = max(
            1,
            _BATCH
            // (
                length
                * (length * model.n_head + 4 * model.n_embd + len(model.vocabulary))
            ),
        )
        for first in range(0, len(places), size):
            some = places[first : first + size]
            logits = model(np.array([states[i].ids for i in some]))[
                :, -1
            ]  # [n_batch, n_seq, n_vocab] -> [n_batch, n_vocab]
            for i, row in zip(some, logits, strict=True):
                chances[i] = _above(floor, sampler.probabilities(row), model, states[i])
    return chances


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


def _targets(model: Model, state: State, chances: Array | None) -> dict[State, float]:
    """The states that may follow, each with its probability."""
    if chances is None:
        return {state: 1.0}
    return {
        _next(model, state, int(i)): float(chances[i]) for i in np.flatnonzero(chances)
    }


def _next(model: Model, state: State, token: int) -> State:
    """The context after one more token."""
    ids = (*state.ids, token)
    if state.left is None:
        return State(ids[-model.n_ctx :])
    claim = model.program.claim if model.program else None
    stop = claim.stop_token if claim else None
    return State(ids, 0 if model.vocabulary.tokens[token] == stop else state.left - 1)
