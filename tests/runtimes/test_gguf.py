"""The GGUF file, as the package gguf reads it, and its tokens as llama.cpp splits a text by them.

Run with gguf installed; without it these tests fail. llama.cpp itself was asked by hand: see
the docstring of the module.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from cli_runner import files, handcraft
from conftest import Refused, bundled_model, random_weights

from handcraft import Model, Program, position, token
from handcraft.core.errors import (
    MissingExtraError,
    ProgramError,
    PromptError,
    WeightsError,
)
from handcraft.core.gpt2 import Array
from handcraft.core.vocabulary import Vocabulary
from handcraft.runtimes.agreement import compared_texts
from handcraft.runtimes.gguf_file import RUNTIME
from handcraft.runtimes.norms import MIRROR
from handcraft.runtimes.target import Run


def written(model: Model, directory: Path) -> Run:
    """What is read back from the model's file."""
    (directory / "model.gguf").write_bytes(
        RUNTIME.files(model, MIRROR)["model.gguf"]
    )
    return RUNTIME.run(directory)


def read(
    model: Model, directory: Path
) -> tuple[dict[str, Array], dict[str, Any]]:
    """The tensors and the metadata of the model's file."""
    written(model, directory)
    reader = gguf.GGUFReader(directory / "model.gguf")
    return {t.name: t.data for t in reader.tensors}, {
        name: field.contents() for name, field in reader.fields.items()
    }


def of_tokens(*tokens: str) -> Model:
    """A program with this vocabulary that does nothing."""
    return Program(name="said", embedding=(token(tokens), position(4))).build()


def unescaped(text: str) -> bytes:
    """A token of the file as the bytes it stands for."""
    return text.encode("ascii").decode("unicode_escape").encode("latin1")


def split(text: str, tokens: list[str], most: int = 100) -> list[int]:
    """As llama.cpp's `rwkv` tokenizer goes: down a tree of bytes, to the last node on the way
    that is a token.

    Where the byte is in no tree the token is -1; where no node on the way is a token it starts
    again, for ever.
    """
    known, data, found, at = (
        {unescaped(t): i for i, t in enumerate(tokens)},
        text.encode(),
        [],
        0,
    )
    while at < len(data):
        assert len(found) <= most, "llama.cpp would not come back"
        if not any(t.startswith(data[at : at + 1]) for t in known):
            found, at = [*found, -1], at + 1
            continue
        best, n = (0, 0), 1
        while at + n <= len(data) and any(
            t.startswith(data[at : at + n]) for t in known
        ):
            best, n = (
                (
                    (known[data[at : at + n]], at + n)
                    if data[at : at + n] in known
                    else best
                ),
                n + 1,
            )
        found, at = [*found, best[0]], best[1]
    return found


# ---------------------------------------------------------------- the same numbers


def test_a_batch_of_any_size_and_length_is_its_contexts_one_by_one(
    tmp_path: Path,
) -> None:
    run = written(bundled_model("induction"), tmp_path)
    ids = np.random.default_rng(3).integers(0, 26, (7, 64))
    for n_batch, n_seq in ((1, 1), (2, 64), (7, 5)):
        batch = ids[:n_batch, :n_seq]
        np.testing.assert_allclose(
            run(batch),
            np.concatenate([run(row[None]) for row in batch]),
            rtol=0,
            atol=1e-9,
        )


def test_a_program_without_layers_gets_one_that_does_nothing(
    tmp_path: Path,
) -> None:
    model = of_tokens("a", "b")
    np.testing.assert_array_equal(
        written(model, tmp_path)(np.array([[0, 1, 1]])),
        model(np.array([[0, 1, 1]])),
    )
    assert read(model, tmp_path)[1]["gpt2.block_count"] == 1


def test_a_context_past_the_window_and_an_id_past_the_vocabulary_are_refused(
    tmp_path: Path,
) -> None:
    run = written(bundled_model("fizzbuzz"), tmp_path)
    with Refused(PromptError, "33 tokens do not fit the context window of 32"):
        run(np.zeros((1, 33), int))
    with Refused(
        PromptError, "token ids must lie in 0..15, found 0..16"
    ):  # 16 is a stump
        run(np.array([[0, 16]]))


# ---------------------------------------------------------------- the file


