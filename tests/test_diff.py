"""Comparison: what differs between two programs, by names."""

from __future__ import annotations

import json

import pytest
from conftest import EVERY_PROGRAM, bundled_model, programs
from hypothesis import given

from handcraft import (
    Block,
    Head,
    Model,
    Program,
    after,
    position,
    scratch,
    token,
)
from handcraft.analysis.diff import diff_models


def aab(word: str = "ab", large: float = 1024, n_ctx: int = 5) -> Model:
    """The aab program with some numbers changed."""
    p, t, v = position(n_ctx), token(word), scratch("v")
    pair = Head(
        query=large * (p + p.previous),
        key=p,
        value={v: t["a"] - t["b"]},
        adds={t["a"]: 1024 - 1024 * v, t["b"]: 1024 * v},
    )
    return Program(
        name="aab",
        embedding=(p, t, v),
        layers=(pair,),
        claim=after({"aa": "b"}),
    ).build()


@pytest.mark.parametrize("name", EVERY_PROGRAM)
def test_a_program_does_not_differ_from_itself(name: str) -> None:
    """No cell and no rule differs from a program to itself, and its sizes are its sizes."""
    model = bundled_model(name)
    found = diff_models(model, model)
    assert (found.cells, found.rules) == ([], {"only_a": [], "only_b": []})
    assert (
        found.parameters["a"]
        == found.parameters["b"]
        == {
            "n_layer": model.n_layer,
            "n_head": model.n_head,
            "n_embd": model.n_embd,
            "n_vocab": len(model.vocabulary),
            "n_ctx": model.n_ctx,
            **model.parameters,
        }
    )


def test_a_changed_number_is_its_cells_and_its_rule() -> None:
    """Another LARGE changes the cells of the query and nothing else, with both values and both
    texts.
    """
    found = diff_models(aab(), aab(large=512))
    cells = sorted(
        (c["matrix"], c["row"], c["column"][-10:], c["a"], c["b"])
        for c in found.cells
    )
    pairs = [(i, i) for i in range(5)] + [(i + 1, i) for i in range(4)]
    assert cells == sorted(
        (
            "blocks.0.attn.c_attn.w",
            f"position:{r}",
            f"position:{c}",
            1024.0,
            512.0,
        )
        for r, c in pairs
    )
    assert (
        found.rules["only_a"][0]
        == "layers[0] > query: query position:0 = 1024 position:0 + 1024 position:1"
    )
    assert (
        found.rules["only_b"][0]
        == "layers[0] > query: query position:0 = 512 position:0 + 512 position:1"
    )
    assert (len(found.rules["only_a"]), len(found.rules["only_b"])) == (5, 5)


def test_lanes_are_matched_by_name() -> None:
    """A wider slot adds cells and moves none: lanes are compared by name, not by column."""
    found = diff_models(aab(n_ctx=5), aab(n_ctx=6))
    assert all(
        "position:5" in (cell["row"], cell["column"]) or cell["row"] == "5"
        for cell in found.cells
    )
    assert all(cell["a"] == 0 for cell in found.cells)
    assert (
        found.parameters["a"]["n_embd"],
        found.parameters["b"]["n_embd"],
    ) == (8, 9)


def test_query_key_and_value_are_told_apart() -> None:
    """Cells of one row and one lane in the query, the key, the value or another head are
    different cells.
    """
    p, t, v = position(3), token("ab"), scratch("v")

    def model(*numbers: float) -> Model:
        query, key, value, other = numbers
        first = Head(
            query={v: query * t["a"]},
            key={v: key * t["a"]},
            value={v: value * t["a"]},
            name="one",
        )
        second = Head(
            query={v: other * t["a"]},
            key={v: t["a"]},
            value={v: t["a"]},
            name="two",
        )
        return Program(
            name="mine", embedding=(p, t, v), layers=(Block([first, second]),)
        ).build()

    found = diff_models(model(2, 3, 4, 5), model(12, 13, 14, 15))
    assert sorted(
        (cell["part"], cell["a"], cell["b"]) for cell in found.cells
    ) == [
        ("0.h0.k", 3, 13),
        ("0.h0.q", 2, 12),
        ("0.h0.v", 4, 14),
        ("0.h1.q", 5, 15),
    ]


def test_a_cell_that_one_lacks_counts_as_zero() -> None:
    """A token that only one program has is a difference from 0."""
    found = diff_models(aab(), aab("abc"))
    assert found.cells == [
        {
            "part": "wte",
            "matrix": "wte",
            "row": "c",
            "column": "token:c",
            "a": 0.0,
            "b": 1.0,
        }
    ]
    assert found.rules == {
        "only_a": [],
        "only_b": [],
    }  # the rule is the same: one-hot
    assert (
        found.parameters["a"]["n_vocab"],
        found.parameters["b"]["n_vocab"],
    ) == (
        2,
        3,
    )


def test_aab_and_abc() -> None:
    """The two bundled cycles differ in the output of their head and in their tokens."""
    found = diff_models(bundled_model("aab"), bundled_model("abc"))
    assert found.names == ("aab", "abc")
    assert {
        cell["matrix"].removesuffix(".w").removesuffix(".b")
        for cell in found.cells
    } == {
        "wte",
        "wpe",
        "blocks.0.attn.c_attn",
        "blocks.0.attn.c_proj",
    }


@pytest.mark.slow
@given(programs(), programs())
def test_comparing_is_symmetric(a: Program, b: Program) -> None:
    """Comparing the other way round gives the same cells with their values swapped; it is plain
    data.
    """
    one, other = (
        diff_models(a.build(), b.build()),
        diff_models(b.build(), a.build()),
    )
    swapped = [{**cell, "a": cell["b"], "b": cell["a"]} for cell in other.cells]
    assert {json.dumps(cell, sort_keys=True) for cell in one.cells} == {
        json.dumps(cell, sort_keys=True) for cell in swapped
    }
    assert one.rules["only_a"] == other.rules["only_b"]
    assert json.loads(json.dumps(one.to_json())) == one.to_json()
