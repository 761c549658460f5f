"""Finds a formula that gives exactly the numbers of a table, for positions and for tokens.

    i * i, 2 * i + 1, i % 3, i // 4, int(i == 5), max(0, i - 2)    of a position
    int(c), int(c) * int(c), int(c == "a"), int(c in "abc")        of a token

Rules of this file: a formula is returned only where it gives the same float for every row; it is
never a fit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from math import gcd
from typing import TypeAlias

from handcraft.files.writer.literals import in_python, is_whole, number_text

_FEWEST = 4  # rows; fewer are written one by one
_FEWEST_RUNS = 3  # of equal values, for a quotient
_Candidate: TypeAlias = tuple[str, Callable[[int], float]]


def formula(
    variable: str, keys: Sequence[int], values: Sequence[float]
) -> str | None:
    """The formula of whole numbers that gives these values; None if there is no short one."""
    if len(keys) < _FEWEST or any(value != int(value) for value in values):
        return None
    whole = [int(value) for value in values]
    if len(set(whole)) == 1:
        return None
    for text, function in _candidates(variable, keys, whole):
        found = (function(key) for key in keys)
        if all(x == value for x, value in zip(found, whole, strict=True)):
            return text
    return None


def token_formula(
    variable: str, tokens: Sequence[str], values: Sequence[float]
) -> str | None:
    """The formula of tokens that gives these values; None if there is no short one."""
    if all(map(is_whole, tokens)):
        return formula(f"int({variable})", [*map(int, tokens)], values)
    if len(tokens) < _FEWEST or set(values) != {0, 1}:
        return None
    ones = [token for token, value in zip(tokens, values, strict=True) if value]
    if len(ones) == 1:
        return f"int({variable} == {in_python(ones[0])})"
    if all(len(token) == 1 for token in tokens):
        return f"int({variable} in {in_python(''.join(ones))})"
    return None


def polynomial(
    x: str, keys: Sequence[int], values: Sequence[int]
) -> Iterator[_Candidate]:
    """The linear and the square formula through the first values."""
    (k0, k1, k2), (v0, v1, v2) = keys[:3], values[:3]
    if k1 - k0 != 1 or k2 - k1 != 1:
        return
    a = (v2 - 2 * v1 + v0) // 2
    b = v1 - v0 - a * (k0 + k1)
    c = v0 - b * k0 - a * k0 * k0
    if a == b == 0:
        return  # a constant is no formula
    square = [(a, f"{x} * {x}")] if a else []
    text = added([*square, *([(b, x)] if b else [])], c)
    yield text, lambda key: a * key * key + b * key + c


def added(terms: Sequence[tuple[int, str]], constant: int) -> str:
    """The sum of terms times whole numbers, and a constant."""
    parts = []
    for factor, text in terms:
        size = "" if abs(factor) == 1 else f"{number_text(abs(factor))} * "
        parts.append((factor < 0, f"{size}{text}"))
    if constant or not parts:
        parts.append((constant < 0, number_text(abs(constant))))
    if parts[0][0] and not parts[-1][0]:  # a positive constant first
        parts.insert(0, parts.pop())
    (negative, first), *rest = parts
    signs = (f" {'-' if minus else '+'} {text}" for minus, text in rest)
    return f"{'-' if negative else ''}{first}{''.join(signs)}"


def _candidates(
    x: str, keys: Sequence[int], values: Sequence[int]
) -> Iterator[_Candidate]:
    yield from polynomial(x, keys, values)
    yield from _flags(x, keys, values)
    yield from _clipped(x, keys, values)
    yield from _steps(x, keys, values)


def _flags(
    x: str, keys: Sequence[int], values: Sequence[int]
) -> Iterator[_Candidate]:
    """Where a single key, every k-th one, or those up to or from one have 1, and others 0."""
    if set(values) != {0, 1}:
        return
    ones = [key for key, value in zip(keys, values, strict=True) if value]
    at = ones[0]
    if len(ones) == 1:
        yield f"int({x} == {at})", lambda key: int(key == at)
    else:
        k = ones[1] - ones[0]
        if k == 2 and at == 1:
            yield f"{x} % 2", lambda key: key % 2
        if k > 1:
            yield (
                f"int({x} % {k} == {at % k})",
                lambda key: int(key % k == at % k),
            )
    yield f"int({x} >= {at})", lambda key: int(key >= at)
    after = ones[-1] + 1
    yield f"int({x} < {after})", lambda key: int(key < after)


def _steps(
    x: str, keys: Sequence[int], values: Sequence[int]
) -> Iterator[_Candidate]:
    """Remainders and quotients, of the key or of a later one, also clipped and times a number."""
    low = min(values)
    k = max(values) - low + 1
    if k > 1:
        shift = (values[0] - low - keys[0]) % k
        text = added([(1, f"{_later(x, shift)} % {k}")], low)
        yield text, lambda key: (key + shift) % k + low
    unit = gcd(*values) or 1
    runs = _runs(values)
    if len(runs) < _FEWEST_RUNS:
        return
    # the last runs but one are whole, and tell how long they are
    size, start = runs[-2], keys[-1] - runs[-1] + 1
    late = -start % size
    least = values[-1] // unit - (keys[-1] + late) // size
    bottom = low // unit
    steps = added([(1, f"{_later(x, late)} // {size}")], least)
    yield (
        _multiplied(unit, steps),
        lambda key: unit * ((key + late) // size + least),
    )
    yield (
        _multiplied(unit, f"max({bottom}, {steps})"),
        lambda key: unit * max(bottom, (key + late) // size + least),
    )


def _later(x: str, shift: int) -> str:
    return f"({added([(1, x)], shift)})" if shift else x


def _multiplied(unit: int, text: str) -> str:
    """The text times a whole number."""
    if unit == 1:
        return text
    return f"{unit} * {text if text.startswith('max(') else f'({text})'}"


def _runs(values: Sequence[int]) -> list[int]:
    """The lengths of the runs of equal values."""
    runs = [1]
    for before, value in pairwise(values):
        if value == before:
            runs[-1] += 1
        else:
            runs.append(1)
    return runs


def _clipped(
    x: str, keys: Sequence[int], values: Sequence[int]
) -> Iterator[_Candidate]:
    """What rises with the key above a first value or up to a last one."""
    low, high = min(values), max(values)
    below = values[-1] - keys[-1]
    yield (
        f"max({low}, {added([(1, x)], below)})",
        lambda key: max(low, key + below),
    )
    above = values[0] - keys[0]
    yield (
        f"min({high}, {added([(1, x)], above)})",
        lambda key: min(high, key + above),
    )
