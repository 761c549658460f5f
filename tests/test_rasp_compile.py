"""Compiled RASP: `compile_rasp_to_model` against the s-op itself, called with the same text."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import islice, product
from random import Random
from typing import Any

import pytest
from conftest import examples
from hypothesis import given
from hypothesis import strategies as st
from rasp_against import Program
from test_rasp_composed import programs as composed
from test_rasp_counting import programs as counting
from test_rasp_moving import programs as moving
from test_rasp_random import Spec, build, sops
from test_rasp_values import programs as values

from handcraft import rasp, verify
from handcraft.rasp import causal_eval

BOS = "compiler_bos"
PROGRAMS = [
    program
    for program in (*counting, *moving, *values, *composed)
    if isinstance(program.make(), rasp.SOp)
]
KNOWN = {  # of the programs that users of RASP know, and n
    "hist": 20,
    "double_hist": 10,
    "frac_prevs": 20,
    "pair_balance": 20,
    "shuffle_dyck1": 10,
    "reverse": 20,
    "sort": 10,
    "sort_unique": 5,
    "sort_by_frequency": 5,
    "induction": 5,
    "parity": 10,
    "total": 10,
    "most_frequent": 5,
    "fizzbuzz": 20,
}
OF_THE_LENGTH = "is not known to a causal model, which sees no later token"
REASONS = (  # why one of the programs cannot be compiled
    OF_THE_LENGTH,
    "a list, which can change",
    "(check_length=False), which no lane can",
    "which float32 cannot tell apart",
    "is only known to",
)


def same(found: Any, wanted: Any) -> bool:
    """True for equal values; a text is no number, and floats may be rounded."""
    if isinstance(found, float) or isinstance(wanted, float):
        numbers = isinstance(found, int | float) and isinstance(
            wanted, int | float
        )
        return numbers and abs(found - wanted) < 1e-9
    return bool(found == wanted) and isinstance(found, str) == isinstance(
        wanted, str
    )


def meant(sop: rasp.SOp, text: list[Any], *, causal: bool) -> list[Any] | None:
    """What the s-op itself says; None where it raises."""
    evaluate = causal_eval.evaluate if causal else rasp.evaluate
    try:
        return evaluate(sop, text)
    except (ValueError, TypeError, ArithmeticError):
        return None


def holds(
    model: Any, sop: rasp.SOp, texts: Iterator[list[Any]], *, causal: bool
) -> int:
    """Asserts that a model says what its s-op says; returns of how many texts that is."""
    many = 0
    for text in texts:
        wanted = meant(sop, text, causal=causal)
        if wanted is None:
            continue
        first, *found = model.apply([BOS, *text]).decoded
        assert first == BOS
        assert len(found) == len(wanted)
        assert all(map(same, found, wanted)), (text, wanted, found)
        many += 1
    return many


def short_texts(over: Sequence[Any], n: int, many: int) -> Iterator[list[Any]]:
    """Texts of 1 to n tokens, the shortest first."""
    texts = (
        list(text)
        for length in range(1, n + 1)
        for text in product(over, repeat=length)
    )
    return islice(texts, many)


def drawn_texts(over: Sequence[Any], n: int, many: int) -> Iterator[list[Any]]:
    """Texts with lengths spread evenly, full ones and ones of one token among them."""
    drawn = Random(0)
    yield [over[0]]
    yield [over[-1]] * n
    for i in range(many):
        length = n if i % 4 == 0 else drawn.randint(1, n)
        yield [drawn.choice(over) for _ in range(length)]


def compiled(sop: rasp.SOp, over: Sequence[Any], n: int, **more: Any) -> Any:
    """The model, or the reason why there is none."""
    try:
        return rasp.compile_rasp_to_model(sop, set(over), n, **more)
    except NotImplementedError as error:
        return str(error)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(
    "program", [p for p in PROGRAMS if str(p) in KNOWN], ids=str
)
def test_a_known_program_holds_at_length(
    program: Program, causal: bool
) -> None:
    """Compiled for 5 to 20 tokens it says what the s-op says, where every token sees all others
    and where none sees a later one; only the length is unknown there.
    """
    sop, n = program.make(), KNOWN[str(program)]
    model = compiled(sop, program.over, n, causal=causal)
    if isinstance(model, str):
        assert causal
        assert OF_THE_LENGTH in model
        return
    texts = drawn_texts(program.over, n, 25)
    assert holds(model, sop, texts, causal=causal) > 4


@pytest.mark.slow
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_every_program_holds_on_short_texts(
    program: Program, causal: bool
) -> None:
    """All programs of the tests of RASP, on every short text, or a reason that is known."""
    over = list(dict.fromkeys(program.over))  # a set has True and 1 once
    n = min(program.longest, max(4, program.shortest))
    sop = program.make()
    model = compiled(sop, over, n, causal=causal)
    if isinstance(model, str):
        assert any(reason in model for reason in REASONS), model
        return
    assert holds(model, sop, short_texts(over, n, 200), causal=causal)


VOCABULARIES = st.sampled_from(
    [
        (0, 1, -2, 3),
        ("a", "b"),
        ("a", "", 1, 2),
        (0.5, True, -2),
        (None, "a", 0),
    ]
)


@given(
    spec=sops(3),
    over=VOCABULARIES,
    causal=st.booleans(),
    simplify=st.booleans(),
)
@examples(100)
def test_a_random_program_is_right_or_refused(
    spec: Spec, over: tuple[Any, ...], causal: bool, simplify: bool
) -> None:
    """Whatever is compiled says what the s-op says."""
    sop = build(spec, rasp, simplify)
    model = compiled(sop, over, 3, causal=causal)
    if isinstance(model, str):
        assert model.startswith("cannot be compiled: ")
        return
    holds(model, sop, drawn_texts(over, 3, 12), causal=causal)


# ---------------------------------------------------------------- single meanings


def test_a_mean_has_its_default_where_nothing_is_selected() -> None:
    """0, another number, a text, and None, beside values of which 0 is one."""
    earlier = rasp.Select(rasp.indices, rasp.indices, rasp.Comparison.LT)
    for default in 0, 7, -0.5, "none", None:
        sop = rasp.Aggregate(earlier, rasp.tokens, default)
        model = rasp.compile_rasp_to_model(sop, {-1, 0, 2}, 4)
        assert holds(model, sop, short_texts([-1, 0, 2], 4, 120), causal=False)


def test_one_selected_value_is_itself_and_several_are_a_mean() -> None:
    """Tokens of any kind: None and texts where they are alone, numbers also together."""
    near = rasp.Select(rasp.indices, rasp.indices, lambda k, q: 0 <= q - k <= 1)
    sop = rasp.Aggregate(near, rasp.tokens)
    over = [None, "a", 1, 4]
    model = rasp.compile_rasp_to_model(sop, set(over), 3)
    assert holds(model, sop, short_texts(over, 3, 84), causal=False) == 16


def test_flags_and_numbers_that_are_equal_are_one_value() -> None:
    """True answers as 1 does, and what tells them apart is refused."""
    flag = rasp.tokens == "a"
    both = rasp.SequenceMap(lambda x, y: y if x else 1, flag, flag)
    model = rasp.compile_rasp_to_model(both, {"a", "b"}, 2)
    assert model.apply([BOS, "a", "b"]).decoded[1:] == [1, 1]
    told = rasp.Map(repr, both, simplify=False)
    with pytest.raises(NotImplementedError, match="which are equal and so one"):
        rasp.compile_rasp_to_model(told, {"a", "b"}, 2)


def test_a_function_is_not_asked_for_what_never_occurs() -> None:
    """1 / x is never asked of a 0 that no token is, and 0 / 0 is no value of a sum."""
    hist = rasp.SelectorWidth(
        rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.EQ)
    )
    sop = 1 / hist
    model = rasp.compile_rasp_to_model(sop, {"a", "b"}, 4)
    assert holds(model, sop, short_texts("ab", 4, 30), causal=False) == 30


def test_numbers_that_no_float32_tells_apart_are_kept_apart() -> None:
    """10^9 and 10^9 + 1 stand for themselves."""
    sop = rasp.Map(lambda x: x + 1, rasp.tokens)
    over = {10**9, 10**9 + 1, 10**12}
    model = rasp.compile_rasp_to_model(sop, over, 2)
    assert model.apply([BOS, 10**9 + 1, 10**12]).decoded[1:] == [
        10**9 + 2,
        10**12 + 1,
    ]


def test_tokens_may_be_anything_that_can_be_hashed() -> None:
    """Tuples, texts that look like numbers, the token that is taken for BOS, and the empty text."""
    over = [(1, "x"), "1", 1, "^", "", frozenset({2})]
    same_token = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.EQ)
    for sop in rasp.tokens, rasp.SelectorWidth(same_token):
        model = rasp.compile_rasp_to_model(sop, set(over), 6)
        assert holds(model, sop, drawn_texts(over, 6, 40), causal=False)


def test_constants_are_of_one_length() -> None:
    """A constant s-op and constant rows are compiled for texts of their own length."""
    rows = rasp.ConstantSelector([[0, 0, 1], [0, 1, 0], [1, 0, 0]])
    sop = rasp.SequenceMap(
        lambda x, y: f"{x}{y}",
        rasp.Aggregate(rows, rasp.tokens),
        rasp.ConstantSOp([5, None, 7]),
    )
    model = rasp.compile_rasp_to_model(sop, {"a", "b"}, 4)
    assert holds(model, sop, short_texts("ab", 4, 30), causal=False) == 8


# ---------------------------------------------------------------- what it returns


@cache
def hist() -> Any:
    """A compiled histogram."""
    same_token = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.EQ)
    sop = rasp.SelectorWidth(same_token).named("hist")
    return rasp.compile_rasp_to_model(sop, {"b", "a"}, 4)


def test_a_model_has_the_names_that_users_of_tracr_know() -> None:
    """Arrays of one text, a list a layer; labels, encoders, weights and sizes."""
    model = hist()
    out = model.apply([BOS, "a", "b", "a"])
    n, d = 4, len(model.residual_labels)
    assert out.decoded == [BOS, 2, 1, 2]
    assert out.unembedded.shape == (1, n)
    assert model.output_encoder.decode(out.unembedded[0]) == out.decoded
    assert out.transformer_output.shape == (1, n, d)
    assert out.input_embeddings.shape == (1, n, d)
    config = model.model_config
    assert len(out.residuals) == len(out.layer_outputs) == 2 * config.num_layers
    heads = (1, config.num_heads, n, n)
    assert [x.shape for x in out.attn_logits] == [heads] * config.num_layers
    stream = out.input_embeddings + sum(out.layer_outputs)
    assert abs(stream - out.transformer_output).max() == 0
    assert abs(out.residuals[-1] - out.transformer_output).max() == 0
    assert model.params["token_embed"]["embeddings"].shape == (7, d)
    query = model.params["transformer/layer_0/attn/query"]["w"]
    assert query.shape == (d, config.num_heads * config.key_size)
    assert config.causal is False
    assert model.bos_token == BOS
    assert model.input_encoder.encode([BOS, "a", "b"]) == [0, 1, 2]
    assert model.input_encoder.decode([0, 1, 2]) == [BOS, "a", "b"]


def test_categories_are_unembedded_as_ids() -> None:
    """None is a value as any other."""
    sop = rasp.Map(lambda x: None if x == "a" else x, rasp.tokens)
    model = rasp.compile_rasp_to_model(sop, {"a", "b"}, 2, compiler_bos=0)
    out = model.apply([0, "a", "b"])
    assert out.decoded == [0, None, "b"]
    assert out.unembedded.dtype.kind == "i"
    assert model.output_encoder.decode(out.unembedded[0]) == out.decoded


def test_padding_behind_a_text_is_left_out() -> None:
    """It decodes as padding, and the text before it as without it."""
    model = rasp.compile_rasp_to_model(
        rasp.length, {"a"}, 4, compiler_pad="pad"
    )
    assert model.apply([BOS, "a", "a", "pad", "pad"]).decoded == [
        *(BOS, 2, 2),
        *("pad", "pad"),
    ]


def test_lanes_that_stand_for_one_value_say_it() -> None:
    """The name of the s-op, a colon, and the value."""
    seen = rasp.Select(rasp.tokens, rasp.indices, lambda k, q: k == "ab"[q % 2])
    sop = rasp.SelectorWidth(seen)
    model = rasp.compile_rasp_to_model(sop, {"a", "b", "c"}, 3)
    assert "indices:1" in model.residual_labels


def test_the_model_claims_the_s_op_itself(tmp_path: Any) -> None:
    """It is checked on every text against RASP's evaluator, and saved as any other."""
    model = hist().model
    report = verify(model)
    assert report.verdict == "checked"
    assert (report.contexts, report.accuracy) == (30, 1)
    model.save(tmp_path / "hist")
    assert (tmp_path / "hist" / "model.safetensors").exists()


