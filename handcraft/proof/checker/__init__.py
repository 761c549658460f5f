"""The checker: it decides whether a certificate holds, without the search that found it and without
a line of the prover.

A certificate comes from handcraft.proof.prover, or from a stranger. Files of the same name do
the same part on the two sides:

    both sides        the prover searches                 the checker decides
    network.py        which weights matter, and where     what each block computes, bounded
    zonotope.py       how far a float can be off          the same, written anew
    keys.py           keys in classes of equal score      keys in groups of like scores
    softmax.py        the means that a head can return    the same, from groups of keys
    positions.py      every state of earlier positions    the states that are listed, bounded
    views.py          what a head sees by one query       the same
    steps.py          what tokens lead to in a case       what they lead to in a section
    graph.py          which states contexts can reach     one listed graph, walked once
    pair_claim.py     two of many counts, as a case       the same two counts, as a reading
    pairwise.py       the greatest of many counts         the same: sections without a graph
    endings.py        what was shown, how surely          the logits at every ending, bounded

    the checker only
    check.py               the verdict: what is covered, and whether no more is stated
    certificate.py         a certificate as a file, hostile ones included
    claim.py               the claim, read token by token
    claim_expression.py    the same for a claim that is an expression
    pair_walk.py           the contexts of two tokens, walked by what is known of them
    work.py                how many steps a certificate may ask for

Rules of this package: it imports nothing of handcraft.proof.prover; what a certificate says is
never believed, only used.
"""

from __future__ import annotations

from handcraft.proof.checker.certificate import Certificate as Certificate
from handcraft.proof.checker.certificate import (
    certificate_hash as certificate_hash,
)
from handcraft.proof.checker.certificate import (
    read_certificate as read_certificate,
)
from handcraft.proof.checker.certificate import (
    write_certificate as write_certificate,
)
from handcraft.proof.checker.check import check as check
from handcraft.proof.checker.check import examine as examine
from handcraft.proof.checker.endings import Found as Found
from handcraft.proof.checker.endings import Shown as Shown
from handcraft.proof.checker.zonotope import Rejected as Rejected
