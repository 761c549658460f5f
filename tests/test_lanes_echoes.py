"""Selections among the elements of a prompt that are found where the prompt is said again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import product
from random import Random
from typing import Any

import pytest
from conftest import slow_from
from lane_programs import answering, answers_rightly, changed

from handcraft.model import Model
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.asked import AskedMeaning
from handcraft.proof.lanes.check import measured_lanes
from handcraft.proof.lanes.contexts import contexts_of
from handcraft.proof.lanes.echoed import in_echo, is_of_prompt, nodes_of
from handcraft.sequence.evaluate import evaluate
from handcraft.sequence.expression import Expression

NAMES = ("palindrome", "most_frequent", "sort", "median", "double_hist")


@cache
def sorting() -> Model:
    """It sorts three letters or less."""
    return answering("median", 3)


def claim_of(model: Model) -> Any:
    return model.program.claim  # type: ignore[union-attr]


@pytest.mark.parametrize("name", slow_from(2, NAMES))
def test_what_is_found_there_is_found_in_the_echo(name: str) -> None:
    """Of a text and its echo a selection says the same, asked of elements or in the echo."""
    model = answering(name, 3)
    claim, random = claim_of(model), Random(name)
    language = claim.language(model.n_ctx, model.vocabulary)
    chosen = [
        e
        for e in nodes_of(claim.answer)
        if e.op == "count_where" and is_of_prompt(e)
    ]
    assert chosen
    for _ in range(20):
        prompt = language.draw(random)
        said = claim.expected(prompt, model.vocabulary, model.n_ctx)
        end = len(prompt) - 1
        text = [*model.vocabulary.split(prompt), *said]
        for e in chosen:
            moved = in_echo(e, 1)
            for stop in range(2 * end, len(text)):
                asked = text[: stop + 1]
                assert evaluate(e, asked, end=end) == evaluate(
                    moved, asked, end=end
                )


@pytest.mark.parametrize("name", slow_from(2, NAMES))
def test_a_wrong_one_is_not_proved(name: str) -> None:
    model, random = answering(name, 2), Random(name)
    for _ in range(4):
        other = changed(model, random)
        try:
            measured_lanes(other, ())
        except Rejected:
            continue
        assert answers_rightly(other)


def test_a_sum_that_ends_at_an_element_ends_there_in_the_echo() -> None:
    """Where a short sum ends is a field of it, which reads the index of the element, too."""
    a_before = Expression(
        op="total", table=((("a",), 1),), before=Expression(op="here")
    )
    key = Expression(op="there", args=(Expression(op="here"),))
    first = Expression(op="below", args=(0, key))
    last = Expression(op="below", args=(key, Expression(op="end")))
    inside = Expression(op="both", args=(first, last))
    one = Expression(op="equal", args=(_there(a_before), 1))
    e = Expression(
        op="count_where", args=(Expression(op="both", args=(inside, one)),)
    )
    for word in map("".join, product("ab", repeat=3)):
        text = [*f"^{word}=", *word]
        wanted = sum(word[:i].count("a") == 1 for i in range(3))
        assert evaluate(e, text, end=4) == wanted
        assert evaluate(in_echo(e, 1), text, end=4) == wanted


def _there(e: Expression) -> Expression:
    return Expression(op="there", args=(e,))


def test_what_is_asked_at_some_places_alone_reads_keys_that_stand_anywhere() -> (
    None
):
    """A position of an echo reads elements, of which nobody has checked what stands behind."""
    model = sorting()
    contexts = contexts_of(model, claim_of(model))
    meaning = AskedMeaning(contexts.symbols(), contexts)
    echo = meaning.echoed_keys(1)
    assert echo.used is not None
    assert echo.keys.used is None
    assert echo.keys.keys is echo.keys


def with_nodes(e: Any, change: Callable[[Expression], Any]) -> Any:
    """An expression with some of its nodes changed."""
    if not isinstance(e, Expression):
        return e
    args = tuple(with_nodes(x, change) for x in e.args)
    return change(e.model_copy(update={"args": args}))


def held_to(model: Model, change: Callable[[Expression], Any]) -> Model:
    """The same model, with another claim."""
    claim = claim_of(model)
    said = with_nodes(claim.answer, change)
    program: Any = model.program
    claim = claim.model_copy(update={"answer": said})
    program = program.model_copy(update={"claim": claim})
    return replace(model, program=program)


def test_what_is_no_strict_order_is_no_rank() -> None:
    """Of equal tokens each has the same count of lesser ones: several may be of the rank that is
    asked for, and none.
    """
    other = held_to(sorting(), lambda e: e.args[0] if e.op == "either" else e)
    with pytest.raises(Rejected, match="stands behind"):
        measured_lanes(other, ())


def test_another_order_is_another_claim() -> None:
    """The greatest first: the model sorts from the least on."""

    def turned(e: Expression) -> Expression:
        if e.op != "precedes":
            return e
        return e.model_copy(update={"args": e.args[::-1]})

    other = held_to(sorting(), turned)
    assert not answers_rightly(other)
    with pytest.raises(Rejected, match="the margin may be"):
        measured_lanes(other, ())


def first_of_two(pairs: str) -> Callable[[Expression], Expression]:
    """A change of what stands before what: the first token of each of these pairs, before the
    second.
    """
    rows = tuple((tuple(pair), 1) for pair in pairs.split())

    def change(e: Expression) -> Expression:
        if e.op != "precedes":
            return e
        found = Expression(op="lookup", args=e.args, table=rows)
        return Expression(op="otherwise", args=(found, 0))

    return change


@pytest.mark.parametrize(
    ("pairs", "why"),
    [
        ("01 12 02", None),  # as it was
        ("21 10 20", "the margin may be"),  # another order
        ("01 12 20", "stands behind"),  # a circle: each of 012 has a count of 1
        ("01 12", "stands behind"),  # 0 and 2 have no order
        ("01 12 02 20", "stands behind"),  # or both
    ],
)
def test_a_rank_is_a_count_in_a_strict_order(
    pairs: str, why: str | None
) -> None:
    other = held_to(sorting(), first_of_two(pairs))
    if why is None:
        assert measured_lanes(other, ()).margin > 1
        return
    with pytest.raises(Rejected, match=why):
        measured_lanes(other, ())


def test_a_selection_of_all_that_is_seen_is_none_of_the_prompt() -> None:
    """It would count the echo, too: only both limits make it one of the elements."""
    key = Expression(op="there", args=(Expression(op="here"),))
    first = Expression(op="below", args=(0, key))
    last = Expression(op="below", args=(key, Expression(op="end")))
    both = Expression(op="both", args=(first, last))
    either = Expression(op="either", args=(first, last))
    for condition, kept in (
        (first, False),
        (last, False),
        (either, False),
        (both, True),
    ):
        e = Expression(op="count_where", args=(condition,))
        assert is_of_prompt(e) is kept
