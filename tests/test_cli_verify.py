"""`handcraft verify`: what a verdict rests on, and the exit: 0 right, 1 refuted, 3 undecided."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_runner import Result, handcraft
from pairs import BACKWARDS, BY_FUNCTION, SILENT, write

from handcraft.proof.assumptions import ASSUMPTIONS


def report(**changes: Any) -> dict[str, Any]:
    """The report on aab, all of it but the seconds, with some fields changed."""
    return (
        {
            "program": "aab",
            "verdict": "proved",
            "method": "certificate",
            "contexts": 62,
            "checked": 45,
            "accuracy": 1.0,
            "min_margin": 1023.0,
            "min_margin_at": ["a", "a"],
            "counterexample": None,
            "reason": None,
            "dtype": "float32",
        }
        | (
            {}
            if "method" in changes
            else {"error_bound": 0.0, "assumptions": list(ASSUMPTIONS)}
        )
        | changes
    )


def without_seconds(result: Result) -> dict[str, Any]:
    """The report of a run; how long it took is a number and no test's matter."""
    found = result.json
    assert found.pop("seconds") >= 0
    return found


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_aab_is_right_on_all_62_contexts(dtype: str, here: Path) -> None:
    """The claim of aab speaks of 45 of its 62 contexts, and the margin is 1023 in both
    precisions.
    """
    result = handcraft("verify", "aab", "--json", "--dtype", dtype)
    found = without_seconds(result)
    assert found.pop("error_bound") < 1e-10
    expected = report(
        dtype=dtype, min_margin=pytest.approx(1023, rel=1e-12)
    )  # in float64 exp(-362) is not 0
    del expected["error_bound"]
    assert (result.code, found) == (0, expected)


def test_verify_tells_people_what_the_verdict_rests_on(here: Path) -> None:
    """Without --json the report is a few lines."""
    result = handcraft("verify", "aab")
    assert (result.code, result.err) == (0, "")
    assert result.lines[:5] == [
        "aab: proved (certificate, float32)",
        "  contexts    62 covered, 45 where the claim speaks",
        "  accuracy    1",
        "  least margin 1023, after 'aa'",
        "  rounding    at most 0, in any order of summation",
    ]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_built_directory_is_verified_as_it_is(dtype: str, here: Path) -> None:
    """The claim travels with the weights, so a built directory can be checked alone."""
    handcraft("build", "aab", "--out", "built")
    result = handcraft("verify", "built", "--json", "--dtype", dtype)
    found = without_seconds(result)
    assert found.pop("error_bound") < 1e-10
    expected = report(
        dtype=dtype, min_margin=pytest.approx(1023, rel=1e-12)
    )  # in float64 exp(-362) is not 0
    del expected["error_bound"]
    assert (result.code, found) == (0, expected)


def change_weight(
    directory: str, change: Callable[[Any], None], *, sign: bool
) -> None:
    """Change the weights of a built directory; `sign` also updates the SHA-256 in program.json."""
    from safetensors.numpy import load, save

    weights = Path(directory, "model.safetensors")
    arrays = {
        name: array.copy() for name, array in load(weights.read_bytes()).items()
    }
    change(arrays)
    weights.write_bytes(save(arrays))
    if sign:
        fields = json.loads(Path(directory, "program.json").read_text())
        fields["sha256"] = hashlib.sha256(weights.read_bytes()).hexdigest()
        Path(directory, "program.json").write_text(json.dumps(fields))


def one_cell(cell: str, by: float) -> dict[str, Any]:
    """What the report says of weights that differ in one cell."""
    return {"cells": 1, "first": cell, "largest": by, "largest_at": cell}


def one_more(arrays: Any) -> None:
    """Raise one weight of the output by one."""
    arrays["blocks.0.attn.c_proj.w"][7, 5] += 1


@pytest.mark.parametrize(
    "command", [["verify"], ["run", "a"], ["explain"], ["trace", "a"]]
)
def test_a_changed_weight_file_is_refused(
    command: list[str], here: Path
) -> None:
    """A weight file that is not the one that was built is bad input, whatever is asked of it."""
    handcraft("build", "aab", "--out", "built")
    change_weight("built", one_more, sign=False)
    name, *rest = command
    result = handcraft(name, "built", *rest, "--json")
    assert result.refusal.startswith(
        "built/model.safetensors is not the file that was built: its SHA-256 is "
    )


def test_a_changed_weight_that_is_signed_again_is_found(here: Path) -> None:
    """A changed weight under a matching SHA-256 contradicts the rules: it is refuted, and the
    report names the cell.
    """
    handcraft("build", "aab", "--out", "built")
    change_weight("built", one_more, sign=True)
    result = handcraft("verify", "built", "--json")
    cell = "blocks.0.attn.c_proj.w[7, 5]"
    reason = f"the weights are not what the rules say, at {cell} by 1; the claim is proved"
    assert (result.code, without_seconds(result)) == (
        1,
        report(
            verdict="refuted",
            min_margin=1022.0,
            reason=reason,
            failed=["weights"],
            weights=one_cell(cell, 1.0),
        ),
    )


