"""The greatest by a lane, and defaults: on every text of up to five digits, against plain Python;
and what the recipes over selectors refuse.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from itertools import product
from random import Random
from typing import Any

import numpy as np
import pytest
from fetching import final

from handcraft import Program, position, scratch, slot, token
from handcraft.core.errors import AuthorWarning, ProgramError
from handcraft.language.rules import Head
from handcraft.recipes import (
    addresses,
    argmax,
    best_by,
    compare,
    fetch_one,
    key_flag,
    mean_over,
    one_hot_of,
    same_number,
    total_over,
    total_over_any,
)
from handcraft.sequence import count, there, tokens

N = 5
AT = addresses(N + 1)
t = token("^0123")
DIGITS = {t[d]: int(d) for d in "0123"}
k = slot("k", token={d: int(d) for d in "0123"})
kk = slot("kk", token={d: int(d) ** 2 for d in "0123"})
out = scratch("out")
SLOTS = (AT, t, k, kk, out)
WORDS = [list(product(range(4), repeat=n)) for n in range(1, N + 1)]
less = compare(DIGITS, "<", DIGITS)
both_masks = pytest.mark.parametrize("causal", [True, False])


def best(places: list[int], score: Callable[[int], float], ties: str) -> int:
    """The place with the greatest score, the first or the latest of several."""
    ordered = places if ties == "first" else places[::-1]
    return max(ordered, key=score)


@both_masks
@pytest.mark.parametrize("ties", ["first", "latest"])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("where", [None, less])
@pytest.mark.parametrize("sink", [True, False])
def test_argmax_is_the_place_of_the_greatest(
    ties: Any, sign: int, where: Any, sink: bool, causal: bool
) -> None:
    """Of all positions, or of those that a selector selects; of equals the first or the latest;
    the sink's default where there is none.
    """
    if where is not None and not sink:
        return  # then something must be selected, and of the least digit nothing is
    start = int(sink)
    options: Any = {"sink": t["^"], "default": -1} if sink else {}
    head = argmax(
        AT,
        sign * k,
        out,
        most=3,
        where=where,
        ties=ties,
        causal=causal,
        **options,
    )
    program = Program(embedding=SLOTS, layers=[head], causal=causal)
    for words in WORDS:
        texts = [["^"] * start + [*map(str, word)] for word in words]
        found = final(program, texts, *out)[:, start:, 0]
        expected = [
            [
                best(js, lambda j, w=word: sign * w[j - start], ties)
                if js
                else -1
                for i in range(len(word))
                for js in [
                    [
                        j + start
                        for j in range(len(word))
                        if (j <= i or not causal)
                        and (where is None or word[j] < word[i])
                    ]
                ]
            ]
            for word in words
        ]
        assert np.abs(found - expected).max() < 1e-4


@both_masks
def test_best_by_brings_a_value(causal: bool) -> None:
    """The value at the greatest, here the digit behind which the least position stands."""
    at = addresses(9)
    before = scratch("before")
    head = best_by(at, -at["p"], value={before: k}, most=8, causal=causal)
    program = Program(
        embedding=(at, t, k, before), layers=[head], causal=causal
    )
    for word in ("3", "123", "33210"):
        found = final(program, [word], *before)[0, :, 0]
        assert found.tolist() == [float(word[0])] * len(word)


@pytest.mark.parametrize(
    ("n_ctx", "most", "apart"),
    [(64, 1000, 1.0), (64, 15, 1 / 64), (256, 250, 1.0), (1024, 60, 1.0)],
)
@pytest.mark.parametrize("d_head", [4, 7])
@both_masks
def test_best_by_over_a_long_window(
    n_ctx: int, most: int, apart: float, d_head: int, causal: bool
) -> None:
    """Up to the limit that its refusal names, neighbouring values are told apart over the whole
    window, and of equals the first is found.
    """
    values = sorted(
        {
            *(most - i * apart for i in range(4)),
            *(-most + i * apart for i in range(4)),
            0.0,
            apart,
        }
    )
    names = [f"v{i}" for i in range(len(values))]
    x = slot("x", token=dict(zip(names, values, strict=True)))
    at = addresses(n_ctx)
    head = argmax(at, x, out, most=most, apart=apart, causal=causal)
    program = Program(
        embedding=(at, x, out), layers=[head], causal=causal, d_head=d_head
    )
    draw = Random(n_ctx)
    for top in range(1, len(values) + 1):
        word = draw.choices(range(top), k=n_ctx)
        found = final(program, [[names[i] for i in word]], *out)[0, :, 0]
        for i in range(n_ctx):
            seen = word[: i + 1] if causal else word
            assert abs(found[i] - seen.index(max(seen))) < 1e-3


def test_best_by_of_equals_over_a_selector_of_squares() -> None:
    """A selector of equal numbers outweighs the greatest value and the order of positions."""
    at = addresses(N + 1)
    head = best_by(
        at,
        k,
        value={out: at["p"]},
        most=3,
        where=same_number((k, kk), (3 - k, 9 - 6 * k + kk), most=3),
        sink=t["^"],
        default=0,
        causal=False,
    )
    program = Program(embedding=SLOTS, layers=[head], causal=False)
    for words in WORDS:
        texts = [["^", *map(str, word)] for word in words]
        found = final(program, texts, *out)[:, 1:, 0]
        expected = [
            [(w.index(3 - q) + 1) if 3 - q in w else 0 for q in w]
            for w in words
        ]
        assert np.abs(found - expected).max() < 1e-4


# ---------------------------------------------------------------- sinks and defaults


@both_masks
def test_what_the_sink_brings_without_a_default(causal: bool) -> None:
    """The value at the sink itself: here the token, and the position 0."""
    was = scratch("was", "^0123")
    head = fetch_one(
        compare(DIGITS, ">", DIGITS),
        value={was: t, out: AT["p"]},
        prefer="first",
        at=AT,
        sink=t["^"],
        causal=causal,
    )
    program = Program(embedding=(AT, t, was, out), layers=[head], causal=causal)
    found = final(program, [["^", *"3123"]], *was, *out)[0]
    greater = [["^", 0], ["^", 0], ["3", 1], ["3", 1], ["^", 0]]
    assert [
        ["^0123"[int(np.argmax(row[:-1]))], round(float(row[-1]))]
        for row in found
    ] == greater


def test_a_sink_that_sees_what_follows_attends_to_itself() -> None:
    """In a program that is not causal, BOS brings its own value, and its sum is 0."""
    all_classes = DIGITS | {t["^"]: -1}
    everything = compare(all_classes, lambda *_: True, all_classes)
    two, three = scratch("two three")
    heads = [
        mean_over(
            everything, value={out: 1}, sink=t["^"], default=-3, causal=False
        ),
        total_over(everything, {two: 1}, sink=t["^"], causal=False),
        argmax(AT, k, three, most=3, sink=t["^"], default=-3, causal=False),
    ]
    program = Program(
        embedding=(*SLOTS, two, three), layers=[heads], causal=False
    )
    found = final(program, [["^", *"0123"]], *out, *two, *three)[0]
    assert np.abs(found[0] - [-3, 0, -3]).max() < 1e-6
    assert np.abs(found[1:] - [1, 4, 4]).max() < 1e-4


def test_a_default_for_each_value() -> None:
    """Several values have a default each, and `adds` may combine them."""
    one, other = scratch("one other")
    head = fetch_one(
        less,
        value={one: k, other: AT["p"]},
        adds={out: 10 * one + other},
        prefer="latest",
        at=AT,
        sink=t["^"],
        default={one: 4, other: 2},
    )
    program = Program(embedding=(*SLOTS, one, other), layers=[head])
    found = final(program, [["^", *"2132"]], *out)[0, 1:, 0]
    assert np.abs(found - [42, 42, 12, 12]).max() < 1e-4


def told(program: Program) -> list[str]:
    """What the author is told of sinks."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        program.build()
    assert all(x.category is AuthorWarning for x in found)
    return [str(x.message) for x in found if "sink" in str(x.message)]


