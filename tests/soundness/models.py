"""Random models of the kinds that hand-written programs are made of, and mutations of weights.

The stream of a random model has token lanes, position lanes (one-hot, or p and p^2), a constant
lane and scratch lanes that heads and neurons write and later ones read. Rules of this file: one
seed, one model; NumPy only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array, Weights
from handcraft.core.vocabulary import Vocabulary
from handcraft.model import Model

SHAPES = (
    (2, 2),
    (2, 3),
    (2, 4),
    (2, 5),
    (3, 2),
    (3, 3),
    (3, 4),
    (4, 2),
    (4, 3),
)  # (n_vocab, n_ctx)
WIDTHS = (
    (16, 1),
    (16, 2),
    (12, 1),
    (12, 2),
    (12, 3),
    (20, 1),
    (20, 2),
    (16, 4),
    (18, 2),
)  # (n_embd, n_head)
SCALES = (1.0, 2.0, 8.0, 24.0, 100.0, 1024.0, 2.0**14, 2.0**20, 2.0**30)
GAPS = (
    0.0,
    1e-7,
    1e-3,
    0.25,
    0.5,
    1.0,
    4.0,
    15.999,
    16.0,
    16.001,
    17.0,
    20.0,
    30.0,
    79.0,
    80.0,
    90.0,
    104.9,
    105.0,
    200.0,
)


@dataclass
class Sketch:
    """A model being drawn."""

    rng: np.random.Generator
    n_vocab: int
    n_ctx: int
    n_embd: int
    n_head: int
    dtype: str

    def __post_init__(self) -> None:
        self.onehot = (
            self.rng.random() < 0.5
            and self.n_embd >= self.n_vocab + self.n_ctx + 5
        )
        self.places = self.n_ctx if self.onehot else 2
        self.token = list(range(self.n_vocab))
        self.place = list(range(self.n_vocab, self.n_vocab + self.places))
        self.one = self.n_vocab + self.places
        self.scratch = list(range(self.one + 1, self.n_embd))
        self.fine = bool(
            self.rng.random() < 0.5
        )  # whether weights are round numbers

    def number(self, scale: float = 1.0) -> float:
        """A weight: a small dyadic number, or any float."""
        if self.fine:
            return (
                float(self.rng.integers(-4, 5))
                * float(2.0 ** self.rng.integers(-2, 2))
                * scale
            )
        return float(self.rng.normal()) * scale

    def some(self, lanes: list[int], most: int = 3) -> list[int]:
        """A few of these lanes."""
        return self.rng.choice(
            lanes,
            size=min(len(lanes), int(self.rng.integers(1, most + 1))),
            replace=False,
        ).tolist()

    def pick(self, values: Any) -> Any:
        """One of these."""
        return values[int(self.rng.integers(len(values)))]


def draw_model(seed: int) -> Model:
    """A random model: the same one for the same seed."""
    rng = np.random.default_rng(seed)
    n_vocab, n_ctx = SHAPES[int(rng.integers(len(SHAPES)))]
    n_embd, n_head = WIDTHS[int(rng.integers(len(WIDTHS)))]
    s = Sketch(
        rng,
        n_vocab,
        n_ctx,
        n_embd,
        n_head,
        "float32" if rng.random() < 0.7 else "float64",
    )
    blocks = [_block(s, i) for i in range(int(rng.integers(1, 4)))]
    weights = {"wte": _wte(s), "wpe": _wpe(s), "blocks": blocks}
    return model_of(
        cast(weights, s.dtype), n_head, "relu" if rng.random() < 0.4 else "gelu"
    )


def model_of(weights: Weights, n_head: int, activation: Any = "gelu") -> Model:
    """A model of plain weights, with letters for tokens."""
    return Model(
        "random",
        weights,
        Vocabulary(tuple("abcdefgh"[: len(weights["wte"])])),
        n_head,
        activation,
    )


def cast(value: Any, dtype: str) -> Any:
    """All arrays of nested weights in a dtype."""
    if isinstance(value, dict):
        return {key: cast(part, dtype) for key, part in value.items()}
    if isinstance(value, list):
        return [cast(part, dtype) for part in value]
    return np.ascontiguousarray(value.astype(dtype))


def _wte(s: Sketch) -> Array:
    wte = np.zeros((s.n_vocab, s.n_embd))
    for i, lane in enumerate(s.token):
        wte[i, lane] = 1.0 if s.rng.random() < 0.8 else s.number() or 1.0
    if (
        s.rng.random() < 0.4
    ):  # other lanes that the tokens write and the unembedding reads
        for lane in s.some([*s.scratch, *s.place], 2):
            wte[:, lane] = [s.number() for _ in range(s.n_vocab)]
    if s.rng.random() < 0.1:
        wte *= s.pick((0.1, 3.0, 2.0**-20))
    return wte


def _wpe(s: Sketch) -> Array:
    wpe = np.zeros((s.n_ctx, s.n_embd))
    at = np.arange(s.n_ctx)
    if s.onehot:
        wpe[at, s.place] = 1.0
    else:
        wpe[:, s.place[0]], wpe[:, s.place[1]] = at, at * at
        if s.rng.random() < 0.2:
            wpe[:, s.place] *= 0.1
    wpe[:, s.one] = 1.0
    if s.rng.random() < 0.3:
        wpe[:, s.pick(s.scratch)] = [s.number() for _ in range(s.n_ctx)]
    return wpe


def _block(s: Sketch, layer: int) -> Weights:
    block: Weights = {}
    kind = s.rng.random()
    if kind < 0.85 or layer == 0:
        block["attn"] = _attention(s, layer)
    if kind > 0.5 or not block:
        block["mlp"] = _mlp(s)
    return block


def _attention(s: Sketch, layer: int) -> Weights:
    n, d = s.n_embd, s.n_embd // s.n_head
    parts = {name: (np.zeros((n, n)), np.zeros(n)) for name in "qkv"}
    out, bias = np.zeros((n, n)), np.zeros(n)
    for h in range(s.n_head):
        own = list(range(h * d, (h + 1) * d))
        if s.rng.random() < 0.2:
            continue
        s.pick(
            (
                _uniform,
                _place,
                _place,
                _match,
                _match,
                _count,
                _count,
                _tie,
                _anything,
            )
        )(s, parts, own, layer)
        for lane in own[: int(s.rng.integers(1, min(3, d) + 1))]:
            _value(s, parts["v"], lane, layer)
            for target in s.some([*s.scratch, *s.scratch, *s.token], 2):
                out[lane, target] = (
                    s.number() * s.pick((1.0, 1.0, 1.0, 10.0, 1000.0)) or 1.0
                )
    if s.rng.random() < 0.2:
        bias[s.pick([*s.scratch, *s.token])] = s.number()
    c_attn = {
        "w": np.concatenate([parts[x][0] for x in "qkv"], axis=1),
        "b": np.concatenate([parts[x][1] for x in "qkv"]),
    }
    return {"c_attn": c_attn, "c_proj": {"w": out, "b": bias}}


def _value(s: Sketch, part: tuple[Array, Array], lane: int, layer: int) -> None:
    lanes = (
        s.token
        if s.rng.random() < 0.5
        else [*s.token, *s.place, *(s.scratch if layer else [])]
    )
    for source in s.some(lanes, 3):
        part[0][source, lane] = s.number() or 1.0
    if s.rng.random() < 0.3:
        part[1][lane] = s.number()


def _uniform(s: Sketch, parts: Any, own: list[int], layer: int) -> None:
    """Every score is zero, or the same."""
    if s.rng.random() < 0.5:
        parts["q"][1][own[0]], parts["k"][1][own[0]] = s.number(), s.number()


def _place(s: Sketch, parts: Any, own: list[int], layer: int) -> None:
    """Attention to a position: with large scores, or scores a few units apart."""
    scale = s.pick((*SCALES, *GAPS[4:]))
    if s.onehot:
        shift = int(s.rng.integers(0, 3))
        for i, lane in zip(range(s.n_ctx), own, strict=False):
            if i >= shift:
                parts["q"][0][s.place[i], own[i - shift]] = scale
            if s.rng.random() < 0.2:
                parts["q"][0][
                    s.place[i], own[s.pick(range(min(s.n_ctx, len(own))))]
                ] += scale * s.pick((1.0, 0.5, 2.0**-24))
            parts["k"][0][s.place[i], lane] = 1.0
        return
    q, k = parts["q"], parts["k"]
    if s.rng.random() < 0.2:  # an address that was computed
        q[0][s.pick(s.scratch), own[0]] = 2 * scale
    else:
        q[0][s.place[0], own[0]], q[1][own[0]] = (
            2 * scale,
            -2 * scale * s.pick((0, 1, 2, 0.5)),
        )
    q[1][own[1]] = -scale
    k[0][s.place[0], own[0]], k[0][s.place[1], own[1]] = 1.0, 1.0


def _match(s: Sketch, parts: Any, own: list[int], layer: int) -> None:
    """Keys with the same content, the later the better."""
    scale = s.pick((*SCALES[:7], *GAPS[4:]))
    q, k = parts["q"], parts["k"]
    asked = s.scratch if layer and s.rng.random() < 0.3 else s.token
    offered = s.scratch if layer and s.rng.random() < 0.5 else s.token
    for a, b, lane in zip(
        asked, offered, own[: min(3, len(own) - 1)], strict=False
    ):
        q[0][a, lane], k[0][b, lane] = (
            scale,
            1.0 if s.rng.random() < 0.8 else s.number(),
        )
    q[1][own[-1]] = s.pick(GAPS)
    k[0][s.place[0], own[-1]] = s.pick((1.0, 1.0, -1.0, 0.1))


def _count(s: Sketch, parts: Any, own: list[int], layer: int) -> None:
    """A query that is always the same: counting among some tokens, or from the first on."""
    scale = s.pick((2.0**30, 2.0**30, 2.0**24, *SCALES, *GAPS))
    parts["q"][1][own[0]] = scale
    for lane in s.some([*s.token, *s.place, *(s.scratch if layer else [])], 2):
        parts["k"][0][lane, own[0]] = s.pick((1.0, 1.0, -1.0, s.number()))
    if s.rng.random() < 0.2:
        parts["k"][1][own[0]] = s.number()


def _tie(s: Sketch, parts: Any, own: list[int], layer: int) -> None:
    """Tokens whose scores are the same, or the same but for a gap."""
    parts["q"][1][own[0]] = s.pick((1.0, 0.7, 3.0, 2.0**10))
    scores = [s.pick(GAPS) for _ in range(2)]
    for lane in s.token:
        parts["k"][0][lane, own[0]] = s.pick(scores)
    if s.rng.random() < 0.3 and len(own) > 1:
        (
            parts["q"][0][s.pick(s.token), own[1]],
            parts["k"][0][s.pick(s.token), own[1]],
        ) = s.number(), s.number()


def _anything(s: Sketch, parts: Any, own: list[int], layer: int) -> None:
    """Random floats."""
    lanes = [*s.token, *s.place, *(s.scratch if layer else [])]
    for lane in own[:3]:
        for source in s.some(lanes, 3):
            parts["q"][0][source, lane] = s.number(s.pick((0.1, 1.0, 5.0)))
        for source in s.some(lanes, 3):
            parts["k"][0][source, lane] = s.number(s.pick((0.1, 1.0, 5.0)))
        parts["q"][1][lane] = s.number() if s.rng.random() < 0.5 else 0.0


def _mlp(s: Sketch) -> Weights:
    n, inner = s.n_embd, int(s.rng.integers(1, 5))
    first, fb, back, bias = (
        np.zeros((n, inner)),
        np.zeros(inner),
        np.zeros((inner, n)),
        np.zeros(n),
    )
    for j in range(inner):
        scale = s.pick((1.0, 1.0, 4.0, 32.0, 1024.0, 1e-3))
        for lane in s.some([*s.token, *s.place, *s.scratch, *s.scratch], 3):
            first[lane, j] = s.number(scale) or scale
        fb[j] = s.pick(
            (
                0.0,
                -0.5 * scale,
                0.5 * scale,
                s.number(scale),
                6.0,
                -6.0,
                8.0,
                -8.0,
            )
        )
        for lane in s.some([*s.scratch, *s.token], 2):
            back[j, lane] = s.number() or 1.0
    if s.rng.random() < 0.2:
        bias[s.pick([*s.scratch, *s.token])] = s.number()
    return {"c_fc": {"w": first, "b": fb}, "c_proj": {"w": back, "b": bias}}


# ---------------------------------------------------------------- mutations


def mutant(weights: Weights, rng: np.random.Generator) -> Weights:
    """The same weights with one or several cells, columns or a matrix changed."""
    changed = cast(weights, str(weights["wte"].dtype))
    for _ in range(int(rng.choice([1, 1, 1, 2, 4]))):
        arrays = [a for a in _arrays(changed) if a.any()]
        array = arrays[int(rng.integers(len(arrays)))]
        (_columns if array.ndim == 2 and rng.random() < 0.15 else _cell)(
            array, rng
        )
    return changed


def _arrays(value: Any) -> list[Array]:
    if isinstance(value, np.ndarray):
        return [value]
    parts = value.values() if isinstance(value, dict) else value
    return [array for part in parts for array in _arrays(part)]


def _columns(array: Array, rng: np.random.Generator) -> None:
    axis = int(rng.integers(2))
    rows = array if axis == 0 else array.T
    i, j = rng.integers(len(rows), size=2)
    rows[[i, j]] = rows[[j, i]]


def _cell(array: Array, rng: np.random.Generator) -> None:
    filled = np.flatnonzero(array)
    flat = array.reshape(-1)
    i = (
        int(rng.choice(filled))
        if rng.random() < 0.85
        else int(rng.integers(array.size))
    )
    j = int(rng.choice(filled))
    kind = int(rng.integers(8))
    old = float(flat[i])
    if kind == 0:
        flat[i] = 0.0
    elif kind == 1:
        flat[i] = -old
    elif kind == 2:
        flat[i], flat[j] = flat[j], flat[i]
    elif kind == 3:
        flat[i] = old * float(
            rng.choice(
                [0.5, 0.9, 0.99, 1.01, 1.1, 2.0, 1 + 2.0**-20, 1e-3, 1e3]
            )
        )
    elif kind == 4:
        flat[i] = old + float(
            rng.choice([-1.0, 1.0, -0.5, 0.5, 0.01, 2.0**-20])
        )
    elif kind == 5:
        flat[i] = flat[j]
    elif kind == 6:
        flat[i] = float(rng.normal()) * max(abs(old), 1.0)
    else:
        flat[i] = old * float(rng.choice([2.0**10, 2.0**-10, 4.0, 0.25]))
