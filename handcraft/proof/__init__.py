"""Verifies programs: checks that a model predicts what its program claims.

    verify.py             chooses the method, within a budget
    task.py               what a method is given and what it returns
    report.py             the report of a verification
    judge.py              holds one model to its claim, batch by batch
    expected.py           a claim as arrays: what must follow each of many contexts
    tally.py              counts right and wrong, the least margin, the shortest counterexample
    sample.py             random contexts and prompts
    enumerate/            every context, one by one: in NumPy, compiled, in several processes
    prove.py              the method that proves, over the weights
    prover/               searches for a proof
    checker/              checks a proof, without the prover
    certificate_files.py  a proof written to a file, and checked from one
    gate.py second.py doubt.py    questions asked of a proof before it is believed
    assumptions.py        what a proof takes for granted
    exponential.py        checks of these: exp and tanh on this machine

Rules of this package: the claim is evaluated in plain Python, the model through its weights;
neither knows the other. A tie is not an answer: a prediction is right where its margin is above
zero.
"""

from __future__ import annotations

from handcraft.proof.report import Counterexample as Counterexample
from handcraft.proof.report import Report as Report
from handcraft.proof.task import Budget as Budget
from handcraft.proof.task import Spread as Spread
from handcraft.proof.verify import METHODS as METHODS
from handcraft.proof.verify import verify as verify
