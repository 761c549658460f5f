"""What any claim means of a model that is not causal: `last`, and whether an answer was asked."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest
from conftest import bundled_model, claiming
from reversing import BOTH, SAMPLED, wrong_places

from handcraft import (
    Head,
    Model,
    Program,
    after,
    distribution,
    last,
    position,
    residual,
    scratch,
    token,
)
from handcraft.claims.reference import Reference
from handcraft.core.gpt2 import gpt2
from handcraft.core.vocabulary import Vocabulary
from handcraft.proof import verify
from handcraft.proof.judge import Judge
from handcraft.proof.tally import Tally
from handcraft.sequence.words import cases, count, equal, here, own

# ---------------------------------------------------------------- every claim, where the model
# is not causal


def ahead(claim: Any) -> Model:
    """A model that says a at each position, and b where a b stands anywhere behind or before it."""
    p, ab, any_b = position(3), token("ab"), scratch("any_b")
    look = Head(
        value={any_b: ab["b"]},
        adds={ab["b"]: 90 * any_b, ab["a"]: 10 - 90 * any_b},
    )
    return Program(
        name="ahead",
        embedding=(p, ab, any_b),
        layers=(look,),
        claim=claim,
        causal=False,
    ).build()


ANY_B = after({"a": "a", "b": "b", "ba": "b", "baa": "b"})


def test_a_claim_is_asked_about_the_text_so_far() -> None:
    """A model that looks ahead is right at the last position, and wrong before: there it
    answers for what follows.
    """

    def claim(text: str) -> str:
        return "b" if "b" in text else "a"

    report = verify(ahead(claim))
    assert (report.verdict, report.contexts) == ("refuted", 14)
    assert report.counterexample is not None
    found = report.counterexample
    assert (found.tokens, found.position, found.expected, found.got) == (
        ["a", "b"],
        0,
        "a",
        "b",
    )
    report = verify(ahead(last(claim)))
    assert (report.verdict, report.contexts, report.checked) == (
        "checked",
        14,
        14,
    )


@pytest.mark.parametrize(
    "claim",
    [ANY_B, cases((equal(count({0: "b"}), 0), "a"), "b")],
    ids=["after", "expression"],
)
@BOTH
def test_tables_and_expressions_are_judged_at_every_position(
    claim: Any, how: dict[str, Any]
) -> None:
    """So are claims that are data, by the same loops; `last` of the same claim is right."""
    reference = Reference(
        Program(embedding=(position(3), token("ab")), claim=claim).claim,
        Vocabulary(("a", "b")),
    )  # type: ignore[arg-type]
    places = wrong_places(
        ahead(claim),
        lambda text: [reference(text[: i + 1]) for i in range(len(text))],
    )
    assert places[0] == ("ab", 0)
    report = verify(ahead(claim), **how)
    assert report.verdict == "refuted"
    assert report.counterexample is not None
    assert (
        "".join(report.counterexample.tokens),
        report.counterexample.position,
    ) == (
        "ab",
        0,
    )
    assert verify(ahead(last(claim)), **how).verdict == "checked"


def test_distributions_and_lanes_are_judged_at_every_position() -> None:
    """Probabilities and numbers of a lane, too: the mean over the whole text is not that over
    the text so far.
    """
    sure = {
        "a": {"a": 1.0},
        "b": {"b": 1.0},
        "ba": {"b": 1.0},
        "baa": {"b": 1.0},
    }
    report = verify(ahead(distribution(sure, tolerance=1e-3)))
    assert (report.verdict, report.max_probability_error) == (
        "refuted",
        pytest.approx(1),
    )
    assert report.counterexample is not None
    assert (report.counterexample.tokens, report.counterexample.position) == (
        ["a", "b"],
        0,
    )
    assert (
        verify(ahead(last(distribution(sure, tolerance=1e-3)))).verdict
        == "checked"
    )

    lane = residual(
        "token:a",
        lambda text: 10 + (text[-1] == "a") - 90 * text.count("b") / len(text),
        tolerance=1e-3,
    )
    report = verify(ahead(lane))
    assert report.verdict == "refuted"
    assert report.counterexample is not None
    assert (report.counterexample.tokens, report.counterexample.position) == (
        ["a", "b"],
        0,
    )
    assert verify(ahead(last(lane))).verdict == "checked"


@pytest.mark.parametrize(
    "claim",
    [after({"aa": "b", "ab": "a", "ba": "a"}), after({"aa": "a"})],
    ids=["right", "wrong"],
)
def test_last_changes_nothing_of_a_causal_model(claim: Any) -> None:
    """A causal model answers each prefix as it stands, so that all positions are contexts of
    their own: it is proved as before.
    """
    one, two = (
        verify(claiming(c).build()).to_json() for c in (claim, last(claim))
    )
    assert one | {"seconds": 0} == two | {"seconds": 0}


def test_last_is_kept() -> None:
    """It stands in the program's JSON, and only where it was said."""
    claim = after({"a": "b"})
    assert "at" not in claim.model_dump(mode="json")
    assert last(claim).model_dump(mode="json")["at"] == "last"
    assert last(last(claim)) == last(claim) != claim
    for kept in (
        claim,
        last(claim),
        last(lambda text: None),
        last(own),
        last(residual("token:a", lambda text: 0)),
    ):
        program = Program(embedding=(position(3), token("ab")), claim=kept)
        assert (
            Program.from_data(json.loads(program.model_dump_json())) == program
        )


