"""Wrong programs with claims on answers, and with transducers."""

from __future__ import annotations

from handcraft import (
    Head,
    Program,
    answers,
    local,
    position,
    scratch,
    slot,
    token,
)
from handcraft.claims.transducer import transducer
from handcraft.sequence.words import (
    cases,
    count,
    end,
    equal,
    here,
    lookup,
    own,
    step,
    token_at,
)
from leftout.shared import Make, entered, followed

WRONG: dict[str, Make] = {}
wrong = entered(WRONG)

# ------------------------------------------------------------ answers


@wrong
def two_ways() -> Program:
    """The table says b after ab as a prompt, a after it as the start of the answer to a; the
    model says a.
    """
    p, t = position(4), token("ab")
    places = Head(
        query=1024 * p,
        key=p,
        value={t["a"]: p[1], t["b"]: p[0] + p[2] + p[3]},
        adds={t["a"]: 64 * t["a"], t["b"]: 64 * t["b"]},
    )
    return Program(
        embedding=(p, t),
        layers=(places,),
        claim=answers("a|ab", {"a": "ba", "ab": "bb"}),
    )


@wrong
def no_answer() -> Program:
    """The rule has no answer to b: the claim is an error there."""
    p, t = position(1), token("ab")
    return Program(
        embedding=(p, t),
        layers=(followed(p, t, {"a": "b"}),),
        claim=answers("[ab]", lookup({"a": "b"}, own), length=1),
    )


@wrong
def never_stops() -> Program:
    """An answer of one token must be the stop token; the rule and the model say a."""
    p, t = position(1), token("a.")
    return Program(
        embedding=(p, t),
        layers=(followed(p, t, {"a": "a"}),),
        claim=answers("a", lookup({"a": "a"}, own), length=1, stop="."),
    )


@wrong
def transducer_stops_early() -> Program:
    """The transducer writes the stop token in the middle of the answer to ab, ba and bb."""
    p, t, m = position(5), token("ab;"), local("m", "012")
    flip = transducer(step, {(0, "a"): ("b", 0), (0, "b"): (";", 0)}, start=0)
    look = Head(  # position 1 asks for 0, 2 for 1, 3 for the constant
        query={m["0"]: 1024 * p[1], m["1"]: 1024 * p[2], m["2"]: 1024 * p[3]},
        key={m["0"]: p[0], m["1"]: p[1], m["2"]: p[3]},
        value={
            m["0"]: t["a"] - 2 * p[3],
            m["1"]: t["b"] - 2 * p[3],
            m["2"]: p[3],
        },
        adds={t["b"]: 8 * m["0"], t[";"]: 8 * m["1"] + 32 * m["2"]},
    )
    return Program(
        embedding=(p, t),
        layers=(look,),
        claim=answers("[ab]{2}", flip, length=3, stop=";"),
    )


@wrong
def split_otherwise() -> Program:
    """Abc cannot be split: the longest match takes ab, and no token is c... but bc is."""
    p, t = position(2), token(["a", "ab", "bc"])
    look = Head(
        query=1024 * p,
        key=p,
        value=t,
        adds={t["a"]: 8 * t["a"] + 8 * t["ab"] + 8 * t["bc"]},
    )
    return Program(
        embedding=(p, t),
        layers=(look,),
        claim=answers("abc", lookup({"bc": "a"}, own), length=1),
    )


@wrong
def length_of_text() -> Program:
    """An answer has a second token where the prompt holds an a; the model says b there, the
    claim a.
    """
    p, t = position(2), token("ab")
    look = Head(
        query=1024 * p,
        key=p,
        value={t["a"]: p[0], t["b"]: p[1]},
        adds={t["a"]: 64 * t["a"], t["b"]: 64 * t["b"]},
    )
    return Program(
        embedding=(p, t),
        layers=(look,),
        claim=answers(
            "[ab]",
            lookup({"a": "a", "b": "a"}, token_at(0)),
            length=1 + count({0: "a"}, before=1),
        ),
    )


@wrong
def second_token() -> Program:
    """The answer has two tokens; the model's second one is b, the claim's a."""
    p, t = position(2), token("ab")
    look = Head(
        query=1024 * p,
        key=p,
        value={t["a"]: p[0], t["b"]: p[1]},
        adds={t["a"]: 64 * t["a"], t["b"]: 64 * t["b"]},
    )
    return Program(
        embedding=(p, t),
        layers=(look,),
        claim=answers(
            "[ab]", lookup({"a": "a", "b": "a"}, token_at(0)), length=2
        ),
    )


