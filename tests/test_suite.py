"""A suite of compiled programs: each different, right on its texts, and written whole; a run that
was stopped goes on to the same files, and a turned twin computes the same.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from cli_runner import handcraft as run

import handcraft
from handcraft.analysis.turning import rotation, turned_model
from handcraft.core import writing
from handcraft.core.errors import HandcraftError, WeightsError
from handcraft.core.weights import read_safetensors, sha256
from handcraft.lowering.frames.tag import tag
from handcraft.results.suites import choosing, folders, member
from handcraft.results.suites.drawing import KINDS, drawn
from handcraft.sequence.expression import Expression
from handcraft.sequence.words import (
    any_,
    below,
    best,
    clip,
    count,
    fetch,
    first,
    indices,
    latest,
    length,
    lookup,
    max_,
    min_,
    own,
    there,
    token_at,
    total,
)

WORDS = {
    "any_": any_,
    "below": below,
    "best": best,
    "clip": clip,
    "count": count,
    "fetch": fetch,
    "first": first,
    "here": indices,
    "indices": indices,
    "latest": latest,
    "length": length,
    "lookup": lookup,
    "max_": max_,
    "min_": min_,
    "there": there,
    "token_at": token_at,
    "tokens": own,
    "total": total,
}
MANY = int(
    os.environ.get("SUITE_PROGRAMS", "24")
)  # `make nightly` asks for 100
SMALL: dict[str, Any] = {"count": 3, "tokens": "ab", "n": 4}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite of three programs with their twins."""
    out = tmp_path_factory.mktemp("suite") / "out"
    handcraft.suite(out, rotate=True, **SMALL)
    return out


@pytest.fixture(scope="module")
def rows(written: Path) -> list[dict[str, Any]]:
    """The rows of its index."""
    index = json.loads((written / "index.json").read_text())
    found = index.pop("programs")
    assert index == {
        "format": 1,
        "handcraft": handcraft.__version__,
        "seed": 0,
        "tokens": ["a", "b"],
        "n": 4,
        "count": 3,
    }
    return list(found)


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def every_text(alphabet: list[str], n: int) -> Iterator[list[str]]:
    """All texts of 1 to n tokens."""
    for i in range(1, n + 1):
        yield from map(list, product(alphabet, repeat=i))


def said(model: Any, text: list[str]) -> list[str]:
    """The tokens that a model answers behind each token of a text."""
    best_ids = model(["^", *text]).argmax(-1)[1:]
    return [model.vocabulary.tokens[i] for i in best_ids]


# ---------------------------------------------------------------- what is written


def test_each_program_is_what_its_expression_says(
    written: Path, rows: list[dict[str, Any]]
) -> None:
    """Read again from its words, the expression answers every text as the model does, and as the
    program does that the readable file makes.
    """
    for row in rows:
        e = eval(row["expression"], dict(WORDS))
        assert isinstance(e, Expression)
        folder = written / "programs" / row["name"]
        built = handcraft.open(folder)
        own_file = handcraft.open(folder / "program.py")
        assert not own_file.differences()
        assert (built.weights["wte"] == own_file.weights["wte"]).all()
        for text in every_text(row["alphabet"], row["n"]):
            right = e.all("".join(text), causal=row["causal"])
            got = said(built, text)
            for x, token in zip(right, got, strict=True):
                assert x is None or token == str(x)
        assert (row["texts"], row["every_text"]) == (30, True)
        assert row["verdict"] == "checked"
        assert handcraft.verify(folder).verdict in ("checked", "proved")


def test_the_programs_differ_and_none_is_trivial(
    rows: list[dict[str, Any]],
) -> None:
    """No two expressions are the same function, none is a constant, and none is a table of the
    token and its position.
    """
    functions = []
    for row in rows:
        e = eval(row["expression"], dict(WORDS))
        texts = ["".join(text) for text in every_text(row["alphabet"], 4)]
        answers = [tuple(e.all(x, causal=row["causal"])) for x in texts]
        functions.append(tuple(answers))
        table: dict[Any, set[Any]] = {}
        for text, answer in zip(texts, answers, strict=True):
            for i, x in enumerate(answer):
                table.setdefault((text[i], i), set()).add(x)
        assert any(len(values) > 1 for values in table.values())
    assert len(set(functions)) == len(rows)
    assert [row["kind"] for row in rows] == ["count", "fetch", "arithmetic"]


