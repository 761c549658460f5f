"""`handcraft export`: what the core writes without any extra, and every way to be refused."""

from __future__ import annotations

import builtins
import dataclasses
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from cli_runner import files, handcraft, process
from conftest import Refused, bundled_model, bundled_program, slow_from
from pairs import BACKWARDS, write

from handcraft import Model, Program, after, token
from handcraft import export as shown_export
from handcraft.core.errors import ExportError, ProgramError, WeightsError
from handcraft.files.bundled import bundled
from handcraft.runtimes import RUNTIMES, exporting
from handcraft.runtimes.target import Run

FOREIGN = (
    "torch",
    "transformers",
    "tokenizers",
    "transformer_lens",
    "onnx",
    "onnxruntime",
    "gguf",
    "jax",
)


@pytest.fixture
def bare() -> Any:
    """A machine that has the core and none of the extras."""
    real = builtins.__import__

    def absent(name: str, *rest: Any, **options: Any) -> Any:
        if name.split(".", maxsplit=1)[0] in FOREIGN:
            raise ImportError(name)
        return real(name, *rest, **options)

    hidden = {
        name: module
        for name, module in sys.modules.items()
        if name.split(".")[0] not in FOREIGN
    }
    with (
        mock.patch.dict(sys.modules, hidden, clear=True),
        mock.patch.object(builtins, "__import__", absent),
    ):
        yield


EXACT = {"contexts": 62, "argmax_disagreements": 0, "max_logit_error": 0.0}


@pytest.mark.parametrize(
    ("to", "names"),
    [
        (
            "gpt2",
            [
                "model.safetensors",
                "config.json",
                "tokenizer.json",
                "tokenizer_config.json",
                "generation_config.json",
                "README.md",
            ],
        ),
        (
            "picogpt",
            ["params.npz", "hparams.json", "encoder.json", "README.md"],
        ),
        (
            "nanogpt",
            ["model.safetensors", "model_args.json", "meta.pkl", "README.md"],
        ),
    ],
)
@pytest.mark.usefixtures("bare")
def test_the_core_exports_without_any_extra(
    to: str, names: list[str], tmp_path: Path
) -> None:
    """gpt2, picogpt and nanogpt need nothing but the core; the check is exact for aab, whose
    weights are whole numbers.
    """
    found = handcraft(
        "export", "aab", "--to", to, "--out", tmp_path / "out", "--json"
    )
    assert found.json == {
        "to": to,
        "out": str(tmp_path / "out"),
        "files": [str(tmp_path / "out" / n) for n in names],
        "check": EXACT,
        "verdict": "checked",
    }
    assert set(files(tmp_path)) == {f"out/{name}" for name in names}


TIED = """
from handcraft import *
t = token("ab")
program = Program(embedding=(t,), n_ctx=1, layers=(MLP(adds={t["b"]: 1}),), claim=after({"a": "a"}))
"""


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (
            BACKWARDS,
            "after 'aa': expected 'a', got 'b' (margin -1023)",
        ),
        (
            TIED,
            "after 'a': expected 'a', but 'a' and 'b' are equal (margin 0)",
        ),
    ],
)
def test_a_wrong_program_is_exported_and_that_is_said(
    text: str, wrong: str, here: Path
) -> None:
    """In one line on the terminal, and in the result in Python."""
    line = f"refuted: f is wrong {wrong}, and so are these files"
    write("f.py", text)
    shown = handcraft("export", "f.py", "--to", "picogpt", "--out", "out")
    assert shown.code == 0
    assert shown.lines[-1] == line
    found = shown_export("f.py", "picogpt", "again")
    assert (found.verdict, found.refuted) == ("refuted", line)
    assert str(found).splitlines()[-1] == line
    assert found.to_json()["verdict"] == "refuted"


def test_weights_that_are_not_the_rules_are_exported_and_that_is_said(
    tmp_path: Path,
) -> None:
    """Whatever they compute; a model without a claim has no verdict."""
    model = bundled_model("aab")
    weights = {**model.weights, "wpe": model.weights["wpe"] + np.float32(1)}
    changed = model.replace(weights=weights)
    found = exporting.export(changed, "picogpt", tmp_path / "changed")
    assert found.refuted == (
        "refuted: the weights of aab are not what its rules say, at wpe[0, 0]"
    )
    bare = Model("bare", model.weights, model.vocabulary, model.n_head)
    found = exporting.export(bare, "picogpt", tmp_path / "bare")
    assert (found.verdict, found.refuted) == (None, None)


@pytest.mark.parametrize(
    ("to", "message"),
    [
        (
            "onnx",
            "an ONNX file needs the extra `onnx`: pip install 'handcraft[onnx]'",
        ),
        (
            "gguf",
            "a GGUF file needs the extra `gguf`: pip install 'handcraft[gguf]'",
        ),
        (
            "transformer-lens",
            (
                "a bridge needs the extra `transformer-lens`: pip install"
                " 'handcraft[transformer-lens]'"
            ),
        ),
    ],
)
@pytest.mark.usefixtures("bare")
def test_a_missing_extra_is_one_line_that_names_it(
    to: str, message: str, tmp_path: Path
) -> None:
    """Exit code 2, and nothing is written."""
    found = handcraft("export", "aab", "--to", to, "--out", tmp_path / "out")
    assert (found.code, found.out, found.err) == (2, "", f"error: {message}\n")
    assert files(tmp_path) == {}