def test_a_wrong_weight_is_refuted() -> None:
    """The claim is no copy of the weights: a changed model is not what the s-op says."""
    model = hist().model
    weights = dict(model.weights)
    weights["wte"] = weights["wte"].copy()
    weights["wte"][1] = weights["wte"][2]
    assert verify(model.replace(weights=weights)).verdict == "refuted"


# ---------------------------------------------------------------- what cannot be


def failing(**changed: Any) -> Any:
    """The error of a call with some arguments changed."""
    given = {"program": rasp.tokens, "vocab": {"a"}, "max_seq_len": 3}
    with pytest.raises((TypeError, ValueError, NotImplementedError)) as error:
        rasp.compile_rasp_to_model(**{**given, **changed})
    return error.value


WRONG = {
    "vocab must be a set of tokens, found 'ab'": {"vocab": "ab"},
    "vocab is empty; it needs at least one token": {"vocab": set()},
    "compiler_bos is 'a', which is in vocab; pass another one": {
        "compiler_bos": "a"
    },
    "compiler_pad is 'a', which is in vocab; pass another one": {
        "compiler_pad": "a"
    },
    "compiler_bos and compiler_pad are both 'x'; they must differ": {
        "compiler_bos": "x",
        "compiler_pad": "x",
    },
    "max_seq_len must be a whole number from 1 to 4095, found 0": {
        "max_seq_len": 0
    },
    "max_seq_len must be a whole number from 1 to 4095, found 1000000": {
        "max_seq_len": 10**6
    },
    "causal must be True or False, found 'no'": {"causal": "no"},
    "mlp_exactness must be a positive number, found 0": {"mlp_exactness": 0},
    "compile_rasp_to_model(program) must be an s-op, found 3": {"program": 3},
}


