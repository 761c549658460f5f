"""Finds the scores of a form that are nearest to those of a head, and the attention from them.

    score(query, key) = something of the query + the sum of the weights of the pair's columns

What a query adds to all of its keys changes no attention, so it is taken out: least squares on what
is left, each pair weighing as much as the attention it gets and a little more. Weights that the
texts do not tell are 0.

Where the scores of no form are near, the attention of one may still be: `nearer` goes on from there
by Newton's steps to the least cross-entropy between the two.

Rules of this file: only pairs of the first half are fitted; scores are given for all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from handcraft.core.gpt2 import Array

_STEPS = 12
_BESIDES = 0.01  # of a query's weight: shared by all of its keys


def shared_out(scores: Array, sees: Array) -> Array:
    """The softmax of scores over what each query sees; 0 elsewhere.

    scores, sees  [n, n_seq, n_seq]
    """
    kept = np.where(sees, scores, -np.inf)
    most = kept.max(axis=-1, keepdims=True)
    raised = np.exp(kept - np.where(np.isfinite(most), most, 0))
    total = raised.sum(axis=-1, keepdims=True)
    found: Array = raised / np.where(total == 0, 1, total)
    return found


@dataclass(frozen=True, eq=False)
class ScoredPairs:
    """All pairs of a query and a key that it sees, query by query.

    sees      [n, n_seq, n_seq]
    fitted    [n_pairs], True for those that are fitted
    weight    [n_pairs]
    row       [n_pairs], the number of its query
    target    [n_pairs], the score
    """

    sees: Array
    fitted: Array
    weight: Array
    row: Array
    target: Array

    @classmethod
    def of(cls, scores: Array, sees: Array, fitted: Array) -> ScoredPairs:
        """The pairs of a head. `fitted` [n] says which texts are."""
        pattern = shared_out(scores, sees)
        keys = np.maximum(sees.sum(axis=-1, keepdims=True), 1)
        weight = (pattern + _BESIDES / keys)[sees]
        n, n_seq, _ = sees.shape
        row = np.broadcast_to(
            np.arange(n * n_seq).reshape(n, n_seq, 1), sees.shape
        )[sees]
        every = np.broadcast_to(fitted[:, None, None], sees.shape)[sees]
        return cls(sees, every, weight, row, scores[sees])

    def scores(self, found: Array) -> Array:
        """Numbers of pairs as an array [n, n_seq, n_seq]."""
        scores = np.zeros(self.sees.shape)
        scores[self.sees] = found
        return scores

    def fit(self, columns: Array, group: Array | None = None) -> Array:
        """The weights of columns [n_pairs, n]: [n]; or [n_groups, n], where each group of queries
        has its own.
        """
        if group is None:
            return self._of_some(columns, self.fitted)
        found = np.zeros((int(group.max()) + 1, columns.shape[1]))
        for g in np.unique(group[self.fitted]):
            found[g] = self._of_some(columns, self.fitted & (group == g))
        return found

    def nearer(
        self, columns: Array, weights: Array, group: Array | None = None
    ) -> Array:
        """Weights, begun with those of `fit`, whose attention is nearest to the head's."""
        if group is None:
            return self._nearer(columns, weights, self.fitted)
        found = weights.copy()
        for g in np.unique(group[self.fitted]):
            which = self.fitted & (group == g)
            found[g] = self._nearer(columns, weights[g], which)
        return found

    def _nearer(self, columns: Array, weights: Array, which: Array) -> Array:
        some = _Some.of(columns[which], self.target[which], self.row[which])
        best, loss = weights, some.loss(weights)
        for _ in range(_STEPS):
            step = some.step(best)
            sizes = (best + step / 4**i for i in range(5))
            tried = [(some.loss(x), x) for x in sizes]
            least, found = min(tried, key=lambda pair: pair[0])
            if not least < loss - 1e-9:
                break
            best, loss = found, least
        return best

    def _of_some(self, columns: Array, which: Array) -> Array:
        x, y = columns[which], self.target[which]  # [n_some, n], [n_some]
        weight, row = self.weight[which], self.row[which]
        starts = np.flatnonzero(np.diff(row, prepend=-1))
        size = np.diff(starts, append=len(row))
        total = np.add.reduceat(weight, starts)
        mean_x = np.add.reduceat(x * weight[:, None], starts) / total[:, None]
        mean_y = np.add.reduceat(y * weight, starts) / total
        x = x - np.repeat(mean_x, size, axis=0)
        y = y - np.repeat(mean_y, size)
        gram = x.T @ (x * weight[:, None])  # [n, n]
        found: Array = np.linalg.lstsq(gram, x.T @ (y * weight), rcond=1e-9)[0]
        return found


@dataclass(frozen=True, eq=False)
class _Some:
    """Some pairs, query by query: columns [n_some, n], the attention [n_some] that they should get,
    where a query begins, and how many pairs it has.
    """

    columns: Array
    wanted: Array
    starts: Array
    size: Array

    @classmethod
    def of(cls, columns: Array, target: Array, row: Array) -> _Some:
        starts = np.flatnonzero(np.diff(row, prepend=-1))
        size = np.diff(starts, append=len(row))
        made = cls(columns, target, starts, size)
        return cls(columns, made._shared(target), starts, size)

    def _shared(self, scores: Array) -> Array:  # [n_some] -> [n_some]
        """The softmax of each query's scores."""
        most = np.maximum.reduceat(scores, self.starts)
        raised = np.exp(scores - np.repeat(most, self.size))
        total = np.add.reduceat(raised, self.starts)
        shared: Array = raised / np.repeat(total, self.size)
        return shared

    def loss(self, weights: Array) -> float:
        """The mean cross-entropy of a query, in nats."""
        shared = np.maximum(self._shared(self.columns @ weights), 1e-30)
        return float(-(self.wanted * np.log(shared)).sum() / len(self.size))

    def step(self, weights: Array) -> Array:
        """Newton's step."""
        x, shared = self.columns, self._shared(self.columns @ weights)
        mean = np.add.reduceat(x * shared[:, None], self.starts)
        off = x - np.repeat(mean, self.size, axis=0)
        gram = off.T @ (off * shared[:, None])  # [n, n]
        gram += 1e-4 * len(self.size) * np.eye(len(gram)) / max(1, len(gram))
        found: Array = np.linalg.solve(gram, x.T @ (self.wanted - shared))
        return found
