"""What makes a claim an error, found when its Program is made, or by the one function that every
path asks.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_runner import handcraft
from conftest import EVERY_PROGRAM, Refused, bundled_program
from repeating import FLIP, PAIRS, WIDEN, message, program

from handcraft import answers, residual, transducer
from handcraft.claims.checks import check_claim
from handcraft.claims.prompt_claim import Answers
from handcraft.claims.reference import Reference
from handcraft.core.errors import ProgramError
from handcraft.core.vocabulary import Vocabulary
from handcraft.proof import verify
from handcraft.sequence.words import (
    below,
    cases,
    end,
    equal,
    here,
    lookup,
    own,
    step,
    token_at,
)

# ---------------------------------------------------------------- lengths, stops, the window


LENGTHS = [
    (
        answers("[ab]", {"a": "b", "b": "ab"}),
        "claim: the answer to 'b' has 2 tokens, that to 'a' has 1: end them with stop=",
    ),
    (
        answers("[ab]{2}", {x: x[: 1 + (x == "bb")] for x in PAIRS}),
        (
            "claim: the answer to 'bb' has 2 tokens, that to 'aa' has 1: end them with"
            " stop="
        ),
    ),
    (
        answers("a{1,3}", {"a": "ab", "aa": "b", "aaa": "ab"}),
        (
            "claim: the answer to 'aa' has 1 tokens, that to 'a' has 2: end them with"
            " stop="
        ),
    ),
    (
        answers("[ab]", {"a": "b", "b": "ab"}, length=1),
        "claim: the answer to 'b' has 2 tokens, but length=1",
    ),
    (
        answers("[ab]{1,3}", own, length=end),
        (
            "claim: the length of the answer to 'a' must be a whole number from 1 on,"
            " found 0"
        ),
    ),
    (
        answers("[ab]{1,3}", own, length=2 - end),
        (
            "claim: the length of the answer to 'aaa' must be a whole number from 1 on,"
            " found 0"
        ),
    ),
    (
        answers("[ab]{1,3}", own, length=lookup({0: 1, 1: 1}, end)),
        (
            "claim: the length of the answer to 'aaa' must be a whole number from 1 on,"
            " found None"
        ),
    ),
    (
        answers("a", {"a": ""}),
        "claim: the answer to 'a' must be a text, found ''",
    ),
]
STOPS = [
    (
        answers("[ab]", {"a": "b;", "b": "a;b"}, stop=";"),
        "claim: the answer to 'b' holds the stop token before its end: 'a;b;'",
    ),
    (
        answers("[ab]", own, length=2, stop=";"),
        "claim: the answer to 'a' ends with 'a', not with the stop token ';'",
    ),
    (
        answers(
            "[ab]",
            cases(
                (equal(token_at(0), "b"), ";"), (below(here, end + 2), "a"), ";"
            ),
            length=3,
            stop=";",
        ),
        "claim: the answer to 'b' holds the stop token before its end: ';;;'",
    ),
    (
        answers(
            "[ab]{1,2}",
            transducer(step, FLIP | {(0, "b"): (";", 0)}, 0),
            length=end + 2,
            stop=";",
        ),
        (
            "claim > answer: the row (0, 'b') of the transducer writes the stop token"
            " ';' before the end"
        ),
    ),
]
WINDOW = [
    (
        answers("[ab]{1,4}", own, length=3),
        (
            "claim: the prompt 'aaaa' and its answer need 6 positions, but n_ctx is 5;"
            f" {WIDEN}"
        ),
    ),
    (
        answers("[ab]*", str, length=2),
        (
            "claim: the prompt 'aaaaa' and its answer need 6 positions, but n_ctx is"
            f" 5; {WIDEN}"
        ),
    ),
    (
        answers("[ab]{1,3}", own, length=end + 2),
        (
            "claim: the prompt 'aaa' and its answer need 6 positions, but n_ctx is 5;"
            f" {WIDEN}"
        ),
    ),
    (
        answers("[ab]{2}", dict.fromkeys(PAIRS, "a" * 4), stop="b"),
        (
            "claim: the prompt 'aa' and its answer need 6 positions, but n_ctx is 5;"
            f" {WIDEN}"
        ),
    ),
    (
        answers("[ab]{2,4}", transducer(step, FLIP, 0), length=3),
        (
            "claim: the answer to 'aa': the transducer reads position 2 at step 2, but"
            " the prompt has 2 tokens"
        ),
    ),
    (
        answers("(ab){3}", own, length=1),
        "claim > prompts: no prompt of '(ab){3}' fits n_ctx 5",
    ),
    (
        answers("(ab){3}", own, length=1, longest=4),
        "claim > prompts: no prompt of '(ab){3}' fits n_ctx 5",
    ),
    (
        answers("(ab){2}", own, length=1, longest=3),
        "claim > prompts: no prompt of '(ab){2}' has at most longest=3 characters",
    ),
]
TABLES = [
    (
        answers("[ab]{1,2}", {"a": "b", "b": "a"}),
        "claim: the table has no answer to 'aa', which is a prompt of the claim",
    ),
    (
        answers("[ab]{2}", transducer(step, {(0, "a"): ("b", 0)}, 0), length=2),
        "claim: the answer to 'ab': the transducer has no row for (0, 'b') at step 1",
    ),
    (
        answers("[ab]{2}", transducer(step % (step - 1), FLIP, 0), length=2),
        (
            "claim: the answer to 'aa': the transducer reads position None at step 1,"
            " but the prompt has 2 tokens"
        ),
    ),
    (
        answers("[ab]", lookup({"a": "b"}, own), length=1),
        (
            "claim: the claim answers 'b' with nothing: its expression is None"
            " there, as token_at(i) is outside the text so far, and lookup without a"
            " row; otherwise(x, token) says what follows then"
        ),
    ),
]


@pytest.mark.parametrize(
    ("claim", "expected"), LENGTHS + STOPS + WINDOW + TABLES
)
def test_an_answer_that_cannot_be_is_no_program(
    claim: Answers, expected: str
) -> None:
    """Every prompt of the language is known, and so is every answer that is data."""
    assert message(lambda: program(claim)) == f"p > {expected}"


@pytest.mark.parametrize(
    "claim",
    [
        answers("[ab]", {"a": "b", "b": "ab"}, stop=";"),
        answers("[ab]{2}", dict.fromkeys(PAIRS, "abaa")),
        answers("[ab]{1,3}", lookup({"a": "b", "b": "a"}, own), length=end + 1),
        answers(
            "[ab]{1,3}",
            cases((below(here, end + 2), "a"), ";"),
            length=3,
            stop=";",
        ),
        answers("[ab]{2,3}", transducer(step, FLIP, 0), length=end),
        answers("[ab]{2}", transducer(step, FLIP, 0), length=3, stop=";"),
    ],
)
def test_the_window_is_used_to_its_end(claim: Answers) -> None:
    """What just fits is a claim, and every prompt has its answer."""
    made = program(claim)
    vocabulary = Vocabulary(made.vocabulary)
    for prompt in claim.language(5, vocabulary):
        assert claim.expected(prompt, vocabulary, 5)


def test_a_function_is_asked_by_every_path_alike() -> None:
    """It is not called when the program is made; then running says what verifying says."""
    asked: list[str] = []

    def answer(prompt: str) -> str:
        asked.append(prompt)
        return "b" if prompt == "a" else "ab"

    model = program(answers("[ab]", answer)).build()
    assert asked == []
    found = (
        "the answer to 'b' has 2 tokens, that to 'a' has 1: end them with stop="
    )
    assert message(lambda: model.generate("b")).endswith(f"claim: {found}")
    for method in ("exhaustive", "sampled"):
        assert message(
            lambda method=method: verify(model, methods=[method])
        ).endswith(f"claim: {found}")  # type: ignore[misc]
    assert model.generate("a")


def test_running_ends_where_a_table_does() -> None:
    """Nothing ends its answers but that all are as long."""
    model = program(answers("[ab]", {"a": "bb", "b": "aa"})).build()
    assert len(model.generate("a")) == 2


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_lane_holds_a_finite_number(value: float) -> None:
    """Not-a-number would be taken for silence: only None is."""
    with Refused(
        ProgramError,
        f"claim: the claim on v answers {value} to 'a'; None is silence",
    ):
        Reference(residual("v", lambda _: value), Vocabulary(("a",)))("a")


# ---------------------------------------------------------------- bundled programs, and the
# command line


@pytest.mark.parametrize("name", EVERY_PROGRAM)
def test_a_bundled_claim_is_sound(name: str) -> None:
    """Each was accepted, and says the same again."""
    found = bundled_program(name)
    if found.claim is not None:
        check_claim(
            found.claim,
            Vocabulary(found.vocabulary),
            found.n_ctx,
            causal=found.causal,
        )


FILE = """from handcraft import *
from handcraft.sequence.words import *
program = Program(embedding=(position(3), token({tokens})), claim={claim})
"""


@pytest.mark.parametrize(
    ("tokens", "claim", "expected"),
    [
        (
            "'ab'",
            "answers('[ab]', {'a': 'b', 'b': 'ab'})",
            "end them with stop=",
        ),
        (
            "'ab;'",
            "answers('a', {'a': ';b'}, stop=';')",
            "holds the stop token before its end",
        ),
        (
            "'ab'",
            (
                "answers('[ab]{2,3}', transducer(step, {(0, 'a'): ('b', 0), (0, 'b'):"
                " ('a', 0)}, 0), length=2)"
            ),
            "need 4 positions",
        ),
        (
            "'ab'",
            "residual('token:a', own)",
            "a lane holds a number, but own can be a token",
        ),
        (
            "['a', 'b', 'ab']",
            "answers('ab|aaa', own, length=1)",
            "can be spelled in two ways",
        ),
        (
            "['a', 'b', 'ab']",
            "after({'ab': 'a'})",
            "can be spelled in two ways",
        ),
        (
            "'ab'",
            "answers('[ab]', transducer(step + 1, {(0, 'a'): ('b', 0)}, 0), length=1)",
            "reads position 1 at step 0",
        ),
        ("'ab'", "after({'a': 5})", "what is right after 'a' is a token"),
    ],
)
@pytest.mark.parametrize(
    "command", [["verify"], ["run"], ["build"]], ids=lambda command: command[0]
)
def test_one_error_for_every_command(
    command: list[str],
    tokens: str,
    claim: str,
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A claim that is none is one clear error with exit code 2, whatever is asked."""
    monkeypatch.chdir(tmp_path)
    Path("wrong.py").write_text(FILE.format(tokens=tokens, claim=claim))
    result = handcraft(
        *command, "wrong.py", *(["a"] if command == ["run"] else [])
    )
    assert (result.code, result.out) == (2, "")
    assert expected in result.err
    assert "Traceback" not in result.err


def test_a_built_directory_is_held_to_the_same(tmp_path: Path) -> None:
    """A claim that someone wrote into its file is refused when it is read."""
    program(answers("[ab]", {"a": "b", "b": "a"})).build().save(tmp_path)
    path = tmp_path / "program.json"
    path.write_text(path.read_text().replace('["b", "a"]', '["b", "ab"]'))
    for command in ("verify", "run"):
        result = handcraft(
            command, str(tmp_path), *(["a"] if command == "run" else [])
        )
        assert result.code == 2
        assert (
            "the answer to 'b' has 2 tokens, that to 'a' has 1: end them with stop="
            in result.err
        )
