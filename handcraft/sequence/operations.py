"""The operations of the language, a row each, and the shapes of nodes that many files ask for.

    OPERATIONS         what every operation takes
    word_of(op)        the word that an author writes for it
    selection_of(e)    the value, the condition and the default of a selection by a condition
    branches_of(args)  the pairs and the default of a `cases`
    is_here(x), is_own(x)
                       the position where an expression is asked, and the token there

Rules of this file: it says how a node looks, not what it means (handcraft.sequence.values) or
which values it can have (handcraft.sequence.value_kinds).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

Op = Literal[
    "here",
    "end",
    "step",
    "token_at",
    "first",
    "latest",
    "count",
    "total",
    "lowest",
    "state",
    "add",
    "subtract",
    "multiply",
    "divide",
    "modulo",
    "ratio",
    "equal",
    "below",
    "lookup",
    "otherwise",
    "cases",
    "most",
    # selections by a condition
    "count_where",
    "first_where",
    "latest_where",
    "total_where",
    "mean",
    "best",
    "fetch",
    # conditions, which may read the key position with `there`
    "length",
    "given",
    "there",
    "precedes",
    "both",
    "either",
    "negate",
    "value_at",
    "least",
    "greatest",
]


_Arg = TypeVar("_Arg")


class Operation(NamedTuple):
    """A row of the table.

    arity    the number of arguments, None where there may be several
    takes    the fields that it takes besides `args`
    word     the word for it, where that is not its name
    numbers  True if all arguments are numbers
    newer    True if proofs do not follow it yet
    selects  True for a selection by a condition: its only argument, or the second
    """

    arity: int | None
    takes: tuple[str, ...] = ()
    word: str = ""
    numbers: bool = False
    newer: bool = False
    selects: bool = False


_TWO_NUMBERS = Operation(2, numbers=True)
_TWO_VALUES = Operation(2)
_NO_VALUE = Operation(0)
_SELECTION = Operation(0, takes=("where", "before", "every"))
_TABLE = ("table",)
_POSITIONS = Operation(1, numbers=True, newer=True, selects=True)
_OF_VALUES = Operation(2, numbers=True, newer=True, selects=True)
_TWO_NEWER = Operation(2, newer=True)
_TRUTH = Operation(2, numbers=True, newer=True)
_SEVERAL = Operation(None, numbers=True, newer=True)

OPERATIONS: Mapping[str, Operation] = {
    "here": _NO_VALUE,
    "end": _NO_VALUE,
    "step": _NO_VALUE,
    "token_at": Operation(1, numbers=True),
    "first": _SELECTION,
    "latest": _SELECTION,
    "count": _SELECTION,
    "total": Operation(0, takes=("table", "before", "every")),
    "lowest": Operation(0, takes=("table", "before")),
    "state": Operation(0, takes=_TABLE),
    "add": _TWO_NUMBERS,
    "subtract": _TWO_NUMBERS,
    "multiply": _TWO_NUMBERS,
    "divide": _TWO_NUMBERS,
    "modulo": _TWO_NUMBERS,
    "ratio": _TWO_NUMBERS,
    "equal": _TWO_VALUES,
    "below": _TWO_NUMBERS,
    "lookup": Operation(None, takes=_TABLE),
    "otherwise": _TWO_VALUES,
    "cases": Operation(None),
    "most": Operation(None, takes=_TABLE, numbers=True),
    "count_where": _POSITIONS._replace(word="count"),
    "first_where": _POSITIONS._replace(word="first"),
    "latest_where": _POSITIONS._replace(word="latest"),
    "total_where": _OF_VALUES._replace(word="total"),
    "mean": _OF_VALUES,
    "best": _OF_VALUES,
    "fetch": Operation(None, newer=True, selects=True),
    "length": _NO_VALUE._replace(newer=True),
    "given": _TWO_NEWER,
    "there": Operation(1, newer=True),
    "precedes": _TWO_NEWER._replace(word="below"),
    "both": _TRUTH._replace(word="&"),
    "either": _TRUTH._replace(word="|"),
    "negate": _TRUTH._replace(arity=1, word="~"),
    "value_at": _TWO_NEWER._replace(word="fetch"),
    "least": _SEVERAL._replace(word="min_"),
    "greatest": _SEVERAL._replace(word="max_"),
}
BY_CONDITION = tuple(op for op, row in OPERATIONS.items() if row.selects)
SHORT = tuple(op for op, row in OPERATIONS.items() if "where" in row.takes)
NEWER = tuple(op for op, row in OPERATIONS.items() if row.newer)


class Fields(Protocol):
    """The fields of an Expression, without importing it."""

    @property
    def op(self) -> str: ...
    @property
    def args(self) -> tuple[Any, ...]: ...
    @property
    def where(self) -> tuple[tuple[int, Any], ...]: ...
    @property
    def before(self) -> Any: ...
    @property
    def every(self) -> tuple[int, int]: ...
    @property
    def table(self) -> tuple[tuple[tuple[Any, ...], Any], ...]: ...
    @property
    def rows(self) -> Mapping[Any, Any]: ...
    @property
    def depth(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def spread(self) -> int: ...
    @property
    def parts(self) -> tuple[Any, ...]: ...
    @property
    def paired(self) -> bool: ...
    @property
    def numbered(self) -> tuple[Any, ...]: ...  # rows of shared.py
    def uses(self, *ops: str) -> bool: ...


class Selection(NamedTuple):
    """The parts of a selection by a condition; None for one that it does not have."""

    value: Any  # read at the key position
    condition: Any
    default: Any = None


def selection_of(e: Fields) -> Selection:
    """The parts of a selection by a condition."""
    if len(e.args) == 1:
        return Selection(None, e.args[0])
    return Selection(*e.args)


def branches_of(
    args: Sequence[_Arg],
) -> tuple[list[tuple[_Arg, _Arg]], _Arg | None]:
    """The (condition, value) pairs of a `cases`, and its default, None without one."""
    pairs = zip(args[0::2], args[1::2], strict=False)
    return list(pairs), args[-1] if len(args) % 2 else None


def word_of(op: str) -> str:
    """The word that an author writes for an operation."""
    return OPERATIONS[op].word or op


def is_here(value: object) -> bool:
    """True for the position itself."""
    return getattr(value, "op", None) == "here"


def is_own(value: Any) -> bool:
    """True for the token of the position itself."""
    return getattr(value, "op", None) == "token_at" and is_here(value.args[0])
