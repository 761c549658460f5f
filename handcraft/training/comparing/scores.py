"""Computes how good a model is on the contexts of a claim, and how often two models agree.

loss    the mean number of nats for each token that is asked
right   of a prompt the whole answer, of a text every position, of a context what follows; a
        tie is wrong, and so are logits that are not finite. For a claim on probabilities the
        likeliest token counts, and beside it how many contexts are within its tolerance
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array, Hook, softmax
from handcraft.training.comparing.contexts import AskedContexts
from handcraft.training.comparing.sides import Side, Sides, batches
from handcraft.training.loss import nats


@dataclass(frozen=True)
class ClaimScore:
    """A model held to a claim.

    asked      units: prompts, texts or contexts
    right      those that are right
    loss       nats for each of the tokens
    tokens     that are asked
    within     of a claim on probabilities, contexts with all of them within its tolerance
    max_error  and the largest error of a probability
    """

    asked: int
    right: int
    loss: float
    tokens: int
    within: int | None = None
    max_error: float | None = None

    @property
    def accuracy(self) -> float:
        """The share that is right."""
        return self.right / self.asked

    def to_json(self) -> dict[str, Any]:
        """The score as plain data."""
        return vars(self) | {"accuracy": self.accuracy}


@dataclass
class _Sums:
    asked: int = 0
    right: int = 0
    nats: float = 0.0
    tokens: int = 0
    within: int = 0
    error: float = 0.0


def claim_score(
    side: Side,
    contexts: AskedContexts,
    tolerance: float | None = None,
    hook: Hook | None = None,
) -> ClaimScore:
    """The score of a model on contexts; `tolerance` is that of a claim on probabilities."""
    sums = _Sums()
    for part in batches(contexts.size, contexts.n_seq):
        some = contexts.rows(part)
        logits = side.logits(some.tokens, some.lengths, hook)
        _add(sums, some, logits, tolerance)
    chances = tolerance is not None
    return ClaimScore(
        sums.asked,
        sums.right,
        sums.nats / sums.tokens,
        sums.tokens,
        sums.within if chances else None,
        sums.error if chances else None,
    )


@np.errstate(all="ignore")  # what is not finite is wrong
def _add(
    sums: _Sums, some: AskedContexts, logits: Array, tolerance: float | None
) -> None:
    targets: Any = some.targets
    # [n, n_seq]
    right = is_best(logits, _right(some, logits.shape[-1])) | ~some.speaks
    whole = (
        right
        if some.unit == "context"
        else np.logical_and.accumulate(right, axis=1)
    )
    sums.asked += int(some.ends.sum())
    sums.right += int(whole[some.ends].sum())
    each = nats(logits, targets, some.kind)[some.asked]
    sums.nats += float(each.sum())
    sums.tokens += len(each)
    if tolerance is not None:
        found = softmax(logits[some.asked])  # [n_asked, n_vocab]
        errors = np.abs(found - targets[some.asked]).max(axis=-1)
        errors = np.where(np.isfinite(errors), errors, np.inf)
        sums.within += int((errors <= tolerance).sum())
        sums.error = max(sums.error, float(errors.max(initial=0.0)))


def _right(
    some: AskedContexts, n_vocab: int
) -> Array:  # -> [n, n_seq, n_vocab]
    """Which tokens are right; of chances the likeliest."""
    targets: Any = some.targets
    if some.kind == "any":
        return np.asarray(targets)
    if some.kind == "token":
        return np.asarray(targets[..., None] == np.arange(n_vocab))
    return np.asarray(targets == targets.max(axis=-1, keepdims=True))


# [..., n_vocab], the same -> [...] bool
def is_best(logits: Array, right: Array) -> Array:
    """True where the highest logit is that of a right token, and no other is as high."""
    best = np.where(right, logits, -np.inf).max(axis=-1)
    other = np.where(right, -np.inf, logits).max(axis=-1)
    return (best > other) & np.isfinite(logits).all(axis=-1)


def least_loss(contexts: AskedContexts) -> float:
    """The loss below which no model gets: the entropy of a claim's probabilities, else 0."""
    if contexts.kind != "chances":
        return 0.0
    chances = np.asarray(contexts.targets)[contexts.asked].astype(np.float64)
    logs = np.log(np.where(chances > 0, chances, 1))
    return float(-(chances * logs).sum(axis=-1).mean())


# ---------------------------------------------------------------- agreement

EVEN = (
    1e-3  # probabilities that are no further apart: rounding or training chose
)


@dataclass(frozen=True)
class SameTokens:
    """How often two models predict the same token.

    contexts  that both were asked
    even      after which one of them has two tokens that are as likely as each other, within EVEN
    same      of the others, after which both have the same likeliest token
    distance  the mean total variation between their probabilities, 0 to 1
    example   the shortest of the others after which they differ
    """

    contexts: int
    even: int
    same: int
    distance: float
    drawn: str | None
    example: tuple[str, ...] | None
    predicted: tuple[str, str] | None

    def to_json(self) -> dict[str, Any]:
        """The agreement as plain data."""
        return dict(vars(self))


def agreement(sides: Sides, contexts: AskedContexts) -> SameTokens:
    """How often both models predict the same after each context that is asked."""
    same, even, count, distance = 0, 0, 0, 0.0
    example: tuple[int, tuple[int, ...], int, int] | None = None
    for part in batches(contexts.size, contexts.n_seq):
        some = contexts.rows(part)
        a, b = (
            softmax(side.logits(some.tokens, some.lengths)[some.asked])
            for side in sides.both
        )  # [n_asked, n_vocab]
        said, other = a.argmax(axis=-1), b.argmax(axis=-1)
        chosen = _chosen(a) & _chosen(b)  # [n_asked]
        same += int((chosen & (said == other)).sum())
        even += int((~chosen).sum())
        count += len(said)
        distance += float(np.abs(a - b).sum()) / 2
        rows, ends = np.nonzero(some.asked)
        for i in np.flatnonzero(chosen & (said != other)).tolist():
            end = int(ends[i]) + 1
            if example is None or end < example[0]:
                ids = tuple(some.tokens[rows[i], :end].tolist())
                example = end, ids, int(said[i]), int(other[i])
    names = sides.vocabulary.tokens
    shown = example and tuple(names[i] for i in example[1])
    predicted = example and (names[example[2]], names[example[3]])
    mean = distance / count if count else math.nan
    return SameTokens(count, even, same, mean, contexts.drawn, shown, predicted)


def _chosen(chances: Array) -> Array:  # [n, n_vocab] -> [n] bool
    """True where one token is likelier than every other."""
    if chances.shape[-1] == 1:
        return np.ones(len(chances), dtype=bool)
    second, first = np.sort(chances, axis=-1)[:, -2:].T
    return np.asarray(first - second > EVEN)
