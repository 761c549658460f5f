"""Fifty sequence programs beside a plain Python function each: the same at every position of every
text.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise, product
from random import Random
from statistics import median_low
from typing import Any

import pytest

from handcraft.sequence.expression import Expression
from handcraft.sequence.words import (
    any_,
    best,
    cases,
    clip,
    count,
    distinct,
    equal,
    fetch,
    first,
    given,
    indices,
    latest,
    length,
    lookup,
    map_,
    max_,
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

LETTERS, DIGITS = "abcd", "0123"
NIGHTLY = int(os.environ.get("SEQUENCE_EXAMPLES", "0")) >= 20_000


@dataclass(frozen=True)
class Case:
    """A program, and what it says of a text at each of its positions; `alphabet` are the letters
    of its texts, and of a program that each position asks up to itself `causal` is True.
    """

    name: str
    says: Expression
    oracle: Callable[[str], list[Any]]
    alphabet: str = LETTERS
    causal: bool = False


CASES: list[Case] = []


def says(
    expression: Expression, alphabet: str = LETTERS, *, causal: bool = False
) -> Callable[[Callable[[str], list[Any]]], Callable[[str], list[Any]]]:
    """A decorator: the function below it is the oracle of the program."""

    def enter(oracle: Callable[[str], list[Any]]) -> Any:
        CASES.append(
            Case(oracle.__name__, expression, oracle, alphabet, causal)
        )
        return oracle

    return enter


before = there(indices) < indices
so_far = there(indices) <= indices
same = there(tokens) == tokens
digit = map_(int, tokens, over=DIGITS)
hist = count(same)
first_time = equal(count(same & before), 0)

# ---------------------------------------------------------------- counts


@says(hist)
def histogram(text: str) -> list[Any]:
    """How often the token of this position occurs."""
    return [text.count(t) for t in text]


@says(count(there(first_time) & (there(hist) == hist)))
def double_histogram(text: str) -> list[Any]:
    """How many different tokens occur as often as this one."""
    return [
        sum(text.count(u) == text.count(t) for u in set(text)) for t in text
    ]


@says(total(first_time))
def how_many_tokens(text: str) -> list[Any]:
    """The number of different tokens."""
    return [len(set(text))] * len(text)


@says(total(first_time, so_far))
def how_many_tokens_so_far(text: str) -> list[Any]:
    """The number of different tokens up to here."""
    return [len(set(text[: i + 1])) for i in range(len(text))]


@says(total(equal(tokens, "a")) % 2)
def parity(text: str) -> list[Any]:
    """1 if the number of a's is odd."""
    return [text.count("a") % 2] * len(text)


@says(total(equal(tokens, "a"), so_far) % 2)
def parity_so_far(text: str) -> list[Any]:
    """1 if the number of a's up to here is odd."""
    return [text[: i + 1].count("a") % 2 for i in range(len(text))]


@says(count((there(tokens) > tokens) & before))
def inversions(text: str) -> list[Any]:
    """How many tokens before this one belong behind it."""
    return [sum(u > t for u in text[:i]) for i, t in enumerate(text)]


@says(count(there(tokens) != tokens))
def others(text: str) -> list[Any]:
    """How many positions have another token."""
    return [len(text) - text.count(t) for t in text]


@says(total(digit, so_far), DIGITS)
def sum_so_far(text: str) -> list[Any]:
    """The sum of the digits up to here."""
    return [sum(map(int, text[: i + 1])) for i in range(len(text))]


@says(count(there(tokens) == fetch(tokens, 0)))
def like_the_first(text: str) -> list[Any]:
    """How many tokens are as the first one."""
    return [text.count(text[0])] * len(text)


# ---------------------------------------------------------------- where tokens go


@says(fetch(tokens, there(indices) == length - 1 - indices))
def reverse(text: str) -> list[Any]:
    """The text from its end."""
    return list(text[::-1])


@says(fetch(tokens, (indices + 1) % length))
def rotate(text: str) -> list[Any]:
    """The text, each token one to the left."""
    return list(text[1:] + text[:1])


@says(fetch(tokens, (indices + total(equal(tokens, "a"))) % length))
def rotate_by_as(text: str) -> list[Any]:
    """The text, turned by as many as it has a's."""
    by = text.count("a") % len(text) if text else 0
    return list(text[by:] + text[:by])


@says(fetch(tokens, there(indices) == indices - 1, default="^"))
def shift(text: str) -> list[Any]:
    """The token before, and a sign at the beginning."""
    return ["^", *text][: len(text)]


