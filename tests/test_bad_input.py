"""What is refused, and in which words: one line on stderr, code 2, nothing on stdout, nothing
written, no traceback.

Each case is a program text, arguments, or a damaged directory, with the exact message. The
program texts follow the two lines of START, so that their own first line is line 3.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cli_runner import Result, files, handcraft

START = """import numpy as np; from handcraft import *
p, t, v = position(5), token("ab"), scratch("v")
"""
WHOLE = "from 1 to 1048576"
JARGON = (
    "Traceback",
    "pydantic",
    "validation error",
    "site-packages",
)  # what tells a user nothing


@dataclass(frozen=True)
class Case:
    """A name, the lines after START (None: no program file), the arguments, and the message:
    exact, or a pattern.
    """

    name: str
    text: str | None
    message: str | re.Pattern[str]
    argv: list[str] = field(default_factory=lambda: ["run", "bad.py", "a"])


def program(name: str, text: str, message: str | re.Pattern[str], *argv: str) -> Case:
    """A program file that is refused, by default as soon as it is opened."""
    return Case(name, text, message, list(argv) or ["run", "bad.py", "a"])


def arguments(name: str, message: str | re.Pattern[str], *argv: str) -> Case:
    """Arguments that are refused; ok.py is a program without a claim."""
    return Case(name, None, message, list(argv))


def claiming(claim: str) -> str:
    """A program with this claim."""
    return f"program = Program(embedding=(p, t), claim={claim})"


PROGRAMS = [
    # what Python itself would say
    program(
        "it raises",
        "\nx = 1 / 0",
        "bad: ZeroDivisionError: division by zero (bad.py:4)",
    ),
    program(
        "it raises in a function",
        "def f():\n    return [][0]\n\nf()",
        "bad: IndexError: list index out of range (bad.py:4)",
    ),
    program("it leaves", "raise SystemExit(0)", "bad: SystemExit: 0 (bad.py:3)"),
    program(
        "it leaves by exit",
        "import sys; sys.exit('bye')",
        "bad: SystemExit: bye (bad.py:3)",
    ),
    program(
        "a syntax error",
        "x = (",
        re.compile(r"bad: SyntaxError: '\(' was never closed .*\(bad\.py:3\)"),
    ),
    program(
        "a null byte",
        "x = '\0'",
        re.compile(r"bad: (SyntaxError|ValueError): .*null bytes.* \(bad\.py.*\)"),
    ),
    program(
        "endless recursion",
        "f = lambda: f()\nf()",
        re.compile(
            r"bad: RecursionError: maximum recursion depth exceeded.* \(bad\.py:3\)"
        ),
    ),
    program(
        "a name that handcraft lacks",
        "import handcraft; handcraft.Hed",
        re.compile(
            r"bad: AttributeError: handcraft has no 'Hed'; it has .* \(bad\.py:3\)"
        ),
    ),
    # what the file defines
    program(
        "no program",
        "pass",
        "bad: no `program`; the file must define `program = Program(...)` (bad.py)",
    ),
    program(
        "a program of the wrong type",
        "program = 7",
        "bad: `program` is of type int; the file must define `program = Program(...)`"
        " (bad.py)",
    ),
    program(
        "an unknown argument",
        "Program(embedding=(p, t), layer=())",
        re.compile(
            r"bad > layer: has no such argument; it takes .*; did you mean 'layers'\?"
            r" \(bad\.py:3\)"
        ),
    ),
    program(
        "a missing argument", "Program()", "bad > embedding: is required (bad.py:3)"
    ),
    program(
        "a strange name",
        "Program(embedding=(p, t), name='../x')",
        re.compile(
            r"bad > .*a name is made of letters, digits, _ \. and -, found '\.\./x'"
            r" \(bad\.py:3\)"
        ),
    ),
    program(
        "a strange activation",
        "Program(embedding=(p, t), activation='swish')",
        "bad > activation: must be 'gelu' or 'relu', found 'swish' (bad.py:3)",
    ),
    program(
        "a slot for a layer",
        "Program(embedding=(p, t), layers=(p,))",
        re.compile(r"bad > layers(\[0\])?: .*\(bad\.py:3\)"),
    ),
    program(
        "a head of no width",
        "program = Program(embedding=(p, t), d_head=0)",
        re.compile(r"bad > d_head: .*\(bad\.py:3\)"),
    ),
    program(
        "an empty block",
        "Block()",
        "bad > Block: a block needs at least one head or an MLP (bad.py:3)",
    ),
    # lanes
    program(
        "a lane that does not exist",
        "t['c']",
        "bad: token has no lane 'c'; its lanes are a, b (bad.py:3)",
    ),
    program(
        "a lane nearly right",
        "scratch('m', ['left', 'right'])['rihgt']",
        "bad: m has no lane 'rihgt'; its lanes are left, right; did you mean 'right'?"
        " (bad.py:3)",
    ),
    program(
        "a lane of no slot of the program",
        "program = Program(embedding=(p, t), layers=(\n  Head(value={v: t['a']},"
        " output={t['a']: v}),))",
        "bad > layers[0] > value: v is not a lane of the embedding (those are position,"
        " token) (bad.py:4)",
    ),
    program(
        "lanes without a partner",
        "Head(value={v: t}, output=t)",
        "bad > Head > value: v has no partner: lanes pair by equal labels, and the"
        " expression has a, b (bad.py:3)",
    ),
    program(
        "query and key of different spaces",
        "Program(embedding=(p, t), layers=(\n  Head(query=p, key=t, value=t,"
        " output=t),))",
        "bad > layers[0] > query: asks about position (5 lanes) but the key offers"
        " token (2 lanes) (bad.py:4)",
    ),
    program(
        "a slot twice",
        "Program(embedding=(p, t, scratch('token')))",
        "bad > embedding[2]: the slot token is declared twice; give one of them another"
        " name (bad.py:3)",
    ),
    program(
        "a slot with a strange name",
        "scratch('x y')",
        "bad > Slot: a slot's name must be an identifier, found 'x y' (bad.py:3)",
    ),
    program(
        "a label twice",
        "scratch('m', 'aa')",
        "bad > Slot: the labels of m must be distinct and not empty, found a, a"
        " (bad.py:3)",
    ),
    # tokens
    program(
        "a token twice",
        "token('aba')",
        "bad > Slot: the labels of token must be distinct and not empty, found a, b, a"
        " (bad.py:3)",
    ),
    program(
        "a token twice in the vocabulary",
        "Program(embedding=(p, t), vocabulary=['a', 'b', 'a'])",
        re.compile(
            r"bad.*: the token 'a' stands twice in the vocabulary \(bad\.py:3\)"
        ),
    ),
    program(
        "an empty token",
        "Program(embedding=(p, token(['a', ''])))",
        re.compile(r"bad.*: a token must be a non-empty text, found '' \(bad\.py:3\)"),
    ),
    program(
        "a table of an unknown token",
        "Program(embedding=(p, t, slot('x', token={'aa': 1})), vocabulary='ab')",
        "bad > embedding[2]: x names the token 'aa', which is not in the vocabulary;"
        " did you mean 'a'? (bad.py:3)",
    ),
    program(
        "no token at all",
        "Program(embedding=(p,))",
        "bad > embedding: no slot has a table of tokens: add token(...) or pass"
        " vocabulary= (bad.py:3)",
    ),
    # the window
    program(
        "a window of 0",
        "position(0)",
        f"bad: n_ctx must be a whole number {WHOLE}, found 0 (bad.py:3)",
    ),
    program(
        "a window of a billion",
        "position(10**9)",
        f"bad: n_ctx must be a whole number {WHOLE}, found 1000000000 (bad.py:3)",
    ),
    program(
        "a window that is no whole number",
        "position(2.5)",
        f"bad: n_ctx must be a whole number {WHOLE}, found 2.5 (bad.py:3)",
    ),
    program(
        "a window that is a truth value",
        "position(True)",
        f"bad: n_ctx must be a whole number {WHOLE}, found True (bad.py:3)",
    ),
    program(
        "a program's window of a billion",
        "Program(embedding=(t,), n_ctx=10**9)",
        "bad > n_ctx: the context window must be 1 to 1048576; found 1000000000"
        " (bad.py:3)",
    ),
    program(
        "no window",
        "Program(embedding=(t,))",
        "bad > n_ctx: the context window must be 1 to 1048576; no slot has a table of"
        " positions: pass n_ctx= (bad.py:3)",
    ),
    program(
        "two windows",
        "Program(embedding=(p, t, slot('x', position=[1, 2])))",
        "bad > embedding[2]: x has 2 positions, but the window is 5 (bad.py:3)",
    ),
    program(
        "weights of more than 1 GB",
        "Program(embedding=(position(8192), t))",
        re.compile(
            r"bad > n_ctx: the weights would need \d\.\d GB \(8194 columns, window"
            r" 8192\); at most 1 GB is allowed: .* \(bad\.py:3\)"
        ),
    ),
    program(
        "a lane for each of too many positions",
        "Program(embedding=(position(12000), t))",
        "bad: a lane for each of 12000 positions is more than 8192; hold the position"
        " itself: position(n, p=...) (bad.py:3)",
    ),
    program(
        "heads of a billion lanes",
        "Program(embedding=(p, t), d_head=10**9)",
        re.compile(r"bad > \w+: .*at most .* \(bad\.py:3\)"),
    ),
    # numbers
    program(
        "NaN", "float('nan') * p", "bad: a weight must be finite, found nan (bad.py:3)"
    ),
    program(
        "infinity",
        "p + float('inf')",
        "bad: a weight must be finite, found inf (bad.py:3)",
    ),
    program(
        "infinity in a table",
        "slot('x', token={'a': float('inf')})",
        "bad > Slot: a weight must be finite, found inf (bad.py:3)",
    ),
    program(
        "past float32",
        "program = Program(embedding=(p, t, v), layers=(\n  Head(value={v: t['a']},"
        " output={t['a']: 1e39 * v}),))",
        "bad > layers[0] > output: writes 1e+39 into blocks.0.attn.c_proj.w, past the"
        " range of float32 (bad.py:4)",
    ),
    program(
        "past every float",
        "10**400 * p",
        re.compile(r"bad: .*(too large|finite).* \(bad\.py:3\)"),
    ),
    program(
        "a product of expressions",
        "t['a'] * t['b']",
        re.compile(
            r"bad: an expression can only be multiplied by a number, found .*"
            r" \(bad\.py:3\)"
        ),
    ),
    program(
        "an array",
        "np.array([1.0, 2.0]) * p",
        "bad: an expression can only be multiplied by a number, found an array of shape"
        " (2,) (bad.py:3)",
    ),
    program(
        "a truth value",
        "True * p",
        "bad: an expression can only be multiplied by a number, found bool True"
        " (bad.py:3)",
    ),
    program(
        "a text",
        "'x' + p",
        "bad: an expression is made of lanes, slots and numbers, found str 'x'"
        " (bad.py:3)",
    ),
    program(
        "division by zero", "p / 0", "bad: division of an expression by zero (bad.py:3)"
    ),
    program("division by an expression", "1 / p", re.compile(r"bad: .* \(bad\.py:3\)")),
    # claims
    program(
        "a claim of another kind",
        claiming("7"),
        re.compile(r"bad > claim: .*\(bad\.py:3\)"),
    ),
    program(
        "an empty claim",
        claiming("after({})"),
        "bad > claim: after takes {last tokens: next token} with at least one entry"
        " (bad.py:3)",
    ),
    program(
        "a claim on no ending",
        claiming("after({'': 'a'})"),
        re.compile(r"bad > claim: .*\(bad\.py:3\)"),
        "verify",
        "bad.py",
    ),
    program(
        "an unknown token must follow",
        claiming("after({'aa': 'c'})"),
        "bad > claim: the token 'c' is not in the vocabulary a, b (bad.py:3)",
    ),
    program(
        "an ending of unknown tokens",
        claiming("after({'ac': 'b'})"),
        re.compile(
            r"bad > claim: no token matches 'c' at character 1 of .*; the vocabulary is"
            r" a, b \(bad\.py:3\)"
        ),
    ),
    program(
        "probabilities of one half",
        claiming("distribution({'a': {'a': 0.5}})"),
        "bad > Distribution > table: the probabilities after 'a' must sum to 1, found"
        " 0.5 (bad.py:3)",
    ),
    program(
        "a probability of NaN",
        claiming("distribution({'a': {'a': float('nan'), 'b': 1}})"),
        re.compile(
            r"bad > Distribution > table: the probabilities after 'a' must sum to 1,"
            r" found nan \(bad\.py:3\)"
        ),
    ),
    program(
        "probabilities that are no table",
        claiming("distribution({'a': 1})"),
        re.compile(
            r"bad.*: distribution takes \{last tokens: \{token: probability\}\}"
            r" \(bad\.py:3\)"
        ),
    ),
    program(
        "a tolerance of NaN",
        claiming("distribution({'a': {'a': 1}}, tolerance=float('nan'))"),
        re.compile(r"bad > .*tolerance.*\(bad\.py:3\)"),
    ),
    program(
        "prompts that never close",
        claiming("answers('(a', str)"),
        re.compile(
            r"bad > Answers > prompts: .*'\(a':? at character 2: this \( is never"
            r" closed \(bad\.py:3\)"
        ),
    ),
    program(
        "prompts of any character",
        claiming("answers('.*', str)"),
        re.compile(
            r"bad > Answers > prompts: .*'\.\*':? at character 1: '\.' has no meaning"
            r" here; .* \(bad\.py:3\)"
        ),
    ),
    program(
        "prompts that end too early",
        claiming(r"answers('a\\', str)"),
        re.compile(
            r"bad > Answers > prompts: .*'a\\.*':? at character \d: it ends too early"
            r" \(bad\.py:3\)"
        ),
    ),
    program(
        "prompts that are too long",
        claiming("answers('a{9}', str)"),
        "bad > claim > prompts: no prompt of 'a{9}' fits n_ctx 5 (bad.py:3)",
    ),
    program(
        "prompts of unknown tokens",
        claiming("answers('c', str)"),
        re.compile(
            r"bad > claim.*: no token matches 'c' at character 0 of the prompt; the"
            r" vocabulary is a, b \(bad\.py:3\)"
        ),
    ),
    program(
        "prompts nested too deep",
        claiming("answers('(' * 3000 + 'a' + ')' * 3000, str)"),
        re.compile(r"bad > .*\(bad\.py:3\)"),
    ),
    # what shows only when it is checked
    program(
        "an answer that does not fit",
        claiming("answers('a{1,5}', lambda prompt: 'bb')"),
        re.compile(
            r"bad > claim: the prompt 'aaaaa' and its answer need 6 positions, but"
            r" n_ctx is 5; .* \(bad\.py:3\)"
        ),
        "verify",
        "bad.py",
        "--method",
        "sampled",
    ),
    program(
        "an answer of unknown tokens",
        claiming("answers('aa', lambda prompt: 'c')"),
        re.compile(
            r"bad > claim: the answer to 'aa' is 'c': no token matches 'c' .*"
            r" \(bad\.py:3\)"
        ),
        "verify",
        "bad.py",
    ),
    program(
        "an answer that is no text",
        claiming("answers('aa', len)"),
        "bad > claim: the answer to 'aa' must be a text, found 2 (bad.py:3)",
        "verify",
        "bad.py",
    ),
    program(
        "an answer that raises",
        claiming("answers('aa', lambda prompt: 1 / 0)"),
        "bad > claim: the claim '<lambda>' raised ZeroDivisionError: division by zero"
        " on 'aa' (bad.py:3)",
        "verify",
        "bad.py",
    ),
    program(
        "a claim that raises",
        claiming("lambda context: context[9]"),
        "bad > claim: the claim '<lambda>' raised IndexError: string index out of range"
        " on 'a' (bad.py:3)",
        "verify",
        "bad.py",
    ),
    program(
        "a claim that leaves",
        claiming("lambda context: exit(0)"),
        re.compile(
            r"bad > claim: the claim '<lambda>' raised SystemExit: .* \(bad\.py:3\)"
        ),
        "verify",
        "bad.py",
    ),
    program(
        "a claim of an unknown token",
        claiming("lambda context: 'c'"),
        re.compile(
            r"bad > claim: the claim answers 'c' to 'a', which is not a token of a, b.*"
            r" \(bad\.py:3\)"
        ),
        "verify",
        "bad.py",
    ),
    program(
        "a claim of a list",
        claiming("lambda context: ['a']"),
        re.compile(
            r"bad > claim: the claim answers \['a'\] to 'a', which is not a token of a,"
            r" b.* \(bad\.py:3\)"
        ),
        "verify",
        "bad.py",
    ),
    program(
        "no claim",
        "program = Program(embedding=(p, t))",
        "bad: has no claim to verify; pass claim= to Program",
        "verify",
        "bad.py",
    ),
    # prompts
    program(
        "a prompt outside the domain",
        claiming("answers('a{2}', str)"),
        "'ab' is not a prompt of bad; its prompts match 'a{2}', such as 'aa', and fit 5"
        " tokens with their answer",
        "run",
        "bad.py",
        "ab",
    ),
    program(
        "a prompt that is too long",
        claiming("answers('a*', str)"),
        "'aaaaaa' is not a prompt of bad; its prompts match 'a*', such as 'aaaaa', and"
        " fit 5 tokens with their answer",
        "run",
        "bad.py",
        "aaaaaa",
    ),
]

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
        "the directory folder holds no program.json; `handcraft build` writes one",
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
        "the prompt is empty; it needs at least one of the tokens a, b",
        "run",
        "ok.py",
        "",
    ),
    arguments(
        "an empty context",
        "the prompt is empty; it needs at least one of the tokens a, b",
        "trace",
        "ok.py",
        "",
    ),
    arguments(
        "an unknown token",
        "no token matches 'c' at character 2 of the prompt; the vocabulary is a, b",
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
        "the prompt is empty; it needs at least one of the tokens a, b",
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
        "one program to compare", re.compile("(?i).*missing argument.*"), "diff", "aab"
    ),
    arguments("no name for a new program", re.compile("(?i).*name.*"), "new"),
    arguments(
        "an argument too many", re.compile(".*more.*"), "run", "ok.py", "a", "more"
    ),
    arguments(
        "tokens by the word", re.compile(".*-n.*"), "run", "ok.py", "a", "-n", "ten"
    ),
    arguments(
        "fewer tokens than none", re.compile(".*-n.*"), "run", "ok.py", "a", "-n", "-1"
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


def refused(case: Case) -> None:
    """Run the case with and without --json: both say the same, and leave the folder as it was."""
    before = files(Path.cwd())
    for options in ([], ["--json"] if case.argv[-1] != "--out" else []):
        result = handcraft(*case.argv, *options)
        assert not any(jargon in result.err for jargon in JARGON), result.err
        assert result.err.count("\n") == 1
        message = result.refusal
        if isinstance(case.message, str):
            assert message == case.message
        else:
            assert case.message.fullmatch(message), message
        assert files(Path.cwd()) == before


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a good program, a folder, a text and a huge file."""
    monkeypatch.chdir(tmp_path)
    Path("ok.py").write_text(
        "from handcraft import *\nprogram = Program(embedding=(position(5),"
        " token('ab')))\n"
    )
    Path("folder").mkdir()
    Path("notes.txt").write_text("no program")
    return tmp_path


