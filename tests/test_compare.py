"""Two models side by side: each number of the report is computed again in plain Python, from
nothing but the forward pass.
"""

from __future__ import annotations

import base64
import html
import json
import math
import re
from collections.abc import Iterator
from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_runner import handcraft
from conftest import bundled_model, slow_from
from drawn_weights import random_weights

from handcraft import (
    Head,
    Model,
    Program,
    compare,
    position,
    scratch,
    tag,
    token,
    verify,
)
from handcraft import states as states_of
from handcraft.core.errors import ProgramError
from handcraft.core.gpt2 import gpt2, softmax
from handcraft.core.vocabulary import Vocabulary
from handcraft.core.weights import flatten, nest
from handcraft.sequence.words import count, there, tokens
from handcraft.training.comparing import ablations, contexts
from handcraft.training.comparing.assignment import MOST_TRIED, assignment
from handcraft.training.comparing.patterns import by_distance

FOLLOWS = {"aa": "b", "ab": "a", "ba": "a"}


def aab(word: str = "ab", large: float = 1024, n_ctx: int = 5) -> Model:
    """The program aab with its tokens in some order and scores of some size."""
    p, t, v = position(n_ctx), token(word), scratch("v")
    pair = Head(
        query=large * (p + p.previous),
        key=p,
        value={v: t["a"] - t["b"]},
        adds={t["a"]: 8 - 8 * v, t["b"]: 8 * v},
    )
    return Program(
        name="aab", embedding=(p, t, v), layers=(pair,), claim=FOLLOWS
    ).build()


def soft() -> Model:
    """The same with scores so small that it attends nearly everywhere, and is often wrong."""
    return aab(large=1)


def texts(model: Model) -> Iterator[str]:
    """Every context of a model, the shorter first."""
    for n in range(1, model.n_ctx + 1):
        yield from map("".join, product(model.vocabulary.tokens, repeat=n))


def logits(model: Model, text: str) -> dict[str, float]:
    """The logit of each token after a text, in float64."""
    flat = {k: x.astype("float64") for k, x in flatten(model.weights).items()}
    weights = nest(flat, len(model.weights["blocks"]))
    ids = np.array(model.vocabulary.encode(text))
    row = gpt2(ids, **weights, **model.config)[-1]
    return dict(zip(model.vocabulary.tokens, row.tolist(), strict=True))


def chances(model: Model, text: str) -> dict[str, float]:
    """The probability of each token after a text."""
    found = logits(model, text)
    most = max(found.values())
    powers = {t: math.exp(x - most) for t, x in found.items()}
    return {t: x / sum(powers.values()) for t, x in powers.items()}


def right(model: Model, text: str) -> bool:
    """True where the token that follows has a higher logit than every other."""
    found = logits(model, text)
    own = found.pop(FOLLOWS[text[-2:]])
    return own > max(found.values())


def spoken(model: Model) -> list[str]:
    """The contexts of which the claim of aab says something."""
    return [text for text in texts(model) if text[-2:] in FOLLOWS]


def nats(model: Model) -> float:
    """The mean over the contexts of the claim."""
    each = [
        -math.log(chances(model, x)[FOLLOWS[x[-2:]]]) for x in spoken(model)
    ]
    return sum(each) / len(each)


# ---------------------------------------------------------------- scores


def test_accuracy_and_loss_are_those_of_every_context() -> None:
    """Each context that the claim speaks of counts once, for the right model and the wrong one."""
    a, b = aab(), soft()
    found = compare(a, b)
    for report, model in ((found.a, a), (found.b, b)):
        assert report.score is not None
        asked = spoken(model)
        assert report.score.asked == report.score.tokens == len(asked) == 45
        assert report.score.right == sum(right(model, x) for x in asked)
        assert report.score.loss == pytest.approx(nats(model), rel=1e-12)
    assert found.a.score is not None
    assert found.b.score is not None
    assert found.a.score.right == 45 > found.b.score.right > 0
    assert (found.origin, found.contexts.drawn) == ("aab", None)


def test_a_tie_is_wrong() -> None:
    """A model of zeros has every logit alike, and nothing right, though the first token is."""
    model = aab()
    zeros = {k: np.zeros_like(x) for k, x in flatten(model.weights).items()}
    still = model.replace(weights=nest(zeros, 1), program=None, name="zeros")
    found = compare(model, still)
    assert found.b.score is not None
    assert (found.b.score.right, found.b.score.asked) == (0, 45)
    assert found.b.score.loss == pytest.approx(math.log(2))


