"""The prover: it searches for a proof over the weights that holds for every context and for every
order in which floats are added, without running the contexts one by one.

It writes down what it found as a certificate; handcraft.proof.checker then decides, without any
search, whether that is a proof. Files of the same name do the same part on the two sides:

    both sides             the prover searches               the checker decides
    network.py             which weights matter, and where   what one block computes, bounded
    zonotope.py            how far a float can be off        the same, written anew
    softmax.py             means that a head can return      the same, from what is handed to it
    positions.py           all states of earlier positions   the states that are listed, bounded
    graph.py               which states contexts reach       one listed graph, walked once
    pairwise.py            the greatest of many counts,      the same, with no graph to walk
                           two tokens at a time

    the prover only
    prover.py              the whole proof: every case, every query, every ending
    recorder.py            the proof as a certificate, which the checker must accept
    case.py, cases.py      a claim as small automata, one for each choice made beforehand
    domains.py             the contexts that a claim is about
    guesses.py             what must be chosen beforehand, since it stands further right
    selection_machines.py  an automaton for each selection of the claim
    transducer_case.py     a claim that is a transducer

The checker's own files for the claim are claim.py and claim_expression.py; see its docstring.
"""
