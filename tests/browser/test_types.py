"""The types of the page's script: what the comments say holds, as TypeScript's checker sees it."""

from __future__ import annotations

from node import HERE, node


def test_the_modules_are_held_to_their_types() -> None:
    """Strictly, without an error."""
    checker = HERE / "node_modules" / "typescript" / "bin" / "tsc"
    assert checker.exists(), "npm ci --prefix tests/browser brings the checker"
    assert node(str(checker), "--project", str(HERE / "tsconfig.json")) == ""
