"""Checkpoints of every kind that is met: tokenizers and transformers write them, and text goes in
and out as there.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoints import (
    SENTENCES,
    byte_pairs,
    configure,
    logits,
    rewrite,
    words,
    written,
)
from conftest import Refused
from tokenizers import (
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)
from transformers import (
    AutoTokenizer,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
)

from handcraft.core.errors import PromptError, WeightsError
from handcraft.core.vocabulary import Vocabulary
from handcraft.files.file_tokens import FileTokens, IdTokens, PaddedTokens
from handcraft.runtimes.exporting import export
from handcraft.runtimes.loading import load_gpt2

WORDS = ["[UNK]", "the", "cat", "sat", ",", "on"]


def table(tokens: list[str], cut: object, join: object = None) -> Tokenizer:
    """A table of tokens, with a way to cut a text and one to join it."""
    ids = {token: i for i, token in enumerate(tokens)}
    made = Tokenizer(models.WordLevel(ids, unk_token="[UNK]"))
    made.pre_tokenizer = cut
    if join is not None:
        made.decoder = join
    return made


def lower_case() -> Tokenizer:
    made = table(WORDS, pre_tokenizers.WhitespaceSplit())
    made.normalizer = normalizers.Lowercase()
    return made


def word_pieces() -> Tokenizer:
    tokens = ["[UNK]", "the", "cat", "s", "##at", "##s", "on"]
    ids = {token: i for i, token in enumerate(tokens)}
    made = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.decoder = decoders.WordPiece()
    return made


def unigram() -> Tokenizer:
    made = Tokenizer(models.Unigram())
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=60, unk_token="<unk>", special_tokens=["<unk>"]
    )
    made.train_from_iterator(SENTENCES * 3, trainer)
    return made


def split(pattern: object, join: object = None) -> Tokenizer:
    return table(list("ab c"), pre_tokenizers.Split(pattern, "isolated"), join)


KINDS: dict[str, tuple[Callable[[], Tokenizer], type, list[str]]] = {
    "byte pairs": (byte_pairs, FileTokens, SENTENCES),
    "characters, a dot": (
        lambda: split(Regex("."), decoders.Fuse()),
        Vocabulary,
        ["abba", "a b c"],
    ),
    "characters, an empty text": (
        lambda: split("", decoders.Fuse()),
        Vocabulary,
        ["abba", "a b c"],
    ),
    "characters, joined by spaces": (
        lambda: split(Regex("")),
        FileTokens,
        ["abba", "a b c"],
    ),
    "words": (
        lambda: table(WORDS, pre_tokenizers.Whitespace()),
        FileTokens,
        ["the cat, the cat", "sat  on the cat"],
    ),
    "words, white space alone": (
        lambda: table(WORDS, pre_tokenizers.WhitespaceSplit()),
        FileTokens,
        ["the cat , the cat"],
    ),
    "words in lower case": (lower_case, FileTokens, ["The CAT sat"]),
    "word pieces": (word_pieces, FileTokens, ["the cats sat on the cat"]),
    "unigram": (unigram, FileTokens, ["The cat sat on the mat."]),
    "whole words in a text": (
        lambda: words(["a", "ab", "|"]),
        Vocabulary,
        ["aab|a"],
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_text_goes_in_and_out_as_in_transformers(
    kind: str, tmp_path: Path
) -> None:
    """Ids, logits and decoded texts are those of the tokenizer and the model that were saved."""
    make, kept, texts = KINDS[kind]
    theirs = written(tmp_path, make())
    PreTrainedTokenizerFast(
        tokenizer_object=make(), clean_up_tokenization_spaces=False
    ).save_pretrained(tmp_path)
    oracle = AutoTokenizer.from_pretrained(tmp_path)
    model = load_gpt2(tmp_path)
    assert type(model.vocabulary) is kept
    for text in texts:
        ids = oracle.encode(text, add_special_tokens=False)[:16]
        assert model.ids(text)[:16] == ids
        assert model.vocabulary.decode(ids) == oracle.decode(ids)
        np.testing.assert_allclose(
            model(ids), logits(theirs, ids), rtol=0, atol=1e-4
        )


@pytest.mark.parametrize(
    ("make", "text", "message"),
    [
        (
            KINDS["words"][0],
            "the dog",
            "the tokenizer cannot spell 'the dog': it reads 'the [UNK]'",
        ),
        (
            KINDS["words"][0],
            " \t",
            "the tokenizer cannot spell ' \\x09': it reads ''",
        ),
        (
            lower_case,
            "The Dog",
            "the tokenizer cannot spell 'The Dog': it reads 'the [UNK]'",
        ),
        (
            lambda: split("."),
            "ab",
            "the tokenizer has no token for a part of 'ab'",
        ),
        (
            lambda: table(
                ["[UNK]", "a", "b"],
                pre_tokenizers.Split(Regex("[.]"), "removed"),
            ),
            "a.b",
            "the tokenizer cannot spell 'a.b': it reads 'a b'",
        ),
    ],
)
def test_a_text_is_never_changed_in_silence(
    make: Callable[[], Tokenizer], text: str, message: str, tmp_path: Path
) -> None:
    """Where a tokenizer would leave out or replace a part of a text, that is an error."""
    written(tmp_path, make())
    with Refused(PromptError, message):
        load_gpt2(tmp_path).ids(text)


# ---------------------------------------------------------------- rows without a token


def padded_checkpoint(
    directory: Path, tokenizer: Tokenizer, n: int
) -> GPT2LMHeadModel:
    """A checkpoint whose wte has n rows, more than there are tokens."""
    written(directory, tokenizer)
    torch.manual_seed(1)
    small = {"n_embd": 16, "n_head": 2, "n_layer": 1, "n_positions": 16}
    theirs = GPT2LMHeadModel(GPT2Config(vocab_size=n, **small)).eval()
    theirs.save_pretrained(directory)
    return theirs


def test_rows_of_wte_without_a_token(tmp_path: Path) -> None:
    """They are called unused: no text is cut into them, and an answer shows the name."""
    oracle = byte_pairs()
    theirs = padded_checkpoint(tmp_path, oracle, 320)
    model = load_gpt2(tmp_path)
    assert model.vocabulary.tokens[279:282] == (
        oracle.id_to_token(279),
        "<unused 280>",
        "<unused 281>",
    )
    for text in [*SENTENCES, "<unused 280>"]:
        assert model.ids(text) == oracle.encode(text).ids
    ids = [*oracle.encode("The cat").ids, 300]
    np.testing.assert_allclose(
        model(ids), logits(theirs, ids), rtol=0, atol=1e-4
    )
    assert model.vocabulary.decode(ids) == "The cat<unused 300>"
    assert model.ids(["The", "<unused 300>"])[1] == 300


def test_rows_without_a_word(tmp_path: Path) -> None:
    """A plain vocabulary has them too, and its own texts are cut as before."""
    padded_checkpoint(tmp_path, split("", decoders.Fuse()), 64)
    model = load_gpt2(tmp_path)
    assert type(model.vocabulary) is PaddedTokens
    assert model.ids("ab") == [0, 1]
    assert model.vocabulary.decode([0, 63]) == "a<unused 63>"
    with Refused(
        PromptError,
        "no token matches '<' at character 0 of the text; the vocabulary is 'a', 'b', ' ', 'c'",
    ):
        model.ids("<unused 63>")


def test_more_tokens_than_rows(tmp_path: Path) -> None:
    """A token of the vocabulary without a row is refused; one that was added later, for padding,
    stays out of texts.
    """
    written(tmp_path, byte_pairs())
    later = byte_pairs()
    later.add_special_tokens(["[PAD]"])
    path = tmp_path / "tokenizer.json"
    later.save(str(path))
    model = load_gpt2(tmp_path)
    assert model.ids("The cat") == byte_pairs().encode("The cat").ids
    with Refused(
        PromptError,
        "the token '[PAD]' has the id 280, and the model has 280 ids",
    ):
        model.ids("The[PAD]")
    padded_checkpoint(tmp_path, byte_pairs(), 279)
    last = byte_pairs().id_to_token(279)
    with Refused(
        WeightsError,
        f"{path}: the token '{last}' has the id 279, but wte has 279 rows;"
        " resize_token_embeddings of transformers gives each token one",
    ):
        load_gpt2(tmp_path)


# ---------------------------------------------------------------- no tokenizer at all


def test_tokens_that_are_given(tmp_path: Path) -> None:
    """They take the place of a tokenizer; rows that are left over are unused."""
    written(tmp_path, byte_pairs())
    (tmp_path / "tokenizer.json").unlink()
    model = load_gpt2(tmp_path, tokens=["a", "b", "ab"])
    assert model.ids("aab") == [0, 2]
    assert model.vocabulary.tokens[3] == "<unused 3>"
    for tokens, message in [
        (
            "ab",
            "tokens= takes a list of tokens in the order of their ids, found str",
        ),
        (
            {"a", "b"},
            "tokens= takes a list of tokens in the order of their ids, found set",
        ),
        (["a", "a"], "tokens=: the token 'a' stands twice in the vocabulary"),
        (["a", ""], "tokens=: a token must be a non-empty text, found ''"),
        (
            [str(i) for i in range(281)],
            "281 tokens, but wte has 280 rows: each token needs one",
        ),
    ]:
        with Refused(WeightsError, message):
            load_gpt2(tmp_path, tokens=tokens)  # type: ignore[arg-type]


def test_ids_are_the_tokens_where_there_is_nothing_else(tmp_path: Path) -> None:
    """A text is ids between white space, and so is the answer."""
    theirs = written(tmp_path, byte_pairs())
    (tmp_path / "tokenizer.json").unlink()
    model = load_gpt2(tmp_path)
    assert type(model.vocabulary) is IdTokens
    assert model.ids("5  12\n279") == [5, 12, 279]
    expected = logits(theirs, [5, 12, 279])
    np.testing.assert_allclose(model("5 12 279"), expected, rtol=0, atol=1e-4)
    assert model.generate("5 12 279", 1) == str(expected[-1].argmax())
    with Refused(
        PromptError,
        "there is no tokenizer, so a text is ids from 0 to 279 such as '0 279', found"
        " 'The'; load_gpt2(directory, tokens=[...]) names them",
    ):
        model.ids("The cat")


@pytest.mark.parametrize("name", ["vocab.txt", "spiece.model", "merges.txt"])
def test_tokens_in_another_format_are_not_passed_over(
    name: str, tmp_path: Path
) -> None:
    """The ids are taken only where no file holds tokens."""
    written(tmp_path, byte_pairs())
    (tmp_path / "tokenizer.json").rename(tmp_path / name)
    with Refused(
        WeightsError,
        f"{tmp_path} has its tokens in {name}, which is not read here; save_pretrained of"
        " its tokenizer in transformers writes tokenizer.json",
    ):
        load_gpt2(tmp_path)


# ---------------------------------------------------------------- the arrays


def test_an_untied_head(tmp_path: Path) -> None:
    """It gives the logits, and stays in a trace, a built directory and an export."""
    theirs = written(
        tmp_path / "untied", words(["a", "b", "c"]), tie_word_embeddings=False
    )
    model = load_gpt2(tmp_path / "untied")
    expected = logits(theirs, [0, 1, 2, 0])
    assert not np.array_equal(model.weights["lm_head"], model.weights["wte"])
    np.testing.assert_allclose(model("abca"), expected, rtol=0, atol=1e-4)
    np.testing.assert_allclose(
        model.trace("abca").arrays["logits"], expected, rtol=0, atol=1e-4
    )
    model.save(tmp_path / "built")
    assert (type(model).load(tmp_path / "built")("abca") == model("abca")).all()
    out = tmp_path / "again"
    assert export(model, "gpt2", out).check.max_logit_error == 0
    again = GPT2LMHeadModel.from_pretrained(out).eval()
    np.testing.assert_allclose(
        logits(again, [0, 1, 2, 0]), expected, rtol=0, atol=1e-5
    )


def test_shards(tmp_path: Path) -> None:
    """A checkpoint in several files, as transformers writes large ones, is the same model."""
    theirs = written(tmp_path, words(["a", "b", "c"]))
    (tmp_path / "model.safetensors").unlink()
    theirs.save_pretrained(tmp_path, max_shard_size="4KB")
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 1
    np.testing.assert_allclose(
        load_gpt2(tmp_path)("abca"), logits(theirs, [0, 1, 2, 0]), atol=1e-4
    )
    index = tmp_path / "model.safetensors.index.json"
    fields = json.loads(index.read_text())
    places = fields["weight_map"]
    name, file = next(iter(places.items()))
    for changed, message in [
        (
            {"weight_map": 3},
            f"{index}: its weight_map is no table of files by weight",
        ),
        (
            {"weight_map": places | {name: "../other.safetensors"}},
            f"{index}: '../other.safetensors' is no file of this directory",
        ),
        (
            {"weight_map": places | {"h.9.ln_1.bias": file}},
            f"{index}: h.9.ln_1.bias is not in {file}",
        ),
    ]:
        index.write_text(json.dumps(changed))
        with Refused(WeightsError, message):
            load_gpt2(tmp_path)
    index.write_text(json.dumps(fields))
    (tmp_path / file).unlink()
    with Refused(WeightsError, f"{tmp_path / file} does not exist"):
        load_gpt2(tmp_path)


@pytest.mark.parametrize(
    "prefix",
    [
        "module.",
        "model.",
        "_orig_mod.",
        "base_model.model.",
        "module._orig_mod.",
    ],
)
def test_wrappers_of_names_are_taken_off(prefix: str, tmp_path: Path) -> None:
    """The names of DataParallel, Lightning, torch.compile and peft lead to the same weights."""
    theirs = written(tmp_path, words(["a", "b", "c"]))
    rewrite(tmp_path, lambda a: {prefix + name: a[name] for name in a})
    np.testing.assert_allclose(
        load_gpt2(tmp_path)("abca"), logits(theirs, [0, 1, 2, 0]), atol=1e-4
    )


def test_names_that_are_not_a_gpt2s(tmp_path: Path) -> None:
    """What is there is named, and where LoRA's adapters are, what merges them."""
    written(tmp_path, words(["a", "b", "c"]))
    path = tmp_path / "model.safetensors"
    wte = "transformer.wte.weight"
    lora = "transformer.h.0.attn.c_attn.lora_A.default.weight"
    rewrite(tmp_path, lambda a: a | {lora: a[wte] + 1})
    with Refused(
        WeightsError,
        f"{path}: h.0.attn.c_attn.lora_A.default.weight is no weight of a GPT-2 of 2"
        " layers: LoRA adapters beside the weights; merge_and_unload() of peft merges"
        " them before save_pretrained",
    ):
        load_gpt2(tmp_path)
    rewrite(
        tmp_path,
        lambda a: {f"net.{name}": a[name] for name in a if name != lora},
    )
    with Refused(
        WeightsError,
        f"{path}: wte.weight is missing; there are net.transformer.h.0.attn.c_attn.bias,"
        " net.transformer.h.0.attn.c_attn.weight, net.transformer.h.0.attn.c_proj.bias,"
        " ...",
    ):
        load_gpt2(tmp_path)


