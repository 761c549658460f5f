"""Expressions in the frame of answers, as stock GPT-2: greedy decoding from the prompt alone."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
import torch
from answer_programs import ANSWERED
from transformers import AutoTokenizer, GPT2LMHeadModel
from transformers.utils import logging

from handcraft.lowering.echoes.answering import answer
from handcraft.runtimes import export

logging.disable_progress_bar()
FIVE = ("reverse", "hist", "most_frequent", "sort", "sort_by_frequency")


@pytest.mark.parametrize("name", FIVE)
def test_stock_gpt2_answers(name: str, tmp_path: Path) -> None:
    """GPT2LMHeadModel of the transformers package goes on with the echoes, the answer that plain
    Python gives, and the stop token, for a text of every length.
    """
    expression, alphabet, echoes, meaning = ANSWERED[name]
    model = answer(expression, tokens=alphabet, n=5, name=name).build()
    export(model, "gpt2", tmp_path / name)
    stock = GPT2LMHeadModel.from_pretrained(tmp_path / name).eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / name)
    random = Random(2)
    for length in (1, 2, 3, 4, 5, 5):
        text = "".join(random.choices(alphabet, k=length))
        ids = tokenizer(f"^{text}=", return_tensors="pt")["input_ids"]
        with torch.no_grad():
            new = stock.generate(ids, do_sample=False)[0, ids.shape[1] :]
        said = f"{text}=" * echoes + "".join(map(str, meaning(text))) + "$"
        assert tokenizer.decode(new) == said
