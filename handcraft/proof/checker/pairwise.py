"""The check of claims about the greatest of many counts, two tokens at a time: sections without a
graph.

A claim `most({token: number, ...})` is right if in every context the answer's logit is ahead of
every other one. For two tokens this is a statement about two numbers and one sum over positions,
since the last block holds one head and no neuron:

    logit a - logit b = (x + bias) . d + mean of (v W . d) + what the floats round
                    d = wte[a] - wte[b]

Which of the two must be ahead follows from the claim:

    both counted    if a's number is at least b's (b stands behind a in the claim), a must be
                    ahead; else b
    one counted     if a's number, times how many numbers there are, is at least the sum of all
                    of them, a must be ahead

Every two counted tokens, and every counted one with every other token of the vocabulary, are
compared in every context: so the answer of a context is ahead of all others. The contexts of a
pair are walked by what is known of them (pair_walk.py). Pairs that read alike in everything that
a walk depends on (how the claim reads every class, where contexts end, every key's score and
value) are walked once.

Rules of this file: nothing is taken from the certificate but the query, the gap and the floors.
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import cached_property
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.certificate import HeadQuery, Section
from handcraft.proof.checker.endings import Found, Shown
from handcraft.proof.checker.graph import Setting
from handcraft.proof.checker.network import HeadWeights
from handcraft.proof.checker.pair_claim import (
    Numbers,
    Pair,
    pairs_of,
    together,
)
from handcraft.proof.checker.pair_walk import Class, Ends, PairWalk, context_of
from handcraft.proof.checker.softmax import Softmax
from handcraft.proof.checker.zonotope import (
    UP,
    Rejected,
    Zonotope,
    difference_of,
    product_of,
    summed,
)
from handcraft.sequence.evaluate import evaluate
from handcraft.sequence.expression import Expression

_EXAMPLES = 250  # of each walk, at most


def compared(setting: Setting, sections: list[Section], found: Found) -> None:
    """Check every pair in every context, by all sections. Raises Rejected, with the reason,
    if one may be wrong.
    """
    claim = setting.domain.claim
    rule = claim.rule
    if (
        not isinstance(rule, Expression)
        or rule.op != "most"
        or claim.measures != "token"
    ):
        raise Rejected(
            "only the greatest of several numbers is compared pair by pair"
        )
    if not claim.one_token:
        raise Rejected("only answers of one token are compared pair by pair")
    sizes = setting.domain.sizes(ends=False)
    parts = [Compared(setting, section, rule) for section in sections]
    for pair in pairs_of(rule, setting.domain.ids, setting.network.n_vocab):
        answered: dict[tuple[int | None, int], int] = {}
        for part in parts:
            part.pair(pair, answered, found)
        if any(answered.get(key, 0) != size for key, size in sizes.items()):
            raise Rejected("two tokens are not compared in every context")
    found.answered, found.spoken = dict(sizes), sum(sizes.values())


class Compared:
    """One section: the contexts whose last position asks its query."""

    def __init__(
        self, setting: Setting, section: Section, rule: Expression
    ) -> None:
        self.setting = setting
        self.section = section
        self.rule = rule
        self.network = setting.network
        self.position_states = setting.position_states
        self.domain = setting.domain
        self.head, self.slot = self._head()
        self.n = len(self.position_states.tokens)
        # of each position state
        self.at = np.repeat(
            np.arange(self.n),
            [len(tokens) for tokens in self.position_states.tokens],
        )
        self.tokens = np.concatenate(
            [
                np.array(tokens, dtype=int)
                for tokens in self.position_states.tokens
            ]
        )
        self.levels = sorted({level for level, _ in section.finals})
        self.x = self._stream()
        self.final = self._finals()
        query = Zonotope.of(
            *(np.array(part)[None] for part in self.slot.query or ((), ()))
        )
        offered = self.position_states.seen_by(self.head)
        keys = offered.keys
        self.c = offered.c
        self.r = offered.r
        self.low, self.high = self.network.floats.dot(query, keys)
        self.size = (np.abs(self.c) + self.r).max(
            axis=0, initial=0.0
        )  # [n_value]
        self.walked: dict[Hashable, Ends] = {}

    def _head(self) -> tuple[HeadWeights, HeadQuery]:
        """Return the only head of the last block, and its query. Raises Rejected for any
        other model, and if the section does not say what the head asks.
        """
        network = self.network
        s = self.section
        last = len(self.network.blocks) - 1
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

    def _stream(self) -> Zonotope:  # [n_position_states, n_embd]
        """Return the residual stream that the last block reads."""
        chunks = self.position_states.streams[len(self.network.blocks) - 1]
        return Zonotope.of(
            np.concatenate([x.c for x in chunks]),
            np.concatenate([x.radius for x in chunks]),
        )

    def _finals(self) -> Array:  # [n_position_states] bool
        """True for each position state at which contexts of this section end: listed, and
        asking the section's query.
        """
        asked = self.network.floats.linear(self.x, *self.head.q).plain()
        query = self.slot.query or ([], [])
        inside = (
            np.abs(asked.c - np.array(query[0])) + asked.r <= np.array(query[1])
        ).all(axis=1)
        listed = set(self.section.finals)
        named = [
            place in listed
            for place in zip(
                self.at.tolist(), self.tokens.tolist(), strict=True
            )
        ]
        return np.asarray(inside & np.array(named))

    # ------------------------------------------------------------ one pair

    def pair(
        self,
        pair: Pair,
        answered: dict[tuple[int | None, int], int],
        found: Found,
    ) -> None:
        """Check one pair in every context of the section."""
        self.setting.work.spend(len(self.at))
        # [n_embd]
        d, off = difference_of(
            self.network.wte[pair.winner], self.network.wte[pair.loser]
        )
        reading = self._reading(pair)
        roles = [reading.role(e) for e in reading.followed]
        classes = self._classes(roles, *self._projected(d, off))
        key = (
            reading.shape(),
            len(self.rule.args) if pair.second is None else 0,
            tuple(tuple(_named(x) for x in row.items()) for row in classes),
        )
        if key not in self.walked:
            rows = [list(row.values()) for row in classes]
            self.walked[key] = self._walk(reading, pair, rows)
            self._examples(self.walked[key], rows, found)
        ends = self.walked[key]
        rows = [list(row.values()) for row in classes]
        for position, count in ends.answered.items():
            answered[None, position] = answered.get((None, position), 0) + count
        self._judge(pair, d, off, ends, rows, found)

    def _reading(self, pair: Pair) -> Numbers:
        """Return the reading of the claim's two numbers."""
        args = self.rule.args
        numbers = (
            args[pair.first],
            together(self.rule) if pair.second is None else args[pair.second],
        )
        return Numbers(self.domain, self.levels, numbers)

    def _projected(
        self, d: Array, off: Array
    ) -> tuple[Array, Array]:  # [n_embd], [n_embd] -> [n_position_states] each
        """Return each value as what it adds to the difference of the two logits."""
        # [n_value, n_embd]
        out = self.network.blocks[-1]["attn"]["c_proj"]["w"][
            self.head.rows
        ].astype(np.float64)
        f, error = product_of(out, d)
        error = error + np.abs(out) @ off
        c, own = product_of(self.c, f)
        return c, (
            self.r @ (np.abs(f) + error) + np.abs(self.c) @ error + own
        ) * UP

    def _classes(
        self, roles: list[Any], c: Array, r: Array
    ) -> list[dict[Hashable, Class]]:
        """Return at each position the tokens that read alike, in an order that depends on
        nothing else.
        """
        found: list[dict[Hashable, list[int]]] = [{} for _ in range(self.n)]
        texts = self.domain.tokens
        language = self.domain.language
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
            found[self.at[e]].setdefault(
                (read[self.tokens[e]], *row), []
            ).append(e)
        return [
            {
                key: self._class(row, c, r)
                for key, row in sorted(
                    at.items(), key=lambda item: repr(item[0])
                )
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

    def _walk(
        self, reading: Numbers, pair: Pair, rows: list[list[Class]]
    ) -> Ends:
        """Return all endings of a pair."""
        network = self.network
        softmax = Softmax(
            network.floats, self.head.scale, self.slot.gap, network.n_ctx
        )
        walk = PairWalk(reading, pair, len(self.rule.args), softmax, rows)
        return walk.run(max(self.levels), self.slot.floor, self.setting.work)

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
        """Check that at every ending the one that must be ahead is ahead. Raises Rejected
        if not.
        """
        b = self.network.blocks[-1]["attn"]["c_proj"]["b"].astype(np.float64)
        c = (self.x.c + b) @ d  # [n_position_states]
        size = np.abs(self.x.c) + self.x.r + np.abs(b)
        r = (
            self.x.r @ np.abs(d)
            + size @ (off + summed(len(d)) * np.abs(d))
            + self._rounding(pair)
        )
        if not ends.link:
            return
        least, most = self._ranges(rows, c - r, c + r)  # [n_classes] each
        kinds = np.cumsum([0, *map(len, rows)])[ends.position] + ends.kind
        mean = ends.mean
        radius = ends.radius
        ahead = ends.ahead
        own = 1e-15 * np.abs(mean)
        over = (least[kinds] + mean - radius) * (1 - 1e-12) - own
        under = -(most[kinds] + mean + radius) * (1 - 1e-12) - own
        margin = np.where(
            ahead == 1, over, np.where(ahead == -1, under, np.inf)
        )
        worst = int(margin.argmin())
        if not margin[worst] > 0:
            raise Rejected(f"the margin may be {margin[worst]:.6g}")
        if margin[worst] < found.margin * (1 - 1e-6):
            found.at = context_of(ends.link[worst], rows)
        found.margin = min(found.margin, float(margin[worst]))
        found.error = max(found.error, float((radius + r.max()).max()))

    def _ranges(
        self, rows: list[list[Class]], low: Array, high: Array
    ) -> tuple[Array, Array]:
        """Return the least of the low and the greatest of the high numbers of each class."""
        where = self._where
        least = list[float]()
        most = list[float]()
        for position, row in enumerate(rows):
            for kind in row:
                members = [where[position, token] for token in kind.tokens]
                least.append(float(low[members].min()))
                most.append(float(high[members].max()))
        return np.array(least), np.array(most)

    @cached_property
    def _where(self) -> dict[tuple[int, int], int]:
        """The position state of each position and token."""
        places = zip(self.at.tolist(), self.tokens.tolist(), strict=True)
        return {place: e for e, place in enumerate(places)}

    def _rounding(self, pair: Pair) -> Array:  # -> [n_position_states]
        """Return what the floats round of the mean, its projection, the addition and the
        two logits.
        """
        network = self.network
        floats = self.network.floats
        c_proj = network.blocks[-1]["attn"]["c_proj"]
        least = floats.least
        out = np.abs(c_proj["w"][self.head.rows]).astype(np.float64)
        b = np.abs(c_proj["b"]).astype(np.float64)
        size = self.size * 1.001
        # [n_value], of each value
        mean = floats.gamma(
            network.n_ctx + 6
        ) * size + 2 * network.n_ctx * least * (1 + size)
        adds = size @ out + b  # [n_embd]
        terms = (out != 0).sum(axis=0) + 1
        x = np.abs(self.x.c) + self.x.r  # [n_position_states, n_embd]
        # [n_embd]
        lanes = mean @ out + floats.gamma(terms) * adds + (terms + 2) * least
        # [n_position_states, n_embd]
        lanes = lanes + 2 * (floats.u + 2.0**-50) * (x + adds + lanes) + least
        both = np.abs(network.wte[pair.winner]) + np.abs(
            network.wte[pair.loser]
        )
        read = (
            floats.gamma(network.wte.shape[1] + 2) * ((x + adds + lanes) @ both)
            + 2 * (network.wte.shape[1] + 2) * least
        )
        return np.asarray((lanes @ both + read) * UP)

    # ------------------------------------------------------------ examples

    def _examples(
        self, ends: Ends, rows: list[list[Class]], found: Found
    ) -> None:
        """Keep some of the endings as contexts, with every logit bounded."""
        step = max(1, len(ends.link) // _EXAMPLES)
        together: dict[int, list[list[int]]] = {}
        for i in range(0, len(ends.link), step):
            context = context_of(ends.link[i], rows)
            together.setdefault(len(context), []).append(context)
        for contexts in together.values():
            for shown in self._shown(contexts):
                found.keep(shown)

    def _shown(self, contexts: list[list[int]]) -> list[Shown]:
        """Return contexts of one length with what must follow and the bounds of every logit."""
        network = self.network
        length = len(contexts[0])
        self.setting.work.spend(length * len(contexts))
        states = np.array(
            [
                [
                    self.position_states.position_state(j, 0, token)
                    for j, token in enumerate(context)
                ]
                for context in contexts
            ]
        )
        softmax, keys = self._keys
        seen = []
        for row in states.tolist():
            known = 0
            for e in row:
                known = softmax.insert(known, keys[e], -np.inf)
            seen.append(known)
        means = softmax.means(seen, length)
        x = network.through(
            self.head.layer, self.x[states[:, -1]], {self.head.number: means}
        )
        c, r = network.logits(x, np.arange(len(contexts)), network.rounding(x))
        return [
            Shown(tuple(context), self._expected(context), low, high)
            for context, low, high in zip(contexts, c - r, c + r, strict=True)
        ]

    @cached_property
    def _keys(self) -> tuple[Softmax, list[int]]:
        """A softmax over all of the head's values, and the key of each position state in it."""
        network = self.network
        softmax = Softmax(
            network.floats, self.head.scale, self.slot.gap, network.n_ctx
        )
        scores = self.low.tolist(), self.high.tolist()
        return softmax, softmax.keys_of(*scores, self.c, self.r)

    def _expected(self, context: list[int]) -> int:
        """Return the token that the claim says after a context."""
        found = evaluate(
            self.rule,
            [self.domain.tokens[t] for t in context],
            end=len(context) - 1 if self.domain.language else None,
        )
        return self.domain.ids[str(found)]


def _named(item: tuple[Hashable, Class]) -> Hashable:
    return item[0], len(item[1].tokens)
