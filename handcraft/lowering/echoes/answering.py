"""The frame in which an expression answers a prompt: ^x= is followed by its values, one by one.

    answer(e, tokens=, n=)   the program that goes on ^x=y$, or ^x=x=y$, greedily

A value that depends on selections of selected values needs x once more for each of them: so many
echoes come before the answer (handcraft.lowering.echoes.regions). What looks back only is computed
where x stands, and then brought.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import partial
from itertools import pairwise
from typing import Any

from handcraft.core.arguments import checked_call
from handcraft.core.errors import ProgramError
from handcraft.core.frozen import is_nest
from handcraft.core.gpt2 import Activation
from handcraft.core.source import caller
from handcraft.language.affine import Affine, kind_of
from handcraft.language.slot_tables import MAX_N_CTX
from handcraft.lowering.echoes.answer_claim import answer_claim
from handcraft.lowering.echoes.bounds import Bounds
from handcraft.lowering.echoes.levels import level_of, looks_back
from handcraft.lowering.echoes.regions import (
    EMPTY,
    Lengths,
    RegionLowering,
    Regions,
    RegionStream,
)
from handcraft.lowering.echoes.signs import Signs
from handcraft.lowering.frames.read_out import read_out
from handcraft.lowering.lower import Lowering
from handcraft.lowering.naming import author_variables
from handcraft.lowering.pointwise import images, mapped
from handcraft.lowering.reading.core import Core
from handcraft.lowering.reading.domains import Domains
from handcraft.lowering.refusals import Refused, tried
from handcraft.lowering.scheduling.emit import emitted
from handcraft.lowering.scheduling.schedule import Sizes, cheapest
from handcraft.lowering.stream import (
    BOS,
    ONE,
    Held,
    LaneTable,
    Stream,
    constant,
)
from handcraft.program.program import Program
from handcraft.sequence.expression import Expression
from handcraft.sequence.values import Value

# what float32 leaves open of a number beside a greater one, of its size
_ROUNDED = 2.0**-22


@checked_call()
def answer(
    e: Expression,
    *,
    tokens: Iterable[str],
    n: int,
    causal: bool = False,
    echoes: int | None = None,
    begin: str = "^",
    separator: str = "=",
    stop: str = "$",
    undefined: str = "?",
    name: str | None = None,
    activation: Activation = "gelu",
) -> Program:
    """The program that says the values of e at the positions of x, after ^x= and echoes of it.

        answer(reverse, tokens="abcd", n=20)   goes on ^abca= with acba$
        answer(sort, tokens="abcd", n=20)      goes on ^bca= with bca=abc$

    tokens     of x, which has 1 to n of them
    causal     True if each position of x sees the ones up to itself only
    echoes     how often x is said again before the answer: by default once for each level of
               selections of selected values beyond the first
    undefined  the token that is said where e is undefined

    Greedy decoding from the prompt alone is right at every position, and ends with the stop token.
    """
    alphabet = (
        tuple(tokens) if isinstance(tokens, str) or is_nest(tokens) else ()
    )
    _check(e, alphabet, n)
    signs = Signs(alphabet, begin, separator, stop, undefined)
    try:
        frame = _Frame(e, signs, n, causal, echoes, author_variables())
        return frame.program(name, activation)
    except Refused as found:
        raise found.error(caller()) from None


def _check(e: object, alphabet: tuple[Any, ...], n: object) -> None:
    """Raise ProgramError for no expression, no alphabet, or no number of tokens."""
    if not isinstance(e, Expression):
        raise _bad(
            f"takes an expression of handcraft.sequence.words, found {kind_of(e)}"
        )
    if not alphabet or not all(isinstance(t, str) and t for t in alphabet):
        raise _bad(
            "takes the tokens of a text, such as 'ab' or ['a', 'b']", "tokens"
        )
    if len(set(alphabet)) < len(alphabet):
        twice = next(t for t in alphabet if alphabet.count(t) > 1)
        raise _bad(f"the token {twice!r} stands twice", "tokens")
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise _bad(
            f"takes the most tokens of a text, at least 1, found {n!r:.60}", "n"
        )


def _bad(message: str, *argument: str) -> ProgramError:
    return ProgramError(message, ("answer", *argument), caller())


def _check_window(lengths: Lengths) -> None:
    """Raise ProgramError for a window past the largest."""
    if lengths.places + 1 > MAX_N_CTX:
        echoes = f" with {lengths.echoes} echoes" if lengths.echoes else ""
        most = (MAX_N_CTX - 1 - lengths.last) // (lengths.last + 1)
        raise _bad(
            f"a text of {lengths.n:,} tokens and its answer{echoes} need a window of"
            f" {lengths.places + 1:,}, and {MAX_N_CTX:,} is the most; at most"
            f" {most:,} would fit",
            "n",
        )


class _Frame:
    """An answer while it is made."""

    def __init__(
        self,
        e: Expression,
        signs: Signs,
        n: int,
        causal: bool,
        echoes: int | None,
        named: Mapping[str, Expression],
    ) -> None:
        self.named = named
        self.signs = signs
        self.n = n
        self.core = Core(causal=causal)
        self.node = self.core.of(e)
        self.causal = causal
        self.back = causal or looks_back(self.node)
        least = max(0, level_of(self.node) - 1)
        self.lengths = Lengths(n, self._echoes(echoes, least))
        _check_window(self.lengths)
        self.domains = Domains(signs.alphabet, n, causal=self.back)

    def _echoes(self, asked: int | None, usual: int) -> int:
        least = 0 if self.back else usual
        if asked is None:
            return usual
        if (
            isinstance(asked, bool)
            or not isinstance(asked, int)
            or asked < least
        ):
            raise _bad(
                f"takes a whole number, at least {least} for this expression, found"
                f" {asked!r:.60}",
                "echoes",
            )
        return asked

    def program(self, name: str | None, activation: Activation) -> Program:
        """The program with its claim. Raises Refused."""
        return tried(partial(self._program, name, activation))

    def _program(
        self, name: str | None, activation: Activation, snapped: float
    ) -> Program:
        lower = self._lowering()
        lower.stream.snapped = snapped
        self._name_answers(lower)
        lower.codes = self.codes
        regions = (
            lower.regions
            if isinstance(lower, RegionLowering)
            else Regions(lower.stream, self.lengths, self.signs.separator)
        )
        said = self._said(lower, regions)
        y = self._chosen(lower, regions, *said)
        names: dict[Value, str] = {t: t for t in self.codes}
        codes: dict[Value, float] = {t: float(z) for t, z in self.codes.items()}
        radius = said[1] + _ROUNDED * self._wall(lower.stream, said[0])
        held = Held(y, codes, radius)
        read_out(lower, self.node, held, self.codes, names)
        n_ctx = self.lengths.places + 1
        read = self.vocabulary[1:]
        sizes = Sizes(len(self.vocabulary), n_ctx, read)
        stream = cheapest(lower.stream, sizes)
        slots, blocks = emitted(stream, self.vocabulary, n_ctx)
        return Program(
            name=name,
            embedding=slots,
            layers=blocks,
            claim=answer_claim(
                self.node,
                self.signs,
                self.lengths,
                self.answers,
                Domains(self.signs.alphabet, self.n, causal=self.causal),
            ),
            vocabulary=self.vocabulary,
            n_ctx=n_ctx,
            activation=activation,
        )

    def _lowering(self) -> Lowering:
        if not self.back:
            return RegionLowering(
                self.core,
                self.domains,
                self.named,
                self.lengths,
                self.signs.separator,
            )
        lower = Lowering(self.core, self.domains, {}, self.named)
        lower.stream = RegionStream()
        lower.stream.tables[BOS] = LaneTable({})
        return lower

    # ------------------------------------------------------------ tokens

    def _name_answers(self, lower: Lowering) -> None:
        """Finds the vocabulary, the token of each answer, and the code of each token."""
        signs = self.signs
        values = lower.domain(self.node).values
        if values is None:
            raise Refused(
                self.node,
                "has too many answers to be tokens",
                "round_() or clip() around it",
            )
        self.answers: dict[Value, str] = {
            x: str(x) for x in values if x is not None
        }
        more = [t for t in self.answers.values() if t not in signs.alphabet]
        signs.check(more, undefined=None in values)
        if None in values:
            self.answers[None] = signs.undefined
            more.append(signs.undefined)
        ends = (signs.separator, signs.stop)
        self.vocabulary = (signs.begin, *signs.alphabet, *more, *ends)
        self.codes = self._coded([*signs.alphabet, *more, *ends])

    def _coded(self, texts: list[str]) -> dict[str, float]:
        """Numbers are their own codes; what is none is below them."""
        numbers = {
            t: float(x)
            for x, t in self.answers.items()
            if x is not None and not isinstance(x, str)
        }
        rest = sorted(set(texts) - numbers.keys(), reverse=bool(numbers))
        low = min([*numbers.values(), 0.0])
        sign = -1.0 if numbers else 1.0
        start = low - 1.0 if numbers else 1.0
        codes = {t: start + sign * i for i, t in enumerate(rest)}
        return {**codes, **numbers}

    # ------------------------------------------------------------ what is said

    def _said(
        self, lower: Lowering, regions: Regions
    ) -> tuple[Affine, float, Affine]:
        """The code of the value at the element, how well it is known, and the code of its token."""
        held = lower.hold(self.node)
        z, radius = self._as_code(lower, held)
        token = lower.standard(self.core.token)
        z_token = EMPTY if token is None else token.z
        if self.back:
            if z.terms:  # a constant is known everywhere
                z = regions.fetched(lower, z, "value")
            if self.lengths.echoes:
                z_token = regions.fetched(lower, z_token, "echoed")
        return z, radius, z_token

    def _as_code(self, lower: Lowering, held: Held) -> tuple[Affine, float]:
        known = held.codes or {}
        pairs = [
            (known[x], self.codes[t])
            for x, t in self.answers.items()
            if x in known
        ]
        f = images(pairs)
        if f is None:
            raise Refused(self.node, "has one code for two answers", "where()")
        return mapped(lower.stream, held.z, held.radius, f, "answer")

    def _wall(self, stream: Stream, value: Affine) -> float:
        """More than any code, and than what is computed where the value is not known yet."""
        codes = self.codes.values()
        _, most = Bounds(stream, self.lengths.places).of(value)
        if self.back or not self.lengths.echoes:
            most = 0.0  # it is known wherever it is read
        return float(math.ceil(max(*codes, most) - min(codes))) + 1.0

    def _chosen(
        self,
        lower: Lowering,
        regions: Regions,
        value: Affine,
        radius: float,
        token: Affine,
    ) -> Affine:
        """The code of the token that follows: of the value, of an echo, or of a sign."""
        codes, stream = self.codes, lower.stream
        low = min(codes.values())
        wall = self._wall(stream, value)
        sharp = _sharpness(codes.values(), radius)
        over = regions.at_end.scaled(-wall)
        end = codes[self.signs.stop] - low

        def shown(z: Affine, unless: Affine) -> tuple[Affine, float, float]:
            above = z.plus(ONE.scaled(-low)).plus(over)
            return above.plus(unless.scaled(-wall)), 1.0, sharp

        if not self.lengths.echoes:
            hinges = [shown(value, EMPTY)]
            at_end = regions.at_end.scaled(end)
        else:
            here = regions.answering
            more = codes[self.signs.stop] - codes[self.signs.separator]
            both = here.plus(regions.at_end).plus(ONE.scaled(-1.0))
            echoing = ONE.plus(here.scaled(-1.0))
            hinges = [shown(value, echoing), shown(token, here)]
            hinges.append((both, more, 8.0))
            at_end = regions.at_end.scaled(end - more)
        lane = stream.neurons("said", hinges)
        return lane.expression().plus(at_end).plus(constant(low))


def _sharpness(codes: Iterable[float], radius: float) -> float:
    """The sharpness with which gelu keeps every code."""
    kept = sorted(set(codes))
    gap = min(b - a for a, b in pairwise(kept))
    found = 8.0
    while found * (gap - radius) < 8.0:
        found *= 2
    return found
