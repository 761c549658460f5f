"""The leak of the tied unembedding: a slot with a table of tokens enters the logits, and the
output gain must beat it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import EVERY_PROGRAM, Refused, bundled_program
from hypothesis import given
from hypothesis import strategies as st

from handcraft import MLP, Head, Program, position, scratch, slot, token
from handcraft.core.errors import ProgramError
from handcraft.core.gpt2 import softmax
from handcraft.program.direct_path import leak, leak_problem
from handcraft.recipes import addresses, as_mlp, attend_to, erase, parabola

DIGITS = "0123456789"
t, at, wanted = token(DIGITS), addresses(4), scratch("wanted")
number = slot("number", token={d: int(d) for d in DIGITS})


def previous(gain: float, **fields: Any) -> Program:
    """Repeats the digit before the current one, in which a numeric slot leaks."""
    fetch = attend_to(at, at["p"] - 1, value={t: t}, adds={t: gain * t})
    return Program(
        name="previous", embedding=(at, t, number), layers=(fetch,), **fields
    )


REFUSAL = (
    "the table of number leaks up to 81 into the logits, since the unembedding is wte"
    " itself, but the least that is written to token is {gain}: raise that gain above"
    " the leak, or take the table away with recipes.erase(number) after its last use"
)


@pytest.mark.parametrize("gain", [1, 50, 81])
def test_a_gain_below_the_leak_is_refused(gain: int) -> None:
    """A digit's number times another's is up to 81, which an output gain of 50 does not beat."""
    with pytest.raises(ProgramError) as refusal:
        previous(gain)
    assert (refusal.value.path, refusal.value.message) == (
        ("previous", "embedding"),
        REFUSAL.format(gain=gain),
    )


@pytest.mark.parametrize("gain", [900, 90])
def test_a_gain_above_the_leak_is_right(gain: int) -> None:
    """With a gain that beats it, every pair of digits is answered right."""
    model = previous(gain).build()
    found = model(np.array([[a, b] for a in range(10) for b in range(10)]))[
        :, 1
    ]
    assert found.argmax(axis=1).tolist() == [
        a for a in range(10) for _ in range(10)
    ]


def test_what_the_refusal_advises_works() -> None:
    """The table that neurons erase leaks nothing, so that the small gain is right."""
    fetch = attend_to(at, at["p"] - 1, value={t: t}, adds={t: 50 * t})
    erased = MLP(erase(number, signed=False))
    model = Program(embedding=(at, t, number), layers=(fetch, erased)).build()
    found = model(np.array([[a, b] for a in range(10) for b in range(10)]))[
        :, 1
    ]
    assert found.argmax(axis=1).tolist() == [
        a for a in range(10) for _ in range(10)
    ]


def test_a_number_that_rules_write_does_not_leak() -> None:
    """The same number written into a lane without a table leaks nothing either."""
    fetch = attend_to(
        at, at["p"] - 1, value={wanted: sum((int(d) * t[d] for d in DIGITS), 0)}
    )
    decode = as_mlp(parabola(wanted, {t[d]: int(d) for d in DIGITS}, 50))
    model = Program(embedding=(at, t, wanted), layers=(fetch, decode)).build()
    found = model(np.array([[a, b] for a in range(10) for b in range(10)]))[
        :, 1
    ]
    assert found.argmax(axis=1).tolist() == [
        a for a in range(10) for _ in range(10)
    ]


@given(
    st.dictionaries(
        st.sampled_from("abcdef"),
        st.tuples(st.integers(-9, 9), st.integers(-9, 9)),
        min_size=1,
    )
)
def test_the_leak_is_the_widest_pull_between_two_logits(
    table: dict[str, tuple[int, int]],
) -> None:
    """Over the current token and any two others, of all tokens of the vocabulary, plain Python
    finds the same.
    """
    rows = [table.get(c, (0, 0)) for c in "abcdef"]
    widest = max(
        u[0] * (v[0] - w[0]) + u[1] * (v[1] - w[1])
        for u in rows
        for v in rows
        for w in rows
    )
    assert leak([slot("s", token=table, labels="xy")], "abcdef") == widest


def test_the_leak_is_what_the_logits_show() -> None:
    """Without any rule the logits are the leak of all tables together."""
    pair = slot("pair", token={d: (int(d) - 4, 2) for d in DIGITS}, labels="xy")
    logits = Program(embedding=(number, pair), n_ctx=1).build()(
        np.arange(10)[:, None]
    )[:, 0]
    assert (
        leak([number, pair], DIGITS)
        == (logits.max(axis=1) - logits.min(axis=1)).max()
    )


def test_neurons_and_constants_count_as_gains() -> None:
    """The token lane that gets the least decides, by the most that any rule writes to it; a
    small bias beside it is no matter.
    """
    for layer in (
        MLP(adds={t["1"]: 900, t["2"]: 7}),
        Head(
            value={wanted: t["1"]}, adds={t["1"]: 900 * wanted - 7, t["2"]: 7}
        ),
    ):
        with Refused(
            ProgramError,
            f"previous > embedding: {REFUSAL.format(gain=7)}",
            here=True,
        ):
            Program(
                name="previous",
                embedding=(t, number, wanted),
                layers=(layer,),
                n_ctx=1,
            )


def test_programs_that_nothing_leaks_into() -> None:
    """Tables of positions, tables that rules write into, and programs that write no token lane
    are not concerned.
    """
    square = slot("square", position=[i * i for i in range(4)])
    small = {t["1"]: 2}
    for embedding, layers in (
        ((t, square), [MLP(adds=small)]),
        ((t, position(4)), [MLP(adds=small)]),
        ((number, at), [MLP(adds={number: 2})]),
        ((t, number, wanted, at), [MLP(adds={wanted: 2})]),
        ((t, number, at), []),
    ):
        assert (
            leak_problem(
                embedding,
                Program(embedding=embedding, layers=layers).layers,
                DIGITS,
            )
            is None
        )


@pytest.mark.parametrize("name", EVERY_PROGRAM)
def test_bundled_programs_beat_their_leak(name: str) -> None:
    """No bundled program leaks more than it writes."""
    program = bundled_program(name)
    assert (
        leak_problem(program.embedding, program.layers, program.vocabulary)
        is None
    )


def test_probabilities_are_refused_beside_a_leak() -> None:
    """Logits that are not large cannot beat a leak, so that probabilities would be wrong: they
    are refused too.
    """
    with pytest.raises(ProgramError) as refusal:
        Program(
            name="coin",
            embedding=(t, number),
            layers=(MLP(adds={t["0"]: -0.7, t["1"]: -0.7}),),
            n_ctx=1,
        )
    assert refusal.value.message == REFUSAL.format(gain=0.7)
    model = Program(
        name="coin",
        embedding=(t,),
        layers=(MLP(adds={t["0"]: 50, t["1"]: 50}),),
        n_ctx=1,
    ).build()
    assert softmax(model("5"))[0] == pytest.approx([0.5, 0.5, *[0] * 8])


@pytest.mark.parametrize("where", ["after", "beside"])
def test_a_table_that_is_erased_too_early_leaks(where: str) -> None:
    """An erased lane that a rule writes to again is no clean lane: the gain must beat its table."""
    fetch = attend_to(at, at["p"] - 1, value={t: t}, adds={t: t})
    again = {number: 5}
    gone = erase(number, signed=False)
    layers = {
        "after": [(fetch, gone), again],
        "beside": [(fetch, gone, again)],
    }[where]
    with pytest.raises(ProgramError) as refusal:
        Program(embedding=(at, t, number), layers=layers)
    assert refusal.value.message == REFUSAL.format(gain=1)


def test_tokens_that_are_erased_may_be_written_again() -> None:
    """The one-hot token is erased so that the logits alone stand in its lanes."""
    fetch = attend_to(at, at["p"] - 1, value={wanted: 1})
    layers = [(fetch, erase(t, signed=False)), as_mlp({t["0"]: wanted})]
    program = Program(embedding=(at, t, wanted), layers=layers)
    assert leak_problem(program.embedding, program.layers, DIGITS) is None
