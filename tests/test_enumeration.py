"""Enumeration: every context once, with the logits of the plain forward pass, and the claim as
arrays.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from conftest import (
    endings,
    every,
    examples,
    programs,
    random_weights,
    slow_from,
)
from hypothesis import given
from hypothesis import strategies as st

from handcraft import Program, after, distribution
from handcraft.claims.reference import Reference
from handcraft.core.gpt2 import Weights, gpt2, recorder
from handcraft.core.vocabulary import Vocabulary
from handcraft.proof.enumerate import trie as enumeration
from handcraft.proof.enumerate.trie import enumerate_contexts
from handcraft.proof.expected import (
    SILENT,
    ExpectedProbabilities,
    NextToken,
    as_contexts,
)

AB = Vocabulary(("a", "b"))


# ---------------------------------------------------------------- the trie is the forward pass


def assert_enumerates(
    weights: Weights, n_ctx: int, chunk: int, **config: Any
) -> None:
    """Each context comes once, with the stream and the logits of the plain forward pass."""
    n_vocab, seen = weights["wte"].shape[0], []
    for part in enumerate_contexts(weights, n_ctx, **config):
        ids = part.ids(n_vocab)
        assert len(part.logits) == len(ids) <= max(chunk, n_vocab)
        noted: dict[str, Any] = {}
        expected = gpt2(ids, **weights, **config, hook=recorder(noted))[:, -1]
        np.testing.assert_allclose(
            part.stream,
            noted["resid_final"][:, -1],
            rtol=1e-9,
            atol=1e-9 * (1 + np.abs(part.stream).max()),
        )
        np.testing.assert_allclose(
            part.logits,
            expected,
            rtol=1e-9,
            atol=1e-9 * (1 + np.abs(expected).max()),
        )
        assert [
            part.context(i, n_vocab) for i in range(len(ids))
        ] == ids.tolist()
        np.testing.assert_array_equal(part.ids(n_vocab, 2), ids[:, -2:])
        seen += [tuple(row) for row in ids.tolist()]
    assert sorted(seen, key=lambda ids: (len(ids), ids)) == every(
        n_vocab, n_ctx
    )


@pytest.mark.parametrize("chunk", slow_from(2, [9, 2**14, 1, 2, 10, 100]))
@pytest.mark.parametrize(
    "config",
    [
        {"n_head": 1},
        {"n_head": 4, "activation": "relu"},
        {"n_head": 2, "causal": False},
    ],
)
@pytest.mark.parametrize(("n_vocab", "n_ctx"), [(3, 4), (2, 6), (1, 5), (5, 2)])
def test_enumeration_is_the_forward_pass(
    monkeypatch: pytest.MonkeyPatch,
    chunk: int,
    config: dict[str, Any],
    n_vocab: int,
    n_ctx: int,
) -> None:
    """The logits of every context are those of gpt2(), however the trie is cut: layer norms,
    heads, neurons, two layers.
    """
    monkeypatch.setattr(enumeration, "_CHUNK", chunk)
    assert_enumerates(
        random_weights(chunk, n_vocab=n_vocab, n_ctx=n_ctx),
        n_ctx,
        chunk,
        **config,
    )


@pytest.mark.parametrize("lacking", ["attn", "mlp"])
def test_enumeration_skips_what_is_absent(lacking: str) -> None:
    """Blocks without attention or MLP, and models without layer norm, are enumerated as they
    run.
    """
    weights = random_weights(1, norms=False)
    del weights["blocks"][0][lacking]
    assert_enumerates(weights, 4, 2**14, n_head=2)
    assert_enumerates(weights | {"blocks": []}, 3, 2**14, n_head=2)


@examples(30)
@given(programs(), st.sampled_from([1, 5, 2**14]))
def test_enumeration_of_programs(program: Program, chunk: int) -> None:
    """Lanes that are zero throughout, and heads that write nothing, are skipped without
    changing a logit.
    """
    model = program.build("float64")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(enumeration, "_CHUNK", chunk)
        assert_enumerates(model.weights, model.n_ctx, chunk, **model.config)


# ---------------------------------------------------------------- the claim as arrays


@given(endings, st.integers(1, 5))
def test_next_token_agrees_with_the_oracle(
    table: dict[str, str], length: int
) -> None:
    """The lookup by codes says what the claim says when it is asked one context at a time."""
    claim = after(table)
    reference, expect = Reference(claim, AB), NextToken(claim, AB)
    ids = np.array(list(product(range(2), repeat=length)))
    found = [None if i == SILENT else "ab"[i] for i in expect(ids)]
    assert found == [reference(AB.context(row)) for row in ids.tolist()]
    assert expect.window == max(map(len, table))


@given(
    st.dictionaries(
        st.text("ab", min_size=1, max_size=3),
        st.sampled_from([0.25, 0.5, 1.0]),
        min_size=1,
    )
)
def test_chances_agree_with_the_oracle(table: dict[str, float]) -> None:
    """Probabilities are looked up as the claim gives them; a token that is not named has none."""
    claim = distribution(
        {
            ending: {"a": p, "b": 1 - p} if p < 1 else {"a": 1.0}
            for ending, p in table.items()
        }
    )
    reference, expect = Reference(claim, AB), ExpectedProbabilities(claim, AB)
    ids = np.array(list(product(range(2), repeat=3)))
    for row, found in zip(ids.tolist(), expect(ids), strict=True):
        expected = reference(AB.context(row))
        assert (
            np.isnan(found).all()
            if expected is None
            else found.tolist() == [expected.get("a", 0), expected.get("b", 0)]
        )


@pytest.mark.parametrize(
    "tokens", [("a", "b"), ("ab", "c"), ("\0", "a"), ("é", "字")]
)
def test_contexts_in_bulk(tokens: tuple[str, ...]) -> None:
    """Many contexts at once are texts, or tuples, as one at a time."""
    vocabulary, ids = (
        Vocabulary(tokens),
        np.array(list(product(range(2), repeat=3))),
    )
    assert as_contexts(ids, vocabulary) == [
        vocabulary.context(row) for row in ids.tolist()
    ]
