"""The tokens of a loaded GPT-2: texts are cut as by tokenizers, or the checkpoint is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from checkpoints import (
    END,
    SENTENCES,
    byte_pairs,
    greedy,
    logits,
    words,
    written,
)
from conftest import Refused
from transformers import GPT2LMHeadModel

from handcraft.core.errors import PromptError, WeightsError
from handcraft.core.vocabulary import Vocabulary
from handcraft.files.file_tokens import FileTokens
from handcraft.runtimes.loading import load_gpt2

pytest_plugins = ["checkpoint_fixtures"]

# ---------------------------------------------------------------- tokens


def test_texts_are_cut_as_by_tokenizers(
    checkpoint: tuple[Path, GPT2LMHeadModel],
) -> None:
    """Ids and texts are those of the package, for spaces, accents, emoji and the end of a text."""
    vocabulary, oracle = load_gpt2(checkpoint[0]).vocabulary, byte_pairs()
    for text in [
        *SENTENCES,
        "  a\n\tb ",
        "été 🙂",
        f"The cat{END}The dog",
        "\x00�",
    ]:
        assert vocabulary.encode(text) == oracle.encode(text).ids
        assert vocabulary.decode(vocabulary.encode(text)) == text
        assert vocabulary.encode(vocabulary.split(text)) == vocabulary.encode(
            text
        )
    assert vocabulary.tokens == tuple(
        oracle.id_to_token(i) for i in range(len(vocabulary))
    )
    assert vocabulary.encode(["The", " cat", "Ġcat", END]) == [
        oracle.token_to_id(token) for token in ("The", "Ġcat", "Ġcat", END)
    ]


def test_generation_stops_at_a_token(
    checkpoint: tuple[Path, GPT2LMHeadModel],
) -> None:
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
    older, whole = (
        load_gpt2(copied).vocabulary,
        load_gpt2(checkpoint[0]).vocabulary,
    )
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
        "no token matches 'x' at character 1 of the text; the vocabulary is 'a', 'ab', '|',"
        " 'a|b', '.', '\\x0a', 'é'",
    ):
        model.ids("ax")


def test_a_last_alternative_for_what_is_no_word(tmp_path: Path) -> None:
    """A Split may match any other character at the end."""
    written(tmp_path, words(["a", "ab"], "ab|a|."))
    assert load_gpt2(tmp_path).ids("aba") == [1, 0]


@pytest.mark.parametrize(
    "pattern", ["a|ab", "ab|a+", "ab", "ab|a|c", "[ab]|a", "ab|a|"]
)
def test_words_that_are_cut_otherwise_are_cut_by_the_package(
    tmp_path: Path, pattern: str
) -> None:
    """Only the longest match is a plain vocabulary; any other regular expression is another
    tokenizer, and a text that it does not know is refused.
    """
    oracle = words(["a", "ab"], pattern)
    written(tmp_path, oracle)
    vocabulary = load_gpt2(tmp_path).vocabulary
    assert type(vocabulary) is FileTokens
    for text in ["a", "ab", "aab", "aba", "aa"]:
        try:
            expected = oracle.encode(text).ids
        except Exception:  # a part of it is no word
            with Refused(
                PromptError,
                f"the tokenizer has no token for a part of '{text}'",
            ):
                vocabulary.encode(text)
        else:
            assert vocabulary.encode(text) == expected


def test_added_tokens_of_words(tmp_path: Path) -> None:
    """A token that is cut out before a longer word makes it another tokenizer."""
    path = tmp_path / "tokenizer.json"
    oracle = words(["a", "ab", "x"])
    written(tmp_path, oracle)
    oracle.add_special_tokens(["x"])
    oracle.save(str(path))
    assert type(load_gpt2(tmp_path).vocabulary) is Vocabulary
    assert (
        load_gpt2(tmp_path).ids("axab")
        == oracle.encode("axab").ids
        == [0, 2, 1]
    )
    oracle.add_special_tokens(["a"])
    oracle.save(str(path))
    with pytest.raises(
        Exception, match="Missing"
    ):  # a was cut out, and b is no word
        oracle.encode("axab")
    with Refused(
        PromptError, "the tokenizer has no token for a part of 'axab'"
    ):
        load_gpt2(tmp_path).ids("axab")


def test_a_text_that_cannot_be_spelled_is_refused(copied: Path) -> None:
    """Where bytes have no token the package would leave them out; here that is an error."""
    fields = json.loads((copied / "tokenizer.json").read_text())
    vocab = fields["model"]["vocab"]
    vocab["~~"] = vocab.pop("Z")
    (copied / "tokenizer.json").write_text(json.dumps(fields))
    vocabulary = load_gpt2(copied).vocabulary
    with Refused(
        PromptError, "the tokenizer cannot spell 'aZb': it reads 'ab'"
    ):
        vocabulary.encode("aZb")


# ---------------------------------------------------------------- what is refused


def test_byte_pairs_stay_out_of_a_built_directory(
    copied: Path, tmp_path: Path
) -> None:
    """There a text is cut by the longest token; merged from bytes it would become others, so it
    is not written.
    """
    with Refused(
        WeightsError,
        "a built directory holds tokens that stand in texts as they are, not those of"
        f" {copied.name}",
    ):
        load_gpt2(copied).save(tmp_path / "built")


def test_added_tokens_that_are_no_list_are_refused(tmp_path: Path) -> None:
    """Whatever stands there in a damaged file."""
    written(tmp_path, words(["a", "b"]))
    path = tmp_path / "tokenizer.json"
    path.write_text(
        json.dumps(json.loads(path.read_text()) | {"added_tokens": 5})
    )
    with Refused(WeightsError, f"{path}: its added_tokens are no list"):
        load_gpt2(tmp_path)
