"""Built directories whose program.json is refused: its text, its fields, and its rules."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import pytest
from cli_runner import handcraft
from damaging import (
    JSON,
    REFUSED,
    WEIGHTS,
    Built,
    Damage,
    bare,
    claim,
    fields,
    refused_directory,
    rules,
    text,
)
from refusing import Case, refused

pytestmark = pytest.mark.usefixtures("beside_ok")


DAMAGED = [
    # program.json as text
    Damage(
        "program.json a folder",
        lambda b: (b.json.unlink(), b.json.mkdir()),
        "built/program.json is a directory, not a file",
    ),
    Damage(
        "program.json missing",
        lambda b: b.json.unlink(),
        "the directory built holds neither program.json, which `handcraft build` writes, nor"
        " config.json, which a GPT-2 has",
    ),
    Damage(
        "program.json empty",
        lambda b: b.json.write_text(""),
        re.compile(rf"{JSON}: not valid JSON: .*"),
    ),
    Damage(
        "program.json cut off",
        lambda b: b.json.write_text(b.json.read_text()[:-9]),
        re.compile(rf"{JSON}: not valid JSON: .*"),
    ),
    Damage(
        "program.json in another encoding",
        lambda b: b.json.write_bytes(b"\xff\xfe{}"),
        re.compile(rf"{JSON}: not valid JSON: .*"),
    ),
    Damage(
        "program.json a list",
        lambda b: b.json.write_text("[]"),
        f"{JSON}: the JSON must be an object, found list",
    ),
    Damage(
        "program.json too deep",
        lambda b: b.json.write_text("[" * 100_000 + "]" * 100_000),
        f"{JSON}: the JSON is nested deeper than 128",
    ),
    Damage(
        "program.json too large",
        lambda b: b.json.write_text(" " * (2**20 + 1)),
        f"{JSON} has 1048577 bytes; at most 1048576 are read",
    ),
    text(
        "a key twice",
        '"n_ctx": 5',
        '"n_ctx": 5, "n_ctx": 5',
        f"{JSON}: the key 'n_ctx' stands twice in the JSON",
    ),
    text(
        "a NaN",
        '"n_ctx": 5',
        '"n_ctx": NaN',
        f"{JSON}: NaN is not a number of JSON",
    ),
    text(
        "an infinity",
        '"n_ctx": 5',
        '"n_ctx": -Infinity',
        f"{JSON}: -Infinity is not a number of JSON",
    ),
    text(
        "a number of 5000 digits",
        '"n_ctx": 5',
        f'"n_ctx": {"1" * 5000}',
        re.compile(rf"{JSON}: .*"),
    ),
    # the fields of program.json
    *(
        Damage(
            f"{key} missing",
            lambda b, key=key: b.edit(lambda f: f.pop(key)),
            f"{JSON}: it has no {key!r}",
        )
        for key in (
            "name",
            "vocab",
            "n_ctx",
            "n_head",
            "activation",
            "sha256",
            "program",
            "provenance",
        )
    ),
    fields(
        "an unknown field",
        f"{JSON}: it has an unknown field 'surprise'",
        surprise=1,
    ),
    fields(
        "a newer format",
        f"{JSON}: it is of format 5, made by a newer handcraft; this one reads formats"
        " 1 to 4",
        format=5,
    ),
    fields(
        "a format that is a text",
        f"{JSON}: 'format' must be a whole number, found '2'",
        format="2",
    ),
    fields(
        "a name of another type",
        f"{JSON}: 'name' must be of type str, found 7",
        name=7,
    ),
    fields(
        "a window that is a truth value",
        f"{JSON}: 'n_ctx' must be of type int, found True",
        n_ctx=True,
    ),
    fields(
        "a window that is a fraction",
        f"{JSON}: 'n_ctx' must be of type int, found 5.0",
        n_ctx=5.0,
    ),
    fields(
        "heads that are a text",
        f"{JSON}: 'n_head' must be of type int, found '1'",
        n_head="1",
    ),
    fields(
        "a name with ../",
        f"{JSON}: '../aab' is no name of a program",
        name="../aab",
    ),
    fields("an empty name", f"{JSON}: '' is no name of a program", name=""),
    fields(
        "a window of a billion",
        f"{JSON}: n_ctx must be 1 to 1048576, found 1000000000",
        n_ctx=10**9,
    ),
    fields(
        "a window of 0", f"{JSON}: n_ctx must be 1 to 1048576, found 0", n_ctx=0
    ),
    fields(
        "another window", f"{JSON}: n_ctx is 6, but wpe has 5 rows", n_ctx=6
    ),
    fields(
        "another activation",
        f"{JSON}: the activation must be gelu or relu, found 'swish'",
        activation="swish",
    ),
    fields("no head", f"{JSON}: n_head is 0, but the program's is 1", n_head=0),
    fields(
        "fewer heads than none",
        f"{JSON}: n_head is -1, but the program's is 1",
        n_head=-1,
    ),
    fields(
        "more heads than the rules have",
        f"{JSON}: n_head is 2, but the program's is 1",
        n_head=2,
    ),
    fields(
        "an activation that the rules do not have",
        f"{JSON}: activation is relu, but the program's is gelu",
        activation="relu",
    ),
    fields(
        "tokens that the rules do not have",
        f"{JSON}: vocab is ['b', 'a'], but the program's is ['a', 'b']",
        vocab=["b", "a"],
    ),
    fields(
        "a token of another type",
        f"{JSON}: vocab is [1, 2], but the program's is ['a', 'b']",
        vocab=[1, 2],
    ),
    fields(
        "a token twice",
        f"{JSON}: vocab is ['a', 'a'], but the program's is ['a', 'b']",
        vocab=["a", "a"],
    ),
    fields(
        "more tokens than rows",
        f"{JSON}: vocab is ['a', 'b', 'c'], but the program's is ['a', 'b']",
        vocab=["a", "b", "c"],
    ),
    fields(
        "rules that are a list",
        re.compile(rf"{JSON}: .*program.*found \[\]"),
        program=[],
    ),
    fields(
        "rules that are a text",
        re.compile(rf"{JSON}: .*program.*found '?aab'?"),
        program="aab",
    ),
    fields(
        "another SHA-256",
        re.compile(rf"{WEIGHTS} is not the file that was built: .*"),
        sha256="0" * 64,
    ),
    # the same without rules, where only the weights can contradict
    bare(
        "no rules and no head",
        f"{JSON}: n_embd 8 must be a positive multiple of n_head 0, and no matrix"
        " empty",
        n_head=0,
    ),
    bare(
        "no rules and fewer heads than none",
        f"{JSON}: n_embd 8 must be a positive multiple of n_head -1, and no matrix"
        " empty",
        n_head=-1,
    ),
    bare(
        "no rules and a token of another type",
        f"{JSON}: a token must be a non-empty text, found 1",
        vocab=[1, 2],
    ),
    bare(
        "no rules and a token twice",
        f"{JSON}: the token 'a' stands twice in the vocabulary",
        vocab=["a", "a"],
    ),
    bare(
        "no rules and more tokens than rows",
        f"{JSON}: 3 tokens, but wte has 2 rows",
        vocab=["a", "b", "c"],
    ),
    # the rules in program.json
    rules(
        "rules with an unknown key",
        lambda r: r.update(bogus=1),
        re.compile(rf"{JSON}: aab > bogus: has no such argument; it takes .*"),
    ),
    rules(
        "rules without layers",
        lambda r: r.update(layers=[]),
        re.compile(rf"{JSON}: .*layers?.*"),
    ),
    rules(
        "rules with a layer more",
        lambda r: r["layers"].append(r["layers"][0]),
        re.compile(rf"{JSON}: .*layers?.*"),
    ),
    rules(
        "rules of another window",
        lambda r: r.update(n_ctx=10**9),
        re.compile(
            rf"{JSON}: aab > n_ctx: the context window must be 1 to 1048576; found"
            r" 1000000000.*"
        ),
    ),
    rules(
        "rules of an unknown lane",
        lambda r: r["layers"][0]["heads"][0].update(adds={"nowhere": {"v": 1}}),
        re.compile(
            rf"{JSON}: aab > layers\[0\] > adds: nowhere is not a lane of the"
            r" embedding .*"
        ),
    ),
    rules(
        "rules past float32",
        lambda r: r["layers"][0]["heads"][0]["adds"].update(
            {"token:a": {"v": 1e39}}
        ),
        re.compile(r"built/program\.json: .*past the range of float32.*"),
    ),
    rules(
        "rules past every float",
        lambda r: r["layers"][0]["heads"][0]["adds"].update(
            {"token:a": {"v": 10**400}}
        ),
        REFUSED,
    ),
    rules(
        "rules with a wider embedding",
        lambda r: r["embedding"].append(r["embedding"][2] | {"name": "w"}),
        f"{JSON}: wte has the shape (2, 8), but the program's has (2, 9)",
    ),
    claim(
        "a claim of another kind",
        re.compile(rf"{JSON}: aab > claim: .*bogus.*"),
        kind="bogus",
    ),
    claim(
        "a claim on an unknown token",
        re.compile(
            rf"{JSON}: aab > claim: the token 'z' is not in the vocabulary 'a', 'b'.*"
        ),
        kind="after",
        table=[["aa", "z"]],
    ),
    claim(
        "a claim of no entry",
        re.compile(rf"{JSON}: aab > claim: .*at least one entry.*"),
        kind="after",
        table=[],
    ),
    claim(
        "prompts that never close",
        re.compile(rf"{JSON}: aab > claim.*this \( is never closed.*"),
        kind="answers",
        prompts="(a",
        answer="f",
    ),
    claim(
        "prompts nested too deep",
        re.compile(rf"{JSON}: aab > claim.*it is nested deeper than 50.*"),
        kind="answers",
        prompts="(" * 3000 + "a" + ")" * 3000,
        answer="f",
    ),
    claim(
        "prompts repeated without end",
        re.compile(
            rf"{JSON}: aab > claim.*it has more than 2000 characters, repetitions"
            r" written out.*"
        ),
        kind="answers",
        prompts="a{0,4000}",
        answer="f",
    ),
]


@pytest.mark.parametrize("damage", DAMAGED, ids=lambda damage: damage.name)
def test_a_built_directory_that_is_refused(
    damage: Damage, built: Built
) -> None:
    """A built directory is someone else's data: whatever is amiss, it is refused, and the same
    for every command.
    """
    refused_directory(damage, built)


def test_a_directory_of_other_rules_is_refused(built: Built) -> None:
    """Rules of another program beside the weights of aab explain nothing: their shapes differ."""
    handcraft("build", "abc", "--out", "other")
    other = json.loads(Path("other/program.json").read_text())["program"]
    built.edit(lambda found: found.update(program=other))
    for argv in (
        ["run", "built", "aa"],
        ["explain", "built"],
        ["trace", "built", "aab"],
    ):
        refused(Case("other rules", None, REFUSED, argv))


def test_a_directory_without_rules_still_runs(built: Built) -> None:
    """Weights alone are a model: they run and can be shown by number, but there is nothing to
    verify.
    """
    built.edit(lambda found: found.update(program=None, provenance={}))
    assert handcraft("run", "built", "a", "-n", "10").out == "baabaabaab\n"
    for argv in (
        ["explain", "built"],
        ["trace", "built", "aab"],
        ["diff", "built", "aab"],
    ):
        assert handcraft(*argv).code == 0
    refused(
        Case(
            "no rules",
            None,
            "aab: has no rules and no claim; pass a file that has one: --claim FILE",
            ["verify", "built"],
        )
    )


@pytest.mark.parametrize(
    "prompts",
    [
        "((a{4096}){4096}){4096}",
        "(((a?){4096}){4096}){4096}",
        "(((){4096}){4096}){4096}",
    ],
)
def test_prompts_that_would_fill_the_memory_are_refused(
    prompts: str, built: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nested repetitions multiply: the expression is refused before it is written out."""
    from handcraft.claims import regex as module

    read, count = module._Parser.atom, itertools.count()

    def counted(parser: module._Parser) -> module.Piece:
        if next(count) > 10**5:
            raise MemoryError("the expression is being written out")
        return read(parser)

    monkeypatch.setattr(module._Parser, "atom", counted)
    built.edit(
        lambda found: found["program"].update(
            claim={"kind": "answers", "prompts": prompts, "answer": "f"}
        )
    )
    refused(Case(prompts, None, REFUSED, ["run", "built", "aa"]))
