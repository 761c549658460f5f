"""Claims on every position of a text: `each`, and what authors see of it."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from cli_runner import handcraft
from conftest import Refused, claiming
from reversing import (
    BOTH,
    EXHAUSTIVE,
    SAMPLED,
    aaaa,
    backwards,
    reverse,
    wrong_places,
)

from handcraft import Head, Program, after, answers, each, last, position, token
from handcraft.claims.kinds import Each
from handcraft.claims.reference import Reference
from handcraft.core.errors import CheckpointError, ProgramError
from handcraft.core.vocabulary import Vocabulary
from handcraft.proof import verify
from handcraft.proof.certificate_files import certify, check_certificate
from handcraft.proof.checker.certificate import claim_hash
from handcraft.proof.enumerate.checkpoint import Book
from handcraft.proof.enumerate.units import Units, Work
from handcraft.sequence.words import own
from handcraft.testing import assert_accurate

# ---------------------------------------------------------------- each


@BOTH
def test_a_right_tagger_is_checked(how: dict[str, Any]) -> None:
    """Reverse over four positions: every position of every text, or of those that were drawn;
    the text counts as one context.
    """
    model = reverse().build()
    assert wrong_places(model, backwards) == []
    report = verify(model, **how)
    assert (report.verdict, report.accuracy, report.exit_code) == (
        "checked",
        1.0,
        0,
    )
    assert report.checked == report.contexts <= 340
    assert report.contexts == 340 or how is SAMPLED
    assert report.min_margin == pytest.approx(8)


@BOTH
def test_aaaa_is_not_the_reverse_of_abcd(how: dict[str, Any]) -> None:
    """A model that is right at the last position only is refuted, with the shortest text and
    its first wrong position.
    """
    model = aaaa().build()
    assert wrong_places(model, backwards)[0] == ("ab", 0)
    report = verify(model, **how)
    assert (report.verdict, report.exit_code) == ("refuted", 1)
    assert report.counterexample is not None
    found = report.counterexample
    assert found.tokens[0] != found.tokens[1]
    assert (len(found.tokens), found.position, found.expected, found.got) == (
        2,
        0,
        found.tokens[1],
        found.tokens[0],
    )
    assert "".join(found.tokens) == "ab" or how is SAMPLED


def test_a_text_is_right_where_all_of_it_is() -> None:
    """Accuracy counts whole texts: a single wrong position makes one wrong, and the margin is
    the least of any position.
    """
    model = aaaa().build()
    places = wrong_places(model, backwards)
    report = verify(model, **EXHAUSTIVE)
    assert report.accuracy == pytest.approx(
        1 - len({text for text, _ in places}) / 340
    )
    assert len(places) > len({text for text, _ in places})
    assert (
        report.min_margin,
        report.min_margin_at,
        report.min_margin_position,
    ) == (
        -10,
        ["a", "b"],
        0,
    )


def test_none_is_silence_at_a_position() -> None:
    """Where a claim says None nothing is asked; a text with nothing else counts as one where
    the claim is silent.
    """
    report = verify(
        aaaa(each(lambda text: [None] * (len(text) - 1) + [text[0]])).build(),
        **EXHAUSTIVE,
    )
    assert (report.verdict, report.checked) == ("checked", 340)
    report = verify(
        aaaa(
            each(
                lambda text: [
                    None if token != "a" else text[0] for token in text
                ]
            )
        ).build(),
        **EXHAUSTIVE,
    )
    speaks = sum(
        "a" in text
        for n in range(1, 5)
        for text in itertools.product("abcd", repeat=n)
    )
    assert (report.verdict, report.contexts, report.checked) == (
        "checked",
        340,
        speaks,
    )
    report = verify(
        aaaa(each(lambda text: [None] * len(text))).build(), **EXHAUSTIVE
    )
    assert (report.verdict, report.reason) == (
        "unknown",
        "the claim is silent on every context that was checked",
    )


@BOTH
def test_each_of_a_causal_model(how: dict[str, Any]) -> None:
    """A causal model is held to it, too: copying the token before is right, and naming the one
    behind it cannot be.
    """
    p, ab = position(5), token("ab")
    copy = Head(query=1024 * p.previous, value=ab, adds=1024 * ab)
    right = each(lambda text: [None, *text[:-1]])
    assert (
        verify(
            Program(embedding=(p, ab), layers=(copy,), claim=right).build(),
            **how,
        ).verdict
        == "checked"
    )
    report = verify(
        Program(
            embedding=(p, ab),
            layers=(copy,),
            claim=each(lambda text: [*text[1:], None]),
        ).build(),
        **how,
    )
    assert report.verdict == "refuted"
    assert report.counterexample is not None
    assert (
        len(report.counterexample.tokens),
        report.counterexample.position,
    ) == (2, 0)


def test_each_is_never_proved() -> None:
    """It is a function: what a function decides is checked only, of causal models as well."""
    p, ab = position(3), token("ab")
    program = Program(embedding=(p, ab), claim=each(lambda text: text))
    report = verify(program.build())
    assert (report.verdict, report.method) == ("checked", "exhaustive")
    assert (
        report.reason
        == "not proved: the claim is the Python function '<lambda>'; what a function"
        " decides is not proved"
    )


def test_no_certificate_serves_it(tmp_path: Path) -> None:
    """A proof of another claim, with the hash of this one written over its own, is rejected by
    the checker.
    """
    p, ab = position(3), token("ab")
    right, tagged = (
        Program(name="same", embedding=(p, ab), claim=claim).build()
        for claim in (own, each(lambda text: text))
    )
    assert (
        certify(right, tmp_path / "proof.json", lambda *_: None).verdict
        == "proved"
    )
    data = json.loads((tmp_path / "proof.json").read_text())
    (tmp_path / "proof.json").write_text(
        json.dumps(data | {"claim": claim_hash(tagged)})
    )
    report = check_certificate(tagged, tmp_path / "proof.json")
    assert (report.verdict, report.exit_code) == ("rejected", 1)


def test_tokens_that_are_longer_come_as_a_tuple() -> None:
    """Where a token is more than one character the function sees a tuple and answers with a
    sequence of tokens.
    """
    seen = []

    def same(text: Any) -> Any:
        seen.append(text)
        return list(text)

    program = Program(
        embedding=(position(2), token(["a", "bc"])),
        claim=each(same),
        causal=False,
    )
    assert verify(program.build(), **EXHAUSTIVE).verdict == "checked"
    assert set(seen) == {
        ("a",),
        ("bc",),
        ("a", "a"),
        ("a", "bc"),
        ("bc", "a"),
        ("bc", "bc"),
    }


POSITIONS = "it must return a token or None for each position"
FORM = "it must return a text or a list: a token or None for each position"
EACH = "it must return one of the tokens 'a', 'b', 'c', 'd', or None for each position"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("", f"'' on the text 'a'; {POSITIONS}: 1, not 0"),
        (
            ["a", "b"],
            f"['a', 'b'] of type list on the text 'a'; {POSITIONS}: 1, not 2",
        ),
        ("e", f"'e' on the text 'a'; {EACH}"),
        ([0], f"0 on the text 'a'; {EACH}"),
        (None, f"None on the text 'a'; {FORM}"),
        (7, f"7 on the text 'a'; {FORM}"),
        ({"a": 1}, f"{{'a': 1}} of type dict on the text 'a'; {FORM}"),
    ],
)
@BOTH
def test_an_answer_that_is_none_is_an_error(
    said: Any, message: str, how: dict[str, Any]
) -> None:
    """One token a position: another length, an unknown token or another kind of value is told
    with the context.
    """
    claim = each(lambda text: said if text == "a" else text)
    found = f"the function '<lambda>' returned {message} ({claim.source})"
    with Refused(ProgramError, f"reverse > claim: {found}"):
        verify(reverse(claim).build(), **how)


def test_a_text_for_longer_tokens_is_an_error() -> None:
    """A text could be split in more than one way where tokens have several lengths: a sequence
    cannot.
    """
    reference = Reference(each("".join), Vocabulary(("a", "b", "ab")))
    with Refused(
        ProgramError,
        "claim: the function 'join' returned 'ab' on the text ('a', 'b'); it must return"
        " a list: a token or None for each position",
    ):
        reference.each(("a", "b"))


def test_what_each_and_last_do_not_take() -> None:
    """`each` takes a function or an expression; `last` takes what speaks of contexts."""
    with pytest.raises(
        ProgramError,
        match=r"each > function: takes a function or an expression, found int 7",
    ):
        each(7)  # type: ignore[arg-type]
    with pytest.raises(
        ProgramError,
        match="each > causal: is for an expression; a function sees the whole text",
    ):
        each(backwards, causal=True)
    with pytest.raises(
        ProgramError, match="each > causal: must be True or False, found 'no'"
    ):
        each(own, causal="no")  # type: ignore[arg-type]
    with pytest.raises(
        ProgramError,
        match="last: takes a claim on contexts or a function, found each",
    ):
        last(each(backwards))  # type: ignore[arg-type]
    with pytest.raises(
        ProgramError,
        match="last: takes a claim on contexts or a function, found answers",
    ):
        last(answers("a", {"a": "b"}))  # type: ignore[arg-type]
    with pytest.raises(
        ProgramError,
        match=r"last: a claim is a table .*, or a function of the context; found int 7",
    ):
        last(7)  # type: ignore[arg-type]


def test_it_serialises_by_name() -> None:
    """A built directory holds the function's name; the program file beside it holds what it
    says.
    """
    program = reverse()
    data = json.loads(program.model_dump_json())
    assert data["claim"] | {"source": ""} == {
        "kind": "each",
        "function": "backwards",
        "causal": False,
        "source": "",
    }
    read = Program.from_data(data)
    assert isinstance(read.claim, Each)
    assert read == program
    with pytest.raises(
        ProgramError, match="which a built directory does not hold"
    ):
        verify(read.build())


# ---------------------------------------------------------------- what authors see


FILE = """
from handcraft import *
at, t = position(4, pp=lambda i: i * i), token("abcd")
query, key = {at["pp"]: -128}, {at["pp"]: at["pp"]}
first = Head(query=query, key=key, value=t, adds=9 * t, scores="exact")
claim = each(lambda text: text[::-1])
program = Program(embedding=(at, t), layers=(first,), claim=claim, causal=False)
"""


def test_the_report_names_the_position(tmp_path: Path) -> None:
    """The terminal says where in the text, and shows what the rules gave there; the JSON has it
    where there is one.
    """
    (tmp_path / "aaaa.py").write_text(FILE)
    result = handcraft("verify", "aaaa.py", cwd=tmp_path)
    assert (result.code, result.err) == (1, "")
    assert (
        "  wrong at position 0 of 'ab': expected 'b', got 'a' (margin -10)"
        in result.lines
    )
    assert not any("least margin" in line for line in result.lines)
    assert "what each rule gave to the logits after '0 a'" in result.lines
    found = handcraft("verify", "aaaa.py", "--json", cwd=tmp_path)
    assert (found.code, found.json["counterexample"]) == (
        1,
        {
            "tokens": ["a", "b"],
            "expected": "b",
            "got": "a",
            "margin": -10.0,
            "position": 0,
        },
    )
    causal = verify(claiming(after({"aa": "a"})).build()).to_json()
    assert "position" not in causal["counterexample"]
    assert "min_margin_position" not in causal


def test_the_assertion_names_the_position() -> None:
    """`assert_accurate` judges as `verify` does, and shows the logits where they are wrong."""
    assert_accurate(reverse())
    with pytest.raises(AssertionError) as caught:
        assert_accurate(aaaa())
    lines = str(caught.value).splitlines()
    assert (
        lines[0]
        == "aaaa at position 0 of ['a', 'b']: expected 'b', got 'a' (margin -10)"
    )
    assert lines[-1] == "logits: 'a' 10  'b' 0  'c' 0  'd' 0"


def test_units_and_processes_count_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut into small units, with a checkpoint, or whole: one tally, one margin, one
    counterexample.
    """
    from handcraft.proof import Spread
    from handcraft.proof.enumerate import units

    whole = verify(aaaa().build(), **EXHAUSTIVE).to_json() | {"seconds": 0}
    monkeypatch.setattr(units, "UNIT", 20)
    cut = verify(
        aaaa().build(),
        **EXHAUSTIVE,
        spread=Spread(checkpoint=tmp_path / "book"),
    ).to_json() | {"seconds": 0}
    assert cut == whole


def test_a_position_is_kept_in_a_checkpoint(tmp_path: Path) -> None:
    """An interrupted run goes on with the places it found; one outside of its context is
    refused.
    """
    model = aaaa().build()
    claim = model.program.claim  # type: ignore[union-attr]
    units = Units(4, 4, 20)
    work = Work(model, claim, units, False, "aaaa")  # type: ignore[arg-type]
    with Book(work, tmp_path / "book") as book:
        for index in book.missing()[:3]:
            book.enter(index, work.count(index)[0])
    read = Book(work, tmp_path / "book").tally
    assert read == book.tally
    assert read.worst is not None
    assert (read.worst.position, read.min_margin_position) == (0, 0)
    text = (tmp_path / "book").read_text()
    for key in ('"position":0', '"min_margin_position":0'):
        assert key in text
        (tmp_path / "book").write_text(text.replace(key, key[:-1] + "2"))
        with pytest.raises(CheckpointError, match="does not agree with itself"):
            Book(work, tmp_path / "book")
