"""Asks a claim on contexts or on whole texts what follows each position of texts.

    said_of_texts    targets, of one of three kinds (examples.py), and where the claim speaks
    spoken           where it speaks
    padded_texts     texts of several lengths with that as one table

Rules of this file: what is right is asked of the claim itself (proof/expected.py); where it is
silent nothing is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.model import Model
from handcraft.proof.expected import (
    SILENT,
    EachToken,
    ExpectedProbabilities,
    NextToken,
    at_each,
)
from handcraft.training.examples import ExampleRows, Follows


def said_of_texts(
    model: Model, claim: Any, ids: Array
) -> tuple[Follows, Array, Array]:
    """What the claim says at each position of texts [n, n_seq]: targets, and where it speaks."""
    if claim.whole_text:
        expected = EachToken(claim, model.vocabulary)(ids)
        return "token", expected, expected != SILENT
    if claim.measures == "probability":
        chances = _asked(
            ExpectedProbabilities(claim, model.vocabulary), model, claim, ids
        )
        return "chances", chances, ~np.isnan(chances[..., 0])
    expected = _asked(NextToken(claim, model.vocabulary), model, claim, ids)
    if expected.ndim == 2:
        return "token", expected, expected != SILENT
    speaks = expected[..., 0] != SILENT  # [n, n_seq]; several tokens are right
    chosen = expected[..., None] == np.arange(len(model.vocabulary))
    return "any", chosen.any(axis=-2), speaks


def spoken(model: Model, claim: Any, ids: Array) -> Array:
    """True where a claim on contexts or texts says something of texts [n, n_seq], position by
    position.
    """
    _, _, speaks = said_of_texts(model, claim, ids)
    return speaks


def _asked(
    expect: Callable[[Array], Array], model: Model, claim: Any, ids: Array
) -> Array:
    """What is expected at each position; of a model that sees the whole text and a claim on the
    last position, nothing before it.
    """
    if model.causal or claim.every_position:
        return at_each(expect, ids)
    last = expect(ids)
    kind, silent = (float, np.nan) if last.dtype.kind == "f" else (int, SILENT)
    found = np.full((*ids.shape, *last.shape[1:]), silent, dtype=kind)
    found[:, -1] = last
    return found


def padded_texts(
    grouped: Sequence[tuple[Array, tuple[Follows, Array, Array]]], model: Model
) -> ExampleRows:
    """The texts of several lengths as one table, shorter ones filled up."""
    n_seq, n_vocab = model.n_ctx, len(model.vocabulary)
    kinds = {kind for _, (kind, _, _) in grouped}
    kind: Follows = next(iter(kinds)) if len(kinds) == 1 else "any"
    parts = []
    for ids, (own, targets, speaks) in grouped:
        n, short = ids.shape
        tokens = np.zeros((n, n_seq), "int32")
        weight = np.zeros((n, n_seq), "float32")
        tokens[:, :short], weight[:, :short] = ids, speaks
        shape = (n, n_seq) if kind == "token" else (n, n_seq, n_vocab)
        filled = np.full(shape, *_FILLED[kind])
        filled[:, :short] = _as(kind, own, targets, speaks, n_vocab)
        parts.append((tokens, filled, weight, np.full(n, short, "int32")))
    tokens, filled, weight, lengths = map(
        np.concatenate, zip(*parts, strict=True)
    )
    return ExampleRows(
        kind, tokens, filled, weight, None if model.causal else lengths
    )


_FILLED: dict[str, tuple[Any, str]] = {  # where nothing is asked
    "token": (0, "int32"),
    "any": (True, "bool"),
    "chances": (0.0, "float32"),
}


def _as(
    kind: Follows, own: Follows, targets: Array, speaks: Array, n_vocab: int
) -> Array:
    """Targets of one kind as those of the table's; any will do where the claim is silent."""
    if kind == "token":
        return np.where(speaks, targets, 0)
    if kind == "chances":
        return np.where(speaks[..., None], targets, 0)
    if own == "token":
        targets = targets[..., None] == np.arange(n_vocab)
    return np.where(speaks[..., None], targets, True)
