"""Models that should say the greatest token, the claim, and a forward pass in other orders.

    greatest(n, k, end)   the claim: after k of n tokens, and an end sign if there is one
    noisy(seed)           weights of one head, right on all texts, on some, or on few
    texts(claim, model)   every text, as ids, with the right token of each
    run(model, ids, ...)  the logits in float32, summed in a drawn order, with or without fused
                          multiply-add, flushed to zero or not, and with an exp that is off

Nothing is shared with the package but the shape of the weights.
"""

from __future__ import annotations

import math
from itertools import product
from string import ascii_letters, digits
from typing import Any

import numpy as np

from handcraft import Model, answers
from handcraft.claims.prompt_claim import Answers
from handcraft.core.gpt2 import Array
from handcraft.core.vocabulary import Vocabulary
from handcraft.proof.task import Budget, Task
from handcraft.sequence.words import best, fetch, lookup, tokens

LETTERS = digits + ascii_letters
U = 2.0**-24
KEYS, VALUES = (
    (5,),
    (6,),
)  # what large numbers cancel in, beside those of `_common`


def greatest(n: int, k: int, end: str = "") -> Answers:
    """The claim that the greatest of k of n tokens follows."""
    ranks = {letter: i for i, letter in enumerate(LETTERS[:n])}
    prompts = f"[{LETTERS[:n]}]{{{k}}}{end}"
    return answers(
        prompts, fetch(tokens, best(lookup(ranks, tokens))), length=1
    )


def task_of(model: Model, claim: Answers) -> Task:
    """The task of holding a model to a claim."""
    return Task(model, claim, Budget(), math.inf, lambda *_: None)


def model_of(weights: Any, end: str = "") -> Model:
    """A model of these weights, without rules."""
    n = len(weights["wte"]) - len(end)
    vocabulary = Vocabulary((*LETTERS[:n], *end))
    return Model("drawn", weights, vocabulary, 1)


def noisy(
    seed: int, n: int = 6, k: int = 3, end: str = "", where: int | None = None
) -> Model:
    """A head that looks for the greatest token, turned and disturbed by more or less; with large
    numbers that cancel in the end, and whose rounding does not (`_common`).
    """
    rng = np.random.default_rng(seed)
    d, n_vocab = n + 3, n + len(end)
    noise = rng.choice([0.0, 0.0, 0.01, 0.1, 0.3, 1.0])
    turn = np.linalg.qr(rng.normal(size=(d, d)))[0]
    codes = np.eye(n_vocab, d) * rng.choice([1.0, 3.0])
    parts = {
        "query": np.zeros(d),
        "key": np.zeros(d),
        "value": np.zeros(d),
        "back": np.zeros(d),
        "wpe": np.zeros((k + len(end), d)),
    }
    parts["query"][0] = rng.choice([1.0, 2.0])
    large = rng.choice([0.0, 1e2, 1e4, 1e6])
    drawn = int(rng.integers(5))
    place = drawn if where is None else where
    _common(place, large, turn, codes, parts)
    key = np.zeros((d, d))
    key[:n, 0] = np.arange(n) * rng.choice([0.3, 1.0, 3.0, 100.0])
    value = np.eye(d) * rng.choice([1.0, 5.0])
    key, value = turn.T @ key, turn.T @ value
    # every token has 1 in the last lane: the bias takes away what it adds
    if place in KEYS + VALUES:
        small = large if place in VALUES else min(large, 1e4)
        name, matrix = ("key", key) if place in KEYS else ("value", value)
        codes[:, -1] = 1.0
        matrix += np.outer(turn[-1], small * np.eye(d)[0])
        parts[name] -= small * np.eye(d)[0]
    w = np.concatenate([np.zeros((d, d)), key, value], axis=1)

    def off(x: Array) -> Array:
        return (x + noise * rng.normal(size=x.shape)).astype(np.float32)

    out = off(turn)
    b = np.concatenate([parts["query"], parts["key"], parts["value"]])
    attn = {
        "c_attn": {"w": off(w), "b": b.astype(np.float32)},
        "c_proj": {"w": out, "b": parts["back"].astype(np.float32)},
    }
    wpe = parts["wpe"] + 0.3 * noise * rng.normal(size=parts["wpe"].shape)
    weights = {
        "wte": off(codes @ turn),
        "wpe": wpe.astype(np.float32),
        "blocks": [{"attn": attn}],
    }
    return model_of(weights, end)


