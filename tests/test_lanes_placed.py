"""Prompts whose answers are read at indices that are known: proved without a table of all pairs."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from conftest import FULL
from hypothesis import settings
from lane_programs import answers_rightly, changed, proved_mutants
from lane_texts import OnText, off
from test_lanes_prompts_contained import passed
from test_lanes_prompts_contained import texts_of as drawn_texts

from handcraft import Head, Program, answers, scratch, token
from handcraft.claims.prompt_claim import Answers
from handcraft.model import Model
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes import head_placed
from handcraft.proof.lanes.asked import AskedMeaning
from handcraft.proof.lanes.check import measured_lanes
from handcraft.proof.lanes.contexts import contexts_of
from handcraft.proof.lanes.placed import PlacedChoice, said_at_places
from handcraft.proof.lanes.stream import LaneStream
from handcraft.recipes import addresses, attend_to, attend_where
from handcraft.sequence.expression import Expression
from handcraft.sequence.words import end, here, token_at

LETTERS = "ab"


def echo(longest: int, said: str) -> Model:
    """^ab= is answered with the word, or with its mirror image."""
    at, t = addresses(2 * (longest + 1)), token("^=" + LETTERS)
    equals = scratch("equals")
    find = attend_where(
        {t["="]: 1}, value={equals: at["p"]}, at=at, prefer="first"
    )
    ahead = at["p"] - equals + 1
    back = 2 * equals - at["p"] - 1
    place, stop, e = {
        "copy": (ahead, "=", token_at(here - end + 1)),
        "mirror": (back, "^", token_at(2 * end - here - 1)),
    }[said]
    read = attend_to(at, place, value=t, adds=50 * t)
    claim = answers(rf"\^[ab]{{0,{longest}}}=", e, length=end, stop=stop)
    return Program(
        name=said,
        embedding=(at, t, equals),
        layers=(find, read),
        claim=claim,
    ).build()


KINDS = ("copy", "mirror")
MANY = 200 if settings.default.max_examples >= FULL else 10


@pytest.mark.parametrize("said", KINDS)
def test_a_word_is_copied_and_mirrored(said: str) -> None:
    model = echo(4, said)
    assert answers_rightly(model)
    shown = measured_lanes(model, ())
    assert shown.contexts == sum(2**n for n in range(5))
    assert shown.margin > 40
    assert not shown.silent


@pytest.mark.slow
def test_a_word_of_511_letters_is_copied() -> None:
    shown = measured_lanes(echo(511, "copy"), ())
    assert shown.contexts == 2**512 - 1
    assert shown.margin > 40


@pytest.mark.parametrize("said", KINDS)
def test_no_number_leaves_its_table(said: str) -> None:
    random, model = Random(said), echo(3, said)
    for one in (model, *(changed(model, random) for _ in range(12))):
        assert escapes(one, random) == []


def escapes(model: Model, random: Random) -> list[str]:
    """Each number outside its table, and each answer that the claim's form does not say."""
    claim = model.program.claim  # type: ignore[union-attr]
    assert isinstance(claim, Answers)
    contexts = contexts_of(model, claim)
    symbols = contexts.symbols(placed=True)
    form = AskedMeaning(symbols, contexts).of(claim.answer)
    runs = [
        (prompt, said, passed(model, [*prompt, *said[:-1]]))
        for prompt, said in drawn_texts(model, random, 8)
    ]
    found: list[str] = []

    def compare(after: str, stream: LaneStream) -> None:
        for prompt, said, seen in runs:
            text = [*prompt, *said[:-1]][1:]
            stop = len(prompt) - 2
            on, x = OnText(symbols, text, stop), seen[after]
            asked = contexts.asked[contexts.ends.index(stop)]
            for q in range(len(text)):
                sorts = [stream.text] if stream.read_later else []
                sorts += [stream.asked or []] if asked[q] else []
                if asked[q] and on.table(form, q) != said[q - stop]:
                    found.append(f"the claim at {q} of {text}")
                for lanes in sorts:
                    for j, lane in enumerate(lanes):
                        row = on.row(lane.labels, q)
                        far = lane.c[row], lane.radius[row]
                        if off(x[q + 1, j], *far):
                            found.append(f"{after} {j} at {q} of {text}")

    stream = LaneStream(model, contexts.begin, symbols)
    try:
        stream.run(compare)
    except Rejected:
        return found  # what was bounded until then is compared
    return found


