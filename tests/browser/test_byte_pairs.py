"""GPT-2's byte pairs in the page, against the package `tokenizers`."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from drawn_weights import random_weights
from node import Engine
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from handcraft import Model
from handcraft.files.tokenizer_file import read_vocabulary
from handcraft.viewer.byte_pairs import byte_pairs

TEXT = (
    "It's a long way; we'll walk 1234 metres, they're sure.\n\n\tÜber 12½ Äpfel & 𝒳 —"
    " naïve café, 日本語のテキスト.  Two  spaces\u00a0and\u2003more, don't you'd I'm.\r\n"
    * 4
)
ODD = ["", " ", "  a", "a  ", "\ufeffa", "\x85", "it's", "IT'S", "👩\u200d👧", "<|endoftext|>",
       "a<|endoftext|><|endoftext|>b", "\0", "´s", "x\u2028y", "½²٣"]  # fmt: skip


def trained(directory: Path) -> Any:
    """A tokenizer of 400 tokens, with its sign for the end of a text."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator([TEXT], trainer)
    made.save(str(directory / "tokenizer.json"))
    return made


def model_of(directory: Path, n: int | None = None) -> Model:
    vocabulary = read_vocabulary(directory, n)
    weights = random_weights(1, n_vocab=len(vocabulary), dtype="float32")
    return Model("pairs", weights, vocabulary, 2)


def test_texts_are_cut_as_the_tokenizer_does(tmp_path: Path) -> None:
    """Whole texts, parts of them, odd ones; and the tokens joined are the text again."""
    made = trained(tmp_path)
    random = Random(4)
    starts = [random.randrange(len(TEXT)) for _ in range(200)]
    texts = [TEXT[i : i + random.randrange(1, 30)] for i in starts]
    texts = [text for text in [TEXT, *texts, *ODD] if text]
    engine = Engine(tmp_path, model_of(tmp_path, 402))
    found = engine.ask(*(("encode", text) for text in texts))
    for text, said in zip(texts, found, strict=True):
        ids = made.encode(text, add_special_tokens=False).ids
        assert said == {"ids": ids}, text
    several = [[random.randrange(400) for _ in range(4)] for _ in range(200)]
    several += [[400, 5, 401]]
    found = engine.ask(*(("decode", ids) for ids in several))
    assert found == [
        model_of(tmp_path, 402).vocabulary.decode(i) for i in several
    ]


def test_what_the_tokenizer_cannot_spell_is_refused(tmp_path: Path) -> None:
    """As the command does, where a letter has no token."""
    made = Tokenizer(models.BPE({"a": 0, "b": 1, "ab": 2}, [("a", "b")]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.save(str(tmp_path / "tokenizer.json"))
    said = Engine(tmp_path, model_of(tmp_path)).ask(
        ("encode", "aab"), ("encode", "abc")
    )
    assert said == [
        {"ids": [0, 2]},
        {"problem": "the tokenizer cannot spell 'abc': it reads 'ab'"},
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"normalizer": {"type": "Lowercase"}},
        {"pre_tokenizer": {"type": "Whitespace"}},
        {"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True}},
        {"decoder": None},
    ],
)  # fmt: skip
def test_another_tokenizer_is_read_as_a_list_of_tokens(
    change: dict[str, Any], tmp_path: Path
) -> None:
    """The page says so, and takes a JSON list; the model runs as any other."""
    made = trained(tmp_path)
    assert byte_pairs(made) is not None
    fields = json.loads(made.to_str()) | change
    (tmp_path / "tokenizer.json").write_text(json.dumps(fields))
    model = model_of(tmp_path)
    assert byte_pairs(model.vocabulary.tokenizer) is None
    names = [*model.vocabulary.tokens[65:68]]
    said = Engine(tmp_path, model).ask(
        ("encode", json.dumps(names)),
        ("encode", "abc"),
        ("encode", '["no such token"]'),
        ("decode", [65]),
    )
    assert said[0] == {"ids": [65, 66, 67]}
    assert said[1]["problem"].startswith(
        "this page has no tokenizer, so a text is a JSON list of tokens such as ["
    )
    assert said[2]["problem"].startswith("the token 'no such token' is not in")
    assert said[3] == json.dumps(names[:1])