@pytest.mark.parametrize("message", WRONG)
def test_a_wrong_argument_is_one_error(message: str) -> None:
    """What was found, and what would do."""
    assert str(failing(**WRONG[message])) == message


def test_a_function_that_raises_is_named_with_a_text_that_shows_it() -> None:
    """The s-op, what is raised and for which value, and a text with it."""
    sop = rasp.Map(lambda i: 1 / (i - 1), rasp.indices).named("inverse")
    error = failing(program=sop)
    assert isinstance(error, NotImplementedError)
    assert str(error) == (
        f"cannot be compiled: {sop.label} raises ZeroDivisionError: division by zero"
        " for 1, which occurs for ['a', 'a']"
    )


def test_a_function_that_gives_what_no_token_can_be_is_named() -> None:
    """A list can change, and nan is no number."""
    sop = rasp.Map(lambda x: [x], rasp.tokens)
    assert str(failing(program=sop)) == (
        f"cannot be compiled: {sop.label} gives ['a'], a list, which can change for"
        " 'a'; None, a number, a text or another value that can be hashed would do"
    )
    sop = rasp.Map(lambda _: float("nan"), rasp.tokens)
    assert "gives nan, which is no number for 'a'" in str(failing(program=sop))


def test_all_parts_that_cannot_be_compiled_are_named() -> None:
    """Each by its name, with the reason."""

    class Odd(rasp.SOp):
        """A class of its own."""

        kind = "odd"

        @property
        def children(self) -> list[rasp.RASPExpr]:
            return []

    long = rasp.ConstantSOp([1, 2, 3, 4])
    free = rasp.ConstantSOp([1], check_length=False)
    odd = Odd()
    sop = rasp.SequenceMap(
        operator.add, rasp.SequenceMap(operator.add, long, free), odd
    )
    assert str(failing(program=sop)) == (
        f"cannot be compiled: {long.label} is of inputs of 4 tokens, and max_seq_len is"
        f" 3; {free.label} may have more or fewer values than the input has tokens"
        f" (check_length=False), which no lane can; {odd.label} is of the class Odd, which"
        " has no rule"
    )


def test_a_causal_model_does_not_know_the_length() -> None:
    """No token sees how many follow."""
    assert str(failing(program=rasp.length, causal=True)) == (
        "cannot be compiled: length is not known to a causal model, which sees no later"
        " token"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ([], "a text is 'compiler_bos' and at least one token, found []"),
        (
            ["a", "b"],
            "a text is 'compiler_bos' and at least one token, found ['a', 'b']",
        ),
        ("aab", "takes a list of tokens, found 'aab'"),
        (
            [BOS, "x"],
            "'x' is not in the vocabulary; there is 'compiler_bos', 'a', 'b'",
        ),
        (
            [BOS, "a", BOS],
            "'compiler_bos' stands before a text, and nowhere in it",
        ),
        ([BOS, *"aaaaa"], "the text has 5 tokens, and max_seq_len is 4"),
    ],
)
def test_a_wrong_text_is_one_error(text: Any, message: str) -> None:
    """What was found, and what a text is."""
    with pytest.raises(ValueError) as error:  # noqa: PT011  # the whole message
        hist().apply(text)
    assert str(error.value) == message
