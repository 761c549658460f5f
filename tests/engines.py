"""Random models of every size against three ways to enumerate them: the trie, the compiled
walk, the plain pass.

The truth is the plain forward pass, each context alone, judged here in a few lines of its own.
Weights are small whole numbers (so that there are exact ties), normal ones, up to 2^66, down to
numbers below the least normal one, with zero columns, heads that write nothing, and lanes that
are asked for where no key is; what overflows is among them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from conftest import every

from handcraft import Model, after, distribution
from handcraft.core.gpt2 import Array, Weights, gpt2, softmax
from handcraft.core.vocabulary import Vocabulary
from handcraft.proof.enumerate import compiled
from handcraft.proof.enumerate.units import Trie
from handcraft.proof.expected import SILENT
from handcraft.proof.judge import Judge
from handcraft.proof.tally import Tally

KINDS = ("whole", "normal", "mixed", "huge", "tiny", "denormal")


def model_of(seed: int) -> tuple[Model, Any]:
    """A small random model and a claim on its last tokens, or on the probabilities after them."""
    rng = np.random.default_rng(seed)
    n_head, d_head = int(rng.integers(1, 4)), int(rng.integers(1, 6))
    n_vocab, n_ctx = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    dtype, relu = ("float32", "float64")[rng.integers(2)], bool(rng.integers(2))
    weights = _weights(rng, n_head * d_head, n_vocab, n_ctx, dtype)
    vocabulary = Vocabulary(tuple("abc"[:n_vocab]))
    model = Model(
        "random", weights, vocabulary, n_head, "relu" if relu else "gelu"
    )
    return model, _claim(rng, vocabulary.tokens)


def _claim(rng: np.random.Generator, tokens: tuple[str, ...]) -> Any:
    def ending() -> str:
        return "".join(rng.choice(tokens, size=rng.integers(1, 4)))

    if rng.integers(5):
        most = int(rng.integers(1, max(2, len(tokens))))  # one or several
        return after(
            {
                ending(): set(
                    rng.choice(
                        tokens, rng.integers(1, most + 1), replace=False
                    ).tolist()
                )
                for _ in range(4)
            }
        )
    first = {token: 1.0 / len(tokens) for token in tokens}
    return distribution(
        {ending(): first for _ in range(3)},
        tolerance=float(rng.choice([1e-6, 0.1, 0.5])),
    )


def _weights(
    rng: np.random.Generator, n: int, n_vocab: int, n_ctx: int, dtype: str
) -> Weights:
    def array(*shape: int) -> Array:
        return _drawn(rng, shape, dtype)

    def linear(n_in: int, n_out: int) -> Weights:
        return {
            "w": array(n_in, n_out),
            "b": array(n_out) * dtyped(rng.integers(2)),
        }

    dtyped = np.dtype(dtype).type
    norms, blocks = rng.random() < 0.2, []
    for _ in range(rng.integers(0, 3)):
        block: Weights = {}
        if rng.random() < 0.9:
            block["attn"] = {"c_attn": linear(n, 3 * n), "c_proj": linear(n, n)}
            if rng.integers(3) == 0:  # a head, or all, that write nothing
                block["attn"]["c_proj"]["w"][: int(rng.integers(1, n + 1))] = 0
        if rng.random() < 0.5:
            inner = int(rng.integers(1, 4))
            block["mlp"] = {
                "c_fc": linear(n, inner),
                "c_proj": linear(inner, n),
            }
        if norms:
            block |= {
                key: {"g": array(n), "b": array(n)} for key in ("ln_1", "ln_2")
            }
        blocks.append(block)
    weights: Weights = {
        "wte": array(n_vocab, n),
        "wpe": array(n_ctx, n),
        "blocks": blocks,
    }
    return weights | ({"ln_f": {"g": array(n), "b": array(n)}} if norms else {})


def _drawn(
    rng: np.random.Generator, shape: tuple[int, ...], dtype: str
) -> Array:
    """Numbers of one kind, some columns or single numbers of them zero."""
    kind, info = (
        KINDS[
            rng.integers(len(KINDS)) if rng.random() < 0.5 else rng.integers(3)
        ],
        np.finfo(dtype),
    )
    whole = rng.integers(-3, 4, size=shape).astype(np.float64)
    normal = rng.normal(size=shape)
    found = {
        "whole": whole,
        "normal": normal,
        "mixed": normal * 2.0 ** rng.integers(-12, 13, size=shape),
        "huge": np.where(rng.random(shape) < 0.5, whole, normal)
        * 2.0 ** float(rng.integers(20, 67)),
        "tiny": normal * 2.0 ** float(-rng.integers(20, 67)),
        "denormal": whole * float(info.tiny) / 64,
    }[kind]
    found = (
        found
        * (rng.random(shape) < (1.0, 0.5)[rng.integers(2)])
        * (rng.random(shape[-1]) < (1.0, 0.6)[rng.integers(2)])
    )
    return np.asarray(found.astype(dtype))


@dataclass
class Truth:
    """What the plain pass says of every context, by its ids: the slack, and None where the
    claim is silent.
    """

    slacks: dict[tuple[int, ...], float | None]

    @property
    def wrong(self) -> list[tuple[int, ...]]:
        """The contexts that are wrong, shortest first."""
        return [
            ids
            for ids, slack in self.slacks.items()
            if slack is not None and slack < 0
        ]


def truth_of(model: Model, claim: Any) -> Truth:
    """Each context alone."""
    judge, found = Judge(model, claim), {}
    for ids in every(len(model.vocabulary), model.n_ctx):
        logits = gpt2(np.array(ids), **model.weights, **model.config)[-1]
        found[ids] = _slack(
            judge.expect(np.array([ids]))[0],
            logits,
            getattr(claim, "tolerance", 0.0),
        )  # type: ignore[misc]
    return Truth(found)


def _slack(expected: Any, logits: Array, tolerance: float) -> float | None:
    """At least 0 where it is right: a tie of tokens is below, an error that is the tolerance is
    not.
    """
    right = set(np.atleast_1d(expected).tolist())
    if np.asarray(expected).dtype.kind == "f":
        if math.isnan(expected[0]):
            return None
        left = tolerance - float(
            np.abs(softmax(logits.astype(np.float64)) - expected).max()
        )
        return -math.inf if math.isnan(left) else left
    if right == {SILENT}:
        return None
    if not np.isfinite(logits).all():
        return -math.inf
    others = [float(x) for i, x in enumerate(logits) if i not in right]
    best = max(float(logits[i]) for i in right)
    margin = best - max(others, default=-math.inf)
    return margin if margin > 0 else min(margin, -5e-324)


def disagreement(seed: int) -> str | None:
    """How an engine differs from the truth on the model of this seed; None where all agree."""
    model, claim = model_of(seed)
    with np.errstate(all="ignore"):
        truth, judge = truth_of(model, claim), Judge(model, claim)
        engines: dict[str, Any] = {"trie": Trie(judge)} | (
            {} if seed % 8 else {"plain": Trie(judge, shared=False)}
        )
        if compiled.available() and compiled.applies(judge):
            engines["compiled"] = compiled.Engine(judge)
        for name, engine in engines.items():
            tally = Tally()
            engine.count(tally, (), model.n_ctx, lambda _: True)
            if (problem := _differs(truth, tally, judge)) is not None:
                return f"seed {seed}, {name}: {problem}"
    return None


def _differs(truth: Truth, tally: Tally, judge: Judge) -> str | None:
    spoken = {
        ids: slack for ids, slack in truth.slacks.items() if slack is not None
    }
    counts = len(truth.slacks), len(spoken), len(spoken) - len(truth.wrong)
    if counts != (tally.contexts, tally.checked, tally.correct):
        return f"counts {(tally.contexts, tally.checked, tally.correct)}, not {counts}"
    first = list(truth.wrong[0]) if truth.wrong else None
    if first != (tally.worst.context if tally.worst else None):
        return f"the shortest wrong context is {tally.worst}, not {first}"
    finite = [slack for slack in spoken.values() if math.isfinite(slack)]
    if tally.max_error is None and len(finite) == len(spoken) and finite:
        least, within = min(finite), judge.second.within
        if abs(least - tally.min_margin) > 1e-300 + within + (
            abs(least) * 1e-2 if math.isinf(within) else 0
        ):
            return f"the least margin is {tally.min_margin}, not {least}"
    return None
