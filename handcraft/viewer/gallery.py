"""Builds the index of a gallery: of each program a link to its page, a sentence, the verdict and a
picture of its attention.

Rules of this file: text of a program is escaped; a picture is a data: address, so that it brings
its own style and the index needs no file but the pages.
"""

from __future__ import annotations

import base64
import html
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, groupby, islice
from typing import Any
from urllib.parse import quote

from handcraft.core.errors import printable
from handcraft.model import Model
from handcraft.pictures.circuits import circuit_svg
from handcraft.pictures.passes import head_drawing
from handcraft.pictures.svg import whole_svg
from handcraft.pictures.wiring import wiring
from handcraft.viewer.accepted import accepted
from handcraft.viewer.page import policy, style, with_places
from handcraft.viewer.payload import Viewed

_POSITIONS = 8  # of a text
_DRAWN = 12  # the last ones, of a longer prompt


@dataclass(frozen=True)
class GalleryCard:
    """A program of a gallery.

    name   by which the command line knows it, such as sequence/sort
    file   its page, beside the index
    view   what the page shows
    """

    name: str
    file: str
    view: Viewed


def index(cards: Sequence[GalleryCard]) -> str:
    """The HTML of the index, with a heading for each folder of programs."""
    groups = groupby(cards, key=lambda card: card.name.rpartition("/")[0])
    places = {
        "POLICY": policy(style("gallery.css")),
        "STYLE": style("gallery.css"),
        "COUNT": str(len(cards)),
        "GROUPS": "\n".join(
            part for name, group in groups for part in _group(name, group)
        ),
    }
    return with_places("gallery.html", places)


def _group(name: str, cards: Iterator[GalleryCard]) -> Iterator[str]:
    yield f"<section>\n<h2>{_text(name or 'written by hand')}</h2>\n<ul>"
    yield from map(_card, cards)
    yield "</ul>\n</section>"


def _card(card: GalleryCard) -> str:
    docs = card.view.docs[0] if card.view.docs else card.view.model.about
    link = html.escape(quote(os.fsencode(card.file)))
    return (
        f'<li><h3><a href="{link}">{_text(card.name)}</a></h3>\n'
        f'<p>{_text(docs)}</p>\n<p class="verdict">{_text(said(card.view.verdict))}</p>\n'
        f'<img src="{_address(_picture(card.view.model))}"'
        f' alt="The attention of {_text(card.name)} in a short text"></li>'
    )


def _text(words: str) -> str:
    return html.escape(printable(words))


def said(found: Mapping[str, Any] | None) -> str:
    """The verdict in a line; no margin of what is refuted."""
    if found is None:
        return "not verified"
    margin = found.get("min_margin")
    told = margin is not None and found["verdict"] != "refuted"
    least = f", least margin {margin:.4g}" if told else ""
    return f"{found['verdict']} ({found['method']}){least}"


def _address(svg: str) -> str:
    coded = base64.b64encode(svg.encode()).decode()
    return f"data:image/svg+xml;base64,{coded}"


def _picture(model: Model) -> str:
    """The attention of the first head on a short text; the circuit where there is no head."""
    heads = model.trace(short_text(model)).heads
    if not heads:
        return circuit_svg(wiring(model))
    return whole_svg(
        head_drawing(heads[0], _DRAWN), f"attention of {model.name}"
    )


def short_text(model: Model) -> list[str]:
    """The tokens of a text that the claim speaks about, of about eight tokens."""
    claim = accepted(model)
    if claim["speaks"] == "prompts":
        return [*model.vocabulary.split(claim["start"])[: model.n_ctx]]
    begin = claim.get("begin")
    first = [] if begin is None else [begin]
    tokens = claim.get("alphabet") or model.vocabulary.tokens
    size = min(_POSITIONS, model.n_ctx) - len(first)
    return [*first, *islice(cycle(tokens), size)]
