"""Makes the program of an s-op: its lanes and rules, its answers as tokens, and its claim.

    program_of(sop, vocab, n, causal=, begin=)   a RaspProgram: the program and what its tokens mean

The claim is the s-op itself: a function of a text, asked of RASP's evaluator. Where the s-op has no
value, since it raises, nothing is claimed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

from handcraft.claims.functions import Callback
from handcraft.claims.words import each
from handcraft.core.errors import printable
from handcraft.lowering.frames.read_out import read_out
from handcraft.lowering.rasp.classes import (
    has_rule,
    parts_in_order,
    translated,
)
from handcraft.lowering.rasp.lowering import RaspDomains, RaspLowering
from handcraft.lowering.rasp.translation import Translation, Uncompilable
from handcraft.lowering.rasp.values import Glossary, Translated
from handcraft.lowering.rasp.witness import witness
from handcraft.lowering.reading.core import Core
from handcraft.lowering.reading.domain import Domain
from handcraft.lowering.reading.domains import Unlisted
from handcraft.lowering.refusals import Refused, tried
from handcraft.lowering.scheduling.emit import emitted
from handcraft.lowering.scheduling.schedule import Sizes, cheapest
from handcraft.lowering.stream import Held, constant
from handcraft.program.program import Program
from handcraft.rasp import (
    ConstantSelector,
    ConstantSOp,
    LengthType,
    RASPExpr,
    SOp,
    causal_eval,
)
from handcraft.rasp import evaluate as evaluate_all
from handcraft.sequence.values import Value

BEGIN = "^"
_WHOLE = 2.0**22  # a square up to here is exact in float32, and its double
_PLAIN = (
    2.0**-20
)  # how small the square of a distance may be beside the greatest code's


@dataclass(frozen=True)
class RaspProgram:
    """A program, and what its tokens stand for.

    tokens   {object of the vocabulary: its token}
    objects  {token: the object that it answers}
    labels   {lane: the name of what it holds, with a value where it stands for one}
    """

    program: Program
    tokens: Mapping[Any, str]
    objects: Mapping[str, Any]
    labels: Mapping[str, str]
    numeric: bool


def compiled_program(
    sop: SOp, vocab: Sequence[Any], n: int, *, causal: bool
) -> RaspProgram:
    """The program of an s-op. Raises NotImplementedError with all that cannot be compiled."""
    _check_parts(sop, n, causal=causal)
    try:
        return _compiled(sop, vocab, n, causal=causal, exact=False)
    except Refused:
        pass  # what is not known well enough may be, where counts are read off first
    try:
        return _compiled(sop, vocab, n, causal=causal, exact=True)
    except _Refused as found:
        raise _refused([f"{found.label} {found.why}"]) from None


class _Refused(Exception):  # noqa: N818  # it becomes a NotImplementedError
    """A part that cannot be lowered, by its label."""

    def __init__(self, label: str, why: str) -> None:
        super().__init__(why)
        self.label, self.why = label, why


def _compiled(
    sop: SOp, vocab: Sequence[Any], n: int, *, causal: bool, exact: bool
) -> RaspProgram:
    book = Glossary(BEGIN)
    names = {book.name(book.value(token)): token for token in vocab}
    core, domains = Core(causal=causal), RaspDomains(names, n, causal=causal)
    here = Translation(core, domains, book, names, exact=exact)
    try:
        told = translated(here, sop)
        _check_raised(here, n)
        return tried(partial(_lowered, sop, here, told))
    except Uncompilable as found:
        raise _refused([f"{found.expr.label} {found.why}"]) from None
    except Refused as found:
        if not exact:
            raise
        label = here.labels.get(id(found.node), sop.label)
        why = f"{found.why}; what would fit: {found.instead}"
        raise _Refused(label, why) from None
    except Unlisted as found:
        label = here.labels.get(id(found.node), sop.label)
        raise _refused(
            [f"{label} has more values than can be listed"]
        ) from None
    except RecursionError:
        raise _refused([f"{sop.label} is nested too deep"]) from None


def _refused(reasons: Sequence[str]) -> NotImplementedError:
    return NotImplementedError("cannot be compiled: " + "; ".join(reasons))


def _check_parts(sop: SOp, n: int, *, causal: bool) -> None:
    """Raises NotImplementedError with the name and the reason of each part that has no rule."""
    found = [
        (expr, _problem(expr, n, causal=causal)) for expr in parts_in_order(sop)
    ]
    reasons = [f"{expr.label} {why}" for expr, why in found if why]
    if reasons:
        raise _refused(reasons)


def _problem(expr: RASPExpr, n: int, *, causal: bool) -> str | None:
    if not has_rule(expr):
        return f"is of the class {type(expr).__name__}, which has no rule"
    if isinstance(expr, LengthType) and causal:
        return "is not known to a causal model, which sees no later token"
    if not isinstance(expr, ConstantSOp | ConstantSelector):
        return None
    if not expr.check_length:
        return (
            "may have more or fewer values than the input has tokens"
            " (check_length=False), which no lane can"
        )
    sizes = {len(expr.value)}
    if isinstance(expr, ConstantSelector):
        sizes |= {len(row) for row in expr.value}
    if len(sizes) > 1 or not 0 < min(sizes) <= n:
        return (
            f"is of inputs of {' or '.join(map(str, sorted(sizes)))} tokens,"
            f" and max_seq_len is {n}"
        )
    return None


def _check_raised(here: Translation, n: int) -> None:
    """Raises NotImplementedError with each function that raises for some text."""
    found = [(raised, witness(here, raised, n)) for raised in here.raised]
    reasons = [f"{raised.expr.label} {why}" for raised, why in found if why]
    if reasons:
        raise _refused(reasons)


# ---------------------------------------------------------------- lowering


def _lowered(
    sop: SOp, here: Translation, told: Translated, snapped: float
) -> RaspProgram:
    domains, node = here.domains, told.node
    lower = RaspLowering(here.core, domains, _texts(here), here.labels)
    lower.stream.snapped = snapped
    values = lower.domain(node).values
    if values is None:
        raise Refused(node, "has too many answers", "a smaller max_seq_len")
    held = lower.hold(node)
    known = held.codes or {}
    answers = {x: here.book.name(x) for x in values if x in known}
    if not _are_apart(held, answers):
        held = _centred(held)
    if not _are_apart(held, answers):
        raise Refused(
            node,
            f"has {len(answers)} answers, so near to each other that float32 cannot tell"
            " their logits apart",
            "a smaller max_seq_len, or fewer values",
        )
    codes = _codes(lower, held.codes or {}, answers)
    read_out(lower, node, held, codes, answers)
    more = [t for t in answers.values() if t not in here.names]
    vocabulary = (BEGIN, *here.names, *more)
    sizes = Sizes(len(vocabulary), domains.n + 1, tuple(here.names))
    stream = cheapest(lower.stream, sizes)
    slots, blocks = emitted(stream, vocabulary, domains.n + 1)
    program = Program(
        name=_name(sop),
        embedding=slots,
        layers=blocks,
        claim=each(
            _claim(sop, here, answers), begin=BEGIN, alphabet=tuple(here.names)
        ),
        vocabulary=vocabulary,
        n_ctx=domains.n + 1,
        causal=here.causal,
    )
    return RaspProgram(
        program,
        {token: name for name, token in here.names.items()},
        {t: told.of(x)[0] for x, t in answers.items()},
        _labels(lower),
        _numeric(lower.domain(node)),
    )


def _name(sop: SOp) -> str | None:
    return sop.name if sop.name.isidentifier() else None


def _texts(here: Translation) -> dict[str, float]:
    """The code of each text: below the numbers that stand beside texts, else from 1 on."""
    texts = list(dict.fromkeys((*here.names, *here.book.texts)))
    if here.mixed:
        low = math.floor(min(here.mixed)) - 1  # type: ignore[type-var,arg-type]
        return {t: float(low - i) for i, t in enumerate(texts)}
    return {t: float(i + 1) for i, t in enumerate(texts)}


def _codes(
    lower: RaspLowering,
    known: Mapping[Value, float],
    answers: Mapping[Value, str],
) -> dict[str, float]:
    """The code of each token: of an answer the number that stands for it, else a free one."""
    codes = {t: known[x] for x, t in answers.items()}
    taken = set(codes.values())
    for name in lower.domains.alphabet:
        if name in codes:
            continue
        code = lower.codes[name]
        while code in taken:
            code = math.floor(min(taken)) - 1.0
        taken.add(code)
        codes[name] = code
    return codes


def _are_apart(held: Held, answers: Mapping[Value, str]) -> bool:
    """True if float32 can tell the logits of any two answers apart, which are squares of codes."""
    known = held.codes or {}
    codes = sorted(known[x] for x in answers)
    most = max(map(abs, codes)) ** 2
    near = min((b - a for a, b in pairwise(codes)), default=1.0)
    whole = all(x == int(x) for x in codes) and held.radius == 0
    return (whole and most <= _WHOLE) or near * near > _PLAIN * most


def _centred(held: Held) -> Held:
    """The same with codes about 0."""
    codes = held.codes or {}
    middle = (max(codes.values()) + min(codes.values())) / 2
    moved = {x: z - middle for x, z in codes.items()}
    return replace(held, z=held.z.plus(constant(-middle)), codes=moved)


def _claim(
    sop: SOp, here: Translation, answers: Mapping[Value, str]
) -> Callback:
    """The function of a text that gives the token of each value."""
    evaluate = causal_eval.evaluate if here.causal else evaluate_all
    names, book = here.names, here.book

    def answer(text: Any) -> list[str | None]:
        try:
            found = evaluate(sop, [names[token] for token in text])
        except Exception:  # where the s-op has no value nothing is claimed
            return [None] * len(text)
        return [answers.get(book.value(x)) for x in found]

    return Callback(printable(sop.label), answer, answer)


def _labels(lower: RaspLowering) -> dict[str, str]:
    return {str(lane): label for lane, label in lower.single.items()}


def _numeric(domain: Domain) -> bool:
    return domain.numeric and not domain.none
