"""`handcraft write`: any program as a readable file, which makes the same weights and says the
same.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_runner import handcraft
from conftest import EVERY_PROGRAM, bundled_model, examples, programs
from hypothesis import given
from hypothesis import strategies as st
from test_sequence_random import expressions

from handcraft import (
    MLP,
    Affine,
    Block,
    Head,
    Lane,
    Map,
    Model,
    Neuron,
    Program,
    Slot,
    after,
    answers,
    distribution,
    each,
    last,
    local,
    position,
    residual,
    scratch,
    slot,
    token,
    write,
)
from handcraft.claims.kinds import After
from handcraft.core.errors import ProgramError
from handcraft.core.weights import flatten
from handcraft.files.program_file import load_program, program_in
from handcraft.files.writer.formulas import formula, token_formula
from handcraft.files.writer.lines import laid_out
from handcraft.files.writer.read_back import check_code, check_read_back
from handcraft.frontends import from_automaton, from_markov, from_table
from handcraft.sequence import (
    Expression,
    count,
    fetch,
    here,
    indices,
    latest,
    lookup,
    own,
    ratio,
    there,
    token_at,
    tokens,
    where,
)

WIDTH = 100
P, T = position(4), token("ab")


def read(text: str, name: str = "again") -> Program:
    """The program of a text."""
    return program_in(text, name)


def same(text: str, program: Program) -> Program:
    """The program that the text makes: equal, with the same matrices bit for bit."""
    again = read(text)
    assert again.layout == program.layout
    assert again.embedding == program.embedding
    assert again.layers == program.layers
    for dtype in ("float32", "float64"):
        first = flatten(program.build(dtype).weights)
        second = flatten(again.build(dtype).weights)
        assert list(first) == list(second)
        for name, array in first.items():
            assert array.dtype == second[name].dtype
            assert array.tobytes() == second[name].tobytes(), name
    return again


def neat(text: str) -> None:
    """The text is Python of at most 100 columns."""
    ast.parse(text)
    assert max(map(len, text.split("\n"))) <= WIDTH


def data(program: Program) -> Any:
    """The program as `program.json` holds it, without the lines of its file."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: plain(v) for k, v in value.items() if k != "source"}
        return [*map(plain, value)] if isinstance(value, list) else value

    return plain(program.model_dump(mode="json"))


def written(*slots: Slot, **fields: Any) -> str:
    """The text of a small program, which reads back."""
    program = Program(name="small", embedding=slots, **fields)
    text = write(program)
    neat(text)
    assert data(same(text, program)) == data(program)
    return text


# ------------------------------------------------------------ whole programs


@pytest.mark.parametrize("name", EVERY_PROGRAM)
def test_a_bundled_program_reads_back(name: str, here: Path) -> None:
    """The text of a bundled program makes the same slots, rules, claim and matrices; from a file,
    and from what is built from that, the same text is written again.
    """
    model = bundled_model(name)
    text = write(name)
    neat(text)
    again = same(text, model.program)
    if model.program.claim.declared:
        assert again.claim == model.program.claim
        assert data(again) == data(model.program)
    path = Path(f"{name}.py")
    path.write_text(text)
    assert write(path) == text
    Model.of(load_program(path)).save("built")
    assert (
        write("built").partition('"""\n\nfrom')[2]
        == (text.partition('"""\n\nfrom')[2])
    )


