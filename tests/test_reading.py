"""`handcraft read`: what each head attends to is told by the weights alone."""

from __future__ import annotations

from functools import cache
from random import Random
from typing import Any

import numpy as np
import pytest
from cli_runner import handcraft
from conftest import bundled_model, bundled_program, slow_from

import handcraft as package
from handcraft import Head, Model, Program, position, scratch, slot, token
from handcraft.analysis.reading.fitting import shared_out
from handcraft.analysis.reading.in_place import weights_as_rules
from handcraft.analysis.reading.texts import texts_to_read
from handcraft.analysis.reading.whole import ReadModel, read_model
from handcraft.core.errors import ProgramError
from handcraft.core.gpt2 import Weights, convert, trace
from handcraft.core.vocabulary import Vocabulary
from handcraft.files.bundled import by_hand
from handcraft.recipes import addresses, attend_to, kernel
from handcraft.testing import assert_accurate

# What each head of a bundled program is, by its rule: read in programs/ by hand, head by head.
# Heads that a layer has beside its rules, which write nothing, are not in it.
SUM = "uniform, rests"  # running_sum: all positions alike, beside an anchor
TRUTH: dict[str, dict[str, str]] = {
    "aab": {"0.h0": "offset"},  # 0 and 1 back
    "abc": {"0.h0": "offset"},
    "adder": {"0.h0": "positions"},  # 2 A (place + 0.6) place_j - A place_j^2
    "anbncn": {"0.h0": SUM, "1.h0": "a lane"},  # the first mark of disorder
    "automaton": {f"{i}.h0": "offset" for i in range(5)},  # 1, 2, 4, 8, 16
    "baby_gpt": {"0.h0": "offset", "0.h1": "offset"},
    "bigram": {},
    "brackets": {"0.h0": SUM, "1.h0": "a lane"},  # what opened to my depth
    "caesar": {"0.h0": "token", "0.h1": "position", "1.h0": "computed"},
    "causal_mean": {"0.h0": "uniform"},
    "copy": {"0.h0": "token", "1.h0": "computed"},
    "copy_previous": {"0.h0": "offset"},
    "count_letter": {"0.h0": "same, rests", "1.h0": "computed"},
    "counter": {"0.h0": "offset", "0.h1": "offset"},
    "dfa": {"0.h0": "token", "1.h0": "computed"},
    "dyck1": {"0.h0": SUM, "1.h0": SUM},
    "fizzbuzz": {"0.h0": SUM, "0.h1": "offset"},
    "flip_flop": {"0.h0": "offset", "1.h0": "predecessor"},  # behind a w
    "greatest": {"0.h0": "token"},
    "in_context_bigram": {"0.h0": "offset", "1.h0": "induction"},
    "induction": {"0.h0": "offset", "1.h0": "induction"},
    "luhn": {"1.h0": SUM},
    "majority": {"0.h0": "uniform"},
    "nim": {"0.h0": "position", "0.h1": "position", "0.h2": "position"},
    "palindrome": {
        "0.h0": "token",
        "0.h1": SUM,
        "1.h0": "computed",
        "2.h0": SUM,
    },
    "parity": {"0.h0": SUM, "1.h0": "computed"},
    "reverse": {"0.h0": "token", "1.h0": "computed"},
    # the middle of the row before is 15 back, its neighbours turn around the ring
    "rule110": {"0.h0": "positions", "0.h1": "offset", "0.h2": "positions"},
    "sort": {"0.h0": SUM, "1.h0": "segment, rests", "1.h1": SUM},
    "sort_numbers": {"0.h0": "offset", "0.h1": SUM, "1.h0": SUM},
    "subleq": {
        "0.h0": "positions",  # where the state began
        "0.h1": "offset",  # max(0, i + 1 - 9)
        "1.h0": "computed",
        "1.h1": "computed",
        "1.h2": "computed",
        "2.h0": "computed",
        "2.h1": "computed",
    },
    "times": {"0.h0": "token", "1.h0": "computed", "1.h1": "computed"},
    "trigram": {"0.h0": "offset"},
    "two_hop": {"0.h0": "offset", "1.h0": "induction", "2.h0": "brought"},
}
UNREAD = {("anbncn", "1.h0"), ("brackets", "1.h0"), ("two_hop", "2.h0")}


