"""The case of a transducer: the prompt is read in the order of the transducer's steps, so that
little must be remembered.

A column of an addition is three digits that stand far apart: two in the prompt, one in the
answer. Read one after the other, together with the carry, they are one step of a small
automaton. Positions that no step reads come first, in any order. Rules of this file: if the
tokens of a prompt depend on each other, they cannot be read in another order: Undecided.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from handcraft.claims.prompt_claim import Answers
from handcraft.claims.prompt_language import START
from handcraft.claims.transducer import Transducer
from handcraft.model import Model
from handcraft.proof.prover.case import Case
from handcraft.proof.prover.domains import PromptDomain, length_at
from handcraft.proof.prover.guesses import Known
from handcraft.proof.prover.network import Undecided


class AlignedCase(Case):
    """A transducer, read in the order of its steps: the input tokens of a step, then the
    token it wrote.
    """

    def __init__(
        self,
        how: Transducer,
        model: Model,
        shape: list[set[int]],
        end: int,
        steps: int,
        last: int | None,
    ) -> None:
        self.how = how
        self.tokens = model.vocabulary.tokens
        self.ids = model.vocabulary.ids
        self.shape = shape
        self.end = end
        self.levels = [end + steps - 1]
        self.stop = last
        reading = steps if last is None else steps - 1
        self.reads = [
            [Known({"end": end, "step": i})(e) for e in how.inputs]
            for i in range(reading)
        ]
        asked = [place for places in self.reads for place in places]
        if any(
            not isinstance(p, int) or not 0 <= p <= end for p in asked
        ) or len(set(asked)) < len(asked):
            raise Undecided(
                "the transducer reads a position twice, or one outside the prompt"
            )
        self.script: list[tuple[int, int | None]] = [
            (p, None) for p in range(end + 1) if p not in asked
        ]
        for i, places in enumerate(self.reads):
            self.script += [(p, i) for p in places]
            self.script += [(end + 1 + i, -1 - i)] if i < steps - 1 else []
        self.order = tuple(p for p, _ in self.script)
        self.start = (how.start, ())

    def step(self, state: Any, k: int, token: int) -> Any:
        """Return the state after a token: the transducer's state and what it has read in
        this step, or what it wrote.
        """
        at, read = state
        place, i = self.script[k]
        if i is not None and i < 0:
            return (at, ()) if self.ids.get(read) == token else None
        if token not in self.shape[place]:
            return None
        if i is None:
            return state
        read = (*read, self.tokens[token])
        if len(read) < len(self.how.inputs):
            return at, read
        row = self.how.rows.get((at, *read))
        if row is None:
            raise Undecided(f"the transducer has no row for {(at, *read)}")
        return row[1], row[0]

    def expected(self, state: Any, level: int, token: int) -> Any:  # noqa: ARG002
        return self.stop if self.stop is not None else self.ids[state[1]]

    def counts(self, state: Any, level: int) -> bool:  # noqa: ARG002
        return level == self.end

    def allowed(self, everything: Sequence[int]) -> list[set[int]]:  # noqa: ARG002
        written = {self.ids[token] for token in self.how.tokens}
        return [
            self.shape[i] if i <= self.end else written
            for i in range(max(self.levels) + 1)
        ]


def aligned_cases(
    claim: Answers, how: Transducer, model: Model, end: int
) -> Iterator[Case]:
    """Yield the cases of the prompts that end at one position: one for each token of the answer."""
    shape = _shape(claim, model, end)
    length = length_at(claim.length, end)
    for steps in range(1, length + 1):
        stop = (
            model.vocabulary.ids[claim.stop]
            if claim.stop is not None and steps == length
            else None
        )
        yield AlignedCase(how, model, shape, end, steps, stop)


def _shape(claim: Answers, model: Model, end: int) -> list[set[int]]:
    """Return the tokens that each position of a prompt can hold. Raises Undecided if they
    depend on each other.
    """
    whole = PromptDomain(claim, model)
    shape = list[set[int]]()
    language = whole.language
    states = {START}
    if not model.vocabulary.single:
        raise Undecided(
            "tokens of several characters cannot be read in another order"
        )
    for position in range(end + 1):
        steps = {
            (s, t): language.step(s, text)
            for s in states
            for t, text in enumerate(whole.tokens)
        }
        steps = {
            key: after
            for key, after in steps.items()
            if language.ends_in(after, end - position)
        }
        shape.append({t for _, t in steps})
        states = set(steps.values())
    count = language.lengths.get(end + 1, 0)
    for tokens in shape:
        count = (
            count // len(tokens) if tokens and count % len(tokens) == 0 else -1
        )
    if count != 1:
        raise Undecided(
            "the tokens of a prompt depend on each other, so that it cannot be read in"
            " another order"
        )
    return shape
