"""The second look at predictions that rounding could turn, so that no context is called right just
because of the order in which one pass adds.

A prediction is right by some slack: the margin of a token, or what is left of a tolerance. If
the slack is more than any pass can be off (doubt.py), the first look is enough, however it was
computed. Otherwise the plain forward pass is asked, and a second one in a wider dtype:

    far      a pass over a longer text, and one with more digits, leave a thousand times the
             slack that rounding takes there
    steady   both give nearly the same slack, and it is more than the last bits of the logits:
             the pass is believed
    sure     the context by itself shows that no order matters, for example since all its sums
             are exact
    unsure   none of these: `run` decides whether the prediction is wrong; if it finds it right,
             nobody knows, and the verdict says so

Rules of this file: it judges no claim; slack is positive if the model is right.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

from handcraft.claims.kinds import Claim
from handcraft.core.gpt2 import Array, Weights, convert, gpt2, recorder, softmax
from handcraft.model import Model
from handcraft.proof.doubt import Doubt
from handcraft.proof.expected import is_silent
from handcraft.proof.near_pass import Near
from handcraft.proof.tally import margins_of

LAST_BITS = 4.0  # roundings of the largest logit that no slack is trusted in
_APART = 0.25  # of the slack, by which two passes may differ
# times as much slack as rounding is seen to take: then the same text is not asked by itself
FAR = 2.0**10
_TEXTS = 2**6  # in one pass
_WIDER = {"float32": np.float64, "float64": np.longdouble}

Pass = tuple[
    Array, Array
]  # the stream and the logits after each context, [n, n_embd] and [n, n_vocab]


class Second:
    """The second look at a model's predictions: which need one, and what it says."""

    def __init__(
        self, model: Model, claim: Claim, column: int, *, wanted: bool = True
    ) -> None:
        self.model = model
        self.claim = claim
        self.column = column
        self.wanted = wanted
        self.doubt = Doubt(model)
        self.u = float(np.finfo(model.weights["wte"].dtype).eps) / 2

    @cached_property
    def within(self) -> float:
        """The slack that another order of summation could take away, whatever the context."""
        if self.claim.measures == "probability":
            return self.doubt.chances
        by_lanes = self.claim.measures == "lane"
        return self.doubt.lanes if by_lanes else self.doubt.margins

    def slack(self, expected: Array, found: Pass) -> Array:  # [n, ...] -> [n]
        """Return by how much each prediction is right; infinite if the claim says nothing,
        minus infinity if the slack is not a number.
        """
        stream, logits = found
        if self.claim.measures == "probability":
            chances = softmax(logits.astype(np.float64))  # [n, n_vocab]
            left = self.claim.allowed_error - np.abs(chances - expected).max(
                axis=1
            )
            return _told(left, np.isnan(expected[:, 0]))
        if self.claim.measures == "lane":
            left = self.claim.allowed_error - np.abs(
                stream[:, self.column].astype(np.float64) - expected
            )
            return _told(left, np.isnan(expected))
        return _told(
            margins_of(logits, np.maximum(expected, 0)), is_silent(expected)
        )

    def doubtful(
        self, expected: Array, found: Pass
    ) -> Array:  # [n, ...] -> [n] bool
        """Return which predictions another order could turn."""
        if not self.wanted or self.within == 0:
            return np.zeros(len(expected), dtype=bool)
        with np.errstate(all="ignore"):
            slack = self.slack(expected, found)
        return self.may_turn(slack)

    def may_turn(self, slack: Array) -> Array:  # [...] -> [...] bool
        """Return which slacks another order could turn."""
        if not self.wanted or self.within == 0:
            return np.zeros(slack.shape, dtype=bool)
        return np.isfinite(slack) & (np.abs(slack) <= self.within)

    @cached_property
    def _wide(self) -> Weights:
        dtype = _WIDER.get(self.model.dtype, np.longdouble)
        return convert(self.model.weights, lambda array: array.astype(dtype))

    @property
    def cheap(self) -> bool:
        """True if processors compute in the wider dtype, so that it can be used for everything."""
        return self.model.dtype == "float32"

    def wide(
        self, ids: Array
    ) -> Pass:  # [n, n_seq] -> [n, n_seq, n_embd], [n, n_seq, n_vocab]
        """Return the stream and the logits of the same forward pass with more digits, some texts at
        a time.
        """
        if ids.ndim == 1 or len(ids) <= _TEXTS:
            return self._some(ids)
        return some_at_once(self._some, ids, _TEXTS)

    def _some(self, ids: Array) -> Pass:
        seen: dict[str, Array] = {}
        logits = gpt2(
            ids,
            **self._wide,
            **self.model.config,
            hook=recorder(seen, "resid_final"),
        )
        return seen["resid_final"], logits

    def steady(
        self, expected: Array, found: Pass, wide: Pass
    ) -> Array:  # [n, ...] -> [n] bool
        """True where more digits give the same slack, and it is more than the last bits."""
        return self._agree(expected, found, wide, _APART, LAST_BITS)

    def far(
        self, expected: Array, found: Pass, wide: Pass
    ) -> Array:  # [n, ...] -> [n] bool
        """True where rounding takes less than a thousandth of the slack, and the slack is a
        thousand times its last bits.
        """
        return self._agree(expected, found, wide, 1 / FAR, FAR)

    def _agree(
        self,
        expected: Array,
        found: Pass,
        wide: Pass,
        apart: float,
        bits: float,
    ) -> Array:  # [n, ...] -> [n] bool
        with np.errstate(all="ignore"):
            slack = self.slack(expected, found)
            more = self.slack(expected, wide)
            return self.agree(slack, more, self._size(found), apart, bits)

    def agree(
        self,
        slack: Array,
        more: Array,
        size: Array,
        apart: float = 1 / FAR,
        bits: float = FAR,
    ) -> Array:  # [...] each -> [...] bool
        """Return where a slack and that with more digits are the same, and more than the last bits
        of what they are computed from, which is of this size: by so much as `far` wants.
        """
        with np.errstate(all="ignore"):
            same = np.abs(slack - more) <= apart * np.abs(slack)
            large = np.abs(slack) > bits * self.u * size
            return np.asarray(np.isinf(slack) | (same & large))

    def _size(self, found: Pass) -> Array:  # -> [n]
        """Return the size of what a slack is computed from: its rounding may be that of the
        slack.
        """
        stream, logits = found
        if self.claim.measures == "lane":
            return np.abs(stream[:, self.column])
        if self.claim.measures == "probability":
            # what is unlikely moves little, however large its logit
            return 2 * (
                softmax(logits.astype(np.float64)) * np.abs(logits)
            ).sum(axis=1)
        return np.abs(logits).max(axis=1)

    def sure(
        self, expected: Array, ids: Array
    ) -> Array:  # [n, ...], [n, n_seq] -> [n] bool
        """True where no order of summation can turn a prediction."""
        if self.doubt.overflows is not None:
            return np.zeros(len(ids), dtype=bool)
        return np.concatenate(
            [
                self._sure(expected[at], stream, logits)
                for at, stream, logits in self.doubt.last(ids)
            ]
        )

    def _sure(
        self, expected: Array, stream: Near, logits: Near
    ) -> Array:  # [n, ...] -> [n] bool
        slack = self.slack(expected, (stream.c, logits.c))
        n = len(expected)
        if self.claim.measures == "lane":
            return np.abs(slack) > stream.e[:, self.column] * (1 + 2.0**-40)
        if self.claim.measures == "probability":
            return np.abs(slack) > _moved(logits)
        # [n, n_right]: the best of several moves by no more than the one that moves most
        right = np.arange(n)[:, None], np.maximum(expected, 0).reshape(n, -1)
        others = logits.e.copy()
        others[right] = 0
        off = logits.e[right].max(axis=1) + others.max(axis=1)
        return (np.abs(slack) > off * (1 + 2.0**-40)) | (off == 0)


def some_at_once(
    run: Callable[[Array], Pass], ids: Array, many: int
) -> Pass:  # [n, n_seq] -> [n, n_seq, n_embd], [n, n_seq, n_vocab]
    """The stream and the logits of all texts, of which so many at most are run together."""
    parts = [run(ids[i : i + many]) for i in range(0, len(ids), many)]
    stream, logits = (np.concatenate(x) for x in zip(*parts, strict=True))
    return stream, logits


def _moved(logits: Near) -> Array:  # [n, n_vocab] -> [n]
    """Return how far a probability moves with its logits: each weight by its own error,
    their sum by all of them.
    """
    chances = softmax(logits.c)
    moved = chances * np.expm1(np.minimum(logits.e, 300.0))
    total = moved.sum(axis=1, keepdims=True)
    most = (moved + chances * total) / (1 - np.minimum(total, 0.5))
    return np.where(total[:, 0] < 0.5, most.max(axis=1), 1.0) + 2.0**-40


def _told(slack: Array, silent: Array) -> Array:  # [n], [n] -> [n]
    return np.where(silent, np.inf, np.where(np.isnan(slack), -np.inf, slack))
