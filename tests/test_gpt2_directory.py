"""A directory of a GPT-2 is a PROGRAM: every command takes it, and where something is missing says
what is there and what would work. No test here needs torch.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_runner import handcraft
from conftest import Refused, bundled_model, random_weights
from safetensors.numpy import load_file, save_file

from handcraft import Model
from handcraft.core.errors import PromptError, WeightsError
from handcraft.core.gpt2 import unembedding
from handcraft.core.vocabulary import Vocabulary
from handcraft.core.weights import flatten, nest, to_safetensors
from handcraft.program.program import Program
from handcraft.runtimes import export, load_gpt2
from handcraft.runtimes.exporting import RUNTIMES

Change = Callable[[Path], object]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program aab as a GPT-2 that transformers loads."""
    directory = tmp_path_factory.mktemp("written") / "small"
    export(bundled_model("aab"), "gpt2", directory)
    return directory


@pytest.fixture
def small(written: Path, here: Path) -> Path:
    """A copy in the current folder, to be changed."""
    shutil.copytree(written, here / "small")
    return Path("small")


# ---------------------------------------------------------------- every command


@pytest.mark.parametrize(
    "arguments",
    [
        ("explain", "small"),
        ("explain", "small", "0.h0.qk"),
        ("run", "small", "aab", "-n", "4"),
        ("trace", "small", "aab"),
        ("states", "small", "--from", "aab", "--top-k", "1"),
        ("diff", "small", "aab"),
        ("compare", "small", "aab"),
        ("compare", "aab", "small"),
        ("build", "small", "--out", "built"),
        ("export", "small", "--to", "gpt2", "--out", "again"),
        ("run", "small", "aab", "--dtype", "float64", "-n", "4"),
    ],
)
@pytest.mark.usefixtures("small")
def test_every_command_takes_it(arguments: tuple[str, ...]) -> None:
    """As it takes a program: with code 0, and one JSON object where that is asked for."""
    if arguments[0] == "build":  # the epsilon of its norms is not GPT-2's
        assert handcraft(*arguments).refusal == (
            "the layer norms of a built directory have epsilon 1e-05, this model's have"
            " 1.2089258196146292e+24"
        )
        return
    assert handcraft(*arguments).code == 0
    if arguments[0] != "export":
        assert handcraft(*arguments, "--json").json


@pytest.mark.usefixtures("small")
def test_it_answers_as_the_program_does() -> None:
    """The completion is that of the program that was exported; nothing is claimed of it."""
    assert handcraft("run", "small", "aab", "-n", "6").out == "aabaab\n"
    assert handcraft("verify", "small").refusal == (
        "small: has no rules and no claim; pass a file that has one: --claim FILE"
    )
    assert handcraft("states", "small").lines[0].startswith("small: 32 states")


# ---------------------------------------------------------------- what is there


def emptied(directory: Path) -> None:
    for path in directory.iterdir():
        path.unlink()


def renamed(old: str, new: str) -> Change:
    return lambda directory: (directory / old).rename(directory / new)


def pointer(name: str) -> Change:
    text = "version https://git-lfs.example/spec/v1\noid sha256:0\nsize 9\n"
    return lambda directory: (directory / name).write_text(text)


def adapter(directory: Path) -> None:
    (directory / "model.safetensors").unlink()
    (directory / "adapter_config.json").write_text("{}")


def cached(directory: Path) -> None:
    emptied(directory)
    (directory / "snapshots" / "0123abcd").mkdir(parents=True)


def dangling(directory: Path) -> None:
    (directory / "model.safetensors").unlink()
    (directory / "model.safetensors").symlink_to("blobs/1234")


THERE: list[tuple[Change, str]] = [
    (
        renamed("model.safetensors", "pytorch_model.bin"),
        (
            "small holds pytorch_model.bin and no model.safetensors; such a file can execute"
            " anything when it is opened, so it is not: save_pretrained of transformers"
            " writes model.safetensors"
        ),
    ),
    (
        renamed("model.safetensors", "tf_model.h5"),
        (
            "small holds tf_model.h5 and no model.safetensors, which is what is read;"
            " save_pretrained of transformers writes it"
        ),
    ),
    (
        lambda directory: (directory / "model.safetensors").unlink(),
        (
            "small has no model.safetensors; it has README.md, config.json, generation_config.json,"
            " tokenizer.json, tokenizer_config.json"
        ),
    ),
    (
        adapter,
        (
            "small holds a LoRA adapter, without the model that it adapts; merge_and_unload()"
            " of peft merges the two before save_pretrained"
        ),
    ),
    (
        cached,
        "small keeps its files in snapshots: name one of small/snapshots/0123abcd",
    ),
    (
        dangling,
        "small/model.safetensors is a link to a file that is not there",
    ),
    *[
        (
            pointer(name),
            (
                f"small/{name} is a pointer of git-lfs, not the file itself: run `git lfs"
                " pull` there"
            ),
        )
        for name in ("model.safetensors", "config.json", "tokenizer.json")
    ],
]


