"""Writes the wiring of a model in the format that the file's ending names (endings.py).

A sublayer's nodes stand in one rank of Graphviz and in one subgraph of Mermaid; an edge carries
its lanes. Rules of this file: the same wiring gives the same bytes; light boxes have dark letters,
both written out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from handcraft.core.errors import printable
from handcraft.core.writing import write_atomically
from handcraft.pictures.circuits import PORTS, circuit_svg
from handcraft.pictures.endings import (
    check_ending,
    escaped_dot,
    escaped_mermaid,
    picture_path,
    quoted_dot,
)
from handcraft.pictures.svg import INK, POSITIVE, tint
from handcraft.pictures.wiring import Reads, WiredNode, Wiring

_NODE = (
    f'shape=box, style="rounded,filled", fontcolor="{INK}", color="{POSITIVE}",'
    f' fillcolor="{tint(POSITIVE, 0.12)}"'
)


def save_circuit(found: Wiring, file: object) -> Path:
    """Write the wiring by the file's ending, whole or not at all, and return its path."""
    path = picture_path(file)
    check_ending(path, CIRCUIT_FORMATS)
    write_atomically(path, CIRCUIT_FORMATS[path.suffix](found).encode())
    return path


def circuit_json(found: Wiring) -> str:
    """The wiring as one JSON object."""
    return json.dumps(found.to_json(), allow_nan=False) + "\n"


def said_into(found: Wiring, reads: Reads) -> str:
    """What an edge carries: the input of a head, and the lanes."""
    into, lanes = reads
    said = printable(found.said(lanes))
    return f"{PORTS[into]}: {said}" if into in PORTS else said


# ---------------------------------------------------------------- DOT and Mermaid


def circuit_dot(found: Wiring) -> str:
    """The wiring as a text for Graphviz."""
    at = {node.name: f"n{i}" for i, node in enumerate(found.nodes)}
    lines = [
        f"digraph {quoted_dot(found.program)} {{",
        "  rankdir=LR;",
        f"  node [{_NODE}];",
        f'  edge [fontcolor="{INK}"];',
    ]
    for node in found.nodes:
        dashed = ', style="rounded,filled,dashed"'
        double = ", peripheries=2" if node.kind in ("slot", "logits") else ""
        style = dashed if node.kind == "constants" else double
        lines.append(
            f"  {at[node.name]} [label={quoted_dot(node.label)}{style}];"
        )
    lines += _ranks(found, at)
    for edge in found.edges:
        parts = (escaped_dot(said_into(found, reads)) for reads in edge.reads)
        label = r"\n".join(parts)
        lines.append(
            f'  {at[edge.sender]} -> {at[edge.receiver]} [label="{label}"];'
        )
    return "\n".join([*lines, "}", ""])


def _ranks(found: Wiring, at: dict[str, str]) -> Iterator[str]:
    """The nodes of each sublayer in one rank."""
    for members in _sublayers(found).values():
        names = " ".join(f"{at[node.name]};" for node in members)
        yield f"  {{ rank=same; {names} }}"


def _sublayers(found: Wiring) -> dict[str, list[WiredNode]]:
    groups: dict[str, list[WiredNode]] = {}
    for node in found.nodes:
        groups.setdefault(found.columns[node.column], []).append(node)
    return groups


def circuit_mermaid(found: Wiring) -> str:
    """The wiring as a Mermaid flowchart."""
    at = {node.name: f"n{i}" for i, node in enumerate(found.nodes)}
    lines = ["flowchart LR"]
    for i, (name, members) in enumerate(_sublayers(found).items()):
        lines.append(f'  subgraph s{i}["{escaped_mermaid(name)}"]')
        for node in members:
            ends = node.kind in ("slot", "logits")
            left, right = ("[[", "]]") if ends else ("(", ")")
            label = escaped_mermaid(printable(node.label))
            lines.append(f'    {at[node.name]}{left}"{label}"{right}')
        lines.append("  end")
    for edge in found.edges:
        parts = (escaped_mermaid(said_into(found, r)) for r in edge.reads)
        label = "<br>".join(parts)
        lines.append(f'  {at[edge.sender]} -->|"{label}"| {at[edge.receiver]}')
    for node in found.nodes:
        dashed = ",stroke-dasharray:4" if node.kind == "constants" else ""
        look = f"stroke:{POSITIVE},fill:{tint(POSITIVE, 0.12)},color:{INK}"
        lines.append(f"  style {at[node.name]} {look}{dashed}")
    return "\n".join([*lines, ""])


CIRCUIT_FORMATS: dict[str, Callable[[Wiring], str]] = {
    ".svg": circuit_svg,
    ".dot": circuit_dot,
    ".mmd": circuit_mermaid,
    ".mermaid": circuit_mermaid,
    ".json": circuit_json,
}
