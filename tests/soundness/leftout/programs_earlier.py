"""Programs that are wrong of what earlier positions hold, and of guesses."""

from __future__ import annotations

from handcraft import (
    Block,
    Head,
    Program,
    after,
    answers,
    local,
    position,
    scratch,
    slot,
    token,
)
from handcraft.sequence.words import lookup, otherwise, own, token_at
from leftout.shared import Make, entered

WRONG: dict[str, Make] = {}
wrong = entered(WRONG)

# ------------------------------------------------------------ what earlier positions hold


@wrong
def before_b() -> Program:
    """The model says b after b?, the claim a everywhere from the second token on."""
    p, t, w, m = position(2), token("ab"), scratch("w"), local("m", "01")
    before = Head(
        query={m["0"]: 1024 * p[1]},
        key={m["0"]: p[0]},
        value={w: t["b"]},
        adds={w: w},
    )
    tell = Head(
        query=1024 * p,
        key=p,
        value={w: w, m["1"]: p[0]},
        adds={t["b"]: 64 * w, t["a"]: 16 + 512 * m["1"]},
    )
    return Program(
        embedding=(p, t, w),
        layers=(before, tell),
        claim=after({"a": "a", "b": "a"}),
    )


@wrong
def first_b() -> Program:
    """The model says b of ba=, the claim a."""
    p, t, w, m = position(3), token("ab="), scratch("w"), local("m", "0")
    before = Head(
        query={m["0"]: 1024 * p[2]},
        key={m["0"]: p[0]},
        value={w: t["b"]},
        adds={w: w},
    )
    tell = Head(
        query=1024 * p, key=p, value={w: w}, adds={t["b"]: 64 * w, t["a"]: 16}
    )
    return Program(
        embedding=(p, t, w),
        layers=(before, tell),
        claim=answers("[ab]a=", lookup({"=": "a"}, own), length=1),
    )


@wrong
def many_states() -> Program:
    """Of 150 tokens that can stand before the last one, after one the model says b; the claim
    is a.
    """
    names = ["a", "b", *(chr(0x100 + i) for i in range(148))]
    p, t, w, m = position(2), token(names), scratch("w"), local("m", "01")
    before = Head(
        query={m["0"]: 1024 * p[1]},
        key={m["0"]: p[0]},
        value={w: t["b"]},
        adds={w: w},
    )
    tell = Head(
        query=1024 * p,
        key=p,
        value={w: w, m["1"]: p[0]},
        adds={t["b"]: 64 * w, t["a"]: 16 + 512 * m["1"]},
    )
    return Program(
        embedding=(p, t, w),
        layers=(before, tell),
        claim=after(dict.fromkeys(names, "a")),
    )


@wrong
def asks_by_state() -> Program:
    """The second head asks one thing after a?, another after b?, where it says b; the claim is
    a.
    """
    p, t, w, v, m = (
        position(2),
        token("ab"),
        scratch("w"),
        scratch("v"),
        local("m", "01"),
    )
    before = Head(
        query={m["0"]: 1024 * p[1]},
        key={m["0"]: p[0]},
        value={w: t["b"]},
        adds={w: w},
    )
    tell = Head(
        query={v: w},
        key={v: 1024 * p[1]},
        value={v: w, m["1"]: p[0]},
        adds={t["b"]: 64 * v, t["a"]: 16 + 512 * m["1"]},
    )
    return Program(
        embedding=(p, t, w, v),
        layers=(before, tell),
        claim=after({"a": "a", "b": "a"}),
    )


@wrong
def asks_by_content() -> Program:
    """The first head asks by the token: with b it sees position 0, and the second one says b;
    the claim is a.
    """
    p, t, w, v = position(2), token("ab"), scratch("w"), scratch("v")
    m = local("m", "1")
    first_one = Head(
        query={v: 1024 * t["b"]},
        key={v: p[0]},
        value={w: 2 * p[0] - 0.5},
        adds={w: w},
    )
    tell = Head(
        query=1024 * p,
        key=p,
        value={w: w, m["1"]: p[0]},
        adds={t["b"]: 64 * w, t["a"]: 60 + 512 * m["1"]},
    )
    return Program(
        embedding=(p, t, w, v),
        layers=(first_one, tell),
        claim=after({"a": "a", "b": "a"}),
    )


@wrong
def swapped_heads() -> Program:
    """Of two heads of one block the second sees 1 and says b; if they are taken for each other,
    the first says a.
    """
    t, v, w, n = (
        token("ab"),
        scratch("v"),
        scratch("w"),
        slot("n", position=[0.0] * 2),
    )
    one = Head(
        query={v: 0 * n},
        key={v: 0 * n},
        value={v: t["a"] - t["a"] + 2.0**-20 * t["a"]},
        adds={t["a"]: 64 * v},
    )
    two = Head(
        query={w: 0 * n},
        key={w: 0 * n},
        value={w: t["a"] + t["b"]},
        adds={t["b"]: 16 * w},
    )
    return Program(
        embedding=(t, v, w, n),
        layers=(Block([one, two]),),
        claim=after({"a": "a", "b": "a"}),
    )


@wrong
def other_counts() -> Program:
    """The mean is 1 after xx= and 3 after yz=, where z is not seen; the model says b of 3, the
    claim a.
    """
    t, v, k = token("xyz=ab"), scratch("v"), scratch("k")
    mean = Head(
        query={k: 1024.0},
        key={k: -1 * t["z"] - t["="]},
        value={v: t["x"] + 3 * t["y"]},
        adds={t["b"]: 8 * v, t["a"]: 20},
        scores="exact",
    )
    return Program(
        embedding=(t, v, k),
        n_ctx=3,
        layers=(mean,),
        claim=answers("[xy][xz]=", lookup({"=": "a"}, own), length=1),
    )


@wrong
def hidden_later() -> Program:
    """As `other_counts`, but the first token may be z: then no score is there anyway that hides z,
    and only z and = tell the scores before them apart.
    """
    program = other_counts()
    claim = answers("[xyz][xz]=", lookup({"=": "a"}, own), length=1)
    return program.model_copy(update={"claim": claim})


# ------------------------------------------------------------ guesses


@wrong
def guessed() -> Program:
    """The claim is the first token; the model says a always."""
    p, t, v = position(2), token("ab"), scratch("v")
    look = Head(
        query=1024 * p, key=p, value={v: t["a"]}, adds={t["a"]: 4 + 4 * v}
    )
    return Program(
        embedding=(p, t, v), layers=(look,), claim=otherwise(token_at(0), "a")
    )
