"""Bundled programs with small windows and alphabets, so that every context can be asked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from handcraft.claims.kinds import Distribution, Residual
from handcraft.claims.prompt_claim import Answers
from handcraft.claims.reference import Reference
from handcraft.core.gpt2 import Array, gpt2, recorder
from handcraft.files.bundled import bundled
from handcraft.files.program_file import load_program
from handcraft.model import Model
from handcraft.program.program import Program

LETTERS = (r"from string import ascii_lowercase as LETTERS", 'LETTERS = "abc"')
EDITS: dict[
    str, tuple[tuple[str, str], ...]
] = {  # of each program's source: what is replaced
    "aab": (),
    "abc": ((r"position\(6\)", "position(4)"),),
    "baby_gpt": (),
    "bigram": (),
    "copy_previous": (LETTERS, (r"position\(64\)", "position(4)")),
    "induction": (LETTERS, (r"induction\(64", "induction(5")),
    "parity": ((r"addresses\(64", "addresses(7"), (r"\{0,62\}", "{0,5}")),
    "flip_flop": ((r"addresses\(32", "addresses(8"), (r"\{0,14\}", "{0,2}")),
    "counter": (
        ("WIDTH, N_CTX = 8, 32", "WIDTH, N_CTX = 3, 9"),
        (r"\{8\}", "{3}"),
        ("length=24", "length=6"),
    ),
    "majority": (
        LETTERS,
        ("N_CTX = 64", "N_CTX = 6"),
        (r"\[a-z\]\{1,62\}", "[a-c]{1,4}"),
    ),
    "count_letter": (
        LETTERS,
        ("N_CTX = 32", "N_CTX = 8"),
        (r"\[a-z\]\{1,28\}\\\?\[a-z\]", r"[a-c]{1,4}\\?[a-c]"),
    ),
    "causal_mean": (
        ('DIGITS = "0123456789"', 'DIGITS = "013"'),
        ("n_ctx=64", "n_ctx=5"),
    ),
    "sort": (
        ('LETTERS = "abcdef"', 'LETTERS = "abc"'),
        (r"position\(50", "position(9"),
        (r"\[a-f\]\{0,24\}", "[a-c]{0,3}"),
    ),
    "dfa": ((r"n_ctx=32", "n_ctx=8"),),
    "two_hop": ((r"two_hop\(\(3, 8, 26\), 14\)", "two_hop((3,), 2)"),),
    "adder": ((r"adder\(10\)", "adder(1)"),),
    "trigram": (),
}


@cache
def reduced(name: str) -> Program:
    """A bundled program with its source changed."""
    path = bundled()[name]
    if name == "trigram":
        return load_program(path)
    source = path.read_text()
    for old, new in EDITS[name]:
        assert re.search(old, source), f"{name}: {old} is not in the program"
        source = re.sub(old, new, source)
    names: dict[str, Any] = {"__name__": name, "__file__": str(path)}
    exec(compile(source, str(path), "exec"), names)
    program = names["program"]
    assert isinstance(program, Program)
    return program


@dataclass
class Asked:
    """All contexts of one length [n, n_seq] and what must follow each."""

    ids: Array
    expected: list[Any]


@cache
def asked(name: str) -> tuple[Asked, ...]:
    """Every context of a reduced program that its claim speaks of, asked in plain Python."""
    return tuple(asked_of(Model.of(reduced(name))))


def asked_of(model: Model) -> list[Asked]:
    """Every context that a model's claim speaks of, with what must follow."""
    by_length: dict[int, tuple[list[Any], list[Any]]] = {}
    for context, expected in _contexts(model):
        row = by_length.setdefault(len(context), ([], []))
        row[0].append(context)
        row[1].append(expected)
    return [
        Asked(np.array(ids), expected) for ids, expected in by_length.values()
    ]


def _contexts(model: Model) -> Iterator[tuple[tuple[int, ...], Any]]:
    claim, vocabulary = model.program.claim, model.vocabulary  # type: ignore[union-attr]
    if isinstance(claim, Answers):
        for prompt in claim.language(model.n_ctx, vocabulary):
            ids, answer = (
                vocabulary.encode(prompt),
                vocabulary.encode(
                    claim.expected(prompt, vocabulary, model.n_ctx)
                ),
            )
            for i, token in enumerate(answer):
                yield (*ids, *answer[:i]), token
        return
    reference, level = Reference(claim, vocabulary), [()]
    for _ in range(model.n_ctx):
        level = [(*c, t) for c in level for t in range(len(vocabulary))]
        for context in level:
            found = reference(tuple(vocabulary.tokens[i] for i in context))
            if found is not None:
                yield (
                    context,
                    vocabulary.ids[found] if isinstance(found, str) else found,
                )


def enumerated(
    model: Model, contexts: tuple[Asked, ...] | list[Asked]
) -> tuple[bool, float, int]:
    """Whether every context is right by the plain forward pass, the least margin or greatest
    error, and how many there are.
    """
    claim = model.program.claim  # type: ignore[union-attr]
    right, worst, n = True, np.inf, 0
    for some in contexts:
        seen: dict[str, Array] = {}
        with np.errstate(all="ignore"):
            logits = gpt2(
                some.ids, **model.weights, **model.config, hook=recorder(seen)
            )[:, -1].astype(np.longdouble)
        n += len(some.ids)
        if not np.isfinite(logits).all():
            return False, -np.inf, n
        if isinstance(claim, Distribution):
            powers = np.exp(logits - logits.max(axis=1, keepdims=True))
            rows = np.array(
                [
                    [row.get(t, 0.0) for t in model.vocabulary.tokens]
                    for row in some.expected
                ]
            )
            error = float(
                np.abs(powers / powers.sum(axis=1, keepdims=True) - rows).max()
            )
        elif isinstance(claim, Residual):
            column = model.program.layout.column  # type: ignore[union-attr]
            lane = next(
                i for key, i in column.items() if str(key) == claim.lane
            )
            error = float(
                np.abs(
                    seen["resid_final"][:, -1, lane]
                    - np.array([float(x) for x in some.expected])
                ).max()
            )
        else:
            own = np.take_along_axis(
                logits, np.array(some.expected)[:, None], axis=1
            )
            others = np.where(
                np.arange(logits.shape[1]) == np.array(some.expected)[:, None],
                -np.inf,
                logits,
            )
            least = float((own - others).min())
            right, worst = right and least > 0, min(worst, least)
            continue
        right, worst = right and error <= claim.tolerance, min(worst, -error)
    return right, worst, n
