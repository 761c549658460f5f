"""Warns authors of programs that are valid, but probably not what they mean.

A warning names the rule, what was found, and the number that would do; it has the author's file
and line. Rules of this file: each warning is given once in a process; nothing here decides.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable

from handcraft.core.errors import AuthorWarning, printable
from handcraft.core.gpt2 import Weights
from handcraft.core.source import Source
from handcraft.language.affine import Affine, Map, format_number
from handcraft.language.rules import Head
from handcraft.program.check_lanes import head_path
from handcraft.program.program import Program
from handcraft.program.sharpness import Leak, leaks
from handcraft.program.sinks import Filled, filled_sinks
from handcraft.program.ties import Tie, find_tie

_told: dict[str | tuple[str, type[Warning], int], int] = {}


def advise(program: Program, weights: Weights) -> None:
    """Warn of heads whose scores are too small for what they name, of sinks that are not empty,
    and of a tie.
    """
    n_head = program.layout.n_head
    for leak in leaks(weights, n_head, causal=program.causal):
        block = program.layers[leak.layer]
        if leak.head < len(block.heads):
            path = head_path(leak.layer, block, leak.head)
            head = block.heads[leak.head]
            place = " > ".join((printable(program.name), *path, "query"))
            _warn(f"{place}: {_softness(head, leak)}", head.source)

    for found in filled_sinks(program, weights):
        block = program.layers[found.layer]
        path = head_path(found.layer, block, found.head)
        place = " > ".join((printable(program.name), *path, found.part))
        _warn(f"{place}: {_filled(found)}", block.heads[found.head].source)
    if (tie := find_tie(program)) is not None and program.claim is not None:
        place = f"{printable(program.name)} > claim"
        _warn(f"{place}: {_tied(tie)}", program.claim.source)


def _filled(found: Filled) -> str:
    lane, token = map(printable, (str(found.lane), found.token))
    return (
        f"at the sink '{token}' the lane {lane} is {format_number(found.value)}, and all that a"
        " head with a sink reads there must be 0, or it looks elsewhere than its selector says;"
        f" {_emptied(found)}"
    )


def _emptied(found: Filled) -> str:
    """What keeps a lane 0 at the sink."""
    if found.value == 1:
        return (
            "leave that lane out of the classes, or pass sink= to the recipe that"
            " writes it"
        )
    return (
        "take the value of the sink away from it, as in x - value * token['^'],"
        " where it is written"
    )


def _tied(tie: Tie) -> str:
    ending, right, current = map(
        printable, ("".join(tie.ending), tie.right, tie.current)
    )
    return (
        f"after '{ending}' the logit of '{right}' is at most {format_number(tie.most)} and"
        f" that of '{current}', the current token, at least {format_number(tie.least)}, so"
        f" '{right}' cannot win (a tie is wrong); {_more(tie.factor)} it can"
    )


def _more(factor: float) -> str:
    """The amount that a rule must write, beside the one that it writes."""
    times = format_number(factor)
    if factor <= 1:
        return "with anything more written"
    return f"with more than {times} times as much written"


def _warn(message: str, source: Source) -> None:
    where = (source.file or "handcraft", source.line)
    warnings.warn_explicit(message, AuthorWarning, *where, registry=_told)


def _softness(head: Head, leak: Leak) -> str:
    factor = leak.enough / leak.gap
    if (size := _strength(head)) is not None:
        least = format_number(math.ceil(size * factor))
        cure = f"with {least} instead of {format_number(size)}"
    else:
        cure = f"with a query {math.ceil(10 * factor) / 10:g} times as large"
    return (
        f"the scores of what it names are only {leak.gap:.3g} above the"
        f" others{_divided(head)}, which keep up to"
        f" {100 * leak.share:.2g} % of the attention; {cure} they keep none"
    )


def _divided(head: Head) -> str:
    """The reason that a score is less than what is written, if it is."""
    return " (divided by sqrt(d_head))" if head.scores == "raw" else ""


def _strength(head: Head) -> float | None:
    """The one number that all scores are multiplied by, if the query or the key shows it."""
    for part in (head.query, head.key):
        sizes = set(_sizes(part))
        if len(sizes) == 1 and sizes != {1.0}:
            return sizes.pop()
    return None


def _sizes(part: Map) -> Iterable[float]:
    rows: list[Affine] = [affine for _, affine in part.rows]
    for affine in rows:
        values = (*(value for _, value in affine.terms), affine.constant)
        yield from (abs(value) for value in values if value)
