"""Forged certificates that were once accepted: nothing about the models is true that they say,
and each is refused.
"""

from __future__ import annotations

import gzip
import math
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_runner import handcraft

from handcraft import (
    MLP,
    Head,
    Model,
    Neuron,
    Program,
    after,
    answers,
    local,
    position,
    scratch,
    token,
    transducer,
)
from handcraft.proof import verify
from handcraft.proof.assumptions import ASSUMPTIONS
from handcraft.proof.checker import Certificate, Rejected, examine
from handcraft.proof.checker.certificate import (
    HeadQuery,
    Section,
    claim_hash,
    weights_hash,
)
from handcraft.proof.checker.network import Network
from handcraft.sequence.words import cases, equal, here, latest, step, token_at

GAP = 40.0


def forged(model: Model, sections: list[Section], **fields: Any) -> Certificate:
    """A certificate for a model with the right hashes; what it states of numbers is not asked
    by `examine`.
    """
    whole: dict[str, Any] = {
        "program": model.name,
        "weights": weights_hash(model),
        "claim": claim_hash(model),
        "dtype": model.dtype,
        "n_ctx": model.n_ctx,
        "contexts": 0,
        "checked": 0,
        "margin": None,
        "margin_at": [],
        "error": 0.0,
        "assumptions": list(ASSUMPTIONS),
        "seconds": 0.0,
        "alphabet": [],
        "followed": {},
        "sections": sections,
        "groups": [list(range(len(model.vocabulary)))],
    }
    return Certificate(**(whole | fields))


def test_the_token_that_is_read_last_must_be_listed_like_the_others() -> None:
    """Position 0 is read last, and of its tokens a alone is listed: a blind head would know
    nothing of b.
    """
    p, t, v, m = position(2), token("abxy"), scratch("v"), local("m", "0")
    look = Head(
        query={m["0"]: 1024 * p[1]},
        key={m["0"]: p[0]},
        value={v: t["b"]},
        adds={t["x"]: 8, t["y"]: 16 * v},
    )
    copy = transducer(
        step + 1, {(0, "a"): ("x", 0), (0, "b"): ("x", 0)}, start=0
    )
    model = Program(
        embedding=(p, t, v),
        layers=(look,),
        claim=answers("[ab]{2}", copy, length=1),
    ).build()
    own = Section(
        ((1, 0), (1, 1)),
        1,
        (),
        (1, 0),
        (HeadQuery((0, 0), None, GAP, ()),),
        [[[0, 0, 1, 1]]],
    )
    lie = forged(
        model,
        [own],
        groups=[[0], [1]],
        tokens=[[0], [0, 1]],
        after=[[[0]], [[0, 0]]],
    )
    with pytest.raises(Rejected, match="token 1 is not listed at position 0"):
        examine(model, lie)


def test_groups_that_a_join_made_alike_are_all_counted() -> None:
    """Two groups get the same interval of scores; a key of that interval belongs to both sums,
    and to both counts.
    """
    p, t, w, v, m = (
        position(3),
        token("xy"),
        scratch("w"),
        scratch("v"),
        local("m", "012"),
    )
    # positions 0 and 1 look at themselves, position 2 at position 1: w is 1 where y stands
    # there
    copy = Head(
        query={m["0"]: 1024 * p[0], m["1"]: 1024 * p[1] + 1024 * p[2]},
        key={m["0"]: p[0], m["1"]: p[1]},
        value={w: t["y"]},
        adds={w: w},
    )
    mean = Head(
        query={m["0"]: p[0] + p[1] + p[2]},
        key={m["0"]: 2.0**-7 * w},
        value={v: 3 * p[0] + 3 * p[1] - 3 * p[2]},
        adds={t["x"]: 4 * v, t["y"]: 4.5},
        scores="exact",
    )
    claim = after({"x": "x", "y": "x"})
    model = Program(
        embedding=(p, t, w, v), layers=(copy, mean), claim=claim
    ).build()
    network = Network(model)
    head = network.heads[1][0]
    query = [float(x) for x in network.wpe[0] @ head.q[0] + head.q[1]]
    slot = HeadQuery((1, 0), (query, [0.0] * len(query)), GAP, ())
    graphs = [[[[0, 0]]] * level for level in range(3)]
    sections = [
        Section(((k, 0), (k, 1)), None, (), None, (slot,), graph)
        for k, graph in enumerate(graphs)
    ]
    followed = {(0, 0): (GAP, [[], [1], []])}
    lie = forged(
        model,
        sections,
        tokens=[[0, 1]] * 3,
        after=[[[0, 0]], [[0, 1]], [[0, 0], [0, 0]]],
        followed=followed,
    )
    with pytest.raises(Rejected, match="the margin may be -") as refusal:
        examine(model, lie)
    assert refusal.value.context in set(product((0, 1), repeat=3))


