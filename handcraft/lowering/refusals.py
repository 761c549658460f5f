"""The error of an expression that cannot be lowered: which part, what it misses, what would fit."""

from __future__ import annotations

from handcraft.core.errors import ProgramError
from handcraft.core.source import Source
from handcraft.lowering.meanings import NodeMeanings
from handcraft.lowering.reading.nodes import Node
from handcraft.sequence.notation import written


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
        what = repr(self.node) if says is None else written(says)
        return ProgramError(
            f"{what} {self.why}; what would fit: {self.instead}",
            ("compile",),
            source,
        )
