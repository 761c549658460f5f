"""Checkpoints of Hugging Face's GPT-2: transformers writes them and computes them, our forward
pass must agree.

Run with transformers, torch and tokenizers installed; without them these tests fail.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Refused
from safetensors.torch import load_file, save_file
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel

from handcraft import Model
from handcraft.core.errors import MissingExtraError, PromptError, WeightsError
from handcraft.core.gpt2 import Array
from handcraft.core.vocabulary import Vocabulary
from handcraft.runtimes.loading import load_gpt2

SENTENCES = [
    "The cat sat on the mat.",
    "The dog sat on the cat, and the cat was not amused.",
    "Où est le chat?",
]
END = "<|endoftext|>"


# ---------------------------------------------------------------- checkpoints


def byte_pairs(n: int = 280) -> Tokenizer:
    """A byte-level BPE like GPT-2's, trained on a few sentences."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=n,
        initial_alphabet=alphabet,
        special_tokens=[END],
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES * 3, trainer)
    return tokenizer


def words(tokens: list[str], pattern: str | None = None) -> Tokenizer:
    """A table of words, cut by the longest that matches."""
    tokenizer = Tokenizer(
        models.WordLevel(
            {token: i for i, token in enumerate(tokens)}, unk_token="[UNK]"
        )
    )
    escaped = [
        "".join(c if c.isalnum() else "\\" + c for c in token)
        for token in sorted(tokens, key=len, reverse=True)
    ]
    tokenizer.pre_tokenizer = pre_tokenizers.Split(
        Regex(pattern or "|".join(escaped)), "isolated"
    )
    tokenizer.decoder = decoders.Fuse()
    return tokenizer


def written(directory: Path, tokenizer: Tokenizer, **config: Any) -> GPT2LMHeadModel:
    """A randomly initialised GPT-2 with these tokens, written by transformers."""
    torch.manual_seed(0)
    small = {
        "n_embd": 16,
        "n_head": 2,
        "n_layer": 2,
        "n_positions": 16,
        "initializer_range": 0.3,
    } | config
    n = tokenizer.get_vocab_size()
    theirs = GPT2LMHeadModel(
        GPT2Config(vocab_size=n, bos_token_id=0, eos_token_id=0, **small)
    ).eval()
    theirs.save_pretrained(directory)
    tokenizer.save(str(directory / "tokenizer.json"))
    return theirs


def logits(theirs: GPT2LMHeadModel, ids: list[int]) -> Array:
    """The logits of transformers: [n_seq] -> [n_seq, n_vocab]."""
    with torch.no_grad():
        return theirs(torch.tensor([ids])).logits[0].numpy()


def greedy(theirs: GPT2LMHeadModel, ids: list[int], n: int) -> list[int]:
    """The tokens that transformers adds, with its own cache, none of them an end."""
    found = theirs.generate(
        torch.tensor([ids]),
        attention_mask=torch.ones(1, len(ids)),
        max_new_tokens=n,
        do_sample=False,
        eos_token_id=None,
        pad_token_id=0,
    )
    return found[0, len(ids) :].tolist()


@pytest.fixture(scope="module")
def checkpoint(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, GPT2LMHeadModel]:
    """A small checkpoint, and the model that was written."""
    directory = tmp_path_factory.mktemp("checkpoints") / "small"
    return directory, written(directory, byte_pairs())


@pytest.fixture
def copied(checkpoint: tuple[Path, GPT2LMHeadModel], tmp_path: Path) -> Path:
    """A copy of the checkpoint to be changed."""
    return shutil.copytree(checkpoint[0], tmp_path / "copied")


def configure(directory: Path, **changes: Any) -> None:
    """Change fields of config.json; ... removes one."""
    path = directory / "config.json"
    fields = json.loads(path.read_text()) | changes
    path.write_text(
        json.dumps({key: value for key, value in fields.items() if value is not ...})
    )


def rewrite(
    directory: Path,
    change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]],
) -> None:
    """Write the arrays again, changed."""
    path = str(directory / "model.safetensors")
    save_file(
        {name: tensor.contiguous() for name, tensor in change(load_file(path)).items()},
        path,
    )


