"""handcraft: a construction kit for hand-weighted transformers.

The names an author uses are loaded when first asked for, so that `import handcraft` and `handcraft --help` cost
nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from handcraft.affine import Affine as Affine
    from handcraft.affine import Lane as Lane
    from handcraft.affine import Map as Map
    from handcraft.claims import after as after
    from handcraft.claims import answers as answers
    from handcraft.claims import distribution as distribution
    from handcraft.claims import each as each
    from handcraft.claims import last as last
    from handcraft.claims import residual as residual
    from handcraft.errors import HandcraftError as HandcraftError
    from handcraft.model import Model as Model
    from handcraft.program import Program as Program
    from handcraft.recipes.attention import attend_to as attend_to
    from handcraft.rules import MLP as MLP
    from handcraft.rules import Block as Block
    from handcraft.rules import Head as Head
    from handcraft.rules import Neuron as Neuron
    from handcraft.slots import Slot as Slot
    from handcraft.slots import local as local
    from handcraft.slots import position as position
    from handcraft.slots import scratch as scratch
    from handcraft.slots import slot as slot
    from handcraft.slots import token as token
    from handcraft.transducers import transducer as transducer

__version__ = "0.1.0"

_HOMES = {
    "affine": ("Affine", "Lane", "Map"),
    "claims": ("after", "answers", "distribution", "each", "last", "residual"),
    "errors": ("HandcraftError",),
    "model": ("Model",),
    "program": ("Program",),
    "recipes.attention": ("attend_to",),
    "rules": ("MLP", "Block", "Head", "Neuron"),
    "slots": ("Slot", "local", "position", "scratch", "slot", "token"),
    "transducers": ("transducer",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = list(_HOME)  # the same names, once


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"handcraft has no {name!r}; it has {', '.join(__all__)}")
    value = getattr(import_module(f"handcraft.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(_HOME)
