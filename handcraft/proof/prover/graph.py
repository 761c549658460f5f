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
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.prover.case import OUT, Case
from handcraft.proof.prover.network import HeadPart, Network, Undecided
from handcraft.proof.prover.positions import PositionStates, gap_of
from handcraft.proof.prover.softmax import Means, Summary, Values, scores_of
from handcraft.proof.prover.zonotope import Zonotope

_Link: TypeAlias = Any  # None, or (the link before, a token)
Summaries: TypeAlias = tuple[Summary, ...]
_MOST_STATES = 150_000  # at one position
MOST_IN_ALL = 450_000  # of all searches of a proof
UNSEEN = -1  # no label: the key can never be seen


@dataclass(frozen=True, eq=False)
class HeadQuery:
    """A head with one query: the class and the value of every position state's key, and the
    least score that is reached by each position.
    """

    means: Means
    kinds: Array  # [n_emissions]
    values: Array  # [n_emissions]
    floor: Array  # [n_positions], the greatest score that some position so far has at least
    query: Zonotope | None = None  # [n_match]

    def labels(self, alive: Array) -> Array:  # [n_emissions] bool -> [n_emissions]
        """Return each key's label as one number, UNSEEN where the key is not alive."""
        return np.where(
            alive, self.kinds * len(self.means.values.rows) + self.values, UNSEEN
        )

    def seen(self, bound: Array) -> Array:  # [n_emissions] -> [n_emissions] bool
        """True for each key that is not hidden behind a score that is there anyway."""
        high = np.array(self.means.high)[self.kinds]  # [n_emissions]
        return np.asarray(~(bound - high >= self.means.gap))  # as Means.beats has it


class Slots:
    """All head queries of a model, each made when it is first asked for."""

    def __init__(
        self, network: Network, position_states: PositionStates, tolerance: float
    ) -> None:
        self.network, self.position_states, self.tolerance = (
            network,
            position_states,
            tolerance,
        )
        self._keys: dict[tuple[int, int], tuple[Zonotope, Zonotope, Array, Values]] = {}
        self._slots: dict[tuple[Any, ...], HeadQuery] = {}
        self.starts = np.flatnonzero(
            np.diff(position_states.level, prepend=-1)
        )  # where each position's emissions begin

    def __call__(self, head: HeadPart, query: Zonotope) -> HeadQuery:
        """Return the head query of a head and a query [n_match]."""
        key = (head.name, query.c.tobytes(), query.r.tobytes())
        if key not in self._slots:
            if len(self._slots) > 512:
                self._slots.clear()
            self._slots[key] = self._slot(head, query)
        return self._slots[key]

    def _slot(self, head: HeadPart, query: Zonotope) -> HeadQuery:
        keys, values, numbers, table = self._of(head)
        gap = gap_of(self.network, head, self.tolerance)
        means = Means(self.network.precision, head, gap, self.network.n_ctx, table)
        kinds, numbers = means.labels(
            scores_of(self.network.precision, query, keys), values, numbers
        )
        least = np.minimum.reduceat(
            np.array(means.low)[kinds], self.starts
        )  # [n_positions]
        return HeadQuery(means, kinds, numbers, np.maximum.accumulate(least), query)

    def _of(self, head: HeadPart) -> tuple[Zonotope, Zonotope, Array, Values]:
        """Return the keys and values of all position states."""
        if head.name not in self._keys:
            x, p, table = (
                self.position_states.stream(head.layer),
                self.network.precision,
                Values(),
            )
            values = p.linear(x, *head.value)
            self._keys[head.name] = (
                p.linear(x, *head.key),
                values,
                table.numbers(values.c),
                table,
            )
        return self._keys[head.name]


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
_Group: TypeAlias = tuple[
    int, int, tuple[int, ...]
]  # what is read (a row), the next block, the tokens


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
        self.position_states, self.slots, self.finals, self.deadline = (
            position_states,
            slots,
            finals,
            deadline,
        )
        # not where another search over other lengths must find the same summaries
        self.merges = merges
        self.steps: dict[Any, _Steps] = {}  # shared by searches of one case
        self.trail: Any = None  # told of every edge, where the proof is written down

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
        alike = self._alike(last) if self.merges and case.order is None else None
        found: QueryClasses = {}
        block = 0
        now: dict[tuple[Any, int, int, Summaries], tuple[int, _Link]] = {
            (case.start, block, UNSEEN, ((),) * len(self.slots)): (1, None)
        }
        for k in range(last + 1):
            place = k if case.order is None else case.order[k]
            name = case, k, k in levels if case.order is None else k == last, last
            if name not in self.steps:
                self.steps[name] = _Steps(*name)
            steps = self.steps[name]
            self.merged = alike[place] if alike is not None else None
            now = self._level(
                now, groups[place], rows, steps, found, at_end=place == last
            )
            self._spend(len(now))
        return found

    def _spend(self, states: int) -> None:
        """Count the states. Raises Undecided if there are too many, or no time is left."""
        self.position_states.spent += states
        if states > _MOST_STATES or self.position_states.spent > MOST_IN_ALL:
            raise Undecided(
                "contexts can be in more than"
                f" {_MOST_STATES if states > _MOST_STATES else MOST_IN_ALL} states"
            )
        if time.monotonic() > self.deadline:
            raise Undecided("the time of the budget was over")

    def _level(
        self,
        now: dict[Any, tuple[int, _Link]],
        groups: list[list[_Group]],
        rows: list[Any],
        steps: _Steps,
        found: QueryClasses,
        *,
        at_end: bool,
    ) -> dict[Any, tuple[int, _Link]]:
        """Return the states after one more token."""
        after: dict[Any, list[Any]] = {}
        ordered = steps.case.order is not None
        for (state, block, own, summaries), (count, link) in now.items():
            for read, following, tokens in groups[block]:
                kept, full, query_class = rows[read]
                mine = (query_class if at_end else own) if ordered else query_class
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
                    if self.trail is not None:
                        self.trail.read(
                            steps.k, (state, block, own, summaries), nexts, rest
                        )
                    for reached, alike in nexts:
                        old = after.get((reached, *rest))
                        if old is None:
                            after[reached, *rest] = [
                                count * len(alike),
                                (link, alike[0]),
                            ]
                        else:
                            old[0] += count * len(alike)
        return after  # type: ignore[return-value]

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

    def _inserted(self, summaries: Summaries, labels: tuple[Any, ...]) -> Summaries:
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

    def _alike(self, last: int) -> list[list[dict[int, int]]]:
        """Return, after each position and for each head query, the classes so far that all
        later keys treat alike.
        """
        n = int(np.searchsorted(self.position_states.level, last + 1))
        found: list[list[dict[int, int]]] = [[] for _ in range(last + 1)]
        for slot in self.slots:
            kinds, starts = (
                slot.kinds[:n],
                [
                    *np.searchsorted(
                        self.position_states.level[:n], range(last + 1)
                    ).tolist(),
                    n,
                ],
            )
            at = [
                set(kinds[a:b].tolist()) for a, b in pairwise(starts)
            ]  # the classes at each position
            for position in range(last + 1):
                before, later = (
                    set().union(*at[: position + 1]),
                    set().union(*at[position + 1 :]),
                )
                found[position].append(slot.means.alike(sorted(before), sorted(later)))
        return found

    # ------------------------------------------------------------ tokens that are read as one

    def _groups(
        self, levels: Sequence[int], *, ordered: bool
    ) -> tuple[list[list[list[_Group]]], list[Any]]:
        """Return for every position and block of states what can be read, and the rows of
        what is read.
        """
        last, e = max(levels), self.position_states
        n = int(np.searchsorted(e.level, last + 1))  # the emissions up to there
        level = e.level[:n]
        following = _following(
            levels, last
        )  # [n_positions]: the next position at which a context can end
        columns = []
        for slot in self.slots:
            bound = slot.floor[last] if ordered else slot.floor[following[level]]
            kinds = HeadQuery(slot.means, slot.kinds[:n], slot.values[:n], slot.floor)
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
            np.stack([*columns, query_class], axis=1), axis=0, return_inverse=True
        )
        return self._blocks(last, inverse.reshape(-1).tolist()), [
            self._row(row) for row in unique.tolist()
        ]

    def _row(self, row: list[int]) -> tuple[tuple[Any, ...], tuple[Any, ...], int]:
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


