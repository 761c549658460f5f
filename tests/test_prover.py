"""The prover: small programs are proved with their margins, and nothing wrong is."""

from __future__ import annotations

import time

import numpy as np
import pytest
from conftest import bundled_model, bundled_program, claiming
from proving import FLOAT, fixed_answers, head_of, prove, undecided

from handcraft import (
    MLP,
    Block,
    Head,
    Neuron,
    Program,
    after,
    answers,
    position,
    residual,
    scratch,
    slot,
    token,
)
from handcraft.core.errors import ProgramError
from handcraft.proof import verify
from handcraft.proof.prover.network import Network, Undecided
from handcraft.proof.prover.prover import Prover
from handcraft.proof.prover.softmax import Means
from handcraft.proof.prover.views import HeadQuery
from handcraft.sequence.words import (
    cases,
    count,
    equal,
    lookup,
    own,
    token_at,
)


def test_small_programs_are_proved_with_their_margins() -> None:
    """The program aab is right by exactly 1023 in each of 62 contexts, 45 of which its claim
    speaks of.
    """
    proof = prove(bundled_model("aab"))
    assert (proof.contexts, proof.checked, proof.margin, proof.error) == (
        62,
        45,
        1023.0,
        0.0,
    )
    assert prove(bundled_model("baby_gpt")).error <= 1e-6


@pytest.mark.parametrize(
    "table",
    [
        {"aa": "a"},
        {"ab": "b"},
        {"aa": "b", "ab": "a", "ba": "a", "bb": "b"},
        {"a": "a"},
    ],
)
def test_a_wrong_claim_is_not_proved(table: dict[str, str]) -> None:
    """The program aab does not do what another table says."""
    assert undecided(claiming(after(table)).build()).startswith(
        "the margin may be "
    )


def test_a_tie_is_not_proved() -> None:
    """Two equal logits are no answer."""
    p, t, v = position(2), token("ab"), scratch("v")
    tied = Program(
        embedding=(p, t, v),
        layers=(Head(value={v: 1}, adds={t["a"]: v}),),
        claim=after({"b": "b"}),
    )
    assert undecided(tied.build()) == "the margin may be 0 after 'b'"


def test_a_lane_is_followed_to_what_fills_it() -> None:
    """A neuron fills the claimed lane from the position, which no logit depends on: positions
    are not one.
    """
    at, t, x, m = (
        slot("at", position=[0.0, 1.0, 2.0, 3.0]),
        token("ab"),
        scratch("x"),
        scratch("m"),
    )
    block = Block(
        [Head(value={m: t["a"]}, adds={m: m})],
        MLP([Neuron(when=at, adds={x: 1})]),
    )
    claim = residual("x", count({0: "a"}) * 0)
    program = Program(
        embedding=(at, t, x, m), layers=(block,), activation="relu", claim=claim
    )
    assert undecided(program.build()).startswith("the error may be ")


@pytest.mark.parametrize(
    ("part", "large"),
    [
        ("query", "query lane 0 of the attention in block 0"),
        ("neuron", "neuron 0 in block 0"),
    ],
)
def test_what_overflows_on_the_way_is_not_proved(part: str, large: str) -> None:
    """A query lane without a key, and a neuron that is hardly read: 0 times infinity is no
    number.
    """
    p, t, v = position(2), token("ab"), scratch("v")
    head = Head(
        query={t["a"]: 1},
        key={t["a"]: 1},
        value={v: t["a"]},
        adds={t["a"]: v, t["b"]: -v},
    )
    model = Program(
        embedding=(p, t, v), layers=(head,), claim=after({"a": "a"})
    ).build()
    attn, n = model.weights["blocks"][0]["attn"], model.n_embd
    w, b = attn["c_attn"]["w"].copy(), attn["c_attn"]["b"].copy()
    block = {"attn": attn | {"c_attn": {"w": w, "b": b}}}
    if part == "query":
        free = next(
            j for j in range(n) if not w[:, j].any() and not w[:, n + j].any()
        )
        w[:, free] = b[free] = 3e38
    else:
        c_fc = {
            "w": np.full((n, 1), 3e38, "float32"),
            "b": np.full(1, 3e38, "float32"),
        }
        block["mlp"] = {
            "c_fc": c_fc,
            "c_proj": {
                "w": np.full((1, n), 1e-37, "float32"),
                "b": np.zeros(n, "float32"),
            },
        }
    changed = model.replace(weights=model.weights | {"blocks": [block]})
    assert undecided(changed) == f"{large} could overflow"


