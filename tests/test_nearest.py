"""Names that were probably meant, and names that are too far to be suggested."""

from __future__ import annotations

from functools import cache

import pytest
from conftest import BUNDLED
from hypothesis import given
from hypothesis import strategies as st

from handcraft.core.errors import hint
from handcraft.core.nearest import nearest, slips

COMMANDS = ("build", "explain", "run", "trace", "verify", "diff", "states")
LANES = ("token:a", "token:b", "position:0", "position:1", "v")
TOKENS = ("a", "b", "<end>", "=")


@pytest.mark.parametrize(
    ("name", "known", "found"),
    [
        ("inductoin", BUNDLED, "induction"),
        ("inducton", BUNDLED, "induction"),
        ("Induction", BUNDLED, "induction"),
        ("induct", BUNDLED, "induction"),
        ("baby-gpt", BUNDLED, "baby_gpt"),
        ("babygpt", BUNDLED, "baby_gpt"),
        ("bab", BUNDLED, "aab"),
        ("aba", BUNDLED, "aab"),
        ("adder2", BUNDLED, "adder"),
        ("verfy", COMMANDS, "verify"),
        ("expain", COMMANDS, "explain"),
        ("state", COMMANDS, "states"),
        ("rnu", COMMANDS, "run"),
        ("tokn:a", LANES, "token:a"),
        ("positon:1", LANES, "position:1"),
        ("end", TOKENS, "<end>"),
        ("<ned>", TOKENS, "<end>"),
    ],
)
def test_a_slip_of_the_hand_is_seen(
    name: str, known: tuple[str, ...], found: str
) -> None:
    """Letters exchanged, left out, doubled or changed, another case, other signs, a beginning."""
    assert nearest(name, known) == found
    assert hint(name, known) == f"; did you mean '{found}'?"


@pytest.mark.parametrize(
    ("name", "known"),
    [
        *(
            (name, BUNDLED)
            for name in ("abba", "x", "gpt", "hello", "foo", "sum")
        ),
        *((name, BUNDLED) for name in ("model", "transformer", "mine", "test")),
        ("frobnicate", COMMANDS),
        ("help", COMMANDS),
        ("exit", COMMANDS),
        ("token:c", LANES),
        ("position:7", LANES),
        ("w", LANES),
        ("c", TOKENS),
        ("", TOKENS),
        ("-", TOKENS),
        ("a" * 65, ("a" * 64,)),
    ],
)
def test_nothing_far_fetched_is_suggested(
    name: str, known: tuple[str, ...]
) -> None:
    """What has as much in common with every name as with the nearest one has none near."""
    assert nearest(name, known) is None
    assert hint(name, known) == ""


@pytest.mark.parametrize("name", BUNDLED)
def test_every_name_is_nearest_to_itself(name: str) -> None:
    """A name that is known is never taken for another one."""
    assert nearest(name, BUNDLED) == name


@given(st.text("abc", max_size=5), st.text("abc", max_size=5))
def test_slips_are_counted_as_by_their_definition(a: str, b: str) -> None:
    """The recursion that tries every slip at every place, without a table."""

    @cache
    def least(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        found = [
            least(i - 1, j) + 1,
            least(i, j - 1) + 1,
            least(i - 1, j - 1) + (a[i - 1] != b[j - 1]),
        ]
        if a[i - 2 : i] == b[j - 2 : j][::-1] and min(i, j) > 1:
            found.append(least(i - 2, j - 2) + 1)
        return min(found)

    assert slips(a, b) == least(len(a), len(b)) if a and b else True