def shuffled(model: Model, random: Random) -> Model:
    """The same function with its columns in a drawn order, those of each head too, and with no
    program.
    """
    n = model.n_embd
    order = np.array(random.sample(range(n), n))
    weights: Weights = {
        key: model.weights[key][:, order] for key in ("wte", "wpe")
    }
    weights["blocks"] = [
        _shuffled(block, order, model.n_head, random)
        for block in model.weights["blocks"]
    ]
    return model.replace(name="x", weights=weights, program=None, about="")


def _shuffled(
    block: dict[str, Any], order: Any, n_head: int, random: Random
) -> dict[str, Any]:
    """A block without layer norms."""
    n, found = len(order), dict[str, Any]()
    if "attn" in block:
        d = n // n_head
        inside = [
            [
                h * d + i
                for h in range(n_head)
                for i in random.sample(range(d), d)
            ]
            for _ in range(2)
        ]
        match, value = np.array(inside[0]), np.array(inside[1])
        columns = np.concatenate([match, n + match, 2 * n + value])
        first, last = block["attn"]["c_attn"], block["attn"]["c_proj"]
        found["attn"] = {
            "c_attn": {
                "w": first["w"][order][:, columns],
                "b": first["b"][columns],
            },
            "c_proj": {
                "w": last["w"][value][:, order],
                "b": last["b"][order],
            },
        }
    if "mlp" in block:
        first, last = block["mlp"]["c_fc"], block["mlp"]["c_proj"]
        found["mlp"] = {
            "c_fc": {"w": first["w"][order], "b": first["b"]},
            "c_proj": {"w": last["w"][:, order], "b": last["b"][order]},
        }
    return found


@cache
def reading(name: str) -> ReadModel:
    """What is read off a bundled program without names and rules, its lanes in a drawn order."""
    model = bundled_model(name)
    assert model.program is not None
    return read_model(shuffled(model, Random(name)), model.program.claim)


def found_in(name: str) -> dict[str, str]:
    """The kinds that are read, as TRUTH has them; what is not explained is a question mark."""
    return {
        head.name: (head.kind if head.read else "?")
        + (", rests" if head.sink else "")
        for head in reading(name).heads
    }


def test_the_table_names_every_program_and_every_head() -> None:
    """No head that a rule makes is left out of the table."""
    assert set(TRUTH) == set(by_hand())
    for name, heads in TRUTH.items():
        layers = enumerate(bundled_program(name).layers)
        made = [f"{i}.h{h}" for i, x in layers for h in range(len(x.heads))]
        assert list(heads) == made


def test_a_shuffled_model_is_the_same_function() -> None:
    """Shuffling changes the weights, and no logit."""
    model = bundled_model("reverse")
    other = shuffled(model, Random(0))
    assert not np.array_equal(model.weights["wte"], other.weights["wte"])
    a, b = model("^abc="), other(model.ids("^abc="))
    np.testing.assert_allclose(a, b, atol=1e-3)


@pytest.mark.parametrize("name", slow_from(12, TRUTH))
def test_heads_are_read_as_what_their_recipe_is(name: str) -> None:
    """All heads but three: what asks for a lane that neurons made is not explained, and said so."""
    found = found_in(name)
    for head, kind in TRUTH[name].items():
        expected = "?" if (name, head) in UNREAD else kind
        assert found.pop(head) == expected
    assert set(found.values()) <= {"nothing"}


def test_all_but_a_few_are_read() -> None:
    """More than nine tenths of the heads that rules make, where four fifths were asked."""
    heads = sum(map(len, TRUTH.values()))
    assert (heads, len(UNREAD)) == (74, 3)


@pytest.mark.parametrize("name", slow_from(12, TRUTH))
def test_what_is_read_can_stand_in_place_of_the_head(name: str) -> None:
    """With the attention of the rule, all predictions stay as they are."""
    for head in reading(name).heads:
        if head.read:
            assert head.agreement == 1
            assert head.moved < 0.01


