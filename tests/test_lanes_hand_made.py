"""Programs of programs/ that are proved by what their lanes hold, though their rules are written by
hand.
"""

from __future__ import annotations

import os
import runpy
from collections.abc import Callable
from functools import cache
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from conftest import FULL
from hypothesis import settings
from lane_programs import answers_rightly, changed, proved_mutants
from test_lanes_prompts_contained import escapes

from handcraft.model import Model
from handcraft.proof.lanes.check import measured_lanes
from handcraft.proof.lanes.lengths import asked_contexts
from handcraft.proof.lanes.walked import sums_at

FOLDER = Path(__file__).parents[1] / "programs"
MUTANTS = max(2, int(os.environ.get("LANE_MUTANTS", "330")) // 33)
if settings.default.max_examples < FULL:
    MUTANTS = 2


def palindrome(prompt: str) -> str:
    """Y where the second word is the first reversed."""
    first, second = prompt[1:-1].split("#")
    return "Y" if first == second[::-1] else "N"


def two_hop(prompt: str) -> str:
    """What the latest pair points to that begins with what the asked letter points to."""
    pairs = dict(zip(prompt[:-2:2], prompt[1:-2:2], strict=True))
    return pairs.get(pairs.get(prompt[-1], "?"), "?")


def brackets(prompt: str) -> str:
    """The partners of the brackets that are open, the latest first, and $."""
    partner, stack = {"(": ")", "{": "}", "[": "]"}, [""]
    for char in prompt[1:-1]:
        if char in partner:
            stack.append(partner[char])
        else:
            assert stack.pop() == char
    return "".join(reversed(stack)) + "$"


# name: a small size, and what plain Python says
SMALL: dict[str, tuple[Any, Callable[[str], str]]] = {
    "palindrome": ((3,), palindrome),
    "two_hop": (((1, 3), 2), two_hop),
    "brackets": ((2, 1, 9), brackets),
}


@cache
def of_size(name: str, size: Any) -> Model:
    """A program of another size than the bundled one, as a model."""
    build: Any = runpy.run_path(str(FOLDER / f"{name}.py"))[name]
    return build(*size).build()  # type: ignore[no-any-return]


def prompts_of(model: Model) -> list[str]:
    """All prompts of the model's claim."""
    claim: Any = model.program.claim  # type: ignore[union-attr]
    return list(claim.language(model.n_ctx, model.vocabulary))


@pytest.mark.parametrize("name", SMALL)
def test_it_is_proved_on_as_many_prompts_as_there_are(name: str) -> None:
    model = of_size(name, SMALL[name][0])
    shown = measured_lanes(model, ())
    assert shown.margin > 1
    assert shown.contexts == len(prompts_of(model))


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_the_bundled_one_is_proved_as_it_is(name: str) -> None:
    model = Model.open(name)
    assert measured_lanes(model, ()).margin > 1


@pytest.mark.parametrize("name", SMALL)
def test_its_claim_says_what_plain_python_says(name: str) -> None:
    """Of every prompt of the small size, and of drawn ones of the bundled size."""
    size, meaning = SMALL[name]
    model, random = Model.open(name), Random(2026)
    claim: Any = model.program.claim  # type: ignore[union-attr]
    language = claim.language(model.n_ctx, model.vocabulary)
    drawn = [language.draw(random) for _ in range(200)]
    for prompt in [*prompts_of(of_size(name, size)), *drawn]:
        said = claim.expected(prompt, model.vocabulary, model.n_ctx)
        assert "".join(said) == meaning(prompt), prompt


def test_nearly_all_palindromes_are_told_from_others() -> None:
    """Prompts that differ from a palindrome in one letter, or by one, as drawn ones hardly do."""
    claim: Any = Model.open("palindrome").program.claim  # type: ignore[union-attr]
    model = Model.open("palindrome")
    for word in map("".join, product("ab", repeat=4)):
        back = word[::-1]
        for other in (back, back[1:], back[:-1], "a" + back, back + "a"):
            prompt = f"^{word}#{other}="
            said = claim.expected(prompt, model.vocabulary, model.n_ctx)
            assert "".join(said) == palindrome(prompt), prompt


@pytest.mark.parametrize("name", SMALL)
def test_no_number_of_a_changed_model_leaves_its_table(name: str) -> None:
    random, model = Random(name), of_size(name, SMALL[name][0])
    for one in (model, changed(model, random)):
        assert escapes(one, 6, random) == []


@pytest.mark.hypothesis
@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_what_is_wrong_is_not_proved(name: str) -> None:
    proved_mutants(
        of_size(name, SMALL[name][0]), Random(name), MUTANTS, answers_rightly
    )


@pytest.mark.parametrize("name", SMALL)
def test_the_sums_of_a_walk_are_those_of_its_prompts(name: str) -> None:
    """For each end and each place of a prompt: no more than the prompts have, and no less. Behind
    the end there is what the answers have, too.
    """
    model, random = of_size(name, SMALL[name][0]), Random(7)
    claim: Any = model.program.claim  # type: ignore[union-attr]
    contexts = asked_contexts(model, claim)
    texts: Any = contexts.symbols().texts
    many = [[random.randint(-1, 1) for _ in contexts.tokens] for _ in "123"]
    if contexts.lasting is not None:
        many.append(contexts.lasting.weights.tolist())
    for weights in many:
        low, found = sums_at(texts, contexts.walk, np.array(weights))
        wanted = np.zeros_like(found)
        for prompt in prompts_of(model):
            said = claim.expected(prompt, model.vocabulary, model.n_ctx)
            text = [*prompt, *said[:-1]][contexts.skipped :]
            ids = [contexts.tokens.index(t) for t in text]
            end = len(prompt) - contexts.skipped - 1
            row, whole = contexts.ends.index(end), 0
            for i, t in enumerate(ids):
                whole += weights[t]
                wanted[row, i, t, whole - low] = True
        assert not (wanted & ~found).any()
        for row, end in enumerate(contexts.ends):
            upto = slice(end + 1)
            assert np.array_equal(found[row, upto], wanted[row, upto])


@pytest.mark.slow
def test_numbers_of_two_digits_are_sorted_where_there_are_four_of_them() -> (
    None
):
    """The claim of few values counts, as the model does; it says what sorting says, and so does
    that of many.
    """
    model = of_size("sort_numbers", ("01", 3))
    assert measured_lanes(model, ()).contexts == 85
    bundled = Model.open("sort_numbers")
    for prompt in prompts_of(model):
        pairs = [prompt[i : i + 2] for i in range(1, len(prompt) - 1, 2)]
        for one in (model, bundled):
            claim: Any = one.program.claim  # type: ignore[union-attr]
            said = claim.expected(prompt, one.vocabulary, one.n_ctx)
            assert "".join(said) == "".join(sorted(pairs)) + "$"
