"""A claim held to a vocabulary whose tokens are not texts: what it names is what it means, or it is
refused.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from checkpoints import byte_pairs
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
)

from handcraft.claims.checks import check_claim
from handcraft.claims.kinds import After
from handcraft.claims.words import after, answers, as_claim, distribution
from handcraft.core.errors import ProgramError
from handcraft.core.vocabulary import Vocabulary
from handcraft.files.file_tokens import (
    FileTokens,
    IdTokens,
    PaddedTokens,
    filled,
)
from handcraft.sequence.words import lookup, token_at


def cutting(tokenizer: Tokenizer, *, exact: bool) -> FileTokens:
    """The vocabulary of a tokenizer."""
    names = {i: name for name, i in tokenizer.get_vocab().items()}
    return FileTokens(filled(names, len(names)), tokenizer, exact)


def bytes_of(*merges: tuple[str, str]) -> FileTokens:
    """Byte pairs with these merges."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*alphabet, *map("".join, merges)]
    made = Tokenizer(
        models.BPE({token: i for i, token in enumerate(tokens)}, [*merges])
    )
    made.pre_tokenizer = pre_tokenizers.ByteLevel(
        add_prefix_space=False, use_regex=False
    )
    made.decoder = decoders.ByteLevel()
    return cutting(made, exact=True)


def words_of(*tokens: str, split: Any = None) -> FileTokens:
    """Words between white space, and [UNK]."""
    known = {token: i for i, token in enumerate([*tokens, "[UNK]"])}
    made = Tokenizer(models.WordLevel(known, unk_token="[UNK]"))
    made.pre_tokenizer = split or pre_tokenizers.Whitespace()
    return cutting(made, exact=False)


def pairs_of(*merges: tuple[str, str], letters: str = "ab") -> FileTokens:
    """Byte pairs of a few letters, so that all contexts can be looked at."""
    tokens = [*letters, *map("".join, merges)]
    made = Tokenizer(
        models.BPE({token: i for i, token in enumerate(tokens)}, [*merges])
    )
    made.decoder = decoders.Fuse()
    return cutting(made, exact=True)


