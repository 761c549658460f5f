"""Functions of values at one position, by neurons.

    computed(lower, node, bases)    any function of few combinations of values
    tabled(lower, node, parts)      the same as a table of these parts
    as_standard(lower, node, held)  a value as the number that stands for it everywhere

Rules of this file: a choice of two numbers by a condition needs no table of both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from math import prod

from handcraft.language.affine import Affine
from handcraft.lowering.ground import Ground
from handcraft.lowering.pointwise import mapped, sure_images
from handcraft.lowering.reading.bases import function_of
from handcraft.lowering.reading.domains import MOST_COMBINED
from handcraft.lowering.reading.nodes import Node
from handcraft.lowering.refusals import Refused
from handcraft.lowering.stream import Held, constant
from handcraft.lowering.values.directions import of_several
from handcraft.lowering.values.read_off import exact_part
from handcraft.sequence.values import Value

_SHARPNESS = 8.0
_LOST = 2.0**-20  # of what is added and taken away again behind a wall


def computed(lower: Ground, node: Node, bases: Sequence[Node]) -> Held:
    """A function of values. Raises Refused where they have too many combinations."""
    if len(bases) == 1:
        inner = exact_part(node)
        return tabled(lower, node, bases if inner is None else [inner])
    if node.op == "cases" and (found := _chosen(lower, node)) is not None:
        return found
    args = [arg for arg in node.args if arg.op != "constant"]
    for parts in (args, bases):
        if _are_few(lower, parts):
            return tabled(lower, node, parts)
    raise Refused(
        node,
        f"is computed from more than {MOST_COMBINED} combinations of values",
        "a shorter window or a smaller alphabet",
    )


def _are_few(lower: Ground, parts: Sequence[Node]) -> bool:
    lists = [lower.domain(part).values for part in parts]
    sizes = [len(x) for x in lists if x is not None]
    return len(sizes) == len(lists) and prod(sizes) <= MOST_COMBINED


def tabled(lower: Ground, node: Node, parts: Sequence[Node]) -> Held:
    """A function of few combinations of values."""
    held = [lower.hold(part) for part in parts]
    ask = function_of(node, parts)
    codes = lower.coding(lower.domain(node))
    table = {}
    for row in product(*(lower.listed(part) for part in parts)):
        at = codes_at(held, row)
        code = codes.get(ask(row))
        if at is not None and code is not None:  # else it never occurs
            table[at] = code
    if not table:
        raise Refused(
            node,
            "has no value at any position where it is asked",
            "a part that some text has",
        )
    z, radius = of_several(
        lower.stream,
        held,
        table,
        lower.named(node),
        flag={*codes} <= {0, 1, None},
    )
    return Held(z, codes, radius)


def codes_at(
    held: Sequence[Held], row: Sequence[Value]
) -> tuple[float, ...] | None:
    """The numbers that stand for values; None where one of them is never taken."""
    found = []
    for h, x in zip(held, row, strict=True):
        if h.codes is None:
            found.append(float(x))  # type: ignore[arg-type]
        elif x in h.codes:
            found.append(h.codes[x])
        else:
            return None
    return tuple(found)


# ---------------------------------------------------------------- a choice


def _chosen(lower: Ground, node: Node) -> Held | None:
    """cases(condition, a, b): b, and a - b more where the condition holds; None where a and b are
    not of one code.
    """
    if len(node.args) != 3:
        return None
    when, then, rest = node.args
    a, b = lower.standard(then), lower.standard(rest)
    if a is None or b is None or (codes := _one_code(a, b)) is None:
        return None
    flag = lower.flag(when)
    more = a.z.plus(b.z.scaled(-1.0))
    if not more.terms:
        z = b.z.plus(flag.z.scaled(more.constant))
        radius = b.radius + abs(more.constant) * flag.radius
        return Held(z, codes, radius)
    return _walled(lower, node, more, flag, a, b, codes)


def _one_code(a: Held, b: Held) -> Mapping[Value, float] | None:
    """The codes of both, where a value has the same in each and no two values share one."""
    if a.codes is None or b.codes is None:
        return None
    codes = {**a.codes, **b.codes}
    if len(set(codes.values())) < len(codes):
        return None
    same = all(a.codes.get(x, z) == z for x, z in codes.items())
    return codes if same else None


def _walled(
    lower: Ground,
    node: Node,
    more: Affine,
    flag: Held,
    a: Held,
    b: Held,
    codes: Mapping[Value, float],
) -> Held:
    """The value b, and `more` by two neurons that are shut where the flag is 0."""
    most = a.reach + b.reach
    wall = most + 1.0
    shut = flag.z.scaled(wall).plus(constant(-wall))
    lane = lower.stream.neurons(
        lower.named(node),
        [
            (more.plus(shut), 1.0, _SHARPNESS),
            (more.scaled(-1.0).plus(shut), -1.0, _SHARPNESS),
        ],
    )
    radius = a.radius + 2 * b.radius + 2 * wall * flag.radius
    radius = lower.stream.may_follow(lane, radius + _LOST * most)
    return Held(b.z.plus(lane.expression()), codes, radius)


# ---------------------------------------------------------------- codes


def as_standard(lower: Ground, node: Node, held: Held) -> Held | None:
    """The value as itself, or as its token's code; None where it can be of both kinds."""
    if held.codes is None:
        return held
    wanted: dict[Value, float] = {
        x: lower.code(x) for x in held.codes if x is not None
    }
    if len({type(x) is str for x in wanted}) > 1:
        return None
    if all(held.codes[x] == z for x, z in wanted.items()):
        return held
    if None in held.codes:
        taken = set(wanted.values())
        none = 0.0 if 0.0 not in taken else min(taken) - 1.0
        wanted[None] = none
    f = sure_images((held.codes[x], z) for x, z in wanted.items())
    z, radius = mapped(lower.stream, held.z, held.radius, f, lower.named(node))
    return Held(z, wanted, radius)
