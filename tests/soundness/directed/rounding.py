"""Wrong by rounding: what is absorbed, shared, underflows, saturates, bends or is summed in
another order.

Rules of this file: each family is a function of a random source; it returns a Wrong, or None
where a draw came out right.
"""

from __future__ import annotations

from math import exp, log2
from random import Random
from typing import Any

from directed.wrong import Wrong
from handcraft import (
    MLP,
    Block,
    Head,
    Neuron,
    after,
    local,
    position,
    residual,
    scratch,
    slot,
    token,
)
from handcraft.sequence.words import count

LETTERS = "abcdefgh"


def tokens_of(random: Random, most: int = 4) -> list[str]:
    """A few letters in any order."""
    return random.sample(LETTERS, random.randint(2, most))


def always(tokens: list[str], answer: str) -> Any:
    """The same answer after every token."""
    return lambda: after(dict.fromkeys(tokens, answer))


def after_two(tokens: list[str], answer: str) -> Any:
    """The same answer after every two tokens; after one nothing is said."""
    return lambda: after({(a, b): answer for a in tokens for b in tokens})


def silenced(tokens: list[str], t: Any, *but: str) -> list[Any]:
    """A layer that leaves every other token far behind, where there is one."""
    others = {t[c]: -64 for c in tokens if c not in but}
    return [MLP(adds=others)] if others else []


def power(random: Random, low: int, high: int) -> float:
    """A power of two."""
    return float(2.0 ** random.randint(low, high))


def absorbed(random: Random) -> Wrong:
    """A leak is added to a number, where it vanishes, and taken away from itself elsewhere,
    where it does not.
    """
    tokens, n, wide = (
        tokens_of(random, 3),
        random.randint(2, 4),
        random.random() < 0.3,
    )
    p, t = position(n), token(tokens)
    v, w, x, y = (scratch(name) for name in "vwxy")
    gap = random.uniform(38.5, 44) if wide else random.uniform(18, 25)
    big = 2.0 ** round(gap * log2(2.718281828) + random.uniform(0, 2))
    base = power(random, -2, 3)  # the leak is added to this
    look = Head(
        query={v: gap},
        key={v: p[0]},
        scores="exact",
        value={v: base * p[1], w: base * (p[0] + p[1])},
        adds={x: v + w - base, y: v},
    )
    first, second = random.sample(tokens, 2)
    told, lane = 2 * 16 / base, scratch("z")
    if random.random() < 0.3:  # a claim on a lane
        add = MLP([Neuron(when=big * (y - x), adds={lane: 1})])
        fields = {
            "embedding": (p, t, v, w, x, y, lane),
            "layers": (Block([look], add),),
        }
        return Wrong(
            fields,
            lambda: residual("z", 0 * count({0: first})),
            tuple(random.choices(tokens, k=2)),
            0.0,
            "float64" if wide else "float32",
            "z",
            1e-5,
        )
    tell: Any = MLP(
        [Neuron(when=big * (y - x), adds={t[second]: told})], adds={t[first]: 2}
    )
    layers: Any = (Block([look], tell),)
    if random.random() < 0.4:  # read by a head instead of a neuron
        say = Head(
            query=1024 * p,
            key=p,
            value={v: big * (y - x)},
            adds={t[second]: told * v, t[first]: 2},
        )
        layers = (look, say)
    layers = (*layers, *silenced(tokens, t, first, second))
    fields = {
        "embedding": (p, t, v, w, x, y),
        "layers": layers,
        "activation": random.choice(["gelu", "relu"]),
    }
    context = tuple(random.choices(tokens, k=random.randint(2, n)))
    return Wrong(
        fields,
        always(tokens, first),
        context,
        first,
        "float64" if wide else "float32",
    )


def shared(random: Random) -> Wrong:
    """Two leaks of two layers, which only look alike: their difference is not nothing."""
    tokens, n = tokens_of(random), random.randint(2, 5)
    p, t = position(n), token(tokens)
    v, x, y = scratch("v"), scratch("x"), scratch("y")
    gap = random.uniform(18, 22)
    size = power(random, 0, 3)
    base = size * power(
        random, -20, -17
    )  # small enough for the leak to be seen beside it
    one = Head(
        query={v: gap},
        key={v: p[0]},
        scores="exact",
        value={v: size * p[1] + base * p[0]},
        adds={x: v},
    )
    two = Head(
        query={v: gap},
        key={v: p[0]},
        scores="exact",
        value={v: base * p[0] - size * p[1]},
        adds={y: v},
    )
    first, second = random.sample(tokens, 2)
    big = 2.0 ** round(gap * log2(2.718281828) + random.uniform(1, 3)) / size
    last: Any = MLP(
        [Neuron(when=big * (x - y), adds={t[second]: 16})], adds={t[first]: 4}
    )
    layers: Any = (one, Block([two], last))
    fields = {
        "embedding": (p, t, v, x, y),
        "layers": layers,
        "activation": random.choice(["gelu", "relu"]),
    }
    return Wrong(
        fields,
        after_two(tokens, first),
        tuple(random.choices(tokens, k=random.randint(2, n))),
        first,
    )


