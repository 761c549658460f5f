"""Where prover and checker give up, found in their source, and the running package with one
such place left out.

    sites()             every `raise Undecided(...)` of the prover, every `raise Rejected(...)`
                        of the checker
    left_out(site)      the package with `pass` in its place
    edited(edit)        the package with one text of a function replaced

The source is compiled anew and the code of the functions that differ is put in place of theirs,
so that whoever holds such a function calls the changed one. A site is known by file, function
and message, so that the table survives lines that move; a text is looked for in the file as
`ast.unparse` writes it, so that it survives a formatter. Rules of this file: a text that does
not stand in its file exactly once is an error.
"""

from __future__ import annotations
import __future__

import ast
import importlib
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

from bugs import normalised

ROOT = Path(__file__).parents[3]
PROVER, CHECKER = "handcraft/proof/prover", "handcraft/proof/checker"
GIVES_UP = {
    PROVER: {"Undecided", "_doubt", "by_function"},
    CHECKER: {"Rejected"},
}
SHOWN = 60  # characters of a message that are kept in a site's name


@dataclass(frozen=True)
class Site:
    """One place: the file, the function, the message up to what is filled in, and which of
    several alike it is.
    """

    file: str
    function: str
    message: str
    number: int = 0

    @property
    def of_prover(self) -> bool:
        """Whether it is the prover's."""
        return self.file.startswith(PROVER)

    def __str__(self) -> str:
        number = f" #{self.number + 1}" if self.number else ""
        return f"{_place(self.file)}.{self.function}: {self.message}{number}"


@dataclass(frozen=True)
class Edit:
    """A bound or a count that is wrong: a text that stands in a file once, and what stands
    there instead.
    """

    file: str
    old: str
    new: str

    @property
    def of_prover(self) -> bool:
        """Whether it is the prover's."""
        return self.file.startswith(PROVER)

    def __str__(self) -> str:
        old, new = (" ".join(text.split()) for text in (self.old, self.new))
        return f"{_place(self.file)}: {new or 'nothing'} for {old}"


def _place(file: str) -> str:
    """The file without what all have in common: `checker/softmax`."""
    path = Path(file).with_suffix("")
    return f"{path.parent.name}/{path.name}"


# ------------------------------------------------------------ finding them


@cache
def sites() -> tuple[Site, ...]:
    """All of them, in the order of the source."""
    found: list[Site] = []
    for folder in GIVES_UP:
        for path in sorted((ROOT / folder).glob("*.py")):
            for site, _ in _raises(f"{folder}/{path.name}"):
                found.append(site)
    return tuple(found)


def _raises(
    file: str, tree: ast.Module | None = None
) -> Iterator[tuple[Site, ast.Raise]]:
    """The sites of a file with their statements."""
    names, seen = GIVES_UP[str(Path(file).parent)], dict[tuple[str, str], int]()
    for function, node in _statements(
        tree or ast.parse((ROOT / file).read_text()), ()
    ):
        call = node.exc
        if isinstance(call, ast.Call) and _called(call) in names:
            key = function, _message(call)
            number = seen[key] = seen.get(key, -1) + 1
            yield Site(file, *key, number), node


def _statements(
    node: ast.AST, path: tuple[str, ...]
) -> Iterator[tuple[str, ast.Raise]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Raise):
            yield ".".join(path), child
        named = isinstance(child, ast.FunctionDef | ast.ClassDef)
        inner = (*path, child.name) if named else path  # type: ignore[attr-defined]
        yield from _statements(child, inner)


def _called(call: ast.Call) -> str:
    return (
        call.func.attr
        if isinstance(call.func, ast.Attribute)
        else getattr(call.func, "id", "")
    )


def _message(call: ast.Call) -> str:
    """What is said, up to the first part that is filled in."""
    text = next(
        (
            a
            for a in call.args
            if isinstance(a, ast.JoinedStr | ast.Constant) and not _number(a)
        ),
        None,
    )
    if isinstance(text, ast.JoinedStr):
        first = text.values[0]
        last = text.values[-1]
        said = (
            first.value
            if isinstance(first, ast.Constant)
            else getattr(last, "value", "")
        )
    else:
        said = text.value if isinstance(text, ast.Constant) else _called(call)
    return str(said).strip()[:SHOWN].strip()


def _number(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and not isinstance(node.value, str)


# ------------------------------------------------------------ leaving one out


@contextmanager
def left_out(site: Site) -> Iterator[None]:
    """The package without this check. Raises ValueError where it is not there any more."""
    tree = ast.parse((ROOT / site.file).read_text())
    wanted = [node for found, node in _raises(site.file, tree) if found == site]
    if len(wanted) != 1:
        raise ValueError(f"there is no '{site}'")
    whole = ast.parse((ROOT / site.file).read_text())
    with _compiled(site.file, whole, _Without(wanted[0]).visit(tree)):
        yield


class _Without(ast.NodeTransformer):
    """A tree with `pass` for one statement."""

    def __init__(self, statement: ast.Raise) -> None:
        self.statement = statement

    def visit_Raise(
        self, node: ast.Raise
    ) -> ast.stmt:  # the name that ast asks for
        return (
            ast.copy_location(ast.Pass(), node)
            if node is self.statement
            else node
        )


@contextmanager
def edited(edit: Edit) -> Iterator[None]:
    """The package with a wrong bound. Raises ValueError where the text does not stand in its
    file once.
    """
    text = normalised(ROOT / edit.file)
    if text.count(edit.old) != 1:
        raise ValueError(
            f"{edit.file} holds {edit.old!r} {text.count(edit.old)} times"
        )
    wrong = ast.parse(text.replace(edit.old, edit.new))
    with _compiled(edit.file, ast.parse(text), wrong):
        yield


@contextmanager
def _compiled(file: str, whole: ast.Module, tree: ast.Module) -> Iterator[None]:
    """The module with the code of every function that the tree writes otherwise than the whole
    one does. Raises ValueError where there is none.
    """
    module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
    flags = __future__.annotations.compiler_flag
    old, new = (
        dict(_codes(compile(t, file, "exec", flags))) for t in (whole, tree)
    )
    changed = [name for name, code in new.items() if old.get(name) != code]
    if not changed:
        raise ValueError(f"nothing in {file} is changed by that")
    kept = [
        (function := _function(module, name), function.__code__)
        for name in changed
    ]
    try:
        for (function, _), name in zip(kept, changed, strict=True):
            function.__code__ = new[name]
        yield
    finally:
        for function, code in kept:
            function.__code__ = code


def _codes(code: CodeType, path: str = "") -> Iterator[tuple[str, CodeType]]:
    """The functions and methods of a module, with those inside them as a part of them."""
    for inner in code.co_consts:
        if isinstance(inner, CodeType) and not inner.co_name.startswith("<"):
            name = f"{path}{inner.co_name}"
            if inner.co_flags & inspect.CO_OPTIMIZED:
                yield name, inner
            else:
                yield from _codes(inner, name + ".")


def _function(module: Any, name: str) -> FunctionType:
    """A function by its name, whatever it is wrapped in. Raises TypeError for what is none."""
    found: Any = module
    for part in name.split("."):
        found = inspect.getattr_static(found, part)
    for attribute in ("fget", "func", "__func__", "__wrapped__"):
        found = (
            getattr(found, attribute, found)
            if not isinstance(found, FunctionType)
            else found
        )
    found = inspect.unwrap(found)
    if not isinstance(found, FunctionType):
        raise TypeError(f"{module.__name__} has no function {name}")
    return found
