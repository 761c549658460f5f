"""Builds selectors: what a query position selects of the key positions, as scores of a head.

    compare(key, "<", query)  by the classes of two lanes     -1 + sum of (wants class) (has class)
    same_number(key, query)   two numbers are equal           2 q k - k^2 - q^2
    key_flag(x)               x is 1 at the key position      x - 1
    query_flag(x)             x is 1 at the query position    x - 1
    a & b, a | b, ~a          both, either, not

The score is 0 where a selector selects, and -1 or less where it does not; a head multiplies it by
its strength. `a & b` adds the scores. What is told class by class is a table of truth, so its
opposite is one too, and so is `a | b` where both are tables of the same classes. Any other `|` is
no score of one head; `total_over_any` counts it with several.

Sources: Weiss et al., "Thinking Like Transformers", 2021 (select); Lindner et al., "Tracr", 2023
(a predicate as a matrix of classes); Perez et al., 2021 (the square of a difference).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from handcraft.core.arguments import checked_call
from handcraft.core.errors import ProgramError, either, printable
from handcraft.core.source import caller
from handcraft.language.affine import Affine, Named, Term, kind_of
from handcraft.language.coerce import as_affine
from handcraft.language.slot_tables import ONE_HOT
from handcraft.language.slots import Slot
from handcraft.recipes.kinds import a_whole_number, takes, wrong
from handcraft.recipes.truth import ALWAYS, Product, TruthTable, table_of_two

Relation = Callable[[Any, Any], object]
MOST_PAIRS = 250_000  # pairs of classes that are compared
_SIGNS: Mapping[str, Relation] = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, eq=False)
class Selector:
    """A condition on a query position and a key position: `a & b`, `a | b`, `~a`.

    pairs     (query, key) expressions; their products sum to 0 where it selects, and to -1 or less
              elsewhere
    truth     the same as a table of classes, where it is one
    largest   the greatest size of one of the products
    absolute  False where the same number may be missing from all scores of a query: then nothing
              can stand between what is selected and what is not
    """

    pairs: tuple[Product, ...]
    truth: TruthTable | None = None
    largest: float = 1.0
    absolute: bool = True

    @classmethod
    def of(cls, truth: TruthTable) -> Selector:
        """The selector of a table."""
        return cls((*truth.pairs(), (ALWAYS.scaled(-1.0), ALWAYS)), truth)

    def __and__(self, other: object) -> Selector:
        b = _selector(other, "&")
        both = table_of_two(self.truth, b.truth, lambda x, y: x and y)
        if both is not None:
            return Selector.of(both)
        return Selector(
            (*self.pairs, *b.pairs),
            None,
            max(self.largest, b.largest),
            self.absolute and b.absolute,
        )

    def __or__(self, other: object) -> Selector:
        b = _selector(other, "|")
        either_one = table_of_two(self.truth, b.truth, lambda x, y: x or y)
        if either_one is None:
            raise _refused(
                "what either of two selectors selects is a score only where both compare the same"
                " lanes, or one of them reads the key alone and the other the query alone; sums of"
                " it are total_over_any([a, b], ...), and two flags of one position are joined by"
                " disjunction"
            )
        return Selector.of(either_one)

    def __invert__(self) -> Selector:
        if self.truth is None:
            raise _refused(
                "the opposite of same_number(...), or of a & b over different lanes, is no score"
                " of one head; negate compare(...), key_flag(...) or query_flag(...)"
            )
        return Selector.of(self.truth.opposite())

    def __repr__(self) -> str:
        parts = " + ".join(f"({query}) ({key})" for query, key in self.pairs)
        return printable(f"Selector[{parts}]")

    def __bool__(self) -> NoReturn:
        raise _refused(
            "a selector is neither true nor false: write a & b, a | b and ~a for and, or, not"
        )


def _refused(message: str) -> ProgramError:
    return ProgramError(message, ("selector",), caller())


def _selector(value: object, sign: str) -> Selector:
    if isinstance(value, Selector):
        return value
    raise _refused(f"{sign} joins two selectors, found {kind_of(value)}")


# ---------------------------------------------------------------- of one position


@checked_call()
def key_flag(flag: Term) -> Selector:
    """A selector of the key positions where a flag (0 or 1) is 1. Score: x - 1."""
    x = as_affine(flag)
    return Selector.of(
        TruthTable((x, ALWAYS - x), (ALWAYS,), ((True,), (False,)))
    )


@checked_call()
def query_flag(flag: Term) -> Selector:
    """A selector of all key positions where a flag (0 or 1) is 1 at the query position, and of none
    where it is 0. Score: x - 1.
    """
    x = as_affine(flag)
    return Selector.of(TruthTable((ALWAYS,), (x, ALWAYS - x), ((True, False),)))


# ---------------------------------------------------------------- of two lanes


@checked_call()
def compare(
    key: Slot | Mapping[Any, Any],
    holds: str | Relation,
    query: Slot | Mapping[Any, Any],
) -> Selector:
    """A selector by what stands at the key position and what stands at the query position.

    key, query  {lane: what it stands for}, of which one lane is 1 and the others are 0, such as
                {t["0"]: 0, t["1"]: 1}; a one-hot slot stands for its labels, which are numbers
                where all of both are
    holds       "<", "<=", "==", "!=", ">", ">=" (the key's on the left), or a function of both

    A position where all lanes are 0 is of no class: it selects nothing, and nothing selects it.
    Score: -1 + sum of (query wants the class) (key has the class), with one product for each class
    of keys that queries tell apart. Exact: all scores are whole. `one_hot_of(x, lanes)` makes such
    lanes of a number. Raises ProgramError for lanes that stand for nothing or cannot be compared.
    """
    predicate = _predicate(holds)
    keys, queries = _classes_of("key", key), _classes_of("query", query)
    if len(keys) * len(queries) > MOST_PAIRS:
        raise wrong(
            "compare",
            "key",
            f"{len(keys)} classes with {len(queries)} are more than {MOST_PAIRS} pairs;"
            " compare digits, or same_number for the equality of numbers",
        )
    if isinstance(key, Slot) and isinstance(query, Slot):
        keys, queries = _as_numbers(keys, queries)
    table = tuple(
        (*(_holds(predicate, x, y) for _, y in queries), False) for _, x in keys
    )
    return Selector.of(
        TruthTable(
            _total([lane for lane, _ in keys]),
            _total([lane for lane, _ in queries]),
            (*table, (False,) * (len(queries) + 1)),
        )
    )


def _predicate(holds: str | Relation) -> Relation:
    if isinstance(holds, str) and holds in _SIGNS:
        return _SIGNS[holds]
    if callable(holds):
        return holds
    raise wrong(
        "compare",
        "holds",
        f"is {either(map(repr, _SIGNS))}, or a function of the key's and the query's, found"
        f" {kind_of(holds)}",
    )


def _classes_of(argument: str, found: object) -> list[tuple[Affine, Any]]:
    """The lanes and what each stands for."""
    if isinstance(found, Slot):
        tables = (found.tokens, found.positions)
        plain = all(table is None or table == ONE_HOT for table in tables)
        if found.labels is None or not plain:
            raise wrong(
                "compare",
                argument,
                f"{found.name} has no lane for each value; write {{lane: what it stands for}},"
                " or make such lanes by one_hot_of(x, lanes)",
            )
        return [(lane.expression(), lane.label) for lane in found.lanes]
    if not isinstance(found, Mapping) or not found:
        raise wrong(
            "compare",
            argument,
            "takes {lane: what it stands for} or a one-hot slot, found"
            f" {kind_of(found)}",
        )
    for lane in found:
        if not isinstance(lane, Named) or len(lane.lanes) != 1:
            raise wrong(
                "compare",
                argument,
                f"the left side of a class is one lane, found {kind_of(lane)}",
            )
    return [(lane.lanes[0].expression(), x) for lane, x in found.items()]


def _as_numbers(*sides: list[tuple[Affine, Any]]) -> Any:
    """The classes with numbers for labels, where all of them are numerals."""
    labels = [label for side in sides for _, label in side]
    if not all(label.removeprefix("-").isdecimal() for label in labels):
        return sides
    return tuple([(lane, int(label)) for lane, label in side] for side in sides)


def _holds(predicate: Relation, x: Any, y: Any) -> bool:
    """The truth for a key of x and a query of y."""
    pair = f"{printable(repr(x))[:30]} and {printable(repr(y))[:30]}"
    try:
        found = predicate(x, y)
    except ProgramError:
        raise
    except (
        Exception
    ) as error:  # an author's function, or a comparison, may raise anything
        raise wrong(
            "compare",
            "holds",
            f"{pair} cannot be compared so ({type(error).__name__}); give {{lane: number}} for"
            " lanes that stand for numbers",
        ) from None
    if found is True or found is False:
        return found
    raise wrong(
        "compare",
        "holds",
        f"gives True or False for a key and a query, found {kind_of(found)} for {pair}",
    )


def _total(lanes: list[Affine]) -> tuple[Affine, ...]:
    """The classes, and the rest: where none of them is 1."""
    rest = ALWAYS
    for lane in lanes:
        rest = rest.plus(lane.scaled(-1.0))
    return (*lanes, rest)


@checked_call()
@takes(most=a_whole_number)
def same_number(key: Any, query: Any, *, most: int) -> Selector:
    """A selector of the key positions that hold the number of the query position.

    key    (k, the square of k): two expressions, or `addresses(n_ctx)` for the position itself
    query  (q, the square of q); q alone will do where something is always selected, or the
           nearest may be
    most   the greatest size of either number, which are whole

    Score: 2 q k - k^2 - q^2 = -(q - k)^2, at most -1 for two numbers that differ. Squares are
    made by `square(x, most, {lane: 1})`. Without the square of q there is no place for a sink,
    since what is selected then scores q^2. Raises ProgramError for numbers without squares.
    """
    if most < 0:
        raise wrong("same_number", "most", f"is at least 0, found {most}")
    k, kk = _squared("key", key)
    q, qq = _squared("query", query, alone=True)
    if kk is None:
        raise wrong(
            "same_number",
            "key",
            "is a number and its square, (k, kk), or addresses(n_ctx); found one expression",
        )
    pairs = [(q.scaled(2.0), k), (ALWAYS.scaled(-1.0), kk)]
    if qq is not None:
        pairs.append((qq.scaled(-1.0), ALWAYS))
    return Selector(
        tuple(pairs), None, max(1.0, 2.0 * most * most), qq is not None
    )


def _squared(
    argument: str, value: object, *, alone: bool = False
) -> tuple[Affine, Affine | None]:
    """A number and its square, where it has one."""
    if isinstance(value, Slot) and {"p", "pp"} <= set(value.labels or ()):
        return value["p"].expression(), value["pp"].expression()
    if isinstance(value, tuple | list):
        if len(value) != 2:
            raise wrong(
                "same_number",
                argument,
                f"is a number and its square, found {len(value)} expressions",
            )
        return as_affine(value[0]), as_affine(value[1])
    if not alone and isinstance(value, Slot) and len(value.lanes) > 1:
        raise wrong(
            "same_number",
            argument,
            f"{value.name} has not the lanes p and pp: use addresses(n_ctx)",
        )
    return as_affine(value), None
