"""What `rasp.compile_rasp_to_model` returns, by the names that users of Tracr know.

    model = rasp.compile_rasp_to_model(hist, {"a", "b"}, max_seq_len=20)
    out = model.apply(["compiler_bos", "a", "b", "a"])
    out.decoded         ["compiler_bos", 2, 1, 2]
    model.model         the same as a handcraft Model: save, export, verify

Arrays have a first axis of one text. Rules of this file: it only gives names to what the model has.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from handcraft.core.errors import printable
from handcraft.core.gpt2 import Array, finite, trace
from handcraft.model import Model


@dataclass(frozen=True)
class AppliedModel:
    """The run of a model on one text.

    decoded             a value a token, the first of them the token that begins every text
    unembedded          the ids of the values, or the values where all are numbers: [1, n]
    layer_outputs       what each sublayer adds to the stream, attention and MLP of each block
    residuals           the stream after each
    attn_logits         the scores of each block: [1, n_head, n, n]
    transformer_output  the stream at the end: [1, n, d]
    input_embeddings    the stream at the beginning
    """

    decoded: list[Any]
    unembedded: Array
    layer_outputs: list[Array]
    residuals: list[Array]
    attn_logits: list[Array]
    transformer_output: Array
    input_embeddings: Array


class Encoder:
    """Turns tokens, or values, into ids and back.

    encoding_map  {token: its id}
    """

    def __init__(
        self, encoding_map: Mapping[Any, int], begin: Any, pad: Any
    ) -> None:
        self.encoding_map = dict(encoding_map)
        self.bos_token, self.pad_token = begin, pad

    @cached_property
    def _objects(self) -> dict[int, Any]:
        return {i: token for token, i in self.encoding_map.items()}

    @property
    def vocab_size(self) -> int:
        """The number of tokens."""
        return len(self.encoding_map)

    @property
    def bos_encoding(self) -> int:
        """The id of the token that begins every text."""
        return self.encoding_map[self.bos_token]

    def encode(self, inputs: Iterable[Any]) -> list[int]:
        """The id of each token. Raises ValueError for one that there is not."""
        return [self._id(token) for token in _listed(inputs)]

    def _id(self, token: Any) -> int:
        known = isinstance(token, Hashable) and token in self.encoding_map
        if not known:
            there = ", ".join(printable(repr(x)) for x in self.encoding_map)
            raise ValueError(
                f"{printable(repr(token))[:60]} is not in the vocabulary; there is {there:.200}"
            )
        return self.encoding_map[token]

    def decode(self, encodings: Iterable[Any]) -> list[Any]:
        """The token of each id. Raises ValueError for one that there is not."""
        found = []
        for i in _listed(encodings):
            if i not in self._objects:
                raise ValueError(
                    f"there is no id {printable(repr(i))[:60]}; ids are"
                    f" {min(self._objects)} to {max(self._objects)}"
                )
            found.append(self._objects[i])
        return found


class NumberEncoder(Encoder):
    """Values that are numbers, which stand for themselves.

    numbers  the values
    """

    def __init__(self, numbers: Iterable[Any], begin: Any, pad: Any) -> None:
        super().__init__({begin: 0}, begin, pad)
        self._numbers = {float(x): x for x in numbers}

    def encode(self, inputs: Iterable[Any]) -> list[Any]:
        """The numbers themselves."""
        return [float(x) for x in _listed(inputs)]

    def decode(self, encodings: Iterable[Any]) -> list[Any]:
        """The values of numbers; what is no number is the token that begins every text."""
        return [
            self.bos_token if math.isnan(x) else self._numbers.get(x, x)
            for x in map(float, _listed(encodings))
        ]


def _listed(given: Any) -> list[Any]:
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ValueError(  # noqa: TRY004  # as a wrong token of a list
            f"takes a list of tokens, found {printable(repr(given))[:60]}"
        )
    return list(given)


@dataclass(frozen=True)
class ModelConfig:
    """The sizes of a model."""

    num_heads: int
    num_layers: int
    key_size: int
    mlp_hidden_size: int
    dropout_rate: float
    activation_function: str
    layer_norm: bool
    causal: bool


@dataclass(frozen=True, eq=False)
class AssembledTransformerModel:
    """A compiled program.

    model            the handcraft Model
    input_encoder    tokens and their ids
    output_encoder   values and what `unembedded` has for them
    residual_labels  a name a lane of the stream
    answers          the value of each id that is an answer
    """

    model: Model
    input_encoder: Encoder
    output_encoder: Encoder
    residual_labels: list[str]
    answers: Mapping[int, Any]
    pad: Any

    @property
    def bos_token(self) -> Any:
        """The token that begins every text."""
        return self.input_encoder.bos_token

    @property
    def max_seq_len(self) -> int:
        """The most tokens of a text, without the first."""
        return self.model.n_ctx - 1

    def apply(self, tokens: Sequence[Any]) -> AppliedModel:
        """The run of the model on a text, which begins with `bos_token`; padding at the end is
        left out. Raises ValueError for any other text.
        """
        ids, padding = self._ids(tokens)
        seen = trace(np.array(ids), self.model.weights, **self.model.config)
        finite(seen["logits"])
        best = [self._best(row) for row in seen["logits"][1:]]
        unembedded = self._unembedded(best)
        decoded = [self.bos_token, *(self.answers[i] for i in best)]
        arrays = {name: array[None] for name, array in seen.items()}
        blocks = range(self.model.n_layer)
        after = [
            f"blocks.{i}.resid_{at}" for i in blocks for at in ("mid", "post")
        ]
        parts = [
            f"blocks.{i}.{part}_out" for i in blocks for part in ("attn", "mlp")
        ]
        start = arrays["embed"] + arrays["pos_embed"]
        return AppliedModel(
            decoded=[*decoded, *[self.pad] * padding],
            unembedded=unembedded,
            layer_outputs=[arrays.get(x, np.zeros_like(start)) for x in parts],
            residuals=[arrays[name] for name in after],
            attn_logits=[self._scores(arrays, i) for i in blocks],
            transformer_output=arrays["resid_final"],
            input_embeddings=start,
        )

    def _best(self, logits: Array) -> int:
        return max(self.answers, key=lambda i: float(logits[i]))

    def _unembedded(self, best: Sequence[int]) -> Array:
        if isinstance(self.output_encoder, NumberEncoder):
            numbers = [math.nan, *(float(self.answers[i]) for i in best)]
            return np.array([numbers])
        return np.array([[self.output_encoder.bos_encoding, *best]])

    def _scores(self, arrays: Mapping[str, Array], i: int) -> Array:
        n = arrays["embed"].shape[1]
        return arrays.get(f"blocks.{i}.attn.scores", np.zeros((1, 0, n, n)))

    def _ids(self, tokens: Sequence[Any]) -> tuple[list[int], int]:
        given = _listed(tokens)
        length = len(given)
        while given and _same(given[-1], self.pad):
            given.pop()
        begin = printable(repr(self.bos_token))[:60]
        if len(given) < 2 or not _same(given[0], self.bos_token):
            raise ValueError(
                f"a text is {begin} and at least one token, found"
                f" {printable(repr(tokens))[:60]}"
            )
        if any(_same(x, self.bos_token) for x in given[1:]):
            raise ValueError(f"{begin} stands before a text, and nowhere in it")
        if len(given) - 1 > self.max_seq_len:
            raise ValueError(
                f"the text has {len(given) - 1} tokens, and max_seq_len is {self.max_seq_len}"
            )
        return self.input_encoder.encode(given), length - len(given)

    @cached_property
    def params(self) -> dict[str, dict[str, Array]]:
        """The weights by the names that Haiku gives them."""
        weights = self.model.weights
        found = {
            "token_embed": {"embeddings": weights["wte"]},
            "pos_embed": {"embeddings": weights["wpe"]},
        }
        for i, block in enumerate(weights["blocks"]):
            found |= _attention(f"transformer/layer_{i}/attn", block)
            found |= _mlp(f"transformer/layer_{i}/mlp", block)
        return found

    @property
    def model_config(self) -> ModelConfig:
        """The sizes of the model."""
        model = self.model
        inner = (
            b["mlp"]["c_fc"]["w"].shape[1]
            for b in model.weights["blocks"]
            if "mlp" in b
        )
        return ModelConfig(
            num_heads=model.n_head,
            num_layers=model.n_layer,
            key_size=model.n_embd // model.n_head,
            mlp_hidden_size=max(inner, default=0),
            dropout_rate=0.0,
            activation_function=str(model.activation),
            layer_norm=False,
            causal=model.causal,
        )


def _same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and bool(a == b)


def _attention(
    name: str, block: Mapping[str, Any]
) -> dict[str, dict[str, Array]]:
    if "attn" not in block:
        return {}
    w, b = (block["attn"]["c_attn"][part] for part in ("w", "b"))
    columns = np.split(w, 3, axis=1), np.split(b, 3)  # [d, 3 d] -> [d, d] each
    found = {
        f"{name}/{part}": {"w": columns[0][i], "b": columns[1][i]}
        for i, part in enumerate(("query", "key", "value"))
    }
    return {**found, f"{name}/linear": dict(block["attn"]["c_proj"])}


def _mlp(name: str, block: Mapping[str, Any]) -> dict[str, dict[str, Array]]:
    if "mlp" not in block:
        return {}
    parts = {"linear_1": "c_fc", "linear_2": "c_proj"}
    return {
        f"{name}/{own}": dict(block["mlp"][key]) for own, key in parts.items()
    }
