"""Program: what is inferred, what is checked across rules, and the trip through JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from conftest import EVERY_PROGRAM, Refused, bundled_program, no_claim, programs
from hypothesis import given
from pydantic import ValidationError

from handcraft import (
    MLP,
    Block,
    Head,
    Neuron,
    Program,
    after,
    answers,
    distribution,
    local,
    position,
    residual,
    scratch,
    slot,
    token,
)
from handcraft.core.errors import ProgramError
from handcraft.core.frozen import UnknownAttributeError
from handcraft.language.rules import Block as Layer
from handcraft.language.slot_tables import MAX_N_CTX

p, t, v, w = position(3), token("ab"), scratch("v"), scratch("w")
anchor = local("anchor")
SLOTS = "position, token, v"


def mine(*layers: Any, **fields: Any) -> Program:
    """A program with the slots p, t and v."""
    return Program(
        **({"name": "mine", "embedding": (p, t, v), "layers": layers} | fields)
    )


def head(**fields: Any) -> Head:
    """A head that moves v."""
    return Head(**({"value": v, "adds": {t["a"]: v}} | fields))


# ---------------------------------------------------------------- what is inferred


def test_vocabulary_and_window_come_from_the_tables() -> None:
    """The tokens are those that the tables name, in their order, the window is that of the
    position tables.
    """
    s = slot("s", token={"b": 1, "c": 2})
    program = Program(embedding=(s, position(4), token("ab")))
    assert (program.vocabulary, program.n_ctx) == (("b", "c", "a"), 4)


def test_vocabulary_and_window_may_be_given() -> None:
    """Where no table says so, or where there are tokens without a table, the author does."""
    program = Program(embedding=(token("ab"),), vocabulary="bac", n_ctx=7)
    assert (program.vocabulary, program.n_ctx) == (("b", "a", "c"), 7)


def test_the_name_is_that_of_the_file() -> None:
    """A program is called as its author's file, unless it is given a name."""
    assert Program(embedding=(p, t)).name == "test_program"
    assert Program(embedding=(p, t), name="other").name == "other"


def test_bare_rules_are_blocks() -> None:
    """A bare head, MLP or neuron is a block of one."""
    neuron = Neuron(when=v, adds={v: 1})
    program = mine(
        head(), MLP([neuron]), neuron, Block([head()], MLP([neuron]))
    )
    assert program.layers == (
        Layer(heads=(head(),)),
        Layer(mlp=MLP([neuron])),
        Layer(mlp=MLP([neuron])),
        Layer(heads=(head(),), mlp=MLP([neuron])),
    )


def test_a_program_is_frozen_and_knows_its_line() -> None:
    """A program cannot be changed, and carries the file and line where it was written."""
    program = mine()
    assert program.source.file == __file__
    with Refused(
        UnknownAttributeError,
        "Program > name: is frozen; a changed copy of it is .model_copy(update={'name': ...})",
        here=True,
    ):
        program.name = "other"


# ---------------------------------------------------------------- JSON


@pytest.mark.parametrize("name", EVERY_PROGRAM)
def test_bundled_programs_round_trip_through_json(name: str) -> None:
    """Each bundled program reads back equal from its JSON, and writes the same JSON again."""
    program = bundled_program(name)
    read = Program.model_validate_json(program.model_dump_json())
    assert read == program
    assert read.model_dump_json() == program.model_dump_json()


@pytest.mark.slow
@given(programs())
def test_programs_round_trip_through_json(program: Program) -> None:
    """Any program reads back equal from its JSON."""
    assert Program.model_validate_json(program.model_dump_json()) == program


def test_unknown_fields_in_json_are_refused() -> None:
    """A file with a field that the language lacks is refused."""
    with pytest.raises(
        (ProgramError, ValidationError), match="has no such argument"
    ):
        Program.model_validate(mine().model_dump(mode="json") | {"extra": 1})


# ---------------------------------------------------------------- errors between rules

MISMATCH = "asks about position (3 lanes) but the key offers"


