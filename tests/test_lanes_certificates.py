"""Certificates of proofs lane by lane: written, checked, and rejected when they say too much."""

from __future__ import annotations

import json
import os
from copy import deepcopy
from hashlib import sha256
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import pytest
from conftest import FULL
from hypothesis import settings
from lane_programs import changed, tagged
from test_lanes_contained import passed

from handcraft import verify
from handcraft.core.errors import HandcraftError, ProgramError
from handcraft.model import Model
from handcraft.proof.by_lanes import certificate_of
from handcraft.proof.certificate_files import (
    certify,
    check_certificate,
    proof_hash,
)
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.certificate import (
    Invariant,
    lanes_from_json,
    to_json,
)
from handcraft.proof.lanes.check import check_lanes, measured_lanes
from handcraft.proof.verify import silent, verify_with_proof
from handcraft.sequence.words import lookup, tokens

NAME = "double_hist"
MANY = int(os.environ.get("LANE_EDITS", "400"))
if settings.default.max_examples < FULL:
    MANY = 40


@pytest.fixture(scope="module")
def written() -> dict[str, Any]:
    """A certificate as plain data."""
    data = to_json(certificate_of(tagged(NAME, 4)))
    return json.loads(json.dumps(data))  # type: ignore[no-any-return]


def test_it_is_written_and_checked(tmp_path: Path) -> None:
    model, path = tagged(NAME, 4), tmp_path / "proof.json"
    made = certify(model, path, silent)
    assert (made.verdict, made.method) == ("proved", "lanes")
    again = check_certificate(model, path)
    assert (again.verdict, again.method) == ("proved", "checked certificate")
    assert again.min_margin == made.min_margin


def test_it_is_a_list_of_what_lanes_hold(written: dict[str, Any]) -> None:
    said = [(x["after"], x["lane"]) for x in written["invariants"]]
    assert len(said) >= 2
    assert all(x["radius"] < 0.25 for x in written["invariants"])


def test_nothing_is_written_of_what_is_not_proved(tmp_path: Path) -> None:
    model = changed(tagged("hist", 3), Random(3))
    with pytest.raises(Rejected):
        measured_lanes(model, ())
    path = tmp_path / "proof.json"
    report = certify(model, path, silent)
    assert report.verdict == "unknown"
    assert not path.exists()


EDITS: dict[str, tuple[Any, str]] = {
    "the margin": (
        lambda d: d.update(margin=d["margin"] * 1.01),
        "it states a margin of",
    ),
    "the contexts": (
        lambda d: d.update(contexts=121),
        "it states 121 contexts",
    ),
    "the weights": (
        lambda d: d.update(weights="0" * 64),
        "it is a certificate of other weights",
    ),
    "the claim": (
        lambda d: d.update(claim="0" * 64),
        "it is a certificate of another claim",
    ),
    "the window": (lambda d: d.update(n_ctx=4), "it states another program"),
    "an assumption": (
        lambda d: d["assumptions"].pop(),
        "it states another program",
    ),
    "a radius": (
        lambda d: d["invariants"][0].update(radius=0.0),
        "is not shown to hold what is said",
    ),
    "a lane": (
        lambda d: d["invariants"][0].update(lane="bos"),
        "is not shown to hold what is said",
    ),
    "no lane": (
        lambda d: d["invariants"][0].update(lane="nothing"),
        "there is no such lane",
    ),
    "the sublayer": (
        lambda d: d["invariants"][0].update(after="9.mlp"),
        "an invariant stands after no sublayer",
    ),
    "what it holds, by nothing": (
        lambda d: d["invariants"][0].update(
            holds=lookup({"x": 1}, tokens).model_dump(mode="json")
        ),
        "it says nothing, on any text",
    ),
    "what it holds": (
        lambda d: d["invariants"][0].update(
            holds=d["invariants"][1]["holds"], radius=0.2
        ),
        "is not shown to hold what is said",
    ),
}


@pytest.mark.parametrize(("edit", "why"), EDITS.values(), ids=list(EDITS))
def test_what_says_too_much_is_rejected(
    written: dict[str, Any], edit: Any, why: str
) -> None:
    data = deepcopy(written)
    edit(data)
    with pytest.raises(Rejected, match=why):
        check_lanes(tagged(NAME, 4), lanes_from_json(data))


