"""A checkpoint of nanoGPT's model, with biases: in safetensors, and where torch is installed as
`ckpt.pt` too.

    model.safetensors   the state dict of `GPT`: Linear weights are [n_out, n_in], the
                        unembedding stands beside wte
    model_args.json     the arguments of `GPTConfig`: n_layer n_head n_embd block_size bias
                        vocab_size dropout
    ckpt.pt, meta.pkl   the same for nanoGPT's own sample.py, which reads `--out_dir`, and
                        data/NAME/meta.pkl for the letters

    gpt = GPT(GPTConfig(**json.load(open("model_args.json"))))
    gpt.load_state_dict(safetensors.torch.load_file("model.safetensors"))

nanoGPT has 4 * n_embd neurons and an epsilon of 1e-5 built in, and the gelu with the error
function where GPT-2 has tanh. The two differ by at most 5e-4, and not at all beyond 6: there a
handcrafted neuron works, and the check tells.

Rules of this file: what it says of the check is computed with the error function; only
`ckpt.pt` needs torch. Source: nanoGPT (Andrej Karpathy, 2022), its model and its checkpoints.
"""

from __future__ import annotations

import io
import json
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array, Hook, gpt2
from handcraft.core.vocabulary import Vocabulary
from handcraft.core.weights import (
    MAX_JSON,
    flatten,
    nest,
    parse_json,
    read_bytes,
    read_safetensors,
    to_safetensors,
)
from handcraft.model import Model
from handcraft.runtimes.loading import MAX_GPT2_BYTES, SAFETENSORS
from handcraft.runtimes.names import checkpoint_name, keys, turned
from handcraft.runtimes.norms import QUIET, Norm, Stock, with_norms
from handcraft.runtimes.target import Files, Run, Runtime, check_gelu_and_mask

MODEL_ARGS, CHECKPOINT, META = "model_args.json", "ckpt.pt", "meta.pkl"


def files(model: Model, norm: Norm) -> Files:
    """The files. Raises ProgramError for what nanoGPT does not compute: relu, or attention
    without a mask.
    """
    check_gelu_and_mask(model, "nanoGPT")
    stock = with_norms(model.weights, model.n_head, norm, fourfold=True)
    arrays = state_dict(stock)
    args = {
        "n_layer": model.n_layer,
        "n_head": stock.n_head,
        "n_embd": stock.n_embd,
        "block_size": model.n_ctx,
        "bias": True,
        "vocab_size": len(model.vocabulary),
        "dropout": 0.0,
    }
    return {
        SAFETENSORS: to_safetensors(arrays, {"format": "pt"}),
        MODEL_ARGS: json.dumps(args, indent=2).encode(),
        META: pickle.dumps(
            {
                "vocab_size": args["vocab_size"],
                "stoi": model.vocabulary.ids,
                "itos": dict(enumerate(model.vocabulary.tokens)),
            }
        ),
        **_checkpoint(model.name, arrays, args),
    }


def state_dict(stock: Stock) -> dict[str, Array]:
    """The arrays under the names of nanoGPT's GPT: Linear weights turned round, the unembedding
    beside wte.
    """
    found = {
        f"transformer.{checkpoint_name(key)}": turned(key, array)
        for key, array in flatten(stock.weights).items()
    }
    return {**found, "lm_head.weight": stock.weights["wte"]}


def _checkpoint(name: str, arrays: dict[str, Array], args: dict[str, Any]) -> Files:
    """`ckpt.pt`, where torch is there to write it."""
    try:
        import torch
    except ImportError:
        return {}
    tensors = {key: torch.tensor(array) for key, array in arrays.items()}
    buffer = io.BytesIO()
    torch.save(
        {
            "model": tensors,
            "model_args": args,
            "iter_num": 0,
            "best_val_loss": 0.0,
            "config": {"dataset": name},
        },
        buffer,
    )
    return {CHECKPOINT: buffer.getvalue()}


def run(directory: Path) -> Run:
    """Our forward pass over what the safetensors file holds, with nanoGPT's gelu."""
    arrays = read_safetensors(read_bytes(directory / SAFETENSORS, MAX_GPT2_BYTES))
    args = parse_json(read_bytes(directory / MODEL_ARGS, MAX_JSON))
    weights = nest(
        {
            key: turned(key, arrays[f"transformer.{checkpoint_name(key)}"])
            for key in keys(args["n_layer"])
        }
    )

    def logits(ids: Array) -> Array:  # [n_batch, n_seq] -> [n_batch, n_seq, n_vocab]
        return gpt2(ids, **weights, n_head=args["n_head"], hook=_with_erf())

    return logits


def _gelu(x: Array) -> Array:  # [...] -> [...]  with the error function
    out, bent = (
        np.maximum(x, 0),
        (x != 0) & (np.abs(x) < 6),
    )  # beyond 6 it is the positive part, in float32
    inside = x[bent]
    out[bent] = (
        0.5
        * inside
        * (1 + np.frompyfunc(math.erf, 1, 1)(inside / math.sqrt(2)).astype(x.dtype))
    )
    return out


def _with_erf() -> Hook:
    """Puts this gelu of what the neurons read in the place of the other one."""
    read: dict[str, Array] = {}

    def hook(name: str, value: Array) -> Array:
        read[name] = value
        return (
            _gelu(read[name.replace("post", "pre")])
            if name.endswith("mlp.post")
            else value
        )

    return hook


def _letters(directory: Path) -> Vocabulary:
    """The tokens of `meta.pkl`, which this process has just written: a pickle of someone else's
    is never read.
    """
    return Vocabulary(tuple(pickle.loads((directory / META).read_bytes())["stoi"]))  # noqa: S301


RUNTIME = Runtime(
    "nanogpt",
    (QUIET,),
    (SAFETENSORS, MODEL_ARGS, META, CHECKPOINT),
    files,
    run,
    _letters,
)
