"""Claims on texts of an alphabet behind a token: `each(..., begin=, alphabet=)`."""

from __future__ import annotations

import gc
import json
from itertools import product
from typing import Any

import pytest
from cli_runner import handcraft

from handcraft import each, tag, verify
from handcraft import write as written
from handcraft.claims.reference import Reference
from handcraft.core.errors import ProgramError
from handcraft.core.vocabulary import Vocabulary
from handcraft.files.program_file import program_in
from handcraft.program.contexts import count_domain, first_context, whole_texts
from handcraft.program.program import Program
from handcraft.sequence.columns import Columns, at_last_positions
from handcraft.sequence.words import (
    count,
    equal,
    fetch,
    indices,
    length,
    there,
    tokens,
    where,
)

HIST = count(there(tokens) == tokens)
BACKWARDS = fetch(tokens, length - 1 - indices)
VOCABULARY = Vocabulary(("^", "a", "b", "c"))
CLAIM = each(BACKWARDS, begin="^", alphabet="ab")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("^ab", (None, "b", "a")),
        ("^b", (None, "b")),
        ("^", (None,)),
        ("ab", (None, None)),
        ("^ac", (None, None, None)),
        ("^a^", (None, None, None)),
    ],
)
def test_it_speaks_of_its_texts_alone(
    text: str, said: tuple[str | None, ...]
) -> None:
    """The rule sees what follows `begin`; of other texts, and of `begin`, nothing is said."""
    assert Reference(CLAIM, VOCABULARY).each(text) == said


def test_a_function_sees_what_follows() -> None:
    """As an expression does."""
    seen: list[str] = []

    def shout(text: str) -> str:
        seen.append(text)
        return text

    claim = each(shout, begin="^", alphabet="ab")
    reference = Reference(claim, VOCABULARY)
    assert reference.each("^ab") == (None, "a", "b")
    assert reference.each("ab") == (None, None)
    assert seen == ["ab"]


def test_the_domain_is_counted_and_drawn() -> None:
    """2 + 4 + 8 texts of two letters in a window of four; each is drawn sooner or later."""
    assert count_domain(CLAIM, VOCABULARY, 4) == 14
    texts = {
        "^" + "".join(text)
        for n in (1, 2, 3)
        for text in product("ab", repeat=n)
    }
    seen = set[str]()

    def all_seen(drawn: list[str]) -> bool:
        seen.add("".join(drawn))
        return False

    first_context(whole_texts(CLAIM, VOCABULARY, 4), all_seen, 500)
    assert seen == texts


def off_by_one(program: Program) -> Program:
    """The program with a claim that is wrong about texts of three tokens."""
    wrong = where(equal(length, 3), 1, HIST)
    claim = tag(wrong, tokens="ab", n=4).claim
    return program.model_copy(
        update={
            "claim": claim,
            "vocabulary": program.vocabulary,
        }
    )


@pytest.mark.parametrize("method", ["exhaustive", "sampled"])
def test_each_method_finds_what_is_wrong(method: str) -> None:
    """A tagged program is right; with another claim the shortest wrong text is told."""
    program = tag(HIST, tokens="ab", n=4)
    right = verify(program, method=method)
    assert (right.verdict, right.contexts) == ("checked", 30)
    report = verify(off_by_one(program), method=method)
    assert report.verdict == "refuted"
    assert report.counterexample is not None
    assert len(report.counterexample.tokens) == 4


def test_it_is_written_and_read_again() -> None:
    """As JSON, as text and as its notation; `begin` and `alphabet` only where they are said."""
    data = json.loads(CLAIM.model_dump_json())
    assert (data["begin"], data["alphabet"]) == ("^", ["a", "b"])
    assert repr(CLAIM) == (
        "each(token_at((length - 1) - indices), begin='^', alphabet='ab')"
    )
    data = tag(HIST, tokens="ab", n=4).model_dump(mode="json")
    restored = Program.from_data(data)
    assert restored.claim == tag(HIST, tokens="ab", n=4).claim
    plain = json.loads(each(BACKWARDS).model_dump_json())
    assert not {"begin", "alphabet"} & plain.keys()
    program = tag(HIST, tokens="ab", n=4)
    assert program_in(written(program), "again").claim == program.claim


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alphabet": ""}, "takes the tokens of a text, such as 'ab' or"),
        ({"alphabet": 3}, "takes the tokens of a text, such as 'ab' or"),
        ({"alphabet": "aa"}, "'a' stands twice"),
        ({"begin": 3}, "must be a text, found 3"),
    ],
)
def test_what_is_no_alphabet(options: Any, message: str) -> None:
    with pytest.raises(ProgramError) as error:
        each(BACKWARDS, **options)
    assert message in error.value.message


def test_the_window_must_hold_a_text() -> None:
    """`begin` alone is no text."""
    program = tag(HIST, tokens="ab", n=4)
    slots = [slot for slot in program.embedding if not slot.positions]
    with pytest.raises(ProgramError) as error:
        Program(
            embedding=slots,
            claim=program.claim,
            vocabulary=program.vocabulary,
            n_ctx=1,
            causal=False,
        )
    assert error.value.path[-1] == "claim"
    wanted = "begin='^' leaves no room for a text in n_ctx 1"
    assert error.value.message == wanted


def test_the_card_says_which_texts(tmp_path: Any) -> None:
    """In words."""
    (tmp_path / "hist.py").write_text(
        "from handcraft import tag\n"
        "from handcraft.sequence.words import *\n"
        "program = tag(count(there(tokens) == tokens), tokens='ab', n=3)\n"
    )
    found = handcraft("verify", str(tmp_path / "hist.py"), "--json")
    assert found.code == 0
    assert json.loads(found.out)["contexts"] == 14


def test_what_is_known_of_texts_is_let_go() -> None:
    """Columns refer to each other, and wait for no search of such circles."""
    same = count(there(tokens) == tokens)
    gc.collect()
    gc.disable()
    try:
        found = at_last_positions(same, ["aba", "bbb"], {})
        left = sum(type(x) is Columns for x in gc.get_objects())
    finally:
        gc.enable()
    assert (found, left) == ([2, 3], 0)