def test_what_both_predict_where_the_claim_is_silent() -> None:
    """Contexts of one token, and those that end with bb: both models are asked each of them."""
    a, b = aab(), soft()
    found = compare(a, b)
    silent = [x for x in texts(a) if x[-2:] not in FOLLOWS]
    for same, asked in ((found.outside, silent), (found.same, spoken(a))):
        pairs = [(chances(a, x), chances(b, x)) for x in asked]
        alike = [
            max(one, key=one.__getitem__) == max(two, key=two.__getitem__)
            for one, two in pairs
        ]
        apart = [sum(abs(p[t] - q[t]) for t in p) / 2 for p, q in pairs]
        even = [abs(p["a"] - p["b"]) <= 1e-3 for x in pairs for p in x]
        sure = [
            not (x or y) for x, y in zip(even[::2], even[1::2], strict=True)
        ]
        alike = [x or not y for x, y in zip(alike, sure, strict=True)]
        assert same is not None
        assert (same.contexts, same.even) == (len(asked), sure.count(False))
        assert same.same == sum(alike) - same.even
        assert same.distance == pytest.approx(sum(apart) / len(apart))
        if not all(alike):
            first = min(
                (x for x, fine in zip(asked, alike, strict=True) if not fine),
                key=len,
            )
            assert same.example is not None
            assert len(same.example) == len(first)


def test_the_order_of_the_tokens_does_not_matter() -> None:
    """Ids differ, names do not: "ba" beside "ab" is the same report, circuits too."""
    found = compare(aab("ab"), aab("ba"))
    own, other = found.a.to_json(), found.b.to_json()
    assert own["score"] == other["score"]
    assert own["heads"] == other["heads"]
    assert found.same.same == found.same.contexts - found.same.even
    assert found.same.distance == pytest.approx(0, abs=1e-12)


def test_the_answers_to_prompts_count_whole() -> None:
    """A damaged counter: as many prompts are right as `answer` gets right."""
    model = bundled_model("counter")
    flat = {k: x.copy() for k, x in flatten(model.weights).items()}
    flat["blocks.1.mlp.c_proj.w"][2] = 0  # a neuron that half of them need
    broken = model.replace(
        weights=nest(flat, model.n_layer), program=None, name="broken"
    )
    found = compare(broken, model)
    claim = model.program and model.program.claim
    assert claim is not None
    prompts = list(claim.language(model.n_ctx, model.vocabulary))
    wanted = model.answer(prompts)
    ids = np.array([model.vocabulary.encode(x) for x in prompts])
    answer = len(model.vocabulary.encode(wanted[0]))
    for _ in range(answer):  # all are as long: token by token, all together
        last = gpt2(ids, **broken.weights, **broken.config)[:, -1]
        ids = np.hstack([ids, last.argmax(axis=1)[:, None]])
    said = [model.vocabulary.decode(row[-answer:]) for row in ids.tolist()]
    fine = [x == y for x, y in zip(said, wanted, strict=True)]
    assert 0 < sum(fine) < 256
    assert found.a.score is not None
    assert found.b.score is not None
    assert (found.a.score.right, found.a.score.asked) == (sum(fine), 256)
    assert found.b.score.right == 256
    assert found.origin == "counter"


@pytest.mark.parametrize("causal", [True, False])
def test_texts_are_right_where_every_position_is(causal: bool) -> None:
    """Counting from the left or over the whole text, held to the other's claim: plain Python says
    how many texts of 1 to 4 tokens have no position that differs.
    """
    n = 4
    at = tag(
        count(there(tokens) == tokens), tokens="ab", n=n, causal=causal
    ).build()
    flat = {k: x.copy() for k, x in flatten(at.weights).items()}
    for (
        name,
        weights,
    ) in flat.items():  # softer scores: some texts come out wrong
        if name.endswith("c_attn.w"):
            weights[:, : at.weights["wte"].shape[1]] /= 64
    other = at.replace(
        weights=nest(flat, at.n_layer), program=None, name="weak"
    )
    found = compare(at, other)
    asked = [
        "^" + "".join(x)
        for k in range(1, n + 1)
        for x in product("ab", repeat=k)
    ]
    if not causal:
        asked = [x for x in asked if len(x) > 1]
    hits = 0
    for text in asked:
        row = np.asarray(other(text)).argmax(axis=-1)
        said = [at.vocabulary.tokens[i] for i in row[1:]]
        hits += said == [
            str((text[1 : i + 2] if causal else text[1:]).count(text[i + 1]))
            for i in range(len(text) - 1)
        ]
    assert found.a.score is not None
    assert found.b.score is not None
    assert found.a.score.right == found.a.score.asked == len(asked)
    assert found.b.score.right == hits < len(asked)


