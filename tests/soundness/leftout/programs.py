"""Programs that are wrong: each would be called right where one certain check is missing.

`WRONG[name]()` is a Program whose claim and weights do not agree, or whose claim is an error.
They are made while the claim rules are off (`sides.unruled`). Rules of this file: a docstring
says what is wrong; windows are so small that every context can be asked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from handcraft import (
    MLP,
    Block,
    Head,
    Neuron,
    Program,
    after,
    answers,
    local,
    position,
    residual,
    scratch,
    slot,
    token,
)
from handcraft.claims.transducer import transducer
from handcraft.sequence.words import (
    below,
    cases,
    count,
    end,
    equal,
    first,
    here,
    latest,
    lookup,
    most,
    otherwise,
    own,
    step,
    token_at,
    total,
)

WRONG: dict[str, Callable[[], Program]] = {}


def wrong(make: Callable[[], Program]) -> Callable[[], Program]:
    """Enters it by its name."""
    WRONG[make.__name__] = make
    return make


def _own(p: Any, t: Any, says: dict[str, str], at: int = 1024) -> Head:
    """Each token is followed by what `says` names."""
    rows: dict[Any, Any] = {}
    for before, behind in says.items():
        rows[t[behind]] = rows.get(t[behind], 0 * t[before]) + 64 * t[before]
    return Head(query=at * p, key=p, value=t, output=rows)


def _always_a(letters: str, claim: Any) -> Program:
    """The model says a after everything."""
    p, t, v = position(3), token(letters), scratch("v")
    look = Head(query=1024 * p, key=p, value={v: t["a"]}, output={t["a"]: 4 + 4 * v})
    return Program(embedding=(p, t, v), layers=(look,), claim=claim)


# ------------------------------------------------------------ claims on the last tokens


@wrong
def says_a() -> Program:
    """The model says a after everything; the claim says b after b."""
    return _always_a("ab", after({"a": "a", "b": "b"}))


@wrong
def says_a_by_pairs_of_tokens() -> Program:
    """The model says a after everything; the claim says b after ba."""
    p, t, v = position(2), token("ab"), scratch("v")
    look = Head(query=1024 * p, key=p, value={v: t["a"]}, output={t["a"]: 4 + 4 * v})
    return Program(
        embedding=(p, t, v),
        layers=(look,),
        claim=after({"aa": "a", "ab": "a", "ba": "b", "bb": "a", "a": "a", "b": "a"}),
    )


@wrong
def says_a_by_what_was_last() -> Program:
    """The model says a after everything; the claim, the last letter that is no c, is b after b."""
    return _always_a("abc", otherwise(token_at(latest({0: ("a", "b")})), "a"))


@wrong
def says_a_by_what_it_is_worth() -> Program:
    """The model says a after everything; the claim is b where the letters are worth more than
    two.
    """
    return _always_a("ab", cases((below(2, total({"a": 0, "b": 1})), "b"), "a"))


@wrong
def says_a_by_parts() -> Program:
    """The model says a after everything; the claim, an expression of several parts, says b
    after b.
    """
    return _always_a("ab", cases((equal(own, "a"), "a"), "b"))


@wrong
def lane_off() -> Program:
    """The lane holds 1 after b, where the claim says 0."""
    p, t, v = position(2), token("ab"), scratch("v")
    look = Head(query=1024 * p, key=p, value={v: t["b"]}, output={v: v})
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
        embedding=(p, t), layers=(_own(p, t, {"a": "a", "b": "b"}),), claim=token_at(5)
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
        output={t["a"]: 64 * t["a"], t["b"]: 64 * t["b"]},
    )
    ahead = Head(
        query={m["0"]: 1024 * p[0], m["1"]: 1024 * p[1]},
        key={m["0"]: p[1], m["1"]: p[0]},
        value={v: p[1]},
        output={t["b"]: 512 * v},
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
        layers=(_own(p, t, {"a": "a", "b": "b"}),),
        claim=after({"a": "a", "b": "b"}),
    )


@wrong
def overflows() -> Program:
    """A head that adds nothing asks for 2^64 and is offered 2^64: infinity times zero is no
    number.
    """
    p, t, v, w = position(2), token("ab"), scratch("v"), scratch("w")
    look = Head(query=1024 * p, key=p, value={v: t["a"]}, output={t["a"]: 4 + 4 * v})
    dead = Head(
        query=2.0**64 * p, key=2.0**64 * p, value={w: t["a"]}, output={w: 0.0 * w}
    )
    return Program(
        embedding=(p, t, v, w), layers=(look, dead), claim=after({"a": "a", "b": "a"})
    )


@wrong
def large_number() -> Program:
    """The lane is 2^53, the claim 2^53 + 1; as floats they are equal."""
    p, t, x = position(2), token("ab"), scratch("x")
    say = Head(query=0 * p, key=0 * p, value={x: 0 * p[0] + 1}, output={x: 2.0**53 * x})
    rule = here * 0 + 2**27 * (here * 0 + 2**26) + 1
    return Program(embedding=(p, t, x), layers=(say,), claim=residual("x", rule))


@wrong
def faint_weight() -> Program:
    """A weight of 2^-130, which may be flushed to zero: then b is ahead, the claim says a."""
    p, t, e, x = (
        position(2),
        token("ab"),
        slot("e", position=[2.0**-130] * 2),
        scratch("x"),
    )
    look = Head(
        query=1024 * p,
        key=p,
        value={x: 2.0**100 * e},
        output={t["a"]: 2.0**33 * x, t["b"]: 4},
    )
    return Program(
        embedding=(p, t, e, x), layers=(look,), claim=after({"a": "a", "b": "a"})
    )


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
        output={t["a"]: 64 * t["a"], t["b"]: 64 * t["b"]},
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
        layers=(_own(p, t, {"a": "b"}),),
        claim=answers("[ab]", lookup({"a": "b"}, own), length=1),
    )


@wrong
def never_stops() -> Program:
    """An answer of one token must be the stop token; the rule and the model say a."""
    p, t = position(1), token("a.")
    return Program(
        embedding=(p, t),
        layers=(_own(p, t, {"a": "a"}),),
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
        value={m["0"]: t["a"] - 2 * p[3], m["1"]: t["b"] - 2 * p[3], m["2"]: p[3]},
        output={t["b"]: 8 * m["0"], t[";"]: 8 * m["1"] + 32 * m["2"]},
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
        output={t["a"]: 8 * t["a"] + 8 * t["ab"] + 8 * t["bc"]},
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
        output={t["a"]: 64 * t["a"], t["b"]: 64 * t["b"]},
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
        output={t["a"]: 64 * t["a"], t["b"]: 64 * t["b"]},
    )
    return Program(
        embedding=(p, t),
        layers=(look,),
        claim=answers("[ab]", lookup({"a": "a", "b": "a"}, token_at(0)), length=2),
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
        output={
            t["x"]: 64 * m["0"],
            t["y"]: 32 * t["y"] + 32 * t["p"],
            t["p"]: 64 * t["x"],
        },
    )
    rule = cases((equal(here, end), "x"), "y")
    return Program(embedding=(p, t), layers=(look,), claim=answers("p", rule, length=2))


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
        output={t["x"]: 60 * v, t["y"]: 35},
    )
    machine = transducer((end - 1, end - 1), {(0, "=", "="): ("x", 0)}, start=0)
    return Program(
        embedding=(t, v, n), layers=(mean,), claim=answers("=a", machine, length=1)
    )


@wrong
def read_outside() -> Program:
    """The machine reads the token before the first one: the claim is an error."""
    p, t = position(2), token("ab=x")
    look = Head(
        query=1024 * p, key=p, value={t["x"]: p[1]}, output={t["x"]: 64 * t["x"]}
    )
    machine = transducer(end - 2, {(0, "="): ("x", 0)}, start=0)
    return Program(
        embedding=(p, t), layers=(look,), claim=answers("[ab]=", machine, length=1)
    )


@wrong
def unread() -> Program:
    """X comes first, and a uniform head says b of it; the machine and the claim look at = alone."""
    t, v, n = token("x=ab"), scratch("v"), slot("n", position=[0.0] * 2)
    mean = Head(
        query={v: 0 * n},
        key={v: 0 * n},
        value={v: t["x"]},
        output={t["a"]: 4, t["b"]: 64 * v},
    )
    machine = transducer(end, {(0, "="): ("a", 0)}, start=0)
    return Program(
        embedding=(t, v, n), layers=(mean,), claim=answers("x=", machine, length=1)
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
        output={
            t["x"]: 64 * t["p"],
            t["y"]: 32 * t["x"] + 64 * t["w"],
            t["z"]: 32 * t["x"] + 64 * t["z"],
            t["w"]: 64 * t["y"] + 32 * t["z"],
        },
    )
    machine = transducer(
        end, {(0, "p"): ("x", 1), (1, "p"): ("y", 2), (2, "p"): ("z", 3)}, start=0
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
        output={w: w},
    )
    tell = Head(
        query=1024 * p, key=p, value={w: w}, output={t["y"]: 64 * w, t["x"]: 16}
    )
    machine = transducer(end - 1, {(0, "a"): ("x", 0), (0, "b"): ("x", 0)}, start=0)
    return Program(
        embedding=(p, t, w),
        layers=(before, tell),
        claim=answers("[ab]=", machine, length=1),
    )


# ------------------------------------------------------------ what earlier positions hold


@wrong
def before_b() -> Program:
    """The model says b after b?, the claim a everywhere from the second token on."""
    p, t, w, m = position(2), token("ab"), scratch("w"), local("m", "01")
    before = Head(
        query={m["0"]: 1024 * p[1]},
        key={m["0"]: p[0]},
        value={w: t["b"]},
        output={w: w},
    )
    tell = Head(
        query=1024 * p,
        key=p,
        value={w: w, m["1"]: p[0]},
        output={t["b"]: 64 * w, t["a"]: 16 + 512 * m["1"]},
    )
    return Program(
        embedding=(p, t, w), layers=(before, tell), claim=after({"a": "a", "b": "a"})
    )


@wrong
def first_b() -> Program:
    """The model says b of ba=, the claim a."""
    p, t, w, m = position(3), token("ab="), scratch("w"), local("m", "0")
    before = Head(
        query={m["0"]: 1024 * p[2]},
        key={m["0"]: p[0]},
        value={w: t["b"]},
        output={w: w},
    )
    tell = Head(
        query=1024 * p, key=p, value={w: w}, output={t["b"]: 64 * w, t["a"]: 16}
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
        output={w: w},
    )
    tell = Head(
        query=1024 * p,
        key=p,
        value={w: w, m["1"]: p[0]},
        output={t["b"]: 64 * w, t["a"]: 16 + 512 * m["1"]},
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
        output={w: w},
    )
    tell = Head(
        query={v: w},
        key={v: 1024 * p[1]},
        value={v: w, m["1"]: p[0]},
        output={t["b"]: 64 * v, t["a"]: 16 + 512 * m["1"]},
    )
    return Program(
        embedding=(p, t, w, v), layers=(before, tell), claim=after({"a": "a", "b": "a"})
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
        output={w: w},
    )
    tell = Head(
        query=1024 * p,
        key=p,
        value={w: w, m["1"]: p[0]},
        output={t["b"]: 64 * w, t["a"]: 60 + 512 * m["1"]},
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
    t, v, w, n = token("ab"), scratch("v"), scratch("w"), slot("n", position=[0.0] * 2)
    one = Head(
        query={v: 0 * n},
        key={v: 0 * n},
        value={v: t["a"] - t["a"] + 2.0**-20 * t["a"]},
        output={t["a"]: 64 * v},
    )
    two = Head(
        query={w: 0 * n},
        key={w: 0 * n},
        value={w: t["a"] + t["b"]},
        output={t["b"]: 16 * w},
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
        output={t["b"]: 8 * v, t["a"]: 20},
        scores="exact",
    )
    return Program(
        embedding=(t, v, k),
        n_ctx=3,
        layers=(mean,),
        claim=answers("[xy][xz]=", lookup({"=": "a"}, own), length=1),
    )


# ------------------------------------------------------------ guesses


@wrong
def guessed() -> Program:
    """The claim is the first token; the model says a always."""
    p, t, v = position(2), token("ab"), scratch("v")
    look = Head(query=1024 * p, key=p, value={v: t["a"]}, output={t["a"]: 4 + 4 * v})
    return Program(
        embedding=(p, t, v), layers=(look,), claim=otherwise(token_at(0), "a")
    )


# ------------------------------------------------------------ the greatest of many


@wrong
def votes() -> Program:
    """Right but for the claim, which counts d for c and c for d."""
    p, t = position(3), token("abcd")
    vote = Head(
        query=0 * p,
        key=0 * p,
        value=t,
        output={t[c]: 64 * t[c] + 40 - 10 * i for i, c in enumerate("abcd")},
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
        query={m["0"]: 1024 * p[0] + 1024 * p[1] + 1024 * p[3], m["1"]: 1024 * p[2]},
        key={m["0"]: p[0], m["1"]: p[1]},
        value={w: t["b"]},
        output={w: w},
    )
    both = MLP([Neuron(when=16 * w + 16 * t["d"] - 24, adds={z: 1 / 8})])
    says = {t[c]: 64 * t[c] + bias for c, bias in zip("abc", (8, 1, 0.5), strict=True)}
    vote = Head(
        query=0 * p,
        key=0 * p,
        value={**{t[c]: t[c] for c in "abcd"}, z: z},
        output={
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
        output={t[c]: 16 * t["a"] + 40 - 10 * i for i, c in enumerate("abcd")},
    )
    return Program(
        embedding=(p, t), layers=(vote,), claim=most({c: token_at(0) for c in "abcd"})
    )


@wrong
def second_voter() -> Program:
    """A second head of the last block says d, whatever was counted."""
    p, t, v = position(2), token("abcd"), scratch("v")
    vote = Head(
        query=0 * p,
        key=0 * p,
        value=t,
        output={t[c]: 64 * t[c] + 40 - 10 * i for i, c in enumerate("abcd")},
    )
    other = Head(
        query=0 * p, key=0 * p, value={v: p[0] + p[1]}, output={t["d"]: 512 * v}
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
        output={t[c]: 64 * t[c] + 40 - 10 * i for i, c in enumerate("abcd")},
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
        output={t[c]: 64 * t[c] + 40 - 10 * i for i, c in enumerate("abcd")},
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
        output={t[c]: 64 * t[c] + 40 - 10 * i for i, c in enumerate("abcd")},
    )
    return Program(
        embedding=(p, t),
        layers=(vote,),
        claim=answers(
            "[abcd]{1,2}", most({c: count({0: c}) for c in "abcd"}), length=1, stop="."
        ),
    )


@wrong
def spoiled_first() -> Program:
    """After a single token the model says d; longer ones it counts right."""
    p, t, m = position(2), token("abcd"), local("m", "abcd")
    letters = [
        slot("u" + c, token={x: float(x == c) for x in "abcd"}, position=[0.0] * 2)
        for c in "abcd"
    ]
    spoil = MLP([Neuron(when=8 * p[0], adds={t["d"]: 512.0})])
    vote = Head(
        query={m["a"]: p[0]},
        key={m["a"]: 0 * p[0]},
        value={m[c]: u for c, u in zip("abcd", letters, strict=True)},
        output={t[c]: 64 * m[c] + 40 - 10 * i for i, c in enumerate("abcd")},
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
    letters = [slot("u" + c, token={x: float(x == c) for x in "abcd"}) for c in "abcd"]
    spoil = MLP([Neuron(when=8 * s, adds={t["a"]: 512.0})])
    vote = Head(
        query={k["0"]: 1024 * s},
        key={k["0"]: 2.0**-40 * s},
        value={m[c]: u for c, u in zip("abcd", letters, strict=True)},
        output={t[c]: 64 * m[c] + 40 - 10 * i for i, c in enumerate("abcd")},
    )
    rule = most({c: count({0: c}) for c in "abcd"})
    return Program(
        embedding=(t, s, *letters), n_ctx=1, layers=(Block([], spoil), vote), claim=rule
    )


@wrong
def right() -> Program:
    """Right: only what a certificate states of it can be untrue."""
    p, t = position(3), token("ab")
    mean = Head(
        query=0 * p,
        key=0 * p,
        value=t,
        output={t["b"]: 64 * t["b"], t["a"]: 5 - 1 * t["b"]},
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
        output={t["="]: 64 * n, t["d"]: 32 * n, t["c"]: 24 * n, t["b"]: 16 * n},
    )
    return Program(
        embedding=(t, n),
        layers=(look,),
        claim=answers("abcda{11}=", most({c: first({0: c}) for c in "abcd"}), length=1),
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
        output={t["="]: 64 * n, t["b"]: 48 * n, t["a"]: 32 * n, t["c"]: 16 * n},
    )
    rule = most({"a": count({0: "a"}), **{c: count({0: c}, before=1) for c in "bcd"}})
    return Program(
        embedding=(t, n), layers=(look,), claim=answers("bccccc=", rule, length=1)
    )