@pytest.mark.parametrize("case", PROGRAMS, ids=lambda case: case.name)
def test_a_program_that_is_refused(case: Case) -> None:
    """A wrong program is named with the path to the rule and the author's file and line."""
    Path("bad.py").write_text(START + str(case.text))
    refused(case)


@pytest.mark.parametrize("case", [*ARGUMENTS, *USAGE], ids=lambda case: case.name)
def test_arguments_that_are_refused(case: Case) -> None:
    """A wrong argument is named, and where there is a near one it is suggested."""
    Path("large.py").write_text("#" * (2**20 + 1))
    refused(case)


def test_the_example_of_the_design() -> None:
    """The message that the design promises, with the author's file and line."""
    text = (
        'p, t = position(5), token("ab")\nprogram = Program(embedding=(p, t),'
        " layers=(Head(query=p, key=t, value=t, output=t),))\n"
    )
    Path("aab.py").write_text("from handcraft import *\n" + text)
    message = (
        "aab > layers[0] > query: asks about position (5 lanes) but the key offers"
        " token (2 lanes) (aab.py:3)"
    )
    assert handcraft("run", "aab.py", "a") == Result(2, "", f"error: {message}\n")


@pytest.mark.parametrize(
    ("name", "path"), [("my program", "my_program"), ("é", "_"), ("other", "other")]
)
def test_a_path_names_the_program_once(name: str, path: str) -> None:
    """Where a file's name is no program's name, the path does not start twice."""
    Path(f"{name}.py").write_text(
        START + "program = Program(embedding=(p, t), claim=after({'aa': 'c'}))"
    )
    result = handcraft("run", f"{name}.py", "a")
    assert result.code == 2
    assert result.err.count(" > ") == 1
    assert path in result.err


