"""The tokens of an answer's frame, and of the texts in it.

    Signs(alphabet, "^", "=", "$", "?")   checked by `check` against the answers

Rules of this file: no token stands for two things, and none is read where others stand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from handcraft.core.errors import ProgramError, in_quotes
from handcraft.core.source import caller


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

    def check(self, answers: Sequence[str], *, undefined: bool) -> None:
        """Raise ProgramError for a sign that is something else as well, and for a token that would
        be read where others stand.

        answers    those that are no tokens of x
        undefined  True if e may be undefined
        """
        known = dict.fromkeys(answers, "an answer")
        known |= dict.fromkeys(self.alphabet, "a token of the text")
        signs: dict[str, str] = {}
        for name in ("begin", "separator", "stop", "undefined"):
            sign = getattr(self, name)
            if not isinstance(sign, str) or not sign:
                raise _bad(f"takes a token, found {sign!r:.60}", name)
            if name == "undefined" and not undefined:
                continue
            if sign in known:
                raise _bad(
                    f"{sign!r} is {known[sign]} as well; pass another token",
                    name,
                )
            known[sign], signs[sign] = f"{name}=", name
        self._check_reading(answers, signs)

    def _check_reading(
        self, answers: Iterable[str], signs: dict[str, str]
    ) -> None:
        for text in self.alphabet:
            if held := [sign for sign in signs if sign in text]:
                raise _bad(
                    f"{held[0]!r} would be read in the token {text!r}; pass another"
                    " token",
                    signs[held[0]],
                )
        given = (*self.alphabet, *signs)
        for text in (*answers, *signs):
            parts = _spelling(text, [t for t in given if t != text])
            if len(text) > 1 and parts:
                raise _bad(
                    f"{text!r} would be read where"
                    f" {' and '.join(map(in_quotes, parts))} stand; "
                    + _INSTEAD.get(signs.get(text, ""), _MAPPED),
                    *([signs[text]] if text in signs else []),
                )


_MAPPED = "give the answers other names, with map_() around the expression"
_INSTEAD = dict.fromkeys(
    ("begin", "separator", "stop", "undefined"), "pass another token"
)


def _bad(message: str, *argument: str) -> ProgramError:
    return ProgramError(message, ("answer", *argument), caller())


def _spelling(text: str, tokens: Sequence[str]) -> list[str]:
    """Tokens that stand one after another where a text begins; none where there are no such."""
    for t in tokens:
        if t.startswith(text):
            return [t]
        if text.startswith(t) and (rest := _spelling(text[len(t) :], tokens)):
            return [t, *rest]
    return []
