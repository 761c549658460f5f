r"""Writes a vocabulary as the two files of Hugging Face's tokenizers.

    tokenizer.json          a table of words, the text cut by the longest that matches; any other
                            text is an error
    tokenizer_config.json   the window, and the tokens with a role

A batch needs a token to stand where a shorter text has none. A row of its own in `wte` would
change the weights, so an existing token does it: the attention mask, not the token, says what is
padding. In the files that can only be the claim's stop token: transformers cuts the padding token
out of a text before it looks for the longest word, so it must share no letter with another token,
and leaves it out of the texts that it shows. Of the stop token that loses nothing but itself: it
ends an answer, and fills it up to the end of the longest one. Without such a stop token no padding
is written; `tokenizer.pad_token = ...`, after loading, names any token, and hides none.

Rules of this file: nothing here needs a package; the same model gives the same bytes.
Source: the file formats of Hugging Face's transformers and tokenizers.
"""

from __future__ import annotations

import json
import re
from itertools import count
from typing import Any

from handcraft.files.tokenizer_file import TOKENIZER_JSON
from handcraft.model import Model
from handcraft.runtimes.target import Files, stop_id

TOKENIZER_CONFIG = "tokenizer_config.json"


def for_batches(model: Model) -> Files:
    """The two files for transformers: the stop token is the padding too."""
    token = padding(model)
    if token is None:
        return _files(model, [], {"padding_side": "left"})
    added = [_special(token, model.vocabulary.ids[token])]
    named = {"padding_side": "left", "pad_token": token}
    return _files(model, added, named)


def padding(model: Model) -> str | None:
    """The token that fills a batch up: the stop token, where it shares no letter with another."""
    stop = stop_id(model)
    if stop is None or not _apart(model, stop):
        return None
    return model.vocabulary.tokens[stop]


def for_bridges(model: Model) -> Files:
    """The two files for TransformerLens: the end of a text and the padding are a token that the
    model lacks, so that no token of a text is taken for them.
    """
    token = _outside(model, "[PAD]")
    named = {"pad_token": token, "eos_token": token}
    return _files(model, [_special(token, len(model.vocabulary))], named)


def _files(
    model: Model, added: list[dict[str, Any]], named: dict[str, str]
) -> Files:
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": model.n_ctx,
        "clean_up_tokenization_spaces": False,
        **named,
    }
    documents = {
        TOKENIZER_JSON: _tokenizer(model, added),
        TOKENIZER_CONFIG: config,
    }
    return {
        name: json.dumps(fields, indent=2).encode()
        for name, fields in documents.items()
    }


def _tokenizer(model: Model, added: list[dict[str, Any]]) -> dict[str, Any]:
    # the longest match first, as our own vocabulary cuts
    words = sorted(model.vocabulary.tokens, key=len, reverse=True)
    # the last alternative: a letter that is not in a word, to be refused
    pattern = "|".join([*map(re.escape, words), r"[\s\S]"])
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"Regex": pattern},
            "behavior": "Isolated",
            "invert": False,
        },
        "post_processor": None,
        "decoder": {"type": "Fuse"},
        "model": {
            "type": "WordLevel",
            "vocab": model.vocabulary.ids,
            "unk_token": _no_token(model),
        },
    }


def _no_token(model: Model) -> str:
    """A name that is not a token, for unknown letters: so they are an error."""
    name = "[UNK]"
    while name in model.vocabulary.ids:
        name = f"[{name}]"
    return name


def _outside(model: Model, name: str) -> str:
    """A name like this that stands in no text of the vocabulary."""
    letters = set("".join(model.vocabulary.tokens))
    if set(name) <= letters:
        name += next(chr(i) for i in count(0x2190) if chr(i) not in letters)
    return name


def _apart(model: Model, i: int) -> bool:
    """True if a token shares no letter with another one."""
    tokens = model.vocabulary.tokens
    others = set("".join((*tokens[:i], *tokens[i + 1 :])))
    return not others & set(tokens[i])


def _special(token: str, i: int) -> dict[str, Any]:
    """A token that is cut out of a text first, and not shown."""
    return {
        "id": i,
        "content": token,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": True,
    }
