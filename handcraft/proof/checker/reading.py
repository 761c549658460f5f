"""A claim, read token by token: what must follow a context, from a memory that the checker keeps itself.

A section of a certificate may fix beforehand where the prompt ends, the last token, and what some parts of the claim's
expression say. Whether that is true of a context is seen in the end; where it is not, the context is another section's.

    step(memory, position, token)    the memory after a token; None outside the domain
    answer(memory, level, token)     a token's id, probabilities or a number; None where the claim is silent; OUT

Rules of this file: the meaning is that of `expressions.evaluate`; what cannot be followed is rejected.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, prod
from typing import Any

from handcraft.answering import Table
from handcraft.claims import After, Answers, Claim, Distribution
from handcraft.expressions import Expression, combine, evaluate
from handcraft.model import Model
from handcraft.proof.checker.boxes import Rejected
from handcraft.prompts import START
from handcraft.transducers import Transducer

OUT = "another section"
SELECTIONS = ("first", "latest", "count", "total", "lowest", "state", "token_at")


class Domain:
    """Which contexts there are: {(where the prompt ends, the level): how many}; and one section's guesses."""

    def __init__(self, model: Model, claim: Claim, alphabet: Sequence[int]) -> None:
        self.model, self.claim, self.alphabet = model, claim, set(alphabet)
        self.tokens, self.ids = model.vocabulary.tokens, model.vocabulary.ids
        self.language = claim.language(model.n_ctx, model.vocabulary) if isinstance(claim, Answers) else None
        self.table = _written_out(model, claim) if isinstance(claim, Answers) and isinstance(claim.answer, Table) else None

    def length(self, end: int) -> int:
        """How many tokens answer a prompt that ends there."""
        length = self.claim.length if isinstance(self.claim, Answers) else 1
        if isinstance(length, Expression):
            if length.uses(*SELECTIONS, "here", "step"):
                raise Rejected("the length of an answer depends on more than the prompt's")
            length = evaluate(length, (), end=end)  # type: ignore[assignment]
        if not isinstance(length, int):
            raise Rejected("the claim does not say how long an answer is")
        return length

    def sizes(self, *, ends: bool) -> dict[tuple[int | None, int], int]:
        """How many contexts there are; with `ends`, by where the prompt ends."""
        if self.language is None:
            return {(None, level): len(self.tokens) ** (level + 1) for level in range(self.model.n_ctx)}
        if self.table is not None:
            return {(None, n - 1): sum(len(c) == n for c in self.table[0]) for n in {len(c) for c in self.table[0]}}
        if not ends:
            if getattr(self.claim, "length", None) != 1:
                raise Rejected("the sections do not say where the prompts end")
            return {(None, n - 1): count for n, count in self.language.lengths.items()}
        found = {}
        width = 1 if isinstance(getattr(self.claim, "answer", None), Transducer) else len(self.alphabet)
        for n, count in self.language.lengths.items():
            if n + self.length(n - 1) - 1 > self.model.n_ctx:
                raise Rejected("a prompt and its answer do not fit the window")
            found |= {(n - 1, n - 1 + i): count * width**i for i in range(self.length(n - 1))}
        return found

    def step(self, state: Any, position: int, token: int, end: int | None) -> Any:
        """Where the prompt stands, or () behind its end; None outside the domain."""
        if self.language is None:
            return state
        if end is not None and position > end:
            return () if token in self.alphabet else None
        text = self.tokens[token]
        at, used = self.language.step(state[0], text), state[1] + len(text)
        if not at or used > self.language.max_length or not self.language.can_end(at, used):
            return None
        if len(text) > 1:
            raise Rejected("a prompt holds a token of several characters")
        if end is None or position < end:
            return at, used
        return () if self.language.accepts(at) else None

    def complete(self, state: Any) -> bool:
        """Whether a context that leads here is one of the domain."""
        return self.language is None or state == () or self.language.accepts(state[0])