@pytest.mark.parametrize("said", KINDS)
def test_no_wrong_mutant_is_proved(said: str) -> None:
    assert proved_mutants(echo(2, said), Random(said), MANY, answers_rightly)


# ------------------------------------------------------------ left out

REAL_WALKED = head_placed._walked
REAL_LEVELS = head_placed.levels_beside


def letters(score: Any, e: Expression, many: int = 2) -> Model:
    """A prompt of some letters, answered with the letter at the position that scores most."""
    at, t = addresses(many + 2), token("=ab")
    read = Head(query=score(at, t), value=t, adds=50 * t, scores="exact")
    claim = answers(f"[ab]{{{many}}}=", e, length=1)
    return Program(embedding=(at, t), layers=(read,), claim=claim).build()


def by_letter() -> Model:
    """It reads an a, wherever that stands, and the claim is about the first letter."""
    return letters(lambda _, t: {t["a"]: 99.0}, token_at(0))


def beside_it() -> Model:
    """The second letter scores as much as the first, and the claim is about the first."""
    return letters(lambda _, t: {t["a"]: 99.0, t["b"]: 99.0}, token_at(0))


def near_it() -> Model:
    """The second and the third letter score a little less than the first: both have a part."""

    def score(at: Any, t: Any) -> Any:
        return {t["a"]: 99.0, t["b"]: 99.0, at["p"]: -0.25}

    return letters(score, token_at(0), many=3)


def of_another_place() -> Model:
    """It reads the first letter, and the claim is about the second."""
    return letters(lambda at, _: {at["p"]: -99.0}, token_at(1))


def no_others(low: Any, _: Any, beside: Any = None) -> Any:
    return REAL_WALKED(low, np.minimum(low, -1), beside)


def told_apart(low: Any, high: Any, first_low: float, first_high: float) -> Any:
    levels, gap = REAL_LEVELS(low, low, first_low, first_low)
    order = np.argsort(np.argsort(low, kind="stable"))
    return np.where(levels >= 0, order, levels), max(gap, 100.0)


def one_place(
    choice: PlacedChoice, symbols: Any, places: Any, telling: int = 1
) -> None:
    REAL_INIT(choice, symbols, places, telling)
    choice.number = 0


REAL_INIT = PlacedChoice.__init__
LEFT_OUT: dict[str, tuple[Callable[[], Model], Any, str, Any]] = {
    "what others may score, by the token": (
        by_letter,
        head_placed,
        "_walked",
        no_others,
    ),
    "what others score, by the index": (
        beside_it,
        head_placed,
        "_walked",
        no_others,
    ),
    "how far levels are apart": (
        near_it,
        head_placed,
        "levels_beside",
        told_apart,
    ),
    "which places a choice has": (
        of_another_place,
        PlacedChoice,
        "__init__",
        one_place,
    ),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_left_out_it_lets_a_wrong_model_through(name: str) -> None:
    make, owner, check, instead = LEFT_OUT[name]
    model = make()
    assert not answers_rightly(model)
    with pytest.raises(Rejected):
        measured_lanes(model, ())
    with patch.object(owner, check, instead):
        assert measured_lanes(model, ()).margin > 0


@pytest.mark.parametrize("said", KINDS)
def test_what_an_answer_can_have_is_told_by_its_place(said: str) -> None:
    """Of each prompt length and each place: what some prompt has there, and no more."""
    model = echo(3, said)
    claim: Any = model.program.claim  # type: ignore[union-attr]
    contexts = contexts_of(model, claim)
    symbols = contexts.symbols(placed=True)
    form = AskedMeaning(symbols, contexts).of(claim.answer)
    wanted: dict[tuple[int, int], set[str]] = {}
    for prompt in claim.language(model.n_ctx, model.vocabulary):
        stop = len(prompt) - 2  # without the first token
        answer = claim.expected(prompt, model.vocabulary, model.n_ctx)
        for i, letter in enumerate(answer):
            wanted.setdefault((stop, stop + i), set()).add(letter)
    for e, stop in enumerate(contexts.ends):
        with symbols.of_asked(True):
            values = said_at_places(symbols, form, e)
        assert values is not None
        for i in np.flatnonzero(contexts.asked[e]):
            assert values[i] == wanted[stop, int(i)]