def _common(
    where: int, large: float, turn: Array, codes: Array, parts: dict[str, Array]
) -> None:
    """Adds a large number to all values, which the bias takes away again; to all values, or to the
    stream, where all logits have it alike; to the last position; or to all scores.
    """
    lane = turn[-1]  # of which no token reads anything
    if where == 0:
        parts["value"] += large * turn[0]
        parts["back"] -= large * turn[0] @ turn
    elif where == 1:
        codes[:, -1] = 1.0
        parts["value"] += (
            large * lane @ turn.T
        )  # the head's lanes are turned back
    elif where == 2:
        codes[:, -1] = 1.0
        parts["back"] += large * lane
    elif where == 3:
        parts["wpe"][-1] += min(large, 1e3) * lane
    elif where == 4:
        parts["query"][1] = min(large, 1e3)
        parts["key"][1] = 10.0


def texts(n: int, k: int, end: str = "") -> tuple[Array, Array]:
    """Every text of k of n tokens, in ids [n_text, n_seq], and the greatest of each [n_text]."""
    ids = np.array(list(product(range(n), repeat=k)))
    right = ids.max(axis=1)
    sign = np.full((len(ids), len(end)), n)
    return np.concatenate([ids, sign], axis=1), right


def run(model: Model, ids: Array, seed: int) -> Array:
    """The logits at the end of texts [n, n_seq] -> [n, n_vocab], in an order of its own."""
    rng = np.random.default_rng(seed)
    attn = model.weights["blocks"][0]["attn"]
    wte = model.weights["wte"]
    fused, flushed = bool(seed % 2), seed % 4 > 1

    def kept(x: Array) -> Array:
        """The numbers themselves, but 0 below the least normal one where that is flushed."""
        return np.where(np.abs(x) < 2.0**-126, 0, x) if flushed else x

    def total(rows: list[Array]) -> Array:
        found = np.zeros_like(rows[0])
        for i in rng.permutation(len(rows)):
            found = kept((found + kept(rows[i])).astype(np.float32))
        return found

    def dot(x: Array, w: Array, b: Array | None = None) -> Array:
        """X w + b, one product after another."""
        begin = b is not None and rng.random() < 0.5
        found = np.zeros((*x.shape[:-1], w.shape[1]), np.float32)
        if begin:
            found = found + b
        for i in rng.permutation(len(w)):
            if fused:
                exact = x[..., i, None].astype(np.float64) * w[i]
                found = kept((found + exact).astype(np.float32))
            else:
                found = kept(found + kept(x[..., i, None] * w[i]))
        return found if b is None or begin else found + b

    x = wte[ids] + model.weights["wpe"][: ids.shape[1]]  # [n, n_seq, d]
    q, k, v = np.split(dot(x, **attn["c_attn"]), 3, axis=-1)
    d = q.shape[-1]
    products = [q[:, -1, None, i] * k[:, :, i] for i in range(d)]
    scores = total(products) / np.float32(math.sqrt(d))  # [n, n_seq]
    apart = scores - scores.max(axis=1, keepdims=True)
    # an exp that is off by almost 8 units of roundoff, and right at 0
    wrong = np.where(apart == 0, 0, rng.uniform(-7, 7, apart.shape)) * U
    weights = (np.exp(apart.astype(np.float64)) * (1 + wrong)).astype(
        np.float32
    )
    mass = total(list(weights.T))  # [n]
    weights = weights / mass[:, None]
    z = total([weights[:, i, None] * v[:, i] for i in range(ids.shape[1])])
    x = x[:, -1] + dot(z, **attn["c_proj"])
    return dot(x, wte.T)


def leads(logits: Array, right: Array) -> Array:  # [n, n_vocab], [n] -> [n]
    """How far the right token is ahead of every other one."""
    rows = np.arange(len(right))
    own = logits[rows, right].astype(np.float64)
    others = logits.astype(np.float64)
    others[rows, right] = -np.inf
    return np.asarray(own - others.max(axis=1))
