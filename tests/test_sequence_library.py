"""The programs of programs/sequence/, compiled for 5, 10, 20 and 64 tokens: the model answers every
position as the expression does, and as a plain Python function does.
"""

from __future__ import annotations

import os
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import groupby, product
from random import Random
from statistics import median_low
from typing import Any
from unittest import mock

import numpy as np
import pytest
from conftest import bundled_program

from handcraft import Model, tag
from handcraft.claims.kinds import Each
from handcraft.files.bundled import bundled, by_hand
from handcraft.files.program_file import load_program, summary
from handcraft.sequence.expression import Expression

NIGHTLY = int(os.environ.get("SEQUENCE_EXAMPLES", "0")) >= 20_000
WHOLE = 10**6 if NIGHTLY else 2_000  # so many texts are all asked
DRAWN = 10_000 if NIGHTLY else 300  # of more, so many
LENGTHS = (5, 10, 20, 64)
NAMES = sorted(bundled().keys() - by_hand().keys())

# ---------------------------------------------------------------- what they should say

Oracle = Callable[[str], list[Any]]
ORACLES: dict[str, Oracle] = {}


def oracle(function: Oracle) -> Oracle:
    """A decorator: the function is what the program of its name says of a text."""
    ORACLES[f"sequence/{function.__name__}"] = function
    return function


def beginnings(text: str) -> Iterator[str]:
    """The text up to each of its positions."""
    return (text[: i + 1] for i in range(len(text)))


@oracle
def hist(text: str) -> list[Any]:
    return [text.count(t) for t in text]


@oracle
def nth(text: str) -> list[Any]:
    return [part.count(part[-1]) for part in beginnings(text)]


@oracle
def double_hist(text: str) -> list[Any]:
    counts = Counter(text)
    alike = Counter(counts.values())
    return [alike[counts[t]] for t in text]


@oracle
def distinct_so_far(text: str) -> list[Any]:
    return [len(set(part)) for part in beginnings(text)]


@oracle
def reverse(text: str) -> list[Any]:
    return list(text[::-1])


@oracle
def shift(text: str) -> list[Any]:
    return list("." + text[:-1])


@oracle
def rotate(text: str) -> list[Any]:
    return list(text[1:] + text[0])


@oracle
def swap(text: str) -> list[Any]:
    padded = text + "."
    return [padded[i ^ 1] for i in range(len(text))]


@oracle
def shuffle(text: str) -> list[Any]:
    found, middle = list(text), (len(text) + 1) // 2
    found[::2], found[1::2] = text[:middle], text[middle:]
    return list(found)


@oracle
def sort(text: str) -> list[Any]:
    return sorted(text)


@oracle
def sort_by_frequency(text: str) -> list[Any]:
    return sorted(text, key=text.count, reverse=True)


@oracle
def median(text: str) -> list[Any]:
    return [str(median_low(map(int, text)))] * len(text)


@oracle
def inversions(text: str) -> list[Any]:
    return [sum(u > t for u in text[:i]) for i, t in enumerate(text)]


@oracle
def sorted_so_far(text: str) -> list[Any]:
    return [int(list(part) == sorted(part)) for part in beginnings(text)]


@oracle
def most_frequent(text: str) -> list[Any]:
    return [Counter(text).most_common(1)[0][0]] * len(text)


@oracle
def leader(text: str) -> list[Any]:
    found = []
    for part in beginnings(text):
        a, b = part.count("a"), part.count("b")
        found.append("a" if a > b else "b" if b > a else "=")
    return found


@oracle
def running_max(text: str) -> list[Any]:
    return [max(part) for part in beginnings(text)]


@oracle
def least(text: str) -> list[Any]:
    return [min(text)] * len(text)


@oracle
def parity(text: str) -> list[Any]:
    return [sum(map(int, part)) % 2 for part in beginnings(text)]


@oracle
def sum_mod_3(text: str) -> list[Any]:
    return [sum(map(int, part)) % 3 for part in beginnings(text)]


@oracle
def carry(text: str) -> list[Any]:
    number = sum(int(t) << i for i, t in enumerate(text))
    return [number >> i & 1 for i in range(len(text))]


