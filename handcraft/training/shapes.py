"""Says which arrays a model that is trained has, and draws what they are before the first step.

Where there are layer norms they rescale the stream, and matrices are drawn as GPT-2's: normal with
deviation 0.02, those that write into the stream 0.02 / sqrt(2 n_layer). Without them nothing
rescales, and a matrix is drawn with deviation 1 / sqrt(rows), which keeps the size of what passes.
Gains begin at 1, biases at 0.

Rules of this file: names and shapes are GPT-2's, flat (core/weights.py); the same seed gives the
same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from handcraft.core.errors import ProgramError, WeightsError
from handcraft.core.gpt2 import EPSILON, Activation, Array, Weights
from handcraft.core.weights import MAX_LAYERS, flatten
from handcraft.language.slot_tables import MAX_N_CTX
from handcraft.model import Model

MOST_TRAINED = 2**27  # of one model; Adam keeps two numbers more for each
_GPT2_DEVIATION = 0.02


@dataclass(frozen=True)
class ModelShape:
    """The arrays of a model by their flat names, and how they are run.

    still  the arrays that stay as they are: biases that are not wanted
    """

    arrays: Mapping[str, tuple[int, ...]]
    n_head: int
    activation: Activation = "gelu"
    causal: bool = True
    still: frozenset[str] = frozenset()

    @property
    def n_layer(self) -> int:
        """The number of blocks."""
        found = (name.split(".") for name in self.arrays)
        return 1 + max(
            (int(n[1]) for n in found if n[0] == "blocks"), default=-1
        )

    @property
    def n_ctx(self) -> int:
        """The length of the context window."""
        return self.arrays["wpe"][0]

    @property
    def config(self) -> dict[str, Any]:
        """What the forward pass takes beside weights, as arguments."""
        return {
            "n_head": self.n_head,
            "activation": self.activation,
            "causal": self.causal,
        }

    @property
    def trained(self) -> int:
        """The number of weights that training may change."""
        sizes = self.arrays.items()
        return sum(math.prod(s) for name, s in sizes if name not in self.still)

    @property
    def has_norms(self) -> bool:
        """True if any layer norm rescales the stream."""
        return any("ln_" in name for name in self.arrays)


def shape_of(model: Model) -> ModelShape:
    """The shape of a model that is there. Raises WeightsError for layer norms that a built
    directory cannot hold.
    """
    if model.epsilon != EPSILON:
        raise WeightsError(
            f"the layer norms of {model.name} have epsilon {model.epsilon}; a model with"
            f" {EPSILON} can be trained"
        )
    flat = flatten(model.weights)
    arrays = {name: tuple(array.shape) for name, array in flat.items()}
    return ModelShape(arrays, model.n_head, model.activation, model.causal)


def gpt_shape(
    n_vocab: int,
    n_ctx: int,
    *,
    layers: int,
    heads: int,
    width: int,
    norms: bool = True,
    biases: bool = True,
    tied: bool = True,
) -> ModelShape:
    """The shape of a GPT with these sizes. Raises ProgramError for sizes that cannot be."""
    _check_sizes(n_ctx, layers, heads, width)
    arrays: dict[str, tuple[int, ...]] = {
        "wte": (n_vocab, width),
        "wpe": (n_ctx, width),
    }
    for i in range(layers):
        arrays |= _block(f"blocks.{i}", width, norms=norms)
    if norms:
        arrays |= {"ln_f.g": (width,), "ln_f.b": (width,)}
    if not tied:
        arrays["lm_head"] = (n_vocab, width)
    still = () if biases else (n for n in arrays if n.endswith(".b"))
    shape = ModelShape(arrays, heads, still=frozenset(still))
    if (many := sum(map(math.prod, arrays.values()))) > MOST_TRAINED:
        raise ProgramError(
            f"this shape has {many:,} weights; at most {MOST_TRAINED:,} are trained"
        )
    return shape


def _block(at: str, n: int, *, norms: bool) -> dict[str, tuple[int, ...]]:
    maps = {
        "attn.c_attn": (n, 3 * n),
        "attn.c_proj": (n, n),
        "mlp.c_fc": (n, 4 * n),
        "mlp.c_proj": (4 * n, n),
    }
    found: dict[str, tuple[int, ...]] = {}
    for name in ("ln_1", "ln_2") if norms else ():
        found |= {f"{at}.{name}.g": (n,), f"{at}.{name}.b": (n,)}
    for name, (rows, columns) in maps.items():
        found |= {
            f"{at}.{name}.w": (rows, columns),
            f"{at}.{name}.b": (columns,),
        }
    return found


def _check_sizes(n_ctx: int, layers: int, heads: int, width: int) -> None:
    """Raise ProgramError for a window, layers, heads or a width that cannot be."""
    for name, found, least, most in (
        ("window", n_ctx, 1, MAX_N_CTX),
        ("layers", layers, 0, MAX_LAYERS),
        ("heads", heads, 1, 1024),
        ("width", width, 1, 2**16),
    ):
        if not least <= found <= most:
            raise ProgramError(
                f"{name} takes {least} to {most:,}, found {found:,}"
            )
    if width % heads:
        raise ProgramError(
            f"the width {width} is no multiple of the {heads} heads, as GPT-2 demands"
        )


def initial(shape: ModelShape, seed: int) -> dict[str, Array]:
    """The arrays before the first step, float32, flat; the same seed gives the same ones."""
    random = np.random.default_rng(seed)
    found = {}
    for name, size in shape.arrays.items():
        if name.endswith(".g"):
            found[name] = np.ones(size, "float32")
        elif name.endswith(".b"):
            found[name] = np.zeros(size, "float32")
        else:
            drawn = random.standard_normal(size) * _deviation(shape, name)
            found[name] = drawn.astype("float32")
    return found


def _deviation(shape: ModelShape, name: str) -> float:
    """The standard deviation of the weights that an array begins with."""
    into_stream = name.endswith("c_proj.w")
    share = 1 / math.sqrt(2 * shape.n_layer) if into_stream else 1.0
    if shape.has_norms:
        return _GPT2_DEVIATION * share
    rows, columns = shape.arrays[name]
    embeds = name in ("wte", "wpe", "lm_head")
    return 1 / math.sqrt(columns if embeds else rows)


def nested(flat: Mapping[str, Array], n_layer: int) -> Weights:
    """The arrays as `gpt2` takes them, of any library; their numbers are not looked at."""
    weights: Weights = {"blocks": [{} for _ in range(n_layer)]}
    for name, array in flat.items():
        *parents, leaf = name.split(".")
        place = weights
        if parents[:1] == ["blocks"]:
            place, parents = weights["blocks"][int(parents[1])], parents[2:]
        for key in parents:
            place = place.setdefault(key, {})
        place[leaf] = array
    return weights
