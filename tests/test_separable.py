"""The bound of one attention layer, held to enumeration: it never says more texts than are right,
and none that it covers is wrong, in whatever order floats are added.
"""

from __future__ import annotations

import ast
import gzip
import json
from dataclasses import replace
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_runner import handcraft
from conftest import slow_from
from ranked import greatest, leads, model_of, noisy, run, task_of, texts

from handcraft import Model, answers, verify
from handcraft.claims.prompt_claim import Answers
from handcraft.claims.words import as_claim
from handcraft.core.errors import ProgramError
from handcraft.core.gpt2 import Array, gpt2
from handcraft.core.vocabulary import Vocabulary
from handcraft.core.weights import flatten, nest
from handcraft.proof.certificate_files import certify, check_certificate
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.prover.network import Undecided
from handcraft.proof.separable.check import check_layer, examine_layer
from handcraft.proof.separable.classes import (
    By,
    Limits,
    Pattern,
    alike_but_over,
    covers,
    example,
    occurs,
    patterns,
    texts_shown,
)
from handcraft.proof.separable.layer import OneLayer
from handcraft.proof.separable.method import layer_outcome, recorded_layer
from handcraft.proof.separable.ranking import Ranking, Shape, ranking_of
from handcraft.proof.separable.weighing import (
    Weighing,
    Worst,
    sum_by_number,
    sum_by_places,
)
from handcraft.proof.tally import Tally
from handcraft.proof.task import Outcome
from handcraft.proof.verify import METHODS, silent
from handcraft.sequence.words import best, fetch, lookup, there, tokens
from handcraft.testing import assert_accurate

DIGITS = "0123456789"
SIZES = [
    *((6, 3, ""), (5, 3, "="), (4, 4, "="), (3, 5, "")),
    *((3, 5, "="), (6, 2, ""), (4, 1, "")),
]
ORDERS = 4  # orders of summation in which each text is run
BEYOND = greatest(10, 8)  # of 10^8 prompts: too many to be asked one by one


def ranking(n: int, k: int, end: str = "") -> Ranking:
    """The order and the texts of k of n tokens."""
    claim = greatest(n, k, end)
    vocabulary = model_of(noisy(0, n, k, end).weights, end).vocabulary
    return ranking_of(claim, vocabulary, k + len(end))


def full(ranked: Ranking, shape: Shape, by: By) -> Limits:
    """The greatest limits that there are."""
    kinds = patterns(shape, by)
    return [
        [
            [kind.most(m) * occurs(shape, q, m, kind) for kind in kinds]
            for m in range(len(ranked.order))
        ]
        for q in range(len(ranked.last(shape)))
    ]


# ------------------------------------------------------------ what the claim says


def read(claim: Answers, letters: str = DIGITS, n_ctx: int = 6) -> Ranking:
    """The ranking of a claim over these letters."""
    return ranking_of(claim, Vocabulary(tuple(letters)), n_ctx)


def test_a_ranking_is_an_order_and_the_shapes_of_the_prompts() -> None:
    """Tokens without a rank may stand at places of their own, and prompts may have several
    lengths.
    """
    ranks = lookup({"a": 2, "b": -1, "c": 7}, tokens)
    claim = answers("<[abc]{1,2}>", fetch(tokens, best(ranks)), length=1)
    found = read(claim, "<abc>")
    assert found.order == (2, 1, 3)
    assert [shape.fixed for shape in found.shapes] == [
        (0, None, 4),
        (0, None, None, 4),
    ]
    assert [found.size(shape) for shape in found.shapes] == [3, 9]


def test_the_least_is_the_greatest_of_minus_the_number() -> None:
    """The score may be computed, as long as it is computed from the token alone."""
    number = lookup({digit: int(digit) for digit in DIGITS}, tokens)
    claim = answers("[0-9]{2}", fetch(tokens, best(0 - number)), length=1)
    assert read(claim).order == (9, 8, 7, 6, 5, 4, 3, 2, 1, 0)


