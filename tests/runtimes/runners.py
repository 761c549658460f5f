"""The runtimes themselves: each takes an exported directory and gives logits, with nothing of
handcraft in between.

transformers is installed. picoGPT and nanoGPT are single files that no package brings, so their
forward passes are written out here from their descriptions; a GGUF is read by the `gguf`
package under llama.cpp's names, and run by picoGPT's pass. TransformerLens and onnxruntime are
missing here: the check of an export runs them already.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from handcraft.core.gpt2 import Array
from handcraft.model import Model
from handcraft.runtimes import export
from handcraft.runtimes.agreement import Agreement, compare_runtime
from handcraft.runtimes.target import Run

torch.set_num_threads(1)  # sums in one order, on every machine


# ---------------------------------------------------------------- Hugging Face


def transformers(directory: Path, dtype: str = "float32") -> Run:
    """Stock GPT2LMHeadModel of the transformers package."""
    from transformers import GPT2LMHeadModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    model = GPT2LMHeadModel.from_pretrained(
        directory, dtype=getattr(torch, dtype)
    ).eval()
    return _no_grad(lambda ids: model(ids).logits)


def _no_grad(model: Callable[[Any], Any]) -> Run:
    def logits(
        ids: Array,
    ) -> Array:  # [n_batch, n_seq] -> [n_batch, n_seq, n_vocab]
        with torch.no_grad():
            return model(torch.tensor(ids)).float().numpy()

    return logits


# ---------------------------------------------------------------- picoGPT


def picogpt(directory: Path) -> Run:
    """The npz file, its keys nested as the documentation of the export says, through picoGPT's
    computation.
    """
    hparams = json.loads((directory / "hparams.json").read_text())
    params: dict[str, Any] = {"blocks": [{} for _ in range(hparams["n_layer"])]}
    for name, array in np.load(directory / "params.npz").items():
        *path, leaf = [
            int(key) if key.isdigit() else key for key in name.split(".")
        ]
        functools.reduce(
            lambda at, key: (
                at[key] if isinstance(at, list) else at.setdefault(key, {})
            ),
            path,
            params,
        )[leaf] = array
    return lambda batch: np.stack(
        [pico(ids, **params, n_head=hparams["n_head"]) for ids in batch]
    )


def pico(
    ids: Array,
    wte: Array,
    wpe: Array,
    blocks: list[Any],
    ln_f: Any,
    n_head: int,
    eps: float = 1e-5,
    unembed: Array | None = None,
) -> Array:  # [n_seq] -> [n_seq, n_vocab]
    """One sequence through GPT-2, heads one by one."""
    x = wte[ids] + wpe[: len(ids)]  # [n_seq, n_embd]
    for block in blocks:
        x = x + pico_attention(
            pico_norm(x, **block["ln_1"], eps=eps), n_head, **block["attn"]
        )
        hidden = (
            pico_norm(x, **block["ln_2"], eps=eps) @ block["mlp"]["c_fc"]["w"]
            + block["mlp"]["c_fc"]["b"]
        )
        hidden = (
            0.5
            * hidden
            * (
                1
                + np.tanh(np.sqrt(2 / np.pi) * (hidden + 0.044715 * hidden**3))
            )
        )
        x = (
            x
            + hidden @ block["mlp"]["c_proj"]["w"]
            + block["mlp"]["c_proj"]["b"]
        )
    return (
        pico_norm(x, **ln_f, eps=eps) @ (wte if unembed is None else unembed).T
    )


def pico_norm(
    x: Array, g: Array, b: Array, eps: float
) -> Array:  # [n_seq, n_embd] -> [n_seq, n_embd]
    return (
        g
        * (x - x.mean(-1, keepdims=True))
        / np.sqrt(x.var(-1, keepdims=True) + eps)
        + b
    )


def pico_attention(
    x: Array, n_head: int, c_attn: Any, c_proj: Any
) -> Array:  # [n_seq, n_embd] -> [n_seq, n_embd]
    q, k, v = (
        np.split(part, n_head, axis=-1)
        for part in np.split(x @ c_attn["w"] + c_attn["b"], 3, axis=-1)
    )
    mask = (1 - np.tri(len(x), dtype=x.dtype)) * -1e10
    out = []
    for i in range(n_head):
        scores = (
            q[i] @ k[i].T / np.sqrt(q[i].shape[-1]) + mask
        )  # [n_seq, n_seq]
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        out.append(weights / weights.sum(-1, keepdims=True) @ v[i])
    return np.hstack(out) @ c_proj["w"] + c_proj["b"]


# ---------------------------------------------------------------- nanoGPT


class Norm(nn.LayerNorm):
    """nanoGPT's layer norm: epsilon 1e-5."""

    def __init__(self, n_embd: int) -> None:
        super().__init__(n_embd, eps=1e-5)


class Attention(nn.Module):
    """One linear layer for queries, keys and values; torch's own causal attention."""

    def __init__(self, n_embd: int, n_head: int) -> None:
        super().__init__()
        self.n_head = n_head
        self.c_attn, self.c_proj = (
            nn.Linear(n_embd, 3 * n_embd),
            nn.Linear(n_embd, n_embd),
        )

    def forward(self, x: Any) -> Any:
        n_batch, n_seq, n_embd = x.shape
        q, k, v = (
            part.view(n_batch, n_seq, self.n_head, -1).transpose(1, 2)
            for part in self.c_attn(x).split(n_embd, dim=2)
        )
        out = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.c_proj(out.transpose(1, 2).reshape(n_batch, n_seq, n_embd))