@oracle
def flip_flop(text: str) -> list[Any]:
    found, bit = [], "?"
    for t in text:
        bit = bit if t == "." else t
        found.append(bit)
    return list(found)


@oracle
def depth(text: str) -> list[Any]:
    return [part.count("(") - part.count(")") for part in beginnings(text)]


def verdict(part: str) -> str:
    """T, P or F, with a stack."""
    partner, stack = {")": "(", "}": "{"}, list[str]()
    for t in part:
        if t not in partner:
            stack.append(t)
        elif not stack or stack.pop() != partner[t]:
            return "F"
    return "P" if stack else "T"


@oracle
def balanced(text: str) -> list[Any]:
    return [verdict(part) for part in beginnings(text)]


@oracle
def dyck2(text: str) -> list[Any]:
    return [verdict(part) for part in beginnings(text)]


@oracle
def induction(text: str) -> list[Any]:
    found = []
    for part in beginnings(text):
        at = part[:-1].rfind(part[-1])
        found.append("?" if at < 0 else part[at + 1])
    return found


@oracle
def since(text: str) -> list[Any]:
    return [i - text.rfind(t, 0, i) for i, t in enumerate(text)]


@oracle
def first_position(text: str) -> list[Any]:
    return [text.index(t) for t in text]


@oracle
def run(text: str) -> list[Any]:
    return [k + 1 for _, run in groupby(text) for k, _ in enumerate(run)]


@oracle
def pattern(text: str) -> list[Any]:
    return [int(part.endswith("aba")) for part in beginnings(text)]


@oracle
def mirror(text: str) -> list[Any]:
    return [int(t == u) for t, u in zip(text, text[::-1], strict=True)]


@oracle
def palindrome(text: str) -> list[Any]:
    return [int(text == text[::-1])] * len(text)


@oracle
def rule110(text: str) -> list[Any]:
    following = {"111": 0, "100": 0, "000": 0}
    row = f"0{text}0"
    return [following.get(row[i : i + 3], 1) for i in range(len(text))]


# ---------------------------------------------------------------- the programs and their texts


@dataclass(frozen=True)
class Framed:
    """What a program file gives to `tag`."""

    e: Expression
    tokens: str
    n: int
    causal: bool = False

    def model(self, n: int, activation: Any = "gelu") -> Model:
        """The same for texts of up to n tokens."""
        return tag(
            self.e,
            tokens=self.tokens,
            n=n,
            causal=self.causal,
            activation=activation,
        ).build()


@cache
def framed(name: str) -> Framed:
    """The call of `tag` in a program file."""
    calls = []

    def recorded(e: Expression, **arguments: Any) -> Any:
        calls.append(Framed(e, **arguments))
        return tag(e, **arguments)

    with mock.patch("handcraft.tag", recorded):
        load_program(bundled()[name])
    (call,) = calls
    return call


def texts(tokens: str, n: int, whole: int, drawn: int) -> Iterable[str]:
    """Every text of 1 to n tokens where there are few enough; else corners and drawn ones, as many
    of each length, a third of them of two tokens only.
    """
    lengths = range(1, n + 1)
    if sum(len(tokens) ** k for k in lengths) <= whole:
        rows = (product(tokens, repeat=k) for k in lengths)
        return ["".join(letters) for row in rows for letters in row]
    random, found = Random(n), [*corners(tokens, n)]
    for i in range(drawn):
        some = random.sample(tokens, 2) if i % 3 == 0 else tokens
        found.append("".join(random.choices(some, k=i % n + 1)))
    return found


def corners(tokens: str, n: int) -> Iterator[str]:
    """One token; a full window of one token, with another one at an end, in order, and in turn."""
    yield from tokens
    cycle = (tokens * n)[:n]
    yield from (cycle, cycle[::-1])
    yield "".join(sorted(cycle))
    yield "".join(sorted(cycle, reverse=True))
    for t in tokens:
        yield t * n
    for t, u in zip(tokens, tokens[1:] + tokens[0], strict=True):
        yield from (t * (n - 1) + u, u + t * (n - 1))