def test_a_program_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that the system refuses is one error."""

    def fail(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", fail)
    assert handcraft("run", "ok.py", "a") == Result(
        2, "", "error: ok.py cannot be read: Permission denied\n"
    )


# ---------------------------------------------------------------- built directories


@dataclass(frozen=True)
class Built:
    """The files of a built aab, to be damaged."""

    directory: Path

    @property
    def json(self) -> Path:
        """program.json."""
        return self.directory / "program.json"

    @property
    def weights(self) -> Path:
        """model.safetensors."""
        return self.directory / "model.safetensors"

    def edit(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Change the fields of program.json."""
        fields = json.loads(self.json.read_text())
        change(fields)
        self.json.write_text(json.dumps(fields))

    def sign(self, data: bytes) -> None:
        """Other weights, under a SHA-256 that matches: a careful forger's work."""
        self.weights.write_bytes(data)
        self.edit(lambda fields: fields.update(sha256=hashlib.sha256(data).hexdigest()))

    def arrays(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Change the arrays, and sign them."""
        from safetensors.numpy import load, save

        arrays = {
            name: array.copy()
            for name, array in load(self.weights.read_bytes()).items()
        }
        change(arrays)
        self.sign(save(arrays))

    def header(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Change the header of the weight file, and sign it."""
        data = self.weights.read_bytes()
        (size,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8 : 8 + size])
        change(header)
        text = json.dumps(header).encode()
        self.sign(struct.pack("<Q", len(text)) + text + data[8 + size :])