def _written_out(model: Model, claim: Answers) -> tuple[dict[tuple[int, ...], int], set[tuple[int, ...]]]:
    """Of a table of answers: what follows every context, and all their beginnings."""
    follows: dict[tuple[int, ...], int] = {}
    for prompt in claim.language(model.n_ctx, model.vocabulary):
        ids = model.vocabulary.ids
        asked = [ids[t] for t in model.vocabulary.split(prompt)]
        whole = (*asked, *(ids[t] for t in claim.expected(prompt, model.vocabulary, model.n_ctx)))
        follows |= {whole[:i]: whole[i] for i in range(len(asked), len(whole))}
    return follows, {context[:i] for context in follows for i in range(len(context) + 1)}


class Reading:
    """A claim in one section."""

    order: tuple[int, ...] | None = None
    start: Any = ()

    def __init__(self, domain: Domain, levels: Sequence[int], end: int | None) -> None:
        self.domain, self.levels, self.end = domain, levels, end

    def step(self, memory: Any, position: int, token: int) -> Any:
        """The memory after one more token."""
        raise NotImplementedError

    def answer(self, memory: Any, level: int, token: int) -> Any:
        """What must follow."""
        raise NotImplementedError


class Endings(Reading):
    """The last tokens decide: those positions are remembered that are among the last of a level."""

    def __init__(self, domain: Domain, levels: Sequence[int], end: int | None) -> None:
        super().__init__(domain, levels, end)
        claim: Any = domain.claim
        self.rows = claim.endings(domain.model.vocabulary)
        self.window = max(map(len, self.rows))
        self.needed = {j for level in levels for j in range(level - self.window + 1, level + 1)}

    def step(self, memory: tuple[str, ...], position: int, token: int) -> tuple[str, ...]:
        return (*memory, self.domain.tokens[token])[-self.window :] if position in self.needed else ()

    def answer(self, memory: tuple[str, ...], level: int, token: int) -> Any:  # noqa: ARG002
        found = next((self.rows[memory[i:]] for i in range(len(memory)) if memory[i:] in self.rows), None)
        if isinstance(found, dict):
            return tuple(found.get(t, 0.0) for t in self.domain.tokens)
        return None if found is None else self.domain.ids[found]


class Written(Reading):
    """A table of answers: the whole context is remembered."""

    def step(self, memory: tuple[int, ...], position: int, token: int) -> Any:  # noqa: ARG002
        return (*memory, token) if self.domain.table and (*memory, token) in self.domain.table[1] else None

    def answer(self, memory: tuple[int, ...], level: int, token: int) -> Any:  # noqa: ARG002
        return self.domain.table[0].get(memory, OUT) if self.domain.table else OUT


class Aligned(Reading):
    """A transducer, read in an order in which every step has what it needs: (state, steps done, tokens read, token due)."""

    def __init__(self, domain: Domain, levels: Sequence[int], end: int, order: Sequence[int]) -> None:
        super().__init__(domain, levels, end)
        claim: Any = domain.claim
        self.machine, self.order, self.shape = claim.answer, tuple(order), _shape(domain, end)
        steps = levels[0] - end + 1
        self.stop = claim.stop if steps == domain.length(end) else None
        count = steps - (self.stop is not None)
        if len(levels) > 1 or sorted(order) != list(range(levels[0] + 1)):
            raise Rejected("an order must read every position once")
        self.places = [[evaluate(e, (), end=end, step=i) for e in self.machine.inputs] for i in range(count)]
        self.start = self._advanced(self.machine.start, 0, (), None)

    def step(self, memory: Any, position: int, token: int) -> Any:
        state, done, read, due = memory
        end, text = self.end or 0, self.domain.tokens[token]
        if position > end:
            if due is None or position != end + done:
                raise Rejected("the order reads what is written before it is known")
            return self._advanced(state, done, read, None) if due == text else None
        if token not in self.shape[position]:
            return None
        wanted = any(position in places for places in self.places[done:])
        return self._advanced(state, done, (*read, (position, text)) if wanted else read, due)

    def _advanced(self, state: Any, done: int, read: tuple[tuple[int, str], ...], due: str | None) -> Any:
        if due is None and done < len(self.places) and set(self.places[done]) <= {p for p, _ in read}:
            known = dict(read)
            row = self.machine.rows.get((state, *(known[p] for p in self.places[done])))
            if row is None:
                raise Rejected("the transducer has no row for what it reads")
            later = {p for places in self.places[done + 1 :] for p in places}
            return row[1], done + 1, tuple((p, x) for p, x in read if p in later), row[0]
        return state, done, read, due

    def answer(self, memory: Any, level: int, token: int) -> Any:  # noqa: ARG002
        _, done, _, due = memory
        found = self.stop if self.stop is not None and due is None else due
        if found is None or done < len(self.places):
            raise Rejected("the transducer has not come to its end")
        return self.domain.ids[found]


