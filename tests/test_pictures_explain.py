"""The drawing of the matrices shows every number in its cell, with the letter of its rule."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from cli_runner import handcraft as command
from conftest import EVERY_PROGRAM, bundled_model, random_weights
from drawings import SVG, fetches_nothing, parsed, tips, words

import handcraft
from handcraft import Model
from handcraft.analysis.explain import explain
from handcraft.core.errors import printable
from handcraft.core.vocabulary import Vocabulary
from handcraft.language.affine import format_number
from handcraft.pictures.grid import MOST, NumberTable, table_drawing
from handcraft.pictures.matrices import explanation_svg, mark
from handcraft.pictures.svg import whole_svg


def drawn(name: str, part: str) -> str:
    """One part of a bundled program as a picture."""
    return explanation_svg(explain(bundled_model(name), part), name)


def test_each_number_stands_in_its_cell_with_its_letter() -> None:
    """Of aab's output: -1024 and 1024, the letters a and b, and beside them the two rules."""
    picture = drawn("aab", "0.h0.o")
    found = words(picture)
    row = next(w for w in found if w.text == "v" and w.x < 120)
    # the column v is the one further right
    cells = sorted(
        (w for w in found if abs(w.y - row.y) < 1 and w != row),
        key=lambda w: w.x,
    )
    in_table = [w.text for w in cells if w.x < 380]
    assert in_table == ["0", "0", "0", "0", "0", "-1024", "1024", "0"]
    rules = {
        w.y: [v.text for v in sorted(found, key=lambda v: v.x) if v.y == w.y]
        for w in found
        if w.text.startswith("token:")
    }
    assert [line[-2:] for line in rules.values()] == [
        ["a", "token:a += -1024 v + 1024"],
        ["b", "token:b += 1024 v"],
    ]
    assert "layers[0] > adds  programs/aab.py:11" in [w.text for w in found]


def test_rows_and_columns_are_grouped_by_slot() -> None:
    """A slot's name stands once over its lanes, and once beside them."""
    texts = [w.text for w in words(drawn("aab", "0.h0.q"))]
    assert texts.count("position") == 2
    assert texts.count("token") == 1
    assert "position:0" not in texts


@pytest.mark.parametrize("name", EVERY_PROGRAM)
def test_every_cell_has_its_number(name: str) -> None:
    """The tooltips of a part hold each of its cells, row, column, number and rule."""
    model = bundled_model(name)
    for view in explain(model).views:
        if not view.cells or max(view.values.shape) > MOST:
            continue
        picture = explanation_svg(explain(model, view.part), name)
        assert fetches_nothing(picture)
        said = "\n".join(tips(picture))
        for cell in view.cells[:1500]:
            number = format_number(cell.value)
            line = f"{cell.row} → {cell.column}: {number}  ("
            assert printable(line) in said


def test_the_sign_is_never_shown_by_colour_alone() -> None:
    """Of small cells a stroke goes through those below 0: as many as there are."""
    values = [
        [-1.0 if (i + j) % 3 else 2.0 for j in range(40)] for i in range(40)
    ]
    names = [("", str(i)) for i in range(40)]
    picture = whole_svg(table_drawing(NumberTable(names, names, values)), "")
    strokes = [
        path.attrib["d"].count("M")
        for path in parsed(picture).iter(f"{SVG}path")
        if path.attrib["class"] == "hc-stroke"
    ]
    negative = sum(x < 0 for row in values for x in row)
    assert strokes == [negative]
    rects = [r.get("class") for r in parsed(picture).iter(f"{SVG}rect")]
    assert rects.count("hc-minus") == negative
    assert rects.count("hc-plus") == 1600 - negative


def test_what_does_not_fit_is_counted() -> None:
    """Of 100 rows and columns 96 are drawn, and a line says how many more there are."""
    names = [("slot", str(i)) for i in range(100)]
    values = [[1.0] * 100 for _ in names]
    picture = whole_svg(table_drawing(NumberTable(names, names, values)), "")
    texts = [w.text for w in words(picture)]
    assert texts[-2:] == ["... 4 more rows", "... 4 more columns"]
    assert texts.count("slot") == 2


def test_a_pattern_of_few_numbers_is_small() -> None:
    """A copied alphabet is a diagonal; below it stands what its cells hold."""
    texts = [w.text for w in words(drawn("induction", "1.h0.o"))]
    assert "an empty cell is 0, the others are 50" in texts
    assert "50" not in texts


def test_empty_rows_and_columns_of_large_tables_are_left_out() -> None:
    """As in the terminal, with the same words."""
    texts = [w.text for w in words(drawn("induction", "0.h0.k"))]
    assert any("(52 empty rows left out)" in t for t in texts)


def test_a_large_model_lists_what_is_not_drawn() -> None:
    """Past the size of the whole, a matrix is a line with its sizes."""
    model = bundled_model("aab")
    picture = explanation_svg(explain(model), "aab", most=9000)
    assert len(picture) < 14000
    texts = [w.text for w in words(picture)]
    assert (
        "0.h0.v  value of head 0.h0: columns of blocks.0.attn.c_attn: 2 of 8 x 1"
        " cells are not 0 ..." in texts
    )


@pytest.mark.slow
def test_the_largest_program_gives_a_file_of_bounded_size() -> None:
    """sort_numbers has 600,000 weights; its picture has at most 1.6 million bytes."""
    model = bundled_model("sort_numbers")
    picture = explanation_svg(explain(model), "sort_numbers")
    assert len(picture) < 1_600_000
    parsed(picture)


def test_weights_without_rules_say_so() -> None:
    """Trained weights have no letters: one line says that no rule wrote them."""
    tokens = Vocabulary(("a", "b", "c"))
    model = Model("trained", random_weights(2), tokens, n_head=2)
    texts = [w.text for w in words(explanation_svg(explain(model, "wte"), "t"))]
    assert "no rule wrote this" in texts
    assert "x0" in texts


def test_letters_go_on_after_z() -> None:
    """The 27th rule is aa."""
    assert [mark(i) for i in (0, 25, 26, 27, 52, 701, 702)] == [
        *("a", "z", "aa", "ab", "ba", "zz", "aaa"),
    ]


def test_the_command_and_python_write_the_same_file(tmp_path: Path) -> None:
    """`handcraft explain --save` draws the part that is asked for, and prints it as well."""
    file = tmp_path / "aab.svg"
    result = command("explain", "aab", "0.h0", "--save", str(file))
    plain = command("explain", "aab", "0.h0")
    assert result.out == f"{plain.out}\nwrote {file}\n"
    found = handcraft.explain("aab", "0.h0")
    assert found.save(tmp_path / "b.svg").read_bytes() == file.read_bytes()
    ElementTree.parse(file)
