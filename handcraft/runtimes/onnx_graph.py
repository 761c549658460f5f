"""The program as one ONNX file: the forward pass as a graph, as small as the weights it has.

    tokens int64 [n_batch, n_seq]  ->  logits float32 [n_batch, n_seq, n_vocab]        both
    lengths are free

Initializers have GPT-2's own keys (`blocks.0.attn.c_attn.w`), values the names of `handcraft
trace` (`blocks.0.attn.pattern`), a node that of the value it makes. What the weights lack
(layer norms, an MLP, an attention) has no node. The file needs no other: its metadata hold the
program's name, `n_ctx` and the vocabulary.

A position past the window and an id outside the vocabulary are looked up where no row is, so
that a runtime refuses them: a slice of `wpe` would be cut silently, and an id below 0 would
count from the end. (onnxruntime makes such a slice itself of a `Gather` that reads a `Range`;
an `Unsqueeze` between them keeps it from that.) `Gelu` with `approximate="tanh"` is GPT-2's;
onnxruntime 1.32 computes it as near as the formula written out (1.7e-7 of x at most, NumPy's
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
from handcraft.runtimes.target import Files, Run, Runtime, ids_in, ids_to_bytes

ONNX_FILE, VOCAB = "model.onnx", "vocab.json"
_MOST_BYTES = 2**31 - 2**24  # bytes: a file is one message of protobuf, below 2 GiB
OPSET, IR_VERSION = (
    20,
    9,
)  # the first opset with Gelu, and the file format that came with it
_OPERATORS: dict[str, tuple[str, dict[str, str]]] = {
    "gelu": ("Gelu", {"approximate": "tanh"}),
    "relu": ("Relu", {}),
}


def files(model: Model, _: Norm) -> Files:
    """The graph, and the vocabulary as GPT-2 writes one: ids by token. Raises WeightsError for
    weights past 2 GiB.
    """
    if (
        size := sum(array.nbytes for array in flatten(model.weights).values())
    ) > _MOST_BYTES:
        raise WeightsError(
            f"one ONNX file holds at most {_MOST_BYTES} bytes of weights, this model has {size}"
        )
    return {ONNX_FILE: _bytes(model), VOCAB: ids_to_bytes(model)}


def _bytes(model: Model) -> bytes:
    onnx = _onnx()
    helper = onnx.helper
    graph = _Graph(helper, onnx.numpy_helper)
    _forward(graph, model)
    tokens = helper.make_tensor_value_info(
        "tokens", onnx.TensorProto.INT64, ["n_batch", "n_seq"]
    )
    logits = helper.make_tensor_value_info(
        "logits", onnx.TensorProto.FLOAT, ["n_batch", "n_seq", len(model.vocabulary)]
    )
    made = helper.make_model(
        helper.make_graph(graph.nodes, model.name, [tokens], [logits], graph.held),
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
    """Nodes and the arrays they read, in the order they were added. What is added is named, and
    answers with its name.
    """

    def __init__(self, helper: Any, numpy_helper: Any) -> None:
        self.helper, self.numpy_helper = helper, numpy_helper
        self.nodes: list[Any] = []
        self.held: list[Any] = []

    def add(self, name: str, op: str, *inputs: str, **attributes: Any) -> str:
        """The value that an operator makes of others."""
        self.nodes.append(
            self.helper.make_node(op, list(inputs), [name], name=name, **attributes)
        )
        return name

    def split(self, names: list[str], whole: str) -> list[str]:
        """Equal parts of the last axis."""
        self.nodes.append(
            self.helper.make_node(
                "Split",
                [whole],
                names,
                name=whole + ".split",
                axis=-1,
                num_outputs=len(names),
            )
        )
        return names

    def hold(self, name: str, value: Any, dtype: str = "int64") -> str:
        """A constant array."""
        self.held.append(
            self.numpy_helper.from_array(np.array(value, dtype, order="C"), name)
        )
        return name

    def linear(self, name: str, x: str, key: str) -> str:  # [..., n_in] -> [..., n_out]
        """`x @ w + b`, with the weights of this key."""
        return self.add(
            name,
            "Add",
            self.add(f"{name}.product", "MatMul", x, f"{key}.w"),
            f"{key}.b",
        )


def _forward(
    graph: _Graph, model: Model
) -> None:  # tokens [n_batch, n_seq] -> logits [n_batch, n_seq, n_vocab]
    for key, array in flatten(model.weights).items():
        graph.hold(key, array, "float32")
    x = _embedded(graph, len(model.vocabulary))
    if model.causal and any("attn" in block for block in model.weights["blocks"]):
        _see_the_past(graph)
    for i, block in enumerate(model.weights["blocks"]):
        at = f"blocks.{i}"
        if "attn" in block:
            x = graph.add(
                f"{at}.resid_mid",
                "Add",
                x,
                _attention(
                    graph, _normed(graph, x, f"{at}.ln_1", block, model), at, model
                ),
            )
        if "mlp" in block:
            x = graph.add(
                f"{at}.resid_post",
                "Add",
                x,
                _mlp(graph, _normed(graph, x, f"{at}.ln_2", block, model), at, model),
            )
    x = _normed(graph, x, "ln_f", model.weights, model)
    graph.add(
        "logits", "MatMul", x, graph.add("unembed", "Transpose", "wte", perm=[1, 0])
    )


def _embedded(
    graph: _Graph, n_vocab: int
) -> str:  # [n_batch, n_seq] -> [n_batch, n_seq, n_embd]
    zero, one = graph.hold("zero", 0), graph.hold("one", 1)
    n_seq = graph.add(
        "n_seq", "Squeeze", graph.add("tokens.shape", "Shape", "tokens", start=1, end=2)
    )
    graph.add("positions", "Range", zero, n_seq, one)  # [n_seq]
    places = graph.add(
        "places", "Unsqueeze", "positions", graph.hold("first_axis", [0])
    )  # [1, n_seq]
    below = graph.add("tokens.below", "Less", "tokens", zero)
    ids = graph.add(
        "tokens.refused_below", "Where", below, graph.hold("n_vocab", n_vocab), "tokens"
    )  # [n_batch, n_seq]
    embed, place = (
        graph.add("embed", "Gather", "wte", ids),
        graph.add("pos_embed", "Gather", "wpe", places),
    )
    return graph.add("embedded", "Add", embed, place)


def _see_the_past(
    graph: _Graph,
) -> None:  # positions [n_seq] -> visible [n_query, n_key]
    queries = graph.add(
        "queries", "Unsqueeze", "positions", graph.hold("last_axis", [-1])
    )  # [n_query, 1]
    graph.add("visible", "GreaterOrEqual", queries, "positions")
    graph.hold("minus_infinity", -math.inf, "float32")


def _normed(
    graph: _Graph, x: str, name: str, block: Weights, model: Model
) -> str:  # [..., n_embd] -> [..., n_embd]
    if block.get(name.rpartition(".")[2]) is None:
        return x
    return graph.add(
        name,
        "LayerNormalization",
        x,
        f"{name}.g",
        f"{name}.b",
        axis=-1,
        epsilon=model.epsilon,
    )


def _attention(
    graph: _Graph, x: str, at: str, model: Model
) -> str:  # [n_batch, n_seq, n_embd] -> the same
    n_head, d_head, at = model.n_head, model.n_embd // model.n_head, f"{at}.attn"
    parts = graph.split(
        [f"{at}.{part}.merged" for part in "qkv"],
        graph.linear(f"{at}.qkv", x, f"{at}.c_attn"),
    )
    apart = graph.hold(
        f"{at}.heads", [0, 0, n_head, d_head]
    )  # 0 keeps n_batch, and n_seq
    heads = [
        graph.add(f"{part}.heads", "Reshape", part, apart) for part in parts
    ]  # [n_batch, n_seq, n_head, d_head]
    q, v = (
        graph.add(f"{at}.{part}", "Transpose", heads[i], perm=[0, 2, 1, 3])
        for part, i in (("q", 0), ("v", 2))
    )
    k = graph.add(
        f"{at}.k.T", "Transpose", heads[1], perm=[0, 2, 3, 1]
    )  # [n_batch, n_head, d_head, n_key]
    root = graph.hold(f"{at}.root", math.sqrt(d_head), "float32")
    scores = graph.add(
        f"{at}.scores", "Div", graph.add(f"{at}.products", "MatMul", q, k), root
    )  # [..., n_query, n_key]
    seen = (
        graph.add(f"{at}.seen", "Where", "visible", scores, "minus_infinity")
        if model.causal
        else scores
    )
    z = graph.add(
        f"{at}.z", "MatMul", graph.add(f"{at}.pattern", "Softmax", seen, axis=-1), v
    )  # [..., n_query, d_head]
    merged = graph.add(
        f"{at}.z.T", "Transpose", z, perm=[0, 2, 1, 3]
    )  # [n_batch, n_seq, n_head, d_head]
    together = graph.hold(f"{at}.together", [0, 0, model.n_embd])
    return graph.linear(
        f"{at}_out",
        graph.add(f"{at}.z.merged", "Reshape", merged, together),
        f"{at}.c_proj",
    )


def _mlp(
    graph: _Graph, x: str, at: str, model: Model
) -> str:  # [n_batch, n_seq, n_embd] -> the same
    op, attributes = _OPERATORS[model.activation]
    pre = graph.linear(
        f"{at}.mlp.pre", x, f"{at}.mlp.c_fc"
    )  # [n_batch, n_seq, n_inner]
    return graph.linear(
        f"{at}.mlp_out",
        graph.add(f"{at}.mlp.post", op, pre, **attributes),
        f"{at}.mlp.c_proj",
    )


# ---------------------------------------------------------------- running it again


def run(directory: Path) -> Run:
    """The file through onnxruntime, on one thread. Raises WeightsError for a file that
    onnxruntime refuses.
    """
    session = _session(directory / ONNX_FILE)

    def logits(ids: Array) -> Array:  # [n_batch, n_seq] -> [n_batch, n_seq, n_vocab]
        try:
            found: Array = session.run(
                ["logits"], {"tokens": np.asarray(ids, np.int64)}
            )[0]
        except (
            Exception
        ) as error:  # onnxruntime has a dozen exceptions of its own, and no common one
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


RUNTIME = Runtime("onnx", (NONE,), (ONNX_FILE, VOCAB), files, run, ids_in(VOCAB))
