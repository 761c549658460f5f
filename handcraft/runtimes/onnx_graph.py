"""Writes a program as one ONNX file: the forward pass as a graph, as small as the weights it has.

    tokens int64 [n_batch, n_seq]  ->  logits float32 [n_batch, n_seq, n_vocab]

The graph takes any n_batch and n_seq.

Initializers have GPT-2's own keys (`blocks.0.attn.c_attn.w`), values the names of `handcraft
trace` (`blocks.0.attn.pattern`), a node the name of the value it makes. A layer norm, an MLP or
an attention that the weights lack has no node. The metadata of the file hold the program's name,
`n_ctx` and the vocabulary.

A position past the window and an id outside the vocabulary must be refused by the runtime, so
both are looked up in a row that does not exist: a slice of `wpe` would be cut silently, and an
id below 0 would count from the end. (onnxruntime turns a `Gather` that reads a `Range` into such
a slice; an `Unsqueeze` between them prevents that.) `Gelu` with `approximate="tanh"` is GPT-2's;
onnxruntime 1.32 computes it as exactly as the formula written out (1.7e-7 of x at most, NumPy's
1.2e-7; both in float32).

Rules of this file: the same model gives the same bytes; onnx and onnxruntime are imported only
where they are used. Source: the ONNX operators of opset 20; no exporter.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

import handcraft
from handcraft.core.errors import (
    MissingExtraError,
    PromptError,
    WeightsError,
    printable,
)
from handcraft.core.gpt2 import Array, Weights
from handcraft.core.weights import flatten
from handcraft.model import Model
from handcraft.runtimes.norms import NONE, Norm
from handcraft.runtimes.target import (
    Card,
    Files,
    Run,
    Runtime,
    Trial,
    as_code,
    ids_in,
    ids_to_bytes,
)

ONNX_FILE, VOCAB = "model.onnx", "vocab.json"
_MOST_BYTES = (
    2**31 - 2**24
)  # bytes: a file is one message of protobuf, below 2 GiB
OPSET, IR_VERSION = (
    20,
    9,
)  # the first opset with Gelu, and the file format of its time
_OPERATORS: dict[str, tuple[str, dict[str, str]]] = {
    "gelu": ("Gelu", {"approximate": "tanh"}),
    "relu": ("Relu", {}),
}


def files(model: Model, _: Norm) -> Files:
    """The graph and the vocabulary (ids by token, as GPT-2 writes one), by file name. Raises
    WeightsError for weights past 2 GiB.
    """
    size = sum(array.nbytes for array in flatten(model.weights).values())
    if size > _MOST_BYTES:
        raise WeightsError(
            f"one ONNX file holds at most {_MOST_BYTES} bytes of weights, this model has {size}"
        )
    return {ONNX_FILE: _bytes(model), VOCAB: ids_to_bytes(model)}


def _bytes(model: Model) -> bytes:
    onnx = _onnx()
    helper = onnx.helper
    graph = _Graph(helper, onnx.numpy_helper)
    _forward(graph, model)
    types = onnx.TensorProto
    shape = ["n_batch", "n_seq"]
    tokens = helper.make_tensor_value_info("tokens", types.INT64, shape)
    logits_shape = [*shape, len(model.vocabulary)]
    logits = helper.make_tensor_value_info("logits", types.FLOAT, logits_shape)
    made = helper.make_model(
        helper.make_graph(
            graph.nodes, model.name, [tokens], [logits], graph.held
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="handcraft",
        producer_version=handcraft.__version__,
    )
    helper.set_model_props(made, _metadata(model))
    onnx.checker.check_model(made, full_check=True)
    return made.SerializeToString(deterministic=True)


def _metadata(model: Model) -> dict[str, str]:
    return {
        "name": model.name,
        "n_ctx": str(model.n_ctx),
        "vocabulary": json.dumps(model.vocabulary.tokens),
    }


def _onnx() -> Any:
    try:
        import onnx
    except ImportError:
        raise MissingExtraError(
            "an ONNX file needs the extra `onnx`: pip install 'handcraft[onnx]'"
        ) from None
    return onnx


# ---------------------------------------------------------------- the graph


class _Graph:
    """Nodes and the arrays they read, in the order they were added. Each method returns the name of
    the value that it adds.
    """

    def __init__(self, helper: Any, numpy_helper: Any) -> None:
        self.helper = helper
        self.numpy_helper = numpy_helper
        self.nodes: list[Any] = []
        self.held: list[Any] = []

    def add(self, name: str, op: str, *inputs: str, **attributes: Any) -> str:
        """Add the value that an operator makes of others."""
        made = self.helper.make_node(
            op, list(inputs), [name], name=name, **attributes
        )
        self.nodes.append(made)
        return name

    def split(self, names: list[str], whole: str) -> list[str]:
        """Add equal parts of the last axis."""
        attributes = {"axis": -1, "num_outputs": len(names)}
        made = self.helper.make_node(
            "Split", [whole], names, name=whole + ".split", **attributes
        )
        self.nodes.append(made)
        return names

    def hold(self, name: str, value: Any, dtype: str = "int64") -> str:
        """Add a constant array."""
        array = np.array(value, dtype, order="C")
        self.held.append(self.numpy_helper.from_array(array, name))
        return name

    def linear(
        self, name: str, x: str, key: str
    ) -> str:  # [..., n_in] -> [..., n_out]
        """Add `x @ w + b`, with the weights of this key."""
        product = self.add(f"{name}.product", "MatMul", x, f"{key}.w")
        return self.add(name, "Add", product, f"{key}.b")


def _forward(graph: _Graph, model: Model) -> None:
    # tokens [n_batch, n_seq] -> logits [n_batch, n_seq, n_vocab]
    for key, array in flatten(model.weights).items():
        graph.hold(key, array, "float32")
    x = _embedded(graph, len(model.vocabulary))
    if model.causal and any(
        "attn" in block for block in model.weights["blocks"]
    ):
        _see_the_past(graph)
    for i, block in enumerate(model.weights["blocks"]):
        at = f"blocks.{i}"
        if "attn" in block:
            normed = _normed(graph, x, f"{at}.ln_1", block, model)
            added = _attention(graph, normed, at, model)
            x = graph.add(f"{at}.resid_mid", "Add", x, added)
        if "mlp" in block:
            normed = _normed(graph, x, f"{at}.ln_2", block, model)
            added = _mlp(graph, normed, at, model)
            x = graph.add(f"{at}.resid_post", "Add", x, added)
    x = _normed(graph, x, "ln_f", model.weights, model)
    unembed = graph.add("unembed", "Transpose", "wte", perm=[1, 0])
    graph.add("logits", "MatMul", x, unembed)


def _embedded(graph: _Graph, n_vocab: int) -> str:
    # [n_batch, n_seq] -> [n_batch, n_seq, n_embd]
    zero = graph.hold("zero", 0)
    one = graph.hold("one", 1)
    shape = graph.add("tokens.shape", "Shape", "tokens", start=1, end=2)
    n_seq = graph.add("n_seq", "Squeeze", shape)
    positions = graph.add("positions", "Range", zero, n_seq, one)  # [n_seq]
    first_axis = graph.hold("first_axis", [0])
    places = graph.add(
        "places", "Unsqueeze", positions, first_axis
    )  # [1, n_seq]
    below = graph.add("tokens.below", "Less", "tokens", zero)
    refused = graph.hold("n_vocab", n_vocab)  # an id that no row has
    name = "tokens.refused_below"
    ids = graph.add(name, "Where", below, refused, "tokens")  # [n_batch, n_seq]
    embed = graph.add("embed", "Gather", "wte", ids)
    place = graph.add("pos_embed", "Gather", "wpe", places)
    return graph.add("embedded", "Add", embed, place)


def _see_the_past(graph: _Graph) -> None:
    # positions [n_seq] -> visible [n_query, n_key]
    last_axis = graph.hold("last_axis", [-1])
    queries = graph.add(
        "queries", "Unsqueeze", "positions", last_axis
    )  # [n_query, 1]
    graph.add("visible", "GreaterOrEqual", queries, "positions")
    graph.hold("minus_infinity", -math.inf, "float32")


def _normed(
    graph: _Graph, x: str, name: str, block: Weights, model: Model
) -> str:
    # [..., n_embd] -> [..., n_embd]
    if block.get(name.rpartition(".")[2]) is None:
        return x
    attributes = {"axis": -1, "epsilon": model.epsilon}
    gain = f"{name}.g"
    bias = f"{name}.b"
    return graph.add(name, "LayerNormalization", x, gain, bias, **attributes)


def _attention(graph: _Graph, x: str, at: str, model: Model) -> str:
    # [n_batch, n_seq, n_embd] -> the same
    n_head = model.n_head
    d_head = model.n_embd // model.n_head
    at = f"{at}.attn"
    qkv = graph.linear(
        f"{at}.qkv", x, f"{at}.c_attn"
    )  # [n_batch, n_seq, 3 n_embd]
    parts = graph.split([f"{at}.{part}.merged" for part in "qkv"], qkv)
    apart = graph.hold(
        f"{at}.heads", [0, 0, n_head, d_head]
    )  # 0 keeps a length
    # [n_batch, n_seq, n_head, d_head] each
    q, k, v = (
        graph.add(f"{part}.heads", "Reshape", part, apart) for part in parts
    )
    q = graph.add(f"{at}.q", "Transpose", q, perm=[0, 2, 1, 3])
    v = graph.add(f"{at}.v", "Transpose", v, perm=[0, 2, 1, 3])
    # [n_batch, n_head, d_head, n_key]
    k = graph.add(f"{at}.k.T", "Transpose", k, perm=[0, 2, 3, 1])
    root = graph.hold(f"{at}.root", math.sqrt(d_head), "float32")
    products = graph.add(f"{at}.products", "MatMul", q, k)
    seen = graph.add(
        f"{at}.scores", "Div", products, root
    )  # [..., n_query, n_key]
    if model.causal:
        seen = graph.add(
            f"{at}.seen", "Where", "visible", seen, "minus_infinity"
        )
    pattern = graph.add(f"{at}.pattern", "Softmax", seen, axis=-1)
    z = graph.add(f"{at}.z", "MatMul", pattern, v)  # [..., n_query, d_head]
    # [n_batch, n_seq, n_head, d_head] -> [n_batch, n_seq, n_embd]
    turned = graph.add(f"{at}.z.T", "Transpose", z, perm=[0, 2, 1, 3])
    together = graph.hold(f"{at}.together", [0, 0, model.n_embd])
    merged = graph.add(f"{at}.z.merged", "Reshape", turned, together)
    return graph.linear(f"{at}_out", merged, f"{at}.c_proj")


def _mlp(graph: _Graph, x: str, at: str, model: Model) -> str:
    # [n_batch, n_seq, n_embd] -> the same
    op, attributes = _OPERATORS[model.activation]
    pre = graph.linear(f"{at}.mlp.pre", x, f"{at}.mlp.c_fc")  # [..., n_inner]
    post = graph.add(f"{at}.mlp.post", op, pre, **attributes)
    return graph.linear(f"{at}.mlp_out", post, f"{at}.mlp.c_proj")


# ---------------------------------------------------------------- running it again


def run(directory: Path) -> Run:
    """The file run by onnxruntime, on one thread. Raises WeightsError for a file that onnxruntime
    refuses.
    """
    session = _session(directory / ONNX_FILE)

    def logits(
        ids: Array,
    ) -> Array:  # [n_batch, n_seq] -> [n_batch, n_seq, n_vocab]
        tokens = np.asarray(ids, np.int64)
        try:
            found: Array = session.run(["logits"], {"tokens": tokens})[0]
        except Exception as error:  # onnxruntime's own have no common base
            raise PromptError(
                f"onnxruntime refuses these ids: {printable(str(error))}"
            ) from None
        return found

    return logits


def _session(path: Path) -> Any:
    try:
        import onnxruntime
    except ImportError:
        raise MissingExtraError(
            "running an ONNX file needs the extra `onnx`: pip install 'handcraft[onnx]'"
        ) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # fatal only: what is refused is raised
    try:
        return onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        raise WeightsError(
            f"{path}: onnxruntime refuses this file: {printable(str(error))}"
        ) from None


def usage(_: Model, __: Norm, example: Trial) -> str:
    """The lines that run it in onnxruntime."""
    return f"""
import json
from pathlib import Path

import numpy
import onnxruntime

session = onnxruntime.InferenceSession("model.onnx")
vocabulary = json.loads(Path("vocab.json").read_text())
ids = [vocabulary[token] for token in {as_code(example.tokens)}]
for _ in range({example.new}):
    (logits,) = session.run(None, {{"tokens": numpy.array([ids])}})  # [1, n_seq, n_vocab]
    ids.append(int(logits[0, -1].argmax()))
print("".join(list(vocabulary)[i] for i in ids[-{example.new}:]))
"""


RUNTIME = Runtime(
    "onnx",
    (NONE,),
    (ONNX_FILE, VOCAB),
    files,
    run,
    ids_in(VOCAB),
    Card("onnx", ("gpt2",), ("onnxruntime", "numpy"), usage),
)
