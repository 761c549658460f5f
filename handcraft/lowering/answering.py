"""The frame in which an expression answers a prompt: ^x= is followed by its values, one by one.

    answer(e, tokens=, n=)   the program that goes on ^x=y$, or ^x=x=y$, greedily

A value that depends on selections of selected values needs x once more for each of them: so many
echoes come before the answer (handcraft.lowering.regions). What looks back only is computed where
x stands, and then brought.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from handcraft.core.errors import ProgramError, in_quotes, listing
from handcraft.language.affine import Affine
from handcraft.language.slot_tables import MAX_N_CTX
from handcraft.lowering.answer_claim import answer_claim
from handcraft.lowering.defined import always_defined
from handcraft.lowering.domains import Domains
from handcraft.lowering.emit import blocks_of, slots_of
from handcraft.lowering.frames import _gain, _write, spelled, widen
from handcraft.lowering.lower import Lowering
from handcraft.lowering.nodes import Core, Node, linear, parts_of
from handcraft.lowering.pointwise import images, mapped
from handcraft.lowering.pruning import pruned
from handcraft.lowering.refusals import Refused
from handcraft.lowering.regions import (
    NOTHING,
    Lengths,
    RegionLowering,
    Regions,
    RegionStream,
    level_of,
)
from handcraft.lowering.schedule import Sizes, cheapest
from handcraft.lowering.selecting import _masked, _strictly_earlier
from handcraft.lowering.stream import BOS, ONE, Held, Table, constant
from handcraft.program.program import Program
from handcraft.sequence.expression import Expression
from handcraft.sequence.values import Value


@dataclass(frozen=True)
class Signs:
    """The tokens of the frame, and the alphabet of x.

    begin, separator, stop   ^ = $
    undefined                what is answered where e is undefined
    """

    alphabet: tuple[str, ...]
    begin: str
    separator: str
    stop: str
    undefined: str

    def check(self, answers: Iterable[str], *, undefined: bool) -> None:
        """Raise ProgramError for a sign that stands for something else as well."""
        known = dict.fromkeys(answers, "an answer")
        known |= dict.fromkeys(self.alphabet, "one of tokens=")
        for name in ("begin", "separator", "stop", "undefined"):
            sign = getattr(self, name)
            if not isinstance(sign, str) or not sign:
                raise ProgramError(
                    f"{name}= takes a token, found {sign!r:.60}", ("answer",)
                )
            if name == "undefined" and not undefined:
                continue
            if sign in known:
                raise ProgramError(
                    f"{name}={sign!r} is {known[sign]} as well; choose another"
                    " token for it",
                    ("answer",),
                )
            known[sign] = f"{name}="


def check_spelling(signs: Signs, answers: Iterable[str]) -> None:
    """Raise ProgramError for an answer that would be read where tokens of x stand."""
    given = (*signs.alphabet, signs.begin, signs.separator, signs.stop)
    for text in answers:
        if len(text) > 1 and _begins(text, given):
            raise ProgramError(
                f"the answer {in_quotes(text)} would be read in a text where"
                f" {listing(map(in_quotes, _spelling(text, given)))} stand; name the"
                " answers otherwise, with map_() around the expression",
                ("answer",),
            )


def _begins(text: str, tokens: tuple[str, ...]) -> bool:
    """True if tokens, one after another, can begin with a text."""
    return any(
        t.startswith(text) or (text.startswith(t) and _begins(text[len(t) :], tokens))
        for t in tokens
    )


def _spelling(text: str, tokens: tuple[str, ...]) -> list[str]:
    """The tokens that begin with a text."""
    for t in tokens:
        if t.startswith(text):
            return [t]
        if text.startswith(t) and _begins(text[len(t) :], tokens):
            return [t, *_spelling(text[len(t) :], tokens)]
    return []


def check_window(lengths: Lengths) -> None:
    """Raise ProgramError for a window past the largest."""
    if lengths.places + 1 > MAX_N_CTX:
        raise ProgramError(
            f"n={lengths.n} with {lengths.echoes} echoes needs a window of"
            f" {lengths.places + 1}, more than {MAX_N_CTX}; a smaller n would fit",
            ("answer",),
        )


def looks_back(node: Node) -> bool:
    """True if no position of x can see what follows it."""
    if node.op == "length":
        return False
    if node.op == "select" and not any(map(_earlier, parts_of(node.condition))):
        return False
    return all(map(looks_back, node.args))


def _earlier(part: Node) -> bool:
    """True for a condition that no later key meets."""
    if _masked(part) or _strictly_earlier(part):
        return True
    if part.op != "equal":
        return False
    for key, place in (part.args, part.args[::-1]):
        is_index = key.op == "there" and key.args[0].op == "index"
        sums = linear(place)
        if is_index and sums is not None:
            a, b, c = sums
            return a == 0 and b in (0, 1) and c <= 0
    return False


def _sharpness(codes: Iterable[float], radius: float) -> float:
    """The sharpness with which gelu keeps every code."""
    kept = sorted(set(codes))
    gap = min(b - a for a, b in zip(kept, kept[1:], strict=False))
    found = 8.0
    while found * (gap - radius) < 8.0:
        found *= 2
    return found

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
    signs = Signs(tuple(tokens), begin, separator, stop, undefined)
    check_sizes(signs.alphabet, n)
    try:
        return _Frame(e, signs, n, causal, echoes).program(name or "answers")
    except Refused as found:
        raise found.error() from None


def check_sizes(alphabet: tuple[str, ...], n: int) -> None:
    """Raise ProgramError for no alphabet, or for no number of tokens."""
    if not alphabet or not all(isinstance(t, str) and t for t in alphabet):
        raise ProgramError(
            "tokens= takes the tokens of a text, as tokens='abc'", ("answer",)
        )
    if len(set(alphabet)) < len(alphabet):
        twice = next(t for t in alphabet if alphabet.count(t) > 1)
        raise ProgramError(
            f"tokens= has {in_quotes(twice)} twice", ("answer",)
        )
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ProgramError(
            f"n= takes the most tokens of a text, at least 1, found {n!r:.60}",
            ("answer",),
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
    ) -> None:
        self.signs = signs
        self.n = n
        self.core = Core(causal=causal)
        self.node = self.core.of(e)
        self.causal = causal
        self.back = causal or looks_back(self.node)
        least = max(0, level_of(self.node) - 1)
        self.lengths = Lengths(n, self._echoes(echoes, least))
        check_window(self.lengths)
        self.domains = Domains(signs.alphabet, n, causal=self.back)

    def _echoes(self, asked: int | None, usual: int) -> int:
        least = 0 if self.back else usual
        if asked is None:
            return usual
        if isinstance(asked, bool) or not isinstance(asked, int) or asked < least:
            raise ProgramError(
                f"echoes= takes a whole number, at least {least} for this"
                f" expression, found {asked!r:.60}",
                ("answer",),
            )
        return asked

    def program(self, name: str) -> Program:
        """The program with its claim."""
        lower = self._lowering()
        self._name_answers(lower)
        lower.codes = self.codes
        regions = (
            lower.regions
            if isinstance(lower, RegionLowering)
            else Regions(lower.stream, self.lengths, self.signs.separator)
        )
        said = self._said(lower, regions)
        y = self._chosen(lower, regions, *said)
        self._read_out(lower, y, said[1])
        n_ctx = self.lengths.places + 1
        stream = pruned(lower.stream)
        stream = cheapest(stream, Sizes(len(self.vocabulary), n_ctx))
        return Program(
            name=name,
            embedding=slots_of(stream, self.vocabulary, n_ctx),
            layers=blocks_of(stream),
            claim=answer_claim(
                self.node, self.signs, self.lengths, self.answers, causal=self.causal
            ),
            vocabulary=self.vocabulary,
            n_ctx=n_ctx,
        )

    def _lowering(self) -> Lowering:
        if not self.back:
            return RegionLowering(
                self.core, self.domains, {}, self.lengths, self.signs.separator
            )
        lower = Lowering(self.core, self.domains, {})
        lower.stream = RegionStream()
        lower.stream.tables[BOS] = Table({})
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
        if always_defined(self.node, self.domains):
            values = tuple(x for x in values if x is not None)
        self.answers: dict[Value, str] = {
            x: spelled(x) for x in values if x is not None
        }
        more = [t for t in self.answers.values() if t not in signs.alphabet]
        signs.check([*self.answers.values()], undefined=None in values)
        check_spelling(signs, more)
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
        z_token = NOTHING if token is None else token.z
        if self.back:
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
        low, high = min(codes.values()), max(codes.values())
        wall = high - low + 1.0
        sharp = _sharpness(codes.values(), radius)
        over = regions.at_end.scaled(-wall)
        end = codes[self.signs.stop] - low

        def shown(z: Affine, unless: Affine) -> tuple[Affine, float, float]:
            above = z.plus(ONE.scaled(-low)).plus(over)
            return above.plus(unless.scaled(-wall)), 1.0, sharp

        if not self.lengths.echoes:
            hinges = [shown(value, NOTHING)]
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

    def _read_out(self, lower: Lowering, y: Affine, radius: float) -> None:
        stream, codes = lower.stream, self.codes
        inside = {t: codes[t] for t in self.signs.alphabet}
        code = stream.table("code", Table(tokens=inside))
        squares = {t: x * x for t, x in inside.items()}
        square = stream.table("code_squared", Table(tokens=squares))
        widen(stream, code, codes)
        widen(stream, square, {t: x * x for t, x in codes.items()})
        names: dict[Value, str] = {t: t for t in codes}
        gain = _gain(self.node, stream, codes, names, radius)
        reach = 4 * max(x * x for x in codes.values()) + 4
        _write(stream, y, code, square, gain, reach)
