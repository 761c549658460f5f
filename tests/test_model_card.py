"""README.md of an export: what it says of the model, and what it must not say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_runner import handcraft
from conftest import bundled_model
from voting import three

from handcraft import (
    MLP,
    Model,
    Program,
    after,
    answers,
    distribution,
    each,
    token,
)
from handcraft.core.vocabulary import Vocabulary
from handcraft.runtimes import RUNTIMES, export
from handcraft.runtimes.judged import judged
from handcraft.runtimes.model_card import model_card
from handcraft.sequence.words import own

PICO = RUNTIMES["picogpt"]


def card_of(model: Model, *, verified: bool = False) -> str:
    """The card of an export to picoGPT, whose weights are one byte."""
    files = {"params.npz": b"x"}
    made = model_card(
        model, PICO, PICO.norms[0], files, judged(model, verified=verified)
    )
    return made.decode()


def echo(**options: Any) -> Program:
    """Says the token it reads."""
    tokens = options.pop("tokens", "ab")
    t = token(tokens)
    return Program(
        **{"name": "echo", "embedding": (t,), "layers": (), "n_ctx": 3}
        | options
    )


def verdict_of(card: str) -> str:
    """The first paragraph under `Whether it does`."""
    after_title = card.partition("## Whether it does\n\n")[2]
    return after_title.partition("\n\n")[0]


def test_a_small_program_is_checked_on_every_context() -> None:
    """The counts and the margin are those of `handcraft verify --method exhaustive`."""
    found = handcraft("verify", "aab", "--method", "exhaustive", "--json").json
    assert verdict_of(card_of(bundled_model("aab"))) == (
        f"**checked**: {found['contexts']} contexts covered, {found['checked']} where the claim"
        " speaks (exhaustive, float32). The logit of the right token is above every other by at"
        f" least {found['min_margin']:.4g}."
    )


def test_a_large_one_is_checked_on_drawn_prompts() -> None:
    """And the card says how many there are."""
    assert verdict_of(card_of(bundled_model("parity"))).endswith(
        "There are about 10^18 prompts; 100 were drawn."
    )


def test_verified_says_what_verify_finds(tmp_path: Path) -> None:
    """`--verify` looks for a proof."""
    out = tmp_path / "out"
    done = handcraft(
        "export", "aab", "--to", "picogpt", "--out", out, "--verify"
    )
    assert done.code == 0
    assert verdict_of((out / "README.md").read_text()).startswith(
        "**proved**: 62 contexts covered, 45 where the claim speaks (certificate, float32)."
    )


def test_a_wrong_model_is_refuted_on_its_card() -> None:
    """With the context on which it is wrong."""
    model = echo(claim=after({"a": "b", "b": "b"})).build()
    assert verdict_of(card_of(model)).startswith("**refuted**: ")
    assert "After `a` it must be `b`, and is `a`." in card_of(model)


def test_the_margin_of_a_wrong_model_is_not_on_its_card() -> None:
    """A logit is not above another by at least a negative number."""
    card = card_of(echo(claim=after({"a": "b", "b": "b"})).build())
    assert verdict_of(card) == (
        "**refuted**: 14 contexts covered, 14 where the claim speaks (exhaustive,"
        " float32). After `a` it must be `b`, and is `a`."
    )


def test_a_tie_on_a_card_names_both_tokens() -> None:
    """Neither is the greatest."""
    t = token("ab")
    layers = (MLP(adds={t["b"]: 1}),)
    card = card_of(
        echo(embedding=(t,), layers=layers, claim=after({"a": "a"})).build()
    )
    assert verdict_of(card).endswith(
        " After `a` it must be `a`, and `a` and `b` are equal, so that neither is the"
        " greatest."
    )


def test_several_right_tokens_on_a_card() -> None:
    """Each stands in a code span, where the model is wrong and where it is right."""
    claim = after({"a": {"b", "c"}})
    wrong = echo(tokens="abc", claim=claim).build()
    assert verdict_of(card_of(wrong)).endswith(
        " After `a` it must be `b` or `c`, and is `a`."
    )
    assert verdict_of(card_of(three(claim).build())).endswith(
        " The logit of a right token is above every wrong one by at least 50."
    )


def test_what_must_be_is_a_number_or_probabilities() -> None:
    """Values that are no tokens stand as the claim has them."""
    half = distribution({"a": {"a": 0.5, "b": 0.5}})
    assert "it must be `a` 0.5, `b` 0.5, and is `a` " in verdict_of(
        card_of(echo(claim=half).build())
    )
    backwards = each(lambda text: text[::-1])
    found = card_of(echo(claim=backwards, causal=False).build(), verified=True)
    assert "At position 0 of `'ab'` it must be `b`, and is `a`." in found


def test_weights_that_are_not_the_rules_are_refuted() -> None:
    """Whatever they compute, as `handcraft verify` has it."""
    model = bundled_model("aab")
    weights = {**model.weights, "wpe": model.weights["wpe"] + np.float32(1)}
    assert verdict_of(card_of(model.replace(weights=weights))).startswith(
        "**refuted**: the weights are not what the rules of the program say, at "
    )


def test_a_format_that_opens_again_names_the_claim(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command on the card checks the exported files themselves, in their folder."""
    out = tmp_path / "out"
    done = handcraft("export", "aab", "--to", "gpt2", "--out", out)
    assert done.code == 0
    card = (out / "README.md").read_text()
    assert (
        "`handcraft verify . --claim aab`, in this folder, holds these files to the claim."
        " They have no rules to prove it with: contexts are enumerated or drawn."
        in card
    )
    assert (
        "compared with the program's: in every context that was tried the same token came"
        " first." in card
    )
    monkeypatch.chdir(out)
    found = handcraft("verify", ".", "--claim", "aab", "--json").json
    assert found["verdict"] == "checked"


