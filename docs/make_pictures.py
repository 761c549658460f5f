"""Draws the pictures of docs/, with fonts of the reader's own machine.

explain.svg is what `handcraft explain programs/aab.py` shows, states.svg what `handcraft states
baby_gpt --save` writes.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

from rich.console import Console

from handcraft.analysis.explain import Explanation, explain
from handcraft.analysis.states import explore
from handcraft.model import Model
from handcraft.pictures import states_svg as drawing
from handcraft.results.model_tables import explanation

HERE = Path(__file__).parent


def explain_svg() -> str:
    """The query, value and output of aab's head as an SVG."""
    model = Model.open("aab")
    views = [
        view
        for view in explain(model).views
        if view.part in ("0.h0.q", "0.h0.v", "0.h0.o")
    ]
    console = Console(
        record=True,
        width=90,
        file=io.StringIO(),
        force_terminal=True,
        highlight=False,
        color_system="truecolor",
    )
    console.print(explanation(model, Explanation(tuple(views)), 90))
    svg = console.export_svg(
        title="handcraft explain programs/aab.py", unique_id="explain"
    )
    return re.sub(
        r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL
    )  # they would be fetched from the network


def states_svg() -> str:
    """The baby GPT as a Markov chain."""
    return drawing.svg(explore(Model.open("baby_gpt")))


if __name__ == "__main__":
    (HERE / "explain.svg").write_text(explain_svg())
    (HERE / "states.svg").write_text(states_svg())
