"""Compares what every lane of a compiled program holds with what its node means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array, gpt2, recorder
from handcraft.language.affine import Affine, Lane
from handcraft.lowering.frames.tag import Frame, Lowered, lowered
from handcraft.lowering.meanings import NodeMeanings
from handcraft.lowering.stream import Held
from handcraft.model import Model
from handcraft.sequence.expression import Expression
from handcraft.sequence.values import Value


def compiled(
    e: Expression, alphabet: str, n: int, *, causal: bool, **more: Any
) -> Lowered:
    """The program of an expression, with what it was made of."""
    frame = Frame(tuple(alphabet), n, causal=causal, begin="^")
    return lowered(e, frame, name="compiled", **more)


def answers(model: Model, texts: Sequence[str]) -> Array:  # [n, n_seq]
    """The ids that the model gives at each position of texts of one length."""
    logits = gpt2(_ids(model, texts), **model.weights, **model.config)
    best = logits[:, 1:].argmax(-1)
    tied = (logits[:, 1:] == logits[:, 1:].max(-1, keepdims=True)).sum(-1) > 1
    return np.where(tied, -1, best)


def _ids(model: Model, texts: Sequence[str]) -> Array:
    ids = model.vocabulary.ids
    return np.array([[ids[c] for c in "^" + text] for text in texts])


def strays(found: Lowered, model: Model, text: str) -> Iterator[str]:
    """Each lane that is further from its meaning than the radius that is stated for it."""
    seen: dict[str, Array] = {}
    gpt2(
        _ids(model, [text])[0],
        **model.weights,
        **model.config,
        hook=recorder(seen),
    )
    words = NodeMeanings()
    for node, held in found.lowering.values:
        e = words.of(node)
        if not isinstance(e, Expression) or not _stands(found, held.z):
            continue
        numbers = _numbers(found, model, held.z, seen)[1:]
        for i, value in enumerate(e.all(text, causal=model.causal)):
            off = _off(held, value, float(numbers[i]))
            if off > held.radius:
                yield (
                    f"{node} at {i} of {text}: {numbers[i]} for {value},"
                    f" off by {off:.3g}, stated {held.radius:.3g}"
                )


def _stands(found: Lowered, z: Affine) -> bool:
    """True if its lanes are there side by side: the last may be written as the answer at once, and
    others may be empty by then.
    """
    if any(lane not in found.stream.times for lane in z.lanes_read):
        return False
    time = max((_time(found, lane) for lane in z.lanes_read), default=0)
    return not any(
        hinge.erases and hinge.time <= time and lane in hinge.adds
        for hinge in found.stream.hinges
        for lane in z.lanes_read
    )


def _time(found: Lowered, lane: Lane) -> int:
    """The sublayer after which a lane holds what it means; 0 for the embedding. What reads a lane
    and writes it empties it, for one that takes over its column.
    """
    rules = (*found.stream.heads, *found.stream.hinges)
    filling = (
        rule.time
        for rule in rules
        if lane in rule.writes and lane not in rule.read and not rule.final
    )
    return max(filling, default=0)


def _off(held: Held, value: Value, number: float) -> float:
    if held.codes is None:
        return 0.0 if value is None else abs(number - float(value))
    return abs(number - held.codes[value]) if value in held.codes else np.inf


def _numbers(
    found: Lowered, model: Model, z: Affine, seen: dict[str, Array]
) -> Array:  # -> [n_seq]
    """An expression of lanes in the first sublayer that can read them: the answer is written over
    some of them later.
    """
    time = max((_time(found, lane) for lane in z.lanes_read), default=0)
    at = f"blocks.{(time - 1) // 2}"
    name = f"{at}.resid_mid" if time % 2 else f"{at}.resid_post"
    stream = seen[name if time else "blocks.0.resid_pre"]
    column = found.program.layout.column
    total = np.full(len(stream), z.constant)
    for lane, factor in z.terms:
        total = total + factor * stream[:, column[lane]].astype(np.float64)
    return total
