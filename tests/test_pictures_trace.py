"""The picture of a forward pass shows the numbers of the trace, each in its row and column."""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from cli_runner import handcraft as command
from conftest import (
    EVERY_PROGRAM,
    Refused,
    bundled_model,
    example,
    random_weights,
)
from drawings import SVG, Word, fetches_nothing, parsed, tips, words

import handcraft
from handcraft import Model
from handcraft.core.errors import ProgramError
from handcraft.core.vocabulary import Vocabulary
from handcraft.pictures.passes import bars, head_svg, trace_svg
from handcraft.pictures.svg import whole_svg


def cell(found: list[Word], row: str, column: str) -> str:
    """The number that stands in the row and under the column of these names: of two texts, a
    column's name is the upper one, and a row's name the lower one.
    """
    y = max(word.y for word in found if word.text == row)
    x = min((w for w in found if w.text == column), key=lambda w: w.y).x
    (shown,) = [
        word.text
        for word in found
        if abs(word.y - y) < 2 and abs(word.x - x) < 6 and word.text != row
    ]
    return shown


def test_attention_stands_where_it_belongs() -> None:
    """The cell of a query's row and a key's column holds the weight; the future is hatched."""
    head = bundled_model("aab").trace("aab").heads[0]
    picture = head_svg(head)
    names = ["0 a", "1 a", "2 b"]
    for i, row in enumerate(names):
        for j, column in enumerate(names[: i + 1]):
            shown = cell(words(picture), row, column)
            assert float(shown) == head.weights[i][j]
    hatched = [
        path.attrib["d"]
        for path in parsed(picture).iter(f"{SVG}path")
        if path.attrib["class"] == "hc-line" and "H" not in path.attrib["d"]
    ]
    assert [d.count("M") for d in hatched][:1] == [3]
    (tip,) = [t for t in tips(picture) if t.startswith("query 1 a, key 0 a:")]
    assert (
        tip == f"query 1 a, key 0 a: weight 0.5, score {head.scores[1][0]:.6g}"
    )


@pytest.mark.parametrize("name", EVERY_PROGRAM)
def test_the_tooltips_hold_every_weight(name: str) -> None:
    """Where cells are too small for their numbers, each weight that is not 0 has its tooltip."""
    trace = bundled_model(name).trace(example(name))
    picture = trace_svg(trace, name)
    assert fetches_nothing(picture)
    for head in trace.heads:
        said = [tip for tip in tips(head_svg(head)) if tip.startswith("query")]
        drawn = sum(w > 1e-12 * max(row) for row in head.weights for w in row)
        assert len(said) >= min(drawn, len(said) or drawn)
        for i, row in enumerate(head.weights):
            for j, weight in enumerate(row):
                if weight >= 5e-4:
                    start = f"query {i} "
                    assert any(
                        tip.startswith(start)
                        and f"key {j} " in tip
                        and f"weight {weight:.6g}" in tip
                        for tip in said
                    )


def test_the_stream_is_the_traces() -> None:
    """After each sublayer a table of the lanes that are not 0, by slot."""
    trace = bundled_model("aab").trace("ab")
    found = words(trace_svg(trace, "aab"))
    texts = [w.text for w in found]
    assert [t for t in texts if t.startswith("after ")] == [
        "after embedding",
        "after 0.attention",
    ]
    after = next(w for w in found if w.text == "after 0.attention")
    table = [w for w in found if w.x >= after.x and w.y > after.y]
    last = trace.residual[-1]["positions"]
    for i, name in enumerate(("0 a", "1 b")):
        assert float(cell(table, name, "b")) == last[i]["token:b"]
        assert float(cell(table, name, "a")) == last[i]["token:a"]
    assert "v" not in texts  # 0 everywhere


def test_the_logits_are_bars_with_their_numbers() -> None:
    """Each token has its logit beside it, and the highest is marked."""
    trace = bundled_model("aab").trace("aab")
    found = words(trace_svg(trace, "aab"))
    marked = next(w for w in found if w.text == "▸")
    line = [w.text for w in found if w.y == marked.y]
    assert sorted(line) == ["1024", "a", "▸"]


def lengths(picture: str) -> list[float]:
    """The widths of all bars."""
    rects = [*parsed(picture).iter(f"{SVG}rect")][1:]
    return [float(rect.attrib["width"]) for rect in rects]