def test_a_claim_on_probabilities_has_a_least_loss() -> None:
    """The eight contexts of the baby GPT: log 2 in five of them, and nothing in three."""
    found = compare("baby_gpt", "baby_gpt")
    assert found.least_loss == pytest.approx(5 / 8 * math.log(2), rel=1e-12)
    assert found.a.score is not None
    assert found.a.score.loss == pytest.approx(found.least_loss, rel=1e-12)
    assert (found.a.score.within, found.a.score.asked) == (8, 8)


def test_without_a_claim_only_the_agreement_is_counted() -> None:
    """Weights alone have no claim: all their contexts are asked, and nothing is right or wrong."""
    names = Vocabulary(tuple("abc"))
    a, b = (
        Model(f"m{seed}", random_weights(seed, n_ctx=3), names, 2)
        for seed in (0, 1)
    )
    found = compare(a, b)
    assert (found.a.score, found.a.ablations, found.origin) == (None,) * 3
    said = [
        max(x, key=x.__getitem__) == max(y, key=y.__getitem__)
        for x, y in ((logits(a, t), logits(b, t)) for t in texts(a))
    ]
    assert (found.same.contexts, found.same.even) == (39, 0)
    assert found.same.same == sum(said)


# ---------------------------------------------------------------- heads


def scores_of(model: Model, text: str, layer: int, head: int) -> np.ndarray:
    """The scores of a head on a text, before the future is hidden, in float64."""
    seen: dict[str, np.ndarray] = {}

    def hook(name: str, value: np.ndarray) -> np.ndarray:
        seen[name] = value
        return value

    flat = {k: x.astype("float64") for k, x in flatten(model.weights).items()}
    weights = nest(flat, len(model.weights["blocks"]))
    ids = np.array(model.vocabulary.encode(text))
    gpt2(ids, **weights, **model.config, hook=hook)
    return seen[f"blocks.{layer}.attn.scores"][head]


def cell(table: dict[str, Any], row: str, column: str) -> float:
    """One number of a circuit, by names."""
    i, j = table["rows"].index(row), table["columns"].index(column)
    return float(table["values"][i][j])


@pytest.mark.parametrize("name", ["baby_gpt", "drawn"])
def test_qk_gives_the_scores_of_the_first_layer(name: str) -> None:
    """The score of a key less that of another is what their names say, for every query."""
    if name == "drawn":
        weights = random_weights(4, n_ctx=3, norms=False)
        model = Model("drawn", weights, Vocabulary(tuple("012")), 2)
    else:
        model = bundled_model(name)
    heads = compare(model, model).to_json()["a"]["heads"]
    text = "101"
    for head in range(2):
        qk = heads[f"0.h{head}"]["qk"]
        true = scores_of(model, text, 0, head)
        for i, query in enumerate(text):
            parts = [
                sum(
                    cell(qk, row, column)
                    for row in (f"'{query}'", f"@{i}", "bias")
                    for column in (f"'{key}'", f"@{j}")
                )
                for j, key in enumerate(text)
            ]
            named = np.array(parts) - parts[0]
            assert named == pytest.approx(true[i] - true[i, 0], abs=1e-3)


def test_ov_gives_what_a_head_adds_to_the_logits() -> None:
    """One layer of attention alone: the logits with a head less those without it are its OV at
    what it attends to.
    """
    weights = random_weights(5, n_ctx=3, n_layer=1, norms=False)
    del weights["blocks"][0]["mlp"]
    model = Model("drawn", weights, Vocabulary(tuple("abc")), 2)
    ov = compare(model, model).to_json()["a"]["heads"]["0.h1"]["ov"]
    text = "cab"
    scores = scores_of(model, text, 0, 1)[-1]
    pattern = softmax(scores)
    added = [
        sum(
            share
            * (
                cell(ov, f"'{key}'", f"'{out}'")
                + cell(ov, f"@{j}", f"'{out}'")
                + cell(ov, "bias", f"'{out}'")
            )
            for j, (key, share) in enumerate(zip(text, pattern, strict=True))
        )
        for out in "abc"
    ]
    flat = {k: x.copy() for k, x in flatten(weights).items()}
    flat["blocks.0.attn.c_proj.w"][4:] = 0  # the second head's rows
    without = model.replace(weights=nest(flat, 1))
    gone = np.array(list(logits(model, text).values())) - np.array(
        list(logits(without, text).values())
    )
    assert np.array(added) - added[0] == pytest.approx(gone - gone[0], abs=1e-4)


