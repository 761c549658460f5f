"""What starting costs: a command imports only what it needs, and runs as a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cli_runner import process
from conftest import slow_from

HEAVY = ("numpy", "pydantic", "hypothesis", "safetensors", "rich")
COMMAND = """
import sys
from handcraft.cli import main
sys.argv = ["handcraft", *{argv!r}]
try:
    main()
except SystemExit as done:
    assert not done.code, done.code
"""


def imported(code: str, cwd: Path) -> set[str]:
    """Which of the heavy packages the code imports, in a fresh interpreter."""
    report = (
        f"\nimport sys\nprint('imported:', *(name for name in {HEAVY!r} if name in"
        " sys.modules))"
    )
    result = process(["-c", code + report], cwd)
    assert result.code == 0, result.err
    *_, last = result.lines
    return set(last.removeprefix("imported:").split())


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    """`handcraft --help` answers without NumPy, pydantic, hypothesis, safetensors or rich."""
    assert imported(COMMAND.format(argv=["--help"]), tmp_path) == set()


@pytest.mark.parametrize(
    "command",
    slow_from(
        2,
        [
            *("verify", "build", "explain", "run", "trace"),
            *(
                "assumptions",
                "circuit",
                "read",
                "diff",
                "states",
                "list",
                "new",
            ),
            *("view", "train", "compare"),
        ],
    ),
)
def test_the_help_of_a_command_imports_nothing_heavy(
    command: str, tmp_path: Path
) -> None:
    """The help of each command costs as little as that of all; pydantic is typer's own matter
    there.
    """
    assert imported(COMMAND.format(argv=[command, "--help"]), tmp_path) <= {
        "pydantic"
    }


def test_importing_the_package_imports_nothing_heavy(tmp_path: Path) -> None:
    """`import handcraft` loads a name only when it is asked for."""
    assert imported("import handcraft", tmp_path) == set()


def test_rasp_needs_nothing_heavy(tmp_path: Path) -> None:
    """RASP is plain Python, and `import handcraft` does not load it."""
    assert imported("from handcraft import rasp", tmp_path) == set()
    code = (
        "import sys, handcraft; assert 'handcraft.rasp' not in sys.modules\n"
        "from handcraft import rasp; assert rasp.tokens('ab') == ['a', 'b']"
    )
    assert imported(code, tmp_path) == set()


def test_the_language_needs_only_pydantic(tmp_path: Path) -> None:
    """Writing a Program needs pydantic; NumPy, hypothesis, safetensors and rich wait until it
    is built.
    """
    assert imported(
        "from handcraft import Head, Program, after, position, token", tmp_path
    ) == {"pydantic"}


def test_building_does_not_import_the_tools_of_verification_and_display(
    tmp_path: Path,
) -> None:
    """`handcraft build` writes weights, so it needs neither hypothesis nor rich."""
    assert imported(COMMAND.format(argv=["build", "aab"]), tmp_path) == {
        "numpy",
        "pydantic",
        "safetensors",
    }


@pytest.mark.slow
def test_running_does_not_import_the_tools_of_verification_and_display(
    tmp_path: Path,
) -> None:
    """`handcraft run` of a program file needs neither hypothesis, rich nor safetensors."""
    assert imported(COMMAND.format(argv=["run", "aab", "a"]), tmp_path) == {
        "numpy",
        "pydantic",
    }


@pytest.mark.slow
def test_enumerating_does_not_import_hypothesis(tmp_path: Path) -> None:
    """Hypothesis is loaded only where contexts are drawn; a certificate names the weights by
    their file's hash.
    """
    assert imported(
        COMMAND.format(argv=["verify", "aab", "--json"]), tmp_path
    ) == {
        "numpy",
        "pydantic",
        "safetensors",
    }


@pytest.mark.slow
def test_the_module_is_a_command(tmp_path: Path) -> None:
    """`python -m handcraft` is the command line."""
    result = process(
        ["-m", "handcraft", "run", "aab", "a", "-n", "10", "--json"], tmp_path
    )
    assert (result.code, result.json) == (
        0,
        {
            "prompt": "a",
            "completion": "baabaabaab",
            "prompt_tokens": ["a"],
            "completion_tokens": list("baabaabaab"),
        },
    )


@pytest.mark.slow
def test_the_command_is_installed(tmp_path: Path) -> None:
    """The `handcraft` script lies beside the interpreter, and its exit code is that of the
    command.
    """
    script = Path(sys.executable).with_name("handcraft")
    done = subprocess.run(
        [script, "verify", "aab", "--json"],
        cwd=tmp_path,
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert json.loads(done.stdout)["verdict"] == "proved"
    failed = subprocess.run(
        [script, "run", "aab", "c"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (failed.returncode, failed.stdout) == (2, b"")


@pytest.mark.parametrize(
    ("claim", "budget", "code"),
    [
        ("a", "62", 1),
        pytest.param("b", "62", 0, marks=pytest.mark.slow),
        pytest.param("b", "1", 3, marks=pytest.mark.slow),
    ],
)
def test_the_verdict_is_the_exit_code_of_the_process(
    claim: str, budget: str, code: int, tmp_path: Path
) -> None:
    """A script that calls `handcraft verify` learns from the exit code whether the claim is
    refuted or undecided.
    """
    program = (
        "from handcraft import *\np, t, v = position(5), token('ab'),"
        " scratch('v')\npair = Head(query=1024 * (p + p.previous), key=p, value={v:"
        " t['a'] - t['b']},\n            adds={t['a']: 1024 - 1024 * v, t['b']:"
        " 1024 * v})\nprogram = Program(embedding=(p, t, v), layers=(pair,),"
        f" claim=after({{'aa': '{claim}'}}))\n"
    )
    (tmp_path / "judged.py").write_text(program)
    result = process(
        [
            "-m",
            "handcraft",
            "verify",
            "judged.py",
            "--method",
            "exhaustive",
            "--budget",
            budget,
        ],
        tmp_path,
    )
    assert (result.code, result.err) == (code, "")


@pytest.mark.parametrize("method", slow_from(1, ["exhaustive", "sampled"]))
def test_verifying_leaves_nothing_behind(method: str, tmp_path: Path) -> None:
    """Neither enumerating nor drawing writes anything into the working directory."""
    result = process(
        ["-m", "handcraft", "verify", "aab", "--method", method, "--json"],
        tmp_path,
    )
    assert result.json["method"] == method
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("unbuffered", slow_from(1, ["", "1"]))
@pytest.mark.parametrize(
    "command",
    slow_from(
        1,
        [
            ["run", "aab", "a"],
            ["verify", "aab", "--json"],
            ["explain", "induction", "--json"],
        ],
    ),
)
def test_a_reader_that_stops_early_is_no_error(
    command: list[str], unbuffered: str, tmp_path: Path
) -> None:
    """`handcraft explain induction | true` ends silently, with the code that shells give to it:
    1 would say refuted.
    """
    code = (
        "import subprocess, sys\n"
        f"p = subprocess.Popen([sys.executable, '-m', 'handcraft', *{command!r}],"
        " stdout=subprocess.PIPE, stderr=subprocess.PIPE)\n"
        "p.stdout.close()\n"
        "print(p.stderr.read().decode(), p.wait())"
    )
    result = process(["-c", code], tmp_path, {"PYTHONUNBUFFERED": unbuffered})
    assert result.out.split() == ["141"]


@pytest.mark.slow
def test_ctrl_c_is_no_traceback(tmp_path: Path) -> None:
    """A run that is interrupted ends silently, with the code that shells give to it."""
    (tmp_path / "interrupted.py").write_text("raise KeyboardInterrupt")
    result = process(
        ["-m", "handcraft", "run", "interrupted.py", "a"], tmp_path
    )
    assert (result.code, result.out, result.err.strip()) == (130, "", "")


@pytest.mark.slow
def test_a_terminal_without_unicode_is_no_crash(tmp_path: Path) -> None:
    """Where stdout cannot encode an arrow, the tables still appear."""
    for command in (["explain", "aab"], ["trace", "aab", "aab"]):
        result = process(
            ["-m", "handcraft", *command],
            tmp_path,
            {"PYTHONIOENCODING": "ascii"},
        )
        assert (result.code, result.err) == (0, "")
        assert "position" in result.out


@pytest.mark.slow
def test_a_terminal_without_colour_keeps_its_width(tmp_path: Path) -> None:
    """NO_COLOR takes away the colours of a terminal of 60 columns, not its width."""
    code = (
        "import fcntl, os, pty, struct, sys, termios\n"
        "pid, terminal = pty.fork()\n"
        "if pid == 0:\n"
        "    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 60, 0, 0))\n"
        "    os.execv(sys.executable, [sys.executable, '-m', 'handcraft', 'explain',"
        " 'aab', 'wte'])\n"
        "shown = b''\n"
        "try:\n"
        "    while piece := os.read(terminal, 65536):\n"
        "        shown += piece\n"
        "except OSError:\n"  # Linux: the other side is closed
        "    pass\n"
        "os.waitpid(pid, 0)\n"
        "sys.stdout.write(shown.decode())\n"
    )
    result = process(["-c", code], tmp_path, {"NO_COLOR": "1"})
    assert "token" in result.out
    assert "\x1b" not in result.out
    assert max(map(len, result.lines)) <= 60
