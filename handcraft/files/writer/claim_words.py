"""Writes claims in the words of handcraft.claims.words.

Rules of this file: a claim that is a function of its author's is not written; `claim_call` gives
None, and the file says so. A table with a key that stands twice, as no dictionary has, is written
by the kind of the claim itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

from handcraft.claims.answers import Table
from handcraft.claims.functions import Callback
from handcraft.claims.kinds import (
    After,
    Claim,
    Distribution,
    Each,
    Predicate,
    Residual,
)
from handcraft.claims.right_tokens import Right
from handcraft.claims.transducer import Transducer
from handcraft.files.writer.expressions import Writing
from handcraft.files.writer.literals import (
    in_python,
    number_text,
    raw_quoted,
    table_text,
    value_text,
)
from handcraft.files.writer.names import Variables
from handcraft.language.affine import Lane
from handcraft.language.notation import call_text
from handcraft.sequence.expression import Expression

_FEWEST = 12  # rows of a loop


def expressions_of(claim: Claim) -> Iterator[Expression]:
    """The expressions that a claim is made of."""
    rule = claim.rule
    if isinstance(rule, Expression):
        yield rule
    elif isinstance(rule, Transducer):
        yield from rule.inputs
    length = getattr(claim, "length", None)
    if isinstance(length, Expression):
        yield length


def claim_call(claim: Claim, names: Variables, writing: Writing) -> str | None:
    """The claim as an author writes it; None for a function."""
    if isinstance(claim.rule, Callback):
        return None
    if isinstance(claim, After):
        text = _after(claim)
    elif isinstance(claim, Distribution):
        text = _distribution(claim)
    elif isinstance(claim, Residual):
        lane = names.lane(Lane.parse(claim.lane))
        usual = Residual.model_fields["tolerance"].default
        text = call_text(
            "residual",
            lane,
            writing.text(claim.function),
            tolerance=_unless(claim.tolerance, usual),
        )
    elif isinstance(claim, Each):
        causal = "True" if claim.causal else ""
        text = call_text(
            "each",
            writing.text(claim.function),
            causal=causal,
            begin="" if claim.begin is None else repr(claim.begin),
            alphabet=_letters(claim.alphabet),
        )
    elif isinstance(claim, Predicate):
        text = writing.text(claim.function)
    else:
        return _answers(claim, writing)
    return f"last({text})" if getattr(claim, "at", "") == "last" else text


def _letters(alphabet: tuple[str, ...] | None) -> str:
    """The tokens of texts: a text of single characters where they are that."""
    if alphabet is None:
        return ""
    single = all(len(token) == 1 for token in alphabet)
    return repr("".join(alphabet)) if single else repr(alphabet)


def _unless(value: float, usual: float) -> str:
    return "" if value == usual else number_text(value)


def _after(claim: After) -> str:
    rows = [(value_text(key), _right(right)) for key, right in claim.table]
    if len(dict(claim.table)) < len(rows):
        return call_text("After", table=_pairs(rows))
    return call_text("after", _by_letter(claim) or table_text(rows))


def _by_letter(claim: After) -> str | None:
    """The table as a loop, where it has every text of some letters and one of them follows."""
    keys = [key for key, _ in claim.table]
    if len(keys) < _FEWEST or not all(isinstance(key, str) for key in keys):
        return None
    letters = ["".join(dict.fromkeys(x)) for x in zip(*keys, strict=False)]
    size = len(letters)
    texts = ["".join(x) for x in product(*letters)]
    if size not in (1, 2, 3) or texts != keys:
        return None
    for i, name in enumerate("abc"[:size]):
        if all(right == key[i] for key, right in claim.table):
            loops = " ".join(
                f"for {x} in {in_python(own)}"
                for x, own in zip("abc", letters, strict=False)
            )
            return f"{{{' + '.join('abc'[:size])}: {name} {loops}}}"
    return None


def _right(right: Right) -> str:
    """One token, or a set of several."""
    if isinstance(right, str):
        return in_python(right)
    return f"{{{', '.join(map(in_python, right))}}}"


def _pairs(rows: Sequence[tuple[str, str]]) -> str:
    return f"({''.join(f'({key}, {value}), ' for key, value in rows).strip()})"


def _distribution(claim: Distribution) -> str:
    usual = Distribution.model_fields["tolerance"].default
    tolerance = _unless(claim.tolerance, usual)
    rows = [
        (
            value_text(key),
            [(in_python(token), number_text(p)) for token, p in row],
        )
        for key, row in claim.table
    ]
    if len(dict(claim.table)) < len(rows):
        pairs = [(key, _pairs(row)) for key, row in rows]
        return call_text(
            "Distribution", table=_pairs(pairs), tolerance=tolerance
        )
    table = table_text([(key, table_text(row)) for key, row in rows])
    return call_text("distribution", table, tolerance=tolerance)


def _answers(claim: Any, writing: Writing) -> str:
    length = claim.length
    return call_text(
        "answers",
        raw_quoted(claim.prompts),
        _answer(claim.answer, writing),
        stop=None if claim.stop is None else in_python(claim.stop),
        length=None if length is None else writing.text(length),
        longest=None if claim.longest is None else str(claim.longest),
        framed=None if claim.framed is None else value_text(claim.framed),
    )


def _answer(answer: Any, writing: Writing) -> str:
    if isinstance(answer, Table):
        rows = [
            (in_python(key), in_python(value)) for key, value in answer.table
        ]
        return table_text(rows)
    if isinstance(answer, Transducer):
        inputs = [writing.text(place) for place in answer.inputs]
        places = f"({', '.join(inputs)}{',' * (len(inputs) == 1)})"
        rows = [(value_text(key), value_text(row)) for key, row in answer.table]
        start = value_text(answer.start)
        return call_text("transducer", places, table_text(rows), start=start)
    return writing.text(answer)
