"""Verification: every context enumerated, or contexts drawn, and the claim asked in plain Python."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from conftest import Refused, bundled_model, claiming, no_claim, programs, random_weights
from hypothesis import given, settings
from hypothesis import strategies as st

from handcraft import Head, Model, Program, after, distribution, position, scratch, token
from handcraft.claims import Oracle
from handcraft.errors import ProgramError
from handcraft.gpt2 import Weights, gpt2
from handcraft.proof import Budget, Report, enumeration, verify
from handcraft.proof.enumeration import enumerate_contexts
from handcraft.proof.expectation import SILENT, Chances, NextToken, texts
from handcraft.vocabulary import Vocabulary

AB = Vocabulary(("a", "b"))


def every(n_vocab: int, n_ctx: int) -> list[tuple[int, ...]]:
    """Every context, the shorter first."""
    return [ids for n in range(1, n_ctx + 1) for ids in product(range(n_vocab), repeat=n)]


# ---------------------------------------------------------------- the trie is the forward pass


def assert_enumerates(weights: Weights, n_ctx: int, chunk: int, **config: Any) -> None:
    """Each context comes once, with the logits of the plain forward pass."""
    n_vocab, seen = weights["wte"].shape[0], []
    for part in enumerate_contexts(weights, n_ctx, **config):
        ids = part.ids(n_vocab)
        assert len(part.logits) == len(ids) <= max(chunk, n_vocab)
        expected = gpt2(ids, **weights, **config)[:, -1]
        np.testing.assert_allclose(part.logits, expected, rtol=1e-9, atol=1e-9 * (1 + np.abs(expected).max()))
        assert [part.context(i, n_vocab) for i in range(len(ids))] == ids.tolist()
        np.testing.assert_array_equal(part.ids(n_vocab, 2), ids[:, -2:])
        seen += [tuple(row) for row in ids.tolist()]
    assert sorted(seen, key=lambda ids: (len(ids), ids)) == every(n_vocab, n_ctx)


@pytest.mark.parametrize("chunk", [1, 2, 9, 10, 100, 2**14])
@pytest.mark.parametrize("config", [{"n_head": 1}, {"n_head": 4, "activation": "relu"}, {"n_head": 2, "causal": False}])
@pytest.mark.parametrize(("n_vocab", "n_ctx"), [(3, 4), (2, 6), (1, 5), (5, 2)])
def test_enumeration_is_the_forward_pass(
    monkeypatch: pytest.MonkeyPatch, chunk: int, config: dict[str, Any], n_vocab: int, n_ctx: int
) -> None:
    """The logits of every context are those of gpt2(), however the trie is cut: layer norms, heads, neurons, two layers."""
    monkeypatch.setattr(enumeration, "CHUNK", chunk)
    assert_enumerates(random_weights(chunk, n_vocab=n_vocab, n_ctx=n_ctx), n_ctx, chunk, **config)


@pytest.mark.parametrize("lacking", ["attn", "mlp"])
def test_enumeration_skips_what_is_absent(lacking: str) -> None:
    """Blocks without attention or MLP, and models without layer norm, are enumerated as they run."""
    weights = random_weights(1, norms=False)
    del weights["blocks"][0][lacking]
    assert_enumerates(weights, 4, 2**14, n_head=2)
    assert_enumerates(weights | {"blocks": []}, 3, 2**14, n_head=2)


@settings(max_examples=30)
@given(programs(), st.sampled_from([1, 5, 2**14]))
def test_enumeration_of_programs(program: Program, chunk: int) -> None:
    """Lanes that are zero throughout, and heads that write nothing, are skipped without changing a logit."""
    model = program.build("float64")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(enumeration, "CHUNK", chunk)
        assert_enumerates(model.weights, model.n_ctx, chunk, **model.config)


# ---------------------------------------------------------------- the claim as arrays

endings = st.dictionaries(st.text("ab", max_size=4), st.sampled_from("ab"), min_size=1)


@given(endings, st.integers(1, 5))
def test_next_token_agrees_with_the_oracle(table: dict[str, str], length: int) -> None:
    """The lookup by codes says what the claim says when it is asked one context at a time."""
    claim = after(table)
    oracle, expect = Oracle(claim, AB), NextToken(claim, AB)
    ids = np.array(list(product(range(2), repeat=length)))
    found = [None if i == SILENT else "ab"[i] for i in expect(ids)]
    assert found == [oracle(AB.context(row)) for row in ids.tolist()]
    assert expect.window == max(map(len, table))


@given(st.dictionaries(st.text("ab", min_size=1, max_size=3), st.sampled_from([0.25, 0.5, 1.0]), min_size=1))
def test_chances_agree_with_the_oracle(table: dict[str, float]) -> None:
    """Probabilities are looked up as the claim gives them; a token that is not named has none."""
    claim = distribution({ending: {"a": p, "b": 1 - p} if p < 1 else {"a": 1.0} for ending, p in table.items()})
    oracle, expect = Oracle(claim, AB), Chances(claim, AB)
    ids = np.array(list(product(range(2), repeat=3)))
    for row, found in zip(ids.tolist(), expect(ids), strict=True):
        expected = oracle(AB.context(row))
        assert np.isnan(found).all() if expected is None else found.tolist() == [expected.get("a", 0), expected.get("b", 0)]


@pytest.mark.parametrize("tokens", [("a", "b"), ("ab", "c"), ("\0", "a"), ("é", "字")])
def test_contexts_in_bulk(tokens: tuple[str, ...]) -> None:
    """Many contexts at once are texts, or tuples, as one at a time."""
    vocabulary, ids = Vocabulary(tokens), np.array(list(product(range(2), repeat=3)))
    assert texts(ids, vocabulary) == [vocabulary.context(row) for row in ids.tolist()]


# ---------------------------------------------------------------- exhaustive verdicts


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_aab_is_checked_whole(dtype: str) -> None:
    """All 62 contexts of aab are covered, the claim speaks on 45, and the least margin is exactly 1023."""
    report = verify(bundled_model("aab", dtype))
    assert report == Report(
        program="aab", verdict="checked", method="exhaustive", contexts=62, checked=45, accuracy=1.0, min_margin=1023.0,
        counterexample=None, dtype=dtype, seconds=report.seconds, min_margin_at=["a", "a"],
    )  # fmt: skip
    assert report.exit_code == 0


def plain_check(model: Model, oracle: Any) -> tuple[int, int, list[str]]:
    """How often the claim speaks, how often the model agrees, and the shortest context where it does not."""
    spoken, right, wrong = 0, 0, []
    for ids in every(len(model.vocabulary), model.n_ctx):
        context = "".join(model.vocabulary.tokens[i] for i in ids)
        if (expected := oracle(context)) is not None:
            logits = dict(zip(model.vocabulary.tokens, model(context)[-1], strict=True))
            good = all(logits[expected] > x for name, x in logits.items() if name != expected)
            spoken, right = spoken + 1, right + good
            wrong += [] if good else [context]
    return spoken, right, wrong


@pytest.mark.parametrize("as_function", [False, True])
@settings(max_examples=25)
@given(table=endings.filter(any))
def test_verdicts_are_those_of_plain_loops(as_function: bool, table: dict[str, str]) -> None:
    """Right or wrong, as data or as a function: counts, accuracy and the shortest counterexample are those of plain loops."""

    def function(context: str) -> str | None:
        fitting = [ending for ending in table if context.endswith(ending)]
        return table[max(fitting, key=len)] if fitting else None

    model = claiming(function if as_function else after(table)).build()
    spoken, right, wrong = plain_check(model, function)
    report = verify(model)
    assert (report.contexts, report.checked, report.accuracy) == (62, spoken, right / spoken)
    assert (report.verdict, report.exit_code) == (("refuted", 1) if wrong else ("checked", 0))
    if wrong:
        found = report.counterexample
        assert found is not None
        assert "".join(found.tokens) == wrong[0]
        assert (found.expected, {found.expected, found.got}) == (function(wrong[0]), {"a", "b"})
        assert found.margin is not None
        assert found.margin < 0
    else:
        assert report.counterexample is None


def test_a_constant_claim_is_checked() -> None:
    """A claim on the empty ending speaks of every context."""
    report = verify(claiming(after({"": "a"})).build())
    assert (report.contexts, report.checked, report.verdict) == (62, 62, "refuted")
    assert verify(claiming(after({"": "b", "b": "a", "a": "a", "aa": "b"})).build()).checked == 62


def test_a_claim_wrong_in_one_context_is_found() -> None:
    """Of 32,766 contexts the single one on which the claim differs from the model is found."""
    p, t, v = position(14), token("ab"), scratch("v")
    program = Program(name="latest", embedding=(p, t, v), claim=lambda c: c[-1] if c != "abbabaaabbabab" else "a")
    report = verify(program.build())
    assert (report.contexts, report.checked, report.verdict) == (2**15 - 2, 2**15 - 2, "refuted")
    assert report.accuracy == 1 - 1 / (2**15 - 2)
    assert report.counterexample is not None
    assert ("".join(report.counterexample.tokens), report.counterexample.expected) == ("abbabaaabbabab", "a")


def test_a_tie_is_wrong() -> None:
    """Two equal logits are no answer: the margin is zero and the claim refuted."""
    p, t, v = position(2), token("ab"), scratch("v")
    level = Head(value={v: 1}, output={t["a"]: 1 - t_read(v), t["b"]: t_read(v)})
    program = Program(embedding=(p, t, v), layers=(level,), claim=after({"b": "b"}))
    assert verify(program.build()).verdict == "checked"
    tied = Program(embedding=(p, t, v), layers=(Head(value={v: 1}, output={t["a"]: v}),), claim=after({"b": "b"}))
    report = verify(tied.build())
    assert (report.verdict, report.min_margin, report.accuracy) == ("refuted", 0.0, 0.0)
    assert report.counterexample is not None
    assert (report.counterexample.tokens, report.counterexample.margin) == (["b"], 0.0)


def t_read(slot: Any) -> Any:
    """A slot as an expression."""
    return 1 * slot


def test_a_model_that_is_not_finite_is_wrong() -> None:
    """A context whose logits are not a number is refuted, not passed over."""
    p, t, v = position(1), token("ab"), scratch("v")
    huge = Head(value={v: 1e38 * t["a"]}, output={t["a"]: 1e38 * v, t["b"]: -1e38 * v})
    with np.errstate(all="ignore"):
        assert verify(Program(embedding=(p, t, v), layers=(huge, huge), claim=after({"a": "b"})).build()).verdict == "refuted"


def test_a_single_token_vocabulary() -> None:
    """Where there is no other token every prediction is right, and there is no margin."""
    report = verify(Program(embedding=(position(4), token("a")), claim=after({"a": "a"})).build())
    assert (report.verdict, report.contexts, report.checked, report.min_margin) == ("checked", 4, 4, None)


# ---------------------------------------------------------------- distributions


def test_a_distribution_is_checked() -> None:
    """baby_gpt has the probabilities that it states, to float32; accuracy and margin are not asked."""
    report = verify(bundled_model("baby_gpt"))
    assert (report.verdict, report.contexts, report.checked) == ("checked", 14, 8)
    assert (report.accuracy, report.min_margin) == (None, None)
    assert report.max_probability_error is not None
    assert report.max_probability_error < 1e-6


def test_a_wrong_distribution_is_refuted() -> None:
    """A probability that is off by more than the tolerance is refuted with both rows; within it, it is not."""
    wrong = {"111": {"0": 0.25, "1": 0.75}}
    report = verify(claiming(distribution(wrong), "baby_gpt").build())
    assert (report.verdict, report.counterexample and report.counterexample.tokens) == ("refuted", ["1", "1", "1"])
    assert report.counterexample is not None
    assert report.counterexample.expected == {"0": 0.25, "1": 0.75}
    assert report.counterexample.got == pytest.approx({"0": 0.5, "1": 0.5}, abs=1e-6)
    assert report.max_probability_error == pytest.approx(0.25, abs=1e-6)
    assert verify(claiming(distribution(wrong, tolerance=0.26), "baby_gpt").build()).verdict == "checked"


# ---------------------------------------------------------------- what is undecided


def test_what_a_budget_does_not_cover_is_unknown() -> None:
    """A named method that cannot decide within the budget says so, and why."""
    report = verify(bundled_model("aab"), methods=["exhaustive"], budget=Budget(contexts=61))
    assert (report.verdict, report.exit_code, report.contexts, report.checked, report.accuracy) == ("unknown", 3, 0, 0, None)
    assert report.reason == "there are 62 contexts, more than the budget of 61"
    assert verify(bundled_model("aab"), methods=["exhaustive"], budget=Budget(contexts=62)).verdict == "checked"


def test_no_time_is_unknown() -> None:
    """When the time is over before every context was seen, nothing is claimed."""
    report = verify(claiming(after({"aa": "b"})).build(), methods=["exhaustive"], budget=Budget(seconds=-1.0))
    assert report.verdict == "unknown"
    assert report.reason is not None
    assert report.reason.startswith("the time was over after ")
    assert verify(bundled_model("adder"), budget=Budget(seconds=-1.0)).verdict == "unknown"


def test_a_claim_that_is_always_silent_decides_nothing() -> None:
    """A claim that never speaks is neither checked nor refuted."""
    report = verify(claiming(no_claim).build())
    assert (report.verdict, report.checked, report.contexts) == ("unknown", 0, 62)
    assert report.reason == "the claim is silent on every context that was checked"


def test_what_cannot_be_verified_is_refused() -> None:
    """No claim, and no such method, are errors."""
    with Refused(ProgramError, "aab: has no claim to verify; pass claim= to Program"):
        verify(claiming(None).build())
    with Refused(ProgramError, "there is no method 'sample'; there are exhaustive, sampled; did you mean 'sampled'?"):
        verify(bundled_model("aab"), methods=["sample"])


@pytest.mark.parametrize(
    ("text", "budget"), [("1000", Budget(1000, 1000)), ("1_000", Budget(1000, 1000)), ("30s", Budget(seconds=30.0))]
)
def test_budgets(text: str, budget: Budget) -> None:
    """A budget is a number of contexts or of seconds."""
    assert Budget.parse(text) == budget


@pytest.mark.parametrize("text", ["", "0", "0s", "-1", "s", "1m", "1.5", "1e6", "9" * 30])
def test_budgets_that_are_none(text: str) -> None:
    """Anything else is refused."""
    with Refused(ProgramError, f"a budget is a number of contexts or of seconds, such as 1000000 or 30s, found {text!r}"):
        Budget.parse(text)
