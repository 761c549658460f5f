"""Forged certificates that were once accepted: nothing about the models is true that they say, and each is refused."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from cli_runner import handcraft

from handcraft import Head, Model, Program, after, answers, local, position, scratch, token, transducer
from handcraft.proof.assumptions import ASSUMPTIONS
from handcraft.proof.checker import Certificate, Rejected, examine
from handcraft.proof.checker.document import Section, Slot, claim_hash, weights_hash
from handcraft.proof.checker.network import Network
from handcraft.selections import step

GAP = 40.0


def forged(model: Model, sections: list[Section], **fields: Any) -> Certificate:
    """A certificate for a model with the right hashes; what it states of numbers is not asked by `examine`."""
    whole: dict[str, Any] = {
        "program": model.name, "weights": weights_hash(model), "claim": claim_hash(model), "dtype": model.dtype,
        "n_ctx": model.n_ctx, "contexts": 0, "checked": 0, "margin": None, "margin_at": [], "error": 0.0,
        "assumptions": list(ASSUMPTIONS), "seconds": 0.0, "alphabet": [], "followed": {}, "sections": sections,
        "groups": [list(range(len(model.vocabulary)))],
    }  # fmt: skip
    return Certificate(**(whole | fields))


def test_the_token_that_is_read_last_must_be_listed_like_the_others() -> None:
    """Position 0 is read last, and of its tokens a alone is listed: a blind head would know nothing of b."""
    p, t, v, m = position(2), token("abxy"), scratch("v"), local("m", "0")
    look = Head(
        query={m["0"]: 1024 * p[1]}, key={m["0"]: p[0]}, value={v: t["b"]}, output={t["x"]: 8, t["y"]: 16 * v}
    )  # fmt: skip
    copy = transducer(step + 1, {(0, "a"): ("x", 0), (0, "b"): ("x", 0)}, start=0)
    model = Program(embedding=(p, t, v), layers=(look,), claim=answers("[ab]{2}", copy, length=1)).build()
    own = Section(((1, 0), (1, 1)), 1, (), (1, 0), (Slot((0, 0), None, GAP, ()),), [[[0, 0, 1, 1]]])
    lie = forged(model, [own], groups=[[0], [1]], tokens=[[0], [0, 1]], after=[[[0]], [[0, 0]]])
    with pytest.raises(Rejected, match="token 1 is not listed at position 0"):
        examine(model, lie)


def test_groups_that_a_join_made_alike_are_all_counted() -> None:
    """Two groups get the same interval of scores; a key of that interval belongs to both sums, and to both counts."""
    p, t, w, v, m = position(3), token("xy"), scratch("w"), scratch("v"), local("m", "012")
    copy = Head(  # positions 0 and 1 look at themselves, position 2 at position 1: w is 1 where y stands there
        query={m["0"]: 1024 * p[0], m["1"]: 1024 * p[1] + 1024 * p[2]}, key={m["0"]: p[0], m["1"]: p[1]},
        value={w: t["y"]}, output={w: w},
    )  # fmt: skip
    mean = Head(
        query={m["0"]: p[0] + p[1] + p[2]}, key={m["0"]: 2.0**-7 * w}, value={v: 3 * p[0] + 3 * p[1] - 3 * p[2]},
        output={t["x"]: 4 * v, t["y"]: 4.5}, scores="exact",
    )  # fmt: skip
    claim = after({"x": "x", "y": "x"})
    model = Program(embedding=(p, t, w, v), layers=(copy, mean), claim=claim).build()
    network = Network(model)
    head = network.heads[1][0]
    query = [float(x) for x in network.wpe[0] @ head.q[0] + head.q[1]]
    slot = Slot((1, 0), (query, [0.0] * len(query)), GAP, ())
    graphs = [[[[0, 0]]] * level for level in range(3)]
    sections = [Section(((k, 0), (k, 1)), None, (), None, (slot,), graph) for k, graph in enumerate(graphs)]
    followed = {(0, 0): (GAP, [[], [1], []])}
    lie = forged(
        model, sections, tokens=[[0, 1]] * 3, after=[[[0, 0]], [[0, 1]], [[0, 0], [0, 0]]], followed=followed
    )  # fmt: skip
    with pytest.raises(Rejected, match="the margin may be -"):
        examine(model, lie)


@pytest.mark.parametrize("lists", [2 * 10**6, 2 * 10**7])
def test_a_small_file_that_would_fill_the_memory_is_refused_unread(lists: int, tmp_path: Path) -> None:
    """Some kilobytes of a gzipped file stand for millions of empty lists: they are counted before they are made."""
    data = b'{"format": "handcraft certificate 2", "x": [' + b"[]," * lists + b"[]]}"
    (tmp_path / "bomb.json.gz").write_bytes(gzip.compress(data, 9))
    found = handcraft("verify", "aab", "--check", tmp_path / "bomb.json.gz")
    assert found.code == 2
    said = f"it has {lists + 3} lists and {lists + 1} items; at most 1048576 and 8388608 are read"
    assert found.err == f"error: {tmp_path / 'bomb.json.gz'}: {said}\n"