@wrong
def other_letters() -> Program:
    """The answer is xy; behind px the model says p, behind pp and py it says y."""
    p, t = position(2), token("pxy")
    m = local("m", "0")
    look = Head(
        query=1024 * p,
        key=p,
        value={m["0"]: p[0], t["x"]: t["x"], t["y"]: t["y"], t["p"]: t["p"]},
        adds={
            t["x"]: 64 * m["0"],
            t["y"]: 32 * t["y"] + 32 * t["p"],
            t["p"]: 64 * t["x"],
        },
    )
    rule = cases((equal(here, end), "x"), "y")
    return Program(
        embedding=(p, t), layers=(look,), claim=answers("p", rule, length=2)
    )


# ------------------------------------------------------------ transducers


@wrong
def read_twice() -> Program:
    """The machine reads the first token twice. A head takes the mean of both tokens: half of it
    is =, not two thirds.
    """
    t, v, n = token("=axy"), scratch("v"), slot("n", position=[0.0] * 2)
    mean = Head(
        query={v: 0 * n},
        key={v: 0 * n},
        value={v: t["="]},
        adds={t["x"]: 60 * v, t["y"]: 35},
    )
    machine = transducer((end - 1, end - 1), {(0, "=", "="): ("x", 0)}, start=0)
    return Program(
        embedding=(t, v, n),
        layers=(mean,),
        claim=answers("=a", machine, length=1),
    )


@wrong
def read_outside() -> Program:
    """The machine reads the token before the first one: the claim is an error."""
    p, t = position(2), token("ab=x")
    look = Head(
        query=1024 * p,
        key=p,
        value={t["x"]: p[1]},
        adds={t["x"]: 64 * t["x"]},
    )
    machine = transducer(end - 2, {(0, "="): ("x", 0)}, start=0)
    return Program(
        embedding=(p, t),
        layers=(look,),
        claim=answers("[ab]=", machine, length=1),
    )


@wrong
def unread() -> Program:
    """X comes first, and a uniform head says b of it; the machine and the claim look at = alone."""
    t, v, n = token("x=ab"), scratch("v"), slot("n", position=[0.0] * 2)
    mean = Head(
        query={v: 0 * n},
        key={v: 0 * n},
        value={v: t["x"]},
        adds={t["a"]: 4, t["b"]: 64 * v},
    )
    machine = transducer(end, {(0, "="): ("a", 0)}, start=0)
    return Program(
        embedding=(t, v, n),
        layers=(mean,),
        claim=answers("x=", machine, length=1),
    )


@wrong
def swapped_answer() -> Program:
    """The answer to p is xyz. Behind pxy the model says w; behind pyx, which never comes, it
    says z.
    """
    p, t = position(3), token("pxyzw")
    look = Head(
        query=1024 * p,
        key=p,
        value={
            t["p"]: t["p"],
            t["x"]: t["x"],
            t["y"]: t["y"],
            t["z"]: p[2],
            t["w"]: p[1],
        },
        adds={
            t["x"]: 64 * t["p"],
            t["y"]: 32 * t["x"] + 64 * t["w"],
            t["z"]: 32 * t["x"] + 64 * t["z"],
            t["w"]: 64 * t["y"] + 32 * t["z"],
        },
    )
    machine = transducer(
        end,
        {(0, "p"): ("x", 1), (1, "p"): ("y", 2), (2, "p"): ("z", 3)},
        start=0,
    )
    return Program(
        embedding=(p, t), layers=(look,), claim=answers("p", machine, length=3)
    )


@wrong
def order_of_states() -> Program:
    """An earlier head tells the last position that b stands before it; then the model says y,
    the claim x.
    """
    p, t, w, m = position(2), token("ab=xy"), scratch("w"), local("m", "0")
    before = Head(
        query={m["0"]: 1024 * p[1]},
        key={m["0"]: p[0]},
        value={w: t["b"]},
        adds={w: w},
    )
    tell = Head(
        query=1024 * p, key=p, value={w: w}, adds={t["y"]: 64 * w, t["x"]: 16}
    )
    machine = transducer(
        end - 1, {(0, "a"): ("x", 0), (0, "b"): ("x", 0)}, start=0
    )
    return Program(
        embedding=(p, t, w),
        layers=(before, tell),
        claim=answers("[ab]=", machine, length=1),
    )
