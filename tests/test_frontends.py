"""Frontends: the model says what the formalism says, which plain Python works out beside it."""

from __future__ import annotations

import builtins
import math
import re
from collections import Counter
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from conftest import Refused
from hypothesis import given
from hypothesis import strategies as st

from handcraft import Program
from handcraft.core.errors import MissingExtraError, ProgramError
from handcraft.core.gpt2 import Array, softmax
from handcraft.frontends import (
    from_automaton,
    from_markov,
    from_ngrams,
    from_regex,
    from_table,
)
from handcraft.proof import verify

SHAKESPEARE = (
    Path(__file__).parents[2] / "shared" / "data" / "tinyshakespeare.txt"
)
OWN = (
    "the cat sat on the mat; that hat is the cat's. " * 3
    + "at last the rat that sat there ate the hat."
)


def chances(program: Program, contexts: Sequence[Sequence[str]]) -> Array:
    """The model's next-token probabilities after contexts of one length: [n_contexts, n_vocab]."""
    ids = {t: i for i, t in enumerate(program.vocabulary)}
    return softmax(
        program.build()(
            np.array([[ids[t] for t in context] for context in contexts])
        )[:, -1].astype("float64")
    )


def counted(text: str, order: int) -> dict[str, Counter[str]]:
    """How often each character follows each context."""
    found: dict[str, Counter[str]] = {}
    for i in range(order, len(text)):
        found.setdefault(text[i - order : i], Counter())[text[i]] += 1
    return found


def cross_entropies(
    program: Program, text: str, order: int
) -> tuple[float, float]:
    """Mean nats a character: the model's, over the distinct contexts weighted by their counts,
    and the counts' own.
    """
    counts = counted(text, order)
    rows = chances(program, list(counts))
    column = {t: i for i, t in enumerate(program.vocabulary)}
    pairs = [
        (n, rows[i, column[t]], n / c.total())
        for i, c in enumerate(counts.values())
        for t, n in c.items()
    ]
    total = sum(n for n, _, _ in pairs)
    return tuple(
        -sum(n * math.log(pair[k]) for n, *pair in pairs) / total
        for k in (0, 1)
    )  # type: ignore[return-value]


# ---------------------------------------------------------------- chains and texts


def test_the_baby_gpt_sequence() -> None:
    """On 111101111011110 the probabilities are the empirical ones, and the 12 examples cost ln
    2 / 2 nats each.
    """
    text = "111101111011110"
    program = from_markov(text, 3)
    expected = {"111": (0.5, 0.5), "110": (0, 1), "101": (0, 1), "011": (0, 1)}
    assert counted(text, 3).keys() == expected.keys()
    assert (
        np.abs(chances(program, list(expected)) - list(expected.values())).max()
        < 1e-6
    )
    assert cross_entropies(program, text, 3) == pytest.approx(
        (math.log(2) / 2, math.log(2) / 2), abs=1e-6
    )
    report = verify(program.build())
    assert (report.verdict, report.checked) == ("proved", 4)
    assert report.max_probability_error < 1e-6


@given(st.integers(1, 3), st.sampled_from(["ab", "abc"]), st.integers(0, 2**30))
def test_a_markov_chain(order: int, letters: str, seed: int) -> None:
    """Every context of a chain gets its own probabilities, rare and impossible tokens included."""
    draw = Random(seed)
    rows = {
        "".join(c): [draw.choice([0, 1, 1, 5, 1000]) for _ in letters]
        for c in product(letters, repeat=order)
    }
    rows = {
        c: [n / sum(row) for n in row] for c, row in rows.items() if any(row)
    }
    chain = {
        c: dict(zip(letters, row, strict=True)) for c, row in rows.items()
    } or {"a" * order: {"a": 1.0}}
    program = from_markov(chain)
    found = chances(program, list(chain))
    expected = [
        [row.get(t, 0) for t in program.vocabulary] for row in chain.values()
    ]
    assert np.abs(found - expected).max() < 1e-6


def test_a_sequence_of_words() -> None:
    """Tokens may be longer than a character where the sequence is a list; the order is 1 where
    none is given.
    """
    words = ["to", "be", "or", "not", "to", "be", "that", "is"]
    program = from_markov(words)
    assert chances(program, [["be"]])[0] == pytest.approx(
        [{"or": 0.5, "that": 0.5}.get(t, 0) for t in program.vocabulary],
        abs=1e-6,
    )


@pytest.mark.parametrize("n", [2, 3, 4])
def test_ngrams_of_an_own_text(n: int) -> None:
    """The cross-entropy of an n-gram model on its text is the counts' own."""
    found, expected = cross_entropies(from_ngrams(OWN, n), OWN, n - 1)
    assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "nats"), [(2, 2.4519), (3, 1.9032)])