def test_what_is_printed(tmp_path: Path) -> None:
    """The files, then what the check found."""
    found = handcraft(
        "export", "aab", "--to", "picogpt", "--out", "out", cwd=tmp_path
    )
    assert found.code == 0
    assert found.lines == [
        "wrote out/params.npz",
        "wrote out/hparams.json",
        "wrote out/encoder.json",
        "wrote out/README.md",
        "62 contexts: 0 argmax disagreements, largest logit error 0",
    ]


def test_an_unknown_runtime_or_norm_suggests_the_nearest(
    tmp_path: Path,
) -> None:
    """With all that there are."""
    found = handcraft(
        "export", "aab", "--to", "gpt-2", "--out", tmp_path / "out"
    )
    names = "gpt2, picogpt, nanogpt, transformer-lens, onnx, gguf"
    assert (found.code, found.err) == (
        2,
        f"error: there is no runtime 'gpt-2', only {names}; did you mean 'gpt2'?\n",
    )
    found = handcraft(
        "export",
        "aab",
        "--to",
        "nanogpt",
        "--norm",
        "mirror",
        "--out",
        tmp_path / "out",
    )
    assert (found.code, found.err) == (
        2,
        "error: there is no norm of nanogpt 'mirror', only quiet\n",
    )


def test_an_export_is_not_overwritten_without_force(tmp_path: Path) -> None:
    """Exit code 2 with what would help; with --force the new one is there."""
    assert (
        handcraft(
            "export", "aab", "--to", "picogpt", "--out", tmp_path / "out"
        ).code
        == 0
    )
    old = files(tmp_path)
    found = handcraft(
        "export", "abc", "--to", "picogpt", "--out", tmp_path / "out"
    )
    assert (found.code, found.err) == (
        2,
        (
            f"error: {tmp_path / 'out/params.npz'} is there already; --force overwrites"
            " it\n"
        ),
    )
    assert files(tmp_path) == old
    assert (
        handcraft(
            "export",
            "abc",
            "--to",
            "picogpt",
            "--out",
            tmp_path / "out",
            "--force",
        ).code
        == 0
    )
    assert json.loads(files(tmp_path)["out/encoder.json"]) == {
        "a": 0,
        "b": 1,
        "c": 2,
    }


def test_a_built_directory_is_not_exported_into(tmp_path: Path) -> None:
    """Its program.json speaks of the weights beside it, so that other weights would ruin it;
    forced or not.
    """
    handcraft("build", "aab", "--out", tmp_path)
    found = handcraft(
        "export", "aab", "--to", "gpt2", "--out", tmp_path, "--force"
    )
    message = (
        f"{tmp_path / 'program.json'} belongs to other files, which this export would"
        " not replace; remove it first"
    )
    assert (found.code, found.err) == (2, f"error: {message}\n")
    assert handcraft("verify", tmp_path).code == 0