def test_what_says_less_is_accepted(written: dict[str, Any]) -> None:
    data = deepcopy(written)
    data["invariants"] = data["invariants"][:1]
    data["invariants"][0]["radius"] = 0.1
    data["margin"] = 1.0
    assert check_lanes(tagged(NAME, 4), lanes_from_json(data)).margin > 1


def test_a_certificate_of_another_model_is_rejected(
    written: dict[str, Any],
) -> None:
    for n in (3, 5):
        with pytest.raises(Rejected, match="it is a certificate of other"):
            check_lanes(tagged(NAME, n), lanes_from_json(written))


def places(data: Any) -> list[tuple[Any, Any]]:
    """Every number and text of plain data, as its place in a list or a dictionary."""
    found = []
    for key, value in list(
        data.items() if isinstance(data, dict) else enumerate(data)
    ):
        if isinstance(value, dict | list):
            found += places(value)
        else:
            found.append((data, key))
    return found


def edited(data: Any, random: Random) -> Any:
    """The same with one number or text changed."""
    data = deepcopy(data)
    holder, key = random.choice(places(data))
    old = holder[key]
    if isinstance(old, str):
        other, at = random.choice(places(data))
        holder[key] = random.choice((other[at], old + "x", old[:-1], ""))
    else:
        holder[key] = random.choice((0, old + 1, old - 1, old * 2, -old, None))
    return data


class RealRuns:
    """What a certificate says, held against runs of the model on all texts."""

    def __init__(self, model: Model, first: Any) -> None:
        self.first, self.causal = first, model.causal
        claim = model.program.claim  # type: ignore[union-attr]
        lengths = range(1, model.n_ctx)
        letters = [product(claim.alphabet, repeat=n) for n in lengths]  # type: ignore[union-attr, arg-type]
        texts = ["".join(x) for every in letters for x in every]
        self.runs = [(text, passed(model, text)) for text in texts]
        layout = model.program.layout  # type: ignore[union-attr]
        self.column = {str(lane): at for lane, at in layout.column.items()}

    def agree(self, data: Any) -> bool:
        """True if its numbers say no more than those of the first one, and each of its lanes holds
        what it says.
        """
        stated = {
            k: v for k, v in data.items() if k not in ("invariants", "seconds")
        }
        if any(
            v != self.first[k] and not (k == "margin" and v < self.first[k])
            for k, v in stated.items()
        ):
            return False
        return all(map(self._holds, lanes_from_json(data).invariants))

    def _holds(self, said: Invariant) -> bool:
        at = self.column[said.lane]
        found = (
            (value, x)
            for text, seen in self.runs
            for value, x in zip(
                said.holds.all(text, causal=self.causal),
                seen[said.after][1:, at],
                strict=True,
            )
        )
        return all(v is None or abs(v - x) <= said.radius for v, x in found)


@pytest.mark.hypothesis
def test_random_edits_say_nothing_false(written: dict[str, Any]) -> None:
    random, model = Random(15), tagged(NAME, 4)
    runs = RealRuns(model, written)
    for _ in range(MANY):
        data = edited(written, random)
        try:
            certificate = lanes_from_json(data)
            check_lanes(model, certificate)
        except (Rejected, HandcraftError):
            continue
        assert runs.agree(data)


@pytest.mark.parametrize(
    "text", ["{}", "[]", '{"format": "handcraft lane certificate 1"}', "x"]
)
def test_what_is_no_certificate_is_one_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "proof.json"
    path.write_text(text)
    with pytest.raises(ProgramError, match=r"proof\.json"):
        check_certificate(tagged(NAME, 4), path)


def test_of_what_was_run_whole_the_least_margin_has_its_text() -> None:
    report = verify(tagged("hist", 3))
    assert report.min_margin_at is not None
    assert len(report.min_margin_at) <= 4


def test_the_hash_of_a_proof_is_that_of_the_file_without_its_time(
    tmp_path: Path,
) -> None:
    model, path = tagged(NAME, 3), tmp_path / "proof.json"
    certify(model, path, silent)
    data = json.loads(path.read_text()) | {"seconds": 0.0}
    text = json.dumps(data, separators=(",", ":"))
    _, proof = verify_with_proof(model)
    assert proof is not None
    assert proof_hash(proof) == sha256(text.encode()).hexdigest()
