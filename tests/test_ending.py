"""How a process ends whose streams are closed or full, or that is told to end; and what the
caller of `main` finds again.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from cli_runner import Result, handcraft, process
from conftest import slow_from

HANDCRAFT = f"'{sys.executable}' -m handcraft"
CLOSED = "cannot write the answer: stdout is closed"
FULL = "cannot write the answer: No space left on device"
UNREADABLE = "cannot write the answer: Bad file descriptor"
FOREIGN = "no token matches 'c' at character 0 of the text; the vocabulary is 'a', 'b'"


def shell(command: str, cwd: Path) -> Result:
    """A command line of sh, in which HANDCRAFT stands for the command."""
    done = subprocess.run(
        ["sh", "-c", command.replace("HANDCRAFT", HANDCRAFT)],
        cwd=cwd,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    "case",
    slow_from(
        2,
        [
            ("HANDCRAFT list >&-", 2, f"error: {CLOSED}\n"),
            ("HANDCRAFT list >/dev/full", 2, f"error: {FULL}\n"),
            ("HANDCRAFT list --json >&-", 2, f'{{"error": "{CLOSED}"}}\n'),
            ("HANDCRAFT list --json >/dev/full", 2, f'{{"error": "{FULL}"}}\n'),
            ("HANDCRAFT build aab >&-", 2, f"error: {CLOSED}\n"),
            ("HANDCRAFT run aab a >/dev/full", 2, f"error: {FULL}\n"),
            ("HANDCRAFT run aab a 1</dev/null", 2, f"error: {UNREADABLE}\n"),
            ("HANDCRAFT explain induction >/dev/full", 2, f"error: {FULL}\n"),
            ("HANDCRAFT --help >/dev/full", 2, f"error: {FULL}\n"),
            ("HANDCRAFT --version >/dev/full", 2, f"error: {FULL}\n"),
            ("HANDCRAFT run aab c >&-", 2, f"error: {CLOSED}\n"),
            ("HANDCRAFT run aab c >/dev/full", 2, f"error: {FOREIGN}\n"),
            # without a stream for errors the code is all there is
            ("HANDCRAFT run aab c 2>&-", 2, ""),
            ("HANDCRAFT run aab c 2>/dev/full", 2, ""),
            ("HANDCRAFT run aab c --json 2>&-", 2, ""),
            ("HANDCRAFT list >&- 2>&-", 2, ""),
            ("HANDCRAFT verify aab 2>&- >/dev/null", 0, ""),
        ],
    ),
)
@pytest.mark.skipif(
    not Path("/dev/full").exists(), reason="no device that is always full"
)
def test_a_stream_that_cannot_be_written(
    case: tuple[str, int, str], tmp_path: Path
) -> None:
    """Never a traceback and never 1, which means refuted; where nothing can be answered, nothing is
    done either.
    """
    command, code, said = case
    assert shell(command, tmp_path) == Result(code, "", said)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_reader_that_has_read_enough(tmp_path: Path) -> None:
    """`handcraft explain induction | head -1` shows a line, and no error."""
    found = shell("HANDCRAFT explain induction | head -1", tmp_path)
    assert (found.code, found.err, len(found.lines)) == (0, "", 1)
    assert found.lines[0].startswith("Model('induction', n_layer=2, ")


# ---------------------------------------------------------------- SIGTERM

KILLED = """
import os, signal
from handcraft import *
def kill(_=None): os.kill(os.getpid(), signal.SIGTERM)
p, t = position(3), token("ab")
%s
program = Program(embedding=(p, t), claim=kill)
"""


@pytest.mark.parametrize(
    "case",
    slow_from(
        1,
        [
            ("kill()", ["run", "killed.py", "a"]),
            ("kill()", ["build", "killed.py", "--json"]),
            ("", ["verify", "killed.py", "--method", "exhaustive"]),
            ("", ["verify", "killed.py", "--method", "sampled", "--json"]),
            # an author's file that catches every Exception catches no signal
            (
                "try: kill()\nexcept Exception: pass",
                ["run", "killed.py", "a"],
            ),
        ],
    ),
)
def test_sigterm_blames_nobody(
    case: tuple[str, list[str]], tmp_path: Path
) -> None:
    """The code of shells for it, nothing said, nothing left, wherever the program is just then: in
    the author's file or in the claim's function.
    """
    body, command = case
    (tmp_path / "killed.py").write_text(KILLED % body)
    found = process(
        ["-m", "handcraft", *command],
        tmp_path,
        {"PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert found == Result(143, "", "")
    assert [path.name for path in tmp_path.iterdir()] == ["killed.py"]


CALLED = """
import signal, sys
from handcraft.cli import main
%s
before = signal.getsignal(signal.SIGTERM), sys.stdout.errors, sys.stderr.errors
for argv in (["run", "aab", "a"], ["run", "aab", "c"], ["frobnicate"], ["-h"]):
    sys.argv = ["handcraft", *argv]
    try:
        main()
    except SystemExit as done:
        print(done.code, file=sys.stderr)
