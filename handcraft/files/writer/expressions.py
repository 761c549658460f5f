"""Writes expressions of the claims' language, each part that stands in several places once, and
each long selection by itself.

    there_token = ...
    claim=answers("...", fetch(tokens, amount - 1), length=amount)

Rules of this file: an expression's text is its notation (handcraft.sequence.notation); a variable
is named by what its part computes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from handcraft.files.writer.literals import value_text
from handcraft.files.writer.names import Variables
from handcraft.sequence.expression import Expression
from handcraft.sequence.notation import in_file
from handcraft.sequence.operations import BY_CONDITION

_SHORT, _LONG = (
    20,
    50,
)  # characters of a part, and of a selection, that needs no variable
_CALLED = {  # what a part gives, by its operation
    "first": "place",
    "latest": "place",
    "first_where": "place",
    "latest_where": "place",
    "best": "place",
    "count": "number",
    "count_where": "number",
    "total": "sum_of_all",
    "total_where": "sum_of_all",
    "mean": "average",
    "lookup": "value",
    "token_at": "letter",
    "fetch": "fetched",
    "value_at": "fetched",
    "state": "machine",
    "there": "at_key",
    "cases": "choice",
    "otherwise": "choice",
    "given": "choice",
    "both": "condition",
    "either": "condition",
    "negate": "condition",
    "precedes": "condition",
    "equal": "condition",
    "below": "condition",
}


@dataclass
class Writing:
    """The texts of expressions in one file.

    named    the parts that have variables
    as_data  True for expressions as the tables that JSON holds, for which there are no words
    """

    named: dict[Expression, str] = field(default_factory=dict)
    as_data: bool = False

    def text(self, value: object) -> str:
        """The expression, its named parts by their variables."""
        if self.as_data and isinstance(value, Expression):
            return f"Expression(**{value_text(value.model_dump(mode='json'))})"
        return in_file(value, value_text, self.named)

    def definitions(
        self, roots: Iterable[Expression], names: Variables
    ) -> Iterator[str]:
        """The statements that name what stands in several places, and long selections, each after
        what it uses.
        """
        for part, most in () if self.as_data else _named(list(roots)):
            text = in_file(part, value_text, self.named)
            if len(text) <= most:
                continue
            variable = names.new(_CALLED.get(part.op, "amount"))
            self.named[part] = variable
            yield f"{variable} = {text}"


def _named(roots: list[Expression]) -> Iterator[tuple[Expression, int]]:
    """The parts that may have a variable, after those below them, with the characters that need
    none.
    """
    uses: Counter[Expression] = Counter(roots)
    order: dict[Expression, None] = {}
    for root in roots:
        for part in _upwards(root, order):
            order[part] = None
            uses.update(part.parts)
    for part in order:
        if uses[part] > 1:
            yield part, _SHORT
        elif part.op in BY_CONDITION and part not in roots:
            yield part, _LONG


def _upwards(
    root: Expression, done: Mapping[Expression, None]
) -> Iterator[Expression]:
    """The parts that are not done, after those below them."""
    waiting, seen = [(root, False)], set(done)
    while waiting:
        part, ready = waiting.pop()
        if ready:
            yield part
        elif part not in seen:
            seen.add(part)
            waiting.append((part, True))
            waiting.extend((below, False) for below in reversed(part.parts))