def test_a_table_that_contradicts_itself_is_not_proved() -> None:
    """'ab' is a prompt, and the prompt 'a' with the start of its answer."""
    model = fixed_answers("bdaa", answers("ab?", {"a": "bc", "ab": "da"}))
    assert "answers a text in two ways" in undecided(model)


def test_a_guess_that_is_never_right_later_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A condition whose token is guessed, by a prover that knows too few guesses: contexts are
    left over, and that counts.
    """
    rule = lookup({0: "c", 1: "b", 2: "b"}, count({0: token_at(0)}))
    model = fixed_answers("bbbb", answers("[ab]", rule, length=2))
    monkeypatch.setattr(
        "handcraft.proof.prover.cases.values_of", lambda *_: [None, "a"]
    )
    assert undecided(model).startswith("the guesses cover ")


def test_a_guess_with_which_no_context_ends_is_passed_over() -> None:
    """Every prompt ends with =, so that the guess of another last token is of no context; a model
    without heads asks for none either.
    """
    says_itself = Program(
        name="itself",
        embedding=(position(4), token("ab=")),
        claim=answers(
            "[ab]{1,2}=",
            cases((equal(count({0: own}), 1), own), "a"),
            length=1,
        ),
    )
    report = verify(says_itself.build())
    assert (report.verdict, report.contexts) == ("proved", 6)


def test_an_answer_that_does_not_fit_is_no_program() -> None:
    """Three letters and two tokens of an answer in a window of three."""
    with pytest.raises(ProgramError, match="need 4 positions"):
        fixed_answers("aaa", answers("a{1,3}", token_at(0), length=2))


def test_a_key_is_left_out_only_where_another_hides_it() -> None:
    """The floor of a slot and the order of classes agree to the last bit: at a distance of
    exactly the gap, too.
    """
    for i in range(300):
        means = Means(FLOAT, head_of(), 16.0, 4)
        low, top = (
            means.label((s, 0.0), np.zeros(1), np.zeros(1))[0]
            for s in (0.2 * i, 0.2 * i + 32.0)
        )
        found = HeadQuery(
            means, np.array([low]), np.array([0]), np.array([means.low[top]])
        ).seen(np.array([means.low[top]]))
        assert bool(found[0]) != means.beats(top, low)


def test_contexts_that_no_case_covers_are_noticed() -> None:
    """The cases of aab without the longest contexts: 30 of 62."""
    model = bundled_model("aab")
    claim, until = model.program.claim, time.monotonic() + 9  # type: ignore[union-attr]
    prover = Prover(model, claim, until, lambda *_: None)  # type: ignore[arg-type]
    prover.cases[0].levels = range(4)
    with pytest.raises(Undecided, match="the cases cover 30 of 62 contexts"):
        prover.run()


def test_a_head_that_asks_with_what_was_written_is_not_followed() -> None:
    """Later heads read a head whose query is another head's output: its means depend on the
    text, not on the position.
    """
    p, t, u, v, w = position(3), token("ab"), *(scratch(name) for name in "uvw")
    layers = (
        Head(value={u: t["a"]}, adds={u: u}),
        Head(
            query={p[0]: 8 * u},
            key={p[0]: p[0]},
            value={v: t["a"]},
            adds={v: v},
        ),
        Head(value={w: v}, adds={t["a"]: w}),
    )
    program = Program(
        embedding=(p, t, u, v, w), layers=layers, claim=after({"a": "a"})
    )
    assert "asks by content" in undecided(program.build())


def test_what_a_later_query_reads_is_live() -> None:
    """The second head of parity asks with the count that the first one wrote: the last position
    must keep it apart.
    """
    model = bundled_model("parity")
    network, column = Network(model), bundled_program("parity").layout.column
    lane = next(i for name, i in column.items() if str(name) == "ones")
    assert not network.wte[:, lane].any()
    assert network.live()[0][lane]
    assert not network.live()[-1][lane]
    assert network.live([lane])[-1][lane]


def test_what_is_no_gpt2_of_ours_is_undecided() -> None:
    """Attention in both directions, layer norms, and precisions whose rounding is not bounded."""
    model = bundled_model("aab")
    norm = {
        "g": np.ones(model.n_embd, "float32"),
        "b": np.zeros(model.n_embd, "float32"),
    }
    half = {
        "wte": model.weights["wte"].astype("float16"),
        "wpe": model.weights["wpe"].astype("float16"),
        "blocks": [],
    }
    assert undecided(model.replace(causal=False)) == "the model is not causal"
    assert "layer norms" in undecided(
        model.replace(weights=model.weights | {"ln_f": norm})
    )
    with pytest.raises(Undecided):
        Network(model.replace(weights=half))
