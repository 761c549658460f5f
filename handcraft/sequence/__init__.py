"""The language of claims: words, the expressions that they build, and their values.

    from handcraft.sequence import *

brings every word of handcraft.sequence.words, and no name of Python's own. The words are imported
when one is asked for: a program that uses none need not wait for them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from handcraft.sequence.words import *  # noqa: F403  # its words are this room's
    from handcraft.sequence.words import __all__ as __all__


def __getattr__(name: str) -> Any:
    if name.startswith("_") and name != "__all__":
        raise AttributeError(name)
    words = import_module("handcraft.sequence.words")
    if name != "__all__" and name not in words.__all__:
        raise AttributeError(f"handcraft.sequence has no {name!r}")
    return getattr(words, name)


def __dir__() -> list[str]:
    return [*import_module("handcraft.sequence.words").__all__]
