r"""Writes a program as one GGUF file for llama.cpp and what is built on it, as its architecture
`gpt2`.

Every block has attention, an MLP and layer norms that do nothing (`norms.MIRROR`); their
epsilon of 2^80 is in the metadata. Linear weights are stored as [n_out, n_in]. llama.cpp's gpt2
is causal and has GELU.

llama.cpp is coarser than float32 in two ways. Its cache and its flash attention hold keys and
values in float16, where large ones are infinite: ask for `--flash-attn off --cache-type-k f32
--cache-type-v f32` (llama-cpp-python: `type_k=0, type_v=0`), or 14 of the 33 bundled programs
answer wrongly. On a CPU it looks GELU up in a table of float16 between -10 and 10, which is
compiled in; a neuron whose inputs lie outside is exact. Past the window it ends its process.

The tokenizer is the one that llama.cpp calls `rwkv`: at each place of the text the longest token
that matches, over UTF-8 bytes, as `Vocabulary.split` does. Its byte-pair tokenizer (`gpt2`) would
not do: merges build other tokens than the longest, tokens declared as the user's are found
longest first wherever they stand ("abcd" with tokens ab and bcd becomes a, bcd), and text without
a token is dropped silently; `rwkv` answers it with the token -1, which llama.cpp refuses to run.

`rwkv` never ends on a byte that begins a token and is not a token itself ("Fo", where Fizz is a
token and F is not). So each such byte becomes a token of its own, a stump, after the program's
tokens. No stump is ever predicted: the unembedding is then a separate tensor, in which a stump
reads -2^96 from a spare column; there the last norm has the gain 0 and the bias 1.

The claim's stop token is the end of the text; without one a program has no end, and llama.cpp
goes on as long as it is asked.

Rules of this file: the same model gives the same bytes; the package gguf is imported only where
it is used. Source: gguf-py 0.19; llama.cpp's `llama-vocab.cpp`, `models/gpt2.cpp` and
`ggml-cpu/vec.h`, read for names and behaviour.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from handcraft.core.errors import (
    MissingExtraError,
    ProgramError,
    WeightsError,
    printable,
)
from handcraft.core.gpt2 import Array, Weights, check_tokens, gpt2, recorder
from handcraft.core.vocabulary import Vocabulary
from handcraft.core.weights import flatten, nest
from handcraft.model import Model
from handcraft.runtimes.names import SUFFIXES, keys, turned
from handcraft.runtimes.norms import MIRROR, Norm, Stock, with_norms
from handcraft.runtimes.target import (
    Card,
    Files,
    Run,
    Runtime,
    Trial,
    as_code,
    check_temporary,
    stop_id,
    without_stop,
)

GGUF_FILE = "model.gguf"
LOW = -(
    2.0**96
)  # of a stump's logit: a program's are below 2^60, and float32 holds it
_PARTS = {
    "ln_1": "attn_norm",
    "attn.c_attn": "attn_qkv",
    "attn.c_proj": "attn_output",
    "ln_2": "ffn_norm",
    "mlp.c_fc": "ffn_up",
    "mlp.c_proj": "ffn_down",
}
WHOLE = {
    "wte": "token_embd.weight",
    "wpe": "position_embd.weight",
    "ln_f.g": "output_norm.weight",
    "ln_f.b": "output_norm.bias",
}
_OUTPUT = "output.weight"
# raised by the reader of the package gguf, on bytes that are not such a file
_DAMAGED = (ValueError, IndexError, OverflowError, OSError)


def files(model: Model, norm: Norm) -> Files:
    """The one file, by its name. Raises ProgramError for a model that llama.cpp's gpt2 cannot
    compute.
    """
    _check(model)
    names = model.vocabulary.tokens
    tokens = [name.encode("utf-8", "surrogatepass") for name in names]
    stumps = sorted({token[:1] for token in tokens} - set(tokens))
    blocks = model.weights["blocks"] or [{}]  # llama.cpp needs one
    weights = {**model.weights, "blocks": blocks}
    stock = with_norms(weights, model.n_head, norm, spare=1 if stumps else 0)
    with _temporary() as directory:
        path = directory / GGUF_FILE
        _write(
            path,
            model,
            stock,
            [_escaped(token) for token in (*tokens, *stumps)],
        )
        return {GGUF_FILE: path.read_bytes()}


@contextlib.contextmanager
def _temporary() -> Iterator[Path]:
    """A temporary directory, as the package gguf writes to files only. Raises WeightsError where
    there is none, or it is full.
    """
    check_temporary("a GGUF file")
    try:
        with tempfile.TemporaryDirectory() as directory:
            yield Path(directory)
    except OSError as error:
        raise WeightsError(
            "a GGUF file is first written to a temporary directory:"
            f" {error.strerror}; set TMPDIR to a folder with more room"
        ) from None


def _check(model: Model) -> None:
    blocks = model.weights["blocks"]
    instead = "build the program with activation='gelu' and causal=True, or export it to onnx"
    if model.activation != "gelu" and any("mlp" in block for block in blocks):
        raise ProgramError(
            f"llama.cpp's gpt2 has no {model.activation} neurons; {instead}",
            (model.name,),
        )
    if not model.causal and any("attn" in block for block in blocks):
        raise ProgramError(
            f"llama.cpp's gpt2 has no attention to later positions; {instead}",
            (model.name,),
        )


def _escaped(token: bytes) -> str:
    r"""The token as the tokenizer reads it: printable ASCII as it is, any other byte and the
    backslash as \xNN.
    """
    return "".join(
        chr(byte) if 32 <= byte < 127 and byte != 92 else f"\\x{byte:02x}"
        for byte in token
    )


def _gguf() -> Any:
    try:
        import gguf
    except ImportError:
        raise MissingExtraError(
            "a GGUF file needs the extra `gguf`: pip install 'handcraft[gguf]'"
        ) from None
    return gguf


# ---------------------------------------------------------------- writing


def _write(path: Path, model: Model, stock: Stock, tokens: list[str]) -> None:
    writer = _gguf().GGUFWriter(path, "gpt2")
    _add_sizes(writer, model, stock)
    _add_tokenizer(writer, model, tokens)
    for name, array in _tensors(stock.weights, len(tokens)).items():
        writer.add_tensor(name, np.ascontiguousarray(array))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_sizes(writer: Any, model: Model, stock: Stock) -> None:
    writer.add_name(model.name)
    writer.add_file_type(_gguf().LlamaFileType.ALL_F32)
    writer.add_context_length(model.n_ctx)
    writer.add_embedding_length(stock.n_embd)
    writer.add_feed_forward_length(stock.n_inner)
    writer.add_block_count(len(stock.weights["blocks"]))
    writer.add_head_count(stock.n_head)
    writer.add_layer_norm_eps(stock.epsilon)


def _add_tokenizer(writer: Any, model: Model, tokens: list[str]) -> None:
    types = _gguf().TokenType
    n_vocab = len(model.vocabulary)
    writer.add_tokenizer_model("rwkv")
    writer.add_token_list(tokens)
    writer.add_token_types(
        [types.NORMAL] * n_vocab + [types.UNUSED] * (len(tokens) - n_vocab)
    )
    writer.add_add_bos_token(False)
    writer.add_add_eos_token(False)
    if (stop := stop_id(model)) is not None:
        writer.add_eos_token_id(stop)


def _tensors(weights: Weights, n_tokens: int) -> dict[str, Array]:
    """The tensors by llama.cpp's names, in the order of the dict."""
    found = {
        _name(key): turned(key, array)
        for key, array in flatten(weights).items()
    }
    stumps = n_tokens - len(weights["wte"])
    if not stumps:
        return found  # the unembedding is tied
    # [n_vocab, n_embd] -> [n_tokens, n_embd]
    wte = np.pad(weights["wte"], ((0, stumps), (0, 0)))
    output = wte.copy()  # [n_tokens, n_embd]
    bias = weights["ln_f"]["b"].copy()  # [n_embd]
    output[-stumps:, -1], bias[-1] = LOW, 1  # the spare column, 0 in all else
    return {**found, WHOLE["wte"]: wte, WHOLE["ln_f.b"]: bias, _OUTPUT: output}


