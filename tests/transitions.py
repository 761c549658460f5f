"""The states of a model as plain Python finds them, one context at a time."""

from __future__ import annotations

import math

import pytest
from conftest import random_weights

from handcraft import Head, Model, Program, answers, position, token
from handcraft.analysis.states import Chain
from handcraft.core.vocabulary import Vocabulary

Table = dict[str, dict[str, float]]  # context -> next context -> probability


def table(chain: Chain) -> Table:
    """The transitions of a chain by the texts of its contexts."""
    return {
        chain.label(i): {chain.label(j): p for j, p in row.items()}
        for i, row in enumerate(chain.rows)
    }


def sliding(model: Model, starts: list[str], temperature: float = 1.0) -> Table:
    """The chain of a model whose window slides, one context and one token at a time."""
    found: Table = {}
    waiting = list(starts)
    while waiting:
        context = waiting.pop()
        if context not in found:
            logits = [float(x) / temperature for x in model(context)[-1]]
            powers = [math.exp(x - max(logits)) for x in logits]
            chances = {
                name: power / sum(powers)
                for name, power in zip(
                    model.vocabulary.tokens, powers, strict=True
                )
            }
            found[context] = {
                (context + name)[-model.n_ctx :]: p
                for name, p in chances.items()
                if p
            }
            waiting += found[context]
    return found


def close(found: Table, expected: Table) -> bool:
    """Whether two chains have the same edges with nearly the same probabilities."""
    return {s: row.keys() for s, row in found.items()} == {
        s: row.keys() for s, row in expected.items()
    } and all(
        p == pytest.approx(expected[s][t], rel=1e-4)
        for s, row in found.items()
        for t, p in row.items()
    )


def untrained(seed: int, n_ctx: int = 3) -> Model:
    """A model of random weights over three letters."""
    return Model(
        "untrained",
        random_weights(seed, n_ctx=n_ctx),
        Vocabulary(("a", "b", "c")),
        2,
    )


def echo(
    stop: str | None = None, length: int | None = None, prompts: str = "[ab]="
) -> Model:
    """Says the token before the = ... over and over: each token is the one two back."""
    p, t = position(6), token("ab=$")
    head = Head(query=1024 * p.previous, value=t, adds=1024 * t)
    return Program(
        name="echo",
        embedding=(p, t),
        layers=(head,),
        claim=answers(prompts, lambda text: text[0], stop=stop, length=length),
    ).build()