def test_a_row_says_what_stands_in_the_folders(
    written: Path, rows: list[dict[str, Any]]
) -> None:
    """Names, sizes and hashes are those of the files; the circuit has the heads and neurons."""
    for row in rows:
        folder = written / "programs" / row["name"]
        model = handcraft.open(folder)
        assert row["sizes"]["n_embd"] == model.n_embd
        assert row["sizes"]["parameters"] == model.parameters
        assert row["layers"] == model.n_layer
        for name, sha in row["files"].items():
            assert sha256((written / name).read_bytes()) == sha
        inside = {name.rpartition("/")[2] for name in row["files"]}
        assert inside | {"about.json"} == {x.name for x in folder.iterdir()}
        circuit = json.loads((folder / "circuit.json").read_text())
        names = {node["name"] for node in circuit["nodes"]}
        assert {"embed", "logits"} < names
        assert len([x for x in names if ".h" in x]) == row["heads"]
        assert len([x for x in names if ".mlp.n" in x]) == row["neurons"]
        verdict = json.loads((folder / "verdict.json").read_text())
        assert verdict["verdict"] == row["verdict"]
        assert verdict["min_margin"] == row["margin"]
        assert "seconds" not in verdict
        claim = json.loads((folder / "claim.json").read_text())
        assert claim == model.program.claim.model_dump(mode="json")  # type: ignore[union-attr]


def test_the_examples_are_right_and_apart(
    written: Path, rows: list[dict[str, Any]]
) -> None:
    """No text stands in both files, and the answers are those of the expression."""
    for row in rows:
        e = eval(row["expression"], dict(WORDS))
        seen: dict[str, list[Any]] = {}
        for part in ("train", "test"):
            path = written / "programs" / row["name"] / f"{part}.jsonl"
            for line in path.read_text().splitlines():
                begin, *text = json.loads(line)["tokens"]
                silent, *answers = json.loads(line)["answers"]
                assert (begin, silent) == ("^", None)
                assert "".join(text) not in seen
                seen["".join(text)] = answers
            assert len(seen) in (24, 30)
        for text, answers in seen.items():
            right = e.all(text, causal=row["causal"])
            assert answers == [None if x is None else str(x) for x in right]


def test_a_twin_computes_the_same_in_another_basis(
    written: Path, rows: list[dict[str, Any]]
) -> None:
    """Its logits are those of the program to 1e-5 of the largest, its stream is the program's times
    the matrix, and its claim is checked from the files alone.
    """
    for row in rows:
        folder = written / "programs" / row["name"]
        turned = written / "rotated" / row["name"]
        model, twin = handcraft.open(folder), handcraft.open(turned)
        assert (twin.program, twin.causal) == (None, row["causal"])
        data = (turned / "rotation.safetensors").read_bytes()
        q = read_safetensors(data)["rotation"].astype("float64")
        assert (q @ q.T == np.eye(model.n_embd)).all()
        assert np.abs(q).max() < 1
        assert np.allclose(twin.weights["wte"], model.weights["wte"] @ q)
        most = largest = 0.0
        for text in every_text(row["alphabet"], row["n"]):
            a, b = model(["^", *text])[1:], twin(["^", *text])[1:]
            most = max(most, float(np.abs(a - b).max()))
            largest = max(largest, float(np.abs(a).max()))
        assert most <= 1e-5 * largest
        assert row["rotation"]["difference"] == pytest.approx(
            most / largest, rel=1e-3, abs=1e-7
        )
        found = handcraft.verify(turned, claim=folder)
        assert (found.verdict, found.contexts) == ("checked", 30)


# ---------------------------------------------------------------- stopped and gone on


class StopError(Exception):
    """What stops a run in a test."""


