"""Models that should say the greatest token, the claim, and a forward pass in other orders.

    greatest(n, k, end)   the claim: after k of n tokens, and an end sign if there is one
    noisy(seed)           weights of one head, right on all texts, on some, or on few
    texts(claim, model)   every text, as ids, with the right token of each
    run(model, ids, ...)  the logits in float32, summed in a drawn order, with or without fused
                          multiply-add, and with an exp that is off

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


def noisy(seed: int, n: int = 6, k: int = 3, end: str = "") -> Model:
    """A head that looks for the greatest token, turned and disturbed by more or less."""
    rng = np.random.default_rng(seed)
    d, n_vocab = n + 3, n + len(end)
    noise = rng.choice([0.0, 0.01, 0.1, 0.3, 1.0])
    turn = np.linalg.qr(rng.normal(size=(d, d)))[0]
    codes = np.eye(n_vocab, d) * rng.choice([1.0, 3.0])
    ranks = np.zeros(d)
    ranks[:n] = np.arange(n) * rng.choice([0.3, 1.0, 3.0, 100.0])
    key = np.zeros((d, d))
    key[:, 0] = ranks
    query = np.zeros(d)
    query[0] = rng.choice([1.0, 2.0])
    value = np.eye(d) * rng.choice([1.0, 5.0])
    w = np.concatenate([np.zeros((d, d)), turn.T @ key, turn.T @ value], axis=1)
    # what all values have in common rounds away what tells them apart
    common = rng.choice([0.0, 0.0, 1e3, 1e6]) * rng.normal(size=d)
    b = np.concatenate([query, np.zeros(d), common])

    def off(x: Array) -> Array:
        return (x + noise * rng.normal(size=x.shape)).astype(np.float32)

    out = off(turn)
    back = -(common.astype(np.float32) @ out)
    attn = {
        "c_attn": {"w": off(w), "b": b.astype(np.float32)},
        "c_proj": {"w": out, "b": back.astype(np.float32)},
    }
    wpe = 0.3 * noise * rng.normal(size=(k + len(end), d))
    weights = {
        "wte": off(codes @ turn),
        "wpe": wpe.astype(np.float32),
        "blocks": [{"attn": attn}],
    }
    return model_of(weights, end)


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
    fused = bool(seed % 2)

    def total(rows: list[Array]) -> Array:
        found = np.zeros_like(rows[0])
        for i in rng.permutation(len(rows)):
            found = (found + rows[i]).astype(np.float32)
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
                found = (found + exact).astype(np.float32)
            else:
                found = found + x[..., i, None] * w[i]
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
