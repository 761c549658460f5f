"""What makes a claim an error, found when its Program is made, or by the one function that
every path asks.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_runner import handcraft
from conftest import BUNDLED, Refused, bundled_program

from handcraft import (
    Head,
    Program,
    after,
    answers,
    distribution,
    position,
    residual,
    token,
    transducer,
)
from handcraft.claims.checks import check_claim
from handcraft.claims.kinds import Answers, Distribution
from handcraft.claims.reference import Reference
from handcraft.core.errors import ProgramError
from handcraft.core.vocabulary import Vocabulary
from handcraft.proof import verify
from handcraft.sequence.words import (
    below,
    cases,
    count,
    end,
    equal,
    first,
    here,
    lookup,
    most,
    own,
    ratio,
    step,
    token_at,
    total,
)

FLIP = {(0, "a"): ("b", 0), (0, "b"): ("a", 0)}
PAIRS = [x + y for x in "ab" for y in "ab"]
WIDEN = "bound the prompts, e.g. with longest=, or widen the window"
ONE_WAY = "choose tokens or prompts that leave one"
LONGEST = (
    "but a text is split by the longest token that matches, which fails here; choose"
    " tokens none of which begins another"
)


def program(claim: Any, tokens: Any = "ab;", n_ctx: int = 5) -> Program:
    """A program that repeats its last token, with this claim."""
    p, t = position(n_ctx), token(tokens)
    return Program(
        name="p",
        embedding=(p, t),
        layers=(Head(query=1024 * p, key=p, value=t, output=8 * t),),
        claim=claim,
    )


def message(build: Callable[[], object]) -> str:
    """What a claim is refused with, without its file and line."""
    with pytest.raises(ProgramError) as caught:
        build()
    return str(ProgramError(caught.value.message, caught.value.path))


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
    (answers("a", {"a": ""}), "claim: the answer to 'a' must be a text, found ''"),
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
            cases((equal(token_at(0), "b"), ";"), (below(here, end + 2), "a"), ";"),
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
            "claim: the claim answers 'b' with '' and then None, which is not a token"
            " of a, b, ;"
        ),
    ),
]


@pytest.mark.parametrize(("claim", "expected"), LENGTHS + STOPS + WINDOW + TABLES)
def test_an_answer_that_cannot_be_is_no_program(claim: Answers, expected: str) -> None:
    """Every prompt of the language is known, and so is every answer that is data."""
    assert message(lambda: program(claim)) == f"p > {expected}"


@pytest.mark.parametrize(
    "claim",
    [
        answers("[ab]", {"a": "b", "b": "ab"}, stop=";"),
        answers("[ab]{2}", dict.fromkeys(PAIRS, "abaa")),
        answers("[ab]{1,3}", lookup({"a": "b", "b": "a"}, own), length=end + 1),
        answers(
            "[ab]{1,3}", cases((below(here, end + 2), "a"), ";"), length=3, stop=";"
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
    found = "the answer to 'b' has 2 tokens, that to 'a' has 1: end them with stop="
    assert message(lambda: model.generate("b")).endswith(f"claim: {found}")
    for method in ("exhaustive", "sampled"):
        assert message(lambda method=method: verify(model, methods=[method])).endswith(
            f"claim: {found}"
        )  # type: ignore[misc]
    assert model.generate("a")


def test_running_ends_where_a_table_does() -> None:
    """Nothing ends its answers but that all are as long."""
    model = program(answers("[ab]", {"a": "bb", "b": "aa"})).build()
    assert len(model.generate("a")) == 2


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_lane_holds_a_finite_number(value: float) -> None:
    """Not-a-number would be taken for silence: only None is."""
    with Refused(
        ProgramError, f"claim: the claim on v answers {value} to 'a'; None is silence"
    ):
        Reference(residual("v", lambda _: value), Vocabulary(("a",)))("a")


# ---------------------------------------------------------------- kinds


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (
            lambda: residual("v", own),
            "Residual > function: a lane holds a number, but own can be a token",
        ),
        (
            lambda: residual("v", cases((equal(own, "a"), 1), own)),
            (
                "Residual > function: a lane holds a number, but cases(equal(own, 'a'),"
                " 1, own) can be a token"
            ),
        ),
        (
            lambda: residual("v", most({"a": 1, "b": here})),
            (
                "Residual > function: a lane holds a number, but most({'a': 1, 'b':"
                " here}) can be a token"
            ),
        ),
        (
            lambda: residual("v", total({"a": 1}, before=own)),
            (
                "Residual > function: total takes a position in before=, but in"
                " total({'a': 1}, before=own) its own can be a token"
            ),
        ),
        (
            lambda: residual("v", below(own, 1)),
            (
                "Residual > function: below takes numbers, but in below(own, 1) its own"
                " can be a token"
            ),
        ),
        (
            lambda: residual("v", count({0: here})),
            (
                "Residual > function: count compares with tokens, but in count({0:"
                " here}) its here can be a number"
            ),
        ),
        (
            lambda: program(here + 0),
            (
                "p > claim > Predicate > function: what follows is a token or nothing,"
                " but here + 0 can be a number"
            ),
        ),
        (
            lambda: program(ratio(here, 2)),
            (
                "p > claim > Predicate > function: what follows is a token or nothing,"
                " but ratio(here, 2) can be a fraction"
            ),
        ),
        (
            lambda: program(most({"a": own, "b": 1})),
            (
                "p > claim > Predicate > function: most takes numbers, but in"
                " most({'a': own, 'b': 1}) its own can be a token"
            ),
        ),
        (
            lambda: residual("v", lookup({1: "a", 2: 3}, here) + 1),
            (
                "Residual > function: add takes numbers, but in lookup({1: 'a', 2: 3},"
                " here) + 1 its lookup({1: 'a', 2: 3}, here) can be a token"
            ),
        ),
        (
            lambda: answers("a", lookup({"a": 1}, own), length=1),
            (
                "Answers > answer: an answer is made of tokens, but lookup({'a': 1},"
                " own) can be a number"
            ),
        ),
        (
            lambda: answers("a", own, length=own),
            "Answers > length: a length is a whole number, but own can be a token",
        ),
        (
            lambda: answers("a", own, length=ratio(4, 2)),
            (
                "Answers > length: a length is a whole number, but ratio(4, 2) can be a"
                " fraction"
            ),
        ),
        (
            lambda: answers("a", own, length=2 * (own + 1)),
            (
                "Answers > length: add takes numbers, but in own + 1 its own can be a"
                " token"
            ),
        ),
    ],
)
def test_a_token_is_no_number(build: Callable[[], object], expected: str) -> None:
    """Nor is a number a token: what can be of the wrong kind is refused, with the part that can."""
    assert message(build) == expected


@pytest.mark.parametrize(
    ("claim", "verdict", "checked"),
    [
        (
            most({x: lookup({"a": 1}, own) for x in "ab"}),
            "proved",
            21,
        ),  # speaks after a, and says a
        (
            most({"a": here // here, "b": 1}),
            "refuted",
            None,
        ),  # of equals the first, but silent on one token
        (
            most({x: first({0: x}) for x in "abcd"}),
            "unknown",
            0,
        ),  # four letters in three places
    ],
)
def test_the_greatest_of_nothing_is_nothing(
    claim: Any, verdict: str, checked: int | None
) -> None:
    """Where a part of `most` says nothing the claim is silent: the model, which repeats its
    last token, is held to the rest.
    """
    report = verify(program(claim, "abcd", 3).build())
    assert report.verdict == verdict
    assert checked is None or (report.contexts, report.checked) == (
        4 + 16 + 64,
        checked,
    )


# ---------------------------------------------------------------- how prompts are spelled


@pytest.mark.parametrize(
    ("prompts", "tokens", "expected"),
    [
        (
            "ab|aaa",
            ["a", "b", "ab"],
            f"the prompt 'ab' can be spelled in two ways, 'a' 'b' and 'ab'; {ONE_WAY}",
        ),
        (
            "a{1,4}",
            ["a", "aaa"],
            (
                "the prompt 'aaa' can be spelled in two ways, 'a' 'a' 'a' and 'aaa';"
                f" {ONE_WAY}"
            ),
        ),
        (
            "b{0,2}(ab)?c",
            ["a", "b", "bc", "c", "abc"],
            f"the prompt 'bc' can be spelled in two ways, 'b' 'c' and 'bc'; {ONE_WAY}",
        ),
        (
            "abc|a",
            ["a", "bc", "ab"],
            f"the prompt 'abc' is spelled 'a' 'bc', {LONGEST}",
        ),
        (
            "(aa){1,3}",
            ["aa", "aaa"],
            f"the prompt 'aaaa' is spelled 'aa' 'aa', {LONGEST}",
        ),
        (
            "x(aba|ab)",
            ["x", "xa", "ab", "a"],
            f"the prompt 'xab' is spelled 'x' 'ab', {LONGEST}",
        ),
        (
            "a|bc|c",
            "ab",
            (
                "the prompt 'c': no token matches 'c' at character 0 of the prompt; the"
                " vocabulary is a, b"
            ),
        ),
        (
            "ab|a|aabc",
            ["ab", "a"],
            (
                "the prompt 'aabc': no token matches 'c' at character 3 of the prompt;"
                " the vocabulary is ab, a"
            ),
        ),
        (
            "(ab)*b",
            ["ab"],
            (
                "the prompt 'b': no token matches 'b' at character 0 of the prompt; the"
                " vocabulary is ab"
            ),
        ),
        (
            "a*(<x>)*",
            ["<x>", "a"],
            (
                "the prompt 'aaaaaa' needs 6 tokens, but n_ctx is 5; bound the prompts,"
                " e.g. with longest="
            ),
        ),
        (
            "(<x>){1,2}a{4}",
            ["<x>", "a"],
            (
                "the prompt '<x><x>aaaa' needs 6 tokens, but n_ctx is 5; bound the"
                " prompts, e.g. with longest="
            ),
        ),
        (
            "(a|bb){6}",
            ["bb", "a"],
            (
                "the prompt 'aaaaaa' needs 6 tokens, but n_ctx is 5; bound the prompts,"
                " e.g. with longest="
            ),
        ),
    ],
)
def test_a_prompt_has_one_spelling(prompts: str, tokens: Any, expected: str) -> None:
    """Else a proof counts sequences of tokens where texts are meant: the shortest such prompt
    is named.
    """
    assert (
        message(lambda: program(answers(prompts, str, length=1), tokens))
        == f"p > claim > prompts: {expected}"
    )


@pytest.mark.parametrize(
    ("prompts", "tokens", "size"),
    [
        ("a*(<x>)*", ["<x>", "a"], 5 + 3),
        ("[ab]c", ["a", "bc", "ac", "b"], 2),
        ("a|(c){0}", "ab", 1),
        ("x{1,9}", ["x", "fizz", "buzz"], 5),
    ],
)
def test_prompts_are_counted_as_sequences_of_tokens(
    prompts: str, tokens: Any, size: int
) -> None:
    """Tokens that cannot stand in a prompt are not counted with."""
    claim = answers(prompts, str, length=1, longest=5)
    assert claim.language(5, Vocabulary(tuple(tokens))).size == size
    assert program(claim, tokens)


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        (
            after({"ab": "a"}),
            (
                "the ending 'ab' can be spelled in two ways, 'a' 'b' and 'ab'; write"
                " the tokens that are meant"
            ),
        ),
        (
            after({"aab": "a", "b": "a"}),
            (
                "the ending 'aab' can be spelled in two ways, 'a' 'a' 'b' and 'a' 'ab';"
                " write the tokens that are meant"
            ),
        ),
        (
            distribution({"ab": {"a": 1}}),
            (
                "the ending 'ab' can be spelled in two ways, 'a' 'b' and 'ab'; write"
                " the tokens that are meant"
            ),
        ),
        (after({"ba": "a", ("b", "a"): "b"}), "the ending '('b', 'a')' stands twice"),
        (
            after({"abc": "a"}),
            (
                "no token matches 'c' at character 2 of the prompt; the vocabulary is"
                " a, b, ab"
            ),
        ),
        (
            distribution({"a": {"c": 1}}),
            "the token 'c' is not in the vocabulary a, b, ab",
        ),
    ],
)
def test_an_ending_has_one_spelling(claim: Any, expected: str) -> None:
    """A text that ends a context in another spelling would not be seen."""
    assert message(lambda: program(claim, ["a", "b", "ab"])) == f"p > claim: {expected}"


def test_an_ending_may_be_written_as_tokens() -> None:
    """Each spelling is an ending of its own; a text that only the longest match would miss has
    one spelling.
    """
    assert program(after({("a", "b"): "a", ("ab",): "b"}), ["a", "b", "ab"])
    assert after({"abc": "a"}).endings(Vocabulary(("a", "bc", "ab"))) == {
        ("a", "bc"): "a"
    }


# ---------------------------------------------------------------- what no table can hold


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (
            lambda: Distribution(table=(("a", (("a", 0.5), ("a", 0.5))),)),
            "Distribution > table: a token stands twice in the probabilities after 'a'",
        ),
        (
            lambda: after({frozenset("a"): "b"}),  # type: ignore[dict-item]
            (
                "After > table[0][0]: an ending is a text or a tuple of tokens, found"
                " frozenset frozenset({'a'})"
            ),
        ),
        (
            lambda: after({"a": {"b"}}),
            "After > table[0][1]: must be a text, found a value of type set",
        ),  # type: ignore[dict-item]
        (
            lambda: answers("a", {"a": ["b"]}),
            "Table > table[0][1]: must be a text, found a value of type list",
        ),  # type: ignore[dict-item]
        (
            lambda: lookup({True: "a"}, own),
            "Expression > table[0][0][0] > int: must be a whole number, found True",
        ),
        (
            lambda: transducer(step, {(True, "a"): ("b", 1)}, True),
            "Transducer > table[0][0][0] > int: must be a whole number, found True",
        ),
        (
            lambda: transducer({"a"}, FLIP, 0),  # type: ignore[arg-type]
            "claim: the inputs of a transducer are positions in order, found set {'a'}",
        ),
        (
            lambda: transducer(3, FLIP, 0),
            "claim: the inputs of a transducer are positions in order, found int 3",
        ),  # type: ignore[arg-type]
        (
            lambda: answers("a", str, longest=True),
            "Answers > longest: must be a whole number, found True",
        ),
        (
            lambda: Program(
                name="p", embedding=(position(2), token("ab")), vocabulary={"a", "b"}
            ),
            (
                "p > vocabulary: a set has no order, and the ids of the tokens are"
                " their places: pass a list"
            ),
        ),
    ],
)
def test_values_that_no_table_can_hold(
    build: Callable[[], object], expected: str
) -> None:
    """A set has another order each time, True is no number, and a row names a token once."""
    assert message(build) == expected


def test_a_set_of_tokens_is_kept_in_order() -> None:
    """So that the same claim is written the same way each time."""
    assert count({0: {"b", "c", "a"}}).where == ((0, ("a", "b", "c")),)


# ---------------------------------------------------------------- bundled programs, and the
# command line


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_claim_is_sound(name: str) -> None:
    """Each was accepted, and says the same again."""
    found = bundled_program(name)
    if found.claim is not None:
        check_claim(
            found.claim, Vocabulary(found.vocabulary), found.n_ctx, causal=found.causal
        )


FILE = """from handcraft import *
from handcraft.sequence.words import *
program = Program(embedding=(position(3), token({tokens})), claim={claim})
"""


@pytest.mark.parametrize(
    ("tokens", "claim", "expected"),
    [
        ("'ab'", "answers('[ab]', {'a': 'b', 'b': 'ab'})", "end them with stop="),
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
        ("['a', 'b', 'ab']", "after({'ab': 'a'})", "can be spelled in two ways"),
        (
            "'ab'",
            "answers('[ab]', transducer(step + 1, {(0, 'a'): ('b', 0)}, 0), length=1)",
            "reads position 1 at step 0",
        ),
        ("'ab'", "after({'a': {'b'}})", "must be a text"),
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
    result = handcraft(*command, "wrong.py", *(["a"] if command == ["run"] else []))
    assert (result.code, result.out) == (2, "")
    assert expected in result.err
    assert "Traceback" not in result.err


def test_a_built_directory_is_held_to_the_same(tmp_path: Path) -> None:
    """A claim that someone wrote into its file is refused when it is read."""
    program(answers("[ab]", {"a": "b", "b": "a"})).build().save(tmp_path)
    path = tmp_path / "program.json"
    path.write_text(path.read_text().replace('["b", "a"]', '["b", "ab"]'))
    for command in ("verify", "run"):
        result = handcraft(command, str(tmp_path), *(["a"] if command == "run" else []))
        assert result.code == 2
        assert (
            "the answer to 'b' has 2 tokens, that to 'a' has 1: end them with stop="
            in result.err
        )
