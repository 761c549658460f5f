"""The model as a Markov chain over contexts, beside a chain that plain Python makes of one
context at a time.
"""

from __future__ import annotations

import math
from itertools import product

import pytest
from conftest import Refused, bundled_model
from hypothesis import given
from hypothesis import strategies as st
from transitions import close, echo, sliding, table, untrained

from handcraft.analysis.states import State, explore
from handcraft.core.decoding import Sampler
from handcraft.core.errors import PromptError
from handcraft.frontends import from_markov

SEQUENCE = "111101111011110"  # Karpathy's

# ---------------------------------------------------------------- the baby GPT


def test_the_baby_gpt_has_eight_states_and_sixteen_edges() -> None:
    """Every window of three bits is a state, in the order of the bits, and either bit may
    follow each.
    """
    chain = explore(bundled_model("baby_gpt"))
    assert [chain.label(i) for i in range(8)] == [
        "".join(bits) for bits in product("01", repeat=3)
    ]
    assert (len(chain.states), len(chain.edges), chain.complete) == (
        8,
        16,
        True,
    )
    assert {
        (chain.label(i), bit, chain.label(j)) for i, j, bit, _ in chain.edges
    } == {
        (context, bit, context[1:] + bit)
        for context in map("".join, product("01", repeat=3))
        for bit in "01"
    }


def test_its_probabilities_are_those_of_the_sequence() -> None:
    """Each bit follows a context as often as in Karpathy's sequence; after one that never
    occurs both are even.
    """
    chain = explore(bundled_model("baby_gpt", "float64"))
    for i, j, bit, p in chain.edges:
        follows = [
            SEQUENCE[k + 3]
            for k in range(len(SEQUENCE) - 3)
            if SEQUENCE[k : k + 3] == chain.label(i)
        ] or ["0", "1"]
        assert p == pytest.approx(
            follows.count(bit or "") / len(follows), abs=1e-12
        )
        assert chain.label(j)[-1] == bit


def test_with_a_floor_only_what_occurs_lasts() -> None:
    """Above 1e-9 the chain stays in the four contexts that the sequence has, 111 for two fifths
    of the time.
    """
    chain = explore(bundled_model("baby_gpt"), floor=1e-9)
    (lasting,) = chain.closed
    shares = dict(
        zip(map(chain.label, lasting.states), lasting.shares or (), strict=True)
    )
    assert len(chain.edges) == 13
    assert shares == pytest.approx(
        {"011": 0.2, "101": 0.2, "110": 0.2, "111": 0.4}
    )
    assert [chain.label(i) for i in chain.transient] == [
        "000",
        "001",
        "010",
        "100",
    ]
    assert (lasting.period, lasting.absorbing) == (1, False)


def test_without_a_floor_the_rarest_token_counts() -> None:
    """A logit of -104 leaves 7e-46: then every context lasts, the four that never occur for
    1e-45 of the time.
    """
    (lasting,) = explore(bundled_model("baby_gpt")).closed
    assert len(lasting.states) == 8
    assert sum(share < 1e-45 for share in lasting.shares or ()) == 4


# ---------------------------------------------------------------- any model


@given(st.integers(0, 10_000), st.sampled_from([0.3, 1.0, 5.0]))
def test_the_chain_is_that_of_one_context_at_a_time(
    seed: int, temperature: float
) -> None:
    """Computed all at once, random weights have the transitions that a plain loop finds, and
    rows that sum to 1.
    """
    model = untrained(seed)
    chain = explore(model, sampler=Sampler(temperature))
    assert close(
        table(chain),
        sliding(
            model, ["".join(c) for c in product("abc", repeat=3)], temperature
        ),
    )
    assert all(
        math.fsum(row.values()) == pytest.approx(1, abs=1e-12)
        for row in chain.rows
    )


