"""Texts and the claim in the page: tokens, and what is refused, in the words of the command."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from asking import asked_contexts, prompts_of
from drawn_weights import random_weights
from node import Engine, node

from handcraft import Model, Program, after, token
from handcraft.claims.prompt_language import Language
from handcraft.core.errors import PromptError
from handcraft.core.vocabulary import Vocabulary
from handcraft.files.bundled import bundled
from handcraft.files.file_tokens import IdTokens, padded
from handcraft.viewer.accepted import in_javascript

EVERY = list(bundled())
PROMPTS = [
    name
    for name in EVERY
    if (claim := Model.open(name).program.claim) and claim.asks_prompts
]


def said_by(model: Model, text: str) -> dict[str, Any]:
    """What `encode` should give: the ids, or the message of the command."""
    try:
        return {"ids": model.ids(text)}
    except PromptError as error:
        return {"problem": str(error)}


@pytest.mark.parametrize("name", EVERY)
def test_texts_become_tokens_as_in_the_command(
    name: str, tmp_path: Path
) -> None:
    """Texts of a context, and the same with a letter changed: the same ids, or the same message."""
    model = Model.open(name)
    random = Random(1)
    texts = ["", "é", "\0", "a", " "]
    for ids in asked_contexts(model, 10):
        text = model.vocabulary.decode(ids)
        at = random.randrange(len(text))
        texts += [text, text[:at] + random.choice("aé 7\t(") + text[at + 1 :]]
    found = Engine(tmp_path, model).ask(*(("encode", text) for text in texts))
    for text, ours in zip(texts, found, strict=True):
        assert ours == said_by(model, text)


def refusal(model: Model, ids: list[int]) -> str | None:
    try:
        model.room(ids)
    except PromptError as error:
        return str(error)
    return None


@pytest.mark.parametrize("name", PROMPTS)
def test_what_is_no_prompt_is_refused_in_the_words_of_the_command(
    name: str, tmp_path: Path
) -> None:
    """Prompts are asked; prompts with tokens changed, dropped and added are asked or refused as
    `handcraft run` does.
    """
    model = Model.open(name)
    random = Random(2)
    prompts = prompts_of(model)
    texts = []
    for _ in range(15):
        ids = next(prompts)
        at = random.randrange(len(ids))
        other = random.randrange(len(model.vocabulary))
        texts += [
            ids,
            [*ids[:at], other, *ids[at + 1 :]],
            ids[:at] + ids[at + 1 :],
        ]
        texts += [[*ids, other], [*ids[:at], other, *ids[at:]]]
    texts = [ids for ids in texts if ids]
    asked = [("asked", ids) for ids in texts]
    rooms = [("room", ids) for ids in texts]
    found = Engine(tmp_path, model).ask(*asked, *rooms)
    for i, ids in enumerate(texts):
        why = refusal(model, ids)
        if why is None:
            assert found[i] == {"asked": True}
            assert found[len(texts) + i] == model.room(ids)
        else:
            assert found[i] == {"asked": False, "why": why, "refused": True}


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("aab", "aaba", None),
        ("aab", "b", "the claim is silent after 'b'"),
        ("aab", "aabaab", "6 tokens do not fit the context window of 5: the last 5 are read"),
        ("sequence/sort", "^20", None),
        ("sequence/sort", "20", "each text of the claim begins with '^'"),
        ("sequence/sort", "^", "the claim says nothing of '^' alone"),
    ],
)  # fmt: skip
def test_a_context_that_nothing_is_claimed_of_is_said_to_be_so(
    name: str, text: str, why: str | None, tmp_path: Path
) -> None:
    """`handcraft run` continues it, so it is not refused."""
    model = Model.open(name)
    (said,) = Engine(tmp_path, model).ask(("asked", model.ids(text)))
    if why is None:
        assert said == {"asked": True}
    else:
        assert said == {"asked": False, "why": why, "refused": False}


PATTERNS = [
    r"a", r"[ab]{1,3}=", r"\^(\d\d){0,2}=", r"a\-b\#c", r"[a\-c]+", r"[-a]x?", r"]}", r"a{2}}",
    r"(?:ab|c)*d", r"\[\]\{\}", r"[[(]+", r"\/|/", r"é{1,2}", r"[\]a]", r"\\|\.", r"[a-c\d]{2}",
    r"[\\^]a",
]  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_regular_expressions_of_claims_mean_the_same(
    pattern: str, tmp_path: Path
) -> None:
    """As RegExp of JavaScript with the flag `u`: on texts of the language, and on others."""
    language = Language(pattern, 6)
    random = Random(3)
    texts = set(language.sample(50)) if language.size else set()
    letters = [*language.characters, *"ab-=]}\\"]
    texts |= {
        "".join(random.choices(letters, k=random.randint(1, 4)))
        for _ in range(300)
    }
    script = (
        "const [pattern, texts] = JSON.parse(require('fs').readFileSync(0));"
        "const regex = new RegExp('^(?:' + pattern + ')$', 'u');"
        "console.log(JSON.stringify(texts.filter((text) => regex.test(text))))"
    )
    ordered = sorted(texts)
    said = json.loads(
        node("-e", script, given=json.dumps([in_javascript(pattern), ordered]))
    )
    assert said == [text for text in ordered if text in language]


def test_ids_and_unused_rows(tmp_path: Path) -> None:
    """A model without a tokenizer reads ids; a row that no token has stands in no text."""
    weights = random_weights(1, n_vocab=4, dtype="float32")
    numbers = Model("ids", weights, IdTokens(("0", "1", "2", "3")), 2)
    said = Engine(tmp_path, numbers).ask(
        ("encode", "3 0  1"), ("decode", [3, 0]), ("encode", "9")
    )
    assert said[:2] == [{"ids": [3, 0, 1]}, "3 0"]
    assert said[2] == {
        "problem": "the token '9' is not in the vocabulary '0', '1', '2', '3'"
    }
    names = padded(Vocabulary(("a", "b")), 4)
    wider = Model("padded", weights, names, 2)
    unused = names.tokens[2]
    said = Engine(tmp_path, wider).ask(("encode", "ab"), ("encode", unused))
    assert said[0] == {"ids": [0, 1]}
    assert said[1]["problem"].startswith("no token matches '<' at character 0")


# ---------------------------------------------------------------- hostile names


PAYLOADS = [
    "<script>alert(1)</script>", "</script>", "</SCRIPT ", "<!--", "-->", "<!-- <script>",
    "javascript:alert(1)", "{{", "}}", "{{PAYLOAD}}", "${x}", "`", "'", '"', "\\", "\\u003c",
    "\0", "\x1b[31m", "\u202e", "\u2066", "\u2028", "\u2029", "\ufeff", "\x85", "\r\n", "\n", "\t",
    "&lt;", "&", "]]>", "<![CDATA[", "<svg onload=alert(1)>", "<img src=x onerror=alert(1)>",
    "//", "/*", "*/", "__proto__", "constructor", "toString", "𝒳",
    "👩\u200d👩\u200d👧", "é", " ", "%s",
]  # fmt: skip


def test_no_name_is_too_odd_for_a_page(tmp_path: Path) -> None:
    """Names of tokens and of lanes come back as they are, the page holds no markup of them, and
    encoding finds each.
    """
    assert len(PAYLOADS) >= 40
    model = hostile()
    engine = Engine(tmp_path, model)
    tokens, name, lanes, *found = engine.ask(
        ("read", "tokens"),
        ("read", "name"),
        ("read", "lanes"),
        *(("encode", token) for token in PAYLOADS),
    )
    assert tokens == [PAYLOADS]
    assert name == [model.name]
    assert lanes == [list(model.names.stream)]
    assert [one["ids"] for one in found] == [
        model.ids(token) for token in PAYLOADS
    ]


def hostile() -> Model:
    """A model whose tokens, name and claim are all such texts."""
    tokens = token(PAYLOADS)
    claim = after({(name,): name for name in PAYLOADS})
    program = Program(
        name="hostile",
        embedding=(tokens,),
        layers=(),
        n_ctx=2,
        claim=claim,
    )
    name = "</script><script>{{TITLE}}"
    return program.build().replace(name=name, about=PAYLOADS[0])
