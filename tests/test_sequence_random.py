"""Random expressions over all the words: what `all` says is what they mean, and data, notation
and short forms say the same.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from conftest import FULL
from hypothesis import given as drawing
from hypothesis import settings
from hypothesis import strategies as st
from naive import said

from handcraft.core.errors import ProgramError
from handcraft.sequence import columns, selecting, words
from handcraft.sequence.evaluate import asking, evaluate_each
from handcraft.sequence.expression import Expression
from handcraft.sequence.short_forms import in_short
from handcraft.sequence.value_kinds import kinds_of
from handcraft.sequence.words import (
    any_,
    below,
    best,
    cases,
    clip,
    count,
    distinct,
    end,
    equal,
    fetch,
    first,
    given,
    here,
    latest,
    length,
    lookup,
    lowest,
    map_,
    max_,
    mean,
    min_,
    most,
    otherwise,
    own,
    ratio,
    round_,
    state,
    step,
    there,
    token_at,
    total,
    where,
)

# 20,000 where `make nightly` asks for them, which take a quarter of an hour
WANTED = int(os.environ.get("SEQUENCE_EXAMPLES", "2000"))
MANY = WANTED if settings.default.max_examples >= FULL else 100
LETTERS = "abc"
PLACES = st.integers(-2, 4)

# What stands where: n a number, t a token, x either, N and T the same at the key position, c a
# condition or a number as one, p a number or a condition.
BUILDERS: list[tuple[str, str, Callable[..., Any]]] = [
    ("n", "nn", lambda a, b: a + b),
    ("n", "nn", lambda a, b: a - b),
    ("n", "nn", lambda a, b: a * b),
    ("n", "nn", lambda a, b: (a + here) // b),
    ("n", "nn", lambda a, b: (a + here) % b),
    ("n", "n", lambda a: 7 // (a + here)),
    ("n", "n", lambda a: 7 % (a + here)),
    ("n", "nn", ratio),
    ("n", "nn", min_),
    ("n", "nnn", max_),
    ("n", "nnn", clip),
    ("n", "n", round_),
    ("n", "xx", equal),
    ("n", "nn", below),
    ("n", "tt", below),
    ("n", "t", lambda t: lookup({"a": 1, "b": -1}, t)),
    ("n", "t", lambda t: map_(ord, t, over=LETTERS)),
    ("n", "tn", lambda t, n: lookup({("a", 0): 2, ("b", 1): 0}, t, n)),
    ("n", "tn", lambda t, n: lookup({"a": 1}, t, default=n)),
    ("t", "n", lambda n: lookup({0: "a", 1: "b", -1: "c"}, n)),
    ("t", "nt", lambda n, t: lookup({2: "z"}, n, default=t)),
    ("n", "nn", otherwise),
    ("t", "tt", otherwise),
    ("n", "nnn", where),
    ("t", "ntt", where),
    ("n", "nnnn", lambda a, b, c, d: cases((a, b), (c, d))),
    ("t", "ntntt", lambda a, b, c, d, e: cases((a, b), (c, d), e)),
    ("n", "nn", given),
    ("t", "nt", given),
    ("t", "nn", lambda a, b: most({"a": a, "b": b, "z": 1})),
    ("t", "n", token_at),
    ("n", "nn", fetch),
    ("t", "tn", lambda a, b: fetch(a, b, default="z")),
    ("n", "nc", fetch),
    ("t", "tc", fetch),
    ("n", "ncn", lambda a, c, b: fetch(a, c, default=b)),
    ("t", "tct", lambda a, c, b: fetch(a, c, default=b)),
    ("n", "c", count),
    ("n", "tt", lambda a, b: count((there(own) == a) & (there(own) == b))),
    ("n", "c", first),
    ("n", "c", latest),
    ("n", "c", any_),
    ("n", "x", distinct),
    ("n", "nc", total),
    ("n", "n", total),
    ("n", "nc", mean),
    ("n", "n", mean),
    ("n", "nc", best),
    ("n", "n", best),
    ("n", "t", lambda t: count({0: t})),
    ("n", "tn", lambda t, n: latest({-1: t, 0: ("a", "z")}, before=n)),
    ("n", "tn", lambda t, n: first({1: t}, before=n, every=(1, 2))),
    ("n", "n", lambda n: count({}, before=n, every=(0, 2))),
    ("n", "n", lambda n: total({"a": 1, "c": -2}, before=n, every=(1, 2))),
    ("n", "n", lambda n: lowest({"a": -1, "b": 1}, before=n)),
    ("t", "", lambda: state({"p": {"a": "q"}, "q": {"b": "p"}}, "p")),
    # at the key position
    ("N", "n", there),
    ("T", "t", there),
    ("N", "NN", lambda a, b: a + b),
    ("N", "Nn", lambda a, b: b - a),
    ("N", "Nn", lambda a, b: a * b),
    ("N", "Nn", lambda a, b: a // b),
    ("N", "NN", lambda a, b: a % b),
    ("N", "N", lambda a: 7 // a),
    ("N", "Nn", ratio),
    ("N", "Nn", min_),
    ("N", "nNN", max_),
    ("N", "Nn", lambda a, b: b % a),
    ("N", "Nn", lambda a, b: b // a),
    ("N", "Nn", otherwise),
    ("T", "Tt", otherwise),
    ("N", "T", lambda t: lookup({"a": 1, "b": 0}, t)),
    ("N", "TN", lambda t, n: lookup({("a", 0): 2, ("b", 1): 0}, t, n)),
    ("N", "cNn", where),
    ("T", "cTt", where),
    ("N", "cN", given),
    ("c", "NN", lambda a, b: a == b),
    ("c", "Nn", lambda a, b: a == b),
    ("c", "Nn", lambda a, b: b != a),
    ("c", "Nn", lambda a, b: a < b),
    ("c", "Nn", lambda a, b: b < a),
    ("c", "NN", lambda a, b: a <= b),
    ("c", "Nn", lambda a, b: a >= b),
    ("c", "TT", lambda a, b: a == b),
    ("c", "Tt", lambda a, b: a == b),
    ("c", "Tt", lambda a, b: b != a),
    ("c", "Tt", lambda a, b: a < b),
    ("c", "Tt", lambda a, b: b <= a),
    ("c", "Nn", equal),
    ("c", "Nn", below),
    ("c", "Tt", below),
    ("c", "cc", lambda a, b: a & b),
    ("c", "cc", lambda a, b: a | b),
    ("c", "cN", lambda a, b: a & b),
    ("c", "cn", lambda a, b: a | b),
    ("c", "c", lambda a: ~a),
    ("c", "N", lambda a: a),
    ("c", "n", lambda a: a),
]
KINDS = "ntNTc"
MIXED = lookup({"a": 1, "b": "b"}, own)  # a number or a token


@st.composite
def expressions(draw: Any, *, well: bool = True) -> Expression:
    """Expressions made one step at a time, of what was made before: parts that stand in several
    places are shared. Where it is not `well`, a step may take a value of another kind.
    """
    pool: dict[str, list[Any]] = {
        "n": [here, length, end, step, 0, 1, 2, -1],
        "t": [own, token_at(here - 1), "a", "b", "z"],
        "N": [there(here), there(length)],
        "T": [there(own)],
        "c": [there(own) == own, there(here) < here, there(here) == here - 1],
    }
    if not well:
        pool["n"].append(MIXED)
    made: Expression = here

    def taken(kind: str) -> Any:
        if not well and draw(st.integers(0, 7)) == 7:
            kind = draw(st.sampled_from(KINDS))
        if kind == "x":
            kind = draw(st.sampled_from("nt"))
        known = pool[kind]  # the last ones first
        return known[-1 - draw(st.integers(0, len(known) - 1))]

    for gives, takes, build in draw(STEPS):
        values = [taken(kind) for kind in takes]
        if values and all(isinstance(value, int | str) for value in values):
            continue  # Python's own
        try:
            found = build(*values)
        except ProgramError:  # too deep, a quotient by 0, or a wrong kind
            continue
        if isinstance(found, Expression):
            made = found
        if not isinstance(found, bool):  # == of two values that are read here
            pool[gives].append(found)
    return made


STEPS = st.lists(st.sampled_from(BUILDERS), min_size=1, max_size=14)
TEXTS = st.text(LETTERS, max_size=5)


def kind(value: Any) -> str:
    """The kind of a value."""
    if value is None:
        return "nothing"
    if isinstance(value, Fraction):
        return "fraction"
    return "token" if isinstance(value, str) else "number"


def means_what_the_words_mean(e: Expression, text: str) -> None:
    """At every position, whole and causal, all at once or each alone, and at the last; of no
    other kinds than are told, which they are of claims that know `end` and `step`.
    """
    told = not e.uses("end", "step")
    for causal in (False, True):
        found = e.all(text, causal=causal)
        assert found == said(e, text, causal=causal)
        assert not told or {kind(value) for value in found} <= kinds_of(e)
    everywhere = [asking(e)(tuple(text), {"here": i}) for i in range(len(text))]
    assert everywhere == e.all(text)
    assert not text or e(text) == everywhere[-1]


def is_read_from_data_as_the_same(e: Expression) -> None:
    """JSON comes back equal with an equal hash."""
    data = json.loads(json.dumps(e.model_dump(mode="json")))
    read = Expression(**data)
    assert (read, hash(read)) == (e, hash(e))
    assert read.model_dump(mode="json") == data


def is_read_by_python_as_the_same(e: Expression) -> None:
    """What is shown, where it is not cut, is the program that gives it again."""
    shown = repr(e)
    if not shown.endswith("..."):
        assert eval(shown, dict(vars(words))) == e


def says_the_same_in_short(e: Expression, text: str) -> None:
    """What is rewritten for proofs has the same value at the last position, and so has what Python
    reads where it is shown.
    """
    short = in_short(e)
    assert short(text) == e(text)
    shown = repr(short)
    if not shown.endswith("..."):
        assert eval(shown, dict(vars(words)))(text) == e(text)


@settings(max_examples=MANY)
@drawing(expressions(), TEXTS)
def test_random_expressions(e: Expression, text: str) -> None:
    """`all` is what the words mean; data, notation and short form are the same expression."""
    means_what_the_words_mean(e, text)
    is_read_from_data_as_the_same(e)
    is_read_by_python_as_the_same(e)
    says_the_same_in_short(e, text)


@settings(max_examples=max(60, MANY // 4))
@drawing(expressions(), st.data(), st.sampled_from([1, 7, 40]))
def test_texts_of_one_length_together(
    e: Expression, data: Any, at_once: int
) -> None:
    """Many texts at once, in parts and blocks of any size, say what each says alone."""
    n = data.draw(st.integers(0, 5))
    one = st.text(LETTERS, min_size=n, max_size=n)
    texts = data.draw(st.lists(one, min_size=1, max_size=6))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "PAIRS", at_once)
        patch.setattr(selecting, "PAIRS", at_once)
        lasts = columns.at_last_positions(e, texts, {"here": n - 1})
        assert lasts == evaluate_each(e, texts) == [e(text) for text in texts]
        for causal in (False, True):
            found = columns.at_each_position(e, texts, causal=causal)
            assert [*found] == [said(e, x, causal=causal) for x in texts]


@settings(max_examples=max(60, MANY // 4))
@drawing(expressions(well=False), TEXTS)
def test_wrong_kinds_are_told(e: Expression, text: str) -> None:
    """An expression that computes with tokens is refused, or says what it means: no other error
    escapes. What it computes at once, its short form may only choose from, and so not refuse.
    """
    for causal in (False, True):
        try:
            found = e.all(text, causal=causal)
        except ProgramError:
            continue
        assert found == said(e, text, causal=causal)
    try:
        short, whole = in_short(e)(text), e(text)
    except ProgramError:
        return
    assert short == whole


# ---------------------------------------------------------------- what is shared


def grown(part: Any, more: Callable[[Any], Any]) -> Any:
    """A part that holds the one before it twice, seventeen times."""
    for _ in range(17):
        part = more(part)
    return part


BOTH_SIDES = there(here) + here
SAME = there(own) == own


@pytest.mark.parametrize(
    ("grow", "plainly"),
    [
        (
            lambda: count(grown(SAME, lambda c: c & c)),
            lambda text: [text.count(t) for t in text],
        ),
        (
            lambda: count(grown(SAME, lambda c: c | ~c)),
            lambda text: [len(text)] * len(text),
        ),
        (
            lambda: count(grown(BOTH_SIDES, lambda x: x - x) == 0),
            lambda text: [len(text)] * len(text),
        ),
        (
            lambda: count(grown(BOTH_SIDES, lambda x: min_(x, x)) == 2),
            lambda text: [
                int(2 - i in range(len(text))) for i in range(len(text))
            ],
        ),
        (
            lambda: count(grown(there(here), lambda x: x + x) == 2**17),
            lambda text: [int(len(text) > 1)] * len(text),
        ),
        (
            lambda: grown(here, lambda x: x + x),
            lambda text: [i * 2**17 for i in range(len(text))],
        ),
    ],
    ids=["and", "or", "minus", "least", "at the key", "bare"],
)
def test_what_is_shared_is_found_once(
    grow: Callable[[], Expression], plainly: Callable[[str], list[int]]
) -> None:
    """What would stand in 100,000 places is evaluated, shortened, stored and shown as a few."""
    e = grow()
    assert e.spread >= 2**17 > 50 > e.size
    for text in ("", "a", "abcab"):
        assert e.all(text) == plainly(text)
    assert e("abcab") == plainly("abcab")[-1]
    assert in_short(e)("abcab") == e("abcab")
    is_read_from_data_as_the_same(e)
    assert len(repr(e)) <= 4000
    assert e._repr_html_()


@pytest.mark.parametrize(
    "grow",
    [lambda x: x * x, lambda x: x + ratio(1, x)],
    ids=["product", "sum of fractions"],
)
def test_a_number_stays_short(grow: Callable[[Expression], Expression]) -> None:
    """What doubles the digits at each step ends with one sentence, and not with the memory."""
    e = here + 2
    for _ in range(19):
        e = grow(e)
    with pytest.raises(ProgramError, match="a number grows beyond 20000 dig"):
        e.all("ab")


def test_sums_of_many_fractions_stay_short() -> None:
    """Their common denominator is a number as well."""
    e = ratio(1, (here + 1) * 10**9 + 1)
    for _ in range(8):
        e = e * ratio(1, (here + 1) * 10**9 + 1)
    assert e("ab") == Fraction(1, (2 * 10**9 + 1) ** 9)
    with pytest.raises(ProgramError, match="a number grows beyond 20000 dig"):
        total(e)("ab" * 1000)