WORDS = {
    ("caesar", "0.h1"): "position 1",
    ("caesar", "1.h0"): "position p + 2 - m, m where head 0.h0 attends",
    ("counter", "0.h1"): "8 back",
    ("count_letter", "1.h0"): "position m - 1, m how often the query's token is"
    " there so far",
    ("palindrome", "1.h0"): "position 2 m - p, m where head 0.h0 attends",
    ("parity", "0.h0"): "every position alike; it rests at ^, whose value is 0",
    ("parity", "1.h0"): "position m, m how many 1 there are so far",
    ("reverse", "0.h0"): "=",
    ("greatest", "0.h0"): "9, 8, 7, 6, 5",
    ("induction", "1.h0"): "the latest of what followed the query's token",
    ("in_context_bigram", "1.h0"): "what followed the query's token, else ^",
    ("sort", "1.h0"): "every position before the first =; it rests at ^, whose"
    " value is 0",
    ("aab", "0.h0"): "itself 50%, 1 back 50%",
}


@pytest.mark.parametrize("place", slow_from(6, WORDS))
def test_a_rule_is_said_in_words(place: tuple[str, str]) -> None:
    """Distances, positions and tokens are those of the program's rule."""
    name, head = place
    says = {x.name: x.says for x in reading(name).heads}
    assert says[head] == WORDS[place]


# ---------------------------------------------------------------- evidence


def two_to_one() -> Program:
    """A head that counts the query position twice, and the one before it once."""
    at, t, mean = position(6), token("ab"), scratch("mean")
    return Program(
        name="two_to_one",
        embedding=(at, t, mean),
        layers=(kernel(at, {0: 2, 1: 1}, value={mean: t["a"]}),),
    )


def test_soft_attention_is_read_with_its_shares() -> None:
    """Two thirds and one third, as the weights of the kernel say."""
    (head,) = package.read(two_to_one()).heads
    assert head.says == "itself 67%, 1 back 33%"
    assert head.explained == pytest.approx(1, abs=1e-7)
    assert head.alike is not None
    # by hand: queries that see n = 2 .. 6 keys
    alike = [min(2 / 3, 1 / n) + min(1 / 3, 1 / n) for n in range(2, 7)]
    assert head.alike == pytest.approx(sum(alike) / 5, abs=1e-7)


def drawn(query: float) -> Model:
    """A model of random weights whose scores are this large."""
    random = np.random.default_rng(5)
    n, n_vocab, n_ctx = 16, 12, 16

    def table(*shape: int, size: float = 1.0) -> Any:
        return (random.normal(size=shape) * size).astype("float32")

    block = {
        "attn": {
            "c_attn": {"w": table(n, 3 * n, size=query), "b": table(3 * n)},
            "c_proj": {"w": table(n, n), "b": table(n)},
        }
    }
    weights: Weights = {
        "wte": table(n_vocab, n),
        "wpe": table(n_ctx, n),
        "blocks": [block, block],
    }
    return Model("drawn", weights, Vocabulary("abcdefghijkl"), n_head=1)


@pytest.mark.slow
def test_random_weights_are_not_explained() -> None:
    """What no rule explains is said to be unexplained: a second layer of random weights."""
    found = package.read(drawn(1.0))
    last = found.heads[1]
    assert not last.read
    assert last.explained is not None
    assert last.explained < 0.95
    assert f"not explained; nearest: {last.says}"[:20] in str(found)


def test_a_position_from_what_is_not_known_is_not_explained() -> None:
    """A head jumps to a position that its token names: the scores tell that it computes one."""
    at, t = addresses(8), token("abc")
    jump, lane = slot("jump", token={"a": 0, "b": 1, "c": 3}), scratch("lane")
    head = attend_to(at, jump, range=(0, 3), value={lane: t["a"]})
    program = Program(
        name="jump", embedding=(at, t, jump, lane), layers=(head,)
    )
    (found,) = package.read(program).heads
    assert (found.kind, found.read) == ("address", False)
    assert found.says == (
        "a position that it computes; from what is not explained"
    )


