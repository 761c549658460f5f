"""What the commands share: help, names of programs, stdout under --json; and list, diff and new."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_runner import Result, files, handcraft
from pairs import AAB_SIZES, BUNDLED, PROGRAMS, RULES, write

# ---------------------------------------------------------------- list, help


def test_list_names_the_bundled_programs(here: Path) -> None:
    """`list --json` maps each bundled program to the first line of its docstring."""
    found = handcraft("list", "--json").json
    assert list(found) == ["programs"]
    assert set(BUNDLED) <= set(found["programs"])
    assert (
        found["programs"]["aab"]
        == "Continues aabaabaab...: b follows aa, a follows everything else."
    )


def test_list_is_a_table_for_people(here: Path) -> None:
    """Without --json each program stands on a line of its own."""
    result = handcraft("list", env={"COLUMNS": "200"})
    assert (result.code, result.err) == (0, "")
    shown = [line.split(maxsplit=1) for line in result.lines]
    assert [
        "aab",
        "Continues aabaabaab...: b follows aa, a follows everything else.",
    ] in shown


def test_help_names_every_command() -> None:
    """`--help` is no error and lists the commands."""
    result = handcraft("--help")
    assert (result.code, result.err) == (0, "")
    for command in (
        "build",
        "explain",
        "run",
        "trace",
        "verify",
        "assumptions",
        "read",
        "diff",
        "compare",
        "states",
        "export",
        "list",
        "new",
    ):
        assert f"\n  {command} " in result.out


def test_no_line_of_the_help_is_cut() -> None:
    """At 80 columns the list of commands has whole sentences, each under 45 characters."""
    from handcraft.cli import COMMANDS

    shown = handcraft("--help").out
    for command in COMMANDS.values():
        first = (command.__doc__ or "").splitlines()[0]
        assert first.endswith(".")
        assert len(first) < 45
        assert f" {first}\n" in shown


def test_no_command_shows_the_help() -> None:
    """`handcraft` alone prints the help as it is laid out, not as an error on one line."""
    result = handcraft()
    shown = result.out + result.err
    assert shown.lstrip().startswith("Usage: handcraft")
    assert shown.count("\n") > 10


# ---------------------------------------------------------------- naming a program


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_programs_run_from_anywhere(name: str, here: Path) -> None:
    """A bundled name needs no checkout around it."""
    result = handcraft("explain", name, "wte", "--json")
    assert (result.code, list(result.json)) == (0, ["cells"])


def test_a_program_in_a_folder_is_named_with_it(here: Path) -> None:
    """`sequence/sort` is another one than `sort`, in the list, in what is built, in each source."""
    listed = handcraft("list", "--json").json["programs"]
    assert listed["sequence/sort"] != listed["sort"]
    built = handcraft("build", "sequence/sort", "--json").json
    assert (built["program"], built["out"]) == ("sort", "build/sequence/sort")
    assert handcraft("build", "sort", "--json").json["out"] == "build/sort"
    found = handcraft("explain", "sequence/sort", "wte", "--json").json
    files = {cell["source"].partition(":")[0] for cell in found["cells"]}
    assert files == {"programs/sequence/sort.py"}
    same = handcraft("diff", "sequence/sort", built["out"], "--json").json
    assert same["cells"] == []


def test_a_path_a_name_and_a_built_directory_are_the_same_program(
    here: Path,
) -> None:
    """The three ways to name a program give the same completion."""
    assert handcraft("build", "aab", "--out", "built").code == 0
    for reference in ("aab", PROGRAMS / "aab.py", "built", here / "built"):
        result = handcraft("run", reference, "a", "-n", "10", "--json")
        assert (result.code, result.json["completion"]) == (0, "baabaabaab")


def test_a_folder_that_happens_to_have_a_bundled_name_does_not_hide_it(
    here: Path,
) -> None:
    """Only a folder with a program.json counts as a program."""
    Path("aab").mkdir()
    assert handcraft("run", "aab", "a", "-n", "3").out == "baa\n"


# ---------------------------------------------------------------- diff


def test_diff_names_cells_rules_and_sizes(here: Path) -> None:
    """`diff aab abc --json` shows the cells by name, the rules of one only, and both sizes."""
    found = handcraft("diff", "aab", "abc", "--json").json
    assert list(found) == ["cells", "rules", "parameters"]
    assert len(found["cells"]) == 17
    place = {
        "part": "0.h0.v",
        "matrix": "blocks.0.attn.c_attn.w",
        "row": "token:a",
        "column": "v",
    }
    assert found["cells"][0] == {**place, "a": 1.0, "b": 0.0}
    assert (
        "layers[0] > value: value v = token:a - token:b"
        in found["rules"]["only_a"]
    )
    assert (
        "layers[0] > value: value seen:c = token:c" in found["rules"]["only_b"]
    )
    assert found["parameters"]["a"] == {
        **AAB_SIZES,
        "dense": 344,
        "nonzero": 26,
        "distinct": 4,
    }
    assert found["parameters"]["b"]["n_vocab"] == 3


def test_diff_of_a_program_with_itself_is_empty(here: Path) -> None:
    """A program file and the directory built from it do not differ."""
    handcraft("build", "aab", "--out", "built")
    found = handcraft("diff", "aab", "built", "--json").json
    assert (found["cells"], found["rules"]) == (
        [],
        {"only_a": [], "only_b": []},
    )
    assert found["parameters"]["a"] == found["parameters"]["b"]
    assert handcraft("diff", "aab", "built").lines[0] == "0 cells differ"


def test_diff_shows_people_what_moved(here: Path) -> None:
    """Without --json the cells are a table, the rules have a sign, and only sizes that differ
    are named.
    """
    result = handcraft("diff", "aab", "abc")
    assert (result.code, result.err) == (0, "")
    assert result.lines[:3] == [
        "17 cells differ",
        "part    row         column        aab    abc",
        "0.h0.v  token:a     v               1      0",
    ]
    assert "- layers[0] > value: value v = token:a - token:b" in result.lines
    assert "+ layers[0] > value: value seen:a = token:a" in result.lines
    assert "n_ctx: 5 -> 6" in result.lines
    assert not any(line.startswith("n_layer") for line in result.lines)


# ---------------------------------------------------------------- new


def test_new_writes_a_program_that_verifies(here: Path) -> None:
    """The starting program is right as it stands, and can be built and explained."""
    result = handcraft("new", "mine", "--json")
    assert (result.code, result.json) == (0, {"out": "mine.py"})
    assert list(files(here)) == ["mine.py"]
    verified = handcraft("verify", "mine.py", "--json")
    assert (verified.code, verified.json["verdict"]) == (0, "proved")
    assert (
        handcraft("build", "mine.py").code
        == handcraft("explain", "mine.py").code
        == 0
    )


def test_new_takes_the_name_of_the_file_too(here: Path) -> None:
    """`new fresh.py` is `new fresh`: the same file with the same text."""
    for name in ("fresh.py", "other"):
        assert handcraft("new", name).code == 0
    found = files(here)
    assert list(found) == ["fresh.py", "other.py"]
    assert found["fresh.py"].replace(b"fresh", b"other") == found["other.py"]
    assert handcraft("new", "fresh.py.py", "--json").json == {
        "out": "fresh.py.py"
    }


def test_new_says_what_to_do_next(here: Path) -> None:
    """Without --json the next command is named, and works."""
    result = handcraft("new", "mine")
    assert result == Result(
        0,
        "wrote mine.py; now: handcraft run mine.py ab, handcraft verify mine.py\n",
        "",
    )
    assert handcraft("run", "mine.py", "ab").code == 0
    assert handcraft("verify", "mine.py").code == 0


def test_new_never_overwrites(here: Path) -> None:
    """A file that exists is left alone."""
    write("mine.py", "# years of work\n")
    result = handcraft("new", "mine", "--json")
    assert (
        result.refusal
        == "mine.py exists; choose another name, or remove it first"
    )
    assert files(here) == {"mine.py": b"# years of work\n"}


# ---------------------------------------------------------------- stdout under --json


@pytest.mark.parametrize(
    "command",
    [
        ["build"],
        ["explain"],
        ["run", "aa"],
        ["trace", "aa"],
        ["verify"],
        ["diff", "aab"],
    ],
    ids=lambda command: command[0],
)
def test_what_a_program_prints_does_not_spoil_the_json(
    command: list[str], here: Path
) -> None:
    """A program file may print while it runs; under --json stdout is still one object and
    nothing else.
    """
    write(
        "loud.py",
        "print('hello')\n"
        + RULES
        % 'lambda context: print("asked") or ("b" if context == "aa" else None)',
    )
    name, *rest = command
    result = handcraft(name, "loud.py", *rest, "--json")
    assert result.code == 0
    assert isinstance(json.loads(result.out), dict)
