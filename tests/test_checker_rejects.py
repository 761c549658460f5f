"""Certificates: the checker accepts nothing that is false."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import numpy as np
import pytest
from certificates import averaging, recorded

from handcraft import Model, after
from handcraft.claims.kinds import Residual
from handcraft.core.errors import ProgramError, WeightsError
from handcraft.proof import verify
from handcraft.proof.checker import Rejected, check
from handcraft.proof.checker.certificate import (
    certificate_json,
    claim_hash,
    from_json,
    weights_hash,
)


def outcome(model: Model, data: dict[str, Any]) -> str | None:
    """None where a certificate is accepted, else why not."""
    try:
        check(model, from_json(json.loads(json.dumps(data))))
    except (Rejected, WeightsError, ProgramError) as why:
        return str(why)
    return None


def change(data: Any, draw: random.Random) -> None:
    """One random change somewhere: a number, an entry that is gone, stands twice or is
    another's.
    """
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        keys = (
            node
            if isinstance(node, dict)
            else range(len(node))
            if isinstance(node, list)
            else ()
        )
        for key in keys:
            places.append((node, key))
            walk(node[key])

    walk(data)
    node, key = draw.choice(places)
    value = node[key]
    if type(value) in (int, float):
        node[key] = draw.choice(
            [
                value + 1,
                max(0, value - 1),
                value * 2,
                0,
                draw.randrange(8),
                -value,
            ]
        )
    elif value is None:
        node[key] = draw.choice([0, 1, [0, 1]])
    elif isinstance(value, str):
        node[key] = draw.choice(["", "a", value + "a"])
    elif isinstance(value, list) and value:
        at, other = draw.randrange(len(value)), draw.randrange(len(value))
        draw.choice(
            [
                lambda: value.pop(at),
                lambda: value.append(copy.deepcopy(value[at])),
                lambda: value.insert(at, value[other]),
                value.clear,
            ]
        )()
        if len(value) > 1:
            value[at % len(value)] = value[other % len(value)]


@pytest.mark.slow
def test_no_random_change_makes_a_false_statement_pass(
    certified: list[tuple[Model, dict[str, Any], float]],
) -> None:
    """Of hundreds of changed certificates those that are accepted still say what is true."""
    draw, accepted = random.Random(5), 0
    for model, original, margin in certified:
        for _ in range(100):
            data = copy.deepcopy(original)
            for _ in range(draw.choice([1, 1, 2, 4])):
                change(data, draw)
            if outcome(model, data) is None:
                accepted += 1
                assert (data["contexts"], data["checked"]) == (
                    original["contexts"],
                    original["checked"],
                )
                assert data["margin"] <= margin
                assert data["error"] >= 0
                assert [
                    data[key]
                    for key in (
                        "program",
                        "weights",
                        "claim",
                        "dtype",
                        "n_ctx",
                        "assumptions",
                    )
                ] == [
                    original[key]
                    for key in (
                        "program",
                        "weights",
                        "claim",
                        "dtype",
                        "n_ctx",
                        "assumptions",
                    )
                ]
    assert (
        accepted < 120
    )  # seconds, a name of no consequence, an edge that no context takes


@pytest.mark.slow
def test_a_wrong_model_never_has_a_certificate(
    certified: list[tuple[Model, dict[str, Any], float]],
) -> None:
    """Weights that break the claim, with a certificate that names them and is changed besides:
    rejected.
    """
    draw, broken = random.Random(7), 0
    for model, original, _ in certified:
        for _ in range(20):
            weights = copy.deepcopy(model.weights)
            arrays = [
                weights["wte"],
                weights["blocks"][0]["attn"]["c_proj"]["w"],
                weights["blocks"][0]["attn"]["c_attn"]["w"],
            ]
            array = draw.choice(arrays)
            array.flags.writeable = True
            cell = tuple(draw.choice(np.argwhere(array != 0).tolist()))
            array[cell] *= draw.choice([-1, 0, 0.5])
            wrong = model.replace(weights=weights)
            if verify(wrong, methods=["exhaustive"]).verdict != "refuted":
                continue
            broken += 1
            data = copy.deepcopy(original) | {"weights": weights_hash(wrong)}
            assert outcome(wrong, data) is not None
            assert outcome(wrong, data | {"margin": 0.0}) is not None
            for _ in range(2):
                change(data["sections"], draw)
            assert outcome(wrong, data) is not None
    assert broken > 20


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"weights": "0" * 64}, "it is a certificate of other weights"),
        ({"dtype": "float64"}, "it is a certificate of other weights"),
        ({"claim": "0" * 64}, "it is a certificate of another claim"),
        (
            {"contexts": 44},
            "it states 44 contexts, 45 of them checked; there are 62 and 45",
        ),
        (
            {"margin": 1100.0},
            "it states a margin of 1100, but only 1023 is certain",
        ),
        (
            {"margin": None},
            "it states a margin of inf, but only 1023 is certain",
        ),
        ({"margin_at": ["b", "a"]}, "its bound stands after another context"),
        ({"sections": []}, "it covers 0 of 2 contexts of 1 tokens"),
        (
            {"n_ctx": 6},
            "it states another program, another window or other assumptions",
        ),
    ],
)
def test_a_changed_statement_is_rejected_with_the_reason(
    certified: list[tuple[Model, dict[str, Any], float]],
    changes: dict[str, Any],
    why: str,
) -> None:
    """Each of them alone is enough."""
    model, data, _ = certified[0]
    assert outcome(model, data | changes) == why


def test_a_section_that_stands_twice_or_lacks_a_state_is_rejected(
    certified: list[tuple[Model, dict[str, Any], float]],
) -> None:
    """Contexts are neither counted twice nor left out."""
    model, data, _ = certified[2]
    first, *rest = data["sections"]
    assert (
        outcome(model, data | {"sections": [first, *rest, first]})
        == "a context could be in two sections"
    )
    assert "contexts of" in str(outcome(model, data | {"sections": rest}))
    graph = [
        [[], *states[1:]] if k == 1 else states
        for k, states in enumerate(first["graph"])
    ]
    assert "has no edge for token" in str(
        outcome(model, data | {"sections": [first | {"graph": graph}, *rest]})
    )


def test_a_certificate_of_another_claim_is_rejected() -> None:
    """The same weights, held to another table."""
    model = Model.open("aab")
    other = model.program.model_copy(update={"claim": after({"aa": "b"})})
    data = certificate_json(recorded(model))
    held = model.replace(program=other)
    assert outcome(held, data) == "it is a certificate of another claim"
    assert "it states 62 contexts, 45 of them checked" in str(
        outcome(held, data | {"claim": claim_hash(held)})
    )


class Lenient(Residual):
    """A claim that says of itself that any number will do."""

    @property
    def allowed_error(self) -> float:
        """Not what its JSON says."""
        return 1e9


def test_a_kind_of_claim_of_ones_own_is_rejected() -> None:
    """The checker trusts what the six kinds say of themselves, and no subclass of them."""
    model = averaging()
    claim = Lenient(
        **{
            key: getattr(model.program.claim, key)
            for key in Residual.model_fields
        }
    )
    held = model.replace(
        program=model.program.model_copy(update={"claim": claim})
    )
    assert isinstance(held.program.claim, Lenient)
    assert claim_hash(held) == claim_hash(model)
    said = outcome(held, certificate_json(recorded(model)))
    assert said == "the claim is of a kind that is not known here"