def test_layer_norms_count_with_their_scale() -> None:
    """Where every token with its position has the same deviation, the scores are exact."""
    weights = random_weights(6, n_ctx=3, n_embd=8)
    weights["wte"], weights["wpe"] = np.eye(8)[:3], np.eye(8)[3:6]
    model = Model("normed", weights, Vocabulary(tuple("abc")), 2)
    qk = compare(model, model).to_json()["a"]["heads"]["0.h0"]["qk"]
    true = scores_of(model, "bca", 0, 0)
    for i, query in enumerate("bca"):
        parts = [
            sum(
                cell(qk, row, column)
                for row in (f"'{query}'", f"@{i}", "bias")
                for column in (f"'{key}'", f"@{j}")
            )
            for j, key in enumerate("bca")
        ]
        named = np.array(parts) - parts[0]
        assert named == pytest.approx(true[i] - true[i, 0], abs=1e-3)


def test_patterns_are_means_over_all_texts() -> None:
    """The mean attention of a head is the mean of its attention on each text by itself."""
    model = soft()
    total = np.zeros((5, 5))
    every = ["".join(x) for x in product("ab", repeat=5)]
    for text in every:
        scores = scores_of(model, text, 0, 0)
        for i in range(5):
            total[i, : i + 1] += softmax(scores[i, : i + 1])
    found = compare(model, model).to_json()["a"]["heads"]["0.h0"]["pattern"]
    assert np.array(found) == pytest.approx(total / len(every), rel=1e-5)


def test_attention_by_distance_adds_up() -> None:
    """Two queries that look at themselves, and one that looks at both others evenly."""
    pattern = np.array([[1.0, 0, 0], [0, 1, 0], [0.5, 0.5, 0]])
    assert by_distance(pattern).tolist() == pytest.approx([2 / 3, 1 / 6, 1 / 6])


def swapped() -> Model:
    """The baby GPT with its two heads in the other order, and weights alone."""
    model = bundled_model("baby_gpt")
    flat = {k: x.copy() for k, x in flatten(model.weights).items()}
    w, b = flat["blocks.0.attn.c_attn.w"], flat["blocks.0.attn.c_attn.b"]
    n, d = model.n_embd, model.n_embd // 2
    order = [part * n + (i + d) % n for part in range(3) for i in range(n)]
    flat["blocks.0.attn.c_attn.w"] = w[:, order]
    flat["blocks.0.attn.c_attn.b"] = b[order]
    rows = flat["blocks.0.attn.c_proj.w"]
    flat["blocks.0.attn.c_proj.w"] = np.roll(rows, d, axis=0)
    return model.replace(weights=nest(flat, 1), program=None, name="swapped")


def test_heads_are_matched_by_what_they_attend_to() -> None:
    """The first head is the second one of the other, at no distance at all."""
    found = compare("baby_gpt", swapped())
    assert found.same_shape
    assert found.matching is not None
    assert found.matching.to_json() == {
        "heads": [
            {"a": "0.h0", "b": "0.h1", "distance": 0.0},
            {"a": "0.h1", "b": "0.h0", "distance": 0.0},
        ],
        "exact": True,
    }


def test_models_of_other_shapes_have_no_matching() -> None:
    """One head beside none of its like: nothing is matched, all else is there."""
    assert compare("aab", aab()).matching is not None
    one = Program(
        name="none", embedding=(position(5), token("ab")), claim={"a": "a"}
    ).build()
    other = compare(soft(), one)
    assert (other.matching, other.same_shape) == (None, False)


@pytest.mark.parametrize("n", [1, 2, 5, 6])
def test_no_assignment_is_better(n: int) -> None:
    """Of all permutations none costs less than the one that is found."""
    costs = np.random.default_rng(n).random((n, n))
    found, exact = assignment(costs)
    least = min(
        sum(costs[i, j] for i, j in enumerate(order))
        for order in permutations(range(n))
    )
    assert exact
    assert sum(costs[range(n), found]) == pytest.approx(least)
    assert sorted(found) == list(range(n))


