"""Built directories: data that is checked whole and executes nothing."""

from __future__ import annotations

import builtins
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import (
    EVERY_PROGRAM,
    Refused,
    bundled_model,
    bundled_program,
    claiming,
    example,
    random_weights,
)

from handcraft import Model, Program, after, position, token
from handcraft.core.errors import ProgramError, WeightsError
from handcraft.core.gpt2 import Weights
from handcraft.core.vocabulary import Vocabulary
from handcraft.core.weights import flatten, nest, sha256, to_safetensors
from handcraft.files.built_directory import PROGRAM_JSON, WEIGHTS_FILE


def build(directory: Path, **changes: Any) -> Path:
    """aab, built, with some fields of program.json changed; a field set to ... is left out."""
    bundled_model("aab").save(directory)
    path = directory / PROGRAM_JSON
    fields = json.loads(path.read_text()) | changes
    path.write_text(
        json.dumps(
            {key: value for key, value in fields.items() if value is not ...}
        )
    )
    return path


def altered(directory: Path, name: str, value: Any) -> None:
    """Change an array of a built directory, its hash included."""
    arrays = dict(flatten(Model.load(directory).weights)) | {
        name: np.asarray(value, dtype=np.float32)
    }
    from safetensors.numpy import save

    data = save(arrays)
    (directory / WEIGHTS_FILE).write_bytes(data)
    path = directory / PROGRAM_JSON
    path.write_text(
        json.dumps(json.loads(path.read_text()) | {"sha256": sha256(data)})
    )


@pytest.mark.parametrize("name", EVERY_PROGRAM)
def test_round_trip(tmp_path: Path, name: str) -> None:
    """A built directory holds two files and comes back as the same model, rules, provenance and
    all.
    """
    model = bundled_model(name)
    assert [path.name for path in model.save(tmp_path)] == [
        WEIGHTS_FILE,
        PROGRAM_JSON,
    ]
    read = Model.load(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        WEIGHTS_FILE,
        PROGRAM_JSON,
    ]
    assert read.program == model.program
    assert [(e.matrix, e.row, e.column, e.value) for e in read.entries] == [
        (e.matrix, e.row, e.column, e.value) for e in model.entries
    ]
    assert read.differences() == []
    context = example(name)
    assert read(context).tobytes() == model(context).tobytes()


def test_program_json(tmp_path: Path) -> None:
    """program.json has the plain facts at the top level, the hash of the weight file among them."""
    fields = json.loads(build(tmp_path).read_text())
    assert list(fields) == [
        "format",
        "name",
        "vocab",
        "n_ctx",
        "n_head",
        "activation",
        "program",
        "provenance",
        "sha256",
    ]
    assert {
        key: fields[key]
        for key in ("format", "name", "vocab", "n_ctx", "n_head", "activation")
    } == {
        "format": 4,
        "name": "aab",
        "vocab": ["a", "b"],
        "n_ctx": 5,
        "n_head": 1,
        "activation": "gelu",
    }
    assert fields["sha256"] == sha256((tmp_path / WEIGHTS_FILE).read_bytes())
    assert Program.model_validate(fields["program"]) == bundled_program("aab")


def test_provenance_is_stored_by_rule(tmp_path: Path) -> None:
    """The provenance lists each rule once, and for each matrix its cells as row, column, value,
    rule.
    """
    provenance = json.loads(build(tmp_path).read_text())["provenance"]
    rules, cells = provenance["rules"], provenance["cells"]
    assert len({json.dumps(rule) for rule in rules}) == len(rules)
    row, column, value, rule = cells["blocks.0.attn.c_proj.b"][0]
    assert (row, column, value) == (0, 5, 1024.0)
    assert {key: rules[rule][key] for key in ("rule", "text")} == {
        "rule": "layers[0] > adds",
        "text": "token:a += -1024 v + 1024",
    }
    assert (
        sum(map(len, cells.values()))
        == bundled_model("aab").parameters["nonzero"]
    )


def test_weights_are_float32(tmp_path: Path) -> None:
    """A built directory holds float32; it can be loaded as float64, not saved from it."""
    build(tmp_path)
    assert (
        Model.load(tmp_path).dtype,
        Model.load(tmp_path, "float64").dtype,
    ) == (
        "float32",
        "float64",
    )
    with Refused(
        WeightsError,
        "a built directory holds float32, this model is float64; build it in float32",
    ):
        bundled_model("aab", "float64").save(tmp_path)
    with Refused(
        WeightsError, "the dtype must be float32 or float64, found int8"
    ):
        Model.load(tmp_path, "int8")


