"""Where the states of a model are too many, and what cannot be asked of them."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from conftest import Refused, bundled_model
from transitions import untrained

from handcraft.analysis.reachability import avoid
from handcraft.analysis.states import explore
from handcraft.core.errors import PromptError, UndecidedError
from handcraft.frontends import from_markov


def test_too_many_states_are_undecided() -> None:
    """A chain above the limit is cut off, knows it, and has no classes to tell."""
    chain = explore(bundled_model("copy_previous"), limit=10)
    assert (chain.complete, len(chain.rows), chain.starts) == (False, 10, 10)
    message = (
        "raise the limit (--limit), start from fewer contexts (--from), or set a floor"
        " under the probabilities (--floor)"
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
    assert [explore(model, ["1"], limit=n).complete for n in (10, 11)] == [
        False,
        True,
    ]


def test_a_search_that_sees_too_much_ends_early() -> None:
    """Contexts that were only seen are kept up to some multiple of the limit, so that memory
    does not run out.
    """
    chain = explore(untrained(0, n_ctx=6), ["aaa"], limit=1)
    assert (len(chain.rows), len(chain.states), chain.complete) == (1, 4, False)
    wide = from_markov(
        {
            chr(97 + i): {chr(97 + j): 1 / 40 for j in range(40)}
            for i in range(40)
        }
    ).build()
    chain = explore(wide, ["a"], limit=2)
    assert (len(chain.rows), len(chain.states), chain.complete) == (
        1,
        40,
        False,
    )


def test_a_number_of_prompts_is_exact_while_it_can_be_read() -> None:
    """Up to thirty digits are written out, in groups of three."""
    assert (
        explore(bundled_model("adder"), limit=1).origin
        == "its 100,000,000,000,000,000,000 prompts"
    )
    assert (
        explore(bundled_model("majority"), limit=1).origin
        == "more than 10^30 prompts"
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
        (
            "the context to start from: no token matches '2' at character 0 of the text;"
            " the vocabulary is '0', '1'"
        ),
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
