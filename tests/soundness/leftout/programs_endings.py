"""Wrong programs with claims on the last tokens."""

from __future__ import annotations

from handcraft import (
    Block,
    Head,
    Program,
    after,
    local,
    position,
    residual,
    scratch,
    slot,
    token,
)
from handcraft.sequence.words import (
    below,
    cases,
    equal,
    here,
    latest,
    lookup,
    otherwise,
    own,
    token_at,
    total,
)
from leftout.shared import Make, always_a, entered, followed

WRONG: dict[str, Make] = {}
wrong = entered(WRONG)


@wrong
def says_a() -> Program:
    """The model says a after everything; the claim says b after b."""
    return always_a("ab", after({"a": "a", "b": "b"}))


@wrong
def says_a_by_pairs_of_tokens() -> Program:
    """The model says a after everything; the claim says b after ba."""
    p, t, v = position(2), token("ab"), scratch("v")
    look = Head(
        query=1024 * p, key=p, value={v: t["a"]}, adds={t["a"]: 4 + 4 * v}
    )
    return Program(
        embedding=(p, t, v),
        layers=(look,),
        claim=after(
            {"aa": "a", "ab": "a", "ba": "b", "bb": "a", "a": "a", "b": "a"}
        ),
    )


@wrong
def says_a_by_what_was_last() -> Program:
    """The model says a after everything; the claim, the last letter that is no c, is b after b."""
    return always_a("abc", otherwise(token_at(latest({0: ("a", "b")})), "a"))


@wrong
def says_a_by_what_it_is_worth() -> Program:
    """The model says a after everything; the claim is b where the letters are worth more than
    two.
    """
    return always_a("ab", cases((below(2, total({"a": 0, "b": 1})), "b"), "a"))


@wrong
def says_a_by_parts() -> Program:
    """The model says a after everything; the claim, an expression of several parts, says b
    after b.
    """
    return always_a("ab", cases((equal(own, "a"), "a"), "b"))


@wrong
def lane_off() -> Program:
    """The lane holds 1 after b, where the claim says 0."""
    p, t, v = position(2), token("ab"), scratch("v")
    look = Head(query=1024 * p, key=p, value={v: t["b"]}, adds={v: v})
    return Program(
        embedding=(p, t, v),
        layers=(look,),
        claim=residual("v", lookup({"a": 0, "b": 0}, own)),
    )


@wrong
def silent() -> Program:
    """The claim asks for the sixth token in a window of three: it speaks of nothing, so nothing
    is shown.
    """
    p, t = position(3), token("ab")
    return Program(
        embedding=(p, t),
        layers=(followed(p, t, {"a": "a", "b": "b"}),),
        claim=token_at(5),
    )


@wrong
def looks_ahead() -> Program:
    """Not causal: where a second token follows, the first position says b instead of its own
    token.
    """
    p, t, v, m = position(2), token("ab"), scratch("v"), local("m", "01")
    own_token = Head(
        query=1024 * p,
        key=p,
        value=t,
        adds={t["a"]: 64 * t["a"], t["b"]: 64 * t["b"]},
    )
    ahead = Head(
        query={m["0"]: 1024 * p[0], m["1"]: 1024 * p[1]},
        key={m["0"]: p[1], m["1"]: p[0]},
        value={v: p[1]},
        adds={t["b"]: 512 * v},
    )
    return Program(
        embedding=(p, t, v),
        layers=(Block([own_token, ahead]),),
        claim=after({"a": "a", "b": "b"}),
        causal=False,
    )


@wrong
def normed() -> Program:
    """Right, until a norm is put behind it that makes all logits alike."""
    p, t = position(2), token("ab")
    return Program(
        embedding=(p, t),
        layers=(followed(p, t, {"a": "a", "b": "b"}),),
        claim=after({"a": "a", "b": "b"}),
    )


@wrong
def overflows() -> Program:
    """A head that adds nothing asks for 2^64 and is offered 2^64: infinity times zero is no
    number.
    """
    p, t, v, w = position(2), token("ab"), scratch("v"), scratch("w")
    look = Head(
        query=1024 * p, key=p, value={v: t["a"]}, adds={t["a"]: 4 + 4 * v}
    )
    dead = Head(
        query=2.0**64 * p,
        key=2.0**64 * p,
        value={w: t["a"]},
        adds={w: 0.0 * w},
    )
    return Program(
        embedding=(p, t, v, w),
        layers=(look, dead),
        claim=after({"a": "a", "b": "a"}),
    )


@wrong
def large_number() -> Program:
    """The lane is 2^53, the claim 2^53 + 1; as floats they are equal."""
    p, t, x = position(2), token("ab"), scratch("x")
    say = Head(
        query=0 * p, key=0 * p, value={x: 0 * p[0] + 1}, adds={x: 2.0**53 * x}
    )
    rule = here * 0 + 2**27 * (here * 0 + 2**26) + 1
    return Program(
        embedding=(p, t, x), layers=(say,), claim=residual("x", rule)
    )


@wrong
def faint_weight() -> Program:
    """A weight of 2^-130, which may be flushed to zero: then b is ahead, the claim says a."""
    p, t, e, x = (
        position(2),
        token("ab"),
        slot("e", position=[2.0**30] * 2),
        scratch("x"),
    )
    look = Head(
        query=1024 * p,
        key=p,
        value={x: 2.0**-130 * e},
        adds={t["a"]: 2.0**103 * x, t["b"]: 4},
    )
    return Program(
        embedding=(p, t, e, x),
        layers=(look,),
        claim=after({"a": "a", "b": "a"}),
    )


@wrong
def lane_lost() -> Program:
    """The lane is 2^30 + 1 - 2^30: by numbers 1, as the claim says, by floats 0 in most orders."""
    p, t, x, y, z = (
        position(2),
        token("ab"),
        *(scratch(name) for name in "xyz"),
    )
    one = 0 * p[0] + 1
    say = Head(
        query=0 * p,
        key=0 * p,
        value={x: one, y: one, z: one},
        adds={z: 2.0**30 * x + z - 2.0**30 * y},
    )
    return Program(
        embedding=(p, t, x, y, z),
        layers=(say,),
        claim=residual("z", here * 0 + 1),
    )
