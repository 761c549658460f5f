"""How a certificate is forged: blank but for what a forger fills in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from handcraft import Program
from handcraft.model import Model
from handcraft.proof.assumptions import ASSUMPTIONS
from handcraft.proof.checker import Certificate
from handcraft.proof.checker.certificate import (
    HeadQuery,
    Section,
    claim_hash,
    weights_hash,
)
from handcraft.proof.checker.network import Network
from leftout.sides import drafted, unruled

GAP = 80.0
Graph = list[list[list[int]]]
Forge = Callable[[Model], Certificate]


def blank(
    model: Model, sections: Sequence[Section], **fields: Any
) -> Certificate:
    """A certificate for a model: every token at every position, one state of earlier ones;
    group 0 holds all tokens.
    """
    tokens = list(range(len(model.vocabulary)))
    n = fields.pop("n", model.n_ctx)
    whole: dict[str, Any] = {
        "program": model.name,
        "weights": weights_hash(model),
        "claim": claim_hash(model),
        "dtype": model.dtype,
        "n_ctx": model.n_ctx,
        "contexts": 0,
        "checked": 0,
        "margin": None,
        "margin_at": [],
        "error": 0.0,
        "assumptions": list(ASSUMPTIONS),
        "seconds": 0.0,
        "alphabet": [],
        "groups": [tokens, *([t] for t in tokens)],
        "tokens": [tokens] * n,
        "after": [[[0] * len(tokens)]] * n,
        "followed": {},
        "sections": list(sections),
    }
    return Certificate(**(whole | fields))


def slots(
    model: Model,
    level: int,
    ids: Sequence[int],
    layers: Sequence[int] | None = None,
    known: Any = None,
) -> tuple[HeadQuery, ...]:
    """What each head of these layers (all of them) asks at a position after these tokens, by
    the stream's embedding alone.
    """
    network = Network(model)
    x = network.embed(np.array(ids), np.full(len(ids), level))
    found = []
    for head in (
        head
        for row in network.heads
        for head in row
        if layers is None or head.layer in layers
    ):
        q = network.floats.linear(x.plain(), *head.q).plain()
        low, high = (q.c - q.r).min(axis=0), (q.c + q.r).max(axis=0)
        c, r = (low + high) / 2, (high - low) / 2
        box = (c.tolist(), r.tolist()) if known is None else known
        found.append(
            HeadQuery(
                (head.layer, head.number), box, GAP, (-1e9,) * (level + 1)
            )
        )
    return tuple(found)


def section(
    model: Model,
    level: int,
    ids: Sequence[int] | None = None,
    graph: Graph | None = None,
    **fields: Any,
) -> Section:
    """The contexts that end at a position with one of these tokens, all as one state, whatever
    the claim remembers.
    """
    ids = list(range(len(model.vocabulary))) if ids is None else list(ids)
    whole: dict[str, Any] = {
        "finals": tuple((level, t) for t in ids),
        "end": None,
        "guesses": (),
        "order": None,
        "slots": fields.pop("slots", None) or slots(model, level, ids),
        "graph": [[[0, 0]]] * level if graph is None else graph,
    }
    return Section(**(whole | fields))


def every(model: Model, **fields: Any) -> list[Section]:
    """A section for each length."""
    return [section(model, level, **fields) for level in range(model.n_ctx)]


def transplanted(model: Model, right: Callable[[], Program]) -> Certificate:
    """The certificate of another program, offered as this one's."""
    with unruled():
        own = drafted(Model.of(right(), model.dtype))
    return replace(
        own,
        alphabet=[0],
        program=model.name,
        weights=weights_hash(model),
        claim=claim_hash(model),
        n_ctx=model.n_ctx,
    )


def entered(
    where: dict[str, Forge],
) -> Callable[[str], Callable[[Forge], Forge]]:
    """What enters a certificate there as PROGRAM/FUNCTION."""

    def forged(program: str) -> Callable[[Forge], Forge]:
        def enter(make: Forge) -> Forge:
            where[f"{program}/{make.__name__}"] = make
            return make

        return enter

    return forged


def with_claim(
    make: Callable[[], Program], claim: Callable[[], Any]
) -> Program:
    program = make()
    with unruled():
        fields = {
            name: getattr(program, name) for name in type(program).model_fields
        } | {"claim": claim()}
        return Program(**fields)
