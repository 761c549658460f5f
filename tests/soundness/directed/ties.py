"""Wrong by a hair: two tokens with one logit, or with logits that differ by what their sums round.

Rules of this file: a tie is no answer; where two tokens are equal, a claim for either is wrong,
and of several right ones the best must be ahead of every other token.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from directed.rounding import LETTERS, always
from directed.wrong import Wrong
from handcraft import (
    MLP,
    Block,
    Head,
    Neuron,
    after,
    local,
    position,
    scratch,
    token,
)
from handcraft.model import Model
from handcraft.program.program import Program
from handcraft.proof.enumerate.trie import enumerate_contexts


def exact(random: Random) -> Wrong:
    """Two logits are equal after one token: by the head, by a neuron, by a mean that is exact,
    or by nothing at all.
    """
    tokens, n = (
        random.sample(LETTERS, random.randint(2, 4)),
        random.randint(1, 5),
    )
    p, t, v = position(n), token(tokens), scratch("v")
    first, second, odd = (*random.sample(tokens, 2), random.choice(tokens))
    size = 2.0 ** random.randint(-3, 10)
    tied = {
        c: (0.0 if c == odd else size) for c in tokens
    }  # how far the first is ahead of the second
    ahead = sum((tied[c] * t[c] for c in tokens), start=0 * t[tokens[0]])
    rest = {t[c]: 0 * t[c] - 4096.0 for c in tokens if c not in (first, second)}
    own = {
        t[first]: 64.0 * size * ahead - 1.0 * t[first],
        t[second]: 0 * t[odd] - 1.0 * t[second],
        **rest,
    }
    kind = random.choice(["head", "neuron", "mean"])
    if kind == "head":
        layers: Any = (Head(query=1024 * p, key=p, value=t, adds=own),)
    elif kind == "neuron":
        clear = Head(query=1024 * p, key=p, value=t, adds=own)
        layers = (
            Block(
                [clear],
                MLP([Neuron(when=-1.0 * t[odd] - 2.0**14, adds={v: 1})]),
            ),
        )
    else:
        layers = (
            Head(query={v: 0 * p[0]}, key={v: 0 * p[0]}, value=t, adds=own),
        )
    context = (
        (odd,)
        if kind == "mean"
        else (*random.choices(tokens, k=random.randint(0, n - 1)), odd)
    )
    return Wrong(
        {"embedding": (p, t, v), "layers": layers},
        lambda: after(dict.fromkeys(tokens, first)),
        context,
        first,
    )


def several(random: Random) -> Wrong:
    """Any of several tokens would be right after every token; after one of these, or two, another
    token has as much as the best of them, or more.
    """
    tokens, n = (
        random.sample(LETTERS, random.randint(3, 5)),
        random.randint(2, 4),
    )
    p, t = position(n), token(tokens)
    third, *right = random.sample(tokens, random.randint(3, len(tokens)))
    odd = random.choice(tokens)
    size = 2.0 ** random.randint(-3, 10)
    best = {c: random.choice(right) for c in tokens}  # after each token
    given = {
        one: [
            size * (1 + random.randint(0, 3))
            if one == best[c]
            else size * random.choice([-1, 0, 0.5])
            for c in tokens
        ]
        for one in tokens
    }
    place = tokens.index(odd)
    given[third][place] = given[best[odd]][place] + random.choice(
        [0.0, 0.0, size / 4, size]
    )
    look = Head(
        query=1024 * p,
        key=p,
        value=t,
        output={
            t[one]: sum(
                (x * t[c] for x, c in zip(row, tokens, strict=True)),
                start=-1.0 * t[one],
            )
            for one, row in given.items()
        },
    )
    context = (*random.choices(tokens, k=random.randint(0, n - 1)), odd)
    return Wrong(
        {"embedding": (p, t), "layers": (look,)},
        lambda: after(dict.fromkeys(tokens, tuple(right))),
        context,
        frozenset(right),
    )


def within_rounding(random: Random) -> Wrong | None:
    """Two logits are the same numbers summed in two orders: which is ahead is a matter of the
    last bit.
    """
    tokens, n, k = (
        random.sample(LETTERS, 2),
        random.randint(3, 5),
        random.randint(6, 10),
    )
    p, t, z = position(n), token(tokens), scratch("z", tokens)
    a, b = tokens
    clear = Head(
        query=1024 * p,
        key=p,
        value=t,
        adds={t[c]: -1 * t[c] for c in tokens} | {z[c]: t[c] for c in tokens},
    )
    m = local("m", [*(f"x{i}" for i in range(k)), *(f"y{i}" for i in range(k))])
    lanes = [*(p[i] for i in range(n)), *(z[c] for c in tokens)]
    sums = [
        sum((random.gauss(0, 1) * lane for lane in lanes), start=0 * p[0])
        for _ in range(k)
    ]
    signs, order = (
        [random.gauss(0, 1) for _ in range(k)],
        random.sample(range(k), k),
    )
    vote = Head(
        query=0 * p,
        key=0 * p,
        value={
            m[f"{name}{i}"]: sums[j]
            for name, row in (("x", range(k)), ("y", order))
            for i, j in enumerate(row)
        },
        adds={
            t[a]: sum(
                (signs[i] * m[f"x{i}"] for i in range(k)), start=0 * m["x0"]
            ),
            t[b]: sum(
                (signs[j] * m[f"y{i}"] for i, j in enumerate(order)),
                start=0 * m["y0"],
            ),
        },
    )
    fields = {"embedding": (p, t, z), "layers": (clear, vote)}
    model = Model.of(Program(**fields, name="directed"))
    table = dict(_fast(model, tokens))
    found = [
        c
        for c, claimed in table.items()
        if Wrong(fields, always(tokens, a), c, claimed).holds()
    ]
    return (
        Wrong(fields, lambda: after(table), found[0], table[found[0]])
        if found
        else None
    )


def _fast(
    model: Model, tokens: list[str]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """What an enumeration that shares prefixes says after each of the longest contexts: a claim
    made to please it.
    """
    for chunk in enumerate_contexts(model.weights, model.n_ctx, **model.config):
        for ids, logits in zip(
            chunk.ids(len(tokens)), chunk.logits, strict=True
        ):
            if len(ids) == model.n_ctx and logits[0] != logits[1]:
                yield (
                    tuple(tokens[i] for i in ids),
                    tokens[int(logits.argmax())],
                )
