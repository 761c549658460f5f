"""Returns how a tokenizer cuts texts, as data that a page can follow: that of GPT-2's byte pairs.

Read is what vocab.json and merges.txt of GPT-2 say, and a tokenizer.json that says the same: byte
pairs over all of a text's bytes, cut first by GPT-2's regular expression, without a normalizer. A
page of a model with another tokenizer reads a JSON list of tokens.

Rules of this file: the package `tokenizers` made the tokenizer, and gives its settings as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_PLAIN = {  # of byte pairs that are merged by rank alone
    "unk_token": None,
    "dropout": None,
    "continuing_subword_prefix": (None, ""),
    "end_of_word_suffix": (None, ""),
    "byte_fallback": False,
    "ignore_merges": False,
}
_FLAGS = ("single_word", "lstrip", "rstrip")


def byte_pairs(tokenizer: Any) -> dict[str, Any] | None:
    """The merges in their order, and the tokens that are cut out first, by their ids; None for a
    tokenizer of another kind.
    """
    fields = json.loads(tokenizer.to_str())
    model = fields["model"]
    if model["type"] != "BPE" or fields.get("normalizer") is not None:
        return None
    if not (_of_bytes(fields) and _is_plain(model)):
        return None
    added = fields.get("added_tokens") or []
    if any(one.get(flag) for one in added for flag in _FLAGS):
        return None
    merges = [
        m.split(" ") if isinstance(m, str) else m for m in model["merges"]
    ]
    return {
        "merges": [" ".join(pair) for pair in merges],
        "added": {one["content"]: one["id"] for one in added},
    }


def _of_bytes(fields: Mapping[str, Any]) -> bool:
    """True if texts are cut by GPT-2's expression, and tokens are joined byte by byte."""
    cut = fields.get("pre_tokenizer") or {}
    joined = fields.get("decoder") or {}
    return (
        cut.get("type") == joined.get("type") == "ByteLevel"
        and not cut.get("add_prefix_space")
        and cut.get("use_regex", True)
    )


def _is_plain(model: Mapping[str, Any]) -> bool:
    for name, usual in _PLAIN.items():
        found = model.get(name, None if usual is None else False)
        allowed = usual if isinstance(usual, tuple) else (usual, None)
        if found not in (*allowed, False):
            return False
    return True