# ---------------------------------------------------------------- the same model


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"activation_function": "relu"},
        {"layer_norm_epsilon": 0.1},
        {"n_inner": 7, "n_head": 4},
    ],
)
def test_logits_and_tokens_are_those_of_transformers(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    """Sizes, activation and epsilon come from config.json; logits and greedy tokens are those
    of transformers.
    """
    theirs = written(tmp_path / "tiny", byte_pairs(), **config)
    model = load_gpt2(tmp_path / "tiny")
    assert (model.name, model.n_layer, model.n_ctx, model.program) == (
        "tiny",
        2,
        16,
        None,
    )
    ids = model.ids("The cat sat")
    np.testing.assert_allclose(
        model("The cat sat"), logits(theirs, ids), rtol=0, atol=1e-4
    )
    expected = greedy(theirs, ids, 16 - len(ids))
    assert model.generate("The cat sat", len(expected)) == model.vocabulary.decode(
        expected
    )
    assert model.generate(
        "The cat sat", len(expected), cached=False
    ) == model.vocabulary.decode(expected)


def test_a_model_of_the_size_of_gpt2(tmp_path: Path) -> None:
    """With 124 million weights in 12 layers, logits and 20 greedy tokens are those of
    transformers.
    """
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = byte_pairs()
    tokenizer.model = models.BPE(
        {
            name: i
            for i, name in enumerate([*letters, *(f"<{i}>" for i in range(256, 50257))])
        },
        [],
    )
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    torch.manual_seed(1)
    theirs = GPT2LMHeadModel(GPT2Config()).eval()
    theirs.save_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").write_text(
        json.dumps(json.loads(tokenizer.to_str()) | {"added_tokens": []})
    )
    model = load_gpt2(tmp_path)
    assert (model.n_layer, model.n_embd, model.n_ctx, len(model.vocabulary)) == (
        12,
        768,
        1024,
        50257,
    )
    assert model.parameters["dense"] == 124_439_808
    ids = np.random.default_rng(0).integers(0, 50257, 60).tolist()
    np.testing.assert_allclose(model(ids), logits(theirs, ids), rtol=0, atol=1e-4)
    assert model.generate(ids, 20) == model.vocabulary.decode(greedy(theirs, ids, 20))


def test_every_number_has_a_name(checkpoint: tuple[Path, GPT2LMHeadModel]) -> None:
    """A trace shows the tokens as the file spells them, and the hidden states of transformers."""
    directory, theirs = checkpoint
    model = load_gpt2(directory)
    trace = model.trace("The cat")
    assert trace.tokens == ["The", "Ġcat"]
    with torch.no_grad():
        states = theirs(
            torch.tensor([model.ids("The cat")]), output_hidden_states=True
        ).hidden_states
    for state, name in zip(
        states, ["blocks.0.resid_pre", "blocks.1.resid_pre", "resid_final"], strict=True
    ):
        np.testing.assert_allclose(
            trace.arrays[name], state[0].numpy(), rtol=0, atol=1e-5
        )


