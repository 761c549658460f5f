"""The tables of a slot: how they are kept, and how they are read from what an author gives.

    position(3, p=float)              a column is a function of the position, or a list of numbers
    slot("digit", token={"7": 7})     a row is a number, or with labels one number a label
    token("ab")                       the keys are a text of letters, or a list of texts

Rules of this file: a one-hot table is kept by name, not as rows; functions are evaluated here, so
that a table is plain data; what is no table is a ProgramError that says what would work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, PlainSerializer

from handcraft.core.errors import ProgramError, printable
from handcraft.core.frozen import is_nest
from handcraft.core.source import caller
from handcraft.language.affine import Lane, Operand, kind_of, number

MAX_N_CTX = (
    2**20
)  # positions; a longer window is refused before anything is allocated
MAX_ONE_HOT = 2**13  # positions with a lane each; more would fill a gigabyte
ONE_HOT: Literal["one-hot"] = "one-hot"

SlotRow = tuple[float, ...]  # one value a lane of the slot
SlotColumn: TypeAlias = (
    Callable[[Any], float] | Sequence[float]
)  # a function of the key, or one value a key


def _pairs(value: object) -> object:
    return tuple(value.items()) if isinstance(value, Mapping) else value


def _mapping(value: object) -> object:
    return dict(value) if isinstance(value, tuple) else value


TokenTable = Annotated[
    Literal["one-hot"] | tuple[tuple[str, SlotRow], ...] | None,
    BeforeValidator(_pairs),
    PlainSerializer(_mapping),
]
PositionTable = Literal["one-hot"] | tuple[SlotRow, ...] | None


def cells_of(
    keys: Sequence[Any],
    lanes: tuple[Lane, ...],
    table: object,
) -> Iterator[tuple[Any, Lane, float]]:
    """The cells of a table: key, lane and value, zeros left out."""
    if table == ONE_HOT:
        yield from (
            (key, lane, 1.0) for key, lane in zip(keys, lanes, strict=True)
        )
    elif isinstance(table, tuple):
        rows = (row[1] if isinstance(row[0], str) else row for row in table)
        yield from (
            (key, lane, value)
            for key, row in zip(keys, rows, strict=True)
            for lane, value in zip(lanes, row, strict=True)
            if value
        )


def ordered_labels(where: str, labels: object, what: str) -> tuple[str, ...]:
    """The labels in their order. Raises ProgramError for a set, whose order is by chance."""
    if isinstance(labels, set | frozenset):
        raise ProgramError(
            f"{what} are a set, which has no order: lanes would change places from run"
            " to run; pass a text or a list",
            (where,),
            caller(),
        )
    if not isinstance(labels, Iterable) or isinstance(labels, Operand | bytes):
        raise ProgramError(
            f'{what} must be a text of letters or a list of texts, such as "ab" or'
            f' ["a", "b"]; found {kind_of(labels)}',
            (where,),
            caller(),
        )
    found = tuple(labels)
    for label in found:
        if not isinstance(label, str):
            raise ProgramError(
                f"{what} must be texts, found {kind_of(label)}",
                (where,),
                caller(),
            )
    return found


def check_n_ctx(n_ctx: object) -> None:
    """Raise ProgramError unless it is a number of positions that a window can have."""
    whole = isinstance(n_ctx, int) and not isinstance(n_ctx, bool)
    if not (whole and n_ctx in range(1, MAX_N_CTX + 1)):
        raise ProgramError(
            f"n_ctx must be a whole number from 1 to {MAX_N_CTX}, found {n_ctx!r}",
            (),
            caller(),
        )


def _column(lane: str, values: SlotColumn, keys: Sequence[Any]) -> list[float]:
    """The numbers of a lane, one a key. Raises ProgramError for others, and for too few."""
    if callable(values):
        found = [amount_of(lane, values, key) for key in keys]
    elif is_nest(values) and not isinstance(values, set | frozenset):
        found = list(values)
    else:
        raise ProgramError(
            f"{lane} takes a function of the key, or a list of numbers; found"
            f" {kind_of(values)}",
            (),
            caller(),
        )
    if len(found) != len(keys):
        raise ProgramError(
            f"{lane} has {len(found)} values for {len(keys)} rows of the table",
            (),
            caller(),
        )
    return [number(value, f"{lane} takes a number") for value in found]


def rows_of(
    name: str, lanes: Mapping[str, SlotColumn], keys: Sequence[Any]
) -> tuple[SlotRow, ...]:
    """The rows of a slot of these lanes, one a key."""
    columns = [
        _column(f"{name}:{label}", values, keys)
        for label, values in lanes.items()
    ]
    return tuple(zip(*columns, strict=True))


def amount_of(lane: str, amount: Any, key: object) -> Any:
    """The author's amount; of a function what it gives for a position, a token or a label."""
    try:
        return amount(key) if callable(amount) else amount
    except Exception as error:
        raise ProgramError(
            f"{lane}: the function raises {type(error).__name__} for"
            f" {key!r}: {printable(str(error))[:200]}",
            (),
            caller(),
        ) from error


def row_of(name: str, value: float | Sequence[float]) -> SlotRow:
    """The numbers of a key, one a lane. Raises ProgramError for others."""
    values = value if isinstance(value, Sequence) else (value,)
    return tuple(number(item, f"{name} takes a number") for item in values)
