"""Answers that are refused: claims that make none, prompts without one, and hostile files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from answering import ONE, XOR, answer
from conftest import Refused, bundled_model, bundled_program, claiming

from handcraft import Model, Program, answers, residual, transducer
from handcraft.claims.prompt_claim import Answers
from handcraft.claims.words import as_claim
from handcraft.core.errors import ProgramError, WeightsError
from handcraft.sequence.words import (
    count,
    end,
    here,
    lookup,
    own,
    step,
    token_at,
)

# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: answers("a", own),
            (
                "answers > length: a rule or a transducer has no end of its own: pass"
                " length=, how many tokens an answer has"
            ),
        ),
        (
            lambda: answers("a", transducer(step, ONE, 0)),
            (
                "answers > length: a rule or a transducer has no end of its own: pass"
                " length=, how many tokens an answer has"
            ),
        ),
        (
            lambda: answers("a", 3),
            (
                "answers > answer: takes a function, a table, an expression or a"
                " transducer, found int 3"
            ),
        ),
        (
            lambda: answers("a", str, length="x"),
            (
                "answers > length: takes a whole number or an expression of `end`,"
                " found str 'x'"
            ),
        ),
        (
            lambda: answers("a", own, length=0),
            "answers > length: must be at least 1, found 0",
        ),
        (
            lambda: answers("a", token_at(step), length=1),
            (
                "answers > answer: `step` is known to the inputs of a transducer only;"
                " use `here - end`"
            ),
        ),
        (
            lambda: answers("a", {}),
            "answers: a table of answers needs an entry, and none may stand twice",
        ),
        (
            lambda: as_claim(token_at(end)),
            (
                "`end` and `step` are known to a claim on prompts"
                " only: see answers(...)"
            ),
        ),
        (
            lambda: residual("v", 3),
            "residual > function: takes a function or an expression, found int 3",
        ),
        (
            lambda: transducer(here, ONE, 0),
            (
                "transducer: each input of a transducer is a position, computed from"
                " `step` and `end` by + - * // %"
            ),
        ),
        (
            lambda: transducer((), ONE, 0),
            (
                "transducer: each input of a transducer is a position, computed from"
                " `step` and `end` by + - * // %"
            ),
        ),
        (
            lambda: transducer(step, XOR, 0),
            (
                "transducer: a row of the table is (state, token, ...) with 1 tokens,"
                " found (0, 'a', 'a')"
            ),
        ),
        (
            lambda: transducer(step, {}, 0),
            "transducer: a transducer needs a table in which no row stands twice",
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
            "aab > claim: the token 'c' is not in the vocabulary 'a', 'b'",
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
                " text; the vocabulary is '^', '=', 'a', 'b', '<x>'"
            ),
        ),
        (
            answers("a", lookup({"a": "b"}, own), length=3),
            "a",
            (
                "the claim answers 'a' with 'b' and then nothing: its expression is None"
                " there, as token_at(i) is outside the text so far, and lookup without a"
                " row; otherwise(x, token) says what follows then"
            ),
        ),
        (
            answers("a", lookup({"a": "x"}, own), length=1),
            "a",
            (
                "the claim answers 'a' with '' and then 'x', which is not a token of"
                " '^', '=', 'a', 'b', '<x>'; did you mean '<x>'?"
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
            answers("a+", own, length=9, longest=8),
            "aaaaa",
            (
                "the prompt 'aaaaa' and its answer need 13 positions, but n_ctx is 12;"
                " bound the prompts, with less than longest=8, or widen the window"
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
                " a token of '^', '=', 'a', 'b', '<x>'; did you mean '<x>'?"
            ),
        ),
    ],
)
def test_an_answer_that_is_none(
    claim: Answers, prompt: str, message: str
) -> None:
    """What is found is told with the prompt."""
    with Refused(ProgramError, f"claim: {message}"):
        answer(claim, prompt)


def test_a_token_for_a_number_is_no_claim() -> None:
    """It is refused where the claim is made, not on the first context that shows it."""
    found = (
        "count takes a position in before=, but in count({}, before=own) its own can be"
        " a token; write lookup({token: number}, e) for a token's number"
    )
    with Refused(ProgramError, f"{found}", here=True):
        as_claim(count({}, before=own))


# ---------------------------------------------------------------- running and JSON


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
            {
                "inputs": [{"op": "step"}],
                "table": [[[0, 0], ["a", 0]]],
                "start": 0,
            },
            "a row of the table is (state, token, ...) with 1 tokens",
        ),
        (
            {
                "inputs": [{"op": "step"}],
                "table": [[[0, "a"], ["a"]]],
                "start": 0,
            },
            "is required",
        ),
        (
            {"inputs": 5, "table": [], "start": []},
            "inputs: must be a list or a tuple, found 5",
        ),
        ({"op": "own"}, "there is no operation 'own'"),
        (
            None,
            "takes a function, a table, an expression or a transducer, found None",
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
    claim = json.dumps(
        json.loads(path.read_text())["program"]["claim"]["function"]
    )
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
        Program.from_data(
            {**data, "claim": {**data["claim"], "function": deep}}
        )
