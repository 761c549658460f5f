"""Program files that are refused, and in which words.

The program texts follow the two lines of START, so that their own first line is line 3.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cli_runner import Result, handcraft
from refusing import START, Case, program, refused_program

pytestmark = pytest.mark.usefixtures("beside_ok")


WHOLE = "from 1 to 1048576"
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
    program(
        "it leaves", "raise SystemExit(0)", "bad: SystemExit: 0 (bad.py:3)"
    ),
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
        re.compile(
            r"bad: (SyntaxError|ValueError): .*null bytes.* \(bad\.py.*\)"
        ),
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
        "a missing argument",
        "Program()",
        "bad > embedding: is required (bad.py:3)",
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
        "bad: token has no lane 'c'; its lanes are 'a', 'b' (bad.py:3)",
    ),
    program(
        "a lane nearly right",
        "scratch('m', ['left', 'right'])['rihgt']",
        "bad: m has no lane 'rihgt'; its lanes are 'left', 'right'; did you mean 'right'?"
        " (bad.py:3)",
    ),
    program(
        "a lane of no slot of the program",
        "program = Program(embedding=(p, t), layers=(\n  Head(value={v: t['a']},"
        " adds={t['a']: v}),))",
        "bad > layers[0] > value: v is not a lane of the embedding (those are position,"
        " token) (bad.py:4)",
    ),
    program(
        "lanes without a partner",
        "Head(value={v: t}, adds=t)",
        "bad > Head > value: v is one lane, and the expression has token (2 lanes):"
        " choose one of them, such as token['a'], or add them up with .sum() (bad.py:3)",
    ),
    program(
        "query and key of different spaces",
        "Program(embedding=(p, t), layers=(\n  Head(query=p, key=t, value=t,"
        " adds=t),))",
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
        "scratch('x-y')",
        "bad > scratch: a slot's name must be an identifier, found 'x-y' (bad.py:3)",
    ),
    program(
        "a label twice",
        "scratch('m', 'aa')",
        "bad > scratch: the labels of m must be distinct, and at least one; 'a' stands"
        " twice (bad.py:3)",
    ),
    # tokens
    program(
        "a token twice",
        "token('aba')",
        "bad > token: a text is one token for each letter, and 'a' stands twice in"
        " 'aba'; words are given as a list: token(['aba']) (bad.py:3)",
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
        re.compile(
            r"bad.*: a token must be a non-empty text, found '' \(bad\.py:3\)"
        ),
    ),
    program(
        "a table of an unknown token",
        "Program(embedding=(p, t, slot('x', token={'aa': 1})), vocabulary='ab')",
        "bad > embedding[2]: x names the token 'aa', which is not in the vocabulary"
        " (bad.py:3)",
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
        f"bad > position: n_ctx must be a whole number {WHOLE}, found 0 (bad.py:3)",
    ),
    program(
        "a window of a billion",
        "position(10**9)",
        f"bad > position: n_ctx must be a whole number {WHOLE}, found 1000000000 (bad.py:3)",
    ),
    program(
        "a window that is no whole number",
        "position(2.5)",
        f"bad > position: n_ctx must be a whole number {WHOLE}, found 2.5 (bad.py:3)",
    ),
    program(
        "a window that is a truth value",
        "position(True)",
        f"bad > position: n_ctx must be a whole number {WHOLE}, found True (bad.py:3)",
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
        " positions: pass n_ctx= to Program (bad.py:3)",
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
        "bad > position: a lane for each of 12000 positions is more than 8192; hold the position"
        " itself: position(n, p=...) (bad.py:3)",
    ),
    program(
        "heads of a billion lanes",
        "Program(embedding=(p, t), d_head=10**9)",
        re.compile(r"bad > \w+: .*at most .* \(bad\.py:3\)"),
    ),
    # numbers
    program(
        "NaN",
        "float('nan') * p",
        "bad: a weight must be finite, found nan (bad.py:3)",
    ),
    program(
        "infinity",
        "p + float('inf')",
        "bad: a weight must be finite, found inf (bad.py:3)",
    ),
    program(
        "infinity in a table",
        "slot('x', token={'a': float('inf')})",
        "bad > slot: a weight must be finite, found inf (bad.py:3)",
    ),
    program(
        "past float32",
        "program = Program(embedding=(p, t, v), layers=(\n  Head(value={v: t['a']},"
        " adds={t['a']: 1e39 * v}),))",
        "bad > layers[0] > adds: writes 1e+39 into blocks.0.attn.c_proj.w, past the"
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
        "bad: an expression can only be multiplied by a number, found True"
        " (bad.py:3)",
    ),
    program(
        "a text",
        "'x' + p",
        "bad: an expression is made of lanes, slots and numbers, found str 'x';"
        " a lane is written slot['label'] (bad.py:3)",
    ),
    program(
        "division by zero",
        "p / 0",
        "bad: division of an expression by zero (bad.py:3)",
    ),
    program(
        "division by an expression",
        "1 / p",
        re.compile(r"bad: .* \(bad\.py:3\)"),
    ),
]


@pytest.mark.parametrize("case", PROGRAMS, ids=lambda case: case.name)
def test_a_program_that_is_refused(case: Case) -> None:
    """A wrong program is named with the path to the rule and the author's file and line."""
    refused_program(case)


def test_the_example_of_the_design() -> None:
    """The message that the design promises, with the author's file and line."""
    text = (
        'p, t = position(5), token("ab")\nprogram = Program(embedding=(p, t),'
        " layers=(Head(query=p, key=t, value=t, adds=t),))\n"
    )
    Path("aab.py").write_text("from handcraft import *\n" + text)
    message = (
        "aab > layers[0] > query: asks about position (5 lanes) but the key offers"
        " token (2 lanes) (aab.py:3)"
    )
    assert handcraft("run", "aab.py", "a") == Result(
        2, "", f"error: {message}\n"
    )


@pytest.mark.parametrize(
    ("name", "path"),
    [("my program", "my_program"), ("é", "_"), ("other", "other")],
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
