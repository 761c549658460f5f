"""Reads the tokens of a checkpoint as a Vocabulary: GPT-2's byte pairs, or a table of words.

A byte-level BPE cuts a text into bytes, spells them as printable letters (a space is Ġ) and
merges pairs in a learned order. The package `tokenizers` (extra `gpt2`) does that. A token is
named as the file spells it, "Ġthe"; prompts and answers are plain texts. A tokenizer.json that
holds whole words, cut by the longest that matches, is a plain Vocabulary and needs no package.

Rules of this file: a tokenizer that could lose a part of a text, or that does more than this,
is refused; the tokens of a text are decoded and compared with it.

Sources: Sennrich et al. 2016; Radford et al. 2019; the file formats of Hugging Face's tokenizers.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from handcraft.core.errors import (
    HandcraftError,
    MissingExtraError,
    PromptError,
    WeightsError,
    printable,
)
from handcraft.core.vocabulary import Vocabulary
from handcraft.core.weights import MAX_JSON, parse_json, read_bytes

TOKENIZER_JSON, VOCAB_JSON, MERGES_TXT = (
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
)
MAX_VOCABULARY_BYTES = 2**25  # bytes of one of these files
END_OF_TEXT = (
    "<|endoftext|>"  # a token of its own in vocab.json, which no pair spells
)

_PARTS = {  # what else a tokenizer.json may name, by the type of its model
    "BPE": {
        "normalizer": None,
        "pre_tokenizer": "ByteLevel",
        "decoder": "ByteLevel",
    },
    "WordLevel": {
        "normalizer": None,
        "pre_tokenizer": "Split",
        "decoder": "Fuse",
    },
}
# one letter of a word inside a regular expression
_PLAIN = re.compile(r"\\[^A-Za-z0-9]|[^\\.^$*+?{}\[\]|()]", re.DOTALL)
# the last alternative of such an expression, which matches what is not a word
_ANY = (".", r"[\s\S]", r"(?s:.)", r"(?s).")


@dataclass(frozen=True)
class BytePairs(Vocabulary):
    """The tokens of a byte-level BPE, which encodes and decodes texts. Raises PromptError for a
    text that it would not give back.
    """

    tokenizer: Any = field(compare=False, repr=False)  # tokenizers.Tokenizer

    def split(self, text: str) -> tuple[str, ...]:
        return tuple(self.tokens[i] for i in self._ids(text))

    def encode(self, prompt: str | Iterable[str]) -> list[int]:
        """The ids of a text, or of tokens, each as the file spells it ("Ġthe") or as a text of
        one token (" the").
        """
        if isinstance(prompt, str):
            return self._ids(prompt)
        return [
            self.ids[token] if token in self.ids else self._only(token)
            for token in prompt
        ]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of the ids; bytes that are not UTF-8 become U+FFFD."""
        numbers = [int(i) for i in ids]
        return str(self.tokenizer.decode(numbers, skip_special_tokens=False))

    def _ids(self, text: str) -> list[int]:
        try:
            encoded = self.tokenizer.encode(text, add_special_tokens=False)
            ids = [int(i) for i in encoded.ids]
        except Exception as error:  # the package raises plain ones
            raise PromptError(
                f"the tokenizer refuses '{_short(text)}': {printable(str(error))[:200]}"
            ) from None
        decoded = self.decode(ids)
        if decoded not in (
            text,
            " " + text,
        ):  # a tokenizer may add a space in front
            raise PromptError(
                f"the tokenizer cannot spell '{_short(text)}': it reads"
                f" '{_short(decoded)}'"
            )
        return ids

    def _only(self, token: str) -> int:
        ids = self._ids(token) if token else []
        if len(ids) != 1:
            names = ", ".join(repr(printable(self.tokens[i])) for i in ids[:12])
            several = f" but {len(ids)}: {names}" if ids else ""
            raise PromptError(f"'{_short(token)}' is no token{several}")
        return ids[0]