def pieces_of(*tokens: str) -> FileTokens:
    """WordPiece, whose tokens inside words begin with ##."""
    known = {token: i for i, token in enumerate([*tokens, "[UNK]"])}
    made = Tokenizer(models.WordPiece(known, unk_token="[UNK]"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.decoder = decoders.WordPiece()
    return cutting(made, exact=False)


def refusal(claim: Any, vocabulary: Vocabulary, n_ctx: int) -> str:
    """The error of a claim, without its line."""
    with pytest.raises(ProgramError) as found:
        check_claim(claim, vocabulary, n_ctx)
    return f"{' > '.join(found.value.path)}: {found.value.message}"


OTHERWISE = (
    "the ending '{}' is a text, which the model's tokenizer may cut otherwise in a longer"
    " one; write a tuple of tokens, such as {}"
)


@pytest.mark.parametrize(
    ("vocabulary", "ending", "tokens"),
    [
        (bytes_of(), "é", "('Ã', '©'), or ('é',) for the token of that name"),
        (
            bytes_of(("Ã", "©")),
            "é",
            "('Ã©',), or ('é',) for the token of that name",
        ),
        (bytes_of(("t", "h")), "th", "('th',)"),
        (bytes_of(("t", "h")), "h", "('h',)"),
        (bytes_of(("t", "h")), " t", "('Ġ', 't')"),
        (words_of("a", "b"), "a b", "('a', 'b')"),
        (pieces_of("go", "ing", "##ing"), "ing", "('ing',)"),
        (pieces_of("go", "##ing"), "going", "('go', '##ing')"),
    ],
)
@pytest.mark.parametrize("row", ["a", {"a": 1.0}])
def test_a_text_that_may_be_cut_otherwise_is_refused(
    vocabulary: Vocabulary, ending: str, tokens: str, row: Any
) -> None:
    """The tokens of a text depend on what stands before it, or are not named as the text is."""
    first = vocabulary.tokens[0]
    claim = (
        after({ending: first})
        if row == "a"
        else distribution({ending: {first: 1.0}})
    )
    assert refusal(claim, vocabulary, 4) == (
        "claim: " + OTHERWISE.format(ending, tokens)
    )


@pytest.mark.parametrize(
    ("vocabulary", "ending", "message"),
    [
        (
            words_of("a", "b"),
            "ab",
            (
                "the ending 'ab' is a text, and the tokenizer cannot spell 'ab': it reads"
                " '[UNK]'; write a tuple of tokens"
            ),
        ),
        (
            IdTokens(tuple("0123456789")),
            "01",
            (
                "the ending '01' is a text, and there is no tokenizer, so a text is ids from 0"
                " to 9 such as '0 9', found '01'; load_gpt2(directory, tokens=[...]) names"
                " them; write a tuple of tokens"
            ),
        ),
    ],
)
def test_a_text_that_is_not_cut_is_refused(
    vocabulary: Vocabulary, ending: str, message: str
) -> None:
    """Names are never read out of a text that the tokenizer does not cut into them."""
    assert refusal(after({ending: vocabulary.tokens[0]}), vocabulary, 4) == (
        f"claim: {message}"
    )


@pytest.mark.parametrize(
    ("vocabulary", "ending", "tokens"),
    [
        (IdTokens(tuple(map(str, range(12)))), "10", ("10",)),
        (IdTokens(tuple(map(str, range(12)))), "1 0", ("1", "0")),
        (IdTokens(tuple("0123456789")), "0 1", ("0", "1")),
        (words_of("a", "b"), "a", ("a",)),
        (bytes_of(("t", "h")), "a", ("a",)),
        (bytes_of(), "th", ("t", "h")),
        (bytes_of(), ("é",), ("é",)),
        (bytes_of(("Ġ", "t")), (" t",), ("Ġt",)),
    ],
)
def test_what_can_mean_one_thing_only_is_read(
    vocabulary: Vocabulary, ending: Any, tokens: tuple[str, ...]
) -> None:
    """Ids between spaces, texts that nothing cuts otherwise, and tuples."""
    claim = after({ending: vocabulary.tokens[0]})
    if ending != (" t",):
        check_claim(claim, vocabulary, 4)
    assert list(claim.endings(vocabulary)) == [tokens]


@pytest.mark.parametrize(
    "vocabulary",
    [
        pairs_of(),
        pairs_of(("a", "b")),
        pairs_of(("a", "b"), ("ab", "b")),
        pairs_of(("b", "a"), letters="abc"),
        pairs_of(("a", "a"), ("aa", "c"), letters="abc"),
        words_of("a", "b", "ba", "c"),
        words_of("a", "b", split=pre_tokenizers.Split("", "isolated")),
    ],
)
def test_an_ending_that_is_read_is_the_text_s(vocabulary: FileTokens) -> None:
    """In every context, written with any tokens, the text stands at the end where the tokens do."""
    letters = sorted(
        {c for token in vocabulary.tokens for c in token if c < "d"}
    )
    letters = [c for c in letters if c.isalpha() and c.islower()]
    contexts = [
        context
        for n in (1, 2, 3)
        for context in product(vocabulary.tokens, repeat=n)
    ]
    for n in (1, 2):
        for text in map("".join, product(letters, repeat=n)):
            claim = after({text: vocabulary.tokens[0]})
            try:
                (ending,) = claim.endings(vocabulary)
            except ProgramError:
                continue
            for context in contexts:
                of_text = "".join(context).endswith(text)
                assert of_text == (context[-len(ending) :] == ending)


MERGED = bytes_of(("Ã", "©"), ("Ġ", "a"))
E_ACUTE = "the text 'é' is the token 'Ã©', and claims name tokens as the model does: write 'Ã©'"
SPACED = "the text ' a' is the token 'Ġa', and claims name tokens as the model does: write 'Ġa'"


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        (after({"b": "é"}), E_ACUTE),
        (after({"b": " a"}), SPACED),
        (after({"b": {"c", "é"}}), E_ACUTE),
        (after({"b": {"c", " a"}}), SPACED),
        (after({("é",): "b"}), E_ACUTE),
        (after({(" a",): "b"}), SPACED),
        (distribution({"b": {"é": 0.5, "c": 0.5}}), E_ACUTE),
        (distribution({"b": {" a": 1.0}}), SPACED),
        (as_claim(lookup({"b": "é"}, token_at(0))), E_ACUTE),
        (as_claim(lookup({"é": "b"}, token_at(0))), E_ACUTE),
        (as_claim(lookup({" a": "b"}, token_at(0))), SPACED),
        (answers("b", {"b": "c"}, stop="é"), E_ACUTE),
        (answers("b", {"b": "c"}, stop=" a"), SPACED),
        (answers("b", lookup({"b": "é"}, token_at(0)), length=1), E_ACUTE),
    ],
)
def test_a_text_in_place_of_a_token_is_refused(
    claim: Any, message: str
) -> None:
    """A byte has the name of a letter, which as a text is another token: the claim says which."""
    assert refusal(claim, MERGED, 4) == (f"claim: {message}")


