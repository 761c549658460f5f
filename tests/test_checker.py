"""Certificates: a checker that knows nothing of the prover accepts what is true, and nothing
else.
"""

from __future__ import annotations

import ast
import copy
import gzip
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_runner import handcraft as run

from handcraft import (
    Head,
    Model,
    Program,
    after,
    answers,
    position,
    residual,
    scratch,
    token,
)
from handcraft.claims.kinds import Residual
from handcraft.core.errors import ProgramError, WeightsError
from handcraft.core.gpt2 import trace
from handcraft.language.affine import Lane
from handcraft.proof import verify
from handcraft.proof.assumptions import ASSUMPTIONS
from handcraft.proof.certificate_files import check_certificate
from handcraft.proof.checker import Certificate, Found, Rejected, Shown, check
from handcraft.proof.checker.certificate import (
    certificate_json,
    claim_hash,
    from_json,
    weights_hash,
)
from handcraft.proof.prover.recorder import Recorder
from handcraft.recipes import addresses, attend_to, attend_where, mean
from handcraft.sequence.words import end, here, latest, own, ratio, token_at, total

PACKAGE = Path(__file__).parent.parent / "handcraft"
SMALL = ("aab", "baby_gpt", "bigram", "counter", "flip_flop")


def recorded(model: Model) -> Certificate:
    """The certificate of a model's claim."""
    return (
        Recorder(model, model.program.claim, float("inf"), lambda *_: None)
        .recorded()
        .certificate
    )


def induction() -> Model:
    """Three letters in a window of five: two layers, the second asks by content, the claim
    guesses the last token.
    """
    at, now, before = (
        position(5, p=lambda i: i, pp=lambda i: i * i),
        token("abc"),
        scratch("before", "abc"),
    )
    follower = Head(
        query={before: 2**10 * now, at["p"]: 24},
        value={now: now},
        output={now: 50 * now},
        scores="exact",
    )
    layers = (attend_to(at, at["p"] - 1, value={before: now}), follower)
    return Program(
        name="small",
        embedding=(at, now, before),
        layers=layers,
        claim=token_at(latest({-1: own})),
    ).build()


def copying() -> Model:
    """Copies words of up to two letters: prompts with answers, two layers, and the second asks
    what the first found.
    """
    at, t, equals = addresses(7), token("^=ab"), scratch("equals")
    find = attend_where({t["="]: 1}, value={equals: at["p"]}, at=at, prefer="first")
    read = attend_to(at, at["p"] - equals + 1, value=t, output=50 * t)
    claim = answers(r"\^[ab]{0,2}=", token_at(here - end + 1), length=end, stop="=")
    return Program(
        name="copying", embedding=(at, t, equals), layers=(find, read), claim=claim
    ).build()


def averaging() -> Model:
    """The mean of the digits so far, as a claim on a lane."""
    t, average = token("0123"), scratch("mean")
    rule = ratio(total({d: int(d) for d in "0123"}), here + 1)
    layer = mean({average: sum((int(d) * t[d] for d in "123"), 0)})
    claim = residual(average.lanes[0], rule, tolerance=5e-5)
    return Program(
        name="averaging", embedding=(t, average), layers=(layer,), n_ctx=5, claim=claim
    ).build()


@pytest.fixture(scope="module")
def certified() -> list[tuple[Model, dict[str, Any], float]]:
    """Small models with their certificates as JSON, and the least margin that an enumeration
    finds.
    """
    found = []
    for model in (Model.open("aab"), copying(), induction()):
        exact = verify(model, methods=["exhaustive"])
        found.append(
            (
                model,
                json.loads(json.dumps(certificate_json(recorded(model)))),
                exact.min_margin or 0.0,
            )
        )
    return found


# ------------------------------------------------------------ what is accepted


@pytest.mark.parametrize("name", SMALL)
def test_a_proof_that_was_written_down_is_accepted(name: str) -> None:
    """Written, read again as JSON and checked: the same statement."""
    model = Model.open(name)
    certificate = recorded(model)
    again = from_json(json.loads(json.dumps(certificate_json(certificate))))
    assert again == certificate
    found = check(model, again)
    assert found.spoken >= 1


def test_what_it_states_is_what_an_enumeration_finds(
    certified: list[tuple[Model, dict[str, Any], float]],
) -> None:
    """The contexts exactly, the margin from below, and a context at which it stands."""
    for model, data, margin in certified:
        exact = verify(model, methods=["exhaustive"])
        assert (data["contexts"], data["checked"]) == (exact.contexts, exact.checked)
        assert margin * 0.99 < data["margin"] <= margin
        logits = model(data["margin_at"])[-1]
        assert np.sort(logits)[-1] - np.sort(logits)[-2] <= margin * 1.01


