"""Finds and loads programs: by path, by the name of a bundled program, or from a built directory.

A program file is code, and is executed; a built directory is data, as is a GPT-2 of Hugging Face
(files/checkpoint.py), and nothing in it is executed.
Rules of this file: any error in an author's file becomes one ProgramError with the file and line;
for a wrong name the nearest one is suggested.
"""

from __future__ import annotations

import ast
import contextlib
import re
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from handcraft.claims.functions import Callback
from handcraft.claims.kinds import CLAIM_KINDS, Claim
from handcraft.claims.words import as_claim
from handcraft.core.errors import (
    HandcraftError,
    ProgramError,
    hint,
    in_quotes,
    listing,
    printable,
)
from handcraft.core.nearest import nearest
from handcraft.core.paths import DIRECTORY, FILE, VACANT, kind_at
from handcraft.core.source import Source, without_source_lines
from handcraft.files.bundled import bundled
from handcraft.files.checkpoint_place import download_hint, is_checkpoint
from handcraft.files.pair import PROGRAM_JSON
from handcraft.program.program import Program, program_name
from handcraft.sequence.expression import Expression
from handcraft.sequence.shared import upwards

MAX_SOURCE = 2**20  # bytes of a program file
MAX_SHOWN = 80  # characters of a name that is no program's
_PROGRAMS = "a program is a .py file, a built directory or a bundled name"
PROGRAM_MODULE = (
    "handcraft_program_"  # and the file's stem: the name of its module
)


def find(reference: str) -> Path:
    """The path of the program file, built directory or checkpoint that the reference names.

    Raises ProgramError, with the nearest name, if there is none.
    """
    path = Path(reference)
    kind = _kind(path)
    if reference and kind == DIRECTORY:
        if _kind(path / PROGRAM_JSON) != VACANT:
            return path
        if reference not in bundled():
            if is_checkpoint(path):
                return path
            raise ProgramError(
                f"the directory {printable(reference)} holds neither {PROGRAM_JSON},"
                " which `handcraft build` writes, nor config.json, which a GPT-2 has"
            )
    if kind == FILE and path.suffix == ".py":
        return path
    if reference in bundled():
        return bundled()[reference]
    raise ProgramError(_not_found(path, reference, kind))


def _kind(path: Path) -> str:
    try:
        return kind_at(path)
    except OSError as error:
        raise ProgramError(
            f"{printable(str(path))} cannot be read: {error.strerror}"
        ) from None


def _not_found(path: Path, reference: str, kind: str) -> str:
    shown = printable(reference)
    shown = shown if len(shown) <= MAX_SHOWN else f"{shown[:MAX_SHOWN]}..."
    if kind == FILE:
        return f"{shown} is no program: {_PROGRAMS}{_around(path)}"
    if reference and kind not in (VACANT, DIRECTORY):
        return f"{shown} is {kind}: {_PROGRAMS}"
    is_path = path.suffix == ".py" or len(path.parts) > 1
    message = "there is no program " + (
        f"at {shown}" if is_path else f"'{shown}'"
    )
    with_suffix = Path(f"{reference}.py")
    if reference and _kind(with_suffix) == FILE:
        here = "./" if len(with_suffix.parts) == 1 else ""
        return f"{message}; did you mean {in_quotes(f'{here}{with_suffix}')}?"
    if is_path:
        return message + (_hub_hint(reference) or _nearest_file(path))
    return message + (
        _hub_hint(reference)
        or _bundled_hint(reference)
        or "; `handcraft list` shows the bundled ones"
    )


def _around(path: Path) -> str:
    """The hint at the directory of a file that is a part of a built one or of a checkpoint."""
    folder = path.parent
    whole = (folder / PROGRAM_JSON).is_file() or is_checkpoint(folder)
    return f"; its directory {printable(str(folder))} is one" if whole else ""


def _hub_hint(reference: str) -> str:
    """The advice where a name may be that of a GPT-2 of the hub; empty for any other."""
    name = reference.lower().rpartition("/")
    hub = name[2].startswith(("gpt2", "distilgpt2")) or (
        name[1] and "gpt" in name[2]
    )
    return download_hint(reference) if hub else ""


def _in_words(value: object) -> str:
    """What stands where a program should, in words."""
    if isinstance(value, type):
        return f"the class {value.__name__} (not called)"
    if callable(value) and not isinstance(value, Program):
        return f"the function {getattr(value, '__name__', '')} (not called)"
    return f"of type {type(value).__name__}"


def _nearest_file(path: Path) -> str:
    """The hint at a program in the same folder, or at a bundled one."""
    if path.stem in {file.stem for file in bundled().values()}:
        return _bundled_hint("/".join(path.with_suffix("").parts[-2:]))
    folder = path.parent
    files = [*folder.glob("*.py")] if _kind(folder) == DIRECTORY else []
    near = nearest(path.name, [file.name for file in files])
    if near is None:
        return _bundled_hint("/".join(path.parts[-2:]))
    return f"; did you mean {in_quotes(str(folder / near))}?"


