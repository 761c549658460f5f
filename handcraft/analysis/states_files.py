"""Writes pictures of a chain of states, in the format that the file's ending names.

    .svg            a finished drawing (states_svg.py)
    .dot            a text that Graphviz draws
    .mmd, .mermaid  a text that Mermaid draws, as Markdown pages do
    .json           what --json prints

Rules of this file: the same chain gives the same bytes; a file is written whole or not at all;
every text of a program passes `printable` and the escapes of its format.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from handcraft.analysis.reachability import Avoided
from handcraft.analysis.states import Chain
from handcraft.analysis.states_svg import (
    PATH,
    colour_of,
    layouts,
    share_of,
    steps_of,
    svg,
)
from handcraft.core.errors import ProgramError, printable
from handcraft.core.writing import write_atomically


def check_picture(path: Path) -> None:
    """Raise ProgramError for an ending that is no format, MissingExtraError where an SVG needs the
    extra.
    """
    if path.suffix not in FORMATS:
        raise ProgramError(
            f"{printable(str(path))} must end with {', '.join(FORMATS)}"
        )
    if path.suffix == ".svg":
        layouts()  # before anything is computed


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
        f"digraph {_quoted(chain.model.name)} {{",
        "  rankdir=LR;",
        '  node [shape=box, style="rounded,filled"];',
    ]
    for i, state in enumerate(chain.states):
        parts = (_escaped_dot(chain.label(i)), share_of(chain, i))
        label = r"\n".join(filter(None, parts))
        style = "" if i in chain.place else ', style="rounded,filled,dashed"'
        double = ", peripheries=2" if state.ended else ""
        lines.append(
            f'  s{i} [label="{label}", color="{colour_of(chain, i)}",'
            f' fillcolor="{colour_of(chain, i)}33"{style}{double}];'
        )
    for i, j, _, p in chain.edges:
        red = f', color="{PATH}"' if (i, j) in path else ""
        lines.append(
            f'  s{i} -> s{j} [label="{p:.3g}", penwidth={1 + p:.2f}{red}];'
        )
    return "\n".join([*lines, "}", ""])


def _quoted(text: str) -> str:
    return f'"{_escaped_dot(printable(text))}"'


def _escaped_dot(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def mermaid(chain: Chain, avoided: Avoided | None = None) -> str:
    """The chain as a Mermaid flowchart."""
    lines = ["flowchart LR"]
    path = steps_of(avoided)
    for i, state in enumerate(chain.states):
        left, right = ("[[", "]]") if state.ended else ("(", ")")
        parts = map(_escaped_mermaid, (chain.label(i), share_of(chain, i)))
        label = "<br>".join(filter(None, parts))
        lines.append(f'  s{i}{left}"{label}"{right}')
        dashed = "" if i in chain.place else ",stroke-dasharray:4"
        lines.append(
            f"  style s{i}"
            f" stroke:{colour_of(chain, i)},fill:{colour_of(chain, i)}33{dashed}"
        )
    for n, (i, j, _, p) in enumerate(chain.edges):
        lines.append(f'  s{i} -->|"{p:.3g}"| s{j}')
        lines += [f"  linkStyle {n} stroke:{PATH}"] if (i, j) in path else []
    return "\n".join([*lines, ""])


def _escaped_mermaid(text: str) -> str:
    """The text with every character that could mean something written as its number."""
    return "".join(
        c if c.isalnum() or c == " " else f"#{ord(c)};" for c in text
    )


FORMATS: dict[str, Callable[[Chain, Avoided | None], str]] = {
    ".svg": svg,
    ".dot": to_dot,
    ".mmd": mermaid,
    ".mermaid": mermaid,
    ".json": chain_json,
}
