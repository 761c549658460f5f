"""Verification by sampling: contexts drawn by hypothesis and shrunk, prompts drawn evenly by
length.
"""

from __future__ import annotations

import time
from collections import Counter
from itertools import count, islice, product
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import Refused, bundled_model, claiming

from handcraft import (
    Head,
    Model,
    Program,
    after,
    answers,
    distribution,
    position,
    scratch,
    token,
)
from handcraft.core.errors import ProgramError
from handcraft.proof import Budget, verify
from handcraft.proof import sample as sampling
from handcraft.proof.sample import draw_prompts

SAMPLED: dict[str, Any] = {"methods": ["sampled"], "budget": Budget(drawn=200)}


def latest(text: str) -> str | None:
    """What followed the latest earlier occurrence of the last letter."""
    found = text.rfind(text[-1], 0, -1)
    return text[found + 1] if found >= 0 else None


def wrong_from_three(text: str) -> str | None:
    """The induction claim, wrong where the last letter stands three times."""
    expected = latest(text)
    return (
        ("b" if expected == "a" else "a")
        if expected and text.count(text[-1]) >= 3
        else expected
    )


# ---------------------------------------------------------------- open contexts


def test_too_many_contexts_are_sampled() -> None:
    """Where enumeration is beyond the budget, contexts are drawn; each is checked at all its
    prefixes.
    """
    report = verify(
        bundled_model("induction"),
        methods=["exhaustive", "sampled"],
        budget=Budget(drawn=50),
    )
    assert (report.verdict, report.method, report.accuracy) == (
        "checked",
        "sampled",
        1.0,
    )
    assert report.contexts > 50
    assert 0 < report.checked < report.contexts


def test_a_wrong_function_is_found_and_shrunk() -> None:
    """A claim that the model does not meet is refuted, with a shortest counterexample."""
    report = verify(claiming(wrong_from_three, "induction").build(), **SAMPLED)
    assert report.verdict == "refuted"
    assert report.counterexample is not None
    assert "".join(report.counterexample.tokens) == "aaa"
    assert (report.counterexample.expected, report.counterexample.got) == (
        "b",
        "a",
    )


def test_a_draw_can_be_repeated() -> None:
    """Two runs of one check draw the same contexts."""
    one, two = (
        verify(
            bundled_model("copy_previous"),
            methods=["sampled"],
            budget=Budget(drawn=50),
        )
        for _ in range(2)
    )
    assert (one.contexts, one.checked, one.min_margin, one.min_margin_at) == (
        two.contexts,
        two.checked,
        two.min_margin,
        two.min_margin_at,
    )


def test_a_wrong_table_is_found() -> None:
    """A single wrong entry of a table is found by drawing where it is not rare."""
    table = {x + y: "a" if y != "b" else "b" for x in "ab" for y in "ab"}
    p, t = position(40), token("ab")
    program = Program(
        embedding=(p, t),
        layers=(Head(query=1024 * p.previous, value=t, adds=1024 * t),),
        claim=after(table),
    )
    report = verify(program.build(), **SAMPLED)
    assert report.verdict == "refuted"
    assert report.counterexample is not None
    assert "".join(report.counterexample.tokens) in ("ab", "ba")


@pytest.mark.slow
def test_noncausal_contexts_are_checked_whole() -> None:
    """Where positions see their future only the whole context is checked, not its prefixes."""
    t = token("ab")
    program = Program(
        embedding=(position(20), t), claim=lambda text: text[-1], causal=False
    )
    report = verify(program.build(), **SAMPLED)
    assert (report.verdict, report.contexts) == ("checked", report.checked)
    assert report.contexts <= 200


