"""`handcraft compile` and the frame `tag`: what they take, and how what they refuse is told."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from cli_runner import handcraft

import handcraft as package
from handcraft import tag, verify
from handcraft.core.errors import ProgramError
from handcraft.program.program import Program
from handcraft.sequence.words import (
    count,
    fetch,
    indices,
    length,
    mean,
    there,
    tokens,
    total,
)

RANK = """
from handcraft.sequence.words import *

earlier = (there(tokens) < tokens) | (there(tokens) == tokens) & (
    there(indices) < indices
)
rank = count(earlier)
sort = fetch(tokens, there(rank) == indices)
"""
HIST = count(there(tokens) == tokens)


@pytest.fixture
def rank(tmp_path: Path) -> Path:
    path = tmp_path / "rank.py"
    path.write_text(RANK)
    return path


def test_compile_writes_a_built_directory(rank: Path, tmp_path: Path) -> None:
    """Of the only expression that is no part of another; every command takes what is written."""
    out = tmp_path / "out"
    done = handcraft(
        *("compile", rank, "--tokens", "012", "--n", "4"),
        *("--out", out, "--json"),
    )
    assert done.code == 0
    assert done.json["program"] == "sort"
    assert done.json["n_ctx"] == 5
    assert (out / "model.safetensors").is_file()
    said = handcraft("verify", out, "--json")
    assert (said.code, said.json["verdict"]) == (0, "proved")
    assert said.json["contexts"] == 3 + 9 + 27 + 81


def test_a_part_of_an_expression_can_be_asked_for(
    rank: Path, tmp_path: Path
) -> None:
    """Words with spaces between them are tokens; a text that is read from the left alone."""
    done = handcraft(
        *("compile", rank, "--expression", "rank", "--tokens", "x yy"),
        *("--n", "3", "--causal", "--out", tmp_path / "out", "--json"),
    )
    assert done.json["program"] == "rank"
    program = package.open(tmp_path / "out").program
    assert program is not None
    assert program.vocabulary[:3] == ("^", "x", "yy")
    assert program.causal


def test_the_frame_of_answers_can_be_asked_for(
    rank: Path, tmp_path: Path
) -> None:
    """A sorted text needs one echo of the text; what is written answers the text alone."""
    done = handcraft(
        *("compile", rank, "--answer", "--tokens", "012", "--n", "3"),
        *("--out", tmp_path / "out", "--json"),
    )
    assert done.json["program"] == "sort"
    model = package.open(tmp_path / "out")
    for text in map("".join, product("012", repeat=3)):
        said = "".join(sorted(text))
        assert model.generate(f"^{text}=") == f"{text}={said}$"
        assert model.answer(text) == said


def test_an_answer_may_look_back_only(rank: Path, tmp_path: Path) -> None:
    """With --causal each position sees no later one: 1 0 are ranked 0 and 0, not 1 and 0."""
    command = ("compile", rank, "--answer", "--expression", "rank")
    command += ("--tokens", "ab", "--n", "3", "--json")
    for more, said in ((), "10"), (("--causal",), "00"):
        out = tmp_path / "".join(("out", *more))
        handcraft(*command, *more, "--out", out)
        assert package.open(out).answer("ba") == said


def test_the_frame_of_the_next_token_can_be_asked_for(tmp_path: Path) -> None:
    """The value of the expression comes next, then that of the longer text."""
    path = tmp_path / "turns.py"
    path.write_text(
        "from handcraft.sequence.words import *\n"
        'turns = lookup({"a": "b", "b": "c", "c": "a"}, tokens)\n'
    )
    out = tmp_path / "out"
    done = handcraft(
        *("compile", path, "--next", "--tokens", "abc", "--n", "5"),
        *("--out", out, "--json"),
    )
    assert (done.json["program"], done.json["n_ctx"]) == ("turns", 5)
    assert package.open(out).generate("b", n=4) == "cabc"
    assert handcraft("verify", out, "--json").json["verdict"] == "proved"


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (RANK, ["--tokens", "01"], "--n is missing"),
        (RANK, ["--n", "3"], "--tokens is missing"),
        (
            RANK,
            ["--tokens", "01", "--n", "0"],
            (
                "tag > n: takes the most tokens of a text, a whole number from 1 to"
                " 1,048,575, found 0 (rank.py:8)"
            ),
        ),
        (
            RANK,
            ["--tokens", "01", "--n", "2000000"],
            (
                "tag > n: takes the most tokens of a text, a whole number from 1 to"
                " 1,048,575, found 2000000 (rank.py:8)"
            ),
        ),
        (
            RANK,
            ["--tokens", "00", "--n", "3"],
            "tag > tokens: the token '0' stands twice (rank.py:8)",
        ),
        (
            RANK,
            ["--tokens", "", "--n", "3"],
            (
                "tag > tokens: takes the tokens of a text, such as 'ab' or ['a', 'b'],"
                " found str '' (rank.py:8)"
            ),
        ),
        (
            RANK,
            ["--tokens", "0^", "--n", "3"],
            (
                "tag > tokens: '^' stands before each text, so it is no token of one;"
                " pass another one as begin= (rank.py:8)"
            ),
        ),
        (
            RANK,
            ["--tokens", "01", "--n", "3", "--expression", "rnk"],
            "rank: no `rnk`; did you mean 'rank'? (rank.py)",
        ),
        (
            RANK,
            ["--tokens", "01", "--n", "3", "--expression", "earlier"],
            (
                "rank: `earlier` is of type Condition, and an expression is needed"
                " (rank.py)"
            ),
        ),
        (
            RANK,
            ["--tokens", "01", "--n", "3", "--next", "--causal"],
            "--causal is for --tag and --answer; --next is causal anyway",
        ),
        (
            RANK,
            ["--tokens", "01", "--n", "3", "--next", "--answer"],
            "--answer and --next exclude each other; name one of them",
        ),
        (
            f"{RANK}\nother = length",
            ["--tokens", "01", "--n", "3"],
            (
                "rank: has several expressions, sort, other; say which: --expression"
                " other (rank.py)"
            ),
        ),
        (
            "x = 1",
            ["--tokens", "01", "--n", "3"],
            (
                "rank: no expression; the file must define one, such as `hist ="
                " count(there(tokens) == tokens)` behind `from handcraft.sequence import *`"
                " (rank.py)"
            ),
        ),
        (
            "hist = count(there(tokens) == tokens)",
            ["--tokens", "01", "--n", "3"],
            (
                "rank: there is no `count` here; it is a word of handcraft.sequence: write"
                " `from handcraft.sequence import *` above (rank.py:1)"
            ),
        ),
        (
            (
                f"{RANK}\nfrom handcraft import tag\nprogram = tag(sort, tokens='a', n=2)"
                "\ndel sort, rank"
            ),
            ["--tokens", "01", "--n", "3"],
            (
                "rank: `program` is compiled already, and there is no other expression;"
                " write `handcraft build` (rank.py)"
            ),
        ),
    ],
)
def test_what_cannot_be_compiled_is_one_line(
    text: str, options: list[str], message: str, tmp_path: Path
) -> None:
    """Exit code 2, the file and the line, and nothing written."""
    (tmp_path / "rank.py").write_text(text)
    done = handcraft("compile", "rank.py", *options, cwd=tmp_path)
    assert done.refusal == message
    assert [path.name for path in tmp_path.iterdir()] == ["rank.py"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: tag(count, tokens="ab", n=3),  # type: ignore[arg-type]
            "takes an expression of handcraft.sequence.words, found",
        ),
        (
            lambda: tag(HIST, tokens=["a", ""], n=3),
            "takes the tokens of a text, such as 'ab' or ['a', 'b'], found",
        ),
        (
            lambda: tag(HIST, tokens="ab", n=True),
            (
                "takes the most tokens of a text, a whole number from 1 to 1,048,575,"
                " found True"
            ),
        ),
        (
            lambda: tag(mean(indices), tokens="ab", n=30),
            (
                "mean(indices) has too many answers to be tokens; what would fit: round_()"
                " or clip() around it"
            ),
        ),
        (
            lambda: tag(
                fetch(tokens, there(tokens) == tokens), tokens="ab", n=3
            ),
            (
                "fetch(tokens, there(tokens) == tokens) is not known to select one"
                " position; what would fit: fetch(value, latest(condition)) or"
                " first(condition), which do"
            ),
        ),
        (
            lambda: tag(
                fetch(tokens, indices - 1, default="^"), tokens="ab", n=3
            ),
            (
                "otherwise(token_at(here - 1), '^') can be '^', the token that stands"
                " before each text; what would fit: another one as begin="
            ),
        ),
        (
            lambda: tag(
                count(there(total(HIST)) + total(HIST) == HIST),
                tokens="ab",
                n=40,
            ),
            "a shorter window or a smaller alphabet",
        ),
    ],
)
def test_a_refusal_names_the_part_and_what_would_fit(
    make: Any, message: str
) -> None:
    """With the author's line."""
    with pytest.raises(ProgramError) as error:
        make()
    assert message in error.value.message
    assert "test_compile.py" in str(error.value)