@pytest.mark.parametrize(("change", "message"), THERE)
def test_what_is_missing_is_said_beside_what_is_there(
    change: Change, message: str, small: Path
) -> None:
    """In Python and on the command line, in one line."""
    change(small)
    with Refused(WeightsError, message):
        load_gpt2(small)
    assert handcraft("run", "small", "aab").refusal == message


def test_places_that_are_no_directory_of_a_gpt2(small: Path) -> None:
    """A name of the hub, a file, an empty directory, and one without sizes."""
    with Refused(
        WeightsError,
        "there is no directory openai-community/gpt2; nothing is downloaded here:"
        " `hf download openai-community/gpt2 --local-dir gpt2` first",
    ):
        load_gpt2("openai-community/gpt2")
    with Refused(WeightsError, "there is no directory nowhere/at/all"):
        load_gpt2("nowhere/at/all")
    with Refused(
        WeightsError,
        "small/config.json is a file; name the directory that holds config.json and"
        " model.safetensors, as small may be",
    ):
        load_gpt2(small / "config.json")
    (small / "config.json").unlink()
    with Refused(
        WeightsError,
        "small has no config.json, which says the sizes of a GPT-2; it has"
        " README.md, generation_config.json, model.safetensors, tokenizer.json,"
        " tokenizer_config.json",
    ):
        load_gpt2(small)
    emptied(small)
    with Refused(
        WeightsError,
        "small is empty; a GPT-2 has config.json, model.safetensors and tokenizer.json",
    ):
        load_gpt2(small)


@pytest.mark.usefixtures("small")
def test_references_that_are_near_a_gpt2() -> None:
    """A name of the hub is said to be nowhere here; a file leads to its directory."""
    for reference, command in [
        ("gpt2", "gpt2 --local-dir gpt2"),
        ("someone/tiny-gpt2", "someone/tiny-gpt2 --local-dir tiny-gpt2"),
    ]:
        message = handcraft("run", reference, "a").refusal
        hint = f"nothing is downloaded here: `hf download {command}` first"
        assert message.endswith(f"; {hint}")
    assert handcraft("run", "small/model.safetensors", "a").refusal == (
        "small/model.safetensors is no program: a program is a .py file, a built"
        " directory or a bundled name; its directory small is one"
    )


def test_a_bundled_name_stays_one(small: Path) -> None:
    """A directory of a GPT-2 beside it does not take its place."""
    small.rename("abc")
    assert Model.open("abc").program is not None
    assert Model.open("./abc").program is None


def test_the_name_of_a_snapshot_is_its_models(small: Path) -> None:
    """In the cache a directory is called by a hash; letters that no program has become dashes."""
    place = Path("models--me--tiny gpt2!") / "snapshots" / "0123abcd"
    place.parent.mkdir(parents=True)
    small.rename(place)
    assert Model.open(str(place)).name == "tiny-gpt2"


# ---------------------------------------------------------------- an unembedding of its own


def untied() -> Model:
    """A random model whose logits are not read by wte."""
    weights = random_weights(0)
    head = np.random.default_rng(1).normal(size=weights["wte"].shape)
    flat = {
        name: array.astype("float32")
        for name, array in {**flatten(weights), "lm_head": head}.items()
    }
    tokens = tuple(f"t{i}" for i in range(len(head)))
    return Model("untied", nest(flat), Vocabulary(tokens), 2)


def test_an_unembedding_of_its_own_gives_the_logits() -> None:
    """The logits are the last of the stream times lm_head, cached or not; explain shows it."""
    from handcraft.analysis.explain import explain

    model = untied()
    trace = model.trace([0, 1])
    expected = trace.arrays["resid_final"] @ model.weights["lm_head"].T
    assert unembedding(model.weights) is model.weights["lm_head"]
    np.testing.assert_array_equal(model([0, 1]), expected)
    assert model.generate([0, 1], 3) == model.generate([0, 1], 3, cached=False)
    cells = explain(model, "lm_head").cells
    assert len(cells) == model.weights["lm_head"].size
    assert cells[0].value == model.weights["lm_head"][0, 0]


