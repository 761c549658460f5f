"""Prompts that are looked at by where they end, as all together are too many for a table."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from random import Random
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from lane_programs import answering, answers_rightly, changed
from test_lanes_hand_made import SMALL, of_size
from test_lanes_hand_made_left_out import changed_claim

from handcraft.model import Model
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes import head_prompt
from handcraft.proof.lanes.check import measured_lanes
from handcraft.proof.lanes.contexts import PromptContexts
from handcraft.proof.lanes.ends import in_parts, with_ends
from handcraft.proof.lanes.lengths import asked_contexts
from handcraft.proof.lanes.of_prompts import OfPrompts
from handcraft.proof.lanes.shown import ShownByLanes
from handcraft.proof.lanes.symbols import TooManyRows
from handcraft.sequence.expression import Expression
from handcraft.sequence.words import cases, end, equal, here


def most_ends(
    model: Model, many: int, seen: list[tuple[int, ...]] | None = None
) -> ShownByLanes:
    """What is shown of a model where the tables of more ends than so many are too large."""
    claim: Any = model.program.claim  # type: ignore[union-attr]
    pass_ = OfPrompts(model, claim, ())
    pass_.few = False

    def shown(contexts: PromptContexts) -> ShownByLanes:
        if len(contexts.ends) > many:
            raise TooManyRows("a table is too large")
        if seen is not None:
            seen.append(contexts.ends)
        return pass_.shown(contexts, placed=False)

    with np.errstate(all="ignore"):
        return in_parts(asked_contexts(model, claim), shown)


def of_ends(model: Model, part: slice) -> ShownByLanes:
    """What is shown of some of the ends."""
    claim: Any = model.program.claim  # type: ignore[union-attr]
    pass_ = OfPrompts(model, claim, ())
    pass_.few = False
    contexts = with_ends(asked_contexts(model, claim), part)
    with np.errstate(all="ignore"):
        return pass_.shown(contexts, placed=False)


@pytest.mark.parametrize("name", ["hist", "reverse", "least"])
def test_what_is_shown_end_by_end_is_shown_of_all(name: str) -> None:
    model = answering(name, 3)
    whole, found = measured_lanes(model, ()), most_ends(model, 1)
    assert found.contexts == whole.contexts
    assert found.margin >= whole.margin > 0


@pytest.mark.parametrize("many", [1, 2, 3])
def test_each_end_is_in_one_part_and_the_last_ones_come_first(
    many: int,
) -> None:
    seen: list[tuple[int, ...]] = []
    most_ends(answering("hist", 5), many, seen)
    assert [x for part in reversed(seen) for x in part] == [1, 2, 3, 4, 5]
    assert max(map(len, seen)) <= many


@pytest.mark.parametrize("wrong", [1, 2, 3, 4])
def test_a_model_that_is_wrong_of_one_length_alone_is_refused(
    wrong: int,
) -> None:
    """It would be proved if the prompts with this end were left out."""
    model = answering("hist", 4)
    program: Any = model.program
    first = equal(end, wrong + 1) * equal(here, end)
    said = cases((first, "a"), program.claim.answer)
    claim = program.claim.model_copy(update={"answer": said})
    model = replace(model, program=program.model_copy(update={"claim": claim}))
    assert not answers_rightly(model)
    with pytest.raises(Rejected, match="the margin may be"):
        most_ends(model, 1)
    for part in (slice(wrong - 1), slice(wrong, None)):
        if range(4)[part]:
            assert of_ends(model, part).margin > 0


def wrong_at(model: Model, index: int) -> Model:
    """The model with another answer at one index behind the first token."""
    weights = deepcopy(model.weights)
    weights["wpe"][index + 1] += 2.0**12 * np.sign(weights["wte"][0])
    return replace(model, weights=weights)


@pytest.mark.parametrize("end", [1, 2, 3, 4])
def test_the_last_position_of_an_end_is_looked_at_and_none_behind_it(
    end: int,
) -> None:
    """The last end is the only one that has the last position: without it, the model that is wrong
    there would be proved.
    """
    model = answering("hist", 4)
    part, last = slice(end - 1, end), 2 * end
    assert not answers_rightly(wrong_at(model, last))
    with pytest.raises(Rejected):
        of_ends(wrong_at(model, last), part)
    with pytest.raises(Rejected):
        most_ends(wrong_at(model, last), 2)
    if end < 4:
        found = of_ends(wrong_at(model, last + 1), part)
        assert found.margin == of_ends(model, part).margin
    else:
        assert of_ends(wrong_at(model, last), slice(3)).margin > 0


@pytest.mark.parametrize("name", ["median", "double_hist", "sort"])
def test_prompts_of_one_element_are_proved_by_themselves(name: str) -> None:
    """Two heads read the same place there, and no label of a logit says which one that is."""
    assert of_ends(answering(name, 3), slice(1)).margin > 0


def test_where_all_are_too_large_they_are_shown_by_where_they_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never(self: OfPrompts, *, few: bool) -> ShownByLanes:
        self.few = few
        raise TooManyRows("a table is too large")

    model = answering("hist", 3)
    whole = measured_lanes(model, ())
    monkeypatch.setattr(OfPrompts, "run", never)
    found = measured_lanes(model, ())
    assert found.contexts == whole.contexts
    assert found.margin >= whole.margin > 0
    with pytest.raises(Rejected):
        measured_lanes(wrong_at(model, 6), ())


@pytest.mark.parametrize("name", ["hist", "shift"])
def test_changed_models_that_are_shown_end_by_end_are_right(name: str) -> None:
    random, model, proved = Random(name), answering(name, 3), 0
    for _ in range(12):
        mutant = changed(model, random)
        try:
            most_ends(mutant, 1)
        except (Rejected, ArithmeticError, LookupError, TypeError, ValueError):
            continue
        proved += 1
        assert answers_rightly(mutant)
    assert proved


def test_how_long_answers_are_is_known_of_each_end() -> None:
    model = of_size("brackets", SMALL["brackets"][0])
    half = len(asked_contexts(model, model.program.claim).ends) // 2  # type: ignore
    later = slice(half, None)
    assert of_ends(model, later).margin > 0
    length = model.program.claim.length  # type: ignore[union-attr]
    shorter = Expression(op="greatest", args=(length - 1, 1))
    with pytest.raises(Rejected, match="an answer may end somewhere else"):
        of_ends(changed_claim(model, length=shorter), later)


def test_one_end_that_is_too_large_is_refused() -> None:
    def never(contexts: PromptContexts) -> ShownByLanes:
        raise TooManyRows("a table is too large")

    model = answering("hist", 3)
    claim: Any = model.program.claim  # type: ignore[union-attr]
    with pytest.raises(TooManyRows, match="a table is too large"):
        in_parts(asked_contexts(model, claim), never)


@pytest.mark.slow
def test_where_a_table_that_tells_more_is_too_large_some_ends_are_looked_at() -> (
    None
):
    model = answering("median", 4)
    with patch.object(head_prompt, "MOST_TABLE_ROWS", 3000):
        assert measured_lanes(model, ()).margin > 1816
        with (
            patch.object(OfPrompts, "by_ends", not_shown),
            pytest.raises(Rejected, match="only by ends"),
        ):
            measured_lanes(model, ())


def not_shown(_: OfPrompts) -> None:
    """Shows nothing."""
    raise Rejected("only by ends")
