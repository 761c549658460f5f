"""The verdict on a certificate: what it covers, whether its bounds hold, and whether it states no
more than that.

A section is a graph with one edge for every token that its contexts can go on with, so each
context is one way through the graph. The checker walks it position by position. Every state gets
what the checker itself knows of all contexts that lead there: the claim's memory, the states of
earlier positions, and what each head's softmax has seen. Where ways meet, the memories must be
the same, and the rest is joined to something that covers both. So no graph whatever can make a
wrong bound:

    a missing edge     is rejected
    a wrong edge       joins what does not belong together: the bounds become useless, or the
                       memories differ, which is rejected
    a missing context  no context is in two sections, and the contexts that the sections answer
                       are counted: as many as there are, hence all of them
    every ending       its logits are bounded from the weights, and must be right by the
                       certified margin

Rules of this file: it imports nothing of the prover; what is not shown is Rejected, with the
reason.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from handcraft.claims.kinds import CLAIM_KINDS, Claim
from handcraft.core.errors import printable
from handcraft.language.affine import Lane
from handcraft.model import Model
from handcraft.proof.assumptions import ASSUMPTIONS
from handcraft.proof.checker.certificate import (
    Certificate,
    Section,
    claim_hash,
    weights_hash,
)
from handcraft.proof.checker.claim import Domain
from handcraft.proof.checker.endings import EndingsJudge, Found
from handcraft.proof.checker.graph import Setting, Walk
from handcraft.proof.checker.network import Network
from handcraft.proof.checker.pairwise import compared
from handcraft.proof.checker.positions import PositionStates
from handcraft.proof.checker.work import LEAST_STEPS, Allowance
from handcraft.proof.checker.zonotope import Rejected

_STEPS = 64  # for each number that a graph is written with
_MOST_NUMBERS = 2**26  # in the streams of earlier positions


class Checker:
    """The check of one certificate against one model."""

    def __init__(self, model: Model, certificate: Certificate) -> None:
        self.model = model
        self.certificate = certificate
        claim = model.program.claim if model.program else None
        if claim is None:
            raise Rejected("the model has no claim")
        # what the kinds say of themselves is believed, so none may be overridden
        if type(claim) not in CLAIM_KINDS:
            raise Rejected("the claim is of a kind that is not known here")
        self.claim: Claim = claim
        if (
            certificate.weights != weights_hash(model)
            or certificate.dtype != model.dtype
        ):
            raise Rejected("it is a certificate of other weights")
        if certificate.claim != claim_hash(model):
            raise Rejected("it is a certificate of another claim")
        if (
            certificate.program,
            certificate.n_ctx,
            certificate.assumptions,
        ) != (
            model.name,
            model.n_ctx,
            list(ASSUMPTIONS),
        ):
            raise Rejected(
                "it states another program, another window or other assumptions"
            )
        self.network = Network(model)
        self._ranges()
        self.work = Allowance(
            LEAST_STEPS
            + _STEPS * sum(_entries(s) for s in certificate.sections)
        )
        self._emitted()
        self.domain = Domain(model, self.claim, certificate.alphabet)
        self.position_states = PositionStates(
            self.network,
            certificate.tokens,
            certificate.after,
            certificate.followed,
        )
        self.found = Found()
        self.column = (
            model.program.layout.column[Lane.parse(claim.lane)]
            if claim.measures == "lane" and model.program
            else 0
        )

    def _ranges(self) -> None:
        """Check that the model has the tokens and positions that are named. Raises Rejected
        if not.
        """
        c = self.certificate
        vocabulary = self.network.n_vocab
        places = self.network.n_ctx
        tokens = [
            c.alphabet,
            *c.groups,
            *c.tokens,
            *([token for _, token in s.finals] for s in c.sections),
        ]
        levels = [
            len(c.tokens) - 1,
            *(level for s in c.sections for level, _ in s.finals),
        ]
        levels += [s.end for s in c.sections if s.end is not None]
        if any(
            len(set(row)) < len(row)
            for row in (c.alphabet, *c.groups, *c.tokens)
        ):
            raise Rejected("a list of tokens names one twice")
        if (
            max(map(max, filter(None, tokens)), default=0) >= vocabulary
            or max(levels) >= places
            or len(c.after) != len(c.tokens)
        ):
            raise Rejected(
                "it names tokens or positions that the model has not"
            )

    def _emitted(self) -> None:
        """Check that the streams of earlier positions fit in memory. Raises Rejected if not."""
        c = self.certificate
        blocks = len(self.network.blocks)
        count = sum(
            len(after) * len(tokens)
            for after, tokens in zip(c.after, c.tokens, strict=True)
        )
        if count * self.network.wte.shape[1] * (blocks + 1) > _MOST_NUMBERS:
            raise Rejected(
                f"the {count} states of earlier positions are too many to be kept"
            )

    def run(self) -> Found:
        """Return what holds. Raises Rejected if something does not."""
        certificate = self.certificate
        _disjoint(certificate.sections)
        setting = Setting(
            self.network,
            self.position_states,
            self.domain,
            certificate.groups,
            self.work,
        )
        if any(section.graph is None for section in certificate.sections):
            compared(setting, certificate.sections, self.found)
            return self.found
        judge = EndingsJudge(setting, self.claim, self.column, self.found)
        for section in certificate.sections:
            walk = Walk(setting, section)
            walk.run()
            judge.add(walk)
        judge.run()
        sizes = self.domain.sizes(
            ends=any(s.end is not None for s in certificate.sections)
        )
        for key, size in sizes.items():
            if self.found.answered.get(key, 0) != size:
                raise Rejected(
                    f"it covers {self.found.answered.get(key, 0)} of {size} contexts of"
                    f" {key[1] + 1} tokens"
                )
        return self.found

    def covered(self) -> tuple[int, int]:
        """Return the number of contexts, or prompts, and how many of them the claim says
        something about.
        """
        if self.claim.asks_prompts:
            size = self.claim.language(
                self.model.n_ctx, self.model.vocabulary
            ).size
            return size, size
        return sum(self.found.answered.values()), self.found.spoken


def examine(model: Model, certificate: Certificate) -> Found:
    """Return what a certificate's evidence shows of a model, whatever numbers it states.
    Raises Rejected, with the reason, if it does not hold.
    """
    try:
        # what is not a finite number is rejected where it is used
        with np.errstate(all="ignore"):
            checker = Checker(model, certificate)
            found = checker.run()
            found.contexts, found.checked = checker.covered()
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
    ) as error:
        raise Rejected(
            f"it is not consistent: {printable(str(error))}"
        ) from None
    if not found.checked or not found.spoken:
        raise Rejected("the claim is silent on every context")
    return found


def check(model: Model, certificate: Certificate) -> Found:
    """Return what a certificate shows of a model, and check that it states no more. Raises
    Rejected, with the reason.
    """
    found = examine(model, certificate)
    _stated(model, certificate, found)
    return found


def _stated(model: Model, certificate: Certificate, found: Found) -> None:
    """Check that the certificate states what was found. Raises Rejected if not."""
    if (certificate.contexts, certificate.checked) != (
        found.contexts,
        found.checked,
    ):
        raise Rejected(
            f"it states {certificate.contexts} contexts, {certificate.checked} of them"
            f" checked; there are {found.contexts} and {found.checked}"
        )
    stated = math.inf if certificate.margin is None else certificate.margin
    if not found.margin >= stated or (
        certificate.margin is not None and math.isinf(found.margin)
    ):
        raise Rejected(
            f"it states a margin of {stated:g}, but only {found.margin:.6g} is certain"
        )
    if not found.error <= certificate.error:
        raise Rejected(
            f"it states an error of at most {certificate.error:g}, but it may be"
            f" {found.error:.6g}"
        )
    if [model.vocabulary.tokens[i] for i in found.at] != certificate.margin_at:
        raise Rejected("its bound stands after another context")


def _entries(section: Section) -> int:
    """Return the number of numbers that a section's graph is written with."""
    return sum(len(row) for states in section.graph or () for row in states)


