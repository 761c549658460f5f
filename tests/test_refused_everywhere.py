"""Two hundred bad inputs over all commands: each is refused with code 2 and one line, says nothing
on stdout, and leaves the folder as it was. The quick run takes each eighth.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from cli_runner import handcraft
from conftest import bundled_model

NEEDED = {  # what each command needs beside a program, so that the program alone is wrong
    "build": [],
    "explain": [],
    "run": ["a"],
    "trace": ["a"],
    "verify": [],
    "states": [],
    "read": [],
    "diff": ["ok.py"],
    "compare": ["ok.py"],
    "export": ["--to", "gpt2", "--out", "new"],
}
PROGRAMS = {  # what is no program
    "nothing": "",
    "a missing file": "missing.py",
    "a missing path": "far/away/missing.py",
    "a folder": "folder",
    "a text": "notes.txt",
    "a binary file": "binary.py",
    "a FIFO": "pipe",
    "a FIFO.py": "pipe.py",
    "a device": "/dev/null",
    "a link to itself": "loop.py",
    "a folder.py": "folder.py",
    "a long name": "a" * 300,
    "a control character": "\x1b[31m",
    "half a character": "\udcff",
    "empty": "empty.py",
    "not Python": "syntax.py",
    "raising": "raising.py",
    "leaving": "leaving.py",
    "another type": "other.py",
    "no text": "latin.py",
    "no JSON": "built_text",
    "a list": "built_list",
    "deep JSON": "built_deep",
    "no weights": "built_bare",
    "cut weights": "built_cut",
    "weights of noise": "built_noise",
    "a FIFO inside": "built_pipe",
}
FILES: dict[str, bytes] = {
    "notes.txt": b"no program",
    "binary.py": bytes(range(256)),
    "empty.py": b"",
    "syntax.py": b"program = (",
    "raising.py": b"raise ValueError('no')",
    "leaving.py": b"import sys; sys.exit(1)",
    "other.py": b"program = {'a': 'b'}",
    "latin.py": b"# caf\xe9\nprogram = 1",
    "folder.py/inside": b"",
    "folder/inside": b"",
    "proof.json": b'{"format": 2',
    "proof.json.gz": b"no gzip",
    "list.json": b"[]",
    "ok.py": b"from handcraft import *\n"
    b"program = Program(embedding=(position(5), token('ab')))\n",
}
PROMPTS = {  # what cannot be continued, traced or started from
    "nothing": [""],
    "another letter": ["abcab"],
    "a line break": ["a\n"],
    "half a character": ["a\udcff"],
    "a control character": ["\x1b[31m"],
    "no list": ["a", "--tokens"],
    "an object": ['{"a": 1}', "--tokens"],
    "numbers": ["[0, 1]", "--tokens"],
    "null": ["null", "--tokens"],
    "nested": ['[["a"]]', "--tokens"],
    "an unknown token": ['["a", "c"]', "--tokens"],
    "an empty list": ["[]", "--tokens"],
    "an empty token": ['[""]', "--tokens"],
    "half a pair": ['["\\ud800"]', "--tokens"],
    "cut JSON": ['["a', "--tokens"],
    "deep JSON": ["[" * 9999, "--tokens"],
    "a huge number": [f"[{'9' * 5000}]", "--tokens"],
    "another dtype": ["a", "--dtype", "float16"],
    "no dtype": ["a", "--dtype", ""],
}
OUTS = {  # where nothing can be written
    "a file": "notes.txt",
    "below a file": "notes.txt/new",
    "a FIFO": "pipe",
    "a device": "/dev/null",
    "below a device": "/dev/null/new",
    "no file system": "/proc/new",
    "a long name": "a" * 300,
    "a link to itself": "loop.py",
    "nothing": "",
}
NOT_WHOLE = ("", "x", "1.5", "nan", "-1", "1e3", "9" * 30, "٣")
NOT_REAL = ("", "x", "1,5")

CASES: list[tuple[str, list[str]]] = [
    *(
        (f"{command} {name}", [command, reference, *rest])
        for command, rest in NEEDED.items()
        for name, reference in PROGRAMS.items()
    ),
    *(
        (f"{command} on {name}", [command, "ok.py", *prompt])
        for command in ("run", "trace")
        for name, prompt in PROMPTS.items()
    ),
    *(
        (f"states {option} {name}", ["states", "aab", option, *prompt])
        for option in ("--from", "--avoid")
        for name, prompt in PROMPTS.items()
    ),
    *(
        (f"build into {name}", ["build", "ok.py", "--out", out])
        for name, out in OUTS.items()
    ),
    *(
        (
            f"export into {name}",
            ["export", "ok.py", "--to", "gpt2", "--out", out],
        )
        for name, out in OUTS.items()
    ),
    *(
        (f"certificate into {name}", ["verify", "aab", "--certificate", out])
        for name, out in OUTS.items()
        if name != "a file"
    ),
    *(
        (f"{option} {value}", [*argv, option, value])
        for argv, option in (
            (["run", "ok.py", "a"], "-n"),
            (["run", "ok.py", "a", "--sample"], "--seed"),
            (["verify", "aab"], "--jobs"),
            (["assumptions"], "--step"),
            (["states", "aab"], "--limit"),
        )
        for value in NOT_WHOLE
    ),
    *(
        (f"{argv[0]} {option} {value}", [*argv, option, value])
        for argv, option in (
            (["run", "ok.py", "a", "--sample"], "--temperature"),
            (["run", "ok.py", "a", "--sample"], "--top-p"),
            (["states", "aab"], "--floor"),
            (["states", "aab"], "--temperature"),
        )
        for value in (*NOT_REAL, "nan", "inf", "-inf", "-1")
    ),
    *(
        (f"proof {name}", ["verify", "aab", "--check", name])
        for name in (
            *("proof.json", "proof.json.gz", "list.json", "binary.py", "pipe"),
            *("folder", "missing", "", "/dev/null", "loop.py"),
        )
    ),
    *(
        (f"claim {name}", ["verify", "aab", "--program", reference])
        for name, reference in PROGRAMS.items()
    ),
    *(
        (f"picture {name}", ["states", "aab", "--save", name])
        for name in (
            *("a.png", "a", "", ".svg", "folder", "notes.txt/a.dot"),
            *("pipe.dot", "/dev/null", "/proc/a.dot", f"{'a' * 300}.dot"),
        )
    ),
    *(
        (f"part {part}", ["explain", "aab", part])
        for part in ("", "x", "7", "0.h1", "9.h0.q", "0.mlp", "wte.x", "\x1b")
    ),
    *(
        (f"new {name}", ["new", name])
        for name in (
            *("", "a b", "../a", "a/b", "\x1b", "ok", "ok.py", "é", ".py"),
            *("a" * 300, "pipe", "\udcff"),
        )
    ),
    *(
        (f"method {value}", ["verify", "aab", "--method", value])
        for value in ("", ",", "exact", "certificate,,sampled", "\n")
    ),
    *(
        (f"budget {value}", ["verify", "aab", f"--budget={value}"])
        for value in (
            "",
            "0",
            "-1",
            "1e9",
            "s",
            "nan",
            "nans",
            "infs",
            "9" * 40,
        )
    ),
    *(
        (f"runtime {value}", ["export", "aab", "--out", "new", f"--to={value}"])
        for value in ("", "torch", "GPT2", "\x1b")
    ),
    *((f"missing in {command}", [command]) for command in (*NEEDED, "new")),
    *(
        (f"unknown in {command}", [command, "--frobnicate"])
        for command in (*NEEDED, "new", "list", "assumptions")
    ),
    *(
        (f"too many in {command}", [command, *[x] * 9])
        for command, x in (("list", "a"), ("new", "a"), ("diff", "aab"))
    ),
    ("backend", ["verify", "aab", "--backend", "spark"]),
    (
        "check and write",
        ["verify", "aab", "--check", "a", "--certificate", "b"],
    ),
    ("norm", ["export", "aab", "--to", "gpt2", "--out", "new", "--norm", "x"]),
    ("draw greedily", ["run", "ok.py", "a", "--seed", "1"]),
    ("no command", ["frobnicate"]),
    ("an option alone", ["--frobnicate"]),
]
NAMES = [name for name, _ in CASES]
MACHINERY = re.compile(  # words that tell of the machine, not of the mistake
    r"Traceback|Frozen|discriminator|valid (dictionary|string|integer|number)|pydantic"
    r"|validation error|site-packages|\b_[a-z]+\.|handcraft\.\w+\.|NoneType|object at 0x"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that is no program. The tests share it: none may change it."""
    top = tmp_path_factory.mktemp("refused")
    for name, data in FILES.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(data)
    for name in ("pipe", "pipe.py", "pipe.dot"):
        os.mkfifo(top / name)
    (top / "loop.py").symlink_to("loop.py")
    bundled_model("aab").save(top / "built")
    for name in ("text", "list", "deep", "bare", "cut", "noise", "pipe"):
        shutil.copytree(top / "built", top / f"built_{name}")
    (top / "built_text/program.json").write_text("no JSON")
    (top / "built_list/program.json").write_text("[]")
    (top / "built_deep/program.json").write_text("[" * 100_000)
    (top / "built_bare/model.safetensors").unlink()
    weights = (top / "built/model.safetensors").read_bytes()
    (top / "built_cut/model.safetensors").write_bytes(weights[:-9])
    (top / "built_noise/model.safetensors").write_bytes(bytes(range(256)) * 9)
    (top / "built_pipe/model.safetensors").unlink()
    os.mkfifo(top / "built_pipe/model.safetensors")
    return top


