"""The page: one file with nothing from outside it, whatever stands in the program."""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from cli_runner import handcraft
from conftest import bundled_model, random_weights

import handcraft as door
from handcraft import Model, Program, token
from handcraft.core.errors import ProgramError, WeightsError
from handcraft.core.vocabulary import Vocabulary
from handcraft.files.bundled import bundled
from handcraft.viewer import page as pages
from handcraft.viewer.page import modules, page, script, style
from handcraft.viewer.payload import Viewed, _counted, payload

MOST = 65_536  # bytes of the page of a bundled program
PARTS = Path(pages.__file__).parent / "parts"
SOURCES = sorted(path.name for path in PARTS.glob("*.js"))
# of the page that stands for the verdict of a proof: its numbers, a hash, a context
VERDICT = {"certificate": "0123456789abcdef" * 4, "min_margin_at": ["a"] * 64}


class Parsed(HTMLParser):
    """The tags of a page with their attributes, and the text in each script and style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        inside = self.tags[-1][0] if self.tags else ""
        if inside in ("script", "style", "title") and data.strip():
            self.texts.append((inside, data))


def payload_of(name: str) -> str:
    return payload([Viewed(Model.open(name), ("about it",), VERDICT)])


@cache
def page_of(name: str) -> str:
    """The page of a bundled program, with a verdict as large as that of a proof."""
    return page([Viewed(Model.open(name), ("about it",), VERDICT)])


@pytest.mark.parametrize("name", list(bundled()))
def test_the_page_of_every_bundled_program_is_small(name: str) -> None:
    """At most 64 KB: the program with its reasons, the style and the script."""
    assert len(page_of(name).encode()) <= MOST


def test_script_and_style_take_at_most_40_kb_of_a_page() -> None:
    """What all pages share, as it stands in them: the script is deflated."""
    found = Parsed(page_of("aab"))
    texts = [text for tag, text in found.texts if tag in ("script", "style")]
    models, *shared = sorted(
        texts, key=lambda text: text in payload_of("aab"), reverse=True
    )
    assert models == payload_of("aab")
    assert sum(len(text.encode()) for text in shared) <= 40_960


def test_nothing_is_fetched() -> None:
    """No address, no link and no file stands in the page, but for the names of its own parts."""
    markup = re.sub(r">[A-Za-z0-9+/=]{99,}<", "><", page_of("aab"))  # base64
    for text in (markup, script(), style()):
        assert not re.search(
            r"https?:(?!//www\.w3\.org)|@import|url\((?!#)", text
        )
    assert not re.search(r"\b(src|href)=[\"'](?!#)", markup)
    assert not re.search(r"\bimport\(|\bfetch\(|XMLHttp|WebSocket", script())


def test_the_policy_names_the_hash_of_each_script_and_style() -> None:
    """Of the loader, of the script that it puts in place, and of the style; no other."""
    found = Parsed(page_of("aab"))
    policy = next(
        str(a["content"])
        for tag, a in found.tags
        if a.get("http-equiv") == "Content-Security-Policy"
    )
    texts = dict(reversed([text for text in found.texts if text[0] == "style"]))
    *_, loader = [text for tag, text in found.texts if tag == "script"]
    (source,) = re.findall(r'id="source">([^<]+)<', page_of("aab"))
    code = zlib.decompress(base64.b64decode(source), -15)
    assert code.decode() == script()
    hashes = [hashed(loader), hashed(script())]
    assert policy == (
        f"default-src 'none'; script-src {' '.join(hashes)}; style-src"
        f" {hashed(texts['style'])}; img-src data:; base-uri 'none'; form-action"
        " 'none'"
    )
    assert texts["style"] == style()


def hashed(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest())
    return f"'sha256-{digest.decode()}'"


def test_no_style_and_no_handler_stands_in_a_tag() -> None:
    """The policy would not let them: the parts have none."""
    for _, attributes in Parsed(page_of("aab")).tags:
        assert "style" not in attributes
        assert not any(name.startswith("on") for name in attributes)


@pytest.mark.parametrize(
    "odd", ["</script>", "<!--", "</style>", "{{PAYLOAD}}", '"><b>', "\u202e"]
)
def test_a_name_never_becomes_markup(odd: str) -> None:
    """The tags of a page are the same, whatever tokens, names and paragraphs are."""
    plain = Parsed(page_of("aab"))
    tokens = token([odd, "b"])
    program = Program(name="odd", embedding=(tokens,), layers=(), n_ctx=2)
    model = program.build().replace(name=odd, about=odd)
    text = page([Viewed(model, (odd,), {"reason": odd})])
    found = Parsed(text)
    assert [tag for tag, _ in found.tags] == [tag for tag, _ in plain.tags]
    assert text.count("</script") == page_of("aab").count("</script")
    assert "<!--" not in text
    assert ("\u202e" in text) is False


def test_the_same_model_makes_the_same_page() -> None:
    """Byte for byte: with its verdict too, since the time is left out."""
    first = door.view("aab").html
    assert door.view("aab").html == first
    assert door.view("aab", verified=False).html != first


def test_two_models_stand_in_one_page() -> None:
    """Side by side: the title names both."""
    found = door.view("aab", bundled_model("abc"), verified=False)
    assert found.names == ("aab", "abc")
    assert "<title>aab and abc</title>" in found.html
    assert found.file_name == "aab_abc.html"
    assert repr(found) == f"ModelPage(aab, abc, {len(found.html)} bytes)"
    assert found._repr_html_().startswith("<iframe srcdoc=")


# ---------------------------------------------------------------- the parts


def test_a_module_comes_after_those_that_it_imports() -> None:
    """And every module of the folder is in the page, but for the loader, which stands before."""
    order = modules("main.js")
    assert order[-1] == "main.js"
    assert sorted([*order, "loader.js"]) == SOURCES
    for name in order:
        text = (PARTS / name).read_text()
        for other in re.findall(r"from '\./(\w+\.js)';", text):
            assert order.index(other) < order.index(name)


def test_a_name_of_the_top_level_stands_once() -> None:
    """The modules become one script, where a second one of that name would be an error."""
    names = []
    for module in modules("main.js"):
        text = (PARTS / module).read_text()
        names += re.findall(
            r"^(?:export )?(?:async )?(?:function\*?|class|const|let) (\w+)",
            text,
            re.MULTILINE,
        )
        for several in re.findall(
            r"^const [{\[](.*?)[}\]] =", text, re.MULTILINE
        ):
            names += [
                name.split(":")[-1].strip() for name in several.split(",")
            ]
    assert len(names) > 100
    assert sorted(set(names)) == sorted(names)


def test_comments_are_left_out_and_texts_are_kept() -> None:
    """A text or a regular expression with `//` in it is none."""
    module = (
        "import { a } from './a.js';\n/** doc */\nexport function f(x) {\n"
        "  // a comment\n  const t = 'no // comment'; // one\n"
        "  return x.replace(/\\/\\*/g, `/* ${t}`) /* two */;\n}\n"
    )
    assert pages._bare(module) == (
        "function f(x){\nconst t='no // comment';\n"
        "return x.replace(/\\/\\*/g,`/* ${t}`) ;\n}\n"
    )


# ---------------------------------------------------------------- refusals and the command


def test_a_model_in_float64_is_refused() -> None:
    """The page computes in float32."""
    with pytest.raises(
        WeightsError, match="a page computes in float32, and aab is"
    ):
        payload([Viewed(bundled_model("aab", "float64"))])


@pytest.mark.slow
def test_a_million_weights_without_rules_take_at_most_4_7_mb() -> None:
    """Of a model of GPT-2's shape, 10^6 weights as they come out of training: signs and exponents
    are alike and pack well, the rest of their bytes does not.
    """
    drawn = random_weights(
        1,
        n_vocab=1487,
        n_ctx=128,
        n_embd=128,
        n_layer=4,
        n_inner=512,
        dtype="float32",
    )
    names = Vocabulary(tuple(f"token {i}" for i in range(1487)))
    model = Model("trained", drawn, names, 4)
    assert model.parameters["nonzero"] == 1_000_064
    assert len(page([Viewed(model)]).encode()) <= 4_700_000


def test_the_command_writes_the_file(here: Path) -> None:
    """NAME.html in the current folder, or the file that is named; the path is printed."""
    assert handcraft("view", "aab").out == "wrote aab.html\n"
    assert (here / "aab.html").read_text() == door.view("aab").html
    done = handcraft("view", "aab", "abc", "-o", "x/two.html", "--json").json
    text = (here / "x" / "two.html").read_bytes()
    assert done == {
        "programs": ["aab", "abc"],
        "file": "x/two.html",
        "bytes": len(text),
    }


def test_bad_input_writes_nothing(here: Path) -> None:
    """One error, and no file; where it cannot stand is told before the claim is judged."""
    assert "did you mean 'aab'" in handcraft("view", "aabb").refusal
    (here / "folder.html").mkdir()
    with mock.patch("handcraft.results.view.view") as judged:
        said = handcraft("view", "aab", "-o", "folder.html").refusal
    judged.assert_not_called()
    assert said == "folder.html is a directory; name a file to write"
    assert [path.name for path in here.iterdir()] == ["folder.html"]
    with pytest.raises(ProgramError):
        door.view(3)  # type: ignore[arg-type]


def test_the_verdict_is_that_of_verify(here: Path) -> None:
    """The same numbers as `handcraft verify --json`, and the hash of the certificate, which is that
    of the file but for the seconds.
    """
    import json

    from handcraft.results.view import viewed

    found = dict(viewed("aab").verdict or {})
    report = handcraft("verify", "aab", "--json").json
    handcraft("verify", "aab", "--certificate", "proof.json")
    proof = json.loads((here / "proof.json").read_text()) | {"seconds": 0.0}
    text = json.dumps(proof, separators=(",", ":"))
    assert found.pop("certificate") == hashlib.sha256(text.encode()).hexdigest()
    assert {**found, "seconds": 0, "assumptions": 0} == {
        **report, "seconds": 0, "assumptions": 0,
    }  # fmt: skip


def test_a_model_without_a_claim_has_no_verdict(here: Path) -> None:
    """Nothing is asked of it; one that is wrong is shown with its counterexample."""
    from handcraft.results.view import viewed

    weights = random_weights(1, dtype="float32")
    model = Model("trained", weights, Vocabulary(("a", "b", "c")), 2)
    assert viewed(model).verdict is None
    wrong = door.verify("aab", claim={"aa": "a"})
    program = bundled_model("aab").program
    assert program is not None
    claim = program.model_copy(update={"claim": wrong.model.program.claim})
    found = viewed(bundled_model("aab").replace(program=claim)).verdict
    assert found is not None
    assert found["verdict"] == "refuted"
    assert found["counterexample"]["tokens"] == ["a", "a"]
    assert found["certificate"] is None


@pytest.mark.parametrize(
    ("paths", "stored"),
    [
        (["layers[0] > n[9]", "layers[0] > n[10]", "layers[1] > x"],
         {"path": ["layers[0] > n[0]"] * 2 + ["layers[0] > x"], "steps": [0, 9, 0, 1, 1]}),
        (["layers[0] > 007"], {"path": ["layers[0] > 007"]}),
        (["1234567890"], {"path": ["1234567890"]}),
        (["²٣"], {"path": ["²٣"], "steps": []}),
        ([], {"path": [], "steps": []}),
    ],
)  # fmt: skip
def test_numbers_in_paths_are_counted_up(
    paths: list[str], stored: dict[str, Any]
) -> None:
    """Each as its distance from that in the path before, since rules are numbered."""
    assert _counted(paths) == stored


def test_a_model_that_no_browser_opens_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before its weights are packed, which takes minutes."""
    monkeypatch.setattr("handcraft.viewer.payload.MOST_IN_PAGE", 95)
    with pytest.raises(WeightsError) as error:
        payload([Viewed(Model.open("aab"))])
    size = Model.open("aab").parameters["dense"]
    assert str(error.value) == (
        f"aab has {size} weights, and a page holds at most 95; `handcraft trace` and"
        " `handcraft explain` show parts of it"
    )


@pytest.mark.parametrize("name", modules("main.js"))
def test_no_template_stands_in_another(name: str) -> None:
    """Else the end of the inner one would be taken for that of the outer, and code for text."""
    for found in pages._TOKEN.finditer(pages._part(name)):
        kept = found["kept"] or ""
        if kept.startswith("`"):
            assert kept.count("{") == kept.count("}"), kept


def test_white_space_of_texts_is_kept() -> None:
    """That of the code around them is not."""
    code = "a = b ? ' = ' : ` ( ${c} ) `; // d\nx => / = /u.test (y) / 2\n"
    assert pages._bare(code) == (
        "a=b?' = ':` ( ${c} ) `;\nx=> / = /u.test(y) / 2\n"
    )
