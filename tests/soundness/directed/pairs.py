"""Wrong in one pair of many: claims on the greatest of four counts or more, which are proved
two tokens at a time.

Rules of this file: all pairs look alike to who looks at centres, places and token counts; one
of them is not.
"""

from __future__ import annotations

from random import Random
from typing import Any

from directed.wrong import Wrong
from handcraft import Head, answers, local, position, slot, token
from handcraft.sequence.words import count, most

LETTERS = "abcdefg"


def radii(random: Random) -> Wrong | None:
    """Two tokens' logits read a lane that is uncertain: two positions have one score, summed
    forwards and backwards.
    """
    letters, n, k = (
        random.sample(LETTERS, 4),
        random.choice([3, 4]),
        random.randint(4, 6),
    )
    p, t, v = position(n), token([*letters, "="]), local("v")
    e = slot("e", position=[-1.0, *[0.0] * (n - 1)])
    size = 10 ** random.uniform(4.8, 5.3)
    q, keys = (
        [random.gauss(0, 1) * size for _ in range(k)],
        [random.gauss(0, 1) for _ in range(k)],
    )
    keys = (
        keys
        if sum(a * b for a, b in zip(q, keys, strict=True)) > 0
        else [-b for b in keys]
    )
    m, o, w = (
        local("m", LETTERS[:k]),
        local("o", LETTERS[:k]),
        local("w", "abcdefgh"),
    )
    query: dict[Any, Any] = {
        **dict(zip(m, q, strict=True)),
        **dict(zip(o, q[::-1], strict=True)),
    }
    key: dict[Any, Any] = {
        lane: b * p[0] for lane, b in zip(m, keys, strict=True)
    }
    key |= {lane: b * p[1] for lane, b in zip(o, keys[::-1], strict=True)}
    tie = Head(query=query, key=key, value={v: p[0] - p[1]}, adds={e: v})
    lanes = list(w)[: len(letters)]
    out = {
        t[x]: 64 * lane + 16 - i
        for i, (lane, x) in enumerate(zip(lanes, letters, strict=True))
    }
    large = random.uniform(20000, 60000) * w["h"]
    for letter, part in zip(
        letters[-2:],
        random.choice([(large, -large), (-large, large)]),
        strict=True,
    ):
        # whichever is seen, one of the two is far ahead
        out[t[letter]] = out[t[letter]] + part
    value = {
        **{lane: t[x] for lane, x in zip(lanes, letters, strict=True)},
        w["h"]: e,
    }
    vote = Head(query={v: 0}, key={v: 0}, value=value, adds=out)
    rule = most({x: count({0: x}) for x in letters})
    context = (*random.choices(letters[:-2], k=n - 1), "=")
    claimed = max(letters, key=lambda x: (context.count(x), -letters.index(x)))
    prompts, fields = (
        f"[{''.join(letters)}]{{1,{n - 1}}}=",
        {"embedding": (p, t, e), "layers": (tie, vote)},
    )
    return Wrong(
        fields, lambda: answers(prompts, rule, length=1), context, claimed
    )


def counts(random: Random) -> Wrong | None:
    """Two tokens of many are claimed by other counts than their own: exchanged, of other
    places, or of what stands before.
    """
    letters, n = (
        random.sample(LETTERS, random.randint(4, 6)),
        random.choice([3, 4]),
    )
    p, t = position(n), token([*letters, "="])
    order = {x: i for i, x in enumerate(letters)}
    vote = Head(
        query=0 * p,
        key=0 * p,
        value=t,
        adds={t[x]: 64 * t[x] + 8 - order[x] for x in letters},
    )
    a, b = random.sample(letters[1:] if random.random() < 0.8 else letters, 2)
    changed = {a: b, b: a}
    if random.random() < 0.3 and len(letters) > 4:  # a ring of three
        c = random.choice([x for x in letters if x not in (a, b)])
        changed = {a: b, b: c, c: a}
    counted = {x: changed.get(x, x) for x in letters}
    rule = most({x: count({0: counted[x]}) for x in letters})
    context = (
        *random.choices(sorted(changed), k=random.randint(1, n - 1)),
        "=",
    )
    claimed = max(letters, key=lambda x: (context.count(counted[x]), -order[x]))
    prompts = f"[{''.join(letters)}]{{1,{n - 1}}}="
    return Wrong(
        {"embedding": (p, t), "layers": (vote,)},
        lambda: answers(prompts, rule, length=1),
        context,
        claimed,
    )
