"""Wrong by overflow: what no one reads is computed all the same, and zero times infinity is no
number.

Every model here is right but for a part that should not matter, in some contexts or all. Rules
of this file: the part writes nothing, or is read by nothing; what makes it overflow stands in
weights, tables or biases.
"""

from __future__ import annotations

from random import Random
from typing import Any

from directed.rounding import LETTERS, power
from directed.wrong import Wrong
from handcraft import (
    MLP,
    Block,
    Head,
    Neuron,
    after,
    position,
    scratch,
    slot,
    token,
)


class Right:
    """A model that gives the next letter of a ring after each, and room for a part that spoils
    it.
    """

    def __init__(self, random: Random, *, longest: int = 5) -> None:
        self.tokens = random.sample(LETTERS, random.randint(2, 3))
        self.n = random.randint(3, longest)
        self.p, self.t = position(self.n), token(self.tokens)
        self.v, self.w, self.x = scratch("v"), scratch("w"), scratch("x")
        self.after = dict(
            zip(self.tokens, [*self.tokens[1:], self.tokens[0]], strict=True)
        )
        t = self.t
        self.head = Head(
            query=1024 * self.p,
            key=self.p,
            value=t,
            adds={t[b]: 4096 * t[a] + 0 * t[b] for a, b in self.after.items()},
        )
        self.random = random

    def wrong(
        self,
        *layers: Any,
        at: int | None = None,
        slots: tuple[Any, ...] = (),
        **more: Any,
    ) -> Wrong:
        """It with these layers: wrong after a context of `at` tokens, or of any number."""
        context = tuple(
            self.random.choices(
                self.tokens, k=at or self.random.randint(1, self.n)
            )
        )
        fields = {
            "embedding": (self.p, self.t, self.v, self.w, self.x, *slots),
            "layers": layers,
            **more,
        }
        table = dict(self.after)
        return Wrong(fields, lambda: after(table), context, table[context[-1]])

    def placed(self, part: Any) -> tuple[Any, ...]:
        """The spoiling head beside the right one, before it or behind it."""
        return self.random.choice(
            [(Block([self.head, part]),), (part, self.head), (self.head, part)]
        )


def dead_heads(random: Random) -> Wrong:
    """A head that writes nothing asks and offers numbers whose product overflows at every
    position or from one on.
    """
    m = Right(random)
    first = random.choice([0, random.randint(1, m.n - 1)])
    huge, lane = power(random, 64, 100), m.p[first]
    ask: Any = (
        {m.w: huge * lane} if first or random.random() < 0.5 else huge * m.p
    )
    offer: Any = {m.w: huge * lane} if isinstance(ask, dict) else huge * m.p
    dead = Head(
        query=ask,
        key=offer,
        value={m.w: m.t[m.tokens[0]]},
        adds={m.w: 0.0 * m.w},
    )
    return m.wrong(*m.placed(dead), at=random.randint(first + 1, m.n))


def dead_lanes(random: Random) -> Wrong:
    """A value that no one reads, or a neuron that writes nothing, is infinite: its product with
    zero is no number.
    """
    m = Right(random)
    place = random.randint(0, m.n - 1)
    e = slot(
        "e",
        position=[
            power(random, 64, 100) if i == place else 0.0 for i in range(m.n)
        ],
    )
    huge = power(random, 66, 100)
    if random.random() < 0.5:
        silent: Any = MLP([Neuron(when=huge * e, adds={m.x: 1e-30})])
        if random.random() < 0.5:
            silent = MLP([Neuron(when=huge * e, adds={m.x: 0.0})])
        layers: Any = (
            (Block([m.head], silent),)
            if random.random() < 0.5
            else (m.head, silent)
        )
    else:
        t = m.t
        output = {t[b]: 4096 * t[a] for a, b in m.after.items()} | {
            m.x: 0.0 * m.v
        }
        spoiled = Head(
            query=1024 * m.p,
            key=m.p,
            value={**{t[a]: t[a] for a in m.tokens}, m.v: huge * e},
            adds=output,
        )
        layers = (spoiled,)
    return m.wrong(*layers, at=random.randint(place + 1, m.n), slots=(e,))


def zero_keys(random: Random) -> Wrong:
    """A head asks for infinity where every key is zero, or offers it where nothing is asked."""
    m = Right(random)
    place, other = random.sample(range(m.n), 2)
    size = power(random, 64, 100)
    e = slot("e", position=[size if i == place else 0.0 for i in range(m.n)])
    huge = {m.w: power(random, 66, 100) * e}, {m.w: m.p[other]}
    ask, offer = huge if random.random() < 0.6 else huge[::-1]
    spoil = Head(
        query=ask, key=offer, value={m.w: m.t[m.tokens[0]]}, adds={m.x: m.w}
    )
    return m.wrong(
        *m.placed(spoil), at=random.randint(place + 1, m.n), slots=(e,)
    )


def late(random: Random) -> Wrong:
    """A score overflows before it is divided by the root of the width, and would not after it."""
    m = Right(random)
    place = random.randint(0, m.n - 1)
    width = random.choice([16, 25, 64])
    exponent = random.choice([128, 129] if width < 64 else [128, 129, 130])
    low = random.randint(60, 68)
    spoil = Head(
        query={m.w: 2.0**low * m.p[place]},
        key={m.w: 2.0 ** (exponent - low) * m.p[place]},
        value={m.w: m.t[m.tokens[0]]},
        adds={m.x: random.choice([0.0, 1.0]) * m.w},
    )
    return m.wrong(
        *m.placed(spoil), at=random.randint(place + 1, m.n), d_head=width
    )


def biases(random: Random) -> Wrong:
    """What overflows stands in a bias: of a query and a key, of a value, of a neuron."""
    m = Right(random)
    kind, big = (
        random.choice(["score", "value", "neuron", "sum"]),
        1.5 * 2.0**127,
    )
    none = 0 * m.p[0]
    if kind == "score":
        spoil: Any = Head(
            query={m.w: none + power(random, 66, 100)},
            key={m.w: none + power(random, 66, 100)},
            value={m.w: m.t[m.tokens[0]]},
            adds={m.x: m.w},
        )
    elif kind == "value":  # the mean of two is summed before anyone divides
        spoil = Head(
            query={m.w: none},
            key={m.w: none},
            value={m.w: none + big},
            adds={m.x: 4 * m.w},
        )
    elif kind == "neuron":
        spoil = MLP([Neuron(when=none + big / 4, adds={m.x: 1.0}, sharpness=4)])
        spoil = MLP([*spoil.neurons, *spoil.neurons])
    else:
        first = MLP(adds={m.x: big})
        return m.wrong(m.head, first, MLP(adds={m.x: big}))
    layers = m.placed(spoil) if isinstance(spoil, Head) else (m.head, spoil)
    return m.wrong(*layers)