@pytest.mark.parametrize(
    ("rule", "prompts", "reason"),
    [
        (
            lookup({"0": "0"}, tokens),
            "0{2}",
            "the claim does not ask for a token of the text",
        ),
        (
            fetch(tokens, 0),
            "[0-9]{2}",
            "the claim does not ask for the greatest token",
        ),
        (
            fetch(tokens, best(lookup({"0": 1, "1": 1}, tokens))),
            "[01]{2}",
            "two tokens have the same rank",
        ),
        (
            fetch(
                tokens,
                best(lookup({"0": 1, "1": 2}, tokens), there(tokens) == "1"),
            ),
            "[01]{2}",
            "the greatest is not chosen by the token alone",
        ),
        (
            fetch(tokens, best(lookup({"0": 1, "1": 2}, fetch(tokens, 0)))),
            "[01]{2}",
            "the greatest is not chosen by the token alone",
        ),
        (
            fetch(tokens, best(lookup({"0": 1, "1": 2}, tokens))),
            "01|10",
            "the tokens of a prompt depend on each other",
        ),
        (
            fetch(tokens, best(lookup({"0": 1, "1": 2, "2": 3}, tokens))),
            "[01][012]",
            "some of the ranked tokens cannot stand at a place",
        ),
        (
            fetch(tokens, best(lookup({"0": 1, "1": 2}, tokens))),
            "[012]{2}",
            "some of the ranked tokens cannot stand at a place",
        ),
        (
            fetch(tokens, best(lookup({"0": 1, "1": 2}, tokens))),
            "1[01]",
            "some of the ranked tokens cannot stand at a place",
        ),
        (
            fetch(tokens, best(lookup({"0": 1, "1": 2}, tokens))),
            "22",
            "a prompt holds no ranked token",
        ),
    ],
)
def test_another_claim_is_refused_with_the_reason(
    rule: Any, prompts: str, reason: str
) -> None:
    """What does not say the greatest, or is not of all texts of a shape, has no such bound."""
    claim = answers(prompts, rule, length=1)
    with pytest.raises(Rejected, match=f"^{reason}$"):
        read(claim)


def of_contexts(letters: str) -> Any:
    """The claim that the greatest of these letters follows every context."""
    ranks = {letter: i for i, letter in enumerate(letters)}
    return as_claim(fetch(tokens, best(lookup(ranks, tokens))))


def test_a_claim_on_contexts_is_of_every_length() -> None:
    """Each context up to the window counts; each token must have a rank."""
    vocabulary = Vocabulary(tuple("0123"))
    found = ranking_of(of_contexts("0123"), vocabulary, 3)
    assert [found.size(shape) for shape in found.shapes] == [4, 16, 64]
    reason = "a token of the contexts has no rank"
    with pytest.raises(Rejected, match=f"^{reason}$"):
        ranking_of(of_contexts("012"), vocabulary, 3)


def test_tokens_of_a_tokenizer_are_refused() -> None:
    """It may cut a text otherwise than into its characters."""

    class Cut(Vocabulary):
        pass

    with pytest.raises(Rejected, match=r"^the tokens come from a tokenizer$"):
        ranking_of(of_contexts("01"), Cut(("0", "1")), 3)


# ------------------------------------------------------------ the classes


@pytest.mark.parametrize("by", ["places", "number"])
@pytest.mark.parametrize("size", SIZES)
def test_with_the_greatest_limits_every_text_is_counted(
    size: tuple[int, int, str], by: By
) -> None:
    """The classes are complete, and no text counts twice."""
    ranked = ranking(*size)
    (shape,) = ranked.shapes
    limits = full(ranked, shape, by)
    assert texts_shown(shape, by, limits) == size[0] ** size[1]
    ids, _ = texts(*size)
    assert all(covers(ranked, shape, by, limits, text) for text in ids.tolist())


@pytest.mark.parametrize("by", ["places", "number"])
@pytest.mark.parametrize("size", SIZES)
def test_the_texts_of_drawn_limits_are_counted_exactly(
    size: tuple[int, int, str], by: By
) -> None:
    """As many are counted as enumeration finds in the classes; each example is one of its own
    class.
    """
    rng = np.random.default_rng(size[0] * 10 + size[1])
    ranked = ranking(*size)
    (shape,) = ranked.shapes
    kinds = patterns(shape, by)
    limits = full(ranked, shape, by)
    for q, m in product(range(len(limits)), range(len(ranked.order))):
        for group in alike_but_over(kinds):
            most = limits[q][m][group[0]]
            drawn = sorted(rng.integers(0, most + 1, len(group)).tolist())
            for i, limit in zip(group, drawn[::-1], strict=True):
                limits[q][m][i] = limit
    ids, _ = texts(*size)
    inside = [covers(ranked, shape, by, limits, t) for t in ids.tolist()]
    assert texts_shown(shape, by, limits) == sum(inside)
    for q, m, i in product(
        range(len(limits)), range(len(ranked.order)), range(len(kinds))
    ):
        if limit := limits[q][m][i]:
            text = example(ranked, shape, q, m, kinds[i], limit)
            assert covers(ranked, shape, by, limits, text)