def test_ngrams_of_shakespeare(n: int, nats: float) -> None:
    """On the training part of tinyshakespeare it is the known one; where the file is absent,
    the own text stands in.
    """
    text = SHAKESPEARE.read_text() if SHAKESPEARE.exists() else OWN
    text = text[: len(text) * 9 // 10]
    program = from_ngrams(text, n)
    found, expected = cross_entropies(program, text, n - 1)
    assert found == pytest.approx(expected, abs=1e-3)
    assert expected == pytest.approx(nats, abs=1e-3) or not SHAKESPEARE.exists()
    assert set(program.build().generate("the ", 20)) <= set(text)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            lambda: from_markov({"a": {"a": 1}, "ab": {"a": 1}}),
            (
                "markov > chain: every context must have the same number of tokens,"
                " found 1, 2"
            ),
        ),
        (
            lambda: from_markov({}),
            (
                "markov > chain: every context must have the same number of tokens,"
                " found none"
            ),
        ),
        (
            lambda: from_markov({"": {"a": 1}}),
            (
                "markov > chain: every context must have the same number of tokens,"
                " found 0"
            ),
        ),
        (
            lambda: from_markov({"a": {"a": 0.5}}),
            (
                "log_probabilities > row: probabilities must not be negative and must sum to 1,"
                " found the sum 0.5"
            ),
        ),
        (
            lambda: from_markov("a"),
            "from_markov > order: a sequence of 1 tokens has no context of 1",
        ),
        (
            lambda: from_markov("abc", -1),
            "from_markov > order: a sequence of 3 tokens has no context of -1",
        ),
        (
            lambda: from_markov("abc", 3),
            "from_markov > order: a sequence of 3 tokens has no context of 3",
        ),
        (
            lambda: from_ngrams("abc", 1),
            "ngrams > n: n must be at least 2, found 1",
        ),
        (
            lambda: from_table({}),
            "table > table: the prompts must have one length, found none",
        ),
        (
            lambda: from_table({"": "a"}),
            "table > table: the prompts must have one length, found [0]",
        ),
        (
            lambda: from_table({"a": "b", "ab": "b"}),
            "table > table: the prompts must have one length, found [1, 2]",
        ),
        (
            lambda: from_table({"a": "bc"}),
            "table > table: an answer is one character, found 'bc'",
        ),
        (
            lambda: from_automaton({"q": {"a": "q"}}, "r"),
            "automaton > start: the start 'r' is not one of the states q",
        ),
        (
            lambda: from_automaton({"q": {"a": "r", "b": "q"}}, "q"),
            "automaton > delta: the state 'q' must go to a state on each of a, b",
        ),
        (
            lambda: from_automaton(
                {"q": {"a": "q", "b": "q"}, "r": {"a": "q"}}, "q"
            ),
            "automaton > delta: the state 'r' must go to a state on each of a, b",
        ),
        *(
            (
                lambda delta=delta, q=q: from_automaton(delta, q),
                (
                    f"automaton > delta: {name!r} cannot be a name: symbols are single"
                    " characters, and no name begins with another, ^ or ="
                ),
            )
            for name, q, delta in (
                ("ab", "q", {"q": {"ab": "q"}}),
                ("=", "q", {"q": {"=": "q"}}),
                ("^", "^", {"^": {"a": "^"}}),
                ("a", "a", {"a": {"a": "a"}}),
            )
        ),
    ],
)
def test_what_frontends_refuse(wrong: Any, message: str) -> None:
    """Each refusal names the frontend's argument and what was found."""
    with Refused(
        ProgramError, f"{message} ({__file__}:{wrong.__code__.co_firstlineno})"
    ):
        wrong()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: from_markov("abab", 0),
        lambda: from_automaton(
            {"ab": {"a": "ab", "b": "ab"}}, "ab"
        ),  # the word ab would be read as the state
        lambda: from_automaton(
            {"q": {"a": "qq"}, "qq": {"a": "q"}}, "q"
        ),  # qqq is two answers
        lambda: from_automaton({"q": {"a": "q"}}, "q", n_ctx=1),
        lambda: from_automaton(
            {"q": {"a": "q"}}, "q", n_ctx=1, scratchpad=False
        ),  # no layer, so ^ would be answered with ^
        lambda: from_automaton({"q": {}}, "q"),
        lambda: from_regex("(", "ab"),
        lambda: from_regex("abc", "ab"),
        lambda: from_regex("a", ""),
    ],
)
def test_what_has_no_meaning_is_a_program_error(wrong: Any) -> None:
    """Names with two meanings, windows that hold nothing and broken expressions are refused,
    never built or crashed on.
    """
    with pytest.raises(ProgramError):
        wrong()


# ---------------------------------------------------------------- automata


