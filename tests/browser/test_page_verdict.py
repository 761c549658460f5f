"""The verdict in the page is that of `handcraft verify`."""

from __future__ import annotations

import json
from functools import cache

import pytest
from cli_runner import handcraft
from opened import Opened
from pages import model_of

from handcraft import Program, position, token, verify
from handcraft.core.weights import flatten, nest
from handcraft.proof.certificate_files import proof_hash
from handcraft.proof.verify import verify_with_proof
from handcraft.results.view import viewed
from handcraft.viewer.payload import Viewed

QUICK = ("aab", "abc", "baby_gpt", "counter")
WRONG = Program(  # says b after every a, and a after every b
    name="wrong",
    embedding=(position(4), token("ab")),
    claim={"a": "b", "b": "a"},
)


@cache
def view_of(name: str) -> Viewed:
    """A program with its verdict."""
    return viewed(name)


@pytest.mark.parametrize("name", QUICK)
def test_the_badge_and_the_list_say_what_verify_says(
    opened: Opened, name: str
) -> None:
    report = json.loads(handcraft("verify", name, "--json").out)
    opened(view_of(name))
    badge = opened.text(".badge")
    assert report["verdict"] in badge
    assert f"{report['checked']:g}" in badge or report["checked"] > 999999
    found = dict(
        zip(
            opened.texts(".verdict dt"),
            opened.texts(".verdict dd"),
            strict=True,
        )
    )
    assert found["verdict"] == (
        f"{report['verdict']} ({report['method']}, {report['dtype']})"
    )
    assert found["contexts"] == (
        f"{report['contexts']} covered, {report['checked']} where the claim speaks"
    )
    if report["min_margin"] is not None:
        least = float(found["least margin"])
        assert least == pytest.approx(report["min_margin"], rel=1e-5)
    _, proof = verify_with_proof(model_of(name))
    assert found.get("certificate") == (proof and proof_hash(proof))


def test_many_contexts_are_counted_to_the_last(opened: Opened) -> None:
    verdict = {
        **dict(view_of("aab").verdict or {}),
        "contexts": 10**26 + 1,
        "checked": 10**26,
    }
    opened(Viewed(model_of("aab"), (), verdict))
    assert f"{10**26 + 1} covered" in opened.text(".verdict")
    assert opened.text(".badge").startswith(
        "✓ proved on all 1e26 contexts of the claim"
    )


def test_a_button_loads_the_context_of_the_least_margin(opened: Opened) -> None:
    opened(view_of("aab")).type("b")
    opened.click(".examples button")
    assert opened.one(".text").get_property("value") == "aa"
    assert opened.text(".answer").startswith("aab")


def test_a_button_loads_the_counterexample(opened: Opened) -> None:
    opened(viewed(WRONG.build()))
    assert opened.text(".badge").startswith("✗ refuted")
    wrong = opened.all(".examples button")[0]
    assert wrong.text == "Where it is wrong"
    opened.click(wrong)
    found = dict(
        zip(
            opened.texts(".verdict dt"),
            opened.texts(".verdict dd"),
            strict=True,
        )
    )
    assert opened.one(".text").get_property("value") == found["wrong after"]
    assert found["expected"] in "ab"
    assert opened.text(".bars .best th") == f"▸ {found['found']}"


def test_without_a_verdict_the_page_says_so(opened: Opened) -> None:
    opened(Viewed(model_of("aab")))
    assert opened.text(".badge") == "not verified"
    assert not opened.one(".verdict").is_displayed()


def test_other_weights_than_the_rules_are_called_wrong(opened: Opened) -> None:
    """Also where the claim holds, so that there is no counterexample."""
    model = model_of("aab")
    arrays = {k: a.copy() for k, a in flatten(model.weights).items()}
    arrays["wpe"][0, 7] += 0.5
    changed = model.replace(weights=nest(arrays))
    assert verify(changed).failed == ["weights"]
    opened(viewed(changed))
    said = "✗ refuted: the weights are not what the rules say"
    assert opened.text(".badge") == said
    assert "wrong" in str(opened.one(".badge").get_attribute("class"))
    assert "the weights" in opened.texts(".verdict dd")


def test_contexts_that_were_drawn_are_not_called_all(opened: Opened) -> None:
    drawn = {
        **dict(view_of("aab").verdict or {}),
        "verdict": "checked",
        "method": "sampled",
        "contexts": 200,
        "checked": 200,
        "min_margin": None,
    }
    opened(Viewed(model_of("aab"), (), drawn))
    assert opened.text(".badge") == "checked on 200 drawn contexts"


def test_a_context_that_no_text_spells_has_no_button(opened: Opened) -> None:
    """The tokens a and b side by side are read as the token ab: the list names each."""
    program = Program(
        name="joined",
        embedding=(position(4), token(["a", "b", "ab"])),
        claim={("a",): "a", ("b",): "b", ("ab",): "ab", ("a", "b"): "a"},
    )
    found = viewed(program.build())
    assert found.verdict is not None
    assert found.verdict["counterexample"]["tokens"] == ["a", "b"]
    opened(found)
    assert "Where it is wrong" not in opened.texts(".examples button")
    assert "'a' 'b'" in opened.texts(".verdict dd")
    assert opened.text(".badge") == "✗ refuted: wrong after 'a' 'b'"
