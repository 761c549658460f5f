"""Returns a trace as one that a notebook shows as pictures.

core/ knows no pictures, so `model.trace` gives what core/tracing.py named in these classes.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from handcraft.core.tracing import HeadTrace, Trace


@dataclass(frozen=True)
class DrawnHead(HeadTrace):
    """A HeadTrace that a notebook shows as the picture of its attention."""

    def _repr_html_(self) -> str:
        from handcraft.pictures.notebooks import head_page

        return head_page(self)


@dataclass(frozen=True)
class DrawnTrace(Trace):
    """A Trace that a notebook shows as attention, residual stream and logits."""

    def _repr_html_(self) -> str:
        from handcraft.pictures.notebooks import trace_page

        return trace_page(self)


def drawn_trace(found: Trace) -> DrawnTrace:
    """The same numbers, which a notebook shows as pictures."""
    heads = [
        DrawnHead(**{f.name: getattr(head, f.name) for f in fields(HeadTrace)})
        for head in found.heads
    ]
    given = {f.name: getattr(found, f.name) for f in fields(Trace)}
    return DrawnTrace(**given | {"heads": heads})
