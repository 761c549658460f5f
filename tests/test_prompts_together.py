"""Prompts are counted many at once, with the counts that the judge has one by one."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
from ranked import greatest, model_of, noisy

from handcraft import Model, answers
from handcraft import open as open_program
from handcraft.claims.prompt_claim import Answers
from handcraft.claims.prompt_language import Language
from handcraft.core.vocabulary import Vocabulary
from handcraft.proof import Budget, verify
from handcraft.proof.enumerate import prompts
from handcraft.proof.enumerate.prompt_ids import PromptIds
from handcraft.proof.enumerate.prompts import count_prompts
from handcraft.proof.enumerate.right_answers import RightAnswers
from handcraft.proof.enumerate.together import Together
from handcraft.proof.judge import Judge
from handcraft.proof.sample import check_prompts
from handcraft.proof.tally import Tally


def one_by_one(judge: Judge) -> Tally:
    """The judge's own tally of all prompts."""
    model = judge.model
    language = judge.claim.language(model.n_ctx, model.vocabulary)
    size = language.size
    return check_prompts(judge, language, math.inf, lambda *_: None, size)


def together(judge: Judge, library: str = "numpy") -> Tally:
    """The tally of the batches."""
    found = count_prompts(judge, lambda _: True, library)
    assert found is not None
    return found


def counts(tally: Tally) -> dict[str, Any]:
    """All of a tally but the margin, whose last bits are those of an order of summation."""
    names = ("contexts", "checked", "correct", "worst", "unsure")
    return {name: getattr(tally, name) for name in names}


def assert_the_same(judge: Judge, library: str = "numpy") -> Tally:
    """The counts of the batches are the judge's, and so is the least margin, nearly."""
    own, found = one_by_one(judge), together(judge, library)
    assert counts(found) == counts(own)
    assert found.min_margin == pytest.approx(own.min_margin, rel=1e-4, abs=1e-5)
    return found


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("n", "k", "end"), [(6, 3, ""), (5, 4, "=")])
def test_right_wrong_and_doubtful_prompts(
    seed: int, n: int, k: int, end: str
) -> None:
    """Heads that are right on all prompts, on some, or on few, and some within rounding."""
    model = noisy(seed, n=n, k=k, end=end)
    found = assert_the_same(Judge(model, greatest(n, k, end)))
    assert found.contexts == n**k


@pytest.mark.parametrize("name", ["reverse", "counter", "nim", "greatest"])
def test_bundled_programs(name: str) -> None:
    """Answers of several tokens, of several lengths, and with a stop token."""
    model = open_program(name)
    assert model.program is not None
    claim = model.program.claim
    assert isinstance(claim, Answers)
    narrow = claim.model_copy(update={"longest": min(claim.longest or 9, 5)})
    judge = Judge(model, narrow if name == "reverse" else claim)
    found = assert_the_same(judge)
    assert found.correct == found.contexts > 100


def test_what_rounding_decides_is_asked_as_run_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A prompt on the edge goes to the judge; a lead that rounding cannot turn does not."""
    rng = np.random.default_rng(0)
    wte = rng.normal(size=(4, 3)).astype(np.float32)
    wte[1] = wte[0]  # two tokens that are always as likely as each other
    weights = {"wte": wte, "wpe": np.zeros((2, 3), np.float32), "blocks": []}
    judge = Judge(model_of(weights), greatest(4, 2))
    asked: list[str] = []
    plain = Judge.prompts

    def told(self: Judge, tally: Tally, texts: Any, ask: Any = None) -> int:
        asked.extend(texts)
        return plain(self, tally, texts, ask)

    own = one_by_one(judge)
    monkeypatch.setattr(Judge, "prompts", told)
    found = together(judge)
    assert counts(found) == counts(own)
    ties = {"00", "01", "10", "11"}  # 0 and 1 are ahead of each other by 0
    assert ties <= set(asked)
    assert len(asked) < 16


def test_a_judge_that_disagrees_ends_the_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where a batch finds wrong what is right, all prompts are asked one by one."""
    model = open_program("greatest")
    assert model.program is not None
    judge = Judge(model, model.program.claim)
    right = Together.leads

    def false(self: Together, ids: Any, said: Any) -> Any:
        leads, sizes = right(self, ids, said)
        return np.full_like(leads, -1e9), sizes

    monkeypatch.setattr(Together, "leads", false)
    assert count_prompts(judge, lambda _: True, "numpy") is None
    report = verify(model, methods=("exhaustive",))
    assert report.verdict == "checked"
    assert (report.checked, report.accuracy) == (10_000, 1)


