"""The table: for every site and every bound the input that would be called right without it,
and who stops it.

    found()          {site or bound: input}, as it was searched for
    row(what)        the line of one: what is said with it, without it, and by the others

Rules of this file: of a site nothing is believed: the test asks every row anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from handcraft.proof.checker import Rejected, examine
from handcraft.proof.prover.network import Undecided
from leftout.bounds import CHECKERS, PROVERS
from leftout.inputs import (
    AS_STATED,
    FAMILIES,
    certificate_of,
    model_of,
    names,
    refused_by_rules,
)
from leftout.reasons import REASONS
from leftout.sides import PROVED, checker, gate, prover, together, unruled
from leftout.sites import Edit, Site, edited, left_out, sites

FOUND = Path(__file__).parent / "found.json"
What = Site | Edit
DIRECTED = 8  # models of each family that are tried for a bound
FILES = (
    "resumed",
    "exported",
    "avoided",
)  # families that are about other things


def without(what: What) -> AbstractContextManager[None]:
    """The package without a check, or with a wrong bound."""
    return left_out(what) if isinstance(what, Site) else edited(what)


@cache
def found() -> dict[str, str]:
    """Of each site and bound its input."""
    return dict(json.loads(FOUND.read_text()))


def with_input() -> list[What]:
    """All that have an input."""
    return [
        what for what in (*sites(), *PROVERS, *CHECKERS) if str(what) in found()
    ]


def alone(what: What, name: str) -> str:
    """What its side alone says of an input: the prover of the model, the checker of the
    certificate.
    """
    if what.of_prover:
        return prover(model_of(name))
    return checker(
        model_of(name),
        certificate_of(name),
        as_stated=name.partition("/")[0] in AS_STATED,
    )


@dataclass(frozen=True)
class Row:
    """One input: what its side says with the check and without it, and who stops it then."""

    what: What
    name: str
    whole: str  # of the side as it is
    broken: str  # of the side without the check
    others: str  # of prover and checker together, without the check
    rules: str | None  # of the claim rules


def row(what: What, name: str) -> Row:
    """Asks them all."""
    whole = alone(what, name)
    with without(what):
        return Row(
            what,
            name,
            whole,
            alone(what, name),
            together(model_of(name)),
            refused_by_rules(name),
        )


def stopped_by(row: Row) -> str:
    """Who stops it, where one check is missing and no real run is asked."""
    if row.name.partition("/")[0] in AS_STATED:
        return "what is printed: the checker's own numbers"
    if row.others != PROVED:
        return "the checker" if row.what.of_prover else "the prover"
    return "the claim rules" if row.rules else "NOBODY"


def of_gate(what: What, name: str) -> str | None:
    """What real runs say where both sides are broken: the checker accepts what it should not.
    None where it does not.
    """
    model = model_of(name)
    with without(what), unruled():
        try:
            shown = examine(model, certificate_of(name))
        except (Rejected, Undecided):
            return None
        return gate(model, shown)


# ------------------------------------------------------------ searching


def search() -> dict[str, str]:
    """An input for every site and bound that has one among all there are."""
    kept = {}
    for what in (*sites(), *PROVERS, *CHECKERS):
        name = next(_matching(what), None)
        if name is not None:
            kept[str(what)] = name
    return kept


def _matching(what: What) -> Iterator[str]:
    """Inputs that its side alone calls right without it, and not with it."""
    candidates = list(_candidates(what))
    with without(what):
        yield from (name for name in candidates if alone(what, name) == PROVED)


@cache
def _refused(name: str, *, of_prover: bool) -> str | None:
    """What one side says of an input as it is; None where it is of no use."""
    try:
        whole = (
            prover(model_of(name)) if of_prover else alone(CHECKERS[0], name)
        )
    except (Undecided, Rejected):
        return None
    return None if whole == PROVED else whole


def _candidates(what: What) -> Iterator[str]:
    directed = [
        f"{family}:{seed}"
        for seed in range(DIRECTED)
        for family in FAMILIES
        if family not in FILES
    ]
    for name in (*names(), *(() if isinstance(what, Site) else directed)):
        if what.of_prover and "/" in name and not name.startswith("wrong/"):
            continue
        whole = _refused(name, of_prover=what.of_prover)
        if whole is None or (
            isinstance(what, Site)
            and what.message
            and what.message[:40] not in whole
        ):
            continue
        yield name


def reason(what: What) -> str | None:
    """Why there can be no input."""
    return REASONS.get(str(what).strip())