def test_a_format_that_does_not_open_again_names_none(tmp_path: Path) -> None:
    """Of other formats the card names the program alone."""
    out = tmp_path / "out"
    done = handcraft("export", "aab", "--to", "picogpt", "--out", out)
    assert done.code == 0
    card = (out / "README.md").read_text()
    assert "--claim" not in card
    assert "`handcraft verify aab` verifies it" in card


@pytest.mark.parametrize(
    "claim",
    [
        lambda context: context[-7],
        each(lambda text: text[99]),
        answers("a", lambda _: "b", length=1),
    ],
)
def test_a_function_is_not_judged(claim: Any) -> None:
    """It may raise, or take long; nothing is said of it that was not found."""
    fields = {"causal": False} if getattr(claim, "kind", "") == "each" else {}
    program = echo(claim=claim, **fields)
    assert (
        verdict_of(card_of(program.build()))
        == "**Not verified** at export: the claim is a Python function."
    )


@pytest.mark.parametrize(
    ("causal", "seen"),
    [(False, ""), (True, ", which sees the text up to there,")],
)
def test_a_claim_on_whole_texts_is_told_as_one(causal: bool, seen: str) -> None:
    """It says nothing of what follows a context."""
    model = echo(claim=each(own, causal=causal), causal=causal).build()
    assert (
        f"What is said at each position of a whole text{seen} is given, token by token,"
        " by `own`."
    ) in card_of(model)


def test_weights_without_a_program_claim_nothing() -> None:
    """A built directory may hold none."""
    model = bundled_model("aab")
    bare = Model("bare", model.weights, model.vocabulary, model.n_head)
    card = card_of(bare)
    assert (
        "Weights without a program: what they should do is not known." in card
    )
    assert "It makes no claim." in card
    assert "**Not verified**: there is nothing to hold it to." in card
    assert "handcraft verify" not in card


def test_the_card_begins_with_what_the_hub_reads() -> None:
    """Front matter, the name, the first line of the program file."""
    lines = card_of(Model.open("aab")).split("\n")
    assert lines[:11] == [
        "---",
        "library_name: picogpt",
        "pipeline_tag: text-generation",
        "tags:",
        "- handcraft",
        "- gpt2",
        "---",
        "",
        "# aab",
        "",
        "Continues aabaabaab...: b follows aa, a follows everything else.",
    ]


@pytest.mark.parametrize("name", ["aab", "reverse", "bigram"])
def test_the_same_model_gives_the_same_card(name: str, tmp_path: Path) -> None:
    """No date, no path: two exports are equal to the byte."""
    cards = []
    for folder in ("one", "two"):
        export(Model.open(name), "picogpt", tmp_path / folder)
        cards.append((tmp_path / folder / "README.md").read_bytes())
    assert cards[0] == cards[1]
    assert str(tmp_path).encode() not in cards[0]


def test_how_to_verify_names_a_program_only_where_it_is_that_one() -> None:
    """Another program of the same name is not the bundled one."""
    assert "`handcraft verify aab`" in card_of(bundled_model("aab"))
    folder = card_of(bundled_model("sequence/parity"))
    assert "`handcraft verify sequence/parity`" in folder
    other = echo(name="aab", claim=after({"a": "a"})).build()
    assert "`handcraft verify PROGRAM`" in card_of(other)


def test_tokens_stand_in_code_spans() -> None:
    """Whatever they are: a backtick, a line break, a tag, what a terminal obeys."""
    tokens = ["`", "\n", "<b>", "\x1b[2J", "|", "``"]
    program = echo(tokens=tokens, claim=after({"`": "`"}))
    card = card_of(program.build())
    assert "\x1b" not in card
    assert "``'`'``" in card
    assert "`'<b>'`" in card
    assert Vocabulary(tuple(tokens)).tokens == tuple(tokens)
