"""Claims: what must follow a context, in plain Python."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from conftest import Refused
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from vocabularies import AB, WORDS

from handcraft import (
    Program,
    after,
    answers,
    distribution,
    each,
    last,
    position,
    predicts,
    residual,
    token,
    verify,
)
from handcraft.claims.answers import Table
from handcraft.claims.base import BaseClaim
from handcraft.claims.functions import Callback
from handcraft.claims.kinds import CLAIM_KINDS, Claim, Predicate
from handcraft.claims.prompt_claim import Answers
from handcraft.claims.reference import Reference
from handcraft.claims.words import as_claim
from handcraft.core.errors import ProgramError
from handcraft.core.source import without_source_lines
from handcraft.sequence.words import count, here, token_at

# ---------------------------------------------------------------- after


endings = st.dictionaries(
    st.text("ab", min_size=1, max_size=3), st.sampled_from("ab"), min_size=1
)


@given(endings)
def test_the_longest_ending_decides(table: dict[str, str]) -> None:
    """Of the endings in the table that a context has, the longest names the token; without one
    the claim is silent.
    """
    reference = Reference(after(table), AB)
    for context in (
        "".join(word) for n in range(1, 5) for word in product("ab", repeat=n)
    ):
        fitting = [ending for ending in table if context.endswith(ending)]
        assert reference(context) == (
            table[max(fitting, key=len)] if fitting else None
        )


def test_endings_may_be_tokens() -> None:
    """An ending may be given as tokens, where the text could be split in more than one way."""
    reference = Reference(after({("a", "ab"): "<end>", "ab": "a"}), WORDS)
    assert reference(("a", "ab")) == "<end>"
    assert reference(("ab", "ab")) == "a"
    assert reference(("ab", "a")) is None


def test_distribution_gives_probabilities() -> None:
    """A distribution is looked up as `after` is."""
    reference = Reference(
        distribution({"a": {"a": 0.25, "b": 0.75}, "ba": {"b": 1}}), AB
    )
    assert reference("aa") == {"a": 0.25, "b": 0.75}
    assert reference("ba") == {"b": 1.0}
    assert reference("ab") is None


# ---------------------------------------------------------------- what every kind answers


OWN_TOKEN = token_at(here)
EVERY_KIND: dict[str, Claim] = {
    "after": after({"a": "b"}),
    "distribution": distribution({"a": {"b": 1}}, tolerance=0.25),
    "answers": answers("a", {"a": "b"}, stop="b"),
    "function": Predicate(function=OWN_TOKEN),
    "residual": residual("v:here", count({0: "a"}), tolerance=0.5),
    "each": each(list),
}
SAID = (
    "measures",
    "unit",
    "by_endings",
    "whole_text",
    "every_position",
    "one_token",
    "stop_token",
    "declared",
    "known",
    "tokens",
    "lanes",
    "allowed_error",
)
TABLE: dict[str, tuple[object, ...]] = {
    "after": (
        *("token", "contexts", True, False, True, True, None),
        *(True, True, ("b",), (), 0.0),
    ),
    "distribution": (
        *("probability", "contexts", True, False, True, True, None),
        *(True, True, ("b",), (), 0.25),
    ),
    "answers": (
        *("token", "prompts", False, False, False, False, "b"),
        *(True, True, ("b",), (), 0.0),
    ),
    "function": (
        *("token", "contexts", False, False, True, True, None),
        *(True, True, (), (), 0.0),
    ),
    "residual": (
        *("lane", "contexts", False, False, True, True, None),
        *(True, True, (), ("v:here",), 0.5),
    ),
    "each": (
        *("token", "contexts", False, True, True, True, None),
        *(False, True, (), (), 0.0),
    ),
}


def test_predicts_is_what_a_rule_alone_stands_for() -> None:
    """`predicts(rule)` and `claim=rule` are the same claim; what is no rule is refused."""
    assert predicts(OWN_TOKEN) == as_claim(OWN_TOKEN)
    assert predicts(list) == as_claim(list)
    with Refused(
        ProgramError,
        "predicts: takes an expression or a function, found dict {'a': 'b'}",
        here=True,
    ):
        predicts({"a": "b"})  # type: ignore[arg-type]


def test_the_kinds_are_the_ones_that_a_file_can_name() -> None:
    """One class for each `kind`, and the tables of this file have them all."""
    named = {kind.model_fields["kind"].default: kind for kind in CLAIM_KINDS}
    assert named == {name: type(claim) for name, claim in EVERY_KIND.items()}
    assert list(named) == list(TABLE)


@pytest.mark.parametrize("name", TABLE)
def test_every_kind_answers_every_question(name: str) -> None:
    """Whoever checks a claim asks it, and never of which kind it is."""
    claim = EVERY_KIND[name]
    assert tuple(getattr(claim, question) for question in SAID) == TABLE[name]
    assert claim.asks_prompts is (claim.unit == "prompts")


def test_every_question_is_in_the_table() -> None:
    """A question that is added is answered here for each kind; only `rule` is no plain value."""
    questions = {
        *BaseClaim.__annotations__,
        *(
            name
            for name, value in vars(BaseClaim).items()
            if isinstance(value, property)
        ),
    }
    assert questions == {*SAID, "asks_prompts", "rule"}


def test_the_rule_is_what_decides() -> None:
    """An expression, a function, a table of answers or a transducer; endings are no rule."""
    assert [EVERY_KIND[name].rule for name in ("after", "distribution")] == [
        None
    ] * 2
    assert EVERY_KIND["answers"].rule == Table(table=(("a", "b"),))
    assert EVERY_KIND["function"].rule == OWN_TOKEN
    assert EVERY_KIND["residual"].rule == count({0: "a"})
    assert EVERY_KIND["each"].rule == Callback.of(list)


def test_one_token_is_an_answer_of_length_one_without_an_end() -> None:
    """A stop token makes two of it, and an unknown length may be any."""
    table = {"a": "b"}
    assert answers("a", table, length=1).one_token
    assert not answers("a", table, length=2).one_token
    assert not answers("a", table, length=1, stop="b").one_token
    assert not answers("a", table).one_token


def test_a_last_claim_speaks_of_one_position() -> None:
    """Otherwise it answers as the claim that it was made of."""
    claim = last(EVERY_KIND["after"])
    assert not claim.every_position
    assert (claim.measures, claim.by_endings) == ("token", True)


def test_a_function_left_behind_is_not_known() -> None:
    """Its name was read from a file; what it says cannot be asked."""
    claim = Predicate(function=Callback("rule"))
    assert (claim.declared, claim.known) == (False, False)


@pytest.mark.parametrize("name", TABLE)
def test_no_answer_is_a_field(name: str) -> None:
    """What a claim says of itself is neither written nor compared, and cannot be set."""
    claim = EVERY_KIND[name]
    assert not {*SAID, "asks_prompts", "rule"} & {
        *claim.model_dump(),
        *type(claim).model_fields,
    }
    with pytest.raises((AttributeError, ValueError)):
        claim.measures = "lane"  # type: ignore[misc]


# ---------------------------------------------------------------- functions and answers


def test_a_plain_function_is_a_claim() -> None:
    """A function of the context is asked as it is; a claim is left alone."""
    claim = as_claim(lambda context: "a" if len(context) > 1 else None)
    assert isinstance(claim, Predicate)
    assert [Reference(claim, AB)(context) for context in ("b", "bb")] == [
        None,
        "a",
    ]
    assert as_claim(claim) is claim


def test_what_an_answer_is_in_tokens() -> None:
    """The answer is split into tokens and ends with the stop token, which it may hold itself."""
    assert answers("aa", lambda prompt: "ab" * len(prompt)).expected(
        "aa", WORDS, 9
    ) == ("ab", "ab")
    for text in ("ab", "ab<end>"):
        assert answers("a", lambda _, text=text: text, stop="<end>").expected(
            "a", WORDS, 9
        ) == ("ab", "<end>")
    assert answers("a", lambda _: "", stop="<end>").expected("a", WORDS, 9) == (
        "<end>",
    )


def test_prompt_and_answer_share_the_window() -> None:
    """The last token of the answer is predicted but never read, so it needs no position."""
    claim = answers("aa", lambda prompt: prompt + "b")
    assert claim.expected("aa", AB, 4) == ("a", "a", "b")
    with Refused(
        ProgramError,
        "claim: the prompt 'aa' and its answer need 4 positions, but n_ctx is 3; bound"
        " the prompts, e.g. with longest=, or widen the window",
    ):
        claim.expected("aa", AB, 3)


def test_prompts_are_countable() -> None:
    """The prompts that fit the window can be counted and listed, and `longest` bounds them
    further.
    """
    assert list(answers("a*b", str).language(3, AB)) == ["b", "ab", "aab"]
    assert list(answers("a*b", str, longest=2).language(3, AB)) == ["b", "ab"]


def test_prompts_of_long_tokens_fit_by_tokens() -> None:
    """A window of three tokens holds prompts of three long tokens."""
    assert list(answers("(<end>)*a", str).language(3, WORDS))[:3] == [
        "a",
        "<end>a",
        "<end><end>a",
    ]


def test_a_lane_may_be_claimed() -> None:
    """A claim on the residual stream gives a number, or nothing where it is silent."""
    reference = Reference(
        residual(
            "v", lambda context: len(context) if len(context) > 1 else None
        ),
        AB,
    )
    assert [reference("a"), reference("ab")] == [None, 2.0]


def test_an_answer_of_known_length() -> None:
    """`length` holds for every answer, or the claim is refused."""
    claim = answers("a+", lambda prompt: prompt, length=2)
    assert claim.expected("aa", AB, 9) == ("a", "a")
    with Refused(
        ProgramError, "claim: the answer to 'a' has 1 tokens, but length=2"
    ):
        claim.expected("a", AB, 9)


# ---------------------------------------------------------------- JSON


@pytest.mark.parametrize(
    "claim",
    [
        after({"aa": "b", ("a", "b"): "a"}),
        distribution({"a": {"a": 0.25, "b": 0.75}}, tolerance=1e-3),
        answers("a{1,3}", lambda prompt: prompt, stop="b"),
        as_claim(lambda context: None),
        residual(token("ab")["a"], len, tolerance=0.5),
    ],
)
def test_claims_round_trip_through_json(claim: Any) -> None:
    """A claim that is data reads back equal; a function reads back as its name."""
    adapter: TypeAdapter[Any] = TypeAdapter(Claim)
    with without_source_lines():
        read = adapter.validate_json(adapter.dump_json(claim))
    assert read == claim
    assert type(read) is type(claim)


@pytest.mark.parametrize("ending", ["kind", "op", "inputs", "table"])
def test_a_token_may_have_the_name_of_a_field(ending: str) -> None:
    """What an author writes as a table is one, whatever tokens it names; only data has kinds."""
    names = dict.fromkeys((ending, "after", "."))
    program = Program(
        name="named",
        embedding=[position(3), token([*names])],
        claim={ending: "after"},
    )
    assert program.claim == after({ending: "after"})
    assert Program.from_data(program.model_dump(mode="json")) == program
    model = program.build()
    assert verify(model, claim={ending: "."}).verdict == "refuted"
    assert answers(ending, {ending: "."}).answer == Table(
        table=((ending, "."),)
    )


def test_a_number_that_gives_none_is_refused() -> None:
    """An author's own kind of number may raise anything; the answer is ours."""

    class Odd(float):
        def __float__(self) -> float:
            raise KeyError("odd")

    claim = residual("token:a", lambda _: Odd(1.0))
    with pytest.raises(ProgramError) as found:
        Reference(claim, AB)("a")
    assert found.value.message == (
        "the function '<lambda>' returned 1.0 of type Odd on the context 'a'; it must return"
        " the number that the lane token:a holds, or None where the claim says nothing"
    )


def test_functions_are_compared_by_their_code() -> None:
    """Two functions of one name are equal only where their text is; against a name from a file,
    the name decides.
    """

    def written(text: str) -> Callback:
        return Callback.of(eval(f"lambda x: {text}"))  # type: ignore[no-any-return]

    one, same, other = written("x"), written("x"), written("x + x")
    assert one == same
    assert one != other
    assert one == Callback("<lambda>") == other


def test_a_function_without_its_file_is_not_guessed() -> None:
    """A function that was read from JSON knows its name only and says what to do."""
    read = Answers.model_validate_json(
        answers("a", lambda prompt: prompt).model_dump_json()
    )
    assert read.answer == Callback("<lambda>")
    with Refused(
        ProgramError,
        "the claim is the function '<lambda>', which a built directory does not hold; "
        "check it beside its program file: verify DIRECTORY --program FILE",
    ):
        read.expected("a", AB, 3)
