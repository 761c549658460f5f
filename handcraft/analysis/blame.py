"""Finds what made a prediction wrong: what each rule gave to the right and to the wrong logit.

    contributions   one row a rule (or, for weights without rules, a part of the model)
    departures      the lanes that left their meaning (handcraft.analysis.meanings)

The logits are sums over what was written to the stream, times the unembedding. So the rows of a
table of contributions add up to the two logits. A final layer norm divides the whole stream by
one number; with that number held as it was in this context, the rows add up as well. What the
rules do not account for (weights that were changed) has a row of its own.

Rules of this file: it explains a verdict and never makes one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from handcraft.analysis.meanings import departures, unsaid
from handcraft.core.errors import HandcraftError
from handcraft.core.gpt2 import Array, trace, unembedding
from handcraft.core.tracing import written_by_rule
from handcraft.model import Model
from handcraft.program.program import Program

NO_RULE = "no rule"  # the row of what the rules do not account for
NORM = "ln_f"  # the row of the bias of the final layer norm
ROUNDING = 1e-5  # of the sum of all sizes


@dataclass(frozen=True)
class Contribution:
    """The amounts that one rule gave to the logits of the right and of the wrong token.

    source  the author's file and line; empty where no rule stands behind it
    """

    rule: str
    right: float
    wrong: float
    source: str = ""

    @property
    def blame(self) -> float:
        """The amount by which it favours the wrong token."""
        return self.wrong - self.right


def pass_over(model: Model, ids: Sequence[int]) -> dict[str, Array]:
    """Every intermediate of the forward pass over one context, by its name in `gpt2`."""
    return trace(np.array(ids), model.weights, **model.config)


@np.errstate(all="ignore")  # what is not finite is shown as it is
def contributions(
    model: Model,
    arrays: dict[str, Array],
    ids: Sequence[int],
    position: int,
    right: int,
    wrong: int,
) -> list[Contribution]:
    """The amounts that each rule gave to two logits at a position, the most to blame first."""
    parts = _parts(model, arrays, ids, position)
    two = [right, wrong]
    read = unembedding(model.weights)[two].astype(float).T  # [n_embd, 2]
    rows = {
        name: row @ read
        for name, row in _normed(model, arrays, parts, position).items()
    }
    if model.entries:
        rest = arrays["logits"][position][two] - sum(rows.values())  # [2]
        allowed = _rounding(model, arrays, ids, position, two)
        if not (np.abs(rest) <= allowed).all():
            rows[NO_RULE] = rest
    sources = {e.reason.rule: e.reason.source for e in model.entries}
    found = [
        Contribution(name, float(row[0]), float(row[1]), sources.get(name, ""))
        for name, row in rows.items()
        if row.any()
    ]
    return sorted(found, key=lambda row: -row.blame)


def _rounding(
    model: Model,
    arrays: dict[str, Array],
    ids: Sequence[int],
    position: int,
    two: Sequence[int],
) -> Array:  # -> [2]
    """An allowance for the rounding of the two logits: a part of the sum of all sizes."""
    sizes = {name: np.abs(array) for name, array in arrays.items()}
    entries = [
        replace(entry, value=abs(entry.value)) for entry in model.entries
    ]
    parts = written_by_rule(sizes, ids, model.weights, entries, position)
    read = np.abs(
        unembedding(model.weights)[list(two)].astype(float)
    ).T  # [n_embd, 2]
    scale = np.abs(_scale(model, arrays, position))  # [n_embd]
    spread = (
        (np.abs(row) + np.abs(row).mean()) * scale for row in parts.values()
    )
    return ROUNDING * sum(row @ read for row in spread)


def _parts(
    model: Model, arrays: dict[str, Array], ids: Sequence[int], position: int
) -> dict[str, Array]:  # -> [n_embd] each
    """The parts that the stream at a position is the sum of: by rule, or else by head and MLP."""
    if not model.entries:
        return dict(_components(model, arrays, position))
    weights = model.weights
    return written_by_rule(arrays, ids, weights, model.entries, position)


def _components(
    model: Model, arrays: dict[str, Array], at: int
) -> Iterator[tuple[str, Array]]:
    yield "wte", arrays["embed"][at].astype(float)
    yield "wpe", arrays["pos_embed"][at].astype(float)
    for i, block in enumerate(model.weights["blocks"]):
        if "attn" in block:
            c_proj = block["attn"]["c_proj"]
            z = arrays[f"blocks.{i}.attn.z"][:, at]  # [n_head, d_head]
            rows = np.split(c_proj["w"].astype(float), len(z))
            for h, (value, back) in enumerate(zip(z, rows, strict=True)):
                yield f"{i}.h{h}", value @ back
            yield f"{i}.attention bias", c_proj["b"].astype(float)
        if "mlp" in block:
            yield f"{i}.mlp", arrays[f"blocks.{i}.mlp_out"][at].astype(float)


def _normed(
    model: Model,
    arrays: dict[str, Array],
    parts: dict[str, Array],
    position: int,
) -> dict[str, Array]:  # [n_embd] -> [n_embd] each
    """The parts after the final layer norm, if there is one, with its divisor held."""
    norm: Any = model.weights.get("ln_f")
    if norm is None:
        return parts
    scale = _scale(model, arrays, position)
    found = {name: (row - row.mean()) * scale for name, row in parts.items()}
    return {**found, NORM: norm["b"].astype(float)}


def _scale(model: Model, arrays: dict[str, Array], position: int) -> Array:
    """The factors of the final layer norm in this context, 1 without one."""  # [n_embd]
    norm: Any = model.weights.get("ln_f")
    if norm is None:
        return np.ones(model.n_embd)
    blocks = len(model.weights["blocks"])
    if blocks:
        stream = arrays[f"blocks.{blocks - 1}.resid_post"][position]  # [n_embd]
    else:
        stream = arrays["embed"][position] + arrays["pos_embed"][position]
    return norm["g"] / np.sqrt(stream.astype(float).var() + model.epsilon)


def explained(
    model: Model,
    context: Sequence[int],
    position: int | None,
    pair: tuple[object, object] | None,
) -> dict[str, list[Any]]:
    """The explanation of a wrong prediction, as plain data: `contributions` to two logits, those
    of the tokens `compared`, and `departures` where a lane left its meaning; where none is known
    to have left it, the lanes whose meaning is `unsaid`.

    pair  the ids of the right token (or of several, each of them right) and of the wrong one;
          None where no tokens are compared

    Empty where the forward pass cannot be run: a verdict does without its explanation.
    """
    ids = [int(i) for i in context]
    at = len(ids) - 1 if position is None else position
    try:
        arrays = pass_over(model, ids)
        found: dict[str, list[Any]] = {}
        if pair and (two := _two(arrays["logits"][at], *pair)) is not None:
            rows = contributions(model, arrays, ids, at, *two)
            found["compared"] = [model.vocabulary.tokens[i] for i in two]
            found["contributions"] = [vars(row) for row in rows]
        if left := departures(model, arrays, ids):
            found["departures"] = [vars(lane) for lane in left]
        elif model.program is not None:
            found |= _unsaid(model.program, found)
        return found
    except (MemoryError, HandcraftError):
        return {}


def _unsaid(
    program: Program, found: dict[str, list[Any]]
) -> dict[str, list[Any]]:
    """The lanes whose meaning would say more; none where it is the weights that are wrong."""
    rows = found.get("contributions", [])
    lanes = unsaid(program)
    if not rows or not lanes or any(row["rule"] == NO_RULE for row in rows):
        return {}
    return {"unsaid": lanes}


def _two(
    logits: Array, expected: object, got: object
) -> tuple[int, int] | None:
    """The ids of the best right token and of the wrong one: after a tie, that of the best other
    one. None where logits are not finite, or no tokens are compared.
    """
    given = expected if isinstance(expected, Iterable) else (expected,)
    right = [i for i in given if isinstance(i, int)]
    if not right or not isinstance(got, int):
        return None
    others = [i for i in range(len(logits)) if i not in right]
    wrong = [got] if got in others else others
    if not wrong:
        return None
    best, other = (
        max(ids, key=lambda i: float(logits[i])) for ids in (right, wrong)
    )
    return best, other
