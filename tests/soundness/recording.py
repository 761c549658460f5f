"""The prover, asked for the bound of every context instead of a verdict.

The claim's cases are replaced by ones whose `expected` is the context itself, so that each
context ends in a row of its own: its logits and its stream as balls. What the prover shares
between contexts it shares as ever: the emissions, the slots, the means, the classes it treats
alike.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
from adversary import Adversary

from handcraft.claims.words import after, residual
from handcraft.core.gpt2 import Array, gpt2, recorder
from handcraft.language.affine import Lane
from handcraft.model import Model
from handcraft.program.program import Program
from handcraft.proof.prover import prover as proving
from handcraft.proof.prover.case import Case
from handcraft.proof.prover.endings import least_lead
from handcraft.proof.prover.network import Undecided
from handcraft.proof.prover.prover import Prover
from handcraft.sequence.words import count

Context = tuple[int, ...]


class Remembering(Case):
    """A case of contexts that end at some positions, each of which is its own answer; `only`
    some of them, if given.
    """

    def __init__(
        self, levels: list[int], only: set[Context] | None = None
    ) -> None:
        self.levels, self.only = levels, only
        self.prefixes = (
            None
            if only is None
            else {
                context[:i] for context in only for i in range(len(context) + 1)
            }
        )

    def step(self, state: Context, k: int, token: int) -> Context | None:
        after = (*state, token)
        return (
            after if self.prefixes is None or after in self.prefixes else None
        )

    def expected(
        self, state: Context, level: int, token: int
    ) -> Context | None:
        return state if self.only is None or state in self.only else None


class Recorder(Prover):
    """Keeps what is known of every context."""

    def _covered(self) -> None:
        """What was covered is checked by who asked."""

    def _against(self, case: Any, asked: Any, x: Any, logits: Any) -> None:
        self.rows += [
            (expected, logits[row], x[row], ending.count)
            for row, expected, ending in asked
        ]

    def record(self) -> list[tuple[Context, Any, Any, int]]:
        """Each context with its logits, its stream and how often it was counted."""
        self.rows: list[Any] = []
        self.run()
        return self.rows


def bare_program(claim: Any, column: dict[Lane, int]) -> Program:
    """A program without rules, for a model of drawn weights: its claim, and the columns of the
    lanes that the claim speaks of.
    """
    program = Program.model_construct(claim=claim)
    vars(program)["layout"] = SimpleNamespace(column=column)
    return program


def recording(
    model: Model, cases: list[Case], column: int | None = None
) -> Recorder:
    """A recorder of these cases; with a column, of a claim on that lane of the stream."""
    claim: Any = after({model.vocabulary.tokens[0]: model.vocabulary.tokens[0]})
    if column is not None:
        claim = residual("x", count({0: model.vocabulary.tokens[0]}))
        model = model.replace(
            program=bare_program(claim, {Lane.parse("x"): column})
        )
    with patch.object(proving, "cases_of", lambda *_: cases):
        return Recorder(model, claim, time.monotonic() + 20, lambda *_: None)


@dataclass
class Found:
    """What a model was found to be: how many contexts had bounds, how many of them finite, and
    what was outside.
    """

    contexts: int = 0
    finite: int = 0
    undecided: str | None = None
    outside: list[str] = field(default_factory=list)


def every_context(model: Model) -> list[Context]:
    """All contexts, the shorter first."""
    found: list[Context] = [()]
    contexts: list[Context] = []
    for _ in range(model.n_ctx):
        found = [(*c, t) for c in found for t in range(len(model.vocabulary))]
        contexts += found
    return contexts


def cases_for(
    model: Model, rng: np.random.Generator
) -> tuple[list[Case], set[Context]]:
    """One case, a case for each length in any order, or a case for some contexts; and the
    contexts they cover.
    """
    contexts, kind = every_context(model), rng.random()
    if kind < 0.4:
        return [Remembering(list(range(model.n_ctx)))], set(contexts)
    if kind < 0.85:
        return [
            Remembering([int(i)]) for i in rng.permutation(model.n_ctx)
        ], set(contexts)
    some = {contexts[i] for i in rng.integers(len(contexts), size=3)}
    return [Remembering(sorted({len(c) - 1 for c in some}), some)], some


def check(
    model: Model, adversaries: list[Adversary], rng: np.random.Generator
) -> Found:
    """Whether every number of every forward pass lies within its bounds."""
    found = Found()
    cases, contexts = cases_for(model, rng)
    column = int(rng.integers(model.n_embd)) if rng.random() < 0.3 else None
    try:
        prover = recording(model, cases, column)
        rows = prover.record()
    except Undecided as error:
        found.undecided = str(error)
        return found
    known = {
        context: (logits, x)
        for context, logits, x, _ in rows
        if context is not None
    }
    counts: dict[Context, int] = {}
    for context, _, _, n in rows:
        counts[context] = counts.get(context, 0) + n
    if {c: n for c, n in counts.items() if c is not None} != dict.fromkeys(
        contexts, 1
    ):
        found.outside.append(
            "contexts are not covered once each:"
            f" {[c for c in contexts if counts.get(c) != 1][:3]}"
        )
        return found
    found.contexts = len(known)
    found.finite = sum(
        bool(np.isfinite(logits.radius).all()) for logits, _ in known.values()
    )
    lanes = (
        np.flatnonzero(model.weights["wte"].any(axis=0))
        if column is None
        else np.array([column])
    )
    for name, passed in _passes(model, sorted(known), adversaries):
        found.outside += _outside(prover, name, passed, known, lanes)
    return found


def _passes(
    model: Model, contexts: list[Context], adversaries: list[Adversary]
) -> Iterator[tuple[str, dict[Context, dict[str, Array]]]]:
    """Each forward pass: for every context the streams at each position, the means and the last
    logits.
    """
    by_length: dict[int, list[Context]] = {}
    for context in contexts:
        by_length.setdefault(len(context), []).append(context)
    for adversary in [None, *adversaries]:
        passed: dict[Context, dict[str, Array]] = {}
        for together in by_length.values():
            ids = np.array(together)
            seen = (
                _plain(model, ids)
                if adversary is None
                else adversary.run(model, ids)
            )
            for i, context in enumerate(together):
                passed[context] = {
                    name: array[i] for name, array in seen.items()
                }
        yield ("gpt2" if adversary is None else adversary.order), passed


def _plain(model: Model, ids: Array) -> dict[str, Array]:
    seen: dict[str, Array] = {}
    gpt2(ids, **model.weights, **model.config, hook=recorder(seen))
    named = {"stream": seen["resid_final"], "logits": seen["logits"]}
    for i in range(model.n_layer):
        named[f"stream {i}"] = seen[f"blocks.{i}.resid_pre"]
        if f"blocks.{i}.attn.z" in seen:
            named[f"mean {i}"] = seen[f"blocks.{i}.attn.z"]
    return named


def _outside(
    prover: Any,
    name: str,
    passed: dict[Context, dict[str, Array]],
    known: dict[Context, Any],
    lanes: Array,
) -> list[str]:
    found = []
    for context, seen in passed.items():
        logits, x = known[context]
        stream, last = (
            seen["stream"][-1].astype(np.float64),
            seen["logits"][-1].astype(np.float64),
        )
        if _misses(last, logits.c, logits.radius):
            found.append(
                f"{name}: logits after {context}: {last} outside {logits.c} +-"
                f" {logits.radius}"
            )
        if _misses(stream[lanes], x.c[lanes], x.radius[lanes]):
            found.append(
                f"{name}: stream after {context}: {stream[lanes]} outside {x.c[lanes]}"
                f" +- {x.radius[lanes]}"
            )
        for expected in range(len(last)):
            margin = float(least_lead(logits[None], expected)[0][0])
            least = (
                last[expected].astype(np.longdouble) - np.delete(last, expected)
            ).min()
            if not (
                float(least) >= margin or math.isnan(margin)
            ):  # the margin itself is a float64
                found.append(
                    f"{name}: margin of {expected} after {context}: {least} below"
                    f" {margin}"
                )
        found += _emissions_outside(prover, name, context, seen)
    return found


def _misses(x: Array, c: Array, r: Array) -> bool:
    """Whether a float lies outside its ball; a radius that is no number promises nothing."""
    sure = np.isfinite(c) & np.isfinite(r)
    return bool((~(np.abs(x - c) <= r) & sure).any())


def _emissions_outside(
    prover: Any, name: str, context: Context, seen: dict[str, Array]
) -> list[str]:
    """The streams and forward means of every position against those of the emissions on the
    context's path.
    """
    e, network, state, found = prover.position_states, prover.network, 0, []
    means = {
        head.name: (head, e.mean(head.name))
        for heads in network.forward
        for head in heads
    }
    for position, token in enumerate(context):
        state, k = next(
            (after, k) for t, after, k in e.edges[position][state] if t == token
        )
        for layer in range(len(network.blocks)):
            lanes, ball = network.needed[layer], e.stream(layer)
            x = seen[f"stream {layer}"][position].astype(np.float64)
            if _misses(x[lanes], ball.c[k][lanes], ball.radius[k][lanes]):
                found.append(
                    f"{name}: stream {layer} at {position} of {context}"
                )
        for (layer, number), (head, mean) in means.items():
            own = head.rows - number * (network.n_embd // prover.model.n_head)
            z = seen[f"mean {layer}"][number, position, own].astype(np.float64)
            if _misses(z, mean.c[k], mean.radius[k]):
                found.append(
                    f"{name}: mean of {layer}.{number} at {position} of {context}: {z}"
                    f" outside {mean.c[k]} +- {mean.radius[k]}"
                )
    return found