def read_vocabulary(directory: Path) -> Vocabulary:
    """The tokens of a checkpoint: `tokenizer.json`, else `vocab.json` with `merges.txt`.

    Raises WeightsError, with the file's name, for a tokenizer that is neither a byte-level BPE nor
    a table of words, and MissingExtraError for a BPE without the extra `gpt2`.
    """
    path = directory / TOKENIZER_JSON
    if not path.exists():
        path = directory / VOCAB_JSON
        if not path.exists():
            raise WeightsError(
                f"{directory} holds no {TOKENIZER_JSON}, and no {VOCAB_JSON} with"
                f" {MERGES_TXT}"
            )
    try:
        data = read_bytes(path, MAX_VOCABULARY_BYTES)
        if path.name == TOKENIZER_JSON:
            return _whole(data)
        return _pair_files(data, directory / MERGES_TXT)
    except MissingExtraError:
        raise
    except WeightsError as error:
        raise error.of(path) from None
    except HandcraftError as error:
        raise WeightsError(f"{path}: {error}", path) from None


def _whole(data: bytes) -> Vocabulary:  # tokenizer.json
    fields = parse_json(data, MAX_VOCABULARY_BYTES)
    model, kind = _checked_model(fields)
    if kind == "BPE":
        return _merging(data, model)
    if len(data) > MAX_JSON:
        raise WeightsError(
            f"it has {len(data)} bytes; of words at most {MAX_JSON} are read"
        )
    return _words(in_order(model.get("vocab")), fields)


