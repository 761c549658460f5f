"""Lowering and domains with what RASP has besides: means with a default, and labels for names."""

from __future__ import annotations

import re
from collections.abc import Mapping

from handcraft.language.affine import Lane
from handcraft.lowering.lower import Lowering
from handcraft.lowering.rasp.averages import mean_of_selected, means_of
from handcraft.lowering.reading.core import Core
from handcraft.lowering.reading.domain import Domain
from handcraft.lowering.reading.domains import Domains
from handcraft.lowering.reading.nodes import Node
from handcraft.lowering.stream import Held
from handcraft.sequence.expression import Expression
from handcraft.sequence.values import Value

_LONGEST = 32  # of a lane's name
_LEAVES = {"token": "tokens", "index": "indices"}


class RaspDomains(Domains):
    """Domains, with that of a mean."""

    def _selected(self, node: Node) -> Domain:
        if node.data != "average":
            return super()._selected(node)
        default = None if node.default is None else node.default.data
        return means_of(self.of(node.value), self.n, default)


class RaspLowering(Lowering):
    """Lowering, with means, and the names that an author gave his s-ops.

    labels  {id of a node: the label of its s-op}
    """

    def __init__(
        self,
        core: Core,
        domains: Domains,
        codes: Mapping[str, float],
        labels: Mapping[int, str],
    ) -> None:
        super().__init__(core, domains, codes)
        self.labels = labels
        self.single: dict[Lane, str] = {}  # of lanes that stand for one value

    def meanings(self) -> dict[Lane, Expression]:
        """Nothing: functions of Python are no expressions."""
        return {}

    def lowered(self, node: Node) -> Held:
        if node.op == "select" and node.data == "average":
            return mean_of_selected(self, node)
        return super().lowered(node)

    def named(self, node: Node) -> str:
        """The name of a lane: the label of the s-op that it holds."""
        if id(node) not in self.labels:
            return super().named(node)
        words = re.findall(r"[A-Za-z0-9_]+", self.labels[id(node)])
        name = "_".join(words)[:_LONGEST]
        return name if name.isidentifier() else f"sop_{name}"

    def selects_one(self, condition: Node) -> bool:  # noqa: ARG002
        """True: where RASP selects several values that are no numbers, it has no value."""
        return True

    def one_hot(self, base: Node) -> Mapping[Value, Held]:
        found = super().one_hot(base)
        label = self.labels.get(
            id(base), _LEAVES.get(base.op, self.named(base))
        )
        for value, held in found.items():
            if len(held.z.terms) == 1 and not held.z.constant:
                self.single.setdefault(held.z.terms[0][0], f"{label}:{value}")
        return found