def _disjoint(sections: Iterable[Section]) -> None:
    """Check that no context is in two sections. Raises Rejected if one could be."""
    together: dict[Any, dict[tuple[int, int], list[Section]]] = {}
    kinds = set()
    for section in sections:
        kinds.add((section.end is None, tuple(i for i, _ in section.guesses)))
        row = together.setdefault((section.end, tuple(section.guesses)), {})
        for place in section.finals:
            row.setdefault(place, []).append(section)
    if len(kinds) > 1:
        raise Rejected("the sections do not fix the same beforehand")
    pairs = {
        (id(a), id(b)): (a, b)
        for row in together.values()
        for several in row.values()
        for i, a in enumerate(several)
        for b in several[:i]
    }
    for a, b in pairs.values():
        queries = zip(a.slots, b.slots, strict=False)
        if not any(
            x.name == y.name
            and x.query
            and y.query
            and _apart(x.query, y.query)
            for x, y in queries
        ):
            raise Rejected("a context could be in two sections")


def _apart(
    a: tuple[list[float], list[float]], b: tuple[list[float], list[float]]
) -> bool:
    return len(a[0]) == len(b[0]) and any(
        abs(x - y) > (r + s) * 1.000001
        for x, r, y, s in zip(*a, *b, strict=True)
    )
