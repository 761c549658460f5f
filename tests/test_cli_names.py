"""Names of others, which cannot harm a terminal or a page."""

from __future__ import annotations

import html
import json
import shutil
from pathlib import Path

import pytest
from cli_runner import handcraft

# What a name could do: close rich's markup, open a page's script, colour, ring, break a line,
# reverse, start a C1 sequence.
NASTY = (
    "[/]",
    "[red]",
    "<script>",
    "\x1b[31m",
    "\x07",
    "\n",
    "\r",
    "\u202e",
    "\u2066",
    "\x9b",
    "\u2028",
    "\x00",
)
SHOWN = (
    "[/]",
    "[red]",
    "<script>",
    r"\x1b[31m",
    r"\x07",
    r"\x0a",
    r"\x0d",
    r"\u202e",
    r"\u2066",
    r"\x9b",
    r"\u2028",
    r"\x00",
)
NASTY_PROGRAM = f"""
from handcraft import *
NASTY = {NASTY!r}
p, t = position(3), token(NASTY)
copied = Head(query=1024 * p, key=p, value=t, adds=8 * t, name={"".join(NASTY)!r})
fires = MLP([Neuron(when=t[name], adds={{t[name]: 1}}, name=name) for name in NASTY])
claim = after({{(name,): CLAIMED(name) for name in NASTY}})
program = Program(embedding=(p, t), layers=(copied, fires), claim=claim)
"""
RIGHT, WRONG = (
    NASTY_PROGRAM.replace("CLAIMED", what)
    for what in ("str", "(lambda name: '<script>')")
)
pytestmark = pytest.mark.usefixtures("here")


def harmless(text: str) -> bool:
    """Whether every character can be shown as it is: no control, no format, no separator but
    the line's end.
    """
    return all(
        character == "\n" or character.isprintable() for character in text
    )


def nasty(text: str = RIGHT) -> str:
    """The program with the nasty names, and a directory built from it."""
    Path("nasty.py").write_text(text)
    assert handcraft("build", "nasty.py", "--out", "built").code == 0
    return "nasty.py"


@pytest.mark.parametrize("program", ["nasty.py", "built"])
@pytest.mark.parametrize("options", [[], ["--json"]])
@pytest.mark.parametrize(
    "command",
    [
        ["explain"],
        ["explain", "wte"],
        ["trace", json.dumps(NASTY[3:6]), "--tokens"],
        ["run", json.dumps(NASTY[3:4]), "--tokens"],
        ["verify"],
        ["diff", "aab"],
    ],
    ids=lambda command: command[0],
)
def test_nasty_names_are_shown_and_do_nothing(
    command: list[str], options: list[str], program: str
) -> None:
    """Names with markup, escape sequences, bidi and C1 characters arrive as plain text, from a
    file and from data.
    """
    nasty()
    name, *rest = command
    result = handcraft(name, program, *rest, *options)
    assert (result.code, result.err) == (0, "")
    assert harmless(result.out)


def test_nasty_names_stay_readable() -> None:
    r"""Each name is there, whole, with \xNN where a character cannot be shown."""
    nasty()
    for command in (
        ["explain", "nasty.py"],
        ["trace", "nasty.py", json.dumps(NASTY[:3]), "--tokens"],
    ):
        shown = handcraft(*command, env={"COLUMNS": "400"}).out
        for name in SHOWN:
            assert name in shown


def test_a_nasty_completion_is_escaped_but_whole_in_json() -> None:
    """The text for people is escaped, the JSON holds the very characters."""
    nasty()
    arguments = (
        "run",
        "nasty.py",
        json.dumps(["\x1b[31m"]),
        "--tokens",
        "-n",
        "2",
    )
    assert handcraft(*arguments).out == r"\x1b[31m\x1b[31m" + "\n"
    assert (
        handcraft(*arguments, "--json").json["completion"] == "\x1b[31m\x1b[31m"
    )


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_nasty_counterexample_does_nothing(options: list[str]) -> None:
    """A refuted claim shows names in the report and in the trace."""
    nasty(WRONG)
    result = handcraft(
        "verify",
        "nasty.py",
        "--method",
        "exhaustive",
        "--budget",
        "10000",
        *options,
    )
    assert (result.code, result.err) == (1, "")
    assert harmless(result.out)


def test_an_escaped_character_has_one_backslash() -> None:
    r"""ESC is shown as \x1b, not as \\x1b: in the logits of a trace, in a report, and in errors."""
    nasty(WRONG)
    shown = [
        handcraft(
            "trace", "nasty.py", json.dumps(["\x1b[31m"]), "--tokens"
        ).out,
        handcraft(
            "verify", "nasty.py", "--method", "exhaustive", "--budget", "10000"
        ).out,
        handcraft("run", "aab", "\x1b[31m").err,
        handcraft("run", "adder", "1").err,
    ]
    for text in shown:
        assert "\\\\" not in text


