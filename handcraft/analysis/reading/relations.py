"""Tells what two positions of a text have to do with each other: their distance, their tokens.

Each relation gives a class for each pair of a query and a key, [n, n_seq, n_seq], -1 for none;
scores that depend on it alone are a table with a number for each class.

Rules of this file: tokens and positions only, and where earlier heads attend.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from handcraft.analysis.reading.texts import ReadTexts
from handcraft.analysis.reading.watching import HeadPlace
from handcraft.core.gpt2 import Array


@dataclass(frozen=True, eq=False)
class Scene:
    """Texts, what is visible in them [n, n_seq, n_seq], and the position [n, n_seq] to which each
    earlier head attends most.
    """

    texts: ReadTexts
    sees: Array
    earlier: Mapping[HeadPlace, Array]
    n_vocab: int

    @property
    def tokens(self) -> Array:  # [n, n_seq]
        """The ids."""
        return self.texts.tokens

    @property
    def shape(self) -> tuple[int, ...]:
        """That of a class for each pair."""
        return self.sees.shape

    @property
    def before(self) -> Array:  # [n, n_seq]
        """The id before each position; -1 at the first."""
        found = np.full_like(self.tokens, -1)
        found[:, 1:] = self.tokens[:, :-1]
        return found

    def brought(self, head: HeadPlace) -> Array:  # [n, n_seq]
        """The id at the position to which an earlier head attends."""
        return np.take_along_axis(self.tokens, self.earlier[head], axis=1)

    def of_keys(self, classes: Array) -> Array:
        """Classes of keys [n, n_seq] for each pair."""
        return np.broadcast_to(classes[:, None, :], self.shape)

    def of_queries(self, classes: Array) -> Array:
        """Classes of queries [n, n_seq] for each pair."""
        return np.broadcast_to(classes[:, :, None], self.shape)

    @property
    def places(self) -> Array:  # [n, n_seq]
        """The position of each position."""
        n, n_seq = self.tokens.shape
        return np.broadcast_to(np.arange(n_seq), (n, n_seq))


def distance(scene: Scene) -> Array:
    """How far back a key is; later keys are behind all of these."""
    far = scene.of_queries(scene.places) - scene.of_keys(scene.places)
    return np.where(far >= 0, far, scene.shape[1] - 1 - far)


def key_position(scene: Scene) -> Array:
    """Where a key is."""
    return scene.of_keys(scene.places)


def both_positions(scene: Scene) -> Array:
    """Where the query is, and the key."""
    n_seq = scene.shape[1]
    return scene.of_queries(scene.places) * n_seq + key_position(scene)


def key_token(scene: Scene) -> Array:
    """The token of a key."""
    return scene.of_keys(scene.tokens)


def key_predecessor(scene: Scene) -> Array:
    """The token before a key."""
    return scene.of_keys(scene.before)


def both_tokens(scene: Scene) -> Array:
    """The token of the query, and that of the key."""
    return scene.of_queries(scene.tokens) * scene.n_vocab + key_token(scene)


def same_token(scene: Scene) -> Array:
    """1 where the two tokens are the same, else 0."""
    return (scene.of_queries(scene.tokens) == key_token(scene)).astype(int)


def same_predecessor(
    scene: Scene,
    head: HeadPlace | None = None,
    step: int | None = None,
    nearest: bool = False,
) -> Array:
    """1 where the token before the key is the query's, or the one that an earlier head brought.

    step     0 or 1: only keys at even or odd positions
    nearest  whether the first position stands for the one before it, as a head that attends one
             back finds it there
    """
    wanted = scene.tokens if head is None else scene.brought(head)
    before = scene.before
    if nearest:
        before[:, 0] = scene.tokens[:, 0]
    found = scene.of_queries(wanted) == scene.of_keys(before)
    if step is not None:
        found = found & (key_position(scene) % 2 == step)
    return found.astype(int)


def past(scene: Scene, token: int) -> Array:
    """1 where the key is at the first place of a token, or behind it."""
    return scene.of_keys(np.cumsum(scene.tokens == token, axis=1) > 0).astype(
        int
    )


def shares_of(pattern: Array, classes: Array, scene: Scene) -> Array:
    """The share of the attention that each class of keys gets, from the queries which see most
    keys: at the beginning of a text a rule may do something else.

    pattern, classes  [n, n_seq, n_seq]
    """
    seen = scene.sees.sum(axis=-1)  # [n, n_seq]
    full = seen == seen.max()
    share = np.bincount(classes[full].ravel(), pattern[full].ravel())
    found: Array = share / full.sum()
    return found
