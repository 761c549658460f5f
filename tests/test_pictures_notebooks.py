"""What notebooks show: static HTML with pictures, escaped, without a script, of bounded size."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from conftest import (
    EVERY_PROGRAM,
    bundled_model,
    bundled_program,
    example,
    random_weights,
)
from drawings import parsed, words

import handcraft
from handcraft import Model, after
from handcraft.core.vocabulary import Vocabulary
from handcraft.pictures.notebooks import MOST_PAGE
from handcraft.sequence.words import indices

ACTIVE = {"script", "iframe", "object", "embed", "link", "img", "foreignobject"}


class Page(HTMLParser):
    """A page whose tags are all closed in their turn; `text` is what stands outside pictures."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.text = ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.open.append(tag)
        self.seen.add(tag)
        assert not any(name.startswith("on") for name, _ in attrs)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "svg" not in self.open:
            self.text += data


def shown(value: Any) -> tuple[Page, list[str]]:
    """The page of a value, which is harmless and not too large, and its pictures."""
    page = value._repr_html_()
    assert len(page.encode()) <= MOST_PAGE
    found = Page(page)
    assert not found.seen & ACTIVE
    pictures = re.findall(r"(?s)<svg .*?</svg>", page)
    for picture in pictures:
        parsed(picture)
    return found, pictures


def texts(picture: str) -> list[str]:
    """The texts of a picture."""
    return [word.text for word in words(picture)]


@pytest.mark.parametrize("name", EVERY_PROGRAM)
def test_every_value_of_every_program_has_a_page(name: str) -> None:
    """Model, Program, Trace, HeadTrace, Explanation and the circuit: each is shown, and bounded."""
    model = bundled_model(name)
    trace = model.trace(example(name))
    values = [
        *(model, bundled_program(name), trace, *trace.heads[:1]),
        *(handcraft.explain(model), handcraft.circuit(model)),
        handcraft.trace(model, example(name)),
    ]
    for value in values:
        page, pictures = shown(value)
        assert pictures or "..." in page.text


def test_a_model_shows_its_sizes_its_circuit_and_its_matrices() -> None:
    """A table, then two pictures."""
    page, (circuit, matrices) = shown(bundled_model("aab"))
    assert "26 non-zero of 344" in page.text
    assert "head 0.h0" in texts(circuit)
    assert {"wte", "0.h0.v", "-1024"} <= set(texts(matrices))


def test_a_program_shows_its_rules_too() -> None:
    """The slots, the head as it is written, and the claim; then the pictures of its model."""
    page, pictures = shown(bundled_program("aab"))
    assert "position, token, v" in page.text
    assert "Head(query=" in page.text
    assert "After(" in page.text or "after(" in page.text
    assert len(pictures) == 2


def test_the_attention_is_on_the_screen_after_two_lines() -> None:
    """`model = ...; model.trace("aab")`: the first picture begins with the attention."""
    model = handcraft.open("aab")
    _, (picture,) = shown(model.trace("aab"))
    assert texts(picture)[1:4] == ["head 0.h0: attention", "query", "0 a"] or (
        "head 0.h0: attention" in texts(picture)[:3]
    )
    _, (again,) = shown(handcraft.trace("aab", "aab"))
    assert "head 0.h0: attention" in texts(again)


def test_a_head_is_its_attention() -> None:
    """With the tokens on both sides."""
    _, (picture,) = shown(bundled_model("aab").trace("ab").heads[0])
    assert texts(picture).count("0 a") == 2


def test_a_result_keeps_what_it_prints_beside_its_picture() -> None:
    """To be opened by a click that needs no script."""
    found = handcraft.explain("aab")
    page, _ = shown(found)
    assert page.text.lstrip().removeprefix("as text") == str(found)
    assert {"details", "summary", "pre"} <= page.seen


def test_a_report_shows_the_attention_of_its_counterexample() -> None:
    """The verdict first, as it is printed; a proof has no picture."""
    proved, none = shown(handcraft.verify("aab"))
    assert "aab: proved" in proved.text
    assert none == []
    wrong = after({"aa": "a", "ab": "a", "ba": "a"})
    page, (picture,) = shown(handcraft.verify("aab", claim=wrong))
    assert page.text.startswith("aab: refuted")
    assert "head 0.h0: attention" in texts(picture)


def test_a_chain_is_drawn_where_its_states_can_be_told_apart() -> None:
    """The eight states of the baby GPT; of 400 states their number."""
    _, (picture,) = shown(handcraft.states("baby_gpt"))
    assert {"000", "111", "0.5"} <= set(texts(picture))
    page, none = shown(handcraft.states("trigram"))
    assert none == []
    assert "... 400 states; .save(file) draws them" in page.text


def test_a_chain_that_was_cut_off_says_so() -> None:
    """What cannot be drawn is a line with the reason, not an error in a notebook."""
    found = handcraft.states("baby_gpt", avoid="00", floor=1e-9, limit=3)
    page, _ = shown(found)
    assert page.text


def test_an_expression_shows_its_values_on_an_example() -> None:
    """Its notation, and a table of a short text."""
    page, _ = shown(indices + 1)
    assert page.text.startswith(repr(indices + 1))
    assert page.text.endswith("an exampleabaabbits value123456")
    assert "table" in page.seen


def test_a_large_model_shows_its_sizes() -> None:
    """A GPT-2 of a million parameters, with layer norms and without rules."""
    weights = random_weights(5, n_embd=128, n_vocab=500, n_ctx=256, n_layer=8)
    names = Vocabulary(tuple(f"t{i}" for i in range(500)))
    model = Model("big", weights, names, n_head=4)
    page, none = shown(model)
    assert none == []
    assert "... its matrices are too large for a page" in page.text
    _, (picture,) = shown(model.trace(list(range(40))))
    assert any(t.startswith("logits after") for t in texts(picture))


def test_a_small_model_with_layer_norms_has_no_circuit() -> None:
    """The page says why, and shows the matrices."""
    model = Model("w", random_weights(4), Vocabulary(("a", "b", "c")), n_head=2)
    page, (picture,) = shown(model)
    assert "w has layer norms" in page.text
    assert "wte" in texts(picture)


def test_a_program_that_cannot_be_built_is_shown_all_the_same() -> None:
    """Its rules stand there, with the reason why there are no matrices."""
    from handcraft import Head, Program, position, token

    p, t = position(2), token("ab")
    head = Head(query=1e300 * p, value=t, adds=t)
    page, none = shown(Program(embedding=(p, t), layers=(head,), name="huge"))
    assert none == []
    assert "it cannot be built: " in page.text
