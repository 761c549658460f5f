"""Claims in the words of sequences at the gates: what no proof follows is checked and never
proved, no certificate of contexts serves it, and what has a short form is proved like the older
words.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from certificates import averaging, copying, induction, recorded
from cli_runner import handcraft
from conftest import bundled_program, slow_from
from reversing import EXHAUSTIVE, SAMPLED, aaaa, backwards, reverse
from test_forgeries import forged

from handcraft import (
    Head,
    Model,
    Program,
    answers,
    each,
    position,
    predicts,
    residual,
    token,
)
from handcraft.claims.kinds import Predicate
from handcraft.proof import verify
from handcraft.proof.certificate_files import check_certificate
from handcraft.proof.checker import Rejected, examine, write_certificate
from handcraft.proof.checker.certificate import certificate_json, claim_hash
from handcraft.proof.checker.claim import _WORDS, Domain
from handcraft.proof.prover.cases import cases_of
from handcraft.proof.prover.network import Undecided
from handcraft.sequence.expression import Expression
from handcraft.sequence.operations import NEWER, OPERATIONS, Op, word_of
from handcraft.sequence.words import (
    any_,
    best,
    cases,
    count,
    end,
    equal,
    fetch,
    first,
    given,
    here,
    indices,
    latest,
    length,
    lookup,
    max_,
    mean,
    min_,
    otherwise,
    own,
    ratio,
    there,
    token_at,
    tokens,
    total,
    where,
)

p, ab = position(4), token("ab")
same = there(tokens) == tokens
before = there(indices) < indices
NOT_FOLLOWED = "the claim uses words that are not followed here"


def itself(claim: Any) -> Model:
    """A model that says the token that it has read last, and claims this."""
    return Program(name="itself", embedding=(p, ab), claim=claim).build()


# ---------------------------------------------------------------- what no proof follows

LAST: dict[str, Expression] = {  # each says the last token, in another way
    "best": fetch(tokens, best(indices)),
    "fetch": fetch(tokens, there(indices) >= indices),
    "latest": fetch(tokens, latest(same | before)),
    "first": fetch(tokens, first(same & (there(indices) >= 0))),
    "rank": fetch(tokens, there(count(before)) == indices),
    "any": where(any_(there(tokens) != there(tokens)), "a", tokens),
    "mean": cases((equal(mean(equal(tokens, "a")), 2), "a"), tokens),
    "total": cases((equal(total(length, same), 0), "b"), tokens),
    "greatest": token_at(max_(here, 0)),
    "least": token_at(min_(here, 100)),
    "value_at": fetch(otherwise(tokens, "a"), indices),
    "precedes": where(count(there(tokens) < "a"), "b", tokens),
}
FIRST: dict[str, Expression] = {  # and the first one, or the other token
    "best": fetch(tokens, best(0 - indices)),
    "fetch": fetch(tokens, there(indices) < 1),
    "latest": fetch(tokens, latest(~same)),
    "first": fetch(tokens, first(same | before)),
    "rank": fetch(tokens, there(count(there(indices) > indices)) == indices),
    "any": where(any_(there(tokens) == there(tokens)), "a", tokens),
    "mean": cases((equal(mean(equal(tokens, "a")), 1), "b"), tokens),
    "total": cases((equal(total(length, same), length), "b"), tokens),
    "greatest": token_at(max_(0 - here, 0)),
    "least": token_at(min_(here, 0)),
    "value_at": fetch(otherwise(tokens, "a"), 0),
    "precedes": where(count(there(tokens) < "b"), "b", tokens),
}
by_name = pytest.mark.parametrize("name", LAST)
BY_LANES = (
    "any",
    "first",
    "mean",
    "precedes",
)  # what each lane holds is enough


@pytest.mark.parametrize("name", BY_LANES)
def test_a_right_claim_is_proved_by_lanes(name: str) -> None:
    report = verify(itself(LAST[name]))
    assert (report.verdict, report.method) == ("proved", "lanes")
    assert report.contexts == 2 + 4 + 8 + 16


@pytest.mark.parametrize("name", [x for x in LAST if x not in BY_LANES])
def test_a_right_claim_is_checked_and_not_proved(name: str) -> None:
    """Every context is asked; the reason says what no proof follows."""
    report = verify(itself(LAST[name]))
    assert (report.verdict, report.method, report.accuracy) == (
        "checked",
        "exhaustive",
        1.0,
    )
    assert report.reason is not None
    assert report.reason.startswith("not proved: the claim ")
    # `length` alone has a short form
    words = [
        word_of(op) for op in NEWER if LAST[name].uses(op) and op != "length"
    ]
    assert report.reason.endswith(
        f" uses {', '.join(words)}, which no proof follows yet"
    )
    alone = verify(itself(LAST[name]), methods=["certificate"])
    assert (alone.verdict, alone.method) == ("unknown", "certificate")


def test_what_was_not_put_in_short_is_not_followed() -> None:
    """The gate asks for the words that stand there, not for those that would be left."""
    claim = Predicate.model_construct(function=lookup({1: "a"}, length))
    with pytest.raises(Undecided, match="which no proof follows yet"):
        next(cases_of(claim, itself(predicts(own))))


@by_name
def test_a_wrong_claim_is_refuted(name: str) -> None:
    """With a context on which the claim says something else than the model."""
    report = verify(itself(FIRST[name]))
    assert report.verdict == "refuted"
    assert report.counterexample is not None
    found = report.counterexample
    assert found.got == found.tokens[-1] != found.expected
    assert found.expected == FIRST[name](found.tokens)


@pytest.fixture(scope="module")
def proof(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The certificate that the model says the last token."""
    file = tmp_path_factory.mktemp("own") / "proof.json"
    write_certificate(file, recorded(itself(own)))
    data: dict[str, Any] = json.loads(file.read_text())
    return data


