"""`handcraft states`: what it prints, what it writes, and how it ends: 0 done or never, 1
reached, 2 bad input, 3 undecided.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_runner import handcraft

pytestmark = pytest.mark.usefixtures("here")


def test_the_baby_gpt_as_json() -> None:
    """Eight states, sixteen edges, and the four keys of the design."""
    result = handcraft("states", "baby_gpt", "--json")
    assert (result.code, list(result.json)) == (
        0,
        ["states", "edges", "reachable", "avoided"],
    )
    assert (
        len(result.json["states"]),
        len(result.json["edges"]),
        result.json["avoided"],
    ) == (8, 16, None)


def test_the_baby_gpt_as_a_table() -> None:
    """A line for each context: its share of the time, its part of the chain, and what follows."""
    result = handcraft("states", "baby_gpt", "--floor", "1e-9")
    assert (result.code, result.err) == (0, "")
    assert result.lines == [
        (
            "baby_gpt: 8 states, 13 edges, from its 2^3 full windows, probabilities"
            " above 1e-09"
        ),
        "  closed      4 states that lead to each other, period 1",
        "  absorbing   0",
        "  transient   4",
        "",
        "context  share of time  part       next",
        "000                  ·  transient  '0' 0.5, '1' 0.5",
        "001                  ·  transient  '0' 0.5, '1' 0.5",
        "010                  ·  transient  '0' 0.5, '1' 0.5",
        "011                0.2  closed 1   '1' 1",
        "100                  ·  transient  '0' 0.5, '1' 0.5",
        "101                0.2  closed 1   '1' 1",
        "110                0.2  closed 1   '1' 1",
        "111                0.4  closed 1   '0' 0.5, '1' 0.5",
    ]


def test_a_text_that_is_never_reached_is_success() -> None:
    """From 111 above the floor: exit 0, and the last line says so."""
    result = handcraft(
        "states",
        "baby_gpt",
        "--from",
        "111",
        "--avoid",
        "00",
        "--floor",
        "1e-9",
    )
    assert (result.code, result.err) == (0, "")
    assert (
        result.lines[-1]
        == "no context with '00' can be reached from the start by tokens of probability"
        " above 1e-09"
    )


def test_a_text_that_is_reached_is_a_failure_with_its_path() -> None:
    """Exit 1, and the path with each token and its probability, for people and as JSON."""
    command = ("states", "baby_gpt", "--avoid", "00", "--floor", "1e-9")
    result = handcraft(*command)
    assert (result.code, result.err) == (1, "")
    assert result.lines[-3:] == [
        "'00' is reached in 1 step",
        "  010",
        "  100  by '0', probability 0.5",
    ]
    found = handcraft(*command, "--json")
    assert (found.code, found.json["avoided"]["verdict"]) == (1, "reached")
    assert [step["context"] for step in found.json["avoided"]["path"]] == [
        ["0", "1", "0"],
        ["1", "0", "0"],
    ]


@pytest.mark.slow
def test_a_search_that_was_cut_off_is_undecided() -> None:
    """Exit 3, with what was seen as JSON; without --avoid a chain that was cut off is one error."""
    result = handcraft(
        "states",
        "copy_previous",
        "--avoid",
        "abc",
        "--limit",
        "5",
        "--from",
        "z",
        "--json",
    )
    assert (
        result.code,
        result.json["avoided"]["verdict"],
        result.json["reachable"]["complete"],
    ) == (3, "undecided", False)
    shown = handcraft(
        "states",
        "copy_previous",
        "--avoid",
        "abc",
        "--limit",
        "5",
        "--from",
        "z",
    )
    assert (shown.code, shown.lines) == (
        3,
        [
            (
                "whether 'abc' is reached is undecided: "
                "the search ended at the limit of 5 states"
            )
        ],
    )
    refused = handcraft("states", "copy_previous")
    assert (refused.code, refused.out) == (3, "")
    message = (
        "raise the limit (--limit), start from fewer contexts (--from), or set a floor"
        " under the probabilities (--floor)"
    )
    assert (
        refused.err
        == "error: copy_previous has more than 4096 states from its 26^64 full"
        f" windows; {message}\n"
    )


@pytest.mark.parametrize(
    "ending", [".svg", ".dot", ".mmd", ".mermaid", ".json"]
)
def test_a_picture_is_written(ending: str, here: Path) -> None:
    """--save writes the file and says so; with --json nothing but the object is printed."""
    result = handcraft("states", "baby_gpt", "--save", f"new/chain{ending}")
    assert (result.code, result.lines[-1]) == (0, f"wrote new/chain{ending}")
    written = (here / "new" / f"chain{ending}").read_text()
    again = handcraft(
        "states", "baby_gpt", "--save", f"chain{ending}", "--json"
    )
    assert (here / f"chain{ending}").read_text() == written
    if ending == ".json":
        assert json.loads(written) == again.json


def test_the_tokens_of_a_start_may_be_a_list() -> None:
    """With --tokens the starts and the text to avoid are JSON lists."""
    result = handcraft(
        "states",
        "baby_gpt",
        "--tokens",
        "--from",
        '["1", "1"]',
        "--avoid",
        '["0", "0", "0"]',
        "--json",
    )
    assert (result.code, result.json["avoided"]["text"]) == (1, ["0", "0", "0"])
    assert result.json["states"][0]["context"] == ["1", "1"]


def test_several_starts() -> None:
    """--from may be given more than once."""
    result = handcraft(
        "states", "baby_gpt", "--from", "0", "--from", "11", "--json"
    )
    assert result.json["reachable"]["starts"] == 2


def test_the_options_of_sampling_are_those_of_run() -> None:
    """--top-k 1 leaves one successor each; a temperature of 0.5 squares the probabilities;
    --top-p keeps the likeliest.
    """
    greedy = handcraft("states", "baby_gpt", "--top-k", "1", "--json").json
    assert [edge["probability"] for edge in greedy["edges"]] == [1.0] * 8
    plain, cold = (
        handcraft(
            "states", "bigram", "--floor", "1e-9", "--temperature", t, "--json"
        ).json["edges"]
        for t in ("1", "0.5")
    )
    sums = {
        edge["from"]: sum(
            e["probability"] ** 2 for e in plain if e["from"] == edge["from"]
        )
        for edge in plain
    }
    assert [e["probability"] for e in cold] == pytest.approx(
        [e["probability"] ** 2 / sums[e["from"]] for e in plain]
    )
    half = handcraft("states", "bigram", "--top-p", "0.01", "--json").json
    assert len(half["edges"]) == 20


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--save", "a.png"],
            "a.png must end with .svg, .dot, .mmd, .mermaid, .json",
        ),
        (
            ["--from", "2"],
            (
                "the context to start from: no token matches '2' at character 0 of the text;"
                " the vocabulary is '0', '1'"
            ),
        ),
        (
            ["--from", ""],
            (
                "the context to start from: the text is empty; it needs at least one of the"
                " tokens '0', '1'"
            ),
        ),
        (
            ["--avoid", ""],
            (
                "the text to avoid: the text is empty; it needs at least one of the tokens"
                " '0', '1'"
            ),
        ),
        (
            ["--avoid", "xyz"],
            (
                "the text to avoid: no token matches 'x' at character 0 of the text; the"
                " vocabulary is '0', '1'"
            ),
        ),
        (
            ["--floor", "1"],
            (
                "the floor must lie from 0 to below 1 and the limit from 1 on, found"
                " 1.0 and 4096"
            ),
        ),
        (
            ["--floor", "0.6"],
            "no token after '000' is above the floor of 0.6; its best has 0.5",
        ),
        (
            ["--temperature", "0"],
            "the temperature must be positive and finite, found 0.0; greedy needs none",
        ),
        (
            ["--from", "100", "--avoid", "00"],
            "every start holds '00' already; start from contexts without it",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_line(
    options: list[str], message: str, here: Path
) -> None:
    """What cannot be done is exit 2, one line on stderr, and no file."""
    result = handcraft("states", "baby_gpt", *options)
    assert (result.code, result.out, result.err) == (
        2,
        "",
        f"error: {message}\n",
    )
    assert list(here.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_one_line(here: Path) -> None:
    """A file in the place of the folder is bad input, not a traceback."""
    (here / "file").write_text("")
    result = handcraft("states", "baby_gpt", "--save", "file/a.dot")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: cannot write file")


def test_many_states_are_cut_in_the_table() -> None:
    """400 states show 64 rows, and say how many more there are."""
    result = handcraft("states", "trigram", "--floor", "1e-9")
    assert result.lines[-1] == "... and 336 more; --json has all"


def test_many_classes_are_counted_after_the_first(here: Path) -> None:
    """Fourteen pairs of letters that follow each other show twelve lines, and say how many more
    there are.
    """
    (here / "pairs.py").write_text(
        "from handcraft.frontends import from_markov\npairs = [(chr(65 + i), chr(97 +"
        " i)) for i in range(14)]\nprogram = from_markov({x: {y: 1.0} for a, b in pairs"
        " for x, y in ((a, b), (b, a))})\n"
    )
    result = handcraft("states", "pairs.py", "--floor", "1e-9")
    assert result.code == 0
    assert (
        result.lines[1:13]
        == ["  closed      2 states that lead to each other, period 2"] * 12
    )
    assert result.lines[13:16] == [
        "  closed      ... and 2 more classes",
        "  absorbing   0",
        "  transient   0",
    ]


def test_an_answer_as_a_table() -> None:
    """An ended context is absorbing and has nothing that follows."""
    result = handcraft("states", "sort", "--from", "^b=", "--floor", "1e-6")
    assert result.lines == [
        "sort: 3 states, 3 edges, from the given context, probabilities above 1e-06",
        "  absorbing   1",
        "  transient   2",
        "",
        "context  share of time  part       next",
        "^b=                  ·  transient  'b' 1",
        "^b=b                 ·  transient  '$' 1",
        "^b=b$                1  absorbing",
    ]
