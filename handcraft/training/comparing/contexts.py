"""Makes the contexts that two models are compared on: those of the claim, and those beyond it.

    of a claim      its prompts with their answers, or its contexts or texts: all of them where
                    they are few, else drawn with a fixed seed
    of no claim     texts of the whole window
    outside         contexts of which the claim says nothing

A context is asked once, however many texts begin with it.

Rules of this file: whether something was drawn is always said.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from random import Random
from typing import Any, Literal

import numpy as np

from handcraft.claims.prompt_language import SEED
from handcraft.core.gpt2 import Array
from handcraft.training.claim_examples import of_claim
from handcraft.training.claim_targets import spoken
from handcraft.training.comparing.sides import Sides
from handcraft.training.examples import ExampleRows, Follows, spread_over

ClaimUnit = Literal["prompt", "text", "context"]
# weights times positions of one pass over the contexts: where all are asked, where some are drawn
MOST_ASKED_WORK = 2**34
MOST_DRAWN_WORK = 2**32
MOST_OUTSIDE = 2**10  # texts of the whole window beyond a claim
_ALL = 2**12  # of them are taken, where there are no more


@dataclass(frozen=True, eq=False)
class AskedContexts:
    """Texts, and the positions at which something is asked.

    unit     what is right or wrong as a whole: a prompt with its answer, a text, or a context
    tokens   [n, n_seq] ids of the first model
    speaks   [n, n_seq] bool, where it is said what must follow
    asked    the same, but a context that several texts begin with is asked in one of them
    ends     [n, n_seq] bool, where a unit ends; of each the positions up to there count
    real     [n] tokens of each row; the rest fills it up
    targets  what must follow, of a kind; None where nothing must
    drawn    in words, what was drawn; None where these are all
    """

    unit: ClaimUnit
    tokens: Array
    speaks: Array
    asked: Array
    ends: Array
    real: Array
    causal: bool
    kind: Follows = "token"
    targets: Array | None = None
    drawn: str | None = None

    @property
    def size(self) -> int:
        """The number of texts."""
        return len(self.tokens)

    @property
    def n_seq(self) -> int:
        return int(self.tokens.shape[1])

    @property
    def lengths(self) -> Array | None:
        """What a model that sees the whole text must be told; a causal one never sees more."""
        return None if self.causal else self.real

    def rows(self, chosen: Array | slice) -> AskedContexts:
        """Some of the texts."""
        targets = None if self.targets is None else self.targets[chosen]
        return AskedContexts(
            self.unit,
            self.tokens[chosen],
            self.speaks[chosen],
            self.asked[chosen],
            self.ends[chosen],
            self.real[chosen],
            self.causal,
            self.kind,
            targets,
            self.drawn,
        )

    def within(self, most: int) -> AskedContexts:
        """At most so many texts, evenly spread, and that this is so."""
        if self.size <= most:
            return self
        kept = self.rows(spread_over(self.size, most))
        taken = f"{kept.size:,} of {self.size:,} texts were taken"
        before = "" if self.drawn is None else f"; {self.drawn}"
        return _replaced(kept, f"{taken}{before}")


def _replaced(found: AskedContexts, drawn: str) -> AskedContexts:
    return AskedContexts(**(vars(found) | {"drawn": drawn}))


def contexts_of_sides(sides: Sides) -> AskedContexts:
    """The contexts of the claim; without one, texts of the whole window."""
    made = _texts(sides) if sides.claim is None else _of_claim(sides)
    whole = made.drawn is None
    most = MOST_ASKED_WORK if whole else MOST_DRAWN_WORK
    if made.size * made.n_seq * sides.cost > most:
        most = MOST_DRAWN_WORK
    return made.within(max(1, most // (sides.cost * made.n_seq)))


def _of_claim(sides: Sides) -> AskedContexts:
    claim: Any = sides.claim
    data = of_claim(sides.asked, claim)
    parts: list[Any] = [data.examples, data.held_out]
    table = _joined([part for part in parts if part is not None])
    asked = speaks = table.weight > 0
    real = _real(table, asked)
    if claim.asks_prompts:
        ends = _last(asked)
        unit: ClaimUnit = "prompt"
    elif not sides.causal:
        ends, unit = _last(asked), _unit(claim)
    else:
        new = first_seen(table.tokens, len(sides.vocabulary))
        spoken_so_far = np.logical_or.accumulate(asked, axis=1)
        unit = "text" if claim.whole_text else "context"
        ends = new & (spoken_so_far if claim.whole_text else asked)
        asked = asked & new
    return AskedContexts(
        unit,
        table.tokens,
        speaks,
        asked,
        ends,
        real,
        sides.causal,
        table.kind,
        table.targets,
        table.whole,
    )


def _unit(claim: Any) -> ClaimUnit:
    return "text" if claim.every_position else "context"


def _joined(parts: list[ExampleRows]) -> ExampleRows:
    """The rows that would be trained on, and those that would be held out."""
    if len(parts) == 1:
        return parts[0]
    joined = {
        name: np.concatenate([part.arrays[name] for part in parts])
        for name in parts[0].arrays
    }
    return ExampleRows(parts[0].kind, **joined, whole=parts[0].whole)


def _real(table: ExampleRows, asked: Array) -> Array:  # -> [n]
    """The tokens of each row: a prompt's row is filled up after its answer."""
    if table.lengths is not None:
        return table.lengths
    return asked.shape[1] - asked[:, ::-1].argmax(axis=1)


