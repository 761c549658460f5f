"""What people see: tables that fit, and colour that can be switched off."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from cli_runner import Result, handcraft
from conftest import slow_from

pytestmark = pytest.mark.usefixtures("here")

GOLDEN = Path(__file__).parent / "golden"


def golden(name: str) -> list[str]:
    """The lines of a golden text, spaces at their ends apart."""
    return (GOLDEN / name).read_text(encoding="utf-8").splitlines()


# ---------------------------------------------------------------- tables that fit


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        ("60", "explain_aab_60.txt"),
        ("80", "explain_aab.txt"),
        ("120", "explain_aab.txt"),
        (None, "explain_aab.txt"),
    ],
)
def test_explain_aab(columns: str | None, name: str) -> None:
    """The whole of `explain aab`, at three widths and piped."""
    result = handcraft(
        "explain", "aab", env={"COLUMNS": columns} if columns else {}
    )
    assert (result.code, result.err) == (0, "")
    assert result.lines == golden(name)


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        ("60", "trace_aab_60.txt"),
        ("80", "trace_aab.txt"),
        ("120", "trace_aab.txt"),
        (None, "trace_aab.txt"),
    ],
)
def test_trace_aab(columns: str | None, name: str) -> None:
    """The whole of `trace aab aabaa`, at three widths and piped."""
    result = handcraft(
        "trace", "aab", "aabaa", env={"COLUMNS": columns} if columns else {}
    )
    assert (result.code, result.err) == (0, "")
    assert result.lines == golden(name)


def cells_shown(lines: list[str], labels: list[str]) -> dict[str, list[str]]:
    """The numbers that stand behind each row's label, pieces of the table one after the other."""
    found: dict[str, list[str]] = {label: [] for label in labels}
    for line in lines:
        label, *numbers = line.split() or [""]
        if label in found and "=" not in numbers:
            found[label] += numbers
    return found


@pytest.mark.parametrize(
    "columns", [40, 41, 47, 53, 60, 66, 67, 79, 80, 100, 120, 200]
)
def test_no_column_is_squeezed(columns: int) -> None:
    """At every width each number of the query's matrix is there, in the order of the columns."""
    from handcraft import Model

    model = Model.open("aab")
    matrix = np.split(
        model.weights["blocks"][0]["attn"]["c_attn"]["w"], 3, axis=1
    )[0][:, :5]
    result = handcraft(
        "explain", "aab", "0.h0.q", env={"COLUMNS": str(columns)}
    )
    shown = cells_shown(result.lines, list(model.names.stream))
    assert shown == {
        name: [f"{value:.6g}" for value in row]
        for name, row in zip(model.names.stream, matrix, strict=True)
    }


@pytest.mark.parametrize("columns", slow_from(1, [60, 80, 120]))
@pytest.mark.parametrize(
    "command",
    [
        *(["explain", name] for name in ("aab", "abc", "adder", "baby_gpt")),
        ["explain", "aab", "0.h0.qk"],
        ["trace", "baby_gpt", "101"],
        ["trace", "adder", "00000000001+00000000002="],
        ["verify", "aab"],
        ["diff", "aab", "abc"],
        ["compare", "aab", "aab"],
        ["list"],
        *slow_from(
            0,
            [
                ["explain", "induction"],
                ["trace", "induction", "abcabcabcabcabcabcabcab"],
            ],
        ),
    ],
    ids=" ".join,
)
def test_every_line_fits(columns: int, command: list[str]) -> None:
    """No line is longer than the terminal is wide, and nothing is cut off with an ellipsis but
    a row's long label.
    """
    result = handcraft(*command, env={"COLUMNS": str(columns)})
    assert (result.code, result.err) == (0, "")
    assert max(map(len, result.lines)) <= columns
    cut = [line for line in result.lines if "…" in line]
    assert all(re.match(r"\S.{0,60}… ", line) for line in cut)


def test_wide_characters_keep_their_numbers() -> None:
    """A token that is two columns wide on a terminal squeezes no number."""
    Path("wide.py").write_text(
        "from handcraft import *\np, t = position(3),"
        " token('東京大阪名古屋神戸')\nprogram = Program(embedding=(p, t),"
        " layers=(Head(query=1024 * p, value=t, adds=123456 * t),))\n"
    )
    for command in (["explain", "wide.py"], ["trace", "wide.py", "東京大"]):
        result = handcraft(*command, env={"COLUMNS": "60"})
        assert "…" not in result.out
        assert len(re.findall("12345[67]", result.out)) >= 9


