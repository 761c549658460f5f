"""GPT-2's tokens: byte pairs, as a vocabulary.

A text is cut into bytes, the bytes are spelled as printable letters (a space is Ġ), and the
likeliest pairs merged. The work is done by the package `tokenizers`, of the extra `gpt2`. A
token is named as the file spells it, "Ġthe"; texts are plain texts. A tokenizer.json that holds
whole words, cut by the longest that matches, is a plain Vocabulary and needs no package.

Rules of this file: a tokenizer that could lose a part of a text, or that does more than this,
is refused; what a text becomes is compared with the text.

Sources: Sennrich et al. 2016; Radford et al. 2019; the file formats of Hugging Face's tokenizers.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping
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

TOKENIZER_JSON, VOCAB_JSON, MERGES_TXT = "tokenizer.json", "vocab.json", "merges.txt"
MAX_VOCABULARY_BYTES = 2**25  # bytes of one of these files
END_OF_TEXT = "<|endoftext|>"  # a token of its own in vocab.json, which no pair spells

_PARTS = {  # what else a tokenizer.json may name, by the type of its model
    "BPE": {"normalizer": None, "pre_tokenizer": "ByteLevel", "decoder": "ByteLevel"},
    "WordLevel": {"normalizer": None, "pre_tokenizer": "Split", "decoder": "Fuse"},
}
_PLAIN = re.compile(
    r"\\[^A-Za-z0-9]|[^\\.^$*+?{}\[\]|()]", re.DOTALL
)  # one letter of a word inside a regular expression
_ANY = (
    ".",
    r"[\s\S]",
    r"(?s:.)",
    r"(?s).",
)  # a last alternative that matches what is no word


@dataclass(frozen=True)
class BytePairs(Vocabulary):
    """The tokens of a byte-level BPE, which encodes and decodes texts. Raises PromptError for
    what it would lose.
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
        """The text of the ids; bytes that are no UTF-8 become U+FFFD."""
        return str(
            self.tokenizer.decode([int(i) for i in ids], skip_special_tokens=False)
        )

    def _ids(self, text: str) -> list[int]:
        try:
            ids = [
                int(i)
                for i in self.tokenizer.encode(text, add_special_tokens=False).ids
            ]
        except Exception as error:  # the package raises plain ones
            raise PromptError(
                f"the tokenizer refuses '{_short(text)}': {printable(str(error))[:200]}"
            ) from None
        if self.decode(ids) not in (
            text,
            " " + text,
        ):  # a tokenizer may add a space in front
            raise PromptError(
                f"the tokenizer cannot spell '{_short(text)}': it reads"
                f" '{_short(self.decode(ids))}'"
            )
        return ids

    def _only(self, token: str) -> int:
        ids = self._ids(token) if token else []
        if len(ids) != 1:
            names = ", ".join(repr(printable(self.tokens[i])) for i in ids[:12])
            raise PromptError(
                f"'{_short(token)}' is no token"
                + (f" but {len(ids)}: {names}" if ids else "")
            )
        return ids[0]


