r"""The claim of an answer: what follows each prompt ^x=, echoes and stop token included.

    answer_claim(...)   answers("\^[abc]{1,5}=", an expression, stop="$", length=a multiple of end)

The expression reads e at the element of x that is due, where every selection is kept to x. What
has no such expression is claimed as a function. Rules of this file: it knows nothing of how the
answer is lowered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from handcraft.claims.kinds import Claim
from handcraft.claims.prompt_claim import Answers
from handcraft.lowering.nodes import Node
from handcraft.sequence.expression import Expression
from handcraft.sequence.values import Value
from handcraft.sequence.words import (
    below,
    cases,
    end,
    equal,
    here,
    otherwise,
    token_at,
    tokens,
)

if TYPE_CHECKING:
    from handcraft.lowering.answering import Signs
    from handcraft.lowering.regions import Lengths

Said = Expression | int | str


def answer_claim(
    node: Node,
    signs: Signs,
    lengths: Lengths,
    answers: Mapping[Value, str],
    *,
    causal: bool,
) -> Claim:
    """The claim about the whole continuation. Raises NotImplementedError where none is found."""
    last = lengths.last
    element = _Element(causal=causal).of(node)
    value = Expression(op="value_at", args=(element, here - (last * end - 1)))
    value = _named(value, answers)
    rows: list[tuple[Any, Any]] = [
        (equal(here, (last + 1) * end - 1), signs.stop)
    ]
    if lengths.echoes:
        rows.append((below(here, last * end), token_at(here % end + 1)))
    return Answers(
        prompts=prompts_of(signs, lengths.n),
        answer=cases(*rows, value),
        stop=signs.stop,
        length=last * end,
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
    return "".join(c if c.isalnum() else f"\\{c}" for c in text)


def _named(value: Expression, answers: Mapping[Value, str]) -> Expression:
    """The value as its token."""
    if any(x is not None and x != t for x, t in answers.items()):
        rows = tuple(
            ((x,), t) for x, t in answers.items() if x is not None
        )
        value = Expression(op="lookup", args=(value,), table=rows)  # type: ignore[arg-type]
    return otherwise(value, answers[None]) if None in answers else value


class _Element:
    """Says nodes of e as expressions at the positions of x in a prompt, the first of which is 1."""

    def __init__(self, *, causal: bool) -> None:
        self.causal = causal
        self._known: dict[int, Said] = {}

    def of(self, node: Node) -> Any:
        """The expression of a node."""
        if id(node) not in self._known:
            self._known[id(node)] = self._said(node)
        return self._known[id(node)]

    def _said(self, node: Node) -> Said:
        if node.op == "constant":
            value: Said = node.data
            return value
        if node.op in _LEAVES:
            return _LEAVES[node.op]
        if node.op == "select":
            return self._selection(node)
        args = tuple(map(self.of, node.args))
        op: Any = node.op
        return Expression(op=op, args=args, table=node.data or ())

    def _selection(self, node: Node) -> Expression:
        condition = self._of_x(self.of(node.condition))
        args: list[Said] = [condition]
        if node.data not in ("count", "first", "latest"):
            args.insert(0, self.of(node.value))
        if node.default is not None:
            args.append(self.of(node.default))
        kind: Any = node.data
        if kind in ("count", "first", "latest", "total"):
            kind = f"{kind}_where"
        found = Expression(op=kind, args=tuple(args))
        is_place = node.data in ("first", "latest", "best")
        return found - 1 if is_place else found

    def _of_x(self, condition: Said) -> Said:
        """A condition that no position outside x meets."""
        key = Expression(op="there", args=(here,))
        first = Expression(op="below", args=(0, key))
        before = Expression(op="below", args=(key, end))
        found = _both(condition, _both(first, before))
        if not self.causal:
            return found
        later = Expression(op="below", args=(here, key))
        return _both(found, Expression(op="negate", args=(later,)))


_LEAVES: Mapping[str, Said] = {
    "token": tokens,
    "index": here - 1,
    "length": end - 1,
}


def _both(a: Said, b: Said) -> Expression:
    return Expression(op="both", args=(a, b))
