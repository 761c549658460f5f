"""Scores that are too small for what they name: what is warned of, and what is not."""

from __future__ import annotations

import json
import math
import warnings
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_runner import handcraft
from conftest import EVERY_PROGRAM, bundled_program
from pairs import write

from handcraft import Head, Model, Program, position, scratch, token
from handcraft.core.errors import AuthorWarning
from handcraft.program.sharpness import leaks
from handcraft.recipes import (
    attend_where,
    kernel,
    mean,
    mean_where,
    running_sum,
)

N = 5
p, t, v = position(N), token("^ab"), scratch("v")


def told(*layers: Any, causal: bool = True) -> list[str]:
    """What the author of these layers is told, without the file and line."""
    program = Program(
        name="small", embedding=(p, t, v), layers=layers, causal=causal
    )
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        program.build()
    assert all(x.category is AuthorWarning for x in found)
    assert all(x.filename == __file__ for x in found)
    return [str(x.message) for x in found]


def pair(large: float, **options: Any) -> Head:
    """A head that names its own position and the one before."""
    return Head(
        query=large * (p + p.previous), key=p, value={v: t["a"]}, **options
    )


def share(gap: float, named: int, others: int) -> float:
    """The attention that the others keep, by softmax number by number."""
    powers = [math.exp(gap)] * named + [1.0] * others
    return sum(powers[named:]) / sum(powers)


ABOVE = "the scores of what it names are only"


@pytest.mark.parametrize("causal", [True, False])
def test_a_small_factor_is_told_with_the_number_that_would_do(
    causal: bool,
) -> None:
    """In rows of two named positions among five, exp(-gap) of each of the three others is left."""
    kept = share(8 / 3, named=2 if causal else 1, others=3 if causal else 4)
    assert told(pair(8), causal=causal) == [
        (
            f"small > layers[0] > query: {ABOVE} 2.67 above the others (divided by"
            f" sqrt(d_head)), which keep up to {100 * kept:.2g} % of the attention;"
            " with 61 instead of 8 they keep none"
        )
    ]


def test_the_number_that_is_told_does() -> None:
    """With that number float32 sees the named positions only, and with it nothing is told."""
    assert told(pair(61)) == []
    values = []
    for large in (61, 2.0**20):
        model = Program(embedding=(p, t, v), layers=(pair(large),)).build()
        values.append(model.trace("abbab").arrays["blocks.0.resid_mid"])
    assert np.abs(values[0] - values[1]).max() < 2.0**-24


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (
            pair(8, scores="exact", name="find"),
            (
                f"small > layers[0] > find > query: {ABOVE} 8 above the others, which keep"
                f" up to {100 * share(8, 2, 3):.2g} % of the attention; with 21 instead of 8"
                " they keep none"
            ),
        ),
        (
            Head(query=p, key=7 * p, value={v: t["a"]}, scores="exact"),
            (
                f"small > layers[0] > query: {ABOVE} 7 above the others, which keep up to"
                f" {100 * share(7, 1, 4):.2g} % of the attention; with 21 instead of 7 they"
                " keep none"
            ),
        ),
        (
            Head(query=p, value={v: t["a"]}, scores="exact"),
            (
                f"small > layers[0] > query: {ABOVE} 1 above the others, which keep up to"
                f" {100 * share(1, 1, 4):.2g} % of the attention; with a query 20.4 times as"
                " large they keep none"
            ),
        ),
        (
            Head(query=6.5 * t, key=t, value={v: t["a"]}, scores="exact"),
            (
                f"small > layers[0] > query: {ABOVE} 6.5 above the others, which keep up to"
                f" {100 * share(6.5, 1, 4):.2g} % of the attention; with 21 instead of 6.5"
                " they keep none"
            ),
        ),
    ],
    ids=["exact scores", "the key's factor", "no factor", "tokens"],
)
def test_every_form_of_a_small_factor_is_told(head: Head, message: str) -> None:
    """The factor may stand at the query or the key, and the names may be tokens."""
    assert told(head) == [message]


@pytest.mark.parametrize(
    "layers",
    [
        pytest.param((mean({v: t["a"]}),), id="uniform"),
        pytest.param(
            (kernel(p, {0: 2, 1: 1}, value={v: t["a"]}),), id="a kernel"
        ),
        pytest.param(
            (kernel(p, {1: 1}, value={v: t["a"]}),), id="one position back"
        ),
        pytest.param(
            (
                Head(
                    query={x: math.log(3) * x for x in p},
                    value={v: t["a"]},
                    scores="exact",
                ),
            ),
            id="three times the weight",
        ),
        pytest.param((running_sum(t["^"], {v: t["a"]}),), id="an anchor"),
        pytest.param(
            (
                Head(
                    query={v: math.log(2**10)},
                    key={v: t["^"]},
                    value={v: t["a"]},
                    scores="exact",
                ),
            ),
            id="a light anchor",
        ),
        pytest.param((mean_where(t["a"], {v: t["b"]}),), id="a flag"),
        pytest.param((attend_where({t: t}, value={v: t["b"]}),), id="a match"),
        pytest.param(
            (
                Head(
                    query={v: 3 * t["a"] + p[2]},
                    key={v: t["b"]},
                    value={v: t["a"]},
                ),
            ),
            id="of tokens and positions at once",
        ),
        pytest.param(
            (mean({v: t["a"]}), Head(query=v, key=3 * v, value={v: t["a"]})),
            id="of what an earlier layer wrote",
        ),
    ],
)
def test_what_may_be_meant_is_not_told(layers: tuple[Head, ...]) -> None:
    """Uniform heads, kernels, weights, anchors, and scores that nothing is known of."""
    assert told(*layers) == []


