"""What a reader of the checker who wished it ill found, each with the input that it let through."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from lane_programs import tagged
from voted_programs import margins, most_voted, voted

from handcraft import Head, Program, answers, each, local, position, token
from handcraft.claims.words import predicts
from handcraft.core.errors import ProgramError, WeightsError
from handcraft.model import Model
from handcraft.proof.by_lanes import certificate_of
from handcraft.proof.certificate_files import check_certificate
from handcraft.proof.checker import write_certificate
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes import derived
from handcraft.proof.lanes.certificate import (
    Invariant,
    LaneCertificate,
    lanes_from_json,
    to_json,
    write_lanes,
)
from handcraft.proof.lanes.check import check_lanes, measured_lanes
from handcraft.proof.lanes.meaning import MeaningForms
from handcraft.proof.lanes.symbols import Symbols
from handcraft.proof.verify import verify_with_proof
from handcraft.sequence.expression import Expression
from handcraft.sequence.words import (
    cases,
    count,
    equal,
    here,
    lookup,
    most,
    ratio,
    there,
    tokens,
)

# ------------------------------------------------------------ what is stated


def stated(holds: Any, radius: float, lane: str = "bos") -> LaneCertificate:
    """A certificate of a right model with one invariant: what this lane holds, which is 0."""
    model = tagged("double_hist", 3)
    said = Invariant("0.attn", lane, holds, radius)
    return replace(certificate_of(model), invariants=(said,))


def tiny() -> Expression:
    """10^-360, which as a float is 0."""
    found: Any = ratio(1, 10**9)
    for _ in range(39):
        found = ratio(found, 10**9)
    return found  # type: ignore[no-any-return]


def test_what_a_lane_holds_is_not_rounded_before_it_is_compared() -> None:
    """A lane that is 0 holds no other number, however small, within a radius of 0."""
    model, nothing = tagged("double_hist", 3), ratio(0, 1)
    assert check_lanes(model, stated(nothing, 0.0)).invariants[0].radius == 0
    with pytest.raises(Rejected, match="is farther from it"):
        check_lanes(model, stated(tiny(), 0.0))
    (measured,) = measured_lanes(
        model, stated(tiny(), 1.0).invariants
    ).invariants
    assert 0 < measured.radius < 1e-300


def test_a_radius_that_is_no_number_allows_nothing() -> None:
    with pytest.raises(Rejected, match="is farther from it"):
        check_lanes(tagged("double_hist", 3), stated(ratio(0, 1), float("nan")))


LONG = {"long": 10**400, "below": -(10**400), "great": 2**200}
TOO_LONG = [
    (key, x)
    for key in ("margin", "n_ctx", "seconds", "radius")
    for x in LONG.values()
]


@pytest.mark.parametrize(
    ("key", "number"),
    # there may be many contexts
    [*TOO_LONG, ("contexts", 2**14_001), ("contexts", -(10**400))],
)
def test_a_number_that_is_too_long_is_no_number(key: str, number: int) -> None:
    data = to_json(stated(ratio(0, 1), 1.0))
    data = data | {"invariants": [dict(data["invariants"][0])]}
    (data["invariants"][0] if key == "radius" else data)[key] = number
    with pytest.raises(WeightsError, match="is no"):
        lanes_from_json(data)


# ------------------------------------------------------------ what has no value


TOKEN = {"op": "token_at", "args": [{"op": "here"}]}
ITSELF = {
    "op": "equal",
    "args": [{"op": "there", "args": [{"op": "here"}]}, {"op": "here"}],
}


@pytest.mark.parametrize(
    ("op", "where"),
    [("total_where", 0), ("total_where", ITSELF), ("mean", ITSELF)],
    ids=["a sum of none", "a sum of one", "a mean of one"],
)
def test_a_sum_of_texts_has_no_value(op: str, where: Any) -> None:
    """The evaluator refuses it, whatever is selected; so it has no form."""
    e = Expression.model_validate({"op": op, "args": [TOKEN, where]})
    with pytest.raises(ProgramError, match="takes numbers, found 'a'"):
        e.all("ab", causal=True)
    with pytest.raises(Rejected, match="a sum of what may be a text"):
        MeaningForms(Symbols(("a", "b"), 2, causal=True)).of(e)


# ------------------------------------------------------------ what a certificate is of

CLAIMS: dict[str, Any] = {
    "contexts": predicts(tokens),
    "endings": {"a": "a", "b": "b"},
    "texts": each(tokens, causal=True),
    "prompts": answers("[ab]{1,2}", tokens, length=1),
}


def echoing(claim: Any) -> Model:
    """It says the last token again, whatever is claimed of it."""
    t = token("ab")
    again = {t[x]: 50 * t[x] for x in "ab"}
    return Program(
        name="echo",
        embedding=(t,),
        layers=((again,),),
        n_ctx=3,
        claim=claim,
    ).build()


@pytest.mark.parametrize("methods", [("lanes",), ("certificate",)])
@pytest.mark.parametrize("kind", CLAIMS)
def test_a_certificate_is_of_one_claim_alone(
    kind: str, methods: tuple[str, ...], tmp_path: Path
) -> None:
    """The weights and their size are the same, and so are the answers: of another claim it is
    rejected, whichever way it was found.
    """
    path = tmp_path / "proof.json"
    _, found = verify_with_proof(echoing(CLAIMS[kind]), methods=methods)
    if found is None:  # texts are proved by lanes alone
        assert (kind, methods) == ("texts", ("certificate",))
        return
    if isinstance(found, LaneCertificate):
        write_lanes(path, found)
    else:
        write_certificate(path, found)
    for other, claim in CLAIMS.items():
        report = check_certificate(echoing(claim), path)
        if other == kind:
            assert report.verdict == "proved"
        else:
            assert report.verdict == "rejected"
            assert "of another claim" in str(report.reason)


# ------------------------------------------------------------ who is a key


def counted(b: float) -> Model:
    """Which letter is most often there, by a head to which a b counts e^b times as much. What a
    head asks for depends on token and index, as does a flag of the claim.
    """
    at, t = position(6, p=lambda i: i), token("^=abc")
    score = local("score").lanes[0]
    head = Head(
        query={score: 1},
        key={score: b * t["b"] + 2.0**-10 * at["p"]},
        value=t,
        adds={t[x]: 64 * t[x] + 3 - i for i, x in enumerate("abc")},
        scores="exact",
    )
    odd = lookup({i: i % 2 for i in range(8)}, here, default=0)
    flag = cases((equal(tokens, "a"), odd), (equal(tokens, "b"), 1 - odd), 0)
    zero = 0 * count(there(equal(flag + 1, 2)))
    claim = answers(
        r"\^[a-c]{1,4}=",
        most({x: count({0: x}) + zero for x in "abc"}),
        length=1,
    )
    fields = {"layers": (head,), "claim": claim, "embedding": (at, t)}
    return voted(**fields).build()


def test_the_keys_of_the_last_heads_are_no_positions_that_are_asked() -> None:
    """Where any table is large, keys were told apart as positions that are asked are: by their
    index alone, as each of those has the same token.
    """
    with (
        patch.object(derived, "_LARGE", 8),
        patch.object(derived, "_TOGETHER", 8),
    ):
        assert measured_lanes(counted(0), ()).margin > 0.5
        assert min(margins(counted(0.4), most_voted, "abc", 4)) < -8
        with pytest.raises(Rejected, match="the margin may be -"):
            measured_lanes(counted(0.4), ())
