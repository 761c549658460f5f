"""The verdict on a certificate of one attention layer: are the texts right that it says are?

    the classes     disjoint by what they are (classes.py); each must be right by the bound that
                    the checker computes from the weights (weighing.py)
    the number      of the texts in them, counted here; the certificate may state no other
    the margin      stated only where all texts are covered, and no greater than every lead

Rules of this file: nothing is searched for; what is not shown is Rejected, with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from handcraft.claims.kinds import Claim
from handcraft.core.errors import printable
from handcraft.model import Model
from handcraft.proof.assumptions import ASSUMPTIONS
from handcraft.proof.checker.certificate import claim_hash, weights_hash
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.separable.certificate import LayerCertificate, OfLength
from handcraft.proof.separable.classes import (
    Pattern,
    alike_but_over,
    example,
    occurs,
    patterns,
    texts_shown,
)
from handcraft.proof.separable.layer import OneLayer
from handcraft.proof.separable.ranking import Ranking, Shape, ranking_of
from handcraft.proof.separable.weighing import Weighing

MOST_LAYER_TERMS = (
    2**32
)  # terms of all classes: tokens at places, against wrong ones
_MOST_AT_ONCE = 2**24  # terms of the classes of one last and one greatest token


@dataclass(frozen=True)
class Covered:
    """What a certificate shows: of so many texts, so many are surely right.

    margin  a lead of every right logit, where all are covered; `at` is a text of the class where
            no more is certain
    """

    contexts: int
    covered: int
    margin: float | None
    at: list[int]


def examine_layer(
    model: Model, claim: Claim, certificate: LayerCertificate
) -> Covered:
    """What the classes of a certificate show, whatever numbers it states. Raises Rejected, with the
    reason, if one of them does not hold.
    """
    _of_this(model, claim, certificate)
    try:
        # what is not a finite number shows nothing where it is used
        with np.errstate(all="ignore"):
            return _examined(model, claim, certificate)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise Rejected(
            f"it is not consistent: {printable(str(error))}"
        ) from None


def check_layer(
    model: Model, claim: Claim, certificate: LayerCertificate
) -> Covered:
    """What a certificate shows, checked to be what it states. Raises Rejected, with the reason."""
    found = examine_layer(model, claim, certificate)
    if (certificate.contexts, certificate.covered) != (
        found.contexts,
        found.covered,
    ):
        raise Rejected(
            f"it states {certificate.covered} of {certificate.contexts} texts; its"
            f" classes have {found.covered} of {found.contexts}"
        )
    stated = certificate.margin
    if stated is not None and not (
        found.margin is not None and stated <= found.margin
    ):
        raise Rejected(
            f"it states a margin of {stated:g}, but only"
            f" {found.margin or 0.0:.6g} is certain"
        )
    return replace(found, margin=stated)


def check_work(ranking: Ranking, n_vocab: int) -> None:
    """Check that the classes have no more terms than are followed. Raises Rejected if they have."""
    n = len(ranking.order)
    work = 0
    for shape in ranking.shapes:
        kinds = 3 * (
            2 ** len(shape.free) if len(shape.free) <= 4 else len(shape)
        )
        once = (n + kinds) * len(shape) * n_vocab
        work += len(ranking.last(shape)) * n * once
        if once > _MOST_AT_ONCE or work > MOST_LAYER_TERMS:
            raise Rejected("its classes have too many terms to be followed")


def _of_this(model: Model, claim: Claim, certificate: LayerCertificate) -> None:
    """Check that it is a certificate of this model and this claim. Raises Rejected if not."""
    if (certificate.weights, certificate.dtype) != (
        weights_hash(model),
        model.dtype,
    ):
        raise Rejected("it is a certificate of other weights")
    if certificate.claim != claim_hash(model, claim):
        raise Rejected("it is a certificate of another claim")
    stated = (
        certificate.program,
        certificate.n_ctx,
        certificate.assumptions,
    )
    if stated != (model.name, model.n_ctx, list(ASSUMPTIONS)):
        raise Rejected(
            "it states another program, another window or other assumptions"
        )


def _examined(
    model: Model, claim: Claim, certificate: LayerCertificate
) -> Covered:
    ranking = ranking_of(claim, model.vocabulary, model.n_ctx)
    by_length = {part.length: part for part in certificate.lengths}
    lengths = [len(shape) for shape in ranking.shapes]
    if sorted(by_length) != lengths or len(certificate.lengths) != len(lengths):
        raise Rejected("it does not name each length of the texts once")
    check_work(ranking, len(model.vocabulary))
    layer = OneLayer(model)
    contexts = covered = 0
    least: tuple[float, list[int]] = math.inf, []
    for shape in ranking.shapes:
        part = by_length[len(shape)]
        _check_limits(ranking, shape, part)
        for lead, text in _leads(layer, ranking, shape, part):
            least = min(least, (lead, text))
        contexts += ranking.size(shape)
        covered += texts_shown(shape, part.by, part.limits)
    margin = least[0] if covered == contexts else None
    return Covered(contexts, covered, margin, least[1])


def _check_limits(ranking: Ranking, shape: Shape, part: OfLength) -> None:
    """Check that the limits are a table as classes.py says. Raises Rejected if not."""
    kinds = patterns(shape, part.by) if len(shape.free) <= _most(part) else []
    n = len(ranking.order)
    rows = [numbers for row in part.limits for numbers in row]
    if (
        not kinds
        or len(part.limits) != len(ranking.last(shape))
        or any(len(row) != n for row in part.limits)
        or any(len(numbers) != len(kinds) for numbers in rows)
    ):
        raise Rejected("its limits do not fit the texts")
    for q, row in enumerate(part.limits):
        for m, numbers in enumerate(row):
            for kind, limit in zip(kinds, numbers, strict=True):
                most = kind.most(m) if occurs(shape, q, m, kind) else 0
                if not 0 <= limit <= most:
                    raise Rejected("a limit is beyond the greatest token")
            for group in alike_but_over(kinds):
                own = [numbers[i] for i in group]
                if own != sorted(own, reverse=True):
                    raise Rejected("a limit grows with what is over it")


def _most(part: OfLength) -> int:
    """The most free places whose patterns are written out."""
    return 4 if part.by == "places" else 2**16


def _leads(
    layer: OneLayer, ranking: Ranking, shape: Shape, part: OfLength
) -> Iterator[tuple[float, list[int]]]:
    """The leads that are certain in the classes, each with a text where no more is. Raises Rejected
    for one that is not right.
    """
    weighing = Weighing(layer, ranking, shape)
    kinds = patterns(shape, part.by)
    for q, row in enumerate(part.limits):
        query = weighing.query(q)
        for m, numbers in enumerate(row):
            shown = [i for i, limit in enumerate(numbers) if limit]
            if not shown:
                continue
            some: list[Pattern] = [kinds[i] for i in shown]
            leads = query.worst(m, some, np.array(numbers)[shown])
            if not leads.right.all():
                raise Rejected("a class of texts is not certain to be right")
            at = int(leads.lead.argmin())
            limit = numbers[shown[at]]
            text = example(ranking, shape, q, m, some[at], limit)
            yield float(leads.lead[at]), text