@pytest.mark.parametrize("step", [0, 1, 2, 3])
def test_a_stopped_run_goes_on_to_the_same_files(
    written: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: int,
) -> None:
    """Wherever it was stopped, between programs, in the middle of a folder or before a twin, the
    same call completes it, byte for byte; until then no folder is there in part.
    """
    left = [step]
    write = writing.write_atomically

    def stopping(path: Path, data: bytes) -> None:
        if path.name == "about.json":
            left[0] -= 1
            if left[0] < 0:
                raise StopError
        write(path, data)

    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(folders, "write_atomically", stopping)
        with pytest.raises(StopError):
            handcraft.suite(out, rotate=True, **SMALL)
    whole = files_of(written)
    for name, data in files_of(out).items():
        assert name == "index.json" or data == whole[name]
    found = handcraft.suite(out, rotate=True, **SMALL)
    assert files_of(out) == whole
    assert found.written == 6 - step


def test_what_a_killed_run_left_is_removed(
    written: Path, tmp_path: Path
) -> None:
    """A folder that was being filled has a hidden name, and goes with the next run; a whole one
    stays as it is.
    """
    out = tmp_path / "out"
    shutil.copytree(written, out)
    hidden = out / "programs" / ".handcraft-0123abcd"
    shutil.move(out / "programs" / "0001_fetch", hidden)
    found = handcraft.suite(out, rotate=True, **SMALL)
    assert found.written == 1
    assert files_of(out) == files_of(written)


def test_a_suite_grows(written: Path, tmp_path: Path) -> None:
    """One program more, and twins later, give what one run with all of them gives."""
    out = tmp_path / "out"
    handcraft.suite(out, **SMALL | {"count": 1})
    handcraft.suite(out, **SMALL)
    assert not (out / "rotated").exists()
    handcraft.suite(out, rotate=True, **SMALL)
    assert files_of(out) == files_of(written)


def test_a_whole_suite_is_not_written_again(written: Path) -> None:
    """The same call changes nothing."""
    before = files_of(written)
    assert handcraft.suite(written, rotate=True, **SMALL).written == 0
    assert files_of(written) == before


def test_another_seed_gives_other_programs(
    tmp_path: Path, rows: list[dict[str, Any]]
) -> None:
    """The seed decides."""
    found = handcraft.suite(tmp_path / "out", seed=1, **SMALL)
    assert [x["expression"] for x in found.rows] != [
        x["expression"] for x in rows
    ]


