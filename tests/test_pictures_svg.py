"""Pictures are well-formed whatever the names in them, and readable in every renderer."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from drawings import (
    fetches_nothing,
    parsed,
    readable_without_css,
    words,
)
from hypothesis import given
from hypothesis import strategies as st

from handcraft import Head, Model, Program, position, scratch, token
from handcraft.analysis.explain import explain
from handcraft.core.vocabulary import Vocabulary
from handcraft.pictures.circuit_files import circuit_dot, circuit_mermaid
from handcraft.pictures.circuits import circuit_svg
from handcraft.pictures.matrices import explanation_svg
from handcraft.pictures.notebooks import model_page, trace_page
from handcraft.pictures.passes import head_svg, trace_svg
from handcraft.pictures.svg import (
    LOOKS,
    Drawing,
    element,
    text,
    tint,
    visible,
    whole_svg,
    width_of,
)
from handcraft.pictures.wiring import wiring

PAYLOADS = [
    "<script>alert(1)</script>",
    "</text></svg><script>",
    "</style><b>",
    "javascript:alert(1)",
    "{{x}}",
    '"onload="alert(1)',
    "'",
    "&amp;",
    "\x00",
    "\x1b[31m",
    "\u202eabc",
    "\u2028",
    "]]>",
    "<!--",
    "\ufffe",
    " ",
]


def hostile(names: list[str]) -> Model:
    """A model whose tokens have these names, with a head that copies the token before."""
    letters = [f"t{i}" for i in range(len(names))]
    p, t, v = position(4), token(letters), scratch("v")
    head = Head(query=64 * p.previous, value=t, adds=4 * t)
    one = Head(value={v: t["t0"]}, adds={v: 1})
    model = Program(
        embedding=(p, t, v), layers=(head, one), name="hostile"
    ).build()
    named = Vocabulary(tuple(names))
    return Model("hostile", model.weights, named, model.n_head)


def every_picture(model: Model) -> list[str]:
    """Each kind of picture of a model."""
    found = model.trace([0, len(model.vocabulary) - 1])
    return [
        trace_svg(found, "t"),
        head_svg(found.heads[0]),
        explanation_svg(explain(model), model.name),
        circuit_svg(wiring(model)),
    ]


def test_hostile_names_stay_texts() -> None:
    """Markup, quotes, controls and marks of direction arrive as visible characters, and run
    nothing.
    """
    model = hostile(PAYLOADS)
    for picture in every_picture(model):
        assert fetches_nothing(re.sub(r"javascript:alert", "", picture))
        assert all(c.isprintable() or c == "\n" for c in picture)
        parsed(picture)
    shown = {word.text for word in words(every_picture(model)[2])}
    assert "<script>alert(1)</scr…" in shown
    assert {"\\x00", "\\u202eabc", "]]>", "␣"} <= shown
    for page_ in (model_page(model), trace_page(model.trace([0, 1]))):
        assert "<script" not in page_
        assert "<b>" not in page_
    for graph in (circuit_dot(wiring(model)), circuit_mermaid(wiring(model))):
        assert all(c.isprintable() or c == "\n" for c in graph)


@given(st.text(min_size=1, max_size=6))
def test_any_name_gives_a_well_formed_picture(name: str) -> None:
    """Whatever a token is called, a picture is XML and keeps its place for the name."""
    for picture in every_picture(hostile([name, name + "x"])):
        assert parsed(picture).tag.endswith("svg")


def test_the_same_input_gives_the_same_bytes() -> None:
    """No clock, no chance and no order of a set is in a picture."""
    assert every_picture(hostile(PAYLOADS)) == every_picture(hostile(PAYLOADS))


def test_every_colour_is_an_attribute_too() -> None:
    """A renderer that knows no style sheet shows dark letters on a light card; the sheet has a dark
    colour for each class that is used, and no other.
    """
    for picture in every_picture(hostile(["a", "b"])):
        assert readable_without_css(picture)
        used = set(re.findall(r'class="hc-(\w+)"', picture))
        assert used <= set(LOOKS)
        sheet = re.search(r"<style>(.*?)</style>", picture)
        assert sheet is not None
        assert set(re.findall(r"\.hc-(\w+)\{", sheet[1])) == set(LOOKS)


def luminance(colour: str) -> float:
    """The relative luminance of a colour, as WCAG 2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (
        x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4
        for x in parts
    )
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def mixed(front: str, back: str, share: float) -> str:
    """A colour over another, as opaque as this."""
    pairs = [
        (int(front[i : i + 2], 16), int(back[i : i + 2], 16)) for i in (1, 3, 5)
    ]
    parts = [round(share * a + (1 - share) * b) for a, b in pairs]
    return "#" + "".join(f"{part:02x}" for part in parts)


@pytest.mark.parametrize("side", [1, 2], ids=["light", "dark"])
def test_letters_can_be_read_on_every_ground(side: int) -> None:
    """At least 4.5 to 1: on the card, on the empty field, and on the deepest cells."""
    colour = {name: found[side] for name, found in LOOKS.items()}
    field = colour["field"]
    deep = [mixed(colour[sign], field, 0.6) for sign in ("plus", "minus")]
    pairs = [
        *((look, colour["card"]) for look in ("ink", "faint", "head")),
        *((look, colour["box"]) for look in ("ink", "faint", "head")),
        ("faint", field),
        *(("ink", ground) for ground in deep),
    ]
    for look, ground in pairs:
        low, high = sorted((luminance(colour[look]), luminance(ground)))
        assert (high + 0.05) / (low + 0.05) >= 4.5, (look, ground)


def test_an_element_escapes_its_attributes() -> None:
    """Quotes cannot end an attribute, and None leaves it out."""
    found = element("rect", x=1.25, class_='a"b', fill_opacity="0.5", rx=None)
    assert found == '<rect x="1.2" class="a&quot;b" fill-opacity="0.5"/>'


def test_a_length_has_no_minus_zero() -> None:
    """Pixels are written to a tenth, without what does not count."""
    assert element("g", x=-0.01, y=3.0, z=-2.06) == '<g x="0" y="3" z="-2.1"/>'


def test_spaces_of_a_token_are_visible() -> None:
    """A space at an end of a name would not be seen."""
    names = ["the", " the", "a ", "  ", "", "a b"]
    assert [visible(name) for name in names] == [
        *("the", "␣the", "a␣", "␣␣", "''", "a b"),
    ]


def test_wide_characters_count_twice() -> None:
    """A name of ideographs is as wide as twice as many letters."""
    assert width_of("語語") == width_of("abcd")


def test_a_tint_is_opaque() -> None:
    """A fifth of blue on white, for renderers without transparency."""
    assert tint("#0072b2") == "#cce3f0"
    assert tint("#000000", 1) == "#000000"


def test_a_page_is_as_large_as_its_drawing() -> None:
    """The card has a margin around what is drawn, and its title is read out."""
    root = parsed(
        whole_svg(Drawing(300, 40, (text(0, 10, "a<b"),)), 'a "title"')
    )
    assert root.attrib["viewBox"] == "0 0 332 72"
    assert root.attrib["role"] == "img"
    assert root[0].text == 'a "title"'


def test_a_head_without_tokens_is_drawn_by_numbers() -> None:
    """A HeadTrace that was made without its context has the positions alone."""
    head = hostile(["a", "b"]).trace([0, 1]).heads[0]
    bare = replace(head, tokens=())
    shown = [word.text for word in words(head_svg(bare))]
    assert "0 a" not in shown
    assert shown.count("0") >= 2
