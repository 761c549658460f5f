"""Which of the programs of programs/sequence/ are proved lane by lane, at ten tokens."""

from __future__ import annotations

import pytest
from lane_programs import NAMES, is_right, tagged

from handcraft import verify
from handcraft.proof.lanes.check import measured_lanes
from handcraft.proof.lanes.propose import proposed

QUICK = ("hist", "reverse", "sort", "induction", "palindrome", "dyck2")


@pytest.mark.parametrize("name", NAMES)
def test_it_is_proved_at_ten_tokens(name: str) -> None:
    shown = measured_lanes(tagged(name, 10), ())
    assert shown.margin > 1
    assert shown.contexts == sum(
        len(tagged(name, 10).program.claim.alphabet) ** n  # type: ignore[union-attr, arg-type]
        for n in range(1, 11)
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_it_is_proved_at_twenty_tokens(name: str) -> None:
    assert measured_lanes(tagged(name, 20), ()).margin > 1


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_it_is_proved_at_64_tokens(name: str) -> None:
    assert measured_lanes(tagged(name, 64), ()).margin > 1


@pytest.mark.parametrize("name", NAMES)
def test_a_shorter_one_is_proved_and_right(name: str) -> None:
    model = tagged(name, 3)
    assert measured_lanes(model, ()).margin > 1
    assert is_right(model)


@pytest.mark.parametrize("name", QUICK)
def test_a_real_run_has_the_margin_at_least(name: str) -> None:
    model = tagged(name, 3)
    found = verify(model, method="exhaustive")
    assert found.min_margin is not None
    assert measured_lanes(model, ()).margin <= found.min_margin * (1 + 1e-6)


@pytest.mark.parametrize("name", QUICK)
def test_the_report_says_by_which_method(name: str) -> None:
    report = verify(tagged(name, 3))
    assert (report.verdict, report.method) == ("proved", "lanes")
    assert report.checked == report.contexts


@pytest.mark.parametrize("name", NAMES)
def test_what_a_program_says_of_its_lanes_is_shown(name: str) -> None:
    model = tagged(name, 3)
    assert model.program is not None
    said = proposed(model.program)
    kept = {(x.after, x.lane) for x in measured_lanes(model, said).invariants}
    assert kept == {(x.after, x.lane) for x in said}


@pytest.mark.parametrize("name", QUICK)
def test_a_claim_of_many_rows_is_shown_with_small_tables_or_with_all(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tagged(name, 3)
    shown = measured_lanes(model, ())
    monkeypatch.setattr("handcraft.proof.lanes.of_texts._MANY_CLAIMED", 0)
    assert measured_lanes(model, ()).margin == pytest.approx(
        shown.margin, rel=1e-3
    )