def _shape(domain: Domain, end: int) -> list[set[int]]:
    """The tokens at each position of the prompts that end there: all combinations of them, which is counted."""
    language, states, shape = domain.language, {START}, list[set[int]]()
    if language is None or not domain.model.vocabulary.single:
        raise Rejected("prompts can be read in another order only where tokens are single characters")
    for position in range(end + 1):
        steps = {(s, t): language.step(s, text) for s in states for text, t in domain.ids.items()}
        alive = {key: after for key, after in steps.items() if after and language.ends_in(after, end - position)}
        shape.append({t for _, t in alive})
        states = set(alive.values())
    if prod(map(len, shape)) != language.lengths.get(end + 1, 0):
        raise Rejected("the tokens of a prompt depend on each other, so that they cannot be read in another order")
    return shape


# ------------------------------------------------------------ expressions


def parts_of(rule: Expression) -> list[Expression]:
    """Every expression that it is made of, itself first: a section names what it guesses by the number in this list."""
    found = [rule]
    for part in found:
        found.extend(p for p in part.parts if p not in found)
    return found


class Ruled(Reading):
    """An expression: what each of its selections needs of the past."""

    def __init__(
        self, domain: Domain, levels: Sequence[int], end: int | None, own: str | None, guesses: dict[Expression, Any]
    ) -> None:  # fmt: skip
        super().__init__(domain, levels, end)
        claim: Any = domain.claim
        self.rule: Expression = claim.answer if isinstance(claim, Answers) else claim.function
        self.own, self.guesses = own, guesses
        self.scope = {"here": levels[0]} if len(levels) == 1 else {}
        if end is not None or domain.language is None:
            self.scope["end"] = end  # type: ignore[assignment]
        elif len(levels) == 1:
            self.scope["end"] = levels[0]
        self.followed: list[Expression] = []
        for e in (self.rule, *guesses):
            self._follow(e)
        self.steps = [self._machine(e) for e in self.followed]
        self.start = (() if domain.language is None else (START, 0), *(start for start, _ in self.steps))

    def _follow(self, e: Any) -> None:
        if not isinstance(e, Expression) or e in self.followed or _is_own(e):
            return
        if e.op in SELECTIONS:
            self.followed.append(e)
        else:
            for arg in e.args:
                self._follow(arg)

    def _fixed(self, e: Any) -> Any:
        """A value that is known before anything is read."""
        if not isinstance(e, Expression):
            return e
        if e in self.guesses:
            return self.guesses[e]
        if e.op in self.scope:
            return self.scope[e.op]
        if _is_own(e) and self.own is not None:
            return self.own
        if e.op in SELECTIONS or e.op in ("here", "end", "step"):
            raise Rejected(f"a section must fix the claim's {e.op} beforehand")
        return combine(e, [self._fixed(arg) for arg in e.args])

    def step(self, memory: Any, position: int, token: int) -> Any:
        inside = self.domain.step(memory[0], position, token, self.end)
        if inside is None:
            return None
        text = self.domain.tokens[token]
        return (inside, *(step(m, position, text) for (_, step), m in zip(self.steps, memory[1:], strict=True)))

    def answer(self, memory: Any, level: int, token: int) -> Any:
        if not self.domain.complete(memory[0]):
            return OUT
        scope = {"here": level, "end": level if self.end is None and self.domain.language else self.end}
        if any(self._value(e, memory, scope, token) != value for e, value in self.guesses.items()):
            return OUT
        found = self._value(self.rule, memory, scope, token)
        if isinstance(found, str):
            if found not in self.domain.ids:
                raise Rejected("the claim answers with what is no token")
            return self._continued(self.domain.ids[found], level)
        if self.domain.language is not None:
            raise Rejected("the claim has no answer to some context")
        return found

    def _continued(self, found: int, level: int) -> int:
        """The answer itself, which must be among the tokens that contexts behind the prompt are made of."""
        last = self.end is None or level == self.end + self.domain.length(self.end) - 1
        stop = getattr(self.domain.claim, "stop", None)
        if not last and found not in self.domain.alphabet and self.domain.tokens[found] != stop:
            raise Rejected("an answer holds a token that no section goes on with")
        return found

    def _value(self, e: Any, memory: Any, scope: dict[str, Any], token: int) -> Any:
        if not isinstance(e, Expression):
            return e
        if e.op in scope:
            return scope[e.op]
        if _is_own(e):
            return self.domain.tokens[token]
        if e in self.followed:
            found = memory[1 + self.followed.index(e)]
            return found[0] if isinstance(found, tuple) else found
        return combine(e, [self._value(arg, memory, scope, token) for arg in e.args])

    # ------------------------------------------------------------ what a selection needs of the past

    def _machine(self, e: Expression) -> tuple[Any, Callable[[Any, int, str], Any]]:
        """A memory and how a token changes it; where it is a tuple, its first is the value."""
        if e.op == "state":
            rows = e.rows
            return rows[()], lambda m, _, x: rows.get((m, x), m)
        if e.op == "token_at":
            place: Any = e.args[0]
            if isinstance(place, Expression) and place.op in ("first", "latest"):
                return self._matching(place, token=True)
            at = self._fixed(place)
            return None, lambda m, j, x: x if j == at else m
        inside = self._inside(e)
        if e.op in ("total", "lowest"):
            add: Callable[[int, str], int] = lambda j, x: int(e.rows.get((x,), 0)) if inside(j) else 0  # noqa: E731
            if e.op == "total":
                return 0, lambda m, j, x: m + add(j, x)
            return (0, 0), lambda m, j, x: (min(m[0], m[1] + add(j, x)), m[1] + add(j, x))
        return self._matching(e, token=False)

    def _inside(self, e: Expression) -> Callable[[int], bool]:
        start, every = e.every
        stop = self._fixed(e.before)
        until = 0 if e.before is not None and stop is None else None if stop is None else ceil(stop)
        return lambda j: j >= start and (j - start) % every == 0 and (until is None or j < until)

    def _matching(self, e: Expression, *, token: bool) -> tuple[Any, Callable[[Any, int, str], Any]]:
        inside, wanted = self._inside(e), [(offset, self._fixed(what)) for offset, what in e.where]
        if any(offset > 0 for offset, _ in wanted):
            raise Rejected("the claim selects a position by what stands behind it")

        def step(memory: Any, j: int, x: str) -> Any:
            value, *pasts = memory
            fits = [x in what if isinstance(what, tuple) else x == what for _, what in wanted]
            pasts = [(*past, fit) for past, fit in zip(pasts, fits, strict=True)]  # [-offset] tokens back stands first
            if inside(j) and all(past[0] for past in pasts):
                new: Any = x if token else j
                value = value + 1 if e.op == "count" else value if e.op == "first" and value is not None else new
            return value, *(past[1:] for past in pasts)

        return (0 if e.op == "count" else None, *((False,) * -offset for offset, _ in wanted)), step


def _is_own(e: Expression) -> bool:
    return e.op == "token_at" and isinstance(e.args[0], Expression) and e.args[0].op == "here"


def reading_of(domain: Domain, section: Any, levels: Sequence[int], own: str | None) -> Reading:
    """How a section reads the claim."""
    claim, end = domain.claim, section.end
    if isinstance(claim, After | Distribution):
        return Endings(domain, levels, end)
    rule: Any = claim.answer if isinstance(claim, Answers) else claim.function
    if isinstance(rule, Table):
        return Written(domain, levels, end)
    if isinstance(rule, Transducer) and end is not None and section.order is not None:
        return Aligned(domain, levels, end, section.order)
    if not isinstance(rule, Expression) or section.order is not None:
        raise Rejected("the claim is none that can be checked")
    parts = parts_of(rule)
    if any(i >= len(parts) for i, _ in section.guesses):
        raise Rejected("a section guesses what is no part of the claim")
    return Ruled(domain, levels, end, own, {parts[i]: value for i, value in section.guesses})