@pytest.mark.parametrize("allowed", [1, 5, 20, 60, 200])
def test_time_that_ends_while_drawing_or_shrinking(
    monkeypatch: pytest.MonkeyPatch, allowed: int
) -> None:
    """When the time is over in the middle, what was found stands: a counterexample refutes,
    else the check did not finish.
    """
    ticks = count()
    monkeypatch.setattr(
        sampling,
        "time",
        SimpleNamespace(
            monotonic=lambda: 0.0 if next(ticks) < allowed else 1e9
        ),
    )
    report = verify(
        claiming(wrong_from_three, "induction").build(),
        methods=["sampled"],
        budget=Budget(drawn=400, seconds=1e6),
    )
    if report.verdict == "refuted":
        assert report.counterexample is not None
        text = "".join(report.counterexample.tokens)
        assert wrong_from_three(text) != latest(text)
    else:
        assert (report.verdict, report.exit_code) == ("unknown", 3)
        assert report.reason is not None
        assert report.reason.startswith("the time was over")


def test_time_that_ends_before_anything_is_drawn() -> None:
    """A check that had no time says that, and not that it passed or that the claim was silent."""
    for name in ("induction", "adder"):
        report = verify(
            bundled_model(name),
            methods=["sampled"],
            budget=Budget(seconds=-1.0),
        )
        assert (report.verdict, report.checked) == ("unknown", 0)
        assert report.reason is not None
        assert report.reason.startswith("the time was over")


def test_a_faulty_claim_on_contexts_is_an_error() -> None:
    """What a claim's function raises on a context that was drawn is told as it is, though a
    context is asked but once.
    """

    def fifth(text: str) -> str:
        return text[4]

    model = claiming(fifth, "induction").build()
    line = fifth.__code__.co_firstlineno + 1
    with Refused(
        ProgramError,
        "induction > claim: the function 'fifth' raised IndexError: string index out"
        " of range on the context 'a'; where the claim says nothing, return None"
        f" ({__file__}:{line})",
    ):
        verify(model, **SAMPLED)


# ---------------------------------------------------------------- prompts and answers


def doubler(answer: Any, prompts: str = "[ab]{1,3}=", **options: Any) -> Model:
    """A program that answers = to everything, with a claim of prompts."""
    t = token("ab=")
    say = Head(value={t["="]: 9})
    return Program(
        name="say",
        embedding=(position(8), t),
        layers=(say,),
        claim=answers(prompts, answer, **options),
    ).build()


def test_few_prompts_are_checked_whole() -> None:
    """Where the prompts can be listed, each is checked once, and counts as one."""
    report = verify(doubler(lambda _: "===="))
    assert (
        report.verdict,
        report.method,
        report.contexts,
        report.checked,
        report.accuracy,
    ) == ("checked", "exhaustive", 14, 14, 1.0)
    assert report.min_margin == pytest.approx(10.0)


def test_answers_of_several_lengths_need_a_stop_token() -> None:
    """Without one, running could not know where an answer ends, so that a right program would
    still print too much.
    """
    model = doubler(lambda prompt: "=" * len(prompt))
    source = (
        model.program.claim.source
        if model.program and model.program.claim
        else None
    )
    with Refused(
        ProgramError,
        "say > claim: the answer to 'aa=' has 3 tokens, that to 'a=' has 2: end them"
        f" with stop= ({source})",
    ):
        verify(model)


def test_a_wrong_answer_is_the_prompt_s_fault_once() -> None:
    """A prompt is right or wrong as a whole; the counterexample ends where the first wrong
    token is due.
    """
    report = verify(doubler(lambda prompt: "==a=" if "b" in prompt else "===="))
    assert (report.verdict, report.contexts, report.accuracy) == (
        "refuted",
        14,
        3 / 14,
    )
    assert report.counterexample is not None
    assert (
        "".join(report.counterexample.tokens),
        report.counterexample.expected,
        report.counterexample.got,
    ) == ("b===", "a", "=")


def test_the_stop_token_is_part_of_the_answer() -> None:
    """An answer is right only if the stop token follows it."""
    assert verify(doubler(lambda _: "", stop="=")).verdict == "checked"
    assert verify(doubler(lambda _: "=", stop="a")).verdict == "refuted"


