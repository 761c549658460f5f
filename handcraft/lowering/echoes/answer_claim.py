r"""The claim of an answer: what follows each prompt ^x=, echoes and stop token included.

    answer_claim(...)   answers("\^[abc]{1,5}=", an expression, stop="$", length=a multiple of end)

The expression reads e at the element of x that is due, where every selection is kept to x.
Rules of this file: it knows nothing of how the answer is lowered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from math import lcm
from typing import TYPE_CHECKING, Any

from handcraft.claims.kinds import Claim
from handcraft.claims.prompt_claim import Answers
from handcraft.lowering.reading.domains import Domains
from handcraft.lowering.reading.nodes import Node, linear_form
from handcraft.sequence.expression import Expression
from handcraft.sequence.value_kinds import NOTHING, TOKEN, kinds_of
from handcraft.sequence.values import Value
from handcraft.sequence.words import (
    below,
    cases,
    end,
    equal,
    here,
    otherwise,
    token_at,
)

if TYPE_CHECKING:
    from handcraft.lowering.echoes.regions import Lengths
    from handcraft.lowering.echoes.signs import Signs

_Said = Expression | int | str


def answer_claim(
    node: Node,
    signs: Signs,
    lengths: Lengths,
    answers: Mapping[Value, str],
    domains: Domains,
) -> Claim:
    """The claim about the whole continuation."""
    last = lengths.last
    causal, inside = domains.causal, domains.orders.is_place
    keys = _At(here, inside, causal=causal)
    due = _At(here - (last * end - 1), inside, causal=causal, x=keys)
    value = _named(due.of(node), answers, signs)
    rows: list[tuple[Any, Any]] = [
        (equal(here, (last + 1) * end - 1), signs.stop)
    ]
    if lengths.echoes:
        rows.append((below(here, last * end), token_at(here % end + 1)))
    return Answers(
        prompts=prompts_of(signs, lengths.n),
        answer=cases(*rows, value),
        stop=signs.stop,
        length=end if last == 1 else last * end,
        framed=(signs.begin, signs.separator, lengths.echoes),
    )


def prompts_of(signs: Signs, n: int) -> str:
    """The regular expression of ^x=."""
    if all(len(t) == 1 for t in signs.alphabet):
        inside = f"[{''.join(map(escaped, signs.alphabet))}]"
    else:
        inside = f"({'|'.join(map(escaped, signs.alphabet))})"
    return f"{escaped(signs.begin)}{inside}{{1,{n}}}{escaped(signs.separator)}"


def escaped(text: str) -> str:
    """A text as a regular expression."""
    return "".join(f"\\{c}" if c in _MEANING else c for c in text)


_MEANING = r"\^$.|?*+()[]{}-"


def _named(value: _Said, answers: Mapping[Value, str], signs: Signs) -> _Said:
    """The value as its token, or as that of what is undefined."""
    names = {x: t for x, t in answers.items() if x is not None}
    if not names:
        return answers[None]
    if not isinstance(value, Expression):
        return names[value]
    plain = all(x == t for x, t in names.items())
    plain = plain and kinds_of(value) <= TOKEN | NOTHING
    if not (plain and {*value.tokens} <= {*signs.alphabet, *names.values()}):
        bottom = lcm(*(x.denominator for x in names if not isinstance(x, str)))
        rows = tuple(((_times(x, bottom),), t) for x, t in names.items())
        whole = value if bottom == 1 else value * bottom
        value = Expression(op="lookup", args=(whole,), table=rows)
    return otherwise(value, answers[None]) if None in answers else value


def _times(x: Value, factor: int) -> int | str:
    """A fraction as so many parts; a token is itself."""
    return x if isinstance(x, str) else int((x or 0) * factor)


class _At:
    """Says nodes of e as expressions, at positions of a prompt and its answer.

    x       says what is read at the keys, which are positions of x: the first of them is 1
    place   the position of the element
    inside  says of a sum whether it is always a position of x
    """

    def __init__(
        self,
        place: Expression,
        inside: Callable[[Node], bool],
        *,
        causal: bool,
        x: _At | None = None,
    ) -> None:
        self.x = x or self
        self.place = place
        self.inside = inside
        self.causal = causal
        self._known: dict[int, _Said] = {}
        self._leaves: Mapping[str, _Said] = {
            "token": token_at(place),
            "index": place - 1,
            "length": end - 1,
        }

    def of(self, node: Node) -> Any:
        """The expression of a node."""
        if id(node) not in self._known:
            self._known[id(node)] = self._said(node)
        return self._known[id(node)]

    def _said(self, node: Node) -> _Said:
        if node.op == "constant":
            return _constant(node.data)
        if node.op in self._leaves:
            return self._leaves[node.op]
        if node.op == "there":
            return Expression(op="there", args=(self.x.of(node.args[0]),))
        if node.op == "select":
            placed = self._placed(node)
            return self._selection(node) if placed is None else placed
        args = tuple(map(self.of, node.args))
        op: Any = node.op
        return Expression(op=op, args=args, table=node.data or ())

    def _placed(self, node: Node) -> Expression | None:
        """A fetch at a position that is always one of x."""
        place = _linear_place(node)
        if place is None or not self.inside(place):
            return None
        at = self.of(place) + 1
        if node.value.op == "token":
            return token_at(at)
        return Expression(op="value_at", args=(self.x.of(node.value), at))

    def _selection(self, node: Node) -> Expression:
        condition = self._of_x(self.of(node.condition))
        args: list[_Said] = [condition]
        if node.data not in ("count", "first", "latest"):
            args.insert(0, self.x.of(node.value))
        if node.default is not None:
            args.append(self.of(node.default))
        kind: Any = node.data
        if kind in ("count", "first", "latest", "total"):
            kind = f"{kind}_where"
        found = Expression(op=kind, args=tuple(args))
        is_place = node.data in ("first", "latest", "best")
        return found - 1 if is_place else found

    def _of_x(self, condition: _Said) -> _Said:
        """A condition that no position outside x meets."""
        key = Expression(op="there", args=(here,))
        first = Expression(op="below", args=(0, key))
        before = Expression(op="below", args=(key, end))
        found = _both(condition, _both(first, before))
        if not self.causal:
            return found
        later = Expression(op="below", args=(self.place, key))
        return _both(found, Expression(op="negate", args=(later,)))


def _linear_place(node: Node) -> Node | None:
    """The sum of the index and the length at which a fetch reads; None for another selection."""
    if node.data != "fetch" or node.condition.op != "equal":
        return None
    for key, place in (node.condition.args, node.condition.args[::-1]):
        is_index = key.op == "there" and key.args[0].op == "index"
        if is_index and linear_form(place) is not None:
            return place
    return None


def _constant(value: Value) -> _Said:
    """The expression of a value; no case holds of what is undefined."""
    if value is None:
        return Expression(op="cases", args=(0, 0))
    if isinstance(value, Fraction):
        return Expression(op="ratio", args=(value.numerator, value.denominator))
    return value


def _both(a: _Said, b: _Said) -> Expression:
    return Expression(op="both", args=(a, b))