def _name(key: str) -> str:
    """The name of a weight: blocks.0.attn.c_attn.w is blk.0.attn_qkv.weight."""
    if key in WHOLE:
        return WHOLE[key]
    _, i, *part, leaf = key.split(".")
    return f"blk.{i}.{_PARTS['.'.join(part)]}.{SUFFIXES[leaf]}"


# ---------------------------------------------------------------- reading it again


def run(directory: Path) -> Run:
    """The forward pass in NumPy over the contents of the file, as the package gguf reads them.
    Raises WeightsError for a file that it refuses.
    """
    tensors, fields = _read(directory / GGUF_FILE)
    try:
        names = keys(fields["gpt2.block_count"])
        weights = nest({key: turned(key, tensors[_name(key)]) for key in names})
        config = {
            "n_head": fields["gpt2.attention.head_count"],
            "epsilon": fields["gpt2.attention.layer_norm_epsilon"],
        }
        # [n_tokens]
        own = (
            np.array(fields["tokenizer.ggml.token_type"])
            == _gguf().TokenType.NORMAL
        )
    except KeyError as error:
        raise WeightsError(
            f"{directory / GGUF_FILE}: {error} is missing"
        ) from None
    rows = weights["wte"]  # [n_tokens, n_embd]
    if _OUTPUT in tensors:
        rows = tensors[_OUTPUT]
    unembed = rows[own].T  # [n_embd, n_vocab]

    def logits(
        ids: Array,
    ) -> Array:  # [n_batch, n_seq] -> [n_batch, n_seq, n_vocab]
        seen: dict[str, Array] = {}
        check_tokens(ids, {**weights, "wte": weights["wte"][own]})
        gpt2(ids, **weights, **config, hook=recorder(seen))
        return seen["resid_final"] @ unembed

    return logits