@pytest.mark.slow
def test_a_match_that_hardly_weighs_is_no_reading() -> None:
    """In dyck2 a head looks for the same level. Tokens, places and a match at every second position
    come near it on texts of six brackets; that is no induction.
    """
    found = package.read("sequence/dyck2")
    kinds = {head.name: head.kind for head in found.heads if head.read}
    assert kinds.get("2.h0") not in ("same", "induction", "brought")


def test_a_window_of_one_position_tells_nothing() -> None:
    """A position that sees itself alone attends to itself, whatever the head is."""
    model = drawn(1.0)
    one = model.replace(
        weights={**model.weights, "wpe": model.weights["wpe"][:1]}
    )
    found = package.read(one)
    assert [head.read for head in found.heads] == [False, False]
    assert [head.explained for head in found.heads] == [0, 0]


def test_flat_attention_is_uniform() -> None:
    """Scores near 0 attend to every position alike, whatever the weights are."""
    found = package.read(drawn(1e-3))
    assert [head.kind for head in found.heads] == ["uniform"] * 2


@pytest.mark.slow
def test_explained_is_the_attention_in_common() -> None:
    """Against a plain loop: the sum of the lesser shares, over the queries of the second half."""
    model = drawn(0.3)
    found = package.read(model).heads[0]
    texts = texts_to_read(model, None)
    shares = []
    for ids in texts.tokens[1::2]:
        pattern = trace(ids, model.weights, **model.config)[
            "blocks.0.attn.pattern"
        ][0]
        shares += [
            sum(min(1 / (i + 1), float(pattern[i, j])) for j in range(i + 1))
            for i in range(1, len(ids))
        ]
    assert found.alike == pytest.approx(sum(shares) / len(shares), abs=1e-5)


def test_attention_of_what_is_not_seen_is_none() -> None:
    """A query that sees nothing attends to nothing, without a warning."""
    scores = np.array([[[1.0, 2.0], [3.0, 3.0]]])
    sees = np.array([[[False, False], [True, True]]])
    assert shared_out(scores, sees).tolist() == [[[0, 0], [0.5, 0.5]]]


def test_a_head_that_writes_nothing_is_nothing() -> None:
    """Values without a weight to the stream: whatever it attends to does not matter."""
    at, t, lane = position(4), token("ab"), scratch("lane")
    head = Head(query=9 * at.previous, value={lane: 0 * t["a"]})
    program = Program(name="idle", embedding=(at, t, lane), layers=(head,))
    (found,) = package.read(program).heads
    assert (found.kind, found.says) == ("nothing", "it writes nothing")
    assert found.explained is None
    assert found.read


# ---------------------------------------------------------------- a recipe in its place


def biased(activation: Any) -> Model:
    """A model of random weights with every bias and neurons, of two heads and two layers."""
    random = np.random.default_rng(3)

    def table(*shape: int) -> Any:
        return random.normal(size=shape).astype("float32")

    def both(n: int, m: int) -> dict[str, Any]:
        return {"w": table(n, m), "b": table(m)}

    blocks = [
        {
            "attn": {"c_attn": both(8, 24), "c_proj": both(8, 8)},
            "mlp": {"c_fc": both(8, 12), "c_proj": both(12, 8)},
        }
        for _ in range(2)
    ]
    weights = {"wte": table(5, 8), "wpe": table(6, 8), "blocks": blocks}
    return Model(
        "biased", weights, Vocabulary("abcde"), n_head=2, activation=activation
    )


@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_weights_as_rules_make_the_same_function(activation: Any) -> None:
    """Every head, neuron and bias of random weights stands in a rule."""
    model = biased(activation)
    made = weights_as_rules(model).build("float64")
    exact = model.replace(
        weights=convert(model.weights, lambda x: np.asarray(x, "float64"))
    )
    for text in ("a", "edcba", "bbabed"):
        np.testing.assert_allclose(
            made(text), exact(text), rtol=1e-9, atol=1e-9
        )


def test_a_layer_norm_is_no_rule() -> None:
    """Weights with norms are read, and have no program."""
    model = bundled_model("aab")
    one = np.ones(model.n_embd, "float32")
    normed = model.replace(
        program=None,
        weights={**model.weights, "ln_f": {"g": one, "b": 0 * one}},
    )
    with pytest.raises(ProgramError) as error:
        weights_as_rules(normed)
    assert str(error.value) == (
        "aab: has layer norms, or an unembedding of its own, which no rule writes"
    )
    found = package.read(normed)
    assert found.heads[0].recipe is None
    assert found.heads[0].kind == "offset"


