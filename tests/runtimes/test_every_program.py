"""Every hand-made program in every runtime: the same tokens, and the logits as near as
docs/runtimes.md says.
"""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
from runners import RUNNERS, TEXTS, agreement, transformers
from table import documented, documented_low
from transformers import AutoTokenizer

from handcraft import MLP, Block, Head, Neuron, Program, position, token
from handcraft.files.bundled import by_hand
from handcraft.model import Model
from handcraft.runtimes import RUNTIMES, export
from handcraft.runtimes.agreement import compare_runtime


@pytest.mark.parametrize("to", RUNTIMES)
@pytest.mark.parametrize("name", by_hand())
def test_the_runtime_chooses_the_same_tokens(
    name: str, to: str, tmp_path: Path
) -> None:
    """On all contexts, or on a thousand drawn ones, the first token is the same; no logit is
    further away than documented.

    Another processor sums in another order, and may round elsewhere: a hundred-thousandth of
    the largest logit is no news.
    """
    model = Model.open(name)
    found = agreement(model, to, tmp_path / to)
    contexts, bound = documented(name, to)
    assert found.argmax_disagreements == 0
    assert (
        found.contexts == contexts
        if to in RUNNERS
        else found.contexts >= contexts
    )  # an export compares more itself
    assert found.max_logit_error is not None
    assert found.max_logit_error <= max(bound, 1e-5 * found.largest_logit)


@pytest.mark.parametrize("to", ["transformer-lens", "onnx"])
def test_whole_numbers_stay_what_they_are(to: str, tmp_path: Path) -> None:
    """All 62 contexts of aab, to the last bit, where there is no norm to round them."""
    assert (
        agreement(Model.open("aab"), to, tmp_path / "out").max_logit_error == 0
    )


@pytest.mark.parametrize(
    "name", ["aab", "abc", "baby_gpt", "bigram", "trigram"]
)
def test_low_precision_is_as_documented(name: str, tmp_path: Path) -> None:
    """Where the page says that bfloat16 keeps every token it does, and float16 keeps none of
    them right.
    """
    model = Model.open(name)
    export(model, "gpt2", tmp_path / "out")
    for dtype in ("bfloat16", "float16"):
        found = compare_runtime(
            model, transformers(tmp_path / "out", dtype), TEXTS
        )
        assert found.argmax_disagreements == documented_low(name, dtype)


AWKWARD = [
    "\n",
    " ",
    "  ",
    ".",
    "|",
    "(",
    "[a]",
    "\\",
    '"',
    "é",
    "ée",
    "日本",
    "🙂",
    "Fizz",
    "FizzBuzz",
    "{}",
    "^$",
]


def copier(tokens: list[str], **options: Any) -> Program:
    """Says the token before the last one; the first token once more at the start."""
    p, t = position(6), token(tokens)
    swap = Head(query=1024 * (p.previous + p[0]), value=t, adds=1024 * t)
    twice = MLP([Neuron(when=t[tokens[0]], adds={t[tokens[0]]: 1})])
    return Program(
        name="copier",
        embedding=(p, t),
        layers=(Block(heads=[swap], mlp=twice),),
        **options,
    )


@pytest.mark.parametrize("to", RUNTIMES)
def test_tokens_of_every_kind(to: str, tmp_path: Path) -> None:
    """White space, what regular expressions and JSON mean something by, letters of several
    bytes, tokens that begin others.
    """
    assert agreement(copier(AWKWARD).build(), to, tmp_path / "out").holds


def test_tokens_of_every_kind_in_their_tokenizer(tmp_path: Path) -> None:
    """Transformers cuts any of them in a row as our vocabulary does, and puts them together
    again.
    """
    model = copier(AWKWARD).build()
    export(model, "gpt2", tmp_path / "out")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    random = Random(1)
    for _ in range(300):
        text = "".join(random.choices(AWKWARD, k=6))
        assert tokenizer(text)["input_ids"] == model.vocabulary.encode(text)
        assert tokenizer.decode(model.vocabulary.encode(text)) == text


@pytest.mark.parametrize("to", RUNTIMES)
def test_a_program_without_layers(to: str, tmp_path: Path) -> None:
    """The unembedding of the embedding, in every runtime."""
    t = token("ab")
    assert agreement(
        Program(name="echo", embedding=(t,), layers=(), n_ctx=3).build(),
        to,
        tmp_path / "out",
    ).holds


@pytest.mark.parametrize("to", ["gpt2", "transformer-lens", "onnx"])
def test_relu_where_the_runtime_has_it(to: str, tmp_path: Path) -> None:
    """baby_gpt with the other activation, and a program of ours."""
    program = Model.open("baby_gpt").program
    assert program is not None
    fields = {
        field: getattr(program, field) for field in Program.model_fields
    } | {"activation": "relu"}
    for i, other in enumerate(
        (Program(**fields), copier(["a", "b"], activation="relu"))
    ):
        assert agreement(other.build(), to, tmp_path / str(i)).holds


@pytest.mark.parametrize("to", ["transformer-lens", "onnx"])
def test_attention_to_later_positions_where_the_runtime_has_it(
    to: str, tmp_path: Path
) -> None:
    """causal=False: each position sees the whole context."""
    assert agreement(
        copier(["a", "b"], causal=False).build(), to, tmp_path / "out"
    ).holds
