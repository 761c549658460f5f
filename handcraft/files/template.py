"""Writes the program that `handcraft new` creates: small, correct, and easy to change.

Rules of this file: an existing file is never overwritten; the program verifies.
"""

from __future__ import annotations

from pathlib import Path

from handcraft.core.errors import ProgramError, printable
from handcraft.core.frozen import NAME
from handcraft.core.writing import write_atomically

TEMPLATE = '''"""Says what {name} does: repeats the token before the current one."""

from handcraft import Head, Program, after, position, token

LARGE = 1024  # so large that softmax sees only the position the query names

p = position(8)  # one-hot: where am I?
t = token("ab")  # one-hot: which token is here?

previous = Head(
    query=LARGE * p.previous,  # attend to the position before mine
    value=t,
    adds=LARGE * t,
)

# After a single token nothing is claimed.
program = Program(
    embedding=(p, t),
    layers=(previous,),
    claim=after({{"aa": "a", "ab": "a", "ba": "b", "bb": "b"}}),
)
'''


def starting_program(name: str, path: Path) -> Path:
    """Write the starting program and return its path.

    Raises ProgramError for a name with other characters than a program's, or a file that exists.
    """
    if not NAME.fullmatch(name):
        raise ProgramError(
            f"a name is made of letters, digits, _ . and -, found '{printable(name)}'"
        )
    if path.exists():
        raise ProgramError(
            f"{path} exists; choose another name, or remove it first"
        )
    write_atomically(path, TEMPLATE.format(name=name).encode())
    return path
