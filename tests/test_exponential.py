"""What a certificate assumes of exp and tanh: samples of the laws, and faults that must be
found.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cli_runner import handcraft

from handcraft.core.gpt2 import Array
from handcraft.proof import exponential
from handcraft.proof.exponential import (
    Finding,
    Law,
    check_all,
    check_law,
    in_pieces,
    laws,
    spans,
)

STEP = 400_009  # a prime: every so manieth float32
WIDE = {law.name: law for law in laws("float32")}


def spoiled(at: float, by: float) -> Law:
    """Exp near -1, with one float32 that is off by so many units of roundoff."""

    def exp(x: Array) -> Array:
        return np.where(
            x == np.float32(at),
            np.exp(x) * np.float32(1 + by * 2.0**-24),
            np.exp(x),
        )

    law = next(
        law
        for law in laws("float32", exp=exp)
        if law.name == "exp, normal results"
    )
    return replace(law, low=-1.01, high=-0.99)


@pytest.mark.slow
def test_every_law_holds_on_a_sample() -> None:
    """A few thousand floats of each law, in long and in short arrays, and of float64."""
    found = check_all(STEP)
    assert len(found) == 3 * len(WIDE)
    assert all(finding.holds for finding in found)
    assert not any(finding.every for finding in found)


def test_one_wrong_float_is_found() -> None:
    """A single float whose exponential is off by more than eight units is named, with how far
    it is off.
    """
    found = check_law(spoiled(-1.0, 12.0))
    assert not found.holds
    assert found.every
    assert found.at == -1.0
    assert 10 < found.worst < 14
    assert check_law(spoiled(-1.0, 4.0)).holds


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_breaks_a_law(value: float) -> None:
    """An exponential that is nan or infinite is a violation."""
    law = replace(
        WIDE["exp, normal results"],
        function=lambda x: np.full_like(x, value),
        low=-1.0,
        high=-0.999,
    )
    assert not check_law(law).holds


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("exp, at zero", 1 - 2.0**-24),
        ("exp, underflow", 1e-45),
        ("gelu, zero", -1e-45),
    ],
)
def test_exact_laws_allow_nothing(name: str, value: float) -> None:
    """Where a law is exact, the least difference breaks it."""
    assert check_law(WIDE[name], STEP).holds
    assert not check_law(
        replace(WIDE[name], function=lambda x: np.full_like(x, value)), STEP
    ).holds


def test_a_law_walks_every_float_of_its_range() -> None:
    """The patterns of a law are its floats, both zeros included, each once."""
    law = replace(
        WIDE["tanh"],
        low=float(np.float32(-1e-43)),
        high=float(np.float32(2e-43)),
    )
    seen = np.concatenate(
        [np.arange(s.start, s.stop, dtype=np.uint32) for s in spans(law)]
    ).view(np.float32)
    least = np.finfo(np.float32).smallest_subnormal
    assert sorted(seen / least) == [*range(-71, 1), *range(144)]
    assert sum(map(len, spans(WIDE["tanh"]))) == 2 * (
        0x7F800000 + 1
    )  # all float32 but nan


def test_an_end_that_is_no_float_is_not_rounded_into_a_law() -> None:
    """Beside ln 2^-126, the least normal result, each float belongs to one law alone."""
    edge = np.float32(np.log(2.0**-126))
    near = [
        np.nextafter(edge, np.float32(-100)),
        edge,
        np.nextafter(edge, np.float32(0)),
    ]
    normal, faint = WIDE["exp, normal results"], WIDE["exp, faint results"]
    assert [
        (normal.low <= float(x)) + (float(x) <= faint.high) for x in near
    ] == [
        1,
        1,
        1,
    ]
    low, high = (
        float(edge) - 2.0**-10,
        float(edge) + 2.0**-10,
    )  # floats, 2^-17 apart
    sizes = [
        check_law(
            replace(law, low=max(law.low, low), high=min(law.high, high))
        ).floats
        for law in (normal, faint)
    ]
    assert sum(sizes) == 2 * 2**7 + 1


def test_short_arrays_are_asked_as_such() -> None:
    """The same floats come in arrays of 1 to 64, some with gaps."""
    shapes: list[tuple[int, int]] = []

    def exp(x: Array) -> Array:
        shapes.append((len(x), x.strides[0]))
        return np.exp(x)

    check_law(
        in_pieces(replace(WIDE["exp, normal results"], function=exp)), STEP
    )
    assert {n for n, _ in shapes} >= set(range(1, 65))
    assert {stride for n, stride in shapes if n > 1} == {4, 8}


def test_the_command_says_what_it_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Exit 0 where all laws hold, and 1 with the names of those that do not."""
    good, bad = check_law(spoiled(-1.0, 0.0)), check_law(spoiled(-1.0, 12.0))
    for found, code in (([good], 0), ([good, bad], 1)):
        monkeypatch.setattr(
            exponential, "check_all", lambda step, progress, found=found: found
        )
        result = handcraft("assumptions", "--json")
        assert (result.code, result.json["holds"]) == (code, not code)
    assert (
        handcraft("assumptions").out.splitlines()[-1]
        == "broken: float32 exp, normal results"
    )


def test_findings_are_joined_to_the_worst() -> None:
    """Of two chunks the larger error counts, and all floats."""
    law = WIDE["tanh"]
    joined = Finding(law, 3, 1.0, 0.5).joined(Finding(law, 4, 2.0, 0.25))
    assert (joined.floats, joined.worst, joined.at) == (7, 2.0, 0.25)
