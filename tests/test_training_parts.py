"""The parts of a training that need no extra: shapes, settings, frozen cells, what is written."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_runner import files, handcraft
from conftest import Refused, bundled_model

import handcraft as package
from handcraft.core.errors import CheckpointError, ProgramError
from handcraft.core.weights import flatten
from handcraft.pictures.loss_curves import LossCurve, loss_svg, round_ticks
from handcraft.training.frozen_cells import frozen_cells
from handcraft.training.saved import restored, save_run, saved_run
from handcraft.training.settings import TrainingSettings
from handcraft.training.shapes import gpt_shape, initial, nested, shape_of

BABY: dict[str, Any] = {"layers": 4, "heads": 4, "width": 16}

# ---------------------------------------------------------------- shapes


def test_the_baby_gpt_has_12512_weights() -> None:
    """Its layer norms have gains alone; with biases that stay 0 nothing else is trained."""
    assert gpt_shape(2, 3, biases=False, **BABY).trained == 12_512
    assert gpt_shape(2, 3, biases=True, **BABY).trained == 13_232
    assert gpt_shape(2, 3, biases=False, tied=False, **BABY).trained == 12_544


def test_the_shape_of_a_program_is_its_own() -> None:
    """Every array of a program is drawn in its own shape, and runs."""
    model = bundled_model("adder")
    shape = shape_of(model)
    flat = initial(shape, 0)
    assert {k: x.shape for k, x in flat.items()} == {
        k: x.shape for k, x in flatten(model.weights).items()
    }
    other = replace(model, weights=nested(flat, 2), program=None)
    assert np.isfinite(other("1")).all()


def test_first_weights_are_drawn_as_gpt2s() -> None:
    """Deviation 0.02, into the stream 0.02 / sqrt(8) for four layers, gains 1 and biases 0."""
    flat = initial(gpt_shape(50, 64, layers=4, heads=4, width=128), 3)
    assert flat["wte"].std() == pytest.approx(0.02, rel=0.05)
    into = flat["blocks.2.mlp.c_proj.w"].std()
    assert into == pytest.approx(0.02 / 8**0.5, rel=0.05)
    assert (flat["ln_f.g"] == 1).all()
    assert not flat["blocks.0.attn.c_attn.b"].any()


def test_the_same_seed_draws_the_same_weights() -> None:
    """And another seed others."""
    shape = gpt_shape(2, 3, **BABY)
    one, same, other = (initial(shape, seed)["wte"] for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).all()


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"heads": 3}, "the width 16 is no multiple of the 3 heads, as GPT-2 demands"),
        ({"heads": 0}, "heads takes 1 to 1,024, found 0"),
        ({"layers": -1}, "layers takes 0 to 1,024, found -1"),
        ({"width": 0}, "width takes 1 to 65,536, found 0"),
        (
            {"width": 65536, "layers": 9},
            "this shape has 463,864,594,432 weights; at most 134,217,728 are trained",
        ),
    ],
)  # fmt: skip
def test_a_shape_that_cannot_be(sizes: dict[str, int], message: str) -> None:
    """Each size says what it may be."""
    with Refused(ProgramError, message):
        gpt_shape(2, 3, **BABY | sizes)


# ---------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"steps": -1}, "steps takes a whole number from 0 to 1,000,000,000, found -1"),
        ({"batch": 0}, "batch takes a whole number from 1 to 1,000,000,000, found 0"),
        ({"every": 0.5}, "every takes a whole number from 1 to 1,000,000,000, found 0.5"),
        ({"rate": -1.0}, "rate takes a number from 0 on, found -1.0"),
        ({"rate": float("nan")}, "rate takes a number from 0 on, found nan"),
        ({"beta2": 2.0}, "beta2 takes a number from 0 to 1, found 2.0"),
        ({"schedule": "line"}, "the schedule is constant or cosine, found 'line'"),
        ({"seeds": ()}, "the seeds must be one or more, and differ"),
        ({"seeds": (1, 1)}, "the seeds must be one or more, and differ"),
        ({"seeds": (-1,)}, "at most 1,024 seeds of 0 to 2^31 - 1 are trained at once"),
    ],
)  # fmt: skip
def test_a_setting_that_cannot_be(given: dict[str, Any], message: str) -> None:
    """Each says what it may be."""
    with Refused(ProgramError, message):
        TrainingSettings(**given)


# ---------------------------------------------------------------- frozen cells


def test_the_cells_of_a_rule_are_those_that_explain_shows() -> None:
    """The value of aab's head is two cells, and a shorter name stands for all under it."""
    model = bundled_model("aab")
    marks = frozen_cells(model, ["layers[0] > value"])
    assert {name: np.argwhere(mark).tolist() for name, mark in marks.items()} == {
        "blocks.0.attn.c_attn.w": [[5, 23], [6, 23]]
    }  # fmt: skip
    whole = frozen_cells(model, ["layers[0]"])
    written = {
        (e.matrix, e.row, e.column)
        for e in model.entries
        if e.reason.rule.startswith("layers[0]")
    }
    assert sum(int(mark.sum()) for mark in whole.values()) == len(written)