def test_names_of_the_first_release(
    checkpoint: tuple[Path, GPT2LMHeadModel], copied: Path
) -> None:
    """Without the prefix, with the causal masks and a tied lm_head in the file, and n_ctx, it
    is the same model.
    """
    mask = torch.tril(torch.ones(1, 1, 16, 16))

    def older(arrays: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        plain = {
            name.removeprefix("transformer."): tensor for name, tensor in arrays.items()
        }
        masks = {f"h.{i}.attn.bias": mask.to(torch.uint8) for i in range(2)} | {
            "h.0.attn.masked_bias": torch.tensor(-1e4)
        }
        return plain | masks | {"lm_head.weight": plain["wte.weight"].clone()}

    rewrite(copied, older)
    configure(copied, n_ctx=16, tie_word_embeddings=...)
    assert (
        load_gpt2(copied)("The cat").tobytes()
        == load_gpt2(checkpoint[0])("The cat").tobytes()
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_widened(
    checkpoint: tuple[Path, GPT2LMHeadModel], copied: Path, dtype: torch.dtype
) -> None:
    """Weights in float16 or bfloat16 become the float32 numbers that they are."""
    rewrite(
        copied,
        lambda arrays: {name: tensor.to(dtype) for name, tensor in arrays.items()},
    )
    model = load_gpt2(copied)
    assert model.dtype == "float32"
    expected = (
        checkpoint[1]
        .transformer.h[1]
        .mlp.c_fc.weight.detach()
        .to(dtype)
        .to(torch.float32)
        .numpy()
    )
    assert (model.weights["blocks"][1]["mlp"]["c_fc"]["w"] == expected).all()


# ---------------------------------------------------------------- tokens


def test_texts_are_cut_as_by_tokenizers(
    checkpoint: tuple[Path, GPT2LMHeadModel],
) -> None:
    """Ids and texts are those of the package, for spaces, accents, emoji and the end of a text."""
    vocabulary, oracle = load_gpt2(checkpoint[0]).vocabulary, byte_pairs()
    for text in [*SENTENCES, "  a\n\tb ", "été 🙂", f"The cat{END}The dog", "\x00�"]:
        assert vocabulary.encode(text) == oracle.encode(text).ids
        assert vocabulary.decode(vocabulary.encode(text)) == text
        assert vocabulary.encode(vocabulary.split(text)) == vocabulary.encode(text)
    assert vocabulary.tokens == tuple(
        oracle.id_to_token(i) for i in range(len(vocabulary))
    )
    assert vocabulary.encode(["The", " cat", "Ġcat", END]) == [
        oracle.token_to_id(token) for token in ("The", "Ġcat", "Ġcat", END)
    ]


def test_generation_stops_at_a_token(checkpoint: tuple[Path, GPT2LMHeadModel]) -> None:
    """A stop token is named as the file spells it or as its text."""
    model = load_gpt2(checkpoint[0])
    new = greedy(checkpoint[1], model.ids("The dog"), 8)
    stop = model.vocabulary.tokens[new[3]]
    expected = model.vocabulary.decode(new[: new.index(new[3]) + 1])
    assert model.generate("The dog", 8, stop=stop) == expected
    with Refused(PromptError, "'cat sat' is no token but 3: 'c', 'at', 'Ġsat'"):
        model.generate("The dog", 8, stop="cat sat")


def test_vocab_json_with_merges(
    checkpoint: tuple[Path, GPT2LMHeadModel], copied: Path
) -> None:
    """The two older files give the same ids."""
    model = json.loads((copied / "tokenizer.json").read_text())["model"]
    (copied / "tokenizer.json").unlink()
    (copied / "vocab.json").write_text(json.dumps(model["vocab"]))
    (copied / "merges.txt").write_text(
        "\n".join(["#version: 0.2", *map(" ".join, model["merges"]), ""])
    )
    older, whole = load_gpt2(copied).vocabulary, load_gpt2(checkpoint[0]).vocabulary
    assert older == whole
    for text in [*SENTENCES, f"été{END} 🙂"]:
        assert older.encode(text) == whole.encode(text)
        assert older.decode(whole.encode(text)) == text


def test_a_table_of_words_is_a_plain_vocabulary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Words cut by the longest that matches need no package: the ids are those of tokenizers."""
    tokens = ["a", "ab", "|", "a|b", ".", "\n", "é"]
    oracle = words(tokens)
    theirs = written(tmp_path, oracle)
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    model = load_gpt2(tmp_path)
    assert model.vocabulary == Vocabulary(tuple(tokens))
    for text in ["a|b", "aab|", ".\né", "ab|a|b"]:
        assert model.ids(text) == oracle.encode(text).ids
        np.testing.assert_allclose(
            model(text), logits(theirs, model.ids(text)), rtol=0, atol=1e-4
        )
    with Refused(
        PromptError,
        "no token matches 'x' at character 1 of the prompt; the vocabulary is a, ab, |,"
        " a|b, ., \\x0a, é",
    ):
        model.ids("ax")


def test_a_last_alternative_for_what_is_no_word(tmp_path: Path) -> None:
    """A Split may match any other character at the end."""
    written(tmp_path, words(["a", "ab"], "ab|a|."))
    assert load_gpt2(tmp_path).ids("aba") == [1, 0]


@pytest.mark.parametrize(
    "pattern", ["a|ab", "ab|a+", "ab", "ab|a|c", "[ab]|a", "ab|a|"]
)
def test_words_that_are_cut_otherwise_are_refused(tmp_path: Path, pattern: str) -> None:
    """Only the longest match is read; any other regular expression would be another tokenizer."""
    written(tmp_path, words(["a", "ab"], pattern))
    message = (
        "its Split is not the regular expression word|word|... of its words, the longer"
        " first"
    )
    with Refused(WeightsError, f"{tmp_path / 'tokenizer.json'}: {message}"):
        load_gpt2(tmp_path)


def test_other_splits_and_added_tokens_of_words_are_refused(tmp_path: Path) -> None:
    """A Split that drops what matches, and a token that is cut out before a longer word, would
    be another tokenizer.
    """
    path = tmp_path / "tokenizer.json"
    oracle = words(["a", "ab", "x"])
    written(tmp_path, oracle)
    whole = json.loads(path.read_text())
    path.write_text(
        json.dumps(
            whole | {"pre_tokenizer": whole["pre_tokenizer"] | {"behavior": "Removed"}}
        )
    )
    with Refused(
        WeightsError,
        f"{path}: its Split does not keep what matches; behavior must be 'Isolated'",
    ):
        load_gpt2(tmp_path)
    oracle.add_special_tokens(["x"])
    oracle.save(str(path))
    assert load_gpt2(tmp_path).ids("axab") == oracle.encode("axab").ids == [0, 2, 1]
    oracle.add_special_tokens(["a"])
    oracle.save(str(path))
    with pytest.raises(Exception, match="Missing"):  # a was cut out, and b is no word
        oracle.encode("axab")
    with Refused(
        WeightsError,
        f"{path}: one of its added_tokens is not a word, or is a part of other words: it"
        " would be cut out before the longer words",
    ):
        load_gpt2(tmp_path)


def test_a_text_that_cannot_be_spelled_is_refused(copied: Path) -> None:
    """Where bytes have no token the package would leave them out; here that is an error."""
    fields = json.loads((copied / "tokenizer.json").read_text())
    vocab = fields["model"]["vocab"]
    vocab["~~"] = vocab.pop("Z")
    (copied / "tokenizer.json").write_text(json.dumps(fields))
    vocabulary = load_gpt2(copied).vocabulary
    with Refused(PromptError, "the tokenizer cannot spell 'aZb': it reads 'ab'"):
        vocabulary.encode("aZb")


# ---------------------------------------------------------------- what is refused

CONFIGS: list[tuple[dict[str, Any], str]] = [
    (
        {"model_type": "gpt_neo"},
        "model_type is 'gpt_neo', and our forward pass computes only 'gpt2'",
    ),
    (
        {"scale_attn_weights": False},
        "scale_attn_weights is False, and our forward pass computes only True",
    ),
    (
        {"scale_attn_by_inverse_layer_idx": True},
        (
            "scale_attn_by_inverse_layer_idx is True, and our forward pass computes"
            " only False"
        ),
    ),
    (
        {"add_cross_attention": True},
        "add_cross_attention is True, and our forward pass computes only False",
    ),
    (
        {"quantization_config": {"bits": 4}},
        "quantization_config is {'bits': 4}, and our forward pass computes only None",
    ),
    (
        {"activation_function": "gelu"},
        (
            "activation_function is 'gelu', and our forward pass computes only"
            " gelu_new, gelu_pytorch_tanh, relu"
        ),
    ),
    (
        {"activation_function": ["relu"]},
        (
            "activation_function is ['relu'], and our forward pass computes only"
            " gelu_new, gelu_pytorch_tanh, relu"
        ),
    ),
    (
        {"layer_norm_epsilon": "1e-5"},
        "layer_norm_epsilon must be finite and not negative, found '1e-5'",
    ),
    (
        {"layer_norm_epsilon": -1},
        "layer_norm_epsilon must be finite and not negative, found -1",
    ),
    (
        {"layer_norm_epsilon": 10**400},
        "layer_norm_epsilon must be finite and not negative, found 1" + "0" * 59,
    ),
    ({"n_head": 0}, "n_head must be a whole number of at least 1, found 0"),
    ({"n_layer": True}, "n_layer must be a whole number of at least 0, found True"),
    ({"n_layer": 1025}, "n_layer must be at most 1024, found 1025"),
    (
        {"n_inner": "x"},
        "n_inner must be null or a whole number of at least 1, found 'x'",
    ),
    (
        {"vocab_size": ...},
        "vocab_size must be a whole number of at least 1, found None",
    ),
    ({"n_ctx": 8}, "n_ctx is 8, but n_positions is 16"),
]


@pytest.mark.parametrize(("changes", "message"), CONFIGS)
def test_configs_that_we_do_not_compute_are_refused(
    copied: Path, changes: dict[str, Any], message: str
) -> None:
    """What the forward pass does not do is refused by its key, never ignored."""
    configure(copied, **changes)
    with Refused(WeightsError, f"{copied / 'config.json'}: {message}"):
        load_gpt2(copied)


SHAPES: list[tuple[dict[str, Any], str]] = [
    ({"n_layer": 3}, "h.2.attn.c_attn.weight is missing"),
    ({"n_layer": 1}, "h.1.attn.c_attn.bias is no weight of a GPT-2 of 1 layers"),
    ({"n_embd": 8}, "wte.weight has shape (280, 16), but config.json says (280, 8)"),
    (
        {"n_positions": 15},
        "wpe.weight has shape (16, 16), but config.json says (15, 16)",
    ),
    (
        {"n_inner": 63},
        "h.0.mlp.c_fc.weight has shape (16, 64), but config.json says (16, 63)",
    ),
    (
        {"tie_word_embeddings": False},
        "tie_word_embeddings is False, but there is no lm_head.weight",
    ),
]


@pytest.mark.parametrize(("changes", "message"), SHAPES)
def test_arrays_that_are_not_the_configs_are_refused(
    copied: Path, changes: dict[str, Any], message: str
) -> None:
    """Every array is held to config.json: its name, its shape, and that it is there."""
    configure(copied, **changes)
    with Refused(WeightsError, f"{copied / 'model.safetensors'}: {message}"):
        load_gpt2(copied)


def test_arrays_of_another_model_are_refused(
    checkpoint: tuple[Path, GPT2LMHeadModel], tmp_path: Path
) -> None:
    """An untied unembedding, strange names, integers and numbers that are not finite are
    refused.
    """
    wte = "transformer.wte.weight"
    cases: list[tuple[Callable[[dict[str, Any]], dict[str, Any]], str]] = [
        (
            lambda a: a | {"lm_head.weight": a[wte] + 1},
            (
                "lm_head.weight is not wte.weight: our forward pass ties the two, as"
                " GPT-2 does"
            ),
        ),
        (
            lambda a: a | {"score.weight": a[wte] + 1},
            "score.weight is no weight of a GPT-2 of 2 layers",
        ),
        (
            lambda a: a | {"wte.weight": a[wte] + 1},
            "wte.weight stands twice, with and without the prefix transformer.",
        ),
        (
            lambda a: a | {wte: a[wte].int()},
            f"{wte} is not an array of float32 or float64 or float16 or bfloat16",
        ),
    ]
    for i, (change, message) in enumerate(cases):
        directory = shutil.copytree(checkpoint[0], tmp_path / str(i))
        rewrite(directory, change)
        with Refused(WeightsError, f"{directory / 'model.safetensors'}: {message}"):
            load_gpt2(directory)
    directory = shutil.copytree(checkpoint[0], tmp_path / "nan")
    rewrite(
        directory,
        lambda a: (
            a | {"transformer.ln_f.bias": a["transformer.ln_f.bias"] * float("nan")}
        ),
    )
    with Refused(
        WeightsError, f"{directory}: ln_f.b holds a value that is not finite: nan"
    ):
        load_gpt2(directory)


def test_files_that_are_missing_or_damaged_are_refused(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every failure names its file, and the extra where one is missing."""
    path = copied / "tokenizer.json"
    whole = path.read_text()
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with Refused(
        MissingExtraError,
        "byte pairs need the extra `gpt2`: pip install 'handcraft[gpt2]'",
    ):
        load_gpt2(copied)
    monkeypatch.undo()
    fields = json.loads(whole)
    for changes, message in [
        (
            {"model": {"type": ["BPE"]}},
            "its model is ['BPE']; BPE and WordLevel are read",
        ),
        (
            {"model": {"type": "Unigram"}},
            "its model is 'Unigram'; BPE and WordLevel are read",
        ),
        (
            {"normalizer": {"type": "NFC"}},
            "its normalizer is 'NFC'; with BPE it must be None",
        ),
        (
            {"pre_tokenizer": {"type": "Whitespace"}},
            "its pre_tokenizer is 'Whitespace'; with BPE it must be 'ByteLevel'",
        ),
        ({"decoder": None}, "its decoder is None; with BPE it must be 'ByteLevel'"),
    ]:
        path.write_text(json.dumps(fields | changes))
        with Refused(WeightsError, f"{path}: {message}"):
            load_gpt2(copied)
    path.write_text(byte_pairs(270).to_str())
    with Refused(WeightsError, f"{copied}: 270 tokens, but wte has 280 rows"):
        load_gpt2(copied)
    path.unlink()
    with Refused(
        WeightsError,
        f"{copied} holds no tokenizer.json, and no vocab.json with merges.txt",
    ):
        load_gpt2(copied)
    (copied / "vocab.json").write_text('{"a": 0, "b": 2}')
    with Refused(
        WeightsError,
        f"{copied / 'vocab.json'}: its tokens must be numbered from 0 without a gap",
    ):
        load_gpt2(copied)
    (copied / "vocab.json").write_text('{"a": 0, "b": 1}')
    with Refused(WeightsError, f"{copied / 'merges.txt'} does not exist"):
        load_gpt2(copied)
    (copied / "model.safetensors").write_bytes(b"\x00")
    with Refused(
        WeightsError,
        f"{copied / 'model.safetensors'}: not a whole safetensors file: its header is"
        " cut off or too long",
    ):
        load_gpt2(copied)
    (copied / "config.json").unlink()
    with Refused(WeightsError, f"{copied / 'config.json'} does not exist"):
        load_gpt2(copied)


def test_links_of_a_cache_are_followed(
    checkpoint: tuple[Path, GPT2LMHeadModel], tmp_path: Path
) -> None:
    """Hugging Face's cache links to its files; reading follows."""
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (tmp_path / name).symlink_to(checkpoint[0] / name)
    assert (
        load_gpt2(tmp_path)("The").tobytes()
        == load_gpt2(checkpoint[0])("The").tobytes()
    )


def test_another_epsilon_is_never_ignored(tmp_path: Path) -> None:
    """What knows only GPT-2's epsilon refuses another: a built directory, and a model that is
    verified.
    """
    written(tmp_path, words(["a", "b"]), layer_norm_epsilon=0.1)
    model = load_gpt2(tmp_path)
    assert model.config["epsilon"] == 0.1
    with Refused(
        WeightsError,
        "the layer norms of a built directory have epsilon 1e-05, this model's"
        " have 0.1",
    ):
        model.save(tmp_path / "built")
    with Refused(
        WeightsError,
        "the layer norms of a program's model have epsilon 1e-05, found 0.1",
    ):
        Model.open("aab").replace(epsilon=0.1)
    with Refused(WeightsError, "epsilon must be finite and not negative, found nan"):
        model.replace(epsilon=float("nan"))


def test_byte_pairs_stay_out_of_a_built_directory(copied: Path, tmp_path: Path) -> None:
    """There a text is cut by the longest token; merged from bytes it would become others, so it
    is not written.
    """
    with Refused(
        WeightsError,
        "a built directory holds tokens that stand in texts as they are, not those of"
        f" {copied.name}",
    ):
        load_gpt2(copied).save(tmp_path / "built")


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        (
            "dropout",
            0.5,
            "its dropout is 0.5: the same text would become other tokens each time",
        ),
        ("type", "Unigram", "its model is 'Unigram'; BPE and WordLevel are read"),
    ],
)
def test_a_tokenizer_that_does_more_is_refused(
    copied: Path, part: str, value: Any, message: str
) -> None:
    """A model of tokens that we do not compute."""
    path = copied / "tokenizer.json"
    fields = json.loads(path.read_text())
    fields["model"][part] = value
    path.write_text(json.dumps(fields))
    with Refused(WeightsError, f"{path}: {message}"):
        load_gpt2(copied)


def test_added_tokens_that_are_no_list_are_refused(tmp_path: Path) -> None:
    """Whatever stands there in a damaged file."""
    written(tmp_path, words(["a", "b"]))
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"added_tokens": 5}))
    with Refused(WeightsError, f"{path}: its added_tokens are no list"):
        load_gpt2(tmp_path)
