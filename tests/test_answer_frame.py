"""Expressions in the frame of answers: ^x= goes on with echoes of x, the values, and a stop."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
from answer_programs import ANSWERED
from cli_runner import handcraft

from handcraft import Model, Program, answer, verify, write
from handcraft.core.decoding import continue_together
from handcraft.core.errors import ProgramError, PromptError
from handcraft.language.slot_tables import MAX_N_CTX
from handcraft.sequence import (
    below,
    count,
    fetch,
    first,
    indices,
    length,
    lookup,
    map_,
    there,
    tokens,
)
from handcraft.sequence.expression import Expression

reverse, hist = ANSWERED["reverse"][0], ANSWERED["hist"][0]
sort = ANSWERED["sort"][0]


def drawn(alphabet: str, n: int, many: int = 30) -> list[str]:
    """Texts of lengths spread evenly, and the corners: one token, all equal, the full window."""
    random = Random(n)
    texts = [
        "".join(random.choices(alphabet, k=1 + i % n)) for i in range(many)
    ]
    return [*texts, alphabet[0], alphabet[-1] * n, (alphabet * n)[:n]]


def decoded(model: Model, texts: list[str]) -> list[list[str]]:
    """The tokens that follow ^x=, greedily, up to the stop token."""
    ids, names = model.vocabulary.ids, model.vocabulary.tokens
    prompts = [[ids[t] for t in ("^", *text, "=")] for text in texts]
    rooms = [model.n_ctx + 1 - len(prompt) for prompt in prompts]
    new = continue_together(
        model.weights, prompts, rooms, stop=ids["$"], **model.config
    )
    return [[names[i] for i in tokens] for tokens in new]


def expected(name: str, text: str) -> list[str]:
    """The echoes, the answer of plain Python, and the stop token."""
    _, _, echoes, meaning = ANSWERED[name]
    return [*f"{text}=" * echoes, *map(str, meaning(text)), "$"]


# ---------------------------------------------------------------- what is answered


@pytest.mark.parametrize("activation", ["gelu", "relu"])
@pytest.mark.parametrize("name", ANSWERED)
def test_greedy_decoding_gives_echoes_answer_and_stop(
    name: str, activation: Any
) -> None:
    """From the prompt alone, at every position, for texts of every length."""
    e, alphabet, _, _ = ANSWERED[name]
    model = answer(e, tokens=alphabet, n=7, activation=activation).build()
    texts = drawn(alphabet, 7)
    assert decoded(model, texts) == [expected(name, text) for text in texts]


@pytest.mark.parametrize("name", ANSWERED)
def test_the_claim_says_the_same_as_plain_python(name: str) -> None:
    """The whole continuation is claimed, by an expression, echoes and stop token included."""
    e, alphabet, _, _ = ANSWERED[name]
    program = answer(e, tokens=alphabet, n=5)
    claim, vocabulary = program.claim, program.vocabulary
    assert claim.declared
    model = program.build()
    for text in drawn(alphabet, 5, 6):
        said = claim.expected(f"^{text}=", model.vocabulary, program.n_ctx)
        assert list(said) == expected(name, text)
    assert vocabulary[0] == "^"


LARGEST = {
    "reverse": 2_000,
    "hist": 3_600,
    "most_frequent": 6_500,
    "double_hist": 11_000,
    "depth": 3_500,
    "sort": 60_000,
    "sort_by_frequency": 95_000,
}


@pytest.mark.parametrize("name", LARGEST)
def test_sizes_at_20_tokens(name: str) -> None:
    """Dense parameters of the form that answers 20 tokens; and it answers them rightly."""
    e, alphabet, _, _ = ANSWERED[name]
    model = answer(e, tokens=alphabet, n=20).build()
    assert model.parameters["dense"] <= LARGEST[name]
    texts = drawn(alphabet, 20, 8)
    assert decoded(model, texts) == [expected(name, text) for text in texts]


def test_every_text_of_three_letters() -> None:
    """Enumeration holds every prompt to the claim."""
    program = answer(sort, tokens="abc", n=3)
    found = verify(program.build(), method="exhaustive")
    assert (found.verdict, found.accuracy) == ("checked", 1.0)


def test_another_claim_is_refuted() -> None:
    """A model that reverses does not copy."""
    program = answer(reverse, tokens="ab", n=3)
    copies = answer(tokens, tokens="ab", n=3).claim
    assert verify(program.build(), claim=copies).verdict == "refuted"


# ---------------------------------------------------------------- model.answer, and run


def test_a_text_alone_is_answered_without_echoes() -> None:
    """model.answer takes the text or the whole prompt; generate gives all that follows a prompt."""
    model = answer(sort, tokens="0123456789", n=5).build()
    assert model.answer("30142") == "01234"
    assert model.answer(["^21=", "9", ["1", "0"]]) == ["12", "9", "01"]
    assert model.generate("^21=") == "21=12$"


def test_a_built_directory_answers_alike(tmp_path: Path) -> None:
    """The frame is stored with the claim, and written in a program file."""
    program = answer(sort, tokens="abc", n=4, name="sort")
    program.build().save(tmp_path / "sort")
    again = Model.load(tmp_path / "sort")
    assert again.answer("cab") == "abc"
    assert again.program == program
    assert "framed=('^', '=', 1)" in write(program).replace('"', "'")


def test_run_prints_the_answer_of_a_text(tmp_path: Path) -> None:
    """A whole prompt is continued, as ever."""
    answer(sort, tokens="abc", n=4, name="sort").build().save(tmp_path / "s")
    assert handcraft("run", str(tmp_path / "s"), "cab").out == "abc\n"
    assert handcraft("run", str(tmp_path / "s"), "^cab=").out == "cab=abc$\n"


def test_what_is_no_text_of_the_frame() -> None:
    """The error is that of the prompt which would have been asked."""
    model = answer(reverse, tokens="ab", n=2).build()
    with pytest.raises(PromptError, match="'\\^abab=' is not a prompt of"):
        model.answer("abab")
    with pytest.raises(PromptError, match="no token matches 'c'"):
        model.answer("c")


# ---------------------------------------------------------------- echoes, signs, undefined


def test_more_echoes_can_be_asked_for() -> None:
    """Not fewer than the selections need."""
    model = answer(reverse, tokens="ab", n=3, echoes=2).build()
    assert model.generate("^aab=") == "aab=aab=baa$"
    with pytest.raises(ProgramError) as found:
        answer(sort, tokens="ab", n=3, echoes=0)
    assert found.value.message == (
        "takes a whole number, at least 1 for this expression, found 0"
    )


def test_a_causal_expression_is_computed_where_the_text_stands() -> None:
    """Each position sees the ones up to itself only."""
    model = answer(hist, tokens="ab", n=4, causal=True).build()
    assert model.answer("abaa") == "1123"


def test_what_is_undefined_has_a_token_of_its_own() -> None:
    """Only where an answer can be undefined is there such a token."""
    following = fetch(tokens, there(indices) == indices + 1)
    model = answer(following, tokens="ab", n=3).build()
    assert model.answer("abb") == "bb?"
    other = answer(following, tokens="ab", n=3, undefined="-").build()
    assert other.answer("abb") == "bb-"
    assert "?" not in answer(sort, tokens="ab", n=3).vocabulary


def test_other_signs() -> None:
    """An alphabet that has ^ = $ needs others."""
    signs = {"begin": "<", "separator": ">", "stop": "."}
    program = answer(reverse, tokens="^=$", n=3, **signs)
    model = program.build()
    assert model.generate("<^=>") == "=^."
    assert model.answer("$^") == "^$"


WIDE = (
    "a text of 1,000,000 tokens and its answer need a window of 2,000,002, and"
    f" {MAX_N_CTX:,} is the most; at most {MAX_N_CTX // 2 - 1:,} would fit"
)


@pytest.mark.parametrize(
    ("argument", "value", "message"),
    [
        (
            "begin",
            "a",
            "'a' is a token of the text as well; pass another token",
        ),
        ("separator", "^", "'^' is begin= as well; pass another token"),
        ("stop", "", "takes a token, found ''"),
        (
            "stop",
            "ab",
            "'ab' would be read where 'a' and 'b' stand; pass another token",
        ),
        ("tokens", "aa", "the token 'a' stands twice"),
        (
            "tokens",
            ["a", "b="],
            "'=' would be read in the token 'b='; pass another token",
        ),
        (
            "tokens",
            3,
            "takes the tokens of a text, such as 'ab' or ['a', 'b']",
        ),
        ("n", 0, "takes the most tokens of a text, at least 1, found 0"),
        (
            "n",
            10**6,
            WIDE,
        ),
        (
            "e",
            "tokens",
            "takes an expression of handcraft.sequence.words, found str 'tokens'",
        ),
    ],
)
def test_bad_arguments(argument: str, value: Any, message: str) -> None:
    """One error each, which says what was found and what would work."""
    given: dict[str, Any] = {"e": reverse, "tokens": "ab", "n": 3}
    with pytest.raises(ProgramError) as found:
        answer(**{**given, argument: value})
    assert found.value.message == message


def test_an_answer_that_a_text_would_hide() -> None:
    """Of digits and numbers that are answers, a text could not be told apart."""
    with pytest.raises(ProgramError) as found:
        answer(hist, tokens="01", n=10)
    assert found.value.message == (
        "'10' would be read where '1' and '0' stand; give the answers other names, with"
        " map_() around the expression"
    )
    letters = map_("abcdefghijk".__getitem__, hist, over=range(11))
    model = answer(letters, tokens="01", n=10).build()
    assert model.answer("0010") == "ddbd"


# ---------------------------------------------------------------- selections, one by one

MORE: dict[str, tuple[Expression, str, Any]] = {
    "length": (length, "ab", lambda x: [len(x)] * len(x)),
    "first a": (
        first(there(tokens) == "a"),
        "ab",
        lambda x: ["?" if "a" not in x else x.index("a")] * len(x),
    ),
    "others": (
        count(~(there(tokens) == tokens)),
        "abc",
        lambda x: [sum(t != u for u in x) for t in x],
    ),
    "constant": (
        lookup({"a": "x", "b": "x"}, tokens),
        "ab",
        lambda x: "x" * len(x),
    ),
    "one number": (
        below(count(there(indices) < indices), -1),
        "ab",
        lambda x: [0] * len(x),
    ),
    "a length at the keys": (
        count(there(length) == indices + 2),
        "ab",
        lambda x: [len(x) if i + 2 == len(x) else 0 for i in range(len(x))],
    ),
}


@pytest.mark.parametrize("name", MORE)
def test_other_selections(name: str) -> None:
    """Every kind of selection is answered as plain Python does."""
    e, alphabet, meaning = MORE[name]
    program: Program = answer(e, tokens=alphabet, n=4)
    model = program.build()
    echoes = program.claim.framed[2]
    for text, said in zip(
        drawn(alphabet, 4), decoded(model, drawn(alphabet, 4)), strict=True
    ):
        right = [*f"{text}=" * echoes, *map(str, meaning(text)), "$"]
        assert said == right
