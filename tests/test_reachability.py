"""Whether a text is ever reached: never, or by a shortest path; or the search was cut off."""

from __future__ import annotations

import math

import pytest
from conftest import Refused, bundled_model
from hypothesis import given
from hypothesis import strategies as st
from transitions import echo, table, untrained

from handcraft.analysis.reachability import Avoided, avoid
from handcraft.analysis.states import explore
from handcraft.core.errors import PromptError

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
        now, n = (
            now | {target for context in now for target in rows[context]},
            n + 1,
        )
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
    assert (avoid(cut, "00").verdict, avoid(cut, "00").exit_code) == (
        "undecided",
        3,
    )
    assert steps(avoid(cut, "01")) == [
        ("111", None),
        ("110", "0"),
        ("101", "1"),
    ]
    seven = explore(model, limit=7)
    assert (seven.every, avoid(seven, "000").verdict) == (False, "reached")


def test_an_answers_last_token_counts() -> None:
    """The text may end with the token that the window has no place to read."""
    chain = explore(echo(), ["a="])
    assert avoid(chain, "a=a=a=a").verdict == "reached"
    assert avoid(chain, "b").verdict == "never"
    with Refused(
        PromptError,
        "the text to avoid has 8 tokens, but no context has more than 7",
    ):
        avoid(chain, "a=a=a=a=")


# ---------------------------------------------------------------- as data


def test_the_answer_as_data() -> None:
    """The path begins with a start to which no token led."""
    found = avoid(
        explore(bundled_model("baby_gpt"), floor=1e-9), "00"
    ).to_json()
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