def test_the_tensors_have_llama_cpps_names_and_linear_weights_are_turned_round(
    tmp_path: Path,
) -> None:
    tensors, _ = read(
        bundled_model("adder"), tmp_path
    )  # 3 lanes and a mirror image of each, 2 neurons
    block = {
        "attn_norm": (6,),
        "attn_qkv": (18, 6),
        "attn_output": (6, 6),
        "ffn_norm": (6,),
        "ffn_up": (2, 6),
        "ffn_down": (6, 2),
    }
    shapes = {
        "token_embd.weight": (12, 6),
        "position_embd.weight": (34, 6),
        "output_norm.weight": (6,),
        "output_norm.bias": (6,),
    }
    for i in range(2):
        shapes |= {
            f"blk.{i}.{name}.weight": shape for name, shape in block.items()
        }
        shapes |= {
            f"blk.{i}.{name}.bias": shape[:1] for name, shape in block.items()
        }
    assert {name: array.shape for name, array in tensors.items()} == shapes
    assert {array.dtype for array in tensors.values()} == {np.dtype("float32")}
    w = bundled_model("adder").weights["blocks"][0]["attn"]["c_attn"][
        "w"
    ]  # [n_embd, 3 * n_embd]
    turned = tensors[
        "blk.0.attn_qkv.weight"
    ]  # [3 * n_embd, n_embd]; a reader takes half the difference of two neighbours
    np.testing.assert_array_equal(
        turned[:3, 0::2] - turned[:3, 1::2], w[:, :3].T
    )


def test_the_metadata_say_what_llama_cpp_asks_for(tmp_path: Path) -> None:
    _, fields = read(bundled_model("adder"), tmp_path)
    own = {
        name: value
        for name, value in fields.items()
        if not name.startswith(("GGUF.", "tokenizer."))
    }
    assert own == {
        "general.architecture": "gpt2",
        "general.name": "adder",
        "general.file_type": 0,
        "gpt2.context_length": 34,
        "gpt2.embedding_length": 6,
        "gpt2.feed_forward_length": 2,
        "gpt2.block_count": 2,
        "gpt2.attention.head_count": 2,
        "gpt2.attention.layer_norm_epsilon": 2.0**80,
    }


def test_the_same_model_gives_the_same_bytes() -> None:
    assert RUNTIME.files(bundled_model("sort"), MIRROR) == RUNTIME.files(
        Model.open("sort"), MIRROR
    )


# ---------------------------------------------------------------- the tokens


def test_the_tokens_are_the_programs_in_their_order(tmp_path: Path) -> None:
    tensors, fields = read(bundled_model("aab"), tmp_path)
    assert {
        name: value
        for name, value in fields.items()
        if name.startswith("tokenizer.")
    } == {
        "tokenizer.ggml.model": "rwkv",
        "tokenizer.ggml.tokens": ["a", "b"],
        "tokenizer.ggml.token_type": [1, 1],
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.ggml.add_eos_token": False,
    }
    assert "output.weight" not in tensors  # tied


def test_the_stop_token_ends_the_text(tmp_path: Path) -> None:
    _, fields = read(bundled_model("sort"), tmp_path)
    assert (
        fields["tokenizer.ggml.tokens"][fields["tokenizer.ggml.eos_token_id"]]
        == "$"
    )


@pytest.mark.parametrize(
    "name", ["count_letter", "fizzbuzz", "sort", "trigram"]
)
def test_a_text_is_split_as_the_vocabulary_splits_it(
    name: str, tmp_path: Path
) -> None:
    model, (_, fields) = (
        bundled_model(name),
        read(bundled_model(name), tmp_path),
    )
    for ids, _ in compared_texts(model, 50):
        assert split(
            model.vocabulary.decode(ids), fields["tokenizer.ggml.tokens"]
        ) == model.vocabulary.encode(model.vocabulary.decode(ids))


def test_tokens_of_any_characters_come_back(tmp_path: Path) -> None:
    model = of_tokens(
        "a", " ", "\n", "\\", "\\n", "é", "日本", "ab", "bcd", "c", "d", "\x00"
    )
    _, fields = read(model, tmp_path)
    assert fields["tokenizer.ggml.tokens"][2:6] == [
        "\\x0a",
        "\\x5c",
        "\\x5cn",
        "\\xc3\\xa9",
    ]
    text = "abcd \\n\n\\é日本\x00abcd"
    assert split(
        text, fields["tokenizer.ggml.tokens"]
    ) == model.vocabulary.encode(text)


def test_each_byte_that_only_begins_a_token_is_a_stump_so_that_no_text_loops(
    tmp_path: Path,
) -> None:
    _, fields = read(bundled_model("fizzbuzz"), tmp_path)
    tokens, types = (
        fields["tokenizer.ggml.tokens"],
        fields["tokenizer.ggml.token_type"],
    )
    assert (tokens[16:], types) == (["B", "F", "N"], [1] * 16 + [5] * 3)
    assert split("^Fo=", tokens) == [
        0,
        17,
        -1,
        1,
    ]  # -1 is what llama.cpp refuses
    assert split("^Fizz=", tokens) == [0, 13, 1]
    with pytest.raises(AssertionError, match=r"llama\.cpp would not come back"):
        split("^Fo=", tokens[:16])