def test_few_prompts_are_asked_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The batches begin at 4,096 prompts, and are what `verify` asks there."""
    seen: list[int] = []
    right = Together.leads

    def told(self: Together, ids: Any, said: Any) -> Any:
        seen.append(len(ids))
        return right(self, ids, said)

    monkeypatch.setattr(Together, "leads", told)
    few, many = greatest(15, 3), greatest(16, 3)
    verify(noisy(1, n=15), methods=("exhaustive",), claim=few)
    assert not seen
    report = verify(noisy(1, n=16), methods=("exhaustive",), claim=many)
    assert sum(seen) >= report.checked == 16**3


def test_time_that_is_over_ends_between_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was counted by then is what the tally says."""
    monkeypatch.setattr(prompts, "_NUMBERS", 2**15)
    judge = Judge(noisy(1, n=16), greatest(16, 3))
    told: list[int] = []

    def go_on(done: int) -> bool:
        told.append(done)
        return len(told) < 4

    found = count_prompts(judge, go_on, "numpy")
    assert found is not None
    assert 0 < found.contexts == told[-1] < 16**3
    whole = together(judge)
    assert counts(whole) == counts(one_by_one(judge))


@pytest.mark.parametrize(
    ("pattern", "longest"),
    [("[ab]{1,4}=", 5), ("(a|bc)*d?[ab]+", 6), ("(ab|b(a|c))+x?", 7)],
)
def test_prompts_as_ids_are_the_texts_of_the_language(
    pattern: str, longest: int
) -> None:
    """In the same order, however they are cut."""
    language = Language(pattern, longest)
    tokens = tuple(sorted(language.characters, reverse=True))
    ids = PromptIds.of(language, Vocabulary(tokens))
    assert ids is not None
    for rows in (1, 7, 1000):
        texts = [
            "".join(tokens[i] for i in row)
            for block in ids.blocks(rows)
            for row in ids.rows(*block).tolist()
        ]
        assert texts == list(language)


def test_prompts_that_are_no_characters_are_not_listed() -> None:
    """A token of two characters, or a character that is no token: the judge splits, or says so."""
    language = Language("[ab]{3}", 3)
    assert PromptIds.of(language, Vocabulary(("a", "b", "ab"))) is None
    assert PromptIds.of(language, Vocabulary(("a", "c"))) is None


@pytest.mark.parametrize("n", [2, 5])
def test_the_greatest_in_ids(n: int) -> None:
    """What is found on arrays is what the claim says of each prompt."""
    claim = greatest(n, 3, "=")
    vocabulary = noisy(0, n=n, k=3, end="=").vocabulary
    ids = np.array([(*row, n) for row in product(range(n), repeat=3)])
    ((rows, found),) = RightAnswers(claim, vocabulary, 4).of(ids)
    assert rows.tolist() == list(range(n**3))
    assert found.ravel().tolist() == [max(row[:3]) for row in ids.tolist()]


def by_length(prompt: str) -> str:
    """As many letters as the prompt has."""
    return "a" * prompt.count("a")


def test_answers_of_several_lengths_are_kept_apart() -> None:
    """Each with its own prompts."""
    claim = answers("[ab]{3}", by_length, stop=".")
    vocabulary = Vocabulary(("a", "b", "."))
    ids = np.array(list(product(range(2), repeat=3)))
    seen = {
        row: answer
        for rows, said in RightAnswers(claim, vocabulary, 9).of(ids)
        for row, answer in zip(rows.tolist(), said.tolist(), strict=True)
    }
    assert seen == {
        i: [0] * row.count(0) + [2] for i, row in enumerate(ids.tolist())
    }


def _attention_later(model: Model) -> Model:
    """The same model behind a block without attention."""
    first: dict[str, Any] = {}
    blocks = [first, *model.weights["blocks"]]
    return model_of(model.weights | {"blocks": blocks})


@pytest.mark.parametrize("change", [lambda m: m, _attention_later])
@pytest.mark.parametrize("n_answer", [1, 2])
def test_shared_beginnings_change_no_lead(
    change: Callable[[Model], Model], n_answer: int
) -> None:
    """Leads and sizes are those of a pass over each text by itself."""
    model = change(noisy(4, n=5, k=5))
    texts = np.array(list(product(range(5), repeat=5)))[:, : 6 - n_answer]
    ids = np.unique(texts, axis=0)
    said = np.random.default_rng(0).integers(0, 5, (len(ids), n_answer))
    leads, sizes = Together(model).leads(ids, said)
    for row in range(0, len(ids), 97):
        tokens = model.vocabulary.tokens
        text = [tokens[i] for i in (*ids[row], *said[row, :-1])]
        logits = np.array(model(text))[-n_answer:]
        for i, token in enumerate(said[row]):
            others = np.delete(logits[i], token)
            lead = logits[i][token] - others.max()
            assert leads[row, i] == pytest.approx(lead, rel=1e-4, abs=1e-3)
            assert sizes[row, i] == pytest.approx(
                np.abs(logits[i]).max(), rel=1e-4
            )


def test_budget_and_batches() -> None:
    """More prompts than the budget are drawn, as ever."""
    model, claim = noisy(1, n=17), greatest(17, 3)
    report = verify(
        model,
        methods=("exhaustive", "sampled"),
        claim=claim,
        budget=Budget(contexts=1000),
    )
    assert report.method == "sampled"
