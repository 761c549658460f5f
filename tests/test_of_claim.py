"""`of(claim)` makes the program of a claim that somebody else has stated: its own prompts, window,
vocabulary and stop token, and the very claim, to which the model is then held.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest
from conftest import slow_from

from handcraft import (
    Program,
    after,
    answers,
    distribution,
    next_token,
    of,
    residual,
    transducer,
    verify,
)
from handcraft import open as open_model
from handcraft.core.errors import ProgramError
from handcraft.sequence.words import (
    cases,
    count,
    end,
    equal,
    here,
    indices,
    latest,
    lookup,
    lowest,
    otherwise,
    own,
    state,
    step,
    there,
    token_at,
    tokens,
)

# bundled programs: the dense parameters of what `of` makes of their claims, and by hand
SIZES = {
    "aab": (130, 344),
    "bigram": (1260, 1260),
    "counter": (720, 678),
    "flip_flop": (729, 872),
    "parity": (1174, 1120),
    "dyck1": (967, 1385),
    "reverse": (924, 10044),
    "copy": (924, 10044),
    "dfa": (1506, 2891),
    "abc": (512, 732),
    "baby_gpt": (472, 472),
    "trigram": (13724, 14225),
    "fizzbuzz": (2420, 24661),
    "induction": (1078, 28620),
    "rule110": (1899, 2012),
    "luhn": (1484, 2870),
    "caesar": (2264, 4526),
    "copy_previous": (440, 40860),
    "count_letter": (3828, 72001),
    "majority": (21941, 6148),
    "adder": (2110, 203),
    "in_context_bigram": (35848, 27885),
    "anbncn": (6264, 2660),
}


@pytest.mark.parametrize("name", slow_from(6, SIZES))
def test_the_claim_of_a_bundled_program_compiles_as_it_is(name: str) -> None:
    hand = open_model(name)
    made = of(hand.program, name=name)
    assert made.claim is hand.program.claim
    assert made.n_ctx == hand.program.n_ctx
    assert set(made.vocabulary) == set(hand.program.vocabulary)
    found = made.build().parameters["dense"], hand.parameters["dense"]
    assert found == SIZES[name]
    method = "exhaustive" if made.claim.kind == "distribution" else "sampled"
    report = verify(made, method=method, budget=500)
    assert report.verdict == "checked", report.to_json()


def test_the_sizes_stand_in_the_documents() -> None:
    """docs/lowering.md has a row for each."""
    page = Path(__file__).parent.parent / "docs" / "lowering.md"
    text = page.read_text()
    for name, (compiled, by_hand) in SIZES.items():
        assert f"| `{name}` | {compiled} | {by_hand} |" in text


@pytest.mark.parametrize("name", slow_from(2, ["bigram", "aab", "counter"]))
def test_what_is_compiled_is_proved_with_the_claim_it_came_from(
    name: str,
) -> None:
    report = verify(of(open_model(name).program, name=name))
    assert report.verdict == "proved", report.to_json()


# ---------------------------------------------------------------- claims that stand alone


def right(program: Program, prompt: str, answer: str) -> None:
    """Checks what a program says to a prompt."""
    assert program.build().generate(prompt) == answer, prompt


def test_a_claim_alone_says_its_window_and_its_tokens() -> None:
    claim = answers(
        r"\^[ab]{0,5}=", token_at(2 * end - here - 1), length=end, stop="^"
    )
    program = of(claim, name="back")
    assert program.n_ctx == 12
    assert program.vocabulary == ("^", "=", "a", "b")
    for n in range(6):
        for word in product("ab", repeat=n):
            text = "".join(word)
            right(program, f"^{text}=", text[::-1] + "^")


def test_every_ending_of_a_table_decides_and_the_longest_first() -> None:
    table = {"a": "b", "ba": "c", "b": "a", "cb": "b"}
    program = of(after(table), tokens="abc", n=6, name="endings")
    report = verify(program)
    assert report.verdict in ("proved", "checked")
    assert report.to_json()["checked"] > 700


def test_of_several_right_tokens_one_is_taken() -> None:
    program = of(after({"a": {"b", "c"}, "b": "a", "c": "a"}), n=4, name="any")
    assert verify(program).verdict in ("proved", "checked")


def test_probabilities_of_shorter_endings_hold_where_no_longer_one_does() -> (
    None
):
    table = {
        "a": {"a": 0.25, "b": 0.75},
        "b": {"b": 1.0},
        "ab": {"a": 0.5, "b": 0.5},
    }
    program = of(distribution(table), n=5, name="chances")
    report = verify(program)
    assert report.verdict in ("proved", "checked")
    assert report.to_json()["max_probability_error"] < 1e-6


MACHINES = {
    "a cycle": ({"P": {"a": "Q"}, "Q": {"a": "R"}, "R": {"a": "P"}}, "P"),
    "a reset": ({"P": {"a": "Q"}, "Q": {"b": "P"}}, "P"),
    "a trap": (
        {
            "P": {"a": "P", "b": "Q"},
            "Q": {"a": "R", "b": "Q"},
            "R": {},
        },
        "P",
    ),
}


@pytest.mark.parametrize("kind", MACHINES)
def test_the_state_of_a_machine_that_heads_can_follow(kind: str) -> None:
    delta, start = MACHINES[kind]
    names = {"P": "P", "Q": "Q", "R": "R"}
    claim = answers(
        r"\^[abc]{1,6}=", lookup(names, state(delta, start)), length=1
    )
    program = of(claim, tokens="^=abcPQR", name="machine")
    for text in map("".join, product("abc", repeat=4)):
        at = start
        for token in text:
            at = delta[at].get(token, at)
        right(program, f"^{text}=", at)


def test_a_machine_of_neither_kind_is_refused_with_what_would_fit() -> None:
    delta = {
        "P": {"a": "Q", "b": "Q"},
        "Q": {"a": "P", "b": "R"},
        "R": {"b": "P"},
    }
    claim = answers(r"\^[ab]{1,6}", state(delta, "P"), length=1)
    with pytest.raises(ProgramError, match="followed token by token"):
        of(claim)


def test_the_least_total_is_that_of_the_empty_beginning_too() -> None:
    least = lowest({"a": 1, "b": -1})
    names = {-i: "wxyz"[i] for i in range(4)}
    claim = answers(r"\^[ab]{1,3}=", lookup(names, least), length=1)
    program = of(claim, name="least")
    for n in (1, 2, 3):
        for text in map("".join, product("ab", repeat=n)):
            sums = [0]
            for token in text:
                sums.append(sums[-1] + (1 if token == "a" else -1))
            right(program, f"^{text}=", "wxyz"[-min(sums)])


def test_a_sum_with_a_carry_needs_no_token_that_begins_the_prompts() -> None:
    table = {
        (c, x, y): (str((c + int(x) + int(y)) % 2), (c + int(x) + int(y)) // 2)
        for c in (0, 1)
        for x in "01"
        for y in "01"
    }
    column = transducer((3 - step, 8 - step), table, start=0)
    claim = answers("0[01]{3}[+]0[01]{3}=", column, length=4)
    program = of(claim, name="binary")
    for a, b in product(range(8), repeat=2):
        total = "".join(reversed(f"{a + b:04b}"))
        right(program, f"{a:04b}+{b:04b}=", total)


def test_a_table_of_answers_compiles() -> None:
    table = {"^aa=": "x", "^ab=": "yy", "^ba=": "", "^bb=": "xy"}
    claim = answers(r"\^[ab]{2}=", table, stop="$")
    program = of(claim, name="table")
    for prompt, answer in table.items():
        right(program, prompt, answer + "$")


def test_what_the_first_token_counts_for_is_counted() -> None:
    many = count({0: ("^", "a")})
    names = dict(enumerate("0123456"))
    claim = answers(r"\^[ab]{1,4}=", lookup(names, many), length=1)
    program = of(claim, name="counted")
    for text in map("".join, product("ab", repeat=4)):
        right(program, f"^{text}=", str(1 + text.count("a")))


def test_a_default_holds_where_nothing_is_found() -> None:
    found = otherwise(token_at(latest({-1: "a"})), "?")
    claim = answers(r"\^[ab]{1,5}=", found, length=1)
    program = of(claim, name="default")
    for text in map("".join, product("ab", repeat=4)):
        i = text.rfind("a")
        said = "?" if i < 0 else f"{text}="[i + 1]
        right(program, f"^{text}=", said)


def test_the_same_first_token_may_be_asked_for_and_be_the_end() -> None:
    """`end` is known wherever it is asked for; the author's own search for it is not."""
    from handcraft.sequence.words import first

    mark = otherwise(first({0: "="}), 0)
    claim = answers(
        r"\^[ab]{1,4}=",
        cases((equal(mark, end), token_at(end - 1)), "?"),
        length=2,
    )
    program = of(claim, name="both")
    for text in map("".join, product("ab", repeat=3)):
        right(program, f"^{text}=", text[-1] * 2)


