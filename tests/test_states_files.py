"""Pictures of a chain: every state and edge is drawn, whatever its tokens are called, and
nothing lies on another.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from conftest import Refused, bundled_model
from hypothesis import given
from hypothesis import strategies as st

from handcraft import Model
from handcraft.analysis.reachability import avoid
from handcraft.analysis.states import Chain, explore
from handcraft.core.errors import (
    MissingExtraError,
    ProgramError,
    UndecidedError,
)
from handcraft.frontends import from_markov
from handcraft.pictures.states_files import (
    chain_json,
    mermaid,
    save_picture,
    to_dot,
)
from handcraft.pictures.states_svg import HEIGHT, PATH, svg

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = [
    '"',
    "<b>",
    "\x1b[31m",
    "&amp;",
    "]]",
    "\\n",
    "#",
    "\u202e",
    "é",
    " ",
    "--",
    "`",
]


def baby(floor: float = 0.0) -> Chain:
    """The chain of the baby GPT."""
    return explore(bundled_model("baby_gpt"), floor=floor)


def hostile() -> Chain:
    """A chain whose tokens would each break some format."""
    names = {name: chr(ord("a") + i) for i, name in enumerate(HOSTILE)}
    letters = list(names.values())
    model = from_markov(
        {
            letter: {letters[i - 1]: 0.5, letter: 0.5}
            for i, letter in enumerate(letters)
        }
    ).build()
    vocabulary = type(model.vocabulary)(tuple(names))
    return explore(
        Model("hostile", model.weights, vocabulary, model.n_head), floor=1e-9
    )


def boxes(picture: str) -> dict[str, tuple[float, float, float, float]]:
    """The outer box of each state by its tooltip."""
    found = {}
    for group in ElementTree.fromstring(picture).iter(f"{SVG}g"):
        box, name = group.find(f"{SVG}rect"), group.find(f"{SVG}title")
        assert box is not None
        assert name is not None
        found[name.text or ""] = tuple(
            float(box.attrib[key]) for key in ("x", "y", "width", "height")
        )
    return found  # type: ignore[return-value]


def arrows(picture: str) -> list[ElementTree.Element]:
    """The edges of an SVG."""
    return [
        path
        for path in ElementTree.fromstring(picture).iter(f"{SVG}path")
        if "marker-end" in path.attrib
    ]


# ---------------------------------------------------------------- SVG


def test_every_state_and_edge_is_drawn() -> None:
    """The picture of the baby GPT has eight boxes and sixteen arrows; the rare ones have no
    number, but a tooltip.
    """
    picture = svg(baby())
    numbers = [
        text.text
        for text in ElementTree.fromstring(picture).findall(f"{SVG}text")
    ]
    assert sorted(boxes(picture)) == [
        "000",
        "001",
        "010",
        "011",
        "100",
        "101",
        "110",
        "111",
    ]
    assert len(arrows(picture)) == 16
    assert sorted(filter(None, numbers)) == ["0.5"] * 10 + ["1"] * 3
    tips = [title.text or "" for path in arrows(picture) for title in path]
    assert "111 → 110: 0.5" in tips
    assert sum("e-46" in tip for tip in tips) == 3


def test_a_picture_is_the_same_every_time() -> None:
    """The same chain gives the same bytes, on a circle, by springs and in columns."""
    for make in (
        baby,
        hostile,
        lambda: explore(bundled_model("aab")),
        lambda: explore(bundled_model("sort"), ["^b="], floor=0.1),
    ):
        assert svg(make()) == svg(make())


@pytest.mark.parametrize("name", ["baby_gpt", "aab", "bigram"])
def test_no_box_lies_on_another(name: str) -> None:
    """Boxes keep apart and inside the picture, however the states are laid out."""
    picture = svg(explore(bundled_model(name), floor=1e-9))
    _, _, width, height = map(
        float, ElementTree.fromstring(picture).attrib["viewBox"].split()
    )
    found = list(boxes(picture).values())
    for i, (x, y, w, h) in enumerate(found):
        assert 0 < x < x + w < width
        assert 0 < y < y + h < height
        assert all(
            abs(x - a) >= w or abs(y - b) >= h for a, b, _, _ in found[:i]
        )


def test_what_never_comes_back_stands_in_columns() -> None:
    """The steps of an answer go from left to right, one row for each prompt, with a double
    border at the end.
    """
    picture = svg(explore(bundled_model("sort"), ["^ba=", "^ca="], floor=1e-6))
    found = boxes(picture)
    for way in (
        ["^ba=", "^ba=a", "^ba=ab", "^ba=ab$"],
        ["^ca=", "^ca=a", "^ca=ac", "^ca=ac$"],
    ):
        assert [found[context][0] for context in way] == sorted(
            {box[0] for box in found.values()}
        )
        assert len({found[context][1] for context in way}) == 1
    groups = {
        group[0].text: len(group.findall(f"{SVG}rect"))
        for group in ElementTree.fromstring(picture).iter(f"{SVG}g")
    }
    assert {context for context, n in groups.items() if n == 2} == {
        "^ba=ab$",
        "^ca=ac$",
    }


def test_the_path_to_what_is_avoided_is_red() -> None:
    """Only the edges of the path are."""
    chain = baby(floor=1e-9)
    marked = [
        path
        for path in arrows(svg(chain, avoid(chain, "00")))
        if path.attrib["stroke"] == PATH
    ]
    assert [path[0].text for path in marked] == ["010 → 100: 0.5"]
    assert PATH in to_dot(chain, avoid(chain, "00"))
    assert mermaid(chain, avoid(chain, "00")).count(f"stroke:{PATH}") == 1
    assert PATH not in to_dot(chain) + mermaid(chain)


def test_transient_states_are_dashed_and_closed_ones_coloured() -> None:
    """A share of the time stands only in what lasts."""
    picture = svg(baby(floor=1e-9))
    groups = {
        group[0].text: group
        for group in ElementTree.fromstring(picture).iter(f"{SVG}g")
    }
    for context, group in groups.items():
        box, lasting = (
            group.find(f"{SVG}rect"),
            context in ("011", "101", "110", "111"),
        )
        assert box is not None
        assert ("stroke-dasharray" in box.attrib) is not lasting
        assert [text.text for text in group.findall(f"{SVG}text")[1:]] == (
            [{"111": "0.4"}.get(context, "0.2")] if lasting else []
        )


def test_a_picture_fetches_nothing() -> None:
    """There is no address in it beside that of the format itself, and no script."""
    picture = svg(hostile())
    assert re.findall(r"https?://[^\"]+", picture) == [
        "http://www.w3.org/2000/svg"
    ]
    assert not re.search(r"url\((?!#)|src=|href=|@import|<script", picture)


def test_a_long_context_is_cut_from_the_left() -> None:
    """A box holds the last 23 characters, its tooltip all of them."""
    model = bundled_model("sort")
    picture = svg(explore(model, ["^abcdefabcdefabcdefabcdef="], floor=1e-6))
    group = next(ElementTree.fromstring(picture).iter(f"{SVG}g"))
    assert (group[0].text, group[2].text) == (
        "^abcdefabcdefabcdefabcdef=",
        "…cdefabcdefabcdefabcdef=",
    )


def test_too_many_states_are_no_picture() -> None:
    """400 states are refused with what would work instead; DOT holds them."""
    chain = explore(bundled_model("trigram"))
    advice = "start from fewer contexts, or write .dot, .mmd or .json"
    with Refused(
        ProgramError,
        f"an SVG of 400 states cannot be read, at most 300 are drawn; {advice}",
    ):
        svg(chain)
    assert to_dot(chain).count("fillcolor") == 400


# ---------------------------------------------------------------- DOT, Mermaid, JSON


def test_dot_is_what_graphviz_reads() -> None:
    """A line for each state and each edge, their texts in quotes."""
    lines = to_dot(baby(floor=1e-9)).splitlines()
    assert lines[:3] == [
        'digraph "baby_gpt" {',
        "  rankdir=LR;",
        '  node [shape=box, style="rounded,filled", fontcolor="#1a1c1f"];',
    ]
    assert (
        r'  s7 [label="111\n0.4", color="#0072b2", fillcolor="#cce3f0"];'
        in lines
    )
    assert (
        '  s0 [label="000", color="#8a8a8a", fillcolor="#e8e8e8", style="rounded,filled,dashed"];'
        in lines
    )
    assert '  s7 -> s6 [label="0.5", penwidth=1.50];' in lines
    assert (len(lines), lines[-1]) == (3 + 8 + 13 + 1, "}")


def test_mermaid_is_a_flowchart() -> None:
    """A state has a rounded box, an ended context a box with two lines at its sides."""
    lines = mermaid(baby(floor=1e-9)).splitlines()
    assert lines[0] == "flowchart LR"
    assert '  s7("111<br>0#46;4")' in lines
    assert (
        "  style s0 stroke:#8a8a8a,fill:#e8e8e8,color:#1a1c1f,stroke-dasharray:4"
        in lines
    )
    assert '  s7 -->|"0.5"| s6' in lines
    assert len(lines) == 1 + 8 + 8 + 13
    assert '[["#94;b#61;b#36;<br>1"]]' in mermaid(
        explore(bundled_model("sort"), ["^b="], floor=1e-6)
    )


def test_hostile_tokens_stay_text() -> None:
    """Quotes, brackets, escapes and marks of direction arrive as visible characters in every
    format.
    """
    chain = hostile()
    for text in (svg(chain), to_dot(chain), mermaid(chain)):
        assert all(c.isprintable() or c == "\n" for c in text)
    assert sorted(boxes(svg(chain))) == sorted(
        chain.label(i) for i in range(len(chain.states))
    )
    for line in to_dot(chain).splitlines()[3:-1]:
        assert re.fullmatch(
            r'  s\d+( -> s\d+)? \[(\w+=("([^"\\]|\\.)*"|[\d.]+)(, )?)+\];', line
        ), line
    for line in mermaid(chain).splitlines()[1:]:
        assert re.fullmatch(
            r'  (s\d+\("[\w #;<>\\]*"\)|style s\d+ \S+|s\d+ -->\|"[\d.e-]+"\| s\d+)',
            line,
        ), line


@given(st.text(min_size=1, max_size=5))
def test_any_name_of_a_token_survives(name: str) -> None:
    """An SVG stays well-formed and Mermaid's labels stay between their quotes, whatever a token
    is called.
    """
    model = from_markov({"a": {"b": 1.0}, "b": {"a": 1.0}}).build()
    chain = explore(
        Model(
            "any",
            model.weights,
            type(model.vocabulary)((name, name + "x")),
            model.n_head,
        ),
        floor=1e-9,
    )
    assert sorted(boxes(svg(chain))) == sorted([chain.label(0), chain.label(1)])
    assert mermaid(chain).count('"') == 2 * (2 + 2)


def test_the_file_holds_what_json_prints(tmp_path: Path) -> None:
    """.json is the chain with what is to be avoided; each ending is written whole."""
    chain = baby(floor=1e-9)
    found = avoid(chain, "00")
    for ending, make in (
        (".svg", svg),
        (".dot", to_dot),
        (".mmd", mermaid),
        (".mermaid", mermaid),
        (".json", chain_json),
    ):
        path = save_picture(chain, tmp_path / f"chain{ending}", found)
        assert path.read_text() == make(chain, found)
    assert json.loads(
        (tmp_path / "chain.json").read_text()
    ) == chain.to_json() | {"avoided": found.to_json()}
    assert len(list(tmp_path.iterdir())) == 5


# ---------------------------------------------------------------- what is refused


def test_an_unknown_ending_is_refused(tmp_path: Path) -> None:
    """The message names the endings that work, and nothing is written."""
    with Refused(
        ProgramError,
        f"{tmp_path / 'a.png'} must end with .svg, .dot, .mmd, .mermaid, .json",
    ):
        save_picture(baby(), tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_a_chain_that_was_cut_off_is_not_drawn(tmp_path: Path) -> None:
    """Half a chain would look like a whole one."""
    message = (
        "raise the limit (--limit), start from fewer contexts (--from), or set a floor"
        " under the probabilities (--floor)"
    )
    with Refused(
        UndecidedError,
        f"baby_gpt has more than 3 states from its 2^3 full windows; {message}",
    ):
        save_picture(
            explore(bundled_model("baby_gpt"), limit=3), tmp_path / "a.dot"
        )
    assert list(tmp_path.iterdir()) == []


def test_an_svg_without_the_extra_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without networkx an SVG of many states that lead back says what to install; the other
    endings, few states, and states in columns need nothing.
    """
    monkeypatch.setitem(sys.modules, "networkx", None)
    many = explore(bundled_model("bigram"), floor=1e-9)
    with Refused(
        MissingExtraError,
        "an SVG of more than 16 states that lead back to each other needs the extra `draw`: pip"
        " install 'handcraft[draw]'; .dot and .mmd do not",
    ):
        save_picture(many, tmp_path / "many.svg")
    for ending in (".dot", ".mmd", ".json"):
        save_picture(many, tmp_path / f"many{ending}")
    answer = explore(bundled_model("sort"), ["^ba=", "^ca="], floor=1e-6)
    for name, chain in (("circle", baby()), ("columns", answer)):
        save_picture(chain, tmp_path / f"{name}.svg")
    assert len(list(tmp_path.iterdir())) == 5


def test_a_number_is_drawn_where_a_renderer_knows_no_paint_order() -> None:
    """Nothing is hidden by a white halo that would be painted over it: a number stands on a box,
    and every text has its colour as an attribute.
    """
    picture = svg(baby())
    texts = list(ElementTree.fromstring(picture).iter(f"{SVG}text"))
    assert texts
    for text in texts:
        assert text.attrib["fill"] in ("#1a1c1f", "#5c636b")
        assert "stroke" not in text.attrib
        assert "style" not in text.attrib


def test_a_state_is_as_high_as_its_two_lines() -> None:
    """All boxes of a picture have one size."""
    sizes = {box[2:] for box in boxes(svg(baby())).values()}
    assert len(sizes) == 1
    assert sizes.pop()[1] == HEIGHT