def _read(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """The tensors and the metadata by their names."""
    gguf = _gguf()
    try:
        reader = gguf.GGUFReader(path)
        tensors = {tensor.name: tensor.data for tensor in reader.tensors}
        fields = {
            name: field.contents() for name, field in reader.fields.items()
        }
    except _DAMAGED as error:
        raise WeightsError(
            f"{path}: the package gguf refuses this file: {printable(str(error))}"
        ) from None
    return tensors, fields


def _vocabulary(directory: Path) -> Vocabulary:
    """The tokens without the stumps, as the tokenizer would read them."""
    _, fields = _read(directory / GGUF_FILE)
    tokens = fields["tokenizer.ggml.tokens"]
    kinds = fields["tokenizer.ggml.token_type"]
    normal = _gguf().TokenType.NORMAL
    rows = zip(tokens, kinds, strict=True)
    return Vocabulary(
        tuple(_unescaped(token) for token, kind in rows if kind == normal)
    )


def _unescaped(token: str) -> str:
    def byte(found: re.Match[bytes]) -> bytes:
        return bytes([int(found[1], 16)])

    data = re.sub(rb"\\x([0-9a-f]{2})", byte, token.encode("ascii"))
    return data.decode("utf-8", "surrogatepass")


def usage(_: Model, __: Norm, example: Trial) -> str:
    """The lines that run it in llama.cpp, by its package for Python."""
    return f"""
from llama_cpp import Llama

llama = Llama("model.gguf", n_ctx=0, type_k=0, type_v=0, flash_attn=False, verbose=False)
found = llama({as_code(example.prompt)}, max_tokens={example.new}, temperature=0)
print(found["choices"][0]["text"])
"""


RUNTIME = Runtime(
    "gguf",
    (MIRROR,),
    (GGUF_FILE,),
    files,
    run,
    _vocabulary,
    Card(
        "gguf",
        ("gpt2", "llama.cpp"),
        ("llama-cpp-python",),
        usage,
        without_stop,
    ),
)
