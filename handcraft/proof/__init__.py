"""Verification: does the model predict what the program claims?

    report.py       what is said in the end
    expectation.py  a claim as arrays: what must follow each of many contexts
    judge.py        one model held to its claim, batch by batch
    tally.py        counting right and wrong, the least margin, the shortest counterexample
    enumeration.py  every context of every length, prefixes shared
    whole.py        every text by itself, at every position, where no prefix is shared
    compiled.py     the same by numba, where it is there: flat.py kernel.py verdicts.py suffixes.py
    units.py        the trie cut into units of work
    spread.py       units over processes, here or on a cluster
    checkpoint.py   what is done, in a file from which an interrupted run goes on
    exhaustive.py   the method that uses them
    task.py         what a method is given, and what it gives back
    sampling.py     contexts drawn by hypothesis, prompts drawn evenly by length
    methods.py      which method, within which budget
    certified.py    the method that proves: certificate/
    certifying.py   a proof as a file, and a file as a proof
    checker/        whether such a file holds, without the prover

Rules of this package: the claim is asked in plain Python, the model through its weights;
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
