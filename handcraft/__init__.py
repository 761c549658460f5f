"""handcraft: a construction kit for hand-weighted transformers.

A program states slots, attention heads and neurons as rules; handcraft compiles them to the
matrices of a GPT-2, runs them, explains them and proves what they predict. The names below are
imported at first use, so that `import handcraft` and `handcraft --help` are fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from handcraft.core.moved import install as _install

if TYPE_CHECKING:
    from handcraft.claims.transducer import transducer as transducer
    from handcraft.claims.words import after as after
    from handcraft.claims.words import answers as answers
    from handcraft.claims.words import distribution as distribution
    from handcraft.claims.words import each as each
    from handcraft.claims.words import last as last
    from handcraft.claims.words import predicts as predicts
    from handcraft.claims.words import residual as residual
    from handcraft.core.errors import HandcraftError as HandcraftError
    from handcraft.language.affine import Affine as Affine
    from handcraft.language.affine import Lane as Lane
    from handcraft.language.affine import Map as Map
    from handcraft.language.rules import MLP as MLP
    from handcraft.language.rules import Block as Block
    from handcraft.language.rules import Head as Head
    from handcraft.language.rules import Neuron as Neuron
    from handcraft.language.slots import Slot as Slot
    from handcraft.language.words import local as local
    from handcraft.language.words import position as position
    from handcraft.language.words import scratch as scratch
    from handcraft.language.words import slot as slot
    from handcraft.language.words import token as token
    from handcraft.lowering.echoes.answering import answer as answer
    from handcraft.lowering.frames.tag import tag as tag
    from handcraft.lowering.prompts.next_token import next_token as next_token
    from handcraft.lowering.prompts.next_token import of as of
    from handcraft.model import Model as Model
    from handcraft.program.program import Program as Program
    from handcraft.recipes.attention import attend_to as attend_to
    from handcraft.results.circuit import circuit as circuit
    from handcraft.results.compare import compare as compare
    from handcraft.results.explain import explain as explain
    from handcraft.results.export import export as export
    from handcraft.results.gallery import gallery as gallery
    from handcraft.results.opening import open as open  # noqa: A004
    from handcraft.results.read import read as read
    from handcraft.results.states import states as states
    from handcraft.results.suite import suite as suite
    from handcraft.results.trace import trace as trace
    from handcraft.results.train import train as train
    from handcraft.results.verify import verify as verify
    from handcraft.results.view import view as view
    from handcraft.results.write import write as write

__version__ = "0.1.0"

_HOMES = {
    "language.affine": ("Affine", "Lane", "Map"),
    "claims.words": (
        "after",
        "answers",
        "distribution",
        "each",
        "last",
        "predicts",
        "residual",
    ),
    "core.errors": ("HandcraftError",),
    "lowering.echoes.answering": ("answer",),
    "lowering.frames.tag": ("tag",),
    "lowering.prompts.next_token": ("next_token", "of"),
    "model": ("Model",),
    "program.program": ("Program",),
    "recipes.attention": ("attend_to",),
    "language.rules": ("MLP", "Block", "Head", "Neuron"),
    "language.slots": ("Slot",),
    "language.words": ("local", "position", "scratch", "slot", "token"),
    "claims.transducer": ("transducer",),
    "results.circuit": ("circuit",),
    "results.compare": ("compare",),
    "results.explain": ("explain",),
    "results.export": ("export",),
    "results.gallery": ("gallery",),
    "results.opening": ("open",),
    "results.read": ("read",),
    "results.states": ("states",),
    "results.suite": ("suite",),
    "results.trace": ("trace",),
    "results.train": ("train",),
    "results.verify": ("verify",),
    "results.view": ("view",),
    "results.write": ("write",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

# the same names as above; a star must not hide Python's own `open`
__all__ = [name for name in _HOME if name != "open"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(
            f"handcraft has no {name!r}; it has {', '.join(_HOME)}"
        )
    value = getattr(import_module(f"handcraft.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(_HOME)


_install()  # whoever imports a module by its old name learns the new one
