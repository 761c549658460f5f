"""Counts contexts with compiled code, where numba is installed (the extra `fast`): lays weights
and claim out flat for kernel.py, and runs it.

One layout serves every model, so the code is compiled once for each dtype and kept: in the folder
that NUMBA_CACHE_DIR names, or else in the user's own cache; never beside the package, which may
be read-only and would be left with files that no installer knows. Where there is no such folder
it is compiled anew in each process.

Rules of this file: weights only, and the claim as an automaton over endings; it counts what the
trie in NumPy (trie.py) counts, which the tests check; numba is imported only inside `_advance`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile
from types import ModuleType
from typing import Any

import numpy as np

from handcraft.core.errors import MissingExtraError
from handcraft.core.gpt2 import Array, Weights, softmax, unembedding
from handcraft.core.weights import sha256
from handcraft.proof.enumerate import arrays as flat
from handcraft.proof.enumerate.arrays import Counted, Plan, WalkArrays
from handcraft.proof.enumerate.suffix_automaton import suffix_automaton
from handcraft.proof.enumerate.trie import LiveHead, live_heads
from handcraft.proof.expected import (
    ExpectedProbabilities,
    NextToken,
    as_data,
)
from handcraft.proof.judge import Judge
from handcraft.proof.tally import Tally, Wrong, best_wrong, margins_of

_STEPS = 2**14  # contexts between two looks at the clock
# of the claim's automaton, a larger one is left to NumPy; and of what one call may keep
MAX_CELLS = 2**24


def available() -> bool:
    """True if numba is installed."""
    return find_spec("numba") is not None


def applies(judge: Judge) -> bool:
    """True if the claim is a table and the model shares prefixes: it is causal, and no number in it
    can overflow.
    """
    expect = judge.expect
    if (
        not judge.model.causal
        or judge.second.doubt.overflows is not None
        or not isinstance(expect, NextToken | ExpectedProbabilities)
        or expect.endings is None
    ):
        return False
    return (
        sum(map(len, expect.endings.ids)) * len(judge.model.vocabulary)
        <= MAX_CELLS
    )


class Engine:
    """A counter of all continuations of a prefix. Raises MissingExtraError without numba."""

    def __init__(self, judge: Judge) -> None:
        self.advance = _advance()
        self.judge = judge
        model = judge.model
        self.plan = Plan(
            **_Layout(
                model.weights,
                model.n_head,
                relu=model.activation == "relu",
                epsilon=model.epsilon,
            ).fields()
        )
        self.claim = self._claim()
        # kept for a second look
        fitting = (
            max(1, MAX_CELLS // model.n_ctx)
            if self.claim.within > 0
            else _STEPS
        )
        self.steps = min(_STEPS, fitting)

    def _claim(self) -> flat.ClaimArrays:
        expect = self.judge.expect
        n_vocab = len(self.judge.model.vocabulary)
        if (
            not isinstance(expect, NextToken | ExpectedProbabilities)
            or expect.endings is None
        ):
            raise TypeError("this claim is not a table of endings")
        follow, found = suffix_automaton(expect.endings.ids, n_vocab)
        chances = isinstance(expect, ExpectedProbabilities)
        answers = expect.answers
        several = not chances and answers.ndim > 1
        return flat.ClaimArrays(
            follow,
            found,
            expected=np.zeros(0, dtype=np.int64)
            if chances or several
            else answers.astype(np.int64),
            right=_marked(answers, n_vocab)
            if several
            else np.zeros((0, 0), dtype=bool),
            rows=answers if chances else np.zeros((0, 0)),
            tolerance=self.judge.claim.allowed_error,
            within=self.judge.second.within,
        )

    def count(
        self,
        tally: Tally,
        prefix: Sequence[int],
        longest: int,
        go_on: Callable[[int], bool],
    ) -> bool:
        """Count all continuations of the prefix, up to a length; return True if there was time for
        them.
        """
        walk = self._walk(prefix, longest)
        found = self._found()
        done = False
        while not done and go_on(
            tally.contexts + int(found.counts[flat.CONTEXTS])
        ):
            done = self.advance(self.plan, self.claim, walk, found, self.steps)
            if n := int(found.counts[flat.NEAR]):
                self.judge.settle(
                    tally,
                    [
                        row[:long].tolist()
                        for row, long in zip(
                            found.near[:n], found.long, strict=False
                        )
                    ],
                )
                found.counts[flat.NEAR] = 0
        tally.merge(self._tally(found))
        return done

    def _walk(self, prefix: Sequence[int], longest: int) -> WalkArrays:
        plan = self.plan
        dtype = self.plan.values.dtype
        (n_ctx, n_embd), n_vocab = plan.wpe.shape, len(plan.wte)
        widest = int(plan.matrices[:, 1:3].max())
        ids = np.zeros(n_ctx, dtype=np.int64)
        ids[: len(prefix)] = prefix
        lanes = [int(plan.matrices[plan.heads[:, i], 2].sum()) for i in (1, 2)]
        return WalkArrays(
            cursor=np.array([len(prefix), longest, 0, 0, 0]),
            ids=ids,
            states=np.zeros(n_ctx + 1, dtype=np.int64),
            spoiled=np.zeros(n_ctx + 1, dtype=bool),
            keys=np.zeros((lanes[0], n_ctx), dtype),
            read=np.zeros((lanes[1], n_ctx), dtype),
            x=np.zeros(n_embd, dtype),
            normed=np.zeros(n_embd, dtype),
            added=np.zeros(n_embd, dtype),
            lanes=np.zeros(widest, dtype),
            other=np.zeros(widest, dtype),
            scores=np.zeros(n_ctx, dtype),
            live=np.zeros(widest, dtype=np.int64),
            logits=np.zeros(n_vocab, dtype),
            chances=np.zeros(n_vocab),
        )

    def _found(self) -> Counted:
        (n_ctx, _), n_vocab = self.plan.wpe.shape, len(self.plan.wte)
        room = self.steps if self.claim.within > 0 else 0
        return Counted(
            counts=np.zeros(4, dtype=np.int64),
            extremes=np.array([math.inf, -1.0]),
            lengths=np.zeros(2, dtype=np.int64),
            contexts=np.zeros((2, n_ctx), dtype=np.int64),
            logits=np.zeros(n_vocab, self.plan.values.dtype),
            near=np.zeros((room, n_ctx), dtype=np.int64),
            long=np.zeros(room, dtype=np.int64),
        )

    def _tally(self, found: Counted) -> Tally:
        contexts, checked, correct = map(int, found.counts[:3])
        least, wrong = (
            row[:n].tolist() if n else None
            for row, n in zip(found.contexts, found.lengths, strict=True)
        )
        margin, error = map(float, found.extremes)
        worst = None if wrong is None else self._wrong(wrong, found.logits)
        return Tally(
            contexts,
            checked,
            correct,
            margin,
            least,
            error if error >= 0 else None,
            worst,
        )

    def _wrong(self, context: list[int], logits: Array) -> Wrong:
        """The shortest wrong context, as the tally describes it."""
        expect = self.judge.expect
        if isinstance(expect, ExpectedProbabilities):
            chances = softmax(logits.astype(np.float64))  # [n_vocab]
            return Wrong(
                context,
                expect(np.array([context]))[0].tolist(),
                chances.tolist() if np.isfinite(chances).all() else None,
                None,
            )
        expected = expect(np.array([context]))  # type: ignore[misc]
        margin = float(margins_of(logits[None], expected)[0])
        fine = math.isfinite(margin)
        return Wrong(
            context,
            as_data(expected[0]),
            best_wrong(logits, expected[0]) if fine else None,
            margin if fine else None,
        )


def _marked(
    ids: Array, n_vocab: int
) -> Array:  # [n_endings, n_right] -> [n_endings, n_vocab] bool
    """True for the tokens of each row."""
    found = np.zeros((len(ids), n_vocab), dtype=bool)
    np.put_along_axis(found, ids, values=True, axis=1)
    return found


# ---------------------------------------------------------------- the weights, flat


class _Layout:
    """A collector of the fields of Plan."""

    def __init__(
        self, weights: Weights, n_head: int, *, relu: bool, epsilon: float
    ) -> None:
        self.values: list[Array] = []
        self.spans: list[Array] = []
        self.matrices: list[tuple[int, int, int, int]] = []
        self.heads: list[tuple[int, int, int, int, int, int]] = []
        self.rows = [0, 0]  # of the caches of keys and values
        self.scale = math.sqrt(weights["wte"].shape[1] // n_head)
        self.weights = weights
        self.relu = relu
        self.epsilon = epsilon
        self.layers = [
            self._layer(block, n_head) for block in weights["blocks"]
        ]
        self.unembed = self._matrix(unembedding(weights).T)
        self.ln_f = self._norm(weights, "ln_f")

    def fields(self) -> dict[str, Any]:
        """The fields of Plan."""
        wte, wpe = (
            np.ascontiguousarray(self.weights[key]) for key in ("wte", "wpe")
        )
        return {
            "values": np.concatenate(self.values),
            "spans": np.concatenate(self.spans),
            "matrices": np.array(self.matrices),
            "heads": np.array(self.heads, dtype=np.int64).reshape(-1, 6),
            "layers": np.array(self.layers, dtype=np.int64).reshape(-1, 7),
            "wte": wte.copy(),
            "wpe": wpe.copy(),
            "unembed": self.unembed,
            "ln_f": self.ln_f,
            "scale": np.array([self.scale], wte.dtype),
            "epsilon": np.array([self.epsilon], wte.dtype),
            "relu": self.relu,
        }

    def _layer(self, block: Weights, n_head: int) -> tuple[int, ...]:
        first = len(self.heads)
        for head in live_heads(block, n_head):
            self.heads.append(self._head(head))
        bias = (
            self._numbers(block["attn"]["c_proj"]["b"])
            if "attn" in block
            else -1
        )
        fc, proj = (
            (self._matrix(**block["mlp"][key]) for key in ("c_fc", "c_proj"))
            if "mlp" in block
            else (-1, -1)
        )
        return (
            self._norm(block, "ln_1"),
            first,
            len(self.heads),
            bias,
            self._norm(block, "ln_2"),
            fc,
            proj,
        )

    def _head(self, head: LiveHead) -> tuple[int, int, int, int, int, int]:
        q = self._matrix(*head.q)
        k = self._matrix(*head.k)
        v = self._matrix(*head.v)
        out = self._matrix(head.out)
        keys, read = self.rows
        self.rows = [
            self.rows[0] + self.matrices[k][2],
            self.rows[1] + self.matrices[v][2],
        ]
        return q, k, v, out, keys, read

    def _numbers(self, *arrays: Array) -> int:
        """Append arrays one after the other; return the offset of the first."""
        at = sum(map(len, self.values))
        self.values += [array.ravel() for array in arrays]
        return at

    def _norm(self, parent: Weights, key: str) -> int:
        return (
            self._numbers(parent[key]["g"], parent[key]["b"])
            if parent.get(key) is not None
            else -1
        )

    def _matrix(self, w: Array, b: Array | None = None) -> int:
        """Append a matrix with its bias, and the places where each of its rows is not zero."""
        bias = np.zeros(w.shape[1], w.dtype) if b is None else b
        self.matrices.append(
            (self._numbers(w, bias), *w.shape, sum(map(len, self.spans)))
        )
        self.spans.append(_spans(w))
        return len(self.matrices) - 1


def _spans(w: Array) -> Array:  # [n_in, n_out] -> [n_in, 2]
    """In each row the first column that is not zero, and the one after the last."""
    found = np.zeros((len(w), 2), dtype=np.int64)
    for row, span in zip(w, found, strict=True):
        live = np.flatnonzero(row)
        if len(live):
            span[:] = live[0], live[-1] + 1
    return found


# ---------------------------------------------------------------- numba and its cache


@cache
def _advance() -> Callable[..., bool]:
    """The walk of kernel.py, compiled."""
    if not available():
        raise MissingExtraError(
            "the compiled enumeration needs the extra `fast`: pip install 'handcraft[fast]'"
        )
    import numba

    from handcraft.proof.enumerate import kernel
    from handcraft.proof.enumerate import kernel_judge as verdicts

    with (
        suppress(OSError, RuntimeError),
        _keeping(numba.config, flat, kernel, verdicts),
    ):
        kept: Callable[..., bool] = numba.njit(
            nogil=True, cache=True, **verdicts.OPTIONS
        )(kernel.advance)
        return kept
    passing: Callable[..., bool] = numba.njit(nogil=True, **verdicts.OPTIONS)(
        kernel.advance
    )
    return passing


@contextmanager
def _keeping(config: Any, *modules: ModuleType) -> Iterator[None]:
    """A context in which compiled code is kept, by the hash of its source. Raises OSError where
    nothing can be written.
    """
    sources = b"".join(
        Path(str(module.__file__)).read_bytes() for module in modules
    )
    home = (
        config.CACHE_DIR
        or os.environ.get("XDG_CACHE_HOME")
        or Path.home() / ".cache"
    )
    folder = Path(home) / "handcraft" / sha256(sources)[:16]
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(
        dir=folder
    ):  # otherwise numba would go on to look for a place beside the package
        given, config.CACHE_DIR = config.CACHE_DIR, str(folder)
    try:
        yield
    finally:
        config.CACHE_DIR = given
