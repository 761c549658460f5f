"""The model card of every runtime: the code that it shows runs in that runtime, and prints what it
says.

picoGPT's and nanoGPT's own files are those of `runners.py`; for llama.cpp's package stands a small
class that reads the file with the package gguf.
"""

from __future__ import annotations

import json
import re
import sys
from ast import literal_eval
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from conftest import bundled_model
from gguf import GGUFReader
from runners import Nano, gguf, pico
from transformers.utils import logging

from handcraft import Head, Program, position, scratch, token
from handcraft.core.weights import sha256
from handcraft.runtimes import RUNTIMES, export, load_gpt2

pytest_plugins = ["checkpoint_fixtures"]

NAMES = ("aab", "reverse", "fizzbuzz", "counter")


class Llama:
    """The part of llama-cpp-python's class that the card uses, over our own pass."""

    def __init__(self, path: str, **options: Any) -> None:
        assert options == {
            "n_ctx": 0,
            "type_k": 0,
            "type_v": 0,
            "flash_attn": False,
            "verbose": False,
        }
        fields = GGUFReader(path).fields
        stop = fields.get("tokenizer.ggml.eos_token_id")
        self.tokens = fields["tokenizer.ggml.tokens"].contents()
        self.stop = None if stop is None else stop.contents()
        self.run = gguf(Path(path).parent)

    def __call__(self, text: str, max_tokens: int, temperature: float) -> Any:
        assert temperature == 0
        ids = self._ids(text)
        said = ""
        for _ in range(max_tokens):
            ids.append(int(self.run(np.array([ids]))[0, -1].argmax()))
            if ids[-1] == self.stop:
                break
            said += self.tokens[ids[-1]]
        return {"choices": [{"text": said}]}

    def _ids(self, text: str) -> list[int]:
        words = sorted(map(re.escape, self.tokens), key=len, reverse=True)
        found = re.findall("|".join(words), text)
        return [self.tokens.index(word) for word in found]


class GPT(Nano):
    """nanoGPT's model takes one config and gives the loss beside the logits."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(**config)

    def forward(self, ids: Any) -> Any:
        return super().forward(ids), None


@pytest.fixture
def _their_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """The files that no package brings, as modules."""
    contents = {
        "gpt2": {"gpt2": pico},
        "model": {"GPT": GPT, "GPTConfig": dict},
        "llama_cpp": {"Llama": Llama},
    }
    for name, values in contents.items():
        module = ModuleType(name)
        module.__dict__.update(values)
        monkeypatch.setitem(sys.modules, name, module)


def code_of(card: str) -> str:
    """The one block of code in a card."""
    (code,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    return str(code)


@pytest.mark.usefixtures("_their_files")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("to", RUNTIMES)
def test_the_code_of_a_card_prints_what_it_says(
    to: str,
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In the folder of the export, without handcraft."""
    logging.disable_progress_bar()
    export(bundled_model(name), to, tmp_path / "out")
    monkeypatch.chdir(tmp_path / "out")
    card = Path("README.md").read_text()
    code = code_of(card)
    assert "handcraft" not in code
    capsys.readouterr()
    exec(compile(code, "README.md", "exec"), {"__name__": "card"})
    printed = capsys.readouterr().out
    said = re.search(r"It prints `'(.*)'` without the quotes\.", card)
    assert said
    assert printed == said[1] + "\n"
    assert bundled_model(name).generate(_prompt(code)).startswith(said[1])


def _prompt(code: str) -> list[str] | str:
    """The prompt that the code writes: a text, or a list of tokens."""
    found = re.search(r"(?:generate\(|llama\(|text = )('.*?')", code)
    if found:
        return str(json.loads(found[1].replace("'", '"')))
    listed = re.search(r"for token in (\[.*?\])\]", code)
    assert listed
    return list(json.loads(listed[1].replace("'", '"')))


def test_without_norms_the_code_runs_in_our_own_pass(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`--to picogpt --norm none`: picoGPT has norms built in."""
    export(bundled_model("aab"), "picogpt", tmp_path / "out", norm="none")
    monkeypatch.chdir(tmp_path / "out")
    capsys.readouterr()
    exec(code_of(Path("README.md").read_text()), {})
    assert capsys.readouterr().out == "baab\n"


@pytest.mark.parametrize("to", RUNTIMES)
def test_a_card_names_every_file_with_weights(to: str, tmp_path: Path) -> None:
    """With its SHA-256."""
    done = export(bundled_model("aab"), to, tmp_path / "out")
    card = (tmp_path / "out/README.md").read_text()
    assert done.files[-1].name == "README.md"
    ends = (".safetensors", ".npz", ".pt", ".onnx", ".gguf")
    weights = [file for file in done.files if file.name.endswith(ends)]
    assert weights
    for file in weights:
        assert f"- `{file.name}`: `{sha256(file.read_bytes())}`" in card


@pytest.mark.parametrize("to", ["onnx", "transformer-lens"])
def test_a_model_without_a_mask_or_claim_runs_too(
    to: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """causal=False, where the runtime has it; no claim says what it should do."""
    p, t, v = position(4), token("ab"), scratch("v")
    head = Head(value={v: t["a"]}, adds={t["b"]: 3 * v})
    model = Program(
        name="mean", embedding=(p, t, v), layers=(head,), causal=False
    ).build()
    export(model, to, tmp_path / "out")
    monkeypatch.chdir(tmp_path / "out")
    card = Path("README.md").read_text()
    assert "**Not verified**: there is nothing to hold it to." in card
    capsys.readouterr()
    with torch.no_grad():
        exec(code_of(card), {})
    assert capsys.readouterr().out == "bbbb\n"
    assert model.generate("a", 4) == "bbbb"


NONE_OF_HERS = (  # what is true only of programs
    "`mirror`",
    "`none`",
    "the program's",
    "longest that matches",
    "`handcraft build` writes",
)


@pytest.mark.parametrize("to", ["gpt2", "onnx"])
@pytest.mark.parametrize(
    ("tokenizer", "cut"),
    [
        (False, "there is no tokenizer: a text is ids"),
        (True, "a text is cut by its own tokenizer, `tokenizer.json`"),
    ],
)
def test_the_card_of_a_gpt2_says_what_is_true_of_it(
    to: str,
    tokenizer: bool,
    cut: str,
    copied: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With a tokenizer and without one; its norms are its own, and it has no program."""
    logging.disable_progress_bar()
    if not tokenizer:
        for path in copied.glob("tokenizer*"):
            path.unlink()
    export(load_gpt2(copied), to, tmp_path / "out")
    monkeypatch.chdir(tmp_path / "out")
    card = Path("README.md").read_text()
    here = "there is no tokenizer here: ids go in, and ids come out"
    assert f"; {cut if to == 'gpt2' else here}\n" in card
    assert f"- Written for: `{to}`, layer norms of its own\n" in card
    assert "logits compared with the model's: in every context" in card
    assert not [words for words in NONE_OF_HERS if words in card]
    capsys.readouterr()
    exec(compile(code_of(card), "README.md", "exec"), {"__name__": "card"})
    printed = capsys.readouterr().out
    said = re.search(r"It prints `(['\"].*['\"])` without the quotes\.", card)
    if said:
        assert printed == f"{literal_eval(said[1])}\n"
    else:
        assert "It prints one of several tokens that are nearly" in card
        assert printed