@pytest.mark.slow
@pytest.mark.parametrize("lists", [2 * 10**6, 2 * 10**7])
def test_a_small_file_that_would_fill_the_memory_is_refused_unread(
    lists: int, tmp_path: Path
) -> None:
    """Some kilobytes of a gzipped file stand for millions of empty lists: they are counted
    before they are made.
    """
    data = (
        b'{"format": "handcraft certificate 2", "x": ['
        + b"[]," * lists
        + b"[]]}"
    )
    (tmp_path / "bomb.json.gz").write_bytes(gzip.compress(data, 9))
    found = handcraft("verify", "aab", "--check", tmp_path / "bomb.json.gz")
    assert found.code == 2
    said = (
        f"it has {lists + 3} lists and {lists + 1} items; at most 1048576 and 8388608"
        " are read"
    )
    assert found.err == f"error: {tmp_path / 'bomb.json.gz'}: {said}\n"


def plain_section(
    places: int,
    tokens: int,
    slots: tuple[HeadQuery, ...] = (),
    at: range | None = None,
) -> Section:
    """Contexts that end at these places with any token; whatever is read, nothing is told apart."""
    levels = range(places) if at is None else at
    finals = tuple(
        (level, token) for level in levels for token in range(tokens)
    )
    return Section(finals, None, (), None, slots, [[[0, 0]]] * places)


def test_scores_that_are_hidden_are_subtracted_once() -> None:
    """Four positions have the score 2^60, and three are left out by a floor while the best
    rises from -100: a tie, not 128.
    """
    n, big, tokens = 6, 2.0**30, [chr(0x4E00 + i) for i in range(52)]
    odd = tokens[20:23]
    p, t, v, h, m = (
        position(n),
        token(tokens),
        scratch("v", "123"),
        scratch("h", "123"),
        local("m", "0"),
    )
    look = Head(
        query={m["0"]: big * sum((p[i] for i in range(1, n)), start=1 * p[0])},
        key={
            m["0"]: (
                -100 / big * p[0]
                + big * (p[1] + p[2] + p[3])
                + 100 / big * p[4]
                + big * p[5]
            )
        },
        value={v["123"[i]]: t[odd[i]] for i in range(3)},
        adds={v[x]: v[x] for x in "123"},
        scores="exact",
    )
    some = MLP(
        [
            Neuron(when=64 * v[x] - place, adds={h[x]: by})
            for x in "123"
            for place, by in ((8, 1.0), (24, -2.0))
        ]
    )
    all_three = Neuron(
        when=h["1"] + h["2"] + h["3"] - 16, adds={t[tokens[1]]: 4.0}
    )
    every = MLP([all_three], adds={t[tokens[0]]: 16})
    claim = cases((equal(here, n - 1), tokens[0]))
    model = Program(
        embedding=(p, t, v, h), layers=(look, some, every), claim=claim
    ).build()
    network = Network(model)
    head = network.heads[0][0]
    query = [
        float(x)
        for x in (
            network.embed(np.array([0]), np.array([1])).c[0] @ head.q[0]
            + head.q[1]
        )
    ]
    slot, top = HeadQuery((0, 0), (query, [0.0]), GAP * 8, ()), 2.0**60 * 8
    hiding = HeadQuery(
        (0, 0), (query, [0.0]), GAP * 8, (-math.inf, top, top, top, -math.inf)
    )
    sections = [
        plain_section(n, 52, (slot,), range(n - 1)),
        plain_section(n, 52, (hiding,), range(n - 1, n)),
    ]
    lie = forged(
        model, sections, tokens=[list(range(52))] * n, after=[[[0] * 52]] * n
    )
    with pytest.raises(
        Rejected, match="a key that was left out may be the best"
    ):
        examine(model, lie)


