"""Sums, differences and multiples of numbers, which need no rule.

    affine_of(lower, node)             the value of such a node, or None
    number_held(lower, node, z, r)     a number that stands for itself

Rules of this file: what float32 rounds of a sum is part of its radius, unless all of it is whole.
"""

from __future__ import annotations

from handcraft.language.affine import Affine
from handcraft.lowering.ground import Ground
from handcraft.lowering.pointwise import whole_multiples
from handcraft.lowering.reading.domain import Domain
from handcraft.lowering.reading.nodes import Node
from handcraft.lowering.stream import FLOAT32, Held
from handcraft.sequence.values import Value


def affine_of(lower: Ground, node: Node) -> Held | None:
    """A sum, a difference or a multiple; None for any other node."""
    if node.op not in ("add", "subtract", "multiply"):
        return None
    one, other = node.args
    a, b = _number(lower, one), _number(lower, other)
    if a is None or b is None:
        return None
    if node.op == "multiply":
        return _multiple(lower, node, a, b)
    sign = 1.0 if node.op == "add" else -1.0
    z = a.z.plus(b.z.scaled(sign))
    return number_held(lower, node, z, a.radius + b.radius)


def _number(lower: Ground, node: Node) -> Held | None:
    """A node that is always a number, as that number."""
    domain = lower.domain(node)
    if domain.none or not domain.numeric:
        return None
    return lower.standard(node)


def _multiple(lower: Ground, node: Node, a: Held, b: Held) -> Held | None:
    for one, other in ((a, b), (b, a)):
        if not one.z.terms:
            by = one.z.constant
            z, radius = other.z.scaled(by), abs(by) * other.radius
            return number_held(lower, node, z, radius)
    return None


def number_held(lower: Ground, node: Node, z: Affine, radius: float) -> Held:
    """A number that stands for itself."""
    domain = lower.domain(node)
    most = max(abs(float(domain.low)), abs(float(domain.high)))
    if len(z.terms) > 1:
        lower.stream.names.setdefault(z.terms, lower.named(node))
    codes: dict[Value, float] | None = None
    if domain.values is not None:
        codes = {x: float(x) for x in domain.values}  # type: ignore[arg-type]
    if radius or not whole_multiples(z) or not _whole_steps(domain):
        radius += 4 * FLOAT32 * most
    return Held(z, codes, radius, most)


def _whole_steps(domain: Domain) -> bool:
    return domain.step is not None and domain.step == int(domain.step)