@by_name
@pytest.mark.parametrize("claims", [LAST, FIRST], ids=["right", "wrong"])
def test_no_certificate_serves_it(
    name: str,
    claims: dict[str, Expression],
    proof: dict[str, Any],
    tmp_path: Path,
) -> None:
    """The proof that the model says the last token, with the hash of another claim, is rejected:
    also where that claim says the same.
    """
    file = tmp_path / "proof.json"
    other = itself(claims[name])
    file.write_text(json.dumps(proof | {"claim": claim_hash(other)}))
    report = check_certificate(other, file)
    assert (report.verdict, report.exit_code) == ("rejected", 1)
    assert NOT_FOLLOWED in str(report.reason)


def test_nor_does_one_that_is_made_for_it() -> None:
    """A certificate without a section, or with one for every context, is not even looked at."""
    for claim in (LAST["best"], each(own), each(own, causal=True)):
        model = itself(claim)
        why = "the claim is about whole texts"
        with pytest.raises(
            Rejected, match=NOT_FOLLOWED if claim is LAST["best"] else why
        ):
            examine(model, forged(model, [], tokens=[], after=[]))


def test_an_answer_and_its_length_are_held_to_it() -> None:
    """Conditions in the answers of prompts, and in how long they are."""
    model = copying()
    assert model.program is not None
    for answer, long in (
        (token_at(max_(here - end + 1, 0)), end),
        (token_at(here - end + 1), min_(end, 100)),
    ):
        claim = answers(r"\^[ab]{0,2}=", answer, length=long, stop="=")
        other = model.program.model_copy(update={"claim": claim}).build()
        report = verify(other, methods=["certificate"])
        assert report.verdict == "unknown"
        assert "which no proof follows yet" in str(report.reason)
        with pytest.raises(Rejected, match=NOT_FOLLOWED):
            Domain(other, claim, [])


@pytest.mark.slow
def test_a_lane_is_held_to_it() -> None:
    """And in the value of a lane: right within its tolerance, wrong beyond it."""
    model = averaging()
    assert model.program is not None
    lane = "mean"
    numbers = lookup({d: int(d) for d in "0123"}, tokens)
    for claim, verdict in (
        (mean(numbers), "checked"),
        (mean(numbers, before | (there(indices) == 0)), "refuted"),
    ):
        other = model.program.model_copy(
            update={"claim": residual(lane, claim, tolerance=5e-5)}
        ).build()
        report = verify(other)
        assert report.verdict == verdict
        with pytest.raises(Rejected, match=NOT_FOLLOWED):
            Domain(other, other.program.claim, [])  # type: ignore[union-attr]


def test_what_is_written_once_may_be_too_much_for_a_proof() -> None:
    """A claim of a hundred nodes, in older words, that would be a billion written out."""
    place = here
    for _ in range(30):
        place = place + place
    claim = cases((equal(place, 3), "a"), own)
    report = verify(itself(claim), methods=["certificate"])
    assert report.verdict == "unknown"
    assert str(report.reason).endswith(
        " has more than 5000 parts where each is written out, which no proof follows yet"
    )
    with pytest.raises(Rejected, match=NOT_FOLLOWED):
        Domain(itself(claim), Predicate(function=claim), [])