@pytest.mark.parametrize(
    ("rule", "path", "message"),
    [
        (
            head(query=p, key=t),
            "layers[0] > query",
            f"{MISMATCH} token (2 lanes)",
        ),
        (
            head(query=p, key=p.previous),
            "layers[0] > query",
            f"{MISMATCH} position (2 lanes); not offered: position:2",
        ),
        (
            head(query={p[0]: 1, p[1]: 1}, key={p[0]: 1, p[2]: 1}),
            "layers[0] > query",
            (
                "asks about position (2 lanes) but the key offers position (2 lanes);"
                " not offered: position:1; not asked: position:2"
            ),
        ),
        (
            head(query={p: w}),
            "layers[0] > query",
            f"w is not a lane of the embedding (those are {SLOTS})",
        ),
        (
            head(query={w: 1}),
            "layers[0] > key",
            f"w is not a lane of the embedding (those are {SLOTS})",
        ),
        (
            head(query={w: 1}, key={w: 1}),
            "layers[0] > query",
            f"w is not a lane of the embedding (those are {SLOTS})",
        ),
        (
            head(query={anchor: 1}),
            "layers[0] > key",
            f"@anchor is not a lane of the embedding (those are {SLOTS})",
        ),
        (
            head(query={anchor: anchor}, key={anchor: 1}),
            "layers[0] > query",
            f"@anchor is not a lane of the embedding (those are {SLOTS})",
        ),
        (
            head(value={v: w}),
            "layers[0] > value",
            f"w is not a lane of the embedding (those are {SLOTS})",
        ),
        (
            head(value={w: v}, adds={t["a"]: w}),
            "layers[0] > value",
            f"w is not a lane of the embedding (those are {SLOTS})",
        ),
        (
            head(adds={anchor: v}),
            "layers[0] > adds",
            f"@anchor is not a lane of the embedding (those are {SLOTS})",
        ),
        (
            head(adds={t["a"]: t["b"]}),
            "layers[0] > adds",
            "token:b is not a value lane of this head (those are v)",
        ),
        (
            head(adds={scratch("tokn", "a"): v}),
            "layers[0] > adds",
            (
                f"tokn:a is not a lane of the embedding (those are {SLOTS}); did you"
                " mean 'token:a'?"
            ),
        ),
        (
            head(adds={token("abc")["c"]: v}),
            "layers[0] > adds",
            (
                "token:c is not a lane of the embedding (those are position:0, "
                "position:1, position:2, token:a, token:b, v)"
            ),
        ),
        (
            head(value={v: w}, name="seer"),
            "layers[0] > seer > value",
            f"w is not a lane of the embedding (those are {SLOTS})",
        ),
        (
            Block([head(), head(value={v: w})]),
            "layers[0] > heads[1] > value",
            f"w is not a lane of the embedding (those are {SLOTS})",
        ),
        (
            Block([head(), head(value={v: w}, name="seer")]),
            "layers[0] > seer > value",
            f"w is not a lane of the embedding (those are {SLOTS})",
        ),
        (
            MLP([Neuron(when=w, adds={v: 1})]),
            "layers[0] > neurons[0] > when",
            f"w is not a lane of the embedding (those are {SLOTS})",
        ),
        (
            MLP([Neuron(when=v, adds={w: 1}, name="gate")]),
            "layers[0] > gate > adds",
            f"w is not a lane of the embedding (those are {SLOTS})",
        ),
        (
            Block([head()], MLP([Neuron(when=w, adds={v: 1})])),
            "layers[0] > mlp > neurons[0] > when",
            f"w is not a lane of the embedding (those are {SLOTS})",
        ),
        (
            MLP(adds={w: 1}),
            "layers[0] > adds",
            f"w is not a lane of the embedding (those are {SLOTS})",
        ),
        (
            Block([head()], MLP(adds={w: 1})),
            "layers[0] > mlp > adds",
            f"w is not a lane of the embedding (those are {SLOTS})",
        ),
    ],
)
def test_errors_across_rules(rule: Any, path: str, message: str) -> None:
    """What no rule can know alone is reported with the path from the program, and the rule's
    own file and line.
    """
    source = rule.source
    if isinstance(rule, Block):  # the line of the rule inside it that is wrong
        source = rule.mlp.source if rule.mlp else rule.heads[-1].source
    with Refused(ProgramError, f"mine > {path}: {message} ({source})"):
        mine(rule)


