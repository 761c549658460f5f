"""Writes the dict that picoGPT's `gpt2()` takes, as an npz file.

    params.npz     the arrays under picoGPT's keys, joined by dots: blocks.0.attn.c_attn.w
    hparams.json   n_vocab n_ctx n_embd n_head n_layer, as beside OpenAI's checkpoints
    encoder.json   token -> id, as there

With the norm `quiet` (the default) it runs in picoGPT as it is; with `none` it has no layer
norms, for a pass without them. Nesting the keys again takes five lines:

    params = {"blocks": [{} for _ in range(n_layer)]}
    for name, array in numpy.load("params.npz").items():
        *path, leaf = [int(key) if key.isdigit() else key for key in name.split(".")]
        step = lambda at, key: at[key] if isinstance(at, list) else at.setdefault(key, {})
        functools.reduce(step, path, params)[leaf] = array

Rules of this file: NumPy alone.
Source: picoGPT (Jay Mody, "GPT in 60 Lines of NumPy", 2023), whose gelu is the tanh form and
whose epsilon is 1e-5.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

from handcraft.core.gpt2 import gpt2
from handcraft.core.weights import (
    MAX_JSON,
    load_weights,
    parse_json,
    read_bytes,
    to_npz,
)
from handcraft.model import Model
from handcraft.runtimes.norms import NONE, QUIET, Norm, with_norms
from handcraft.runtimes.target import (
    Card,
    Files,
    Run,
    Runtime,
    Trial,
    as_code,
    check_gelu_and_mask,
    ids_in,
    ids_to_bytes,
)

PARAMS, HPARAMS, ENCODER = "params.npz", "hparams.json", "encoder.json"


def files(model: Model, norm: Norm) -> Files:
    """The three files, by name. Raises ProgramError for what picoGPT does not compute: relu, or
    attention without a mask.
    """
    check_gelu_and_mask(model, "picoGPT")
    weights = model.weights
    n_head = model.n_head
    if norm is not NONE:
        stock = with_norms(weights, n_head, norm)
        weights = stock.weights
        n_head = stock.n_head
    n_vocab, n_embd = weights["wte"].shape
    hparams = {
        "n_vocab": n_vocab,
        "n_ctx": model.n_ctx,
        "n_embd": n_embd,
        "n_head": n_head,
        "n_layer": model.n_layer,
    }
    return {
        PARAMS: to_npz(weights),
        HPARAMS: json.dumps(hparams).encode(),
        ENCODER: ids_to_bytes(model),
    }


def run(directory: Path) -> Run:
    """Our forward pass over the contents of the files."""
    weights = load_weights(directory / PARAMS)
    hparams = parse_json(read_bytes(directory / HPARAMS, MAX_JSON))
    return partial(gpt2, **weights, n_head=hparams["n_head"])


def usage(_: Model, norm: Norm, example: Trial) -> str:
    """The lines that run it in picoGPT, or where it has no norms in our own pass."""
    module = "handcraft.core.gpt2" if norm is NONE else "gpt2"
    note = "" if norm is NONE else "  # picoGPT's own file"
    return f"""
import functools
import json
from pathlib import Path

import numpy
from {module} import gpt2{note}

hparams = json.loads(Path("hparams.json").read_text())
params = {{"blocks": [{{}} for _ in range(hparams["n_layer"])]}}
step = lambda at, key: at[key] if isinstance(at, list) else at.setdefault(key, {{}})
with numpy.load("params.npz") as arrays:
    for name, array in arrays.items():
        *path, leaf = [int(key) if key.isdigit() else key for key in name.split(".")]
        functools.reduce(step, path, params)[leaf] = array

encoder = json.loads(Path("encoder.json").read_text())
ids = [encoder[token] for token in {as_code(example.tokens)}]
for _ in range({example.new}):
    logits = gpt2(numpy.array(ids), **params, n_head=hparams["n_head"])  # [n_seq, n_vocab]
    ids.append(int(logits[-1].argmax()))
print("".join(list(encoder)[i] for i in ids[-{example.new}:]))
"""


RUNTIME = Runtime(
    "picogpt",
    (QUIET, NONE),
    (PARAMS, HPARAMS, ENCODER),
    files,
    run,
    ids_in(ENCODER),
    Card("picogpt", ("gpt2",), ("numpy",), usage),
)
