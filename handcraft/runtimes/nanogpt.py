"""A checkpoint of nanoGPT's model, with biases: in safetensors, and where torch is installed as `ckpt.pt` too.

    model.safetensors   the state dict of `GPT`: Linear weights are [n_out, n_in], the unembedding stands beside wte
    model_args.json     the arguments of `GPTConfig`: n_layer n_head n_embd block_size bias vocab_size dropout
    ckpt.pt, meta.pkl   the same for nanoGPT's own sample.py, which reads `--out_dir`, and data/NAME/meta.pkl for the letters

    gpt = GPT(GPTConfig(**json.load(open("model_args.json"))))
    gpt.load_state_dict(safetensors.torch.load_file("model.safetensors"))

nanoGPT has 4 * n_embd neurons and an epsilon of 1e-5 built in, and the gelu with the error function where GPT-2 has
tanh. The two differ by at most 5e-4, and not at all beyond 6: there a handcrafted neuron works, and the check tells.

Rules of this file: what it says of the check is computed with the error function; only `ckpt.pt` needs torch.
Source: nanoGPT (Andrej Karpathy, 2022), its model and its checkpoints.
"""

from __future__ import annotations

import io
import json
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from handcraft.errors import ProgramError
from handcraft.gpt2 import Array, Note, Weights, gpt2
from handcraft.model import Model
from handcraft.runtimes.norms import QUIET, Norm, Stock, with_norms
from handcraft.runtimes.target import Files, Run, Runtime, arrays_to_bytes
from handcraft.vocabulary import Vocabulary
from handcraft.weights import MAX_JSON, parse_json, read_bytes

SAFETENSORS, MODEL_ARGS, CHECKPOINT, META = "model.safetensors", "model_args.json", "ckpt.pt", "meta.pkl"


def files(model: Model, norm: Norm) -> Files:
    """The files. Raises ProgramError for what nanoGPT does not compute: relu, or attention without a mask."""
    if model.activation != "gelu" or not model.causal:
        raise ProgramError("nanoGPT has gelu and a causal mask; build the program with activation='gelu' and causal=True")
    stock = with_norms(model.weights, model.n_head, norm, fourfold=True)
    arrays = state_dict(stock)
    args = {
        "n_layer": model.n_layer, "n_head": stock.n_head, "n_embd": stock.n_embd, "block_size": model.n_ctx,
        "bias": True, "vocab_size": len(model.vocabulary), "dropout": 0.0,
    }  # fmt: skip
    return {
        SAFETENSORS: arrays_to_bytes(arrays, {"format": "pt"}),
        MODEL_ARGS: json.dumps(args, indent=2).encode(),
        META: pickle.dumps({"vocab_size": args["vocab_size"], "stoi": model.vocabulary.ids,
                            "itos": dict(enumerate(model.vocabulary.tokens))}),
        **_checkpoint(model.name, arrays, args),
    }  # fmt: skip


def state_dict(stock: Stock) -> dict[str, Array]:
    """The arrays under the names of nanoGPT's GPT: Linear weights turned round, the unembedding beside wte."""
    weights = stock.weights
    found = {"transformer.wte.weight": weights["wte"], "transformer.wpe.weight": weights["wpe"]}
    for i, block in enumerate(weights["blocks"]):
        at = f"transformer.h.{i}"
        for key in ("ln_1", "ln_2"):
            found |= {f"{at}.{key}.weight": block[key]["g"], f"{at}.{key}.bias": block[key]["b"]}
        for key in ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"):
            part, name = key.split(".")
            found |= {f"{at}.{key}.weight": block[part][name]["w"].T, f"{at}.{key}.bias": block[part][name]["b"]}
    norm = {"transformer.ln_f.weight": weights["ln_f"]["g"], "transformer.ln_f.bias": weights["ln_f"]["b"]}
    return {**found, **norm, "lm_head.weight": weights["wte"]}


def _checkpoint(name: str, arrays: dict[str, Array], args: dict[str, Any]) -> Files:
    """`ckpt.pt`, where torch is there to write it."""
    try:
        import torch
    except ImportError:
        return {}
    tensors = {key: torch.tensor(array) for key, array in arrays.items()}
    buffer = io.BytesIO()
    torch.save({"model": tensors, "model_args": args, "iter_num": 0, "best_val_loss": 0.0, "config": {"dataset": name}}, buffer)
    return {CHECKPOINT: buffer.getvalue()}


def run(directory: Path) -> Run:
    """Our forward pass over what the safetensors file holds, with nanoGPT's gelu."""
    from safetensors.numpy import load

    arrays = load((directory / SAFETENSORS).read_bytes())
    args = parse_json(read_bytes(directory / MODEL_ARGS, MAX_JSON))
    weights: Weights = {
        "wte": arrays["transformer.wte.weight"],
        "wpe": arrays["transformer.wpe.weight"],
        "blocks": [_block(arrays, f"transformer.h.{i}") for i in range(args["n_layer"])],
        "ln_f": _pair(arrays, "transformer.ln_f", "gb"),
    }

    def logits(ids: Array) -> Array:  # [n_batch, n_seq] -> [n_batch, n_seq, n_vocab]
        return gpt2(ids, **weights, n_head=args["n_head"], note=_with_erf())

    return logits


def _block(arrays: dict[str, Array], at: str) -> dict[str, Any]:
    return {
        "ln_1": _pair(arrays, f"{at}.ln_1", "gb"),
        "ln_2": _pair(arrays, f"{at}.ln_2", "gb"),
        "attn": {key: _pair(arrays, f"{at}.attn.{key}", "wb") for key in ("c_attn", "c_proj")},
        "mlp": {key: _pair(arrays, f"{at}.mlp.{key}", "wb") for key in ("c_fc", "c_proj")},
    }


def _pair(arrays: dict[str, Array], key: str, names: str) -> dict[str, Array]:
    return {names[0]: arrays[f"{key}.weight"].T, names[1]: arrays[f"{key}.bias"]}  # a gain has one axis: its own transpose


def gelu(x: Array) -> Array:  # [...] -> [...]  with the error function
    out, bent = np.maximum(x, 0), (x != 0) & (np.abs(x) < 6)  # beyond 6 it is the positive part, in float32
    inside = x[bent]
    out[bent] = 0.5 * inside * (1 + np.frompyfunc(math.erf, 1, 1)(inside / math.sqrt(2)).astype(x.dtype))
    return out


def _with_erf() -> Note:
    """Puts this gelu of what the neurons read in the place of the other one."""
    read: dict[str, Array] = {}

    def note(name: str, value: Array) -> Array:
        read[name] = value
        return gelu(read[name.replace("post", "pre")]) if name.endswith("mlp.post") else value

    return note


def _letters(directory: Path) -> Vocabulary:
    """The tokens of `meta.pkl`, which this process has just written: a pickle of someone else's is never read."""
    return Vocabulary(tuple(pickle.loads((directory / META).read_bytes())["stoi"]))  # noqa: S301


RUNTIME = Runtime("nanogpt", (QUIET,), (SAFETENSORS, MODEL_ARGS, META, CHECKPOINT), files, run, _letters)