def _bundled_hint(reference: str) -> str:
    """The hint at a bundled program with such a last name, best of such a folder."""
    folder, _, last = reference.rpartition("/")
    names = [name.rpartition("/") for name in bundled()]
    home = nearest(folder, {name[0] for name in names if name[0]}) or ""
    own = {name[2]: "".join(name) for name in names if name[0] == home}
    known = own | {n[2]: "".join(n) for n in names if n[2] not in own}
    near = nearest(last, known)
    if near is None:
        return ""
    return f"; did you mean {in_quotes(known[near])}?"


def load_program(path: Path) -> Program:
    """Execute a program file and return its `program`.

    Raises ProgramError, with the author's file and line, for a file that raises or defines no
    program.
    """
    names = _executed(path)
    program = names.get("program")
    if not isinstance(program, Program):
        found = (
            "no `program`"
            if program is None
            else f"`program` is {_in_words(program)}"
        )
        raise ProgramError(
            f"{found}; the file must define `program = Program(...)`{_or_compile(path, names)}",
            (path.stem,),
            _shown(path),
        )
    return program


def _or_compile(path: Path, names: Mapping[str, Any]) -> str:
    """The advice where a file has an expression instead of a program."""
    if not any(isinstance(x, Expression) for x in _own(names).values()):
        return ""
    return (
        f", or compile its expression: handcraft compile {printable(str(path))}"
    )


def _own(names: Mapping[str, Any]) -> dict[str, Any]:
    """The names of a file that are no words of handcraft.sequence."""
    from handcraft.sequence import words  # most programs need none

    return {
        key: value
        for key, value in names.items()
        if getattr(words, key, None) is not value
    }


def _is_word(name: object) -> bool:
    """True for a word of handcraft.sequence."""
    from handcraft.sequence import words

    return hasattr(words, str(name))


def load_expression(
    path: Path, name: str | None = None
) -> tuple[str, Expression, Source, dict[str, Any]]:
    """Execute a file and return an expression of it: its variable, itself, the line on which it is
    written, and all names of the file.

    name  the variable; by default the only expression that is no part of another

    Raises ProgramError, with the author's file and line, for a file that raises, and where there
    is no such expression, or more than one.
    """
    names = _executed(path)
    found = {
        key: value
        for key, value in _own(names).items()
        if isinstance(value, Expression)
    }
    chosen = _whole(found) if name is None else [x for x in found if x == name]
    if len(chosen) != 1:
        problem = _not_one(names, found, chosen, name)
        raise ProgramError(problem, (path.stem,), _shown(path))
    (only,) = chosen
    return only, found[only], _assigned(path, only), names


def _whole(found: Mapping[str, Expression]) -> list[str]:
    """The variables of the expressions that are no part of another; of two names the last."""
    inside = {
        id(part) for e in found.values() for part in upwards(e) if part is not e
    }
    last = {id(e): name for name, e in found.items() if id(e) not in inside}
    return list(last.values())


def _not_one(
    names: Mapping[str, Any],
    found: Mapping[str, Expression],
    chosen: Sequence[str],
    name: str | None,
) -> str:
    """The message where a file has no such expression, or several that could be meant."""
    if name is not None and name in names:
        return (
            f"`{name}` is {_in_words(names[name])}, and an expression is needed"
        )
    if name is not None:
        return f"no `{name}`{hint(name, found) or _has(found)}"
    if chosen:
        return (
            f"has several expressions, {listing(chosen)}; say which: --expression"
            f" {chosen[-1]}"
        )
    if isinstance(names.get("program"), Program):
        return (
            "`program` is compiled already, and there is no other expression; write"
            " `handcraft build`"
        )
    return (
        "no expression; the file must define one, such as"
        " `hist = count(there(tokens) == tokens)` behind"
        " `from handcraft.sequence import *`"
    )


def _has(found: Mapping[str, Expression]) -> str:
    return f"; it has {listing(found)}" if found else "; it has no expression"


def _assigned(path: Path, name: str) -> Source:
    """The line on which a variable is assigned last."""
    lines = [
        node.lineno
        for node in ast.walk(ast.parse(_source(path)))
        if isinstance(node, ast.Name)
        and isinstance(node.ctx, ast.Store)
        and node.id == name
    ]
    return Source(_shown(path), max(lines, default=1))


def load_claim(path: Path) -> tuple[Claim, Program | None]:
    """Execute a file and return its program's claim, with the program; where there is none, its
    `claim`.

    Raises ProgramError, with the author's file and line, for a file that raises or has no claim.
    """
    names = _executed(path)
    program = names.get("program")
    if isinstance(program, Program) and program.claim is not None:
        return program.claim, program
    try:
        with without_source_lines(data=False):
            claim: Any = as_claim(names.get("claim"))
    except ProgramError as error:
        raise _placed(error, path) from None
    if not isinstance(claim, CLAIM_KINDS):
        problem = (
            "no `claim`, and no `program` that has one"
            if claim is None
            else f"`claim` is {_in_words(claim)}"
        )
        raise ProgramError(
            f"{problem}; the file must define `claim`, such as `claim = after(...)`, or"
            " `program = Program(..., claim=...)`",
            (path.stem,),
            _shown(path),
        )
    found = cast("Claim", claim)
    if isinstance(found.rule, Callback) and found.rule.source is not None:
        found = found.model_copy(update={"source": found.rule.source})
    return found, None