def test_a_rule_that_is_not_there_is_refused() -> None:
    """The nearest is named, and all that there are."""
    with pytest.raises(ProgramError, match=re.escape("there is no rule 'layer[0]'")):  # fmt: skip
        frozen_cells(bundled_model("aab"), ["layer[0]"])


# ---------------------------------------------------------------- the file


ARRAYS = {
    "weights/wte": np.arange(6, dtype="float32").reshape(2, 3) / 7,
    "state/0": np.array(5, dtype="int32"),
}


def test_a_run_is_saved_and_read_again(here: Path) -> None:
    """Bit for bit; a count comes back as a number of the same value."""
    path = here / "file"
    assert saved_run(path, {"steps": 3}) is None
    save_run(path, {"steps": 3}, {"step": 2}, ARRAYS)
    state, arrays = saved_run(path, {"steps": 3}) or ({}, {})
    assert state == {"step": 2}
    found = restored(arrays, "weights/")["wte"]
    assert found.tobytes() == ARRAYS["weights/wte"].tobytes()
    assert restored(arrays, "state/")["0"] == 5


def test_the_file_of_another_run_is_refused(here: Path) -> None:
    """It says what differs."""
    path = Path("file")
    save_run(path, {"steps": 3, "rate": 0.1}, {}, ARRAYS)
    with Refused(
        CheckpointError,
        "file is of another run: its rate is 0.1, not 0.2; name another --out, or remove"
        " it",
    ):
        saved_run(path, {"steps": 3, "rate": 0.2})


@pytest.mark.parametrize("at", [0, 5, 90, -40, -1])
def test_a_damaged_file_is_refused(at: int, here: Path) -> None:
    """Whichever byte is another."""
    path = Path("file")
    save_run(path, {"steps": 3}, {}, ARRAYS)
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    with pytest.raises(
        CheckpointError, match=r"^file is (no checkpoint|of another)"
    ):
        saved_run(path, {"steps": 3})


@pytest.mark.parametrize("kept", [0, 1, 50, 300])
def test_a_cut_file_is_refused(kept: int, here: Path) -> None:
    """Wherever it was cut."""
    path = Path("file")
    save_run(path, {"steps": 3}, {}, ARRAYS)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match=r"^file is no checkpoint"):
        saved_run(path, {"steps": 3})


# ---------------------------------------------------------------- the curve


def test_the_curve_is_a_picture_without_addresses() -> None:
    """A line for each curve, that of what is held out dashed; nothing is fetched."""
    curves = [
        LossCurve("a<b", [(0, 2.0), (10, 1.0)]),
        LossCurve("held", [(0, 2.0), (5, float("nan")), (10, 1.5)], True),
    ]
    svg = loss_svg("a title", curves)
    assert "<title>a&lt;b</title>" in svg
    assert svg.count("<title>held</title>") == 1
    assert svg.count("stroke-dasharray") == 2  # the line, and the legend's
    assert "nan" not in svg
    assert not re.search(r"url\(|src=|href=|@import", svg)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 50, ["0", "10", "20", "30", "40", "50"]),
        (0, 2000, ["0", "500", "1000", "1500", "2000"]),
        (0.6935, 1.071, ["0.7", "0.8", "0.9", "1"]),
        (1.27, 3.05, ["1.5", "2", "2.5", "3"]),
    ],
)
def test_the_numbers_at_an_axis_are_round(
    low: float, high: float, ticks: list[str]
) -> None:
    """Each stands where it is: none is rounded for being written."""
    assert [f"{tick:.10g}" for tick in round_ticks(low, high)] == ticks