def test_a_long_rule_is_named_whole() -> None:
    """The table of contributions tells two neurons apart at any width, however long their names."""
    named = {
        60: ["layers[0] > mlp > after 101 > -104 -1", "adds"],
        80: ["layers[0] > mlp > after 101 > adds -104 -1"],
    }
    for columns, lines in named.items():
        result = handcraft(
            "trace", "baby_gpt", "101", env={"COLUMNS": str(columns)}
        )
        found = [" ".join(x.split()) for x in result.lines[-len(lines) :]]
        assert found == lines


def test_a_large_matrix_is_shown_without_its_empty_rows() -> None:
    """Of the 54 rows of induction's query only those that hold a weight are shown, and the
    title says how many are not.
    """
    result = handcraft("explain", "induction", "0.h0.q")
    assert result.lines == [
        (
            "Model('induction', n_layer=2, n_head=1, n_embd=54, n_vocab=26, n_ctx=64,"
            " float32)"
        ),
        "",
        (
            "0.h0.q  query of head 0.h0: columns of blocks.0.attn.c_attn  (53 empty"
            " rows left out)"
        ),
        "            position  position",
        "                   p        pp",
        "position:p   352.727         0",
        "1           -352.727  -176.363",
        "  ← layers[0] > query  programs/induction.py:24",
        "      query position:p = 48 position:p - 48, times sqrt(d_head)",
        "      query position:pp = -24, times sqrt(d_head)",
        "",
    ]


@pytest.mark.slow
def test_left_out_columns_are_counted_too() -> None:
    """Empty columns of a large matrix are left out in the same way, and one is no plural."""
    shown = handcraft("explain", "induction").out
    assert "wte  what each token writes  (28 empty columns left out)" in shown
    assert (
        "wpe  what each position writes  (1 empty row and 52 empty columns left out)"
        in shown
    )


def test_many_rules_of_one_kind_are_summed_up() -> None:
    """Of 26 like rules the first are shown, and how many more there are."""
    shown = handcraft("explain", "induction", "1.h0.o").lines
    assert "      token:a += 50 token:a" in shown
    assert "      token:z += 50 token:z" not in shown
    assert "      ... and 15 more lines like these" in shown


# ---------------------------------------------------------------- colour


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"NO_COLOR": "1", "FORCE_COLOR": "1"},
        {"NO_COLOR": "1"},
        {"NO_COLOR": "", "FORCE_COLOR": "1"},
    ],
)
@pytest.mark.parametrize(
    "command",
    [
        ["explain", "aab"],
        ["trace", "aab", "aab"],
        ["verify", "aab"],
        ["diff", "aab", "abc"],
        ["list"],
    ],
    ids=lambda c: c[0],
)
def test_no_colour_where_none_is_wanted(
    command: list[str], env: dict[str, str]
) -> None:
    """Piped, or under NO_COLOR even against FORCE_COLOR, no escape sequence is written."""
    result = handcraft(*command, env=env)
    assert result.code == 0
    assert "\x1b" not in result.out + result.err


def test_zeros_are_faint() -> None:
    """With colour a zero is faint and a weight is not."""
    shown = handcraft(
        "explain", "aab", "0.h0.q", env={"FORCE_COLOR": "1", "COLUMNS": "120"}
    ).out
    assert re.search(r"\x1b\[2m +0\x1b\[0m", shown)
    assert not re.search(r"\x1b\[2m +1024\x1b\[0m", shown)
    assert re.search(r" 1024 ", shown)


def test_colour_changes_nothing_but_colour() -> None:
    """Without its escape sequences the coloured text is the plain one."""
    for command in (
        ["explain", "aab"],
        ["trace", "aab", "aab"],
        ["diff", "aab", "abc"],
    ):
        plain = handcraft(*command, env={"COLUMNS": "100"})
        coloured = handcraft(
            *command, env={"COLUMNS": "100", "FORCE_COLOR": "1"}
        )
        assert coloured.out != plain.out
        stripped = Result(0, re.sub(r"\x1b\[[0-9;]*m", "", coloured.out), "")
        assert stripped.lines == plain.lines


@pytest.mark.parametrize("columns", ["0", "-5", "wide", ""])
def test_a_strange_width_is_ignored(columns: str) -> None:
    """COLUMNS that is no width counts as not set."""
    assert handcraft(
        "explain", "aab", env={"COLUMNS": columns}
    ).lines == golden("explain_aab.txt")