before, found = scratch("before", "^ab"), scratch("found", "^ab")
COPY = Head(query=1024 * p.previous, value={before: t})


def after_a_copy(copy: Head, factor: float, *between: Any) -> Program:
    """A program whose last head looks for the token of its own position among copied ones."""
    content = Head(
        query={before: factor * before}, value={found: t}, scores="exact"
    )
    return Program(
        name="small",
        embedding=(p, t, before, found),
        layers=(copy, *between, content),
    )


def told_of(program: Program) -> list[str]:
    """What the author of this program is told."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        program.build()
    return [str(x.message) for x in said]


def test_a_small_factor_is_told_where_copies_are_compared() -> None:
    """The scores are 2 where the copied tokens agree and 0 elsewhere; the share is the greatest
    that any of the 363 contexts gives to what does not agree.
    """
    program = after_a_copy(COPY, 2)
    (message,) = told_of(program)
    model, worst = program.build(), 0.0
    for n in range(1, N + 1):
        for tokens in product("^ab", repeat=n):
            trace = model.trace(tokens)
            rows = trace.residual[1]["positions"]
            copied = [
                tuple(round(row[f"before:{x}"]) for x in "^ab") for row in rows
            ]
            weights = trace.heads[1].weights[-1]
            pairs = zip(weights, copied, strict=True)
            worst = max(worst, sum(w for w, x in pairs if x != copied[-1]))
    assert message == (
        f"small > layers[1] > query: {ABOVE} 2 above the others, which keep up to"
        f" {100 * worst:.2g} % of the attention; with 21 instead of 2 they keep none"
    )
    assert told_of(after_a_copy(COPY, 21)) == []


@pytest.mark.parametrize(
    ("copy", "between"),
    [
        (COPY.model_copy(update={"query": 3 * p.previous}), ()),
        (mean({before: t}), ()),
        (COPY, ({before["a"]: 1},)),
    ],
)
def test_what_is_copied_must_be_certain(
    copy: Head, between: tuple[Any, ...]
) -> None:
    """Nothing is told of the head that compares where a soft head, a mean or another rule has a
    part in the copies.
    """
    said = told_of(after_a_copy(copy, 2, *between))
    last = f"layers[{1 + len(between)}]"
    assert not any(last in line for line in said)


@pytest.mark.parametrize("name", EVERY_PROGRAM)
def test_nothing_is_told_of_a_bundled_program(name: str) -> None:
    """The bundled programs give no warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bundled_program(name).build()


def test_weights_with_layer_norms_are_passed_over() -> None:
    """What a layer norm does to a score is not known."""
    model = Program(embedding=(p, t, v), layers=(pair(8),)).build()
    weights = model.weights
    norm = {"g": np.ones(model.n_embd, "f4"), "b": np.zeros(model.n_embd, "f4")}
    normed = {**weights, "blocks": [{**weights["blocks"][0], "ln_1": norm}]}
    assert len(list(leaks(weights, 1, causal=True))) == 1
    assert list(leaks(normed, 1, causal=True)) == []


SOFT = """
from handcraft import *
p, t, v = position(5), token("ab"), scratch("v")
pair = Head(query=8 * (p + p.previous), key=p, value={v: t["a"] - t["b"]},
            adds={t["a"]: 8 - 8 * v, t["b"]: 8 * v})
program = Program(embedding=(p, t, v), layers=(pair,), claim=after({"aa": "b"}))
"""
LINE = (
    "soft > layers[0] > query: the scores of what it names are only 2.83 above the others"
    " (divided by sqrt(d_head)), which keep up to 8.1 % of the attention; with 58"
    " instead of 8 they keep none"
    " (soft.py:4)"
)


def test_the_command_line_tells_in_one_line_on_stderr(here: Path) -> None:
    """The answer on stdout and the exit code are as they were; with --json the line is an
    object.
    """
    write("soft.py", SOFT)
    write("sharp.py", SOFT.replace("8 * (p", "58 * (p"))
    plain = handcraft("run", "soft.py", "ab", "-n", "1")
    assert (plain.code, plain.err) == (0, f"warning: {LINE}\n")
    sharp = handcraft("run", "sharp.py", "ab", "-n", "1")
    assert (sharp.code, sharp.out, sharp.err) == (0, plain.out, "")
    found = handcraft("verify", "soft.py", "--json")
    assert json.loads(found.err) == {"warning": LINE}
    assert json.loads(found.out)["verdict"] == "proved"


def test_a_built_directory_is_not_told_again(here: Path) -> None:
    """Its author was told when it was built."""
    write("soft.py", SOFT)
    assert handcraft("build", "soft.py", "--out", "built").err
    assert handcraft("run", "built", "ab", "-n", "1").err == ""
    assert isinstance(Model.load("built"), Model)
