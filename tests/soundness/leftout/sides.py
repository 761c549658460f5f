"""What each side says of a model by itself, and what they say together, without the real runs
or with them.

    opened(make, dtype)       a model, even where the claim rules refuse its claim
    refused(make)             why they refuse it, or None
    prover(model)             PROVED, or why not
    drafted(model)            the certificate that the prover writes, before anyone has checked it
    checker(model, c)         PROVED, or why the certificate is rejected
    together(model)           prover and checker as `verify` asks them, without real runs
    gate(model, found)        PROVED, or what the real runs disagree about

Rules of this file: an answer is one text; a traceback is an answer, too, and no proof.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np

from handcraft.claims import kinds, prompt_claim
from handcraft.core.errors import HandcraftError
from handcraft.model import Model
from handcraft.program.program import Program
from handcraft.proof.checker import Certificate, Found, Rejected, check, examine
from handcraft.proof.prove import gated
from handcraft.proof.prover import recorder as recording
from handcraft.proof.prover.network import Undecided
from handcraft.proof.prover.pairwise import Pairs, wanted
from handcraft.proof.prover.prover import Prover
from handcraft.proof.prover.recorder import Recorder
from handcraft.proof.task import Budget, Task

PROVED = "proved"


class _Drafted(Exception):  # noqa: N818  # not an error: the certificate is on its way
    def __init__(self, certificate: Certificate) -> None:
        self.certificate = certificate


@contextmanager
def unruled() -> Iterator[None]:
    """No claim is refused when a Program is made."""
    with (
        patch.object(Program, "_check_claim", lambda self: None),
        patch.object(kinds, "only", lambda *_: None),
        patch.object(prompt_claim, "only", lambda *_: None),
        np.errstate(all="ignore"),
    ):
        yield


def opened(make: Callable[[], Program], dtype: str = "float32") -> Model:
    """The model of a program, with no claim refused."""
    with unruled():
        return Model.of(make(), dtype)


def refused(make: Callable[[], Program]) -> str | None:
    """What the program is refused with where the claim rules are asked."""
    try:
        make()
    except HandcraftError as error:
        return str(error)
    return None


def _said(ask: Callable[[], Any]) -> str:
    try:
        with unruled():
            ask()
    except (Undecided, Rejected) as why:
        return str(why)
    except Exception as error:  # a traceback is no proof
        return f"{type(error).__name__}: {error}"
    return PROVED


def prover(model: Model) -> str:
    """What the prover says, its own checks alone."""
    claim: Any = model.program.claim if model.program else None
    return _said(
        lambda: (Pairs if wanted(claim) else Prover)(
            model, claim, math.inf, lambda *_: None
        ).run()
    )


def drafted(model: Model) -> Certificate:
    """The certificate that it writes. Raises Undecided where it writes none."""

    def caught(_: Model, certificate: Certificate) -> Found:
        raise _Drafted(certificate)

    try:
        with patch.object(recording, "examine", caught), unruled():
            _recorder(model).recorded()
    except _Drafted as found:
        return found.certificate
    except (Undecided, Rejected):
        raise
    except Exception as error:
        raise Undecided(f"{type(error).__name__}: {error}") from None
    raise Undecided("no certificate was written")


def _recorder(model: Model) -> Recorder:
    claim: Any = model.program.claim if model.program else None
    return Recorder(model, claim, math.inf, lambda *_: None)


def checker(
    model: Model, certificate: Certificate, *, as_stated: bool = False
) -> str:
    """What the checker says; it is told the numbers that it finds itself, unless those of the
    certificate are in question.
    """
    return _said(
        lambda: check(
            model, certificate if as_stated else stated(model, certificate)
        )
    )


def stated(model: Model, certificate: Certificate) -> Certificate:
    """The certificate with the numbers that the checker finds. Raises Rejected where it finds
    none.
    """
    found = examine(model, certificate)
    margin = (
        None
        if math.isinf(found.margin)
        else found.margin - 1e-9 * abs(found.margin)
    )
    at = [model.vocabulary.tokens[i] for i in found.at]
    error = found.error * (1 + 1e-9)
    return replace(
        certificate,
        contexts=found.contexts,
        checked=found.checked,
        margin=margin,
        margin_at=at,
        error=error,
    )


def together(model: Model) -> str:
    """What prover and checker say, no real runs asked."""
    return _said(lambda: _recorder(model).recorded())


def gate(model: Model, found: Found) -> str:
    """What the real runs say of what the checker found: PROVED, or the reason or the verdict."""
    claim: Any = model.program.claim if model.program else None
    task = Task(model, claim, Budget(), math.inf, lambda *_: None)
    try:
        with np.errstate(all="ignore"):
            outcome = gated(task, found)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return PROVED if outcome.proved else outcome.reason or "refuted"