def _checked_model(fields: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """The model and its type. Raises WeightsError for parts that are not read."""
    model = fields.get("model")
    kind = model.get("type") if isinstance(model, dict) else None
    if (
        not isinstance(model, dict)
        or not isinstance(kind, str)
        or kind not in _PARTS
    ):
        raise WeightsError(
            f"its model is {printable(repr(kind))[:60]}; {' and '.join(_PARTS)} are read"
        )
    for part, expected in _PARTS[kind].items():
        given = fields.get(part)
        found = given.get("type") if isinstance(given, dict) else given
        if found != expected:
            raise WeightsError(
                f"its {part} is {printable(repr(found))[:60]}; with {kind} it must be"
                f" {expected!r}"
            )
    return model, kind


def _merging(data: bytes, model: Mapping[str, Any]) -> Vocabulary:
    """The byte pairs of a whole tokenizer.json."""
    if model.get("dropout"):
        raise WeightsError(
            f"its dropout is {printable(repr(model['dropout']))[:60]}: the same text"
            " would become other tokens each time"
        )
    tokenizer = _tokenizers().Tokenizer
    try:
        made = tokenizer.from_str(data.decode())
        made.no_truncation()
        made.no_padding()
    except Exception as error:  # the package raises plain ones
        raise WeightsError(
            f"not a tokenizer: {printable(str(error))[:200]}"
        ) from None
    return BytePairs(in_order(made.get_vocab(with_added_tokens=True)), made)


def _pair_files(
    data: bytes, merges: Path
) -> Vocabulary:  # vocab.json, merges.txt
    vocab = parse_json(data, MAX_VOCABULARY_BYTES)
    tokens = in_order(vocab)
    pairs = list(_pairs(merges))
    if bad := next((pair for pair in pairs if len(pair) != 2), None):
        raise WeightsError(
            f"{merges}: '{_short(' '.join(bad))}' is no pair", merges
        )
    package = _tokenizers()
    try:
        made = package.Tokenizer(package.models.BPE(vocab=vocab, merges=pairs))
    except Exception as error:  # the package raises plain ones
        raise WeightsError(
            f"{merges}: {printable(str(error))[:200]}", merges
        ) from None
    made.pre_tokenizer = package.pre_tokenizers.ByteLevel(
        add_prefix_space=False
    )
    made.decoder = package.decoders.ByteLevel()
    if END_OF_TEXT in vocab:
        made.add_special_tokens([END_OF_TEXT])
    return BytePairs(tokens, made)


def _pairs(merges: Path) -> Iterator[tuple[str, ...]]:
    text = read_bytes(merges, MAX_VOCABULARY_BYTES).decode("utf-8", "replace")
    for line in text.replace("\r\n", "\n").split("\n"):
        if line and not line.startswith("#version"):
            yield tuple(line.split(" "))


def _words(tokens: tuple[str, ...], fields: Mapping[str, Any]) -> Vocabulary:
    """The vocabulary of a table of words whose texts are cut by the longest that matches."""
    split = fields["pre_tokenizer"]
    behaviour = (split.get("behavior"), split.get("invert"))
    if behaviour not in (
        ("Isolated", False),
        ("Isolated", True),
        ("Removed", True),
    ):
        raise WeightsError(
            "its Split does not keep what matches; behavior must be 'Isolated'"
        )
    pattern = split.get("pattern")
    regex = str(pattern.get("Regex", "")) if isinstance(pattern, dict) else ""
    found = _alternatives(regex) if isinstance(pattern, dict) else []
    same = set(found) == set(tokens) and len(found) == len(tokens)
    if not (same and _longer_first(found)):
        raise WeightsError(
            "its Split is not the regular expression word|word|... of its words, the"
            " longer first"
        )
    more = fields.get("added_tokens") or []
    if not isinstance(more, list):
        raise WeightsError("its added_tokens are no list")
    for added in more:  # the package cuts these out first
        if not isinstance(added, dict) or not _harmless(added, tokens):
            raise WeightsError(
                "one of its added_tokens is not a word, or is a part of other words: it"
                " would be cut out before the longer words"
            )
    return Vocabulary(tokens)


def _longer_first(words: Sequence[str]) -> bool:
    """True if no word comes after one of its own beginnings."""
    place = {word: i for i, word in enumerate(words)}
    lengths = sorted({len(word) for word in words})
    for i, word in enumerate(words):
        for n in lengths[: bisect_left(lengths, len(word))]:
            if place.get(word[:n], i) < i:
                return False
    return True


def _harmless(added: Mapping[str, Any], tokens: tuple[str, ...]) -> bool:
    """True if cutting out a token before all others changes nothing: it is a word, and no other
    overlaps with it.
    """
    name = added.get("content")
    flags = [added.get(key) for key in ("single_word", "lstrip", "rstrip")]
    if (
        name not in tokens
        or added.get("id") != tokens.index(name)
        or any(flags)
    ):
        return False
    others = [word for word in tokens if word != name]
    return not any(_overlap(word, name) for word in others)


def _overlap(word: str, name: str) -> bool:
    """True if the name stands in the word, or begins with an end of it."""
    ends = (word[i:] for i in range(1, len(word)))
    return name in word or any(name.startswith(end) for end in ends)


def _alternatives(regex: str) -> list[str]:
    """The words of a regular expression of the form `word|word|...`; none for any other."""
    for tail in _ANY:
        if regex.endswith("|" + tail):
            regex = regex.removesuffix("|" + tail)
            break
    grouped = regex.startswith("(") and regex.endswith(")")
    if grouped and not regex.startswith("(?"):
        regex = regex[1:-1]
    words = [""]
    at = 0
    while at < len(regex):
        if regex[at] == "|":
            words.append("")
        elif letter := _PLAIN.match(regex, at):
            words[-1] += letter[0][-1]
            at = letter.end() - 1
        else:
            return []
        at += 1
    return words


def in_order(vocab: Any) -> tuple[str, ...]:
    """The tokens of {token: id}. Raises WeightsError unless the ids are 0, 1, ... without a gap."""
    ids: list[Any] = list(vocab.values()) if isinstance(vocab, dict) else [None]
    if not all(type(i) is int for i in ids) or sorted(ids) != list(
        range(len(ids))
    ):
        raise WeightsError("its tokens must be numbered from 0 without a gap")
    return tuple(sorted(vocab, key=vocab.__getitem__))


def _tokenizers() -> Any:
    try:
        import tokenizers
    except ImportError:
        raise MissingExtraError(
            "byte pairs need the extra `gpt2`: pip install 'handcraft[gpt2]'"
        ) from None
    return tokenizers


def _short(text: str) -> str:
    return printable(text if len(text) <= 60 else text[:60] + "...")
