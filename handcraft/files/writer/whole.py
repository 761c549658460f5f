"""Writes a program as a file: its docstring, imports, slots, layers, expressions and the program.

Rules of this file: what would not read back as the same program (read_back.py) is not written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from handcraft.claims.functions import Callback
from handcraft.core.errors import ProgramError
from handcraft.files.program_file import MAX_SOURCE
from handcraft.files.writer.claim_words import claim_call, expressions_of
from handcraft.files.writer.expressions import Writing
from handcraft.files.writer.lines import WIDTH, laid_out
from handcraft.files.writer.literals import in_python, labels_text
from handcraft.files.writer.names import Variables
from handcraft.files.writer.read_back import HOMES, check_read_back
from handcraft.files.writer.remarks import (
    Told,
    comment,
    docstring,
    lanes_changed,
    of_head,
    of_layer,
)
from handcraft.files.writer.rule_words import RuleWriter
from handcraft.files.writer.slot_words import slot_statements
from handcraft.language.meanings import Meanings
from handcraft.language.notation import call_text
from handcraft.program.program import Program
from handcraft.sequence.expression import Expression

_RULES = HOMES["handcraft"] + HOMES["handcraft.claims.kinds"]
_WORD = re.compile(
    r"""(["'])(?:\\.|(?!\1).)*\1|#.*|(?<![\w.])([A-Za-z_]\w*)(?!\w)(?!=(?!=))"""
)


def program_text(program: Program, told: Told) -> str:
    """The program as the text of a file.

    Raises ProgramError where the text would not read back as the same program.
    """
    try:
        return _checked_text(program, told)
    except ProgramError:
        if told.as_data or next(_expressions(program), None) is None:
            raise
    # an expression that came from data may be one that no words make
    return _checked_text(program, replace(told, as_data=True))


def _checked_text(program: Program, told: Told) -> str:
    """The text, which is short enough and reads back. Raises ProgramError otherwise."""
    text = _text(program, told)
    size = len(text.encode())
    if size > MAX_SOURCE:
        raise ProgramError(
            f"the text would have {size} bytes, and a program file has at most"
            f" {MAX_SOURCE}: keep it as a built directory",
            (program.name,),
        )
    check_read_back(text, program)
    return text


def _text(program: Program, told: Told) -> str:
    """The text in which only the words that it uses are no variables."""
    words = {*_RULES, *_spoken(program)}
    first = _paragraphs(program, told, words)
    used = {word for part in first for code in part for word in _words(code)}
    words &= used
    parts = [
        "\n".join(map(laid_out, part))
        for part in _paragraphs(program, told, words)
    ]
    code = "\n\n".join(part for part in parts if part)
    return f"{docstring(told.about, program)}\n\n{_imports(code, words)}\n\n{code}\n"


def _spoken(program: Program) -> Iterator[str]:
    """The words of the expressions in a program; of two for the same, either may be written."""
    plain = Writing()
    yield from ("own", "tokens", "here", "indices", "Expression")
    for root in _expressions(program):
        found = set(_words(plain.text(root)))
        yield from found.intersection(HOMES["handcraft.sequence"])


def _paragraphs(
    program: Program, told: Told, words: set[str]
) -> list[list[str]]:
    """The statements and comments, each on one line, with variables that are none of these
    words.
    """
    names = Variables.of(program, words)
    writing = Writing(as_data=told.as_data)
    slots = [*slot_statements(names)]
    definitions = [*writing.definitions(_expressions(program), names)]
    rules, layers = _rules(program, RuleWriter(names, writing), told)
    ending = [*_ending(program, layers, names, writing)]
    following = [*(code for part in rules for code in part), *ending]
    needed = _needed(definitions, "\n".join(following))
    # meanings use the parts that are shared, so these stand before the rules
    if any(_meanings(program)):
        return [slots, needed, *rules, ending]
    return [slots, *rules, needed, ending]


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
    program: Program, writer: RuleWriter, told: Told
) -> tuple[list[list[str]], list[str]]:
    """The statements and comments of each layer, and what stands for each layer."""
    changed = lanes_changed(program)
    parts: list[list[str]] = []
    layers: list[str] = []
    for i, block in enumerate(program.layers):
        statements, layer = writer.layer(block, i)
        layers.append(layer)
        lines = [of_layer(block, i)]
        for h, one in enumerate(statements):
            if one.head is not None:
                remark = of_head(
                    one.head, told.known.get((i, h), ()), writer, changed
                )
                lines += [remark] if remark else []
            if told.sources and str(one.source):
                lines.append(comment(f"from {one.source}"))
            lines.append(one.code)
        parts.append(lines)
    return parts, layers


def _ending(
    program: Program, layers: list[str], names: Variables, writing: Writing
) -> Iterator[str]:
    """The remark on a claim that is a function, and the program."""
    claim = None
    if program.claim is not None:
        claim = claim_call(program.claim, names, writing)
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
        name=in_python(program.name),
        embedding=_nested(slots),
        layers=_nested(layers) if layers else None,
        claim=claim,
        vocabulary=None
        if inferred == program.vocabulary
        else labels_text(program.vocabulary),
        n_ctx=None if windows else str(program.n_ctx),
        activation=None
        if program.activation == "gelu"
        else in_python(program.activation),
        causal=None if program.causal else "False",
        d_head=None if program.d_head is None else str(program.d_head),
    )
    yield code


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
        for home, own in HOMES.items()
        if not used.isdisjoint(own)
    )


def laid_out_import(home: str, words: Iterable[str]) -> str:
    """An import on one line, or on several inside brackets."""
    listed = ", ".join(words)
    line = f"from {home} import {listed}"
    if len(line) <= WIDTH:
        return line
    return laid_out(f"from {home} import ({listed})")
