"""Reads back what was written: a text that makes another program is refused.

Rules of this file: before a text is executed it is checked to consist of imports, calls and
assignments of our own words, variables and literals, so that no name in a program can become code.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from handcraft.claims.functions import Callback
from handcraft.core.errors import ProgramError, printable
from handcraft.files.program_file import program_in
from handcraft.program.program import Program
from handcraft.sequence import words as sequence_words

HOMES = {  # where the words of a file come from, in the order of its imports
    "handcraft": (
        *("Head", "Lane", "MLP", "Neuron", "Program", "Slot", "after"),
        *("answers", "distribution", "each", "last", "local", "position"),
        *("residual", "scratch", "slot", "token", "transducer"),
    ),
    "handcraft.claims.kinds": ("After", "Distribution"),
    "handcraft.sequence": tuple(sequence_words.__all__),
}
_ATTRIBUTES = {"back", "get", "labels", "previous", "sum"}
_CALLED = {"int", "map", "max", "min", "range", "str"}


def check_read_back(text: str, program: Program) -> None:
    """Raise ProgramError unless the text is code of ours that makes the same program."""
    check_code(ast.parse(text))
    try:
        again = program_in(text, program.name)
    except ProgramError as error:
        raise ProgramError(
            f"its text cannot be read back ({error.message}); keep the program as a"
            " built directory",
            (program.name,),
        ) from None
    rule = program.claim and program.claim.rule
    claim = None if isinstance(rule, Callback) else program.claim
    for what, first, second in (
        *_slots(program, again),
        *_layers(program, again),
        ("the claim", claim, again.claim),
        ("the sizes", _plain(program), _plain(again)),
    ):
        if first != second:
            raise ProgramError(
                f"{what} has no notation that reads back as the same; keep the program"
                " as a built directory",
                (program.name,),
            )


def _plain(program: Program) -> tuple[Any, ...]:
    return (
        *(program.name, program.vocabulary, program.n_ctx, program.activation),
        *(program.causal, program.d_head),
        *(len(program.embedding), len(program.layers)),
    )


def _slots(a: Program, b: Program) -> Iterator[tuple[str, Any, Any]]:
    for one, other in zip(a.embedding, b.embedding, strict=False):
        yield f"the slot {one.name}", one, other


def _layers(a: Program, b: Program) -> Iterator[tuple[str, Any, Any]]:
    for i, (one, other) in enumerate(zip(a.layers, b.layers, strict=False)):
        for h, heads in enumerate(zip(one.heads, other.heads, strict=False)):
            yield f"layers[{i}] > heads[{h}]", *heads
        yield f"layers[{i}]", one, other


def check_code(tree: ast.Module) -> None:
    """Raise ProgramError unless a file only imports our words and assigns what they make."""
    known = {*_CALLED, *(word for words in HOMES.values() for word in words)}
    for statement in tree.body:
        _check_statement(statement, known)


def _check_statement(statement: ast.stmt, known: set[str]) -> None:
    """Raise ProgramError unless it is a docstring, an import of ours or an assignment."""
    if isinstance(statement, ast.Expr):
        ours = isinstance(statement.value, ast.Constant)
    elif isinstance(statement, ast.ImportFrom):
        words = HOMES.get(statement.module or "", ())
        ours = not statement.level and all(
            x.name in words and not x.asname for x in statement.names
        )
    elif isinstance(statement, ast.Assign):
        _check_value(statement.value, known)
        named = [*_assigned(statement)]
        ours = all(isinstance(target, ast.Name) for target in named)
        known |= {x.id for x in named if isinstance(x, ast.Name)}
    else:
        ours = False
    if not ours:
        raise _not_ours(statement)


def _assigned(statement: ast.Assign) -> Iterator[ast.expr]:
    """What is assigned to: variables side by side, each by itself."""
    for target in statement.targets:
        yield from target.elts if isinstance(target, ast.Tuple) else (target,)


def _check_value(value: ast.expr, known: set[str]) -> None:
    own = {
        node.id if isinstance(node, ast.Name) else node.arg
        for node in ast.walk(value)
        if (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
        or isinstance(node, ast.arg)
    }
    for node in ast.walk(value):
        if isinstance(node, ast.Name) and node.id not in known | own:
            raise _not_ours(node)
        if isinstance(node, ast.Attribute) and node.attr not in _ATTRIBUTES:
            raise _not_ours(node)


def _not_ours(node: ast.AST) -> ProgramError:
    return ProgramError(
        f"the text would hold code that is not ours: {printable(ast.unparse(node))[:60]}"
    )