@given(st.integers(0, 10_000))
def test_the_stationary_distribution_is_where_many_steps_lead(
    seed: int,
) -> None:
    """Walking on from an even start, a step at a time, comes to the shares of the only closed
    class.
    """
    chain = explore(
        untrained(seed), sampler=Sampler(temperature=5.0)
    )  # near to even, so that few steps are enough
    assert len(chain.closed) == 1
    now = [1 / len(chain.states)] * len(chain.states)
    for _ in range(300):
        after = [0.0] * len(now)
        for i, j, _token, p in chain.edges:
            after[j] += now[i] * p
        now = after
    assert [chain.place[i][1] for i in range(len(now))] == pytest.approx(
        now, abs=1e-9
    )


def test_a_context_that_is_given_grows_until_it_slides() -> None:
    """From one letter the chain goes through the shorter contexts, and comes back to none of
    them.
    """
    model = untrained(1)
    chain = explore(model, ["a", "c"])
    assert close(table(chain), sliding(model, ["a", "c"]))
    assert [chain.label(i) for i in range(2)] == ["a", "c"]
    short = [
        i for i in range(len(chain.states)) if len(chain.states[i].ids) < 3
    ]
    assert len(short) == 2 + 6
    assert set(short) <= set(chain.transient)


def test_a_start_that_is_too_long_keeps_its_end() -> None:
    """As in generate, only the last n_ctx tokens of a start count; a start given twice is one."""
    chain = explore(bundled_model("baby_gpt"), ["0000111", "111"], floor=1e-9)
    assert (chain.label(0), chain.starts, len(chain.states)) == ("111", 1, 4)


def test_one_token_at_most_is_the_greedy_chain() -> None:
    """With top_k=1 each context has one successor: the one that generate takes."""
    model = untrained(3)
    chain = explore(model, sampler=Sampler(top_k=1))
    for i, j, name, p in chain.edges:
        assert (name, p) == (model.generate(chain.label(i), 1), 1.0)
        assert chain.label(j) == chain.label(i)[1:] + (name or "")


def test_a_floor_shares_out_what_it_takes() -> None:
    """Tokens that are not above the floor are gone; the others keep their proportions and sum
    to 1.
    """
    program = from_markov(
        {"a": {"a": 0.7, "b": 0.2, "c": 0.1}, "b": {"a": 1.0}, "c": {"a": 1.0}}
    )
    rows = table(explore(program.build("float64"), floor=0.15))
    assert rows["a"] == pytest.approx({"a": 7 / 9, "b": 2 / 9})
    assert "c" not in rows["a"]


def test_a_chain_may_go_round_in_a_circle() -> None:
    """The program aab repeats three windows for ever: a closed class of period 3, each a third
    of the time.
    """
    chain = explore(bundled_model("aab"))
    (circle,) = chain.closed
    assert sorted(map(chain.label, circle.states)) == [
        "aabaa",
        "abaab",
        "baaba",
    ]
    assert (circle.period, circle.shares) == (3, pytest.approx([1 / 3] * 3))


def test_several_closed_classes_have_a_distribution_each() -> None:
    """Two letters that never meet again, and a third that leads to either: each class has
    shares that sum to 1.
    """
    chances = {
        "a": {"a": 1.0},
        "b": {"b": 0.5, "c": 0.5},
        "c": {"b": 1.0},
        "d": {"a": 0.5, "b": 0.5},
    }
    chain = explore(from_markov(chances).build("float64"), floor=1e-9)
    assert [[chain.label(i) for i in c.states] for c in chain.closed] == [
        ["a"],
        ["b", "c"],
    ]
    assert [c.absorbing for c in chain.closed] == [True, False]
    assert [c.shares for c in chain.closed] == [
        pytest.approx([1.0]),
        pytest.approx([2 / 3, 1 / 3]),
    ]
    assert [chain.label(i) for i in chain.transient] == ["d"]


# ---------------------------------------------------------------- claims on prompts