def test_a_link_is_refused(tmp_path: Path) -> None:
    """A link in the place of the directory, forced or not."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "elsewhere")
    found = handcraft(
        "export", "aab", "--to", "gpt2", "--out", tmp_path / "out", "--force"
    )
    assert (found.code, found.err) == (
        2,
        f"error: {tmp_path / 'out'} is a symbolic link; name a directory of its own\n",
    )
    assert files(tmp_path / "elsewhere") == {}


def wrong(_: Path) -> Run:
    """A runtime that always chooses b."""
    return lambda ids: np.tile(
        np.array([0.0, 1.0], np.float32), (*ids.shape, 1)
    )


@pytest.fixture
def liar(monkeypatch: pytest.MonkeyPatch) -> None:
    """gpt2, whose files do not compute what the model does."""
    honest = RUNTIMES["gpt2"]
    monkeypatch.setitem(
        exporting.RUNTIMES, "gpt2", dataclasses.replace(honest, run=wrong)
    )


@pytest.mark.usefixtures("liar")
def test_a_failed_check_exits_1_and_leaves_nothing(tmp_path: Path) -> None:
    """The error says in how many contexts, --json the whole check; no file stays."""
    message = (
        "aab in gpt2 chooses another token in 46 of 62 contexts, so nothing was"
        " written; --norm quiet may do better"
    )
    found = handcraft(
        "export",
        "aab",
        "--to",
        "gpt2",
        "--out",
        tmp_path / "deep/out",
        "--json",
    )
    assert (found.code, json.loads(found.err)) == (1, {"error": message})
    assert json.loads(found.out) == {
        "to": "gpt2",
        "out": str(tmp_path / "deep/out"),
        "files": [],
        "check": {
            "contexts": 62,
            "argmax_disagreements": 46,
            "max_logit_error": 2048.0,
        },
    }
    assert list(tmp_path.iterdir()) == []
    with Refused(ExportError, message):
        exporting.export(bundled_model("aab"), "gpt2", tmp_path / "out")


@pytest.mark.parametrize(
    ("to", "changes", "message"),
    [
        (
            "picogpt",
            {"activation": "relu"},
            (
                "picoGPT has gelu and a causal mask; build the program with"
                " activation='gelu' and causal=True"
            ),
        ),
        (
            "nanogpt",
            {"causal": False},
            (
                "nanoGPT has gelu and a causal mask; build the program with"
                " activation='gelu' and causal=True"
            ),
        ),
        (
            "gpt2",
            {"causal": False},
            (
                "stock GPT-2 is causal; a program with causal=False can be exported to"
                " onnx or transformer-lens"
            ),
        ),
    ],
)
def test_what_a_runtime_cannot_compute_is_refused(
    to: str, changes: Mapping[str, Any], message: str, tmp_path: Path
) -> None:
    """An activation it does not have, or attention without a mask; before anything is written."""
    program = bundled_program("baby_gpt")
    fields = {
        field: getattr(program, field) for field in Program.model_fields
    } | changes
    with Refused(ProgramError, message):
        exporting.export(Program(**fields).build(), to, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_an_export_is_float32(tmp_path: Path) -> None:
    """The formats hold it, and the check compares in it."""
    with Refused(
        WeightsError,
        "an export holds float32, this model is float64; build it in float32",
    ):
        exporting.export(
            bundled_model("aab", "float64"), "gpt2", tmp_path / "out"
        )


@pytest.mark.parametrize(
    ("norm", "limit", "instead"),
    [
        ("quiet", "7.39e+05", "; --norm mirror may do better"),
        ("mirror", "2.67e+08", ""),
    ],
)
def test_a_stream_past_what_a_norm_leaves_alone_is_refused(
    norm: str, limit: str, instead: str, tmp_path: Path
) -> None:
    """Weights of 2^40: the tokens would be right, the logits not; that is known before anything
    is written.
    """
    source = (
        Path(bundled()["aab"])
        .read_text()
        .replace("LARGE = 1024", "LARGE = 2.0**40")
    )
    (tmp_path / "large.py").write_text(source)
    found = handcraft(
        "export",
        tmp_path / "large.py",
        "--to",
        "gpt2",
        "--norm",
        norm,
        "--out",
        tmp_path / "out",
    )
    said = (
        f"the layer norms of '{norm}' do nothing to a stream below {limit} alone, so"
        f" nothing was written{instead}"
    )
    assert found.code == 1
    assert (
        found.err
        == "error: large in gpt2: the lane token:a can be up to 3.3e+12 after the"
        f" attention of block 0, and {said}\n"
    )
    assert not (tmp_path / "out").exists()


def test_tokens_that_come_back_as_others_are_no_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tokens are read back as well as the weights."""
    other = dataclasses.replace(
        RUNTIMES["gpt2"], vocabulary=lambda _: bundled_model("abc").vocabulary
    )
    monkeypatch.setitem(exporting.RUNTIMES, "gpt2", other)
    with Refused(
        WeightsError,
        "gpt2 cannot hold the tokens of aab: read back, they are others",
    ):
        exporting.export(bundled_model("aab"), "gpt2", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("to", slow_from(2, ["gpt2", "picogpt", "nanogpt"]))
def test_a_program_without_layers(to: str, tmp_path: Path) -> None:
    """The unembedding of the embedding: a model like any other."""
    t = token("ab")
    program = Program(
        name="echo",
        embedding=(t,),
        layers=(),
        n_ctx=3,
        claim=after({"a": "a", "b": "b"}),
    )
    assert exporting.export(program.build(), to, tmp_path / "out").check.holds


def test_an_unknown_letter_stays_one_whatever_the_tokens_are(
    tmp_path: Path,
) -> None:
    """The name for what is no token is not the name of a token."""
    t = token(["[UNK]", "a"])
    program = Program(
        name="unk",
        embedding=(t,),
        layers=(),
        n_ctx=3,
        claim=after({("a",): "a"}),
    )
    exporting.export(program.build(), "gpt2", tmp_path / "out")
    assert (
        json.loads((tmp_path / "out/tokenizer.json").read_text())["model"][
            "unk_token"
        ]
        == "[[UNK]]"
    )


@pytest.mark.slow
def test_a_stop_by_the_system_leaves_nothing(tmp_path: Path) -> None:
    """SIGTERM while the check runs: the hidden directory is gone too."""
    code = (
        "import os, signal, handcraft.runtimes.exporting as e; e.compare_runtime = lambda"
        " *_, **__: os.kill(os.getpid(), signal.SIGTERM); import sys; sys.argv ="
        " ['handcraft', 'export', 'aab', '--to', 'gpt2', '--out',"
        f" {str(tmp_path / 'out')!r}]; from handcraft.cli import main; main()"
    )
    assert process(["-c", code], tmp_path).code == 143
    assert list(tmp_path.iterdir()) == []