@dataclass(frozen=True)
class Damage:
    """A name, what is done to a built directory, and the message after the file's name."""

    name: str
    do: Callable[[Built], object]
    message: str | re.Pattern[str]


def fields(name: str, message: str | re.Pattern[str], /, **changes: Any) -> Damage:
    """Fields of program.json that are replaced."""
    return Damage(
        name, lambda built: built.edit(lambda found: found.update(changes)), message
    )


def bare(name: str, message: str, /, **changes: Any) -> Damage:
    """Fields of a program.json without rules that are replaced."""
    return fields(name, message, program=None, provenance={}, **changes)


def rules(
    name: str,
    change: Callable[[dict[str, Any]], object],
    message: str | re.Pattern[str],
) -> Damage:
    """The rules in program.json, changed."""
    return Damage(
        name, lambda built: built.edit(lambda found: change(found["program"])), message
    )


def claim(name: str, message: re.Pattern[str], /, **value: Any) -> Damage:
    """The claim in program.json, replaced."""
    return rules(name, lambda found: found.update(claim=value), message)


def text(name: str, old: str, new: str, message: str | re.Pattern[str]) -> Damage:
    """A piece of the text of program.json, replaced once."""
    return Damage(
        name,
        lambda built: built.json.write_text(
            built.json.read_text().replace(old, new, 1)
        ),
        message,
    )