RECIPES = {
    ("counter", "0.h0"): 'attend_to(at, at["p"] - 7)',
    ("nim", "0.h2"): "attend_to(at, 3)",
    ("aab", "0.h0"): "kernel(at, {0: 0.5, 1: 0.5})",
    ("majority", "0.h0"): "mean(...)",
    ("adder", "0.h0"): "Head(query=...) by a table of positions",
    ("rule110", "0.h0"): 'attend_to(at, at["target"])',
}


@pytest.mark.parametrize("place", slow_from(3, RECIPES))
def test_the_recipe_of_a_reading_keeps_the_predictions(
    place: tuple[str, str],
) -> None:
    """In the program of the shuffled weights, the recipe predicts as the head did: `kept`, and what
    the claim says of prompts and contexts drawn anew.
    """
    name, head = place
    found = reading(name)
    read = next(x for x in found.heads if x.name == head)
    assert read.recipe is not None
    assert (read.recipe.says, read.kept) == (RECIPES[place], 1)
    program = found.program(head)
    assert_accurate(program, sampled=True)


def test_the_program_of_a_recipe_is_proved() -> None:
    """The claim comes with the texts."""
    found = package.read("counter").program("0.h0")
    assert package.verify(found).verdict == "proved"


def test_a_head_without_a_recipe_is_named() -> None:
    """What has one is said."""
    found = package.read("caesar")
    with pytest.raises(ProgramError) as error:
        found.program("0.h0")
    assert (
        str(error.value)
        == "caesar: has no recipe for '0.h0'; it has one for 0.h1"
    )


# ---------------------------------------------------------------- the command


def test_read_prints_a_line_for_each_head() -> None:
    """The whole output, for a program of two heads."""
    shown = handcraft("read", "reverse")
    assert (shown.code, shown.err) == (0, "")
    assert shown.lines == [
        "reverse: 2 of 2 heads read, on 81 texts of its claim",
        "",
        "head  attends to                                       explained  same if replaced",
        "0.h0  =                                                   100.0%            100.0%",
        "1.h0  position 2 m - p - 1, m where head 0.h0 attends     100.0%            100.0%",
    ]


def test_the_json_has_what_the_table_has() -> None:
    """`--json` has a reading for each head."""
    found = handcraft("read", "nim", "--json").json
    assert (found["program"], found["read"]) == ("nim", 3)
    assert [head["says"] for head in found["heads"]] == [
        f"position {i}" for i in (1, 2, 3)
    ]


def test_weights_without_a_claim_are_read_on_random_texts(
    tmp_path: Any,
) -> None:
    """A claim is taken from a file; without one the texts are drawn from the vocabulary."""
    bare = bundled_model("copy_previous").replace(program=None)
    bare.save(tmp_path / "bare")
    shown = handcraft("read", str(tmp_path / "bare"))
    assert "random texts" in shown.lines[0]
    assert shown.lines[3].startswith("0.h0  1 back ")
    held = handcraft("read", str(tmp_path / "bare"), "--claim", "copy_previous")
    assert "of its claim" in held.lines[0]
    assert held.lines[3] == shown.lines[3]


def test_a_claim_is_given_in_python_as_it_is_to_verify() -> None:
    """A claim itself, or what names a file that has one: the same texts are read."""
    model = bundled_model("copy")
    bare = model.replace(program=None)
    given = package.read(bare, claim=model.program.claim)  # type: ignore[union-attr]
    assert given.heads == package.read(bare, claim="copy").heads
    with pytest.raises(
        ProgramError, match=r"claim: a claim is .*; found int 5"
    ):
        package.read(bare, claim=5)  # type: ignore[arg-type]


def test_a_claim_that_does_not_fit_is_refused() -> None:
    """The words of a claim must be the model's."""
    shown = handcraft("read", "aab", "--claim", "reverse")
    assert shown.code == 2
    assert shown.out == ""