def test_texts_of_many_places_are_counted_as_powers() -> None:
    """Of 400 places one holds the greatest of three; of the others at most one is the second: 400
    times 1 + 399 texts, whatever their number.
    """
    shape = Shape((*(None,) * 400, 3))
    kinds = patterns(shape, "number")
    numbers = [0] * len(kinds)
    for i, kind in enumerate(kinds):
        numbers[i] = int(kind.count == 1 and kind.over <= 1)
    rows = [[0] * len(kinds), [0] * len(kinds), numbers]
    assert texts_shown(shape, "number", [rows]) == 400 * (1 + 399)


# ------------------------------------------------------------ never above the exact count


def bound_of(model: Model, claim: Answers) -> tuple[Array, float | None, int]:
    """Which of all texts are covered, the margin, and the number that is stated."""
    ids, _ = texts(*_size(claim, model))
    certificate, shown = recorded_layer(task_of(model, claim))
    ranked = ranking_of(claim, model.vocabulary, model.n_ctx)
    (shape,), (part,) = ranked.shapes, certificate.lengths
    covered = [
        covers(ranked, shape, part.by, part.limits, text)
        for text in ids.tolist()
    ]
    assert check_layer(model, claim, certificate) == shown
    return np.array(covered), shown.margin, shown.covered


def _size(claim: Answers, model: Model) -> tuple[int, int, str]:
    end = "=" if claim.prompts.endswith("=") else ""
    return len(model.vocabulary) - len(end), model.n_ctx - len(end), end


@pytest.mark.parametrize("seed", slow_from(42, range(420)))
def test_no_text_that_is_covered_is_wrong_in_any_order(seed: int) -> None:
    """Drawn models, right on all texts, some or few, with numbers that nearly cancel: each text
    that is covered is right in float32 in several orders, fused or not, with an exp that is 7
    units off; where all are, none leads by less than the margin.
    """
    size = SIZES[seed % len(SIZES)]
    model, claim = noisy(seed, *size), greatest(*size)
    ids, right = texts(*size)
    runs = [leads(run(model, ids, order), right) for order in range(ORDERS)]
    least = np.min(runs, axis=0)
    try:
        covered, margin, stated = bound_of(model, claim)
    except Undecided as why:
        assert str(why) == "no text is certain to be right"  # noqa: PT017
        return
    assert not (covered & ~(least > 0)).any()
    assert stated == covered.sum() <= (least > 0).sum()
    assert margin is None or least.min() >= margin * (1 - 1e-6)


def test_the_drawn_models_are_of_every_kind() -> None:
    """Some are proved, some bounded, and most of what is right is covered: the test above asks
    something.
    """
    shares = []
    for seed in range(28):
        size = SIZES[seed % len(SIZES)]
        model = noisy(seed, *size)
        ids, right = texts(*size)
        exact = (leads(run(model, ids, 0), right) > 0).sum()
        try:
            _, _, stated = bound_of(model, greatest(*size))
        except Undecided:
            continue
        shares.append((stated / exact, stated / len(ids)))
    assert len(shares) >= 16
    assert any(share == 1 for _, share in shares)
    assert any(share < 1 for _, share in shares)
    assert np.mean([of_exact for of_exact, _ in shares]) > 0.8


def members(ids: Array, q: int, m: int, kind: Pattern, limit: int) -> Array:
    """True for each text of a class, where ids are ranks and every place is free."""
    free = ids[:, :-1]
    held = free == m
    at = np.array(
        [place in (kind.places or ()) for place in range(free.shape[1])]
    )
    here = (
        held.sum(axis=1) == kind.count
        if kind.places is None
        else (held == at).all(axis=1)
    )
    over = ((free >= limit) & (free < m)).sum(axis=1) <= kind.over
    below = ids.max(axis=1, initial=0) == m
    return np.asarray((ids[:, -1] == q) & here & over & below)


