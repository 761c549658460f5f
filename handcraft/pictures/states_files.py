"""Writes pictures of a chain of states, in the format that the file's ending names (endings.py).

Colours are written out, light boxes with dark letters: a renderer may have another idea of what
stands on what, or know no transparency. Rules of this file: the same chain gives the same bytes;
a file is written whole or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from handcraft.analysis.reachability import Avoided
from handcraft.analysis.states import Chain
from handcraft.core.writing import write_atomically
from handcraft.pictures.endings import (
    check_ending,
    escaped_dot,
    escaped_mermaid,
    quoted_dot,
)
from handcraft.pictures.states_svg import (
    PATH,
    colour_of,
    share_of,
    steps_of,
    svg,
)
from handcraft.pictures.svg import INK, tint


def check_picture(path: Path) -> None:
    """Raise ProgramError for an ending that is no format."""
    check_ending(path, FORMATS)


def save_picture(
    chain: Chain, path: Path, avoided: Avoided | None = None
) -> Path:
    """Write the picture by its ending, whole or not at all, and return its path. Raises
    UndecidedError where the limit cut the chain off.
    """
    check_picture(path)
    write_atomically(
        path, FORMATS[path.suffix](chain.whole(), avoided).encode()
    )
    return path


def chain_json(chain: Chain, avoided: Avoided | None = None) -> str:
    """The chain and the verdict on what to avoid as one JSON object."""
    found = chain.to_json() | {"avoided": avoided and avoided.to_json()}
    return json.dumps(found, allow_nan=False) + "\n"


# ---------------------------------------------------------------- DOT and Mermaid


def to_dot(chain: Chain, avoided: Avoided | None = None) -> str:
    """The chain as a text for Graphviz."""
    path = steps_of(avoided)
    lines = [
        f"digraph {quoted_dot(chain.model.name)} {{",
        "  rankdir=LR;",
        f'  node [shape=box, style="rounded,filled", fontcolor="{INK}"];',
    ]
    for i, state in enumerate(chain.states):
        parts = (escaped_dot(chain.label(i)), share_of(chain, i))
        label = r"\n".join(filter(None, parts))
        style = "" if i in chain.place else ', style="rounded,filled,dashed"'
        double = ", peripheries=2" if state.ended else ""
        lines.append(
            f'  s{i} [label="{label}", color="{colour_of(chain, i)}",'
            f' fillcolor="{tint(colour_of(chain, i))}"{style}{double}];'
        )
    for i, j, _, p in chain.edges:
        red = f', color="{PATH}"' if (i, j) in path else ""
        lines.append(
            f'  s{i} -> s{j} [label="{p:.3g}", penwidth={1 + p:.2f}{red}];'
        )
    return "\n".join([*lines, "}", ""])


def mermaid(chain: Chain, avoided: Avoided | None = None) -> str:
    """The chain as a Mermaid flowchart."""
    lines = ["flowchart LR"]
    path = steps_of(avoided)
    for i, state in enumerate(chain.states):
        left, right = ("[[", "]]") if state.ended else ("(", ")")
        parts = map(escaped_mermaid, (chain.label(i), share_of(chain, i)))
        label = "<br>".join(filter(None, parts))
        lines.append(f'  s{i}{left}"{label}"{right}')
        dashed = "" if i in chain.place else ",stroke-dasharray:4"
        lines.append(
            f"  style s{i}"
            f" stroke:{colour_of(chain, i)},fill:{tint(colour_of(chain, i))}"
            f",color:{INK}{dashed}"
        )
    for n, (i, j, _, p) in enumerate(chain.edges):
        lines.append(f'  s{i} -->|"{p:.3g}"| s{j}')
        lines += [f"  linkStyle {n} stroke:{PATH}"] if (i, j) in path else []
    return "\n".join([*lines, ""])


FORMATS: dict[str, Callable[[Chain, Avoided | None], str]] = {
    ".svg": svg,
    ".dot": to_dot,
    ".mmd": mermaid,
    ".mermaid": mermaid,
    ".json": chain_json,
}