def read_vocabulary(directory: Path) -> Vocabulary:
    """The tokens of a checkpoint: `tokenizer.json`, else `vocab.json` with `merges.txt`.

    Raises WeightsError, with the file's name, for a tokenizer that is no byte-level BPE and no
    table of words, and MissingExtraError for a BPE without the extra `gpt2`.
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
        return (
            _whole(data)
            if path.name == TOKENIZER_JSON
            else _pair_files(data, directory / MERGES_TXT)
        )
    except MissingExtraError:
        raise
    except WeightsError as error:
        raise error.of(path) from None
    except HandcraftError as error:
        raise WeightsError(f"{path}: {error}", path) from None


def _whole(data: bytes) -> Vocabulary:  # tokenizer.json
    fields = parse_json(data, MAX_VOCABULARY_BYTES)
    model = fields.get("model")
    kind = model.get("type") if isinstance(model, dict) else None
    if not isinstance(model, dict) or not isinstance(kind, str) or kind not in _PARTS:
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
    if kind == "WordLevel":
        if len(data) > MAX_JSON:
            raise WeightsError(
                f"it has {len(data)} bytes; of words at most {MAX_JSON} are read"
            )
        return _words(in_order(model.get("vocab")), fields)
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
        raise WeightsError(f"not a tokenizer: {printable(str(error))[:200]}") from None
    return BytePairs(in_order(made.get_vocab(with_added_tokens=True)), made)


def _pair_files(data: bytes, merges: Path) -> Vocabulary:  # vocab.json, merges.txt
    vocab = parse_json(data, MAX_VOCABULARY_BYTES)
    tokens = in_order(vocab)
    lines = (
        read_bytes(merges, MAX_VOCABULARY_BYTES)
        .decode("utf-8", "replace")
        .replace("\r\n", "\n")
        .split("\n")
    )
    pairs = [
        tuple(line.split(" "))
        for line in lines
        if line and not line.startswith("#version")
    ]
    if bad := next((pair for pair in pairs if len(pair) != 2), None):
        raise WeightsError(f"{merges}: '{_short(' '.join(bad))}' is no pair", merges)
    package = _tokenizers()
    try:
        made = package.Tokenizer(package.models.BPE(vocab=vocab, merges=pairs))
    except Exception as error:  # the package raises plain ones
        raise WeightsError(f"{merges}: {printable(str(error))[:200]}", merges) from None
    made.pre_tokenizer = package.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = package.decoders.ByteLevel()
    if END_OF_TEXT in vocab:
        made.add_special_tokens([END_OF_TEXT])
    return BytePairs(tokens, made)


def _words(tokens: tuple[str, ...], fields: Mapping[str, Any]) -> Vocabulary:
    """A table of words as a plain vocabulary, where the text is cut by the longest that
    matches, as there.
    """
    split = fields["pre_tokenizer"]
    if (split.get("behavior"), split.get("invert")) not in (
        ("Isolated", False),
        ("Isolated", True),
        ("Removed", True),
    ):
        raise WeightsError(
            "its Split does not keep what matches; behavior must be 'Isolated'"
        )
    pattern = split.get("pattern")
    found = (
        _alternatives(str(pattern.get("Regex", "")))
        if isinstance(pattern, dict)
        else []
    )
    place, lengths = (
        {word: i for i, word in enumerate(found)},
        sorted({len(word) for word in found}),
    )
    shorter = (
        (i, word[:n])
        for i, word in enumerate(found)
        for n in lengths[: bisect_left(lengths, len(word))]
    )
    if (
        place.keys() != set(tokens)
        or len(found) != len(tokens)
        or any(place.get(word, i) < i for i, word in shorter)
    ):
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
                "an added token of its is no word of its own: it would be cut out"
                " before the longer words"
            )
    return Vocabulary(tokens)


def _harmless(added: Mapping[str, Any], tokens: tuple[str, ...]) -> bool:
    """Whether cutting out a token before all others changes nothing: it is a word, and no other
    overlaps with it.
    """
    name, flags = (
        added.get("content"),
        (added.get(key) for key in ("single_word", "lstrip", "rstrip")),
    )
    if name not in tokens or added.get("id") != tokens.index(name) or any(flags):
        return False
    others = [word for word in tokens if word != name]
    return not any(
        name in word or any(name.startswith(word[i:]) for i in range(1, len(word)))
        for word in others
    )


def _alternatives(regex: str) -> list[str]:
    """The words of a regular expression that is `word|word|...`; none where it is anything else."""
    regex = next(
        (regex.removesuffix("|" + tail) for tail in _ANY if regex.endswith("|" + tail)),
        regex,
    )
    regex = (
        regex[1:-1]
        if regex.startswith("(") and regex.endswith(")") and not regex.startswith("(?")
        else regex
    )
    words, at = [""], 0
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
    if not all(type(i) is int for i in ids) or sorted(ids) != list(range(len(ids))):
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
