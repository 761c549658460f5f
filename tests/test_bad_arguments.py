"""Arguments that are refused, and where there is a near one it is suggested."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from cli_runner import handcraft
from refusing import Case, arguments, refused

pytestmark = pytest.mark.usefixtures("beside_ok")


ARGUMENTS = [
    arguments(
        "a file that is not there",
        "there is no program at ./nowhere/at_all.py",
        "run",
        "./nowhere/at_all.py",
        "a",
    ),
    arguments(
        "a file nearly right",
        "there is no program at okay.py; did you mean 'ok.py'?",
        "run",
        "okay.py",
        "a",
    ),
    arguments(
        "a bundled name nearly right",
        "there is no program 'inductoin'; did you mean 'induction'?",
        "run",
        "inductoin",
        "a",
    ),
    arguments(
        "a bundled name not at all right",
        "there is no program 'qqqqqqqq'; `handcraft list` shows the bundled ones",
        "run",
        "qqqqqqqq",
        "a",
    ),
    arguments(
        "an empty name",
        "there is no program ''; `handcraft list` shows the bundled ones",
        "run",
        "",
        "a",
    ),
    arguments(
        "a directory that was not built",
        "the directory folder holds neither program.json, which `handcraft build` writes, nor"
        " config.json, which a GPT-2 has",
        "run",
        "folder",
        "a",
    ),
    arguments(
        "a file of another kind",
        "notes.txt is no program: a program is a .py file, a built directory or a"
        " bundled name",
        "run",
        "notes.txt",
        "a",
    ),
    arguments(
        "a file that is too large",
        "large.py is larger than 1048576 bytes",
        "run",
        "large.py",
        "a",
    ),
    arguments(
        "an empty prompt",
        "the text is empty; it needs at least one of the tokens 'a', 'b'",
        "run",
        "ok.py",
        "",
    ),
    arguments(
        "an empty context",
        "the text is empty; it needs at least one of the tokens 'a', 'b'",
        "trace",
        "ok.py",
        "",
    ),
    arguments(
        "an unknown token",
        "no token matches 'c' at character 2 of the text; the vocabulary is 'a', 'b'",
        "run",
        "ok.py",
        "abcab",
    ),
    arguments(
        "an unknown listed token",
        "the token 'c' is not in the vocabulary 'a', 'b'",
        "run",
        "ok.py",
        '["a", "c"]',
        "--tokens",
    ),
    arguments(
        "no list of tokens",
        "the text is empty; it needs at least one of the tokens 'a', 'b'",
        "run",
        "ok.py",
        "[]",
        "--tokens",
    ),
    arguments(
        "tokens that are no JSON",
        """--tokens takes a JSON list of tokens such as ["a", "b"], found 'ab'""",
        "run",
        "ok.py",
        "ab",
        "--tokens",
    ),
    arguments(
        "tokens that are numbers",
        """--tokens takes a JSON list of tokens such as ["a", "b"], found '[0, 1]'""",
        "run",
        "ok.py",
        "[0, 1]",
        "--tokens",
    ),
    arguments(
        "tokens of a huge number",
        re.compile(
            r'--tokens takes a JSON list of tokens such as \["a", "b"\], found \'\[1+.*'
        ),
        "run",
        "ok.py",
        f"[{'1' * 5000}]",
        "--tokens",
    ),
    arguments(
        "tokens nested deep",
        re.compile(
            r'--tokens takes a JSON list of tokens such as \["a", "b"\], found \'\[+.*'
        ),
        "run",
        "ok.py",
        "[" * 100_000,
        "--tokens",
    ),
    arguments(
        "a context that is too long",
        "6 tokens do not fit the context window of 5",
        "trace",
        "ok.py",
        "aaaaaa",
    ),
    arguments(
        "a prompt of no sum",
        re.compile(
            r"'1\+2=' is not a prompt of adder; its prompts match .* and fit 34 tokens"
            r" with their answer"
        ),
        "run",
        "adder",
        "1+2=",
    ),
    arguments(
        "a part nearly right",
        "ok: has no part 'wtf'; its parts are wte, wpe; did you mean 'wte'?",
        "explain",
        "ok.py",
        "wtf",
    ),
    arguments(
        "a head that is not there",
        re.compile(
            r"aab: has no part '0\.h1\.qk'; its parts are wte, wpe, 0\.h0\.q, .*; did"
            r" you mean '0\.h0\.qk'\?"
        ),
        "explain",
        "aab",
        "0.h1.qk",
    ),
    arguments(
        "a layer's MLP that is not there",
        "aab: has no part '0.mlp', since layer 0 has no MLP; its parts are wte, wpe,"
        " 0.h0.q, 0.h0.k, 0.h0.v, 0.h0.o, 0.h0.qk, 0.h0.ov, 0.c_attn, 0.attn, 0.c_proj",
        "explain",
        "aab",
        "0.mlp",
    ),
    arguments(
        "the word for a part of a head",
        "aab: has no part 'query'; its parts are wte, wpe, 0.h0.q, 0.h0.k, 0.h0.v,"
        " 0.h0.o, 0.h0.qk, 0.h0.ov, 0.c_attn, 0.attn, 0.c_proj; did you mean '0.h0.q'?",
        "explain",
        "aab",
        "query",
    ),
    arguments(
        "an unknown dtype",
        "the dtype must be float32 or float64, found float16",
        "run",
        "ok.py",
        "a",
        "--dtype",
        "float16",
    ),
    arguments(
        "an unknown method",
        "there is no method 'exhaustiv'; there are lanes, certificate, exhaustive, sampled;"
        " did you mean 'exhaustive'?",
        "verify",
        "aab",
        "--method",
        "exhaustiv",
    ),
    arguments(
        "a method missing after a comma",
        "there is no method ''; there are lanes, certificate, exhaustive, sampled",
        "verify",
        "aab",
        "--method",
        "exhaustive,",
    ),
    arguments(
        "an empty method",
        "there is no method ''; there are lanes, certificate, exhaustive, sampled",
        "verify",
        "aab",
        "--method",
        "",
    ),
    *(
        arguments(
            f"a budget of {budget or 'nothing'}",
            "a budget is a number of contexts or of seconds, such as 1000000 or 30s,"
            f" found {budget!r}",
            "verify",
            "aab",
            f"--budget={budget}",
        )
        for budget in ("0", "-1", "1e6", "0s", "30 s", "many", "", "9" * 19)
    ),
    *(
        arguments(
            f"a temperature of {value}",
            f"the temperature must be positive and finite, found {float(value)}; greedy"
            " needs none",
            "run",
            "ok.py",
            "a",
            "--sample",
            f"--temperature={value}",
        )
        for value in ("0", "-1", "nan", "inf")
    ),
    *(
        arguments(
            f"a top-p of {value}",
            f"top_p must lie above 0 and at most at 1, found {float(value)}",
            "run",
            "ok.py",
            "a",
            "--sample",
            f"--top-p={value}",
        )
        for value in ("0", "-1", "1.5", "nan")
    ),
    arguments(
        "a top-k of 0",
        "top_k must be at least 1, found 0",
        "run",
        "ok.py",
        "a",
        "--sample",
        "--top-k",
        "0",
    ),
    arguments(
        "a temperature without sampling",
        re.compile(".*--sample.*"),
        "run",
        "ok.py",
        "a",
        "--temperature",
        "2",
    ),
    arguments(
        "a seed without sampling",
        re.compile(".*--sample.*"),
        "run",
        "ok.py",
        "a",
        "--seed",
        "2",
    ),
    arguments(
        "a claim by nobody",
        "ok: has no claim to verify; pass claim= to Program",
        "verify",
        "ok.py",
    ),
    arguments(
        "the rules of nobody",
        "there is no program 'qqqqqqqq'; `handcraft list` shows the bundled ones",
        "verify",
        "aab",
        "--program",
        "qqqqqqqq",
    ),
    arguments(
        "an out path that is a file",
        "notes.txt is a file; name a directory to build into",
        "build",
        "ok.py",
        "--out",
        "notes.txt",
    ),
    arguments(
        "an out path below a file",
        "cannot write notes.txt/deeper: Not a directory",
        "build",
        "ok.py",
        "--out",
        "notes.txt/deeper",
    ),
    arguments(
        "a new program elsewhere",
        "a name is made of letters, digits, _ . and -, found '../mine'",
        "new",
        "../mine",
    ),
    arguments(
        "a new program without a name",
        "a name is made of letters, digits, _ . and -, found ''",
        "new",
        "",
    ),
    arguments(
        "a new program that exists",
        "ok.py exists; choose another name, or remove it first",
        "new",
        "ok",
    ),
]
_DRAW = ("run", "ok.py", "a", "--sample")
USAGE = [  # with the line above the message that says how the command is called
    (usage, arguments(name, message, *argv))
    for name, usage, message, argv in [
        (
            "an unknown command",
            "COMMAND ...",
            "there is no command 'frobnicate'; `handcraft --help` lists them",
            ["frobnicate"],
        ),
        (
            "a command nearly right",
            "COMMAND ...",
            "there is no command 'verfy'; did you mean 'verify'?",
            ["verfy", "aab"],
        ),
        (
            "an unknown option of no command",
            "COMMAND ...",
            "there is no option '--verison'; did you mean '--version'?",
            ["--verison"],
        ),
        (
            "an unknown option",
            "run PROGRAM PROMPT [OPTIONS]",
            "there is no option '--frobnicate'",
            ["run", "ok.py", "a", "--frobnicate"],
        ),
        (
            "an option nearly right",
            "run PROGRAM PROMPT [OPTIONS]",
            "there is no option '--tokns'; did you mean '--tokens'?",
            ["run", "ok.py", "a", "--tokns"],
        ),
        (
            "an unknown short option",
            "run PROGRAM PROMPT [OPTIONS]",
            "there is no option '-x'",
            ["run", "ok.py", "a", "-x"],
        ),
        (
            "no program named",
            "build PROGRAM [OPTIONS]",
            "PROGRAM is missing",
            ["build"],
        ),
        (
            "no prompt",
            "run PROGRAM PROMPT [OPTIONS]",
            "PROMPT is missing",
            ["run", "aab"],
        ),
        (
            "no context",
            "trace PROGRAM CONTEXT [OPTIONS]",
            "CONTEXT is missing",
            ["trace", "aab"],
        ),
        (
            "one program to compare",
            "diff A B [OPTIONS]",
            "B is missing",
            ["diff", "aab"],
        ),
        (
            "no name for a new program",
            "new NAME [OPTIONS]",
            "NAME is missing",
            ["new"],
        ),
        (
            "no runtime",
            "export PROGRAM --to RUNTIME --out DIR [OPTIONS]",
            "--to is missing",
            ["export", "aab"],
        ),
        (
            "no directory",
            "export PROGRAM --to RUNTIME --out DIR [OPTIONS]",
            "--out is missing",
            ["export", "aab", "--to", "onnx"],
        ),
        (
            "an argument too many",
            "run PROGRAM PROMPT [OPTIONS]",
            "one argument too many: 'more'",
            ["run", "ok.py", "a", "more"],
        ),
        (
            "a prompt that was not quoted",
            "explain PROGRAM [PART] [OPTIONS]",
            "2 arguments too many: 'b' 'c d'",
            ["explain", "aab", "a", "b", "c d"],
        ),
        (
            "an option without its value",
            "build PROGRAM [OPTIONS]",
            "the option '--out' needs a value",
            ["build", "ok.py", "--out"],
        ),
        (
            "a value for a flag",
            "build PROGRAM [OPTIONS]",
            "the option '--json' takes no value",
            ["build", "ok.py", "--json=yes"],
        ),
    ]
]
_WHOLE = "takes a whole number"
NUMBERS = [
    arguments(
        f"{option} of {value}",
        f"{message}, found '{value}'",
        *argv,
        *([option, value] if option == "-n" else [f"{option}={value}"]),
    )
    for argv, option, value, message in [
        (["run", "ok.py", "a"], "-n", "ten", f"-n {_WHOLE} of at least 0"),
        (["run", "ok.py", "a"], "-n", "-1", f"-n {_WHOLE} of at least 0"),
        (["run", "ok.py", "a"], "-n", "1.5", f"-n {_WHOLE} of at least 0"),
        (["run", "ok.py", "a"], "-n", "", f"-n {_WHOLE} of at least 0"),
        (["run", "ok.py", "a"], "-n", "0x10", f"-n {_WHOLE} of at least 0"),
        (
            ["run", "ok.py", "a"],
            "-n",
            "9" * 19,
            f"-n {_WHOLE} of at least 0 with at most 18 digits",
        ),
        (_DRAW, "--seed", "-1", f"--seed {_WHOLE} of at least 0"),
        (_DRAW, "--seed", "x", f"--seed {_WHOLE} of at least 0"),
        (_DRAW, "--top-k", "two", f"--top-k {_WHOLE}"),
        (_DRAW, "--temperature", "warm", "--temperature takes a number"),
        (_DRAW, "--top-p", "most", "--top-p takes a number"),
        (["states", "ok.py"], "--floor", "low", "--floor takes a number"),
        (
            ["states", "ok.py"],
            "--temperature",
            "",
            "--temperature takes a number",
        ),
        (
            ["states", "ok.py"],
            "--limit",
            "0",
            f"--limit {_WHOLE} of at least 1",
        ),
        (["states", "ok.py"], "--top-k", "1e3", f"--top-k {_WHOLE}"),
        (["verify", "aab"], "--jobs", "-2", f"--jobs {_WHOLE} of at least 0"),
        (["verify", "aab"], "--jobs", "all", f"--jobs {_WHOLE} of at least 0"),
        (["assumptions"], "--step", "0", f"--step {_WHOLE} of at least 1"),
    ]
]
KINDS = [  # a FIFO that is opened would wait for ever
    arguments(
        "a FIFO as a program",
        "pipe is a FIFO: a program is a .py file, a built directory or a bundled name",
        "run",
        "pipe",
        "a",
    ),
    arguments(
        "a FIFO with the ending of a program",
        "pipe.py is a FIFO: a program is a .py file, a built directory or a bundled name",
        "build",
        "pipe.py",
    ),
    arguments(
        "a device as a program",
        "/dev/null is a device: a program is a .py file, a built directory or a"
        " bundled name",
        "explain",
        "/dev/null",
    ),
    arguments(
        "a FIFO as a claim",
        "pipe.py is a FIFO: a program is a .py file, a built directory or a bundled name",
        "verify",
        "aab",
        "--program",
        "pipe.py",
    ),
    arguments(
        "a FIFO in place of a built directory's file",
        "halved/program.json is a FIFO, not a file",
        "verify",
        "halved",
    ),
    arguments(
        "a FIFO as a proof",
        "pipe is a FIFO, not a file",
        "verify",
        "aab",
        "--check",
        "pipe",
    ),
    arguments(
        "a FIFO to write a proof to",
        "pipe is a FIFO; name a file to write",
        "verify",
        "aab",
        "--certificate",
        "pipe",
    ),
    arguments(
        "a FIFO to draw into",
        "pipe.dot is a FIFO; name a file to write",
        "states",
        "aab",
        "--save",
        "pipe.dot",
    ),
    arguments(
        "a FIFO to build into",
        "pipe is a FIFO; name a directory to build into",
        "build",
        "aab",
        "--out",
        "pipe",
    ),
    arguments(
        "a FIFO to export into",
        "pipe is a FIFO; name a directory to export into",
        "export",
        "aab",
        "--to",
        "gpt2",
        "--out",
        "pipe",
    ),
    arguments(
        "a FIFO in place of a file to build",
        "halved/program.json is a FIFO; remove it, or build elsewhere",
        "build",
        "aab",
        "--out",
        "halved",
    ),
    arguments(
        "a FIFO in place of a file to export",
        "small/config.json is a FIFO; remove it, or export elsewhere",
        "export",
        "aab",
        "--to",
        "gpt2",
        "--force",
        "--out",
        "small",
    ),
    arguments(
        "a FIFO as a checkpoint",
        "the checkpoint pipe cannot be used: pipe is a FIFO, not a file; delete it to start"
        " anew",
        "verify",
        "aab",
        "--method",
        "exhaustive",
        "--checkpoint",
        "pipe",
    ),
    arguments(
        "a FIFO in a GPT-2",
        "small/config.json is a FIFO, not a file",
        "run",
        "small",
        "a",
    ),
    arguments(
        "a FIFO of a new program's name",
        "pipe.py exists; choose another name, or remove it first",
        "new",
        "pipe",
    ),
]
NEAR = [
    arguments(
        "a program file without its ending",
        "there is no program 'abba'; did you mean './abba.py'?",
        "run",
        "abba",
        "a",
    ),
    arguments(
        "a program file elsewhere without its ending",
        "there is no program at folder/deep; did you mean 'folder/deep.py'?",
        "run",
        "folder/deep",
        "a",
    ),
    arguments(
        "a file elsewhere nearly right",
        "there is no program at ./folder/depe.py; did you mean 'folder/deep.py'?",
        "run",
        "./folder/depe.py",
        "a",
    ),
    arguments(
        "a bundled name with the ending of a file",
        "there is no program at aab.py; did you mean 'aab'?",
        "run",
        "aab.py",
        "a",
    ),
    *(
        arguments(
            f"{name}, nearly a bundled name in a folder",
            f"there is no program {shown}; did you mean '{meant}'?",
            "run",
            name,
            "a",
        )
        for name, shown, meant in (
            ("sequence/sotr", "at sequence/sotr", "sequence/sort"),
            ("sequnce/sort", "at sequnce/sort", "sequence/sort"),
            ("sequence/sort.py", "at sequence/sort.py", "sequence/sort"),
            ("sequence/aab", "at sequence/aab", "aab"),
            ("hist", "'hist'", "sequence/hist"),
            ("sotr", "'sotr'", "sort"),
        )
    ),
    arguments(
        "a name too long for a file",
        f"there is no program '{'a' * 80}...'; `handcraft list` shows the bundled ones",
        "run",
        "a" * 5000,
        "a",
    ),
    *(
        arguments(
            f"the name {name}, which is far from all",
            f"there is no program '{name}'; `handcraft list` shows the bundled ones",
            "run",
            name,
            "a",
        )
        for name in (
            "abbabba",
            "babyish",
            "so_sorted",
            "x",
            "transformer",
            "gpt",
        )
    ),
]


@pytest.fixture
def kinds(beside_ok: Path) -> None:
    """FIFOs where files are expected, and programs to be named."""
    Path("halved").mkdir()
    Path("small").mkdir()
    inside = ("halved/program.json", "small/config.json")
    for name in ("pipe", "pipe.py", "pipe.dot", *inside):
        os.mkfifo(name)
    Path("small/model.safetensors").touch()
    for name in ("abba.py", "folder/deep.py"):
        Path(name).write_text(Path("ok.py").read_text())


@pytest.mark.parametrize(
    ("usage", "case"), USAGE, ids=lambda value: getattr(value, "name", "")
)
def test_a_usage_line_stands_above(usage: str, case: Case) -> None:
    """Of arguments that no command can read the line above says what it reads; the JSON has the
    error alone.
    """
    refused(case)
    assert handcraft(*case.argv).err == (
        f"usage: handcraft {usage}\nerror: {case.message}\n"
    )


@pytest.mark.parametrize(
    "case", [*NUMBERS, *KINDS, *NEAR], ids=lambda case: case.name
)
@pytest.mark.usefixtures("kinds")
def test_what_is_given_is_refused_in_one_line(case: Case) -> None:
    """A number that is none, a FIFO for a file, a name that is nearly right: no usage line."""
    refused(case)
    assert handcraft(*case.argv).err == f"error: {case.message}\n"


@pytest.mark.parametrize("case", ARGUMENTS, ids=lambda case: case.name)
def test_arguments_that_are_refused(case: Case) -> None:
    """A wrong argument is named, and where there is a near one it is suggested."""
    Path("large.py").write_text("#" * (2**20 + 1))
    refused(case)