# ---------------------------------------------------------------- asking the models


def margins(
    model: Model, answers: dict[str, list[Any]]
) -> Iterator[tuple[str, np.ndarray]]:
    """Texts of one length, and by how much the right answer leads at each of their positions."""
    lengths: defaultdict[int, list[str]] = defaultdict(list)
    for text in answers:
        lengths[len(text)].append(text)
    for length, group in lengths.items():
        size = 1 + 40_000 // length
        for first in range(0, len(group), size):
            some = group[first : first + size]
            yield from zip(some, _margins(model, some, answers), strict=True)


def _margins(
    model: Model, some: list[str], answers: dict[str, list[Any]]
) -> np.ndarray:  # [n_texts, n_seq]
    known = model.vocabulary.ids
    ids = np.array([[known[t] for t in f"^{text}"] for text in some])
    right = np.array([[known[str(x)] for x in answers[text]] for text in some])
    logits = model(ids)[:, 1:]  # [n_texts, n_seq, n_vocab]
    assert logits.dtype == np.float32
    wanted = np.take_along_axis(logits, right[..., None], -1)[..., 0]
    np.put_along_axis(logits, right[..., None], -np.inf, -1)
    return wanted - logits.max(-1)


def says_the_same(call: Framed, name: str, text: str) -> list[Any]:
    """The answers, on which the expression and the plain function agree."""
    expected = ORACLES[name](text)
    found = call.e.all(text, causal=call.causal)
    assert list(map(repr, found)) == list(map(repr, expected)), text
    return expected


def least_margin(name: str, n: int, asked: Iterable[str], *kinds: str) -> float:
    """The least margin of the models with these activations; 0 or less is a wrong answer."""
    call = framed(name)
    answers = {text: says_the_same(call, name, text) for text in asked}
    found = np.inf
    for kind in kinds:
        for text, row in margins(call.model(n, kind), answers):
            assert (row > 0).all(), (kind, text, row)
            found = min(found, float(row.min()))
    return found


# ---------------------------------------------------------------- the tests


def test_each_program_has_a_plain_function() -> None:
    """There are more than thirty, and a function of its own for each."""
    assert ORACLES.keys() == set(NAMES)
    assert len(NAMES) > 30


@pytest.mark.parametrize("name", NAMES)
def test_a_program_presents_itself(name: str) -> None:
    """It is called as its file, claims what its expression says at every position behind ^, says in
    one line what it does and then whose idea it was, and is a few lines long.
    """
    program, text = bundled_program(name), bundled()[name].read_text()
    assert f"sequence/{program.name}" == name
    assert program.source.file == f"programs/{name}.py"
    assert isinstance(program.claim, Each)
    assert program.claim.begin == "^"
    assert program.claim.causal == program.causal == framed(name).causal
    assert summary(bundled()[name]).endswith(".")
    assert "Source: " in text
    assert len(text.splitlines()) <= 26
    assert f"\n{program.name} = " in text


def test_no_program_hides_a_module_of_python() -> None:
    """While a program file runs, its folder is searched for modules first."""
    stems = {name.removeprefix("sequence/") for name in NAMES}
    assert not stems & sys.stdlib_module_names


@pytest.mark.parametrize("name", NAMES)
def test_a_model_answers_every_position(name: str) -> None:
    """On the corners and some drawn texts of up to ten tokens."""
    asked = texts(framed(name).tokens, 10, 0, 30)
    assert least_margin(name, 10, asked, "gelu") >= 1


@pytest.mark.parametrize("name", NAMES)
def test_a_program_compiles_for_long_texts(name: str) -> None:
    """Of 64 tokens: what each neuron reads is still known well enough."""
    assert framed(name).model(64).n_ctx == 65


@pytest.mark.slow
@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("name", NAMES)
def test_a_model_answers_every_text(name: str, n: int) -> None:
    """With gelu and with relu, on every text where there are up to 2,000, else on corners and 300
    drawn ones; every night where there are up to a million, else on 10,000.
    """
    asked = texts(framed(name).tokens, n, WHOLE, DRAWN)
    assert least_margin(name, n, asked, "gelu", "relu") >= 1