def test_steps_are_whole() -> None:
    """Of a run of two steps as well."""
    assert round_ticks(0, 2, least=1) == [0, 1, 2]


def test_a_curve_of_one_point_is_drawn() -> None:
    """Where there is one number, or none, there is still a picture."""
    assert loss_svg("t", [LossCurve("one", [(0, 1.0)])]).startswith("<svg")
    assert loss_svg("t", [LossCurve("none", [])]).startswith("<svg")


# ---------------------------------------------------------------- the command


@pytest.fixture
def _without_jax(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jax", None)


@pytest.mark.usefixtures("_without_jax", "here")
def test_the_extra_is_named_where_it_is_missing() -> None:
    """One line, code 2, and nothing is written."""
    done = handcraft("train", "aab")
    assert done.refusal == (
        "training needs the extra `train`: pip install 'handcraft[train]'"
    )
    assert files(Path()) == {}


NONE_OF_THREE = (
    "train takes one of three: a program, a text, or --sequence TEXT"
)
BAD: list[tuple[str, str]] = [  # the command, and how its error begins
    ("nothing", "there is no program 'nothing'; `handcraft list` shows the bundled ones"),
    ("nothing.txt", "nothing.txt does not exist"),
    ("", NONE_OF_THREE),
    ("aab --sequence 01", NONE_OF_THREE),
    ("--sequence 0110", "a sequence needs --window N, such as 3"),
    ("--sequence 0110 --window 0", "'0110': a window has at least 1 token, found 0"),
    ("--sequence 0110 --window x", "--window takes a whole number, found 'x'"),
    ("--sequence 01 --window 1 --claim aab", "--claim is not for a sequence; leave it out"),
    ("t.txt --window 0", "t.txt: a window has at least 1 token, found 0"),
    ("t.txt --window 99", "t.txt: its first part has 27 tokens, and a window of 99 with"),
    ("late.txt --window 2", "late.txt, line 1, column 29: '!' stands in the held-out part"),
    ("t.txt --window 1 --freeze layers[0]", "--freeze is for a program, or with --from"),
    ("aab --window 3", "--window is not for a claim; leave it out"),
    ("aab --steps -1", "steps takes a whole number from 0 to 1,000,000,000, found -1"),
    ("aab --rate nan", "rate takes a number from 0 on, found nan"),
    ("aab --schedule line", "the schedule is constant or cosine, found 'line'"),
    ("aab --seeds 3:3", "--seeds takes the first and the end of a range, such as 0:20"),
    ("aab --seed 1 --seeds 0:2", "--seeds takes the first and the end of a range, such as 0:20"),
    ("aab --batch 0", "--batch takes a whole number of at least 1, found '0'"),
    ("aab --from abc", "cannot begin with the weights of abc: its tokens are a, b, c, not a, b"),
    ("bigram --from trigram", "cannot begin with the weights of trigram: its blocks.0.mlp.c_fc.w"),
    ("aab --from aab --layers 2", "--from takes the shape of aab as it is; leave layers out"),
    ("t.txt --from abc --window 7 --held-out 0", "--window 7 is longer than the 6 tokens of abc"),
    ("aab --freeze layers[7]", "aab: there is no rule 'layers[7]'"),
    ("causal_mean", "causal_mean: the claim is about a lane, not about tokens, so that"),
    ("aab --out t.txt", "t.txt is a file; name a directory to write"),
    ("aab --out=", "--out is empty; `.` is the working directory"),
    ("aab --frobnicate", ""),
]  # fmt: skip


@pytest.mark.usefixtures("_without_jax")
@pytest.mark.parametrize(("command", "message"), BAD)
def test_bad_input_is_one_error(command: str, message: str, here: Path) -> None:
    """Code 2, one line that says what was found, nothing written; all without the extra."""
    (here / "t.txt").write_text("abcabc" * 5)
    (here / "late.txt").write_text("abcabc" * 4 + "abca!b")
    before = files(here)
    refusal = handcraft("train", *command.split()).refusal
    assert refusal.startswith(message)
    assert files(here) == before


def test_the_door_is_handcraft_train() -> None:
    """In Python as on the command line; a setting that there is not is refused."""
    with Refused(
        ProgramError,
        "handcraft.train: has no setting speed; it takes steps, rate, schedule, warmup,"
        " final, decay, beta2, clip, every, patience",
    ):
        package.train("aab", speed=3)
