"""How a command ends: 1 is said by a refutation alone, and 70, one line, by whatever nobody
foresaw.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_runner import Result, handcraft, process

from handcraft.proof.verify import METHODS

OPTIONS = pytest.mark.parametrize(
    "options", [[], ["--json"]], ids=["text", "json"]
)
ERRORS = [
    ZeroDivisionError("division by zero"),
    IndexError("list index\nout of range"),
    MemoryError(),
    RecursionError("maximum recursion depth exceeded"),
    EOFError(),
    OSError(5, "Input/output error"),
    AssertionError("\x1b[31mred"),
    type("Unknown", (Exception,), {})("of some library"),
    SystemExit(1),
    SystemExit("bye"),
]
PLAIN = {
    "IndexError": "list index out of range",
    "OSError": "[Errno 5] Input/output error",
    "AssertionError": "\\x1b[31mred",
}


pytestmark = pytest.mark.usefixtures("here")


def breaking(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """From now on a verification and an opened program end with this error."""

    def fail(*_: object, **__: object) -> None:
        raise error

    for name in METHODS:
        monkeypatch.setitem(METHODS, name, fail)  # type: ignore[arg-type]
    monkeypatch.setattr("handcraft.results.explain.explain_model", fail)


# ---------------------------------------------------------------- what nobody foresaw


@pytest.mark.parametrize(
    "error", ERRORS, ids=lambda error: type(error).__name__
)
@pytest.mark.parametrize(
    "argv", [["verify", "aab"], ["explain", "aab"]], ids=lambda argv: argv[0]
)
@OPTIONS
def test_a_bug_is_one_line_and_70(
    error: BaseException,
    argv: list[str],
    options: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Any other exception is told as our bug, by its type and message, without a traceback:
    never with 1, which means refuted.
    """
    breaking(monkeypatch, error)
    result = handcraft(*argv, *options)
    assert (result.code, result.out) == (70, "")
    said = (
        result.err.strip()
    )  # typer puts an empty line before the end of a file
    assert "\n" not in said
    name = type(error).__name__
    if options:
        found = json.loads(said)
        assert list(found) == ["error"]
        assert found["error"].startswith(f"this is a bug in handcraft: {name}")
    else:
        message = PLAIN.get(name, str(error))
        assert said == f"this is a bug in handcraft: {name}" + (
            f": {message}" if message else ""
        )


def test_the_traceback_is_shown_where_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With HANDCRAFT_DEBUG it comes before the line; where that is empty it does not."""
    breaking(monkeypatch, ZeroDivisionError("division by zero"))
    shown = handcraft("verify", "aab", env={"HANDCRAFT_DEBUG": "1"})
    assert shown.code == 70
    assert shown.err.startswith("Traceback (most recent call last):\n")
    assert shown.err.endswith(
        "\nthis is a bug in handcraft: ZeroDivisionError: division by zero\n"
    )
    assert (
        "Traceback"
        not in handcraft("verify", "aab", env={"HANDCRAFT_DEBUG": ""}).err
    )


@OPTIONS
def test_interrupted_is_130(
    options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C is no error and no verdict."""
    breaking(monkeypatch, KeyboardInterrupt())
    result = handcraft("verify", "aab", *options)
    assert (result.code, result.out, result.err.strip()) == (130, "", "")


@pytest.mark.slow
def test_a_process_ends_so(here: Path) -> None:
    """In a process of its own, too, where the interpreter has the last word."""
    code = (
        "import sys\n"
        "from handcraft.proof import METHODS\n"
        "METHODS['certificate'] = lambda task: 1 / 0\n"
        "sys.argv = ['handcraft', 'verify', 'aab']\n"
        "from handcraft.cli import main\n"
        "main()\n"
    )
    assert process(["-c", code], here) == Result(
        70,
        "",
        "this is a bug in handcraft: ZeroDivisionError: division by zero\n",
    )


