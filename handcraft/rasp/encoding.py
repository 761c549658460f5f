"""Numerical and categorical s-ops: an annotation that says how a compiler should encode them, and
that evaluation does not read.
"""

from __future__ import annotations

from handcraft.rasp.annotations import Encoding
from handcraft.rasp.expressions import annotate
from handcraft.rasp.sops import SOp, SOpT


def numerical(sop: SOpT) -> SOpT:
    """A copy of an s-op with all its values in one lane."""
    SOp.check(sop, "numerical(sop)")
    return annotate(sop, encoding=Encoding.NUMERICAL)


def categorical(sop: SOpT) -> SOpT:
    """A copy of an s-op with a lane for each of its values."""
    SOp.check(sop, "categorical(sop)")
    return annotate(sop, encoding=Encoding.CATEGORICAL)


def get_encoding(sop: SOp) -> Encoding:
    """The encoding of an s-op; TypeError for a selector, which has none."""
    SOp.check(sop, "get_encoding(sop)")
    encoding: Encoding = sop.annotations["encoding"]
    return encoding


def is_numerical(sop: SOp) -> bool:
    """True for an s-op with all its values in one lane."""
    return get_encoding(sop) is Encoding.NUMERICAL


def is_categorical(sop: SOp) -> bool:
    """True for an s-op with a lane for each of its values."""
    return get_encoding(sop) is Encoding.CATEGORICAL