def test_an_answer_that_holds_the_first_token_again_is_not_taken_for_it() -> (
    None
):
    """What begins the prompts stands for BOS only where no answer writes it and goes on."""
    said = cases((equal(token_at(here), "="), "^"), token_at(here - end))
    claim = answers(r"\^[ab]{3}=", said, length=4)
    program = of(claim, name="again")
    for text in map("".join, product("ab", repeat=3)):
        right(program, f"^{text}=", "^" + text)


# ---------------------------------------------------------------- a language model


def test_next_token_is_a_language_model_held_to_its_expression() -> None:
    program = next_token(
        token_at(latest({-1: own})), tokens="abc", n=8, name="copies"
    )
    report = verify(program, method="exhaustive")
    assert report.verdict == "checked"
    assert program.build().generate("abcab", n=1) == "c"


# ---------------------------------------------------------------- what cannot be


def refused(make: Callable[[], object]) -> str:
    with pytest.raises(ProgramError) as found:
        make()
    return found.value.message


def test_what_is_no_claim_is_one_error() -> None:
    assert refused(lambda: of(7)) == (  # type: ignore[arg-type]
        "takes a claim, such as answers(...), or a program that has one, found int 7"
    )


def test_a_function_is_refused() -> None:
    claim = answers("[ab]{1,3}=", lambda prompt: prompt[0], length=1)
    said = refused(lambda: of(claim, tokens="ab=", n=4))
    assert said == (
        "claim[answers] is decided by a Python function, of which only its values"
        " are known; what would fit: an expression of handcraft.sequence"
    )