def program_in(text: str, name: str) -> Program:
    """The program of a text that stands in no file yet. Raises ProgramError where it raises."""
    path = Path(f"{name}.py")
    found = _run(text.encode(), path, str(path)).get("program")
    if not isinstance(found, Program):
        raise ProgramError("the text defines no `program`", (name,))
    return found


def _executed(path: Path) -> dict[str, Any]:
    """The names that a file defines. Raises ProgramError for a file that raises."""
    return _run(_source(path), path, _shown(path))


def _run(source: bytes, path: Path, shown: str) -> dict[str, Any]:
    """The names that the source of a file defines."""
    module = ModuleType(f"{PROGRAM_MODULE}{path.stem}")
    namespace = module.__dict__
    namespace["__file__"] = str(path)
    try:
        with _importable(module, path.parent):
            exec(compile(source, shown, "exec", dont_inherit=True), namespace)
    except HandcraftError as error:
        raise _placed(error, path) from None
    except KeyboardInterrupt:
        raise
    except (
        BaseException
    ) as error:  # an author's file may raise anything, SystemExit included
        raise ProgramError(
            _in_our_words(error)
            or _unpacked(error, source, shown)
            or f"{type(error).__name__}: {printable(str(error))}",
            (path.stem,),
            _line(error, shown),
        ) from None
    return namespace


def _in_our_words(error: BaseException) -> str:
    """The message for what Python itself refuses: a slot that is called, an expression that is
    looked up in a table or a text; else none.
    """
    if isinstance(error, NameError) and _is_word(error.name):
        return (
            f"there is no `{error.name}` here; it is a word of handcraft.sequence: write"
            " `from handcraft.sequence import *` above"
        )
    called = re.fullmatch(r"'(Slot|Lane)' object is not callable", str(error))
    if isinstance(error, TypeError) and called:
        name = called[1].lower()
        return (
            f"a {name} is not called; a lane of a slot is written slot['label']"
        )
    key = error.args[0] if isinstance(error, KeyError) and error.args else None
    in_text = isinstance(error, TypeError) and str(error).endswith(
        ("not Expression", "not There", "not Condition")
    )
    if not (isinstance(key, Expression) or in_text):
        return ""
    return (
        "an expression has no value before there is a context, so Python cannot look"
        " it up; write lookup({token: 1, ...}, x)"
    )


_TWO_NAMES = re.compile(
    r"""\b(scratch|local)\(\s*["'](\w+)["']\s*,\s*["'](\w+)["']\s*\)"""
)


def _unpacked(error: BaseException, source: bytes, shown: str) -> str:
    """The message where one slot was to be two: a name was written in the place of labels."""
    if not (isinstance(error, ValueError) and "to unpack" in str(error)):
        return ""
    line = _line(error, shown).rpartition(":")[2]
    lines = source.decode(errors="replace").splitlines()
    text = lines[int(line) - 1] if line.isdecimal() else ""
    if (found := _TWO_NAMES.search(text)) is None:
        return ""
    word, first, second = map(printable, found.groups())
    return (
        f'{word}("{first}", "{second}") is one slot with a lane for each letter of'
        f' "{second}"; two slots are {word}("{first} {second}")'
    )


@contextlib.contextmanager
def _importable(module: ModuleType, folder: Path) -> Iterator[None]:
    """Make the program a module while it runs, as dataclasses need, and its folder importable."""
    sys.modules[module.__name__] = module
    sys.path.insert(0, str(folder.resolve()))
    try:
        yield
    finally:
        sys.path.remove(str(folder.resolve()))


def _source(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_SOURCE:
            raise ProgramError(f"{path} is larger than {MAX_SOURCE} bytes")
        return path.read_bytes()
    except OSError as error:
        raise ProgramError(f"{path} cannot be read: {error.strerror}") from None


def _shown(path: Path) -> str:
    """The file's name for messages and provenance: as the user gave it, but short if bundled."""
    names = {file: name for name, file in bundled().items()}
    if path in names and path.is_absolute():
        return f"programs/{names[path]}.py"
    return str(path)


def _placed(error: HandcraftError, path: Path) -> HandcraftError:
    """The error with the program's name at the front of its path, and the line it came from."""
    if not isinstance(error, ProgramError) or error.path[:1] == (
        program_name(path.stem),
    ):
        return error
    return error.at(path.stem, source=_line(error, _shown(path)))


def _line(error: BaseException, shown: str) -> str:
    """The last line of the author's file in the error's traceback."""
    if isinstance(error, SyntaxError) and error.filename == shown:
        return f"{shown}:{error.lineno}"
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == shown
    ]
    return f"{shown}:{lines[-1]}" if lines else shown


def summary(path: Path) -> str:
    """The first line of a program's docstring, read without running it."""
    return docstring_of(path).partition("\n")[0]


def docstring_of(path: Path) -> str:
    """A program's docstring, read without running it; empty where there is none."""
    return ast.get_docstring(ast.parse(path.read_bytes())) or ""
