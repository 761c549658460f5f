"""Writes weights as rules on lanes without names, with a recipe in place of one head.

    weights_as_rules(model)  a Program that makes the same function: every number is in a rule
    recipe=, place=          the same with a recipe (standing.py) in place of a head

The stream has the lanes x:0, x:1, ...: the columns of the weights, whatever they mean. What a head
brings, its value and what it adds, stays as it is; to which positions it attends is the recipe's.
A slot of positions stands beside the lanes for that, which no token writes, so that the
unembedding, which is the embedding, does not see it.

Rules of this file: only weights without layer norms, whose unembedding is the embedding, can be
written so; a bias behind the heads is a layer of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from handcraft.analysis.reading.standing import Recipe
from handcraft.claims.kinds import Claim
from handcraft.core.errors import ProgramError
from handcraft.core.gpt2 import Array, Weights
from handcraft.language.affine import Affine, Lane, Map
from handcraft.language.rules import MLP, Head, Neuron
from handcraft.language.slots import Slot
from handcraft.language.words import local, slot
from handcraft.model import Model
from handcraft.program.program import Program


def weights_as_rules(
    model: Model,
    recipe: Recipe | None = None,
    place: tuple[int, int] = (-1, -1),
    claim: Claim | None = None,
) -> Program:
    """The weights of a model as rules, with a recipe in place of one head, and a claim.

    Raises ProgramError for weights that no rules write.
    """
    if not is_written(model):
        raise ProgramError(
            "has layer norms, or an unembedding of its own, which no rule writes",
            (model.name,),
        )
    stream = _stream(model)
    extra = () if recipe is None or recipe.slot is None else (recipe.slot,)
    blocks = model.weights["blocks"]
    layers: list[Any] = []
    for i, block in enumerate(blocks):
        here = recipe if place[0] == i else None
        layers += _layers(model, block, stream, here, place[1])
    return Program(
        name=model.name,
        embedding=(stream, *extra),
        layers=tuple(layers),
        activation=model.activation,
        causal=model.causal,
        claim=claim,
        n_ctx=model.n_ctx,
    )


def is_written(model: Model) -> bool:
    """True if rules can write the weights: no layer norms, and the embedding unembeds."""
    blocks = model.weights["blocks"]
    norms = any(key.startswith("ln_") for block in blocks for key in block)
    own = model.weights.get("ln_f") is not None
    return not (norms or own or model.weights.get("lm_head") is not None)


def _stream(model: Model) -> Slot:
    """The columns of the embeddings as one slot."""
    wte, wpe = model.weights["wte"], model.weights["wpe"]
    tokens = zip(model.vocabulary.tokens, wte.tolist(), strict=True)
    return slot(
        "x",
        token=dict(tokens),
        position=wpe.tolist(),
        labels=[str(i) for i in range(model.n_embd)],
    )


def _layers(
    model: Model,
    block: Weights,
    stream: Slot,
    recipe: Recipe | None,
    place: int,
) -> list[Any]:
    """A block as layers: its heads, the bias behind them, its neurons."""
    found: list[Any] = []
    if "attn" in block:
        heads = [
            _head(
                model, block["attn"], stream, h, recipe if h == place else None
            )
            for h in range(model.n_head)
        ]
        found += [
            tuple(heads),
            _constants(stream, block["attn"]["c_proj"]["b"]),
        ]
    if "mlp" in block:
        found.append(_neurons(block["mlp"], stream))
    return [layer for layer in found if layer is not None]


def _constants(stream: Slot, b: Array) -> MLP | None:
    """A bias as constants of lanes; None where it is 0."""
    lanes = {x: float(c) for x, c in zip(stream.lanes, b, strict=True) if c}
    return MLP(adds=lanes) if lanes else None


def _expressions(
    to: Slot, stream: Sequence[Lane], w: Array, b: Array, factor: float = 1.0
) -> Map:
    """The lanes of a slot as a linear map of others: w [n, n_to], b [n_to]."""
    columns = zip(
        to.lanes, (w * factor).T.tolist(), (b * factor).tolist(), strict=True
    )
    return Map.of(
        (lane, Affine.of(dict(zip(stream, column, strict=True)), constant))
        for lane, column, constant in columns
    )


def _head(
    model: Model, attn: Weights, stream: Slot, h: int, recipe: Recipe | None
) -> Head:
    n, d = model.n_embd, model.n_embd // model.n_head
    w, b, out = attn["c_attn"]["w"], attn["c_attn"]["b"], attn["c_proj"]["w"]
    labels = [str(i) for i in range(d)]
    match, brought = local("match", labels), local("value", labels)

    def part(i: int, to: Slot, factor: float = 1.0) -> Map:
        here = slice(i * n + h * d, i * n + (h + 1) * d)
        return _expressions(to, stream.lanes, w[:, here], b[here], factor)

    value = part(2, brought)
    back = out[h * d : (h + 1) * d]  # [d_head, n_embd]
    adds = _expressions(stream, brought.lanes, back, np.zeros(n))
    if recipe is not None:
        return recipe.make(value, adds)
    return Head(
        query=part(0, match, 1 / math.sqrt(d)),
        key=part(1, match),
        value=value,
        adds=adds,
        scores="exact",
    )


def _neurons(mlp: Weights, stream: Slot) -> MLP:
    first, last = mlp["c_fc"], mlp["c_proj"]
    neurons = []
    for i in range(first["w"].shape[1]):
        reads = dict(zip(stream.lanes, first["w"][:, i].tolist(), strict=True))
        adds = dict(zip(stream.lanes, last["w"][i].tolist(), strict=True))
        neurons.append(
            Neuron(
                when=Affine.of(reads, float(first["b"][i])),
                adds={lane: x for lane, x in adds.items() if x},
                sharpness=1.0,
            )
        )
    behind = zip(stream.lanes, last["b"].tolist(), strict=True)
    return MLP(neurons, {lane: x for lane, x in behind if x})