def test_a_window_that_no_claim_says_is_asked_for() -> None:
    assert refused(lambda: of(after({"a": "a"}))) == (
        "takes n=, the most tokens of a context, with a claim that speaks of"
        " contexts of any length"
    )
    claim = answers(r"\^a*=", token_at(1), length=1)
    assert refused(lambda: of(claim)) == (
        "takes n=, the positions of the window, with a claim on prompts of any"
        " length"
    )


@pytest.mark.parametrize("n", [None, 6])
def test_a_claim_without_a_prompt_of_its_length_is_one_error(
    n: int | None,
) -> None:
    claim = answers(r"\^[ab]{3}=", token_at(1), length=1, longest=4)
    assert refused(lambda: of(claim, n=n)) == (
        "takes a claim that has prompts, and none is of 4 characters or less; what"
        " would fit: a greater longest= or n="
    )


@pytest.mark.parametrize("stands", ["alone", "in a case that never comes"])
def test_a_part_that_no_text_gives_a_value_is_one_error(stands: str) -> None:
    """Three places before a position of two letters there is none."""
    pair = lookup({("a", "a"): "a"}, token_at(here - 3), token_at(here - 1))
    e = pair if stands == "alone" else cases((equal(end, 3), pair), "b")
    claim = answers("[ab]{1,2}", e, length=1)
    assert refused(lambda: of(claim)) == (
        "lookup({('a', 'a'): 'a'}, token_at(here - 3), token_at(he... has no"
        " value at any position where it is asked; what would fit: a part that some"
        " text has"
    )


def test_a_count_without_a_token_that_begins_the_prompts_is_refused() -> None:
    names = dict(enumerate("012345"))
    claim = answers("[ab]{1,4}=", lookup(names, count({0: "a"})), length=1)
    assert "begins every text" in refused(lambda: of(claim))


def test_a_part_that_is_refused_is_told_in_the_words_of_the_claim() -> None:
    """Positions are those of the prompt, though the stream counts them behind its first token."""
    before = otherwise(token_at(indices - 1), "a")
    apart = there(indices) != indices
    found = token_at(latest((there(before) == tokens) & apart))
    claim = answers(r"\^[ab]{1,4}=", otherwise(found, "b"), length=2)
    assert refused(lambda: of(claim)) == (
        "token_at(latest((there(otherwise(token_at(indices - 1), '... is weighed"
        " against a token that begins every text and stands nowhere else, and there"
        " is none; what would fit: prompts such as '\\^[ab]{1,9}=', or answers that"
        " are never '^'"
    )


def test_a_claim_on_a_lane_is_refused() -> None:
    claim = residual("x", here)
    assert "speaks of a lane" in refused(lambda: of(claim, tokens="ab", n=4))


def test_the_frames_stand_in_handcraft_itself() -> None:
    code = "import handcraft; print(handcraft.of.__name__, handcraft.next_token.__name__)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["of", "next_token"]
    assert json.dumps(done.stderr) == '""'
