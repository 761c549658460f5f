"""Makes the rule by which optax changes weights: AdamW, with its rate over time.

Rules of this file: matrices alone are made smaller by weight decay, as is usual; nothing here is
computed that optax computes.
"""

from __future__ import annotations

from typing import Any

from handcraft.training.settings import TrainingSettings
from handcraft.training.shapes import ModelShape


def optimiser(optax: Any, settings: TrainingSettings, shape: ModelShape) -> Any:
    """AdamW with its schedule, and a limit on the norm of gradients where one is wanted."""
    matrices = {
        name: len(size) > 1
        for name, size in shape.arrays.items()
        if name not in shape.still
    }
    rule = optax.adamw(
        learning_rate(optax, settings),
        b2=settings.beta2,
        weight_decay=settings.decay,
        mask=matrices,
    )
    if settings.clip is None:
        return rule
    return optax.chain(optax.clip_by_global_norm(settings.clip), rule)


def learning_rate(optax: Any, settings: TrainingSettings) -> Any:
    """The learning rate as a function of the step."""
    rest = max(1, settings.steps - settings.warmup)
    after = (
        optax.cosine_decay_schedule(settings.rate, rest, settings.final)
        if settings.schedule == "cosine"
        else optax.constant_schedule(settings.rate)
    )
    if not settings.warmup:
        return after
    rises = optax.linear_schedule(0.0, settings.rate, settings.warmup)
    return optax.join_schedules([rises, after], [settings.warmup])
