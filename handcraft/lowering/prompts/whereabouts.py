"""Says which positions the fetches of a claim's rule name, and which tokens stand there.

    Whereabouts(asked, n_ctx).note(root)   the rule that is spoken of
        .defined                           ids of the selections that are defined where the claim
                                           asks for them, and that nothing else asks for
        .inside(node, places)              True if a fetch names a position of the text there
        .everywhere(node)                  True if it does wherever its value matters
        .tokens(node, place, defined)      the tokens that it can give there

Rules of this file: a place is (end, here) in the positions of the claim; nothing is assumed of a
text but what the prompts say.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod
from typing import Any, TypeAlias

from handcraft.lowering.prompts.asked import Demand
from handcraft.lowering.prompts.needs import (
    looked_at,
    needed,
    parts_below,
    place_fetched,
    read_elsewhere,
    scoped,
)
from handcraft.lowering.reading.bases import bases_of, function_of
from handcraft.lowering.reading.domain import interval
from handcraft.lowering.reading.domains import MOST_COMBINED, Domains, Unlisted
from handcraft.lowering.reading.nodes import Node
from handcraft.sequence.operations import branches_of
from handcraft.sequence.values import Value

Places: TypeAlias = tuple[tuple[int, int], ...]


class Whereabouts:
    """The positions of one rule, as far as they are known."""

    def __init__(self, asked: Demand, n_ctx: int) -> None:
        self.asked = asked
        self.n_ctx = n_ctx
        tokens = dict.fromkeys((*asked.first, *asked.behind))
        self.whole = Domains(tokens, n_ctx, causal=True)
        self.whole.tell("end", interval(min(asked.ends), max(asked.ends)))
        self.defined: set[int] = set()
        self._used: dict[int, frozenset[int]] = {}  # where a value matters

    def note(self, root: Node) -> None:
        """Notes where the parts of a rule matter, and which are defined there."""
        elsewhere = {id(x) for x in read_elsewhere(root)}
        self._note(root)
        sure = needed(root)
        for node in looked_at(root):
            if id(node) in elsewhere or node.op != "select":
                continue
            if id(node) in sure or self.inside(node, self.asked.places):
                self.defined.add(id(node))

    def _all_positions(self) -> frozenset[int]:
        """The positions that the stream has."""
        return frozenset(
            range(0 if self.asked.begin is None else 1, self.n_ctx)
        )

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
        if mixed or not all(self.told(x) for x in inner):
            return None
        ask = function_of(when, bases)
        return of_keys, frozenset(
            i
            for i in self._all_positions()
            if ask([self._scope(x, i) for x in inner]) not in (0, None)
        )

    def told(self, base: Node) -> bool:
        """True for the position, and for an end that is the same for all."""
        only = len(self.asked.ends) == 1
        return base.op == "index" or (base.op == "end" and only)

    def _scope(self, base: Node, i: int) -> int:
        return i if base.op == "index" else min(self.asked.ends)

    def tokens(
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

    def everywhere(self, node: Node) -> bool:
        """True if a fetch is inside the text at every position where it matters."""
        place = place_fetched(node)
        if place is None or any(
            x.op == "end" and not self.told(x) for x in parts_below(place)
        ):
            return False
        return self.inside(node, self._places(node))

    def _places(self, node: Node) -> Places:
        """The places at which a node matters that does not ask for an end which varies."""
        used = self._used.get(id(node), self._all_positions())
        end = min(self.asked.ends)
        alone = len(self.asked.ends) == 1
        return tuple((end if alone else i, i) for i in sorted(used))

    def may_be_zero(self, node: Node, place: Node) -> bool:
        """True unless a fetch is known to name a position behind 0 wherever it is asked."""
        if id(node) not in self.defined:
            return True
        found = self._values_of(place, self.asked.places)
        return found is None or any(x == 0 for _, x in found)

    def inside(self, node: Node, places: Places) -> bool:
        """True if a fetch names a position of the text at all of these places."""
        place = place_fetched(node) if node.data == "fetch" else None
        if place is None:
            return False
        found = self._values_of(place, places)
        return found is not None and all(
            isinstance(x, int) and 0 <= x <= here for here, x in found
        )

    def _values_of(
        self, place: Node, places: Places
    ) -> list[tuple[int, Value]] | None:
        """(here, value) for all that a position can be; None where that is too many."""
        bases = bases_of(place)
        rest = [x for x in bases if x.op not in ("index", "end")]
        try:
            lists = [self._listed(base, places) for base in rest]
        except Unlisted:
            return None
        if any(x is None for x in lists):
            return None
        if len(places) * prod(len(x or ()) for x in lists) > 2 * MOST_COMBINED:
            return None
        ask = function_of(place, [*scoped(bases), *rest])
        found = []
        for end, here in places:
            scope = [here if x.op == "index" else end for x in scoped(bases)]
            rows = product(*(x or () for x in lists))
            found += [(here, ask((*scope, *row))) for row in rows]
        return found

    def _listed(self, base: Node, places: Places) -> tuple[Value, ...] | None:
        """The values of a base; without None where it is known to be defined at these places."""
        values = self.whole.of(base).values
        if values is None or base.op != "select":
            return values
        asked = places is self.asked.places and id(base) in self.defined
        if asked or self.inside(base, places):
            return tuple(x for x in values if x is not None)
        return values
