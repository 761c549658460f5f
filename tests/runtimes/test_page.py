"""The code of docs/runtimes.md runs, one block after the other, and its own asserts hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from table import PAGE
from transformers.utils import logging


def test_the_code_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an empty directory."""
    monkeypatch.chdir(tmp_path)
    logging.disable_progress_bar()
    names: dict[str, object] = {"__name__": "page"}
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 7
    for code in blocks:
        exec(compile(code, str(PAGE), "exec"), names)