@pytest.mark.slow
def test_the_texts_are_clean(here: Path) -> None:
    """Ruff finds nothing in the texts, by the rules that programs/ are held to."""
    ruff = Path(sys.executable).with_name("ruff")
    root = Path(__file__).parent.parent
    Path("programs").mkdir()
    for name in ("aab", "adder", "nim", "sort_numbers", "subleq", "trigram"):
        Path(f"programs/{name}.py").write_text(write(name))
    found = subprocess.run(
        [ruff, "check", "--config", root / "pyproject.toml", "programs"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize(
    "program",
    [
        from_markov({"a": {"a": 0.25, "b": 0.75}, "b": {"a": 1.0}}),
        from_markov("abracadabra", 2),
        from_table({"00": "0", "01": "1", "10": "1", "11": "0"}),
        from_automaton({"E": {"1": "O"}, "O": {"1": "E"}}, "E", n_ctx=8),
        from_automaton(
            {"E": {"1": "O"}, "O": {"1": "E"}}, "E", n_ctx=8, scratchpad=False
        ),
    ],
    ids=lambda program: program.name,
)
def test_what_a_frontend_makes_reads_back(program: Program) -> None:
    """The program of a chain, a text, a table or an automaton is written as plain rules."""
    text = write(program)
    neat(text)
    assert "frontends" not in text
    assert data(same(text, program)) == data(program)


@given(program=programs())
def test_any_small_program_reads_back(program: Program) -> None:
    """Programs with every kind of slot, map and rule are equal to what their text makes, and the
    text is the same when it is written again.
    """
    text = write(program)
    neat(text)
    again = same(text, program)
    assert data(again) == data(program)
    assert write(again) == text


NUMBERED, LETTERED = (
    scratch("numbered", map(str, range(12))),
    scratch("lettered", ["a", "b", "cd", "0", "1", "2", "03", "x y", "e", "f"]),
)
STEPS = st.sampled_from([-1.0, 0.0, 0.5, 1.0, 3.0])


@st.composite
def alike(draw: Any) -> list[Neuron]:
    """Neurons that differ in few places: labels and numbers that go evenly, or do not."""
    lanes = [*draw(st.sampled_from([NUMBERED, LETTERED]))]
    other = [*draw(st.sampled_from([NUMBERED, LETTERED]))]
    count, start = draw(st.integers(1, 7)), draw(st.integers(0, 3))
    a, b, c, d = (draw(STEPS) for _ in "abcd")
    odd = draw(st.lists(STEPS, min_size=9, max_size=9))
    named = draw(st.sampled_from([lambda i: None, str, lambda i: f"n{i}"]))
    return [
        Neuron(
            when=(a * i + b) * lanes[i] + 2 * T["a"] + c * i + odd[i - start],
            adds={other[i if d else start]: d + i, T["b"]: odd[-1]},
            name=named(i),
        )
        for i in range(start, start + count)
    ]


@examples(60)
@given(st.lists(alike(), min_size=1, max_size=3), st.booleans(), st.data())
def test_rules_that_are_alike_read_back(
    groups: list[list[Neuron]], mixed: bool, drawn: st.DataObject
) -> None:
    """Neurons, constants, maps and tables of a slot that are written as loops are the same rules
    and the same tables.
    """
    neurons = [neuron for group in groups for neuron in group]
    if mixed:  # one of each in turn
        neurons = [x for several in zip(*groups, strict=False) for x in several]
    numbers = st.lists(st.integers(-4, 9).map(float), min_size=12, max_size=12)
    rows = dict(zip(NUMBERED, drawn.draw(numbers), strict=True))
    even = {lane: T["a"] * (i + 1) - i for i, lane in enumerate(NUMBERED)}
    odd = {x: y - v for (x, v), y in zip(rows.items(), LETTERED, strict=False)}
    at = position(12, name="at", p=drawn.draw(numbers), q=drawn.draw(numbers))
    heads = [Head(value=even), Head(value=odd)]
    layers = ((heads, neurons, rows), heads[0])
    written(at, T, NUMBERED, LETTERED, layers=layers)


@examples(100)
@given(expression=expressions())
def test_any_claim_reads_back(expression: Any) -> None:
    """An expression of the language is written with its shared parts named, and is equal when it
    is read.
    """
    made = (
        lambda: Program(embedding=(P, T), claim=expression, name="claim"),
        lambda: Program(
            embedding=(P, T),
            claim=answers("a", expression, length=1),
            name="claim",
        ),
    )
    for make in made:
        try:
            program = make()
        except ProgramError:  # no token, or `end` without prompts
            continue
        text = write(program)
        neat(text)
        assert read(text).claim == program.claim


# ------------------------------------------------------------ how it looks


def test_the_first_program_of_the_readme() -> None:
    """`aab` is written as its author did, with what is known of the lane beside it."""
    assert (
        write("aab")
        == '''\
"""Continues aabaabaab...: b follows aa, a follows everything else.

Written by `handcraft write`: 1 layer, 1 head, 0 neurons; a stream of 8 lanes; a window of 5
positions; 2 tokens.
"""

from handcraft import Head, Program, after, position, scratch, token

p = position(5)  # one-hot: where am I?
t = token("ab")  # one-hot: which token is here?
v = scratch("v")

# layers[0]: 1 head
# v: ratio(lookup({"a": 1, "b": -1}, own) + lookup({"a": 1, "b": -1}, token_at(here - 1)), 2)
t_head = Head(
    query=1024 * (p + p.previous),
    value={v: t["a"] - t["b"]},
    adds={t["a"]: 1024 - 1024 * v, t["b"]: 1024 * v},
)

program = Program(
    name="aab",
    embedding=(p, t, v),
    layers=(t_head,),
    claim=after({"aa": "b", "ab": "a", "ba": "a"}),
)
'''
    )


@pytest.mark.slow
def test_many_neurons_are_a_few_lines() -> None:
    """The 447 neurons of `sort_numbers` fit on two screens, since those that are alike are one
    comprehension.
    """
    text = write("sort_numbers")
    assert text.count("\n") < 160
    assert "Neuron(when=4 * done - 4 * upto[i] - 1, adds={number: 0.5})" in text
    assert "for i in range(100)" in text


def test_a_table_of_positions_is_a_formula_only_where_it_is_exactly_that() -> (
    None
):
    """A lane is a function where that gives each number of the table, else the table itself."""
    squares = [i * i for i in range(1000)]
    text = written(position(1000, p=squares, odd=lambda i: i % 2), T)
    assert "p=lambda i: i * i, odd=lambda i: i % 2)" in text
    squares[777] += 1
    other = written(position(1000, p=squares), T)
    assert "lambda" not in other
    assert "603_730" in other  # 777 ** 2 + 1
    assert len(other) < 10_000


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda i: i, "i"),
        (lambda i: 3 - i, "3 - i"),
        (lambda i: 2 * i * i - i, "2 * i * i - i"),
        (lambda i: i % 3, "i % 3"),
        (lambda i: (i + 2) % 5, "(i + 2) % 5"),
        (lambda i: i % 4 - 1, "i % 4 - 1"),
        (lambda i: i // 4, "i // 4"),
        (lambda i: (i + 1) // 3, "(i + 1) // 3"),
        (lambda i: int(i == 5), "int(i == 5)"),
        (lambda i: int(i >= 5), "int(i >= 5)"),
        (lambda i: int(i < 5), "int(i < 5)"),
        (lambda i: int(i % 4 == 2), "int(i % 4 == 2)"),
        (lambda i: max(0, i - 3), "max(0, i - 3)"),
        (lambda i: min(7, i + 1), "min(7, i + 1)"),
        (lambda i: 5 * max(0, i // 5 - 1), "5 * max(0, i // 5 - 1)"),
        (lambda i: i**3, None),
        (lambda i: i / 2, None),
        (lambda _: 1, None),
    ],
)
def test_formulas_of_positions(function: Any, text: str | None) -> None:
    """The formula of a table is the one that an author would write, or none."""
    keys = range(24)
    values = [float(function(i)) for i in keys]
    found = formula("i", keys, values)
    assert found == text
    if found is not None:
        assert [eval(found, {"i": i}) for i in keys] == values


@given(
    st.lists(st.integers(-3, 12).map(float), min_size=4, max_size=12),
    st.sampled_from(["0123456789ab", "abcdefghijkl"]),
)
def test_a_formula_gives_every_value(values: list[float], letters: str) -> None:
    """Whatever the table is, a formula that is found gives each of its numbers."""
    keys = range(len(values))
    if (text := formula("i", keys, values)) is not None:
        assert [eval(text, {"i": i}) for i in keys] == values
    known = letters[: len(values)]
    if (text := token_formula("c", known, values)) is not None:
        assert [eval(text, {"c": c}) for c in known] == values


def test_numbers_read_back_exactly() -> None:
    """Numbers that no decimal of six digits is are written with all of theirs."""
    numbers = [0.1, 1 / 3, 2.0**-40, 1e30, -1e-30, 2.0**60, 12_345_678.0]
    v = scratch("v")
    text = written(
        P,
        T,
        v,
        layers=[[Neuron(when=x * T["a"] - x, adds={v: x}) for x in numbers]],
        claim=None,
    )
    assert "0.3333333333333333" in text
    assert "12_345_678" in text


def test_a_part_that_stands_twice_is_written_once() -> None:
    """What stands in several places of a claim is a variable, named by what it gives."""
    rank = count((there(tokens) == tokens) & (there(indices) < indices))
    text = written(P, T, claim=where(rank, token_at(rank - 1), "a"))
    assert text.count("count(") == 1
    assert "number = count({0: own}, before=here)\n" in text
    assert 'cases((number, token_at(number - 1)), "a")' in text


def test_brackets_stand_only_where_python_needs_them() -> None:
    """Sums and products are written as by hand, and read as the same ones."""
    x = lookup({"a": 1, "b": 2}, own)
    for e, text in (
        ((x + 1) * 2 - 3 // (x - 1), " + 1) * 2 - 3 // ("),
        (x - (1 - (x - here)), "- (1 - ("),
        (2 * (x * here) % 5, "% 5"),
        (2 - (x % here) // 3, " % here // 3"),
    ):
        claim = lookup({0: "a", 1: "b"}, e)
        assert text in written(P, T, claim=claim)


def test_only_what_is_used_is_imported() -> None:
    """Words in comments, texts and keywords import nothing, and a word that the file does not use
    may be a slot's name.
    """
    text = written(T, scratch("after"), scratch("where"), n_ctx=2)
    assert "from handcraft import Program, scratch, token\n" in text
    assert 'after, where = scratch("after where")' in text


def test_comments_say_only_what_is_certain() -> None:
    """Where a head looks is said if the embedding alone holds the position and its square; what a
    lane means, if it is known.
    """
    at, t = position(8, p=lambda i: i, pp=lambda i: i * i), token("ab")
    odd, v = (
        position(8, name="odd", p=lambda i: i, pp=lambda i: i),
        scratch("v"),
    )
    back = {at["p"]: 32 * at["p"] - 32, at["pp"]: -16}
    head = Head(query=back, value={v: t["a"]}, scores="exact")
    text = written(at, t, v, layers=(head,))
    assert '# looks 1 back; v: equal(token_at(here - 1), "a")\n' in text
    change = Neuron(when=v, adds={at["pp"]: 1})
    assert "looks" not in written(at, t, v, layers=(head, change))
    other = {odd["p"]: 32 * odd["p"] - 32, odd["pp"]: -16}
    head = Head(query=other, value={v: t["a"]}, scores="exact")
    assert "looks" not in written(odd, t, v, layers=(head,))
    far = {at["p"]: 32 * v - 64 * at["p"], at["pp"]: -16}
    head = Head(query=far, value={v: t["a"]}, scores="exact")
    text = written(at, t, v, layers=(head,))
    assert '# looks at position v - 2 * at["p"]; ' in text


@pytest.mark.parametrize("program", ["counter", "built"])
def test_where_a_rule_comes_from_is_said_on_request(
    program: str, here: Path
) -> None:
    """With `--sources` the line of its author stands beside each rule, from a file or from data;
    nothing else differs.
    """
    bundled_model("counter").save("built")
    text = handcraft("write", program, "--sources").out
    assert text == write(program, sources=True)
    assert text.count("# from programs/counter.py:") == 4
    lines = text.splitlines(keepends=True)
    plain = (line for line in lines if not line.startswith("# from "))
    assert "".join(plain) == write(program)


# ------------------------------------------------------------ every kind


@pytest.mark.parametrize(
    ("one", "text"),
    [
        (position(3), "p = position(3)"),
        (position(3, name="far"), 'far = position(3, name="far")'),
        (position(5, p=lambda i: i), "at = position(5, p=lambda i: i)"),
        (position(4, low=[1, 1, 0, 1]), "at = position(4, low=[1, 1, 0, 1])"),
        (position(4, low=[2] * 4), "at = position(4, low=[2] * 4)"),
        (position(2, **{"class": [1, 2]}), '**{"class": [1, 2]}'),
        (token("xy", name="w"), 'w = token("xy", name="w")'),
        (token(["x", "yes"], name="w"), 'w = token(["x", "yes"], name="w")'),
        (token("0123", n=int, name="w"), 'w = token("0123", name="w", n=int)'),
        (token("wxyz", name="w", v=[1, 0, 0, 1]), "v=lambda c: int(c in "),
        (token("xy", name="w", v=[3, 3]), "v=lambda _: 3)"),
        (
            token("xy", name="w", **{"a b": [1, 2]}),
            '**{"a b": {"x": 1, "y": 2}.get}',
        ),
        (slot("s", token={"x": 0.5}), 's = slot("s", token={"x": 0.5})'),
        (slot("s", position=[3, 1, 2]), 's = slot("s", position=[3, 1, 2])'),
        (
            slot("s", token={"x": (1, 2)}, position=[(0, 1)], labels="uv"),
            's = slot("s", token={"x": (1, 2)}, position=[(0, 1)], labels="uv")',
        ),
        (scratch("s", ["one", "two"]), 's = scratch("s", ["one", "two"])'),
        (
            scratch("s", map(str, range(12))),
            's = scratch("s", map(str, range(12)))',
        ),
        (
            Slot(
                name="s",
                labels=("0", "1"),
                tokens=(("x", (1.0, 2.0)),),
                positions="one-hot",
            ),
            's = Slot(name="s", labels=("0", "1"), tokens={"x": (1, 2)}, positions=',
        ),
        (
            Slot(name="s", labels=("name",), positions=((1.0,), (2.0,))),
            's = slot("s", position=[(1,), (2,)], labels=["name"])',
        ),
    ],
)
def test_every_kind_of_slot(one: Slot, text: str) -> None:
    """Each slot is written by the word for it; the Slot itself where no word makes it."""
    wide = {} if one.n_ctx else {"n_ctx": 3}
    assert text in written(
        one,
        token("uvwxyz0123"),
        vocabulary=(
            *"uvwxyz0123",
            *(["yes"] if "yes" in one.vocabulary else []),
        ),
        **wide,
    )


def test_slots_that_take_over_columns() -> None:
    """A slot is declared after the one whose columns it has, with `reuse`."""
    t, v = token("ab"), scratch("v")
    erase = Neuron(when=v, adds={v: -1}), Neuron(when=-v, adds={v: 1})
    later = scratch("later", reuse=v)
    use = Neuron(when=later, adds={t["a"]: 1})
    text = written(t, v, later, layers=([*erase], use), n_ctx=2)
    assert 'later = scratch("later", reuse=v)' in text


def test_every_kind_of_map() -> None:
    """Whole slots, shifts, pairs of labels, single lanes, loops and lanes inside heads."""
    p, t = position(6), token("abcdef")
    u, v = scratch("u", "abcdef"), scratch("v")
    inside = local("inside", ["x", "y"])
    heads = [
        Head(query=8 * p.back(2), value=t, adds={u: 2 * t}),
        Head(query=p - 3 * p.previous, value={u: t}),
        Head(query={inside: 1}, key={inside["x"]: v, inside["y"]: 2}, value=v),
        Head(query=t, value={v: 1 - t["a"]}, adds={t: v, u: v - 1}),
        Head(value={u[c]: (i + 1) * t[c] for i, c in enumerate("abcdef")}),
        Head(value={v: t["c"] + t["a"] + t["b"]}, scores="exact", name="it"),
        Head(value={}, adds={v: 1}),
        Head(value={v: v}, adds={}),
    ]
    text = written(p, t, u, v, layers=(heads, [Neuron(when=v, adds={u: 1})]))
    for part in (
        "query=8 * p.back(2)",
        "query=p - 3 * p.previous",
        "query={inside: 1}",
        'key={inside["x"]: v, inside["y"]: 2}',
        "adds={u: 2 * t}",
        "value={u: t}",
        "adds={t: v, u: v - 1}",
        'value={v: t.sum("cab")}, scores="exact", name="it")',
        "value={}, adds={v: 1}",
        "adds={}",
    ):
        assert part in text, part


def test_layers_of_every_form() -> None:
    """Constants alone, an MLP without anything, what a rule means, names, and sharpness."""
    t, v, w = token("ab"), scratch("v"), scratch("w", "ab")
    mean = ratio(count({0: "a"}), here + 1)
    layers = (
        Head(value={v: t["a"]}, means={v: mean}, name="mean"),
        Block([Head(value={w: t}, means={w: own})], MLP()),
        MLP([], adds={v: 2, t: 1}),
        MLP([Neuron(when=v - 1, adds={v: -1})], {w: 3}, means={v: 4}),
        Neuron(when=v, adds={v: 1}, sharpness=16, name="fine"),
        Neuron(when=0 * v, adds={}, name="fine"),
    )
    text = written(t, v, w, layers=layers, n_ctx=2, activation="relu")
    for part in (
        "means={v: ratio(",
        "means={w: own}",
        "MLP()",
        "{v: 2, t: 1}",
        "means={v: 4})",
        'sharpness=16, name="fine")',
        'activation="relu"',
    ):
        assert part in text, part


CLAIMS = [
    after({("a", "b"): "b", "b": {"a"}, "aa": ["b"]}),
    after({x + y: y for x in "ab" for y in "ab"}),
    last(after({"a": "b"})),
    After(table=(("a", "b"),), at="last"),
    distribution({"a": {"a": 1 / 3, "b": 2 / 3}}, tolerance=0.01),
    residual("v", ratio(count({0: "a"}), here + 1), tolerance=0.5),
    residual("token:a", 1 + here),
    answers("[ab]{2}", {"aa": "b", "ab": "a", "ba": "a", "bb": "b"}),
    answers(r"a\\?b", {"ab": "a"}, longest=2),
    token_at(latest({-1: own})),
    lookup({("a", "b"): "a", ("b", "b"): "b"}, own, token_at(here - 1)),
]


@pytest.mark.parametrize("claim", CLAIMS, ids=repr)
def test_every_kind_of_claim(claim: Any) -> None:
    """A claim is equal to the one that its text makes."""
    written(P, T, scratch("v"), claim=claim)


@pytest.mark.parametrize(
    "expression",
    [
        Expression(op="add", args=(1, 2)),
        Expression(op="least", args=(here,)),
        Expression(op="first", where=((0, "a"), (0, "b"))),
        Expression(op="value_at", args=(here, 1)),
        Expression(
            op="first_where",
            args=(
                Expression(
                    op="both", args=(1, Expression(op="there", args=(here,)))
                ),
            ),
        ),
    ],
    ids=lambda expression: expression.op,
)
def test_an_expression_that_no_words_make(expression: Expression) -> None:
    """What only data can hold is written as data, and is equal when it is read."""
    claim = lookup({0: "a", 1: "b"}, expression)
    read_again = read(written(P, T, claim=claim)).claim
    assert read_again == Program(embedding=(P, T), claim=claim).claim


def test_expressions_as_data_are_read_as_the_same() -> None:
    """Where one expression of a program has no words, all stand as data, shared parts too."""
    rank = count((there(tokens) == tokens) & (there(indices) < indices))
    plain = Expression(op="add", args=(1, rank * rank))
    odd = Expression(op="subtract", args=(2, 1))
    text = written(P, T, claim=lookup({1: "a"}, plain * odd))
    assert "Expression(**{" in text
    assert '"nodes"' in text


@pytest.mark.parametrize("causal", [True, False])
def test_claims_on_whole_texts(causal: bool) -> None:
    """A model without a causal mask, and a claim at each position."""
    program = {"causal": False, "d_head": 4}
    rule = fetch(tokens, there(indices) == indices - 1)
    text = written(P, T, claim=each(rule, causal=causal), **program)
    assert ("causal=True" in text) is causal
    assert "causal=False,\n    d_head=4,\n)" in text


def test_a_function_is_no_text() -> None:
    """A claim that is a function of its author's is left out, and the file says how to hold the
    program to it.
    """
    program = Program(embedding=(P, T), claim=lambda context: "a", name="small")
    text = write(program)
    neat(text)
    assert read(text).claim is None
    assert (
        "# The claim is not written: it is the Python function '<lambda>'. To hold this program"
        " to it, name\n# the file that has it: handcraft verify THIS --claim FILE\n"
    ) in text


# ------------------------------------------------------------ names of others

HOSTILE = (
    *('"', "'", '"""', "\\", "\n", "\r", "\x00", "\u2028", "\u202e", "{x}"),
    *("#", "'; import os", '")\nraise SystemExit\n("', '\\"', "é", "字", "a b"),
)
WORDS = (
    *("token", "Head", "program", "class", "match", "int", "position", "sum"),
    *("scratch", "Program", "p", "t", "at", "i", "c", "größe", "A", "a", "_"),
)


def test_hostile_names_are_texts() -> None:
    """Labels, tokens and names of rules with quotes, line breaks and code in them stand inside
    quotes, or escaped in comments; none is executed.
    """
    t = token(HOSTILE)
    u = scratch("u", HOSTILE)
    heads = [Head(value={u[x]: t[x]}, name=x) for x in HOSTILE]
    neurons = [Neuron(when=u[x], adds={t[x]: 1}, name=x) for x in HOSTILE]
    layers = (heads, neurons)
    claim = after({(x, x): x for x in HOSTILE})
    written(t, u, layers=layers, claim=claim, n_ctx=4)
    written(t, layers=(), n_ctx=1, claim=lookup({x: x for x in HOSTILE}, own))


@pytest.mark.parametrize("word", HOSTILE)
def test_a_hostile_docstring_ends_where_it_should(
    word: str, here: Path
) -> None:
    """What a file says of itself is said again, whatever stands in it."""
    text = f"{word} and {word}"
    source = "from handcraft import *\nprogram = Program(embedding=(position(2), token('ab')))"
    Path("some.py").write_text(f"__doc__ = 0\n{source}")
    model = Model.open("some.py").replace(about=text)
    written_text = write(model)
    neat(written_text)
    same(written_text, model.program)


def test_names_that_hide_others() -> None:
    """Slots with the names of words, keywords, builtins and loop variables have variables of their
    own, and keep their names.
    """
    slots = [scratch(word, "xy") for word in WORDS]
    t = token("xy", name="handcraft")
    heads = [Head(value={one: t}, name=one.name) for one in slots]
    neurons = [
        Neuron(when=one[x] - i, adds={t[x]: i + 1})
        for one in slots
        for i, x in enumerate("xy")
    ]
    written(t, *slots, layers=(heads, neurons), n_ctx=3)


def test_lanes_inside_heads_with_odd_names() -> None:
    """A lane that no word makes, as a file may hold one, is written as a Lane."""
    lane = Lane(slot="odd name", label="x", local=True)
    both = [Lane(slot="m", local=True), Lane(slot="m", label="1", local=True)]
    rows = [(one, T["a"].expression()) for one in (lane, *both)]
    head = Head(
        query=Map.of(rows), key=Map.of(rows), value=T, adds={T["a"]: 5 * T["b"]}
    )
    text = written(P, T, layers=(head,))
    assert 'Lane(slot="odd name", label="x", local=True): t["a"]' in text


@pytest.mark.parametrize(
    "code",
    [
        "import os",
        "from os import system",
        "x = __import__('os')",
        "x = token.__class__",
        "x = eval('1')",
        "def f(): pass",
        "print(1)",
        "x = [y for y in ().__class__.__bases__]",
        "x = open('y')",
        "from handcraft import open",
        "from handcraft import *",
        "from handcraft import token as print",
        "from .handcraft import token",
        "x = y = z.w = 1",
        "x[0] = 1",
        "x, int.y = 1, 2",
        "x = f'{y}'",
        "x += 1",
        "x: eval = 1",
        "(x := 1)",
        "x = lambda y: z",
        "x = 'a'.format(1)",
    ],
)
def test_only_our_own_code_is_executed(code: str) -> None:
    """Before a text is read back it is refused if it holds anything but imports and calls of our
    words.
    """
    with pytest.raises(ProgramError, match="code that is not ours"):
        check_code(ast.parse(code))


def test_another_program_is_no_text_of_this_one() -> None:
    """A text that makes other slots, rules, claims or sizes is refused, and the first difference
    named.
    """
    head = Head(query=P.previous, value=T, name="back")
    neuron = Neuron(when=T["a"], adds={T["b"]: 1})

    def program(**fields: Any) -> Program:
        plain = {
            "embedding": (P, T),
            "layers": ((head, neuron),),
            "claim": {"a": "a"},
            "name": "one",
        }
        return Program(**{**plain, **fields})

    text = write(program())
    for fields, what in (
        ({"embedding": (P, token("ba"))}, "the slot token has"),
        (
            {"layers": ((Head(query=P, value=T), neuron),)},
            "layers[0] > heads[0]",
        ),
        ({"layers": ((head,),)}, "layers[0] has"),
        ({"layers": ()}, "the sizes has"),
        ({"claim": {"a": "b"}}, "the claim has"),
        ({"claim": None}, "the claim has"),
        ({"activation": "relu"}, "the sizes has"),
    ):
        with pytest.raises(ProgramError) as error:
            check_read_back(text, program(**fields))
        assert f"one: {what}" in str(error.value)


# ------------------------------------------------------------ lines


@given(
    st.recursive(
        st.sampled_from(['"a, (b"', "x", "1_000", "f(x=1)", "y.z", "-2 * q"]),
        lambda inner: (
            st.builds(
                lambda items, form: form % ", ".join(items),
                st.lists(inner, min_size=2, max_size=9),
                st.sampled_from(["[%s]", "f(%s)", "(%s)", "f(k=[%s])"]),
            )
            | st.lists(inner, min_size=2, max_size=5).map(" + ".join)
            | inner.map(lambda x: f"[{x} for (u, v) in w]")
        ),
        max_leaves=60,
    )
)
def test_breaking_lines_changes_no_code(code: str) -> None:
    """A statement that is broken into lines is the same to Python."""
    line = f"x = {code}"
    assert ast.dump(ast.parse(laid_out(line))) == ast.dump(ast.parse(line))


def test_a_long_text_is_written_in_pieces() -> None:
    """A text that fits on no line is several, which Python joins."""
    word = "ab\\" * 200
    line = laid_out(f"x = f({word!r}, 1)")
    assert max(map(len, line.split("\n"))) <= WIDTH
    assert ast.dump(ast.parse(line)) == ast.dump(
        ast.parse(f"x = f({word!r}, 1)")
    )


# ------------------------------------------------------------ what cannot be written


def test_weights_without_rules(here: Path) -> None:
    """A model without rules has no program to write."""
    model = bundled_model("aab")
    bare = model.replace(name="bare", program=None)
    with pytest.raises(ProgramError) as error:
        write(bare)
    assert str(error.value) == (
        "bare: has weights and no rules, so there is no program to write"
    )


def test_weights_that_are_not_what_the_rules_say() -> None:
    """Where the matrices are others than the rules', their text would make another model."""
    model = bundled_model("aab")
    weights = {**model.weights, "wte": model.weights["wte"] + 1}
    with pytest.raises(
        ProgramError, match="its weights are not what its rules say"
    ):
        write(model.replace(weights=weights))


@pytest.mark.slow
def test_what_no_file_may_hold() -> None:
    """A text longer than a program file may be is refused."""
    v = slot("v", position=list(np.random.default_rng(1).random(60_000)))
    with pytest.raises(
        ProgramError, match="a program file has at most 1048576"
    ):
        write(Program(embedding=(v, T), name="large"))


# ------------------------------------------------------------ the command line


def test_write_prints_the_text(here: Path) -> None:
    """Without a file the text is printed, as Python's `write` gives it."""
    result = handcraft("write", "aab")
    assert (result.code, result.err) == (0, "")
    assert result.out == write("aab")
    assert handcraft("write", "aab", "--json").json == {
        "program": "aab",
        "out": None,
        "text": write("aab"),
        "note": None,
    }


def test_write_makes_a_file(here: Path) -> None:
    """A file is written whole, and what stands there is replaced with --force only."""
    result = handcraft("write", "aab", "-o", "new/mine.py")
    assert (result.code, result.out) == (0, "wrote new/mine.py\n")
    assert Path("new/mine.py").read_text() == write("aab")
    assert handcraft("run", "new/mine.py", "ab", "-n", "4").out == "aaba\n"
    refused = handcraft("write", "abc", "--out", "new/mine.py")
    assert refused.code == 2
    assert refused.err == (
        "error: new/mine.py exists; choose another name, or replace it with --force\n"
    )
    assert Path("new/mine.py").read_text() == write("aab")
    assert handcraft("write", "abc", "-o", "new/mine.py", "--force").code == 0
    assert Path("new/mine.py").read_text() == write("abc")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["aab", "-o", "mine"], "a program file ends in .py, found mine"),
        (["aab", "-o", ""], "--out is empty; name a file"),
        (
            ["aab", "-o", "folder.py"],
            "folder.py exists; choose another name, or replace it with --force",
        ),
        (
            ["aab", "-o", "folder.py", "--force"],
            "folder.py is a directory; name a file to write",
        ),
        (["aba"], "there is no program 'aba'"),
    ],
)
def test_what_write_refuses(
    arguments: list[str], message: str, here: Path
) -> None:
    """What cannot be written is one line, and nothing is left."""
    Path("folder.py").mkdir()
    result = handcraft("write", *arguments)
    assert result.code == 2
    assert result.err.startswith(f"error: {message}")
    assert result.err.count("\n") == 1
    assert [*Path().iterdir()] == [Path("folder.py")]


def test_a_note_tells_of_a_claim_that_is_left_out(here: Path) -> None:
    """A claim that is a function is named on stderr; the file is written."""
    Path("some.py").write_text(
        "from handcraft import *\nprogram = Program(embedding=(position(3),"
        " token('ab')), claim=lambda context: 'a')\n"
    )
    result = handcraft("write", "some.py", "-o", "rules.py")
    assert (result.code, result.out) == (0, "wrote rules.py\n")
    assert result.err == (
        "note: The claim is not written: it is the Python function '<lambda>'. To hold this"
        " program to it, name the file that has it: handcraft verify THIS --claim FILE\n"
    )
    assert load_program(Path("rules.py")).claim is None
    told = handcraft("write", "some.py", "--json").json
    assert told["note"] == result.err.removeprefix("note: ").rstrip()


def test_an_affine_of_nothing_is_zero() -> None:
    """Rules that read or add nothing are written too."""
    v = scratch("v")
    nothing = Head(query={v: Affine()}, value={v: Affine.of({}, 2.0)})
    assert "query={v: 0}" in written(P, T, v, layers=(nothing,))
