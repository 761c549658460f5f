"""The greatest of many counts, checked two at a time: sections without a graph.

A claim `most({token: number, ...})` is right where in every context the answer's logit is ahead
of every other one. For two tokens that is a statement about two numbers and one sum over
positions, since the last block holds one head and no
neuron:

    logit a - logit b = (x + bias) . d + mean of (v W . d) + what the floats round,   d = wte[a]
    - wte[b]

    both counted       where a's number is at least b's (b stands behind a in the claim), a must
                       be ahead; else b
    one is counted     where a's number, times how many there are, is at least the sum of all, a
                       must be ahead

Every two counted tokens and every counted one with every other token of the vocabulary are
compared, each pair in every context: the answer of a context is ahead of all others. The
contexts of a pair are walked by what is known of them: the claim's memory of the two numbers
and what the softmax has seen. Tokens that both read alike are one class. Pairs that read alike
in all that a walk depends on (how the claim reads every class, where contexts end, every key's
score and value) are walked once.

Rules of this file: nothing is taken from the certificate but the query, the gap and the floors.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.certificate import HeadQuery, Section
from handcraft.proof.checker.claim import Domain
from handcraft.proof.checker.claim_expression import Ruled
from handcraft.proof.checker.endings import Found, Shown
from handcraft.proof.checker.graph import Setting
from handcraft.proof.checker.network import HeadWeights
from handcraft.proof.checker.softmax import Softmax
from handcraft.proof.checker.zonotope import UP, Rejected, Zonotope, grid, summed
from handcraft.sequence.evaluate import evaluate
from handcraft.sequence.expression import Expression

_EXAMPLES = 250  # of each walk, at most
ALIKE = (
    "count",
    "first",
    "latest",
    "total",
    "lowest",
)  # selections that read tokens by what fits them
_Link = Any  # None, or (the link before, the number of a class)


@dataclass(frozen=True)
class Pair:
    """Two tokens: the numbers that are compared, by their place in the claim; no second one for
    a token not counted.
    """

    first: int
    second: int | None
    winner: int
    loser: int


@dataclass(frozen=True, eq=False)
class Class:
    """Tokens at one position that read alike: what the head sees of them [1] each, and whether
    contexts end with them.
    """

    tokens: list[int]
    low: float
    high: float
    c: float
    r: float
    final: bool


@dataclass(frozen=True, eq=False)
class Ends:
    """What a walk ends in: `answered` counts contexts by position, the rest holds an entry for
    each ending.
    """

    answered: dict[int, int]
    # 1 where the first of the two must be ahead, -1 where the second, 0 where neither must
    ahead: Array
    position: Array
    kind: Array  # the number of the class at the position
    mean: Array
    radius: Array
    link: list[_Link]


def compared(setting: Setting, sections: list[Section], found: Found) -> None:
    """Every pair in every context, by all sections. Raises Rejected, with the reason, where one
    may be wrong.
    """
    claim = setting.domain.claim
    rule = claim.rule
    if (
        not isinstance(rule, Expression)
        or rule.op != "most"
        or claim.measures != "token"
    ):
        raise Rejected("only the greatest of several numbers is compared pair by pair")
    if not claim.one_token:
        raise Rejected("only answers of one token are compared pair by pair")
    sizes, parts = (
        setting.domain.sizes(ends=False),
        [Compared(setting, section, rule) for section in sections],
    )
    for pair in pairs_of(rule, setting.domain.ids, setting.network.n_vocab):
        answered: dict[tuple[int | None, int], int] = {}
        for part in parts:
            part.pair(pair, answered, found)
        if any(answered.get(key, 0) != size for key, size in sizes.items()):
            raise Rejected("two tokens are not compared in every context")
    found.answered, found.spoken = dict(sizes), sum(sizes.values())


def pairs_of(rule: Expression, ids: dict[str, int], n_vocab: int) -> Iterator[Pair]:
    """Every two counted tokens, and every counted one with every other."""
    counted = [ids[str(key)] for (key,), _ in rule.table]
    for i, a in enumerate(counted):
        yield from (Pair(i, j, a, counted[j]) for j in range(i + 1, len(counted)))
        yield from (Pair(i, None, a, b) for b in range(n_vocab) if b not in counted)


def together(rule: Expression) -> Expression:
    """The sum of all counts as one count. Raises Rejected where they do not count the same of
    different tokens.
    """
    whats = []
    for e in rule.args:
        if (
            not isinstance(e, Expression)
            or e.op != "count"
            or len(e.where) != 1
            or not isinstance(e.where[0][1], str)
        ):
            raise Rejected("the sum of the claim's numbers is no count")
        whats.append((e.where[0][0], e.before, e.every))
    first, tokens = (
        rule.args[0],
        tuple(e.where[0][1] for e in rule.args if isinstance(e, Expression)),
    )
    if (
        any(what != whats[0] for what in whats)
        or len(set(tokens)) < len(tokens)
        or not isinstance(first, Expression)
    ):
        raise Rejected("the sum of the claim's numbers is no count")
    return Expression(
        op="count",
        where=((whats[0][0], tokens),),
        before=first.before,
        every=first.every,
    )


class Numbers(Ruled):
    """Two numbers of the claim, read token by token."""

    def __init__(
        self, domain: Domain, levels: list[int], numbers: tuple[Any, Any]
    ) -> None:
        super().__init__(
            domain, levels, None, None, {}, Expression(op="add", args=numbers)
        )
        self.numbers = numbers

    def role(self, e: Expression) -> Callable[[str], Hashable]:
        """What a token is for one of the selections: tokens of one role change every memory
        alike.
        """
        if e.op in ("total", "lowest"):
            return lambda text: int(e.rows.get((text,), 0))
        if e.op in ALIKE:
            wanted = [self._fixed(what) for _, what in e.where]
            return lambda text: tuple(
                text in what if isinstance(what, tuple) else text == what
                for what in wanted
            )
        return lambda text: text

    def values(
        self, memory: Any, position: int, token: int
    ) -> tuple[int | Fraction, int | Fraction]:
        """Both numbers. Raises Rejected where one is none."""
        scope = {"here": position, "end": position if self.domain.language else None}
        a, b = (self._value(e, memory, scope, token) for e in self.numbers)
        if type(a) not in (int, Fraction) or type(b) not in (int, Fraction):
            raise Rejected("the claim compares what is no number")
        return a, b


class Compared:
    """One section: the contexts whose last position asks its query."""

    def __init__(self, setting: Setting, section: Section, rule: Expression) -> None:
        self.setting, self.section, self.rule = setting, section, rule
        self.network, self.position_states, self.domain = (
            setting.network,
            setting.position_states,
            setting.domain,
        )
        self.head, self.slot = self._head()
        self.n = len(self.position_states.tokens)
        self.at = np.repeat(
            np.arange(self.n), [len(tokens) for tokens in self.position_states.tokens]
        )  # of each emission
        self.tokens = np.concatenate(
            [np.array(tokens, dtype=int) for tokens in self.position_states.tokens]
        )
        self.levels = sorted({level for level, _ in section.finals})
        self.x = self._stream()
        self.final = self._finals()
        query = Zonotope.of(
            *(np.array(part)[None] for part in self.slot.query or ((), ()))
        )
        offered = self.position_states.seen_by(self.head)
        keys, self.c, self.r = offered.keys, offered.c, offered.r
        self.low, self.high = self.network.floats.dot(query, keys)
        self.size = (np.abs(self.c) + self.r).max(axis=0, initial=0.0)  # [n_value]
        self.walked: dict[Hashable, Ends] = {}

    def _head(self) -> tuple[HeadWeights, HeadQuery]:
        """The only head of the last block. Raises Rejected for any other model, and where the
        section does not ask it.
        """
        network, s, last = self.network, self.section, len(self.network.blocks) - 1
        heads = network.heads[last] if last >= 0 else []
        followed = self.position_states.followed
        unread = [
            h
            for row in network.heads
            for h in row
            if (h.layer, h.number) not in followed
        ]
        if (
            len(heads) != 1
            or unread != heads
            or "mlp" in network.blocks[last]
            or any(len(a) != 1 for a in self.position_states.after)
        ):
            raise Rejected(
                "many numbers can be compared only by one head of the last block, with"
                " no neuron behind it"
            )
        slot = s.slots[0] if len(s.slots) == 1 else None
        if (
            slot is None
            or slot.query is None
            or slot.name != (heads[0].layer, heads[0].number)
            or s.end is not None
        ):
            raise Rejected("a section does not say what each head asks")
        if (
            s.order is not None
            or s.guesses
            or len(slot.query[0]) != heads[0].q[0].shape[1]
        ):
            raise Rejected(
                "a section of pairs fixes more than a query, or one of another size"
            )
        return heads[0], slot

    def _stream(self) -> Zonotope:  # [n_emissions, n_embd]
        """The stream that the last block reads."""
        chunks = self.position_states.streams[len(self.network.blocks) - 1]
        return Zonotope.of(
            np.concatenate([x.c for x in chunks]),
            np.concatenate([x.radius for x in chunks]),
        )

    def _finals(self) -> Array:  # [n_emissions] bool
        """Where contexts of this section end: listed, and asking what it says."""
        asked, query = (
            self.network.floats.linear(self.x, *self.head.q).plain(),
            self.slot.query or ([], []),
        )
        inside = (
            np.abs(asked.c - np.array(query[0])) + asked.r <= np.array(query[1])
        ).all(axis=1)
        listed = set(self.section.finals)
        named = [
            place in listed
            for place in zip(self.at.tolist(), self.tokens.tolist(), strict=True)
        ]
        return np.asarray(inside & np.array(named))

    # ------------------------------------------------------------ one pair

    def pair(
        self, pair: Pair, answered: dict[tuple[int | None, int], int], found: Found
    ) -> None:
        """One pair in every context of the section."""
        self.setting.work.spend(len(self.at))
        d, off = _difference(
            self.network.wte[pair.winner], self.network.wte[pair.loser]
        )  # [n_embd]
        reading = self._reading(pair)
        roles = [reading.role(e) for e in reading.followed]
        classes = self._classes(roles, *self._projected(d, off))
        key = (
            self._header(reading, pair),
            tuple(tuple(_named(x) for x in row.items()) for row in classes),
        )
        if key not in self.walked:
            rows = [list(row.values()) for row in classes]
            self.walked[key] = self._walk(reading, pair, rows)
            self._examples(self.walked[key], rows, found)
        ends, rows = self.walked[key], [list(row.values()) for row in classes]
        for position, count in ends.answered.items():
            answered[None, position] = answered.get((None, position), 0) + count
        self._judge(pair, d, off, ends, rows, found)

    def _reading(self, pair: Pair) -> Numbers:
        """The claim's two numbers, read token by token."""
        args = self.rule.args
        numbers = (
            args[pair.first],
            together(self.rule) if pair.second is None else args[pair.second],
        )
        return Numbers(self.domain, self.levels, numbers)

    def _header(self, reading: Numbers, pair: Pair) -> Hashable:
        """What a walk depends on beside its classes."""
        names = tuple(
            (
                (e.op, e.every, e.before, tuple(o for o, _ in e.where))
                if e.op in ALIKE and _constant(e)
                else e
            )
            for e in reading.followed
        )
        direct = tuple(
            reading.followed.index(e) if e in reading.followed else e
            for e in reading.numbers
        )
        return names, direct, len(self.rule.args) if pair.second is None else 0

    def _projected(
        self, d: Array, off: Array
    ) -> tuple[Array, Array]:  # [n_embd], [n_embd] -> [n_emissions] each
        """Each value as what it adds to the difference of the two logits."""
        out = self.network.blocks[-1]["attn"]["c_proj"]["w"][self.head.rows].astype(
            np.float64
        )  # [n_value, n_embd]
        f, error = _product(out, d)
        error = error + np.abs(out) @ off
        c, own = _product(self.c, f)
        return c, (self.r @ (np.abs(f) + error) + np.abs(self.c) @ error + own) * UP

    def _classes(
        self, roles: list[Any], c: Array, r: Array
    ) -> list[dict[Hashable, Class]]:
        """At each position the tokens that read alike, in an order of their own."""
        found: list[dict[Hashable, list[int]]] = [{} for _ in range(self.n)]
        texts, language = self.domain.tokens, self.domain.language
        numbers = zip(
            self.low.tolist(),
            self.high.tolist(),
            c.tolist(),
            r.tolist(),
            self.final.tolist(),
            strict=True,
        )
        read = [
            (
                None if language is None else language.role(text),
                *(role(text) for role in roles),
            )
            for text in texts
        ]
        for e, row in enumerate(numbers):
            found[self.at[e]].setdefault((read[self.tokens[e]], *row), []).append(e)
        return [
            {
                key: self._class(row, c, r)
                for key, row in sorted(at.items(), key=lambda item: repr(item[0]))
            }
            for at in found
        ]

    def _class(self, row: list[int], c: Array, r: Array) -> Class:
        e = row[0]
        tokens = self.tokens[row].tolist()
        return Class(
            tokens,
            float(self.low[e]),
            float(self.high[e]),
            float(c[e]),
            float(r[e]),
            bool(self.final[e]),
        )

    # ------------------------------------------------------------ the walk

    def _walk(self, reading: Numbers, pair: Pair, rows: list[list[Class]]) -> Ends:
        """All endings of a pair."""
        softmax = Softmax(
            self.network.floats, self.head.scale, self.slot.gap, self.network.n_ctx
        )
        keys = [
            [softmax.key(x.low, x.high, np.array([x.c]), np.array([x.r])) for x in row]
            for row in rows
        ]
        last, ends, merged = (
            max(self.levels),
            dict[Any, list[Any]](),
            dict[int, Hashable](),
        )
        now: dict[Hashable, list[Any]] = {None: [reading.start, 0, 1, None]}
        for position in range(min(last + 1, self.n)):
            floor = (
                self.slot.floor[position]
                if position < len(self.slot.floor)
                else -np.inf
            )
            after: dict[Hashable, list[Any]] = {}
            self.setting.work.spend(len(now) * len(rows[position]))
            read: dict[Any, Any] = {}
            for memory, known, count, link in now.values():
                for i, kind in enumerate(rows[position]):
                    if (memory, i) not in read:
                        read[memory, i] = self._read(
                            reading, pair, memory, position, kind
                        )
                    following, ahead, ending = read[memory, i]
                    if following is None:
                        continue
                    times, here = count * len(kind.tokens), (link, i)
                    if ending:
                        end = ends.setdefault(
                            (
                                ahead,
                                position,
                                i,
                                softmax.insert(known, keys[position][i], -np.inf),
                            ),
                            [0, here],
                        )
                        end[0] += times
                    if position < last:
                        self._merge(
                            after,
                            merged,
                            softmax,
                            following,
                            softmax.insert(known, keys[position][i], floor),
                            times,
                            here,
                        )
            now = after
        return _ends(softmax, ends)

    def _read(
        self, reading: Numbers, pair: Pair, memory: Any, position: int, kind: Class
    ) -> tuple[Any, bool | None, bool]:
        """The memory after a class of tokens; which of the two must be ahead; whether contexts
        end there.
        """
        token = kind.tokens[0]
        following = reading.step(memory, position, token)
        if (
            following is None
            or not kind.final
            or not self.domain.complete(following[0])
        ):
            return following, None, False
        a, b = reading.values(following, position, token)
        if pair.second is None:  # the greatest is at least the average
            return following, (True if a * len(self.rule.args) >= b else None), True
        return following, bool(a >= b), True

    @staticmethod
    def _merge(
        after: dict[Hashable, list[Any]],
        merged: dict[int, Hashable],
        softmax: Softmax,
        memory: Any,
        known: int,
        count: int,
        link: _Link,
    ) -> None:
        """One state more; those that differ by a rounding are joined."""
        if known not in merged:
            groups = softmax.known[known].groups
            merged[known] = tuple(
                (g[0], g[1], g[2], float(np.float32(softmax.rows[g[3]][0][0])))
                for g in groups
            )
        old = after.get((memory, merged[known]))
        if old is None:
            after[memory, merged[known]] = [memory, known, count, link]
        else:
            old[1], old[2] = softmax.join(old[1], known), old[2] + count

    # ------------------------------------------------------------ the judgement

    def _judge(
        self,
        pair: Pair,
        d: Array,
        off: Array,
        ends: Ends,
        rows: list[list[Class]],
        found: Found,
    ) -> None:
        """Raises Rejected unless whichever must be ahead is so at every ending."""
        b = self.network.blocks[-1]["attn"]["c_proj"]["b"].astype(np.float64)
        c = (self.x.c + b) @ d  # [n_emissions]
        size = np.abs(self.x.c) + self.x.r + np.abs(b)
        r = (
            self.x.r @ np.abs(d)
            + size @ (off + summed(len(d)) * np.abs(d))
            + self._rounding(pair)
        )
        starts, least, most = (
            np.cumsum([0, *map(len, rows)]),
            list[float](),
            list[float](),
        )
        where = {
            (int(p), int(t)): e
            for e, (p, t) in enumerate(zip(self.at, self.tokens, strict=True))
        }
        for position, row in enumerate(rows):
            for kind in row:
                es = [where[position, t] for t in kind.tokens]
                least.append(float((c[es] - r[es]).min()))
                most.append(float((c[es] + r[es]).max()))
        if not ends.link:
            return
        kinds = starts[ends.position] + ends.kind
        mean, radius, ahead = ends.mean, ends.radius, ends.ahead
        over = (np.array(least)[kinds] + mean - radius) * (1 - 1e-12) - 1e-15 * np.abs(
            mean
        )
        under = -(np.array(most)[kinds] + mean + radius) * (1 - 1e-12) - 1e-15 * np.abs(
            mean
        )
        margin = np.where(ahead == 1, over, np.where(ahead == -1, under, np.inf))
        worst = int(margin.argmin())
        if not margin[worst] > 0:
            raise Rejected(f"the margin may be {margin[worst]:.6g}")
        if margin[worst] < found.margin * (1 - 1e-6):
            found.at = _context(ends.link[worst], rows)
        found.margin = min(found.margin, float(margin[worst]))
        found.error = max(found.error, float((radius + r.max()).max()))

    def _rounding(self, pair: Pair) -> Array:  # -> [n_emissions]
        """What the floats round of the mean, its projection, the addition and the two logits."""
        network, floats = self.network, self.network.floats
        c_proj, least = network.blocks[-1]["attn"]["c_proj"], floats.least
        out, b = (
            np.abs(c_proj["w"][self.head.rows]).astype(np.float64),
            np.abs(c_proj["b"]).astype(np.float64),
        )
        size = self.size * 1.001
        mean = floats.gamma(network.n_ctx + 6) * size + 2 * network.n_ctx * least * (
            1 + size
        )  # [n_value], of each value
        adds = size @ out + b  # [n_embd]
        terms = (out != 0).sum(axis=0) + 1
        x = np.abs(self.x.c) + self.x.r  # [n_emissions, n_embd]
        # [n_embd]
        lanes = mean @ out + floats.gamma(terms) * adds + (terms + 2) * least
        # [n_emissions, n_embd]
        lanes = lanes + 2 * (floats.u + 2.0**-50) * (x + adds + lanes) + least
        both = np.abs(network.wte[pair.winner]) + np.abs(network.wte[pair.loser])
        read = (
            floats.gamma(network.wte.shape[1] + 2) * ((x + adds + lanes) @ both)
            + 2 * (network.wte.shape[1] + 2) * least
        )
        return np.asarray((lanes @ both + read) * UP)

    # ------------------------------------------------------------ examples

    def _examples(self, ends: Ends, rows: list[list[Class]], found: Found) -> None:
        """Some of the endings as contexts, with every logit bounded."""
        step = max(1, len(ends.link) // _EXAMPLES)
        for i in range(0, len(ends.link), step):
            found.keep(self._shown(_context(ends.link[i], rows)))

    def _shown(self, context: list[int]) -> Shown:
        network, tokens = self.network, self.domain.tokens
        self.setting.work.spend(len(context))
        softmax, known = (
            Softmax(network.floats, self.head.scale, self.slot.gap, network.n_ctx),
            0,
        )
        rows = [
            self.position_states.position_state(j, 0, token)
            for j, token in enumerate(context)
        ]
        for e in rows:
            key = softmax.key(
                float(self.low[e]), float(self.high[e]), self.c[e], self.r[e]
            )
            known = softmax.insert(known, key, -np.inf)
        z, off = softmax.mean(known, len(context))
        x = network.through(
            self.head.layer,
            self.x[[rows[-1]]],
            {self.head.number: (z[None], off[None])},
        )
        c, r = network.logits(x, np.array([0]), network.rounding(x))
        expected = evaluate(
            self.rule,
            [tokens[t] for t in context],
            end=len(context) - 1 if self.domain.language else None,
        )
        return Shown(
            tuple(context), self.domain.ids[str(expected)], (c - r)[0], (c + r)[0]
        )


def _constant(e: Expression) -> bool:
    return all(not isinstance(what, Expression) for _, what in e.where)


def _named(item: tuple[Hashable, Class]) -> Hashable:
    return item[0], len(item[1].tokens)


def _ends(softmax: Softmax, ends: dict[Any, list[Any]]) -> Ends:
    """The endings of a walk, each with the mean of what its head sees."""
    answered: dict[int, int] = {}
    for (_, position, _, _), (count, _) in ends.items():
        answered[position] = answered.get(position, 0) + count
    means = [softmax.mean(known, position + 1) for _, position, _, known in ends]
    ahead = np.array(
        [0 if a is None else 1 if a else -1 for a, _, _, _ in ends], dtype=int
    )
    places = np.array(
        [(position, kind) for _, position, kind, _ in ends], dtype=int
    ).reshape(-1, 2)
    mean, radius = (np.array([float(m[i][0]) for m in means]) for i in (0, 1))
    return Ends(
        answered,
        ahead,
        places[:, 0],
        places[:, 1],
        mean,
        radius,
        [link for _, link in ends.values()],
    )


def _context(link: _Link, rows: list[list[Class]]) -> list[int]:
    """A context of an ending: of each class its first token."""
    kinds: list[int] = []
    while link is not None:
        link, kind = link
        kinds.append(kind)
    return [
        rows[position][kind].tokens[0] for position, kind in enumerate(reversed(kinds))
    ]


def _difference(a: Array, b: Array) -> tuple[Array, Array]:  # [n], [n] -> [n], [n]
    """A - b, and how far the float64 of it is off."""
    exact = np.abs(a) + np.abs(b) <= np.exp2(
        np.clip(53 + np.minimum(grid(a), grid(b)), -1000, 1000)
    )
    return a - b, np.where(exact, 0.0, 2.0**-52 * (np.abs(a) + np.abs(b)))


def _product(a: Array, b: Array) -> tuple[Array, Array]:  # [n, k], [k] -> [n], [n]
    """A b, and how far the float64 of it is off: by nothing where all terms are multiples of
    one power of two.
    """
    size = np.abs(a) @ np.abs(b)
    finest = np.where((a != 0) & (b != 0), grid(a) + grid(b), 1e6).min(
        axis=1, initial=1e6
    )
    exact = (size <= np.exp2(np.clip(53 + finest, -1000, 1000))) & (finest > -900)
    return a @ b, np.where(exact, 0.0, summed(len(b)) * size + 2.0**-1000)
