"""What expressions and conditions of a claim on prompts are at the token that begins a text.

    FirstToken(asked)               what an expression is there, as the position that asks sees it
    OfFirst(asked).condition(e)     1 where a condition selects that token, else 0
    BegunTexts, Asking              what is asked of texts, and who asks

It has no index, so no table has a row for it: it is a key that is asked about apart.
"""

from __future__ import annotations

from typing import Any, Protocol

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.forms import Form, applied, constant_form
from handcraft.proof.lanes.meaning import MeaningForms
from handcraft.proof.lanes.symbols import AT_END, Symbols
from handcraft.sequence.expression import Expression


class BegunTexts(Protocol):
    """The token that all texts begin with, and how many have no index for that: 1 or 0."""

    @property
    def begin(self) -> str | None: ...

    @property
    def skipped(self) -> int: ...


class Asking(Protocol):
    """What asks: the meaning of expressions at some positions, and at those that they read."""

    symbols: Symbols
    contexts: BegunTexts
    used: Array | None

    @property
    def first(self) -> MeaningForms: ...

    def of(self, e: Any) -> Form: ...

    def of_key(self, e: Any) -> Form: ...

    def placed(self, symbol: int) -> Form: ...


class FirstToken(MeaningForms):
    """What an expression is at the first token, as the position that asks sees it."""

    def __init__(self, asked: Asking) -> None:
        super().__init__(asked.symbols)
        refused = "what the first token finds in the text is not known here"

        def unknown(_: Any) -> Form:
            raise Rejected(refused)

        self._asked = dict.fromkeys(self._asked, unknown)
        self._asked["here"] = lambda _: constant_form(0)
        self._asked["end"] = lambda _: asked.placed(AT_END)
        self._asked["token_at"] = self._token_at
        self.begin = asked.contexts.begin

    def _token_at(self, e: Expression) -> Form:
        place = self.of(e.args[0])
        known = set(place.table.reshape(-1).tolist())
        if any(x is not None and x > 0 for x in known):
            raise Rejected("the first token reads another one")
        return applied(
            self.symbols, lambda x: self.begin if x == 0 else None, place
        )


class OfFirst(MeaningForms):
    """What a condition is where the key is the first token."""

    def __init__(self, asked: Asking) -> None:
        super().__init__(asked.symbols)
        self.asked = asked
        self._asked = {"there": lambda e: asked.first.of(e.args[0])}

    def condition(self, e: Any) -> Form:
        """1 where it selects the first token, else 0."""
        return self._condition(e)

    def _form(self, e: Expression) -> Form:
        if not e.paired:
            return self.asked.of(e)
        return self._both(e) if e.op == "both" else super()._form(e)

    def _both(self, e: Expression) -> Form:
        """False where one side is, whatever the other one is."""
        sides: list[Form] = []
        for arg in e.args[::-1]:
            try:
                form = self.of(arg)
            except Rejected:
                if not sides:
                    sides.append(self.of(e.args[0]))
                    if _is_never(sides[0]):
                        return constant_form(0)
                raise
            if _is_never(form):
                return constant_form(0)
            sides.append(form)
        return super()._form(e)


def _is_never(form: Form) -> bool:
    return not form.labels and form.table[()] == 0
