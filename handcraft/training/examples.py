"""Holds what is trained on, as arrays, and takes batches of its rows.

    ExampleRows  rows [n_rows, n_seq] of tokens, shorter ones filled up, with what follows each
                 position and how much that counts
    Windows      a long text: row i is the window that begins at its token i

What follows a position is one of three things (`kind`):

    token    a token id                       -> its negative logarithm
    any      of several tokens any may follow -> that of their probabilities' sum
    chances  probabilities                    -> the cross-entropy with them

Rules of this file: a position with weight 0 is not asked; `batch` calls only functions that NumPy
and JAX share, so that it can stand inside a compiled loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np

from handcraft.core.gpt2 import Array

Follows = Literal["token", "any", "chances"]
Batch = dict[str, Any]  # tokens, targets, weight; lengths where it matters


class Examples(Protocol):
    """Rows to train on, of which batches are taken."""

    @property
    def kind(self) -> Follows:
        """What follows a position: a token, any of several, or chances."""

    @property
    def whole(self) -> str | None:
        """None, or why the rows are not all that there are."""

    @property
    def size(self) -> int:
        """The number of rows."""

    @property
    def n_seq(self) -> int:
        """The number of tokens in a row."""

    @property
    def arrays(self) -> Mapping[str, Array]:
        """What `batch` takes the rows from."""

    def batch(self, arrays: Mapping[str, Any], rows: Any) -> Batch:
        """The rows with these numbers, from the arrays or from copies of another library."""

    def sample(self) -> Array:  # -> [n] row numbers
        """The rows that stand for all when the loss is evaluated on the way."""

    def every(self) -> Array:  # -> [n] row numbers
        """Rows that have all that is asked: of a text windows one after the other."""


@dataclass(frozen=True, eq=False)
class ExampleRows:
    """Rows that are all in memory.

    tokens   [n_rows, n_seq] ids
    targets  [n_rows, n_seq] ids, or [n_rows, n_seq, n_vocab] chances, or True where right
    weight   [n_rows, n_seq], 0 where nothing is asked
    lengths  [n_rows] of the tokens that are there; None where all rows are full
    """

    kind: Follows
    tokens: Array
    targets: Array
    weight: Array
    lengths: Array | None = None
    whole: str | None = None

    @property
    def size(self) -> int:
        return len(self.tokens)

    @property
    def n_seq(self) -> int:
        return int(self.tokens.shape[1])

    @property
    def arrays(self) -> Mapping[str, Array]:
        found = {
            "tokens": self.tokens,
            "targets": self.targets,
            "weight": self.weight,
        }
        return found | (
            {} if self.lengths is None else {"lengths": self.lengths}
        )

    def batch(self, arrays: Mapping[str, Any], rows: Any) -> Batch:
        return {name: array[rows] for name, array in arrays.items()}

    def sample(self) -> Array:  # -> [n]
        return spread_over(self.size, EVALUATED_NUMBERS // self.n_seq)

    def every(self) -> Array:  # -> [n]
        return np.arange(self.size)

    def rows(self, chosen: Array) -> ExampleRows:
        """The table of these rows alone."""
        lengths = None if self.lengths is None else self.lengths[chosen]
        return ExampleRows(
            self.kind,
            self.tokens[chosen],
            self.targets[chosen],
            self.weight[chosen],
            lengths,
            self.whole,
        )


EVALUATED_NUMBERS = 2**16  # positions of a table that an evaluation looks at
EVALUATED_WINDOWS = 128  # and windows of a text


@dataclass(frozen=True, eq=False)
class Windows:
    """Every window of a text [n_tokens], each with the token after each of its positions."""

    ids: Array
    n_seq: int
    kind: Follows = "token"
    whole: str | None = field(default=None)

    @property
    def size(self) -> int:
        return len(self.ids) - self.n_seq

    @property
    def arrays(self) -> Mapping[str, Array]:
        return {"ids": self.ids}

    def batch(self, arrays: Mapping[str, Any], rows: Any) -> Batch:
        # [n, n_seq + 1]
        read = arrays["ids"][rows[:, None] + np.arange(self.n_seq + 1)]
        return {"tokens": read[:, :-1], "targets": read[:, 1:]}

    def sample(self) -> Array:  # -> [n]
        return spread_over(self.size, EVALUATED_WINDOWS)

    def every(self) -> Array:  # -> [n]
        return np.arange(0, self.size, self.n_seq)


def spread_over(n: int, most: int) -> Array:  # -> [at most `most`]
    """So many of n numbers, evenly spread, all of them where there are no more."""
    return (
        np.arange(n) if n <= most else np.linspace(0, n - 1, most).astype(int)
    )