class _Steps:
    """The steps of a case at one position: what each group of tokens reaches and ends in,
    each computed once.
    """

    def __init__(self, case: Case, k: int, ends: bool, last: int) -> None:
        self.case, self.k, self.ends, self.last = case, k, ends, k == last
        self.level = k if case.order is None else last
        self.known: dict[
            tuple[Hashable, tuple[int, ...]], tuple[list[Any], list[Any]]
        ] = {}
        self.after: dict[tuple[Hashable, int], Any] = {}
        self.roles: dict[tuple[int, ...], list[list[int]]] = {}

    def __call__(
        self, state: Any, tokens: tuple[int, ...]
    ) -> tuple[list[Any], list[Any]]:
        key = (state, tokens)
        found = self.known.get(key)
        if found is None:
            if tokens not in self.roles:
                self.roles[tokens] = self._roles(tokens)
            found = self.known[key] = self._read(state, self.roles[tokens])
        return found

    def _roles(self, tokens: Sequence[int]) -> list[list[int]]:
        """Return the tokens of each role."""
        together: dict[Hashable, list[int]] = {}
        for token in tokens:
            together.setdefault(self.case.role(self.k, token), []).append(token)
        return list(together.values())

    def _read(self, state: Any, roles: list[list[int]]) -> tuple[list[Any], list[Any]]:
        nexts: dict[Any, list[int]] = {}
        ends: dict[Any, list[int]] = {}
        for alike in roles:
            token, n = alike[0], len(alike)
            if (state, token) not in self.after:
                self.after[state, token] = self.case.step(state, self.k, token)
            after = self.after[state, token]
            if after is None:
                continue
            if not self.last:
                nexts[after] = [*nexts[after], *alike] if after in nexts else alike
            if (
                self.ends
                and (expected := self.case.expected(after, self.level, token))
                is not OUT
            ):
                row = ends.setdefault(expected, [0, 0, token])
                row[0] += n
                row[1] += n * self.case.counts(after, self.level)
        return list(nexts.items()), [(x, *row) for x, row in ends.items()]


def _following(levels: Sequence[int], last: int) -> Array:  # -> [last + 1]
    """Return for each position the next one at which a context can end, itself excluded;
    the last one stays.
    """
    found, after = np.full(last + 1, last), last
    wanted = set(levels)
    for j in range(last, -1, -1):
        found[j] = after
        if j in wanted:
            after = j
    return found


def classes(rows: Sequence[Hashable]) -> Iterator[list[int]]:
    """Yield the indices of equal rows."""
    together: dict[Hashable, list[int]] = {}
    for i, row in enumerate(rows):
        together.setdefault(row, []).append(i)
    yield from together.values()