def test_a_stump_is_never_predicted(tmp_path: Path) -> None:
    model, (tensors, fields) = (
        bundled_model("fizzbuzz"),
        read(bundled_model("fizzbuzz"), tmp_path),
    )
    n_embd, gain, bias = (
        fields["gpt2.embedding_length"],
        tensors["output_norm.weight"],
        tensors["output_norm.bias"],
    )
    # whatever the layers leave
    stream = (
        np.random.default_rng(0).normal(0, 1000, (50, n_embd)).astype("float32")
    )
    logits = (stream * (gain / np.float32(2.0**40)) + bias) @ tensors[
        "output.weight"
    ].T  # [n_seq, n_tokens]
    assert (logits[:, 16:] == -(2.0**96)).all()
    assert logits[:, :16].min() > -(2.0**60)
    np.testing.assert_array_equal(
        tensors["token_embd.weight"][:16, : 2 * model.n_embd : 2],
        model.weights["wte"],
    )


# ---------------------------------------------------------------- what is refused


def small(**changes: Any) -> Model:
    """Random weights without layer norms."""
    weights = random_weights(
        1, norms=changes.pop("norms", False), dtype="float32"
    )
    return Model("small", weights, Vocabulary(("a", "b", "c")), 2, **changes)


def test_relu_and_a_view_of_the_future_are_refused() -> None:
    instead = "build the program with activation='gelu' and causal=True, or export it to onnx"
    with Refused(
        ProgramError, f"small: llama.cpp's gpt2 has no relu neurons; {instead}"
    ):
        RUNTIME.files(small(activation="relu"), MIRROR)
    with Refused(
        ProgramError,
        f"small: llama.cpp's gpt2 has no attention to later positions; {instead}",
    ):
        RUNTIME.files(small(causal=False), MIRROR)


def test_random_weights_come_back(tmp_path: Path) -> None:
    ids = np.array([[2, 0, 1, 1, 0, 2], [0, 0, 1, 2, 2, 1]])
    np.testing.assert_allclose(
        written(small(), tmp_path)(ids), small()(ids), rtol=1e-4, atol=1e-5
    )


def test_relu_without_a_neuron_is_written(tmp_path: Path) -> None:
    model = Program(
        name="still",
        embedding=(token("ab"), position(3)),
        activation="relu",
        causal=False,
    ).build()
    np.testing.assert_array_equal(
        written(model, tmp_path)(np.array([[1, 0]])), model(np.array([[1, 0]]))
    )


def test_layer_norms_are_refused() -> None:
    message = (
        "the weights have layer norms already; only a program's own weights get norms"
        " that do nothing, and --to gpt2 or onnx writes others as they are"
    )
    with Refused(WeightsError, message):
        RUNTIME.files(small(norms=True), MIRROR)


def test_a_file_that_lacks_something_is_refused_by_its_name(
    tmp_path: Path,
) -> None:
    writer = gguf.GGUFWriter(tmp_path / "model.gguf", "gpt2")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with Refused(
        WeightsError, f"{tmp_path}/model.gguf: 'gpt2.block_count' is missing"
    ):
        RUNTIME.run(tmp_path)


def test_a_file_that_is_no_gguf_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(
        b"something else, and long enough to be read"
    )
    with Refused(
        WeightsError,
        f"{tmp_path}/model.gguf: the package gguf refuses this file: GGUF magic"
        " invalid",
    ):
        RUNTIME.run(tmp_path)
    whole = RUNTIME.files(bundled_model("aab"), MIRROR)["model.gguf"]
    (tmp_path / "model.gguf").write_bytes(whole[:100])
    with pytest.raises(
        WeightsError,
        match=rf"^{tmp_path}/model\.gguf: the package gguf refuses this file: ",
    ):
        RUNTIME.run(tmp_path)


def test_without_the_extra_the_message_names_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "gguf", None)
    message = (
        "a GGUF file needs the extra `gguf`: pip install 'handcraft[gguf]'"
    )
    with Refused(MissingExtraError, message):
        RUNTIME.files(bundled_model("aab"), MIRROR)
    with Refused(MissingExtraError, message):
        RUNTIME.run(tmp_path)


def test_a_gguf_file_needs_one(nowhere: Path) -> None:
    """The package that writes it writes to files only: one line, code 2, and nothing is left."""
    result = handcraft("export", "aab", "--to", "gguf", "--out", "out")
    assert result.refusal == (
        "a GGUF file needs a folder for temporary files, and there is none; set TMPDIR"
        " to one that can be written"
    )
    assert files(nowhere) == {}