def test_a_linear_map_that_lies_the_other_way(tmp_path: Path) -> None:
    """NanoGPT's matrices are transposed: the shape tells it, where it is not square."""
    written(tmp_path, words(["a", "b", "c"]))
    name = "transformer.h.0.attn.c_attn.weight"
    rewrite(tmp_path, lambda a: a | {name: a[name].T})
    with Refused(
        WeightsError,
        f"{tmp_path / 'model.safetensors'}: h.0.attn.c_attn.weight has shape (48, 16),"
        " but config.json says (16, 48); it is transposed, and a GPT-2 of transformers"
        " holds [n_in, n_out]",
    ):
        load_gpt2(tmp_path)


def test_a_head_that_the_config_ties(tmp_path: Path) -> None:
    """Two different arrays that config.json calls one are refused; either name will do for one."""
    theirs = written(tmp_path, words(["a", "b", "c"]))
    wte = "transformer.wte.weight"
    rewrite(tmp_path, lambda a: {"lm_head.weight": a.pop(wte)} | a)
    np.testing.assert_allclose(
        load_gpt2(tmp_path)("abca"), logits(theirs, [0, 1, 2, 0]), atol=1e-4
    )
    rewrite(tmp_path, lambda a: a | {wte: a["lm_head.weight"] + 1})
    with Refused(
        WeightsError,
        f"{tmp_path / 'model.safetensors'}: lm_head.weight is not wte.weight, but"
        " config.json ties the two: tie_word_embeddings must be false where both count",
    ):
        load_gpt2(tmp_path)
    configure(tmp_path, tie_word_embeddings=False)
    assert "lm_head" in load_gpt2(tmp_path).weights


