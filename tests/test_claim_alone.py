"""`verify --claim FILE` holds any model to a claim alone; `--program FILE` to rules too, and says
which of the two failed.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_runner import handcraft
from conftest import Refused
from pairs import BACKWARDS, BY_FUNCTION, RULES, write

from handcraft import Model, verify
from handcraft.core.errors import ProgramError
from handcraft.core.weights import flatten, nest

RIGHT = 'after({"aa": "b", "ab": "a", "ba": "a"})'
ALONE = f"from handcraft import *\nclaim = {RIGHT}\n"


def save(directory: str, *, trained: bool, rules: bool) -> None:
    """The model aab, perhaps with other weights that say the same, perhaps without its rules."""
    model = Model.open("aab")
    arrays = {k: array.copy() for k, array in flatten(model.weights).items()}
    if trained:
        arrays["wte"][0, 5] += 0.5
        arrays["wpe"][2, 7] += 0.25
    program = model.program if rules else None
    weights = nest(arrays, len(model.weights["blocks"]))
    model.replace(weights=weights, program=program).save(directory)


@pytest.mark.parametrize("rules", [True, False])
@pytest.mark.parametrize(
    "claim", ["aab", "alone.py", "by_function.py", "built", "named.py"]
)
def test_a_trained_model_is_held_to_a_claim(
    claim: str, rules: bool, here: Path
) -> None:
    """Weights that are not what any rules say are right where they do what the claim says."""
    write("alone.py", ALONE)
    write("by_function.py", BY_FUNCTION)
    write(
        "named.py",
        f"def claim(context):\n    return {RIGHT[6:-1]}.get(context[-2:])\n",
    )
    handcraft("build", "aab", "--out", "built")
    save("trained", trained=True, rules=rules)
    result = handcraft("verify", "trained", "--claim", claim, "--json")
    found = result.json
    assert (result.code, found["verdict"]) in [(0, "checked"), (0, "proved")]
    assert (found["contexts"], found["checked"], found["accuracy"]) == (
        62,
        45,
        1.0,
    )
    assert (found["claim"], "failed" in found) == (claim, False)


def test_a_claim_alone_is_proved_of_handmade_weights(here: Path) -> None:
    """Where a model has rules the claim is proved as its own would be, and a certificate is of that
    claim.
    """
    write("alone.py", ALONE)
    write("backwards.py", BACKWARDS)
    result = handcraft(
        *(
            "verify",
            "aab",
            "--claim",
            "alone.py",
            "--certificate",
            "c",
            "--json",
        )
    )
    assert (result.code, result.json["verdict"]) == (0, "proved")
    again = handcraft(
        "verify", "aab", "--claim", "alone.py", "--check", "c", "--json"
    )
    assert (again.code, again.json["verdict"]) == (0, "proved")
    other = handcraft(
        "verify", "aab", "--claim", "backwards.py", "--check", "c"
    )
    assert other.code == 1
    assert "it is a certificate of another claim" in other.out


@pytest.mark.parametrize("rules", [True, False])
def test_a_claim_alone_is_refuted(rules: bool, here: Path) -> None:
    """A wrong claim is refuted by its counterexample, which is what failed."""
    write("backwards.py", BACKWARDS)
    save("trained", trained=True, rules=rules)
    result = handcraft("verify", "trained", "--claim", "backwards.py", "--json")
    found = result.json
    assert (result.code, found["verdict"], found["failed"]) == (
        1,
        "refuted",
        ["claim"],
    )
    assert found["counterexample"]["tokens"] == ["a", "a"]
    assert found["accuracy"] < 1


def test_weights_without_rules_are_not_proved(here: Path) -> None:
    """A proof is of hand-made weights; others fall to enumeration, with the reason."""
    write("alone.py", ALONE)
    save("foreign", trained=False, rules=False)
    result = handcraft("verify", "foreign", "--claim", "alone.py")
    assert (result.code, result.err) == (0, "")
    assert result.lines[0] == "aab: checked (exhaustive, float32)"
    assert result.lines[4:6] == [
        "  claim       that of alone.py, alone",
        "  because     not proved: the model has no rules, and so no proof",
    ]


WEIGHTS = (
    "the weights are not what the rules say, at wpe[2, 7] and 1 more, at most by 0.5, at"
    " wte[0, 5]"
)


@pytest.mark.parametrize(
    ("program", "trained", "failed", "reason"),
    [
        (RULES % RIGHT, True, ["weights"], f"{WEIGHTS}; the claim is proved"),
        (BACKWARDS, False, ["claim"], None),
        (
            BACKWARDS,
            True,
            ["weights", "claim"],
            f"{WEIGHTS}; the claim is refuted",
        ),
    ],
)
def test_what_failed(
    program: str,
    trained: bool,
    failed: list[str],
    reason: str | None,
    here: Path,
) -> None:
    """A model held to rules and claim is refuted by either, and the report says by which."""
    write("f.py", program)
    save("built", trained=trained, rules=True)
    result = handcraft("verify", "built", "--program", "f.py", "--json")
    found = result.json
    assert (result.code, found["verdict"]) == (1, "refuted")
    assert (found["failed"], found["reason"]) == (failed, reason)
    weights = {"cells": 0}
    if trained:
        weights = {
            "cells": 2,
            "first": "wpe[2, 7]",
            "largest": 0.5,
            "largest_at": "wte[0, 5]",
        }
    assert found["weights"] == weights
    assert (found["accuracy"] == 1.0) == (failed == ["weights"])
    line = f"  failed      the {' and the '.join(failed)}"
    more = "" if trained else "; the weights are what the rules say"
    assert (
        line + more in handcraft("verify", "built", "--program", "f.py").lines
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "claim = after({'aa': 'c'})",
            "aab > claim: the token 'c' is not in the vocabulary 'a', 'b' (f.py:2)",
        ),
        (
            "claim = after({'a' * 6: 'b'})",
            (
                "aab > claim: the ending 'aaaaaa' is longer than n_ctx 5, so it never speaks"
                " (f.py:2)"
            ),
        ),
        (
            "claim = residual('v', lambda context: 0.0)",
            (
                "aab: the claim is about the lane v, and the model has no rules that name any"
                " (f.py:2)"
            ),
        ),
        (
            "program = Program(embedding=(position(5), token('abc')), claim=len)",
            (
                "aab: the claim of f does not fit: it is over the tokens a, b, c, and the"
                " model's are a, b (f.py:2)"
            ),
        ),
        (
            "program = Program(embedding=(position(9), token('ba')), claim=len)",
            (
                "aab: the claim of f does not fit: it is about 9 positions, and the model"
                " has 5 (f.py:2)"
            ),
        ),
        (
            (
                "program = Program(embedding=(position(5), token('ab')), causal=False,"
                " claim=len)"
            ),
            (
                "aab: the claim of f does not fit: its program is not causal, and the model"
                " is causal (f.py:2)"
            ),
        ),
        (
            "claim = 3",
            (
                "f: a claim is a table {last tokens: next token}, such as {'aa': 'b'}, a"
                " claim such as answers(...), an expression, or a function of the"
                " context; found int 3"
            ),
        ),
        (
            "program = Program(embedding=(position(5), token('ab')))",
            (
                "f: no `claim`, and no `program` that has one; the file must define `claim`,"
                " such as `claim = after(...)`, or `program = Program(..., claim=...)`"
                " (f.py)"
            ),
        ),
        (
            "def claim(): return 'a'",
            (
                "f: a claim's function takes one argument, the context (of `answers`, the"
                " prompt), and this one is claim() (f.py:2)"
            ),
        ),
        (
            "def claim(context): return context[9]",
            (
                "aab > claim: the function 'claim' raised IndexError: string index out of"
                " range on the context 'a'; where the claim says nothing, return None"
                " (f.py:2)"
            ),
        ),
    ],
)
def test_a_claim_that_does_not_fit(text: str, message: str, here: Path) -> None:
    """A claim is held to the model's own tokens, window and lanes; what does not fit is told."""
    write("f.py", f"from handcraft import *\n{text}\n")
    save("foreign", trained=False, rules=False)
    for options in ([], ["--json"]):
        result = handcraft("verify", "foreign", "--claim", "f.py", *options)
        assert result.refusal == message