@pytest.mark.parametrize("by", ["places", "number"])
@pytest.mark.parametrize("seed", slow_from(6, range(120)))
def test_the_checker_is_right_about_every_class(seed: int, by: By) -> None:
    """Whatever a prover proposes: of each class that the checker calls right, with each limit, all
    texts lead by what it says, in several orders; where large numbers cancel in keys, in values or
    elsewhere, too.
    """
    n, k = [(5, 3), (3, 5), (7, 2), (4, 4)][seed % 4]
    model = noisy(seed, n, k, where=[None, None, 5, 6][seed // 4 % 4])
    ids, right = texts(n, k)
    runs = [leads(run(model, ids, order), right) for order in range(ORDERS)]
    least = np.min(runs, axis=0)
    ranked = ranking(n, k)
    (shape,) = ranked.shapes
    kinds = patterns(shape, by)
    weighing = Weighing(OneLayer(model), ranked, shape)
    for q, m in product(range(n), range(n)):
        asked = [
            (kind, limit)
            for kind in kinds
            if occurs(shape, q, m, kind)
            for limit in range(1, kind.most(m) + 1)
        ]
        if not asked:
            continue
        with np.errstate(all="ignore"):
            found = weighing.query(q).worst(
                m, [kind for kind, _ in asked], np.array([x for _, x in asked])
            )
        for (kind, limit), sure, lead in zip(
            asked, found.right, found.lead, strict=True
        ):
            inside = least[members(ids, q, m, kind, limit)]
            if sure and len(inside):
                assert 0 < lead <= inside.min() * (1 + 1e-9)


def underflowing() -> Model:
    """Two tokens in float64, whose weights are all e^-706 of what the greater one would have at an
    earlier place, and whose logits are 1e-17 apart: the products are below the least float64.
    """
    d, far = 4, 706.0
    wte, wpe = np.zeros((2, d)), np.zeros((5, d))
    wte[1, 0] = 1e-9
    wpe[:4, 1] = 1.0
    w, b, back = np.zeros((d, 3 * d)), np.zeros(3 * d), np.zeros((d, d))
    b[0] = 2.0  # the query, for a score of what the key is
    w[0, d], w[1, d] = far * 1e9, far
    w[0, 2 * d], b[2 * d] = 29.0, -0.9e-8
    back[0, 0] = 1.0
    attn = {
        "c_attn": {"w": w, "b": b},
        "c_proj": {"w": back, "b": np.zeros(d)},
    }
    return model_of({"wte": wte, "wpe": wpe, "blocks": [{"attn": attn}]})


def test_what_a_product_loses_to_underflow_counts_against_a_class() -> None:
    """Of 00001 each 0 pulls by 0.8e-17 and the 1 by 2.1e-17, so it is wrong; times its weight only
    the last one is above half of the least float64.
    """
    model, claim = underflowing(), greatest(2, 5)
    ids, right = texts(2, 5)
    logits = gpt2(ids, **model.weights, **model.config)[:, -1]
    assert ids[1].tolist() == [0, 0, 0, 0, 1]
    assert leads(logits, right)[1] < 0
    certificate, shown = recorded_layer(task_of(model, claim))
    assert shown.covered == 31
    (part,) = certificate.lengths
    limits = json.loads(json.dumps(part.limits))
    assert limits[1][1][0] == 0
    limits[1][1][0] = 1  # a 1 at the end alone
    forged = edited(certificate, lengths=[edited(part, limits=limits)])
    reason = "a class of texts is not certain to be right"
    with pytest.raises(Rejected, match=f"^{reason}$"):
        examine_layer(model, claim, forged)


def test_where_there_is_no_other_token_every_text_is_right() -> None:
    """No lead is stated then, as there is nothing to be ahead of."""
    model, claim = noisy(0, 1, 2), greatest(1, 2)
    report = verify(model, claim=claim, method="certificate")
    assert (report.verdict, report.contexts) == ("proved", 1)
    assert report.min_margin is None


@pytest.mark.parametrize("seed", range(8))
def test_contexts_of_every_length_are_bounded_together(seed: int) -> None:
    """As many as are right, at most, over all lengths; each is asked at its own last position."""
    model, claim = noisy(seed, 4, 4), of_contexts("0123")
    exact = 0
    for k in range(1, 5):
        ids, right = texts(4, k)
        exact += int((leads(run(model, ids, seed), right) > 0).sum())
    try:
        certificate, shown = recorded_layer(task_of(model, claim))
    except Undecided:
        return
    assert [part.length for part in certificate.lengths] == [1, 2, 3, 4]
    assert shown.contexts == 4 + 16 + 64 + 256
    assert 0 < shown.covered <= exact


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_model_of_another_dtype_has_its_own_rounding(dtype: str) -> None:
    """In float64 as much is covered, or more."""
    single = noisy(8, 5, 3, "=")
    double = single.replace(
        weights=nest(
            {k: a.astype(dtype) for k, a in flatten(single.weights).items()}
        )
    )
    claim = greatest(5, 3, "=")
    _, one = recorded_layer(task_of(single, claim))
    _, other = recorded_layer(task_of(double, claim))
    assert other.covered >= one.covered


# ------------------------------------------------------------ hand-made, and damaged


def damaged(seed: int) -> tuple[Model, Answers]:
    """The bundled program with one weight changed."""
    model = Model.open("greatest")
    rng = np.random.default_rng(seed)
    arrays = {k: a.copy() for k, a in flatten(model.weights).items()}
    name = rng.choice([k for k, a in arrays.items() if a.size])
    array = arrays[name]
    filled = np.argwhere(array) if seed % 2 else np.argwhere(array == array)
    if len(filled):
        cell = tuple(filled[rng.integers(len(filled))])
        factor = rng.choice([0, -1, 0.5, 2, 0.999])
        array[cell] = array[cell] * factor + rng.choice([0, 0, 1, -50, 2000])
    assert model.program is not None
    claim: Any = model.program.claim
    return model.replace(weights=nest(arrays), program=None), claim


@pytest.mark.parametrize("seed", slow_from(20, range(200)))
def test_no_wrong_mutant_is_proved(seed: int) -> None:
    """One weight of the greatest of four digits is changed: the bound is no higher than the number
    of the 10,000 prompts that are right.
    """
    model, claim = damaged(seed)
    ids, right = texts(10, 4)
    exact = int((leads(run(model, ids, seed), right) > 0).sum())
    report = verify(model, claim=claim, method="certificate")
    assert report.verdict in ("proved", "bounded", "unknown")
    if report.verdict == "proved":
        assert exact == 10_000
    assert (report.covered or 0) <= exact


def test_the_greatest_of_twenty_is_proved() -> None:
    """The number of prompts does not matter, only those of tokens and of places."""
    from handcraft import Head, Program, local, token

    t, size = token(DIGITS), local("size")
    head = Head(
        query={size: 1024},
        key={size: sum(int(digit) * t[digit] for digit in DIGITS)},
        value={t: t},
        adds={t: 1024 * t},
        scores="exact",
    )
    program = Program(
        name="greatest_of_20",
        embedding=(t,),
        layers=(head,),
        claim=greatest(10, 20),
        n_ctx=20,
    )
    report = verify(program, method="certificate")
    assert report.verdict == "proved"
    assert report.contexts == report.checked == 10**20
    assert report.min_margin == pytest.approx(1017.39, abs=0.01)
    assert report.covered is None


# ------------------------------------------------------------ what is not bounded


def changed(model: Model, **more: Any) -> Model:
    """A model with other arrays beside its own."""
    return model.replace(weights={**model.weights, **more})


def block_of(model: Model, **more: Any) -> Model:
    """A model whose block has other parts beside its own."""
    return changed(model, blocks=[{**model.weights["blocks"][0], **more}])


def test_a_model_that_is_not_one_attention_layer_is_refused() -> None:
    """The reason says what it has: neurons, a second block, layer norms, several heads."""
    model = noisy(8, 5, 3)
    d = model.weights["wte"].shape[1]
    one = np.ones(d, np.float32)
    fc = {"w": np.ones((d, 1), np.float32), "b": one[:1]}
    back = {"w": np.ones((1, d), np.float32), "b": one}
    reasons = {
        "the model is not one attention layer": [
            block_of(model, mlp={"c_fc": fc, "c_proj": back}),
            changed(model, blocks=model.weights["blocks"] * 2),
        ],
        "the model has layer norms, whose rounding is not bounded": [
            block_of(model, ln_1={"g": one, "b": one})
        ],
        "the layer has not one head that adds something": [
            model.replace(n_head=2)
        ],
        "the model is not causal": [model.replace(causal=False)],
    }
    for reason, models in reasons.items():
        for other in models:
            with pytest.raises(Undecided, match=f"^{reason}$"):
                recorded_layer(task_of(other, greatest(5, 3)))


def test_too_many_tokens_are_refused_before_any_work() -> None:
    """The limit is one of terms, never of time."""
    letters = "".join(chr(0x4E00 + i) for i in range(1500))
    ranks = {letter: i for i, letter in enumerate(letters)}
    claim = answers(
        f"[{letters}]{{3}}",
        fetch(tokens, best(lookup(ranks, tokens))),
        length=1,
    )
    weights = noisy(0, 6, 3).weights
    wte = np.zeros((1500, weights["wte"].shape[1]), np.float32)
    model = Model(
        "many", {**weights, "wte": wte}, Vocabulary(tuple(letters)), 1
    )
    with pytest.raises(
        Undecided, match=r"^its classes have too many terms to be followed$"
    ):
        recorded_layer(task_of(model, claim))


# ------------------------------------------------------------ certificates


def found(seed: int = 102) -> tuple[Model, Any]:
    """A model of which some texts are covered, and its certificate."""
    model = noisy(seed, 10, 8)
    certificate, _ = recorded_layer(task_of(model, BEYOND))
    return model, certificate


def edited(certificate: Any, **fields: Any) -> Any:
    """A certificate that states something else."""
    return replace(certificate, **fields)


def test_a_certificate_that_states_more_is_rejected() -> None:
    """The number of texts, a margin, the classes, the weights and the claim: nothing is
    believed.
    """
    model, certificate = found()
    (part,) = certificate.lengths
    number, of = certificate.covered, certificate.contexts
    more = {
        f"it states {number + 1} of {of} texts; its classes have {number} of {of}": {
            "covered": number + 1
        },
        "it states a margin of 1, but only 0 is certain": {"margin": 1.0},
        "it is a certificate of other weights": {"weights": "0" * 64},
        "it is a certificate of another claim": {"claim": "0" * 64},
        "it states another program, another window or other assumptions": {
            "assumptions": []
        },
        "it does not name each length of the texts once": {
            "lengths": [part, part]
        },
    }
    for reason, fields in more.items():
        with pytest.raises(Rejected) as rejected:
            check_layer(model, BEYOND, edited(certificate, **fields))
        assert str(rejected.value) == reason
    check_layer(model, BEYOND, certificate)


def test_a_table_of_limits_must_fit_the_texts() -> None:
    """Rows, columns and patterns are counted, lengths named, and no limit grows with what may be
    over it: else texts would be counted that are in no class.
    """
    model, certificate = found()
    (part,) = certificate.lengths
    grows = json.loads(json.dumps(part.limits))
    grows[0][1][3:6] = [
        0,
        1,
        0,
    ]  # once the greatest token, the rest over the limit
    short = [[row[:-1] for row in rows] for rows in part.limits]
    tables = {
        "its limits do not fit the texts": [
            {"limits": part.limits[1:]},
            {"limits": [rows[1:] for rows in part.limits]},
            {"limits": short},
            {"by": "places"},
        ],
        "a limit grows with what is over it": [{"limits": grows}],
        "it does not name each length of the texts once": [{"length": 7}],
    }
    for reason, several in tables.items():
        for fields in several:
            forged = edited(certificate, lengths=[edited(part, **fields)])
            with pytest.raises(Rejected) as rejected:
                examine_layer(model, BEYOND, forged)
            assert str(rejected.value) == reason


@pytest.mark.parametrize("seed", range(20))
def test_terms_that_cancel_are_never_summed_too_low(seed: int) -> None:
    """Terms of sizes from 1e-20 to 1e20: the sum of each pattern is at least the exact worst of all
    ways to fill the places.
    """
    rng = np.random.default_rng(seed)
    free = (0, 1, 2)
    own, below, rest = (
        rng.normal(size=(3, 1)) * 10.0 ** rng.integers(-20, 21, (3, 1))
        for _ in range(3)
    )
    below = np.maximum(below, rest)  # more is allowed
    for by in ("places", "number"):
        kinds = patterns(Shape((None,) * 4), by)  # type: ignore[arg-type]
        worst = Worst(own, below, np.repeat(rest[:, None], len(kinds), axis=1))
        group = np.arange(3)
        sums = (
            sum_by_number(group, kinds, worst)
            if by == "number"
            else sum_by_places(free, group, kinds, worst)
        )
        for kind, total in zip(kinds, sums[:, 0], strict=True):
            exact = max(
                sum(Fraction(float(x)) for x in way)
                for way in _ways(kind, own[:, 0], below[:, 0], rest[:, 0])
            )
            # what is not a number, or infinite, shows nothing
            assert not np.isfinite(total) or Fraction(
                float(total)
            ) >= exact - abs(exact) * Fraction(1, 10**12)


def _ways(kind: Pattern, own: Array, below: Array, rest: Array) -> Any:
    """The terms at each place, in every way that the pattern allows."""
    for what in product("mor", repeat=3):
        held = tuple(i for i, x in enumerate(what) if x == "m")
        if len(held) != kind.count or what.count("o") > kind.over:
            continue
        if kind.places in (None, held):
            terms = {"m": own, "o": below, "r": rest}
            yield [terms[x][i] for i, x in enumerate(what)]


def test_no_limit_can_be_raised() -> None:
    """Of each limit that is not the greatest one more is rejected: too much by the bound, or by
    what a limit can be.
    """
    size = (4, 3, "")
    model, claim = noisy(3 * 7 + 5, *size), greatest(*size)
    certificate, shown = recorded_layer(task_of(model, claim))
    assert 0 < shown.covered < shown.contexts
    (part,) = certificate.lengths
    rejected = raised = 0
    for q, m, i in product(*map(range, np.array(part.limits).shape)):
        limits = json.loads(json.dumps(part.limits))
        limits[q][m][i] += 1
        forged = edited(certificate, lengths=[edited(part, limits=limits)])
        raised += 1
        try:
            more = examine_layer(model, claim, forged)
        except Rejected:
            rejected += 1
        else:  # the prover takes off more than the checker
            assert more.covered >= shown.covered
    assert rejected >= raised * 0.97


def test_a_real_run_that_contradicts_a_bound_is_a_bug_of_ours() -> None:
    """If a covered text is run wrong the verdict is unknown, and no other method is asked."""
    model, certificate = found()
    (part,) = certificate.lengths
    ranked = ranking_of(BEYOND, model.vocabulary, 8)
    everything = full(ranked, ranked.shapes[0], part.by)
    forged = edited(certificate, lengths=[edited(part, limits=everything)])
    task = task_of(model, BEYOND)
    shown = examine_layer(model, BEYOND, certificate)
    outcome = layer_outcome(task, forged, shown)
    assert not outcome.decided
    assert outcome.reason is not None
    assert outcome.reason.startswith(
        "a bound was found and checked, but a real run disagrees after"
    )
    assert outcome.reason.endswith("this is a bug of handcraft")


@pytest.mark.parametrize("name", ["proof.json", "proof.json.gz"])
def test_a_bound_is_written_and_checked_again(name: str, here: Path) -> None:
    """The file has the classes; the report on it is the same."""
    model = noisy(102, 10, 8)
    made = certify(model, Path(name), silent, claim=BEYOND)
    again = check_certificate(model, Path(name), claim=BEYOND)
    assert made.verdict == again.verdict == "bounded"
    assert made.covered == again.covered == 76_268_015
    assert again.method == "checked certificate"


def test_a_damaged_file_is_an_error_or_rejected(here: Path) -> None:
    """Whatever is in the file: no traceback, and nothing is believed."""
    model = noisy(102, 10, 8)
    path = Path("proof.json")
    certify(model, path, silent, claim=BEYOND)
    data = json.loads(path.read_text())
    length = data["lengths"][0]
    wrong = {
        "'covered' must be a whole number": {"covered": -1},
        "'limits' must be a list": {"lengths": [{**length, "limits": 3}]},
        "'by' must be 'places' or 'number'": {"lengths": [{**length, "by": 1}]},
        "it must hold length, by, limits": {"lengths": [{}]},
        "it is no certificate of the format": {"format": "handcraft layer"},
    }
    for message, fields in wrong.items():
        path.write_text(json.dumps({**data, **fields}))
        with pytest.raises(ProgramError, match=message):
            check_certificate(model, path, claim=BEYOND)
    path.write_text(json.dumps({**data, "covered": data["covered"] + 1}))
    assert check_certificate(model, path, claim=BEYOND).verdict == "rejected"


# ------------------------------------------------------------ as it is told

CLAIM = """
from handcraft import answers
from handcraft.sequence.words import best, fetch, map_, tokens

claim = answers("[0-9]{8}", fetch(tokens, best(map_(int, tokens, over="0123456789"))), length=1)
"""


def told(seed: int, *options: str) -> Any:
    """What `handcraft verify` says of drawn weights that are held to the claim."""
    Path("claim.py").write_text(CLAIM)
    noisy(seed, 10, 8).save("drawn")
    return handcraft("verify", "drawn", "--claim", "claim.py", *options)


def test_bounded_is_told_with_the_number_of_prompts(here: Path) -> None:
    """The share is rounded down; a prompt that a run found wrong is shown, and no tables of it."""
    result = told(102)
    assert result.code == 0
    lines = result.out.splitlines()
    assert lines[0] == "drawn: bounded (certificate, float32)"
    assert lines[2].strip() == (
        "accuracy    at least 0.76268015: 76,268,015 are surely right, in any order of"
        " summation"
    )
    assert any(line.startswith("  wrong after") for line in lines)
    assert "attention of each row" not in result.out


def test_bounded_in_json(here: Path) -> None:
    """The count and the share, beside a null accuracy: nobody counted that."""
    found = told(102, "--json").json
    assert found["verdict"] == "bounded"
    assert found["covered"] == 76_268_015
    assert found["accuracy_at_least"] == 0.76268015
    assert found["contexts"] == found["checked"] == 10**8
    assert found["accuracy"] is None
    assert found["counterexample"]["margin"] < 0


def test_less_than_half_decides_nothing(here: Path) -> None:
    """The verdict is the same, and the exit code 3."""
    result = told(24, "--json")
    assert result.code == 3
    assert result.json["verdict"] == "bounded"
    assert result.json["accuracy_at_least"] < 0.5


def test_a_bound_is_written_by_the_command_line(here: Path) -> None:
    """Weights without rules have a certificate too, where the claim says the greatest."""
    result = told(97, "--certificate", "proof.json.gz")
    assert result.code == 0
    assert result.out.endswith("\nwrote proof.json.gz\n")
    data = json.loads(gzip.decompress(Path("proof.json.gz").read_bytes()))
    assert data["format"] == "handcraft layer certificate 1"
    assert data["covered"] == 98_422_585
    assert told(97, "--check", "proof.json.gz").code == 0
    other = told(157, "--check", "proof.json.gz")
    assert other.code == 1
    assert "it is a certificate of other weights" in other.out


def test_a_few_prompts_are_asked_one_by_one_first() -> None:
    """Where every prompt can be asked, the exact count says more than a bound."""
    size = (6, 3, "")
    model, claim = noisy(14, *size), greatest(*size)
    bound = verify(model, claim=claim, method="certificate")
    exact = verify(model, claim=claim)
    assert bound.verdict == "bounded"
    assert exact.method == "exhaustive"
    assert exact.verdict == "refuted"


def test_a_bound_stands_where_no_later_method_decides(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An enumeration that ends before it is done takes nothing away."""
    stopped = Outcome(Tally(), decided=False, reason="the time was over")
    monkeypatch.setitem(METHODS, "exhaustive", lambda _: stopped)
    size = (6, 3, "")
    model, claim = noisy(14, *size), greatest(*size)
    report = verify(model, claim=claim)
    assert (report.verdict, report.method) == ("bounded", "certificate")


def test_a_program_with_a_wrong_text_is_refuted_and_the_bound_is_told() -> None:
    """Rules that are wrong somewhere are refuted by the text that a run found."""
    from handcraft import Head, Program, local, token

    t, size = token(DIGITS), local("size")
    sizes = {
        d: int(d) if d != "9" else 8 for d in DIGITS
    }  # 8 and 9 weigh alike
    head = Head(
        query={size: 1024},
        key={size: sum(sizes[d] * t[d] for d in DIGITS)},
        value={t: t},
        adds={t: 1024 * t},
        scores="exact",
    )
    program = Program(
        name="slip", embedding=(t,), layers=(head,), claim=BEYOND, n_ctx=8
    )
    report = verify(program)
    assert report.verdict == "refuted"
    assert report.exit_code == 1
    # right: texts without 8 or without 9, and those with more 9 than 8
    assert report.covered is not None
    assert 9**8 <= report.covered <= 10**8
    assert report.counterexample is not None
    assert report.counterexample.expected == "9"


def test_an_authors_own_test_fails_on_a_bound() -> None:
    """Of the other texts nobody knows; a sample is not asked for either."""
    model = noisy(97, 10, 8)
    with pytest.raises(AssertionError) as failed:
        assert_accurate(model, claim=BEYOND, sampled=True)
    assert str(failed.value).startswith(
        "drawn: only 98422585 of 100000000 are surely right; drawn after"
    )


def test_a_share_is_never_rounded_up() -> None:
    """The report's share, as a fraction, is at most the count's."""
    for seed in (24, 102, 97, 157):
        report = verify(noisy(seed, 10, 8), claim=BEYOND)
        assert report.covered is not None
        assert report.accuracy_at_least is not None
        share = Fraction(report.covered, report.contexts)
        told = Fraction(repr(report.accuracy_at_least))
        assert told <= share < told + Fraction(1, 10**10)


# ------------------------------------------------------------ the house


def test_the_checkers_part_imports_nothing_of_the_provers() -> None:
    """What judges a bound does not know how it is found."""
    folder = Path(ranking_of.__code__.co_filename).parent
    for name in ("ranking", "classes", "certificate", "layer", "weighing"):
        _alone(folder / f"{name}.py")
    _alone(folder / "check.py")


def _alone(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            mine = node.module.startswith("handcraft.proof.")
            allowed = (
                "handcraft.proof.checker.",
                "handcraft.proof.assumptions",
                *(
                    f"handcraft.proof.separable.{part}"
                    for part in ("ranking", "classes", "certificate", "layer")
                ),
                "handcraft.proof.separable.weighing",
            )
            assert not mine or node.module.startswith(allowed), (
                path,
                node.module,
            )
