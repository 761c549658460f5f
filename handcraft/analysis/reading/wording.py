"""Says what a rule is in words: `1 back`, `the first of =`, `position 2 m - p - 1`.

Rules of this file: a weight that decides nothing is left out; tokens are shown safely; p is the
position of the query.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from handcraft.analysis.reading.fitting import shared_out
from handcraft.analysis.reading.heads import MATCHES, FoundRule
from handcraft.analysis.reading.relations import (
    Scene,
    distance,
    key_position,
    shares_of,
)
from handcraft.analysis.reading.watching import HeadPlace
from handcraft.core.gpt2 import Array
from handcraft.core.vocabulary import Vocabulary

_SLOPE = 0.05  # of a score, for each position
_AHEAD = 10.0  # of a score: nothing else weighs then
_SHARE = 0.05  # of the attention
_MOST = 0.95
_LISTED = 6


def head_called(head: HeadPlace | None) -> str:
    """A head as `explain` calls it; empty for none."""
    return "" if head is None else f"{head[0]}.h{head[1]}"


def words_of(rule: FoundRule, scene: Scene, vocabulary: Vocabulary) -> str:
    """What a head attends to, in words; with the sink at which it rests."""
    said = _SAYS[rule.kind](_Words(rule, scene, vocabulary))
    if rule.sink is None:
        return said
    return (
        f"{said}; it rests at {vocabulary.show([rule.sink])}, whose value is 0"
    )


@dataclass(frozen=True, eq=False)
class _Words:
    """The words of one rule."""

    rule: FoundRule
    scene: Scene
    vocabulary: Vocabulary

    def weights(self, word: str) -> dict[int, float]:
        """The weights of what a word stands for, the heaviest first."""
        found = {c: x for (w, c), x in self.rule.weights if w == word}
        return dict(sorted(found.items(), key=lambda pair: -pair[1]))

    def shown(self, token: int) -> str:
        """A token; -1 is what stands before the first."""
        return "the beginning" if token < 0 else self.vocabulary.show([token])

    @property
    def which(self) -> str:
        """Whether the first or the latest of several weighs more."""
        slope = self.weights("slope").get(1, 0.0)
        if abs(slope) < _SLOPE:
            return ""
        return "the latest of " if slope > 0 else "the first of "

    @property
    def but(self) -> str:
        """Whether a match weighs less than what does not match."""
        return "all but " if self.weights("match").get(1, 0.0) < 0 else ""

    @property
    def more(self) -> str:
        """Whether tokens are but a little heavier than others."""
        word = "before" if self.rule.kind == "predecessor" else "token"
        weights = list(self.weights(word).values())
        return "more of " if weights[0] - weights[-1] < MATCHES else ""

    def tokens(self, word: str) -> str:
        """The tokens that weigh most, the heaviest first."""
        weights = self.weights(word)
        middle = (max(weights.values()) + min(weights.values())) / 2
        chosen = [x for x in weights if weights[x] >= middle]
        return ", ".join(map(self.shown, chosen[:_LISTED]))

    @property
    def besides(self) -> str:
        """The token that is attended to where nothing matches: one that is far ahead."""
        ranked = list(self.weights("token").items())[:2]
        if len(ranked) < 2 or ranked[0][1] - ranked[1][1] < _AHEAD:
            return ""
        return f", else {self.shown(ranked[0][0])}"

    @property
    def followed(self) -> str:
        """What stood before the keys: the query's token, or what an earlier head brought."""
        family = self.rule.family
        head = None if family is None else family.head
        step = None if family is None else family.step
        half = (
            ""
            if step is None
            else (", at even positions", ", at odd positions")[step]
        )
        what = "the query's token"
        if head is not None:
            what = f"the token that head {head_called(head)} brought"
        return f"{self.which}{self.but}what followed {what}{half}{self.besides}"

    @property
    def segment(self) -> str:
        """Before which token, or from which on."""
        flags = self.weights("past")
        most = max(flags, key=lambda x: abs(flags[x]))
        if flags[most] < 0:
            return f"every position before the first {self.shown(most)}"
        return f"every position from the first {self.shown(most)} on"

    @cached_property
    def pattern(self) -> Array:  # [n, n_seq, n_seq]
        """The attention of the rule."""
        return shared_out(self.rule.scores, self.scene.sees)

    def shares(self, classes: Array, word: Callable[[int], str]) -> str:
        """The classes of keys that get most of the attention."""
        share = shares_of(self.pattern, classes, self.scene)
        ranked = [int(c) for c in np.argsort(-share, kind="stable")]
        if share[ranked[0]] > _MOST:
            return word(ranked[0])
        chosen = [c for c in ranked if share[c] >= _SHARE][:_LISTED]
        parts = (f"{word(c)} {share[c]:.0%}" for c in sorted(chosen))
        return ", ".join(parts) or "positions near and far"

    @property
    def mostly(self) -> str:
        """The distance at which most of the attention lies."""
        far = distance(self.scene).ravel()
        share = np.bincount(far, self.pattern.ravel()) / self.pattern.sum()
        best = int(share.argmax())
        return f", mostly {_back(best)}" if share[best] > 0.5 else ""

    @property
    def computed(self) -> str:
        """What a position is computed from."""
        found = self.rule.formula
        if found is None:
            return "a position that it computes; from what is not explained"
        if found.kind == "brought":
            return (
                "a position computed from p and the token that head"
                f" {head_called(found.head)} brought"
            )
        meant = f"where head {head_called(found.head)} attends"
        if found.kind == "count":
            meant = f"how many {self.shown(found.token or 0)} there are so far"
        if found.kind == "same":
            meant = "how often the query's token is there so far"
        return f"position {_sum(found.numbers)}, m {meant}"


_SAYS: dict[str, Callable[[_Words], str]] = {
    "uniform": lambda _: "every position alike",
    "offset": lambda x: x.shares(distance(x.scene), _back),
    "position": lambda x: x.shares(key_position(x.scene), "position {}".format),
    "token": lambda x: f"{x.which}{x.more}{x.tokens('token')}",
    "same": lambda x: f"{x.which}{x.but}the query's own token{x.besides}",
    "predecessor": lambda x: (
        f"{x.which}{x.more}what follows {x.tokens('before')}"
    ),
    "induction": lambda x: x.followed,
    "brought": lambda x: x.followed,
    "segment": lambda x: x.segment,
    "computed": lambda x: x.computed,
    "address": lambda x: x.computed,
    "positions": lambda x: (
        f"a position for each position of the query{x.mostly}"
    ),
    "tokens": lambda _: "a table of the query's token and the key's",
    "mixed": lambda _: "a table of the key's token, and one of distances",
}


def _back(far: int) -> str:
    return "itself" if far == 0 else f"{far} back"


def _sum(numbers: tuple[float, ...]) -> str:
    """`2 m - p - 1` for 2, -1, -1; what is added stands first."""
    parts = []
    terms = zip(numbers, ("m", "p", ""), strict=True)
    for x, name in sorted(terms, key=lambda pair: pair[0] < 0):
        size = f"{abs(x):g}"
        body = name if name and size == "1" else f"{size} {name}".strip()
        sign = "-" if x < 0 else "+"
        parts += [f"{sign} {body}"] if x else []
    return " ".join(parts).removeprefix("+ ") or "0"
