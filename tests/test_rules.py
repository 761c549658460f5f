"""Rules built alone: heads, neurons, MLPs and blocks, their defaults and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import Refused, heads
from hypothesis import given

from handcraft import (
    MLP,
    Block,
    Head,
    Neuron,
    Program,
    local,
    position,
    scratch,
    token,
)
from handcraft.core.errors import ProgramError
from handcraft.core.frozen import UnknownAttributeError
from handcraft.language.affine import Affine, Map
from handcraft.language.coerce import as_map
from handcraft.language.layers import as_block

p, t, v = position(3), token("ab"), scratch("v")
head = Head(query=p, value={v: t["a"]}, adds={t["a"]: 2 * v})
neuron = Neuron(when=t["a"] - 1, adds={v: 2})


def test_the_key_defaults_to_the_lanes_asked_about() -> None:
    """A query alone names the match space, and each of its lanes is offered as it stands in the
    stream.
    """
    assert Head(query=1024 * p.previous, value=t).key == Map.identity(
        p.lanes[:2]
    )


def test_the_output_defaults_to_the_lanes_of_the_value() -> None:
    """A value alone is written into the lanes of the same name."""
    assert Head(value={v: t["a"] - 1}).adds == as_map({v: v})


def test_without_a_query_every_earlier_position_counts_alike() -> None:
    """A head without a query asks about no lane."""
    mean = Head(value={v: t["a"]})
    assert mean.query == mean.key == Map()
    assert mean.scores == "raw"


def test_a_key_may_be_given_without_regard_to_order() -> None:
    """The key's order is its own; which lanes meet is decided by their names."""
    found = Head(query={p: t["a"]}, key={p[2]: 1, p[1]: 2, p[0]: 3}, value=t)
    assert set(found.key.targets) == set(found.query.targets)


def test_rules_know_where_they_were_written() -> None:
    """Each rule carries the file and line of its author."""
    one = Head(value=t)
    two = Neuron(when=t["a"], adds={v: 1})
    assert two.source.line == one.source.line + 1
    assert str(one.source) == f"{__file__}:{one.source.line}"


def test_equal_rules_on_different_lines_are_equal() -> None:
    """Where a rule was written is not part of what it is."""
    assert head == Head(query=p, value={v: t["a"]}, adds={t["a"]: 2 * v})
    assert head != Head(
        query=p, value={v: t["a"]}, adds={t["a"]: 2 * v}, scores="exact"
    )


def test_rules_are_frozen() -> None:
    """A rule cannot be changed after it was made."""
    for rule, name in (
        (head, "scores"),
        (neuron, "when"),
        (MLP([neuron]), "neurons"),
        (Block([head]), "heads"),
    ):
        with Refused(
            UnknownAttributeError,
            f"{type(rule).__name__} > {name}: is frozen; a changed copy of it is"
            f" .model_copy(update={{{name!r}: ...}})",
            here=True,
        ):
            setattr(rule, name, None)


def test_a_bare_rule_is_a_block_of_one() -> None:
    """Heads, MLPs and neurons may stand where a block is expected."""
    assert as_block(head) == Block(heads=(head,))
    assert as_block(MLP([neuron])) == Block(mlp=MLP([neuron]))
    assert as_block(neuron) == Block(mlp=MLP([neuron]))
    assert as_block(Block([head], MLP([neuron]))) == Block(
        heads=(head,), mlp=MLP(neurons=(neuron,))
    )


def test_an_mlp_may_be_a_constant_alone() -> None:
    """An MLP without neurons adds its constant part at every position."""
    assert MLP(adds={t: 3}).adds == 3 * t["a"] + 3 * t["b"]
    assert MLP([neuron]).adds == Affine()


def test_neurons_add_along_a_direction() -> None:
    """What a neuron adds is an amount for each lane; a lane or an expression means its own
    amounts.
    """
    assert neuron.adds == 2 * v.expression()
    assert Neuron(when=v, adds=t["a"] - 2 * t["b"]).adds == t["a"] - 2 * t["b"]
    assert neuron.sharpness == 8.0