@pytest.mark.parametrize("name", [*SMALL, "averaging"])
def test_the_examples_lie_where_the_checker_says(name: str) -> None:
    """A real forward pass of every example: its logits, or its lane, within the interval that
    is claimed of them.
    """
    model = averaging() if name == "averaging" else Model.open(name)
    found = (
        Recorder(model, model.program.claim, float("inf"), lambda *_: None)
        .recorded()
        .found
    )
    assert found.examples
    for shown in found.examples[:: max(1, len(found.examples) // 200)]:
        seen = trace(np.array(shown.context), model.weights, **model.config)
        own = (
            seen["logits"][-1]
            if len(shown.low) > 1
            else seen["resid_final"][-1, [_column(model)]]
        )
        assert (shown.low <= own).all()
        assert (own <= shown.high).all()
        assert (shown.high - shown.low).max() < 1e-3 * max(
            1.0, float(np.abs(own).max())
        )


def _column(model: Model) -> int:
    return int(model.program.layout.column[Lane.parse(model.program.claim.lane)])


def test_the_examples_are_spread_evenly_and_not_too_many() -> None:
    """Of a million endings every 512th."""
    found = Found()
    for i in range(1_000_000):
        if found.wants():
            found.keep(Shown((i,), 0, np.zeros(1), np.zeros(1)))
    assert [shown.context[0] for shown in found.examples] == list(
        range(0, 1_000_000, 512)
    )


# ------------------------------------------------------------ what is rejected


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
            [value + 1, max(0, value - 1), value * 2, 0, draw.randrange(8), -value]
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
        ({"margin": 1100.0}, "it states a margin of 1100, but only 1023 is certain"),
        ({"margin": None}, "it states a margin of inf, but only 1023 is certain"),
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
        **{key: getattr(model.program.claim, key) for key in Residual.model_fields}
    )
    held = model.replace(program=model.program.model_copy(update={"claim": claim}))
    assert isinstance(held.program.claim, Lenient)
    assert claim_hash(held) == claim_hash(model)
    said = outcome(held, certificate_json(recorded(model)))
    assert said == "the claim is of a kind that is not known here"


def test_the_checker_imports_nothing_of_the_prover() -> None:
    """Nor of anything that does."""
    for path in sorted((PACKAGE / "proof" / "checker").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else (
                    [a.name for a in node.names] if isinstance(node, ast.Import) else []
                )
            )
            for name in names:
                shared = (
                    "handcraft.proof.checker",
                    "handcraft.proof.assumptions",
                )  # what is assumed is one list
                assert not name.startswith("handcraft.proof") or name.startswith(
                    shared
                ), (path, name)


# ------------------------------------------------------------ files and the command line


def test_the_command_line_writes_and_checks(tmp_path: Path) -> None:
    """Exit 0 for a certificate that holds, plain or gzipped; exit 1 with the reason for one
    that does not.
    """
    for name in ("c.json", "c.json.gz"):
        path = tmp_path / name
        assert (
            run("verify", "aab", "--certificate", str(path), "--json").json["verdict"]
            == "proved"
        )
        report = run("verify", "aab", "--check", str(path), "--json")
        assert report.code == 0
        assert (report.json["verdict"], report.json["method"]) == (
            "proved",
            "checked certificate",
        )
        assert (
            report.json["contexts"],
            report.json["checked"],
            report.json["min_margin"],
        ) == (62, 45, 1023.0)
        assert report.json["assumptions"] == list(ASSUMPTIONS)
    rejected = run("verify", "abc", "--check", str(tmp_path / "c.json"), "--json")
    assert (rejected.code, rejected.json["verdict"]) == (1, "rejected")
    assert (
        rejected.json["reason"]
        == "the certificate is rejected: it is a certificate of other weights"
    )


def test_what_has_no_certificate_is_undecided_and_nothing_is_written(
    tmp_path: Path,
) -> None:
    """Exit 3."""
    report = run(
        "verify", "brackets", "--certificate", str(tmp_path / "c.json"), "--json"
    )
    assert (report.code, report.json["verdict"]) == (3, "unknown")
    assert not list(tmp_path.iterdir())


def test_options_that_exclude_each_other(tmp_path: Path) -> None:
    """One line, exit 2."""
    found = run(
        "verify",
        "aab",
        "--certificate",
        str(tmp_path / "a"),
        "--check",
        str(tmp_path / "b"),
    )
    assert (found.code, found.err) == (
        2,
        "error: --certificate and --check go without each other and without --method\n",
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{}", "it is no certificate of the format 'handcraft certificate 2'"),
        (b"[1]", "the JSON must be an object, found list"),
        (b'{"format": 1, "format": 2}', "the key 'format' stands twice in the JSON"),
        (b'{"format": NaN}', "NaN is not a number of JSON"),
        (b'{"a":' * 200, "the JSON is nested deeper than 128"),
        (
            b'{"format": "handcraft certificate 2"}',
            (
                "it must hold format, program, weights, claim, dtype, n_ctx, contexts,"
                " checked, margin,"
            ),
        ),
    ],
)
def test_a_hostile_file_is_one_line(
    tmp_path: Path, content: bytes, message: str
) -> None:
    """Exit 2 with the file's name, plain and gzipped."""
    for name, data in (("c.json", content), ("c.json.gz", gzip.compress(content))):
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(ProgramError) as caught:
            check_certificate(Model.open("aab"), path)
        assert str(caught.value).startswith(f"{path}: {message}")


def test_numbers_and_lists_of_the_wrong_kind_are_refused(
    certified: list[tuple[Model, dict[str, Any], float]],
) -> None:
    """Each with the name of what it is."""
    _, data, _ = certified[0]
    wrong = {
        "contexts": True,
        "margin": "1",
        "error": 1e999,
        "groups": [[-1]],
        "sections": [1],
        "alphabet": {},
        "seconds": None,
    }
    for key, value in wrong.items():
        with pytest.raises(WeightsError):
            from_json(data | {key: value})


def test_a_truncated_gzip_file_is_refused(tmp_path: Path) -> None:
    """One line with the file's name."""
    path = tmp_path / "c.json.gz"
    path.write_bytes(gzip.compress(b"{}" * 1000)[:-12])
    with pytest.raises(ProgramError, match="not a whole gzip file"):
        check_certificate(Model.open("aab"), path)
