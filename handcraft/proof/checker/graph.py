"""The walk through one section of a certificate: a graph over contexts, walked once, position by
position.

Every state gets what the checker itself knows of all contexts that lead there: the claim's
memory, the states of earlier positions, and what each head's softmax has seen. Where ways meet,
the memories must be the same, and the rest is joined to something that covers both. Rules of
this file: a missing edge is Rejected; a wrong edge joins what does not belong together, which
makes bounds useless but never wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from handcraft.proof.checker.certificate import Section
from handcraft.proof.checker.claim import OUT, Domain, Reading
from handcraft.proof.checker.claim_expression import reading_of
from handcraft.proof.checker.network import Network
from handcraft.proof.checker.positions import PositionStates
from handcraft.proof.checker.steps import Steps
from handcraft.proof.checker.views import Inserting, View
from handcraft.proof.checker.work import Allowance
from handcraft.proof.checker.zonotope import Rejected

NOBODY = -1  # the last position has not been read
_MOST_STATES = 10**7
# memory, earlier states, the last position's token, what heads saw
_State = tuple[Any, frozenset[int], int, tuple[int, ...]]
_Entry = tuple[_State, int]  # of how many contexts
# so many tokens are read, the state then, the token that is read last
Example = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Setting:
    """Everything that all sections share: the model, the states of earlier positions, the
    claim's contexts, and the lists of tokens.
    """

    network: Network
    position_states: PositionStates
    domain: Domain
    groups: list[list[int]]
    work: Allowance

    @cached_property
    def sizes(self) -> list[int]:
        """The number of tokens in each list."""
        return [len(group) for group in self.groups]


class Walk:
    """The walk through one section."""

    def __init__(self, setting: Setting, section: Section) -> None:
        self.setting = setting
        self.section = section
        self.network = setting.network
        self.position_states = setting.position_states
        self.levels = sorted({level for level, _ in section.finals})
        last = [token for _, token in section.finals]
        own = setting.domain.tokens[last[0]] if len(set(last)) == 1 else None
        self.reading: Reading = reading_of(
            setting.domain, section, self.levels, own
        )
        self.finals = set(section.finals)
        heads = [
            head
            for row in self.network.heads
            for head in row
            if (head.layer, head.number) not in self.position_states.followed
        ]
        if [(head.layer, head.number) for head in heads] != [
            slot.name for slot in section.slots
        ]:
            raise Rejected("a section does not say what each head asks")
        self.views = [
            View(self.position_states, head, slot)
            for head, slot in zip(heads, section.slots, strict=True)
        ]
        self.named = {
            view.slot.name: (i, view) for i, view in enumerate(self.views)
        }
        # (level, token, earlier states, what heads saw)
        self.endings: dict[Any, dict[Any, tuple[int, Example]]] = {}
        self._parts: dict[
            tuple[int, tuple[int, ...]], tuple[tuple[int, ...], tuple[int, ...]]
        ] = {}
        # of each state the state before it, and a token
        self.back: list[dict[int, tuple[int, int]]] = []

    def run(self) -> None:
        """Find all endings. Raises Rejected if an edge is missing."""
        now: list[_Entry | None] = [
            (
                (
                    self.reading.start,
                    frozenset([0]),
                    NOBODY,
                    (0,) * len(self.views),
                ),
                1,
            )
        ]
        order = self.reading.order or range(self.levels[-1] + 1)
        graph = self.section.graph or []
        if self.reading.order is not None and any(
            len(states) != 1 for states in self.position_states.after
        ):
            raise Rejected(
                "what earlier positions hold depends on the order of reading"
            )
        for k, position in enumerate(order):
            edges = graph[k] if k < len(graph) else []
            now = self._position(
                position, now, edges, last=k == self.levels[-1]
            )

    def _position(
        self,
        position: int,
        now: list[_Entry | None],
        edges: list[list[int]],
        *,
        last: bool,
    ) -> list[_Entry | None]:
        """Return the states after one more position. `edges` holds for every state [group
        of tokens, state after it, group, state, ...].
        """
        after: dict[int, _Entry] = {}
        self.back.append({})
        level = self.levels[-1] if self.reading.order else position
        place = Steps(
            self.views,
            self.reading,
            self.finals,
            self.after,
            self.setting.work,
            position,
            level,
            last=last,
        )
        asked = dict[Any, tuple[Any, Any]]()
        kept = Inserting(self.views, position)
        ended = Inserting(self.views, None)
        for number, entry in enumerate(now):
            if entry is None:
                raise Rejected("nothing leads to a state")
            (memory, earlier, own, seen), count = entry
            row = tuple(edges[number]) if number < len(edges) else ()
            name = memory, earlier, own, row
            if name not in asked:
                asked[name] = self._read(
                    place, memory, earlier, own, self._edges(row)
                )
            steps, ends = asked[name]
            self.setting.work.spend(len(steps) + len(ends))
            for (following, states, mine, keys, target), (
                times,
                token,
            ) in steps.items():
                self.back[-1].setdefault(target, (number, token))
                new = following, states, mine, kept(seen, keys)
                old = after.get(target)
                after[target] = (
                    (new, count * times)
                    if old is None
                    else (self._join(old[0], new), old[1] + count * times)
                )
            for expected, token, read, keys in ends:
                end = level, token, earlier, ended(seen, keys)
                found = self.endings.setdefault(end, {})
                times, example = found.get(
                    expected, (0, (len(self.back) - 1, number, read))
                )
                found[expected] = times + count, example
        if after and max(after) >= len(after):
            raise Rejected("nothing leads to a state")
        return [after[i] for i in range(len(after))]

    def example(self, end: Example) -> list[int]:
        """Return a context that leads to an ending."""
        k, state, token = end
        read = [token]
        for links in self.back[:k][::-1]:
            state, token = links[state]
            read.append(token)
        read.reverse()
        order = self.reading.order or range(len(read))
        return [token for _, token in sorted(zip(order, read, strict=True))]

    def _edges(self, row: tuple[int, ...]) -> list[tuple[int, int]]:
        """Return the edges of a state as pairs (group of tokens, state after it)."""
        sizes = self.setting.sizes
        named = row[::2]
        targets = row[1::2]
        if (
            len(row) % 2
            or max(named, default=0) >= max(len(sizes), 1)
            or max(targets, default=0) >= _MOST_STATES
        ):
            raise Rejected(
                "an edge has no such group of tokens, or leads nowhere"
            )
        if sum([sizes[group] for group in named]) > self.network.n_vocab:
            raise Rejected("a state has several edges for a token")
        return list(zip(named, targets, strict=True))

    def _targets(
        self,
        place: Steps,
        edges: list[tuple[int, int]],
        tokens: tuple[int, ...],
    ) -> dict[int, tuple[int, ...]]:
        """Return which of the tokens lead to each state. Raises Rejected if one has no edge."""
        found: dict[int, tuple[int, ...]] = {}
        for group, target in edges:
            if not tokens:
                break
            inside, tokens = self._parted(group, tokens)
            if inside:
                found[target] = (
                    (*found[target], *inside) if target in found else inside
                )
        if tokens:
            raise Rejected(
                f"a state at position {place.position} has no edge for token {tokens[0]}"
            )
        return found

    def _parted(
        self, group: int, tokens: tuple[int, ...]
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return those of the tokens that are in the group, and the others."""
        found = self._parts.get((group, tokens))
        if found is None:
            members = set(self.setting.groups[group])
            inside = tuple([token for token in tokens if token in members])
            found = self._parts[group, tokens] = (
                inside,
                tuple([token for token in tokens if token not in members]),
            )
        return found

    def _read(
        self,
        place: Steps,
        memory: Any,
        earlier: frozenset[int],
        own: int,
        edges: list[tuple[int, int]],
    ) -> tuple[dict[Any, tuple[int, int]], list[Any]]:
        """Return for every token that the domain allows what it leads to, and how often;
        and what must follow contexts that end with it.
        """
        steps = dict[Any, tuple[int, int]]()
        ends = list[Any]()
        ordered = self.reading.order is not None
        for following, states, tokens in place.groups(memory, earlier):
            mine = tokens[0] if place.listed else own
            for target, alike in (
                ()
                if place.last
                else self._targets(place, edges, tokens).items()
            ):
                step = (
                    following,
                    states,
                    mine,
                    place.keys(earlier, alike),
                    target,
                )
                steps[step] = (
                    steps.get(step, (0, alike[-1]))[0] + len(alike),
                    alike[-1],
                )
            for token in (
                tokens if place.ends and (place.last or not ordered) else ()
            ):
                final = mine if ordered else token
                if (place.level, final) in self.finals and (
                    expected := place.answer(following, token)
                ) is not OUT:
                    ends.append(
                        (expected, final, token, place.keys(earlier, (token,)))
                    )
        return steps, ends

    def after(self, position: int, state: int, token: int) -> int:
        """Return the state of earlier positions after a token."""
        place = (
            self.position_states.at[position].get(token)
            if position < len(self.position_states.at)
            else None
        )
        if place is None:
            raise Rejected(
                f"token {token} is not listed at position {position}"
            )
        return self.position_states.after[position][state][place]

    def _join(self, a: _State, b: _State) -> _State:
        """Return what holds of all contexts that lead to a state by either way. Raises
        Rejected if the claim tells them apart.
        """
        if a[0] != b[0] or a[2] != b[2]:
            raise Rejected(
                "two ways lead to a state, and the claim tells them apart"
            )
        earlier = a[1] if a[1] is b[1] else a[1] | b[1]
        seen = a[3]
        if seen is not b[3] and seen != b[3]:
            seen = tuple(
                [
                    v.join(x, y)
                    for v, x, y in zip(self.views, seen, b[3], strict=True)
                ]
            )
        return a[0], earlier, a[2], seen
