"""Reads pictures as a renderer does: every text, with the point on the page where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

SVG = "{http://www.w3.org/2000/svg}"


@dataclass(frozen=True)
class Word:
    """A text on the page, and the point that it is anchored to."""

    text: str
    x: float
    y: float


def parsed(picture: str) -> ElementTree.Element:
    """The picture, which is well-formed XML."""
    root = ElementTree.fromstring(picture)
    assert root.tag == f"{SVG}svg"
    return root


def words(picture: str) -> list[Word]:
    """Every text of a picture, from its first to its last."""
    return list(_words(parsed(picture), 0.0, 0.0))


def _words(element: ElementTree.Element, x: float, y: float) -> Iterator[Word]:
    moved = re.fullmatch(
        r"translate\((\S+) (\S+)\)", element.get("transform", "")
    )
    if moved:
        x, y = x + float(moved[1]), y + float(moved[2])
    if element.tag == f"{SVG}text":
        own = float(element.attrib["x"]), float(element.attrib["y"])
        yield Word(element.text or "", x + own[0], y + own[1])
    for child in element:
        yield from _words(child, x, y)


def tips(picture: str) -> list[str]:
    """Every tooltip of a picture, without its title."""
    found = parsed(picture).iter(f"{SVG}title")
    return [title.text or "" for title in found][1:]


def fetches_nothing(picture: str) -> bool:
    """True for a picture that runs nothing, and names no address but that of its format."""
    addresses = re.findall(r"https?://[^\"<]+", picture)
    active = re.search(
        r"<script|<foreignObject|\son\w+=|url\((?!#)|\b(src|href)=|@import|javascript:",
        picture,
    )
    return set(addresses) <= {"http://www.w3.org/2000/svg"} and not active


def readable_without_css(picture: str) -> bool:
    """True where every text and every box has its light colour as an attribute."""
    root = parsed(picture)
    shown = [*root.iter(f"{SVG}text"), *root.iter(f"{SVG}rect")]
    return bool(shown) and all("fill" in element.attrib for element in shown)
