"""What the page says about a model's numbers and cells: against the trace and the explanation, and
edits against a model with the same weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asking import asked_contexts
from drawn_weights import random_weights
from node import Engine

from handcraft import Model
from handcraft.analysis.explain import explain
from handcraft.core.gpt2 import Array, convert, gpt2
from handcraft.core.provenance import Reason
from handcraft.core.vocabulary import Vocabulary
from handcraft.core.weights import flatten, nest
from handcraft.files.bundled import bundled

EVERY = list(bundled())
SOME = ["aab", "adder", "baby_gpt", "sort", "induction", "sequence/pattern"]


def trained(*, n_layer: int = 2, norms: bool = True) -> Model:
    """Weights without rules."""
    weights = random_weights(9, norms=norms, n_layer=n_layer, dtype="float32")
    return Model("trained", weights, Vocabulary(("a", "b", "c")), 2)


def edited(model: Model) -> Model:
    """A model with one weight that is not what its rules say."""
    flat = {k: v.copy() for k, v in flatten(model.weights).items()}
    flat["wte"][0, 0] += 0.25
    return model.replace(weights=nest(flat, model.n_layer))


@pytest.mark.parametrize("name", EVERY)
def test_each_rule_gives_to_the_logits_what_the_trace_says(
    name: str, tmp_path: Path
) -> None:
    """And together they give the logits."""
    model = Model.open(name)
    (ids,) = asked_contexts(model, 1)
    said, logits = Engine(tmp_path, model).ask(
        ("contributions", ids, len(ids) - 1), ("last", ids)
    )
    size = max(np.abs(logits).max(), 1)
    trace = model.trace([model.vocabulary.tokens[i] for i in ids])
    ours: dict[str, Any] = {}
    for one in said:  # the trace joins rules of one path
        path = one["rule"]["path"]
        ours[path] = ours.get(path, 0) + np.array(one["logits"])
    by_rule = {x["rule"]: [*x["logits"].values()] for x in trace.contributions}
    assert by_rule.keys() <= ours.keys()
    largest = max(np.abs(x).max() for x in by_rule.values())
    for path, row in ours.items():  # a neuron may be 0 in NumPy, and 1e-30 here
        theirs = np.array(by_rule.get(path, 0.0))
        assert np.abs(row - theirs).max() <= 1e-4 * largest
    assert np.abs(sum(ours.values()) - logits).max() <= 1e-5 * max(
        size, largest
    )


@pytest.mark.parametrize("norms", [True, False])
def test_parts_of_weights_without_rules_give_the_logits(
    norms: bool, tmp_path: Path
) -> None:
    """Each part of a trained model counts as a rule, behind the last layer norm too."""
    model = trained(norms=norms)
    said, logits = Engine(tmp_path, model).ask(
        ("contributions", [0, 2, 1], 2), ("last", [0, 2, 1])
    )
    paths = {one["rule"]["path"] for one in said}
    assert {"wte", "wpe", "0.h0.o", "1.h1.o", "0.mlp.c_proj"} <= paths
    whole = sum(np.array(one["logits"]) for one in said)
    np.testing.assert_allclose(whole, logits, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", [*SOME, "trained"])
def test_a_score_is_the_sum_of_pairs_of_lanes(
    name: str, tmp_path: Path
) -> None:
    """For every head, of the last query and every key."""
    model = trained() if name == "trained" else Model.open(name)
    (ids,) = asked_contexts(model, 1)
    last = len(ids) - 1
    jobs = [
        ("scoreParts", ids, layer, h, last, key)
        for layer, block in enumerate(model.weights["blocks"])
        for h in range(model.n_head if "attn" in block else 0)
        for key in range(last + 1)
    ]
    assert jobs
    for said in Engine(tmp_path, model).ask(*jobs):
        parts = [one["part"] for one in said["parts"]]
        size = sum(map(abs, parts)) + 1
        assert abs(sum(parts) - said["score"]) <= 1e-5 * size


@pytest.mark.parametrize("name", [*EVERY, "trained", "edited"])
def test_parts_and_cells_are_those_of_explain(
    name: str, tmp_path: Path
) -> None:
    """The same parts with the same rows and columns, and each cell with its value and its rule. The
    page also shows the row of a bias where all of it is 0, since it can be set there.
    """
    model = {"trained": trained, "edited": lambda: edited(Model.open("sort"))}
    opened = model[name]() if name in model else Model.open(name)
    views = explain(opened).views
    jobs = [("cells", view.part) for view in views]
    parts, *cells, rules = Engine(tmp_path, opened).ask(
        ("parts",), *jobs, ("rules",)
    )
    assert [one["part"] for one in parts] == [view.part for view in views]
    for view, part, found in zip(views, parts, cells, strict=True):
        assert part["title"] == view.title
        assert part["columns"] == list(view.columns)
        assert part["rows"][: len(view.rows)] == list(view.rows)
        assert part["rows"][len(view.rows) :] in ([], ["1"])
        ours = [
            (part["rows"][c["row"]], part["columns"][c["column"]], c["value"])
            for c in found
        ]
        assert ours == [(c.row, c.column, c.value) for c in view.cells]
        for own, theirs in zip(found, view.cells, strict=True):
            named = [rules[i] for i in own["rules"]]
            texts = "; ".join(dict.fromkeys(one["text"] for one in named))
            edit = name == "edited" and texts == "no rule wrote this"
            assert texts == theirs.text or edit


@pytest.mark.parametrize("name", SOME)
def test_a_rule_leads_to_its_cells(name: str, tmp_path: Path) -> None:
    """To all that it wrote, in the parts where they stand, and to no other."""
    model = Model.open(name)
    engine = Engine(tmp_path, model)
    rules, parts = engine.ask(("rules",), ("parts",))
    by_part = {one["part"]: one for one in parts}
    found = engine.ask(*(("cellsOf", i) for i in range(len(rules))))
    for rule, cells in zip(rules, found, strict=True):
        reason = Reason(rule["path"], rule["text"], rule["source"])
        own = [e for e in model.entries if e.reason == reason]
        assert [c["value"] for c in cells] == [e.value for e in own]
        for cell, entry in zip(cells, own, strict=True):
            part = by_part[cell["part"]]
            row = part["rows"][cell["row"]]
            if entry.matrix == "wte":
                assert row == model.vocabulary.tokens[entry.row]
            assert 0 <= cell["column"] < len(part["columns"])


def without(model: Model, reason: Reason) -> Model:
    """The model of all rules but one."""
    flat = {
        name: np.zeros(array.shape)
        for name, array in flatten(model.weights).items()
    }
    for entry in model.entries:
        if entry.reason != reason:
            array = np.atleast_2d(flat[entry.matrix])
            array[entry.row, entry.column] += entry.value
    arrays = {name: array.astype(np.float32) for name, array in flat.items()}
    return model.replace(weights=nest(arrays, model.n_layer))


def logits_of(model: Model, ids: list[int]) -> Array:
    """The logits of these float32 weights, computed in float64."""
    exact = convert(model.weights, lambda array: array.astype(np.float64))
    return gpt2(np.array(ids), **exact, **model.config)


@pytest.mark.parametrize("name", ["aab", "adder", "sequence/sort"])
def test_a_rule_that_is_off_is_a_model_without_it(
    name: str, tmp_path: Path
) -> None:
    """For every rule; on again, all is as before."""
    model = Model.open(name)
    (ids,) = asked_contexts(model, 1)
    reasons = list(dict.fromkeys(entry.reason for entry in model.entries))
    jobs: list[Any] = []
    for reason in reasons:
        jobs += [
            ("switchRule", reason.rule, reason.text, False),
            ("logits", ids),
            ("switchRule", reason.rule, reason.text, True),
        ]
    said = Engine(tmp_path, model).ask(*jobs, ("logits", ids))
    for reason, ours in zip(reasons, said[1::3], strict=False):
        near(ours, logits_of(without(model, reason), ids))
    near(said[-1], logits_of(model, ids))


def near(ours: Any, theirs: Any) -> None:
    size = np.abs(np.array(theirs)).max()
    np.testing.assert_allclose(ours, theirs, atol=1e-5 * max(size, 1))


def test_cells_are_set_and_set_back(tmp_path: Path) -> None:
    """Three cells of different parts: after each edit, and undone, redone and reset, the logits are
    those of a model with these weights.
    """
    model = Model.open("aab")
    ids = model.ids("aab")
    edits = [
        ("wte", 0, 5, 3.0, "wte", 0, 5),
        ("0.h0.q", 5, 2, -1.0, "blocks.0.attn.c_attn.w", 5, 2),
        ("0.h0.o", 8, 1, 0.5, "blocks.0.attn.c_proj.b", 0, 1),
    ]
    parts, *_ = Engine(tmp_path, model).ask(("parts",))
    names = {one["part"]: one for one in parts}
    query = names["0.h0.q"]["columns"].index("position:2")
    assert query == 2
    output = names["0.h0.o"]["rows"]
    edits[2] = (
        "0.h0.o", output.index("1"), 1, 0.5, "blocks.0.attn.c_proj.b", 0, 1,
    )  # fmt: skip
    flat = {k: v.copy() for k, v in flatten(model.weights).items()}
    stages = [logits_of(model, ids)]
    for *_, value, matrix, row, column in edits:
        np.atleast_2d(flat[matrix])[row, column] = value
        copies = {k: v.copy() for k, v in flat.items()}
        changed = model.replace(weights=nest(copies, model.n_layer))
        stages.append(logits_of(changed, ids))
    jobs: list[Any] = []
    for part, row, column, value, *_ in edits:
        jobs += [("setCell", part, row, column, value), ("logits", ids)]
    jobs += [("undo",), ("logits", ids)] * 2 + [("redo",), ("logits", ids)]
    jobs += [("reset",), ("logits", ids), ("undo",), ("logits", ids)]
    said = Engine(tmp_path, model).ask(*jobs)[1::2]
    for ours, stage in zip(said, [1, 2, 3, 2, 1, 2, 0, 0], strict=True):
        near(ours, stages[stage])


def test_a_new_edit_ends_what_was_undone(tmp_path: Path) -> None:
    """As in any editor: after an edit there is nothing to redo."""
    model = Model.open("aab")
    jobs = [
        ("setCell", "wte", 0, 5, 3.0), ("setCell", "wte", 0, 5, 4.0),
        ("undo",), ("setCell", "wte", 1, 5, 7.0), ("redo",), ("cells", "wte"),
        ("read", "edits"),
    ]  # fmt: skip
    *_, cells, edits = Engine(tmp_path, model).ask(*jobs)
    values = {(c["row"], c["column"]): c["value"] for c in cells}
    assert values[0, 5] == 3
    assert values[1, 5] == 7
    assert edits == [2]


def test_a_part_of_a_trained_model_can_be_switched_off(tmp_path: Path) -> None:
    """A head without its output is a head that writes nothing; undone, it writes again."""
    model = trained()
    flat = {k: v.copy() for k, v in flatten(model.weights).items()}
    flat["blocks.1.attn.c_proj.w"][:4] = 0
    ids = [0, 1, 2]
    unruled = "no rule wrote this"
    said = Engine(tmp_path, model).ask(
        ("contributions", ids, 2),
        ("switchRule", "1.h0.o", unruled, False),
        ("logits", ids),
        ("undo",),
        ("logits", ids),
    )
    near(said[2], logits_of(model.replace(weights=nest(flat, 2)), ids))
    near(said[4], logits_of(model, ids))


def test_weights_changed_after_they_were_compiled_run_as_they_are(
    tmp_path: Path,
) -> None:
    """One weight of a built directory that is not what its rules say is in the page as it is."""
    model = edited(Model.open("sort"))
    contexts = asked_contexts(Model.open("sort"), 20)
    found = Engine(tmp_path, model).ask(*(("last", ids) for ids in contexts))
    for ids, ours in zip(contexts, found, strict=True):
        near(ours, logits_of(model, ids)[-1])


def test_sums_are_those_of_the_compiler(tmp_path: Path) -> None:
    """Every matrix of every program, cell for cell, after the page has added its entries up."""
    for name in SOME:
        model = Model.open(name)
        (said,) = Engine(tmp_path, model).ask(("weights",))
        arrays = flatten(model.weights)
        assert list(said) == list(arrays)
        for key, array in arrays.items():
            assert said[key] == [float(x) for x in array.ravel()]