@pytest.mark.slow
def test_a_killed_process_leaves_what_the_next_completes(
    written: Path, tmp_path: Path
) -> None:
    """SIGKILL at any time is no harm."""
    out = tmp_path / "out"
    command = [sys.executable, "-m", "handcraft", "suite", str(out)]
    command += ["--rotate", "--count", "3", "--tokens", "ab", "--n", "4"]
    for seconds in (1.0, 1.6, 2.2):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            time.sleep(seconds)
            process.send_signal(signal.SIGKILL)
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    assert files_of(out) == files_of(written)


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"count": 0},
            "suite: count takes a whole number from 1 to 10,000, found 0",
        ),
        (
            {"count": True},
            "suite: count takes a whole number from 1 to 10,000, found True",
        ),
        (
            {"seed": -1},
            (
                "suite: seed takes a whole number from 0 to"
                " 9,223,372,036,854,775,807, found -1"
            ),
        ),
        ({"n": 0}, "suite: n takes a whole number from 2 to 64, found 0"),
        (
            {"n": 10**6},
            "suite: n takes a whole number from 2 to 64, found 1000000",
        ),
        (
            {"tokens": "aba"},
            "suite: tokens takes tokens that differ; 'a' stands twice",
        ),
        ({"tokens": "a"}, "suite: tokens takes 2 to 32 tokens, found 1"),
        (
            {"tokens": "a^"},
            "suite: tokens takes no '^', which stands before each text",
        ),
        (
            {"tokens": [1, 2]},
            "suite: tokens takes the tokens of a text, such as 'ab', found list [1, 2]",
        ),
        ({"rotate": 1}, "rotate= takes True or False, found int 1"),
        ({"out": 3}, "out is the path of a directory, found int 3"),
        (
            {"jobs": 3},
            (
                "handcraft.suite > jobs: has no such argument; it takes out, count, seed,"
                " rotate, tokens, n, progress"
            ),
        ),
    ],
)
def test_wrong_arguments_are_one_sentence(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    """Nothing is written for them."""
    asked = {"out": tmp_path / "out", **changes}
    with pytest.raises(HandcraftError) as found:
        handcraft.suite(**asked)
    assert str(found.value).partition(" (")[0] == message
    assert not (tmp_path / "out").exists()


def test_a_suite_of_other_settings_is_not_mixed(
    written: Path, tmp_path: Path
) -> None:
    """Neither with other settings, nor with fewer programs, nor among other files."""
    cases: list[tuple[dict[str, Any], str]] = [
        (
            {"seed": 1},
            (
                f"{written} holds a suite of seed 0, and 1 was asked for; name another"
                " directory"
            ),
        ),
        (
            {"n": 5},
            (
                f"{written} holds a suite of n 4, and 5 was asked for; name another"
                " directory"
            ),
        ),
        (
            {"count": 2},
            (
                f"{written} has 3 programs already, more than the 2 that were asked for;"
                " name another directory"
            ),
        ),
        (
            {"rotate": False},
            (
                f"{written} has turned twins; go on with --rotate (rotate=True), or name"
                " another directory"
            ),
        ),
    ]
    for changes, message in cases:
        before = files_of(written)
        with pytest.raises(HandcraftError) as found:
            handcraft.suite(written, **{"rotate": True, **SMALL, **changes})
        assert str(found.value) == message
        assert files_of(written) == before
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(HandcraftError, match=r"has files and no index\.json"):
        handcraft.suite(tmp_path, **SMALL)
    assert files_of(tmp_path) == {"mine.txt": b"mine"}


def test_a_file_that_was_changed_is_told(written: Path, tmp_path: Path) -> None:
    """A run that goes on compares the hashes, and says what to remove."""
    out = tmp_path / "out"
    shutil.copytree(written, out)
    folder = out / "programs" / "0002_arithmetic"
    (folder / "train.jsonl").write_text("")
    with pytest.raises(HandcraftError) as found:
        handcraft.suite(out, rotate=True, **SMALL)
    assert str(found.value) == (
        f"{folder / 'train.jsonl'} is not what was written there; remove {folder},"
        " and it is made anew"
    )
    shutil.rmtree(folder)
    handcraft.suite(out, rotate=True, **SMALL)
    assert files_of(out) == files_of(written)


@pytest.mark.parametrize("text", ["[]", "{", '{"files": 3}', '{"files": {}}'])
def test_a_damaged_row_is_told(
    written: Path, tmp_path: Path, text: str
) -> None:
    """Whatever stands in about.json, it is one sentence with its path."""
    out = tmp_path / "out"
    shutil.copytree(written, out)
    path = out / "programs" / "0000_count" / "about.json"
    path.write_text(text)
    with pytest.raises(HandcraftError, match=r"about\.json"):
        handcraft.suite(out, rotate=True, **SMALL)


def test_where_nothing_new_is_left_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was found until then stays, and the next run goes on with it."""
    out = tmp_path / "out"
    monkeypatch.setattr(choosing, "_TRIES", 2)
    with pytest.raises(HandcraftError) as found:
        handcraft.suite(out, count=10_000, tokens="ab", n=2)
    many = len(list((out / "programs").iterdir()))
    assert str(found.value) == (
        f"no program was found that differs from the {many} that are in {out}; more"
        " tokens or a longer text give more"
    )
    monkeypatch.undo()
    more = handcraft.suite(out, count=many + 1, tokens="ab", n=2)
    assert more.written == 1


# ---------------------------------------------------------------- a wrong compiler


@pytest.mark.parametrize("instead", [indices, 2 * indices + 7])
def test_a_wrong_program_is_named_and_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instead: Expression
) -> None:
    """Where the compiler is wrong the evaluator tells: the exit code is 1, the expression is
    named, and another stands in its place; so it is again where the suite is complete.
    """
    wrong: list[str] = []

    def sometimes_wrong(e: Expression, **fields: Any) -> Any:
        if not wrong:
            wrong.append(repr(e))
        return tag(instead if repr(e) in wrong else e, **fields)

    monkeypatch.setattr(member, "tag", sometimes_wrong)
    found = handcraft.suite(tmp_path / "out", **SMALL)
    assert [x["expression"] for x in found.failed] == wrong
    assert found.exit_code == 1
    assert wrong[0] not in [x["expression"] for x in found.rows]
    assert f"wrong: {wrong[0]}, " in str(found)
    monkeypatch.undo()
    again = handcraft.suite(tmp_path / "out", **SMALL)
    assert (again.written, again.exit_code) == (0, 1)


# ---------------------------------------------------------------- the command


def test_the_command_tells_what_it_wrote(tmp_path: Path) -> None:
    """One object with --json; else a line for the whole, and the index."""
    out = str(tmp_path / "out")
    asked = ["suite", out, "--count", "2", "--tokens", "ab", "--n", "3"]
    found = run(*asked, "--json")
    assert found.code == 0
    assert found.json == {
        "out": out,
        "programs": ["0000_count", "0001_fetch"],
        "done": 2,
        "rotated": 0,
        "written": 2,
        "failed": [],
        "files": [f"{out}/index.json", f"{out}/README.md"],
    }
    again = run(*asked)
    assert again.lines == [
        "2 programs, 0 turned, all checked",
        f"wrote {out}/index.json",
    ]
    card = (tmp_path / "out" / "README.md").read_text()
    assert "with seed 0, the tokens a b, texts of up to 3 tokens;" in card


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "DIR is missing"),
        ([""], "DIR is empty; `.` is the working directory"),
        (
            ["out", "--count", "0"],
            "--count takes a whole number of at least 1, found '0'",
        ),
        (
            ["out", "--seed", "x"],
            "--seed takes a whole number of at least 0, found 'x'",
        ),
        (
            ["out", "--n", "1"],
            "--n takes a whole number of at least 2, found '1'",
        ),
        (
            ["out", "--n", "1000000"],
            "suite: n takes a whole number from 2 to 64, found 1000000",
        ),
        (
            ["out", "--tokens", "x"],
            "suite: tokens takes 2 to 32 tokens, found 1",
        ),
    ],
)
def test_wrong_arguments_of_the_command(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    """One line, exit code 2, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    assert run("suite", *arguments).refusal == message
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------- its parts


@pytest.mark.parametrize("kind", KINDS)
def test_drawn_expressions_are_the_same_for_a_seed(kind: str) -> None:
    """Every kind, however deep, is drawn from the Random alone, and can be asked."""
    for deep in (1, 2, 3):
        for seed in range(5):
            a, b = (drawn(Random(seed), "abc", kind, deep) for _ in range(2))
            assert a == b
            assert len(a.all("abcab")) == 5


@pytest.mark.parametrize("n", [4, 5, 6, 7, 8, 13, 16, 31, 64])
def test_a_rotation_is_exactly_orthogonal(n: int) -> None:
    """Its entries are short binary fractions, none of them near 1, and its product with its
    transpose is the identity without an error.
    """
    q = rotation(Random(n), n)
    assert (q @ q.T == np.eye(n)).all()
    assert (q.T @ q == np.eye(n)).all()
    assert np.abs(q).max() <= 0.75
    assert (q * 2**12 == np.round(q * 2**12)).all()


def test_few_columns_have_no_rotation_of_short_fractions() -> None:
    """Of two or three columns, only reorderings are."""
    with pytest.raises(WeightsError, match="at least 4 columns can be turned"):
        rotation(Random(0), 3)


def test_a_model_with_norms_is_not_turned() -> None:
    """A layer norm knows columns."""
    from conftest import random_weights

    from handcraft.core.vocabulary import Vocabulary

    weights = random_weights(0, n_vocab=3, n_embd=8)
    model = handcraft.Model("normed", weights, Vocabulary(tuple("abc")), 1)
    with pytest.raises(WeightsError, match="layer norms, which know columns"):
        turned_model(model, rotation(Random(0), 8))


@pytest.mark.slow
def test_many_programs_and_their_twins(tmp_path: Path) -> None:
    """All are different, none was wrong, and they spread over operations, layers and heads."""
    found = handcraft.suite(tmp_path / "out", count=MANY, rotate=True)
    rows = found.rows
    assert (len(rows), found.twins, list(found.failed)) == (MANY, MANY, [])
    assert len({row["expression"] for row in rows}) == MANY
    assert {row["verdict"] for row in rows} <= {"checked", "proved"}
    assert max(row["rotation"]["difference"] for row in rows) <= 1e-5
    assert len({row["kind"] for row in rows}) >= 10
    assert len({row["layers"] for row in rows}) >= 4
    assert len({row["heads"] for row in rows}) >= 4
    assert len({(*row["alphabet"],) for row in rows}) >= 4