@pytest.mark.parametrize("make", [byte_pairs, KINDS["words"][0]])
def test_an_export_keeps_the_tokenizer(
    make: Callable[[], Tokenizer], tmp_path: Path
) -> None:
    """Written for gpt2 again, weights and tokens are the same, in transformers too."""
    theirs = written(tmp_path / "first", make())
    model = load_gpt2(tmp_path / "first")
    assert export(model, "gpt2", tmp_path / "again").check.max_logit_error == 0
    again = load_gpt2(tmp_path / "again")
    assert again.vocabulary == model.vocabulary
    assert again.ids("the cat") == make().encode("the cat").ids
    ids = model.ids("the cat")
    second = GPT2LMHeadModel.from_pretrained(tmp_path / "again").eval()
    np.testing.assert_allclose(
        logits(second, ids), logits(theirs, ids), rtol=0, atol=1e-5
    )


def test_a_model_without_tokens_is_exported_without_a_tokenizer(
    tmp_path: Path,
) -> None:
    """Ids stay ids."""
    written(tmp_path / "first", byte_pairs())
    (tmp_path / "first" / "tokenizer.json").unlink()
    model = load_gpt2(tmp_path / "first")
    export(model, "gpt2", tmp_path / "again")
    assert load_gpt2(tmp_path / "again").vocabulary == model.vocabulary
