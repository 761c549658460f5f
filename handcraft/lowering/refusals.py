"""The error of an expression that cannot be lowered: which part, what it misses, what would fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from handcraft.core.errors import ProgramError
from handcraft.core.source import Source
from handcraft.lowering.meanings import NodeMeanings
from handcraft.lowering.reading.nodes import Node
from handcraft.lowering.stream import SNAPPED
from handcraft.sequence.notation import written

_LONGEST = 60

_T = TypeVar("_T")


class Refused(Exception):  # noqa: N818  # it becomes a ProgramError with the author's line
    """A part that cannot be lowered.

    node   the part
    why    the bound that it misses, in words
    instead  what would fit
    """

    def __init__(self, node: Node, why: str, instead: str) -> None:
        super().__init__(f"{node}: {why}; {instead}")
        self.node = node
        self.why = why
        self.instead = instead

    def error(self, source: Source | None = None) -> ProgramError:
        """The same as an author reads it, with the line of the frame."""
        says = self.node.says
        if says is None:
            says = NodeMeanings().of(self.node)
        what = _shortened(self.node) if says is None else written(says)
        return ProgramError(
            f"{what} {self.why}; what would fit: {self.instead}",
            ("compile",),
            source,
        )


class Inexact(Exception):  # noqa: N818  # `blaming` says it in words
    """An input that is not known well enough to be told from its neighbours.

    radius  how well it is known
    gap     the distance of the nearest two that must be told apart
    """

    def __init__(self, radius: float, gap: float) -> None:
        super().__init__(f"known to {radius}, apart by {gap}")
        self.radius = radius
        self.gap = gap


def tried(make: Callable[[float], _T]) -> _T:
    """What make(snapped) gives with the first bound of SNAPPED, so the fewest neurons, for which
    all numbers can be told apart. Raises Refused as the last one did.
    """
    *cheaper, last = SNAPPED
    for snapped in cheaper:
        try:
            return make(snapped)
        except Refused:
            continue
    return make(last)


@contextmanager
def blaming(node: Node) -> Iterator[None]:
    """Turns an input that is not known well enough into a Refused of the node that reads it."""
    try:
        yield
    except Inexact as found:
        raise Refused(
            node,
            f"would read a number that is only known to {found.radius:.2g},"
            f" and must tell apart what differs by {found.gap:.2g}",
            "a shorter window",
        ) from None


def _shortened(node: Node) -> str:
    """A node that stands for no expression of its own, as far as a line has room."""
    found = repr(node)
    return found if len(found) <= _LONGEST else f"{found[: _LONGEST - 3]}..."
