"""The error of an expression that cannot be lowered: which part, what it misses, what would fit."""

from __future__ import annotations

from handcraft.core.errors import ProgramError
from handcraft.core.source import Source
from handcraft.lowering.meanings import Meanings
from handcraft.lowering.reading.nodes import Node
from handcraft.sequence.notation import written

LONGEST = 60


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
            says = Meanings().of(self.node)
        what = _shortened(self.node) if says is None else written(says)
        return ProgramError(
            f"{what} {self.why}; what would fit: {self.instead}",
            ("compile",),
            source,
        )


def _shortened(node: Node) -> str:
    """A node that stands for no expression of its own, as far as a line has room."""
    found = repr(node)
    return found if len(found) <= LONGEST else f"{found[: LONGEST - 3]}..."
