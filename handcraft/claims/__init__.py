"""What a model should say: the kinds of claim, the languages of their prompts, and how an
answer is known.
"""

from __future__ import annotations

from typing import Any

from handcraft.core.moved import moved_name


def __getattr__(name: str) -> Any:
    raise moved_name(__name__, name)
