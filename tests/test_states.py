"""The model as a Markov chain over contexts, beside a chain that plain Python makes of one
context at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product

import pytest
from conftest import Refused, bundled_model, random_weights
from hypothesis import given
from hypothesis import strategies as st

from handcraft import Head, Model, Program, answers, position, token
from handcraft.analysis.reachability import Avoided, avoid
from handcraft.analysis.states import Chain, State, explore
from handcraft.core.decoding import Sampler
from handcraft.core.errors import PromptError, UndecidedError
from handcraft.core.vocabulary import Vocabulary
from handcraft.frontends import from_markov

SEQUENCE = "111101111011110"  # Karpathy's
Table = dict[str, dict[str, float]]  # context -> next context -> probability


def table(chain: Chain) -> Table:
    """The transitions of a chain by the texts of its contexts."""
    return {
        chain.label(i): {chain.label(j): p for j, p in row.items()}
        for i, row in enumerate(chain.rows)
    }


def sliding(model: Model, starts: list[str], temperature: float = 1.0) -> Table:
    """The chain of a model whose window slides, one context and one token at a time."""
    found: Table = {}
    waiting = list(starts)
    while waiting:
        context = waiting.pop()
        if context not in found:
            logits = [float(x) / temperature for x in model(context)[-1]]
            powers = [math.exp(x - max(logits)) for x in logits]
            chances = {
                name: power / sum(powers)
                for name, power in zip(model.vocabulary.tokens, powers, strict=True)
            }
            found[context] = {
                (context + name)[-model.n_ctx :]: p for name, p in chances.items() if p
            }
            waiting += found[context]
    return found


def close(found: Table, expected: Table) -> bool:
    """Whether two chains have the same edges with nearly the same probabilities."""
    return {s: row.keys() for s, row in found.items()} == {
        s: row.keys() for s, row in expected.items()
    } and all(
        p == pytest.approx(expected[s][t], rel=1e-4)
        for s, row in found.items()
        for t, p in row.items()
    )


def untrained(seed: int, n_ctx: int = 3) -> Model:
    """A model of random weights over three letters."""
    return Model(
        "untrained", random_weights(seed, n_ctx=n_ctx), Vocabulary(("a", "b", "c")), 2
    )


# ---------------------------------------------------------------- the baby GPT


def test_the_baby_gpt_has_eight_states_and_sixteen_edges() -> None:
    """Every window of three bits is a state, in the order of the bits, and either bit may
    follow each.
    """
    chain = explore(bundled_model("baby_gpt"))
    assert [chain.label(i) for i in range(8)] == [
        "".join(bits) for bits in product("01", repeat=3)
    ]
    assert (len(chain.states), len(chain.edges), chain.complete) == (8, 16, True)
    assert {(chain.label(i), bit, chain.label(j)) for i, j, bit, _ in chain.edges} == {
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
        assert p == pytest.approx(follows.count(bit or "") / len(follows), abs=1e-12)
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
    assert shares == pytest.approx({"011": 0.2, "101": 0.2, "110": 0.2, "111": 0.4})
    assert [chain.label(i) for i in chain.transient] == ["000", "001", "010", "100"]
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
        sliding(model, ["".join(c) for c in product("abc", repeat=3)], temperature),
    )
    assert all(
        math.fsum(row.values()) == pytest.approx(1, abs=1e-12) for row in chain.rows
    )


@given(st.integers(0, 10_000))
def test_the_stationary_distribution_is_where_many_steps_lead(seed: int) -> None:
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
    assert [chain.place[i][1] for i in range(len(now))] == pytest.approx(now, abs=1e-9)


def test_a_context_that_is_given_grows_until_it_slides() -> None:
    """From one letter the chain goes through the shorter contexts, and comes back to none of
    them.
    """
    model = untrained(1)
    chain = explore(model, ["a", "c"])
    assert close(table(chain), sliding(model, ["a", "c"]))
    assert [chain.label(i) for i in range(2)] == ["a", "c"]
    short = [i for i in range(len(chain.states)) if len(chain.states[i].ids) < 3]
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
    assert sorted(map(chain.label, circle.states)) == ["aabaa", "abaab", "baaba"]
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


def echo(
    stop: str | None = None, length: int | None = None, prompts: str = "[ab]="
) -> Model:
    """Says the token before the = ... over and over: each token is the one two back."""
    p, t = position(6), token("ab=$")
    head = Head(query=1024 * p.previous, value=t, output=1024 * t)
    return Program(
        name="echo",
        embedding=(p, t),
        layers=(head,),
        claim=answers(prompts, lambda text: text[0], stop=stop, length=length),
    ).build()


def test_a_claim_on_prompts_starts_from_its_prompts_and_ends() -> None:
    """Without a stop token the answer ends with the window; the last token is predicted, never
    read, and stays.
    """
    chain = explore(echo())
    assert chain.origin == "its 2 prompts"
    ends = [chain.label(c.states[0]) for c in chain.closed]
    assert ends == ["a=a=a=a", "b=b=b=b"]
    assert all(c.absorbing and chain.states[c.states[0]].ended for c in chain.closed)
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
    same = [state for i, state in enumerate(chain.states) if chain.label(i) == "aa"]
    assert same == [State((0, 0), 1), State((0, 0), 0)]


def test_the_stop_token_ends_an_answer() -> None:
    """The program sort answers up to $: every state is a prefix of what generate says, and the
    last one is absorbing.
    """
    model = bundled_model("sort")
    chain = explore(model, ["^ba=", "^cab="], floor=1e-6)
    ends = [chain.label(c.states[0]) for c in chain.closed]
    assert ends == ["^ba=" + model.generate("^ba="), "^cab=" + model.generate("^cab=")]
    assert {chain.label(i) for i in range(len(chain.states))} == {
        end[:n]
        for end, start in zip(ends, (4, 5), strict=True)
        for n in range(start, len(end) + 1)
    }


def test_what_is_no_prompt_is_refused() -> None:
    """A start outside the claim's domain is refused as run refuses it."""
    domain = (
        "its prompts match '[ab]=', such as 'a=', and fit 6 tokens with their answer"
    )
    with Refused(PromptError, f"'=a' is not a prompt of echo; {domain}"):
        explore(echo(), ["=a"])


