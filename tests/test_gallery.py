"""A gallery: a page for each program, and an index that has its sentence, verdict and picture."""

from __future__ import annotations

import base64
import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote_to_bytes
from xml.etree import ElementTree

import pytest
from cli_runner import handcraft

from handcraft import gallery
from handcraft.core.errors import ProgramError
from handcraft.files.bundled import bundled
from handcraft.files.program_file import find
from handcraft.model import Model
from handcraft.viewer.gallery import said, short_text

TWO = ("aab", "sequence/sort")


class _Links(HTMLParser):
    """The links, the addresses of the pictures and the words of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.pictures: list[str] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(
        self, tag: str, attrs: list[tuple[str, str | None]]
    ) -> None:
        found = dict(attrs)
        if tag == "a":
            self.links.append(str(found["href"]))
        if tag == "img":
            self.pictures.append(str(found["src"]))

    def handle_data(self, data: str) -> None:
        self.words += data


def test_each_program_has_a_page_and_a_card(tmp_path: Path) -> None:
    """The index links to the pages, and has each program's sentence and verdict."""
    found = gallery(tmp_path / "all", TWO)
    assert sorted(path.name for path in (tmp_path / "all").iterdir()) == [
        "aab.html",
        "index.html",
        "sequence_sort.html",
    ]
    page = _Links(found.index.read_text())
    assert page.links == ["aab.html", "sequence_sort.html"]
    assert "2 programs, each a transformer" in page.words
    assert "proved (certificate), least margin 1023" in page.words
    assert "proved (lanes), least margin 794" in page.words
    assert "Continues aabaabaab...: b follows aa" in page.words
    assert found.pages["aab"].read_text().startswith("<!doctype html>")


def test_of_what_is_refuted_no_margin_is_told() -> None:
    found = {"verdict": "refuted", "method": "exhaustive", "min_margin": 1023.0}
    assert said(found) == "refuted (exhaustive)"
    assert said(found | {"verdict": "proved"}).endswith("least margin 1023")
    assert said(None) == "not verified"


def test_a_picture_is_an_svg_in_the_index(tmp_path: Path) -> None:
    """It needs no other file, and the policy of the index allows nothing else."""
    found = gallery(tmp_path, TWO, verified=False)
    text = found.index.read_text()
    for address in _Links(text).pictures:
        kind, _, coded = address.partition(";base64,")
        assert kind == "data:image/svg+xml"
        root = ElementTree.fromstring(base64.b64decode(coded))
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy
    assert policy[1].startswith("default-src 'none'; script-src 'none'; ")
    assert "not verified" in text


@pytest.mark.parametrize("name", bundled())
def test_a_short_text_is_one_that_the_claim_speaks_about(name: str) -> None:
    """Of at most the window's length; the model takes it."""
    model = Model.open(name)
    text = short_text(model)
    assert 0 < len(text) <= model.n_ctx
    assert model(text).shape == (len(text), len(model.vocabulary))


def test_a_name_is_no_markup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program's docstring and tokens are text in the index."""
    monkeypatch.chdir(tmp_path)
    Path("evil.py").write_text(
        '"""<script>alert(1)</script> & "quotes"."""\n'
        "from handcraft import Head, Program, token\n"
        't = token(["<b>", "\\"", "&"])\n'
        "program = Program(embedding=(t,), layers=(Head(value=t, adds=t),), n_ctx=3)\n"
    )
    found = gallery("out", ["evil.py"], verified=False)
    text = found.index.read_text()
    assert "<script" not in text
    assert '<script>alert(1)</script> & "quotes".' in _Links(text).words


def test_an_unknown_program_is_named(tmp_path: Path) -> None:
    """Before anything stands in the directory."""
    with pytest.raises(ProgramError, match="aabb"):
        gallery(tmp_path / "out", ["aabb"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name a PROGRAM, or say --all for every bundled one"),
        (
            ("--all", "aab"),
            "--all takes every bundled program; leave 'aab' out",
        ),
        (("--all", "-o", ""), "--out is empty; name a file"),
    ],
)
def test_what_cannot_be_is_one_error(
    arguments: tuple[str, ...], message: str
) -> None:
    """With exit code 2."""
    found = handcraft("view", *arguments)
    assert (found.code, found.out) == (2, "")
    assert found.err.strip() == f"error: {message}"


@pytest.mark.slow
def test_the_command_writes_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page for every bundled program; --json names them."""
    monkeypatch.chdir(tmp_path)
    done = handcraft("view", "--all", "--no-verify", "--json")
    found = json.loads(done.out)
    assert done.code == 0
    assert list(found["pages"]) == list(bundled())
    assert all(Path(file).exists() for file in found["pages"].values())
    assert len(_Links(Path(found["index"]).read_text()).links) == len(bundled())


def test_nothing_is_written_where_a_program_is_unknown(tmp_path: Path) -> None:
    """Also where those before it are known."""
    with pytest.raises(ProgramError, match="there is no program 'aabb'"):
        gallery(tmp_path / "deep" / "out", ["aab", "aabb"], verified=False)
    assert [*tmp_path.iterdir()] == []


def test_two_programs_do_not_write_the_same_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does one write that of the index."""
    monkeypatch.chdir(tmp_path)
    for place in ("a/b.py", "a_b.py"):
        path = tmp_path / place
        path.parent.mkdir(exist_ok=True)
        path.write_text(find("aab").read_text())
    with pytest.raises(ProgramError) as error:
        gallery("out", ["a/b.py", "a_b.py"])
    assert str(error.value) == (
        "'a_b.py' and 'a/b.py' would both be a_b.py.html; give the program another"
        " name"
    )
    Model.open("aab").save(tmp_path / "index")
    with pytest.raises(ProgramError) as error:
        gallery("out", ["index"])
    assert str(error.value) == (
        "'index' and its index would both be index.html; give the program another"
        " name"
    )
    assert not (tmp_path / "out").exists()


def test_a_file_name_may_be_half_a_character(tmp_path: Path) -> None:
    """As those are that are no UTF-8; the link leads to the page."""
    name = os.fsdecode(os.fsencode(tmp_path) + b"/b\xff.py")
    Path(name).write_text(find("aab").read_text())
    found = gallery(tmp_path / "out", [name], verified=False)
    (link,) = _Links(found.index.read_text()).links
    assert os.fsdecode(unquote_to_bytes(link)) == found.pages[name].name
