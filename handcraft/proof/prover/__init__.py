"""The prover: it searches for a proof over the weights that holds for every context and for every
order in which floats are added, without running the contexts one by one.

It writes down what it found as a certificate; handcraft.proof.checker then decides, without any
search, whether that is a proof. Files of the same name do the same part on the two sides:

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

    the prover only
    prover.py              the whole proof: every case, every query, every ending
    last_position.py       the residual stream of the last position, stage by stage
    case.py, cases.py      a claim as automata, one for each choice that is made beforehand
    domains.py             the contexts that a claim is about
    guesses.py             the choices: values that a left-to-right automaton cannot know yet
    selection_machines.py  an automaton for each selection of a claim
    transducer_case.py     a claim that is a transducer
    recorder.py, trail.py  the proof as a certificate, and its graphs
"""