# ---------------------------------------------------------------- limits


def test_too_many_states_are_undecided() -> None:
    """A chain above the limit is cut off, knows it, and has no classes to tell."""
    chain = explore(bundled_model("copy_previous"), limit=10)
    assert (chain.complete, len(chain.rows), chain.starts) == (False, 10, 10)
    message = (
        "raise the limit, start from fewer contexts, or set a floor under the"
        " probabilities"
    )
    with Refused(
        UndecidedError,
        f"copy_previous has more than 10 states from its 26^64 full windows; {message}",
    ):
        chain.whole()
    with Refused(
        UndecidedError,
        f"copy_previous has more than 10 states from its 26^64 full windows; {message}",
    ):
        _ = chain.closed


def test_the_limit_itself_is_enough() -> None:
    """Eight states are found with a limit of eight; with seven the chain is cut off."""
    model = bundled_model("baby_gpt")
    assert [explore(model, limit=n).complete for n in (7, 8)] == [False, True]
    assert [explore(model, ["1"], limit=n).complete for n in (10, 11)] == [False, True]


def test_a_search_that_sees_too_much_ends_early() -> None:
    """Contexts that were only seen are kept up to some multiple of the limit, so that memory
    does not run out.
    """
    chain = explore(untrained(0, n_ctx=6), ["aaa"], limit=1)
    assert (len(chain.rows), len(chain.states), chain.complete) == (1, 4, False)
    wide = from_markov(
        {chr(97 + i): {chr(97 + j): 1 / 40 for j in range(40)} for i in range(40)}
    ).build()
    chain = explore(wide, ["a"], limit=2)
    assert (len(chain.rows), len(chain.states), chain.complete) == (1, 40, False)


def test_a_number_of_prompts_is_exact_while_it_can_be_read() -> None:
    """Up to thirty digits are written out."""
    assert (
        explore(bundled_model("adder"), limit=1).origin
        == "its 100000000000000000000 prompts"
    )
    assert (
        explore(bundled_model("majority"), limit=1).origin == "more than 10^30 prompts"
    )


REFUSED: list[tuple[Callable[[], object], str]] = [
    (
        lambda: explore(bundled_model("baby_gpt"), floor=0.5),
        "no token after '000' is above the floor of 0.5; its best has 0.5",
    ),
    (
        lambda: explore(bundled_model("baby_gpt"), floor=-0.1),
        (
            "the floor must lie from 0 to below 1 and the limit from 1 on, found -0.1"
            " and 4096"
        ),
    ),
    (
        lambda: explore(bundled_model("baby_gpt"), floor=math.nan),
        (
            "the floor must lie from 0 to below 1 and the limit from 1 on, found nan"
            " and 4096"
        ),
    ),
    (
        lambda: explore(bundled_model("baby_gpt"), limit=0),
        "the floor must lie from 0 to below 1 and the limit from 1 on, found 0.0 and 0",
    ),
    (
        lambda: explore(bundled_model("baby_gpt"), ["2"]),
        "no token matches '2' at character 0 of the prompt; the vocabulary is 0, 1",
    ),
    (
        lambda: avoid(explore(bundled_model("baby_gpt")), "0101"),
        "the text to avoid has 4 tokens, but no context has more than 3",
    ),
    (
        lambda: avoid(explore(bundled_model("baby_gpt"), ["100"]), "00"),
        "every start holds '00' already; start from contexts without it",
    ),
]