@says(fetch(tokens, indices + 2))
def shift_left(text: str) -> list[Any]:
    """The token after the next, nothing at the end."""
    return [*text, None, None][2:]


@says(fetch(tokens, indices + 1 - 2 * (indices % 2), default="$"))
def swap(text: str) -> list[Any]:
    """Neighbours in each other's place."""
    padded = [*text, "$"]
    return [padded[i ^ 1] for i in range(len(text))]


half = (length + 1) // 2


@says(
    fetch(
        tokens,
        where(equal(indices % 2, 0), indices // 2, half + indices // 2),
    )
)
def shuffle(text: str) -> list[Any]:
    """The two halves, a token of each in turn."""
    found: list[Any] = [None] * len(text)
    middle = (len(text) + 1) // 2
    found[::2], found[1::2] = text[:middle], text[middle:]
    return found


@says(fetch(tokens, indices - indices % 2))
def every_second_twice(text: str) -> list[Any]:
    """The even positions' tokens, each twice."""
    return [text[i - i % 2] for i in range(len(text))]


@says(map_(lambda t: DIGITS[(int(t) + 1) % 4], tokens, over=DIGITS), DIGITS)
def caesar(text: str) -> list[Any]:
    """The digit after each, and 0 after the last."""
    return [{"0": "1", "1": "2", "2": "3", "3": "0"}[t] for t in text]


# ---------------------------------------------------------------- order

earlier = (there(tokens) < tokens) | same & before
rank = count(earlier)


@says(rank)
def ranks(text: str) -> list[Any]:
    """The place of this position's token in the sorted text."""
    order = sorted(range(len(text)), key=lambda i: (text[i], i))
    return [order.index(i) for i in range(len(text))]


@says(fetch(tokens, there(rank) == indices))
def sort(text: str) -> list[Any]:
    """The tokens in their order."""
    return sorted(text)


@says(fetch(indices, there(rank) == indices))
def argsort(text: str) -> list[Any]:
    """The positions in the order of their tokens."""
    return sorted(range(len(text)), key=text.__getitem__)


rarer = (there(hist) > hist) | (there(hist) == hist) & before


@says(fetch(tokens, there(count(rarer)) == indices))
def sort_by_frequency(text: str) -> list[Any]:
    """The tokens, frequent ones first; of equally frequent ones as they stand."""
    return sorted(text, key=text.count, reverse=True)


once = there(first_time) & (
    (there(hist) > hist) | (there(hist) == hist) & before
)


@says(
    fetch(
        tokens,
        there(first_time) & (there(count(once)) == indices),
        default="-",
    )
)
def by_frequency_once(text: str) -> list[Any]:
    """The different tokens, frequent ones first, then nothing."""
    order = [t for t, _ in Counter(text).most_common()]
    return [*order, *"-" * len(text)][: len(text)]


@says(
    fetch(
        tokens,
        there(first_time) & (there(total(first_time, before)) == indices),
    )
)
def dedupe(text: str) -> list[Any]:
    """Each token once, in order, then nothing."""
    found: list[Any] = list(dict.fromkeys(text))
    return found + [None] * (len(text) - len(found))


@says(fetch(tokens, best(hist)))
def most_frequent(text: str) -> list[Any]:
    """The most frequent token, of equals the one that comes first."""
    return [max(text, key=text.count)] * len(text)


@says(fetch(tokens, best(0 - hist)))
def least_frequent(text: str) -> list[Any]:
    """The rarest token, of equals the one that comes first."""
    return [min(text, key=text.count)] * len(text)


@says(fetch(tokens, best(count(same & so_far), so_far)))
def most_frequent_so_far(text: str) -> list[Any]:
    """The token that is the first to occur as often as any up to here."""
    found = []
    for i in range(len(text)):
        counts = [text[: j + 1].count(text[j]) for j in range(i + 1)]
        found.append(text[counts.index(max(counts))])
    return found


@says(fetch(tokens, first(2 * there(hist) > length)))
def majority(text: str) -> list[Any]:
    """The token that has more than half of the text, if one has."""
    wanted = [t for t in text if 2 * text.count(t) > len(text)]
    return [wanted[0] if wanted else None] * len(text)


@says(fetch(tokens, there(rank) == (length - 1) // 2), DIGITS)
def median(text: str) -> list[Any]:
    """The lower median digit."""
    return [str(median_low(map(int, text)))] * len(text)


@says(fetch(digit, best(digit, so_far)), DIGITS)
def running_max(text: str) -> list[Any]:
    """The greatest digit up to here."""
    return [max(map(int, text[: i + 1])) for i in range(len(text))]


@says(fetch(digit, best(0 - digit)), DIGITS)
def least(text: str) -> list[Any]:
    """The least digit."""
    return [min(map(int, text))] * len(text)


@says(
    equal(
        total(any_((there(indices) == indices - 1) & (there(tokens) > tokens))),
        0,
    )
)
def is_sorted(text: str) -> list[Any]:
    """1 if no token stands before a lesser one."""
    return [int(list(text) == sorted(text))] * len(text)


# ---------------------------------------------------------------- matches

previous = latest(same & before)


@says(previous)
def previous_same(text: str) -> list[Any]:
    """The position where this token stood last."""
    found = [text[:i].rfind(t) for i, t in enumerate(text)]
    return [None if j < 0 else j for j in found]


@says(first(same & (there(indices) > indices)))
def next_same(text: str) -> list[Any]:
    """The position where this token stands next."""
    found = [text.find(t, i + 1) for i, t in enumerate(text)]
    return [None if j < 0 else j for j in found]


@says(first(same))
def first_occurrence(text: str) -> list[Any]:
    """The position where this token stands first."""
    return [text.index(t) for t in text]


@says(otherwise(indices - previous, 0))
def distance_back(text: str) -> list[Any]:
    """How far back this token stood last, 0 if it did not."""
    return [
        i - text.rindex(t, 0, i) if t in text[:i] else 0
        for i, t in enumerate(text)
    ]


came_before = fetch(tokens, there(indices) == indices - 1, default="^")


@says(fetch(tokens, latest(there(came_before) == tokens)))
def induction(text: str) -> list[Any]:
    """What followed this token where anything did last."""
    return [
        text[j + 1] if (j := text[:-1].rfind(t)) >= 0 else None for t in text
    ]


@says(
    fetch(tokens, latest((there(came_before) == tokens) & so_far), default="?")
)
def induction_so_far(text: str) -> list[Any]:
    """What followed this token when it stood last before, read up to here."""
    return [
        text[j + 1] if (j := text[:i].rfind(t)) >= 0 else "?"
        for i, t in enumerate(text)
    ]


def spelt(word: str) -> Expression:
    """1 if the word begins at the position."""
    flags = [equal(fetch(tokens, indices + i), t) for i, t in enumerate(word)]
    return min_(*(otherwise(flag, 0) for flag in flags))


@says(spelt("aba"))
def word_begins(text: str) -> list[Any]:
    """1 if aba begins here."""
    return [int(text[i : i + 3] == "aba") for i in range(len(text))]


@says(any_(there(spelt("ab"))))
def word_is_in_it(text: str) -> list[Any]:
    """1 if ab is in the text."""
    return [int("ab" in text)] * len(text)


starts = latest(there(spelt("ab")) & (there(indices) <= indices))


@says(starts)
def indices_of_matches(text: str) -> list[Any]:
    """Where ab has begun last, up to here."""
    found = [text.rfind("ab", 0, i + 2) for i in range(len(text))]
    return [None if j < 0 else j for j in found]


@says(
    latest(
        (there(tokens) == "a")
        & (there(fetch(tokens, indices + 1)) == "b")
        & before
    )
)
def ended_matches(text: str) -> list[Any]:
    """Where an ab has begun last that has ended here or before."""
    found = [text.rfind("ab", 0, i + 1) for i in range(len(text))]
    return [None if j < 0 else j for j in found]


@says(equal(tokens, fetch(tokens, length - 1 - indices)))
def like_its_mirror(text: str) -> list[Any]:
    """1 if the position as far from the end has the same token."""
    return [int(t == u) for t, u in zip(text, text[::-1], strict=True)]


mirror = fetch(tokens, length - 1 - indices)


@says(equal(count(there(tokens) != there(mirror)), 0))
def palindrome(text: str) -> list[Any]:
    """1 if the text is the same from its end."""
    return [int(text == text[::-1])] * len(text)


@says(distinct(tokens))
def all_different(text: str) -> list[Any]:
    """1 if no token stands twice."""
    return [int(len(set(text)) == len(text))] * len(text)


@says(given(distinct(tokens), fetch(tokens, there(rank) == indices)))
def sort_where_all_differ(text: str) -> list[Any]:
    """The sorted text, and nothing where a token stands twice."""
    right = len(set(text)) == len(text)
    return [t if right else None for t in sorted(text)]


# ---------------------------------------------------------------- runs

breaks = latest((there(tokens) != tokens) & before)
run = indices - otherwise(breaks, -1)


@says(run)
def run_so_far(text: str) -> list[Any]:
    """How many tokens up to here are the same."""
    return [
        len(text[: i + 1]) - len(text[: i + 1].rstrip(t))
        for i, t in enumerate(text)
    ]


@says(fetch(run, best(run, so_far)))
def longest_run_so_far(text: str) -> list[Any]:
    """The longest run of a token up to here."""
    found, longest, now = [], 0, 0
    for i, t in enumerate(text):
        now = now + 1 if i and text[i - 1] == t else 1
        longest = max(longest, now)
        found.append(longest)
    return found


@says(count(there(equal(run, 1)) & so_far))
def number_of_runs(text: str) -> list[Any]:
    """How many runs there are up to here."""
    return [
        1 + sum(a != b for a, b in pairwise(text[: i + 1]))
        for i in range(len(text))
    ]


# ---------------------------------------------------------------- fractions


@says(mean(equal(tokens, "a"), so_far))
def fraction_so_far(text: str) -> list[Any]:
    """The part of the tokens up to here that are a."""
    return [Fraction(text[: i + 1].count("a"), i + 1) for i in range(len(text))]


@says(mean(equal(tokens, "a"), before))
def fraction_before(text: str) -> list[Any]:
    """The part of the tokens before here that are a; nothing at the beginning."""
    return [
        Fraction(text[:i].count("a"), i) if i else None
        for i in range(len(text))
    ]


@says(ratio(hist, length))
def share(text: str) -> list[Any]:
    """The part of the text that is this token."""
    return [Fraction(text.count(t), len(text)) for t in text]


@says(
    mean(digit, so_far & (there(indices) > indices - 3)),
    DIGITS,
)
def moving_mean(text: str) -> list[Any]:
    """The mean of the last three digits."""
    windows = [text[max(0, i - 2) : i + 1] for i in range(len(text))]
    return [Fraction(sum(map(int, w)), len(w)) for w in windows]


@says(count(2 * there(digit) > 2 * mean(digit)), DIGITS)
def above_the_mean(text: str) -> list[Any]:
    """How many digits are greater than their mean."""
    return [sum(int(t) * len(text) > sum(map(int, text)) for t in text)] * len(
        text
    )


@says(round_(mean(digit)), DIGITS)
def rounded_mean(text: str) -> list[Any]:
    """The whole number that is nearest to the mean."""
    numbers = [*map(int, text)]
    return [(2 * sum(numbers) + len(numbers)) // (2 * len(numbers))] * len(text)


@says(clip(hist, 2, 3))
def clipped_histogram(text: str) -> list[Any]:
    """How often this token occurs, but 2 at least and 3 at most."""
    return [sorted((2, text.count(t), 3))[1] for t in text]


# ---------------------------------------------------------------- brackets


def brackets(pairs: str) -> tuple[Expression, Expression]:
    """Of the brackets up to a position: T, P for a beginning, or F, and how many are open."""
    opening, closing = pairs[::2], pairs[1::2]
    step = dict.fromkeys(opening, 1) | dict.fromkeys(closing, -1)
    depth = total(lookup(step, tokens), so_far)
    opens = lookup(dict.fromkeys(opening, 1), tokens, default=0)
    partner = dict(zip(closing, opening, strict=True))
    opened = latest(there(opens) & (there(depth) == depth + 1) & before)
    fits = where(
        opens,
        1,
        otherwise(equal(fetch(tokens, opened), lookup(partner, tokens)), 0),
    )
    wrong = any_((there(fits) == 0) & so_far)
    verdict = cases((wrong, "F"), (equal(depth, 0), "T"), "P")
    return verdict, depth


def verdicts(text: str, pairs: str) -> list[str]:
    """T, P or F of each beginning, with a stack."""
    partner = dict(zip(pairs[1::2], pairs[::2], strict=True))
    stack: list[str] = []
    right = True
    found = []
    for t in text:
        if t not in partner:
            stack.append(t)
        elif not stack or stack.pop() != partner[t]:
            right = False
        found.append("F" if not right else "P" if stack else "T")
    return found


@says(brackets("()")[1], "()")
def dyck_1_depth(text: str) -> list[Any]:
    """How many brackets are open, less than 0 where too many are closed."""
    return [
        text[: i + 1].count("(") - text[: i + 1].count(")")
        for i in range(len(text))
    ]


@says(brackets("()")[0], "()")
def dyck_1_prefixes(text: str) -> list[Any]:
    """T, P or F of each beginning, with one pair of brackets."""
    return list(verdicts(text, "()"))


@says(brackets("()[]")[0], "()[]")
def dyck_2_prefixes(text: str) -> list[Any]:
    """The same with two pairs."""
    return list(verdicts(text, "()[]"))


@says(brackets("()[]{}")[0], "()[]{}")
def dyck_3_prefixes(text: str) -> list[Any]:
    """The same with three pairs."""
    return list(verdicts(text, "()[]{}"))


@says(
    where(equal(fetch(brackets("()[]{}")[0], length - 1), "T"), 1, 0), "()[]{}"
)
def dyck_3(text: str) -> list[Any]:
    """1 if the whole text is balanced."""
    old = None
    rest = text
    while rest != old:
        old, rest = (
            rest,
            rest.replace("()", "").replace("[]", "").replace("{}", ""),
        )
    return [int(not rest)] * len(text)


@says(fetch(brackets("()")[1], best(brackets("()")[1], so_far)), "()")
def deepest(text: str) -> list[Any]:
    """The greatest depth up to here."""
    depths = dyck_1_depth(text)
    return [max(depths[: i + 1]) for i in range(len(text))]


# ---------------------------------------------------------------- up to itself


@says(hist, causal=True)
def histogram_so_far(text: str) -> list[Any]:
    """A position that sees no further than itself counts the tokens up to there."""
    return [text[: i + 1].count(t) for i, t in enumerate(text)]


@says(length, causal=True)
def length_so_far(text: str) -> list[Any]:
    """`length` is the number of tokens that it sees."""
    return list(range(1, len(text) + 1))


@says(fetch(tokens, there(indices) == length - 1 - indices), causal=True)
def reverse_of_what_is_seen(text: str) -> list[Any]:
    """What it sees ends where it stands: the mirror of the last position is the first one."""
    return list(text[:1] * len(text))


@says(fetch(tokens, best(hist)), causal=True)
def first_to_be_so_many(text: str) -> list[Any]:
    """The keys, too, have counted no further than to themselves."""
    return most_frequent_so_far(text)


@says(count(there(hist) == hist), causal=True)
def as_often_so_far(text: str) -> list[Any]:
    """How many positions up to here had counted as many as this one."""
    counts = histogram_so_far(text)
    return [counts[: i + 1].count(n) for i, n in enumerate(counts)]


@says(fetch(tokens, indices + 1), causal=True)
def nothing_behind(text: str) -> list[Any]:
    """The next token is not seen."""
    return [None] * len(text)


@says(max_(*(fetch(equal(tokens, t), 0) for t in "ab")), causal=True)
def begins_with_a_or_b(text: str) -> list[Any]:
    """1 if the first token is a or b."""
    return [int(text[0] in "ab")] * len(text)


@says(fetch(lookup({"a": 1}, tokens), indices + 1, default=9))
def one_where_a_comes_next(text: str) -> list[Any]:
    """The default outside the text alone: what is undefined inside stays so."""
    return [{"a": 1}.get(t) for t in text[1:]] + [9]


# ---------------------------------------------------------------- all of them


def texts(alphabet: str, longest: int) -> Iterator[str]:
    """Every text of up to so many letters, the empty one first."""
    for n in range(longest + 1):
        for letters in product(alphabet, repeat=n):
            yield "".join(letters)


def drawn(alphabet: str, many: int) -> Iterator[str]:
    """Texts of up to 64 letters."""
    random = Random(64)
    for _ in range(many):
        yield "".join(random.choices(alphabet, k=random.randint(7, 64)))


def agrees(case: Case, text: str) -> None:
    """The program says what the oracle says, of the same type, at every position and at the
    last.
    """
    found = case.says.all(text, causal=case.causal)
    expected = case.oracle(text) if text else []
    assert list(map(repr, found)) == list(map(repr, expected)), text
    if text and not case.causal:
        assert case.says(text) == found[-1], text


every_case = pytest.mark.parametrize(
    "case", [pytest.param(case, id=case.name) for case in CASES]
)


@every_case
def test_a_program_says_what_the_function_says(case: Case) -> None:
    """On short texts, and on some that are long."""
    for text in (*texts(case.alphabet[:4], 2), *drawn(case.alphabet, 5)):
        agrees(case, text)


@pytest.mark.slow
@every_case
def test_a_program_says_it_on_every_text(case: Case) -> None:
    """On every text up to five letters over four (of six brackets up to four), and on 500 drawn
    ones up to 64; every night up to six and five, and on 2,000.
    """
    longest = (6 if NIGHTLY else 5) - (len(case.alphabet) > 4)
    many = 2000 if NIGHTLY else 500
    for text in (*texts(case.alphabet, longest), *drawn(case.alphabet, many)):
        agrees(case, text)


def test_there_are_many() -> None:
    """At least forty programs, no two of one name."""
    assert len({case.name for case in CASES}) == len(CASES) >= 40