def test_loading_executes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loading, running and explaining a built directory compiles and executes no source."""
    bundled_model("adder").save(tmp_path)
    Model.load(tmp_path)  # whatever is imported is imported now

    executed: list[str] = []
    with monkeypatch.context() as patch:
        for name in ("exec", "eval", "compile"):
            patch.setattr(
                builtins,
                name,
                lambda *_, name=name, **__: executed.append(name),
            )
        model = Model.load(tmp_path)
        text = model.generate("01234567890+00000000001=", 3)
    assert (text, executed) == ("198", [])


def test_weights_without_a_program(tmp_path: Path) -> None:
    """Weights from elsewhere are saved and loaded without rules."""
    weights = random_weights(0, dtype="float32")
    Model("found", weights, Vocabulary(("x", "y", "z")), 2).save(tmp_path)
    read = Model.load(tmp_path)
    assert (read.program, read.entries, read.differences()) == (None, (), [])
    assert read.names.stream == [f"x{i}" for i in range(8)]
    assert (
        read("xyz").tobytes()
        == Model("found", weights, Vocabulary(("x", "y", "z")), 2)(
            "xyz"
        ).tobytes()
    )


def test_differences_name_the_cells_that_someone_changed(
    tmp_path: Path,
) -> None:
    """A weight that is not what the rules say is found, by matrix and cell."""
    build(tmp_path)
    array = np.array(Model.load(tmp_path).weights["wpe"])
    array[2, 5] = 0.5
    altered(tmp_path, "wpe", array)
    assert Model.load(tmp_path).differences() == ["wpe[2, 5]"]


# ---------------------------------------------------------------- what is refused


def test_a_changed_weight_file_is_refused(tmp_path: Path) -> None:
    """The weight file must be the one that was built."""
    build(tmp_path)
    other = to_safetensors(bundled_model("abc").weights)
    wanted = sha256((tmp_path / WEIGHTS_FILE).read_bytes())
    (tmp_path / WEIGHTS_FILE).write_bytes(other)
    with Refused(
        WeightsError,
        f"{tmp_path / WEIGHTS_FILE} is not the file that was built: "
        f"its SHA-256 is {sha256(other)[:12]}..., expected {wanted[:12]}...",
    ):
        Model.load(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sha256": ...}, "it has no 'sha256'"),
        ({"program": ...}, "it has no 'program'"),
        ({"provenance": ...}, "it has no 'provenance'"),
        ({"vocab": "ab"}, "'vocab' must be of type list, found 'ab'"),
        ({"n_ctx": True}, "'n_ctx' must be of type int, found True"),
        ({"n_ctx": 5.0}, "'n_ctx' must be of type int, found 5.0"),
        ({"n_ctx": 10**9}, "n_ctx must be 1 to 1048576, found 1000000000"),
        ({"n_ctx": 0}, "n_ctx must be 1 to 1048576, found 0"),
        ({"n_ctx": 4}, "n_ctx is 4, but wpe has 5 rows"),
        (
            {"activation": "silu"},
            "the activation must be gelu or relu, found 'silu'",
        ),
        ({"name": "../x"}, "'../x' is no name of a program"),
        ({"name": ""}, "'' is no name of a program"),
        ({"extra": 1}, "it has an unknown field 'extra'"),
        *(
            (
                changes,
                (
                    "'causal' is false of weights without rules that see the whole"
                    " text, and else not there"
                ),
            )
            for changes in (
                {"causal": False},
                {"causal": True, "program": None},
                {"causal": 0, "program": None},
                {"causal": None, "program": None},
            )
        ),
        (
            {"n_head": 3, "program": None},
            "n_embd 8 must be a positive multiple of n_head 3, and no matrix empty",
        ),
        (
            {"n_head": 0, "program": None},
            "n_embd 8 must be a positive multiple of n_head 0, and no matrix empty",
        ),
        ({"vocab": ["a"], "program": None}, "1 tokens, but wte has 2 rows"),
        (
            {"vocab": ["a", 3], "program": None},
            "a token must be a non-empty text, found 3",
        ),
        (
            {"vocab": ["a", "a"], "program": None},
            "the token 'a' stands twice in the vocabulary",
        ),
        ({"n_head": 2}, "n_head is 2, but the program's is 1"),
        (
            {"vocab": ["b", "a"]},
            "vocab is ['b', 'a'], but the program's is ['a', 'b']",
        ),
        (
            {"activation": "relu"},
            "activation is relu, but the program's is gelu",
        ),
    ],
)
def test_fields_are_checked(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    """Each field of program.json must be there, of its kind and in its bounds."""
    path = build(tmp_path, **changes)
    with Refused(WeightsError, f"{path}: {message}"):
        Model.load(tmp_path)


PROGRAM = bundled_program("aab").model_dump(mode="json")
BILLION = PROGRAM | {"n_ctx": 10**9}


@pytest.mark.parametrize(
    "program",
    [
        [],
        3,
        "x",
        {},
        {"name": "aab"},
        PROGRAM | {"extra": 1},
        BILLION,
        PROGRAM | {"d_head": 10**9},
        PROGRAM | {"embedding": [3]},
        PROGRAM | {"layers": [{"heads": [{}]}]},
        PROGRAM | {"claim": {"kind": "magic"}},
        PROGRAM | {"claim": {"kind": "after", "table": 3}},
        PROGRAM | {"source": "nowhere"},
        PROGRAM
        | {
            "claim": {
                "kind": "answers",
                "prompts": "((a{4096}){4096}){4096}",
                "answer": "f",
            }
        },
    ],
    ids=lambda value: str(value)[-60:],
)
def test_a_program_that_is_none_is_refused(
    tmp_path: Path, program: Any
) -> None:
    """Whatever stands in the place of the rules, it is rules that make a program, or a
    WeightsError.
    """
    path = build(tmp_path, program=program)
    with pytest.raises(WeightsError) as caught:
        Model.load(tmp_path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("other", ["abc", "adder", "induction"])
def test_rules_of_another_program_are_refused(
    tmp_path: Path, other: str
) -> None:
    """Rules whose vocabulary, window or columns are not those of the weights are refused: names
    would be wrong.
    """
    build(tmp_path, program=bundled_program(other).model_dump(mode="json"))
    with pytest.raises(WeightsError):
        Model.load(tmp_path)


def test_weights_of_other_shapes_than_the_rules_are_refused(
    tmp_path: Path,
) -> None:
    """The shapes must be those that the rules compile to, so that every name belongs to its
    column.
    """
    layers = PROGRAM["layers"]
    path = build(tmp_path, program=PROGRAM | {"layers": [*layers, *layers]})
    with Refused(WeightsError, f"{path}: n_layer is 1, but the program's is 2"):
        Model.load(tmp_path)


def test_a_model_can_be_held_to_another_program() -> None:
    """Weights are held to rules that have their shapes, and to no others."""
    model = bundled_model("aab")
    assert model.held_to(claiming(after({"aa": "a"}))).differences() == []
    with Refused(
        WeightsError,
        "vocab is ['a', 'b'], but the program's is ['a', 'b', 'c']",
    ):
        model.held_to(bundled_program("abc"))


@pytest.mark.parametrize(
    "name", ["wte", "wpe", "blocks.0.attn.c_attn.w", "blocks.0.attn.c_attn.b"]
)
@pytest.mark.parametrize("value", [0.0, [0.0], [[[0.0]]], [[0.0, 0.0]]])
def test_arrays_of_the_wrong_shape_are_refused(
    tmp_path: Path, name: str, value: Any
) -> None:
    """An array of another shape is refused, scalars included."""
    build(tmp_path)
    altered(tmp_path, name, value)
    with pytest.raises(WeightsError):
        Model.load(tmp_path)


def test_missing_and_misplaced_files(tmp_path: Path) -> None:
    """A directory without its files is refused by name; a file is no directory to build into."""
    with Refused(WeightsError, f"{tmp_path / PROGRAM_JSON} does not exist"):
        Model.load(tmp_path)
    build(tmp_path / "aab")
    (tmp_path / "aab" / WEIGHTS_FILE).unlink()
    with Refused(
        WeightsError, f"{tmp_path / 'aab' / WEIGHTS_FILE} does not exist"
    ):
        Model.load(tmp_path / "aab")
    (tmp_path / "file").write_text("")
    with Refused(
        WeightsError,
        f"{tmp_path / 'file'} is a file; name a directory to build into",
    ):
        bundled_model("aab").save(tmp_path / "file")


def test_what_could_not_be_read_again_is_not_written(tmp_path: Path) -> None:
    """A program whose JSON is past the bound is refused before anything is written."""
    words = [f"{i:060d}" for i in range(20000)]
    weights: Weights = nest(
        {
            "wte": np.zeros((20000, 1), dtype=np.float32),
            "wpe": np.zeros((1, 1), dtype=np.float32),
        }
    )
    with pytest.raises(
        WeightsError,
        match=r"program.json would have .* bytes, and at most 1048576 are read again",
    ):
        Model("long", weights, Vocabulary(tuple(words)), 1).save(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_open_finds_programs_and_directories(tmp_path: Path) -> None:
    """A model is opened from a bundled name, a program file or a built directory; a wrong name
    suggests the nearest.
    """
    build(tmp_path / "aab")
    file = tmp_path / "mine.py"
    file.write_text(
        "from handcraft import *\nprogram = Program(embedding=(position(3),"
        " token('ab')))\n"
    )
    assert [
        Model.open(str(x)).name for x in ("aab", tmp_path / "aab", file)
    ] == [
        "aab",
        "aab",
        "mine",
    ]
    with Refused(
        ProgramError, "there is no program 'aabb'; did you mean 'aab'?"
    ):
        Model.open("aabb")
    with Refused(
        ProgramError,
        f"the directory {tmp_path} holds neither program.json, which `handcraft build`"
        " writes, nor config.json, which a GPT-2 has",
    ):
        Model.open(str(tmp_path))


def test_a_program_without_layers_can_be_built(tmp_path: Path) -> None:
    """A program of an embedding alone is a model: each token predicts itself."""
    model = Program(name="echo", embedding=(token("ab"), position(3))).build()
    model.save(tmp_path)
    read = Model.load(tmp_path)
    assert read.generate("b", 3) == "bbb"
