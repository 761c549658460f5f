"""The same expression compiles to the same program in every run."""

from __future__ import annotations

import os
import sys
from subprocess import run

COMPILED = """
from handcraft import tag
from handcraft.sequence import count, fetch, indices, there, tokens

earlier = there(indices) < indices
rank = count((there(tokens) < tokens) | (there(tokens) == tokens) & earlier)
e = fetch(tokens, there(rank) == indices)
print(tag(e, tokens="abcdefghij", n=5).layers)
"""


def test_a_program_does_not_depend_on_how_python_orders_its_sets() -> None:
    """Each run of Python hashes texts anew; the terms of every rule stand in one order still."""
    said = {
        run(
            [sys.executable, "-c", COMPILED],
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1
