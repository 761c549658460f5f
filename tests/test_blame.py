"""Why a prediction is wrong: what each rule gave to the right and to the wrong logit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from cli_runner import handcraft
from conftest import (
    EVERY_PROGRAM,
    bundled_model,
    bundled_program,
    claiming,
    example,
    interpret,
    random_weights,
)
from pairs import BACKWARDS, write

from handcraft import MLP, Model, Program, after, distribution, token
from handcraft import verify as shown
from handcraft.analysis.blame import (
    Contribution,
    contributions,
    explained,
    pass_over,
)
from handcraft.core.gpt2 import Array
from handcraft.core.vocabulary import Vocabulary
from handcraft.proof import verify
from handcraft.testing import assert_accurate


def rows(
    model: Model, ids: Sequence[int], right: int, wrong: int, at: int = -1
) -> list[Contribution]:
    """The contributions to two logits at a position, by default the last."""
    arrays = pass_over(model, ids)
    return contributions(model, arrays, ids, at % len(ids), right, wrong)


def plain(found: Sequence[Contribution]) -> dict[str, tuple[float, float]]:
    """The rows as {rule: (right, wrong)}."""
    return {row.rule: (row.right, row.wrong) for row in found}


@pytest.mark.parametrize("name", EVERY_PROGRAM)
def test_the_rows_add_up_to_the_two_logits(name: str) -> None:
    """In every bundled program, at the first and the last position, what the rules gave adds up to
    the logits that a plain reading of the rules gives, for every pair of a few tokens.
    """
    program = bundled_program(name)
    model = bundled_model(name, "float64")
    tokens = example(name)
    ids = model.ids(tokens)
    logits = interpret(program, tokens)
    few = program.vocabulary[:2] + program.vocabulary[-1:]
    for at in (0, len(ids) - 1):
        for right, wrong in pairwise(few):
            pair = [program.vocabulary.index(t) for t in (right, wrong)]
            found = rows(model, ids, *pair, at)
            sizes = 1 + sum(abs(r.right) + abs(r.wrong) for r in found)
            near = {"rel": 1e-6, "abs": 1e-6 * sizes}
            assert sum(r.right for r in found) == pytest.approx(
                logits[at][right], **near
            )
            assert sum(r.wrong for r in found) == pytest.approx(
                logits[at][wrong], **near
            )
            assert "no rule" not in plain(found)


def test_the_most_to_blame_comes_first() -> None:
    """The rows stand in the order of how much they favour the wrong token, each with its line."""
    model = bundled_model("aab")
    found = rows(model, model.ids("aba"), 1, 0)
    assert plain(found) == {
        "layers[0] > adds": (0.0, 1024.0),
        "embedding[1]": (0.0, 1.0),
    }
    assert [row.blame for row in found] == [1024.0, 1.0]
    places = [row.source.rpartition("/")[2] for row in found]
    assert places == ["aab.py:11", "aab.py:8"]
    other = rows(model, model.ids("aba"), 0, 1)
    assert [row.blame for row in other] == [-1.0, -1024.0]


def test_weights_that_were_changed_have_a_row_of_their_own() -> None:
    """What a cell has beyond its rules is given by no rule, and the rows still add up."""
    model = bundled_model("aab")
    blocks = [dict(block) for block in model.weights["blocks"]]
    c_proj = dict(blocks[0]["attn"]["c_proj"])
    bias = c_proj["b"].copy()
    bias[6] += 100  # of the lane token:b
    blocks[0]["attn"] = {
        **blocks[0]["attn"],
        "c_proj": {**c_proj, "b": bias},
    }
    changed = model.replace(weights={**model.weights, "blocks": blocks})
    found = plain(rows(changed, model.ids("aa"), 0, 1))
    assert found == {
        "layers[0] > adds": (0.0, 1024.0),
        "no rule": (0.0, 100.0),
        "embedding[1]": (1.0, 0.0),
    }


def normed(x: Array, g: Array, b: Array, epsilon: float) -> list[float]:
    """A layer norm, number by number."""
    mean = sum(x) / len(x)
    variance = sum((y - mean) ** 2 for y in x) / len(x)
    return [
        g_i * (x_i - mean) / (variance + epsilon) ** 0.5 + b_i
        for x_i, g_i, b_i in zip(x, g, b, strict=True)
    ]


@pytest.mark.parametrize("norms", [False, True])
def test_weights_without_rules_are_told_by_head_and_mlp(norms: bool) -> None:
    """Without a program each head, bias and MLP has a row; with layer norms the divisor of the
    last is held, its bias has a row, and the rows add up to the logits all the same.
    """
    weights = random_weights(3, norms=norms)
    model = Model("plain", weights, Vocabulary(("a", "b", "c")), n_head=2)
    ids = [0, 2, 1, 1]
    arrays = pass_over(model, ids)
    found = rows(model, ids, 2, 0)
    parts = ["h0", "h1", "attention bias", "mlp"]
    names = ["wte", "wpe", *(f"{i}.{part}" for i in (0, 1) for part in parts)]
    assert {row.rule for row in found} == {*names, *(["ln_f"] if norms else [])}
    stream = list(arrays["blocks.1.resid_post"][-1])
    if norms:
        stream = normed(stream, **weights["ln_f"], epsilon=1e-5)
    for i, total in (
        (2, sum(r.right for r in found)),
        (0, sum(r.wrong for r in found)),
    ):
        logit = sum(
            x * y for x, y in zip(stream, weights["wte"][i], strict=True)
        )
        assert total == pytest.approx(logit, rel=1e-9, abs=1e-9)


def test_of_several_right_tokens_the_best_is_compared() -> None:
    """Where several tokens are right, the one with the greatest logit stands for them."""
    model = bundled_model("abc")
    ids = model.ids("ab")
    one = explained(model, ids, None, (2, 0))
    logits = model("ab")[-1]
    worse = 1 if logits[1] < logits[2] else 2
    assert explained(model, ids, None, ((worse, 2), 0)) == one
    assert one["compared"] == ["c", "a"]
    assert one["contributions"]


def test_a_claim_with_several_right_tokens_has_a_table() -> None:
    """The report compares the best of the right tokens with the wrong one."""
    several = claiming(after({"ab": {"a", "b"}}), "abc").build()
    report = verify(several)
    logits = dict(zip("abc", several("ab")[-1], strict=True))
    best = max("ab", key=lambda name: float(logits[name]))
    assert report.compared == [best, "c"]
    assert report.contributions is not None
    for key, name in (("right", best), ("wrong", "c")):
        total = sum(row[key] for row in report.contributions)
        assert total == pytest.approx(float(logits[name]), rel=1e-6)


@pytest.mark.parametrize(
    "pair", [None, (0, None), ([0.5, 0.5], [1.0, 0.0]), (0.5, 0.25)]
)
def test_nothing_is_told_where_no_two_tokens_are_compared(
    pair: tuple[object, object] | None,
) -> None:
    """Probabilities, lanes, and logits that are not finite have no table."""
    assert explained(bundled_model("aab"), [0, 0], None, pair) == {}


def test_a_report_has_the_table_where_a_token_is_wrong() -> None:
    """The report of a refutation holds the rows as plain data; one of a proof, or on
    probabilities, has no such key.
    """
    wrong = verify(claiming(after({"aa": "a"})).build()).to_json()
    assert [
        {key: row[key] for key in ("rule", "right", "wrong")}
        for row in wrong["contributions"]
    ] == [
        {"rule": "layers[0] > adds", "right": 0.0, "wrong": 1024.0},
        {"rule": "embedding[1]", "right": 1.0, "wrong": 0.0},
    ]
    right = verify(claiming(after({"aa": "b"})).build()).to_json()
    chances = distribution({"a": {"a": 0.5, "b": 0.5}})
    others = verify(claiming(chances).build()).to_json()
    assert others["verdict"] == "refuted"
    for report in (right, others):
        assert "contributions" not in report
        assert "departures" not in report


@pytest.mark.parametrize(
    ("table", "rule", "ending", "why"),
    [
        ({"b": "b", "bb": "b", "a": "a"}, "", "a", ""),
        ({"b": "b", "bb": "b", "bbb": "a"}, "", "bbb", ""),
        ({"b": "b", "ab": "b", "bab": "b", "abab": "a"}, "", "abab", ""),
        (
            {"b": "b", "a": "b"},
            'Neuron(when=p[2], adds={t["a"]: 50}), ',
            "a",
            ", the longest ending that fits",
        ),
    ],
)
def test_the_row_that_decides_a_counterexample_is_named(
    table: dict[str, str], rule: str, ending: str, why: str, here: Path
) -> None:
    """The longest ending that fits: here computed as the longest key that the text ends with."""
    write(
        "rows.py",
        "from handcraft import *\n"
        'p, t = position(4), token("ab")\n'
        f'layers = (({rule}{{t["b"]: 9}}),)\n'
        "program = Program(embedding=(p, t), layers=layers,\n"
        f"    claim={table})\n",
    )
    report = handcraft("verify", "rows.py", "--json").json
    text = "".join(report["counterexample"]["tokens"])
    assert ending == max(filter(text.endswith, table), key=len)
    assert (why != "") == (len(text) > len(ending))
    assert report["row"] == {"ending": [*ending], "source": "rows.py:4"}
    line = f"  row         '{ending}' of the claim (rows.py:4){why}"
    assert line in handcraft("verify", "rows.py").lines


def test_what_is_not_finite_has_no_table() -> None:
    """Where a logit is not finite the verdict stands without an explanation, or with numbers that
    are not finite; it never fails.
    """
    model = bundled_model("aab")
    huge = {**model.weights, "wte": model.weights["wte"] * np.float32(3e38)}
    found = explained(model.replace(weights=huge), [0, 0], None, (0, 1))
    assert set(found) <= {"compared", "contributions", "departures"}


def test_the_table_as_it_is_printed(here: Path) -> None:
    """People see the two tokens, the rules with their lines, and the sums."""
    write("wrong.py", BACKWARDS)
    result = handcraft("verify", "wrong.py")
    first = result.lines.index("  what each rule gave to the two logits:")
    assert result.lines[first : first + 5] == [
        "  what each rule gave to the two logits:",
        "    rule                        'a'   'b'  line",
        "    layers[0] > adds              0  1024  wrong.py:4",
        "    embedding[1] (direct path)    1     0  wrong.py:3",
        "    together                      1  1024",
    ]


TIE = """
from handcraft import *
t = token("ab")
program = Program(embedding=(t,), n_ctx=1, layers=(MLP(adds={t["b"]: 1}),), claim=after({"a": %r}))
"""


@pytest.mark.parametrize(("right", "wrong"), ["ab", "ba"])
def test_a_tie_is_shown_as_one(right: str, wrong: str, here: Path) -> None:
    """Where two logits are equal, the right token is compared with the best other one, also where
    it comes first and would be chosen.
    """
    write("tie.py", TIE % right)
    result = handcraft("verify", "tie.py")
    assert result.code == 1
    first = result.lines.index(
        "  what each rule gave to the two logits, which are equal:"
    )
    direct, added = (
        "    embedding[0] (direct path)",
        "    layers[0] > adds          ",
    )
    sums = {
        "a": [f"{direct}    1    0  tie.py:3", f"{added}    0    1  tie.py:4"]
    }
    sums["b"] = [
        f"{direct}    0    1  tie.py:3",
        f"{added}    1    0  tie.py:4",
    ]
    assert result.lines[first + 1] == (
        f"    rule                        '{right}'  '{wrong}'  line"
    )
    assert sorted(result.lines[first + 2 : first + 4]) == sums[right]
    assert result.lines[first + 4] == "    together                      1    1"
    found = json.loads(handcraft("verify", "tie.py", "--json").out)
    assert found["compared"] == [right, wrong]


@pytest.mark.parametrize("method", ["certificate", "exhaustive", "sampled"])
@pytest.mark.parametrize(("right", "wrong"), ["ab", "ba"])
def test_a_tie_names_both_tokens(
    right: str, wrong: str, method: str, here: Path
) -> None:
    """In the table, in JSON, in an author's own test and on the model card: never `expected 'a',
    got 'a'`.
    """
    write("tie.py", TIE % right)
    said = (
        f"expected '{right}', but '{right}' and '{wrong}' are equal (margin 0)"
    )
    result = handcraft("verify", "tie.py", "--method", f"{method},exhaustive")
    assert f"  wrong after 'a': {said}" in result.lines
    told = json.loads(handcraft("verify", "tie.py", "--json").out)[
        "counterexample"
    ]
    assert told == {
        "tokens": ["a"],
        "expected": right,
        "got": wrong,
        "margin": 0.0,
    }
    with pytest.raises(AssertionError) as caught:
        assert_accurate("tie.py")
    assert str(caught.value).splitlines()[0] == f"tie after ['a']: {said}"


def test_a_tie_of_several_right_tokens() -> None:
    """The right token that is as great as a wrong one is named."""
    t = token("abc")
    tied = Program(
        name="tied",
        embedding=(t,),
        n_ctx=1,
        layers=(MLP(adds={t["b"]: 1}),),
        claim=after({"a": {"b", "c"}}),
    )
    assert (
        "  wrong after 'a': expected 'b' or 'c', but 'b' and 'a' are equal (margin 0)"
        in str(shown(tied)).splitlines()
    )


MANY = """
from handcraft import *
t = token("ab")
given = [Neuron(when=t["a"], adds={t["b"]: k}) for k in range(1, 13)]
program = Program(embedding=(t,), n_ctx=2, layers=(MLP(given),), claim=after({"a": "a"}))
"""


def test_of_many_rules_the_greatest_are_printed(here: Path) -> None:
    """Eight rules have a row, the others share one, and the sums are of all."""
    write("many.py", MANY)
    result = handcraft("verify", "many.py")
    first = result.lines.index("  what each rule gave to the two logits:")
    table = [line.split() for line in result.lines[first + 2 : first + 12]]
    rules = [f"layers[0] > neurons[{k}] > adds" for k in range(11, 3, -1)]
    assert [" ".join(line[:-3]) for line in table[:8]] == rules
    assert [line[-2] for line in table[:8]] == [
        str(k) for k in range(12, 4, -1)
    ]
    assert table[8:] == [["5", "more", "1", "10"], ["together", "1", "78"]]
