"""Bugs put into the running package: a function with a text in its source changed, or written anew.

    with broken(Patch("handcraft.proof.prover.zonotope:Precision.summed", old, new)): ...

Rules of this file: a text is looked for in the function as `ast.unparse` writes it. One that
does not stand there exactly once is an error, so that a bug which the code has grown away from is
written anew and not lost.
"""

from __future__ import annotations
import __future__

import ast
import importlib
import inspect
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Patch:
    """A function by module and name, a text that stands in it once, and what stands there
    instead; "" for all of it.
    """

    target: str
    old: str
    new: str

    @property
    def place(self) -> tuple[Any, str]:
        """The module or class, and the name in it."""
        module, _, path = self.target.partition(":")
        owner: Any = importlib.import_module(module)
        *outer, name = path.split(".")
        for part in outer:
            owner = getattr(owner, part)
        return owner, name


def made(edits: Sequence[Patch]) -> Any:
    """A function with these edits. Raises ValueError where a text does not stand in it exactly
    once.
    """
    owner, name = edits[0].place
    value = inspect.getattr_static(owner, name)
    function = inspect.unwrap(_plain(value))
    source = edits[0].new if not edits[0].old else _normalised(function)
    for edit in edits:
        if edit.old and source.count(edit.old) != 1:
            raise ValueError(
                f"{edit.target} holds {edit.old!r} {source.count(edit.old)} times"
            )
        source = source.replace(edit.old, edit.new) if edit.old else source
    names: dict[str, Any] = {}
    flags = __future__.annotations.compiler_flag
    exec(
        compile(source, edits[0].target, "exec", flags),
        function.__globals__,
        names,
    )
    return names[name]


def _normalised(function: Any) -> str:
    """Its source as `ast.unparse` writes it, so that a formatter changes nothing."""
    return ast.unparse(ast.parse(textwrap.dedent(inspect.getsource(function))))


def _plain(value: Any) -> Any:
    for attribute in ("fget", "func", "__func__"):
        value = getattr(value, attribute, value)
    return value


@contextmanager
def broken(*patches: Patch) -> Iterator[None]:
    """The package with these bugs in it; of one function there may be several."""
    kept = []
    try:
        for target in dict.fromkeys(patch.target for patch in patches):
            edits = [patch for patch in patches if patch.target == target]
            owner, name = edits[0].place
            kept.append((owner, name, inspect.getattr_static(owner, name)))
            setattr(owner, name, made(edits))
        yield
    finally:
        for owner, name, value in reversed(kept):
            setattr(owner, name, value)
