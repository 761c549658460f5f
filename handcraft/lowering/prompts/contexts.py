"""Rewrites a claim's rule for the stream: position 0 apart, and nothing told that nobody asks.

    Contexts(core, asked, n).rule(node)   the same value, of the text behind position 0 where the
                                          prompts all begin with one token, which is BOS

The text of a claim counts its positions from 0 on, and BOS stands at 0. So position i of the claim
is `index` i - 1 of the stream; what a selection finds at 0 is known beforehand, since a position
sees what is before it only, and is said beside the selection. Where there is no such token, the
positions are the same, and a head must not need BOS.

A selection that is defined wherever the claim asks is Settled: its head need not say that it is
not. Rules of this file: what is read at other positions is right at all of them.
"""

from __future__ import annotations

from typing import Any

from handcraft.lowering.meanings import NodeMeanings
from handcraft.lowering.prompts.asked import Demand
from handcraft.lowering.prompts.first_position import FirstPosition
from handcraft.lowering.prompts.needs import (
    holds_behind,
    is_earlier,
    is_of_key,
    parts_below,
    place_fetched,
)
from handcraft.lowering.prompts.whereabouts import Whereabouts
from handcraft.lowering.reading.core import Core
from handcraft.lowering.reading.domains import Domains, Unlisted
from handcraft.lowering.reading.nodes import (
    Node,
    SelectionKind,
    Settled,
    conjuncts,
)
from handcraft.lowering.refusals import Refused
from handcraft.sequence.values import Value

_CHOOSING = ("first", "latest", "best")
_STRICT = ("equal", "below", "precedes", "lookup", "add", "subtract", "modulo")


