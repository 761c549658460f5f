"""Compiled programs are small, and right on drawn texts against plain Python functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from lowered import answers, compiled, strays

from handcraft import answer
from handcraft.core.errors import ProgramError
from handcraft.core.gpt2 import gpt2
from handcraft.lowering.frames.tag import tag
from handcraft.lowering.scheduling.schedule import merged, scheduled
from handcraft.lowering.stream import LaneTable, Stream
from handcraft.sequence.expression import Expression
from handcraft.sequence.words import (
    below,
    best,
    count,
    distinct,
    equal,
    fetch,
    indices,
    latest,
    length,
    lookup,
    map_,
    mean,
    min_,
    otherwise,
    ratio,
    round_,
    there,
    tokens,
    total,
    where,
)

earlier = there(indices) < indices
so_far = there(indices) <= indices
same = there(tokens) == tokens
hist = count(same)
rank = count((there(tokens) < tokens) | same & earlier)
rarer = count((there(hist) > hist) | (there(hist) == hist) & earlier)
is_x = lookup({"x": 1}, tokens, default=0)
digit = map_(int, tokens, over="0123")
everywhere = there(indices) >= 0


def open_brackets(pair: str, where_: Any) -> Expression:
    """How many more of the first kind than of the second."""
    step = lookup({pair[0]: 1, pair[1]: -1}, tokens, default=0)
    return total(step, where_)


under = (there(open_brackets("()", so_far)) < 0) | (
    there(open_brackets("{}", so_far)) < 0
)
balanced = min_(
    equal(count(under), 0),
    equal(open_brackets("()", everywhere), 0),
    equal(open_brackets("{}", everywhere), 0),
)


def shuffled_dyck(text: str) -> int:
    """1 if each kind of bracket is balanced, whatever stands between."""
    depths = {"(": 0, "{": 0}
    for t in text:
        kind = "(" if t in "()" else "{"
        depths[kind] += 1 if t in "({" else -1
        if depths[kind] < 0:
            return 0
    return int(not any(depths.values()))


@dataclass(frozen=True)
class Case:
    """A program, the most weights it may have at n = 20, and its oracle: the answer at a position
    of a text that is seen as a whole.
    """

    name: str
    says: Expression
    letters: str
    most: int
    oracle: Callable[[str, int], Any]


def _by_frequency(text: str, i: int) -> str:
    return sorted(text, key=text.count, reverse=True)[i]


CASES = [
    Case("hist", hist, "abcd", 190, lambda t, i: t.count(t[i])),
    Case(
        "reverse",
        fetch(tokens, length - 1 - indices),
        "abcd",
        500,
        lambda t, i: t[-1 - i],
    ),
    Case(
        "balanced",
        balanced,
        "(){}",
        3_700,
        lambda t, _: shuffled_dyck(t),
    ),
    Case(
        "sort",
        fetch(tokens, there(rank) == indices),
        "0123456789",
        7_500,
        lambda t, i: sorted(t)[i],
    ),
    Case(
        "sort by frequency",
        fetch(tokens, there(rarer) == indices),
        "abcd",
        12_900,
        _by_frequency,
    ),
    Case(
        "double histogram",
        count(there(hist) == hist),
        "abc",
        1_250,
        lambda t, i: sum(t.count(x) == t.count(t[i]) for x in t),
    ),
    Case(
        "distinct",
        distinct(tokens),
        "abc",
        750,
        lambda t, _: int(len(set(t)) == len(t)),
    ),
    Case(
        "most frequent",
        fetch(tokens, best(hist)),
        "abc",
        380,
        lambda t, _: max(t, key=t.count),
    ),
    Case(
        "depth",
        open_brackets("()", so_far),
        "()",
        2_100,
        lambda t, i: t[: i + 1].count("(") - t[: i + 1].count(")"),
    ),
]


def drawn(letters: str, n: int, many: int, seed: int) -> list[str]:
    """Texts of every length, and corner cases: one token, all equal, the whole window."""
    random = Random(seed)
    sizes = [1, 1, 2, n, n, n]
    sizes += [random.randint(1, n) for _ in range(many)]
    texts = ["".join(random.choices(letters, k=size)) for size in sizes]
    alike = [letters[0] * n, letters[-1] * n, letters[0], letters[-1] * 2]
    halves = letters[0] * (n // 2) + letters[-1] * (n - n // 2)
    return [*texts, *alike, halves]


def wrong(
    program: Any, oracle: Callable[[str, int], Any], texts: list[str]
) -> list[str]:
    """The positions where the answer is another than the oracle's."""
    model = program.build()
    names = model.vocabulary.tokens
    found = []
    for text in texts:
        for i, token in enumerate(answers(model, [text])[0]):
            right = oracle(text, i)
            if right is not None and (token < 0 or names[token] != str(right)):
                found.append(f"{text}, {i}: {names[token]} for {right}")
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_sizes_at_20(case: Case) -> None:
    """No more weights than that, and right with gelu."""
    program = tag(case.says, tokens=case.letters, n=20)
    texts = drawn(case.letters, 20, 30, 1)
    assert program.build().parameters["dense"] <= case.most
    assert wrong(program, case.oracle, texts) == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_sizes_in_the_documents(case: Case) -> None:
    """docs/lowering.md has the weights of today, as a tag and as an answer."""
    page = Path(__file__).parent.parent / "docs" / "lowering.md"
    row = next(
        line
        for line in page.read_text().splitlines()
        if f"| {case.name} |" in line
    )
    made = [
        frame(case.says, tokens=case.letters, n=20).build().parameters["dense"]
        for frame in (tag, answer)
    ]
    cells = [cell.strip() for cell in row.split("|")]
    assert cells[2:5] == [f"`{case.letters}`", *map(str, made)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_same_weights_with_relu(case: Case) -> None:
    """With relu as with gelu: the weights differ in nothing but the sharpness, and both are
    right.
    """
    program = tag(case.says, tokens=case.letters, n=7, activation="relu")
    plain = tag(case.says, tokens=case.letters, n=7)
    texts = drawn(case.letters, 7, 40, 2)
    assert program.activation == "relu"
    assert program.layers == plain.layers
    assert wrong(program, case.oracle, texts) == []


CAUSAL = {
    "hist": lambda t, i: t[: i + 1].count(t[i]),
    "double histogram": lambda t, i: sum(
        t[: k + 1].count(t[k]) == t[: i + 1].count(t[i]) for k in range(i + 1)
    ),
    "distinct": lambda t, i: int(len({*t[: i + 1]}) == i + 1),
    "balanced": lambda t, i: shuffled_dyck(t[: i + 1]),
    "depth": CASES[-1].oracle,
}


@pytest.mark.parametrize("activation", ["gelu", "relu"])
@pytest.mark.parametrize("name", CAUSAL)
def test_of_what_is_seen(name: str, activation: Any) -> None:
    """A causal program says of each beginning what it would say of that text."""
    case = next(case for case in CASES if case.name == name)
    program = tag(
        case.says,
        tokens=case.letters,
        n=12,
        causal=True,
        activation=activation,
    )
    assert wrong(program, CAUSAL[name], drawn(case.letters, 12, 40, 3)) == []


def test_a_long_window() -> None:
    """Squares of numbers up to 64 are compared without an error in float32, whatever the width
    of a head.
    """
    program = tag(count(there(hist) == hist), tokens="abc", n=64)
    oracle = CASES[5].oracle
    assert wrong(program, oracle, ["c" * 62, "ab" * 32, "a" * 63 + "b"]) == []
    assert wrong(program, oracle, drawn("abc", 64, 6, 4)) == []


# ---------------------------------------------------------------- means


def share(text: str, selected: list[int]) -> str | None:
    """The share of x among these positions, as a token; None of no position."""
    if not selected:
        return None
    found = Fraction(sum(text[k] == "x" for k in selected), len(selected))
    return str(found)


MEANS: list[tuple[str, Expression, Callable[[str, int], Any]]] = [
    (
        "so far",
        mean(is_x, so_far),
        lambda t, i: share(t, [*range(i + 1)]),
    ),
    (
        "before, of none undefined",
        mean(is_x, earlier),
        lambda t, i: share(t, [*range(i)]),
    ),
    (
        "of none a default",
        otherwise(mean(is_x, earlier), "none"),
        lambda t, i: share(t, [*range(i)]) or "none",
    ),
    (
        "compared",
        where(below(ratio(1, 2), mean(is_x, so_far)), "many", "few"),
        lambda t, i: "many" if 2 * t[: i + 1].count("x") > i + 1 else "few",
    ),
]


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("n", [5, 10, 20])
@pytest.mark.parametrize("case", MEANS, ids=lambda case: case[0])
def test_the_share_of_a_token(case: Any, n: int, causal: bool) -> None:
    """Fractions are told apart, also from nothing selected."""
    _, says, oracle = case
    program = tag(says, tokens="xy", n=n, causal=causal)
    texts = drawn("xy", n, 12, n)
    # at a position that is not causal, too, the conditions see no further than it stands
    assert wrong(program, oracle, texts) == []


def test_a_rounded_mean() -> None:
    """Half goes up, as in the evaluator, exactly where the mean is half."""
    says = round_(mean(digit, there(tokens) == tokens))
    more = round_(mean(digit, so_far))
    texts = drawn("0123", 8, 30, 5)
    for e in (says, more):
        program = tag(e, tokens="0123", n=8)
        all_of = {text: e.all(text) for text in texts}
        assert wrong(program, lambda t, i, a=all_of: a[t][i], texts) == []


def test_fractions_that_float32_cannot_tell_apart() -> None:
    """They are refused, not mixed up."""
    with pytest.raises(ProgramError, match=r"is only known to .* answered"):
        tag(mean(indices, there(tokens) == "x"), tokens="xy", n=20)


# ---------------------------------------------------------------- lanes


def test_a_dead_lane_gives_its_column_to_a_later_one() -> None:
    """The lanes of a deep program are more than its columns; each stays within its radius."""
    found = compiled(balanced, "(){}", 6, causal=False)
    model = found.program.build()
    slots = found.program.embedding
    reusing = [slot for slot in slots if slot.reuse is not None]
    assert reusing
    assert model.n_embd <= len(slots) - len(reusing) + model.n_head
    for text in drawn("(){}", 6, 30, 6):
        assert list(strays(found, model, text)) == []


def test_a_sum_is_one_lane() -> None:
    """A count of a | b is the sum of two heads in one lane, which has the name of the sum."""
    found = compiled(rank, "abcd", 20, causal=True)
    written = Counter(
        lane
        for block in found.program.layers
        for head in block.heads
        for lane in head.adds.targets
    )
    assert max(written.values()) == 2


def test_heads_that_look_alike_are_one_where_neither_reads_the_other() -> None:
    """The token of the position before the one before is brought in two steps."""
    before = fetch(tokens, indices - 1, default="-")
    twice = fetch(before, indices - 1, default="-")
    assert (
        wrong(
            tag(twice, tokens="ab", n=6),
            lambda t, i: t[i - 2] if i > 1 else "-",
            drawn("ab", 6, 20, 7),
        )
        == []
    )


def test_merging_never_joins_a_head_with_what_it_reads() -> None:
    """Two heads of one score, where the second one reads the lane of the first."""
    stream = Stream()
    position = stream.table(
        "p", LaneTable(positions=(1.0, 2.0, 3.0))
    ).expression()
    rows = [(position, position)]
    (first,) = stream.attend(rows, "first", [(position, 1.0)])
    (second,) = stream.attend(rows, "second", [(first.expression(), 1.0)])
    (other,) = stream.attend(rows, "other", [(position, 2.0)])
    kept = [set(head.adds) for head in merged(stream).heads]
    assert kept == [{first, other}, {second}]
    times = [head.time for head in scheduled(merged(stream), 8).heads]
    assert times == [1, 3]


def test_the_first_token_brings_nothing() -> None:
    """A sum of sums of sums at the first token is exactly 0, so that 2^30 times it is."""
    e = total(total(total(length, there(length) < 0), earlier))
    assert (
        wrong(tag(e, tokens="abc", n=4), lambda *_: 0, drawn("abc", 4, 10, 8))
        == []
    )


def test_latest_of_a_condition_in_both_directions() -> None:
    """The last x up to a position, where the whole text is seen."""
    last = latest((there(tokens) == "x") & so_far)
    program = tag(otherwise(last, -1), tokens="xy", n=9)
    assert (
        wrong(
            program, lambda t, i: t[: i + 1].rfind("x"), drawn("xy", 9, 30, 9)
        )
        == []
    )


def test_ties_are_none() -> None:
    """No two answers have the same logit."""
    model = tag(hist, tokens="abcd", n=20).build()
    ids = [model.vocabulary.ids[c] for c in "^" + "abcd" * 5]
    logits = gpt2(np.array(ids), **model.weights, **model.config)[1:]
    first, second = np.sort(logits, -1)[:, :-3:-1].T
    assert (first - second > 1).all()
