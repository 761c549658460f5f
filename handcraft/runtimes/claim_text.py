"""Returns what a claim says, in words and code spans of Markdown.

Rules of this file: what comes from a program stands in a code span, whatever letters it has; long
tables and rules are cut, and say so.
"""

from __future__ import annotations

from collections.abc import Iterator

from handcraft.claims.answers import Table
from handcraft.claims.functions import Callback
from handcraft.claims.kinds import After, Claim, Distribution, Each, Residual
from handcraft.claims.prompt_claim import Answers
from handcraft.claims.right_tokens import tokens_of
from handcraft.claims.transducer import Transducer
from handcraft.core.errors import either, listing, printable
from handcraft.sequence.notation import written

_SHOWN = 12  # rows of a table
_LETTERS = 400  # of a rule


def code(text: str) -> str:
    """A text as a code span, in quotes unless it is one printable letter."""
    shown = text if len(text) == 1 and text.isalnum() else repr(text)
    return span(printable(shown))


def span(shown: str) -> str:
    """A code span around any text."""
    fence = "`"
    while fence in shown:
        fence += "`"
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def claim_text(claim: Claim | None) -> Iterator[str]:
    """The paragraphs of a claim."""
    if claim is None:
        yield "It makes no claim."
    elif isinstance(claim, After):
        yield "The longest of these endings that a context has decides what follows:"
        yield _rows(
            [
                f"after {_ending(end)}: {either(map(code, tokens_of(right)))}"
                for end, right in claim.table
            ]
        )
    elif isinstance(claim, Distribution):
        yield (
            "The longest of these endings that a context has decides the probabilities"
            f" of what follows, each within {claim.tolerance:g}:"
        )
        yield _rows(
            [
                f"after {_ending(end)}: {_chances(row)}"
                for end, row in claim.table
            ]
        )
    elif isinstance(claim, Answers):
        yield from _answers(claim)
    else:
        yield from _of_contexts(claim)


def _ending(end: str | tuple[str, ...]) -> str:
    return code(end) if isinstance(end, str) else " ".join(map(code, end))


def _chances(row: tuple[tuple[str, float], ...]) -> str:
    shown = ", ".join(f"{code(token)} {p:.6g}" for token, p in row[:_SHOWN])
    return shown + (", ..." if len(row) > _SHOWN else "")


def _rows(rows: list[str]) -> str:
    more = len(rows) - _SHOWN
    last = [f"and {more} more"] if more > 0 else []
    return "\n".join(f"- {row}" for row in [*rows[:_SHOWN], *last])


def _answers(claim: Answers) -> Iterator[str]:
    end = "" if claim.stop is None else f" It ends with {code(claim.stop)}."
    yield (
        f"A prompt is a text of the regular expression {span(_short(claim.prompts))};"
        f" each has one right answer.{end}"
    )
    if isinstance(claim.answer, Table):
        yield _rows([f"{code(q)}: {code(a)}" for q, a in claim.answer.table])
    else:
        yield f"The answer is {_rule(claim.answer)}."


def _of_contexts(claim: Claim) -> Iterator[str]:
    what = "What follows a context is"
    if isinstance(claim, Residual):
        what = f"The lane {span(printable(claim.lane))} is, within {claim.tolerance:g},"
    elif isinstance(claim, Each):
        seen = ", which sees the text up to there," if claim.causal else ""
        what = f"What is said at each position of {_texts(claim)}{seen} is"
    yield f"{what} {_rule(claim.rule)}."


def _texts(claim: Each) -> str:
    """The texts of a claim on whole texts, in words."""
    found = "a whole text"
    if claim.alphabet is not None:
        found += f" of {listing(map(span, map(printable, claim.alphabet)))}"
    if claim.begin is not None:
        found += f" behind {span(printable(claim.begin))}"
    return found


def _rule(rule: object) -> str:
    if isinstance(rule, Callback):
        return f"that of the Python function {span(printable(rule.name))}"
    if isinstance(rule, Transducer):
        inputs = ", ".join(map(written, rule.inputs))
        return (
            f"written by a finite transducer of {len(rule.table)} rows, which reads the"
            f" prompt at {span(_short(inputs))}"
        )
    return f"given, token by token, by {span(_short(written(rule)))}"


def _short(text: str) -> str:
    return printable(
        text if len(text) <= _LETTERS else text[:_LETTERS] + " ..."
    )
