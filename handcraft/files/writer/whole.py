"""Writes a program as a file, and reads it back: what reads back as another one is not written.

Rules of this file: before the text is executed it is checked to consist of assignments of our own
words, variables and literals, so that no name in a program can become code.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from typing import Any

from handcraft.claims.functions import Callback
from handcraft.core.errors import ProgramError, printable
from handcraft.files.program_file import MAX_SOURCE, program_in
from handcraft.files.writer.claim_words import claim_text, expressions_of
from handcraft.files.writer.expressions import Writing
from handcraft.files.writer.lines import WIDTH, laid_out
from handcraft.files.writer.literals import labels_text, quoted
from handcraft.files.writer.names import Names
from handcraft.files.writer.remarks import (
    Known,
    comment,
    docstring,
    of_head,
    of_layer,
)
from handcraft.files.writer.rule_words import RuleWriter
from handcraft.files.writer.slot_words import slot_statements
from handcraft.language.meanings import Meanings
from handcraft.language.notation import call_text
from handcraft.program.program import Program
from handcraft.sequence import words as sequence_words
from handcraft.sequence.expression import Expression

_HOMES = {  # where the words of a file come from, in the order of its imports
    "handcraft": (
        *("Head", "Lane", "MLP", "Neuron", "Program", "Slot", "after"),
        *("answers", "distribution", "each", "last", "local", "position"),
        *("residual", "scratch", "slot", "token", "transducer"),
    ),
    "handcraft.claims.kinds": ("After", "Distribution"),
    "handcraft.sequence": tuple(sequence_words.__all__),
}
_RULES = _HOMES["handcraft"] + _HOMES["handcraft.claims.kinds"]
_OURS = {word for words in _HOMES.values() for word in words}
_ATTRIBUTES = {"back", "get", "labels", "previous", "sum"}
_CALLED = {"int", "map", "max", "min", "range", "str"}
_WORD = re.compile(
    r"""(["'])(?:\\.|(?!\1).)*\1|#.*|(?<![\w.])([A-Za-z_]\w*)(?!\w)(?!=(?!=))"""
)


def program_text(
    program: Program, about: str = "", known: Known | None = None
) -> str:
    """The program as the text of a file.

    about  the first line of its docstring
    known  the meanings of lanes that were found, by layer and head

    Raises ProgramError where the text would not read back as the same program.
    """
    text = _text(program, about, {} if known is None else known)
    size = len(text.encode())
    if size > MAX_SOURCE:
        raise ProgramError(
            f"the text would have {size} bytes, and a program file has at most"
            f" {MAX_SOURCE}: keep it as a built directory",
            (program.name,),
        )
    check_read_back(text, program)
    return text


def _text(program: Program, about: str, known: Known) -> str:
    """The text in which only the words that it uses are no variables."""
    first = _with_words(program, about, known, {*_RULES, *_spoken(program)})
    return _with_words(program, about, known, {*_words(_code(first))} & _OURS)


def _spoken(program: Program) -> Iterator[str]:
    """The words of the expressions in a program."""
    plain = Writing()
    for root in _expressions(program):
        yield from _words(plain.text(root))


def _code(text: str) -> str:
    """A text without its docstring."""
    return text.partition('\n"""\n')[2]


def _with_words(
    program: Program, about: str, known: Known, words: set[str]
) -> str:
    """The text, with variables that are none of these words."""
    roots = [*_expressions(program)]
    names = Names.of(program, words)
    writing = Writing()
    slots = [*slot_statements(names)]
    definitions = [*writing.definitions(roots, names)]
    rules, layers = _rules(program, RuleWriter(names, writing), known)
    ending = [*_ending(program, layers, names, writing)]
    needed = _needed(definitions, "\n".join((*rules, *ending)))
    # meanings use the parts that are shared, so these stand before the rules
    early = needed if any(_meanings(program)) else []
    late = [] if early else needed
    body = [
        "\n".join(map(laid_out, slots)),
        "\n".join(map(laid_out, early)),
        *rules,
        "\n".join(map(laid_out, late)),
        *ending,
    ]
    code = "\n\n".join(part for part in body if part)
    head = docstring(about, program)
    return f"{head}\n\n{_imports(code, words)}\n\n{code}\n"


def _meanings(program: Program) -> Iterator[Meanings]:
    """What each rule says that it means, empty where it says nothing."""
    for block in program.layers:
        yield from (head.means for head in block.heads)
        if block.mlp is not None:
            yield block.mlp.means
            yield from (neuron.means for neuron in block.mlp.neurons)


def _expressions(program: Program) -> Iterator[Expression]:
    """Every expression in the program: what rules mean, and of its claim."""
    for rows in _meanings(program):
        yield from (x for _, x in rows if isinstance(x, Expression))
    if program.claim is not None:
        yield from expressions_of(program.claim)


def _rules(
    program: Program, writer: RuleWriter, known: Known
) -> tuple[list[str], list[str]]:
    """The statements of all layers, one text a layer, and what stands for each layer."""
    texts: list[str] = []
    layers: list[str] = []
    for i, block in enumerate(program.layers):
        statements, layer = writer.layer(block, i)
        layers.append(layer)
        lines = [of_layer(block, i)]
        for h, one in enumerate(statements):
            if one.head is not None:
                remark = of_head(one.head, known.get((i, h), ()), writer)
                lines += [remark] if remark else []
            lines.append(laid_out(one.code))
        texts.append("\n".join(lines))
    return texts, layers


def _ending(
    program: Program, layers: list[str], names: Names, writing: Writing
) -> Iterator[str]:
    """The remark on a claim that is a function, and the program."""
    claim = None
    if program.claim is not None:
        claim = claim_text(program.claim, names, writing)
        if claim is None:
            yield comment(unwritten_claim(program))
    slots = [names.slots[slot.name] for slot in program.embedding]
    inferred = tuple(
        dict.fromkeys(x for slot in program.embedding for x in slot.vocabulary)
    )
    windows = [
        slot.n_ctx for slot in program.embedding if slot.n_ctx is not None
    ]
    code = "program = " + call_text(
        "Program",
        name=quoted(program.name),
        embedding=_nested(slots),
        layers=_nested(layers) if layers else None,
        claim=claim,
        vocabulary=None
        if inferred == program.vocabulary
        else labels_text(program.vocabulary),
        n_ctx=None if windows else str(program.n_ctx),
        activation=None
        if program.activation == "gelu"
        else quoted(program.activation),
        causal=None if program.causal else "False",
        d_head=None if program.d_head is None else str(program.d_head),
    )
    yield laid_out(code)


def unwritten_claim(program: Program) -> str:
    """What is said where the claim is a function, which no text holds; empty for other claims."""
    rule = None if program.claim is None else program.claim.rule
    if not isinstance(rule, Callback):
        return ""
    return (
        f"The claim is not written: it is the Python function {rule.name!r}. To hold this"
        " program to it, name the file that has it: handcraft verify THIS --claim FILE"
    )


def _nested(items: list[str]) -> str:
    return f"({', '.join(items)}{',' * (len(items) == 1)})"


def _needed(definitions: list[str], text: str) -> list[str]:
    """The definitions whose variables are used, by what follows or by one that is."""
    kept: list[str] = []
    used = set(_words(text))
    for code in reversed(definitions):
        variable, _, value = code.partition(" = ")
        if variable in used:
            used |= set(_words(value))
            kept.insert(0, code)
    return kept


def _words(code: str) -> Iterator[str]:
    """The names that code uses, without those of keywords, attributes, texts and comments."""
    yield from (found[2] for found in _WORD.finditer(code) if found[2])


def _imports(code: str, words: Iterable[str]) -> str:
    """The imports of those of the words that the code uses."""
    used = set(_words(code)).intersection(words)
    return "\n".join(
        laid_out_import(home, [word for word in own if word in used])
        for home, own in _HOMES.items()
        if not used.isdisjoint(own)
    )


def laid_out_import(home: str, words: Iterable[str]) -> str:
    """An import on one line, or on several inside brackets."""
    listed = ", ".join(words)
    line = f"from {home} import {listed}"
    if len(line) <= WIDTH:
        return line
    return laid_out(f"from {home} import ({listed})")


# ------------------------------------------------------------ read back


def check_read_back(text: str, program: Program) -> None:
    """Raise ProgramError unless the text is code of ours that makes the same program."""
    check_code(ast.parse(text))
    again = program_in(text, program.name)
    claim = None if unwritten_claim(program) else program.claim
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
    known = {*_CALLED, *(word for words in _HOMES.values() for word in words)}
    for statement in tree.body:
        _check_statement(statement, known)


def _check_statement(statement: ast.stmt, known: set[str]) -> None:
    """Raise ProgramError unless it is a docstring, an import of ours or an assignment."""
    if isinstance(statement, ast.Expr) and isinstance(
        statement.value, ast.Constant
    ):
        return
    if isinstance(statement, ast.ImportFrom) and statement.module in _HOMES:
        return
    if not isinstance(statement, ast.Assign):
        raise _not_ours(statement)
    _check_value(statement.value, known)
    for node in ast.walk(statement.targets[0]):
        if isinstance(node, ast.Name):
            known.add(node.id)


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