def test_several_changed_weights_are_counted(here: Path) -> None:
    """The first cell is named, the others are counted."""

    def change(arrays: Any) -> None:
        arrays["wte"][:] += 1

    handcraft("build", "aab", "--out", "built")
    change_weight("built", change, sign=True)
    result = handcraft("verify", "built")
    assert (result.code, result.err) == (1, "")
    assert result.lines[0] == "aab: refuted (exhaustive, float32)"
    assert "  failed      the weights and the claim" in result.lines
    assert (
        "  because     the weights are not what the rules say, at wte[0, 0] and 15 more,"
        in result.out
    )
    assert "at most by 1, at wte[0, 0]; the claim is refuted" in " ".join(
        result.out.split()
    )


def test_a_wrong_claim_is_refuted_by_its_shortest_counterexample(
    here: Path,
) -> None:
    """`aa` is the shortest context on which aab is not what the wrong claim says."""
    write("wrong.py", BACKWARDS)
    result = handcraft("verify", "wrong.py", "--json")
    assert result.code == 1
    found = without_seconds(result)
    assert (found["verdict"], found["contexts"], found["checked"]) == (
        "refuted",
        62,
        45,
    )
    assert found["counterexample"] == {
        "tokens": ["a", "a"],
        "expected": "a",
        "got": "b",
        "margin": -1023.0,
    }
    assert found["min_margin"] == -1023.0
    assert 0 < found["accuracy"] < 1


def test_a_counterexample_is_traced_for_people(here: Path) -> None:
    """Without --json a refutation shows the context, both tokens, and the whole forward pass on
    it.
    """
    write("wrong.py", BACKWARDS)
    result = handcraft("verify", "wrong.py")
    assert (result.code, result.err) == (1, "")
    assert result.lines[0] == "wrong: refuted (exhaustive, float32)"
    assert (
        "  wrong after 'aa': expected 'a', got 'b' (margin -1023)"
        in result.lines
    )
    trace = handcraft("trace", "wrong.py", "aa")
    assert result.out.endswith(trace.out)


def test_a_refutation_has_one_margin(here: Path) -> None:
    """That of the counterexample, not the least one of some longer context, and no accuracy of a
    draw that ended with the first mistake; the JSON has all numbers.
    """
    write("wrong.py", BACKWARDS)
    for method, numbers in (
        ("exhaustive", ["contexts    62 covered", "accuracy    0."]),
        ("sampled", ["contexts    "]),
    ):
        result = handcraft("verify", "wrong.py", "--method", method)
        ends = result.lines.index(
            "  wrong after 'aa': expected 'a', got 'b' (margin -1023)"
        )
        shown = zip(result.lines[1:ends], numbers, strict=True)
        assert all(line.strip().startswith(number) for line, number in shown)
    told = handcraft("verify", "wrong.py", "--method", "sampled", "--json").json
    assert (told["min_margin"], told["accuracy"] < 1) == (-1023.0, True)


def test_a_claim_that_is_a_function_needs_its_file(here: Path) -> None:
    """A built directory holds no code: a claim that is a function is checked beside its program
    file.
    """
    write("judged.py", BY_FUNCTION)
    handcraft("build", "judged.py", "--out", "built")
    alone = handcraft("verify", "built", "--json")
    assert (
        alone.refusal
        == "judged: the claim is the function '<lambda>', which a built directory does"
        " not hold; pass the file that does: --program judged.py (judged.py:6)"
    )
    together = handcraft("verify", "built", "--program", "judged.py", "--json")
    reason = (
        "not proved: the claim is the Python function '<lambda>'; what a function"
        " decides is not proved, and what an expression of handcraft.sequence.words"
        " decides can be"
    )
    expected = report(
        program="judged", verdict="checked", method="exhaustive", reason=reason
    )
    assert (together.code, without_seconds(together)) == (0, expected)


def test_the_weights_must_be_those_of_the_given_program(here: Path) -> None:
    """`--program` of other rules is no proof of anything: weights that could be theirs and are
    not refute them.
    """
    write("other.py", BY_FUNCTION.replace("1024 - 1024 * v", "1025 - 1024 * v"))
    handcraft("build", "aab", "--out", "built")
    result = handcraft("verify", "built", "--program", "other.py", "--json")
    cell = "blocks.0.attn.c_proj.b[5]"
    expected = report(
        verdict="refuted",
        reason=f"the weights are not what the rules say, at {cell} by 1; the claim is"
        " checked",
        method="exhaustive",
        failed=["weights"],
        weights=one_cell(cell, 1.0),
    )
    assert (result.code, without_seconds(result)) == (1, expected)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'token("ab")',
            'token("ba")',
            "vocab is ['a', 'b'], but the program's is ['b', 'a']",
        ),
        ("position(5)", "position(6)", "n_ctx is 5, but the program's is 6"),
        (
            "(pair,)",
            "(Block(heads=(pair, pair)),)",
            "n_head is 1, but the program's is 2",
        ),
        (
            "claim=",
            "activation='relu', claim=",
            "activation is gelu, but the program's is relu",
        ),
        (
            "(p, t, v)",
            "(p, t, v, scratch('w'))",
            "wte has the shape (2, 8), but the program's has (2, 9)",
        ),
    ],
    ids=["vocabulary", "n_ctx", "n_head", "activation", "shapes"],
)
def test_weights_that_cannot_be_those_of_the_given_program(
    old: str, new: str, message: str, here: Path
) -> None:
    """`--program` of another vocabulary, window, number of heads, activation or shape is a
    mistake, not a refutation; the claim alone could still be asked.
    """
    write("other.py", BY_FUNCTION.replace(old, new))
    handcraft("build", "aab", "--out", "built")
    for options in ([], ["--json"]):
        assert (
            handcraft(
                "verify", "built", "--program", "other.py", *options
            ).refusal
            == f"{message}; --claim other.py holds it to the claim alone"
        )


