"""Reads the tokens of a checkpoint as a Vocabulary.

A tokenizer.json of whole words, cut by the longest that matches, or of single characters, is a
plain Vocabulary and needs no package. Any other tokenizer (GPT-2's byte pairs, words between
white space, WordPiece, Unigram) is run by the package `tokenizers` (extra `gpt2`), with every text
joined again and compared: see file_tokens.py. A byte-level BPE cuts a text into bytes, spells them
as printable letters (a space is Ġ) and merges pairs in a learned order; its tokens are named as
the file spells them, "Ġthe". Where no file holds tokens, they are the ids themselves.

Rules of this file: nothing is executed; a tokenizer that gives the same text other tokens each
time is refused, and one whose files are in a format that is not read here is never passed over.

Sources: Sennrich et al. 2016; Radford et al. 2019; the file formats of Hugging Face's tokenizers.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from handcraft.core.errors import (
    HandcraftError,
    MissingExtraError,
    WeightsError,
    clipped,
    printable,
)
from handcraft.core.vocabulary import Vocabulary
from handcraft.core.weights import MAX_JSON, parse_json
from handcraft.files.checkpoint_place import read_part
from handcraft.files.file_tokens import (
    FileTokens,
    IdTokens,
    PaddedTokens,
    filled,
)

TOKENIZER_JSON, VOCAB_JSON, MERGES_TXT = (
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
)
MAX_VOCABULARY_BYTES = 2**25  # bytes of one of these files
END_OF_TEXT = (
    "<|endoftext|>"  # a token of its own in vocab.json, which no pair spells
)
# tokens in formats that are not read here; transformers reads them
_FOREIGN = (
    *("tokenizer.model", "spiece.model", "sentencepiece.bpe.model"),
    *("vocab.txt", MERGES_TXT),
)
_MODELS = ("BPE", "WordLevel", "WordPiece", "Unigram")
# one letter of a word inside a regular expression
_PLAIN = re.compile(r"\\[^A-Za-z0-9]|[^\\.^$*+?{}\[\]|()]", re.DOTALL)
# the last alternative of such an expression, which matches what is not a word
_ANY = (".", r"[\s\S]", r"(?s:.)", r"(?s).")


def read_vocabulary(directory: Path, n: int | None = None) -> Vocabulary:
    """The tokens of a checkpoint of n ids: `tokenizer.json`, else `vocab.json` with `merges.txt`,
    else the ids. Without n every id must have a token.

    Raises WeightsError, with the file's name, for a tokenizer that is not read, and
    MissingExtraError for one that needs the extra `gpt2`.
    """
    files = (directory / name for name in (TOKENIZER_JSON, VOCAB_JSON))
    path = next((path for path in files if path.exists()), None)
    if path is None:
        return _nothing(directory, n)
    try:
        data = read_part(path, MAX_VOCABULARY_BYTES)
        if path.name == TOKENIZER_JSON:
            return _whole(data, n)
        return _pair_files(data, directory / MERGES_TXT, n)
    except MissingExtraError:
        raise
    except WeightsError as error:
        raise error.of(path) from None
    except HandcraftError as error:
        raise WeightsError(f"{path}: {error}", path) from None


def _nothing(directory: Path, n: int | None) -> Vocabulary:
    """The ids as tokens. Raises WeightsError where a file holds tokens that are not read here."""
    names = (name for name in _FOREIGN if (directory / name).exists())
    if foreign := next(names, None):
        raise WeightsError(
            f"{directory} has its tokens in {foreign}, which is not read here;"
            f" save_pretrained of its tokenizer in transformers writes {TOKENIZER_JSON}"
        )
    if n is None:
        raise WeightsError(
            f"{directory} holds no {TOKENIZER_JSON}, and no {VOCAB_JSON} with"
            f" {MERGES_TXT}"
        )
    return IdTokens(tuple(map(str, range(n))))


def _whole(data: bytes, n: int | None) -> Vocabulary:  # tokenizer.json
    fields = parse_json(data, MAX_VOCABULARY_BYTES)
    model = fields.get("model")
    kind = model.get("type") if isinstance(model, dict) else None
    if not isinstance(model, dict) or kind not in _MODELS:
        raise WeightsError(
            f"its model is {printable(repr(kind))[:60]}; {', '.join(_MODELS)} are read"
        )
    if kind == "WordLevel" and len(data) <= MAX_JSON:
        names = _by_id(model.get("vocab"))
        if _stands_in_texts(tuple(names.values()), fields):
            return _plain(names, n)
    if model.get("dropout"):
        raise WeightsError(
            f"its dropout is {printable(repr(model['dropout']))[:60]}: the same text"
            " would become other tokens each time"
        )
    made = _made(data)
    decoder = fields.get("decoder")
    kept = isinstance(decoder, dict) and decoder.get("type") == "ByteLevel"
    return _cutting(made, n, exact=kept)


def _plain(names: dict[int, str], n: int | None) -> Vocabulary:
    tokens = filled(names, len(names) if n is None else n)
    known = Vocabulary(tuple(names.values()))
    return known if known.tokens == tokens else PaddedTokens(tokens, known)


def _made(data: bytes) -> Any:  # -> tokenizers.Tokenizer
    """The tokenizer of a whole tokenizer.json."""
    package = _tokenizers()
    try:
        made = package.Tokenizer.from_str(data.decode())
        made.no_truncation()
        made.no_padding()
    except Exception:  # the package raises plain ones
        raise WeightsError(
            f"not a tokenizer that the package tokenizers {package.__version__} reads"
        ) from None
    return made


def _cutting(made: Any, n: int | None, *, exact: bool) -> Vocabulary:
    """The vocabulary of a tokenizer that is run."""
    names = _by_id(made.get_vocab(with_added_tokens=True))
    if n is not None:  # a token added later, for padding say, may have no row
        own = made.get_vocab(with_added_tokens=False).values()
        kept = frozenset(own)
        names = {i: name for i, name in names.items() if i < n or i in kept}
    tokens = filled(names, len(names) if n is None else n)
    return FileTokens(tokens, made, exact)


def _pair_files(
    data: bytes, merges: Path, n: int | None
) -> Vocabulary:  # vocab.json, merges.txt
    vocab = parse_json(data, MAX_VOCABULARY_BYTES)
    _by_id(vocab)
    pairs = list(_pairs(merges))
    if bad := next((pair for pair in pairs if len(pair) != 2), None):
        raise WeightsError(
            f"{merges}: '{clipped(' '.join(bad))}' is no pair", merges
        )
    package = _tokenizers()
    try:
        made = package.Tokenizer(package.models.BPE(vocab=vocab, merges=pairs))
    except Exception:  # the package raises plain ones
        raise WeightsError(
            f"{merges}: a pair or what it merges to is no token of {VOCAB_JSON}",
            merges,
        ) from None
    made.pre_tokenizer = package.pre_tokenizers.ByteLevel(
        add_prefix_space=False
    )
    made.decoder = package.decoders.ByteLevel()
    if END_OF_TEXT in vocab:
        made.add_special_tokens([END_OF_TEXT])
    return _cutting(made, n, exact=True)


def _pairs(merges: Path) -> Iterator[tuple[str, ...]]:
    text = read_part(merges, MAX_VOCABULARY_BYTES).decode("utf-8", "replace")
    for line in text.replace("\r\n", "\n").split("\n"):
        if line and not line.startswith("#version"):
            yield tuple(line.split(" "))


def _stands_in_texts(
    tokens: tuple[str, ...], fields: Mapping[str, Any]
) -> bool:
    """True if the tokenizer cuts every text as a plain Vocabulary of the tokens does."""
    split = fields.get("pre_tokenizer")
    decoder = fields.get("decoder")
    if (
        fields.get("normalizer") is not None
        or not isinstance(split, dict)
        or split.get("type") != "Split"
        or not isinstance(decoder, dict)
        or decoder.get("type") != "Fuse"
        or not all(tokens)
    ):
        return False
    more = fields.get("added_tokens") or []
    if not isinstance(more, list):
        raise WeightsError("its added_tokens are no list")
    places = _by_id(fields["model"]["vocab"])
    harmless = (
        isinstance(added, dict) and _harmless(added, places) for added in more
    )  # the package cuts the others out first
    return _keeps_words(split, tokens) and all(harmless)


def _keeps_words(split: Mapping[str, Any], tokens: Sequence[str]) -> bool:
    """True if a Split cuts by the longest token: it matches one after the other and keeps them."""
    behaviour = (split.get("behavior"), split.get("invert"))
    pattern = split.get("pattern")
    if not isinstance(pattern, dict):
        return False
    regex = str(pattern.get("Regex", ""))
    if behaviour == ("Isolated", False) and _one_by_one(regex, tokens):
        return "Regex" in pattern or pattern.get("String") == ""
    if behaviour not in (
        ("Isolated", False),
        ("Isolated", True),
        ("Removed", True),
    ):
        return False
    found = _alternatives(regex) if "Regex" in pattern else []
    same = set(found) == set(tokens) and len(found) == len(tokens)
    return same and _longer_first(found)


def _one_by_one(regex: str, tokens: Sequence[str]) -> bool:
    """True if the pattern takes one character after the other, and each token is one."""
    if any(len(token) != 1 for token in tokens):
        return False
    # a dot passes over line breaks, which then are cut otherwise
    return regex in ("", *_ANY[1:]) or (regex == "." and "\n" not in tokens)


def _longer_first(words: Sequence[str]) -> bool:
    """True if no word comes after one of its own beginnings."""
    place = {word: i for i, word in enumerate(words)}
    lengths = sorted({len(word) for word in words})
    for i, word in enumerate(words):
        for n in lengths[: bisect_left(lengths, len(word))]:
            if place.get(word[:n], i) < i:
                return False
    return True


def _harmless(added: Mapping[str, Any], places: Mapping[int, str]) -> bool:
    """True if cutting out a token before all others changes nothing: it is a word, and no other
    overlaps with it.
    """
    name = added.get("content")
    place = added.get("id")
    flags = [added.get(key) for key in ("single_word", "lstrip", "rstrip")]
    if type(place) is not int or places.get(place) != name or any(flags):
        return False
    others = [word for word in places.values() if word != name]
    return not any(_overlap(word, str(name)) for word in others)


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


def _by_id(vocab: Any) -> dict[int, str]:
    """The tokens of {token: id} by their ids. Raises WeightsError for anything else."""
    ids: list[Any] = list(vocab.values()) if isinstance(vocab, dict) else [None]
    whole = all(type(i) is int and i >= 0 for i in ids)
    if not whole or len(set(ids)) < len(ids):
        raise WeightsError("its tokens must have one id each, from 0 on")
    return {
        i: token for token, i in sorted(vocab.items(), key=lambda pair: pair[1])
    }


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