def _last(asked: Array) -> Array:  # [n, n_seq] -> [n, n_seq]
    """True at the last position of each row at which something is asked."""
    after = np.logical_or.accumulate(asked[:, ::-1], axis=1)[:, ::-1]
    after[:, :-1] &= ~after[:, 1:]
    return after


def first_seen(tokens: Array, n_vocab: int) -> Array:  # [n, n_seq] -> the same
    """True where no earlier row has the same tokens up to there."""
    found = np.zeros(tokens.shape, dtype=bool)
    group = np.zeros(len(tokens), dtype=np.int64)
    for i in range(tokens.shape[1]):
        code = group * n_vocab + tokens[:, i]
        _, first, group = np.unique(
            code, return_index=True, return_inverse=True
        )
        group = group.reshape(-1)
        found[first, i] = True
    return found


# ---------------------------------------------------------------- without a claim


def _texts(sides: Sides) -> AskedContexts:
    """Texts of the whole window, at every position that sees no later one."""
    tokens, drawn = whole_texts_of(sides)
    asked = np.zeros(tokens.shape, dtype=bool)
    asked[:, 0 if sides.causal else -1 :] = True
    if sides.causal:
        asked = first_seen(tokens, len(sides.vocabulary))
    real = np.full(len(tokens), tokens.shape[1])
    return AskedContexts(
        "context",
        tokens,
        asked,
        asked,
        asked,
        real,
        sides.causal,
        drawn=drawn,
    )


def whole_texts_of(sides: Sides) -> tuple[Array, str | None]:
    """Texts [n, window] of any tokens, all where they are few; and what was drawn, in words."""
    n_vocab, n = len(sides.vocabulary), sides.window
    many: int = n_vocab**n
    most = max(1, min(MOST_OUTSIDE, MOST_DRAWN_WORK // (sides.cost * n)))
    if many <= _ALL and many * n * sides.cost <= MOST_ASKED_WORK:
        found: Iterable[tuple[int, ...]] = product(range(n_vocab), repeat=n)
        return np.array(list(found)), None
    random = Random(SEED)
    drawn = {tuple(random.choices(range(n_vocab), k=n)) for _ in range(most)}
    shown = f"{many:,}" if many < 10**9 else f"about 10^{len(str(many)) - 1}"
    words = f"{len(drawn):,} of {shown} texts were drawn"
    return np.array(sorted(drawn)), words


# ---------------------------------------------------------------- beyond the claim


def outside(sides: Sides) -> AskedContexts | None:
    """Contexts of which the claim says nothing; None where it speaks of all that were tried."""
    claim: Any = sides.claim
    if claim is None:
        return None
    tokens, drawn = whole_texts_of(sides)
    if claim.asks_prompts:
        speaks = _of_prompts(sides, tokens)
    else:
        speaks = spoken(sides.asked, claim, tokens)
    silent = ~speaks
    if sides.causal:
        silent &= first_seen(tokens, len(sides.vocabulary))
    elif not claim.every_position or claim.asks_prompts:
        silent[:, :-1] = False
    kept = np.flatnonzero(silent.any(axis=1))
    if not len(kept):
        return None
    real = np.full(len(tokens), tokens.shape[1])
    found = AskedContexts(
        "context",
        tokens,
        silent,
        silent,
        silent,
        real,
        sides.causal,
        drawn=drawn,
    )
    return found.rows(kept)


def _of_prompts(sides: Sides, tokens: Array) -> Array:  # [n, n_seq] -> bool
    """True where a text so far is a prompt, or a prompt and a beginning of its answer."""
    claim: Any = sides.claim
    vocabulary, n_ctx = sides.vocabulary, sides.window
    language = claim.language(n_ctx, vocabulary)
    found = np.zeros(tokens.shape, dtype=bool)
    for i, ids in enumerate(tokens.tolist()):
        for n in range(1, len(ids) + 1):
            text = vocabulary.decode(ids[:n])
            if text not in language:
                continue
            answer = vocabulary.encode(claim.expected(text, vocabulary, n_ctx))
            rest = ids[n:]
            same = 0
            while same < min(len(answer) - 1, len(rest)):
                if answer[same] != rest[same]:
                    break
                same += 1
            found[i, n - 1 : n + same] = True
    return found