JSON, WEIGHTS = "built/program.json", "built/model.safetensors"
REFUSED = re.compile(r"built/program\.json: .+")
DAMAGED = [
    # the weight file
    Damage(
        "weights missing", lambda b: b.weights.unlink(), f"{WEIGHTS} does not exist"
    ),
    Damage(
        "weights truncated",
        lambda b: b.weights.write_bytes(b.weights.read_bytes()[:-4]),
        re.compile(
            rf"{WEIGHTS} is not the file that was built: its SHA-256 is"
            r" [0-9a-f]{12}\.\.\., expected [0-9a-f]{12}\.\.\."
        ),
    ),
    Damage(
        "weights altered",
        lambda b: b.weights.write_bytes(b.weights.read_bytes()[:-4] + b"\0\0\0\1"),
        re.compile(rf"{WEIGHTS} is not the file that was built: .*"),
    ),
    Damage(
        "weights a folder",
        lambda b: (b.weights.unlink(), b.weights.mkdir()),
        f"{WEIGHTS} is not a file",
    ),
    Damage(
        "weights truncated and signed",
        lambda b: b.sign(b.weights.read_bytes()[:-4]),
        re.compile(rf"{WEIGHTS}: not a whole safetensors file: .*"),
    ),
    Damage(
        "weights empty and signed",
        lambda b: b.sign(b""),
        f"{WEIGHTS}: not a whole safetensors file: its header is cut off or too long",
    ),
    Damage(
        "weights with a tail",
        lambda b: b.sign(b.weights.read_bytes() + b"tail"),
        re.compile(rf"{WEIGHTS}: not a whole safetensors file: .*"),
    ),
    Damage(
        "a header of 2**63 bytes",
        lambda b: b.sign(struct.pack("<Q", 2**63) + b"{}"),
        f"{WEIGHTS}: not a whole safetensors file: its header is cut off or too long",
    ),
    Damage(
        "a weight of NaN",
        lambda b: b.arrays(lambda a: a["wte"].fill(float("nan"))),
        f"{WEIGHTS}: wte holds a value that is not finite",
    ),
    Damage(
        "a weight of infinity",
        lambda b: b.arrays(lambda a: a["wpe"].fill(float("inf"))),
        f"{WEIGHTS}: wpe holds a value that is not finite",
    ),
    Damage(
        "weights past float32",
        lambda b: b.arrays(
            lambda a: a.update({k: v.astype("float64") * 1e300 for k, v in a.items()})
        ),
        re.compile(r"built/.*(finite|float32).*"),
    ),
    Damage(
        "weights of whole numbers",
        lambda b: b.arrays(lambda a: a.update(wte=a["wte"].astype("int32"))),
        f"{WEIGHTS}: wte is not an array of float32 or float64 or float16",
    ),
    Damage(
        "a weight of another name",
        lambda b: b.arrays(lambda a: a.update({"../../x": a["wte"]})),
        f"{WEIGHTS}: '../../x' is not the name of a GPT-2 weight, such as"
        " blocks.0.attn.c_attn.w",
    ),
    Damage(
        "a weight missing",
        lambda b: b.arrays(lambda a: a.pop("wpe")),
        f"{WEIGHTS}: wpe is missing",
    ),
    Damage(
        "a bias missing",
        lambda b: b.arrays(lambda a: a.pop("blocks.0.attn.c_proj.b")),
        f"{WEIGHTS}: blocks.0.attn.c_proj.b is missing",
    ),
    Damage(
        "a weight of another shape",
        lambda b: b.arrays(
            lambda a: a.update({"blocks.0.attn.c_proj.b": a["wte"][0, :4].copy()})
        ),
        f"{JSON}: blocks.0.attn.c_proj.b has the shape (4,), but the program's has"
        " (8,)",
    ),
    Damage(
        "fewer positions than n_ctx",
        lambda b: b.arrays(lambda a: a.update(wpe=a["wpe"][:4].copy())),
        f"{JSON}: n_ctx is 5, but wpe has 4 rows",
    ),
    Damage(
        "weights of 4 TiB",
        lambda b: b.header(
            lambda h: h["wte"].update(shape=[2**40], data_offsets=[0, 2**42])
        ),
        re.compile(rf"{WEIGHTS}: not a whole safetensors file: .*"),
    ),
    Damage(
        "weights that overlap",
        lambda b: b.header(
            lambda h: h["wpe"].update(data_offsets=h["wte"]["data_offsets"])
        ),
        re.compile(rf"{WEIGHTS}: not a whole safetensors file: .*"),
    ),
    # program.json as text
    Damage(
        "program.json a folder",
        lambda b: (b.json.unlink(), b.json.mkdir()),
        "the directory built holds no program.json; `handcraft build` writes one",
    ),
    Damage(
        "program.json missing",
        lambda b: b.json.unlink(),
        "the directory built holds no program.json; `handcraft build` writes one",
    ),
    Damage(
        "program.json empty",
        lambda b: b.json.write_text(""),
        re.compile(rf"{JSON}: not valid JSON: .*"),
    ),
    Damage(
        "program.json cut off",
        lambda b: b.json.write_text(b.json.read_text()[:-9]),
        re.compile(rf"{JSON}: not valid JSON: .*"),
    ),
    Damage(
        "program.json in another encoding",
        lambda b: b.json.write_bytes(b"\xff\xfe{}"),
        re.compile(rf"{JSON}: not valid JSON: .*"),
    ),
    Damage(
        "program.json a list",
        lambda b: b.json.write_text("[]"),
        f"{JSON}: the JSON must be an object, found list",
    ),
    Damage(
        "program.json too deep",
        lambda b: b.json.write_text("[" * 100_000 + "]" * 100_000),
        f"{JSON}: the JSON is nested deeper than 128",
    ),
    Damage(
        "program.json too large",
        lambda b: b.json.write_text(" " * (2**20 + 1)),
        f"{JSON} has 1048577 bytes; at most 1048576 are read",
    ),
    text(
        "a key twice",
        '"n_ctx": 5',
        '"n_ctx": 5, "n_ctx": 5',
        f"{JSON}: the key 'n_ctx' stands twice in the JSON",
    ),
    text("a NaN", '"n_ctx": 5', '"n_ctx": NaN', f"{JSON}: NaN is not a number of JSON"),
    text(
        "an infinity",
        '"n_ctx": 5',
        '"n_ctx": -Infinity',
        f"{JSON}: -Infinity is not a number of JSON",
    ),
    text(
        "a number of 5000 digits",
        '"n_ctx": 5',
        f'"n_ctx": {"1" * 5000}',
        re.compile(rf"{JSON}: .*"),
    ),
    # the fields of program.json
    *(
        Damage(
            f"{key} missing",
            lambda b, key=key: b.edit(lambda f: f.pop(key)),
            f"{JSON}: it has no {key!r}",
        )
        for key in (
            "name",
            "vocab",
            "n_ctx",
            "n_head",
            "activation",
            "sha256",
            "program",
            "provenance",
        )
    ),
    fields(
        "an unknown field", f"{JSON}: it has an unknown field 'surprise'", surprise=1
    ),
    fields(
        "a newer format",
        f"{JSON}: it is of format 3, made by a newer handcraft; this one reads formats"
        " 1 to 2",
        format=3,
    ),
    fields(
        "a format that is a text",
        f"{JSON}: 'format' must be a whole number, found '2'",
        format="2",
    ),
    fields(
        "a name of another type", f"{JSON}: 'name' must be of type str, found 7", name=7
    ),
    fields(
        "a window that is a truth value",
        f"{JSON}: 'n_ctx' must be of type int, found True",
        n_ctx=True,
    ),
    fields(
        "a window that is a fraction",
        f"{JSON}: 'n_ctx' must be of type int, found 5.0",
        n_ctx=5.0,
    ),
    fields(
        "heads that are a text",
        f"{JSON}: 'n_head' must be of type int, found '1'",
        n_head="1",
    ),
    fields(
        "a name with ../", f"{JSON}: '../aab' is no name of a program", name="../aab"
    ),
    fields("an empty name", f"{JSON}: '' is no name of a program", name=""),
    fields(
        "a window of a billion",
        f"{JSON}: n_ctx must be 1 to 1048576, found 1000000000",
        n_ctx=10**9,
    ),
    fields("a window of 0", f"{JSON}: n_ctx must be 1 to 1048576, found 0", n_ctx=0),
    fields("another window", f"{JSON}: n_ctx is 6, but wpe has 5 rows", n_ctx=6),
    fields(
        "another activation",
        f"{JSON}: the activation must be gelu or relu, found 'swish'",
        activation="swish",
    ),
    fields("no head", f"{JSON}: n_head is 0, but the program's is 1", n_head=0),
    fields(
        "fewer heads than none",
        f"{JSON}: n_head is -1, but the program's is 1",
        n_head=-1,
    ),
    fields(
        "more heads than the rules have",
        f"{JSON}: n_head is 2, but the program's is 1",
        n_head=2,
    ),
    fields(
        "an activation that the rules do not have",
        f"{JSON}: activation is relu, but the program's is gelu",
        activation="relu",
    ),
    fields(
        "tokens that the rules do not have",
        f"{JSON}: vocab is ['b', 'a'], but the program's is ['a', 'b']",
        vocab=["b", "a"],
    ),
    fields(
        "a token of another type",
        f"{JSON}: vocab is [1, 2], but the program's is ['a', 'b']",
        vocab=[1, 2],
    ),
    fields(
        "a token twice",
        f"{JSON}: vocab is ['a', 'a'], but the program's is ['a', 'b']",
        vocab=["a", "a"],
    ),
    fields(
        "more tokens than rows",
        f"{JSON}: vocab is ['a', 'b', 'c'], but the program's is ['a', 'b']",
        vocab=["a", "b", "c"],
    ),
    fields(
        "rules that are a list",
        re.compile(rf"{JSON}: .*program.*found \[\]"),
        program=[],
    ),
    fields(
        "rules that are a text",
        re.compile(rf"{JSON}: .*program.*found '?aab'?"),
        program="aab",
    ),
    fields(
        "another SHA-256",
        re.compile(rf"{WEIGHTS} is not the file that was built: .*"),
        sha256="0" * 64,
    ),
    # the same without rules, where only the weights can contradict
    bare(
        "no rules and no head",
        f"{JSON}: n_embd 8 must be a positive multiple of n_head 0, and no matrix"
        " empty",
        n_head=0,
    ),
    bare(
        "no rules and fewer heads than none",
        f"{JSON}: n_embd 8 must be a positive multiple of n_head -1, and no matrix"
        " empty",
        n_head=-1,
    ),
    bare(
        "no rules and a token of another type",
        f"{JSON}: a token must be a non-empty text, found 1",
        vocab=[1, 2],
    ),
    bare(
        "no rules and a token twice",
        f"{JSON}: the token 'a' stands twice in the vocabulary",
        vocab=["a", "a"],
    ),
    bare(
        "no rules and more tokens than rows",
        f"{JSON}: 3 tokens, but wte has 2 rows",
        vocab=["a", "b", "c"],
    ),
    # the rules in program.json
    rules(
        "rules with an unknown key",
        lambda r: r.update(bogus=1),
        re.compile(rf"{JSON}: aab > bogus: has no such argument; it takes .*"),
    ),
    rules(
        "rules without layers",
        lambda r: r.update(layers=[]),
        re.compile(rf"{JSON}: .*layers?.*"),
    ),
    rules(
        "rules with a layer more",
        lambda r: r["layers"].append(r["layers"][0]),
        re.compile(rf"{JSON}: .*layers?.*"),
    ),
    rules(
        "rules of another window",
        lambda r: r.update(n_ctx=10**9),
        re.compile(
            rf"{JSON}: aab > n_ctx: the context window must be 1 to 1048576; found"
            r" 1000000000.*"
        ),
    ),
    rules(
        "rules of an unknown lane",
        lambda r: r["layers"][0]["heads"][0].update(output={"nowhere": {"v": 1}}),
        re.compile(
            rf"{JSON}: aab > layers\[0\] > output: nowhere is not a lane of the"
            r" embedding .*"
        ),
    ),
    rules(
        "rules past float32",
        lambda r: r["layers"][0]["heads"][0]["output"].update({"token:a": {"v": 1e39}}),
        re.compile(r"built/program\.json: .*past the range of float32.*"),
    ),
    rules(
        "rules past every float",
        lambda r: r["layers"][0]["heads"][0]["output"].update(
            {"token:a": {"v": 10**400}}
        ),
        REFUSED,
    ),
    rules(
        "rules with a wider embedding",
        lambda r: r["embedding"].append(r["embedding"][2] | {"name": "w"}),
        f"{JSON}: wte has the shape (2, 8), but the program's has (2, 9)",
    ),
    claim(
        "a claim of another kind",
        re.compile(rf"{JSON}: aab > claim: .*bogus.*"),
        kind="bogus",
    ),
    claim(
        "a claim on an unknown token",
        re.compile(
            rf"{JSON}: aab > claim: the token 'z' is not in the vocabulary a, b.*"
        ),
        kind="after",
        table=[["aa", "z"]],
    ),
    claim(
        "a claim of no entry",
        re.compile(rf"{JSON}: aab > claim: .*at least one entry.*"),
        kind="after",
        table=[],
    ),
    claim(
        "prompts that never close",
        re.compile(rf"{JSON}: aab > claim.*this \( is never closed.*"),
        kind="answers",
        prompts="(a",
        answer="f",
    ),
    claim(
        "prompts nested too deep",
        re.compile(rf"{JSON}: aab > claim.*it is nested deeper than 50.*"),
        kind="answers",
        prompts="(" * 3000 + "a" + ")" * 3000,
        answer="f",
    ),
    claim(
        "prompts repeated without end",
        re.compile(
            rf"{JSON}: aab > claim.*it has more than 2000 characters, repetitions"
            r" written out.*"
        ),
        kind="answers",
        prompts="a{0,4000}",
        answer="f",
    ),
]


