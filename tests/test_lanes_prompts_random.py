"""Expressions that nobody chose, asked of prompts: their forms say what the evaluator says, and
what is learnt of symbols is true of all texts.

Their keys are found by what these find themselves in a part of the text: that is where a proof on
prompts has most to say that is true of one position and not of another.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from conftest import FULL, slow_from
from hypothesis import settings
from lane_texts import OnText

from handcraft import answers
from handcraft.core.vocabulary import Vocabulary
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes import bounds, totals, widened
from handcraft.proof.lanes.asked import AskedMeaning
from handcraft.proof.lanes.contexts import PromptContexts, contexts_of
from handcraft.proof.lanes.forms import Form
from handcraft.proof.lanes.symbols import AT_TOKEN, PromptTexts, Symbols
from handcraft.sequence.evaluate import evaluate
from handcraft.sequence.expression import Expression
from handcraft.sequence.words import (
    cases,
    end,
    equal,
    here,
    lookup,
    token_at,
    tokens,
)

LANGUAGES = ("a[ab]b", "[ab]{1,3}=", "[xy][ab]{1,2}=", r"\^[xy]?[ab]{1,2}=")
VOCABULARY = Vocabulary(tuple("abxy=^"))
MANY = 40 if settings.default.max_examples < FULL else 100


def node(op: str, *args: Any) -> Expression:
    """A node of an expression."""
    return Expression(op=op, args=args)


PLACE = node("there", here)


class Drawn:
    """Random expressions, whose parts recur."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.found: list[Expression] = []

    def same(self) -> Expression:
        """A condition on the token there."""
        first = token_at(self.random.choice((0, end - 1)))
        wanted = self.random.choice((tokens, "a", "b", first))
        return node("equal", node("there", tokens), wanted)

    def within(self) -> Expression:
        """A condition on the place there: a part of the text, up to where the prompt ends."""
        last = end + self.random.choice((-1, 0, 1))
        return node("below", PLACE, last)

    def inner(self) -> Expression:
        """What a key finds before it, in all of the text or in a part."""
        if self.found and self.random.random() < 0.4:
            return self.random.choice(self.found)
        before = node("negate", node("below", here, PLACE))
        where = node("both", self.same(), before)
        if self.random.random() < 0.6:
            where = node("both", where, self.within())
        op = self.random.choice(("count_where", "first_where", "latest_where"))
        self.found.append(node(op, where))
        return self.found[-1]

    def outer(self) -> Expression:
        """What the position that asks finds by that."""
        inner, other = self.inner(), self.random.choice((1, self.inner()))
        place = self.random.choice((end, end - 1, 2 * end - here, 1))
        score = lookup({"a": 1, "b": 2, "x": 0}, tokens)
        same = node("equal", node("there", inner), other)
        where = node("both", same, self.within())
        known = node("equal", node("there", inner), node("there", inner))
        choices: tuple[Callable[[], Expression], ...] = (
            lambda: node("count_where", where),
            lambda: node("count_where", known),
            lambda: node("latest_where", where),
            lambda: node("total_where", inner, where),
            lambda: node("value_at", inner, place),
            lambda: token_at(node("best", score, self.within())),
            lambda: token_at(node("first_where", self.same())),
        )
        return self.random.choice(choices)()


def contexts_for(language: str, length: int, longest: int) -> PromptContexts:
    """The texts of a claim that answers each prompt with any tokens."""
    said = cases((equal(here, end), "a"), "b")
    claim = answers(language, said, length=length, longest=longest)
    model: Any = SimpleNamespace(
        vocabulary=VOCABULARY, n_ctx=longest + length, causal=True
    )
    return contexts_of(model, claim)


def forms_of(
    symbols: Symbols, contexts: PromptContexts, drawn: Drawn
) -> list[tuple[Expression, Form]]:
    """Several expressions with their forms, of those that are followed."""
    meaning, found = AskedMeaning(symbols, contexts), []
    for _ in range(6):
        e = drawn.outer()
        try:
            found.append((e, meaning.of(e)))
        except (Rejected, TypeError, ValueError):
            continue
    return found


def text_of(contexts: PromptContexts, random: Random) -> tuple[list[str], int]:
    """A text with all of an answer that is read, drawn token by token, and where its prompt ends:
    any token that can stand at a place may stand there in these languages, beside any other.
    """
    e = random.randrange(len(contexts.ends))
    rows = contexts.there[e][: contexts.last[e] + 1]
    tokens = [random.choice(np.flatnonzero(row).tolist()) for row in rows]
    return [contexts.tokens[t] for t in tokens], contexts.ends[e]


def wrong_forms(
    contexts: PromptContexts,
    symbols: Symbols,
    forms: list[tuple[Expression, Form]],
    random: Random,
) -> list[str]:
    """Where a form says something else than the evaluator, or what is learnt is not true."""
    text, last = text_of(contexts, random)
    begin = [contexts.begin] * contexts.skipped
    on, found = OnText(symbols, text, last), []
    for q in range(len(text)):
        asks = q >= last
        for e, form in forms if asks else ():
            seen = [str(x) for x in (*begin, *text[: q + 1])]
            wanted = evaluate(e, seen, end=last + contexts.skipped)
            if on.table(form, q) != wanted:
                found.append(f"{e} at {q} of {text} is {wanted}")
        for learnt, fact in symbols.facts + asks * symbols._of_asked:
            labels = tuple((0, s) for s in learnt)
            of_asked = any(symbols.all[s].asked for s in learnt)
            if (asks or not of_asked) and not fact[on.row(labels, q)]:
                found.append(f"{learnt} at {q} of {text}")
    return found


@pytest.mark.hypothesis
@pytest.mark.parametrize("small", [False, True], ids=["", "small tables"])
@pytest.mark.parametrize("language", slow_from(1, LANGUAGES))
def test_forms_say_what_the_evaluator_says(language: str, small: bool) -> None:
    random, followed = Random(language), 0
    limits = [(widened, "MOST_TABLE_ROWS", 400), (totals, "_MOST_LEARNT", 300)]
    limits += [(widened, "_MOST_SUMMED", 300), (bounds, "_MOST_BOUNDED", 300)]
    patches = [patch.object(*x) for x in limits if small]
    for one in patches:
        one.start()
    try:
        for _ in range(MANY):
            contexts = contexts_for(language, random.choice((1, 2)), 4)
            symbols = contexts.symbols()
            forms = forms_of(symbols, contexts, Drawn(random))
            followed += len(forms)
            for _ in range(4):
                assert wrong_forms(contexts, symbols, forms, random) == []
    finally:
        for one in patches:
            one.stop()
    assert followed > MANY


def test_a_sum_with_too_many_rows_is_bounded_without_the_tokens() -> None:
    """A table beside the tokens of keys would be too large; by their places alone it is not. The
    weights may themselves be of tokens, and are looked at by these then.
    """
    asked = np.array([[False, False, True]])
    there = np.ones((1, 3, 2), dtype=bool)
    symbols = Symbols("ab", 3, True, PromptTexts((2,), there, asked))  # type: ignore[arg-type]
    label, weights = ((1, AT_TOKEN),), np.array([0, 1])
    wanted = widened.sums_of(symbols, label, weights)
    assert wanted is not None
    with patch.object(widened, "_MOST_SUMMED", 1):
        found = widened.sums_of(symbols, label, weights)
    assert found is not None
    assert found[0] == wanted[0]
    assert all(
        (a == b).all() for a, b in zip(found[1:], wanted[1:], strict=True)
    )
