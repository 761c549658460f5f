r"""Writes a directory that Hugging Face's transformers loads as a stock `GPT2LMHeadModel`.

    config.json             GPT-2's own fields; of them only `layer_norm_epsilon` is unusual,
                            with the norm `mirror`
    model.safetensors       float32; Conv1D weights are [n_in, n_out], as in the dict
    tokenizer.json          the vocabulary: see tokenizer_files.py
    tokenizer_config.json   the window, and the padding
    generation_config.json  greedy, up to the window, and up to the claim's stop token

    pipeline("text-generation", "DIR")("aab")                  transformers, nothing of handcraft

There a text with an unknown character raises "WordLevel error: Missing [UNK] token". The window
does not slide: greedy generation ends at it, and a longer prompt is an IndexError of torch's.

Rules of this file: nothing here needs torch or transformers.
Source: the checkpoint format of Hugging Face's transformers and tokenizers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from handcraft.core.errors import ProgramError
from handcraft.core.gpt2 import Array
from handcraft.core.vocabulary import Vocabulary
from handcraft.core.weights import (
    MAX_JSON,
    flatten,
    parse_json,
    read_bytes,
    to_safetensors,
)
from handcraft.files.checkpoint_arrays import SAFETENSORS, UNEMBEDDING_KEY
from handcraft.files.checkpoint_config import CONFIG_JSON
from handcraft.files.checkpoint_names import ACTIVATION_NAMES, checkpoint_name
from handcraft.files.file_tokens import FileTokens, IdTokens
from handcraft.files.tokenizer_file import TOKENIZER_JSON, read_vocabulary
from handcraft.model import Model
from handcraft.runtimes.loading import load_gpt2
from handcraft.runtimes.norms import (
    MIRROR,
    QUIET,
    Norm,
    Stock,
    has_norms,
    with_norms,
)
from handcraft.runtimes.target import (
    Card,
    Files,
    Run,
    Runtime,
    Trial,
    as_code,
    stop_id,
    without_stop,
)
from handcraft.runtimes.tokenizer_files import (
    TOKENIZER_CONFIG,
    for_batches,
    padding,
)

GENERATION_CONFIG = "generation_config.json"


def files(model: Model, norm: Norm) -> Files:
    """The five files, by name. Raises ProgramError for a program without a causal mask, which GPT-2
    always has.
    """
    if not model.causal:
        raise ProgramError(
            "stock GPT-2 is causal; a program with causal=False can be exported to onnx"
            " or transformer-lens"
        )
    stock = (  # a real GPT-2 has norms of its own, and stays as it is
        Stock(model.weights, model.n_head, model.epsilon)
        if has_norms(model.weights)
        else with_norms(model.weights, model.n_head, norm)
    )
    config, generation = (
        json.dumps(fields, indent=2).encode()
        for fields in (_config(model, stock), _generation(model))
    )
    found = {
        SAFETENSORS: to_safetensors(state_dict(stock), {"format": "pt"}),
        CONFIG_JSON: config,
        **for_batches(model),
        GENERATION_CONFIG: generation,
    }
    return _with_own_tokens(found, model)


def _with_own_tokens(found: Files, model: Model) -> Files:
    """The files with the tokenizer that the model came with; without one, none."""
    if isinstance(model.vocabulary, FileTokens):
        text: str = model.vocabulary.tokenizer.to_str()
        return {**found, TOKENIZER_JSON: text.encode()}
    if isinstance(model.vocabulary, IdTokens):
        return {
            name: data
            for name, data in found.items()
            if not name.startswith("tokenizer")
        }
    return found


def state_dict(stock: Stock) -> dict[str, Array]:
    """The arrays under the names of GPT2LMHeadModel, without an unembedding that is tied."""
    arrays = flatten(stock.weights)
    head = arrays.pop("lm_head", None)
    named = {
        f"transformer.{checkpoint_name(key)}": array
        for key, array in arrays.items()
    }
    return named if head is None else {**named, UNEMBEDDING_KEY: head}


def _config(model: Model, stock: Stock) -> dict[str, Any]:
    return {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "vocab_size": len(model.vocabulary),
        "n_positions": model.n_ctx,
        "n_ctx": model.n_ctx,
        "n_embd": stock.n_embd,
        "n_layer": model.n_layer,
        "n_head": stock.n_head,
        "n_inner": stock.n_inner,
        "activation_function": ACTIVATION_NAMES[model.activation],
        "layer_norm_epsilon": stock.epsilon,
        "resid_pdrop": 0.0,
        "embd_pdrop": 0.0,
        "attn_pdrop": 0.0,
        "bos_token_id": None,
        "eos_token_id": stop_id(model),
        "pad_token_id": None,
        "tie_word_embeddings": "lm_head" not in stock.weights,
        "dtype": "float32",
    }


def _generation(model: Model) -> dict[str, Any]:
    """Greedy generation; without a stop token only the window ends it.

    No padding is named here but the stop token: transformers takes any other for padding wherever
    it stands in ids that come without a mask.
    """
    stop = stop_id(model)
    return {
        "do_sample": False,
        "max_length": model.n_ctx + 1,
        "eos_token_id": stop,
        "pad_token_id": stop,
    }


def run(directory: Path) -> Run:
    """The forward pass in NumPy over the contents of the files."""
    return load_gpt2(directory)


def usage(model: Model, _: Norm, example: Trial) -> str:
    """The lines that run it with transformers: without a tokenizer, on ids."""
    if isinstance(model.vocabulary, IdTokens):
        return f"""
import torch
from transformers import GPT2LMHeadModel

model = GPT2LMHeadModel.from_pretrained(".")
ids = torch.tensor([{model.ids(example.tokens)}])
found = model.generate(ids, max_new_tokens={example.new})
print(*found[0, ids.shape[1]:].tolist())
"""
    return f"""
from transformers import pipeline

generate = pipeline("text-generation", ".")
found = generate({as_code(example.prompt)}, max_new_tokens={example.new}, return_full_text=False)
print(found[0]["generated_text"])
"""


def _shown(model: Model, text: str) -> str:
    """What the pipeline shows: not the stop token, where that is the padding."""
    if isinstance(model.vocabulary, IdTokens) or not padding(model):
        return text
    return without_stop(model, text)


def _spelled(model: Model, ids: Iterable[int]) -> str:
    return model.vocabulary.decode(ids)


def _vocabulary(directory: Path) -> Vocabulary:
    """The tokens of the files, one for each row of wte."""
    config = parse_json(read_bytes(directory / CONFIG_JSON, MAX_JSON))
    return read_vocabulary(directory, config["vocab_size"])


RUNTIME = Runtime(
    "gpt2",
    (MIRROR, QUIET),
    (
        SAFETENSORS,
        CONFIG_JSON,
        TOKENIZER_JSON,
        TOKENIZER_CONFIG,
        GENERATION_CONFIG,
    ),
    files,
    run,
    _vocabulary,
    Card(
        "transformers",
        ("gpt2",),
        ("transformers", "torch"),
        usage,
        _shown,
        _spelled,
    ),
)
