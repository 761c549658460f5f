r"""Builds the page: one HTML file of the models, the style and the script.

The modules of parts/ become one script. It begins with what main.js imports, each module after
those that it imports itself; the lines of imports, the word `export` and the comments are left
out. It stands in the page deflated, and loader.js puts it in place. A policy in the page's head
allows these two scripts and the style, by their hashes, and nothing else: no network, no other
script, no style in an attribute.

Rules of this file, and so of parts/: an import stands at the top, is written
`import { a, b } from './other.js';` and ends with a semicolon; `export` stands before what it
exports; a name of a module's top level stands once in all of them; no template stands in another;
no text or template holds a line break, `<!--` or `</script`; in index.html a place is written
{{NAME}}.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from handcraft.core.errors import printable
from handcraft.viewer.packing import deflated
from handcraft.viewer.payload import Viewed, payload

_PARTS = Path(__file__).parent / "parts"
_IMPORT = re.compile(
    r"^import\s[^;]*?from\s+['\"]\./(\w+\.js)['\"];\n", re.MULTILINE
)
_EXPORT = re.compile(
    r"^export (?=async|class|function|const|let)", re.MULTILINE
)
_TOKEN = re.compile(  # of JavaScript, as far as comments are told from the rest
    r"""(?P<comment>/\*.*?\*/|//[^\n]*)
    |(?P<kept>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`
        |(?<=[(,=>:\[!&|?{;])\ ?/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[])+/)
    |\ ?(?P<sign>[=,:;?{}()<>&|]+)(?:\ (?!/))?""",
    re.DOTALL | re.VERBOSE,
)
_GOES_ON = re.compile(r"(?<=[;,{(\[])\n")  # no text holds a line break
_NONE = "'none'"
_OF_STYLE = re.compile(r"/\*.*?\*/", re.DOTALL)
_AROUND = re.compile(r"\s*(?P<mark>[{};,>])\s*|(?<=:)\s+")  # of a style sheet
_OF_MARKUP = re.compile(r"<!--.*?-->", re.DOTALL)


def page(views: Sequence[Viewed], report: str = "") -> str:
    """The HTML of one model, or of several side by side, with a report on them, in HTML, above.

    Raises WeightsError for a model that is not float32, or too large.
    """
    names = " and ".join(view.model.name for view in views)
    places = {
        "TITLE": html.escape(printable(names)),
        "POLICY": policy(style(), _loader(), script()),
        "STYLE": style(),
        "REPORT": report
        and f'<section class="report" aria-label="Report">{report}</section>',
        "PAYLOAD": payload(views),
        "SOURCE": deflated(script().encode()),
        "LOADER": _loader(),
    }
    return with_places("index.html", places)


def with_places(name: str, places: Mapping[str, str]) -> str:
    """A file of parts/ with a text in each of its places, without comments."""
    markup = _dense(_OF_MARKUP.sub("", _part(name)))
    return re.sub(r"\{\{(\w+)\}\}", lambda place: places[place[1]], markup)


def policy(styled: str, *scripts: str) -> str:
    """The content security policy: what stands in the page itself, and nothing else."""
    hashes = " ".join(f"'{_hash(text)}'" for text in scripts)
    allowed = (
        "default-src 'none'",
        f"script-src {hashes or _NONE}",
        f"style-src '{_hash(styled)}'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    )
    return "; ".join(allowed)


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


@cache
def style(name: str = "style.css") -> str:
    """The colours and a style sheet, without comments, and without spaces that say nothing."""
    rules = _OF_STYLE.sub("", _part("theme.css") + _part(name))
    return _AROUND.sub(lambda found: found["mark"] or "", rules).strip()


@cache
def script() -> str:
    """The modules as one script, without comments, and without line breaks that say nothing."""
    lines = "".join(_bare(_part(name)) for name in modules("main.js"))
    return _GOES_ON.sub("", lines)


@cache
def _loader() -> str:
    return _bare(_part("loader.js"))


def modules(name: str) -> list[str]:
    """The names of the modules that one needs, each after those it imports, itself the last."""
    found: list[str] = []
    _gather(name, found, ())
    return found


def _gather(name: str, found: list[str], above: tuple[str, ...]) -> None:
    for other in _IMPORT.findall(_part(name)):
        if other not in found and other not in (*above, name):
            _gather(other, found, (*above, name))
    found.append(name)


def _bare(text: str) -> str:
    """A module without imports, exports, comments, and white space that says nothing."""
    alone = _EXPORT.sub("", _IMPORT.sub("", text))
    return _dense(
        _TOKEN.sub(lambda found: found["kept"] or found["sign"] or "", alone)
    )


def _dense(text: str) -> str:
    """The lines without the white space around them, and without empty ones."""
    lines = (line.strip() for line in text.splitlines())
    return "".join(f"{line}\n" for line in lines if line)


@cache
def _part(name: str) -> str:
    return (_PARTS / name).read_text("utf-8")
