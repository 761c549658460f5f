"""Enumeration in units: cut without a gap, merged exactly, and one wrong context found."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_runner import handcraft
from conftest import bundled_model, every, random_weights, slow_from
from enumerated import verify
from hypothesis import given
from hypothesis import strategies as st

from handcraft import Program, after, position, token
from handcraft.proof.enumerate import units
from handcraft.proof.enumerate.units import Units
from handcraft.proof.judge import Judge
from handcraft.proof.tally import Tally, Wrong

# ---------------------------------------------------------------- units


@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 60))
def test_units_hold_every_context_once(
    n_vocab: int, n_ctx: int, most: int
) -> None:
    """However the trie is cut, each context stands in exactly one unit, and each unit knows its
    size.
    """
    cut, seen = Units(n_vocab, n_ctx, most), Counter[tuple[int, ...]]()
    for i in range(len(cut)):
        prefixes = list(cut[i].prefixes(n_vocab))
        found = [
            ids
            for ids in every(n_vocab, cut[i].longest)
            for p in prefixes
            if len(ids) > len(p) and ids[: len(p)] == p
        ]
        assert len(found) == cut[i].size(n_vocab)
        seen.update(found)
    assert seen == Counter(every(n_vocab, n_ctx))
    with pytest.raises(IndexError):
        cut[len(cut)]


@pytest.mark.parametrize(
    ("n_vocab", "n_ctx"), [(2, 26), (2, 40), (10, 9), (100, 4)]
)
def test_units_are_large_and_not_too_many(n_vocab: int, n_ctx: int) -> None:
    """Handing a unit over costs milliseconds, so it has about a quarter of a million contexts,
    or there are some thousands.
    """
    letters = [chr(0x4E00 + i) for i in range(n_vocab)]
    model = Program(
        embedding=(position(n_ctx), token(letters)),
        claim=after({letters[0]: letters[0]}),
    ).build()
    cut = Units.of(model)
    sizes = [cut[i].size(n_vocab) for i in range(1, min(len(cut), 50))]
    assert len(cut) < 10_000
    assert min(sizes) > 2**16


margins = st.sampled_from([math.inf, -math.inf, 0.5, 1.0, 2.0])


@st.composite
def tallies(draw: Any) -> Tally:
    """Tallies of parts, with equal margins and wrong contexts of equal length among them."""
    contexts = st.lists(st.integers(0, 2), min_size=1, max_size=3)
    checked = draw(st.integers(0, 9))
    margin, wrong = draw(margins), draw(st.none() | contexts)
    return Tally(
        checked + draw(st.integers(0, 9)),
        checked,
        checked - (wrong is not None),
        margin,
        None if margin == math.inf else draw(contexts),
        draw(st.none() | st.sampled_from([0.0, 0.25, math.inf])),
        None if wrong is None else Wrong(wrong, 1, 0, -1.0),
    )


@given(st.lists(tallies(), max_size=6), st.randoms(use_true_random=False))
def test_merging_does_not_depend_on_the_order(
    parts: list[Tally], random: Any
) -> None:
    """The sum of the parts is the same in whatever order they come: counts, margin, error and
    shortest counterexample.
    """
    one, other = Tally(), Tally()
    for part in parts:
        one.merge(part)
    random.shuffle(parts)
    for part in parts:
        other.merge(part)
    assert one == other
    assert one.contexts == sum(part.contexts for part in parts)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.usefixtures("small_units")
def test_the_units_together_are_the_whole(causal: bool) -> None:
    """A model with layer norms and everything, cut into units: the tally of all contexts by the
    plain forward pass.
    """
    model = bundled_model("aab").replace(
        weights=random_weights(3, n_vocab=2, n_ctx=5, dtype="float64"),
        n_head=2,
        causal=causal,
    )
    claim = model.program.claim  # type: ignore[union-attr]
    report, tally, judge = verify(model), Tally(), Judge(model, claim)  # type: ignore[arg-type]
    for ids in every(2, 5):
        judge.contexts(tally, np.array(ids), [len(ids)])
    assert tally.worst is not None
    # at its end, or anywhere in a text: not in a alone, nor in one of b only
    speaks = 45 if causal else 56
    assert (report.contexts, report.checked, report.accuracy) == (
        62,
        speaks,
        tally.correct / speaks,
    )
    assert report.min_margin == pytest.approx(tally.min_margin, rel=1e-9)
    assert report.counterexample is not None
    assert report.counterexample.tokens == [
        "ab"[i] for i in tally.worst.context
    ]


# ---------------------------------------------------------------- one wrong context among a million


@pytest.mark.parametrize("fast", slow_from(1, [True, False]))
def test_one_wrong_context_out_of_2_to_the_20_is_found(
    fast: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of 2^20 contexts of twenty letters one is claimed otherwise than the program answers: it
    is found, and the exit code is 1.
    """
    monkeypatch.setattr(units, "FAST_FROM", 0 if fast else math.inf)
    wrong = "abbabaaabbababbaabab"
    (tmp_path / "latest.py").write_text(
        "from handcraft import Program, after, position, scratch, token\nprogram ="
        " Program(name='latest', embedding=(position(20), token('ab'),"
        " scratch('v')),\n                  claim=after({'a': 'a', 'b': 'b',"
        f" '{wrong}': 'a'}}))\n"
    )
    result = handcraft(
        "verify", "latest.py", "--method", "exhaustive", "--json", cwd=tmp_path
    )
    assert result.code == 1
    found = result.json
    assert (found["contexts"], found["checked"], found["verdict"]) == (
        2**21 - 2,
        2**21 - 2,
        "refuted",
    )
    assert round((1 - found["accuracy"]) * found["checked"], 6) == 1
    assert (
        "".join(found["counterexample"]["tokens"]),
        found["counterexample"]["expected"],
    ) == (wrong, "a")
