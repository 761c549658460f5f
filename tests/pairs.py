"""Programs of pairs of letters, as files in the working directory."""

from __future__ import annotations

from pathlib import Path

PROGRAMS = Path(__file__).parent.parent / "programs"
BUNDLED = ["aab", "abc", "adder", "baby_gpt", "copy_previous", "induction"]
AAB_SIZES = {"n_layer": 1, "n_head": 1, "n_embd": 8, "n_vocab": 2, "n_ctx": 5}
RULES = """
from handcraft import *
p, t, v = position(5), token("ab"), scratch("v")
pair = Head(query=1024 * (p + p.previous), key=p, value={v: t["a"] - t["b"]},
            adds={t["a"]: 1024 - 1024 * v, t["b"]: 1024 * v})
program = Program(embedding=(p, t, v), layers=(pair,), claim=%s)
"""
# the first entry is wrong
BACKWARDS = RULES % 'after({"aa": "a", "ab": "a", "ba": "a"})'
BY_FUNCTION = (
    RULES
    % 'lambda context: {"aa": "b", "ab": "a", "ba": "a"}.get(context[-2:])'
)
SILENT = RULES % "lambda context: None"
UNCLAIMED = RULES % "None"


def write(name: str, text: str) -> str:
    """A program file in the working directory."""
    Path(name).write_text(text)
    return name
