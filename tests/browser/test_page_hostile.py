"""Names that would be markup, script or worse stay names."""

from __future__ import annotations

import re

import pytest
from opened import Opened, shown

from handcraft import Head, Program, position, scratch, token
from handcraft.model import Model
from handcraft.viewer.page import page
from handcraft.viewer.payload import Viewed

BELL = "window.rung = (window.rung ?? 0) + 1"
PAYLOADS = (
    f"<script>{BELL}</script>",
    f"</script><script>{BELL}</script>",
    f"</SCRIPT ><script>{BELL}//",
    f"<img src=x onerror='{BELL}'>",
    f'"><svg onload="{BELL}">',
    f"' onmouseover='{BELL}' x='",
    f'" onfocus="{BELL}" autofocus="',
    f"javascript:{BELL}",
    f"data:text/html,<script>{BELL}</script>",
    "<!--",
    "-->",
    "<!--<script>",
    "]]>",
    "<![CDATA[",
    "</style>",
    "</title>",
    "</template>",
    "</textarea>",
    "<base href=//x>",
    "<meta http-equiv=refresh content=0>",
    "{{POLICY}}",
    "{{SOURCE}}",
    "{{7*7}}",
    f"${{{BELL}}}",
    f"`+({BELL})+`",
    f"';{BELL};'",
    f'";{BELL};"',
    f"\\';{BELL}//",
    "\\u003cscript\\u003e",
    "&lt;script&gt;",
    "&#60;script&#62;",
    "\x00",
    "\x1b[31m",
    "\r\n",
    "\u2028",
    "\u202egnp.exe",
    "\u2066\u2069",
    "\ufeff",
    "__proto__",
    "constructor",
)


def hostile(payload: str) -> Viewed:
    """A model whose name, tokens, lanes, rules and docstring are this text."""
    now, seen = token(["a", payload]), scratch("seen", ["a", payload])
    at = position(3)
    head = Head(
        query=9 * at, key=at, value={seen: now}, adds={seen: seen}, name=None
    )
    program = Program(name="hostile", embedding=(at, now, seen), layers=(head,))
    built = program.build()
    model = Model(
        payload, built.weights, built.vocabulary, built.n_head, program=program
    ).replace(about=payload)
    verdict = {
        "verdict": payload,
        "method": payload,
        "dtype": payload,
        "reason": payload,
        "contexts": 1,
        "checked": 1,
        "accuracy": None,
        "min_margin": None,
        "min_margin_at": ["a", payload],
        "counterexample": {
            "tokens": [payload],
            "expected": payload,
            "got": payload,
            "margin": None,
        },
    }
    return Viewed(model, (payload,), verdict)


def test_forty_payloads() -> None:
    assert len(set(PAYLOADS)) == 40


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(40))
def test_a_payload_in_every_name_runs_nothing_and_breaks_nothing(
    opened: Opened, payload: str
) -> None:
    opened(hostile(payload)).type("a" + payload)
    if "\r" not in payload:  # which no field takes
        assert opened.texts(".tokens bdi")[::2] == ["a", shown(payload)]
    assert opened.text("h1") == shown(payload)
    for selector in (".tour .on", ".steps .on", ".rules input", ".undo"):
        opened.click(selector)
    assert opened.driver.execute_script("return window.rung ?? 0") == 0
    assert opened.complaints() == []
    assert opened.requests() == []
    known = {"script", "style", "template", "svg", "img", "base"}
    tags = opened.driver.execute_script(
        "return [...document.querySelectorAll('*')].map((one) => one.localName)"
    )
    assert [tag for tag in tags if tag in known] == [
        "style",
        "script",
        "template",
        "script",
        "script",
        "script",
    ]


def test_a_policy_allows_this_script_and_this_style_alone(
    opened: Opened,
) -> None:
    opened("aab")
    policy = opened.one("meta[http-equiv]").get_attribute("content")
    assert re.fullmatch(
        r"default-src 'none'; script-src('sha256-[\w+/=]+'| )+;"
        r" style-src 'sha256-[\w+/=]+'; img-src data:;"
        r" base-uri 'none'; form-action 'none'",
        policy or "",
    )
    opened.driver.execute_script(
        "const one = document.createElement('script');"
        "one.textContent = 'window.rung = 1'; document.body.append(one)"
    )
    assert opened.driver.execute_script("return window.rung") is None
    assert "Content Security Policy" in opened.complaints()[0]


def test_the_file_names_no_address() -> None:
    text = page([Viewed(Model.open("aab"))])
    assert re.findall(r"(?:src|href|url)\s*[=(]", text) == []
    assert "http:" not in text
    assert "https:" not in text
