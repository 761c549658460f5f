"""Thousands of damaged files, and hundreds of killed builds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from building import NEW, OLD
from conftest import bundled_model, random_weights
from fuzzing import (
    fuzzed_json,
    fuzzed_npz,
    fuzzed_safetensors,
    read_or_refused,
)
from test_pair import TWO, names, whole

from handcraft import Model
from handcraft.core.errors import ProgramError, WeightsError
from handcraft.core.weights import to_npz, to_safetensors
from handcraft.proof.certificate_files import certify, check_certificate
from handcraft.proof.verify import silent

SMALL = random_weights(
    0, n_layer=1, n_embd=2, n_inner=1, n_vocab=2, n_ctx=2, dtype="float32"
)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_any_npz(tmp_path: Path) -> None:
    """Five thousand damaged npz files."""
    data = to_npz(SMALL)
    read = [
        read_or_refused(tmp_path / "model.npz", fuzzed_npz(data, seed))
        for seed in range(5000)
    ]
    assert 0 < sum(read) < 2500


def test_any_safetensors(tmp_path: Path) -> None:
    """Ten thousand damaged safetensors files."""
    path, data = tmp_path / "model.safetensors", to_safetensors(SMALL)
    read = [
        read_or_refused(path, fuzzed_safetensors(data, seed))
        for seed in range(10_000)
    ]
    assert 0 < sum(read) < 5000


def refusals(read: Callable[[], object], kind: type[Exception]) -> int:
    """1 if reading is refused, in one line; 0 if it is not."""
    refusal = None
    try:
        read()
    except kind as error:
        refusal = str(error)
    assert "\n" not in (refusal or "")
    return int(refusal is not None)


@pytest.mark.parametrize("name", ["aab", "counter"])
def test_any_program_json(tmp_path: Path, name: str) -> None:
    """Two thousand damaged program.json of each kind of claim."""
    bundled_model(name).save(tmp_path)
    path = tmp_path / TWO[1]
    fields = json.loads(path.read_text())
    refused = 0
    for seed in range(2000):
        path.write_bytes(fuzzed_json(fields, seed))
        refused += refusals(lambda: Model.load(tmp_path), WeightsError)
    assert 500 < refused < 2000


def test_any_certificate(tmp_path: Path) -> None:
    """Three thousand damaged certificates: what is accepted is proved, and says what the whole one
    said.
    """
    model, path = bundled_model("aab"), tmp_path / "proof.json"
    right = certify(model, path, silent)
    data = json.loads(path.read_text())
    verdicts: list[tuple[str, float | None]] = []

    def checked() -> None:
        report = check_certificate(model, path)
        verdicts.append((report.verdict, report.min_margin))

    for seed in range(3000):
        path.write_bytes(fuzzed_json(data, seed))
        refusals(checked, ProgramError)
    proved = [margin for verdict, margin in verdicts if verdict == "proved"]
    assert proved
    assert all(margin is not None for margin in proved)
    assert max(proved) <= right.min_margin
    assert {verdict for verdict, _ in verdicts} == {"proved", "rejected"}


def test_two_hundred_kills(tmp_path: Path) -> None:
    """`handcraft build` over a build, killed at random times from its start to its end: the old one
    or the new one is whole each time, and the next build leaves nothing else. A hidden file that
    lies there after the kill itself was written within the last hundred microseconds of it.
    """
    random = Random(11)
    left = 0
    for kill in range(200):
        old, new = ((OLD, NEW), (NEW, OLD))[kill % 2]
        bundled_model(old).save(tmp_path)
        command = [sys.executable, "-m", "handcraft", "build", new]
        with subprocess.Popen(
            [*command, "--out", tmp_path],
            stdout=subprocess.DEVNULL,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        ) as running:
            try:
                running.wait(random.uniform(0, 1))
            except subprocess.TimeoutExpired:
                running.kill()
        assert whole(tmp_path) in (old, new)
        left += names(tmp_path) != TWO
    assert left <= 1
    bundled_model(OLD).save(tmp_path)
    assert names(tmp_path) == TWO