def test_many_prompts_are_drawn() -> None:
    """Where there are too many prompts as many are drawn as the budget says."""
    report = verify(
        bundled_model("adder"),
        methods=["exhaustive", "sampled"],
        budget=Budget(drawn=300),
    )
    assert (report.verdict, report.method, report.contexts, report.checked) == (
        "checked",
        "sampled",
        300,
        300,
    )


@pytest.mark.parametrize(
    ("drawn", "told"), [(20000, "all"), (14, "all"), (5, "5"), (1, "1")]
)
def test_a_prompt_counts_once(drawn: int, told: str) -> None:
    """Of fourteen prompts no more than fourteen are covered, however many may be drawn, and the
    reason says how many there are.
    """
    report = verify(
        doubler(lambda _: "===="),
        methods=["sampled"],
        budget=Budget(drawn=drawn),
    )
    every = [
        "".join(letters) + "="
        for n in (1, 2, 3)
        for letters in product("ab", repeat=n)
    ]
    assert report.contexts == report.checked == min(drawn, len(every))
    assert report.reason == f"there are 14 prompts; {told} were drawn"


def test_the_one_wrong_prompt_of_few_is_found() -> None:
    """Where all are drawn, as many as there are, none is missed."""
    report = verify(
        doubler(lambda prompt: "=a==" if prompt == "bab=" else "===="),
        methods=["sampled"],
    )
    assert (report.verdict, report.contexts) == ("refuted", 14)
    assert report.accuracy == 13 / 14


def test_drawing_ends_where_the_rest_is_rare() -> None:
    """A prompt of one letter is drawn as often as all the long ones: those that are left out by so
    many draws are not waited for, and the count is of those that were asked.
    """
    claim = answers("a|b|[ab]{12}", lambda _: "a")
    model = Program(
        name="rare", embedding=(position(13), token("ab")), claim=claim
    ).build()
    language = claim.language(model.n_ctx, model.vocabulary)
    drawn = list(draw_prompts(language, 4000, float("inf")))
    assert len(drawn) == len(set(drawn)) == 4000
    assert list(draw_prompts(language, 4000, -1.0)) == []
    most = list(draw_prompts(language, 10**4, float("inf")))
    assert set(most) <= set(language)
    assert len(most) == len(set(most)) <= language.size == 2 + 2**12


LONG = "abbabaab"


def saying(last: str, claim: Any, **options: Any) -> Model:
    """A program that says this token after everything."""
    p, t = position(24), token("abcdefgh")
    say = Head(query=1024 * p, value={t[last]: 9}, adds={t[last]: 9})
    return Program(
        name="saying", embedding=(p, t), layers=(say,), claim=claim, **options
    ).build()


@pytest.mark.parametrize(
    "claim",
    [
        after({LONG: "b"}),
        distribution({LONG: dict.fromkeys("abcdefgh", 1 / 8)}, tolerance=1),
    ],
)
def test_a_table_of_one_long_ending_is_asked(claim: Any) -> None:
    """Of random contexts one in 16 million ends so; of those drawn here several do, each once."""
    one, two = (verify(saying("b", claim), **SAMPLED) for _ in range(2))
    assert one.verdict == "checked"
    assert 5 <= one.checked <= one.contexts < 200 + 24
    assert (one.contexts, one.checked) == (two.contexts, two.checked)
    assert (
        one.reason
        == f"there are about 10^21 contexts; {one.contexts} were drawn"
    )


def test_each_row_of_a_table_is_asked_as_far_as_the_budget_goes() -> None:
    """Two hundred endings of five tokens, of which one is wrong: all are drawn alone first; where
    the budget is too small for all, what was not asked is not called wrong.
    """
    endings = [
        "".join(e) for e in islice(product("abcdefgh", repeat=5), 0, 20000, 100)
    ]
    table = dict.fromkeys(endings, "b") | {endings[77]: "c"}
    model = saying("b", after(table))
    found = verify(model, methods=["sampled"], budget=Budget(drawn=4000))
    assert found.verdict == "refuted"
    assert found.counterexample is not None
    assert "".join(found.counterexample.tokens) == endings[77]
    few = verify(model, methods=["sampled"], budget=Budget(drawn=10))
    assert few.verdict == "checked"
    assert few.checked < len(table)