class Contexts:
    """Rewrites the nodes of one claim."""

    def __init__(self, core: Core, asked: Demand, n_ctx: int) -> None:
        self.core = core
        self.asked = asked
        self.begin = asked.begin
        self.where = Whereabouts(asked, n_ctx)
        self.first = FirstPosition(asked)
        shift = 0 if self.begin is None else 1
        read = asked.behind if shift else (*asked.first, *asked.behind)
        read = tuple(dict.fromkeys(read))
        self.domains = Domains(read, n_ctx - shift, causal=True)
        self._made: dict[int, tuple[Node, Node]] = {}
        at = core.make("add", core.index, core.constant(shift))
        self.here = at if shift else core.index

    def rule(self, root: Node) -> Node:
        """The value of a node where the claim asks for it."""
        self.root = root
        self.where.note(root)
        return self.of(root)

    def in_rule(self, node: Node) -> Node:
        """The least part of the claim's rule that became a node or holds it, and can be written."""
        words, found = NodeMeanings(), [self.root]
        for part in parts_below(self.root):
            made = self._made.get(id(part), (part, part))[1]
            if part.says is None and words.of(part) is None:
                continue
            if any(x is node for top in (part, made) for x in parts_below(top)):
                found.append(part)
        return min(found, key=lambda part: len([*parts_below(part)]))

    # ------------------------------------------------------------ nodes

    def of(self, node: Node) -> Node:
        """A node in terms of the stream's positions."""
        if id(node) not in self._made:
            self._made[id(node)] = node, self._rewritten(node)
        return self._made[id(node)][1]

    def _rewritten(self, node: Node) -> Node:
        if node.op == "index":
            return self.here
        if node.op == "end":
            return self._end(node)
        if node.op == "select":
            return self._selected(node)
        if not node.args:
            return node
        if node.op == "there":
            return self.core.there(self._there(node))
        args = [self.of(arg) for arg in node.args]
        return self._made_of(node, args)

    def _made_of(self, node: Node, args: list[Node]) -> Node:
        return self.core.make(node.op, *args, data=node.data, says=node.says)

    def _there(self, node: Node) -> Node:
        (inner,) = node.args
        if self._unknown_end(inner):
            raise Refused(
                inner,
                "is read at earlier positions, where the end of the prompt is not"
                " known yet",
                "prompts of one length",
            )
        return self.of(inner)

    def _unknown_end(self, node: Node) -> bool:
        """True if a value that is computed at another position depends on the prompt's end."""
        if len(self.asked.ends) == 1 or node.op != "select":
            return node.op == "end" and len(self.asked.ends) > 1
        return any(x.op == "end" for x in parts_below(node))

    def _end(self, node: Node) -> Node:
        core, ends = self.core, self.asked.ends
        if len(ends) == 1:
            return core.constant(min(ends))
        if self.asked.single:
            return self.here
        if self.asked.close is None:
            raise Refused(
                node,
                "is not known where no token stands at the end of the prompt alone",
                "prompts of one length, or such as '[ab]{1,9}='",
            )
        closing = core.make(
            "equal", core.there(core.token), core.constant(self.asked.close)
        )
        return self._plus_shift(core.select(_kind("first", True), closing))

    def _plus_shift(self, place: Node) -> Node:
        if self.begin is None:
            return place
        return self.core.make("add", place, self.core.constant(1))

    # ------------------------------------------------------------ selections

    def _selected(self, node: Node) -> Node:
        if node.data != "count" and self._unknown_end_in_value(node):
            raise Refused(
                node.value,
                "is read at earlier positions, where the end of the prompt is not"
                " known yet",
                "prompts of one length",
            )
        if node.data in ("count", "total"):
            return self._summed(node)
        if node.data in ("fetch", *_CHOOSING):
            return self._fetched(node)
        if self.begin is not None and self._at_zero(node.condition) is not None:
            raise Refused(
                node, "would count the token before the text", "total and count"
            )
        return self._again(node)

    def _unknown_end_in_value(self, node: Node) -> bool:
        if len(self.asked.ends) == 1:
            return False
        return any(x.op == "end" for x in parts_below(node.value))

    def _again(self, node: Node, *, settled: bool = False) -> Node:
        """The same selection of the positions behind BOS."""
        default = node.default
        return self.core.select(
            _kind(node.data, settled),
            self._condition(node.condition),
            self.of(node.value),
            None if default is None else self.of(default),
            says=node.says,
        )

    def _summed(self, node: Node) -> Node:
        core = self.core
        found = self._again(node)
        zero = None if self.begin is None else self._at_zero(node.condition)
        value: Value = 1 if node.data == "count" else None
        if zero is not None and node.data == "total":
            value = self.first.of(node.value)
            if value is None:
                raise Refused(
                    node.value,
                    "is undefined at position 0, and so would be the sum",
                    "otherwise(value, 0)",
                )
        if zero is None or value in (0, None):
            return found
        own = core.make("cases", zero, core.constant(value), core.constant(0))
        return core.make("add", found, own, says=node.says)

    def _fetched(self, node: Node) -> Node:
        if node.data in _CHOOSING:
            return self._chosen(node, node, None)
        place = place_fetched(node)
        if place is None:
            return self._fetched_by_condition(node)
        if place.op == "select" and place.data in _CHOOSING:
            found = self._chosen(node, place, node.value)
        else:
            found = self._placed(node, place)
        if node.default is None:
            return found
        default = self.of(node.default)
        if self._always_defined(node.value):
            return self.core.make("otherwise", found, default)
        return self.core.make("cases", self._stands(place), found, default)

    def _always_defined(self, value: Node) -> bool:
        """True if a value is known to be defined at every position."""
        try:
            maybe = self.domains.of(self.of(value)).none
        except Unlisted:
            return False
        at_zero = self.begin is not None and self.first.of(value) is None
        return not maybe and not at_zero

    def _stands(self, place: Node) -> Node:
        """1 where a place is a position that the query sees, else 0 or undefined."""
        core, where = self.core, self.of(place)
        early = core.make("below", where, core.constant(0))
        late = core.make("below", self.here, where)
        return core.make("negate", core.make("either", early, late))

    def _fetched_by_condition(self, node: Node) -> Node:
        if self.begin is not None and self._at_zero(node.condition) is not None:
            raise Refused(
                node,
                "could select the token before the text",
                "a condition that there(indices) > 0",
            )
        defined = id(node) in self.where.defined and node.default is None
        return self._again(node, settled=defined)

    def _placed(self, node: Node, place: Node) -> Node:
        """The value at a position that is computed."""
        core = self.core
        where = self.of(place)
        default = None
        if self.begin is not None and self.where.may_be_zero(node, place):
            default = core.constant(self.first.of(node.value))
        defined = id(node) in self.where.defined
        if defined or self.where.everywhere(node):
            kind: Any = Settled("at", self.where.tokens(node, place, defined))
            return core.select(kind, where, self.of(node.value), default)
        found = core.select("at", where, self.of(node.value), default)
        return core.make("cases", self._stands(place), found)

    def _chosen(self, node: Node, place: Node, value: Node | None) -> Node:
        """The first, latest or best position, or the value there."""
        core = self.core
        zero = None if self.begin is None else self._at_zero(place.condition)
        if zero is not None and place.data == "best":
            zero = None if self.first.of(place.value) is None else zero
        if zero is not None and place.data == "best":
            return self._best(place, value)
        condition = self._condition(place.condition)
        by = None if place.data != "best" else self.of(place.value)
        defined = id(node) in self.where.defined
        sure = defined and (zero is None or place.data == "first")
        found = self._selecting(place, condition, by, value, sure=sure)
        if zero is None:
            return found
        own = core.constant(0 if value is None else self.first.of(value))
        if place.data == "first":
            return core.make("cases", zero, own, found)
        if defined and value is not None and own.data is not None:
            kind = core.select(place.data, condition, by)
            here = core.make("equal", core.there(core.index), kind)
            return core.select("fetch", here, self.of(value), own)
        return core.make("otherwise", found, core.make("cases", zero, own))

    def _selecting(
        self,
        place: Node,
        condition: Node,
        by: Node | None,
        value: Node | None,
        *,
        sure: bool,
    ) -> Node:
        """The chosen position, or the value there; `sure` if there is one wherever it is asked."""
        core, kind, says = self.core, place.data, place.says
        if value is None:
            chosen = core.select(_kind(kind, sure), condition, by, says=says)
            return self._plus_shift(chosen)
        chosen = core.select(_kind(kind, False), condition, by, says=says)
        here = core.make("equal", core.there(core.index), chosen)
        return core.select(_kind("fetch", sure), here, self.of(value))

    def _best(self, place: Node, value: Node | None) -> Node:
        """The best position, of which the token before the text may be one."""
        core = self.core
        least = self.first.of(place.value)
        ranked = self.of(place.value)
        if list(conjuncts(place.condition)) or not isinstance(least, int):
            raise Refused(
                place,
                "could select the token before the text",
                "a condition that there(indices) > 0",
            )
        above = core.make("below", core.constant(least), core.there(ranked))
        found = self._selecting(place, above, ranked, value, sure=False)
        own = core.constant(0 if value is None else self.first.of(value))
        return core.make("otherwise", found, own)

    # ------------------------------------------------------------ conditions

    def _condition(self, condition: Node) -> Node:
        """A condition on the keys behind BOS."""
        found: list[Node] = []
        for part in conjuncts(condition):
            if holds_behind(part):
                continue
            if is_earlier(part):
                found.append(part)
                continue
            found += self._guarded(part)
        kept = [x for x in found if not self._always(x)]
        return self.core.both(*kept)

    def _always(self, part: Node) -> bool:
        """True for a part that holds for every key and query."""
        value = self._single(part)
        return value is not None and value != 0

    def _single(self, node: Node) -> Value:
        """The one number that a node always has; None where it is not known to have one."""
        if node.op == "constant":
            value: Value = node.data
            return value
        try:
            values = self.domains.of(node).values
        except Unlisted:
            return None
        if values is None or len(values) != 1:
            return None
        return values[0]

    def _guarded(self, part: Node) -> list[Node]:
        """A part, with what it fetches at a key said to be inside the text as a part of its own."""
        rewritten = self.of(part)
        guards: list[Node] = []
        found = self._without_guards(rewritten, guards)
        if not guards:
            return [rewritten]
        return [*dict.fromkeys(guards), found]

    def _without_guards(self, node: Node, guards: list[Node]) -> Node:
        """The node with cases(inside, x) as x, where its being undefined makes the whole so."""
        if node.op == "cases" and len(node.args) == 2 and is_of_key(node):
            inside, found = node.args
            if found.op == "there" and found.args[0].data == "at":
                guards.append(inside)
                return found
        if node.op not in _STRICT:
            return node
        args = [self._without_guards(arg, guards) for arg in node.args]
        return self.core.make(node.op, *args, data=node.data)

    def _at_zero(self, condition: Node) -> Node | None:
        """The condition with BOS as the key, of the query; None where it never holds."""
        found = self._of_query(condition)
        value = self._single(found)
        if value == 0 or (found.op == "constant" and value is None):
            return None
        return found

    def _of_query(self, node: Node) -> Node:
        core = self.core
        if node.op == "there":
            return core.constant(self.first.of(node.args[0]))
        if node.op in ("select", "constant") or not node.args:
            return self.of(node)
        args = [self._of_query(arg) for arg in node.args]
        if node.op == "both":
            known = [self._single(arg) for arg in args]
            if 0 in known or any(
                x is None and arg.op == "constant"
                for x, arg in zip(known, args, strict=True)
            ):
                return core.constant(0)
            kept = [a for a, x in zip(args, known, strict=True) if x is None]
            return core.both(*kept)
        return self._made_of(node, args)


def _kind(kind: str, sure: bool) -> SelectionKind:
    found: SelectionKind = Settled(kind) if sure else kind  # type: ignore[assignment]
    return found
