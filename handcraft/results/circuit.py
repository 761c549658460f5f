"""Shows in Python which slot, head and neuron of a program feeds which."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handcraft.core.arguments import asked_call
from handcraft.pictures.circuit_files import save_circuit
from handcraft.pictures.wiring import Wiring, wiring
from handcraft.results.opening import Openable, opened
from handcraft.results.shown import ShownResult, fields_of


@dataclass(frozen=True, repr=False)
class ShownWiring(ShownResult, Wiring):
    """A Wiring that looks as `handcraft circuit` prints it."""

    def drawn(self, width: int) -> Any:  # noqa: ARG002  # its tables fit by themselves
        from handcraft.results.model_tables import wiring_table

        return wiring_table(self)

    @asked_call("circuit(...).save")
    def save(self, file: str | Path) -> Path:
        """Write a picture to this .svg, .dot, .mmd, .mermaid or .json file, and return its path."""
        return save_circuit(self, file)

    def _repr_html_(self) -> str:
        from handcraft.pictures.notebooks import wiring_page

        return wiring_page(self, super()._repr_html_())


@asked_call("handcraft.circuit", save="handcraft.circuit(...).save(file)")
def circuit(program: Openable, *, dtype: str | None = None) -> ShownWiring:
    """Which slot, head and neuron of a program feeds which, by the lanes that one writes and a
    later one reads.

    Raises WeightsError for a model with layer norms: through them every lane reaches every other.
    """
    return ShownWiring(**fields_of(wiring(opened(program, dtype))))
