"""The declared claims of the bundled programs against plain Python functions, written without
the claims' language.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice, pairwise
from random import Random

import pytest
from conftest import BUNDLED, bundled_program

from handcraft.claims.kinds import Predicate, Residual
from handcraft.claims.prompt_claim import Answers
from handcraft.claims.reference import Reference
from handcraft.core.vocabulary import Vocabulary

LETTERS = "abcdefghijklmnopqrstuvwxyz"


# ---------------------------------------------------------------- words


def most_frequent_follower(prompt: str) -> str:
    """The letter that has followed the last one most often, the first of equals; ^ where none
    has.
    """
    followers = [b for a, b in pairwise(prompt[1:]) if a == prompt[-1]]
    return max(LETTERS, key=followers.count) if followers else "^"


def two_hops(prompt: str) -> str:
    """The letter that the letter points to that the last one points to, or ? where there is
    none.
    """
    pairs, asked = prompt[:-2], prompt[-1]
    to = {pairs[i]: pairs[i + 1] for i in range(0, len(pairs), 2)}
    return to.get(to.get(asked, "?"), "?")


def balanced(prompt: str) -> str:
    """Y where no closing bracket comes too early and none is missing."""
    word = prompt[1:-1]
    while "()" in word:
        word = word.replace("()", "")
    return "N" if word else "Y"


def equal_runs(prompt: str) -> str:
    """Y where there are as many a as b as c, in this order."""
    n = len(prompt[1:-1]) // 3
    return "Y" if prompt[1:-1] == "a" * n + "b" * n + "c" * n else "N"


def shifted(prompt: str) -> str:
    """Every letter of the word, shifted by the key."""
    ten = "abcdefghij"
    return "".join(
        ten[(ten.index(x) + ten.index(prompt[1])) % 10] for x in prompt[2:-1]
    )


# ---------------------------------------------------------------- numbers


def sum_of_two(prompt: str) -> str:
    """The digits of the sum, the least first."""
    return f"{sum(map(int, prompt[:-1].split('+'))):011d}"[::-1]


def fizzbuzz(prompt: str) -> str:
    """The word for the number."""
    n = int(prompt[1:-1])
    return "Fizz" * (n % 3 == 0) + "Buzz" * (n % 5 == 0) or "Number"


def luhn(prompt: str) -> str:
    """The digit that makes the Luhn sum a multiple of 10."""
    changed = (
        sum(map(int, str(2 * int(d)))) if i % 2 == 0 else int(d)
        for i, d in enumerate(prompt[1:-1])
    )
    return str(-sum(changed) % 10)


def nim(prompt: str) -> str:
    """The first heap from which something can be taken so that the exclusive or becomes zero,
    and how much; else -.
    """
    heaps = dict(zip("ABC", map(int, prompt[1:4]), strict=True))
    for name, size in heaps.items():
        for taken in range(1, size + 1):
            a, b, c = {**heaps, name: size - taken}.values()
            if a ^ b ^ c == 0:
                return f"{name}{taken}"
    return "-"


# ---------------------------------------------------------------- machines


def states(delta: dict[str, dict[str, str]], word: str) -> str:
    """The states of an automaton after the first, which is named first."""
    at, seen = next(iter(delta)), ""
    for symbol in word:
        at = delta[at][symbol]
        seen += at
    return seen


BY_FIVE = {
    "ABCDE"[i]: {bit: "ABCDE"[(2 * i + int(bit)) % 5] for bit in "01"}
    for i in range(5)
}
PERMUTATIONS = {
    "P": {"a": "Q", "b": "Q", "r": "P"},
    "Q": {"a": "P", "b": "R", "r": "P"},
    "R": {"a": "R", "b": "P", "r": "P"},
}


def counted(row: str) -> str:
    """The next three numbers, modulo 256, least bit first."""
    return "".join(
        f"{(int(row[::-1], 2) + i) % 256:08b}"[::-1] for i in (1, 2, 3)
    )


def rule110(row: str) -> str:
    """The next five rows."""
    rows = [row]
    for _ in range(5):
        old = rows[-1]
        rows.append(
            "".join(
                str(110 >> int(old[i - 1] + old[i] + old[(i + 1) % 16], 2) & 1)
                for i in range(16)
            )
        )
    return "".join(rows[1:])


def subleq(start: str) -> str:
    """The next six states."""
    pc, cells, seen = int(start[0]), [int(d) for d in start[1:]], ""
    for _ in range(6):
        a, b, c = (cells[(pc + i) % 8] for i in range(3))
        cells[b] = (cells[b] - cells[a]) % 8
        pc = c if cells[b] in (0, 4, 5, 6, 7) else (pc + 3) % 8
        seen += "".join(map(str, [pc, *cells]))
    return seen


def closed(prompt: str) -> str:
    """The partners of the brackets that are still open, the last one first."""
    stack: list[str] = []
    for bracket in prompt[1:-1]:
        if bracket in ")}]":
            stack.pop()
        else:
            stack.append({"(": ")", "{": "}", "[": "]"}[bracket])
    return "".join(reversed(stack)) + "$"


def mirrored(prompt: str) -> str:
    """Y where the second word is the first reversed."""
    first, second = prompt[1:-1].split("#")
    return "Y" if first == second[::-1] else "N"


ANSWERS: dict[str, Callable[[str], str]] = {
    "adder": sum_of_two,
    "anbncn": equal_runs,
    "brackets": closed,
    "automaton": lambda prompt: ("P" + states(PERMUTATIONS, prompt[1:]))[-1],
    "caesar": lambda prompt: shifted(prompt) + "=",
    "copy": lambda prompt: prompt[1:],
    "count_letter": lambda prompt: str(prompt[1:-2].count(prompt[-1])),
    "counter": counted,
    "dfa": lambda prompt: states(BY_FIVE, prompt[1:-1]) + "=",
    "dyck1": balanced,
    "fizzbuzz": fizzbuzz,
    "flip_flop": lambda prompt: prompt[prompt.rindex("w") + 1],
    "greatest": max,
    "in_context_bigram": most_frequent_follower,
    "luhn": luhn,
    "majority": lambda prompt: max(LETTERS, key=prompt.count),
    "nim": lambda prompt: nim(prompt) + "$",
    "palindrome": mirrored,
    "parity": lambda prompt: str(prompt.count("1") % 2),
    "reverse": lambda prompt: prompt[-2::-1],
    "rule110": rule110,
    "sort": lambda prompt: "".join(sorted(prompt[1:-1])) + "$",
    "sort_numbers": lambda prompt: (
        "".join(sorted(re.findall("..", prompt[1:-1]))) + "$"
    ),
    "subleq": subleq,
    "times": lambda prompt: (
        f"{7 * int(prompt[1:-1]):0{len(prompt) - 1}d}"[::-1] + "="
    ),
    "two_hop": two_hops,
}


def test_every_bundled_claim_is_declared() -> None:
    """What a bundled program claims is data, and each claim that computes is compared with a
    function here.
    """
    claims = {name: bundled_program(name).claim for name in BUNDLED}
    assert all(
        claim is not None and claim.declared for claim in claims.values()
    )
    assert {
        name for name, claim in claims.items() if isinstance(claim, Answers)
    } == set(ANSWERS)
    assert {
        name
        for name, claim in claims.items()
        if isinstance(claim, Predicate | Residual)
    } == {"induction", "causal_mean"}


@pytest.mark.parametrize("name", ANSWERS)
def test_declared_answers_are_what_a_function_says(name: str) -> None:
    """On every prompt where there are at most a thousand, else on the shortest and on drawn
    ones.
    """
    program = bundled_program(name)
    claim, vocabulary, random = (
        program.claim,
        Vocabulary(program.vocabulary),
        Random(2025),
    )
    assert isinstance(claim, Answers)
    language = claim.language(program.n_ctx, vocabulary)
    prompts = (
        list(language)
        if language.size <= 1000
        else [
            *islice(language, 100),
            *(language.draw(random) for _ in range(300)),
        ]
    )
    for prompt in prompts:
        assert "".join(
            claim.expected(prompt, vocabulary, program.n_ctx)
        ) == ANSWERS[name](prompt), prompt


@pytest.mark.parametrize("letters", ["ab", "abcdef", LETTERS])
def test_the_claim_of_induction(letters: str) -> None:
    """After the latest earlier occurrence of the last letter, or silence where there is none."""
    program, random = bundled_program("induction"), Random(2025)
    reference = Reference(program.claim, Vocabulary(program.vocabulary))  # type: ignore[arg-type]
    for n in range(1, 65):
        text = "".join(random.choices(letters, k=n))
        found = text.rfind(text[-1], 0, -1)
        assert reference(text) == (text[found + 1] if found >= 0 else None)


def test_the_claim_of_causal_mean() -> None:
    """The mean of the digits so far."""
    program, random = bundled_program("causal_mean"), Random(2025)
    reference = Reference(program.claim, Vocabulary(program.vocabulary))  # type: ignore[arg-type]
    for n in range(1, 65):
        text = "".join(random.choices("0123456789", k=n))
        assert reference(text) == sum(map(int, text)) / n