def test_more_contexts_than_the_budget_are_sampled(here: Path) -> None:
    """Where not every context fits the budget, some are drawn; none counts twice."""
    result = handcraft(
        "verify",
        "aab",
        "--method",
        "exhaustive,sampled",
        "--budget",
        "20",
        "--json",
    )
    found = result.json
    assert (result.code, found["verdict"], found["method"]) == (
        0,
        "checked",
        "sampled",
    )
    drawn = found["contexts"]  # with the prefixes of the last one
    assert found["reason"] == f"there are 62 contexts; {drawn} were drawn"
    assert 19 <= drawn < 25  # what hypothesis draws differs by its version
    assert 0 < found["checked"] <= drawn


def test_a_method_that_cannot_decide_says_so(here: Path) -> None:
    """Exhaustive alone with too small a budget is undecided: code 3, and the reason."""
    result = handcraft(
        "verify", "aab", "--method", "exhaustive", "--budget", "10", "--json"
    )
    expected = report(
        verdict="unknown",
        method="exhaustive",
        contexts=0,
        checked=0,
        accuracy=None,
        min_margin=None,
        min_margin_at=None,
        reason="there are 62 contexts, more than the budget of 10",
    )
    assert (result.code, without_seconds(result)) == (3, expected)


def test_methods_are_tried_in_order(here: Path) -> None:
    """`--method exhaustive,sampled` falls back, `--method sampled` draws at once."""
    for methods in ("exhaustive,sampled", "sampled"):
        result = handcraft(
            "verify", "aab", "--method", methods, "--budget", "20", "--json"
        )
        assert (result.code, result.json["method"]) == (0, "sampled")


def test_a_sample_can_refute(here: Path) -> None:
    """A drawn counterexample is shrunk to the shortest."""
    write("wrong.py", BACKWARDS)
    result = handcraft("verify", "wrong.py", "--method", "sampled", "--json")
    assert (result.code, result.json["counterexample"]["tokens"]) == (
        1,
        ["a", "a"],
    )


def test_a_sample_can_be_repeated(here: Path) -> None:
    """Drawing is decided by a fixed seed: two runs report the same."""
    runs = [
        without_seconds(
            handcraft(
                *("verify", "copy_previous", "--method", "sampled"),
                *("--budget", "10", "--json"),
            )
        )
        for _ in range(2)
    ]
    assert runs[0] == runs[1]


def test_a_budget_may_be_seconds(here: Path) -> None:
    """`--budget 30s` bounds the time, and aab needs far less."""
    result = handcraft("verify", "aab", "--budget", "30s", "--json")
    assert (result.code, without_seconds(result)) == (0, report())


def test_prompts_and_their_answers_count_as_one(here: Path) -> None:
    """The adder is checked on as many prompts as the budget says, each with its whole answer."""
    found = handcraft(
        "verify",
        "adder",
        "--method",
        "exhaustive,sampled",
        "--budget",
        "50",
        "--json",
    ).json
    assert (
        found["verdict"],
        found["method"],
        found["contexts"],
        found["checked"],
    ) == (
        "checked",
        "sampled",
        50,
        50,
    )
    assert found["accuracy"] == 1.0


def test_a_distribution_reports_its_error(here: Path) -> None:
    """Probabilities have neither accuracy nor margin, but a largest error."""
    result = handcraft("verify", "baby_gpt", "--json")
    found = result.json
    assert (
        result.code,
        found["verdict"],
        found["contexts"],
        found["checked"],
    ) == (
        0,
        "proved",
        14,
        8,
    )
    assert (found["accuracy"], found["min_margin"]) == (None, None)
    assert 0 <= found["max_probability_error"] < 1e-6


def test_a_claim_that_never_speaks_decides_nothing(here: Path) -> None:
    """Where the claim is silent on every context, the verdict is unknown: code 3."""
    write("silent.py", SILENT)
    result = handcraft("verify", "silent.py", "--json")
    assert (result.code, result.json["verdict"]) == (3, "unknown")
    assert (
        result.json["reason"]
        == "the claim is silent on every context that was checked"
    )