def lanes_that_cancel(dtype: str, ahead: float) -> Model:
    """E is ahead of o by so much: o is two great numbers that cancel, e two hundred that vanish
    beside them.
    """
    tokens, size = "eostuvwxyz", 200
    t, a, p = (
        token(tokens),
        scratch("a", [f"x{i}" for i in range(size + 2)]),
        position(1),
    )
    program = Program(
        name="lanes",
        embedding=(t, a, p),
        layers=(),
        claim=after(dict.fromkeys(tokens[2:], "e")),
    )
    model = Model.of(program, dtype)
    lanes = [
        i
        for i, name in enumerate(program.layout.names)
        if name.startswith("a:")
    ]
    wte, wpe = (
        np.zeros_like(model.weights["wte"]),
        np.zeros_like(model.weights["wpe"]),
    )
    wpe[0, lanes] = 1.0
    wpe[0, lanes[-1]], wte[2:, lanes[-1]] = (
        8192,
        -4096,
    )  # the other tokens are far behind
    wte[1, lanes[0]], wte[1, lanes[size - 1]] = -1.5 * 2.0**53, 1.5 * 2.0**53
    wte[0, lanes[1 : size - 1]], wte[0, lanes[size]] = -1.0, size - 2 + ahead
    return model.replace(weights={**model.weights, "wte": wte, "wpe": wpe})


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_sum_of_many_lanes_is_charged_for_each(dtype: str) -> None:
    """The checker's own sum of a difference has as many terms as both logits: it may lose what
    each of them would keep.
    """
    model = lanes_that_cancel(dtype, -50.0)
    lie = forged(
        model,
        [plain_section(1, 10)],
        tokens=[list(range(10))],
        after=[[[0] * 10]],
    )
    with pytest.raises(Rejected, match="the margin may be -"):
        examine(model, lie)
    report = verify(lanes_that_cancel(dtype, 50.0))
    assert (report.verdict, report.min_margin) in (
        ("proved", 50.0),
        ("checked", 50.0),
    )


def test_a_difference_of_weights_that_rounds_is_not_taken_for_exact() -> None:
    """Twenty differences lose half a last bit each: the margin is 2e-22, and no proof says
    2e-16.
    """
    k = -np.arange(1.0, 21)
    t, a, p = (
        token("seo"),
        scratch("a", [f"x{i}" for i in range(41)]),
        position(1),
    )
    program = Program(
        name="rounded", embedding=(t, a, p), layers=(), claim=after({"s": "e"})
    )
    model = Model.of(program, "float64")
    lanes = [
        i
        for i, name in enumerate(program.layout.names)
        if name.startswith("a:")
    ]
    wte, wpe = (
        np.zeros_like(model.weights["wte"]),
        np.zeros_like(model.weights["wpe"]),
    )
    wpe[0, lanes] = 1.0
    wte[1, lanes] = [
        *(2.0**k + 2.0**-52),
        *(-(2.0**k)),
        -19 * 2.0**-52,
    ]  # e sums to 2^-52
    wte[2, lanes] = [
        *2.0 ** (k - 53),
        *2.0 ** (k - 53),
        0.0,
    ]  # o to half a last bit less of each
    report = verify(
        model.replace(weights={**model.weights, "wte": wte, "wpe": wpe})
    )
    assert report.min_margin == pytest.approx(
        2.0**-52 - 2.0**-52 * (1 - 2.0**-20), rel=1e-3
    )


def test_a_claim_that_looks_far_back_is_refused_before_anything_is_kept() -> (
    None
):
    """A billion positions would be kept of every state: the checker says that it is too far."""
    p, t = position(3), token("ab")
    claim = token_at(latest({-(10**9): "a"}))
    model = Program(embedding=(p, t), layers=(), claim=claim).build()
    lie = forged(
        model, [plain_section(3, 2)], tokens=[[0, 1]] * 3, after=[[[0, 0]]] * 3
    )
    with pytest.raises(
        Rejected, match="the claim looks back by more than 1000 tokens"
    ):
        examine(model, lie)
