"""Writes a checkpoint of nanoGPT's model, with biases: in safetensors, and where torch is
installed as `ckpt.pt` too.

    model.safetensors   the state dict of `GPT`: Linear weights are [n_out, n_in], the
                        unembedding stands beside wte
    model_args.json     the arguments of `GPTConfig`: n_layer n_head n_embd block_size bias
                        vocab_size dropout
    ckpt.pt, meta.pkl   the same for nanoGPT's own sample.py, which reads `--out_dir`, and
                        data/NAME/meta.pkl for the letters

    gpt = GPT(GPTConfig(**json.load(open("model_args.json"))))
    gpt.load_state_dict(safetensors.torch.load_file("model.safetensors"))

nanoGPT has 4 * n_embd neurons and an epsilon of 1e-5 built in, and computes gelu with the error
function where GPT-2 has tanh. The two differ by at most 5e-4, and not at all where |x| > 6;
handcrafted neurons work there, and the comparison shows whether they do.

Rules of this file: the comparison computes gelu with the error function; only `ckpt.pt` needs
torch. Source: nanoGPT (Andrej Karpathy, 2022), its model and its checkpoints.
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
from handcraft.runtimes.target import (
    Card,
    Files,
    Run,
    Runtime,
    Trial,
    as_code,
    check_gelu_and_mask,
    check_temporary,
)

MODEL_ARGS, CHECKPOINT, META = "model_args.json", "ckpt.pt", "meta.pkl"


def files(model: Model, norm: Norm) -> Files:
    """The files, by name. Raises ProgramError for what nanoGPT does not compute: relu, or attention
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
    letters = {
        "vocab_size": args["vocab_size"],
        "stoi": model.vocabulary.ids,
        "itos": dict(enumerate(model.vocabulary.tokens)),
    }
    return {
        SAFETENSORS: to_safetensors(arrays, {"format": "pt"}),
        MODEL_ARGS: json.dumps(args, indent=2).encode(),
        META: pickle.dumps(letters),
        **_checkpoint(model.name, arrays, args),
    }


def state_dict(stock: Stock) -> dict[str, Array]:
    """The arrays under the names of nanoGPT's GPT: Linear weights transposed, the unembedding
    beside wte.
    """
    found = {
        f"transformer.{checkpoint_name(key)}": turned(key, array)
        for key, array in flatten(stock.weights).items()
    }
    return {**found, "lm_head.weight": stock.weights["wte"]}


def _checkpoint(
    name: str, arrays: dict[str, Array], args: dict[str, Any]
) -> Files:
    """The file `ckpt.pt`, where torch is there to write it."""
    try:
        import torch
    except ImportError:
        return {}
    except OSError:
        check_temporary(f"the {CHECKPOINT} of nanoGPT")
        raise
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
    """Our forward pass over the contents of the safetensors file, with nanoGPT's gelu."""
    arrays = read_safetensors(
        read_bytes(directory / SAFETENSORS, MAX_GPT2_BYTES)
    )
    args = parse_json(read_bytes(directory / MODEL_ARGS, MAX_JSON))
    names = {
        key: f"transformer.{checkpoint_name(key)}"
        for key in keys(args["n_layer"])
    }
    weights = nest(
        {key: turned(key, arrays[name]) for key, name in names.items()}
    )

    def logits(
        ids: Array,
    ) -> Array:  # [n_batch, n_seq] -> [n_batch, n_seq, n_vocab]
        return gpt2(ids, **weights, n_head=args["n_head"], hook=_with_erf())

    return logits


def _gelu(x: Array) -> Array:  # [...] -> [...]  with the error function
    out = np.maximum(x, 0)
    bent = (x != 0) & (np.abs(x) < 6)  # elsewhere it is max(x, 0), in float32
    inside = x[bent]
    erf = np.frompyfunc(math.erf, 1, 1)(inside / math.sqrt(2)).astype(x.dtype)
    out[bent] = 0.5 * inside * (1 + erf)
    return out


def _with_erf() -> Hook:
    """A hook that replaces what the neurons compute by this gelu of what they read."""
    read: dict[str, Array] = {}

    def hook(name: str, value: Array) -> Array:
        read[name] = value
        if name.endswith("mlp.post"):
            return _gelu(read[name.replace("post", "pre")])
        return value

    return hook


def _letters(directory: Path) -> Vocabulary:
    """The tokens of `meta.pkl`, which this process has just written: other people's pickles are
    never read.
    """
    meta = pickle.loads((directory / META).read_bytes())  # noqa: S301
    return Vocabulary(tuple(meta["stoi"]))


def usage(_: Model, __: Norm, example: Trial) -> str:
    """The lines that run it in nanoGPT's model, beside its own file."""
    return f"""
import json
import pickle
from pathlib import Path

import torch
from model import GPT, GPTConfig  # nanoGPT's own file
from safetensors.torch import load_file

gpt = GPT(GPTConfig(**json.loads(Path("model_args.json").read_text())))
gpt.load_state_dict(load_file("model.safetensors"))
gpt.eval()

letters = pickle.loads(Path("meta.pkl").read_bytes())
ids = [letters["stoi"][token] for token in {as_code(example.tokens)}]
with torch.no_grad():
    for _ in range({example.new}):
        logits, loss = gpt(torch.tensor([ids]))
        ids.append(int(logits[0, -1].argmax()))
print("".join(letters["itos"][i] for i in ids[-{example.new}:]))
"""


RUNTIME = Runtime(
    "nanogpt",
    (QUIET,),
    (SAFETENSORS, MODEL_ARGS, META, CHECKPOINT),
    files,
    run,
    _letters,
    Card("nanogpt", ("gpt2",), ("torch", "safetensors"), usage),
)
