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

from collections.abc import Iterator
from itertools import product
from math import prod
from typing import Any

from handcraft.lowering.asked import Asked
from handcraft.lowering.domains import (
    MOST_COMBINED,
    Domains,
    Unlisted,
    bases_of,
    function_of,
    span,
)
from handcraft.lowering.nodes import Core, Kind, Node, Settled, parts_of
from handcraft.lowering.refusals import Refused
from handcraft.sequence.operations import branches_of
from handcraft.sequence.values import Value

_CHOOSING = ("first", "latest", "best")


class Contexts:
    """Rewrites the nodes of one claim."""

    def __init__(self, core: Core, asked: Asked, n_ctx: int) -> None:
        self.core = core
        self.asked = asked
        self.begin = asked.begin
        self.n_ctx = n_ctx
        tokens = dict.fromkeys((*asked.first, *asked.behind))
        self.whole = Domains(tokens, n_ctx, causal=True)
        self.whole.tell("end", span(min(asked.ends), max(asked.ends)))
        shift = 0 if self.begin is None else 1
        read = asked.behind if shift else tokens
        self.domains = Domains(read, n_ctx - shift, causal=True)
        self._defined: set[int] = set()
        self._elsewhere: set[int] = set()
        self._used: dict[int, frozenset[int]] = {}  # where a value matters
        self._made: dict[int, tuple[Node, Node]] = {}
        self._zeros: dict[int, tuple[Node, Value]] = {}
        at = core.make("add", core.index, core.constant(shift))
        self.here = at if shift else core.index

    def rule(self, root: Node) -> Node:
        """The value of a node where the claim asks for it."""
        self._elsewhere = {id(x) for x in _read_elsewhere(root)}
        self._note(root)
        sure = _needed(root)
        for node in _looked_at(root):
            if id(node) in self._elsewhere or node.op != "select":
                continue
            if id(node) in sure or self._inside(node, self.asked.places):
                self._defined.add(id(node))
        return self.of(root)

    def _all_positions(self) -> frozenset[int]:
        """The positions that the stream has."""
        return frozenset(range(0 if self.begin is None else 1, self.n_ctx))

    def _note(self, root: Node) -> None:
        """Notes at which positions each selection matters, by the choices that are made by the
        position alone: of the query, and of the key for what stands in `there`.
        """
        every = self._all_positions()
        waiting, known = [(root, every, every)], set[Any]()
        while waiting:
            node, at, keys = waiting.pop()
            if (id(node), at, keys) in known:
                continue
            known.add((id(node), at, keys))
            self._used[id(node)] = self._used.get(id(node), frozenset()) | at
            if node.op == "there":
                waiting.append((node.args[0], keys, every))
            elif node.op == "cases":
                waiting += self._branches(node, at, keys)
            else:
                fresh = (every, every) if node.op == "select" else (at, keys)
                waiting += [(arg, *fresh) for arg in node.args]

    def _branches(
        self, node: Node, at: frozenset[int], keys: frozenset[int]
    ) -> Iterator[tuple[Node, frozenset[int], frozenset[int]]]:
        pairs, default = branches_of(node.args)
        for when, then in pairs:
            yield when, at, keys
            holds = self._positions_of(when)
            if holds is None:
                yield then, at, keys
            elif holds[0]:
                yield then, at, keys & holds[1]
                keys = keys - holds[1]
            else:
                yield then, at & holds[1], keys
                at = at - holds[1]
        if default is not None:
            yield default, at, keys

    def _positions_of(self, when: Node) -> tuple[bool, frozenset[int]] | None:
        """True for the key's, and where a condition on the position alone holds."""
        bases = bases_of(when)
        of_keys = any(base.op == "there" for base in bases)
        inner = [x.args[0] if x.op == "there" else x for x in bases]
        mixed = of_keys and any(x.op == "index" for x in bases)
        if mixed or not all(self._told(x) for x in inner):
            return None
        ask = function_of(when, bases)
        return of_keys, frozenset(
            i
            for i in self._all_positions()
            if ask([self._scope(x, i) for x in inner]) not in (0, None)
        )

    def _told(self, base: Node) -> bool:
        """True for the position, and for an end that is the same for all."""
        only = len(self.asked.ends) == 1
        return base.op == "index" or (base.op == "end" and only)

    def _scope(self, base: Node, i: int) -> int:
        return i if base.op == "index" else min(self.asked.ends)

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
        if node.op == "lookup":
            return self.core.make(
                "lookup", *args, data=node.data, says=node.says
            )
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
        return any(x.op == "end" for x in _below(node))

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
        return self._plus_shift(core.select(Settled("first"), closing))

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
        return any(x.op == "end" for x in _below(node.value))

    def _again(self, node: Node, *, settled: bool = False) -> Node:
        """The same selection of the positions behind BOS."""
        default = node.default
        return self.core.select(
            Settled(node.data) if settled else node.data,
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
            value = self.zero(node.value)
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
        place = _place(node)
        if place is None:
            return self._fetched_by_condition(node)
        if place.op == "select" and place.data in _CHOOSING:
            found = self._chosen(node, place, node.value)
        else:
            found = self._placed(node, place)
        if node.default is None:
            return found
        return self.core.make("otherwise", found, self.of(node.default))

    def _fetched_by_condition(self, node: Node) -> Node:
        if self.begin is not None and self._at_zero(node.condition) is not None:
            raise Refused(
                node,
                "could select the token before the text",
                "a condition that there(indices) > 0",
            )
        defined = id(node) in self._defined and node.default is None
        return self._again(node, settled=defined)

    def _placed(self, node: Node, place: Node) -> Node:
        """What stands at a position that is computed."""
        core = self.core
        where = self.of(place)
        default = None
        if self.begin is not None and self._may_be_zero(node, place):
            default = core.constant(self.zero(node.value))
        defined = id(node) in self._defined
        if defined or self._everywhere(node):
            kind: Any = Settled("at", self._tokens(node, place, defined))
            return core.select(kind, where, self.of(node.value), default)
        found = core.select("at", where, self.of(node.value), default)
        early = core.make("below", where, core.constant(0))
        late = core.make("below", self.here, where)
        inside = core.make("negate", core.make("either", early, late))
        return core.make("cases", inside, found)

    def _tokens(
        self, node: Node, place: Node, defined: bool
    ) -> frozenset[str] | None:
        """The tokens that a fetch can give where it matters; None for anything else."""
        if node.value.op != "token":
            return None
        places = self.asked.places if defined else self._places(node)
        found = self._values_of(place, places)
        if found is None:
            return None
        positions = {x for _, x in found if isinstance(x, int) and x >= 0}
        return frozenset[str]().union(*map(self.asked.at, positions))

    def _everywhere(self, node: Node) -> bool:
        """True if a fetch is inside the text at every position where it matters."""
        place = _place(node)
        if place is None or any(
            x.op == "end" and not self._told(x) for x in _below(place)
        ):
            return False
        return self._inside(node, self._places(node))

    def _places(self, node: Node) -> tuple[tuple[int, int], ...]:
        """The places at which a node matters that does not ask for an end which varies."""
        used = self._used.get(id(node), self._all_positions())
        end = min(self.asked.ends)
        alone = len(self.asked.ends) == 1
        return tuple((end if alone else i, i) for i in sorted(used))

    def _may_be_zero(self, node: Node, place: Node) -> bool:
        if id(node) not in self._defined:
            return True
        found = self._values_of(place, self.asked.places)
        return found is None or any(x == 0 for _, x in found)

    def _inside(self, node: Node, places: tuple[tuple[int, int], ...]) -> bool:
        """True if a fetch names a position of the text at all of these places."""
        place = _place(node) if node.data == "fetch" else None
        if place is None:
            return False
        found = self._values_of(place, places)
        return found is not None and all(
            isinstance(x, int) and 0 <= x <= here for here, x in found
        )

    def _values_of(
        self, place: Node, places: tuple[tuple[int, int], ...]
    ) -> list[tuple[int, Value]] | None:
        """(here, value) for all that a position can be; None where that is too many."""
        bases = bases_of(place)
        rest = [x for x in bases if x.op not in ("index", "end")]
        try:
            lists = [self._listed(base) for base in rest]
        except Unlisted:
            return None
        if any(x is None for x in lists):
            return None
        if len(places) * prod(len(x or ()) for x in lists) > 2 * MOST_COMBINED:
            return None
        ask = function_of(place, [*_scoped(bases), *rest])
        found = []
        for end, here in places:
            scope = [here if x.op == "index" else end for x in _scoped(bases)]
            for row in product(*(x or () for x in lists)):
                found.append((here, ask((*scope, *row))))
        return found

    def _listed(self, base: Node) -> tuple[Value, ...] | None:
        """The values of a base; without None where it is known to be defined."""
        values = self.whole.of(base).values
        if values is None or base.op != "select":
            return values
        if id(base) in self._defined or self._inside(base, self.asked.places):
            return tuple(x for x in values if x is not None)
        return values

    def _chosen(self, node: Node, place: Node, value: Node | None) -> Node:
        """The first, latest or best position, or the value there."""
        core = self.core
        zero = None if self.begin is None else self._at_zero(place.condition)
        if zero is not None and place.data == "best":
            zero = None if self.zero(place.value) is None else zero
        if zero is not None and place.data == "best":
            return self._best(node, place, value)
        condition = self._condition(place.condition)
        by = None if place.data != "best" else self.of(place.value)
        defined = id(node) in self._defined
        sure = defined and (zero is None or place.data == "first")
        found = self._selecting(place.data, condition, by, value, sure=sure)
        if zero is None:
            return found
        own = core.constant(0 if value is None else self.zero(value))
        if place.data == "first":
            return core.make("cases", zero, own, found)
        if defined and value is not None and own.data is not None:
            kind = core.select(place.data, condition, by)
            here = core.make("equal", core.there(core.index), kind)
            return core.select("fetch", here, self.of(value), own)
        return core.make("otherwise", found, core.make("cases", zero, own))

    def _selecting(
        self,
        kind: str,
        condition: Node,
        by: Node | None,
        value: Node | None,
        *,
        sure: bool,
    ) -> Node:
        """The chosen position, or the value there; `sure` if there is one wherever it is asked."""
        core = self.core
        if value is None:
            chosen = core.select(_kind(kind, sure), condition, by)
            return self._plus_shift(chosen)
        chosen = core.select(_kind(kind, False), condition, by)
        here = core.make("equal", core.there(core.index), chosen)
        return core.select(_kind("fetch", sure), here, self.of(value))

    def _best(self, node: Node, place: Node, value: Node | None) -> Node:
        """The best position, of which the token before the text may be one."""
        core = self.core
        least = self.zero(place.value)
        ranked = self.of(place.value)
        if list(parts_of(place.condition)) or not isinstance(least, int):
            raise Refused(
                place,
                "could select the token before the text",
                "a condition that there(indices) > 0",
            )
        above = core.make("below", core.constant(least), core.there(ranked))
        found = self._selecting("best", above, ranked, value, sure=False)
        own = core.constant(0 if value is None else self.zero(value))
        return core.make("otherwise", found, own)

    # ------------------------------------------------------------ conditions

    def _condition(self, condition: Node) -> Node:
        """A condition on the keys behind BOS."""
        found: list[Node] = []
        for part in parts_of(condition):
            if _holds_behind(part):
                continue
            if _is_earlier(part):
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
        if node.op == "cases" and len(node.args) == 2 and _is_of_key(node):
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
            return core.constant(self.zero(node.args[0]))
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

    # ------------------------------------------------------------ position 0

    def zero(self, node: Node) -> Value:
        """The value of a node at position 0, which sees BOS alone."""
        if id(node) not in self._zeros:
            self._zeros[id(node)] = node, self._value_at_zero(node)
        return self._zeros[id(node)][1]

    def _value_at_zero(self, node: Node) -> Value:
        if node.op == "constant":
            value: Value = node.data
            return value
        if node.op == "token":
            return self.begin
        if node.op == "index":
            return 0
        if node.op == "there":
            return self.zero(node.args[0])
        if node.op == "select":
            return self._selected_at_zero(node)
        if node.op == "end" and len(self.asked.ends) == 1:
            return min(self.asked.ends)
        if not node.args:
            raise Refused(
                node,
                "is read at position 0, where it is not known",
                "prompts of one length",
            )
        return node.computed([self.zero(arg) for arg in node.args])

    def _selected_at_zero(self, node: Node) -> Value:
        holds = self.zero(node.condition) not in (0, None)
        if node.data == "count":
            return int(holds)
        if node.data == "total":
            return self.zero(node.value) if holds else 0
        if node.data in ("first", "latest"):
            return 0 if holds else None
        if node.data == "best":
            some = holds and self.zero(node.value) is not None
            return 0 if some else None
        if holds:
            return self.zero(node.value)
        return None if node.default is None else self.zero(node.default)


_STRICT = ("equal", "below", "precedes", "lookup", "add", "subtract", "modulo")


def _kind(kind: str, sure: bool) -> Kind:
    found: Any = Settled(kind) if sure else kind
    return found  # type: ignore[no-any-return]


def _is_of_key(node: Node) -> bool:
    """True if nothing in a node is read at the query."""
    return all(x.op == "there" for x in bases_of(node))


def _scoped(bases: tuple[Node, ...]) -> list[Node]:
    return [x for x in bases if x.op in ("index", "end")]


def _place(node: Node) -> Node | None:
    """The position that a fetch names."""
    part = node.condition
    if node.data != "fetch" or part.op != "equal":
        return None
    for key, query in (part.args, part.args[::-1]):
        is_key = key.op == "there" and key.args[0].op == "index"
        if is_key and all(x.op != "there" for x in bases_of(query)):
            return query
    return None


def _holds_behind(part: Node) -> bool:
    """True for a condition that a key is not behind the query, which always holds."""
    if part.op != "negate" or part.args[0].op != "below":
        return False
    query, key = part.args[0].args
    return (
        query.op == "index" and key.op == "there" and key.args[0].op == "index"
    )


def _is_earlier(part: Node) -> bool:
    """True for there(indices) < indices, which says the same of all positions moved by one."""
    if part.op != "below":
        return False
    key, query = part.args
    return (
        query.op == "index" and key.op == "there" and key.args[0].op == "index"
    )


def _below(node: Node) -> Iterator[Node]:
    """A node and all that it is made of, each once."""
    known, waiting = set[int](), [node]
    while waiting:
        part = waiting.pop()
        if id(part) not in known:
            known.add(id(part))
            yield part
            waiting.extend(part.args)


def _looked_at(root: Node) -> Iterator[Node]:
    """The nodes whose value is asked at the query itself."""
    known, waiting = set[int](), [root]
    while waiting:
        part = waiting.pop()
        if id(part) in known or part.op == "there":
            continue
        known.add(id(part))
        yield part
        waiting.extend(_parts_at_query(part))


def _parts_at_query(node: Node) -> tuple[Node, ...]:
    """What a node is made of, but for what a selection reads at its keys."""
    if node.op != "select":
        return node.args
    default = () if node.default is None else (node.default,)
    return (node.condition, *default)


def _read_elsewhere(root: Node) -> Iterator[Node]:
    """The nodes whose value is asked at other positions too."""
    for node in _below(root):
        if node.op == "there":
            yield from _below(node.args[0])
        if node.op == "select":
            yield from _below(node.value)


def _needed(root: Node) -> set[int]:
    """The nodes without whose value the root has none, wherever that value is looked at.

    What only one branch of a choice needs may be undefined where another is taken; so it must
    not stand in a condition too, or in the first part of an `otherwise`.
    """
    sure, maybe, loose = set[int](), set[int](), set[int]()
    waiting = [(root, True)]
    while waiting:
        part, certain = waiting.pop()
        if id(part) in (sure if certain else sure | maybe):
            continue
        (sure if certain else maybe).add(id(part))
        strict, chosen, rest = _ways(part)
        waiting += [(x, certain) for x in strict]
        waiting += [(x, False) for x in chosen]
        for x in rest:
            loose |= {id(y) for y in _looked_at(x)}
    return sure | (maybe - loose)


def _ways(node: Node) -> tuple[list[Node], list[Node], list[Node]]:
    """What a node needs, what it needs where it chooses it, and what else it looks at."""
    if node.op == "cases":
        pairs, default = branches_of(node.args)
        values = [then for _, then in pairs]
        values += [] if default is None else [default]
        return [], values, [when for when, _ in pairs]
    if node.op == "otherwise":
        return [], [node.args[1]], [node.args[0]]
    if node.op in ("both", "either", "negate", "there"):
        return [], [], [*node.args]
    if node.op == "select":
        place = _place(node)
        if place is not None and node.default is None:
            return [place], [], []
        return [], [], [*_parts_at_query(node)]
    return [*node.args], [], []