@pytest.fixture
def built(here: Path) -> Built:
    """A freshly built aab."""
    assert handcraft("build", "aab", "--out", "built").code == 0
    return Built(Path("built"))


@pytest.mark.parametrize("damage", DAMAGED, ids=lambda damage: damage.name)
def test_a_built_directory_that_is_refused(damage: Damage, built: Built) -> None:
    """A built directory is someone else's data: whatever is amiss, it is refused, and the same
    for every command.
    """
    damage.do(built)
    for argv in (
        ["run", "built", "aa"],
        ["explain", "built"],
        ["trace", "built", "aab"],
        ["verify", "built"],
        ["diff", "built", "aab"],
    ):
        refused(Case(damage.name, None, damage.message, argv))


def test_a_directory_of_other_rules_is_refused(built: Built) -> None:
    """Rules of another program beside the weights of aab explain nothing: their shapes differ."""
    handcraft("build", "abc", "--out", "other")
    other = json.loads(Path("other/program.json").read_text())["program"]
    built.edit(lambda found: found.update(program=other))
    for argv in (
        ["run", "built", "aa"],
        ["explain", "built"],
        ["trace", "built", "aab"],
    ):
        refused(Case("other rules", None, REFUSED, argv))


def test_a_directory_without_rules_still_runs(built: Built) -> None:
    """Weights alone are a model: they run and can be shown by number, but there is nothing to
    verify.
    """
    built.edit(lambda found: found.update(program=None, provenance={}))
    assert handcraft("run", "built", "a", "-n", "10").out == "baabaabaab\n"
    for argv in (
        ["explain", "built"],
        ["trace", "built", "aab"],
        ["diff", "built", "aab"],
    ):
        assert handcraft(*argv).code == 0
    refused(
        Case(
            "no rules",
            None,
            "aab: has no claim to verify; pass claim= to Program",
            ["verify", "built"],
        )
    )


@pytest.mark.parametrize(
    "prompts",
    [
        "((a{4096}){4096}){4096}",
        "(((a?){4096}){4096}){4096}",
        "(((){4096}){4096}){4096}",
    ],
)
def test_prompts_that_would_fill_the_memory_are_refused(
    prompts: str, built: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nested repetitions multiply: the expression is refused before it is written out."""
    from handcraft.claims import regex as module

    read, count = module._Parser.atom, itertools.count()

    def counted(parser: module._Parser) -> module.Piece:
        if next(count) > 10**5:
            raise MemoryError("the expression is being written out")
        return read(parser)

    monkeypatch.setattr(module._Parser, "atom", counted)
    built.edit(
        lambda found: found["program"].update(
            claim={"kind": "answers", "prompts": prompts, "answer": "f"}
        )
    )
    refused(Case(prompts, None, REFUSED, ["run", "built", "aa"]))