def test_lanes_have_the_names_of_the_authors_variables() -> None:
    """Of the function that calls `tag`, or of its file; rules say what their lanes hold."""
    often = count(there(tokens) == tokens)
    same = count(there(often) == often)
    program = tag(same, tokens="ab", n=3)
    assert "often" in {slot.name for slot in program.embedding}
    head = program.layers[0].heads[0]
    assert [(str(lane), repr(said)) for lane, said in head.means] == [
        ("often", "count(there(tokens) == tokens)")
    ]
    assert str(head.source).rpartition("/")[2].startswith("test_compile.py:")
    assert program.name == "test_compile"


def test_numbers_are_answered_as_their_text() -> None:
    """A count of what is the same as here is at least 1."""
    program = tag(HIST - 2, tokens="ab", n=3)
    assert program.vocabulary == ("^", "a", "b", "-1", "0", "1")
    assert verify(program).verdict == "proved"


@pytest.mark.parametrize("activation", ["gelu", "relu"])
@pytest.mark.parametrize("causal", [True, False])
def test_a_tagged_program_is_proved(activation: Any, causal: bool) -> None:
    """On all its texts, with either activation."""
    e = fetch(tokens, length - 1 - indices) if not causal else HIST % 2
    program = tag(
        e, tokens="abc", n=5, causal=causal, activation=activation, begin="#"
    )
    report = verify(program)
    assert (report.verdict, report.accuracy) == ("proved", 1.0)
    assert report.contexts == sum(3**n for n in range(1, 6))


