"""Several right answers where they are printed, kept, forged and exported."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from certificates import recorded
from cli_runner import handcraft
from voting import three

from handcraft import Model, after
from handcraft.core.gpt2 import Array
from handcraft.proof import Spread, verify
from handcraft.proof.checker import Rejected, check, examine
from handcraft.proof.checker import claim as checker_claim
from handcraft.proof.checker.certificate import claim_hash
from handcraft.proof.prover import cases
from handcraft.runtimes.agreement import compare_runtime
from handcraft.testing import assert_accurate

# ---------------------------------------------------------------- what is printed


def test_a_counterexample_names_all_that_would_be_right(here: Path) -> None:
    """On the terminal, as JSON, and in an author's own test."""
    wrong = three(after({"a": {"b", "c"}, "b": {"b", "c"}}))
    wrong.build().save(here / "built")
    shown = handcraft("verify", "built")
    assert shown.code == 1
    assert (
        "wrong after 'b': expected 'b' or 'c', got 'a' (margin -50)"
        in shown.out
    )
    told = handcraft("verify", "built", "--json").json["counterexample"]
    assert told == {
        "tokens": ["b"],
        "expected": ["b", "c"],
        "got": "a",
        "margin": -50.0,
    }
    with pytest.raises(AssertionError) as failed:
        assert_accurate(wrong)
    first = str(failed.value).splitlines()[0]
    assert (
        first == "three after ['b']: expected 'b' or 'c', got 'a' (margin -50)"
    )


@pytest.mark.usefixtures("small_units")
def test_a_checkpoint_keeps_all_that_would_be_right(tmp_path: Path) -> None:
    """A run that goes on tells the same as one that was never interrupted."""
    claim = after({"a": {"b", "c"}, "bab": {"b", "c"}})
    model, path = three(claim, n_ctx=6).build(), tmp_path / "run.json"

    def stop(done: int, _: int) -> None:
        if done > 400:
            raise KeyboardInterrupt

    options: Any = {"spread": Spread(checkpoint=path)}
    with pytest.raises(KeyboardInterrupt):
        verify(model, methods=["exhaustive"], progress=stop, **options)
    kept = json.loads(path.read_text())["tally"]["worst"]
    assert kept["expected"] == {"tokens": [1, 2]}
    found = verify(model, methods=["exhaustive"], **options)
    whole = verify(model, methods=["exhaustive"])
    assert replace(found, seconds=0.0) == replace(whole, seconds=0.0)
    assert found.counterexample is not None
    assert found.counterexample.expected == ("b", "c")


# ---------------------------------------------------------------- forgeries


WIDE = {"a": {"b", "c"}, "b": "a", "c": {"a", "b"}}
NARROW = {"a": "b", "b": "a", "c": {"a", "b"}}


def test_a_certificate_of_a_wider_claim_is_none_of_a_narrower_one() -> None:
    """After a two tokens are equal: right where either may follow, a tie where one must. With the
    hash of the narrower claim written into it the bounds do not hold.
    """
    wide, narrow = (three(after(table)).build() for table in (WIDE, NARROW))
    certificate = recorded(wide)
    assert check(wide, certificate).margin == 1.0
    with pytest.raises(Rejected, match="a certificate of another claim"):
        check(narrow, certificate)
    forged = replace(certificate, claim=claim_hash(narrow))
    with pytest.raises(Rejected, match="the margin may be 0"):
        check(narrow, forged)
    assert verify(narrow).verdict == "refuted"


def test_a_certificate_states_no_more_than_the_margin_of_the_best() -> None:
    """The certain margin is that of the best right token over the best wrong one."""
    model = three(after(WIDE)).build()
    certificate = recorded(model)
    exact = verify(model, methods=["exhaustive"]).min_margin
    assert certificate.margin == exact == 1.0
    with pytest.raises(Rejected, match=r"it states a margin of 1\.5"):
        check(model, replace(certificate, margin=1.5))


def test_a_prover_that_widens_a_claim_is_stopped_by_the_checker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a prover that takes c for right after a, too, nothing is proved."""
    model = three(after(NARROW)).build()
    plain = cases._wanted
    monkeypatch.setattr(
        cases,
        "_wanted",
        lambda value, vocabulary: plain(
            ("b", "c") if value == "b" else value, vocabulary
        ),
    )
    found = verify(model, methods=["certificate"])
    assert found.verdict in ("unknown", "refuted")
    assert verify(model).verdict == "refuted"


def test_real_runs_stop_a_checker_that_widens_it_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With both sides broken in the same way, the claim's own meaning is asked of the examples."""
    model = three(after(NARROW)).build()
    plain, read = cases._wanted, checker_claim.Endings.answer
    monkeypatch.setattr(
        cases,
        "_wanted",
        lambda value, vocabulary: plain(
            ("b", "c") if value == "b" else value, vocabulary
        ),
    )
    monkeypatch.setattr(
        checker_claim.Endings,
        "answer",
        lambda *asked: (1, 2) if (found := read(*asked)) == 1 else found,
    )
    assert examine(model, recorded(model)).margin == 1.0
    found = verify(model, methods=["certificate"])
    assert found.verdict == "unknown"
    assert found.reason is not None
    assert "the claim does not say there what the proof takes for right" in (
        found.reason
    )


# ---------------------------------------------------------------- exports


@pytest.mark.parametrize(
    ("table", "differ"), [(WIDE, 0), (NARROW, 13), (None, 13)]
)
def test_a_runtime_may_choose_among_right_tokens(
    table: Any, differ: int
) -> None:
    """After a the model says b, by a hair, and the runtime c: no disagreement where both are
    right, else one for each of the 13 contexts that end in a.
    """
    claim = None if table is None else after(table)
    model = three(claim, c=50 - 2.0**-11).build()
    assert compare_runtime(model, later(model)).argmax_disagreements == differ


def later(model: Model) -> Any:
    """A runtime that is off by a hair, in favour of the last token."""

    def run(ids: Array) -> Array:
        return np.array(model(ids)) + np.arange(3) * 2.0**-10

    return run