@pytest.mark.parametrize("shape", [(), (1,), (0,), (2, 0), (2, 8, 1)])
@pytest.mark.parametrize("alone", [False, True])
def test_an_unembedding_of_any_shape_is_compared(
    alone: bool, shape: tuple[int, ...], written: Path, tmp_path: Path
) -> None:
    """Scalars, empty arrays and cubes beside wte, or in its place, are refused in our words."""
    directory = shutil.copytree(written, tmp_path / "small")
    path = directory / "model.safetensors"
    arrays = load_file(path)
    wte = arrays.pop("transformer.wte.weight")
    if not alone:
        arrays["transformer.wte.weight"] = wte
    save_file({**arrays, "lm_head.weight": np.zeros(shape, "float32")}, path)
    message = (
        f"wte.weight has shape {shape}, but config.json says {wte.shape}"
        if alone
        else "lm_head.weight is not wte.weight, but config.json ties the two:"
        " tie_word_embeddings must be false where both count"
    )
    with Refused(WeightsError, f"{path}: {message}"):
        load_gpt2(directory)


def test_a_device_in_place_of_its_weights(written: Path, here: Path) -> None:
    """It is never read, since it has no end."""
    shutil.copytree(written, here / "small")
    Path("small/model.safetensors").unlink()
    Path("small/model.safetensors").symlink_to("/dev/zero")
    assert handcraft("run", "small", "a").refusal == (
        "small/model.safetensors is a device, not a file"
    )


@pytest.mark.parametrize(
    ("make", "kind"), [(Path.touch, "a file"), (os.mkfifo, "a FIFO")]
)
def test_a_gpt2_is_a_directory(
    make: Callable[[Path], object], kind: str, tmp_path: Path
) -> None:
    """What stands in its place is named."""
    make(tmp_path / "it")
    with Refused(
        WeightsError,
        f"{tmp_path / 'it'} is {kind}; name the directory that holds config.json and"
        f" model.safetensors, as {tmp_path} may be",
    ):
        load_gpt2(tmp_path / "it")


def test_an_unembedding_of_its_own_is_held_to_no_claim() -> None:
    """Proofs and counts read wte: what they do not know is never judged."""
    program = bundled_model("aab").program
    assert isinstance(program, Program)
    model = bundled_model("aab")
    weights: dict[str, Any] = {
        **model.weights,
        "lm_head": model.weights["wte"] + 1,
    }
    with Refused(
        WeightsError,
        "the unembedding of a program's model is wte; an lm_head of its own can be run,"
        " but not be held to a program or a claim",
    ):
        model.replace(weights=weights)
    with Refused(WeightsError, "lm_head has shape (1, 8), expected (2, 8)"):
        model.replace(
            weights=weights | {"lm_head": weights["lm_head"][:1]}, program=None
        )


@pytest.mark.parametrize("to", sorted(set(RUNTIMES) - {"gpt2", "onnx"}))
def test_runtimes_that_tie_the_two_refuse_it(to: str, tmp_path: Path) -> None:
    """None of them drops it in silence."""
    with pytest.raises(
        ValueError, match="ties the unembedding to wte"
    ) as error:
        export(untied(), to, tmp_path / "out")
    assert str(error.value) == (
        f"{to} ties the unembedding to wte, and untied has an lm_head of its own; gpt2 and"
        " onnx hold it"
    )
    assert not (tmp_path / "out").exists()


# ---------------------------------------------------------------- tokens


def test_tokens_of_a_tokenizer_are_held_to_no_claim(small: Path) -> None:
    """A claim is spelled by tokens that stand in texts: ids without a text are others."""
    (small / "tokenizer.json").unlink()
    program = bundled_model("aab").program
    assert isinstance(program, Program)
    model = load_gpt2(small)
    assert model.ids("0 1") == [0, 1]
    with Refused(
        WeightsError,
        "the tokens of a program's model stand in texts as they are; those of small come"
        " from a tokenizer and cannot be held to a program or a claim;"
        " load_gpt2(directory, tokens=[...]) gives other ones",
    ):
        model.replace(program=program, epsilon=1e-5)


