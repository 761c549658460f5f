"""Two models stand side by side, and read one text."""

from __future__ import annotations

from pathlib import Path

from opened import Opened
from pages import model_of

import handcraft


def test_two_models_have_a_column_each_and_one_text(opened: Opened) -> None:
    opened("aab", "abc").type("aab")
    assert opened.texts("h1") == ["aab", "abc"]
    left, right = (one.rect for one in opened.all(".view"))
    assert left["x"] + left["width"] <= right["x"]
    assert left["y"] == right["y"]
    answers = opened.texts(".answer b")
    assert answers[0] == model_of("aab").generate("aab", 20)
    assert answers[1] == model_of("abc").generate("aab", 20)


def test_one_of_two_is_edited_and_the_other_stays(opened: Opened) -> None:
    opened("aab", "aab").type("ab")
    before = opened.texts(".answer b")
    opened.click("[data-key='rule layers[0] > adds']")
    after = opened.texts(".answer b")
    assert after[1] == before[1]
    assert after[0] != before[0]
    address = opened.address()
    opened("aab", "aab", address=f"#{address}")
    assert opened.texts(".answer b") == after


def test_a_comparison_stands_above_both(opened: Opened, folder: Path) -> None:
    """The policy lets its pictures through, nothing is asked of a network, and what is wide scrolls
    in a frame that Tab reaches.
    """
    path = (
        handcraft.compare("baby_gpt", "baby_gpt")
        .view()
        .save(folder / "compared.html")
    )
    opened("baby_gpt", "baby_gpt", path=path).type("111")
    report = opened.all(".report")
    assert len(report) == 1
    assert report[0].rect["y"] < opened.all(".view")[0].rect["y"]
    sizes = opened.driver.execute_script(
        "return [...document.images].map((one) => one.naturalWidth)"
    )
    assert len(sizes) == 2
    assert min(sizes) > 100
    assert opened.complaints() == []
    assert opened.axe() == []
    answers = opened.texts(".answer b")
    assert answers[0] == answers[1]


def test_a_text_that_only_one_can_read_is_a_problem_of_the_other(
    opened: Opened,
) -> None:
    opened("aab", "baby_gpt").type("ab")
    assert opened.texts(".problem")[1].startswith("no token matches 'a'")
    assert opened.texts(".ending")[1] == "Not answered."
    assert opened.texts(".answer b")[0] == model_of("aab").generate("ab", 20)