def test_the_design_s_example() -> None:
    """The path counts layers, and is the one that the design shows."""
    wrong = head(query=p, key=t)
    with Refused(
        ProgramError,
        f"aab > layers[1] > query: {MISMATCH} token (2 lanes) ({wrong.source})",
    ):
        mine(head(), wrong, name="aab")


SIZES = f"the context window must be 1 to {MAX_N_CTX}; "
LISTED = (
    "embedding, layers, claim, vocabulary, n_ctx, name, activation, causal, d_head,"
    " source"
)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"embedding": (p, t, t)},
            (
                "embedding[2]: the slot token is declared twice; give one of them"
                " another name"
            ),
        ),
        (
            {"embedding": (p, t, anchor)},
            (
                "embedding[2]: anchor is local to a head and has no column; use"
                " scratch(...)"
            ),
        ),
        (
            {"embedding": (p, t, position(4, name="q"))},
            "embedding[2]: q has 4 positions, but the window is 3",
        ),
        (
            {"n_ctx": 4},
            "embedding[0]: position has 3 positions, but the window is 4",
        ),
        (
            {"vocabulary": "a"},
            "embedding[1]: token names the token 'b', which is not in the vocabulary",
        ),
        (
            {"embedding": (p, v)},
            (
                "embedding: no slot has a table of tokens: add token(...) or pass"
                " vocabulary="
            ),
        ),
        (
            {"embedding": (p, v), "vocabulary": "ab"},
            (
                "embedding: no slot depends on the token, so every logit would be 0:"
                " add token(...)"
            ),
        ),
        (
            {"embedding": (t, v)},
            f"n_ctx: {SIZES}no slot has a table of positions: pass n_ctx= to Program",
        ),
        (
            {"embedding": (t, v), "n_ctx": 10**9},
            f"n_ctx: {SIZES}found 1000000000",
        ),
        ({"embedding": (t, v), "n_ctx": -1}, f"n_ctx: {SIZES}found -1"),
        (
            {"embedding": (p, t, 3)},
            "embedding[2]: must be of type Slot, found 3",
        ),
        ({"vocabulary": "aba"}, "the token 'a' stands twice in the vocabulary"),
        (
            {"activation": "silu"},
            "activation: must be 'gelu' or 'relu', found 'silu'",
        ),
        (
            {"clam": 3},
            f"clam: has no such argument; it takes {LISTED}; did you mean 'claim'?",
        ),
        (
            {"claim": after({"aa": "c"})},
            "claim: the token 'c' is not in the vocabulary 'a', 'b'",
        ),
        (
            {"claim": after({"ax": "a"})},
            (
                "claim: no token matches 'x' at character 1 of the text; the"
                " vocabulary is 'a', 'b'"
            ),
        ),
        (
            {"claim": distribution({"a": {"c": 1}})},
            "claim: the token 'c' is not in the vocabulary 'a', 'b'",
        ),
        (
            {"claim": answers("a", str, stop="end")},
            "claim: the token 'end' is not in the vocabulary 'a', 'b'",
        ),
        (
            {"claim": answers("a{4}", str)},
            "claim > prompts: no prompt of 'a{4}' fits n_ctx 3",
        ),
        (
            {"claim": answers("", str)},
            "claim > prompts: no prompt of '' fits n_ctx 3",
        ),
        (
            {"claim": answers("x", str)},
            (
                "claim > prompts: the prompt 'x': no token matches 'x' at character 0"
                " of the text; the vocabulary is 'a', 'b'"
            ),
        ),
        (
            {"d_head": 10**9},
            f"d_head: must be at least 1 and at most {MAX_N_CTX}, found 1000000000",
        ),
        (
            {"d_head": 0},
            f"d_head: must be at least 1 and at most {MAX_N_CTX}, found 0",
        ),
        (
            {"embedding": (t,), "n_ctx": MAX_N_CTX, "d_head": 100},
            (
                "n_ctx: the weights would need 1.6 GB (100 columns, window 1048576); "
                "at most 1 GB is allowed: use fewer lanes or a shorter window"
            ),
        ),
        ({"claim": after({"": "a"})}, "claim: the ending '' is empty"),
        (
            {"claim": after({"aaaa": "a"})},
            "claim: the ending 'aaaa' is longer than n_ctx 3, so it never speaks",
        ),
        (
            {"claim": residual("w", len)},
            f"claim: w is not a lane of the embedding (those are {SLOTS})",
        ),
        (
            {"claim": answers("a", str), "causal": False},
            (
                "claim: answers are read token by token, which needs causal=True, or"
                " length=1"
            ),
        ),
        ({"embedding": t}, "embedding: a single slot is written (slot,)"),
    ],
)
def test_errors_of_a_program(fields: dict[str, Any], message: str) -> None:
    """What does not fit together is one line: the program, the place, what was found and what
    would work.
    """
    with pytest.raises(ProgramError) as caught:
        mine(**fields)
    text, _, place = str(caught.value).rpartition(" (")
    assert text == (
        f"mine > {message}"
        if not message.startswith("the token")
        else f"mine: {message}"
    )
    assert place.startswith(f"{__file__}:")


