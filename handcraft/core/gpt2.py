"""Computes the forward pass of GPT-2 from a picoGPT weight dict, in NumPy or on other arrays.

Embeddings of token and position are added to a vector, the residual stream; each block adds the
outputs of its attention and its MLP; the unembedding is `wte` transposed, tied as in GPT-2, or
`lm_head` transposed where the dict has that key.

The weights decide which library computes, and where: `gpt2` calls only functions of the Python
array API standard, so it runs on arrays of NumPy, JAX or torch (`convert`), with their gradients,
compilers and devices. The functions that look at values (`forward`, `check_weights`,
`check_tokens`, `finite`) do too, but not while `jax.jit` traces.

Rules of this file: it never imports the language, so that checking a program with it is not
circular. Everything is computed in the dtype of the weights. What the dict lacks (layer norms, an
MLP, an attention) is skipped. In shapes, n_seq stands for queries and keys alike; a batch adds a
leading axis: [n_batch, n_seq].

Sources: picoGPT (Jay Mody, "GPT in 60 Lines of NumPy", 2023); Radford et al., GPT-2, 2019; the
array API standard 2024.12.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from handcraft.core.errors import MissingExtraError, PromptError, WeightsError

Array = NDArray[Any]  # or an array of another library
Weights = dict[
    str, Any
]  # wte, wpe, blocks[i].attn.c_attn.w ...: GPT-2's own keys
Activation = Literal["gelu", "relu"]
EPSILON = 1e-5  # of GPT-2's layer norms
# for each block the keys and values of earlier positions, [..., n_head, n_past, d_head] each
Cache = list[tuple[Array, Array] | None]
# called with each intermediate's name and value; the value it returns is used instead
Hook = Callable[[str, Array], Array]


def _quiet(name: str, value: Array) -> Array:  # noqa: ARG001  # a Hook
    return value


def namespace(x: Array) -> Any:
    """The array API functions for an array: its library, or a wrapper of it.

    Raises MissingExtraError for an array of torch without the extra `torch`.
    """
    if isinstance(
        x, np.ndarray | np.generic
    ):  # the same as below, in a fifth of the time
        return np
    if hasattr(x, "__array_namespace__"):
        return x.__array_namespace__()
    try:
        from array_api_compat import array_namespace
    except ImportError:
        raise MissingExtraError(
            "arrays of torch need the extra `torch`: pip install 'handcraft[torch]'"
        ) from None
    return array_namespace(x)


def convert(weights: Weights, make: Callable[[Array], Any]) -> Weights:
    """The same dicts and lists with every array replaced by `make(array)`.

    `convert(model.weights, jnp.asarray)` is a pytree of JAX.
    """

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: walk(child) for key, child in value.items()}
        if isinstance(value, list):
            return [walk(child) for child in value]
        return None if value is None else make(value)

    return {key: walk(value) for key, value in weights.items()}


def gelu(x: Array) -> Array:  # [...] -> [...]  GPT-2's tanh form
    inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)
    return 0.5 * x * (1 + namespace(x).tanh(inner))


def relu(x: Array) -> Array:  # [...] -> [...]
    return namespace(x).maximum(x, 0)


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {"gelu": gelu, "relu": relu}


def softmax(x: Array) -> Array:  # [..., n] -> [..., n]
    xp = namespace(x)
    exp = xp.exp(x - xp.max(x, axis=-1, keepdims=True))
    return exp / xp.sum(exp, axis=-1, keepdims=True)


# [..., n_embd] -> [..., n_embd]
def layer_norm(x: Array, g: Array, b: Array, eps: float = EPSILON) -> Array:
    xp = namespace(x)
    mean = xp.mean(x, axis=-1, keepdims=True)
    variance = xp.var(x, axis=-1, keepdims=True)
    return g * ((x - mean) / xp.sqrt(variance + eps)) + b


# [..., n_in], [n_in, n_out], [n_out] -> [..., n_out]
def linear(x: Array, w: Array, b: Array) -> Array:
    return x @ w + b


# [..., n_seq, n_embd] -> [..., n_head, n_seq, d_head]
def split_heads(x: Array, n_head: int) -> Array:
    shape = (*x.shape[:-1], n_head, -1)
    return _swap(namespace(x).reshape(x, shape))


# [..., n_head, n_seq, d_head] -> [..., n_seq, n_embd]
def merge_heads(x: Array) -> Array:
    x = _swap(x)
    return namespace(x).reshape(x, (*x.shape[:-2], -1))


def _swap(x: Array) -> Array:  # [..., n, m, d_head] -> [..., m, n, d_head]
    last = x.ndim - 1
    order = (*range(last - 2), last - 1, last - 2, last)
    return namespace(x).permute_dims(x, order)


# [..., n_query, n_key] -> [..., n_query, n_key]
def mask_future(scores: Array) -> Array:
    n_query, n_key = scores.shape[-2:]
    if n_query == 1:  # the last query sees every key
        return scores
    if isinstance(scores, np.ndarray):
        return np.where(_visible(n_query, n_key), scores, -math.inf)
    xp = namespace(scores)
    one = scores[(slice(1),) * (scores.ndim - 2)]  # [1, ..., n_query, n_key]
    everything = xp.ones_like(one, dtype=xp.bool)  # on the device of scores
    visible = xp.tril(everything, k=n_key - n_query)
    return xp.where(visible, scores, -math.inf)


@lru_cache(maxsize=4)  # the same for every block
def _visible(n_query: int, n_key: int) -> Array:  # -> [n_query, n_key]
    return np.tri(n_query, n_key, n_key - n_query, dtype=bool)


# [..., n_seq, n_embd] -> [..., n_seq, n_embd]
def attention(
    x: Array,
    c_attn: Weights,
    c_proj: Weights,
    n_head: int,
    causal: bool,
    cache: Cache,
    layer: int,
    hook: Hook,
) -> Array:
    xp = namespace(x)
    n = x.shape[-1]
    qkv = linear(x, **c_attn)  # [..., n_seq, 3 n_embd]
    q = split_heads(qkv[..., :n], n_head)  # [..., n_head, n_seq, d_head]
    k = split_heads(qkv[..., n : 2 * n], n_head)
    v = split_heads(qkv[..., 2 * n : 3 * n], n_head)
    q = hook("attn.q", q)
    k = hook("attn.k", k)
    v = hook("attn.v", v)
    if (past := cache[layer]) is not None:
        k = xp.concat([past[0], k], axis=-2)
        v = xp.concat([past[1], v], axis=-2)
    cache[layer] = k, v
    # [..., n_head, n_query, n_key]
    scores = hook("attn.scores", q @ k.mT / math.sqrt(q.shape[-1]))
    pattern = hook(
        "attn.pattern", softmax(mask_future(scores) if causal else scores)
    )
    return linear(merge_heads(hook("attn.z", pattern @ v)), **c_proj)


# [..., n_embd] -> [..., n_embd]
def mlp(
    x: Array,
    c_fc: Weights,
    c_proj: Weights,
    activation: Activation,
    hook: Hook,
) -> Array:
    pre = hook("mlp.pre", linear(x, **c_fc))  # [..., n_inner]
    return linear(hook("mlp.post", ACTIVATIONS[activation](pre)), **c_proj)


# [..., n_seq] -> [..., n_seq, n_vocab]
@np.errstate(all="ignore")  # overflow is judged by the result: see finite
def gpt2(
    tokens: Array,
    wte: Array,
    wpe: Array,
    blocks: list[Weights],
    ln_f: Weights | None = None,
    lm_head: Array | None = None,
    *,
    n_head: int,
    activation: Activation = "gelu",
    causal: bool = True,
    epsilon: float = EPSILON,
    cache: Cache | None = None,
    hook: Hook = _quiet,
) -> Array:
    """The logits after every position.

    tokens   ids, in an array of NumPy or of the weights' library; with a cache only the new ones
    lm_head  [n_vocab, n_embd], the unembedding where it is not wte
    cache    grows in place
    epsilon  added to the variance in every layer norm
    """
    cache = [None] * len(blocks) if cache is None else cache
    start = _seen(cache)
    positions = wpe[start : start + tokens.shape[-1]]
    x = hook("embed", wte[tokens]) + hook("pos_embed", positions)
    for i, block in enumerate(blocks):
        here = _under(f"blocks.{i}.", hook)
        x = here("resid_pre", x)  # [..., n_seq, n_embd]
        if "attn" in block:
            normed = _normed(x, block, "ln_1", epsilon, here)
            part = {**block["attn"], "n_head": n_head, "causal": causal}
            added = attention(normed, **part, cache=cache, layer=i, hook=here)
            x = x + here("attn_out", added)
        x = here("resid_mid", x)
        if "mlp" in block:
            normed = _normed(x, block, "ln_2", epsilon, here)
            added = mlp(
                normed, **block["mlp"], activation=activation, hook=here
            )
            x = x + here("mlp_out", added)
        x = here("resid_post", x)
    x = _normed(x, {"ln_f": ln_f}, "ln_f", epsilon, hook)
    x = hook("resid_final", x)
    return hook("logits", x @ (wte if lm_head is None else lm_head).T)


# [..., n_embd] -> [..., n_embd]
def _normed(
    x: Array, parent: Weights, key: str, epsilon: float, hook: Hook
) -> Array:
    if parent.get(key) is None:
        return x
    return hook(key, layer_norm(x, **parent[key], eps=epsilon))


def _seen(cache: Cache | None) -> int:
    """The number of positions in a cache."""
    for entry in cache or ():
        if entry is not None:
            keys, _ = entry
            return int(keys.shape[-2])
    return 0


def unembedding(weights: Weights) -> Array:  # -> [n_vocab, n_embd]
    """The rows that give the logits: wte, or lm_head where the two are not tied."""
    head: Array | None = weights.get("lm_head")
    return weights["wte"] if head is None else head


def finite(logits: Array) -> Array:  # [...] -> the same
    """The logits themselves. Raises WeightsError where they are not finite."""
    xp = namespace(logits)
    if not xp.all(xp.isfinite(logits)):
        raise WeightsError(
            f"the logits are not finite: the weights are too large for {logits.dtype}"
        )
    return logits


def _under(prefix: str, hook: Hook) -> Hook:
    return lambda name, value: hook(prefix + name, value)


# [..., n_seq] -> [..., n_seq, n_vocab]
def forward(tokens: Array, weights: Weights, **config: Any) -> Array:
    """The logits after every position of one sequence or of a batch of them.

    `config` is that of `gpt2`: n_head, activation, causal, epsilon, cache. Raises WeightsError
    for weights that are not finite or do not fit together, PromptError for token ids or lengths
    that the weights cannot take.
    """
    check_weights(weights, config["n_head"])
    tokens = tokens if hasattr(tokens, "shape") else np.asarray(tokens)
    check_tokens(tokens, weights, _seen(config.get("cache")))
    return gpt2(tokens, **weights, **config)


def trace(tokens: Array, weights: Weights, **config: Any) -> dict[str, Array]:
    """All intermediates of a forward pass by name, `embed` to `logits`, in order of computation."""
    seen: dict[str, Array] = {}
    forward(tokens, weights, **config, hook=recorder(seen))
    return seen


def recorder(seen: dict[str, Array], *names: str) -> Hook:
    """A hook that keeps every intermediate in the given dict, or those of these names alone: all of
    them are many times as large as what comes out.
    """

    def hook(name: str, value: Array) -> Array:
        if not names or name in names:
            seen[name] = value
        return value

    return hook


def check_tokens(tokens: Array, weights: Weights, seen: int = 0) -> None:
    """Raise PromptError unless tokens are ids that fit the vocabulary and the window.

    Their shape is [n_seq] or [n_batch, n_seq]; `seen` earlier positions are in a cache.
    """
    n_vocab = weights["wte"].shape[0]
    n_ctx = weights["wpe"].shape[0]
    xp = namespace(tokens)
    if tokens.ndim not in (1, 2) or 0 in tokens.shape:
        raise PromptError(
            "tokens must be [n_seq] or [n_batch, n_seq] and not empty, found shape"
            f" {tuple(tokens.shape)}"
        )
    if not xp.isdtype(tokens.dtype, "integral"):
        raise PromptError(f"tokens must be integer ids, found {tokens.dtype}")
    least = int(xp.min(tokens))
    most = int(xp.max(tokens))
    if least < 0 or most >= n_vocab:
        raise PromptError(
            f"token ids must lie in 0..{n_vocab - 1}, found {least}..{most}"
        )
    if seen + tokens.shape[-1] > n_ctx:
        raise PromptError(
            f"{seen + tokens.shape[-1]} tokens do not fit the context window of {n_ctx}"
        )


def check_weights(weights: Weights, n_head: int) -> None:
    """Raise WeightsError unless the shapes fit as in GPT-2, with one float dtype, all finite."""
    _check_embeddings(weights, n_head)
    wte = weights["wte"]
    xp = namespace(weights["wte"])
    try:
        expected = _expected(weights, wte.shape[1])
    except (KeyError, TypeError) as error:
        raise WeightsError(
            f"the weights are not complete: {error} is missing"
        ) from None
    for name, array, shape in expected:
        if tuple(array.shape) != shape:
            raise WeightsError(
                f"{name} has shape {tuple(array.shape)}, expected {shape}"
            )
        if array.dtype != wte.dtype:
            raise WeightsError(
                f"{name} is {array.dtype}, but wte is {wte.dtype}: weights share one"
                " dtype"
            )
        if not xp.all(good := xp.isfinite(array)):
            raise WeightsError(
                f"{name} holds a value that is not finite: {array[~good][0]}"
            )


def _check_embeddings(weights: Weights, n_head: int) -> None:
    for key in ("wte", "wpe", "blocks"):
        if key not in weights:
            raise WeightsError(f"the weights have no {key}")
    wte = weights["wte"]
    wpe = weights["wpe"]
    if wte.ndim != 2 or wpe.ndim != 2 or wte.shape[1] != wpe.shape[1]:
        raise WeightsError(
            f"wte {tuple(wte.shape)} and wpe {tuple(wpe.shape)} must be matrices of the"
            " same width"
        )
    if n_head < 1 or wte.shape[1] % n_head or 0 in wte.shape or 0 in wpe.shape:
        raise WeightsError(
            f"n_embd {wte.shape[1]} must be a positive multiple of n_head {n_head}, and"
            " no matrix empty"
        )
    if not namespace(wte).isdtype(wte.dtype, "real floating"):
        raise WeightsError(f"weights must be floats, found {wte.dtype}")


def _expected(
    weights: Weights, n: int
) -> list[tuple[str, Array, tuple[int, ...]]]:
    """Every array with its name and the shape that it should have."""
    embeddings = ("wte", "wpe")
    rows = [
        (name, weights[name], tuple(weights[name].shape)) for name in embeddings
    ]
    if weights.get("lm_head") is not None:
        rows.append(
            ("lm_head", weights["lm_head"], tuple(weights["wte"].shape))
        )
    norms = (
        [("ln_f", weights["ln_f"])] if weights.get("ln_f") is not None else []
    )
    for i, block in enumerate(weights["blocks"]):
        at = f"blocks.{i}"
        norms += [
            (f"{at}.{key}", block[key])
            for key in ("ln_1", "ln_2")
            if key in block
        ]
        widths = {"attn": ("c_attn", 3 * n), "mlp": ("c_fc", -1)}
        for part in (part for part in widths if part in block):
            first, width = widths[part]
            w = block[part][first]["w"]
            width = (w.shape[-1] if w.ndim == 2 else 0) if width < 0 else width
            # the input of c_proj: the heads' outputs, or the neurons
            back = n if part == "attn" else width
            rows += [
                (f"{at}.{part}.{first}.w", w, (n, width)),
                (f"{at}.{part}.{first}.b", block[part][first]["b"], (width,)),
                (
                    f"{at}.{part}.c_proj.w",
                    block[part]["c_proj"]["w"],
                    (back, n),
                ),
                (f"{at}.{part}.c_proj.b", block[part]["c_proj"]["b"], (n,)),
            ]
    return rows + [
        (f"{name}.{key}", norm[key], (n,))
        for name, norm in norms
        for key in ("g", "b")
    ]
