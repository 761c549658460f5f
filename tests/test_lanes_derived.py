"""Derived symbols: what has few values is a symbol of its own, and what is proved with them.

Where tables are large, a flag or a number that depends on many symbols becomes one symbol. For the
tests of small models any table counts as large.
"""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import product
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from conftest import slow_from
from lane_programs import (
    answering,
    answers_rightly,
    changed,
    is_right,
    tagged,
)
from lane_texts import OnText, off
from test_lanes_contained import passed
from test_lanes_prompts_contained import escapes as escapes_of_prompts
from test_lanes_wrong import held_to

from handcraft import Program, answers, tag, token
from handcraft.model import Model
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes import (
    check,
    derived,
    of_prompts,
    parts,
    picked_itself,
)
from handcraft.proof.lanes.check import measured_lanes
from handcraft.proof.lanes.contexts import PromptContexts
from handcraft.proof.lanes.meaning import MeaningForms
from handcraft.proof.lanes.shown import ShownByLanes
from handcraft.proof.lanes.stream import LaneStream
from handcraft.proof.lanes.symbols import Symbols
from handcraft.proof.verify import verify
from handcraft.sequence.words import (
    below,
    cases,
    count,
    end,
    equal,
    fetch,
    first,
    here,
    lookup,
    max_,
    there,
    tokens,
    total,
)

PROGRAMS = Path(__file__).parents[1] / "programs"
SMALL = slow_from(
    5, ("balanced", "hist", "median", "induction", "run", "dyck2")
)


def written(name: str) -> Model:
    """One of the programs that are written by hand."""
    model: Model = runpy.run_path(str(PROGRAMS / f"{name}.py"))[
        "program"
    ].build()
    return model


@contextmanager
def any_table_is_large() -> Iterator[None]:
    """A time in which small tables count as large."""
    made = PromptContexts.symbols

    def few(contexts: PromptContexts, **given: Any) -> Symbols:
        symbols = made(contexts, **given)
        symbols.few = True
        return symbols

    with (
        patch.object(derived, "_LARGE", 8),
        patch.object(derived, "_LARGE_OF_FEW", 8),
        patch.object(PromptContexts, "symbols", few),
    ):
        yield


def shown_of_few(model: Model) -> ShownByLanes:
    """What is shown if any table is large. Raises Rejected."""
    with any_table_is_large(), np.errstate(all="ignore"):
        return check._check_of(model, (), believed=True).run(few=True)


# ------------------------------------------------------------ what is proved


@pytest.mark.slow
def test_a_sort_by_flags_is_proved() -> None:
    """Each flag is read off a count, and there would be 11,962,890,625 rows of six counts."""
    shown = measured_lanes(written("sort"), ())
    assert shown.margin > 48
    assert shown.contexts == sum(6**n for n in range(25))


@pytest.mark.slow
def test_a_computer_is_proved() -> None:
    """What a step reads is the program counter's next value, or a cell's: each is looked at alone,
    and a cell's is one of eight, by five symbols.
    """
    report = verify(written("subleq"))
    assert (report.verdict, report.method) == ("proved", "lanes")
    assert report.contexts == 8**9


@pytest.mark.slow
@pytest.mark.parametrize("n", [20, 64])
def test_two_kinds_of_brackets_are_proved(n: int) -> None:
    """The level of a bracket is a symbol: a pair of levels has fewer rows than their counts."""
    assert measured_lanes(tagged("dyck2", n), ()).margin > 1


@pytest.mark.slow
def test_the_answers_about_brackets_are_proved() -> None:
    """What is said of a bracket is one of three: it is read, not the two counts it is made of."""
    model = answering("balanced", 10)
    assert measured_lanes(model, ()).margin > 1


@pytest.mark.parametrize("name", ["hist", "balanced", "run"])
def test_it_is_proved_where_any_table_is_large(name: str) -> None:
    assert shown_of_few(tagged(name, 3)).margin > 1


def test_the_answers_are_proved_where_any_table_is_large() -> None:
    model = answering("hist", 3)
    assert shown_of_few(model).margin > 1


# ------------------------------------------------------------ what is said is so


def false_facts(symbols: Symbols, text: str) -> list[str]:
    """Each fact on one position that this text does not have, and each unknown value."""
    on, found = OnText(symbols, text), []
    for q in range(len(text)):
        for known, fact in symbols.facts:
            row = on.row(tuple((0, s) for s in known), q)
            if not fact[row]:
                found.append(f"a fact on {known} at {q} of {text}")
    return found


def followed(model: Model, texts: list[str]) -> tuple[list[str], Symbols]:
    """Numbers that leave their tables, and facts that are false; and the symbols."""
    claim: Any = model.program.claim  # type: ignore[union-attr]
    symbols = Symbols(claim.alphabet, model.n_ctx - 1, model.causal, few=True)
    runs = [(text, passed(model, text)) for text in texts]
    found: list[str] = []

    def compare(after: str, stream: LaneStream) -> None:
        for text, seen in runs:
            x, on = seen[after], OnText(symbols, text)
            for q, j in product(range(len(text)), range(len(stream.text))):
                lane = stream.text[j]
                row = on.row(lane.labels, q)
                known = symbols.possible(lane.labels)[row]
                far = off(x[q + 1, j], lane.c[row], lane.radius[row])
                if far or not known:
                    found.append(f"{after} lane {j} at {q} of {text}")

    with suppress(Rejected):  # what was bounded until then is compared
        stream = LaneStream(model, "^", symbols)
        MeaningForms(symbols).of(claim.function)
        stream.run(compare)
    facts = [x for text in texts for x in false_facts(symbols, text)]
    return [*found, *facts], symbols


