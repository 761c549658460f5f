"""Claims that ask for the token of the greatest number are proved two tokens at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from itertools import product
from random import Random
from string import ascii_lowercase
from typing import Any

import numpy as np
import pytest
from conftest import FULL
from hypothesis import given, settings
from hypothesis import strategies as st
from lane_programs import changed
from voted_programs import (
    followed,
    margins,
    most_followed,
    most_voted,
    summed,
    voted,
)

from handcraft import Program, answers, of, tag, verify
from handcraft.core.gpt2 import Array, gpt2
from handcraft.model import Model
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes import of_prompts
from handcraft.proof.lanes.check import measured_lanes
from handcraft.proof.lanes.contexts import contexts_of
from handcraft.proof.lanes.last_heads import Bounded, LastHeads
from handcraft.proof.lanes.least_mean import KeyValues, SumCondition
from handcraft.proof.lanes.stream import LaneStream
from handcraft.proof.lanes.symbols import (
    AT_END,
    AT_INDEX,
    AT_TOKEN,
    Symbols,
)
from handcraft.sequence.words import count, most

KINDS: dict[str, tuple[Callable[..., Any], Callable[[str, str], str]]] = {
    "voted": (voted, most_voted),
    "summed": (summed, most_voted),
    "followed": (followed, most_followed),
}
FEW = settings.default.max_examples < FULL

# ------------------------------------------------------------ what is proved


@pytest.mark.parametrize("name", KINDS)
def test_the_margin_is_that_of_the_worst_prompt(name: str) -> None:
    """Each prompt is counted, and no run has a smaller margin than is shown, nor have all of them a
    much greater one.
    """
    made, right = KINDS[name]
    model = made("abc", 5).build()
    shown = measured_lanes(model, ())
    found = margins(model, right, "abc", 5)
    assert shown.contexts == len(found)
    assert 0.99 < shown.margin <= min(found) < 1.01


@pytest.mark.parametrize("name", KINDS)
def test_tables_are_kept_small_where_that_is_asked_for(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two tokens at a time, too, a claim is looked at with small tables where others do not fit."""
    kept: list[bool] = []

    def stream(model: Model, begin: str | None, symbols: Symbols) -> LaneStream:
        kept.append(symbols.few)
        return LaneStream(model, begin, symbols)

    made, right = KINDS[name]
    model = made("abc", 4).build()
    claim: Any = model.program.claim  # type: ignore[union-attr]
    monkeypatch.setattr(of_prompts, "LaneStream", stream)
    with np.errstate(all="ignore"):
        shown = [
            of_prompts.OfPrompts(model, claim, ()).run(few=x)
            for x in (False, True)
        ]
    assert kept == [False, True]
    for x in shown:
        assert 0.99 < x.margin <= min(margins(model, right, "abc", 4))


@pytest.mark.parametrize("name", ["voted", "followed"])
def test_what_is_compiled_from_the_claim_is_proved(name: str) -> None:
    """There two neurons for each token stand behind the head, which are a straight line."""
    made, right = KINDS[name]
    model = of(made("abc", 4)).build()
    shown = measured_lanes(model, ())
    assert 0 < shown.margin <= min(margins(model, right, "abc", 4))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("made", "longest"), [(voted, 62), (voted, 254), (followed, 31)]
)
def test_programs_over_the_whole_alphabet_are_proved(
    made: Callable[..., Any], longest: int
) -> None:
    """The number of texts is exact, and the margin near that of a letter before another one."""
    shown = measured_lanes(made(ascii_lowercase, longest).build(), ())
    assert shown.contexts == sum(26**n for n in range(1, longest + 1))
    assert 0.7 < shown.margin <= 1


def test_the_verdict_is_that_of_lanes() -> None:
    """Such a claim is looked at by lanes before contexts are followed, and runs agree."""
    report = verify(voted("abc", 4).build())
    assert (report.verdict, report.method) == ("proved", "lanes")
    assert report.contexts == 3 + 9 + 27 + 81