class Neurons(nn.Module):
    """Four neurons for each column, and the gelu with the error function."""

    def __init__(self, n_embd: int) -> None:
        super().__init__()
        self.c_fc, self.gelu, self.c_proj = (
            nn.Linear(n_embd, 4 * n_embd),
            nn.GELU(),
            nn.Linear(4 * n_embd, n_embd),
        )

    def forward(self, x: Any) -> Any:
        return self.c_proj(self.gelu(self.c_fc(x)))


class Layer(nn.Module):
    """Attention, then neurons, each behind its norm."""

    def __init__(self, n_embd: int, n_head: int) -> None:
        super().__init__()
        self.ln_1, self.attn = Norm(n_embd), Attention(n_embd, n_head)
        self.ln_2, self.mlp = Norm(n_embd), Neurons(n_embd)

    def forward(self, x: Any) -> Any:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class Nano(nn.Module):
    """nanoGPT's model: the arguments of its GPTConfig, the names of its state dict, the
    unembedding tied.
    """

    def __init__(
        self,
        *,
        n_layer: int,
        n_head: int,
        n_embd: int,
        block_size: int,
        bias: bool,
        vocab_size: int,
        dropout: float,
    ) -> None:
        super().__init__()
        assert bias
        assert dropout == 0
        parts = {
            "wte": nn.Embedding(vocab_size, n_embd),
            "wpe": nn.Embedding(block_size, n_embd),
            "h": nn.ModuleList([Layer(n_embd, n_head) for _ in range(n_layer)]),
            "ln_f": Norm(n_embd),
        }
        self.transformer = nn.ModuleDict(parts)
        self.lm_head = nn.Linear(n_embd, vocab_size, bias=False)
        self.lm_head.weight = self.transformer["wte"].weight

    def forward(self, ids: Any) -> Any:
        x = self.transformer["wte"](ids) + self.transformer["wpe"](
            torch.arange(ids.shape[1])
        )
        for layer in self.transformer["h"]:
            x = layer(x)
        return self.lm_head(self.transformer["ln_f"](x))


def nanogpt(directory: Path) -> Run:
    """ckpt.pt as nanoGPT's sample.py takes it: the arguments, then the state dict, every name
    of it.
    """
    checkpoint = torch.load(
        directory / "ckpt.pt", map_location="cpu"
    )  # weights only: torch's default
    model = Nano(**checkpoint["model_args"])
    model.load_state_dict(checkpoint["model"], strict=True)
    return _no_grad(model.eval())


# ---------------------------------------------------------------- llama.cpp's file


def gguf(directory: Path) -> Run:
    """The tensors under the names that llama.cpp's gpt2 asks for, through the pass above."""
    from gguf import GGUFReader

    reader = GGUFReader(directory / "model.gguf")
    tensors = {tensor.name: tensor.data for tensor in reader.tensors}
    fields = {name: field.contents() for name, field in reader.fields.items()}

    def linear(name: str) -> dict[str, Array]:
        return {"w": tensors[f"{name}.weight"].T, "b": tensors[f"{name}.bias"]}

    def norm(name: str) -> dict[str, Array]:
        return {"g": tensors[f"{name}.weight"], "b": tensors[f"{name}.bias"]}

    blocks = [
        {
            "ln_1": norm(f"blk.{i}.attn_norm"),
            "ln_2": norm(f"blk.{i}.ffn_norm"),
            "attn": {
                "c_attn": linear(f"blk.{i}.attn_qkv"),
                "c_proj": linear(f"blk.{i}.attn_output"),
            },
            "mlp": {
                "c_fc": linear(f"blk.{i}.ffn_up"),
                "c_proj": linear(f"blk.{i}.ffn_down"),
            },
        }
        for i in range(fields["gpt2.block_count"])
    ]
    wte = tensors["token_embd.weight"]  # [n_tokens, n_embd]
    model = {
        "wte": wte,
        "wpe": tensors["position_embd.weight"],
        "blocks": blocks,
        "ln_f": norm("output_norm"),
        "n_head": fields["gpt2.attention.head_count"],
        "eps": fields["gpt2.attention.layer_norm_epsilon"],
        "unembed": tensors.get("output.weight", wte),
    }
    n_vocab = fields["tokenizer.ggml.token_type"].count(
        1
    )  # the others are never predicted, and stand last

    def logits(
        batch: Array,
    ) -> Array:  # [n_batch, n_seq] -> [n_batch, n_seq, n_vocab]
        rows = np.stack(
            [pico(ids, **model) for ids in batch]
        )  # [n_batch, n_seq, n_tokens]
        assert (rows[..., n_vocab:] < rows[..., :n_vocab].min() - 2**60).all()
        return rows[..., :n_vocab]

    return logits


RUNNERS: dict[str, Callable[[Path], Run]] = {
    "gpt2": transformers,
    "picogpt": picogpt,
    "nanogpt": nanogpt,
    "gguf": gguf,
}


# that are drawn where there are more: an export compares as many as verification does itself
TEXTS = 1_000


def agreement(model: Model, to: str, out: Path) -> Agreement:
    """Export, and compare in the runtime itself."""
    done = export(model, to, out)
    return (
        compare_runtime(model, RUNNERS[to](out), TEXTS)
        if to in RUNNERS
        else done.check
    )
