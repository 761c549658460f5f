"""A notebook that is run by Jupyter's own kernel: each value is shown as HTML with its pictures."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import nbclient
import nbformat
import pytest

CELLS = {
    "Model": ("model", 2),
    "Program": ("model.program", 2),
    "Trace": ('model.trace("aab")', 1),
    "HeadTrace": ('model.trace("aab").heads[0]', 1),
    "Explanation": ('handcraft.explain(model, "0.h0")', 1),
    "Report": (
        'handcraft.verify(model, claim=handcraft.after({"aa": "a", "ab": "b"}))',
        1,
    ),
    "Chain": ('handcraft.states("baby_gpt")', 1),
    "circuit": ("handcraft.circuit(model)", 1),
    "expression": ("indices + 1", 0),
}
START = """\
import handcraft
from handcraft.sequence.words import indices

model = handcraft.open("aab")
"""


@pytest.fixture(scope="module")
def outputs() -> dict[str, nbformat.NotebookNode]:
    """What each cell shows."""
    notebook = nbformat.v4.new_notebook()
    sources = [START, *(source for source, _ in CELLS.values())]
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in sources]
    ran = nbclient.NotebookClient(notebook, timeout=120).execute()
    shown = [cell.outputs for cell in ran.cells[1:]]
    assert all(len(found) == 1 for found in shown)
    return {name: found[0] for name, found in zip(CELLS, shown, strict=True)}


@pytest.mark.parametrize("name", CELLS)
def test_a_notebook_shows_a_value_as_html(
    name: str, outputs: dict[str, nbformat.NotebookNode]
) -> None:
    """Without an error: HTML with so many pictures, without a script, at most 200,000 bytes."""
    page = outputs[name].data["text/html"]
    assert "text/plain" in outputs[name].data
    pictures = re.findall(r"(?s)<svg .*?</svg>", page)
    assert len(pictures) == CELLS[name][1]
    for picture in pictures:
        ElementTree.fromstring(picture)
    assert not re.search(r"<script|<iframe|\son\w+=|https?://(?!www\.w3)", page)
    assert len(page.encode()) <= 200_000
