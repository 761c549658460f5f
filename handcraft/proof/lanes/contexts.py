"""The texts of a claim on prompts: which token can stand where, and how many prompts there are.

    contexts_of(model)    the texts of a model's claim
    PromptContexts              of all prompts of the claim's language, each with its whole answer
        .narrowed(form)   the same, where an answer has the tokens that the claim can ask for

A token can stand at a place in a prompt of some length, if a way through the language's automaton
leads there and on to an end in just as many steps as are left (handcraft.proof.lanes.walks). Rules
of this file: it says too much rather than too little, but the number of prompts is exact.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from handcraft.claims.prompt_claim import Answers
from handcraft.claims.spelling import tokens_within
from handcraft.core.errors import ProgramError
from handcraft.core.gpt2 import Array
from handcraft.model import Model
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.forms import Form, over
from handcraft.proof.lanes.lasting import Lasting
from handcraft.proof.lanes.placed import said_at_places
from handcraft.proof.lanes.symbols import (
    AT_END,
    AT_INDEX,
    PromptTexts,
    Symbols,
)
from handcraft.proof.lanes.walks import TokenWalk, walk_of
from handcraft.sequence.evaluate import evaluate
from handcraft.sequence.expression import Expression

# what is made of these alone is the same for all prompts that end at one place
OF_THE_END = frozenset(
    (
        *("end", "here", "add", "subtract", "multiply", "divide", "modulo"),
        *("equal", "below", "both", "either", "negate", "least", "greatest"),
        *("cases", "lookup", "otherwise"),
    )
)


@dataclass(frozen=True, eq=False)
class PromptContexts:
    """The texts of a claim, of which positions are counted behind the first token.

    begin    the token that all texts begin with, where there is one; it has no index
    tokens   all that a text can have behind it
    ends     the index of the last token of the prompt, of all that are possible
    last     of each end the index of the last position at which an answer is read
    asked    [n_end, n_index] the positions that are looked at: all from the end to the last, or
             a part of them
    there    [n_end, n_index, n_token] what can stand where
    prompts  how many there are
    walk     the automaton of the prompts
    length   of an answer, where the text decides it; else None
    lasting  what it then depends on
    """

    begin: str | None
    tokens: tuple[str, ...]
    ends: tuple[int, ...]
    last: tuple[int, ...]
    there: Array
    asked: Array
    prompts: int
    walk: TokenWalk
    length: Expression | None = None
    lasting: Lasting | None = None

    @property
    def skipped(self) -> int:
        """The tokens before index 0."""
        return int(self.begin is not None)

    def symbols(self, *, placed: bool = False) -> Symbols:
        """Symbols of these texts; `placed` if positions are chosen by their places alone."""
        texts = PromptTexts(
            self.ends, self.there, self.asked, self.walk, self.lasting
        )
        n = self.there.shape[1]
        return Symbols(self.tokens, n, causal=True, texts=texts, placed=placed)

    def narrowed(self, symbols: Symbols, said: Form) -> PromptContexts:
        """The same texts: behind a position that is asked stands what the claim says there."""
        there = self.there.copy()
        for e in range(len(self.ends)):
            values = values_by_place(symbols, said, e)
            for i in np.flatnonzero(self.asked[e]):
                row = values[i]
                if i == self.last[e]:
                    continue
                if self.begin in row - {None}:
                    raise Rejected("an answer may hold the first token")
                there[e, i + 1] &= np.array([t in row for t in self.tokens])
        return replace(self, there=there)


def values_by_place(
    symbols: Symbols, said: Form, end: int
) -> list[set[Any]]:  # -> [n_index]
    """What a claim says at each place of the texts with the end of this number."""
    with symbols.of_asked(True):
        if (found := said_at_places(symbols, said, end)) is not None:
            return found
        values, possible = _by_place(symbols, said)
    return [
        set(np.ravel(row)[np.ravel(can)].tolist())
        for row, can in zip(values[end], possible[end], strict=True)
    ]


def _by_place(symbols: Symbols, said: Form) -> tuple[Array, Array]:
    """What a claim says, by the end of the prompt and the index, and which of it can be."""
    labels = tuple(sorted({*said.labels, (0, AT_INDEX), (0, AT_END)}))
    possible = symbols.possible(labels)
    values = over(symbols, said, labels)
    place = labels.index((0, AT_END)), labels.index((0, AT_INDEX))
    return np.moveaxis(values, place, (0, 1)), np.moveaxis(
        possible, place, (0, 1)
    )


def check_ends(
    contexts: PromptContexts, symbols: Symbols, said: Form, stop: str | None
) -> None:
    """Raise Rejected unless an answer has the stop token as its last one, and nowhere else."""
    if stop is None:
        return
    for e, end in enumerate(contexts.ends):
        values = values_by_place(symbols, said, e)
        for i in range(end, contexts.last[e] + 1):
            # none where it is of another part
            is_stop = [x == stop for x in values[i]]
            ends = i == contexts.last[e]
            if not all(is_stop) if ends else any(is_stop):
                raise Rejected("an answer may end somewhere else")


def contexts_of(model: Model, claim: Answers) -> PromptContexts:
    """The texts of a claim. Raises Rejected where they are not of a kind that is known here."""
    vocabulary = model.vocabulary
    language = claim.language(model.n_ctx, vocabulary)
    characters = language.characters
    if not characters <= vocabulary.ids.keys() or any(
        len(t) > 1 for t in tokens_within(vocabulary, characters)
    ):
        raise Rejected("a token of the prompts is not one character")
    walk = walk_of(language)
    steps = {m: walk.places(m) for m in walk.lengths}
    if not steps:
        raise Rejected("there is no prompt")
    firsts = {chars for first in steps.values() for chars in first[0]}
    once = len(firsts) == 1 and min(steps) > 1
    first = min(firsts) if once and not firsts & _behind(steps) else None
    skipped = int(first is not None)
    tokens = tuple(t for t in vocabulary.tokens if t != first)
    if len(set(vocabulary.tokens)) < len(vocabulary.tokens):
        raise Rejected("a token is named twice")
    n = model.n_ctx - skipped
    open_end = _is_of_text(claim)
    lengths = {
        m: model.n_ctx - m + 1 if open_end else _length(claim, m - 1)
        for m in steps
    }
    there = np.zeros((len(steps), n, len(tokens)), dtype=bool)
    ends, last = [], []
    for row, (m, of_place) in enumerate(sorted(steps.items())):
        end = m - 1 - skipped
        if end + lengths[m] > n:
            raise Rejected("a prompt and its answer do not fit the window")
        for i, chars in enumerate(of_place[skipped:]):
            there[row, i] = [t in chars for t in tokens]
        there[row, end + 1 : end + lengths[m]] = True
        ends.append(end)
        last.append(end + lengths[m] - 1)
    index = np.arange(n)[None]
    asked = (index >= np.array(ends)[:, None]) & (
        index <= np.array(last)[:, None]
    )
    return PromptContexts(
        first,
        tokens,
        tuple(ends),
        tuple(last),
        there,
        asked,
        walk.prompts,
        walk.of_tokens(tokens, skipped),
        claim.length if open_end else None,  # type: ignore[arg-type]
    )


def _behind(steps: dict[int, list[set[str]]]) -> set[str]:
    """The characters that stand behind the first of a prompt."""
    return {c for places in steps.values() for x in places[1:] for c in x}


def _is_of_text(claim: Answers) -> bool:
    """True if the length of an answer depends on more than the end of its prompt."""
    length = claim.length
    return isinstance(length, Expression) and not length.ops <= OF_THE_END


def _length(claim: Answers, end: int) -> int:
    """How many tokens the answer to a prompt with this end has."""
    length = claim.length
    if isinstance(length, int):
        return length
    if length is None:
        raise Rejected("nobody says how long an answer is")
    try:
        found = evaluate(length, [""] * (end + 1), end=end)
    except ProgramError as error:
        raise Rejected(str(error)) from None
    if not isinstance(found, int) or found < 1:
        raise Rejected("the length of an answer is no number from 1 on")
    return found
