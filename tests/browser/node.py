"""Runs the page's model in node: a model is packed as for a page, and asked through engine.mjs."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from handcraft.model import Model
from handcraft.viewer.payload import Viewed, payload

HERE = Path(__file__).parent
PARTS = Path(__file__).parents[2] / "handcraft" / "viewer" / "parts"
MODULE = '{"type": "module"}'


def node(*arguments: str, given: str = "") -> str:
    """What node prints. Fails where there is no node, and where it fails."""
    found = shutil.which("node")
    assert found, "these tests run node 20 or later: install it"
    result = subprocess.run(
        [found, *arguments],
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


class Engine:
    """The model of a page. Calls are written down, and asked together."""

    def __init__(self, folder: Path, *models: Model | Viewed) -> None:
        shutil.copytree(PARTS, folder / "parts", dirs_exist_ok=True)
        (folder / "parts" / "package.json").write_text(MODULE)
        self.parts = (folder / "parts").as_uri()
        views = [m if isinstance(m, Viewed) else Viewed(m) for m in models]
        self.payload = payload(views)

    def ask(self, *jobs: tuple[Any, ...]) -> list[Any]:
        """The answers to several calls, one after the other in one page."""
        asked = {"parts": self.parts, "payload": self.payload, "jobs": jobs}
        script = str(HERE / "engine.mjs")
        found: list[Any] = json.loads(node(script, given=json.dumps(asked)))
        return found
