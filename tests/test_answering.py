"""Answers that are data: rules, tables and transducers, their lengths, and a built directory
without its program.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Refused, bundled_model, bundled_program, claiming
from hypothesis import given
from hypothesis import strategies as st

from handcraft import Model, Program, after, answers, distribution, residual, transducer
from handcraft.claims.answers import Table
from handcraft.claims.kinds import Answers, Predicate, as_claim
from handcraft.core.errors import ProgramError, PromptError, WeightsError
from handcraft.core.vocabulary import Vocabulary
from handcraft.proof import Budget, verify
from handcraft.sequence.words import (
    count,
    end,
    here,
    lookup,
    own,
    ratio,
    step,
    token_at,
)

ABC = Vocabulary(("^", "=", "a", "b", "<x>"))
COPY = answers("\\^[ab]{0,4}=", token_at(here - end + 1), length=end, stop="=")


def answer(claim: Answers, prompt: str) -> str:
    """The answer to one prompt in a window of 12."""
    return "".join(claim.expected(prompt, ABC, 12))


# ---------------------------------------------------------------- rules


@given(st.text("ab", max_size=4))
def test_a_rule_is_asked_for_one_token_after_another(word: str) -> None:
    """Each token of the answer is computed from the prompt and the answer so far."""
    assert answer(COPY, f"^{word}=") == word + "="


def test_a_rule_sees_tokens() -> None:
    """A token of several characters is one token of a rule."""
    assert (
        answer(answers("\\^(<x>)*=", token_at(here - end + 1), length=end), "^<x><x>=")
        == "<x><x>="
    )


@given(st.integers(1, 5))
def test_a_rule_of_a_number_of_tokens(length: int) -> None:
    """A plain number holds for every prompt."""
    assert (
        answer(answers("a", lookup({"a": "b", "b": "a"}, own), length=length), "a")
        == ("ba" * length)[:length]
    )


# ---------------------------------------------------------------- tables


def test_a_table_of_answers() -> None:
    """Each prompt has its answer; the stop token may be left out."""
    claim = answers("[ab]", {"a": "bb", "b": "="}, stop="=")
    assert claim.answer == Table(table=(("a", "bb"), ("b", "=")))
    assert [answer(claim, prompt) for prompt in "ab"] == ["bb=", "="]


# ---------------------------------------------------------------- transducers

XOR = {
    (0, "a", "a"): ("a", 0),
    (0, "a", "b"): ("b", 0),
    (0, "b", "a"): ("b", 0),
    (0, "b", "b"): ("a", 0),
}

ONE = {(0, "a"): ("b", 0)}


@given(st.text("ab", min_size=2, max_size=2), st.text("ab", min_size=2, max_size=2))
def test_a_transducer_reads_aligned_places(x: str, y: str) -> None:
    """Step k reads the k-th token of either word and writes whether they differ."""
    claim = answers("[ab]{2}=[ab]{2}", transducer((step, step + 3), XOR, 0), length=2)
    assert answer(claim, f"{x}={y}") == "".join(
        "ab"[a != b] for a, b in zip(x, y, strict=True)
    )


@given(st.text("ab", min_size=1, max_size=5))
def test_a_transducer_has_a_state(word: str) -> None:
    """Whether the number of b is odd so far, from the end of the prompt; the stop token is
    written by itself.
    """
    odd = {
        (at, x): ("ab"[at ^ (x == "b")], at ^ (x == "b")) for at in (0, 1) for x in "ab"
    }
    claim = answers(
        "[ab]{1,5}=", transducer(end - 1 - step, odd, 0), length=end + 1, stop="="
    )
    counts = [word[::-1][: n + 1].count("b") for n in range(len(word))]
    assert answer(claim, word + "=") == "".join("ab"[n % 2] for n in counts) + "="


# ---------------------------------------------------------------- declared


@pytest.mark.parametrize(
    ("claim", "declared"),
    [
        (after({"a": "b"}), True),
        (distribution({"a": {"a": 1}}), True),
        (as_claim(own), True),
        (as_claim(lambda _: None), False),
        (residual("v", ratio(here, 2)), True),
        (residual("v", len), False),
        (COPY, True),
        (answers("a", {"a": "b"}), True),
        (answers("a", transducer(step, ONE, 0), length=1), True),
        (answers("a", str), False),
        (answers("a", str, length=end + 1), False),
    ],
)
def test_a_claim_is_declared_where_it_is_data(claim: Any, declared: bool) -> None:
    """Only what a function decides is not."""
    assert claim.declared is declared


def test_an_expression_is_a_claim() -> None:
    """As a function is: the next token of every context."""
    claim = as_claim(token_at(here - 1))
    assert isinstance(claim, Predicate)
    assert claiming(token_at(here - 1), "copy_previous").claim == claim
    report = verify(
        claiming(token_at(here - 1), "copy_previous").build(),
        methods=["sampled"],
        budget=Budget(drawn=50),
    )
    assert report.verdict == "checked"


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: answers("a", own),
            (
                "Answers > length: a rule or a transducer has no end of its own: pass"
                " length=, how many tokens an answer has"
            ),
        ),
        (
            lambda: answers("a", transducer(step, ONE, 0)),
            (
                "Answers > length: a rule or a transducer has no end of its own: pass"
                " length=, how many tokens an answer has"
            ),
        ),
        (
            lambda: answers("a", 3),
            (
                "Answers > answer: takes a function, a table, an expression or a"
                " transducer, found int 3"
            ),
        ),
        (
            lambda: answers("a", str, length="x"),
            (
                "Answers > length: takes a whole number or an expression of `end`,"
                " found str 'x'"
            ),
        ),
        (
            lambda: answers("a", own, length=0),
            "Answers > length: must be at least 1, found 0",
        ),
        (
            lambda: answers("a", token_at(step), length=1),
            (
                "Answers > answer: `step` is known to the inputs of a transducer only;"
                " use `here - end`"
            ),
        ),
        (
            lambda: answers("a", {}),
            "Table: a table of answers needs an entry, and none may stand twice",
        ),
        (
            lambda: as_claim(token_at(end)),
            (
                "Predicate > function: `end` and `step` are known to a claim on prompts"
                " only: see answers(...)"
            ),
        ),
        (
            lambda: residual("v", 3),
            "Residual > function: takes a function or an expression, found int 3",
        ),
        (
            lambda: transducer(here, ONE, 0),
            (
                "Transducer: each input of a transducer is a position, computed from"
                " `step` and `end` by + - * // %"
            ),
        ),
        (
            lambda: transducer((), ONE, 0),
            (
                "Transducer: each input of a transducer is a position, computed from"
                " `step` and `end` by + - * // %"
            ),
        ),
        (
            lambda: transducer(step, XOR, 0),
            (
                "Transducer: a row of the table is (state, token, ...) with 1 tokens,"
                " found (0, 'a', 'a')"
            ),
        ),
        (
            lambda: transducer(step, {}, 0),
            "Transducer: a transducer needs a table in which no row stands twice",
        ),
        (
            lambda: transducer(step, {"a": "b"}, 0),
            (
                "claim: a transducer takes {(state, token, ...): (token to write, next"
                " state)}"
            ),
        ),
        (
            lambda: claiming(lookup({"a": "c"}, own)),
            "aab > claim: the token 'c' is not in the vocabulary a, b",
        ),
    ],
)
def test_what_makes_no_claim(build: Any, message: str) -> None:
    """What cannot be an answer is refused where it is written."""
    with pytest.raises(ProgramError) as caught:
        build()
    assert str(ProgramError(caught.value.message, caught.value.path)) == message


HUGE = here + 10**9  # made a number of 9000 digits
for _ in range(10):
    HUGE = HUGE * HUGE


@pytest.mark.parametrize(
    ("claim", "prompt", "message"),
    [
        (
            answers("[ab]", {"a": "b"}),
            "b",
            "the table has no answer to 'b', which is a prompt of the claim",
        ),
        (
            answers("a", {"a": "c"}),
            "a",
            (
                "the answer to 'a' is 'c': no token matches 'c' at character 0 of the"
                " prompt; the vocabulary is ^, =, a, b, <x>"
            ),
        ),
        (
            answers("a", lookup({"a": "b"}, own), length=3),
            "a",
            (
                "the claim answers 'a' with 'b' and then None, which is not a token of"
                " ^, =, a, b, <x>"
            ),
        ),
        (
            answers("a", lookup({"a": "x"}, own), length=1),
            "a",
            (
                "the claim answers 'a' with '' and then 'x', which is not a token of ^,"
                " =, a, b, <x>; did you mean '<x>'?"
            ),
        ),
        (
            answers("a", own, length=2, stop="="),
            "a",
            "the answer to 'a' ends with 'a', not with the stop token '='",
        ),
        (
            answers("=", own, length=2, stop="="),
            "=",
            "the answer to '=' holds the stop token before its end: '=='",
        ),
        (
            answers("a", own, length=lookup({1: 2}, end)),
            "a",
            (
                "the length of the answer to 'a' must be a whole number from 1 on,"
                " found None"
            ),
        ),
        (
            answers("a", own, length=end),
            "a",
            "the length of the answer to 'a' must be a whole number from 1 on, found 0",
        ),
        (
            answers("a", own, length=10**9),
            "a",
            (
                "the prompt 'a' and its answer need 1000000000 positions, but n_ctx is"
                " 12; bound the prompts, e.g. with longest=, or widen the window"
            ),
        ),
        (
            answers("a", own, length=HUGE),
            "a",
            (
                "the length of the answer to 'a' must be a whole number from 1 on,"
                " found a number of more than 27 digits"
            ),
        ),
        (
            answers("a", {"a": "bb"}, length=1),
            "a",
            "the answer to 'a' has 2 tokens, but length=1",
        ),
        (
            answers("a+", lambda _: "b", length=end + 1),
            "aa",
            "the answer to 'aa' has 1 tokens, but length=2",
        ),
        (
            answers("a", transducer(step, ONE, 0), length=2),
            "a",
            (
                "the answer to 'a': the transducer reads position 1 at step 1, but the"
                " prompt has 1 tokens"
            ),
        ),
        (
            answers("b", transducer(step, ONE, 0), length=1),
            "b",
            "the answer to 'b': the transducer has no row for (0, 'b') at step 0",
        ),
        (
            answers("a", transducer(step, {(0, "a"): ("x", 0)}, 0), length=1),
            "a",
            (
                "the claim answers 'a' with '' and then 'x', which is not"
                " a token of ^, =, a, b, <x>; did you mean '<x>'?"
            ),
        ),
    ],
)
def test_an_answer_that_is_none(claim: Answers, prompt: str, message: str) -> None:
    """What is found is told with the prompt."""
    with Refused(ProgramError, f"claim: {message}"):
        answer(claim, prompt)


def test_a_token_for_a_number_is_no_claim() -> None:
    """It is refused where the claim is made, not on the first context that shows it."""
    found = (
        "count takes a position in before=, but in count({}, before=own) its own can be"
        " a token"
    )
    with Refused(ProgramError, f"Predicate > function: {found}", here=True):
        as_claim(count({}, before=own))


# ---------------------------------------------------------------- running and JSON


def test_running_stops_where_the_answer_does() -> None:
    """At the stop token, else after the length that the claim gives to the prompt."""
    reverse = bundled_program("reverse")
    rule = token_at(2 * end - here - 1)
    no_stop = claiming(
        answers(reverse.claim.prompts, rule, length=end), "reverse"
    ).build()  # type: ignore[union-attr]
    for model in (bundled_model("reverse"), no_stop):
        assert model.generate("^abc=") == "cba^"
    with pytest.raises(PromptError):
        no_stop.generate("^abc")


@pytest.mark.parametrize(
    "name",
    [
        "induction",
        "copy",
        "adder",
        "nim",
        "causal_mean",
        "times",
        "dfa",
        "automaton",
        "subleq",
    ],
)
def test_a_built_directory_is_verified_without_its_program(
    name: str, tmp_path: Path
) -> None:
    """A declared claim is in program.json: it reads back equal, and the directory is held to it."""
    bundled_model(name).save(tmp_path)
    model = Model.load(tmp_path)
    assert model.program is not None
    assert model.program.claim == bundled_program(name).claim
    report = verify(
        model, methods=["exhaustive", "sampled"], budget=Budget(drawn=20, contexts=1000)
    )
    assert report.verdict == "checked"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            {"table": [["a", "b"], ["a", "c"]]},
            "a table of answers needs an entry, and none may stand twice",
        ),
        ({"table": [["a"]]}, "table[0][1]: is required"),
        ({"table": 3}, "table: must be a list or a tuple, found 3"),
        (
            {"inputs": [], "table": [], "start": 0},
            "each input of a transducer is a position",
        ),
        (
            {"inputs": [{"op": "here"}], "table": [], "start": 0},
            "each input of a transducer is a position",
        ),
        (
            {"inputs": [{"op": "step"}], "table": [[[0, 0], ["a", 0]]], "start": 0},
            "a row of the table is (state, token, ...) with 1 tokens",
        ),
        (
            {"inputs": [{"op": "step"}], "table": [[[0, "a"], ["a"]]], "start": 0},
            "is required",
        ),
        (
            {"inputs": 5, "table": [], "start": []},
            "inputs: must be a list or a tuple, found 5",
        ),
        ({"op": "own"}, "must be 'here'"),
        (
            None,
            (
                "takes a function, a table, an expression or a transducer, found"
                " NoneType None"
            ),
        ),
        (
            [1, 2],
            (
                "takes a function, a table, an expression or a transducer, found list"
                " [1, 2]"
            ),
        ),
    ],
)
def test_hostile_answers_are_refused(answer: object, message: str) -> None:
    """What stands in a file is no program, or it is one: never a crash."""
    data = bundled_program("adder").model_dump(mode="json")
    data["claim"] = {**data["claim"], "answer": answer}
    with pytest.raises(ProgramError) as caught:
        Program.from_data(data)
    assert message in str(caught.value)


@pytest.mark.parametrize("depth", [50, 58, 10_000])
def test_deep_nesting_is_refused(depth: int, tmp_path: Path) -> None:
    """In a file as in data, however deep."""
    nested = '{"op":"token_at","args":[' * depth + "1" + "]}" * depth
    bundled_model("induction").save(tmp_path)
    path = tmp_path / "program.json"
    claim = json.dumps(json.loads(path.read_text())["program"]["claim"]["function"])
    path.write_text(path.read_text().replace(claim, nested))
    with pytest.raises(WeightsError, match=r"nested"):
        Model.load(tmp_path)


def test_deep_data_is_refused() -> None:
    """Data that no file holds is refused, too."""
    deep: Any = 1
    for _ in range(5_000):
        deep = {"op": "token_at", "args": [deep]}
    data = bundled_program("induction").model_dump(mode="json")
    with pytest.raises(ProgramError):
        Program.from_data({**data, "claim": {**data["claim"], "function": deep}})