def tree(top: Path) -> dict[str, Any]:
    """All that stands below a folder: its kind, its size and when it was changed."""
    return {
        str(path.relative_to(top)): (
            path.lstat().st_mode,
            path.lstat().st_size,
            path.lstat().st_mtime_ns,
        )
        for path in sorted(top.rglob("*"))
    }


def test_there_are_two_hundred() -> None:
    """Of every command, and each once."""
    assert len(CASES) >= 200
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize(
    "argv",
    [
        argv if i % 8 == 0 else pytest.param(argv, marks=pytest.mark.slow)
        for i, (_, argv) in enumerate(CASES)
    ],
    ids=NAMES,
)
def test_bad_input_is_refused(argv: list[str], folder: Path) -> None:
    """Code 2, one line that ends, no machinery; with --json the same in one object."""
    before = tree(folder)
    said = handcraft(*argv, cwd=folder)
    *usage, line = said.err.split("\n")[:-1]
    assert (said.code, said.out) == (2, ""), said
    assert re.fullmatch(r"error: \S.*", line), said
    assert all(above.startswith("usage: handcraft ") for above in usage)
    assert len(usage) <= 1
    assert not MACHINERY.search(said.err), said
    as_json = handcraft(*argv[:1], "--json", *argv[1:], cwd=folder)
    if argv[0] in (*NEEDED, "new", "list", "assumptions"):
        assert (as_json.code, as_json.out) == (2, "")
        assert json.loads(as_json.err) == {
            "error": line.removeprefix("error: ")
        }
        assert as_json.err.count("\n") == 1
    assert tree(folder) == before
