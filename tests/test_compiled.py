"""The compiled enumeration: the counts, margins and counterexamples of the plain forward pass,
context by context.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import (
    Refused,
    bundled_model,
    claiming,
    endings,
    every,
    examples,
    no_claim,
    programs,
    random_weights,
    slow_from,
)
from hypothesis import given
from hypothesis import strategies as st

from handcraft import (
    Head,
    Model,
    Program,
    after,
    distribution,
    position,
    scratch,
    token,
)
from handcraft.claims.kinds import Claim
from handcraft.core.errors import MissingExtraError
from handcraft.core.gpt2 import Weights, gpt2
from handcraft.core.vocabulary import Vocabulary
from handcraft.proof.enumerate import compiled
from handcraft.proof.enumerate.suffix_automaton import suffix_automaton
from handcraft.proof.enumerate.units import Trie
from handcraft.proof.expected import SILENT
from handcraft.proof.judge import Judge
from handcraft.proof.tally import Tally

ALWAYS = lambda _: True  # noqa: E731


def held(
    weights: Weights, claim: Claim, *, n_head: int, activation: Any = "gelu"
) -> Judge:
    """Who judges these weights over the letters a, b, c ..."""
    vocabulary = Vocabulary(tuple("abcdefg"[: len(weights["wte"])]))
    return Judge(
        Model("random", weights, vocabulary, n_head, activation), claim
    )


def plain(
    judge: Judge, prefix: Sequence[int] = (), longest: int | None = None
) -> Tally:
    """Every context that continues the prefix, each by a forward pass of its own."""
    model, tally = judge.model, Tally()
    for ids in every(len(model.vocabulary), longest or model.n_ctx):
        if len(ids) > len(prefix) and ids[: len(prefix)] == tuple(prefix):
            judge.contexts(tally, np.array(ids), [len(ids)])
    return tally


def walked(
    judge: Judge, prefix: Sequence[int] = (), longest: int | None = None
) -> Tally:
    """The same by the compiled walk."""
    tally = Tally()
    assert compiled.applies(judge)
    assert compiled.Engine(judge).count(
        tally, prefix, longest or judge.model.n_ctx, ALWAYS
    )
    return tally


def assert_same(found: Tally, expected: Tally, rtol: float) -> None:
    """Two tallies of the same contexts; a number may differ by its rounding."""
    assert (found.contexts, found.checked, found.correct) == (
        expected.contexts,
        expected.checked,
        expected.correct,
    )
    assert (found.worst is None) == (expected.worst is None)
    numbers = [
        (found.min_margin, expected.min_margin),
        (found.max_error, expected.max_error),
    ]
    if found.worst is not None and expected.worst is not None:
        assert (found.worst.context, found.worst.expected) == (
            expected.worst.context,
            expected.worst.expected,
        )
        numbers += [
            (found.worst.got, expected.worst.got),
            (found.worst.margin, expected.worst.margin),
        ]  # type: ignore[list-item]
    for one, other in numbers:
        assert one == (
            None if other is None else pytest.approx(other, rel=rtol, abs=rtol)
        )


tables = st.dictionaries(
    st.text("abc", min_size=1, max_size=4),
    st.sampled_from("abc"),
    min_size=1,
    max_size=12,
)


# ---------------------------------------------------------------- the walk is the forward pass


@pytest.mark.slow
@examples(40)
@given(
    st.integers(0, 10**6),
    tables,
    st.integers(1, 3),
    st.sampled_from([1, 2, 4]),
    st.booleans(),
    st.sampled_from(["gelu", "relu"]),
    st.sampled_from(["float32", "float64"]),
)
def test_the_walk_counts_as_the_plain_pass(
    seed: int,
    table: dict[str, str],
    n_layer: int,
    n_head: int,
    norms: bool,
    activation: str,
    dtype: str,
) -> None:
    """One to three layers, several heads, with and without layer norms, either activation,
    either dtype: the same tally.
    """
    weights = random_weights(
        seed, n_ctx=5, n_layer=n_layer, norms=norms, dtype=dtype
    )
    judge = held(weights, after(table), n_head=n_head, activation=activation)
    assert_same(
        walked(judge), plain(judge), 2e-3 if dtype == "float32" else 1e-9
    )


@pytest.mark.slow
@examples(40)
@given(programs(), endings, st.sampled_from(["float32", "float64"]))
def test_the_walk_of_programs_is_the_trie_in_numpy(
    program: Program, table: dict[str, str], dtype: str
) -> None:
    """Programs of rules, with the zeros that the walk passes over: the tally of the trie in
    NumPy.
    """
    judge, expected = Judge(program.build(dtype), after(table)), Tally()  # type: ignore[arg-type]
    Trie(judge).count(expected, (), judge.model.n_ctx, ALWAYS)
    found = walked(judge)
    assert (found.contexts, found.checked) == (
        expected.contexts,
        expected.checked,
    )
    assert found.min_margin == pytest.approx(
        expected.min_margin, rel=1e-3, abs=1e-3
    )


@pytest.mark.parametrize("prefix", [(), (2,), (0, 1), (2, 1, 0), (1, 1, 1, 1)])
@pytest.mark.parametrize("longest", slow_from(1, [5, 6]))
def test_a_subtree(prefix: tuple[int, ...], longest: int) -> None:
    """All continuations of a prefix and no others, by the walk and by the trie."""
    judge = held(
        random_weights(5, dtype="float64"),
        after({"a": "b", "ba": "c", "ccb": "a"}),
        n_head=2,
    )
    expected, trie = plain(judge, prefix, longest), Tally()
    assert Trie(judge).count(trie, prefix, longest, ALWAYS)
    for found in (walked(judge, prefix, longest), trie):
        assert_same(found, expected, 1e-9)
        assert found.min_margin_at == expected.min_margin_at


@pytest.mark.parametrize("lacking", ["attn", "mlp"])
def test_the_walk_skips_what_is_absent(lacking: str) -> None:
    """Blocks without attention or MLP, and models without a block."""
    weights = random_weights(1, norms=False, n_ctx=5)
    del weights["blocks"][0][lacking]
    for some in (weights, weights | {"blocks": []}):
        judge = held(some, after({"a": "b", "bc": "c"}), n_head=2)
        assert_same(walked(judge), plain(judge), 1e-9)


def test_the_walk_of_one_token() -> None:
    """A vocabulary of a single token: one context a length, and no margin."""
    judge = held(random_weights(3, n_vocab=1), after({"a": "a"}), n_head=2)
    found = walked(judge)
    assert (found.contexts, found.checked, found.correct, found.min_margin) == (
        6,
        6,
        6,
        math.inf,
    )


@pytest.mark.slow
@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.2, 0.9]))
@examples(15)
def test_the_walk_judges_probabilities(seed: int, tolerance: float) -> None:
    """A distribution: the greatest error, and the shortest context that is off by more than the
    tolerance, with both rows.
    """
    claim = distribution(
        {
            "a": {"a": 0.25, "c": 0.75},
            "cb": {"b": 1.0},
            "b": {"a": 0.5, "b": 0.5},
        },
        tolerance=tolerance,
    )
    judge = held(random_weights(seed, n_ctx=5), claim, n_head=2)
    assert_same(walked(judge), plain(judge), 1e-9)


def overflowing(before: float, after_: float, *, twice: bool = False) -> Judge:
    """A head that copies 1e38 times the letter a, read out by these numbers."""
    p, t, v = position(4), token("ab"), scratch("v")
    huge = Head(
        value={v: 1e38 * t["a"]},
        adds={t["a"]: before * v, t["b"]: after_ * v},
    )
    program = Program(
        embedding=(p, t, v),
        layers=(huge, huge) if twice else (huge,),
        claim=after({"a": "b", "b": "a", "bb": "b"}),
    )
    assert program.claim is not None
    return Judge(program.build(), program.claim)


@pytest.mark.parametrize(
    "signs",
    [
        (1e38, -1e38),
        (-1e38, 1e38),
        (1e38, 1e38),
        (1.0, 0.0),
        (0.0, 1e38),
        (1e38, 0.0),
    ],
)
@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_is_not_finite_is_wrong_in_the_same_contexts(
    signs: tuple[float, float], twice: bool
) -> None:
    """What could be infinite is not walked: each context goes through the plain pass, which
    refutes what it refutes.
    """
    judge, found = overflowing(*signs, twice=twice), Tally()
    assert not compiled.applies(judge)
    assert Trie(judge).count(found, (), judge.model.n_ctx, ALWAYS)
    assert_same(found, plain(judge), 1e-6)


def test_a_tie_is_wrong() -> None:
    """Two equal logits are no answer here either."""
    p, t, v = position(2), token("ab"), scratch("v")
    tied = Program(
        embedding=(p, t, v),
        layers=(Head(value={v: 1}, adds={t["a"]: v}),),
        claim=after({"b": "b"}),
    )
    found = walked(Judge(tied.build(), tied.claim))  # type: ignore[arg-type]
    assert (found.correct, found.min_margin, found.min_margin_at) == (
        0,
        0.0,
        [1],
    )
    assert found.worst is not None
    assert (found.worst.expected, found.worst.got) == (1, 0)


def test_the_margin_stands_at_the_shortest_context() -> None:
    """Of equal margins the shortest context is named, and of those the first; aab has 1023
    everywhere.
    """
    program = claiming(after({"ba": "a", "ab": "a"}))
    judge = Judge(bundled_model("aab"), program.claim)  # type: ignore[arg-type]
    assert (walked(judge).min_margin, walked(judge).min_margin_at) == (
        1023.0,
        [0, 1],
    )


def test_the_walk_goes_on_where_it_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In small steps the counts are the same; told to stop, it says that it is not done, with
    what it has counted.
    """
    monkeypatch.setattr(compiled, "_STEPS", 7)
    judge = held(random_weights(2), after({"a": "b"}), n_head=2)
    seen: list[int] = []
    tally = Tally()
    assert compiled.Engine(judge).count(
        tally, (), 6, lambda n: seen.append(n) is None
    )
    assert (tally.contexts, seen) == (
        3 * (3**6 - 1) // 2,
        list(range(0, tally.contexts, 7)),
    )
    tally = Tally()
    assert not compiled.Engine(judge).count(tally, (), 6, lambda n: n < 14)
    assert tally.contexts == 14


