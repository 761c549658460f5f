"""What the documents show is what the project does: outputs, files, pictures and code are run again."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent


def script(name: str) -> ModuleType:
    """A script of docs/ as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def code_blocks() -> list[str]:
    """The python blocks of README.md."""
    return re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("code", code_blocks(), ids=range(len(code_blocks())))
def test_readme_code_runs(code: str) -> None:
    """Every Python block of the README runs, and its own asserts hold."""
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})


def test_readme_shows_real_output() -> None:
    """The README's commands print what it shows, and its program is the file it names. If not: make docs."""
    text = (ROOT / "README.md").read_text()
    assert script("make_readme").current(text) == text


def test_the_picture_is_current_and_fetches_nothing() -> None:
    """docs/explain.svg is what `explain` draws today, and holds no address that a viewer would load."""
    committed = (ROOT / "docs" / "explain.svg").read_text()
    assert committed == script("make_pictures").explain_svg()
    assert not re.search(r"url\(|src=|href=|@import", committed.replace("url(#", "#"))


def test_every_command_is_in_the_readme() -> None:
    """The table of commands names each command that the command line has."""
    from typer.main import get_command

    from handcraft.cli import app

    text = (ROOT / "README.md").read_text()
    for name in get_command(app).commands:  # type: ignore[attr-defined]
        assert f"`handcraft {name}" in text, name
