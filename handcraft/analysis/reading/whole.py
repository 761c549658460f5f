"""Reads all heads of a model, and measures what is left of its predictions with each rule instead.

Rules of this file: names, rules and provenance of the model are not looked at: only its weights,
its vocabulary, and the texts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from handcraft.analysis.reading.fitting import shared_out
from handcraft.analysis.reading.heads import (
    ADDRESS,
    EXPLAINED,
    FoundRule,
    found_rule,
)
from handcraft.analysis.reading.in_place import is_written, weights_as_rules
from handcraft.analysis.reading.relations import Scene
from handcraft.analysis.reading.standing import Recipe, recipes_of
from handcraft.analysis.reading.texts import ReadTexts, texts_to_read
from handcraft.analysis.reading.watching import (
    HeadPlace,
    Watched,
    exact_weights,
    logits_of,
    seen_keys,
    watched_layers,
)
from handcraft.analysis.reading.wording import head_called, words_of
from handcraft.claims.kinds import Claim
from handcraft.core.errors import ProgramError, PromptError, printable
from handcraft.core.gpt2 import Array, Hook, Weights, softmax
from handcraft.model import Model
from handcraft.program.program import Program

MOST_LOGITS = 2**24  # that are compared
WRITES_NOTHING = "nothing"
EVERY_QUERY, WHERE_IT_COUNTS = "every query", "where it counts"


@dataclass(frozen=True)
class ReadHead:
    """What one head attends to.

    kind       `nothing` for a head that writes nothing; else a name of families.py, or `computed`:
               the simplest that explains the head, or the best of those that do not
    says       the same in words
    explained  the fraction of its attention that the rule explains, on texts that it was not
               fitted on; None for `nothing`
    alike      the fraction that attending to every position alike would explain
    where      `every query`; or `where it counts`, for a head of the last attention that is
               explained only at the queries whose predictions count: no other reaches them
    agreement  the fraction of predictions that stay with the rule's attention in its place
    moved      the most that a probability moves then
    sink       the token at which it rests, or None
    recipe     the recipe that can stand in its place in a program, or None
    kept       the fraction of predictions that stay in that program
    """

    layer: int
    head: int
    kind: str
    says: str
    explained: float | None
    alike: float | None
    agreement: float
    moved: float
    sink: str | None = None
    where: str = EVERY_QUERY
    recipe: Recipe | None = None
    kept: float | None = None

    @property
    def name(self) -> str:
        """As `explain` calls it."""
        return head_called((self.layer, self.head))

    @property
    def read(self) -> bool:
        """True if a rule explains it: not where it computes a position from what is not known."""
        if self.kind == ADDRESS:
            return False
        return self.explained is None or self.explained >= EXPLAINED

    def to_json(self) -> dict[str, Any]:
        """The reading as plain data."""
        return {
            "head": self.name,
            "read": self.read,
            "kind": self.kind,
            "says": self.says,
            "explained": self.explained,
            "alike": self.alike,
            "where": self.where,
            "agreement": self.agreement,
            "moved": self.moved,
            "sink": self.sink,
            "recipe": None if self.recipe is None else self.recipe.says,
            "kept": self.kept,
        }


@dataclass(frozen=True)
class ReadModel:
    """The readings of all heads of a model.

    model   the weights alone
    claim   that of the texts, if any
    texts   how many were read, half of them to judge
    origin  what they are texts of: `its claim`, or `random texts`
    """

    model: Model
    claim: Claim | None
    heads: tuple[ReadHead, ...]
    texts: int
    origin: str

    @property
    def name(self) -> str:
        """Of the model."""
        return self.model.name

    def program(self, head: str) -> Program:
        """The weights as a program of lanes without names, with the recipe in place of this head.

        Raises ProgramError for a head that has no recipe.
        """
        found = [x for x in self.heads if x.name == head and x.recipe]
        if not found:
            known = [x.name for x in self.heads if x.recipe]
            raise ProgramError(
                f"has no recipe for {printable(repr(head))}; it has one for"
                f" {', '.join(known) or 'none'}",
                (self.name,),
            )
        place = found[0].layer, found[0].head
        return weights_as_rules(self.model, found[0].recipe, place, self.claim)

    @property
    def read(self) -> int:
        """How many heads a rule explains."""
        return sum(head.read for head in self.heads)

    def to_json(self) -> dict[str, Any]:
        """The readings as plain data."""
        return {
            "program": self.name,
            "texts": self.texts,
            "origin": self.origin,
            "read": self.read,
            "heads": [head.to_json() for head in self.heads],
        }


def read_model(model: Model, claim: Claim | None) -> ReadModel:
    """What each head of a model attends to, on the texts of a claim or on random ones.

    Raises PromptError for a claim of a single text.
    """
    texts = texts_to_read(model, claim)
    heads = tuple(_Heads(model, texts))
    origin = "random texts" if claim is None else "its claim"
    return ReadModel(model, claim, heads, len(texts.tokens), origin)


class _Heads:
    """Reads one head after the other."""

    def __init__(self, model: Model, texts: ReadTexts) -> None:
        self.model, self.texts = model, texts
        self.weights: Weights = exact_weights(model)
        self.sees = seen_keys(model, texts)
        layers = enumerate(self.weights["blocks"])
        self.last = max((i for i, b in layers if "attn" in b), default=-1)
        self.fitted = np.arange(len(texts.tokens)) % 2 == 0  # [n]
        if len(self.fitted) < 2:
            raise PromptError(
                "reading needs two texts at least: one to fit, one to judge",
                (model.name,),
            )
        size = texts.tokens.shape[1] * len(model.vocabulary)
        judging = np.flatnonzero(~self.fitted)[: max(1, MOST_LOGITS // size)]
        self.judging, self.judged = judging, texts.some(judging)
        self.chances = self._chances(_untouched)

    def __iter__(self) -> Iterator[ReadHead]:
        earlier: dict[HeadPlace, Array] = {}  # those that attend to one place
        layer: dict[HeadPlace, Array] = {}
        for place, seen in watched_layers(self.model, self.weights, self.texts):
            if any(other[0] != place[0] for other in layer):
                earlier |= layer
                layer = {}
            if not seen.size[self.texts.inside].any():
                yield ReadHead(
                    *place,
                    WRITES_NOTHING,
                    "it writes nothing",
                    None,
                    None,
                    1.0,
                    0.0,
                )
                continue
            scene = Scene(
                self.texts, self.sees, dict(earlier), len(self.model.vocabulary)
            )
            found = self._reading(place, seen, scene)
            if found.read and found.kind != "uniform" and found.sink is None:
                layer[place] = seen.pattern.argmax(axis=-1)  # [n, n_seq]
            yield found

    def _reading(
        self, place: HeadPlace, seen: Watched, scene: Scene
    ) -> ReadHead:
        rule, where = self._rule(place, seen, scene)
        vocabulary = self.model.vocabulary
        says = words_of(rule, scene, vocabulary)
        agreement, moved = self._after(
            place, shared_out(rule.scores, self.sees)
        )
        recipe, kept = self._recipe(place, rule, scene)
        return ReadHead(
            *place,
            rule.kind,
            says,
            rule.explained,
            rule.alike,
            agreement,
            moved,
            None if rule.sink is None else vocabulary.tokens[rule.sink],
            where,
            recipe,
            kept,
        )

    def _recipe(
        self, place: HeadPlace, rule: FoundRule, scene: Scene
    ) -> tuple[Recipe | None, float | None]:
        """The recipe of a rule that explains, and the predictions that stay in its program."""
        if rule.explained < EXPLAINED or not is_written(self.model):
            return None, None
        best: tuple[Recipe | None, float | None] = None, None
        for recipe in recipes_of(rule, scene, self.model):
            kept = self._kept(weights_as_rules(self.model, recipe, place))
            if best[1] is None or kept > best[1]:
                best = recipe, kept
        return best

    def _kept(self, program: Program) -> float:
        """The predictions that a program leaves as they are."""
        made = Model.of(program, "float32")
        found = logits_of(made, exact_weights(made), self.judged, _untouched)
        best = found[self.judged.asked].argmax(axis=-1)
        return float((best == self.chances.argmax(axis=-1)).mean())

    def _rule(
        self, place: HeadPlace, seen: Watched, scene: Scene
    ) -> tuple[FoundRule, str]:
        """The rule of a head, and for which queries it is one."""
        rule = found_rule(seen, scene, self.fitted)
        if rule.explained >= EXPLAINED or place[0] != self.last:
            return rule, EVERY_QUERY
        counts = self.sees & self.texts.asked[:, :, None]
        other = found_rule(seen, replace(scene, sees=counts), self.fitted)
        if other.explained < EXPLAINED:
            return rule, EVERY_QUERY
        return other, WHERE_IT_COUNTS

    def _after(self, place: HeadPlace, pattern: Array) -> tuple[float, float]:
        """The predictions that stay, and how far a probability moves, with another attention."""
        layer, head = place
        judged = pattern[self.judging]

        def hook(name: str, value: Array) -> Array:
            if name == f"blocks.{layer}.attn.pattern":
                value = value.copy()
                value[:, head] = judged
            return value

        chances = self._chances(hook)
        same = chances.argmax(axis=-1) == self.chances.argmax(axis=-1)
        return float(same.mean()), float(np.abs(chances - self.chances).max())

    def _chances(self, hook: Hook) -> Array:  # [n_asked, n_vocab]
        """The probabilities where the prediction counts, on the texts that judge."""
        found = logits_of(self.model, self.weights, self.judged, hook)
        return softmax(found[self.judged.asked])


def _untouched(name: str, value: Array) -> Array:  # noqa: ARG001  # a Hook
    return value
