"""What is trained on: of texts, of sequences, and of claims of each kind."""

from __future__ import annotations

from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Refused, bundled_model, claiming

from handcraft import Model, predicts
from handcraft.claims.words import residual
from handcraft.core.errors import ProgramError
from handcraft.core.vocabulary import Vocabulary
from handcraft.training import claim_examples
from handcraft.training.claim_examples import of_claim
from handcraft.training.texts import of_sequence, of_text, read_text


def data_of(model: Model) -> Any:
    """The examples of a model's own claim."""
    assert model.program is not None
    assert model.program.claim is not None
    return of_claim(model, model.program.claim)


def asked(data: Any) -> Counter[tuple[str, str]]:
    """Each context with what must follow it, and how often it is asked."""
    rows, tokens = data.examples, data.vocabulary.tokens
    found = Counter[tuple[str, str]]()
    for ids, targets, weight in zip(
        rows.tokens, rows.targets, rows.weight, strict=True
    ):
        for i in np.flatnonzero(weight):
            context = "".join(tokens[j] for j in ids[: i + 1])
            found[context, tokens[targets[i]]] += 1
    return found


def test_a_claim_by_endings_is_asked_of_every_context() -> None:
    """The 45 contexts where aab's claim speaks, each as often as longer texts begin with it."""
    right = {"aa": "b", "ab": "a", "ba": "a"}
    expected = Counter[tuple[str, str]]()
    for text in map("".join, product("ab", repeat=5)):
        for n in range(2, 6):
            if text[n - 2 : n] in right:
                expected[text[:n], right[text[n - 2 : n]]] += 1
    found = asked(data_of(bundled_model("aab")))
    assert found == expected
    assert len(found) == 45


def test_a_claim_on_prompts_is_asked_at_its_answers() -> None:
    """Each of the 256 prompts of the counter with its whole answer, a binary number and one more,
    and nothing is asked within the prompt.
    """
    model = bundled_model("counter")
    claim = model.program.claim
    expected = set()
    for prompt in claim.language(model.n_ctx, model.vocabulary):
        answer = model.answer(prompt)
        stop = claim.stop_token or ""
        whole = prompt + answer + stop
        expected |= {
            (whole[:i], whole[i]) for i in range(len(prompt), len(whole))
        }
    assert set(asked(data_of(model))) == expected


def test_a_claim_on_whole_texts_is_asked_at_every_position() -> None:
    """Of a model that sees the whole text the shorter texts are rows of their own."""
    model = bundled_model("sequence/reverse")
    rows = data_of(model).examples
    tokens = model.vocabulary.tokens
    assert rows.lengths is not None
    for ids, targets, weight, n in zip(
        rows.tokens[::97],
        rows.targets[::97],
        rows.weight[::97],
        rows.lengths[::97],
        strict=True,
    ):
        text = [tokens[i] for i in ids[1:n]]  # the first is the begin token
        assert [tokens[i] for i in targets[1:n]] == text[::-1]
        assert weight.tolist() == [0] + [1] * (n - 1) + [0] * (len(ids) - n)


def test_chances_are_those_of_the_table() -> None:
    """The rows of the baby GPT have the probabilities of its claim at the last bit."""
    rows = data_of(bundled_model("baby_gpt")).examples
    assert rows.kind == "chances"
    assert rows.weight.tolist() == [[0, 0, 1]] * 8
    assert rows.targets[0b111, 2].tolist() == [0.5, 0.5]
    assert rows.targets[0b011, 2].tolist() == [0, 1]


def test_several_right_tokens_are_all_right() -> None:
    """Where any of several may follow, each of them is marked."""
    model = claiming({"aa": {"a", "b"}, "b": "a"}, "abc").build()
    rows = of_claim(model, model.program.claim).examples
    assert rows.kind == "any"
    assert rows.targets[0, 1].tolist() == [True, True, False]  # after aa
    assert rows.targets[0, 0].all()  # where it is silent
    assert rows.weight[0].tolist() == [0, 1, 1, 1, 1, 1]
    after_b = np.flatnonzero(rows.tokens[:, 0] == 1)[0]
    assert rows.targets[after_b, 0].tolist() == [True, False, False]