@pytest.mark.slow
@pytest.mark.skipif(
    not Path("/dev/full").exists(), reason="no device that is always full"
)
@OPTIONS
def test_an_answer_that_cannot_be_written_is_an_error(
    options: list[str], here: Path
) -> None:
    """Where the disk under stdout is full nothing is said of the program: code 2, whatever the
    verdict was.
    """
    (here / "wrong.py").write_text(WRONG % "after({'a': 'b'})")
    code = (
        "import sys, os\n"
        "os.dup2(os.open('/dev/full', os.O_WRONLY), 1)\n"
        f"sys.argv = ['handcraft', 'verify', 'wrong.py', *{options!r}]\n"
        "from handcraft.cli import main\n"
        "main()\n"
    )
    assert (
        process(["-c", code], here).refusal
        == "cannot write the answer: No space left on device"
    )


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RecursionError("maximum recursion depth exceeded")],
    ids=["memory", "depth"],
)
@OPTIONS
def test_a_proof_that_is_too_large_is_undecided(
    error: Exception,
    options: list[str],
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a proof needs beyond this machine says nothing of the model: 3, or the verdict of
    the next method.
    """

    def fail(*_: object) -> None:
        raise error

    for name in ("prove.Recorder", "certificate_files.check"):
        monkeypatch.setattr(f"handcraft.proof.{name}", fail)
    reason = f"the proof is too large for this machine ({type(error).__name__})"
    result = handcraft("verify", "aab", "--method", "certificate", *options)
    assert (result.code, result.err) == (3, "")
    assert f"not proved: {reason}" in " ".join(result.out.split())
    assert handcraft("verify", "aab", *options).code == 0
    result = handcraft("verify", "aab", "--certificate", "proof.json", *options)
    assert (result.code, list(here.iterdir())) == (3, [])
    assert f"no certificate was written: {reason}" in " ".join(
        result.out.split()
    )


# ---------------------------------------------------------------- refuted, whatever is to be shown

WRONG = """
from handcraft import *
p, t = position(3), token("ab")
program = Program(embedding=(p, t), claim=%s)
"""
NOT_FINITE = """
from handcraft import *
p, t, v = position(3), token("ab"), scratch("v")
big = Head(query=%s * p, key=1e30 * p, value={v: t["a"]}, adds={v: v})
program = Program(embedding=(p, t, v), layers=(big,), claim=%s, causal=%s)
"""
CLAIMS = [
    "after({'a': 'b', 'b': 'a'})",
    "lambda text: 'b' if text[-1] == 'a' else 'a'",
    "distribution({'a': {'b': 1}, 'b': {'a': 1}})",
    "residual('token:a', lambda text: 7)",
    "residual('position:2', lambda text: 7)",
    "each(lambda text: ['b' if token == 'a' else 'a' for token in text])",
    "last(after({'a': 'b', 'b': 'a'}))",
    "answers('[ab]', {'a': 'b', 'b': 'a'})",
    "answers('[ab]', {'a': 'bb', 'b': 'aa'}, length=2)",
    "answers('[ab]', lambda text: 'b' if text == 'a' else 'a', stop='b')",
]
METHOD = pytest.mark.parametrize(
    "method", ["certificate,exhaustive,sampled", "exhaustive", "sampled"]
)


@pytest.mark.parametrize("claim", CLAIMS)
@METHOD
@OPTIONS
def test_refuted_is_1(
    claim: str, method: str, options: list[str], here: Path
) -> None:
    """A counterexample of any claim, found by any method, is shown and ends with 1."""
    (here / "wrong.py").write_text(WRONG % claim)
    few = (
        "--budget",
        "1000",
    )  # contexts or prompts; there are fewer, but for a sample
    shown(
        handcraft("verify", "wrong.py", "--method", method, *few, *options),
        options,
    )


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("query", ["1e30", "-1e30"], ids=["NaN", "infinite"])
@pytest.mark.parametrize("causal", [True, False], ids=["causal", "not causal"])
@OPTIONS
def test_refuted_by_what_is_not_finite_is_1(
    claim: str, query: str, causal: bool, options: list[str], here: Path
) -> None:
    """Logits that are not finite are wrong, and how they came about can be shown: 1, not the 2
    of a prompt that cannot be answered.
    """
    if not causal and claim.startswith("answers") and "length=1" not in claim:
        claim = "answers('[ab]', {'a': 'b', 'b': 'a'}, length=1)"
    (here / "wrong.py").write_text(NOT_FINITE % (query, claim, causal))
    result = handcraft("verify", "wrong.py", "--method", "exhaustive", *options)
    shown(result, options)
    assert (
        handcraft("trace", "wrong.py", "a", *options).code == 2
    )  # asked for by a user it is an error, as in `run`


def shown(result: Result, options: list[str]) -> None:
    """A refutation with its counterexample."""
    assert (result.code, result.err) == (1, "")
    if options:
        assert result.json["verdict"] == "refuted"
        assert result.json["counterexample"]["tokens"]
    else:
        assert result.lines[0].startswith("wrong: refuted (")
        assert any(
            line.startswith(("  wrong after '", "  wrong at position "))
            for line in result.lines
        )
        assert "logits" in result.lines


def test_refuted_is_1_where_its_trace_cannot_be_shown(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The verdict stands where its illustration fails: 1, with a line that says so."""

    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    (here / "wrong.py").write_text(WRONG % CLAIMS[0])
    monkeypatch.setattr("handcraft.model.name_trace", fail)
    result = handcraft("verify", "wrong.py")
    assert (result.code, result.err) == (
        1,
        "its trace cannot be shown: MemoryError\n",
    )
    assert result.lines[0] == "wrong: refuted (exhaustive, float32)"


@OPTIONS
def test_other_ends_are_as_they_were(options: list[str], here: Path) -> None:
    """Proved 0, undecided 3, bad usage and bad input 2."""
    (here / "silent.py").write_text(WRONG % "lambda text: None")
    (here / "faulty.py").write_text(WRONG % "lambda text: text[7]")
    for code, argv in (
        (0, ["aab"]),
        (3, ["silent.py"]),
        (2, ["faulty.py"]),
        (2, ["nowhere.py"]),
        (2, ["aab", "--method", "guess"]),
    ):
        assert handcraft("verify", *argv, *options).code == code, argv
    assert handcraft("verify", *options).code == 2
    assert handcraft("verif", *options).code == 2


def test_help_names_the_codes() -> None:
    """`--help` says what a code means, and so does the README."""
    words = " ".join(handcraft("--help").out.split())
    codes = (
        "Exit codes: 0 done; 1 refuted, or a check failed; 2 bad usage or bad input; 3"
        " undecided; 70 a bug in handcraft"
    )
    assert codes in words
    assert codes in " ".join(
        (Path(__file__).parent.parent / "README.md").read_text().split()
    )


@pytest.mark.parametrize(
    "arguments",
    [("verify", "abb"), ("verify", "aab", "--nothing"), ("run", "aab", "x")],
)
def test_with_json_an_error_is_one_object_on_stderr(
    arguments: tuple[str, ...],
) -> None:
    """A user's error is {"error": ...} there, with the same message and the same code as
    without.
    """
    plain, found = handcraft(*arguments), handcraft(*arguments, "--json")
    assert found.err.startswith('{"error": ')
    assert found.refusal == plain.refusal


def test_the_handler_of_a_signal_is_as_it_was_before() -> None:
    """Whoever calls the command line from Python keeps the own handler of SIGTERM."""
    import signal

    def own(*_: object) -> None:
        """Never called."""

    before = signal.signal(signal.SIGTERM, own)
    try:
        handcraft("run", "aab", "a")
        handcraft("run", "aab", "c")
        assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, before)
