"""Claims on what follows any context, proved by what each lane holds."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from conftest import FULL
from hypothesis import settings
from lane_programs import changed, proved_mutants
from lane_texts import OnText, off
from next_programs import (
    LETTERS,
    contexts_of,
    induced,
    is_right_next,
    margins,
    repeated,
)

from handcraft import Neuron, Program, each, next_token, token, verify
from handcraft.core.errors import HandcraftError
from handcraft.core.gpt2 import gpt2, recorder
from handcraft.model import Model
from handcraft.proof.certificate_files import certify, check_certificate
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes import refined
from handcraft.proof.lanes.check import measured_lanes
from handcraft.proof.lanes.next_meaning import NextMeaning
from handcraft.proof.lanes.silence import spoken_contexts
from handcraft.proof.lanes.stream import LaneStream
from handcraft.proof.lanes.symbols import Symbols
from handcraft.proof.verify import silent
from handcraft.results.suites.drawing import KINDS, drawn
from handcraft.sequence.expression import Expression
from handcraft.sequence.words import (
    any_,
    cases,
    count,
    first,
    given,
    here,
    latest,
    lookup,
    own,
    there,
    token_at,
    tokens,
    total,
)

CLAIMS: dict[str, Expression] = {
    "what followed": token_at(latest({-1: own})),
    "the letter before": token_at(here - 1),
    "the first": token_at(0),
    "the latest a": token_at(latest({0: "a"})),
    "the first a before": token_at(first({0: "a"}, before=here)),
    "what followed a": token_at(latest({-1: "a"}) + 1),
    "one of two": token_at(latest({0: ("a", "b")})),
    "every other": token_at(latest({0: own}, before=here, every=(1, 2))),
    "by index": given(here - 2, own),
    "by letter": lookup({"a": "b", "b": "c"}, own),
    "a after b": cases((any_(there(tokens) == "b"), "a")),
    "how many": lookup({0: "a", 2: "b"}, count({0: own})),
    "a sum": lookup({1: "a", 2: "b"}, total({"a": 1, "b": 2}, before=here)),
    "two back": token_at(latest({-2: own})),
}
MANY = 150 if settings.default.max_examples >= FULL else 30
NOT_COUNTED = {"how many", "a sum", "a after b", "what followed a"}


def texts(n: int) -> list[str]:
    return contexts_of(induced(n))


@pytest.mark.parametrize("name", CLAIMS)
def test_a_form_is_what_the_claim_says_after_each_context(name: str) -> None:
    e, symbols = CLAIMS[name], Symbols(tuple(LETTERS), 4, causal=True)
    form = NextMeaning(symbols).of(e)
    for text in texts(4):
        on = OnText(symbols, text)
        row = on.row(form.labels, len(text) - 1)
        assert symbols.possible(form.labels)[row], text
        assert form.table[row] == e(text), text


@pytest.mark.parametrize("name", CLAIMS)
def test_where_a_claim_speaks_is_counted_or_left(name: str) -> None:
    e, symbols = CLAIMS[name], Symbols(tuple(LETTERS), 4, causal=True)
    spoken = spoken_contexts(symbols, NextMeaning(symbols).of(e))
    if name in NOT_COUNTED:
        assert spoken is None
    else:
        assert spoken == sum(e(text) is not None for text in texts(4))


READ_AHEAD = {
    "a place behind it": token_at(
        latest(there(token_at(here + 1)) == own)  # type: ignore[arg-type]
    ),
    "a count": token_at(latest(there(count({0: "a"})) == 1)),  # type: ignore[arg-type]
    "all there are": token_at(latest(there(count({})) == 1)),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", READ_AHEAD)
def test_what_a_key_finds_behind_it_is_refused(name: str) -> None:
    symbols = Symbols(tuple(LETTERS), 4, causal=True)
    with pytest.raises(Rejected, match="behind"):
        NextMeaning(symbols).of(READ_AHEAD[name])


# ------------------------------------------------------------ what is proved


@pytest.mark.parametrize("model", [induced(), repeated()], ids=str)
def test_the_report_counts_what_all_runs_count(model: Model) -> None:
    report = verify(model)
    found = margins(model)
    assert (report.verdict, report.method) == ("proved", "lanes")
    assert report.contexts == len(contexts_of(model))
    assert report.checked == len(found)
    shown = measured_lanes(model, ())
    assert shown.spoken == len(found)
    assert shown.margin <= min(found.values())


def test_more_contexts_than_can_be_run_are_counted_too() -> None:
    shown = measured_lanes(induced(30), ())
    n = range(1, 31)
    assert shown.contexts == sum(3**m for m in n)
    # silent where the last letter is none of those before it
    assert shown.spoken == sum(3**m - 3 * 2 ** (m - 1) for m in n)


def test_a_certificate_may_be_about_very_many_contexts(tmp_path: Path) -> None:
    """Of 150 letters there are more than 2^200, which is written and read."""
    model, path = repeated(150), tmp_path / "c.json"
    assert certify(model, path, silent).verdict == "proved"
    report = check_certificate(model, path)
    assert (report.verdict, report.contexts) == (
        "proved",
        sum(3**m for m in range(1, 151)),
    )


@pytest.mark.slow
def test_contexts_of_up_to_1024_letters() -> None:
    shown = measured_lanes(induced(1024), ())
    n = range(1, 1025)
    assert shown.contexts == sum(3**m for m in n)
    assert shown.spoken == sum(3**m - 3 * 2 ** (m - 1) for m in n)


@pytest.mark.parametrize("causal", [True, False])
def test_each_position_of_texts_without_a_first_token(causal: bool) -> None:
    t = token(LETTERS)
    claim = each(lookup({"a": "b", "b": "c", "c": "a"}, own), causal=causal)
    turned = [
        Neuron(when=t[x], adds={t[y]: 9.0}) for x, y in ("ab", "bc", "ca")
    ]
    program = Program(
        embedding=(t,), layers=(turned,), n_ctx=4, claim=claim, causal=causal
    )
    report = verify(program.build())
    assert (report.verdict, report.method) == ("proved", "lanes")
    assert report.contexts == 3 + 9 + 27 + 81


# ------------------------------------------------------------ floats


@pytest.mark.parametrize(
    "make", [induced, repeated], ids=["induced", "repeated"]
)
def test_no_number_leaves_its_table(make: Any) -> None:
    random, model = Random(1), make(4)
    for one in (model, *(changed(model, random) for _ in range(6))):
        assert escapes(one, texts(4)) == []


def escapes(model: Model, every: list[str]) -> list[str]:
    """Each number outside its table, and each row that was called impossible."""
    found: list[str] = []
    runs: dict[str, dict[str, Any]] = {text: {} for text in every}
    for text, seen in runs.items():
        ids = np.array([model.vocabulary.ids[c] for c in text])
        gpt2(ids, **model.weights, **model.config, hook=recorder(seen))

    def compare(after: str, stream: LaneStream) -> None:
        name = f"blocks.{after.split('.', maxsplit=1)[0]}.resid_mid"
        for text, seen in runs.items():
            on, q = OnText(stream.symbols, text), len(text) - 1
            for j, lane in enumerate(stream.text):
                row = on.row(lane.labels, q)
                known = stream.symbols.possible(lane.labels)[row]
                x = float(seen[name][q, j])
                if off(x, lane.c[row], lane.radius[row]) or not known:
                    found.append(f"{after} lane {j} at {q} of {text}")

    symbols = Symbols(model.vocabulary.tokens, model.n_ctx, causal=True)
    stream = LaneStream(model, None, symbols)
    NextMeaning(symbols).of(token_at(latest({-1: own})))
    with suppress(Rejected):  # what was bounded until then is compared
        stream.run(compare)
    return found


# ------------------------------------------------------------ wrong ones


@pytest.mark.parametrize(
    "make", [induced, repeated], ids=["induced", "repeated"]
)
def test_no_wrong_mutant_is_proved(make: Any) -> None:
    assert proved_mutants(make(4), Random(2), MANY, is_right_next)


def test_random_claims_and_mutants_are_proved_only_if_right() -> None:
    random, proved = Random(3), 0
    while proved < MANY:
        try:
            e = drawn(random, "ab", random.choice(KINDS), 2)
            model = next_token(e, tokens="ab", n=4).build()
        except HandcraftError:  # no claim, or none that is compiled
            continue
        for one in (model, changed(model, random), changed(model, random)):
            try:
                shown = measured_lanes(one, ())
            except Rejected:
                continue
            found = margins(one)
            proved += 1
            assert found
            assert shown.margin <= min(found.values()) * (1 + 2.0**-20)
            if shown.spoken is not None or not shown.silent:
                every = len(contexts_of(one))
                assert len(found) == (shown.spoken or every)


WRONG: dict[str, tuple[Model, str, Any]] = {
    "the third position before the second": (
        induced(swapped=True),
        "_in_order",
        lambda *_: True,
    ),
    "what is near instead of a match": (
        induced(nearer=2000),
        "_never_best",
        lambda *_: True,
    ),
    "the first position before all others": (
        induced(first=500),
        "_never_best",
        lambda *_: True,
    ),
    "the letter two before": (
        induced(back=2),
        "_at_one_place",
        lambda a, _: a >= -1,
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_left_out_it_lets_a_wrong_model_through(name: str) -> None:
    model, check, instead = WRONG[name]
    assert not is_right_next(model)
    with pytest.raises(Rejected):
        measured_lanes(model, ())
    target = refined._Pairs if check == "_never_best" else refined
    with patch.object(target, check, instead):
        assert measured_lanes(model, ()).margin > 0
