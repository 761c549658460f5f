"""`handcraft explain` and `handcraft trace`: every cell has its rule, every number its name."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_runner import handcraft
from pairs import write

# ---------------------------------------------------------------- explain


def test_explain_gives_every_cell_its_rule(here: Path) -> None:
    """`explain --json` lists the 26 cells of aab, each with its part, the lanes it joins, the
    rule, its text and its line.
    """
    found = handcraft("explain", "aab", "--json").json
    assert list(found) == ["cells"]
    assert len(found["cells"]) == 26
    assert {
        "part": "0.h0.o",
        "matrix": "blocks.0.attn.c_proj.w",
        "row": "v",
        "column": "token:a",
        "value": -1024.0,
        "rule": "layers[0] > adds",
        "text": "token:a += -1024 v + 1024",
        "source": "programs/aab.py:11",
    } in found["cells"]


def test_explain_says_what_a_table_of_tokens_is(here: Path) -> None:
    """A slot that is one-hot is called so, any other is a table of the token or of the position."""
    texts = {
        "aab": {
            "token is one-hot: which token is here",
            "position is one-hot: which position is here",
        },
        "adder": {
            *(
                f"{slot} is a table of the token"
                for slot in ("digit", "square")
            ),
            *(
                f"{slot} is a table of the position"
                for slot in ("place", "square")
            ),
        },
    }
    for program, expected in texts.items():
        cells = [
            cell
            for part in ("wte", "wpe")
            for cell in handcraft("explain", program, part, "--json").json[
                "cells"
            ]
        ]
        assert {cell["text"] for cell in cells} == expected


@pytest.mark.parametrize(
    ("part", "matrices", "count"),
    [
        ("wte", {"wte"}, 2),
        ("wpe", {"wpe"}, 5),
        (
            "0",
            {
                "blocks.0.attn.c_attn.w",
                "blocks.0.attn.c_proj.w",
                "blocks.0.attn.c_proj.b",
            },
            19,
        ),
        (
            "0.h0",
            {
                "blocks.0.attn.c_attn.w",
                "blocks.0.attn.c_proj.w",
                "blocks.0.attn.c_proj.b",
            },
            19,
        ),
        (
            "0.attn",
            {
                "blocks.0.attn.c_attn.w",
                "blocks.0.attn.c_proj.w",
                "blocks.0.attn.c_proj.b",
            },
            19,
        ),
        ("0.c_attn", {"blocks.0.attn.c_attn.w"}, 16),
        ("0.h0.q", {"blocks.0.attn.c_attn.w"}, 9),
        ("0.h0.k", {"blocks.0.attn.c_attn.w"}, 5),
        ("0.h0.v", {"blocks.0.attn.c_attn.w"}, 2),
        ("0.c_proj", {"blocks.0.attn.c_proj.w", "blocks.0.attn.c_proj.b"}, 3),
        ("0.h0.o", {"blocks.0.attn.c_proj.w", "blocks.0.attn.c_proj.b"}, 3),
    ],
)
def test_a_part_is_only_its_own_cells(
    part: str, matrices: set[str], count: int, here: Path
) -> None:
    """PART is a matrix by GPT-2's name, or a layer or head by its own."""
    cells = handcraft("explain", "aab", part, "--json").json["cells"]
    assert {cell["matrix"] for cell in cells} == matrices
    assert len(cells) == count


def test_the_circuits_are_parts_too(here: Path) -> None:
    """`0.h0.ov` and `0.h0.qk` are products of matrices; their cells are listed as any others."""
    cells = handcraft("explain", "aab", "0.h0.ov", "--json").json["cells"]
    assert {(cell["row"], cell["column"]): cell["value"] for cell in cells} == {
        ("token:a", "token:a"): -1024.0,
        ("token:a", "token:b"): 1024.0,
        ("token:b", "token:a"): 1024.0,
        ("token:b", "token:b"): -1024.0,
    }
    assert handcraft("explain", "aab", "0.h0.qk", "--json").json["cells"]


def test_an_mlp_is_a_part(here: Path) -> None:
    """The neurons of the adder stand under 1.mlp."""
    cells = handcraft("explain", "adder", "1.mlp", "--json").json["cells"]
    assert {cell["matrix"] for cell in cells} == {
        "blocks.1.mlp.c_fc.w",
        "blocks.1.mlp.c_fc.b",
        "blocks.1.mlp.c_proj.w",
        "blocks.1.mlp.c_proj.b",
    }


# ---------------------------------------------------------------- trace


def test_trace_names_every_number(here: Path) -> None:
    """`trace --json` has the tokens, the heads, the stream after each sublayer, the logits, and
    what each rule gave.
    """
    found = handcraft("trace", "aab", "aab", "--json").json
    assert list(found) == [
        "tokens",
        "heads",
        "residual",
        "logits",
        "contributions",
    ]
    assert found["tokens"] == ["a", "a", "b"]
    [head] = found["heads"]
    assert list(head) == [
        "name",
        "query",
        "key",
        "scores",
        "weights",
        "value",
        "written",
    ]
    assert head["name"] == "0.h0"
    assert head["weights"] == [
        [1.0, 0.0, 0.0],
        [0.5, 0.5, 0.0],
        [0.0, 0.5, 0.5],
    ]
    assert head["scores"][0][1:] == [None, None]
    assert head["value"] == [{"v": 1.0}, {"v": 1.0}, {"v": -1.0}]
    assert head["written"] == [{"token:a": -1024.0, "token:b": 1024.0}] * 2 + [
        {}
    ]
    assert [state["after"] for state in found["residual"]] == [
        "embedding",
        "0.attention",
    ]
    assert found["logits"][-1] == {"a": 1024.0, "b": 1.0}
    assert found["contributions"] == [
        {"rule": "embedding[0]", "logits": {"a": 0.0, "b": 0.0}},
        {"rule": "embedding[1]", "logits": {"a": 0.0, "b": 1.0}},
        {"rule": "layers[0] > adds", "logits": {"a": 1024.0, "b": 0.0}},
    ]


@pytest.mark.parametrize(
    ("program", "context"),
    [
        ("adder", "00000000001+00000000002="),
        ("baby_gpt", "101"),
        ("induction", "abcab"),
    ],
)
def test_the_contributions_sum_to_the_logits(
    program: str, context: str, here: Path
) -> None:
    """The stream is a sum, so what the rules gave adds up to the last logits."""
    found = handcraft(
        "trace", program, context, "--json", "--dtype", "float64"
    ).json
    for token, logit in found["logits"][-1].items():
        total = sum(given["logits"][token] for given in found["contributions"])
        assert total == pytest.approx(logit, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_program_without_layers_can_be_traced(
    options: list[str], here: Path
) -> None:
    """Embeddings alone are a model too: its stream is shown after the embedding."""
    write(
        "bare.py",
        "from handcraft import *\nprogram = Program(embedding=(position(4),"
        ' token("ab")))\n',
    )
    result = handcraft("trace", "bare.py", "ab", *options)
    assert (result.code, result.err) == (0, "")