def test_numbers_may_be_sums_and_multiples_of_counts() -> None:
    """Three times a count, less a number, is compared as the count is."""
    plain = measured_lanes(voted().build(), ()).margin
    numbers = {x: 3 * count({0: x}) - 2 for x in "abc"}
    claim = answers(r"\^[a-c]{1,4}=", most(numbers), length=1)
    shown = measured_lanes(voted(claim=claim).build(), ())
    assert shown.margin == pytest.approx(plain)


def test_a_number_that_is_no_sum_over_keys_is_not_compared() -> None:
    """The square of a count is not linear in what keys add to it."""
    squares = {x: count({0: x}) * count({0: x}) for x in "abcdefgh"}
    claim = answers(r"\^[a-h]{1,4}=", most(squares), length=1)
    with pytest.raises(Rejected):
        measured_lanes(voted("abcdefgh", claim=claim).build(), ())


def test_with_few_tokens_neurons_may_stand_behind_the_heads() -> None:
    """Where numbers are read by neurons the tables of all of them together are looked at."""
    model = tag(most({"a": 1, "b": 0}), tokens="ab", n=3).build()
    assert measured_lanes(model, ()).margin > 0


# ------------------------------------------------------------ what is wrong


@pytest.mark.hypothesis
@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_no_mutant_that_is_wrong_is_proved(name: str) -> None:
    """One or two numbers of a model are changed; what is proved answers every prompt rightly."""
    made, right = KINDS[name]
    random, model = Random(name), made("abc", 4).build()
    for _ in range(4 if FEW else 200):
        mutant = changed(model, random)
        try:
            shown = measured_lanes(mutant, ())
        except Rejected:
            continue
        found = margins(mutant, right, "abc", 4)
        assert shown.margin <= min(found) * (1 + 1e-6)


@pytest.mark.parametrize("name", KINDS)
def test_another_order_of_equals_is_not_proved(name: str) -> None:
    """Of equals the claim wants the first that is listed: a model with another first is refused."""
    made, _ = KINDS[name]
    model: Any = made("abc", 4).build()
    claim = model.program.claim
    said = claim.answer
    turned = {token: said.args[i] for i, ((token,), _) in enumerate(said.table)}
    other = most(dict(reversed(turned.items())))
    program = Program(
        embedding=model.program.embedding,
        layers=model.program.layers,
        claim=answers(claim.prompts, other, length=1),
    )
    with pytest.raises(Rejected, match="the margin may be -"):
        measured_lanes(program.build(), ())


# ------------------------------------------------------------ the bound, and the floats


@st.composite
def tables(draw: st.DrawFn) -> tuple[KeyValues, SumCondition]:
    """What three kinds of keys bring and weigh, some of them chosen."""
    three = st.tuples(*(st.integers(-3, 3) for _ in range(3)))
    low = np.array([draw(three)], dtype=np.float64)
    weights = np.array([draw(three)])
    mean = draw(st.booleans())
    flags = st.tuples(*(st.booleans() for _ in range(3)))
    chosen = np.array([draw(flags)]) | (not mean)
    among = np.array([draw(st.booleans())])
    keys = KeyValues(
        there=np.ones((1, 3), dtype=bool),
        chosen=chosen,
        low=np.where(chosen, low, 0),
        first=np.array([float(draw(st.integers(-3, 3)) if mean else 0)]),
        own=np.array([float(draw(st.integers(-3, 3)))]),
        among=among,
        sure=np.array([False]),
        mean=mean,
        most=4,
    )
    return keys, SumCondition(weights, np.array([draw(st.integers(-2, 3))]))


def outcomes(keys: KeyValues, held: SumCondition) -> Iterator[float]:
    """What comes out of each text of one to four keys in which the condition holds."""
    for n in range(1, keys.most + 1):
        for text in product(range(3), repeat=n):
            if held.weights[0, list(text)].sum() < held.least[0]:
                continue
            brought = [keys.low[0, k] for k in text if keys.chosen[0, k]]
            if not keys.mean:
                yield float(keys.own[0] + sum(brought))
                continue
            if keys.among[0] or not brought:
                brought.append(keys.first[0])
            yield float(keys.own[0] + sum(brought) / len(brought))