def test_too_many_contexts_are_drawn_and_a_tenth_is_held_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Half of what is drawn for a claim by endings is made of them, and it is said how much."""
    monkeypatch.setattr(claim_examples, "MOST_IN_ROWS", 200)
    model = bundled_model("abc")
    data = data_of(model)
    assert data.examples.whole == "33 of 729 texts were drawn"
    assert (data.examples.size, data.held_out.size) == (27, 3)  # 3 are silent
    texts = [tuple(row) for row in data.examples.tokens.tolist()]
    assert not set(texts) & {tuple(r) for r in data.held_out.tokens.tolist()}
    drawn = set(asked(data))
    assert drawn <= set(asked_whole(model))


def asked_whole(model: Model) -> Counter[tuple[str, str]]:
    """What is asked where nothing is drawn."""
    return asked(data_of(model))


def test_a_claim_about_a_lane_is_refused() -> None:
    """There is no token to predict."""
    program = claiming(residual("token:a", lambda _: 1.0))
    with Refused(
        ProgramError,
        "aab: the claim is about a lane, not about tokens, so that there is nothing to"
        " predict; give another program, or a text",
    ):
        of_claim(program.build(), program.claim)


def test_a_claim_that_is_silent_is_refused() -> None:
    """A claim that says nothing gives nothing to train on."""
    program = claiming(predicts(lambda _: None))
    with Refused(
        ProgramError,
        "aab: the claim is silent on all of 32 texts that were drawn; there is nothing"
        " to predict",
    ):
        of_claim(program.build(), program.claim)


# ---------------------------------------------------------------- texts


def test_a_text_is_cut_and_its_last_tenth_is_held_out() -> None:
    """The windows of both parts, as texts."""
    text = "abcabcabca" * 4
    data = of_text("t.txt", text, 3)
    batch = data.examples.batch(data.examples.arrays, np.arange(2))
    decode = data.vocabulary.decode
    assert [decode(row) for row in batch["tokens"]] == ["abc", "bca"]
    assert [decode(row) for row in batch["targets"]] == ["bca", "cab"]
    assert decode(data.examples.arrays["ids"]) == text[:36]
    assert decode(data.held_out.arrays["ids"]) == text[36:]


def test_windows_that_are_counted_are_those_of_the_text() -> None:
    """With all windows as one batch each that differs is a row, with its share as weight."""
    text = "abracadabra" * 3
    rows: Any = of_text("t", text, 2, held_out=0, together=True).examples
    names = sorted(set(text))
    counts = Counter(text[i : i + 3] for i in range(len(text) - 2))
    found = {}
    for ids, targets, weight in zip(
        rows.tokens, rows.targets, rows.weight, strict=True
    ):
        window = "".join(names[i] for i in (*ids, targets[-1]))
        assert weight[0] == weight[1]
        found[window] = float(weight[0])
    total = sum(counts.values())
    assert found == pytest.approx({w: n / total for w, n in counts.items()})


def test_a_sequence_is_one_batch_of_windows() -> None:
    """The twelve windows of the sequence, each asked for the bit after it alone."""
    rows: Any = of_sequence("111101111011110", 3).examples
    assert rows.size == 12
    assert rows.tokens[1].tolist() == [1, 1, 1]
    assert rows.targets[:, -1].tolist() == [int(c) for c in "101111011110"]
    assert rows.weight.tolist() == [[0, 0, 1]] * 12


BAD_TEXTS: list[tuple[str, dict[str, Any], str]] = [
    (
        "abc",
        {"window": 0},
        "t.txt: a window has at least 1 token, found 0",
    ),
    (
        "abcab",
        {"window": 5, "held_out": 0},
        (
            "t.txt: the text has 5 tokens, and a window of 5 with the token after it needs 6;"
            " a shorter --window or a longer text works"
        ),
    ),
    (
        "abcab" * 4,
        {"window": 3},
        (
            "t.txt: its held-out part has 2 tokens, and a window of 3 with the token after it"
            " needs 4; a shorter --window or a longer text works"
        ),
    ),
    (
        "ab\nab\n" * 8 + "aé\nabb",
        {"window": 2},
        (
            "t.txt, line 17, column 2: 'é' stands in the held-out part alone, so that no model"
            " could learn it; remove it, or train on all of the text with --held-out 0"
        ),
    ),
    (
        "abc",
        {"window": 1, "held_out": 1.5},
        "the held-out share must be from 0 to below 1, found 1.5",
    ),
    (
        "abcx",
        {"window": 1, "held_out": 0, "vocabulary": Vocabulary(("a", "b", "c"))},
        (
            "t.txt: no token matches 'x' at character 3 of the text; the vocabulary is 'a',"
            " 'b', 'c'"
        ),
    ),
]


@pytest.mark.parametrize(("text", "options", "message"), BAD_TEXTS)
def test_a_text_that_cannot_be_trained_on(
    text: str, options: dict[str, Any], message: str
) -> None:
    """What was found, where, and what would work."""
    with Refused(ProgramError, message):
        of_text("t.txt", text, **options)


@pytest.mark.parametrize(
    ("sequence", "window", "message"),
    [
        ("", 3, "the sequence is empty; --sequence 0110 works"),
        ("0110", 0, "'0110': a window has at least 1 token, found 0"),
        (
            "0110",
            4,
            (
                "'0110': the sequence has 4 tokens, and a window of 4 with the token after it"
                " needs 5; a shorter --window or a longer text works"
            ),
        ),
    ],
)
def test_a_sequence_that_cannot_be_trained_on(
    sequence: str, window: int, message: str
) -> None:
    """A window that is nothing, or that leaves nothing to predict."""
    with Refused(ProgramError, message):
        of_sequence(sequence, window)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "t.txt does not exist"),
        (b"", "t.txt is empty; a text to train on is needed"),
        (b"ab\xff", "t.txt is no text: byte 2 is no UTF-8"),
    ],
)
def test_a_file_that_is_no_text(
    data: bytes | None, message: str, here: Path
) -> None:
    """It is named."""
    if data is not None:
        (here / "t.txt").write_bytes(data)
    with Refused(ProgramError, message):
        read_text(Path("t.txt"))