def test_equal_costs_leave_the_order() -> None:
    """Heads that are all alike are matched in their order."""
    assert assignment(np.zeros((4, 4))) == ([0, 1, 2, 3], True)


def test_many_heads_are_matched_greedily_and_that_is_said() -> None:
    """One more than all sets of: the cheapest pair first."""
    n = MOST_TRIED + 1
    order = np.random.default_rng(0).permutation(n)
    costs = np.ones((n, n))
    costs[range(n), order] = 0
    assert assignment(costs) == (order.tolist(), False)


# ---------------------------------------------------------------- ablations


def test_without_a_part_is_without_its_weights() -> None:
    """Each head and each neuron of the baby GPT: the loss is that of a model whose weights out of
    it are zero.
    """
    model = bundled_model("baby_gpt")
    found = compare(model, model).a.ablations
    assert found is not None
    cut = [
        *(
            (x, "attn", [4 * i + k for k in range(4)])
            for i, x in enumerate(found.heads)
        ),
        *((x, "mlp", [i]) for i, x in enumerate(found.neurons)),
    ]
    assert [x.part for x, _, _ in cut] == [
        *("0.h0", "0.h1"),
        *(f"0.mlp.n{i}" for i in range(8)),
    ]
    table = model.program and model.program.claim
    assert table is not None
    for one, part, rows in cut:
        flat = {k: x.copy() for k, x in flatten(model.weights).items()}
        flat[f"blocks.0.{part}.c_proj.w"][rows] = 0
        other = model.replace(weights=nest(flat, 1), program=None)
        total = 0.0
        for bits in product("01", repeat=3):
            context = "".join(bits)
            said = chances(other, context)
            wanted = table.endings(model.vocabulary)[bits]
            total -= sum(p * math.log(said[t]) for t, p in wanted.items() if p)
        assert one.score.loss == pytest.approx(total / 8, rel=1e-6)


# ---------------------------------------------------------------- chains


def test_the_chains_are_those_of_states() -> None:
    """Chances and shares of time of each context are what `handcraft states` says of each model."""
    a, b = aab(n_ctx=3), aab("ba", large=1, n_ctx=3)
    found = compare(a, b)
    assert not isinstance(found.chains, str)
    assert len(found.chains) == 8
    for model, side in ((a, "a"), (b, "b")):
        chain = states_of(model)
        for row in found.chains:
            state = getattr(row, side)
            i = next(
                i for i in range(8) if tuple(chain.tokens(i)) == row.context
            )
            assert state.chances == {
                chain.token(i, j): p for j, p in chain.rows[i].items()
            }
            assert state.share == chain.place.get(i, (0, 0.0))[1]


@pytest.mark.parametrize(
    ("a", "b", "reason"),
    [
        (aab(n_ctx=9), aab(n_ctx=9), "more than 256 contexts"),
        (aab(n_ctx=4), aab(n_ctx=5), "the windows differ: 4 and 5 positions"),
    ],
    ids=["many", "windows"],
)
def test_why_there_are_no_chains(a: Model, b: Model, reason: str) -> None:
    """Where the contexts are many, or not the same, the reason stands in the report."""
    found = compare(a, b)
    assert found.chains == reason
    assert f"no chains side by side: {reason}" in str(found)
    assert found.to_json()["no_chain"] == reason


# ---------------------------------------------------------------- the command


