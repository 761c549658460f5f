"""The claim as an expression, read token by token: what each of its selections must remember.

    first, latest    a position, or the token there
    count, total     a number
    lowest           a sum, and the least sum so far
    state            where the automaton stands

Rules of this file: the meaning is that of `sequence.expression.evaluate`; what must be known
beforehand, and is not, is rejected.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache
from math import ceil
from typing import Any

from handcraft.claims.answers import Table
from handcraft.claims.prompt_language import START
from handcraft.claims.transducer import Transducer
from handcraft.proof.checker.claim import (
    OUT,
    SELECTION_WORDS,
    Aligned,
    Domain,
    Endings,
    Reading,
    Written,
)
from handcraft.proof.checker.zonotope import Rejected
from handcraft.sequence.expression import Expression
from handcraft.sequence.values import LAZY, chosen, combine

FARTHEST = (
    1_000  # tokens that a selection may look back by: all of them are kept
)
Machine = tuple[Any, Callable[[Any, int, str], Any], Callable[[str], Any]]
NONE_AFTER = 0  # the label of a token after which there is nothing


def parts_of(rule: Expression) -> list[Expression]:
    """Return every expression that this one is made of, itself first. A section names what
    it guesses by its number in this list.
    """
    found = [rule]
    for part in found:
        for inner in part.parts:
            if inner not in found:
                found.append(inner)
    return found


class Ruled(Reading):
    """The reading of an expression: its memory is what each of its selections needs of the past."""

    def __init__(
        self,
        domain: Domain,
        levels: Sequence[int],
        end: int | None,
        own: str | None,
        guesses: dict[Expression, Any],
        rule: Expression | None = None,
    ) -> None:
        super().__init__(domain, levels, end)
        self.rule: Any = domain.claim.rule if rule is None else rule
        self.own = own
        self.guesses = guesses
        self.scope = {"here": levels[0]} if len(levels) == 1 else {}
        if end is not None or domain.language is None:
            self.scope["end"] = end  # type: ignore[assignment]
        elif len(levels) == 1:
            self.scope["end"] = levels[0]
        self.followed: list[Expression] = []
        # of each node that is followed, by identity: comparing them takes long
        self.places: dict[int, int] = {}
        for e in (self.rule, *guesses):
            self._follow(e)
        # what each part of a memory becomes, at the position asked last
        self._inner: dict[Any, tuple[list[Any], int]] = {}
        self._asked = -1
        # which tokens a part tells apart, numbered
        self._shapes: dict[tuple[int, ...], int] = {}
        self._labels: list[tuple[int, ...]] = []  # the same by their numbers
        self._classes: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
        self.steps = [self._machine(e) for e in self.followed]
        self.kinds = [self._kinds(kind) for _, _, kind in self.steps]
        self.start = (
            () if domain.language is None else (START, 0),
            *(start for start, _, _ in self.steps),
        )

    def _follow(self, e: Any) -> None:
        if not isinstance(e, Expression):
            return
        if _is_own(e):
            self.reads_own = True
        elif e.op in SELECTION_WORDS:
            if e not in self.followed:
                self.followed.append(e)
            self.places[id(e)] = self.followed.index(e)
        else:
            for arg in e.args:
                self._follow(arg)

    def _fixed(self, e: Any) -> Any:
        """Return a value that is known before anything is read."""
        if not isinstance(e, Expression):
            return e
        if e in self.guesses:
            return self.guesses[e]
        if e.op in self.scope:
            return self.scope[e.op]
        if _is_own(e) and self.own is not None:
            return self.own
        if e.op in SELECTION_WORDS or e.op in ("here", "end", "step"):
            raise Rejected(f"a section must fix the claim's {e.op} beforehand")
        return (
            chosen(e, self._fixed)
            if e.op in LAZY
            else combine(e, [self._fixed(arg) for arg in e.args])
        )

    def step(self, memory: Any, position: int, token: int) -> Any:
        inside = self.domain.step(memory[0], position, token, self.end)
        if inside is None:
            return None
        text = self.domain.tokens[token]
        return (
            inside,
            *(
                step(m, position, text)
                for (_, step, _), m in zip(self.steps, memory[1:], strict=True)
            ),
        )

    def groups(
        self, memory: Any, position: int
    ) -> list[tuple[Any, tuple[int, ...]]]:
        """Return what `step` says of every token. Each part of a memory is computed once,
        since many memories share it.
        """
        if position != self._asked:
            self._asked = position
            self._inner = {}
        parts = [self._part(*part) for part in enumerate(memory)]
        shape = tuple([number for _, number in parts])
        if shape not in self._classes:
            self._classes[shape] = self._together(
                [self._labels[number] for number in shape]
            )
        return [
            (tuple([row[tokens[0]] for row, _ in parts]), tokens)
            for tokens in self._classes[shape]
        ]

    def _kinds(self, kind: Callable[[str], Any]) -> tuple[list[int], list[int]]:
        """Return the number of each token's kind, and the first token of each kind."""
        found: dict[Any, int] = {}
        kinds = [
            found.setdefault(kind(text), len(found))
            for text in self.domain.tokens
        ]
        return kinds, [kinds.index(number) for number in range(len(found))]

    def _part(self, part: int, value: Any) -> tuple[list[Any], int]:
        """Return what a part of a memory becomes after each token, and the number of the
        way in which it tells tokens apart.
        """
        found = self._inner.get((part, value))
        if found is None:
            row = (
                self._allowed(value)
                if part == 0
                else self._stepped(part - 1, value)
            )
            first: dict[Any, int] = {None: NONE_AFTER}
            labels = tuple(
                [first.setdefault(after, len(first)) for after in row]
            )
            number = self._shapes.setdefault(labels, len(self._shapes))
            self._labels += [labels] * (number == len(self._labels))
            found = self._inner[part, value] = row, number
        return found

    def _allowed(self, state: Any) -> list[Any]:
        """Return the state of the prompt after each token."""
        return [
            self.domain.step(state, self._asked, token, self.end)
            for token in range(len(self.domain.tokens))
        ]

    def _stepped(self, number: int, value: Any) -> list[Any]:
        """Return what a selection remembers after each token: computed for one token of
        each kind.
        """
        (kinds, firsts), step = self.kinds[number], self.steps[number][1]
        after = [
            step(value, self._asked, self.domain.tokens[token])
            for token in firsts
        ]
        return [after[kind] for kind in kinds]

    @staticmethod
    def _together(labels: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
        """Return the tokens grouped so that all parts treat them alike. Those for which the
        first part is None are outside the domain.
        """
        found: dict[tuple[int, ...], list[int]] = {}
        for token, name in enumerate(zip(*labels, strict=True)):
            if name[0] != NONE_AFTER:
                found.setdefault(name, []).append(token)
        return [tuple(tokens) for tokens in found.values()]

    def answer(self, memory: Any, level: int, token: int) -> Any:
        if not self.domain.complete(memory[0]):
            return OUT
        scope = {
            "here": level,
            "end": level
            if self.end is None and self.domain.language
            else self.end,
        }
        if any(
            self._value(e, memory, scope, token) != value
            for e, value in self.guesses.items()
        ):
            return OUT
        found = self._value(self.rule, memory, scope, token)
        if found is None and self.domain.language is None:
            return None
        if self.domain.claim.measures == "lane":
            if type(found) not in (int, Fraction):
                raise Rejected("the claim says a token, or nothing, of a lane")
            return found
        if found is None:
            raise Rejected("the claim has no answer to some context")
        if not isinstance(found, str) or found not in self.domain.ids:
            raise Rejected("the claim answers with what is no token")
        return self._continued(self.domain.ids[found], level)

    def _continued(self, found: int, level: int) -> int:
        """Return the answer itself. Raises Rejected unless contexts behind the prompt may
        hold that token.
        """
        if self.domain.language is None:
            return found
        end = level if self.end is None else self.end
        if (
            level != end + self.domain.length(end) - 1
            and found not in self.domain.alphabet
        ):
            raise Rejected(
                "an answer holds a token that no section goes on with"
            )
        return self.domain.ends_with(found, end, level)

    def _value(
        self, e: Any, memory: Any, scope: dict[str, Any], token: int
    ) -> Any:
        if not isinstance(e, Expression):
            return e
        if e.op in scope:
            return scope[e.op]
        if _is_own(e):
            return self.domain.tokens[token]
        place = self.places.get(id(e))
        if place is not None:
            found = memory[1 + place]
            return found[0] if isinstance(found, tuple) else found
        if e.op in LAZY:
            return chosen(e, lambda arg: self._value(arg, memory, scope, token))
        return combine(
            e, [self._value(arg, memory, scope, token) for arg in e.args]
        )

    # ------------------------------------------------------------ what a selection needs of the
    # past

    def _machine(self, e: Expression) -> Machine:
        """Return a start memory, how a token changes a memory, and the kind of a token. If
        a memory is a tuple, its first item is the value.

        Tokens of one kind change every memory alike.
        """
        if e.op == "state":
            rows = e.rows
            return rows[()], lambda m, _, x: rows.get((m, x), m), lambda x: x
        if e.op == "token_at":
            place: Any = e.args[0]
            if isinstance(place, Expression) and place.op in (
                "first",
                "latest",
            ):
                return self._matching(place, token=True)
            at = self._fixed(place)
            return None, lambda m, j, x: x if j == at else m, lambda x: x
        inside = self._inside(e)
        if e.op in ("total", "lowest"):
            worth: Callable[[str], int] = lambda x: int(e.rows.get((x,), 0))  # noqa: E731

            def add(j: int, x: str) -> int:
                return worth(x) if inside(j) else 0

            if e.op == "total":
                return 0, lambda m, j, x: m + add(j, x), worth
            return (
                (0, 0),
                lambda m, j, x: (min(m[0], m[1] + add(j, x)), m[1] + add(j, x)),
                worth,
            )
        return self._matching(e, token=False)

    def _inside(self, e: Expression) -> Callable[[int], bool]:
        start, every = e.every
        stop = self._fixed(e.before)
        until = None if stop is None else ceil(stop)
        if e.before is not None and stop is None:
            until = 0
        return lambda j: (
            j >= start
            and (j - start) % every == 0
            and (until is None or j < until)
        )

    def _matching(self, e: Expression, *, token: bool) -> Machine:
        inside = self._inside(e)
        wanted = [(offset, self._fixed(what)) for offset, what in e.where]
        if any(offset > 0 for offset, _ in wanted):
            raise Rejected(
                "the claim selects a position by what stands behind it"
            )
        if any(offset < -FARTHEST for offset, _ in wanted):
            raise Rejected(
                f"the claim looks back by more than {FARTHEST} tokens"
            )

        @cache
        def fits(x: str) -> tuple[bool, ...]:
            return tuple(
                [
                    x in what if isinstance(what, tuple) else x == what
                    for _, what in wanted
                ]
            )

        def step(memory: Any, j: int, x: str) -> Any:
            value, *pasts = memory
            # [-offset] tokens back stands first
            pasts = [
                (*past, fit) for past, fit in zip(pasts, fits(x), strict=True)
            ]
            if inside(j) and all(past[0] for past in pasts):
                value = _taken(e.op, value, x if token else j)
            return value, *(past[1:] for past in pasts)

        start = (
            0 if e.op == "count" else None,
            *((False,) * -offset for offset, _ in wanted),
        )
        return start, step, lambda x: (fits(x), x if token else None)


def _taken(op: str, value: Any, new: Any) -> Any:
    if op == "count":
        return value + 1
    return value if op == "first" and value is not None else new


def _is_own(e: Expression) -> bool:
    return (
        e.op == "token_at"
        and isinstance(e.args[0], Expression)
        and e.args[0].op == "here"
    )


def reading_of(
    domain: Domain, section: Any, levels: Sequence[int], own: str | None
) -> Reading:
    """Return the way in which a section reads the claim."""
    claim = domain.claim
    end = section.end
    rule = claim.rule
    if section.guesses and not isinstance(rule, Expression):
        raise Rejected(
            "a section guesses what nobody reads: only an expression has parts to be guessed"
        )
    if claim.by_endings:
        return Endings(domain, levels, end)
    if isinstance(rule, Table):
        return Written(domain, levels, end)
    if (
        isinstance(rule, Transducer)
        and end is not None
        and section.order is not None
    ):
        return Aligned(domain, levels, end, section.order)
    if not isinstance(rule, Expression) or section.order is not None:
        raise Rejected("the claim is none that can be checked")
    parts = parts_of(rule)
    if any(i >= len(parts) for i, _ in section.guesses) or len(
        dict(section.guesses)
    ) < len(section.guesses):
        raise Rejected(
            "a section guesses what is no part of the claim, or guesses it twice"
        )
    return Ruled(
        domain,
        levels,
        end,
        own,
        {parts[i]: value for i, value in section.guesses},
    )
