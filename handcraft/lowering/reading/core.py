"""The core form of an expression: each thing that can be said in several ways is said in one.

    Core(causal=).of(e)   the node of an expression

Short selections, positions as `fetch`, and `length` of a causal text become what they stand for, so
that whoever lowers a node meets one language. Rules of this file: the meaning is that of
handcraft.sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from handcraft.lowering.reading.following import (
    below_of,
    limits_of,
    lowest_of,
    state_of,
    total_of,
)
from handcraft.lowering.reading.making import Maker
from handcraft.lowering.reading.nodes import Node
from handcraft.sequence.expression import Expression
from handcraft.sequence.operations import selection_of


class Core(Maker):
    """Reads expressions, each once."""

    def __init__(self, *, causal: bool) -> None:
        super().__init__(causal=causal)
        self._known: dict[int, tuple[Any, Node]] = {}  # by identity

    def of(self, e: Expression | int | str | None) -> Node:
        """The core form of an expression."""
        if not isinstance(e, Expression):
            return self.constant(e)
        if id(e) not in self._known:
            self._known[id(e)] = e, self._node(e)
        return self._known[id(e)][1]

    def known(self, e: Expression) -> Node | None:
        """The node that an expression became; None where it is no part of what was asked."""
        if id(e) in self._known:
            return self._known[id(e)][1]
        return dict(self._known.values()).get(e)

    def _node(self, e: Expression) -> Node:
        if (make := _FORMS.get(e.op)) is not None:
            return make(self, e)
        args = tuple(map(self.of, e.args))
        table = e.table or None
        return self.make(e.op, *args, data=table, says=e)


def _length(core: Core, _: Expression) -> Node:
    if not core.causal:
        return core.length
    return core.make("add", core.index, core.constant(1))


def _token_at(core: Core, e: Expression) -> Node:
    return core.at(core.of(e.args[0]), core.token, e)


def _value_at(core: Core, e: Expression) -> Node:
    return core.at(core.of(e.args[1]), core.of(e.args[0]), e)


def _there(core: Core, e: Expression) -> Node:
    return core.there(core.of(e.args[0]))


def _given(core: Core, e: Expression) -> Node:
    value, when = map(core.of, e.args)
    return core.make("cases", when, value, says=e)


def _selection(core: Core, e: Expression) -> Node:
    found = selection_of(e)
    kind: Any = e.op.removesuffix("_where")
    return core.select(
        kind,
        core.of(found.condition),
        None if found.value is None else core.of(found.value),
        None if found.default is None else core.of(found.default),
        says=e,
    )


def _short(core: Core, e: Expression) -> Node:
    """A short selection. The last of its tokens is taken as the key, so that nothing is read
    behind a key; a position that is asked for is then further on by as much.
    """
    shift = max((0, *(offset for offset, _ in e.where)))
    condition = core.both(
        *(_stands(core, offset - shift, what) for offset, what in e.where),
        *limits_of(core, e, shift),
    )
    kind: Any = e.op
    found = core.select(kind, condition, says=e if not shift else None)
    if e.op == "count" or not shift:
        return found
    return core.make("subtract", found, core.constant(shift))


def _stands(core: Core, offset: int, what: Any) -> Node:
    """The condition that something stands at a distance of the key."""
    place = core.index
    if offset:
        place = core.make("add", core.index, core.constant(offset))
    token = core.there(core.at(place, core.token, None))
    if isinstance(what, tuple):
        table = tuple(((text,), 1) for text in dict.fromkeys(what))
        found = core.make("lookup", token, data=table)
        return core.make("otherwise", found, core.constant(0))
    return core.make("equal", token, core.of(what))


_FORMS: Mapping[str, Callable[[Core, Expression], Node]] = {
    "here": lambda core, _: core.index,
    "length": _length,
    "token_at": _token_at,
    "value_at": _value_at,
    "there": _there,
    "given": _given,
    "count": _short,
    "first": _short,
    "latest": _short,
    "total": total_of,
    "lowest": lowest_of,
    "below": below_of,
    "state": state_of,
    **dict.fromkeys(
        (
            *("count_where", "first_where", "latest_where", "total_where"),
            *("mean", "best", "fetch"),
        ),
        _selection,
    ),
}
