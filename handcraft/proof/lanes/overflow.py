"""That no number of a model can overflow, in any order of its sums.

    check_fit(lanes)           the lanes are floats
    check_sums(lanes, w, b)    so is each sum of their products
    check_scores(pairs)        and each score of a head
    Unfollowed(lanes)          the sizes of lanes that are not followed any more: the same by sizes
    NotFollowed                what is raised then: more may be known of what is followed

Rules of this file: each check raises Rejected where something could overflow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.numbers import LaneNumbers

OVERFLOW = 2.0**100  # any number is smaller
CUBED = 2.0**40  # what a neuron sees is smaller, so that its cube is a float


class NotFollowed(Rejected):
    """What is not followed may overflow, by sizes alone: more may be known of it."""


def check_fit(lanes: Sequence[LaneNumbers]) -> None:
    """Check that no number of these lanes can overflow."""
    if any(not lane.most < OVERFLOW for lane in lanes):
        raise Rejected("a number of the model could overflow")


def check_sums(lanes: Sequence[LaneNumbers], w: Array, b: Array) -> None:
    """Check that no sum on the way to the products of lanes and columns can overflow."""
    most = np.array([lane.most for lane in lanes])
    sums = most @ np.abs(w).astype(np.float64) + np.abs(b)
    if not (sums < OVERFLOW).all():
        raise Rejected("a sum of the model could overflow")


def check_scores(pairs: Sequence[tuple[LaneNumbers, LaneNumbers]]) -> None:
    """Check that no score of such parts of queries and keys can overflow."""
    if not sum(a.most * b.most for a, b in pairs) < OVERFLOW:
        raise Rejected("a score could overflow")


def check_neurons(lanes: Sequence[LaneNumbers]) -> None:
    """Check that the cube of what neurons see is a float."""
    if any(not lane.most < CUBED for lane in lanes):
        raise Rejected("a neuron could overflow")


class Unfollowed:
    """The greatest size of each lane, where lanes are not followed any more."""

    def __init__(self, lanes: Sequence[LaneNumbers]) -> None:
        self.sizes = np.array([lane.most for lane in lanes])

    def add_neurons(self, mlp: Any) -> None:
        """Check the neurons of a block, and add what they bring."""
        before = _through(self.sizes, mlp["c_fc"]["w"], mlp["c_fc"]["b"])
        if not (before < CUBED).all():
            raise NotFollowed("a neuron could overflow")
        self._add(before, mlp["c_proj"])

    def add_heads(self, brought: Array, attn: Any) -> None:
        """Add what heads bring, which is as large as this, apart from what is rounded."""
        self._add(brought * 2, attn["c_proj"])

    def _add(self, brought: Array, projection: Any) -> None:
        more = _through(brought, projection["w"], projection["b"])
        self.sizes = self.sizes + more
        if not (self.sizes < OVERFLOW).all():
            raise NotFollowed("a number of the model could overflow")

    def check_logits(self, w: Array) -> None:  # [n_embd, n_vocab]
        """Check the logits, which nobody asks for."""
        if not (_through(self.sizes, w, np.zeros(w.shape[1])) < OVERFLOW).all():
            raise Rejected("a logit could overflow")


def _through(sizes: Array, w: Array, b: Array) -> Array:
    """The greatest size of products with numbers of these sizes, with what is rounded."""
    found: Array = (sizes @ np.abs(w).astype(np.float64) + np.abs(b)) * 1.01
    return found
