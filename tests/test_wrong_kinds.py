"""Arguments of a wrong kind in a program and in Python: each is answered in the author's words.

The table is as in test_first_mistakes: what she writes after START, and the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_runner import handcraft
from conftest import Refused, bundled_program
from test_first_mistakes import JARGON, answered

from handcraft import (
    MLP,
    Head,
    Neuron,
    Program,
    position,
    residual,
    scratch,
    token,
    trace,
    verify,
)
from handcraft.core.decoding import Sampler
from handcraft.core.errors import HandcraftError
from handcraft.model import Model
from handcraft.recipes import conjunction

p, t, v = position(5), token("ab"), scratch("v")
head = Head(query=1024 * p.previous, value=t, adds=1024 * t)

MISTAKES = [
    (
        "Program(embedding={p, t, v}, layers=[head])",
        (
            "embedding: a set has no order: the parts would change places from "
            "run to run; pass a list"
        ),
    ),
    (
        "Program(embedding=(p, {t, v}), layers=[head])",
        (
            "embedding: a set has no order: the parts would change places from "
            "run to run; pass a list"
        ),
    ),
    (
        "build({head})",
        (
            "layers[0]: a set has no order: the parts would change places from "
            "run to run; pass a list"
        ),
    ),
    (
        "Program(embedding=(p, t, v), layers={head})",
        (
            "layers: a set has no order: the parts would change places from run"
            " to run; pass a list"
        ),
    ),
    (
        "build((head, {Neuron(when=v, adds={v: 1})}))",
        (
            "layers[0]: a set has no order: the parts would change places from "
            "run to run; pass a list"
        ),
    ),
    (
        "MLP({Neuron(when=v, adds={v: 1})})",
        (
            "MLP > neurons: a set has no order: the parts would change places "
            "from run to run; pass a list"
        ),
    ),
    (
        "Block({head})",
        (
            "Block > heads: a set has no order: the parts would change places "
            "from run to run; pass a list"
        ),
    ),
    (
        'conjunction({t["a"], t["b"]}, {v: 1})',
        (
            "conjunction > flags: a set has no order: the parts would change "
            "places from run to run; pass a list"
        ),
    ),
    (
        "h = []; h.append(h); build(h)",
        "layers[0]: the list holds itself, so it has no end",
    ),
    (
        "h = [head]; h.append(h); Program(embedding=(p, t, v), layers=h)",
        "layers[1]: the list holds itself, so it has no end",
    ),
    (
        "h = [p, t]; h.append(h); Program(embedding=h)",
        "embedding: the list holds itself, so it has no end",
    ),
    (
        "h = []; h.append(h); MLP(h)",
        "MLP > neurons: the list holds itself, so it has no end",
    ),
    (
        "build(({},))",
        "layers[0]: a layer needs at least one head, neuron or MLP",
    ),
    (
        "build({})",
        "layers[0]: a layer needs at least one head, neuron or MLP",
    ),
    (
        'build(after({"a": "b"}))',
        (
            "layers[0]: a layer is made of heads, neurons, MLPs, decoders and "
            "{lane: constant}; found an After"
        ),
    ),
    (
        "build(Program(embedding=(p, t)))",
        (
            "layers[0]: a layer is made of heads, neurons, MLPs, decoders and "
            "{lane: constant}; found a Program"
        ),
    ),
    (
        't.sum("aa")',
        "token.sum: 'a' stands twice; where it counts twice, write {label: 2}",
    ),
    (
        't.sum({"a": 1}, 5)',
        (
            "token.sum: the table has the number of each label already; leave "
            "out int 5"
        ),
    ),
    (
        't.sum("ab", int)',
        (
            "token.sum: the function raises ValueError for 'a': invalid literal"
            " for int() with base 10: 'a'"
        ),
    ),
    (
        "t.sum(value=3)",
        "sum > value: is given without its name: write sum(labels, value)",
    ),
    (
        "position(n_ctx=4)",
        (
            "position > n_ctx: is given without its name: write position(n_ctx,"
            " name=...)"
        ),
    ),
    (
        "position(4, p=frozenset({1, 2}))",
        (
            "position: position:p takes a function of the key, or a list of "
            "numbers; found frozenset frozenset({1, 2})"
        ),
    ),
    (
        "position(4, p={0: 1, 1: 2, 2: 3, 3: 4})",
        (
            "position: position:p takes a function of the key, or a list of "
            "numbers; found dict {0: 1, 1: 2, 2: 3, 3: 4}"
        ),
    ),
    (
        "p.back(1, 2)",
        "back: takes 1 argument without a name, found 2: write back(steps)",
    ),
    (
        "p.back(steps=1)",
        "back > steps: is given without its name: write back(steps)",
    ),
    (
        'local("a", reuse=v)',
        "local > reuse: has no such argument; write local(names, labels)",
    ),
    (
        'Slot("v")',
        (
            "Slot: takes its arguments by name, found 1 without: write "
            "Slot(name=..., labels=..., tokens=..., positions=...)"
        ),
    ),
    (
        "merge(heads=[head, head])",
        "merge > heads: is given without its name: write merge(*heads)",
    ),
    (
        "merge([head, head])",
        (
            "merge > heads: takes heads, found list [Head(query={position:0: "
            "1024 position:1, position:1: 1024 p"
        ),
    ),
    (
        "merge(3)",
        "merge > heads: takes heads, found int 3",
    ),
    (
        "as_mlp(3)",
        "as_mlp: say which lane this is for, as {lane: expression}; found 3",
    ),
    (
        "as_mlp()",
        "as_mlp > decoder: is required",
    ),
    (
        "del v.name",
        (
            "Slot > name: is frozen; a changed copy of it is "
            ".model_copy(update={'name': ...})"
        ),
    ),
    (
        "2 % v",
        (
            "an expression is a sum of lanes times numbers; the remainder of 2 "
            "by v is none"
        ),
    ),
    (
        "2 // v",
        (
            "an expression is a sum of lanes times numbers; 2 divided by v is "
            "none"
        ),
    ),
    (
        "divmod(v, 2)",
        (
            "an expression is a sum of lanes times numbers, and a quotient of v"
            " is none: neurons make it, recipes.quotient(x, divisor, most, "
            "{lane: 1})"
        ),
    ),
    (
        "divmod(2, v)",
        (
            "an expression is a sum of lanes times numbers; 2 divided by v is "
            "none"
        ),
    ),
    (
        'v @ t["a"]',
        (
            "an expression is a sum of lanes times numbers, and a product of v "
            "is none: neurons make it, recipes.product(x, flag, most, {lane: "
            "1})"
        ),
    ),
    (
        "v ^ 1",
        (
            "an expression is a sum of lanes times numbers, and the XOR of "
            "flags of v is none: neurons make it, recipes.equals(x + y, 1, "
            "{lane: 1})"
        ),
    ),
    (
        "v << 1",
        (
            "an expression is a sum of lanes times numbers; a shift by 1 of v "
            "is none"
        ),
    ),
    (
        "2 >> v",
        (
            "an expression is a sum of lanes times numbers; 2 shifted by v is "
            "none"
        ),
    ),
    (
        "reversed(v + 1)",
        "v + 1 is one expression; where a list of them is taken, write [x]",
    ),
    (
        "range(v)",
        (
            "v has no value before the model runs: see it with "
            "model.trace(context)"
        ),
    ),
    (
        '(v + 1)["a"]',
        (
            "v + 1 has no lanes to choose from; those of a slot are written "
            "slot['label']"
        ),
    ),
    (
        "erase(None)",
        "erase > lanes: takes a lane or a slot, found None",
    ),
    (
        "erase([v])",
        "erase > lanes: takes a lane or a slot, found list [scratch('v')]",
    ),
    (
        "table(None)",
        "table > entries: takes a table {(x, y): {lane: amount}}, found None",
    ),
    (
        "table({3: {v: 1}})",
        "table > entries: a key is a tuple of lanes, (x, y); found int 3",
    ),
    (
        'table([t["a"]])',
        (
            "table > entries: takes a table {(x, y): {lane: amount}}, found "
            "list [token:a]"
        ),
    ),
    (
        "conjunction(3, 3)",
        (
            "conjunction > flags: takes a list of expressions, [x, y]; found "
            "int 3"
        ),
    ),
    (
        "disjunction(None, {v: 1})",
        "disjunction > flags: takes a list of expressions, [x, y]; found None",
    ),
    (
        'conjunction("ab", {v: 1})',
        (
            "conjunction > flags: takes a list of expressions, [x, y]; found "
            "str 'ab'"
        ),
    ),
    (
        "piecewise_linear(None, None, None)",
        "piecewise_linear > points: takes a table {x: f(x)}, found None",
    ),
    (
        'piecewise_linear(v, {"a": 1, 2: 3}, {v: 1})',
        "piecewise_linear > points: must be a number, found str 'a'",
    ),
    (
        "square(None, None, None)",
        "square > most: must be a whole number, found None",
    ),
    (
        "square(v, 2.5, {v: 1})",
        "square > most: must be a whole number, found float 2.5",
    ),
    (
        'modulo(v, "2", 5, {v: 1})',
        "modulo > modulus: must be a whole number, found str '2'",
    ),
    (
        "quotient(v, 2, None, {v: 1})",
        "quotient > most: must be a whole number, found None",
    ),
    (
        'threshold(v, {v: 1}, above="1")',
        "threshold > above: must be a number, found str '1'",
    ),
    (
        'gated_copy(t["a"], v, None, {v: 1})',
        "gated_copy > most: must be a number, found None",
    ),
    (
        "move(None, v)",
        "move > source: takes a lane or a slot, found None",
    ),
    (
        "thermometer(3, 3)",
        (
            "thermometer > flags: takes a list of expressions, [x, y]; found "
            "int 3"
        ),
    ),
    (
        'thermometer({t["a"]}, {t["b"]})',
        (
            "thermometer > flags: a set has no order: the parts would change "
            "places from run to run; pass a list"
        ),
    ),
    (
        "log_probabilities(3, 3)",
        "log_probabilities > token: takes a slot, found int 3",
    ),
    (
        'log_probabilities(t, "ab")',
        (
            "log_probabilities > row: takes a table {token: probability}, found"
            " str 'ab'"
        ),
    ),
    (
        'log_probabilities(t, {"a": float("nan"), "b": 1})',
        (
            "log_probabilities > row: probabilities must not be negative and "
            "must sum to 1, found the sum nan"
        ),
    ),
    (
        "kernel(None, {0: 1}, value=t)",
        "kernel > at: takes a slot, found None",
    ),
    (
        "kernel(p, None, value=t)",
        "kernel > weights: takes a table {offset back: weight}, found None",
    ),
    (
        'kernel(p, {0: "1"}, value=t)',
        "kernel > weights: must be a number, found str '1'",
    ),
    (
        'attend_to(at, at["p"], value=t, sharpness="1")',
        "attend_to > sharpness: must be a number, found str '1'",
    ),
    (
        'attend_to(at, at["p"], value=t, range=5)',
        "attend_to > range: takes (least, greatest), found int 5",
    ),
    (
        'attend_to(at, at["p"], value=t, range=(0, "1"))',
        "attend_to > range: must be a whole number, found str '1'",
    ),
    (
        'attend_where({t["a"]: 1}, value=t, conditions="1")',
        "attend_where > conditions: must be a whole number, found str '1'",
    ),
    (
        'attend_where({t["a"]: 1}, value=t, at=3, prefer="latest")',
        "attend_where > at: takes a slot, found int 3",
    ),
    (
        'count_where(t["a"], t, {v: 1}, conditions=None)',
        "count_where > conditions: must be a whole number, found None",
    ),
    (
        'mean_where(t["a"], t, n_ctx="5")',
        "mean_where > n_ctx: must be a whole number, found str '5'",
    ),
    (
        'one_hot(t, "5")',
        "one_hot > gain: must be a number, found str '5'",
    ),
    (
        'Program(name="", embedding=(p, t))',
        "name: a name is made of letters, digits, _ . and -, found ''",
    ),
    (
        'Program(source="x", embedding=(p, t))',
        (
            "program > source: must be a line of a file, such as aab.py:14, "
            "found 'x'"
        ),
    ),
    (
        "Head(value=t, source=5)",
        "Head > source: must be a line of a file, such as aab.py:14, found 5",
    ),
    (
        'Program(**{"embedding": (p, t), "n_ctx": True})',
        "n_ctx: must be a whole number, found True",
    ),
    (
        "h = [head]\nfor _ in range(200): h = [h]\nbuild(h)",
        "layers[0]: lists may be nested 100 deep, not deeper",
    ),
]


@pytest.mark.parametrize(("written", "answer"), MISTAKES)
def test_a_wrong_kind_is_answered_in_the_authors_words(
    written: str, answer: str, tmp_path: Path
) -> None:
    """The whole answer, and the line; no word of it is machinery."""
    answered(written, answer, tmp_path)
    assert not any(word in answer for word in JARGON)


PYTHON: list[tuple[Callable[[Model], Any], str]] = [
    (
        lambda m: m.generate("a", "3"),
        "the number of tokens to add must be a whole number, found str '3'",
    ),
    (
        lambda m: m.generate("a", True),
        "the number of tokens to add must be a whole number, found True",
    ),
    (
        lambda m: m.generate("a", 3, sampler=5),
        "sampler= takes a Sampler(...), found int 5",
    ),
    (
        lambda _: Sampler(temperature="1"),
        "the temperature must be a number, found '1'",
    ),
    (
        lambda _: Sampler(top_k=1.5),
        "the top_k must be a whole number, found 1.5",
    ),
    (
        lambda _: Sampler(top_p="x"),
        "the top_p must be a number, found 'x'",
    ),
    (
        lambda _: Sampler(seed="x"),
        "the seed must be a whole number, found 'x'",
    ),
    (
        lambda m: trace(m, "aa", 1.0),
        "the position must lie in 0..1, found 1.0",
    ),
    (
        lambda m: trace(m, "aa", True),
        "the position must lie in 0..1, found True",
    ),
    (
        lambda m: verify(m, spread=3),
        "spread= takes a Spread, such as Spread(jobs=2), found int 3",
    ),
    (
        lambda m: verify(m, progress=3),
        "progress= takes a function, found int 3",
    ),
    (
        lambda m: Model.load(3),
        "a directory is named by a text or a path, found int 3",
    ),
    (
        lambda m: Model.open(None),
        "a directory is named by a text or a path, found None",
    ),
    (
        lambda m: Model.from_checkpoint(3),
        "a directory is named by a text or a path, found int 3",
    ),
    (
        lambda m: m.save(3),
        "a directory is named by a text or a path, found int 3",
    ),
]


@pytest.mark.parametrize(("wrong", "message"), PYTHON)
def test_a_wrong_argument_in_python(
    wrong: Callable[[Model], Any], message: str
) -> None:
    """Models and functions of the package refuse it in one line, as the language does."""
    with Refused(HandcraftError, message):
        wrong(bundled_program("aab").build())


@pytest.mark.parametrize("option", ["--certificate", "--check", "--checkpoint"])
def test_an_empty_file_name_is_refused(option: str) -> None:
    """An empty name would be the working directory, or be forgotten."""
    result = handcraft("verify", "aab", option, "")
    assert result.refusal == f"{option} is empty; name a file"


def test_a_picture_needs_a_name() -> None:
    """The same for the picture of the states."""
    refusal = handcraft("states", "aab", "--save", "").refusal
    assert refusal == "--save is empty; name a file"


def test_any_list_is_a_list() -> None:
    """Generators and lists in lists are the same program as a flat tuple."""
    neurons = conjunction([t["a"], t["b"]], {v: 1})
    plain = Program(embedding=(p, t, v), layers=((head, *neurons),))
    nested = Program(
        embedding=[p, (slot for slot in (t, v))],
        layers=([[head], (neuron for neuron in neurons)],),
    )
    assert nested == plain
    assert MLP([[n] for n in neurons]) == MLP(neurons)


def test_lanes_may_be_written_as_texts() -> None:
    """A table of constants is one in a layer of its own, as beside a head."""
    for layer in ({"v": 1}, ({"v": 1},), {v: 1}):
        program = Program(embedding=(p, t, v), layers=[layer])
        assert program.layers[0].mlp == MLP(adds={v: 1})


def test_an_empty_table_beside_a_head_is_nothing() -> None:
    """It adds no MLP."""
    program = Program(embedding=(p, t, v), layers=[(head, {})])
    assert program.layers[0].mlp is None


def test_a_slot_of_one_lane_is_a_lane() -> None:
    """A claim about it is one about the lane; the slot of another program has its own name."""
    claim = residual(v, lambda context: 0)
    assert claim.lane == "v"
    one = scratch("x", "a")
    assert residual(one, lambda context: 0).lane == "x:a"


def test_a_slot_is_iterated_from_either_end() -> None:
    """Its lanes, in their order or against it."""
    assert [*t] == [t["a"], t["b"]]
    assert [*reversed(t)] == [t["b"], t["a"]]
    assert +v == v.expression()


def test_an_argument_that_was_accepted_still_is() -> None:
    """A lane may be named as an argument that stands without its name."""
    named = position(2, n_ctx=lambda i: i)
    assert named.labels == ("n_ctx",)
    assert t.sum({"a": 2}, 1) == 2 * t["a"].expression()
    assert Neuron(when=v, adds={v: 1}) == Neuron(when=+v, adds=v)