def test_the_command_prints_what_python_shows(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`handcraft compare A B` is `str(compare(A, B))`; --json is its data, with these keys."""
    monkeypatch.delenv("COLUMNS", raising=False)  # which pytest's workers set
    assert handcraft("build", "baby_gpt", "--out", "made").code == 0
    said = handcraft("compare", "baby_gpt", "made")
    assert (said.code, said.err) == (0, "")
    assert said.out == f"{compare('baby_gpt', 'made')}\n"
    found = handcraft("compare", "baby_gpt", "made", "--json").json
    assert found == json.loads(
        json.dumps(compare("baby_gpt", "made").to_json())
    )
    assert list(found) == [
        *("claim", "contexts", "a", "b", "same", "outside", "chain"),
        *("no_chain", "same_shape", "matching"),
    ]
    assert list(found["a"]) == [
        *("name", "parameters", "score", "heads", "ablations"),
    ]


def pictures_in(page: str) -> list[str]:
    """The SVG of each picture that a page holds."""
    found = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', page)
    return [base64.b64decode(data).decode() for data in found]


def test_the_page_has_the_report_above_both_models(here: Path) -> None:
    """-o writes what the terminal says, a picture for each pair of heads that are matched, and the
    page of both models.
    """
    done = handcraft("compare", "baby_gpt", "baby_gpt", "-o", "two.html")
    assert (done.code, done.err) == (0, "wrote two.html\n")
    page = Path("two.html").read_text()
    said, hint = done.out.strip().rsplit("\n\n", 1)
    assert html.escape(said) in page
    assert hint == "-o FILE.html writes a page of this, with both at work"
    assert hint not in page
    drawn = pictures_in(page)
    assert len(drawn) == 2
    for head, picture in enumerate(drawn):
        for letter in "AB":
            assert f"{letter}: baby_gpt, head 0.h{head}" in picture
        for title in ("mean attention", "QK: query and key to score"):
            assert picture.count(title) == 2
    assert page.index("<pre>") < page.index('<main id="models"')


def test_a_head_without_another_is_drawn_alone() -> None:
    """With the numbers of the report; attention to what comes later is hidden, not 0."""
    none = Program(
        name="none", embedding=(position(5), token("ab")), claim={"a": "a"}
    ).build()
    found = compare(aab(), none)
    (picture,) = pictures_in(found.view(verified=False).html)
    assert "A: aab, head 0.h0" in picture
    assert "B: " not in picture
    pattern = found.a.seen.patterns[0, 0]
    assert pattern[1, 0] == pytest.approx(0.5)
    # @0 sees itself alone; each of the four others sees two positions, half each
    written = re.findall(r">([^<>]+)</text>", picture.split("QK")[0])
    assert (written.count("1"), written.count("0.5")) == (1, 8)


def test_matched_heads_stand_beside_each_other() -> None:
    """Of two heads in the other order, the first of A beside the second of B."""
    page = compare("baby_gpt", swapped()).view(verified=False).html
    assert [
        re.findall(r"[AB]: \w+, head 0\.h\d", picture)[:2]
        for picture in pictures_in(page)
    ] == [
        ["A: baby_gpt, head 0.h0", "B: swapped, head 0.h1"],
        ["A: baby_gpt, head 0.h1", "B: swapped, head 0.h0"],
    ]


def test_names_that_look_like_markup_are_shown_as_they_are() -> None:
    """In the report, and beside its pictures."""
    odd = aab().replace(name="<b>&")
    page = compare(odd, odd).view(verified=False).html
    report = page[: page.index('<main id="models"')]
    assert "A: &lt;b&gt;&amp;" in report
    assert "<b>" not in report


def test_a_file_that_cannot_be_written_is_one_error(here: Path) -> None:
    """A directory stands there."""
    Path("there").mkdir()
    done = handcraft("compare", "aab", "aab", "-o", "there")
    assert done.refusal == "there is a directory; name a file to write"


def test_a_claim_of_a_file_is_asked_of_both(here: Path) -> None:
    """With --claim both are held to it, whatever they claim themselves."""
    Path("other.py").write_text(
        "print('noise')\nclaim = {'aa': 'a', 'ab': 'a'}\n"
        "from handcraft import Program, after, position, token\n"
        "p, t = position(5), token('ab')\n"
        "program = Program(embedding=(p, t), claim=after(claim))\n"
    )
    found = handcraft("compare", "aab", "aab", "--claim", "other.py", "--json")
    assert found.code == 0
    score = json.loads(found.out)["a"]["score"]
    # aa is followed by b in aab, ab by a: 15 contexts each end so
    assert (score["right"], score["asked"]) == (15, 30)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (
            "aab",
            "baby_gpt",
            (
                "models are compared token by token, and these do not have the same"
                " tokens: only aab has 'a', 'b'; only baby_gpt has '0', '1'"
            ),
        ),
        ("aab", "nothing", "there is no program 'nothing'"),
    ],
    ids=["tokens", "nothing"],
)
def test_what_cannot_be_compared(a: str, b: str, message: str) -> None:
    """One clear error, and exit code 2."""
    assert handcraft("compare", a, b).refusal.startswith(message)


def test_a_window_that_is_too_short_for_the_claim() -> None:
    """The claim of the first speaks of five positions, which the other has not."""
    with pytest.raises(ProgramError, match="it is about 5 positions"):
        compare(aab(), aab(n_ctx=3))


def test_a_model_that_sees_ahead_is_not_put_beside_one_that_does_not() -> None:
    """They are asked about other positions."""
    weights = random_weights(0, n_vocab=2)
    names = Vocabulary(tuple("ab"))
    one = Model("one", weights, names, 2)
    other = one.replace(name="other", causal=False)
    with pytest.raises(
        ProgramError, match="one is causal and other is not: they see other"
    ):
        compare(one, other)


def test_what_is_no_claim() -> None:
    """A claim is taken from a file; anything else is told so."""
    with pytest.raises(ProgramError) as raised:
        compare("aab", "aab", claim=5)  # type: ignore[arg-type]
    assert str(raised.value) == (
        "handcraft.compare > claim: is a path or the name of a bundled program, whose"
        " claim is taken, found int 5"
    )


def test_a_claim_about_a_lane_has_nothing_to_compare() -> None:
    """As the own claim of both it is passed over; asked for, it is refused."""
    assert compare("causal_mean", "causal_mean").origin is None
    with pytest.raises(
        ProgramError, match="the claim is about a lane, not about tokens"
    ):
        compare("causal_mean", "causal_mean", claim="causal_mean")


def test_the_longer_window_is_asked_what_fits_the_shorter() -> None:
    """Weights with six positions beside a program with four, whose claim it is."""
    program = aab(n_ctx=4)
    longer = aab(n_ctx=6).replace(program=None, name="longer")
    found = compare(longer, program)
    assert found.origin == "aab"
    for report in found.both:
        assert report.score is not None
        assert (report.score.right, report.score.asked) == (21, 21)


def test_what_is_too_much_work_is_left_out_and_said(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With room for a hundred texts, and for ten without each head, neurons are left out."""
    model = Model("drawn", random_weights(1), Vocabulary(tuple("abc")), 2)
    one = model.parameters["dense"] * model.n_ctx  # weights that a text meets
    monkeypatch.setattr(contexts, "MOST_ASKED_WORK", 100 * one)
    monkeypatch.setattr(contexts, "MOST_DRAWN_WORK", 100 * one)
    monkeypatch.setattr(ablations, "MOST_ABLATED", 10 * (4 + 1) * one)
    Path("follows.py").write_text("claim = {'a': 'b'}\n")
    found = compare(model, model, claim="follows.py")
    taken = found.contexts.drawn or ""
    assert taken.startswith("100 of ")
    without = found.a.ablations
    assert without is not None
    assert (without.left_out, without.neurons) == ("10 neurons", ())
    assert [one.part for one in without.heads] == [
        *("0.h0", "0.h1", "1.h0", "1.h1")
    ]
    assert without.drawn == f"10 of 100 texts were taken; {taken}"
    assert taken in str(found)
    assert "A: 10 neurons would be too much work" in str(found)
    assert found.outside is not None
    assert "of 729 texts were drawn" in (found.outside.drawn or "")


@pytest.mark.parametrize(
    "name",
    slow_from(3, ["aab", "abc", "sequence/leader", "counter", "greatest"]),
)
def test_as_many_are_asked_as_verify_asks(name: str) -> None:
    """Contexts, prompts or texts: of a bundled program every one is right, and all are counted."""
    report = verify(name, method="exhaustive")
    score = compare(name, name).a.score
    assert score is not None
    assert score.asked == score.right == report.checked


def test_one_of_several_right_tokens_is_enough(here: Path) -> None:
    """Where two tokens may follow, their probabilities are added, and either may be the best."""
    Path("either.py").write_text("claim = {'a': {'b', 'c'}}\n")
    weights = random_weights(3, n_ctx=3)
    model = Model("drawn", weights, Vocabulary(tuple("abc")), 2)
    score = compare(model, model, claim="either.py").a.score
    said = [chances(model, x) for x in texts(model) if x[-1] == "a"]
    assert score is not None
    assert score.asked == len(said)
    assert score.right == sum(p["a"] < max(p["b"], p["c"]) for p in said)
    assert score.right < score.asked
    nats = [-math.log(p["b"] + p["c"]) for p in said]
    assert score.loss == pytest.approx(sum(nats) / len(nats))