def test_a_claim_alone_names_ids(small: Path) -> None:
    """Of ids a text has white space between them, and is never read letter by letter; prompts are
    made of tokens.
    """
    (small / "tokenizer.json").unlink()

    def verified(claim: str) -> Any:
        Path("ids.py").write_text(f"from handcraft import *\nclaim = {claim}\n")
        return handcraft("verify", "small", "--claim", "ids.py")

    assert verified('after({"0 0": "1", "0 1": "0", "1 0": "0"})').code == 0
    assert verified('after({("0", "0"): "1"})').code == 0
    assert verified('after({"0 0": "0"})').code == 1
    assert verified('after({"00": "1"})').refusal == (
        "small > claim: the ending '00' is a text, and there is no tokenizer, so a text is"
        " ids from 0 to 1 such as '0 1', found '00'; load_gpt2(directory, tokens=[...])"
        " names them; write a tuple of tokens (ids.py:2)"
    )
    assert verified('answers("0 0", {"0 0": "1"})').refusal == (
        "small > claim > prompts: `answers` is about texts made of tokens as they are named,"
        " and the prompts of '0 0' are not: the model has a tokenizer, or ids alone; say what"
        " follows tokens, as in after({(token, token): token}) (ids.py:2)"
    )
    for avoided, code in (("0 0 1 0", 1), ("0 0 0", 0)):
        command = ("states", "small", "--from", "0 1", "--top-k", "1")
        assert handcraft(*command, "--avoid", avoided).code == code


# ---------------------------------------------------------------- large models


@pytest.fixture
def wide(here: Path) -> Path:
    """A checkpoint of 2,000 ids and 12 heads in each of 6 layers, all its weights 1."""
    del here
    n, layers, vocab = 48, 6, 2000
    config = {
        "model_type": "gpt2",
        "n_embd": n,
        "n_head": 12,
        "n_layer": layers,
        "n_positions": 64,
        "vocab_size": vocab,
    }
    shapes: dict[str, tuple[int, ...]] = {
        "wte.weight": (vocab, n),
        "wpe.weight": (64, n),
        "ln_f.weight": (n,),
        "ln_f.bias": (n,),
    }
    for i in range(layers):
        for norm in ("ln_1", "ln_2"):
            shapes |= {f"h.{i}.{norm}.weight": (n,), f"h.{i}.{norm}.bias": (n,)}
        for part, shape in [
            ("attn.c_attn", (n, 3 * n)),
            ("attn.c_proj", (n, n)),
            ("mlp.c_fc", (n, 4 * n)),
            ("mlp.c_proj", (4 * n, n)),
        ]:
            shapes |= {
                f"h.{i}.{part}.weight": shape,
                f"h.{i}.{part}.bias": shape[1:],
            }
    directory = Path("wide")
    directory.mkdir()
    (directory / "config.json").write_text(json.dumps(config))
    arrays = {name: np.ones(shape, "f4") for name, shape in shapes.items()}
    (directory / "model.safetensors").write_bytes(to_safetensors(arrays))
    return directory


@pytest.mark.usefixtures("wide")
def test_what_is_too_large_to_be_listed_is_said_to_be() -> None:
    """A part is shown, the whole is not; a trace shows the highest logits, states want a start."""
    assert handcraft("explain", "wide").refusal.startswith(
        "wide: the model has 268800 cells, and of weights without rules at most 65536 are"
        " listed; its smaller parts are wpe, 0.ln_1, 0.h0.q, 0.h0.k,"
    )
    assert handcraft("explain", "wide", "wte").refusal.startswith(
        "wide: wte has 96000 cells, and of weights without rules at most 65536 are listed"
    )
    assert (
        len(handcraft("explain", "wide", "0.h3.q", "--json").json["cells"])
        == 196
    )
    shown = handcraft("trace", "wide", "0 1999")
    assert shown.code == 0
    assert shown.lines[0] == (
        "the tables of 72 heads and of the residual stream are left out; --json has them"
    )
    assert "logits  (the 16 highest of 2000 after '1 1999')" in shown.lines
    assert len(shown.lines) < 40
    assert handcraft("states", "wide").refusal == (
        "wide has 2000^64 full windows, and the limit is 4096 contexts; name a context to"
        " start from (--from)"
    )


def test_a_trace_that_is_too_long_to_be_named(
    wide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its numbers are bounded before any of them has a name."""
    monkeypatch.setattr("handcraft.model.MOST_TRACED", 10_000)
    model = load_gpt2(wide)
    assert model.trace("5").tokens == ["5"]
    with Refused(
        PromptError,
        "at most 1 tokens of wide are traced at once, found 2; handcraft.core.gpt2.trace"
        " has the arrays of any number",
    ):
        model.trace("5 6")
