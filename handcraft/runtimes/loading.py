"""Reads a GPT-2 of Hugging Face as a Model: real weights through our forward pass, without torch.

    load_gpt2("path/to/gpt2").generate("The meaning of life is", 20)
    load_gpt2("path/to/letters", tokens=["a", "b"])     a checkpoint without a tokenizer

Rules of this file: the reading is that of handcraft.files.checkpoint, the running that of Model.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from handcraft.core.arguments import asked_call
from handcraft.model import Model


@asked_call("load_gpt2")
def load_gpt2(
    directory: str | Path, tokens: Sequence[str] | None = None
) -> Model:
    """The model of a checkpoint of Hugging Face's GPT-2; float16 and bfloat16 are widened to
    float32. `tokens`, in the order of their ids, take the place of its tokenizer.

    Raises WeightsError, with the file's name, for a checkpoint that is incomplete or not a GPT-2,
    and MissingExtraError where its tokens need the extra `gpt2`.
    """
    return Model.from_checkpoint(directory, tokens)
