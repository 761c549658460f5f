"""`handcraft circuit`: which slot, head and neuron feeds which, as a table, as data and drawn."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from cli_runner import handcraft as command
from conftest import (
    EVERY_PROGRAM,
    Refused,
    bundled_model,
    bundled_program,
    random_weights,
)
from drawings import SVG, fetches_nothing, parsed, tips, words

import handcraft
from handcraft import Model
from handcraft.core.errors import ProgramError, WeightsError, printable
from handcraft.core.vocabulary import Vocabulary
from handcraft.pictures.circuit_files import circuit_dot, circuit_mermaid
from handcraft.pictures.circuits import circuit_drawing, circuit_svg
from handcraft.pictures.layers import placed_columns
from handcraft.pictures.wiring import Wiring, wiring
from handcraft.runtimes.circuit import circuit


def reads(found: Wiring) -> set[tuple[str, str, str, str]]:
    """Every edge as from, to, into and lanes."""
    return {
        (edge.sender, edge.receiver, into, found.said(lanes))
        for edge in found.edges
        for into, lanes in edge.reads
    }


def test_the_circuit_of_aab_is_what_its_rules_say() -> None:
    """The head asks about positions, reads tokens and writes tokens; so do its constants."""
    assert reads(wiring(bundled_model("aab"))) == {
        ("embedding.position", "0.h0", "q", "position"),
        ("embedding.position", "0.h0", "k", "position"),
        ("embedding.token", "0.h0", "v", "token"),
        ("embedding.token", "logits", "logits", "token"),
        ("0.h0", "logits", "logits", "token"),
        ("0.attn.bias", "logits", "logits", "token:a"),
    }


@pytest.mark.parametrize("name", EVERY_PROGRAM)
def test_it_is_the_circuit_of_the_weights(name: str) -> None:
    """Slots and groups of neurons put together, the edges are those of runtimes/circuit.py: none
    is lost, and none is new.
    """
    model = bundled_model(name)
    found = wiring(model)
    parts = {node.name: node.parts for node in found.nodes}
    slots = {n.name for n in found.nodes if n.kind == "slot"}
    edges = circuit(model).edges
    embedded = {"embed", "pos_embed"}
    plain = {
        (e.sender if e.sender not in embedded else "", e.receiver, e.into, lane)
        for e in edges
        for lane in e.lanes
    }
    wired: set[tuple[str, str, str, str]] = set()
    for edge in found.edges:
        senders = [""] if edge.sender in slots else parts[edge.sender]
        for into, lanes in edge.reads:
            wired |= {
                (sender, receiver, into, lane)
                for sender in senders
                for receiver in parts[edge.receiver]
                for lane in lanes
                if (sender, receiver, into, lane) in plain
            }
    assert wired == plain
    listed = {part for node in found.nodes for part in node.parts}
    assert {n.name for n in circuit(model).nodes} - embedded <= listed


@pytest.mark.parametrize("name", EVERY_PROGRAM)
def test_edges_lead_forwards(name: str) -> None:
    """A sublayer reads only what earlier ones wrote, and each node stands once."""
    found = wiring(bundled_model(name))
    column = {node.name: node.column for node in found.nodes}
    assert len(column) == len(found.nodes)
    assert all(column[e.sender] < column[e.receiver] for e in found.edges)


def test_neurons_that_read_and_write_the_same_are_one_node() -> None:
    """The twelve neurons of sort; of the adder, which has two, each is a node; where there are
    several such groups, each is called by its first neuron.
    """
    (group,) = [
        n for n in wiring(bundled_model("sort")).nodes if n.kind == "neurons"
    ]
    assert group.label == "12 neurons of 1.mlp"
    assert group.parts == tuple(f"1.mlp.n{i}" for i in range(12))
    adder = [n.name for n in wiring(bundled_model("adder")).nodes]
    assert {"1.mlp.n0", "1.mlp.n1"} <= set(adder)
    labels = [n.label for n in wiring(bundled_model("subleq")).nodes]
    assert len(set(labels)) == len(labels)
    assert "neurons 0.mlp.n0 to n2" in labels


def test_a_node_has_the_rules_that_wrote_it() -> None:
    """The head of aab: its query, key, value and output; a slot: its table."""
    nodes = {n.name: n for n in wiring(bundled_model("aab")).nodes}
    said = [rule.text for rule in nodes["0.h0"].rules]
    assert "value v = token:a - token:b" in said
    assert "token:b += 1024 v" in said
    assert [rule.text for rule in nodes["embedding.token"].rules] == [
        "token is one-hot: which token is here"
    ]


def test_without_a_program_the_weights_say_it() -> None:
    """Of weights alone both embeddings are nodes, and lanes are counted."""
    weights = random_weights(4, norms=False)
    model = Model("w", weights, Vocabulary(("a", "b", "c")), n_head=2)
    found = wiring(model)
    assert [n.name for n in found.nodes][:2] == ["embed", "pos_embed"]
    assert ("embed", "0.h1", "q", "x") in reads(found)
    assert "8 nodes" not in circuit_svg(found)


def test_layer_norms_are_refused(tmp_path: Path) -> None:
    """Through them every lane reaches every other; the command says so, and writes nothing."""
    model = Model("w", random_weights(4), Vocabulary(("a", "b", "c")), n_head=2)
    with Refused(
        WeightsError,
        "w has layer norms, through which every lane reaches every other; a circuit needs none",
    ):
        handcraft.circuit(model).save(tmp_path / "w.svg")
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- drawn


@pytest.mark.parametrize("name", EVERY_PROGRAM)
def test_every_node_and_edge_is_drawn(name: str) -> None:
    """A box for each node, no box on another, an arrow and a tooltip for each edge."""
    found = wiring(bundled_model(name))
    picture = circuit_svg(found)
    assert fetches_nothing(picture)
    root = parsed(picture)
    boxes = [
        r
        for r in root.iter(f"{SVG}rect")
        if r.get("class") == "hc-box" and r.find(f"{SVG}title") is not None
    ]
    labels = {w.text for w in words(picture)}
    assert len(boxes) == len(found.nodes)
    assert {node.label[:29] for node in found.nodes} <= {t[:29] for t in labels}
    arrows = [
        p for p in root.iter(f"{SVG}path") if p.get("d", "").endswith("v7z")
    ]
    assert len(arrows) == sum(len(edge.reads) for edge in found.edges)
    said = "\n".join(tips(picture))
    for edge in found.edges:
        for into, lanes in edge.reads:
            line = (
                f"{edge.sender} → {edge.receiver}, {into}: {', '.join(lanes)}"
            )
            assert printable(line) in said
    sides = [
        tuple(float(b.attrib[k]) for k in ("x", "y", "width", "height"))
        for b in boxes
    ]
    for i, (x, y, w, h) in enumerate(sides):
        for a, b, u, v in sides[:i]:
            assert x >= a + u or a >= x + w or y >= b + v or b >= y + h


def test_too_many_boxes_are_no_picture() -> None:
    """The message says what would work instead."""
    found = wiring(bundled_model("aab"))
    many = Wiring(
        "many", found.columns, found.nodes * 17, found.edges, found.slots
    )
    with Refused(
        ProgramError,
        "many: a picture of 85 nodes cannot be read, at most 80 are drawn; write .dot,"
        " .mmd or .json",
    ):
        circuit_drawing(many)


def test_lines_that_could_be_parallel_do_not_cross() -> None:
    """Two chains that are declared crosswise end in an order without a crossing."""
    columns = [["a", "b"], ["q", "p"], ["x", "y"]]
    edges = [("a", "p"), ("b", "q"), ("p", "x"), ("q", "y")]
    heights = dict.fromkeys("abpqxy", 20.0)
    found = placed_columns(columns, heights, edges, 10.0).middle
    upper = [found["a", 0] < found["b", 0], found["p", 1] < found["q", 1]]
    upper.append(found["x", 2] < found["y", 2])
    assert len(set(upper)) == 1


def test_a_line_that_passes_a_column_has_a_place_in_it() -> None:
    """So that it goes behind no box."""
    found = placed_columns(
        [["a"], ["b"], ["c"]],
        dict.fromkeys("abc", 30.0),
        [("a", "b"), ("a", "c"), ("b", "c")],
        8.0,
    )
    assert set(found.middle) == {("a", 0), ("a", 1), ("b", 1), ("c", 2)}
    assert abs(found.middle["a", 1] - found.middle["b", 1]) >= 15 + 5 + 8 - 1e-6


# ---------------------------------------------------------------- DOT, Mermaid, JSON


def test_dot_is_what_graphviz_reads() -> None:
    """A node a line, a rank for each sublayer, an edge with its lanes; colours are opaque, and
    letters have theirs written out.
    """
    text = circuit_dot(wiring(bundled_model("aab")))
    lines = text.splitlines()
    assert lines[0] == 'digraph "aab" {'
    assert '  n0 [label="position", peripheries=2];' in lines
    assert (
        '  n3 [label="constants of 0.attention", style="rounded,filled,dashed"];'
        in lines
    )
    assert "  { rank=same; n0; n1; }" in lines
    assert r'  n0 -> n2 [label="query: position\nkey: position"];' in lines
    assert 'fontcolor="#1a1c1f"' in text
    assert not re.search(r'"#[0-9a-f]{8}"', text)


def test_mermaid_is_a_flowchart() -> None:
    """A subgraph for each sublayer; every character that could mean something is its number."""
    lines = circuit_mermaid(wiring(bundled_model("aab"))).splitlines()
    assert lines[0] == "flowchart LR"
    assert '  subgraph s1["0#46;attention"]' in lines
    assert '  n0 -->|"query#58; position<br>key#58; position"| n2' in lines
    assert (
        "  style n3 stroke:#0072b2,fill:#e0eef6,color:#1a1c1f,stroke-dasharray:4"
        in lines
    )


@pytest.mark.parametrize(
    "ending", [".svg", ".dot", ".mmd", ".mermaid", ".json"]
)
def test_the_command_and_python_write_the_same_file(
    ending: str, tmp_path: Path
) -> None:
    """Each ending, by `--save` and by `save`; an unknown one is refused."""
    file = tmp_path / f"a{ending}"
    result = command("circuit", "aab", "--save", str(file))
    assert (result.code, result.err) == (0, "")
    assert result.out == f"{handcraft.circuit('aab')}\n\nwrote {file}\n"
    again = handcraft.circuit(bundled_program("aab")).save(
        tmp_path / f"b{ending}"
    )
    assert again.read_bytes() == file.read_bytes()
    refused = command(
        "circuit", "aab", "--save", str(tmp_path / "a.png")
    ).refusal
    assert refused.endswith("must end with .svg, .dot, .mmd, .mermaid, .json")
    assert len(list(tmp_path.iterdir())) == 2


def test_the_table_and_the_json_have_every_edge(tmp_path: Path) -> None:
    """A row for each input that is read; as data, each node with its rules."""
    result = command("circuit", "induction")
    assert result.lines[0] == "induction: what feeds what, 5 nodes, 7 edges"
    assert "head 1.h0  query  token      token" in result.lines
    assert "           key    position   position:p" in result.lines
    assert "                  head 0.h0  before" in result.lines
    data = command("circuit", "induction", "--json").json
    assert data == json.loads(
        json.dumps(handcraft.circuit("induction").to_json())
    )
    assert {"from": "0.h0", "to": "1.h0"}.items() <= data["edges"][4].items()
    assert list(data) == ["program", "columns", "nodes", "edges"]
