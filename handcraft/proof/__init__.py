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
    separable/            bounds one attention layer of any weights: prover and checker
    certificate_files.py  a proof written to a file, and checked from one
    gate.py               real runs that must agree with a proof
    second.py, doubt.py, near_pass.py
                          a second look at predictions that rounding could turn
    assumptions.py        what a proof takes for granted
    exponential.py        checks of these: exp and tanh on this machine

The words of prover/ and checker/:

    summary         the keys that a head has seen so far: classes of equal score, and for each
                    the number of its keys and the sum of their values
    position state  a token at a position, in one state that the earlier tokens can leave there;
                    it holds the residual stream at the input of each block
    level           a position at which a context can end; of a position state, its position
    stage           a block whose heads are needed at the last position only
    query class     last positions whose residual stream is the same as far as it still matters
    head query      a head with one query (a `slot` in the code and in certificates, which is not
                    a slot of the language)
    view            the keys of all position states, as one head query sees them
    row             a query class together with the summaries of all stages so far
    case            a small automaton that reads some of a claim's contexts token by token, and
                    then knows what must follow
    walk            following all contexts of a case or a section at once, position by position
    ending          contexts that end with the same claimed token, query class and summaries
    section         the part of a certificate that one search wrote: a graph over contexts

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
