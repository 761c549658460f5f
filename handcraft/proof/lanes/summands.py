"""A number of the claim as a sum over keys: what each key that is seen adds, and a rest.

    summands_of(meaning, e)   the Summands of an expression
    whole_summands(...)       several, all times one number, so that each is whole

Counts and totals are sums over keys, and so are sums, differences and multiples of them. Nothing
need be known of how great such a sum can be: two of them are compared key by key.
Rules of this file: an operation that is not linear is the rest, if it reads no key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.forms import Form, applied, constant_form
from handcraft.proof.lanes.meaning import MeaningForms
from handcraft.proof.lanes.symbols import Symbols
from handcraft.sequence.expression import Expression

_LARGEST = 2**40  # of weights and rests, so that sums of them are exact


@dataclass(frozen=True, eq=False)
class Summands:
    """A number at a position: the sum of the weights of the keys that it sees, and a rest."""

    weights: Form  # of pairs
    rest: Form  # of the position that asks


def summands_of(meaning: MeaningForms, e: Any) -> Summands:
    """What each key adds to a number, and the rest. Raises Rejected."""
    with meaning.symbols.of_asked(meaning.symbols.texts is not None):
        return _summands(meaning, e)


def _summands(meaning: MeaningForms, e: Any) -> Summands:
    if isinstance(e, Expression):
        e = meaning.written_out(e)
        if e.op in ("count_where", "total_where"):
            return Summands(meaning.weights_of(e), meaning.at_first(e))
        if e.op in ("add", "subtract"):
            sign = 1 if e.op == "add" else -1
            one, two = (_summands(meaning, x) for x in e.args)
            return _added(meaning.symbols, one, two, sign)
        if e.op == "multiply" and (times := _number_in(e)) is not None:
            (other,) = (x for x in e.args if isinstance(x, Expression))
            nothing = Summands(constant_form(0), constant_form(0))
            found = _summands(meaning, other)
            return _added(meaning.symbols, nothing, found, times)
    form = meaning.of(e)
    if 1 in form.sides:
        raise Rejected("a number of the claim reads a key position")
    return Summands(constant_form(0), form)


def _number_in(e: Expression) -> int | Fraction | None:
    """The number that the other factor of a product is multiplied by; None without one."""
    numbers = [x for x in e.args if isinstance(x, int | Fraction)]
    return numbers[0] if len(numbers) == 1 else None


def _added(
    symbols: Symbols, a: Summands, b: Summands, times: int | Fraction
) -> Summands:
    """The first, and the second so many times."""

    def add(x: Any, y: Any) -> Any:
        return x + times * y

    return Summands(
        applied(symbols, add, a.weights, b.weights),
        applied(symbols, add, a.rest, b.rest),
    )


def whole_summands(
    symbols: Symbols, found: Sequence[Summands]
) -> list[Summands]:
    """Numbers that are compared with each other, all times one number: each of the weights and
    rests that can be is whole, the others are 0.
    """
    forms = [form for x in found for form in (x.weights, x.rest)]
    known = [_known(symbols, form) for form in forms]
    bottom = lcm(*(Fraction(x).denominator for part in known for x in part))
    whole = [
        _whole(symbols, form, part, bottom)
        for form, part in zip(forms, known, strict=True)
    ]
    return [
        Summands(*pair) for pair in zip(whole[::2], whole[1::2], strict=True)
    ]


def _known(symbols: Symbols, form: Form) -> list[int | Fraction]:
    """The values of rows that can be. Raises Rejected where one is no number."""
    found = form.table[symbols.possible(form.labels)].tolist()
    if any(not isinstance(x, int | Fraction) for x in found):
        raise Rejected("the claim compares what is not always a number")
    return list(found)


def _whole(
    symbols: Symbols, form: Form, known: Sequence[Any], bottom: int
) -> Form:
    if any(abs(x) * bottom > _LARGEST for x in known):
        raise Rejected("the claim compares numbers that are too large")
    numbers: Array = np.zeros(form.table.shape, dtype=np.int64)
    numbers[symbols.possible(form.labels)] = [int(x * bottom) for x in known]
    return Form(form.labels, numbers)
