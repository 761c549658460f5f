"""Texts in TransformerLens: cut as our vocabulary cuts them, nothing put in front, and continued as
our own model continues them.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from conftest import BUNDLED, bundled_model, example
from test_every_program import AWKWARD, copier

from handcraft.model import Model
from handcraft.runtimes.transformer_lens import RUNTIME, load_bridge

PLACE: list[Path] = []  # where the tests write


@pytest.fixture(scope="module", autouse=True)
def _place(tmp_path_factory: pytest.TempPathFactory) -> None:
    PLACE.append(tmp_path_factory.mktemp("texts"))


@cache
def bridge_of(name: str) -> Any:
    return written(bundled_model(name))


def written(model: Model) -> Any:
    """The bridge of a model's files."""
    directory = PLACE[0] / model.name
    directory.mkdir()
    for name, data in RUNTIME.files(model, RUNTIME.norms[0]).items():
        (directory / name).write_bytes(data)
    return load_bridge(directory)


def continued(bridge: Any, text: str, n: int) -> str:
    return str(
        bridge.generate(text, max_new_tokens=n, do_sample=False, verbose=False)
    )


@pytest.mark.parametrize("name", BUNDLED)
def test_a_text_is_its_tokens(name: str) -> None:
    """to_tokens gives the ids of our vocabulary, with nothing in front; to_string and
    to_str_tokens give them back; the logits are those of the ids.
    """
    bridge, model = bridge_of(name), bundled_model(name)
    text = example(name)
    ids = model.ids(text)
    assert bridge.to_tokens(text).tolist() == [ids]
    assert bridge.to_string(ids) == text
    assert "".join(bridge.to_str_tokens(text)) == text
    with torch.no_grad():
        assert torch.equal(bridge(text), bridge(torch.tensor([ids])))


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("copy", "^abb=", "abb="),
        ("reverse", "^abb=", "bba^"),
        ("fizzbuzz", "^15=", "FizzBuzz"),
        ("aab", "aab", "aab"),
    ],
)
def test_a_text_is_continued_up_to_the_stop_token(
    name: str, text: str, expected: str
) -> None:
    """Where there is a stop token generation ends behind it, however many tokens are asked for;
    else after as many.
    """
    bridge, model = bridge_of(name), bundled_model(name)
    n = (
        20
        if name in ("copy", "reverse")
        else len(model.vocabulary.split(expected))
    )
    assert continued(bridge, text, n) == text + expected
    assert model.generate(text, n) == expected


def test_nothing_is_put_in_front() -> None:
    """By default, and also where it is asked for: there is no such token."""
    bridge = bridge_of("aab")
    assert bridge.cfg.default_prepend_bos is False
    assert bridge.to_tokens("aab").tolist() == [[0, 0, 1]]
    assert bridge.to_tokens("aab", prepend_bos=True).tolist() == [[0, 0, 1]]


def test_no_token_of_a_text_is_taken_for_padding() -> None:
    """A batch of equal lengths, whatever it begins with, is each of its texts."""
    bridge, model = bridge_of("aab"), bundled_model("aab")
    texts = ["aab", "aba", "baa"]
    found = bridge.generate(
        texts, max_new_tokens=3, do_sample=False, verbose=False
    )
    assert found == [text + model.generate(text, 3) for text in texts]


def test_texts_of_unequal_length_are_an_error() -> None:
    """The padding is a token that the model lacks: never read silently."""
    with pytest.raises(IndexError):
        bridge_of("aab")(["a", "aab"])


def test_an_unknown_letter_is_an_error() -> None:
    """As in transformers; the text of the padding itself is none of the model's."""
    with pytest.raises(Exception, match="WordLevel error: Missing"):
        bridge_of("aab")("axb")
    with pytest.raises(IndexError):
        bridge_of("aab")("a[PAD]b")


def test_past_the_window() -> None:
    """Generation refuses to go on; a longer text is cut to what fits."""
    bridge = bridge_of("aab")
    with pytest.raises(ValueError, match="exceeds n_ctx=5"):
        continued(bridge, "aab", 9)
    assert bridge.to_tokens("aabaab").tolist() == [[0, 0, 1, 0, 0]]


def test_tokens_of_every_kind() -> None:
    """White space, what regular expressions mean something by, the letters of the padding's own
    name, tokens that begin others.
    """
    model = copier([*AWKWARD, "P", "A", "D", "[", "]"]).build()
    bridge = written(model)
    random = Random(1)
    for _ in range(100):
        text = "".join(random.choices(model.vocabulary.tokens, k=3))
        ids = model.vocabulary.encode(text)
        assert bridge.to_tokens(text)[0].tolist() == ids[: model.n_ctx]
        assert bridge.to_string(ids) == text


def test_a_directory_without_a_tokenizer_loads_as_before(
    tmp_path: Path,
) -> None:
    """What an earlier export wrote has ids alone."""
    for name, data in RUNTIME.files(
        bundled_model("aab"), RUNTIME.norms[0]
    ).items():
        if not name.startswith("tokenizer"):
            (tmp_path / name).write_bytes(data)
    bridge = load_bridge(tmp_path)
    assert bridge.tokenizer is None
    assert int(bridge(torch.tensor([[0, 0]]))[0, -1].argmax()) == 1