def test_a_tagged_program_is_data(tmp_path: Path) -> None:
    """It is read again as it was written, claim and meanings included."""
    program = tag(HIST, tokens="ab", n=3)
    model = program.build()
    model.save(tmp_path / "hist")
    again = package.open(tmp_path / "hist").program
    assert isinstance(again, Program)
    assert again.claim == program.claim
    assert again.layers == program.layers
    stored = json.loads((tmp_path / "hist" / "program.json").read_text())
    assert stored["program"]["claim"]["alphabet"] == ["a", "b"]


def test_run_prints_the_answer_of_each_position() -> None:
    """With spaces between answers that are longer than a character; `-n` continues as ever."""
    assert handcraft("run", "sequence/reverse", "abc").lines == ["cba"]
    assert handcraft("run", "sequence/reverse", "^abc").lines == ["cba"]
    done = handcraft("run", "sequence/depth", "(()", "--json")
    assert done.json["completion"] == "121"
    assert done.json["completion_tokens"] == ["1", "2", "1"]
    assert handcraft("run", "sequence/depth", ")(", "--json").json[
        "completion_tokens"
    ] == ["-1", "0"]
    assert handcraft("run", "sequence/depth", ")(").lines == ["-1 0"]
    model = tag(HIST, tokens="ab", n=3).build()
    assert model.tags("aba") == ["2", "1", "2"]
    assert model.answer("aba") == "212"
    assert model.answer(["a", "ab"]) == ["1", "11"]


def test_a_file_of_an_expression_is_no_program_yet(rank: Path) -> None:
    """The error says what makes one of it."""
    done = handcraft("verify", "rank.py", cwd=rank.parent)
    assert done.refusal == (
        "rank: no `program`; the file must define `program = Program(...)`, or compile"
        " its expression: handcraft compile rank.py (rank.py)"
    )
