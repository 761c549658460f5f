"""The checker: whether a certificate holds, without the search that found it, and without a
line of the prover.

    document.py   a certificate as a file, hostile ones included
    boxes.py      what the model's floats can be: boxes whose uncertainties are shared
    sums.py       what a softmax returns, from counts
    network.py    the model, block by block
    positions.py  what every earlier position offers
    reading.py    the claim, read token by token; ruled.py where it is an expression
    views.py      what one head sees by the query of a section
    steps.py      what every token at a position leads to, each thing asked once
    sections.py   one graph of a certificate, walked once
    comparing.py  the greatest of many counts, two at a time: sections without a graph
    judging.py    what its endings show
    work.py       how much a certificate may ask for
    walk.py       all of them: what they cover, and whether it is what the certificate states

Rules of this package: it imports nothing of handcraft.proof.prover; what a certificate says is
never believed, only used.
"""

from __future__ import annotations

from handcraft.proof.checker.certificate import Certificate as Certificate
from handcraft.proof.checker.certificate import read_certificate as read_certificate
from handcraft.proof.checker.certificate import write_certificate as write_certificate
from handcraft.proof.checker.check import check as check
from handcraft.proof.checker.check import examine as examine
from handcraft.proof.checker.endings import Found as Found
from handcraft.proof.checker.endings import Shown as Shown
from handcraft.proof.checker.zonotope import Rejected as Rejected
