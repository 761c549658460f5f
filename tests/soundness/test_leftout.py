"""Every check left out once: what its side would then call right, and that the others stop it."""

from __future__ import annotations

import pytest
from leftout.bounds import CHECKERS, PROVERS
from leftout.inputs import AS_STATED
from leftout.reasons import REASONS
from leftout.sides import PROVED
from leftout.sites import sites
from leftout.table import What, found, of_gate, row, stopped_by, with_input

QUIET = pytest.mark.filterwarnings(
    "ignore::RuntimeWarning"
)  # where a check is left out, numbers overflow
BOUNDS = 20  # of the prover, and of the checker
NINE_IN_TEN = 0.9


def test_every_check_has_a_line() -> None:
    """Each has an input that would be called right without it, or the reason why there can be
    none.
    """
    lines = {line.strip() for line in (*found(), *REASONS)}
    assert {str(site).strip() for site in sites()} - lines == set()


def test_twenty_bounds_of_each_side_matter() -> None:
    """So many wrong bounds or counts have an input that would be called right by them."""
    for edits in (PROVERS, CHECKERS):
        assert sum(str(edit) in found() for edit in edits) >= BOUNDS


@QUIET
@pytest.mark.parametrize("what", with_input(), ids=str)
def test_a_check_that_is_left_out_is_missed_and_the_others_stop_it(
    what: What,
) -> None:
    """With it the input is refused, without it its side alone says proved; and together, with
    no real runs, nobody does.
    """
    line = row(what, found()[str(what)])
    assert line.whole != PROVED
    assert line.broken == PROVED
    assert stopped_by(line) != "NOBODY"


@QUIET
def test_the_gate_stops_nine_in_ten_where_both_sides_are_broken() -> None:
    """A certificate that should not be, accepted by a checker that lacks a check: real runs
    disagree.
    """
    both = [
        w
        for w in with_input()
        if not w.of_prover
        and found()[str(w)].partition("/")[0] not in AS_STATED
    ]
    said = {str(what): of_gate(what, found()[str(what)]) for what in both}
    passed = [name for name, answer in said.items() if answer == PROVED]
    print(
        f"the gate stops {len(both) - len(passed)} of {len(both)}; not {passed}"
    )
    assert None not in said.values()
    assert len(passed) <= (1 - NINE_IN_TEN) * len(both)
