"""Programs that are wrong of the greatest of many."""

from __future__ import annotations

from handcraft import (
    MLP,
    Block,
    Head,
    Neuron,
    Program,
    answers,
    local,
    position,
    residual,
    scratch,
    slot,
    token,
)
from handcraft.sequence.words import cases, count, equal, first, most, token_at
from leftout.shared import Make, entered

WRONG: dict[str, Make] = {}
wrong = entered(WRONG)


@wrong
def votes() -> Program:
    """Right but for the claim, which counts d for c and c for d."""
    p, t = position(3), token("abcd")
    vote = Head(
        query=0 * p,
        key=0 * p,
        value=t,
        adds={t[c]: 64 * t[c] + 40 - 10 * i for i, c in enumerate("abcd")},
    )
    rule = most(
        {
            "a": count({0: "a"}),
            "b": count({0: "b"}),
            "c": count({0: "d"}),
            "d": count({0: "c"}),
        }
    )
    return Program(embedding=(p, t), layers=(vote,), claim=rule)


@wrong
def votes_by_state() -> Program:
    """An earlier head and a neuron see b before d, which puts d a little ahead: after ^bd= it
    says d, the claim is b.
    """
    p, t, w, z, m = (
        position(4),
        token("abcd^="),
        scratch("w"),
        scratch("z"),
        local("m", "01"),
    )
    before = Head(
        query={
            m["0"]: 1024 * p[0] + 1024 * p[1] + 1024 * p[3],
            m["1"]: 1024 * p[2],
        },
        key={m["0"]: p[0], m["1"]: p[1]},
        value={w: t["b"]},
        adds={w: w},
    )
    both = MLP([Neuron(when=16 * w + 16 * t["d"] - 24, adds={z: 1 / 8})])
    says = {
        t[c]: 64 * t[c] + bias
        for c, bias in zip("abc", (8, 1, 0.5), strict=True)
    }
    vote = Head(
        query=0 * p,
        key=0 * p,
        value={**{t[c]: t[c] for c in "abcd"}, z: z},
        adds={
            **says,
            t["d"]: 64 * t["d"] + 6 * z,
            t["^"]: 0 * t["a"] - 64,
            t["="]: 0 * t["a"] - 64,
        },
    )
    rule = most({c: count({0: c}) for c in "abcd"})
    layers = (Block([before], both), vote)
    return Program(
        embedding=(p, t, w, z),
        layers=layers,
        claim=answers(r"\^[abcd]{2}=", rule, length=1),
    )


@wrong
def votes_of_tokens() -> Program:
    """The greatest of four tokens: the claim is an error."""
    p, t = position(2), token("abcd")
    vote = Head(
        query=0 * p,
        key=0 * p,
        value={t["a"]: p[0] + p[1]},
        adds={t[c]: 16 * t["a"] + 40 - 10 * i for i, c in enumerate("abcd")},
    )
    return Program(
        embedding=(p, t),
        layers=(vote,),
        claim=most({c: token_at(0) for c in "abcd"}),
    )


@wrong
def second_voter() -> Program:
    """A second head of the last block says d, whatever was counted."""
    p, t, v = position(2), token("abcd"), scratch("v")
    vote = Head(
        query=0 * p,
        key=0 * p,
        value=t,
        adds={t[c]: 64 * t[c] + 40 - 10 * i for i, c in enumerate("abcd")},
    )
    other = Head(
        query=0 * p, key=0 * p, value={v: p[0] + p[1]}, adds={t["d"]: 512 * v}
    )
    return Program(
        embedding=(p, t, v),
        layers=(Block([vote, other]),),
        claim=most({c: count({0: c}) for c in "abcd"}),
    )


@wrong
def neuron_behind() -> Program:
    """Behind the vote a neuron says d."""
    p, t = position(2), token("abcd")
    vote = Head(
        query=0 * p,
        key=0 * p,
        value=t,
        adds={t[c]: 64 * t[c] + 40 - 10 * i for i, c in enumerate("abcd")},
    )
    spoil = MLP([Neuron(when=8 * p[0] + 8 * p[1], adds={t["d"]: 512.0})])
    return Program(
        embedding=(p, t),
        layers=(Block([vote], spoil),),
        claim=most({c: count({0: c}) for c in "abcd"}),
    )


@wrong
def lane_of_votes() -> Program:
    """A claim on a lane whose number is a token: nobody can say how far off it is."""
    p, t, v = position(2), token("abcd"), scratch("v")
    vote = Head(
        query=0 * p,
        key=0 * p,
        value=t,
        adds={t[c]: 64 * t[c] + 40 - 10 * i for i, c in enumerate("abcd")},
    )
    return Program(
        embedding=(p, t, v),
        layers=(vote,),
        claim=residual("v", most({c: count({0: c}) for c in "abcd"})),
    )


