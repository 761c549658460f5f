"""The forward pass over many texts whose beginnings are the same, in the library of the weights.

    Together(model).leads(ids, answers)   by how much each token of each answer is ahead, and how
                                          large the logits are

What neighbouring texts have in common is read once: their keys and values are a cache of `gpt2`,
which reads the rest. A matrix product is one over all texts, where NumPy makes one for each
(`_Wide`). With the extra `jax` (or `train`) JAX compiles the pass and takes its own device; with
the extra `torch` and a GPU torch computes. Rules of this file: gpt2 alone computes; no product has
fewer digits than its dtype.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array, Cache, Weights, convert, gpt2
from handcraft.model import Model
from handcraft.proof.tally import margins_of

_SHARED = 4  # texts to a beginning, on average, from which it is read once
_LEAST = 2**6  # rows of a compiled pass
_MORE = {"numpy": 1, "cpu": 4}  # rows of a batch, for those of NumPy
_ON_DEVICES = 64  # where it is another device that computes

LeadsFound = tuple[Array, Array]  # the leads and the sizes, [n, n_answer] each
# heads, group, rest, answers: see Together.logits
LeadsPass = Callable[[Array | None, Array, Array, Array], LeadsFound]


def library_of() -> str:
    """The name of the library that computes: on processors torch is no faster than NumPy."""
    if find_spec("jax") is not None:
        return "jax"
    if find_spec("torch") and find_spec("array_api_compat"):
        import torch

        return "torch" if torch.cuda.is_available() else "numpy"
    return "numpy"


class Together:
    """The passes of a model in one library."""

    def __init__(self, model: Model, library: str = "numpy") -> None:
        self.n_layers = len(model.weights["blocks"])
        self.config = model.config
        self.attends = any("attn" in x for x in model.weights["blocks"])
        self.device, self._pass = _PASSES[library](self, model.weights)

    @property
    def more(self) -> int:
        """How many times the rows of a batch of NumPy are worth reading at once."""
        return _MORE.get(self.device, _ON_DEVICES)

    def leads(self, ids: Array, answers: Array) -> LeadsFound:
        """How far each token of the answers [n, n_answer] to the prompts [n, n_asked] is ahead of
        every other, -inf where a logit is not finite; and the largest logit there.
        """
        fed = np.concatenate([ids, answers[:, :-1]], axis=1)
        heads, group, rest = self._cut(fed, ids.shape[1])
        return self._pass(heads, group, rest, answers)

    def _cut(
        self, fed: Array, asked: int
    ) -> tuple[Array | None, Array, Array]:  # [n, n_seq]
        """The beginnings [n_head, n_begin] that several texts share, which of them each text has
        [n], and what follows it. None and no beginnings where there are none.
        """
        n = len(fed)
        begin = 0
        if self.attends and self.config["causal"] and n >= _SHARED:
            differ = fed[1:, :asked] != fed[:-1, :asked]  # [n - 1, n_asked]
            first = np.where(differ.any(1), differ.argmax(1), asked)
            counts = 1 + np.cumsum(np.bincount(first, minlength=asked + 1))
            # how many beginnings of 1, 2, ... tokens there are
            begin = int((counts[: asked - 1] * _SHARED <= n).sum())
        if begin == 0:
            return None, np.zeros(n, dtype=np.int64), fed
        new = np.r_[True, first < begin]  # [n]
        return fed[new, :begin], np.cumsum(new) - 1, fed[:, begin:]

    def logits(
        self,
        weights: Weights,
        heads: Array | None,
        group: Array,
        rest: Array,
        n_answer: int,
    ) -> Array:  # -> [n, n_answer, n_vocab]
        """The logits before each token of the answers, in the library of the weights."""
        cache: Cache = [None] * self.n_layers
        if heads is not None:
            gpt2(heads, **weights, **self.config, cache=cache)
            cache = [x and (x[0][group], x[1][group]) for x in cache]
        logits = gpt2(rest, **weights, **self.config, cache=cache)
        return logits[:, logits.shape[1] - n_answer :]


class _Wide:
    """A matrix that multiplies all rows of an array of NumPy at once, however it is cut."""

    __array_ufunc__ = None  # NumPy leaves the product to this class

    def __init__(self, matrix: Array) -> None:
        self.matrix = matrix

    @property
    def T(self) -> _Wide:  # noqa: N802  # NumPy's name
        return _Wide(self.matrix.T)

    def __rmatmul__(self, x: Array) -> Array:  # [..., n_in] -> [..., n_out]
        flat = x.reshape(-1, x.shape[-1]) @ self.matrix
        return flat.reshape(*x.shape[:-1], -1)


def _in_numpy(together: Together, weights: Weights) -> tuple[str, LeadsPass]:
    """The pass in NumPy, in the dtype of the weights."""
    head = weights.get("lm_head")
    wide = weights | {
        "blocks": convert({"blocks": weights["blocks"]}, _widened)["blocks"],
        "lm_head": _Wide(weights["wte"] if head is None else head),
    }

    def run(
        heads: Array | None, group: Array, rest: Array, answers: Array
    ) -> LeadsFound:
        n, n_answer = answers.shape
        found = together.logits(wide, heads, group, rest, n_answer)
        flat = found.reshape(n * n_answer, -1)
        leads = margins_of(flat, answers.ravel())
        with np.errstate(all="ignore"):
            sizes = np.maximum(flat.max(axis=1), -flat.min(axis=1))
        return leads.reshape(n, n_answer), sizes.reshape(n, n_answer)

    return "numpy", run


def _widened(array: Array) -> Any:
    return _Wide(array) if array.ndim == 2 else array


def _read_off(
    xp: Any, logits: Array, answers: Array, names: Array
) -> tuple[Array, Array]:
    """The leads and the sizes of logits [n, n_answer, n_vocab], in any library."""
    right = names == answers[..., None]  # [n, n_answer, n_vocab]
    own = xp.max(xp.where(right, logits, -math.inf), axis=-1)
    other = xp.max(xp.where(right, -math.inf, logits), axis=-1)
    good = xp.all(xp.isfinite(logits), axis=-1)
    return (
        xp.where(good, own - other, -math.inf),
        xp.max(xp.abs(logits), axis=-1),
    )


def _in_jax(together: Together, weights: Weights) -> tuple[str, LeadsPass]:
    """The pass compiled by JAX, on the device that it takes by itself."""
    import jax
    import jax.numpy as jnp

    digits = _digits_of(jax, weights)
    with digits():
        there = convert(weights, jnp.asarray)
    names = jnp.arange(len(weights["wte"]))

    @partial(jax.jit, static_argnames="n_answer")
    def compiled(
        weights: Weights,
        heads: Array | None,
        group: Array,
        rest: Array,
        answers: Array,
        n_answer: int,
    ) -> LeadsFound:
        logits = together.logits(weights, heads, group, rest, n_answer)
        return _read_off(jnp, logits, answers, names)

    def run(
        heads: Array | None, group: Array, rest: Array, answers: Array
    ) -> LeadsFound:
        n = len(rest)
        padded = [
            None if x is None else _padded(x)
            for x in (heads, group, rest, answers)
        ]
        with digits(), jax.default_matmul_precision("highest"):
            found = compiled(there, *padded, n_answer=answers.shape[1])
        leads, sizes = (np.asarray(x)[:n] for x in found)
        return leads, sizes

    return jax.default_backend(), run


def _digits_of(jax: Any, weights: Weights) -> Callable[[], Any]:
    """Contexts in which JAX computes in the dtype of the weights; elsewhere it knows float32."""
    twice = bool(weights["wte"].dtype == np.float64)
    if hasattr(jax, "enable_x64"):
        return partial(jax.enable_x64, twice)
    from jax.experimental import enable_x64  # its earlier name

    return partial(enable_x64, twice)


def _padded(x: Array) -> Array:  # [n, ...] -> [a power of two, ...]
    """The rows, and the first one again and again: few sizes are compiled."""
    n = max(_LEAST, 1 << (len(x) - 1).bit_length())
    more = np.broadcast_to(x[:1], (n - len(x), *x.shape[1:]))
    return np.concatenate([x, more]).astype(np.int32)


def _in_torch(together: Together, weights: Weights) -> tuple[str, LeadsPass]:
    """The pass by torch, on a GPU where there is one."""
    import torch
    from array_api_compat import torch as xp

    device = "cuda" if torch.cuda.is_available() else "cpu"

    def there(x: Array) -> Any:
        return torch.tensor(x, device=device)  # a copy

    own = convert(weights, there)
    names = torch.arange(len(weights["wte"]), device=device)

    def run(
        heads: Array | None, group: Array, rest: Array, answers: Array
    ) -> LeadsFound:
        begin = None if heads is None else there(heads)
        with torch.no_grad(), _all_digits(torch):
            given = together.logits(
                own, begin, there(group), there(rest), answers.shape[1]
            )
            found: Any = _read_off(xp, given, there(answers), names)
        leads, sizes = (x.cpu().numpy() for x in found)
        return leads, sizes

    return device, run


@contextmanager
def _all_digits(torch: Any) -> Iterator[None]:
    """In it torch multiplies float32 with all of its digits, on a GPU too."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


_PASSES = {"numpy": _in_numpy, "jax": _in_jax, "torch": _in_torch}
