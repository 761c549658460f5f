"""The cases of a proof against the plain meaning of a claim: one covers each context."""

from __future__ import annotations

from collections import Counter
from itertools import product
from random import Random
from typing import Any

from conftest import examples
from hypothesis import given
from hypothesis import strategies as st
from proving import fixed_answers

from handcraft import after, answers
from handcraft.claims.kinds import Predicate
from handcraft.proof.prover.cases import OUT, cases_of
from handcraft.proof.prover.network import Undecided
from handcraft.sequence.evaluate import evaluate
from handcraft.sequence.expression import Expression
from handcraft.sequence.words import (
    cases,
    count,
    equal,
    first,
    here,
    latest,
    lookup,
    lowest,
    otherwise,
    own,
    state,
    token_at,
    total,
)

TOKENS = "abc"
letters = st.sampled_from(TOKENS)
offsets = st.integers(-2, 0)


def selections_of(inner: Any) -> Any:
    """Selections with plain and computed conditions and bounds."""
    what = (
        letters
        | st.lists(letters, min_size=1, max_size=2, unique=True).map(tuple)
        | inner
    )
    where = st.dictionaries(offsets, what, min_size=1, max_size=2)
    every = st.sampled_from([None, (1, 2), (0, 3)])
    before = st.sampled_from([None, 2, here])

    def build(kind: Any, where: Any, every: Any, before: Any) -> Any:
        options = {} if every is None else {"every": every}
        return kind(
            where, **options, **({} if before is None else {"before": before})
        )

    return st.builds(
        build, st.sampled_from([first, latest, count]), where, every, before
    )


tokens_asked = st.one_of(
    st.just(own),
    st.integers(0, 3).map(token_at),
    selections_of(st.just(own)).filter(lambda e: e.op != "count").map(token_at),
)
numbers_asked = st.one_of(
    selections_of(st.just(own)),
    selections_of(tokens_asked),
    st.just(total({"a": 1, "b": -1})),
    st.just(lowest({"a": 1, "b": -1})),
    st.just(total({"a": 2, "c": 1}, every=(1, 2))),
)
rules = st.one_of(
    tokens_asked,
    st.builds(
        lambda e: cases(
            (equal(e % 2, 0), "a"), (equal(otherwise(e, 1), 1), own), "c"
        ),
        numbers_asked,
    ),
    st.builds(
        lambda e, f: otherwise(lookup({0: "a", 1: "b", 2: "c"}, e), f),
        numbers_asked,
        tokens_asked,
    ),
    st.builds(lambda e: lookup({"a": "b", "b": "a"}, e), tokens_asked),
    st.builds(
        lambda e: otherwise(token_at(e - 1), "b"), selections_of(st.just(own))
    ),
    st.just(
        state(
            {"x": {"a": "y"}, "y": {"b": "x", "c": "a"}, "a": {"b": "x"}}, "x"
        )
    ),
)
MODEL = fixed_answers("aaaa", after({"a": "a"}), TOKENS)


@examples(150)
@given(rule=rules)
def test_one_case_covers_each_context_and_says_what_the_expression_says(
    rule: Expression,
) -> None:
    """Random rules, every context of up to four tokens: exactly one case has a value, and it is
    the plain meaning.
    """
    try:
        some = list(cases_of(Predicate(function=rule), MODEL))
    except Undecided:
        return
    for n in range(1, 5):
        for ids in product(range(3), repeat=n):
            text = [TOKENS[i] for i in ids]
            meant = evaluate(rule, text)
            if meant is not None and meant not in list(TOKENS):
                return
            wanted = None if meant is None else TOKENS.index(meant)
            said = []
            for case in some:
                if n - 1 in case.levels and ids[-1] in case.last(range(3)):
                    at: Any = case.start
                    for k, i in enumerate(ids):
                        at = case.step(at, k, i) if at is not None else None
                    found = (
                        OUT if at is None else case.expected(at, n - 1, ids[-1])
                    )
                    said += [found] if found is not OUT else []
            assert said == [wanted], (text, said, wanted)


@examples(80)
@given(rule=rules)
def test_tokens_of_one_role_are_read_alike(rule: Expression) -> None:
    """Wherever two tokens have one role, they lead to the same state and leave the same
    expected.
    """
    try:
        some = list(cases_of(Predicate(function=rule), MODEL))[:40]
    except Undecided:
        return
    random = Random(1)
    for case in some:
        at: Any = case.start
        for k in range(4):
            after_each = [case.step(at, k, i) for i in range(3)]
            for i, j in ((0, 1), (0, 2), (1, 2)):
                if case.role(k, i) == case.role(k, j):
                    assert after_each[i] == after_each[j]
                    if k in case.levels and after_each[i] is not None:
                        assert _said(case, after_each[i], k, i) == _said(
                            case, after_each[j], k, j
                        )
            at = after_each[random.randrange(3)]
            if at is None:
                break


def _said(case: Any, at: Any, level: int, i: int) -> Any:
    try:
        return case.expected(at, level, i)
    except Undecided:
        return Undecided


def test_the_domain_counts_its_contexts() -> None:
    """The size of a domain of answers is what its cases must cover: prompts, times answers so
    far.
    """
    model = fixed_answers(
        "aaaaaa",
        answers("[ab]{1,3}", cases((equal(own, "a"), "b"), "a"), length=2),
    )
    proofs = Counter(
        case.domain.size() for case in cases_of(model.program.claim, model)
    )  # type: ignore[union-attr]
    assert proofs == Counter([2, 4, 4, 8, 8, 16])
