"""The words of the language that go through a text step by step, as selections of positions.

    total_of     the sum over the positions of a short form
    lowest_of    the least total of all beginnings: that of the best position
    below_of     `below(lowest(...), k)`: a count of positions whose total is below k
    state_of     the state of a finite machine, where heads can follow it

Rules of this file: what it gives has the same value in every text, whether a position sees the
whole of it or not.
"""

from __future__ import annotations

from collections.abc import Iterator

from handcraft.lowering.reading.automata import Cycle, Reset, Trap, machine_of
from handcraft.lowering.reading.making import Maker
from handcraft.lowering.reading.nodes import Node
from handcraft.sequence.expression import Expression


def limits_of(core: Maker, e: Expression, shift: int) -> Iterator[Node]:
    """The conditions of `before` and `every` on the position of the key less the shift."""
    key = core.make("there", core.index)
    if shift:
        key = core.make("subtract", key, core.constant(shift))
    start, step = e.every
    if shift or start:
        below = core.make("below", key, core.constant(start))
        yield core.make("negate", below)
    if e.before is not None:
        yield core.make("below", key, core.of(e.before))
    if step > 1:
        past = core.make("subtract", key, core.constant(start))
        rest = core.make("modulo", past, core.constant(step))
        yield core.make("equal", rest, core.constant(0))


def total_of(core: Maker, e: Expression) -> Node:
    """The sum over the positions of a short form."""
    numbers = core.make("lookup", core.token, data=e.table)
    value = core.make("otherwise", numbers, core.constant(0))
    return core.select(
        "total", core.both(*limits_of(core, e, 0)), value, says=e
    )


def lowest_of(core: Maker, e: Expression) -> Node:
    """The least total up to any position, or 0: that of the best position."""
    found = _least_total(core, e)
    return core.make("least", found, core.constant(0), says=e)


def _totals(core: Maker, e: Expression) -> tuple[Node, Node]:
    """The total up to each position, and the condition on the position of `before`."""
    numbers = core.make("lookup", core.token, data=e.table)
    value = core.make("otherwise", numbers, core.constant(0))
    total = core.select("total", _up_to_here(core), value)
    return total, core.both(*limits_of(core, e, 0))


def _up_to_here(core: Maker) -> Node:
    """The condition on a position that it is not behind the one that asks."""
    later = core.make("below", core.index, core.make("there", core.index))
    return core.make("negate", later)


def _least_total(core: Maker, e: Expression) -> Node:
    total, limits = _totals(core, e)
    less = core.make("subtract", core.constant(0), total)
    place = core.select("best", limits, less)
    found = core.at(place, total, None)
    if limits is core.true:
        return found
    return core.make("otherwise", found, core.constant(0))


def below_of(core: Maker, e: Expression) -> Node:
    """A comparison; of `lowest` with a number, how many totals are below it."""
    least, number = e.args
    if not isinstance(least, Expression) or least.op != "lowest":
        return core.make("below", *map(core.of, e.args), says=e)
    if type(number) is not int or number > 0:
        return core.make("below", *map(core.of, e.args), says=e)
    total, limits = _totals(core, least)
    beneath = core.make("below", core.there(total), core.constant(number))
    many = core.select("count", core.both(beneath, limits))
    return core.make("below", core.constant(0), many, says=e)


def state_of(core: Maker, e: Expression) -> Node:
    """The state of a finite machine that heads can follow; else the node that is refused."""
    rows = e.rows
    symbols = dict.fromkeys(key[1] for key in rows if key)
    machine = machine_of(
        rows[()], lambda s, x: rows.get((s, x), s), list(symbols)
    )
    if isinstance(machine, Cycle):
        return _turned(core, machine, e)
    if isinstance(machine, Reset):
        return _after_reset(core, machine, core.true, e)
    if isinstance(machine, Trap):
        return _trapped(core, machine, e)
    return core.make("state", data=e.table, says=e)


def _turned(core: Maker, machine: Cycle, e: Expression) -> Node:
    turns = tuple(((x,), by) for x, by in machine.turns.items() if by)
    by = core.make("lookup", core.token, data=turns)
    value = core.make("otherwise", by, core.constant(0))
    total = core.select("total", core.true, value)
    many = core.constant(len(machine.states))
    states = tuple(((i,), s) for i, s in enumerate(machine.states))
    return core.make(
        "lookup", core.make("modulo", total, many), data=states, says=e
    )


def _after_reset(
    core: Maker, machine: Reset, limits: Node, e: Expression | None
) -> Node:
    """What the latest symbol that decides leads to."""
    states = tuple(((x,), s) for x, s in machine.leads.items())
    if not states:
        return core.constant(machine.start)
    leads = core.make("lookup", core.token, data=states)
    flags = tuple(((x,), 1) for x in machine.leads)
    decides = core.make("lookup", core.there(core.token), data=flags)
    known = core.make("otherwise", decides, core.constant(0))
    place = core.select("latest", core.both(known, limits))
    found = core.at(place, leads, None)
    return core.make("otherwise", found, core.constant(machine.start), says=e)


def _trapped(core: Maker, machine: Trap, e: Expression) -> Node:
    """The trap, if any position fell into it from the state before."""
    till_here = _after_reset(core, machine.outside, _up_to_here(core), None)
    place = core.make("subtract", core.index, core.constant(1))
    start = core.constant(machine.outside.start)
    before = core.make("otherwise", core.at(place, till_here, None), start)
    falls = tuple(machine.falls.items())
    fell = core.make("lookup", before, core.token, data=falls)
    fallen = core.make("otherwise", core.there(fell), core.constant(0))
    ever = core.select("count", fallen)
    now = _after_reset(core, machine.outside, core.true, None)
    caught = core.make("below", core.constant(0), ever)
    trap = core.constant(machine.trap)
    return core.make("cases", caught, trap, now, says=e)