after = signal.getsignal(signal.SIGTERM), sys.stdout.errors, sys.stderr.errors
sys.exit(0 if before == after else 7)
"""


@pytest.mark.parametrize(
    "handler",
    slow_from(
        1,
        [
            "signal.signal(signal.SIGTERM, lambda *_: None)",
            "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
            "",
        ],
    ),
)
def test_the_caller_of_main_finds_everything_as_it_was(
    handler: str, tmp_path: Path
) -> None:
    """The handler of SIGTERM and how the streams show what they cannot."""
    found = process(["-c", CALLED % handler], tmp_path)
    assert found.code == 0
    codes = [line for line in found.err.splitlines() if line.isdigit()]
    assert codes == ["0", "2", "2", "0"]


# ---------------------------------------------------------------- version, help, completion


def test_the_version() -> None:
    """`--version` prints the version of the package."""
    from handcraft import __version__

    assert handcraft("--version") == Result(0, f"handcraft {__version__}\n", "")


@pytest.mark.parametrize(
    "command",
    [
        *("", "build", "explain", "run", "trace", "verify", "assumptions"),
        *("read", "diff", "compare", "states", "export", "list", "new"),
    ],
)
def test_h_is_help(command: str) -> None:
    """`-h` and `--help` show the same, which begins with the usage line of an error."""
    argv = [command] if command else []
    shown = handcraft(*argv, "-h")
    assert shown == handcraft(*argv, "--help")
    assert (shown.code, shown.err) == (0, "")
    wrong = handcraft(*argv, "--frobnicate").err.splitlines()[0]
    usage = wrong.removeprefix("usage: ")
    assert " ".join(shown.out.split()).startswith(f"Usage: {usage}")


def completed(words: str, cwd: Path | None = None) -> list[str]:
    """What bash is told when TAB is pressed behind these words."""
    typed = words.split(" ")
    found = handcraft(
        cwd=cwd,
        env={
            "_HANDCRAFT_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(typed) - 1),
        },
    )
    assert (found.code, found.err) == (0, "")
    return found.out.split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("handcraft ver", ["verify"]),
        ("handcraft run aa", ["aab"]),
        ("handcraft explain induct", ["induction"]),
        ("handcraft build sequence/hi", ["sequence/hist"]),
        ("handcraft diff aab par", ["parity"]),
        ("handcraft verify mi", ["mine.py"]),
        ("handcraft verify built", ["built/"]),
        ("handcraft verify built/a", ["built/aab/"]),
        ("handcraft verify nowhere/a", []),
        ("handcraft verify aab --program mi", ["mine.py"]),
        ("handcraft export aab --to tr", ["transformer-lens"]),
        ("handcraft run aab a --dtype float6", ["float64"]),
        ("handcraft run aab a --tem", ["--temperature"]),
        ("handcraft run zzz", []),
    ],
)
def test_words_are_completed(
    words: str, expected: list[str], here: Path
) -> None:
    """Commands, options, bundled programs, program files and folders, and what an option takes."""
    Path("mine.py").write_text("raise SystemExit(1)  # is never run")
    Path("notes.txt").write_text("")
    Path(".hidden.py").write_text("")
    Path("built/aab").mkdir(parents=True)
    assert completed(words) == expected


def test_every_runtime_is_completed() -> None:
    """The words of `--to` are the runtimes that there are."""
    from handcraft.cli.making import RUNTIME_NAMES
    from handcraft.runtimes.exporting import RUNTIMES

    assert set(RUNTIME_NAMES) == set(RUNTIMES)


@pytest.mark.slow
def test_the_shell_is_shown_how_to_complete(tmp_path: Path) -> None:
    """`--show-completion` prints a script for the shell above it, and installing it writes the
    files of that shell. Where the shell is not known, that is an error.
    """
    home = f"HOME='{tmp_path}'"
    shown = shell(
        f'{home} bash -c "HANDCRAFT --show-completion; true"', tmp_path
    )
    assert (shown.code, shown.err) == (0, "")
    assert "_HANDCRAFT_COMPLETE=complete_bash" in shown.out
    shell(f'{home} bash -c "HANDCRAFT --install-completion; true"', tmp_path)
    script = (tmp_path / ".bash_completions/handcraft.sh").read_text()
    assert script.strip() == shown.out.strip()


@pytest.mark.parametrize(
    "option", ["--show-completion", "--install-completion"]
)
def test_a_shell_that_is_not_known(
    option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line, code 2, and nothing of typer's own."""
    for module in ("_completion_shared", "completion"):
        monkeypatch.setattr(f"typer.{module}._get_shell_name", lambda: "tclsh")
    assert handcraft(option).refusal == (
        "the shell is not known; words are completed in bash, zsh, fish and PowerShell"
    )
