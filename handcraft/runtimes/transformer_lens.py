"""Writes a directory for TransformerLens 4: the model as a native bridge without layer norm, every
hook in place, and its circuit beside it.

    config.json         the fields of the bridge's configuration
    model.safetensors   its state dict, float32
    circuit.json        the heads, neurons and edges that matter, and why: the ground truth for
                        methods that discover circuits
    vocab.json          token -> id
    tokenizer.json, tokenizer_config.json
                        the same for texts: see tokenizer_files.py

These lines load it, without handcraft:

    import json
    from pathlib import Path
    from safetensors.torch import load_file
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import PreTrainedTokenizerFast

    config = json.loads(Path(directory, "config.json").read_text())
    bridge = TransformerBridge.boot_native(config)
    bridge.load_state_dict(load_file(Path(directory, "model.safetensors")))
    bridge.tokenizer = PreTrainedTokenizerFast.from_pretrained(directory)
    bridge.cfg.eos_token_id = config["eos_token_id"]

Texts then work: `bridge("aab")`, `to_tokens`, `to_string`, `generate`. TransformerLens puts a
token in front of a text by default; here `default_prepend_bos` is off, and there is no such token,
since a program's first position is that of its first token. The tokenizer is attached afterwards:
`boot_native(config, tokenizer)` tries it on the text "a" and gives it GPT-2's `<|endoftext|>`. The
padding is a token that the model lacks: texts of unequal length in one batch are an IndexError,
never padding that is read. Past the window a text is cut by `to_tokens`, and `generate` fails.

Parts that the shape demands and the program lacks are zeros: a block's attention, the neurons of
a narrower MLP, and the MLP of a block without one (where no block has one, `attn_only` leaves
them out). The unembedding stays as it is: the processing of `enable_compatibility_mode` centres
it, and logits then differ by a constant.

A native bridge computes all heads of a layer from one stream: `hook_result`, `hook_q_input` and
their like exist there but never fire, and `set_use_attn_result` refuses. `circuit.json` names
the hooks that do fire.

Rules of this file: writing needs neither torch nor TransformerLens; both are imported where a
bridge is loaded. Source: the native model and its bridge in TransformerLens 4.3, read for names
and shapes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from handcraft.core.errors import MissingExtraError, WeightsError, printable
from handcraft.core.gpt2 import Array, Weights
from handcraft.core.weights import (
    MAX_JSON,
    MAX_WEIGHTS_BYTES,
    parse_json,
    read_bytes,
    to_safetensors,
)
from handcraft.files.checkpoint_names import ACTIVATION_NAMES
from handcraft.files.tokenizer_file import TOKENIZER_JSON
from handcraft.model import Model
from handcraft.runtimes.circuit import circuit
from handcraft.runtimes.norms import NONE, Norm
from handcraft.runtimes.target import (
    Card,
    Files,
    Run,
    Runtime,
    Trial,
    as_code,
    check_temporary,
    ids_in,
    ids_to_bytes,
    stop_id,
)
from handcraft.runtimes.tokenizer_files import TOKENIZER_CONFIG, for_bridges

CONFIG, STATE, CIRCUIT, VOCABULARY = (
    "config.json",
    "model.safetensors",
    "circuit.json",
    "vocab.json",
)


def files(model: Model, _: Norm) -> Files:
    """The files of the directory, by name. Raises WeightsError for a model with layer norms."""
    found = circuit(model).to_json()
    state = to_safetensors(dict(_state(model)))
    return {
        CONFIG: _json(_config(model)),
        STATE: state,
        CIRCUIT: _json(found),
        VOCABULARY: ids_to_bytes(model),
        **for_bridges(model),
    }


def _json(value: dict[str, Any]) -> bytes:
    """JSON with one key a line, and the objects of a list one a line."""
    lines = [
        f"{json.dumps(key)}: {_rows(child)}" for key, child in value.items()
    ]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def _rows(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join(map(json.dumps, value)) + "\n]"
    return json.dumps(value)


def _config(model: Model) -> dict[str, Any]:
    """The fields of TransformerBridgeConfig that are not its defaults."""
    return {
        "model_name": model.name,
        "n_layers": model.n_layer,
        "n_ctx": model.n_ctx,
        "d_vocab": len(model.vocabulary),
        "d_model": model.n_embd,
        "n_heads": model.n_head,
        "d_head": model.n_embd // model.n_head,
        "d_mlp": _inner(model),
        "attn_only": not _inner(model),
        "act_fn": ACTIVATION_NAMES[model.activation],
        "attention_dir": "causal" if model.causal else "bidirectional",
        "normalization_type": None,
        "init_weights": False,
        "default_prepend_bos": False,
        "tokenizer_prepends_bos": False,
        "eos_token_id": stop_id(model),  # not theirs: what `generate` stops at
    }


def _inner(model: Model) -> int:
    """The number of neurons of the widest MLP; 0 where no block has one."""
    mlps = [block["mlp"] for block in model.weights["blocks"] if "mlp" in block]
    return max((mlp["c_fc"]["b"].shape[0] for mlp in mlps), default=0)


def _state(model: Model) -> Iterator[tuple[str, Array]]:
    """The state dict: theirs multiply from the left, so every matrix is transposed."""
    n = model.n_embd
    inner = _inner(model)
    yield "embed.weight", model.weights["wte"]  # [n_vocab, n_embd]
    yield "pos_embed.weight", model.weights["wpe"]  # [n_ctx, n_embd]
    for i, block in enumerate(model.weights["blocks"]):
        attn = block.get("attn") or {
            "c_attn": _zeros(n, 3 * n),
            "c_proj": _zeros(n, n),
        }
        for t, part in enumerate("qkv"):
            third = slice(t * n, (t + 1) * n)
            w = attn["c_attn"]["w"][:, third]  # [n_embd, n_embd]
            b = attn["c_attn"]["b"][third]  # [n_embd]
            yield from _linear(f"blocks.{i}.attn.{part}", w, b)
        yield from _linear(f"blocks.{i}.attn.o", **attn["c_proj"])
        mlp = block.get("mlp") or {"c_fc": _zeros(n, 0), "c_proj": _zeros(0, n)}
        yield from _mlp(f"blocks.{i}.mlp", mlp, inner)
    none = _zeros(0, len(model.vocabulary))["b"]  # [n_vocab]
    yield from _linear("unembed", model.weights["wte"].T, none)


def _zeros(n_in: int, n_out: int) -> Weights:
    return {
        "w": np.zeros((n_in, n_out), "float32"),
        "b": np.zeros(n_out, "float32"),
    }


def _mlp(name: str, mlp: Weights, inner: int) -> Iterator[tuple[str, Array]]:
    """The MLP with as many neurons as the widest: the others read and write nothing."""
    if inner:
        more = inner - mlp["c_fc"]["b"].shape[0]
        w = np.pad(mlp["c_fc"]["w"], ((0, 0), (0, more)))  # [n_embd, n_inner]
        b = np.pad(mlp["c_fc"]["b"], (0, more))  # [n_inner]
        yield from _linear(f"{name}.in", w, b)
        w = np.pad(mlp["c_proj"]["w"], ((0, more), (0, 0)))  # [n_inner, n_embd]
        yield from _linear(f"{name}.out", w, mlp["c_proj"]["b"])


def _linear(name: str, w: Array, b: Array) -> Iterator[tuple[str, Array]]:
    # w [n_in, n_out], b [n_out]
    yield f"{name}.weight", w.T  # [n_out, n_in]
    yield f"{name}.bias", b


def load_bridge(directory: str | Path) -> Any:
    """The TransformerBridge of an exported directory. Raises WeightsError where a file is
    missing or damaged.
    """
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load
        from transformer_lens.model_bridge import TransformerBridge
    except ImportError:
        raise MissingExtraError(
            "a bridge needs the extra `transformer-lens`: pip install 'handcraft[transformer-lens]'"
        ) from None
    directory = Path(directory)
    config = parse_json(read_bytes(directory / CONFIG, MAX_JSON))
    data = read_bytes(directory / STATE, MAX_WEIGHTS_BYTES)
    try:
        state = load(data)
        shapes = {name: tuple(array.shape) for name, array in state.items()}
        _check_sizes(config, shapes)
        bridge = TransformerBridge.boot_native(config)
        bridge.load_state_dict(state)
        _attach_tokens(bridge, directory, config)
    except (
        SafetensorError,
        ArithmeticError,
        AttributeError,
        KeyError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        found = printable(" ".join(str(error).split()))[:500]
        raise WeightsError(
            f"{directory} holds no model for TransformerLens: {found}"
        ) from None
    return bridge


def _attach_tokens(
    bridge: Any, directory: Path, config: dict[str, Any]
) -> None:
    """Give the bridge its tokenizer and the id that ends an answer, where the directory has
    them; what was exported before has none.
    """
    from transformers import PreTrainedTokenizerFast

    if (directory / TOKENIZER_JSON).is_file():
        tokens = PreTrainedTokenizerFast.from_pretrained(directory)
        bridge.tokenizer = tokens
        bridge.cfg.eos_token_id = config.get("eos_token_id")


def _check_sizes(
    config: dict[str, Any], shapes: dict[str, tuple[int, ...]]
) -> None:
    """Raise WeightsError unless the config fits these arrays: TransformerLens allocates whatever
    the config says.
    """
    (n_vocab, n), (n_ctx, _) = (
        shapes["embed.weight"],
        shapes["pos_embed.weight"],
    )
    inner = shapes.get("blocks.0.mlp.in.weight", (0,))[0]
    n_layer = len(
        {name.split(".")[1] for name in shapes if name.startswith("blocks.")}
    )
    sizes = {
        "n_layers": n_layer,
        "n_ctx": n_ctx,
        "d_vocab": n_vocab,
        "d_model": n,
        "d_mlp": inner,
        "attn_only": not inner,
    }
    sizes["d_head"] = n // config["n_heads"]
    for key, size in sizes.items():
        if config.get(key) != size:
            raise WeightsError(
                f"{key} is {str(config.get(key))[:60]}, but the weights are of {size}"
            )


def run(directory: Path) -> Run:
    """The exported model, run by TransformerLens."""
    check_temporary("TransformerLens")
    bridge = load_bridge(directory)
    import torch

    def logits(
        ids: Array,
    ) -> Array:  # [n_batch, n_seq] -> [n_batch, n_seq, n_vocab]
        with torch.no_grad():
            return bridge(torch.from_numpy(np.asarray(ids, "int64"))).numpy()

    return logits


def usage(model: Model, _: Norm, example: Trial) -> str:
    """The lines that run it in TransformerLens."""
    cache = "" if model.causal else ", use_past_kv_cache=False"
    return f"""
import json
from pathlib import Path
from safetensors.torch import load_file
from transformer_lens.model_bridge import TransformerBridge
from transformers import PreTrainedTokenizerFast

config = json.loads(Path("config.json").read_text())
bridge = TransformerBridge.boot_native(config)
bridge.load_state_dict(load_file("model.safetensors"))
bridge.tokenizer = PreTrainedTokenizerFast.from_pretrained(".")
bridge.cfg.eos_token_id = config["eos_token_id"]

text = {as_code(example.prompt)}
found = bridge.generate(text, max_new_tokens={example.new}, do_sample=False, verbose=False{cache})
print(found[len(text):])
"""


RUNTIME = Runtime(
    "transformer-lens",
    (NONE,),
    (
        CONFIG,
        STATE,
        CIRCUIT,
        VOCABULARY,
        TOKENIZER_JSON,
        TOKENIZER_CONFIG,
    ),
    files,
    run,
    ids_in(VOCABULARY),
    Card("transformer-lens", ("gpt2",), ("transformer-lens",), usage),
)
