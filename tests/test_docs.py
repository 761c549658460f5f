"""What the documents show is what the project does: outputs, files, pictures and code are run
again.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
from conftest import slow_from

from handcraft.proof.assumptions import ASSUMPTIONS

ROOT = Path(__file__).parent.parent


def script(name: str) -> ModuleType:
    """A script of docs/ as a module."""
    spec = importlib.util.spec_from_file_location(
        name, ROOT / "docs" / f"{name}.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAGES = (
    "README.md",
    "docs/guide.md",
    "docs/language.md",
    "docs/lowering.md",
    "docs/reading.md",
    "docs/recipes.md",
    "docs/sequence.md",
)


@pytest.mark.parametrize("page", slow_from(1, reversed(PAGES)))
def test_the_code_of_a_page_runs(page: str) -> None:
    """Every Python block of a page runs, one after the other, and its own asserts hold."""
    blocks = re.findall(
        r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL
    )
    assert blocks
    names: dict[str, object] = {"__name__": "page"}
    for code in blocks:
        exec(compile(code, page, "exec"), names)


def test_every_recipe_is_in_the_book() -> None:
    """docs/recipes.md names each recipe, and its examples call it."""
    from handcraft import recipes

    text = (ROOT / "docs" / "recipes.md").read_text()
    code = "".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    for name in [
        name for name in vars(recipes) if callable(getattr(recipes, name))
    ]:
        assert f"`{name}(" in text, name
        assert f"{name}(" in code, name


@pytest.mark.slow
def test_the_table_of_programs_is_current() -> None:
    """docs/programs.md has a line for each bundled program, with its sizes of today and no
    refutation. If not: make docs.
    """
    from handcraft.files.bundled import bundled, by_hand
    from handcraft.model import Model

    table, page = (
        script("make_programs"),
        (ROOT / "docs" / "programs.md").read_text(),
    )
    assert page.startswith(table.HEADER)
    rows = re.findall(r"^\| (`.*) \|$", page, re.MULTILINE)
    cells = [row.split(" | ") for row in rows]
    assert [row[:7] for row in cells] == [
        table.sizes(Model.open(name))
        if name in by_hand()
        else table.compiled_sizes(name)
        for name in bundled()
    ]
    assert {row[7].split(",")[0] for row in cells} <= {"checked", "proved"}


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "docs/guide.md"])
def test_a_page_shows_real_output(page: str) -> None:
    """The commands print what it shows, and a program is the file it names. If not: make docs."""
    text = (ROOT / page).read_text()
    assert "```console" in text
    assert script("make_readme").current(text) == text


def test_the_readme_is_short() -> None:
    """It begins with a picture, and the rest is in docs/."""
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= 200
    assert "<picture>" in lines[:12]


@pytest.mark.parametrize("name", ["explain", "states"])
def test_a_picture_is_current_and_fetches_nothing(name: str) -> None:
    """A picture of docs/ is what its command draws today, and holds no address that a viewer
    would load.
    """
    committed = (ROOT / "docs" / f"{name}.svg").read_text()
    assert committed == getattr(script("make_pictures"), f"{name}_svg")()
    assert not re.search(
        r"url\(|src=|href=|@import", committed.replace("url(#", "#")
    )


def test_every_command_is_in_the_readme() -> None:
    """The table of commands names each command that the command line has."""
    from typer.main import get_command

    from handcraft.cli import app

    text = (ROOT / "README.md").read_text()
    for name in get_command(app).commands:  # type: ignore[attr-defined]
        assert f"`handcraft {name}" in text, name


def test_what_is_assumed_is_one_list() -> None:
    """The document says what the report and the certificate say, word for word."""
    text = (ROOT / "docs" / "proofs.md").read_text()
    said = text[
        text.index("## What is assumed") : text.index("## What was wrong")
    ]
    assert [
        line[2:] for line in said.splitlines() if line.startswith("- ")
    ] == list(ASSUMPTIONS)