# ---------------------------------------------------------------- the claim as an automaton


@given(endings, st.lists(st.integers(0, 1), min_size=1, max_size=9))
def test_the_automaton_finds_the_longest_ending(
    table: dict[str, str], ids: list[int]
) -> None:
    """After every token of a context the automaton names the longest ending that fits, or none."""
    names = list(table)
    follow, found = suffix_automaton(
        [["ab".index(c) for c in name] for name in names], 2
    )
    state, text = 0, ""
    for i in ids:
        state, text = follow[state, i], text + "ab"[i]
        fitting = [name for name in names if text.endswith(name)]
        assert found[state] == (
            names.index(max(fitting, key=len)) if fitting else SILENT
        )


# ---------------------------------------------------------------- when it is used, and where it
# is kept


def test_it_applies_to_tables_of_causal_models() -> None:
    """A function is asked by the trie in NumPy, and so is a model that shares no prefixes."""
    assert compiled.applies(Judge(bundled_model("aab"), after({"a": "b"})))
    judge = Judge(bundled_model("aab"), claiming(no_claim).claim)  # type: ignore[arg-type]
    assert not compiled.applies(judge)
    assert not compiled.applies(
        Judge(bundled_model("aab").replace(causal=False), after({"a": "b"}))
    )


def test_without_numba_the_error_names_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A worker without numba cannot count what was begun with it, and says what to install."""
    compiled._advance.cache_clear()
    monkeypatch.setattr(compiled, "find_spec", lambda _: None)
    assert not compiled.available()
    with Refused(
        MissingExtraError,
        "the compiled enumeration needs the extra `fast`: pip install"
        " 'handcraft[fast]'",
    ):
        compiled.Engine(Judge(bundled_model("aab"), after({"a": "b"})))


@pytest.mark.slow
def test_verifying_a_small_program_does_not_import_numba(
    tmp_path: Path,
) -> None:
    """Importing numba takes longer to import than small programs take to verify."""
    code = (
        "import sys; from handcraft import Model; from handcraft.proof import verify;"
        " verify(Model.open('aab'));"
    )
    subprocess.run(
        [sys.executable, "-c", code + "assert 'numba' not in sys.modules"],
        check=True,
        cwd=tmp_path,
    )


CACHED = """
from handcraft.proof.enumerate import compiled
print(getattr(compiled._advance()._cache, "_cache_path", None))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "given",
    [
        {"XDG_CACHE_HOME": "own"},
        {"NUMBA_CACHE_DIR": "own"},
        {"XDG_CACHE_HOME": "/dev/null"},
    ],
)
def test_what_is_compiled_is_kept_in_the_users_cache(
    given: dict[str, str], tmp_path: Path
) -> None:
    """Never beside the package: in the folder of NUMBA_CACHE_DIR or the user's cache, or
    nowhere where none is writable.
    """
    folder = {
        name: value.replace("own", str(tmp_path / "own"))
        for name, value in given.items()
    }
    environment = {
        key: value
        for key, value in os.environ.items()
        if key not in ("XDG_CACHE_HOME", "NUMBA_CACHE_DIR")
    } | folder
    done = subprocess.run(
        [sys.executable, "-c", CACHED],
        check=True,
        env=environment,
        capture_output=True,
        encoding="utf-8",
    )
    expected = (
        "None\n" if "/dev/null" in folder.values() else str(tmp_path / "own")
    )
    assert done.stdout.startswith(expected)
    assert not list(Path(compiled.__file__).parent.rglob("*.nb?"))


def test_gpt2_is_the_oracle() -> None:
    """The oracle of this file is the forward pass itself."""
    judge = held(random_weights(4), after({"a": "b"}), n_head=2)
    logits = gpt2(np.array([0]), **judge.model.weights, **judge.model.config)[
        -1
    ]
    assert plain(judge, longest=1).min_margin == logits[1] - max(
        logits[0], logits[2]
    )