place = position(N + 1, name="place")
rank = scratch("rank", "0123")
far = slot("far", position=[5, 1, 2, 3, 4, 5])
ELSEWHERE = (
    "and all that a head with a sink reads there must be 0, or it looks elsewhere than its"
    " selector says"
)
LEFT_OUT = "leave that lane out of the classes, or pass sink= to the recipe that writes it"


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            [total_over(compare(place, "<", place), {out: 1}, sink=t["^"])],
            (
                f"few > layers[0] > key: at the sink '^' the lane place:0 is 1, {ELSEWHERE};"
                f" {LEFT_OUT}"
            ),
        ),
        (
            [
                [one_hot_of(k, rank)],
                fetch_one(
                    compare(rank, "<", rank), value={out: 1}, sink=t["^"]
                ),
            ],
            (
                f"few > layers[1] > key: at the sink '^' the lane rank:0 is 1, {ELSEWHERE};"
                f" {LEFT_OUT}"
            ),
        ),
        (
            [total_over(less, {out: far}, sink=t["^"])],
            (
                f"few > layers[0] > value: at the sink '^' the lane far is 5, {ELSEWHERE}; take"
                " the value of the sink away from it, as in x - value * token['^'], where it is"
                " written"
            ),
        ),
        (
            [total_over(compare(t, "<", t), {out: AT["p"] + 1}, sink=t["^"])],
            None,
        ),
        (
            [total_over(compare(place, "<", place), {out: 1}, sink=place["0"])],
            None,
        ),
        (
            [
                [one_hot_of(k, rank, sink=t["^"])],
                fetch_one(
                    compare(rank, "<", rank), value={out: far}, sink=t["^"]
                ),
            ],
            None,
        ),
    ],
)
def test_a_lane_that_is_not_0_at_the_sink_is_told(
    layers: Any, message: str | None
) -> None:
    """A class that the sink has, and a value of a sum there; the sink's own lane is none."""
    program = Program(
        name="few", embedding=(*SLOTS, place, rank, far), layers=layers
    )
    assert told(program) == ([] if message is None else [message])