def drawn(model: Model, random: Random) -> list[str]:
    claim: Any = model.program.claim  # type: ignore[union-attr]
    many = (1, 2, 3, 4, 4, 4)
    return ["".join(random.choices(claim.alphabet, k=n)) for n in many]


@pytest.mark.parametrize("name", SMALL)
def test_no_number_leaves_its_table(name: str) -> None:
    random, model = Random(name), tagged(name, 4)
    with any_table_is_large():
        for one in (model, *(changed(model, random) for _ in range(3))):
            assert followed(one, drawn(one, random))[0] == []


def test_symbols_are_derived_in_these_tests() -> None:
    model = tagged("dyck2", 4)
    with any_table_is_large():
        found, symbols = followed(model, drawn(model, Random(1)))
    assert found == []
    assert len(symbols.known["derived"]) > 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hist", "balanced", "depth", "run"])
def test_no_number_of_an_answer_leaves_its_table(name: str) -> None:
    random, model = Random(name), answering(name, 3)
    with any_table_is_large():
        for one in (model, changed(model, random)):
            assert escapes_of_prompts(one, 4, random) == []


# ------------------------------------------------------------ what is wrong is not proved


@pytest.mark.hypothesis
@pytest.mark.parametrize("name", SMALL)
def test_what_is_wrong_is_not_proved(name: str) -> None:
    random, model = Random(name), tagged(name, 3)
    for _ in range(12):
        mutant = changed(model, random)
        with suppress(Rejected):
            shown_of_few(mutant)
            assert is_right(mutant)


@pytest.mark.hypothesis
@pytest.mark.slow
@pytest.mark.parametrize("name", ["hist", "balanced", "depth"])
def test_what_answers_wrongly_is_not_proved(name: str) -> None:
    random, model = Random(name), answering(name, 2)
    for _ in range(8):
        mutant = changed(model, random)
        with suppress(Rejected):
            shown_of_few(mutant)
            assert answers_rightly(mutant)


# ------------------------------------------------------------ each check left out

SEEN = count(there(tokens) == "a")
FEW, ALL = below(2 * SEEN, here), below(here, SEEN + 1)


def is_proved(model: Model) -> bool:
    with suppress(Rejected):
        return shown_of_few(model).margin > 0
    return False


def merged(number: Any, columns: Any, near: Any) -> bool:
    """True for a form's table, whatever it depends on."""
    return not near.any() or DECIDED(number, columns, near)


DECIDED = derived._decided


def test_left_out_that_labels_decide_a_wrong_claim_is_shown() -> None:
    """Of a count in the second flag only one row is looked at."""
    says = cases((below(0, here), "b"), "a")
    model = tag(says, tokens="ab", n=4, causal=True).build()
    wrong = held_to(model, cases((FEW, "b"), (ALL, "a"), "b"))
    assert not is_right(wrong)
    assert not is_proved(wrong)
    assert is_proved(model)
    with patch.object(derived, "_decided", merged):
        assert is_proved(wrong)


def test_two_tables_that_part_rows_in_the_same_way_are_one_symbol() -> None:
    """The classes may have other numbers; one that parts more, or less, is another symbol."""
    one = derived._one_to_one
    assert one(np.array([0, 1, 1]), np.array([0, 1, 2]), 2) is None
    assert one(np.array([0, 1, 2]), np.array([0, 1, 1]), 3) is None
    assert one(np.array([1, 0, 1]), np.array([0, 1, 0]), 2) is not None


def selects_itself(
    _: Any, __: Any, key: Any, ___: Any
) -> tuple[np.ndarray, np.ndarray]:
    """That a position at a level is the one that is selected."""
    return np.eye(len(key), dtype=bool), key


def first_of_level() -> Model:
    """Is the first bracket that opened this level the round one?"""
    opens = lookup({"(": 1, "{": 1}, tokens, default=0)
    level = max_(total(2 * opens - 1) - opens, 0)
    opened = first(there(opens) & (there(level) == level))
    said = cases((equal(fetch(tokens, opened), "("), "("), "{")
    return tag(said, tokens="(){}", n=4, causal=True).build()


def test_left_out_who_else_is_selected_a_fact_is_false() -> None:
    texts = ["(){", "(({", "{}("]
    with any_table_is_large():
        assert followed(first_of_level(), texts)[0] == []
        with patch.object(picked_itself, "_selected", selects_itself):
            found = followed(first_of_level(), texts)[0]
    assert any("a fact on" in x for x in found)


def always_a() -> Model:
    """It answers each prompt with aa."""
    t = token("^=ab")
    return Program(
        embedding=(t,),
        layers=(({t["a"]: 50},),),
        n_ctx=4,
        claim=answers(
            r"\^[ab]=", cases((equal(here, end), "a"), "b"), length=2
        ),
    ).build()


def test_left_out_a_part_of_the_positions_a_wrong_model_is_proved() -> None:
    model = always_a()
    assert not answers_rightly(model)
    with pytest.raises(Rejected):
        measured_lanes(model, ())
    every = parts.asked_parts

    def one_alone(*given: Any) -> Any:
        return every(*given)[:1]

    with patch.object(of_prompts, "asked_parts", one_alone):
        assert measured_lanes(model, ()).margin > 0