def test_an_operation_is_followed_or_newer() -> None:
    """The checker names what it follows; what is new is none of it, and nothing is left out."""
    assert not _WORDS & set(NEWER)
    assert _WORDS | set(NEWER) == set(get_args(Op)) == set(OPERATIONS)


# ---------------------------------------------------------------- every position

MIRROR = fetch(tokens, there(indices) == length - 1 - indices)


@pytest.mark.parametrize(
    "how", [EXHAUSTIVE, pytest.param(SAMPLED, marks=pytest.mark.slow)]
)
def test_a_tagger_is_held_to_an_expression(how: dict[str, Any]) -> None:
    """A right reverse is checked, and one that is right at the last position only is refuted
    there where the function refutes it.
    """
    assert verify(reverse(each(MIRROR)).build(), **how).verdict == "checked"
    found = verify(aaaa(each(MIRROR)).build(), **how)
    wanted = verify(aaaa(each(backwards)).build(), **how)
    assert found.verdict == "refuted"
    assert found.counterexample == wanted.counterexample


def test_an_expression_of_longer_tokens() -> None:
    """A text is a tuple of tokens, whatever their length; so is the counterexample."""
    slots = position(2), token(["a", "bc"])
    found = [
        verify(
            Program(embedding=slots, claim=each(claim), causal=False).build(),
            **EXHAUSTIVE,
        )
        for claim in (tokens, fetch(tokens, length - 1 - indices))
    ]
    assert [report.verdict for report in found] == ["checked", "refuted"]
    assert found[1].counterexample is not None
    assert found[1].counterexample.tokens == ["a", "bc"]


def test_the_whole_text_or_up_to_a_position() -> None:
    """In a causal model the last token that is seen is the position's own; the last of the whole
    text is not.
    """
    last = fetch(tokens, best(indices))
    whole = verify(itself(each(last)), **EXHAUSTIVE)
    assert whole.verdict == "refuted"
    assert whole.counterexample is not None
    assert whole.counterexample.position == 0
    seen = verify(itself(each(last, causal=True)))
    assert (seen.verdict, seen.accuracy) == ("checked", 1.0)
    assert seen.reason == (
        "not proved by lanes: the margin may be -1;"
        f" not proved: the claim {last!r} is asked at every position of a whole text,"
        " which no proof follows yet"
    )


def test_what_is_not_seen_is_not_claimed() -> None:
    """The next token, up to a position, is None: the claim is silent."""
    report = verify(itself(each(fetch(tokens, indices + 1), causal=True)))
    assert (report.verdict, report.reason) == (
        "unknown",
        "the claim is silent on every context that was checked",
    )


def test_each_is_not_proved_by_contexts_in_older_words() -> None:
    """A proof of contexts says nothing of the positions of a text; one by lanes is about them."""
    for claim in (each(own), each(own, causal=True)):
        report = verify(itself(claim), methods=["certificate"])
        assert report.verdict == "unknown"
        assert "at every position of a whole text" in str(report.reason)


