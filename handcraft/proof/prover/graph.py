"""The search through the contexts of one case: which summaries can the last position see, together
with which answer of the claim?

A context is read token by token by several automata at once: the claim's case, the states of
earlier positions, and for each head of the last position the summary of the keys so far. The
result is the set of states that these reach together. Contexts that share a state are followed
as one, and counted.

    head query   a head with one query, and the label of every position state's key (`slots`)
    query class  last positions whose stream is the same as far as it still matters; UNSEEN where
                 no context may end (`finals`)
    ending       (what the claim says, query class, summaries): how many contexts end so, and an
                 example

The query must be known before the keys are read. So there is one search for each query that a
last position can have, and for each that the heads of an earlier block leave to those of a later
one. Tokens that no automaton tells apart are read as one (steps.py). Rules of this file: every
context is counted exactly once; two states are merged only if the future of both is the same.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.prover.case import Case
from handcraft.proof.prover.keys import Summary
from handcraft.proof.prover.network import Undecided
from handcraft.proof.prover.positions import PositionStates
from handcraft.proof.prover.steps import Steps
from handcraft.proof.prover.views import UNSEEN, HeadQuery

_Link: TypeAlias = Any  # None, or (the link before, a token)
Summaries: TypeAlias = tuple[Summary, ...]
_MOST_STATES = 150_000  # at one position
MOST_IN_ALL = 450_000  # of all searches of a proof


@dataclass
class QueryClass:
    """Contexts with one ending: how many there are, how many of them are prompts, and an
    example.
    """

    count: int = 0
    prompts: int = 0
    example: _Link = None
    length: int = 0

    def tokens(self, order: Sequence[int] | None) -> list[int]:
        """Return the tokens of the example."""
        read: list[int] = []
        link = self.example
        while link is not None:
            link, token = link
            read.append(token)
        read.reverse()
        if order is None:
            return read
        placed = dict(zip(order, read, strict=True))
        return [placed[i] for i in range(len(read))]


QueryClasses: TypeAlias = dict[tuple[Any, int, Summaries], QueryClass]
# what is read (a row), the next block, the tokens
_Group: TypeAlias = tuple[int, int, tuple[int, ...]]


class Search:
    """The search for the endings of a case, for given head queries and query classes."""

    def __init__(
        self,
        position_states: PositionStates,
        slots: Sequence[HeadQuery],
        finals: Array,
        deadline: float,
        *,
        merges: bool = True,
    ) -> None:
        self.position_states = position_states
        self.slots = slots
        self.finals = finals
        self.deadline = deadline
        # not where another search over other lengths must find the same summaries
        self.merges = merges
        self.steps: dict[Any, Steps] = {}  # shared by searches of one case
        self.trail: Any = (
            None  # told of every edge, where the proof is written down
        )

    def run(self, case: Case, levels: Sequence[int]) -> QueryClasses:
        """Return all endings at these positions. Raises Undecided if there are too many
        states or no time is left.
        """
        last = max(levels)
        if (
            case.order is not None
            and len(self.position_states.edges[0])
            * max(len(e) for e in self.position_states.edges[: last + 1])
            != 1
        ):
            raise Undecided(
                "what earlier positions hold depends on the order of reading"
            )
        groups, rows = self._groups(levels, ordered=case.order is not None)
        alike = (
            self._alike(levels) if self.merges and case.order is None else None
        )
        found: QueryClasses = {}
        block = 0
        now: dict[tuple[Any, int, int, Summaries], list[Any]] = {
            (case.start, block, UNSEEN, ((),) * len(self.slots)): [1, None, 0]
        }
        for k in range(last + 1):
            place = k if case.order is None else case.order[k]
            name = (
                case,
                k,
                k in levels if case.order is None else k == last,
                k == last,
                k if case.order is None else last,
            )
            if name not in self.steps:
                self.steps[name] = Steps(*name)
            steps = self.steps[name]
            self.merged = alike[place] if alike is not None else None
            now = self._level(
                now, groups[place], rows, steps, found, at_end=place == last
            )
            self._spend(len(now))
        for slot in self.slots:
            slot.means.tidy()
        return found

    def _spend(self, states: int) -> None:
        """Count the states. Raises Undecided if there are too many, or no time is left."""
        self.position_states.spent += states
        # a search for each length takes a state for each score that the model computes
        most = max(MOST_IN_ALL, self.position_states.network.n_ctx**2)
        if states > _MOST_STATES or self.position_states.spent > most:
            raise Undecided(
                "contexts can be in more than"
                f" {_MOST_STATES if states > _MOST_STATES else most} states"
            )
        if time.monotonic() > self.deadline:
            raise Undecided("the time of the budget was over")

    def _level(
        self,
        now: dict[Any, list[Any]],
        groups: list[list[_Group]],
        rows: list[Any],
        steps: Steps,
        found: QueryClasses,
        *,
        at_end: bool,
    ) -> dict[Any, list[Any]]:
        """Return the states after one more token: of how many contexts, one of them, a number."""
        after: dict[Any, list[Any]] = {}
        ordered = steps.case.order is not None
        trail = self.trail
        if trail is not None:
            trail.begin(steps.k, len(now))
        for (state, block, own, summaries), (
            count,
            link,
            number,
        ) in now.items():
            for read, following, tokens in groups[block]:
                kept, full, query_class = rows[read]
                mine = (
                    (query_class if at_end else own) if ordered else query_class
                )
                if ordered and at_end and query_class == UNSEEN:
                    continue
                nexts, ends = steps(state, tokens)
                if ends and mine != UNSEEN:
                    self._end(
                        found,
                        mine,
                        self._inserted(summaries, kept if ordered else full),
                        ends,
                        count,
                        link,
                    )
                if nexts:
                    rest = (
                        following,
                        mine if ordered else UNSEEN,
                        self._merged(self._inserted(summaries, kept)),
                    )
                    for reached, alike in nexts:
                        name = (reached, *rest)
                        old = after.get(name)
                        if old is None:
                            old = after[name] = [
                                0,
                                (link, alike[0]),
                                len(after),
                            ]
                        old[0] += count * len(alike)
                        if trail is not None:
                            trail.read(number, alike, old[2])
        return after

    def _end(
        self,
        found: QueryClasses,
        query_class: int,
        summaries: Summaries,
        ends: list[Any],
        count: int,
        link: _Link,
    ) -> None:
        """Add the contexts that end here."""
        for expected, n, prompts, token in ends:
            ending = found.get((expected, query_class, summaries))
            if ending is None:
                ending = found[expected, query_class, summaries] = QueryClass(
                    example=(link, token)
                )
            ending.count += count * n
            ending.prompts += count * prompts

    def _inserted(
        self, summaries: Summaries, labels: tuple[Any, ...]
    ) -> Summaries:
        both = zip(summaries, labels, self.slots, strict=True)
        return tuple(
            [
                summary if label is None else slot.means.insert(summary, label)
                for summary, label, slot in both
            ]
        )

    def _merged(self, summaries: Summaries) -> Summaries:
        """Return the summaries with single best keys of one kind for all that later keys
        treat alike.
        """
        if self.merged is None:
            return summaries
        both = zip(summaries, self.merged, strict=True)
        return tuple(
            [
                (
                    ((same.get(a[0][0], a[0][0]), 1, a[0][2]),)
                    if len(a) == 1 and a[0][1] == 1
                    else a
                )
                for a, same in both
            ]
        )

    def _alike(self, levels: Sequence[int]) -> list[list[dict[int, int]]]:
        """Return, after each position and for each head query, the classes so far that all
        later keys treat alike.

        Only keys that are read count: those that are hidden anyway are never inserted, except
        where a context ends.
        """
        last = max(levels)
        n = int(np.searchsorted(self.position_states.level, last + 1))
        level = self.position_states.level[:n]
        ends = np.isin(level, levels)
        bound = _following(levels, last)[level]
        found: list[list[dict[int, int]]] = [[] for _ in range(last + 1)]
        for slot in self.slots:
            kinds = slot.kinds[:n]
            seen = slot.first(n).seen(slot.floor[bound])
            # of each class that is read before, the first place; of each that is later, the last
            first = _first(kinds[seen], level[seen])
            gone = _first(kinds[seen | ends][::-1], level[seen | ends][::-1])
            changes = {0, *first.values(), *gone.values()}
            same: dict[int, int] = {}
            for position in range(last + 1):
                if position in changes:
                    before = [k for k, at in first.items() if at <= position]
                    later = [k for k, at in gone.items() if at > position]
                    same = slot.means.alike(before, later)
                found[position].append(same)
        return found

    # ------------------------------------------------------------ tokens that are read as one

    def _groups(
        self, levels: Sequence[int], *, ordered: bool
    ) -> tuple[list[list[list[_Group]]], list[Any]]:
        """Return for every position and block of states what can be read, and the rows of
        what is read.
        """
        last = max(levels)
        e = self.position_states
        n = int(
            np.searchsorted(e.level, last + 1)
        )  # the position states up to there
        level = e.level[:n]
        # [n_positions]: the next position at which a context can end
        following = _following(levels, last)
        columns = []
        for slot in self.slots:
            bound = (
                slot.floor[last] if ordered else slot.floor[following[level]]
            )
            kinds = slot.first(n)
            columns += [
                kinds.labels(kinds.seen(bound)),
                kinds.labels(np.ones(n, dtype=bool)),
            ]
        query_class = np.where(np.isin(level, levels), self.finals[:n], UNSEEN)
        columns = [
            c if i % 2 == 0 else np.where(query_class == UNSEEN, UNSEEN, c)
            for i, c in enumerate(columns)
        ]
        unique, inverse = np.unique(
            np.stack([*columns, query_class], axis=1),
            axis=0,
            return_inverse=True,
        )
        return self._blocks(last, inverse.reshape(-1).tolist()), [
            self._row(row) for row in unique.tolist()
        ]

    def _row(
        self, row: list[int]
    ) -> tuple[tuple[Any, ...], tuple[Any, ...], int]:
        def label(i: int) -> Any:
            return (
                None
                if row[i] == UNSEEN
                else divmod(row[i], len(self.slots[i // 2].means.values.rows))
            )

        # more sums are numbered later, so a label is taken apart now
        n = 2 * len(self.slots)
        return (
            tuple(label(i) for i in range(0, n, 2)),
            tuple(label(i) for i in range(1, n, 2)),
            row[-1],
        )

    def _blocks(self, last: int, read: list[int]) -> list[list[list[_Group]]]:
        """Return the blocks, from the last position back: states that read alike and go on
        alike are one block.
        """
        found: list[list[list[_Group]]] = []
        block_of: dict[int, int] = {}
        for position in range(last, -1, -1):
            blocks: dict[tuple[Any, ...], int] = {}
            groups: list[list[_Group]] = []
            mine: dict[int, int] = {}
            for state, edges in enumerate(self.position_states.edges[position]):
                signature = tuple(
                    (token, read[e], block_of.get(after, 0))
                    for token, after, e in edges
                )
                if signature not in blocks:
                    blocks[signature] = len(groups)
                    together: dict[tuple[int, int], list[int]] = {}
                    for token, row, after in signature:
                        together.setdefault((row, after), []).append(token)
                    groups.append(
                        [
                            (row, after, tuple(tokens))
                            for (row, after), tokens in together.items()
                        ]
                    )
                mine[state] = blocks[signature]
            found.append(groups)
            block_of = mine
        return found[::-1]


def _following(levels: Sequence[int], last: int) -> Array:  # -> [last + 1]
    """Return for each position the next one at which a context can end, itself excluded;
    the last one stays.
    """
    found = np.full(last + 1, last)
    after = last
    wanted = set(levels)
    for j in range(last, -1, -1):
        found[j] = after
        if j in wanted:
            after = j
    return found


def _first(kinds: Array, level: Array) -> dict[int, int]:  # [n], [n]
    """Return for each class, in their order, the level at which it stands first here."""
    each, at = np.unique(kinds, return_index=True)
    return dict(zip(each.tolist(), level[at].tolist(), strict=True))


def classes(rows: Sequence[Hashable]) -> Iterator[list[int]]:
    """Yield the indices of equal rows."""
    together: dict[Hashable, list[int]] = {}
    for i, row in enumerate(rows):
        together.setdefault(row, []).append(i)
    yield from together.values()