def test_what_a_longer_ending_decides_is_found_and_shrunk() -> None:
    """A model that is right after an ending alone and wrong after it where a c stands before: the
    counterexample has nothing else before it.
    """
    p, t, c = position(12), token("abc"), scratch("c")
    look = Head(value={c: t["c"]}, adds={t["a"]: 99 * c, t["b"]: 5})
    model = Program(
        name="early",
        embedding=(p, t, c),
        layers=(look,),
        claim=after({"abab": "b"}),
    ).build()
    found = verify(model, **SAMPLED)
    assert found.verdict == "refuted"
    assert found.counterexample is not None
    assert "".join(found.counterexample.tokens) == "cabab"


def test_time_is_left_for_contexts_without_an_ending(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where seconds are the budget, half of them are for the endings."""
    ticks, start, others = count(), time.monotonic(), list[int]()
    clock = SimpleNamespace(monotonic=lambda: start + next(ticks))
    monkeypatch.setattr(sampling, "time", clock)
    monkeypatch.setattr(
        sampling, "_find", lambda *_, **__: others.append(next(ticks))
    )
    model = saying("b", after({LONG: "b"}))
    verify(model, methods=["sampled"], budget=Budget(drawn=10**9, seconds=1000))
    assert 400 < others[0] < 600


def test_contexts_are_never_more_than_there_are() -> None:
    """Of 62 contexts 62 are covered, if so many are drawn."""
    report = verify(
        bundled_model("aab"), methods=["sampled"], budget=Budget(drawn=20000)
    )
    assert (report.contexts, report.checked) == (62, 45)
    assert report.reason == "there are 62 contexts; all were drawn"


def test_prompts_are_drawn_evenly_by_length() -> None:
    """Short prompts, of which there are few, are drawn as often as long ones, and the same ones
    each time.
    """
    claim = answers(r"\d{1,6}", lambda _: "0")
    model = Program(
        embedding=(position(9), token("0123456789")), claim=claim
    ).build()
    drawn = list(claim.language(model.n_ctx, model.vocabulary).sample(1200))
    assert all(150 < n < 250 for n in Counter(map(len, drawn)).values())
    assert drawn == list(
        claim.language(model.n_ctx, model.vocabulary).sample(1200)
    )


def test_a_wrong_sum_is_found() -> None:
    """A claim that is wrong whenever a carry runs is found wrong."""

    def carryless(prompt: str) -> str:
        a, b = prompt.rstrip("=").split("+")
        return "".join(
            str((int(x) + int(y)) % 10) for x, y in zip(a, b, strict=True)
        )[::-1]

    claim = answers(r"0\d{10}\+0\d{10}=", carryless)
    report = verify(claiming(claim, "adder").build(), **SAMPLED)
    assert report.verdict == "refuted"
    assert report.contexts == 200


def test_an_answer_that_does_not_fit_is_an_error() -> None:
    """Prompt and answer share the window: a claim that asks for more is refused, with the
    program's name and the claim's line.
    """
    model = doubler(lambda prompt: "=" * 9)
    assert model.program is not None
    assert model.program.claim is not None
    with Refused(
        ProgramError,
        "say > claim: the prompt 'a=' and its answer need 10 positions, but n_ctx is"
        " 8; bound the prompts, e.g. with longest=, or widen the window"
        f" ({model.program.claim.source})",
    ):
        verify(model)


def test_a_faulty_claim_is_an_error() -> None:
    """What a claim's function raises is told with the program, the prompt and its own line."""

    def hundredth(prompt: str) -> str:
        return prompt[99]

    model = doubler(hundredth)
    line = hundredth.__code__.co_firstlineno + 1
    with Refused(
        ProgramError,
        "say > claim: the function 'hundredth' raised IndexError: string index out of"
        " range on the prompt 'a='; each prompt of the claim needs an answer"
        f" ({__file__}:{line})",
    ):
        verify(model)