@pytest.mark.parametrize("name", NASTY, ids=ascii)
def test_nasty_names_in_errors_do_nothing(name: str) -> None:
    """Whatever is refused is shown harmless: as program, prompt, token, part, path, method,
    budget, name, option and command.
    """
    argv = [
        ["run", name.replace("\0", ""), "a"],
        ["run", f"{name}.py".replace("\0", ""), "a"],
        ["run", "aab", name],
        ["run", "aab", json.dumps([name]), "--tokens"],
        ["run", "aab", name, "--tokens"],
        ["run", "aab", "a", "--dtype", name],
        ["run", "aab", "a", "-n", name],
        ["explain", "aab", name],
        ["verify", "aab", "--budget", name],
        ["verify", "aab", "--method", name],
        ["verify", "aab", "--program", name.replace("\0", "")],
        ["new", name],
        [f"--{name}"],
        [f"x{name}"],
    ]
    for arguments in argv:
        result = handcraft(*arguments)
        assert (result.code, result.out) == (2, ""), arguments
        assert harmless(result.err), arguments
        assert result.err.startswith("error: "), arguments
        assert result.err.count("\n") == 1, arguments


@pytest.mark.parametrize("name", NASTY, ids=ascii)
def test_nasty_program_files_do_nothing(name: str) -> None:
    """A program whose error, file name or claim holds a nasty name is one harmless line."""
    bodies = [
        f"raise ValueError({name!r})",
        f"token(['a'])[{name!r}]",
        f"position(3, name={name!r})",
        f"token([{name!r}, {name!r}])",
    ]
    for body in bodies:
        Path("bad.py").write_text(f"from handcraft import *\n{body}\n")
        result = handcraft("run", "bad.py", "a")
        assert (result.code, result.out) == (2, ""), body
        assert harmless(result.err), body
        assert result.err.count("\n") == 1, body


def test_a_nasty_file_name_does_nothing() -> None:
    """A file whose own name holds an escape sequence can be explained, built and refused."""
    name = "\x1b[31m\u202e.py"
    Path(name).write_text(RIGHT)
    for command in (
        ["explain", name],
        ["build", name, "--out", "\x1b[31m"],
        ["build", name, "--out", name],
        ["new", "\x1b[31m"],
    ):
        result = handcraft(*command)
        assert harmless(result.out + result.err), command
    Path(name).write_text("pass")
    assert harmless(handcraft("explain", name).err)


def test_a_nasty_listing_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first line of a docstring is shown harmless too."""
    from handcraft.files import program_file as loader

    Path("nasty.py").write_text(
        '"""'
        + "".join(NASTY).replace("\0", "").replace("\n", "").replace("\r", "")
        + '"""\n',
        encoding="utf-8",
    )
    monkeypatch.setattr(
        loader, "bundled", lambda: {"[/]\x1b": Path("nasty.py")}
    )
    for options in ([], ["--json"]):
        result = handcraft("list", *options)
        assert (result.code, result.err) == (0, "")
        assert harmless(result.out)
        assert "<script>" in result.out


@pytest.mark.slow
def test_data_of_others_does_nothing() -> None:
    """A built directory whose provenance and rules hold nasty names is shown harmless: nothing
    in it is trusted.
    """
    nasty()
    shutil.copytree("built", "changed")
    fields = json.loads(Path("changed/program.json").read_text())
    fields["program"]["layers"][0]["heads"][0]["source"] = (
        "\x1b[31m<script>.py:1"
    )
    Path("changed/program.json").write_text(json.dumps(fields))
    for command in (
        ["explain", "changed"],
        ["trace", "changed", json.dumps(NASTY[:1]), "--tokens"],
        ["diff", "built", "changed"],
    ):
        result = handcraft(*command)
        assert (result.code, result.err) == (0, "")
        assert harmless(result.out)


def test_the_page_of_a_model_escapes_its_names() -> None:
    """The HTML that a notebook shows holds names as text, never as elements."""
    from handcraft import Model

    nasty()
    page = Model.open("nasty.py")._repr_html_()
    assert "<script>" not in page
    assert html.escape("<script>") in page
    assert harmless(page)


def test_the_page_of_a_model_says_its_sizes() -> None:
    """The HTML of aab is a small table of what it is."""
    from handcraft import Model

    page = Model.open("aab")._repr_html_()
    assert page.startswith("<table><caption>aab</caption>")
    assert "<tr><th>n_embd</th><td>8</td></tr>" in page
    assert "<tr><th>parameters</th><td>26 non-zero of 344</td></tr>" in page