def test_a_claim_on_prompts_starts_from_its_prompts_and_ends() -> None:
    """Without a stop token the answer ends with the window; the last token is predicted, never
    read, and stays.
    """
    chain = explore(echo())
    assert chain.origin == "its 2 prompts"
    ends = [chain.label(c.states[0]) for c in chain.closed]
    assert ends == ["a=a=a=a", "b=b=b=b"]
    assert all(
        c.absorbing and chain.states[c.states[0]].ended for c in chain.closed
    )
    assert [chain.label(i) for i in range(chain.starts)] == ["a=", "b="]
    assert [(i, j, name, p) for i, j, name, p in chain.edges if i == j] == [
        (c.states[0], c.states[0], None, 1.0) for c in chain.closed
    ]


def test_an_answer_of_a_length_ends_after_it() -> None:
    """With length=1 every prompt has one step."""
    chain = explore(echo(length=1))
    assert table(chain) == {
        "a=": {"a=a": 1.0},
        "b=": {"b=b": 1.0},
        "a=a": {"a=a": 1.0},
        "b=b": {"b=b": 1.0},
    }


def test_a_prompt_is_not_what_was_answered() -> None:
    """The same text as a prompt and as another prompt's answer is two states: one goes on, one
    has ended.
    """
    chain = explore(echo(length=1, prompts="aa?"))
    same = [
        state for i, state in enumerate(chain.states) if chain.label(i) == "aa"
    ]
    assert same == [State((0, 0), 1), State((0, 0), 0)]


def test_the_stop_token_ends_an_answer() -> None:
    """The program sort answers up to $: every state is a prefix of what generate says, and the
    last one is absorbing.
    """
    model = bundled_model("sort")
    chain = explore(model, ["^ba=", "^cab="], floor=1e-6)
    ends = [chain.label(c.states[0]) for c in chain.closed]
    assert ends == [
        "^ba=" + model.generate("^ba="),
        "^cab=" + model.generate("^cab="),
    ]
    assert {chain.label(i) for i in range(len(chain.states))} == {
        end[:n]
        for end, start in zip(ends, (4, 5), strict=True)
        for n in range(start, len(end) + 1)
    }


def test_what_is_no_prompt_is_refused() -> None:
    """A start outside the claim's domain is refused as run refuses it."""
    domain = "its prompts match '[ab]=', such as 'a=', and fit 6 tokens with their answer"
    with Refused(PromptError, f"'=a' is not a prompt of echo; {domain}"):
        explore(echo(), ["=a"])


# ---------------------------------------------------------------- as data


def test_the_chain_as_data() -> None:
    """Contexts are lists of tokens; edges name states by their number; classes and shares stand
    beside the states.
    """
    chain = explore(bundled_model("baby_gpt"), ["111"], floor=1e-9)
    assert chain.to_json() == {
        "states": [
            {
                "context": list(context),
                "ended": False,
                "class": 0,
                "stationary": pytest.approx(share),
            }
            for context, share in (
                ("111", 0.4),
                ("110", 0.2),
                ("101", 0.2),
                ("011", 0.2),
            )
        ],
        "edges": [
            {"from": i, "to": j, "token": name, "probability": pytest.approx(p)}
            for i, j, name, p in [
                (0, 1, "0", 0.5),
                (0, 0, "1", 0.5),
                (1, 2, "1", 1),
                (2, 3, "1", 1),
                (3, 0, "1", 1),
            ]
        ],
        "reachable": {
            "starts": 1,
            "complete": True,
            "transient": [],
            "closed": [
                {"states": [0, 1, 2, 3], "period": 1, "absorbing": False}
            ],
        },
    }


def test_a_chain_that_was_cut_off_tells_no_classes() -> None:
    """What was seen is there; classes, shares and transient states are unknown."""
    found = explore(bundled_model("baby_gpt"), ["1"], limit=2).to_json()
    assert found["reachable"] == {
        "starts": 1,
        "complete": False,
        "closed": None,
        "transient": None,
    }
    assert {state["class"] for state in found["states"]} == {None}
    assert len(found["edges"]) == 4