@st.composite
def automata(draw: Any) -> tuple[dict[str, dict[str, str]], str]:
    """Complete automata of up to four states and three symbols, and a start."""
    states = draw(
        st.sampled_from(
            [["q"], ["A", "B"], ["s0", "s1", "s2"], ["w", "x", "y", "z"]]
        )
    )
    symbols = draw(st.sampled_from(["a", "01", "abc"]))
    return {
        q: {x: draw(st.sampled_from(states)) for x in symbols} for q in states
    }, draw(st.sampled_from(states))


def after(delta: dict[str, dict[str, str]], state: str, word: str) -> list[str]:
    """The states of a run, the start first."""
    states = [state]
    for symbol in word:
        states.append(delta[states[-1]][symbol])
    return states


def drawn(delta: dict[str, dict[str, str]], n: int, seed: int = 0) -> list[str]:
    """Words of every length up to n."""
    return [
        "".join(
            Random(seed + k).choices(
                [*next(iter(delta.values()))], k=k % (n + 1)
            )
        )
        for k in range(3 * (n + 1))
    ]


@given(automata())
def test_an_automaton_step_by_step(
    machine: tuple[dict[str, dict[str, str]], str],
) -> None:
    """Each prompt is answered with every state of the run, then =."""
    model = from_automaton(*machine, n_ctx=14).build()
    for word in drawn(machine[0], 6):
        assert (
            model.generate(f"^{word}=")
            == "".join(after(*machine, word)[1:]) + "="
        )


@pytest.mark.parametrize("n_ctx", [2, 3, 8, 13])
@given(machine=automata())
def test_an_automaton_in_one_pass(
    n_ctx: int, machine: tuple[dict[str, dict[str, str]], str]
) -> None:
    """Each prompt is answered with the last state, in as many layers as the window has
    doublings.
    """
    program = from_automaton(*machine, n_ctx=n_ctx, scratchpad=False)
    assert len(program.layers) == math.ceil(math.log2(n_ctx))
    model = program.build()
    for word in drawn(machine[0], n_ctx - 1):
        assert model.generate(f"^{word}") == after(*machine, word)[-1]


def test_a_long_word_in_one_pass() -> None:
    """Six layers hold words of 63 symbols: parity."""
    model = from_automaton(
        {"e": {"0": "e", "1": "o"}, "o": {"0": "o", "1": "e"}},
        "e",
        n_ctx=64,
        scratchpad=False,
    ).build()
    words = ["".join(Random(k).choices("01", k=63)) for k in range(20)]
    assert [model.generate(f"^{word}") for word in words] == [
        "eo"[word.count("1") % 2] for word in words
    ]


PATTERNS = [
    "a*b",
    "(ab)*",
    "a|b",
    "(a|b)*abb",
    "a+b+a+",
    "a?b?a?b?",
    "((a|b)(a|b))*",
    "b",
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_regular_expression(pattern: str) -> None:
    """All words up to length 6 over ab are accepted exactly where Python's `re` matches them."""
    model = from_regex(pattern, "ab", n_ctx=7).build()
    for n in range(7):
        words = ["".join(word) for word in product("ab", repeat=n)]
        found = model(np.array([model.ids(f"^{word}") for word in words]))[
            :, -1
        ].argmax(axis=-1)
        accepted = [model.vocabulary.tokens[i].startswith("Y") for i in found]
        assert accepted == [
            re.fullmatch(pattern, word) is not None for word in words
        ]


def test_a_regular_expression_step_by_step() -> None:
    """With a scratchpad the states are written down; their first letters say which beginnings
    are accepted.
    """
    answer = (
        from_regex("(ab)*", "ab", n_ctx=12, scratchpad=True)
        .build()
        .generate("^abab=")
    )
    assert re.sub(r"\d+", "", answer) == "NYNY="


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the automaton library is not installed, the message names the extra that brings it."""
    real = builtins.__import__

    def absent(name: str, *rest: Any) -> Any:
        if name.startswith("automata"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", absent)
    with Refused(
        MissingExtraError,
        "from_regex needs the extra `regex`: pip install 'handcraft[regex]'",
    ):
        from_regex("a", "a")


# ---------------------------------------------------------------- finite functions


@given(
    st.integers(1, 4).flatmap(
        lambda n: st.dictionaries(
            st.text("abc-", min_size=n, max_size=n),
            st.sampled_from("abxy."),
            min_size=1,
        )
    )
)
def test_a_finite_function(table: dict[str, str]) -> None:
    """Every prompt of the table has its answer, and the claim speaks of no other."""
    program = from_table(table)
    model = program.build()
    assert {prompt: model.generate(prompt) for prompt in table} == table
    report = verify(model)
    assert (report.accuracy, report.checked) == (1.0, len(table))