@pytest.mark.parametrize(
    ("ask", "message"), REFUSED, ids=[message[:30] for _, message in REFUSED]
)
def test_what_cannot_be_asked_is_refused(
    ask: Callable[[], object], message: str
) -> None:
    """A floor that leaves nothing, numbers out of range, unknown tokens: each says what was
    found.
    """
    with Refused(PromptError, message):
        ask()


# ---------------------------------------------------------------- avoiding


def steps(found: Avoided) -> list[tuple[str, str | None]]:
    """The path as texts: the start, then each context with the token that led there."""
    return [
        (found.chain.label(found.path[0]), None),
        *((found.chain.label(s), name) for s, name, _ in found.steps),
    ]


def test_what_never_comes_is_never_reached() -> None:
    """From 111, above 1e-9, two zeros never stand side by side: the four contexts of the
    sequence are all there is.
    """
    found = avoid(explore(bundled_model("baby_gpt"), ["111"], floor=1e-9), "00")
    assert (found.verdict, found.exit_code, found.allowed, found.path) == (
        "never",
        0,
        1,
        (),
    )


def test_what_can_come_is_reached_by_a_shortest_path() -> None:
    """Without the floor it takes two zeros, the second of them with 7e-46."""
    found = avoid(explore(bundled_model("baby_gpt"), ["111"]), "00")
    assert (found.verdict, found.exit_code) == ("reached", 1)
    assert steps(found) == [("111", None), ("110", "0"), ("100", "0")]
    assert [p for _, _, p in found.steps] == pytest.approx(
        [0.5, math.exp(-104)], rel=1e-4
    )


def test_the_starts_that_hold_the_text_do_not_count() -> None:
    """Of the eight windows five are without 00, and one of these leads to it in a step."""
    found = avoid(explore(bundled_model("baby_gpt"), floor=1e-9), "00")
    assert (found.allowed, steps(found)) == (5, [("010", None), ("100", "0")])


@given(
    st.integers(0, 10_000),
    st.text("abc", min_size=1, max_size=3),
    st.text("abc", min_size=1, max_size=3),
)
def test_the_answer_is_that_of_a_search_over_all_paths(
    seed: int, start: str, text: str
) -> None:
    """Stepping all contexts at once finds the text in as many steps as the path has, or never."""
    model = untrained(seed)
    chain = explore(model, [start], floor=0.2)
    rows = table(chain)
    if text in start:
        return
    found, now, n = avoid(chain, text), {start}, 0
    while not any(text in context for context in now) and n <= len(rows):
        now, n = now | {target for context in now for target in rows[context]}, n + 1
    assert found.verdict == ("never" if n > len(rows) else "reached")
    assert len(found.steps) == (0 if n > len(rows) else n)
    assert not found.path or text in chain.label(found.path[-1])


def test_a_search_that_was_cut_off_says_never_only_of_what_it_saw() -> None:
    """Two copies of a chain, one cut off: what the limit hides is undecided, a path before it
    is still a path.
    """
    model = bundled_model("baby_gpt")
    cut = explore(
        model, ["111"], floor=1e-9, limit=2
    )  # 111 and 110 are computed, 101 is only seen
    assert (avoid(cut, "00").verdict, avoid(cut, "00").exit_code) == ("undecided", 3)
    assert steps(avoid(cut, "01")) == [("111", None), ("110", "0"), ("101", "1")]
    seven = explore(model, limit=7)
    assert (seven.every, avoid(seven, "000").verdict) == (False, "reached")


def test_an_answers_last_token_counts() -> None:
    """The text may end with the token that the window has no place to read."""
    chain = explore(echo(), ["a="])
    assert avoid(chain, "a=a=a=a").verdict == "reached"
    assert avoid(chain, "b").verdict == "never"
    with Refused(
        PromptError, "the text to avoid has 8 tokens, but no context has more than 7"
    ):
        avoid(chain, "a=a=a=a=")


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
            "closed": [{"states": [0, 1, 2, 3], "period": 1, "absorbing": False}],
        },
    }


def test_the_answer_as_data() -> None:
    """The path begins with a start to which no token led."""
    found = avoid(explore(bundled_model("baby_gpt"), floor=1e-9), "00").to_json()
    assert found == {
        "text": ["0", "0"],
        "verdict": "reached",
        "allowed": 5,
        "floor": 1e-9,
        "path": [
            {"context": ["0", "1", "0"], "token": None, "probability": None},
            {
                "context": ["1", "0", "0"],
                "token": "0",
                "probability": pytest.approx(0.5),
            },
        ],
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