@pytest.mark.parametrize("name", ["a/b", "..", "", "-x", "x" * 101, "a\x1b[2J"])
def test_a_name_is_safe_as_a_folder(name: str) -> None:
    """A name can be a folder's: no separators, no control characters, not too long."""
    with pytest.raises(
        ProgramError,
        match=r"a name is made of letters, digits, _ . and -, found",
    ):
        mine(name=name)


def test_a_memory_bomb_is_refused() -> None:
    """A window and a width that would need gigabytes are refused before anything is allocated."""
    with pytest.raises(ProgramError, match=r"the weights would need .* GB"):
        mine(embedding=(position(8192), token("ab")))


@pytest.mark.parametrize(
    "fields",
    [
        {"vocabulary": 3},
        {"d_head": 0},
        {"d_head": -4},
        {"layers": 3},
        {"claim": 3},
        {"embedding": 3},
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(fields: dict[str, Any]) -> None:
    """What cannot be meant is a ProgramError, never another exception and never silently taken."""
    with pytest.raises(ProgramError):
        mine(**fields)


@pytest.mark.parametrize("name", ["heads", "mlp", "source"])
def test_a_lane_may_have_the_name_of_a_field(name: str) -> None:
    """A table of constants is one, whatever lanes it names; only data has fields."""
    lane = scratch(name)
    program = Program(
        name="named",
        embedding=[position(3), token("ab"), lane],
        layers=[{name: 1}],
    )
    mlp = program.layers[0].mlp
    assert mlp is not None
    assert mlp.adds == lane.expression()
    assert Program.from_data(program.model_dump(mode="json")) == program


@pytest.mark.parametrize("make", [list, tuple, iter, np.array, dict.fromkeys])
def test_a_vocabulary_is_any_list(make: Callable[[list[str]], Any]) -> None:
    """Its truth is never asked, since an array has none; without tokens it is inferred."""
    slots = [position(3), token("ab")]
    for listed, tokens in ((["b", "a"], ("b", "a")), ([], ("a", "b"))):
        program = Program(name="q", embedding=slots, vocabulary=make(listed))
        assert program.vocabulary == tokens


def test_what_is_no_list_of_tokens_or_no_name_is_refused() -> None:
    """In our words, not in those of an array."""
    slots = [position(3), token("ab")]
    found = "must be a list or a tuple, found a value of type ndarray"
    with Refused(ProgramError, f"q > vocabulary: {found}", here=True):
        Program(name="q", embedding=slots, vocabulary=np.array("a"))
    with Refused(ProgramError, f"q > embedding: {found}", here=True):
        Program(name="q", embedding=np.array(3))
    with Refused(
        ProgramError,
        "['a' 'b'] > name: must be a text, found a value of type ndarray",
        here=True,
    ):
        Program(name=np.array(["a", "b"]), embedding=slots)


def test_a_function_is_a_claim() -> None:
    """A plain function may be given for a claim."""
    program = mine(claim=no_claim)
    assert program.claim is not None
    assert program.model_dump(mode="json")["claim"] | {"source": ""} == {
        "kind": "function",
        "function": "no_claim",
        "source": "",
    }
