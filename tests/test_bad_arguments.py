"""Arguments that are refused, and where there is a near one it is suggested."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
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
        "the text is empty; it needs at least one of the tokens a, b",
        "run",
        "ok.py",
        "",
    ),
    arguments(
        "an empty context",
        "the text is empty; it needs at least one of the tokens a, b",
        "trace",
        "ok.py",
        "",
    ),
    arguments(
        "an unknown token",
        "no token matches 'c' at character 2 of the text; the vocabulary is a, b",
        "run",
        "ok.py",
        "abcab",
    ),
    arguments(
        "an unknown listed token",
        "the token 'c' is not in the vocabulary a, b",
        "run",
        "ok.py",
        '["a", "c"]',
        "--tokens",
    ),
    arguments(
        "no list of tokens",
        "the text is empty; it needs at least one of the tokens a, b",
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
        "there is no method 'exhaustiv'; there are certificate, exhaustive, sampled;"
        " did you mean 'exhaustive'?",
        "verify",
        "aab",
        "--method",
        "exhaustiv",
    ),
    arguments(
        "a method missing after a comma",
        "there is no method ''; there are certificate, exhaustive, sampled",
        "verify",
        "aab",
        "--method",
        "exhaustive,",
    ),
    arguments(
        "an empty method",
        "there is no method ''; there are certificate, exhaustive, sampled",
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
# Messages of the library that reads the arguments; its wording is its own.
USAGE = [
    arguments("an unknown command", re.compile(".*frobnicate.*"), "frobnicate"),
    arguments(
        "an unknown option",
        re.compile(".*--frobnicate.*"),
        "run",
        "ok.py",
        "a",
        "--frobnicate",
    ),
    arguments("no program named", re.compile(".*PROGRAM.*"), "build"),
    arguments("no prompt", re.compile("(?i).*prompt.*"), "run", "ok.py"),
    arguments(
        "one program to compare",
        re.compile("(?i).*missing argument.*"),
        "diff",
        "aab",
    ),
    arguments("no name for a new program", re.compile("(?i).*name.*"), "new"),
    arguments(
        "an argument too many",
        re.compile(".*more.*"),
        "run",
        "ok.py",
        "a",
        "more",
    ),
    arguments(
        "tokens by the word",
        re.compile(".*-n.*"),
        "run",
        "ok.py",
        "a",
        "-n",
        "ten",
    ),
    arguments(
        "fewer tokens than none",
        re.compile(".*-n.*"),
        "run",
        "ok.py",
        "a",
        "-n",
        "-1",
    ),
    arguments(
        "a negative seed",
        re.compile(".*--seed.*"),
        "run",
        "ok.py",
        "a",
        "--sample",
        "--seed",
        "-1",
    ),
    arguments(
        "a temperature in words",
        re.compile(".*--temperature.*"),
        "run",
        "ok.py",
        "a",
        "--sample",
        "--temperature",
        "warm",
    ),
    arguments(
        "a top-p in words",
        re.compile(".*--top-p.*"),
        "run",
        "ok.py",
        "a",
        "--sample",
        "--top-p",
        "most",
    ),
    arguments(
        "an option without its value",
        re.compile(".*--out.*"),
        "build",
        "ok.py",
        "--out",
    ),
]


@pytest.mark.parametrize(
    "case", [*ARGUMENTS, *USAGE], ids=lambda case: case.name
)
def test_arguments_that_are_refused(case: Case) -> None:
    """A wrong argument is named, and where there is a near one it is suggested."""
    Path("large.py").write_text("#" * (2**20 + 1))
    refused(case)