@given(tables())
def test_the_least_mean_is_below_that_of_every_text(
    drawn: tuple[KeyValues, SumCondition],
) -> None:
    """Enumeration finds no text that is below the bound."""
    keys, held = drawn
    with np.errstate(all="ignore"):
        bound = keys.least(held)[0]
    assert all(bound <= found + 1e-6 for found in outcomes(keys, held))


def perturbed(model: Model, random: Random) -> Model:
    """Each number of a model that is not 0 is a little more or less."""
    weights = deepcopy(model.weights)
    for array in (
        weights["wte"],
        *(
            part
            for b in weights["blocks"]
            for part in b["attn"]["c_proj"].values()
        ),
    ):
        noise = [1 + random.gauss(0, 1e-2) for _ in range(array.size)]
        array[...] = array * np.reshape(noise, array.shape)
    return replace(model, weights=weights)


def bounds(
    model: Model, x: int, y: int
) -> Callable[[str], tuple[float, float]]:
    """Of a prompt the least difference of two logits, and how far it can be off."""
    contexts = contexts_of(model, model.program.claim)  # type: ignore[union-attr,arg-type]
    symbols = contexts.symbols()
    stream = LaneStream(model, contexts.begin, symbols)
    stream.run(lambda _, __: None, to_last=True)
    with symbols.of_asked(True):
        apart = LastHeads(stream).apart(x, y)

    def of(prompt: str) -> tuple[float, float]:
        tokens = [symbols.alphabet.index(c) for c in prompt[1:]]
        end, ends = len(tokens) - 1, list(contexts.ends)
        own = _at(apart.own, ends.index(end), end, end, tokens)
        keys: list[float] = []
        if apart.keys is not None:
            keys = [
                _at(apart.keys, ends.index(end), end, k, tokens)
                for k in range(len(tokens))
            ]
        mean = apart.head is not None and apart.head.mean
        if mean:
            own += (sum(keys) + apart.first) / (len(keys) + 1)
        return own if mean else own + sum(keys), apart.error * (
            1 if mean else len(tokens)
        )

    return of


def _at(
    table: Bounded, row: int, end: int, index: int, tokens: list[int]
) -> float:
    at = {
        (0, AT_TOKEN): tokens[end],
        (0, AT_INDEX): end,
        (0, AT_END): row,
        (1, AT_TOKEN): tokens[index],
        (1, AT_INDEX): index,
    }
    return float(table.low[tuple(at[x] for x in table.labels)])


@pytest.mark.hypothesis
@pytest.mark.parametrize("name", ["voted", "summed"])
def test_the_difference_of_two_logits_lies_in_its_bounds(name: str) -> None:
    """Real runs of models with noise on their numbers: no difference of two logits is less than
    what is said of it, nor more by twice its error.
    """
    random = Random(name)
    made, _ = KINDS[name]
    for _ in range(2 if FEW else 20):
        model = perturbed(made("abc", 4).build(), random)
        ids = model.vocabulary.ids
        pair = random.sample(range(len(ids)), 2)
        of = bounds(model, *pair)
        for text in product("abc", repeat=random.randrange(1, 5)):
            prompt = "^" + "".join(text) + "="
            logits = run(model, prompt)
            low, error = of(prompt)
            found = float(logits[pair[0]]) - float(logits[pair[1]])
            assert low <= found <= low + 2 * error + 1e-9


def run(model: Model, prompt: str) -> Array:
    """The logits behind a prompt."""
    read = np.array([model.vocabulary.ids[c] for c in prompt])
    found = gpt2(read, **model.weights, **model.config)[-1]
    return np.asarray(found, dtype=np.float64)