MEANS: Any = {"means": {out: count(there(tokens) == tokens)}, "name": "mine"}


@pytest.mark.parametrize(
    "head",
    [
        total_over(less, {out: 1}, sink=t["^"], **MEANS),
        mean_over(less, value={out: 1}, **MEANS),
        fetch_one(less, value={out: 1}, **MEANS),
        best_by(AT, k, value={out: 1}, most=3, **MEANS),
        argmax(AT, k, out, most=3, **MEANS),
    ],
)
def test_a_head_keeps_its_name_and_what_its_lanes_mean(head: Head) -> None:
    """What the author says of a lane goes with the head."""
    assert head.name == "mine"
    assert head.means == ((out.lanes[0], MEANS["means"][out]),)


# ---------------------------------------------------------------- what is refused


SELECTOR = "takes a selector: compare, same_number, key_flag, query_flag; found"
IS_SINK = "sink: is the one lane that is 1 at the sink alone, such as token['^']; found"
VALUE: Any = {"value": {out: 1}}
wide = addresses(300)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            lambda: fetch_one(t, **VALUE),
            f"fetch_one > selector: {SELECTOR} the slot token",
        ),
        (
            lambda: mean_over(lambda k, q: k < q, **VALUE),
            f"mean_over > selector: {SELECTOR} the function <lambda>",
        ),
        (
            lambda: best_by(AT, k, most=3, where=1, **VALUE),
            f"best_by > where: {SELECTOR} int 1",
        ),
        (
            lambda: fetch_one(less, prefer="last", at=AT, **VALUE),
            "fetch_one > prefer: must be None, 'first' or 'latest', found 'last'",
        ),
        (
            lambda: fetch_one(less, prefer="first", **VALUE),
            (
                "fetch_one > at: a preference needs a slot with the position:"
                " at=addresses(n_ctx)"
            ),
        ),
        (
            lambda: fetch_one(less, prefer="first", at=t, **VALUE),
            "fetch_one > at: token must hold the position as p: use addresses(n_ctx)",
        ),
        (
            lambda: argmax(position(9, p=lambda i: 2 * i), k, out, most=3),
            "argmax > at: position must hold the position as p: use addresses(n_ctx)",
        ),
        (
            lambda: fetch_one(less, default=3, **VALUE),
            (
                "fetch_one > default: is brought by a sink: pass sink=, such as"
                " sink=token['^']"
            ),
        ),
        (
            lambda: fetch_one(less, sink=t["^"], default={k: 3}, **VALUE),
            (
                "fetch_one > default: has a number for each value lane, {out: out}; found"
                " {k: 3}"
            ),
        ),
        (
            lambda: mean_over(less, sink=t["^"] + t["0"], **VALUE),
            f"mean_over > {IS_SINK} token:^ + token:0",
        ),
        (
            lambda: total_over(less, {out: 1}, sink=1 - t["^"]),
            f"total_over > {IS_SINK} -token:^ + 1",
        ),
        (
            lambda: mean_over(
                same_number((k, kk), k, most=3), sink=t["^"], **VALUE
            ),
            (
                "mean_over > sink: needs the square of the query's number:"
                " same_number(key, (q, qq), ...)"
            ),
        ),
        (
            lambda: mean_over(same_number((k, kk), k, most=363), **VALUE),
            (
                "mean_over > selector: same_number is told by squares, which with this head are"
                " exact in float32 up to numbers of 362"
            ),
        ),
        (
            lambda: fetch_one(
                same_number((k, kk), k, most=99),
                prefer="latest",
                at=wide,
                **VALUE,
            ),
            (
                "fetch_one > selector: same_number is told by squares, which with this head are"
                " exact in float32 up to numbers of 16"
            ),
        ),
        (
            lambda: total_over(
                same_number((k, kk), (k, kk), most=33), {out: 1}, sink=t["^"]
            ),
            (
                "total_over > selector: counts by same_number are rounded by more than 1/256"
                " above numbers of 32; compare their classes, or two digits of them"
            ),
        ),
        (
            lambda: best_by(AT, k, most=0, **VALUE),
            "best_by > most: must be positive, found 0",
        ),
        (
            lambda: best_by(AT, k, most=3, apart=-1, **VALUE),
            "best_by > apart: must be positive, found -1",
        ),
        (
            lambda: best_by(wide, k, most=300, **VALUE),
            (
                "best_by > most: 300, apart by 1, needs scores past exact float32 over 300"
                " positions; 217 does not"
            ),
        ),
        (
            lambda: best_by(AT, k, most=3, ties="last", **VALUE),
            "best_by > ties: must be 'first' or 'latest', found 'last'",
        ),
        (
            lambda: mean_over(less, causal="no", **VALUE),
            "mean_over > causal: must be True or False, found str 'no'",
        ),
        (
            lambda: total_over_any(less, {out: 1}, sink=t["^"]),
            (
                "total_over_any > selectors: takes a list of selectors, [a, b], found one"
                " selector"
            ),
        ),
        (
            lambda: total_over_any([], {out: 1}, sink=t["^"]),
            "total_over_any > selectors: takes at least one selector",
        ),
        (
            lambda: total_over_any([less, t], {out: 1}, sink=t["^"]),
            f"total_over_any > selectors: {SELECTOR} the slot token",
        ),
        (
            lambda: total_over_any(
                [same_number((k, kk), (k, kk), most=3)] * 9,
                {out: 1},
                sink=t["^"],
            ),
            (
                "total_over_any > selectors: 9 selectors without an opposite need 511 heads,"
                " and at most 64 are written; apart=True needs one for each"
            ),
        ),
        (
            lambda: same_number(k, (k, kk), most=3),
            (
                "same_number > key: is a number and its square, (k, kk), or addresses(n_ctx);"
                " found one expression"
            ),
        ),
        (
            lambda: same_number((k, kk, k), k, most=3),
            "same_number > key: is a number and its square, found 3 expressions",
        ),
        (
            lambda: same_number(t, k, most=3),
            "same_number > key: token has not the lanes p and pp: use addresses(n_ctx)",
        ),
        (
            lambda: same_number((k, kk), k, most=-1),
            "same_number > most: is at least 0, found -1",
        ),
        (
            lambda: same_number((k, kk), k, most=1.5),
            "same_number > most: must be a whole number, found float 1.5",
        ),
        (
            lambda: compare(t, "<>", t),
            (
                "compare > holds: is '<', '<=', '==', '!=', '>' or '>=', or a function of the"
                " key's and the query's, found str '<>'"
            ),
        ),
        (
            lambda: compare(AT, "<", AT),
            (
                "compare > key: position has no lane for each value; write {lane: what it stands"
                " for}, or make such lanes by one_hot_of(x, lanes)"
            ),
        ),
        (
            lambda: compare(out, "<", t),
            (
                "compare > key: out has no lane for each value; write {lane: what it stands"
                " for}, or make such lanes by one_hot_of(x, lanes)"
            ),
        ),
        (
            lambda: compare(DIGITS, "<", t["1"]),
            (
                "compare > query: takes {lane: what it stands for} or a one-hot slot, found the"
                " lane token:1"
            ),
        ),
        (
            lambda: compare({}, "<", t),
            (
                "compare > key: takes {lane: what it stands for} or a one-hot slot, found dict"
                " {}"
            ),
        ),
        (
            lambda: compare({t: 1}, "<", DIGITS),
            "compare > key: the left side of a class is one lane, found the slot token",
        ),
        (
            lambda: compare(t, "<", DIGITS),
            (
                "compare > holds: '^' and 0 cannot be compared so (TypeError); give {lane:"
                " number} for lanes that stand for numbers"
            ),
        ),
        (
            lambda: compare(DIGITS, lambda k, q: 1 // q, DIGITS),
            (
                "compare > holds: 0 and 0 cannot be compared so (ZeroDivisionError); give {lane:"
                " number} for lanes that stand for numbers"
            ),
        ),
        (
            lambda: compare(DIGITS, lambda k, q: k - q, DIGITS),
            (
                "compare > holds: gives True or False for a key and a query, found int 0 for 0"
                " and 0"
            ),
        ),
        (
            lambda: compare(position(600), "==", position(600)),
            (
                "compare > key: 600 classes with 600 are more than 250000 pairs; compare digits,"
                " or same_number for the equality of numbers"
            ),
        ),
        (
            lambda: less and less,
            (
                "selector: a selector is neither true nor false: write a & b, a | b and ~a for"
                " and, or, not"
            ),
        ),
        (
            lambda: less & t["1"],
            "selector: & joins two selectors, found the lane token:1",
        ),
        (
            lambda: less | 1,
            "selector: | joins two selectors, found int 1",
        ),
        (
            lambda: less | key_flag(t["1"]),
            (
                "selector: what either of two selectors selects is a score only where both"
                " compare the same lanes, or one of them reads the key alone and the other the"
                " query alone; sums of it are total_over_any([a, b], ...), and two flags of one"
                " position are joined by disjunction"
            ),
        ),
        (
            lambda: ~same_number((k, kk), k, most=3),
            (
                "selector: the opposite of same_number(...), or of a & b over different lanes,"
                " is no score of one head; negate compare(...), key_flag(...) or"
                " query_flag(...)"
            ),
        ),
        (
            lambda: key_flag(t),
            (
                "key_flag: expected one expression, found token (5 lanes): choose one of them,"
                " such as token['^'], or add them up with .sum()"
            ),
        ),
    ],
)
def test_wrong_use(wrong: Callable[[], Any], message: str) -> None:
    """Each refusal names the recipe and the argument, says what was found, and where."""
    with pytest.raises(ProgramError) as refusal:
        wrong()
    assert str(refusal.value).startswith(f"{message} ({__file__}:")


def test_the_limit_that_a_refusal_names_is_accepted() -> None:
    """Whoever follows the message is not refused again."""
    for n_ctx in (2, 7, 64, 300, 1000, 5000):
        with pytest.raises(ProgramError) as refusal:
            argmax(addresses(n_ctx), k, out, most=1e9)
        advised = float(refusal.value.message.split("; ")[1].split()[0])
        assert argmax(addresses(n_ctx), k, out, most=advised)