def test_a_claim_and_its_options(here: Path) -> None:
    """What does not go together is refused, and a model without a claim names the way."""
    write("alone.py", ALONE)
    save("foreign", trained=False, rules=False)
    for arguments, message in {
        ("--claim", "alone.py", "--program", "aab"): (
            "--program holds a model to rules and claim, --claim to a claim alone; pass"
            " one of them"
        ),
        ("--claim", "alone.py", "--certificate", "c"): (
            "aab: the model has no rules, and so no proof; leave out --certificate and"
            " --check"
        ),
        ("--claim", "foreign"): (
            "aab: has no rules and no claim; pass a file that has one: --claim FILE"
        ),
        (): (
            "aab: has no rules and no claim; pass a file that has one: --claim FILE"
        ),
    }.items():
        assert handcraft("verify", "foreign", *arguments).refusal == message
    assert not Path("c").exists()


def test_a_directory_that_has_no_claim(here: Path) -> None:
    """A GPT-2 of another runtime says nothing of what is right, and rules stand in a file."""
    handcraft("export", "aab", "--to", "gpt2", "--out", "other")
    handcraft("build", "aab", "--out", "built")
    without = (
        "other is a GPT-2 without a claim: it has no program.json; a claim is taken from"
        " a program file, a bundled program or a built directory"
    )
    no_file = (
        "--program takes a program file, or the name of a bundled program; {} is a"
        " directory"
    )
    for option, name, message in (
        ("--claim", "other", without),
        ("--program", "other", no_file.format("other")),
        ("--program", "built", no_file.format("built")),
    ):
        assert handcraft("verify", "aab", option, name).refusal == message
    assert handcraft("verify", "aab", "--claim", "built").code == 0
    with Refused(ProgramError, without):
        verify("aab", claim="other")


@pytest.mark.parametrize("option", ["--certificate", "--check", "--checkpoint"])
def test_an_empty_name_of_a_file(option: str) -> None:
    """It is not taken for the working directory, nor left out in silence."""
    result = handcraft("verify", "aab", option, "")
    assert result.refusal == f"{option} is empty; name a file"


@pytest.mark.parametrize(
    "command",
    [
        ["run", "a", "-n", "3"],
        ["trace", "aab"],
        ["explain"],
        ["states"],
        ["export", "--to", "picogpt", "--out", "e"],
    ],
)
def test_only_verify_needs_the_function(command: list[str], here: Path) -> None:
    """A built directory whose claim is a function does all else; verify names the file, twice
    where it is asked for a claim alone.
    """
    write("f.py", BY_FUNCTION)
    handcraft("build", "f.py", "--out", "built")
    name, *rest = command
    result = handcraft(name, "built", *rest)
    assert (result.code, result.err) == (0, "")
    for options, option in (
        ([], "--program"),
        (["--claim", "built"], "--claim"),
    ):
        for json in ([], ["--json"]):
            assert handcraft("verify", "built", *options, *json).refusal == (
                "f: the claim is the function '<lambda>', which a built directory does"
                f" not hold; pass the file that does: {option} f.py (f.py:6)"
            )
