"""Claims: what a model should predict, the languages of prompts, and how answers are known."""

from __future__ import annotations

from typing import Any

from handcraft.core.moved import moved_name


def __getattr__(name: str) -> Any:
    raise moved_name(__name__, name)
