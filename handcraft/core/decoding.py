"""Generates tokens from logits, greedily or by sampling, in a context window that slides.

Inside the window each new token is one position of work: the keys and values of earlier tokens
are cached. Beyond the window the oldest token is dropped, every position shifts, and the whole
window is computed again.

Prompts of one length can be continued together, greedily, as long as all stay in the window.

Rules of this file: greedy takes the highest logit, the lower id on a tie; sampling depends on
its seed alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np

from handcraft.core.arguments import asked_class
from handcraft.core.errors import PromptError, printable
from handcraft.core.gpt2 import Array, Cache, Weights, finite, gpt2, softmax

Choose = Callable[[Array], int]  # [n_vocab] -> the id of the next token


def greedy(logits: Array) -> int:  # [n_vocab] -> id
    """The token with the highest logit."""
    return int(logits.argmax())


def is_real(value: Any) -> bool:
    """True for a number that can be taken: a kind of number may raise whatever it likes."""
    try:
        float(value)
    except OverflowError:
        return True
    except Exception:
        return False
    return True


@asked_class("Sampler")
@dataclass(frozen=True)
class Sampler:
    """A recipe for drawing the next token from the softmax of the logits.

    temperature divides the logits; top_k keeps the k likeliest tokens; top_p keeps the
    likeliest whose probabilities sum to at least p. Raises PromptError for values out of range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        self._check_kinds()
        if not 0 < self.temperature < float("inf"):
            raise PromptError(
                "the temperature must be positive and finite, found"
                f" {self.temperature}; greedy needs none"
            )
        if self.top_k is not None and self.top_k < 1:
            raise PromptError(f"top_k must be at least 1, found {self.top_k}")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise PromptError(
                f"top_p must lie above 0 and at most at 1, found {self.top_p}"
            )

    def _check_kinds(self) -> None:
        """Raise PromptError for what is no number, or no whole one where one is needed."""
        kinds: tuple[tuple[str, type, str], ...] = (
            ("temperature", Real, "a number"),
            ("top_k", Integral, "a whole number"),
            ("top_p", Real, "a number"),
            ("seed", Integral, "a whole number"),
        )
        for name, kind, words in kinds:
            found = getattr(self, name)
            left_out = found is None and name != "temperature"
            if not left_out and not (
                isinstance(found, kind) and is_real(found)
            ):
                raise PromptError(
                    f"the {name} must be {words}, found {printable(repr(found))[:60]}"
                )

    def start(self) -> Choose:
        """A function that draws tokens, with a random generator of its own."""
        random = np.random.default_rng(self.seed)

        def draw(logits: Array) -> int:
            return int(random.choice(len(logits), p=self.probabilities(logits)))

        return draw

    def probabilities(self, logits: Array) -> Array:  # [n_vocab] -> [n_vocab]
        """The probabilities of the draw, in float64."""
        # at most 0, so that dividing by a small temperature gives -infinity at worst
        behind = logits.astype(np.float64) - logits.max()
        with np.errstate(over="ignore"):
            p = softmax(behind / self.temperature)
        # the likeliest first, the lower id on a tie
        order = np.argsort(-p, kind="stable")
        keep = np.ones(len(p), dtype=bool)
        if self.top_k is not None:
            keep[order[self.top_k :]] = False
        if self.top_p is not None:
            # the sum of the probabilities of all likelier tokens
            before = np.cumsum(p[order]) - p[order]
            keep[order[before >= self.top_p]] = False
        p = np.where(keep, p, 0.0)
        return p / p.sum()


def generate(
    weights: Weights,
    prompt: Sequence[int],
    n: int,
    *,
    choose: Choose = greedy,
    stop: int | None = None,
    cached: bool = True,
    **config: Any,
) -> list[int]:
    """The ids of the next `n` tokens, or up to and including the first `stop` token.

    `config` is that of gpt2: n_head, activation, causal, epsilon. Of a prompt longer than the
    window the last n_ctx tokens are read. Raises PromptError for a negative `n`.
    """
    if n < 0:
        raise PromptError(
            f"the number of tokens to add must not be negative, found {n}"
        )
    n_ctx = weights["wpe"].shape[0]
    # without the causal mask every position depends on the new token
    cached = cached and config.get("causal", True)
    tokens = list(prompt)
    seen = 0
    cache: Cache = [None] * len(weights["blocks"])
    for _ in range(n):
        inside = len(tokens) <= n_ctx and cached
        new = tokens[seen:] if inside else tokens[-n_ctx:]
        known = cache if inside else None
        logits = gpt2(np.array(new), **weights, cache=known, **config)
        seen = len(tokens) if any(entry is not None for entry in cache) else 0
        tokens.append(choose(finite(logits[-1])))
        if tokens[-1] == stop:
            break
    return tokens[len(prompt) :]


# numbers of one sublayer at once, where many prompts are continued together
_BATCH = 2**22


def continue_together(
    weights: Weights,
    prompts: Sequence[Sequence[int]],
    rooms: Sequence[int],
    *,
    stop: int | None = None,
    **config: Any,
) -> list[list[int]]:
    """For each prompt the ids of the next tokens, greedily: as many as its room, or up to and
    including `stop`. All must fit the window; those of one length go through the model together.
    """
    n_vocab, n_embd = weights["wte"].shape
    by_length: dict[int, list[int]] = {}
    for i, prompt in enumerate(prompts):
        by_length.setdefault(len(prompt), []).append(i)
    found: list[list[int]] = [[] for _ in prompts]
    for length, places in by_length.items():
        widest = max(n_vocab, 4 * n_embd, config["n_head"] * length)
        many = max(1, _BATCH // (length * widest))
        for first in range(0, len(places), many):
            part = places[first : first + many]
            ids = np.array([prompts[i] for i in part])  # [n_batch, n_seq]
            limits = np.array([rooms[i] for i in part])  # [n_batch]
            new = _continue(weights, ids, limits, stop, config)
            for i, tokens in zip(part, new, strict=True):
                found[i] = tokens
    return found


# ids [n_batch, n_seq], rooms [n_batch] -> n_batch lists
def _continue(
    weights: Weights,
    ids: Array,
    rooms: Array,
    stop: int | None,
    config: dict[str, Any],
) -> list[list[int]]:
    cached = config.get("causal", True)
    cache: Cache = [None] * len(weights["blocks"])
    found: list[list[int]] = [[] for _ in ids]
    going = np.arange(len(ids))  # the rows that are not at their end
    seen = 0
    for added in range(1, int(rooms.max()) + 1):
        known = cache if cached else None
        # [n_batch, n_new, n_vocab]
        logits = gpt2(ids[:, seen:], **weights, cache=known, **config)
        seen = ids.shape[1] if any(entry is not None for entry in cache) else 0
        new = finite(logits[:, -1]).argmax(axis=-1)  # [n_batch]
        for row, token in zip(going, new, strict=True):
            found[row].append(int(token))
        goes = rooms[going] > added  # [n_batch]
        if stop is not None:
            goes &= new != stop
        if not goes.any():
            break
        ids = np.concatenate([ids, new[:, None]], axis=1)[goes]
        cache = [entry and (entry[0][goes], entry[1][goes]) for entry in cache]
        going = going[goes]
    return found