@wrong
def votes_with_stop() -> Program:
    """The only token of each answer must be the stop token, and the greatest count is none."""
    p, t = position(2), token("abcd.")
    vote = Head(
        query=0 * p,
        key=0 * p,
        value=t,
        adds={t[c]: 64 * t[c] + 40 - 10 * i for i, c in enumerate("abcd")},
    )
    return Program(
        embedding=(p, t),
        layers=(vote,),
        claim=answers(
            "[abcd]{1,2}",
            most({c: count({0: c}) for c in "abcd"}),
            length=1,
            stop=".",
        ),
    )


@wrong
def spoiled_first() -> Program:
    """After a single token the model says d; longer ones it counts right."""
    p, t, m = position(2), token("abcd"), local("m", "abcd")
    letters = [
        slot(
            "u" + c,
            token={x: float(x == c) for x in "abcd"},
            position=[0.0] * 2,
        )
        for c in "abcd"
    ]
    spoil = MLP([Neuron(when=8 * p[0], adds={t["d"]: 512.0})])
    vote = Head(
        query={m["a"]: p[0]},
        key={m["a"]: 0 * p[0]},
        value={m[c]: u for c, u in zip("abcd", letters, strict=True)},
        adds={t[c]: 64 * m[c] + 40 - 10 * i for i, c in enumerate("abcd")},
    )
    return Program(
        embedding=(p, t, *letters),
        layers=(Block([], spoil), vote),
        claim=most({c: count({0: c}) for c in "abcd"}),
    )


@wrong
def spoiled_last() -> Program:
    """After c and d the model says a; the head asks otherwise after these, for nothing."""
    t, s, m, k = (
        token("abcd"),
        slot("s", token={"a": 0.0, "b": 0.0, "c": 1.0, "d": 1.0}),
        local("m", "abcd"),
        local("k", "0"),
    )
    letters = [
        slot("u" + c, token={x: float(x == c) for x in "abcd"}) for c in "abcd"
    ]
    spoil = MLP([Neuron(when=8 * s, adds={t["a"]: 512.0})])
    vote = Head(
        query={k["0"]: 1024 * s},
        key={k["0"]: 2.0**-40 * s},
        value={m[c]: u for c, u in zip("abcd", letters, strict=True)},
        adds={t[c]: 64 * m[c] + 40 - 10 * i for i, c in enumerate("abcd")},
    )
    rule = most({c: count({0: c}) for c in "abcd"})
    return Program(
        embedding=(t, s, *letters),
        n_ctx=1,
        layers=(Block([], spoil), vote),
        claim=rule,
    )


@wrong
def right() -> Program:
    """Right: only what a certificate states of it can be untrue."""
    p, t = position(3), token("ab")
    mean = Head(
        query=0 * p,
        key=0 * p,
        value=t,
        adds={t["b"]: 64 * t["b"], t["a"]: 5 - 1 * t["b"]},
    )
    return Program(
        embedding=(p, t),
        layers=(mean,),
        claim=cases((equal(count({0: "b"}), 0), "a"), "b"),
    )


@wrong
def greatest_first_place() -> Program:
    """Of abcd... d comes latest; the model says =, which no number stands for."""
    t, n = token("abcd="), slot("n", position=[0.0] * 16)
    look = Head(
        query={n: 0 * n},
        key={n: 0 * n},
        value={n: 0 * n + 1},
        adds={t["="]: 64 * n, t["d"]: 32 * n, t["c"]: 24 * n, t["b"]: 16 * n},
    )
    return Program(
        embedding=(t, n),
        layers=(look,),
        claim=answers(
            "abcda{11}=", most({c: first({0: c}) for c in "abcd"}), length=1
        ),
    )


@wrong
def unequal_counts() -> Program:
    """Only a is counted everywhere, the others at the first place; after bccccc= the claim is
    b, the model says =.
    """
    t, n = token("abcd="), slot("n", position=[0.0] * 7)
    look = Head(
        query={n: 0 * n},
        key={n: 0 * n},
        value={n: 0 * n + 1},
        adds={t["="]: 64 * n, t["b"]: 48 * n, t["a"]: 32 * n, t["c"]: 16 * n},
    )
    rule = most(
        {"a": count({0: "a"}), **{c: count({0: c}, before=1) for c in "bcd"}}
    )
    return Program(
        embedding=(t, n),
        layers=(look,),
        claim=answers("bccccc=", rule, length=1),
    )
