"""The worked example of docs/proofs.md: its tables are computed again, from the certificate and
the weights of `aab`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handcraft import Model
from handcraft.proof.certificate_files import certify
from handcraft.proof.checker import Rejected, check, read_certificate
from handcraft.proof.checker.certificate import from_json

PAGE = Path(__file__).parent.parent / "docs" / "proofs.md"
Json = dict[str, Any]


@pytest.fixture(scope="module")
def model() -> Model:
    """The bundled program."""
    return Model.open("aab")


@pytest.fixture(scope="module")
def file(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its certificate, as `handcraft verify aab --certificate FILE` writes it."""
    path = tmp_path_factory.mktemp("proof") / "aab.json"
    assert certify(model, path, lambda *_: None).verdict == "proved"
    return path


def table(header: str) -> list[list[str]]:
    """The rows of a table of the page, by the beginning of its header."""
    rows = re.search(
        rf"^\| {header}.+?\n\|[-:|]+\n(.+?)\n\n",
        PAGE.read_text(),
        re.DOTALL | re.MULTILINE,
    )
    assert rows
    return [line.strip("| ").split(" | ") for line in rows[1].splitlines()]


def keys_and_values(
    model: Model, token: int, position: int
) -> tuple[Any, float]:
    """The key and the value of a token at a position, from the matrices."""
    w = model.weights
    stream = w["wte"][token] + w["wpe"][position]  # [n_embd]
    _, key, value = np.split(stream @ w["blocks"][0]["attn"]["c_attn"]["w"], 3)
    return key[:5], float(
        value.sum()
    )  # the only lane of the value that is not 0


def walk(
    model: Model, data: Json
) -> Iterator[tuple[int, int, int, float, str, int]]:
    """The last section, walked token by token: (tokens read, state, keys kept, sum of their
    values, what the claim remembers, contexts); in the end a state is the last two tokens.
    """
    section, groups = data["sections"][-1], data["groups"]
    _, _, (query, radius), gap, floor = section["slots"][0]
    assert not any(radius)
    assert floor == pytest.approx([1024 - gap] * 5)
    now: dict[Any, tuple[int, float, str, int]] = {0: (0, 0.0, "", 1)}
    ends = [[[0, "a", 1, "b"]] * 2]
    for position, edges in enumerate([*section["graph"], *ends]):
        for state, (kept, total, memory, contexts) in now.items():
            yield position, state, kept, total, memory, contexts
        after: dict[Any, tuple[int, float, str, int]] = {}
        for state, (kept, total, memory, contexts) in now.items():
            row = edges[0 if isinstance(state, str) else state]
            for group, target in zip(row[::2], row[1::2], strict=True):
                for token in groups[group]:
                    key, value = keys_and_values(model, token, position)
                    near = float(np.dot(query, key)) > floor[position]
                    text = "ab"[token] if position >= 3 else ""
                    name = memory + target if position == 4 else target
                    found = (kept + near, total + near * value, memory + text)
                    old = after.get(name, (*found, 0))
                    assert old[:3] == found
                    after[name] = (*found, old[3] + contexts)
        now = after
    for state, (kept, total, memory, contexts) in now.items():
        yield 5, state, kept, total, memory, contexts


def test_the_summaries_of_the_page_are_those_of_the_certificate(
    model: Model, file: Path
) -> None:
    """Each state of the graph for five tokens, and what is kept of its contexts."""
    rows = []
    for n, state, kept, total, text, contexts in walk(
        model, json.loads(file.read_text())
    ):
        remembers = f"`{text}`" if text else ""
        rows.append(
            [
                str(n),
                str(state),
                str(kept),
                f"{total:g}",
                remembers,
                str(contexts),
            ]
        )
    rows = [row for row in rows if row[0] != "5"]
    assert table("tokens read") == rows


def test_the_endings_of_the_page_are_what_the_checker_finds(
    model: Model, file: Path
) -> None:
    """Contexts, summaries, logits and margins of the contexts of five tokens."""
    found = check(model, read_certificate(file))
    shown = {s.context[-2:]: s for s in found.examples if len(s.context) == 5}
    rows = []
    for n, ending, kept, total, _, contexts in walk(
        model, json.loads(file.read_text())
    ):
        if n < 5:
            continue
        row = [
            f"`{ending}`",
            str(contexts),
            str(kept),
            f"{total:g}",
            f"{total / kept:g}",
        ]
        ids = tuple(model.ids(str(ending)))
        if ids not in shown:
            rows.append([*row, "not asked", "not asked", "silent", "none"])
            continue
        one = shown[ids]
        margin = one.low[one.expected] - one.high[1 - one.expected]
        between = [
            f"[{x:g}, {y:g}]" for x, y in zip(one.low, one.high, strict=True)
        ]
        claimed = f"`{model.vocabulary.tokens[one.expected]}`"
        rows.append([*row, *between, claimed, f"{margin:g}"])
    assert table("last two tokens") == rows
    assert (found.contexts, found.checked, found.margin) == (62, 45, 1023)
    assert model.vocabulary.decode(found.at) == "aa"


def last(data: Json) -> Json:
    """The section for five tokens."""
    section: Json = data["sections"][-1]
    return section


EDITS: dict[str, Callable[[Json], object]] = {
    "the margin, to 1024": lambda data: data.update(margin=1024.0),
    "the number of contexts, to 63": lambda data: data.update(contexts=63),
    "the hash of the weights": lambda data: data.update(weights="0" * 64),
    "the section for five tokens, taken out": lambda data: data[
        "sections"
    ].pop(),
    "the same section, put in twice": lambda data: data["sections"].append(
        last(data)
    ),
    "the edge for `b` at position 3, taken out": lambda data: last(data)[
        "graph"
    ].__setitem__(3, [[0, 0]]),
    "both edges at position 3, led to one state": lambda data: last(data)[
        "graph"
    ].__setitem__(3, [[2, 0]]),
    "the query, to look at position 4 only": lambda data: last(data)["slots"][
        0
    ][2][0].__setitem__(3, 0.0),
    "the scores that may be left out, up to 2000": lambda data: last(data)[
        "slots"
    ][0].__setitem__(4, [2000.0] * 5),
}


def test_what_the_page_says_is_refused_is_refused(
    model: Model, file: Path
) -> None:
    """Each edit of the certificate, and the checker's reason."""
    rows = []
    for name, edit in EDITS.items():
        edit(data := json.loads(file.read_text()))
        with pytest.raises(Rejected) as error:
            check(model, from_json(data))
        rows.append([name, str(error.value)])
    assert table("edited") == rows
    data = json.loads(file.read_text()) | {"margin": 1000.0}
    assert check(model, from_json(data)).margin == 1023


def test_the_numbers_between_the_tables_are_those_of_the_certificate(
    file: Path,
) -> None:
    """The graph, the groups, the gap and the floor that the text names."""
    data, text = json.loads(file.read_text()), PAGE.read_text()
    graph = json.dumps(last(data)["graph"], separators=(",", ":"))
    _, _, _, gap, floor = last(data)["slots"][0]
    assert f"`{graph}`" in text
    assert f"{floor[0]:.2f}, which is {gap:.2f} below the best" in text
    assert f"the other keys are {1024 / 8**0.5:.0f} behind" in text
    assert data["groups"] == [[0], [1], [0, 1]]