def test_a_byte_is_named_where_no_token_is_the_letter() -> None:
    """Without the merge é is two tokens, so a token é is the byte that is named so."""
    check_claim(after({("Ã",): "©", ("a",): "é"}), bytes_of(), 4)


NO_PROMPTS = (
    "claim > prompts: `answers` is about texts made of tokens as they are named, and the"
    " prompts of '{}' are not: the model has a tokenizer, or ids alone; say what follows"
    " tokens, as in after({{(token, token): token}})"
)
TWELVE = IdTokens(tuple(map(str, range(12))))


@pytest.mark.parametrize(
    ("vocabulary", "prompts"),
    [
        (TWELVE, "0 1"),
        (TWELVE, "10|01"),
        (IdTokens(tuple("0123456789")), "01"),
        (cutting(byte_pairs(), exact=True), "The cat"),
        (bytes_of(), "é"),
        (bytes_of(), "[a-z]{1,4}"),
        (words_of("a", "b"), "a b"),
        (words_of("a", "b"), "ab"),
        (words_of("a", "b"), "a{9}"),
    ],
)
def test_prompts_that_are_cut_otherwise_are_refused(
    vocabulary: Vocabulary, prompts: str
) -> None:
    """What a proof counts are sequences of tokens, each of which must be one text."""
    assert refusal(answers(prompts, lambda _: "0"), vocabulary, 4) == (
        NO_PROMPTS.format(prompts)
    )


@pytest.mark.parametrize(
    ("vocabulary", "prompts", "answer"),
    [
        (TWELVE, "[79]", "1 0"),
        (bytes_of(("c", "d")), "[ab]{1,3}", "é"),
        (words_of("a", "b"), "a|b", "a b"),
        (
            words_of("a", "b", split=pre_tokenizers.Split("", "isolated")),
            "a|b",
            "ab",
        ),
    ],
)
def test_prompts_that_are_their_tokens_are_taken(
    vocabulary: Vocabulary, prompts: str, answer: str
) -> None:
    """The answers are cut as the tokenizer cuts texts."""
    own = answers(
        prompts, lambda _: answer, length=len(vocabulary.split(answer))
    )
    check_claim(own, vocabulary, 5)
    first = next(iter(own.language(5, vocabulary)))
    assert own.expected(first, vocabulary, 5) == vocabulary.split(answer)


def test_a_row_without_a_token_is_no_text() -> None:
    """The name of an id that no text is cut into is read in tuples alone."""
    vocabulary = PaddedTokens(("a", "<unused 1>"), Vocabulary(("a",)))
    named: After = after({("<unused 1>",): "a"})
    check_claim(named, vocabulary, 3)
    assert refusal(after({"<unused 1>": "a"}), vocabulary, 3) == (
        "claim: no token matches '<' at character 0 of the text; the vocabulary is 'a'"
    )
    claim = answers("<unused 1>", {"<unused 1>": "a"})
    assert refusal(claim, vocabulary, 12) == (
        "claim > prompts: the prompt '<unused 1>': no token matches '<' at character 0 of the"
        " text; the vocabulary is 'a'"
    )
