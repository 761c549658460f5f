"""Makes the pages that notebooks show: static HTML with pictures, as Jupyter, marimo and VS Code
show it, without a script.

    of a Model or a Program   its sizes, what feeds what, its matrices
    of a Trace, a HeadTrace   the attention, then the stream and the logits
    of what the functions of handcraft return    its picture, and under it the text it prints

A page is at most MOST_PAGE bytes. Of a large model, a long context or many states, a picture shows
less, or a line says what was left out and what shows it.

Rules of this file: every text is escaped; a page that cannot be made is a line that says why, since
a notebook shows a value that nobody asked to draw.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from handcraft.analysis.explain import Explanation, explain
from handcraft.analysis.reachability import Avoided
from handcraft.analysis.states import Chain
from handcraft.core.errors import HandcraftError, listing
from handcraft.core.tracing import HeadTrace, Trace
from handcraft.model import Model
from handcraft.pictures.circuits import circuit_svg
from handcraft.pictures.matrices import explanation_svg
from handcraft.pictures.passes import MOST_POSITIONS, head_svg, trace_svg
from handcraft.pictures.states_svg import svg
from handcraft.pictures.svg import element, escape
from handcraft.pictures.wiring import Wiring, wiring

MOST_PAGE = 200_000  # bytes of a page
MOST_MATRICES = 110_000  # bytes of the matrices on it
MOST_CIRCUIT = 50_000
SIDE = 32  # rows and columns of a matrix on a page
MOST_SHOWN_WEIGHTS = 6000  # of all heads on a page
MOST_CELLS_AS_TEXT = 2500  # of matrices, beside their picture
_STATES = 64  # of a chain on a page
# of a model whose matrices are drawn: all of its numbers, and those that are not 0
MOST_DENSE, MOST_NONZERO = 500_000, 3000
_SHORT = 16  # positions of a context whose whole picture is too large
FIRST_RULES = 12  # of a program
SCROLLED = "overflow-x:auto"


# ---------------------------------------------------------------- parts of a page


def scrolled(picture: str) -> str:
    """A picture that scrolls where the page is narrow."""
    return element("div", picture, style=SCROLLED)


def note(words: str) -> str:
    """A line of text."""
    return element("p", escape(words))


def facts(title: str, rows: Mapping[str, object]) -> str:
    """A table of names and what they are."""
    cells = (
        element(
            "tr", element("th", escape(name)), element("td", escape(str(x)))
        )
        for name, x in rows.items()
    )
    return element("table", element("caption", escape(title)), *cells)


def with_text(picture: str, text: str | None) -> str:
    """A picture and, to be opened, the text that is printed; the text stays out where it is None,
    and where both are too large.
    """
    summary = element("summary", "as text")
    whole = picture + element("details", summary, text or "")
    if text is not None and _bytes(whole) <= MOST_PAGE:
        return whole
    return picture + note("... print it to see it as text")


def _bytes(page: str) -> int:
    return len(page.encode())


def _first_that_fits(
    makers: Iterable[Callable[[], str]], most: int, otherwise: str
) -> str:
    """The first of the pictures that is small enough, else a note."""
    for make in makers:
        try:
            picture = make()
        except (HandcraftError, MemoryError) as error:
            otherwise = f"... {error}"
            continue
        if _bytes(picture) <= most:
            return scrolled(picture)
    return note(otherwise)


# ---------------------------------------------------------------- passes


def trace_page(found: Trace, title: str = "") -> str:
    """The attention of each head, the stream and the logits; of a long context the last positions,
    and where these are too large as well, the logits.
    """
    text = "".join(found.tokens)
    title = title or f"forward pass of '{text[-40:]}'"
    end = replace(
        found, heads=[_end(head) for head in found.heads[:4]], residual=[]
    )
    bare = replace(found, heads=[], residual=[])
    n = min(len(found.tokens), MOST_POSITIONS)
    whole = [found] if len(found.heads) * n * n <= MOST_SHOWN_WEIGHTS else []
    makers = [lambda f=f: trace_svg(f, title) for f in (*whole, end, bare)]
    return _first_that_fits(makers, MOST_PAGE * 3 // 4, "...")


def head_page(head: HeadTrace) -> str:
    """The attention of a head."""
    makers = [lambda h=h: head_svg(h) for h in (head, _end(head))]
    return _first_that_fits(makers, MOST_PAGE, "...")


def _end(head: HeadTrace) -> HeadTrace:
    """A head on the last positions only."""
    first = max(0, len(head.weights) - _SHORT)
    names = [f"{i}" for i in range(len(head.weights))]
    tokens = list(head.tokens) or names
    return replace(
        head,
        scores=[row[first:] for row in head.scores[first:]],
        weights=[row[first:] for row in head.weights[first:]],
        tokens=tokens[first:],
    )


# ---------------------------------------------------------------- models


def model_page(model: Model) -> str:
    """The sizes of a model, what feeds what in it, and its matrices."""
    numbers = model.parameters
    rows = {
        "layers": model.n_layer,
        "heads": model.n_head,
        "n_embd": model.n_embd,
        "n_ctx": model.n_ctx,
        "tokens": listing(model.vocabulary.tokens, 30),
        "columns": listing(model.names.stream, 30),
        "parameters": f"{numbers['nonzero']} non-zero of {numbers['dense']}",
    }
    return facts(model.name, rows) + model_pictures(model)


def model_pictures(model: Model) -> str:
    """What feeds what in a model, and its matrices; of a large one a line that says what shows
    them.
    """
    numbers = model.parameters
    if numbers["dense"] > MOST_DENSE or numbers["nonzero"] > MOST_NONZERO:
        return note(
            "... its matrices are too large for a page; handcraft.explain(model, part)"
            " shows one"
        )
    circuit = _first_that_fits(
        [lambda: circuit_svg(wiring(model))],
        MOST_CIRCUIT,
        "... handcraft.circuit(model) shows what feeds what",
    )
    return circuit + _matrices(explain(model), model.name)


def explanation_page(found: Explanation, title: str) -> str:
    """The matrices with their rules."""
    return _matrices(found, title)


def _matrices(found: Explanation, title: str) -> str:
    makers = [
        lambda most=most: explanation_svg(found, title, most, SIDE)
        for most in (MOST_MATRICES, MOST_MATRICES // 2, MOST_MATRICES // 8)
    ]
    return _first_that_fits(makers, MOST_MATRICES + 20_000, "...")


def program_page(program: Any) -> str:
    """The slots, rules and claim of a Program, then the pictures of its model. Its type is not
    named here, since program/ imports this file.
    """
    rules = [rule for block in program.layers for rule in block.heads]
    blocks = len(program.layers)
    neurons = sum(len(b.mlp.neurons) for b in program.layers if b.mlp)
    rows: dict[str, object] = {
        "slots": listing((slot.name for slot in program.embedding), 30),
        "layers": f"{blocks}, with {len(rules)} heads and {neurons} neurons",
        "tokens": listing(program.vocabulary, 30),
        "n_ctx": program.n_ctx,
        "claim": _short(repr(program.claim)) if program.claim else "none",
    }
    rest = len(rules) - FIRST_RULES
    for i, rule in enumerate(islice(rules, FIRST_RULES)):
        rows[f"head {i}"] = _short(repr(rule))
    rows |= {"...": f"{rest} more heads"} if rest > 0 else {}
    return facts(program.name, rows) + _built(program)


def _short(text: str, most: int = 300) -> str:
    return text if len(text) <= most else f"{text[:most]}..."


def _built(program: Any) -> str:
    """The pictures of a program's model, where it is small enough to be built for a look."""
    n = program.layout.n_embd
    if 4 * n * n * len(program.layers) > MOST_DENSE:
        return note(
            "... handcraft.explain(program, part) shows one of its matrices"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they came when it was asked for
        try:
            return model_pictures(Model.of(program))
        except HandcraftError as error:
            return note(f"it cannot be built: {error}")


# ---------------------------------------------------------------- graphs


def wiring_page(found: Wiring, text: str) -> str:
    """What feeds what, and the table that is printed."""
    makers = [lambda: circuit_svg(found)]
    hint = "... .save(file) writes it as .dot, .mmd or .json"
    picture = _first_that_fits(makers, MOST_PAGE * 3 // 4, hint)
    return with_text(picture, text)


def chain_page(chain: Chain, avoided: Avoided | None, text: str) -> str:
    """The states and what may follow each, and the tables that are printed."""
    if len(chain.states) > _STATES:
        hint = f"... {len(chain.states)} states; .save(file) draws them"
        return with_text(note(hint), text)
    makers = [lambda: svg(chain, avoided)]
    return with_text(_first_that_fits(makers, MOST_PAGE // 2, "..."), text)


def report_page(text: str, found: Trace | None) -> str:
    """The report as it is printed, and the attention on its counterexample."""
    picture = "" if found is None else trace_page(found)
    return text + picture if _bytes(text + picture) <= MOST_PAGE else text