def test_bars_are_as_long_as_their_numbers() -> None:
    """A bar below 0 goes to the left; one that is far longer than the highest is cut off, and says
    so.
    """
    picture = whole_svg(bars({"a": 4.0, "b": 2.0, "c": -1.0, "d": -900.0}), "")
    assert lengths(picture) == [160, 80, 40, 160]
    starts = [
        float(rect.attrib["x"])
        for rect in parsed(picture).iter(f"{SVG}rect")
        if "x" in rect.attrib
    ]
    assert starts[0] == starts[1] == starts[2] + 40 == starts[3] + 160
    assert "≪ -900" in [w.text for w in words(picture)]


def test_what_is_not_finite_is_written_without_a_bar() -> None:
    """NaN and infinity have no length."""
    picture = whole_svg(bars({"a": math.nan, "b": math.inf, "c": 1.0}), "")
    assert lengths(picture) == [160]
    assert {"nan", "inf", "1"} <= {w.text for w in words(picture)}


def test_a_long_context_shows_its_last_positions() -> None:
    """Of 60 positions 48 are drawn, and the others are counted."""
    model = bundled_model("majority")
    trace = model.trace((example("majority") * 5)[:60])
    n = len(trace.tokens)
    picture = trace_svg(trace, "majority")
    texts = [w.text for w in words(picture)]
    assert f"... {n - 48} positions before these" in texts
    assert not any(t.startswith("0 ") for t in texts)
    assert any(t.startswith(f"{n - 1} ") for t in texts)


def test_a_model_without_rules_is_drawn_too() -> None:
    """Random weights with layer norms: columns are called x0, x1, ...; many tokens are counted."""
    weights = random_weights(3, n_vocab=40)
    tokens = Vocabulary(tuple(f"t{i}" for i in range(40)))
    trace = Model("trained", weights, tokens, n_head=2).trace([1, 2, 3])
    texts = [w.text for w in words(trace_svg(trace, "trained"))]
    assert "head 1.h1: attention" in texts
    assert "x7" in texts
    assert "logits after '2 t3': the 24 highest of 40" in texts
    best = max(trace.logits[-1], key=lambda t: trace.logits[-1][t])
    assert texts[texts.index("▸") - 1] == best


def test_more_heads_than_can_be_seen_are_counted() -> None:
    """Of 50 heads 48 are drawn."""
    weights = random_weights(1, n_embd=50, n_layer=1, norms=False)
    tokens = Vocabulary(("a", "b", "c"))
    trace = Model("wide", weights, tokens, n_head=50).trace([0, 1])
    texts = [w.text for w in words(trace_svg(trace, "wide"))]
    assert sum(t.endswith(": attention") for t in texts) == 48
    assert "... 2 more heads" in texts


def test_without_a_mask_nothing_is_hatched() -> None:
    """A program whose positions see the whole text has a full square."""
    model = bundled_model("aab").replace(causal=False, program=None)
    head = model.trace("aab").heads[0]
    paths = [*parsed(head_svg(head)).iter(f"{SVG}path")]
    assert len(paths) == 2  # the lines of the grid
    assert np.shape(head.weights) == (3, 3)


# ---------------------------------------------------------------- the door


def test_the_command_and_python_write_the_same_file(tmp_path: Path) -> None:
    """`handcraft trace --save` prints what it prints without it, and names the file."""
    file = tmp_path / "new" / "aab.svg"
    result = command("trace", "aab", "aab", "--save", str(file))
    plain = command("trace", "aab", "aab")
    assert (result.code, result.err) == (0, "")
    assert result.out == f"{plain.out}\nwrote {file}\n"
    again = handcraft.trace("aab", "aab").save(tmp_path / "b.svg")
    assert again.read_bytes() == file.read_bytes()
    ElementTree.parse(file)
    printed = command("trace", "aab", "aab", "--json", "--save", str(file)).json
    assert printed["tokens"] == list("aab")


def test_another_ending_is_refused_before_anything_runs(
    tmp_path: Path,
) -> None:
    """The message names the ending that works, and nothing is written."""
    for argv in (("trace", "aab", "a"), ("explain", "aab")):
        file = tmp_path / "a.png"
        result = command(*argv, "--save", str(file))
        assert result.refusal == f"{file} must end with .svg"
        assert command(*argv, "--save", "").refusal == (
            "--save is empty; name a file"
        )
    with Refused(ProgramError, f"{tmp_path / 'a.dot'} must end with .svg"):
        handcraft.trace("aab", "a").save(tmp_path / "a.dot")
    with Refused(
        ProgramError, "a picture is saved to the path of a file, found int 3"
    ):
        handcraft.trace("aab", "a").save(3)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    """Where a folder stands in the way, the folder stays and nothing is printed."""
    folder = tmp_path / "a.svg"
    folder.mkdir()
    result = command("trace", "aab", "a", "--save", str(folder))
    assert "is a directory" in result.refusal or "folder" in result.refusal
    assert list(folder.iterdir()) == []