@given(heads((*p.lanes, *t.lanes, *v.lanes)))
def test_heads_round_trip_through_json(found: Head) -> None:
    """A head reads back equal from its JSON."""
    assert Head.model_validate_json(found.model_dump_json()) == found


def test_json_of_a_head() -> None:
    """In JSON a head is its four maps, lanes by name."""
    anchored = Head(
        query={local("anchor"): 1},
        key={local("anchor"): p[0]},
        value={v: t["a"]},
        adds={t["b"]: 1 - v},
        name="count",
    )
    dumped = anchored.model_dump(mode="json")
    assert dumped.pop("source") == str(anchored.source)
    assert dumped == {
        "query": {"@anchor": {"1": 1.0}},
        "key": {"@anchor": {"position:0": 1.0}},
        "value": {"v": {"token:a": 1.0}},
        "adds": {"token:b": {"v": -1.0, "1": 1.0}},
        "scores": "raw",
        "name": "count",
    }


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Head(query=p), "Head > value: is required"),
        (
            lambda: Head(value=t, out=t),
            (
                "Head > out: has no such argument; it takes query, key, value, adds,"
                " scores, means, name, source"
            ),
        ),
        (
            lambda: Head(value=t, scores="soft"),
            "Head > scores: must be 'raw' or 'exact', found 'soft'",
        ),
        (
            lambda: Head(value=[t["a"]]),
            (
                "Head > value: an expression is made of lanes, slots and numbers, found"
                " list [token:a]; lanes are added with +, or named as {lane: expression}"
            ),
        ),
        (
            lambda: Head(value=v, adds={t: p}),
            (
                "Head > adds: token:a has no partner: lanes pair by equal labels, and"
                " the expression has '0', '1', '2'"
            ),
        ),
        (
            lambda: Neuron(when=t, adds={v: 1}),
            (
                "Neuron > when: expected one expression, found token (2 lanes): choose one of"
                " them, such as token['a'], or add them up with .sum()"
            ),
        ),
        (
            lambda: Neuron(when=v, adds=3),
            "Neuron > adds: says which lanes to add to, as {lane: number}; found 3",
        ),
        (
            lambda: Neuron(when=v, adds=v + 1),
            "Neuron > adds: says which lanes to add to, as {lane: number}; found v + 1",
        ),
        (lambda: Neuron(when=v), "Neuron > adds: is required"),
        (
            lambda: Neuron(when=v, adds={v: 1}, sharpness=0),
            "Neuron > sharpness: must be positive and finite, found 0.0",
        ),
        (
            lambda: Neuron(when=v, adds={v: 1}, sharpness=float("inf")),
            "Neuron > sharpness: must be positive and finite, found inf",
        ),
        (
            lambda: MLP(adds=5),
            "MLP > adds: says which lanes to add to, as {lane: number}; found 5",
        ),
        (
            lambda: MLP([head]),
            (
                "MLP > neurons: a head is no neuron: in a layer they stand side by side, (head,"
                " neurons)"
            ),
        ),
        (
            lambda: Block(),  # noqa: PLW0108  # the line of the lambda is wanted
            "Block: a block needs at least one head or an MLP",
        ),
        (
            lambda: Block([neuron]),
            (
                "Block > heads: neurons stand in mlp=MLP([...]); or write the layer as (head,"
                " neurons)"
            ),
        ),
    ],
)
def test_what_is_no_rule_is_refused(build: Any, message: str) -> None:
    """A wrong argument is one line: the rule, the argument, what was found, the author's file
    and line.
    """
    with pytest.raises(ProgramError) as caught:
        build()
    text, _, place = str(caught.value).rpartition(" (")
    assert text == message
    assert place.startswith(f"{__file__}:")


def test_a_layer_that_is_none_is_refused() -> None:
    """What is neither head, neuron, MLP nor block is no layer."""
    with Refused(
        ProgramError,
        "mine > layers[0]: a layer is made of heads, neurons, MLPs, decoders and {lane:"
        " constant}; found str 'head'",
        here=True,
    ):
        Program(name="mine", embedding=(p, t), layers=("head",))
    with Refused(
        ProgramError,
        "mine > layers: a single layer is written (layer,)",
        here=True,
    ):
        Program(name="mine", embedding=(p, t), layers=head)
