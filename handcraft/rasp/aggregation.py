"""S-ops that are made of selectors: how many keys a query selects, and the mean of what it
selects.
"""

from __future__ import annotations

from typing import Any

from handcraft.rasp.expressions import RASPExpr
from handcraft.rasp.selectors import Selector
from handcraft.rasp.sops import SOp


class SelectorWidth(SOp):
    """The number of keys that each query selects."""

    kind = "selector_width"

    def __init__(self, selector: Selector) -> None:
        Selector.check(selector, "SelectorWidth(selector)")
        self.selector = selector

    @property
    def children(self) -> list[RASPExpr]:
        return [self.selector]


class Aggregate(SOp):
    """The mean of the values that each query selects: the value itself where it selects one, of
    any type, and the default where it selects none.
    """

    kind = "aggregate"

    def __init__(
        self, selector: Selector, sop: SOp, default: Any = None
    ) -> None:
        Selector.check(selector, "Aggregate(selector)")
        SOp.check(sop, "Aggregate(sop)")
        self.selector, self.sop, self.default = selector, sop, default

    @property
    def children(self) -> list[RASPExpr]:
        return [self.selector, self.sop]