# ---------------------------------------------------------------- what was asked


@pytest.mark.slow
def test_a_drawn_context_is_no_answer_for_its_prefixes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Sampling counts what the model was asked: of a model that is not causal each context by
    itself, and once.
    """
    asked: list[tuple[int, ...]] = []
    texts = Judge.texts

    def counted(self: Judge, tally: Tally, ids: Any) -> None:
        asked.extend(map(tuple, ids.tolist()))
        texts(self, tally, ids)

    monkeypatch.setattr(Judge, "texts", counted)
    program = Program(
        embedding=(position(24), token("ab")),
        claim=last(lambda text: text[-1]),
        causal=False,
    )
    report = verify(program.build(), **SAMPLED)
    assert report.verdict == "checked"
    assert (
        report.contexts == len(set(asked)) <= len(asked) <= report.contexts + 1
    )  # the least margin is asked again


@pytest.mark.parametrize("ends", [False, True])
def test_wrong_after_the_single_token_b(ends: bool) -> None:
    """33 million contexts: the one that is wrong is drawn and must be asked, at the last
    position or at every one.
    """
    p, ab = position(24), token("ab")
    look = Head(
        query=1024 * p,
        key=p,
        value=ab,
        adds={ab["a"]: 8 * ab["a"], ab["b"]: 8 * ab["b"]},
    )
    claim = cases((equal(here, 0), "a"), own)  # wrong for b alone
    program = Program(
        embedding=(p, ab),
        layers=(look,),
        claim=last(claim) if ends else claim,
        causal=False,
    )
    report = verify(program.build())
    assert (report.verdict, report.method) == ("refuted", "sampled")
    assert report.counterexample is not None
    assert (report.counterexample.tokens, report.counterexample.position) == (
        ["b"],
        None if ends else 0,
    )


@pytest.mark.parametrize("name", ["copy", "caesar"])
def test_an_answer_is_never_in_view_of_its_beginning(name: str) -> None:
    """A prompt's answer is judged as `run` would have it: each token after what stands before
    it, and nothing later.
    """
    model = bundled_model(name).replace(causal=False)
    claim = model.program.claim  # type: ignore[union-attr]
    judge, prompts = (
        Judge(model, claim),
        list(
            itertools.islice(claim.language(model.n_ctx, model.vocabulary), 40)
        ),
    )  # type: ignore[union-attr, arg-type]
    for prompt in prompts:
        tally = Tally()
        judge.prompts(tally, [prompt])
        ids, right = model.vocabulary.encode(prompt), True
        for token_id in model.vocabulary.encode(
            claim.expected(prompt, model.vocabulary, model.n_ctx)
        ):  # type: ignore[union-attr]
            logits = gpt2(np.array(ids), **model.weights, **model.config)[-1]
            right = right and bool(
                logits[token_id] > np.delete(logits, token_id).max()
            )
            ids.append(token_id)
        assert tally.correct == right