def products(random: Random) -> Wrong:
    """A number is multiplied down below the least one and up again; on paper it is what it was."""
    tokens, n = tokens_of(random, 3), random.randint(1, 3)
    first, second = random.sample(tokens, 2)
    low = random.randint(60, 90)
    down = random.randint(151 - low, 100)
    p, t, e, x, y, z = (
        position(n),
        token(tokens),
        slot("e", position=[2.0**-low] * n),
        scratch("x"),
        scratch("y"),
        scratch("z"),
    )
    back = low + down
    parts = [back // 3, back // 3, back - 2 * (back // 3)]
    one = Head(query=1024 * p, key=p, value={x: 2.0**-down * e}, adds={x: x})
    up = Head(
        query=1024 * p,
        key=p,
        value={x: 2.0 ** parts[0] * x},
        adds={y: 2.0 ** parts[1] * x},
    )
    say = Head(
        query=1024 * p,
        key=p,
        value={x: y},
        adds={t[second]: 64 * 2.0 ** parts[2] * x, t[first]: 4},
    )
    layers: Any = (one, up, say, *silenced(tokens, t, first, second))
    fields = {"embedding": (p, t, e, x, y, z), "layers": layers}
    return Wrong(
        fields,
        always(tokens, second),
        tuple(random.choices(tokens, k=random.randint(1, n))),
        second,
    )


def means(random: Random) -> Wrong:
    """A mean over some positions is below the least number, though each of what it is of is not."""
    tokens, n = tokens_of(random, 2), random.choice([3, 4, 5, 6])
    first, second = random.sample(tokens, 2)
    p, t, x, y, v = (
        position(n),
        token(tokens),
        scratch("x"),
        scratch("y"),
        scratch("v"),
    )
    least = 148 if n > 4 else 149
    tiny = slot("e", position=[2.0**-least, *[0.0] * (n - 1)])
    mean = Head(query={v: 0.0}, key={v: 0.0}, value={x: tiny}, adds={x: x})
    up = Head(
        query=1024 * p,
        key=p,
        value={x: 2.0**100 * x},
        adds={y: 2.0 ** (least - 100) * x},
    )
    say = Head(
        query=1024 * p,
        key=p,
        value={x: y},
        adds={t[second]: 64 * x, t[first]: 4},
    )
    layers: Any = (mean, up, say, *silenced(tokens, t, first, second))
    return Wrong(
        {"embedding": (p, t, tiny, x, y, v), "layers": layers},
        always(tokens, second),
        tuple(random.choices(tokens, k=n)),
        second,
    )


def thirds(random: Random) -> Wrong:
    """Weights that are no floats: a mean that is a round number on paper is off by a last bit,
    which is told.
    """
    tokens, k = random.sample(LETTERS, 2), random.choice([3, 5, 6, 7, 7])
    first, second = tokens
    p, t, x, v = (
        position(k),
        token(tokens),
        scratch("x", "abcdef"),
        scratch("v"),
    )
    wide = random.random() < 0.5
    value: dict[Any, Any] = {}
    output: dict[Any, Any] = {}
    for lane in x:
        whole = k * random.choice([1, 2, 4, 8])
        sizes = [random.randint(1, 64) / 16 for _ in range(k - 1)]
        parts = zip([*sizes, whole - sum(sizes)], p, strict=True)
        value[lane], output[lane] = (
            sum((a * place for a, place in parts), start=0 * p[0]),
            lane - whole // k,
        )
    mean = Head(query={v: 0.0}, key={v: 0.0}, value=value, adds=output)
    big = power(random, 50, 54) if wide else power(random, 21, 25)
    tell = MLP(
        [
            Neuron(when=s * big * lane, adds={t[second]: 16})
            for lane in x
            for s in (1, -1)
        ],
        adds={t[first]: 2},
    )
    fields = {
        "embedding": (p, t, x, v),
        "layers": (Block([mean], tell),),
        "activation": random.choice(["gelu", "relu"]),
    }
    ending = tuple(random.choices(tokens, k=k))
    return Wrong(
        fields,
        lambda: after({ending: first}),
        ending,
        first,
        "float64" if wide else "float32",
    )


def saturation(random: Random) -> Wrong:
    """Gelu of a number that is large, but not so large that it passes: the last bit is missed,
    and told.
    """
    tokens, n = tokens_of(random), random.randint(1, 4)
    first, second = random.sample(tokens, 2)
    p, t, e, x = (
        position(n),
        token(tokens),
        slot("e", position=[0.0] * n),
        scratch("x"),
    )
    at = random.choice([-1, 1]) * random.uniform(
        *random.choice([(2.9, 5.05), (5.01, 5.1)])
    )
    kept = max(at, 0.0)
    at, kept = (round(number * 2**18) / 2**18 for number in (at, kept))
    big = power(random, 26, 28)
    pass_ = MLP(
        [Neuron(when=0 * e + at, adds={x: 1}, sharpness=1)],
        adds={x: -kept} if kept else {},
    )
    tell = MLP(
        [Neuron(when=s * big * x, adds={t[second]: 16}) for s in (1, -1)],
        adds={t[first]: 2},
    )
    fields = {"embedding": (p, t, e, x), "layers": (pass_, tell)}
    return Wrong(
        fields,
        always(tokens, first),
        tuple(random.choices(tokens, k=random.randint(1, n))),
        first,
    )


def kinks(random: Random) -> Wrong:
    """A neuron stands at its bend, and its number is not known: what it lets through is told."""
    tokens, n = tokens_of(random, 3), random.randint(2, 5)
    first, second = random.sample(tokens, 2)
    p, t, v, x = position(n), token(tokens), scratch("v"), scratch("x")
    gap = random.uniform(18, 22)
    leaking = sum((p[i] for i in range(1, n)), start=0 * p[0])
    leak = Head(
        query={v: gap},
        key={v: p[0]},
        scores="exact",
        value={v: leaking},
        adds={x: v},
    )
    big = 2.0 ** round(gap * log2(2.718281828))
    most = (n - 1) * exp(-gap)
    less = most * random.choice(
        [0.0, 0.25, 0.5, 0.8, 0.9]
    )  # the bend is within what the leak can be
    told = MLP(
        [
            Neuron(
                when=big * x - big * less,
                adds={t[second]: 32 / big / (most - less)},
            )
        ],
        adds={t[first]: 2},
    )
    layers: Any = (Block([leak], told), *silenced(tokens, t, first, second))
    fields = {"embedding": (p, t, v, x), "layers": layers, "activation": "relu"}
    return Wrong(
        fields, always(tokens, first), tuple(random.choices(tokens, k=n)), first
    )


def score_order(random: Random) -> Wrong | None:
    """Two positions have one score, summed in two orders: on paper both are seen, in floats the
    one or the other.
    """
    tokens, n = tokens_of(random), random.randint(2, 4)
    first, second = random.sample(tokens, 2)
    k = random.randint(3, 6)
    q = [random.gauss(0, 1) * 10 ** random.uniform(6, 9) for _ in range(k)]
    w = [random.gauss(0, 1) for _ in range(k)]
    w = (
        w
        if sum(a * b for a, b in zip(q, w, strict=True)) > 0
        else [-b for b in w]
    )
    p, t, v, e = position(n), token(tokens), scratch("v"), scratch("e")
    one, two = local("m", LETTERS[:k]), local("o", LETTERS[:k])
    there, back = zip(q, w, strict=True), zip(q[::-1], w[::-1], strict=True)
    query: dict[Any, Any] = {}
    key: dict[Any, Any] = {}
    for lanes, pairs, place in ((one, there, 0), (two, back, 1)):
        for lane, (a, b) in zip(lanes, pairs, strict=True):
            query[lane], key[lane] = a, b * p[place]
    tie = Head(
        query=query,
        key=key,
        scores="exact",
        value={v: p[0] - p[1]},
        adds={e: v},
    )
    tell = MLP(
        [Neuron(when=s * 8 * e, adds={t[second]: 2}) for s in (1, -1)],
        adds={t[first]: 4},
    )
    fields = {
        "embedding": (p, t, v, e),
        "layers": (Block([tie], tell),),
        "d_head": 16,
        "activation": random.choice(["gelu", "relu"]),
    }
    return Wrong(
        fields,
        after_two(tokens, first),
        tuple(random.choices(tokens, k=random.randint(2, n))),
        first,
    )


def scales(random: Random) -> Wrong | None:
    """Scores that are no tie, until they are divided by a root that is no power of two."""
    tokens, n = tokens_of(random), random.randint(2, 4)
    first, second = random.sample(tokens, 2)
    p, t, v, e = position(n), token(tokens), scratch("v"), scratch("e")
    big = 2**24 - 2 * random.randint(
        1, 2**18
    )  # the last bit of a quotient is larger than that of what is divided
    ahead = Head(
        query={v: power(random, 6, 9)},
        key={v: big * p[0] + (big + 1) * p[1]},
        value={v: p[0]},
        adds={e: v},
    )
    tell = MLP([Neuron(when=8 * e, adds={t[second]: 4})], adds={t[first]: 4})
    width = random.choice([13, 14, 15])
    fields = {
        "embedding": (p, t, v, e),
        "layers": (Block([ahead], tell),),
        "d_head": width,
    }
    return Wrong(
        fields,
        after_two(tokens, first),
        tuple(random.choices(tokens, k=random.randint(2, n))),
        first,
    )