@pytest.mark.parametrize("causal", [False, True])
def test_it_is_kept_in_the_program_file(
    causal: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its JSON holds the expression, also where nodes are shared, and it is verified anew."""
    rank = count((there(tokens) < tokens) | same & before)
    shared = cases((below_all(rank), tokens), (equal(rank, rank), tokens))
    program = Program(
        name="kept", embedding=(p, ab), claim=each(shared, causal=causal)
    )
    data = json.loads(program.model_dump_json())
    assert "nodes" in data["claim"]["function"]
    read = Program.from_data(data)
    assert (read, read.claim) == (program, program.claim)
    assert claim_hash(read.build()) == claim_hash(program.build())
    monkeypatch.chdir(tmp_path)
    Path("kept.py").write_text(
        "from handcraft import *\nfrom handcraft.sequence import *\n"
        f"claim = each({shared!r}, causal={causal})\n"
        "slots = position(4), token('ab')\n"
        "program = Program(embedding=slots, claim=claim)\n"
    )
    assert handcraft("build", "kept.py", "--out", "kept").code == 0
    built = Path("kept/program.json").read_text()
    assert (
        data["claim"]["function"]
        == json.loads(built)["program"]["claim"]["function"]
    )
    report = handcraft("verify", "kept", "--json")
    verdict = "proved" if causal else "checked"
    assert (report.code, report.json["verdict"]) == (0, verdict)


def below_all(rank: Expression) -> Expression:
    """1 where no position has a lesser rank."""
    return equal(count(there(rank) < rank), 0)


# ---------------------------------------------------------------- what has a short form


def copying_back(claim: Any) -> Model:
    """A model that says the token before the last one."""
    copy = Head(query=1024 * p.previous, value=ab, adds=1024 * ab)
    return Program(
        name="back", embedding=(p, ab), layers=(copy,), claim=claim
    ).build()


def with_claim(model: Model, claim: Any) -> Model:
    """The same model with another claim."""
    assert model.program is not None
    return model.program.model_copy(update={"claim": claim}).build()


DIGITS = {d: int(d) for d in "0123"}
SHORT: list[tuple[Callable[[], Model], Any]] = [
    (
        lambda: copying_back(token_at(here - 1)),
        fetch(tokens, there(indices) == indices - 1),
    ),
    (
        induction,
        fetch(tokens, latest(there(token_at(indices - 1)) == tokens)),
    ),
    (
        induction,
        fetch(tokens, latest(there(fetch(tokens, indices - 1)) == tokens)),
    ),
    (
        copying,
        answers(
            r"\^[ab]{0,2}=",
            fetch(tokens, there(indices) == indices - end + 1),
            length=end,
            stop="=",
        ),
    ),
    (
        averaging,
        residual(
            "mean",
            ratio(total(lookup(DIGITS, tokens, default=0)), length),
            tolerance=5e-5,
        ),
    ),
]


@pytest.mark.parametrize("case", slow_from(2, SHORT))
def test_what_has_a_short_form_is_proved(
    case: tuple[Callable[[], Model], Any],
) -> None:
    """It is the same claim as in the older words, with the same hash and the same certificate."""
    build, claim = case
    older = build()
    newer = with_claim(older, claim)
    assert claim_hash(newer) == claim_hash(older)
    report = verify(newer, methods=["certificate"])
    assert (report.verdict, report.method) == ("proved", "certificate")
    one, other = (
        certificate_json(recorded(model)) | {"seconds": 0}
        for model in (newer, older)
    )
    assert one == other


def test_the_claim_of_count_letter_in_conditions() -> None:
    """How often the last letter of the prompt stands before the question mark."""
    program = bundled_program("count_letter")
    claim: Any = program.claim
    (named,) = [x for x in claim.answer.args if isinstance(x, Expression)]
    selected = count(same & (there(indices) < end - 1))
    table = {key: value for (key,), value in claim.answer.table}
    written = lookup(table, selected)
    assert written != claim.answer
    again = claim.model_copy(update={"answer": written})
    assert named.op == "count"
    assert again == claim


def test_a_token_is_no_position_of_a_short_form() -> None:
    """A position that may be a token is no position then, as it says; its short form would be
    refused there.
    """
    mixed = cases((equal(tokens, "a"), "a"), indices)
    found = fetch(tokens, there(indices) == mixed, default="a")
    assert Predicate(function=found).function == found
    assert [found(text) for text in ("a", "ba", "ab")] == ["a", "a", "b"]
    assert verify(itself(found)).verdict == "checked"


def test_what_is_too_deep_in_short_is_claimed_as_it_is() -> None:
    """The length of a context is one level deeper in the older words, which is one too many."""
    place = length - 1
    for _ in range(37):
        place = place - 0
    claim = token_at(place)
    assert claim.depth == 40
    assert Predicate(function=claim).function == claim
    assert verify(itself(claim)).verdict == "checked"


def test_what_is_shared_is_shortened_once() -> None:
    """A count that is asked for in 32 places of another count, and so on: 32^4 places."""
    number = here
    for _ in range(4):
        places = [
            there(token_at(here - k)) == token_at(number - k) for k in range(32)
        ]
        while len(places) > 1:
            pairs = zip(places[::2], places[1::2], strict=True)
            places = [one & other for one, other in pairs]
        number = count(places[0])
    short = Predicate(function=token_at(number)).function
    assert short.size < 300
    assert short("ab") == "a"


def test_length_and_given_are_short_for_older_words() -> None:
    """A precondition is a case, and the length of a context is where it ends."""
    condition = equal(ratio(length, 1), here + 1)
    claim = Predicate(function=given(condition, tokens))
    assert claim.function == cases((equal(ratio(here + 1, 1), here + 1), own))
    assert verify(itself(claim)).verdict == "proved"


def test_what_has_a_short_form_is_refuted_like_it() -> None:
    """A model that does not say the token before is refuted, whichever way it is claimed."""
    found = [
        verify(itself(claim)).to_json() | {"seconds": 0}
        for claim in (
            token_at(here - 1),
            fetch(tokens, there(indices) == indices - 1),
        )
    ]
    assert found[0]["verdict"] == "refuted"
    assert found[0] == found[1]
