"""Draws the pictures of docs/: explain.svg as `handcraft explain aab PART --save` draws the parts
of its head, states.svg as `handcraft states baby_gpt --save` does.
"""

from __future__ import annotations

from pathlib import Path

from handcraft.analysis.explain import Explanation, explain
from handcraft.analysis.states import explore
from handcraft.model import Model
from handcraft.pictures import states_svg as drawing
from handcraft.pictures.matrices import explanation_svg

HERE = Path(__file__).parent
PARTS = ("0.h0.q", "0.h0.v", "0.h0.o")


def explain_svg() -> str:
    """The query, value and output of aab's head as an SVG."""
    model = Model.open("aab")
    views = (view for view in explain(model).views if view.part in PARTS)
    return explanation_svg(Explanation(tuple(views)), f"{model!r}")


def states_svg() -> str:
    """The baby GPT as a Markov chain."""
    return drawing.svg(explore(Model.open("baby_gpt")))


if __name__ == "__main__":
    (HERE / "explain.svg").write_text(explain_svg())
    (HERE / "states.svg").write_text(states_svg())
