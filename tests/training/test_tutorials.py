"""The tutorials run: every Python block of each, one after the other, with its asserts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
TUTORIALS = {"bigram.md": 5, "greatest.md": 7}  # and the blocks of each


@pytest.mark.parametrize("page", TUTORIALS)
def test_a_tutorial_runs(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an empty folder, where it may write."""
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / page).read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == TUTORIALS[page]
    names: dict[str, object] = {"__name__": "page"}
    for code in blocks:
        exec(compile(code, page, "exec"), names)
