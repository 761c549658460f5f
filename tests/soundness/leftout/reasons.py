"""Why there is no wrong input for a check: it is a limit of work, a better message, or the
second of two lines.

Keys are sites as they are printed; `NEXT` says that what follows cannot go on, so that the
answer is a traceback, which is an error and no verdict, or a rejection as "not consistent".
"""

from __future__ import annotations

WORK = "a limit of work or of time: without it the same is found later, or memory ends"
NEXT = (
    "the next step takes apart what is not there: a traceback, or 'it is not"
    " consistent', never a proof"
)
BOUND = (
    "it only binds a file to its program: all bounds are computed from the model and"
    " the claim that are given"
)

UNTIED = (
    "a Model with rules refuses an unembedding of its own, so that only weights changed"
    " in place have one"
)

REASONS = {
    "prover/network.Network.__init__: the unembedding is not wte, which is not bounded": UNTIED,
    "checker/network.Network.__init__: the unembedding is not wte, which is not bounded": UNTIED,
    # ------------------------------------------------ the prover
    (
        "prover/transducer_case.AlignedCase.__init__: "
        "the transducer reads a position twice, or one outside the pr"
    ): (
        "more tokens are read than there are positions, so the reading ends before the"
        " answer is known: a traceback"
    ),
    "prover/transducer_case.AlignedCase.step: the transducer has no row for": NEXT,
    "prover/transducer_case._shape: tokens of several characters cannot be read in another order": (
        "prompts are counted by character: the next check finds another number of them"
    ),
    "prover/transducer_case._shape: the tokens of a prompt depend on each other, so that it cann": (
        "all combinations are more than the prompts that there are: 'the cases cover'"
        " stops it"
    ),
    "prover/cases.cases_of: by_function": "no case is left to be proved: a traceback",
    "prover/cases._answers: by_function": NEXT,
    "prover/cases.TableCase.__init__: the table has more than": WORK,
    "prover/cases._expressions: the claim falls into": WORK,
    "prover/cases.ExpressionCase.expected: the claim answers": NEXT,
    "prover/domains.domains_of: the answer to a prompt of": (
        "there is no embedding past the window: a traceback"
    ),
    "prover/domains.length_at: the length of the answer depends on more than the prompt's l": (
        "what is no whole number has no range: a traceback"
    ),
    "prover/positions.follow: the time of the budget was over while following position": (
        WORK
    ),
    "prover/positions.follow: earlier positions can be in more than": WORK,
    "prover/positions.follow: what earlier positions hold is more than": WORK,
    "prover/positions._memory: head": NEXT,
    "prover/guesses.Known.__call__: the claim's": (
        "an expression of the past cannot be combined without its memory: an error"
    ),
    "prover/network.Network.__init__: the rounding of": (
        "a model's numbers are float32 or float64: `Model` converts or refuses any"
        " other, so no input reaches it"
    ),
    (
        "prover/pair_claim.PairCase.expected: "
        "a part of the claim's `most` may be nothing, so that two of"
    ): ("nothing is no number either: the next check stops it"),
    "prover/pairwise.Pairs._rule: the claim compares no counts": (
        "`wanted` has asked the same before"
    ),
    "prover/pairwise.Pairs._domain: many counts can only be compared where no context's length a": (
        "the first of several domains covers one length only: 'the cases cover' stops"
        " it; a guess has no tracker: Undecided"
    ),
    "prover/pair_claim._together: the claim compares counts that cannot be added up to one": (
        "the sum is then nothing, which is no number: the next check stops it"
    ),
    "prover/prover.Prover._whole: the guesses cover": (
        "a second line: every guess lists all values that there are, or is Undecided"
    ),
    "prover/prover.Prover._search: the time of the budget was over": WORK,
    "prover/prover.Prover._right: the claim answers a number where a token is asked": (
        "a float is no index of the logits: a traceback"
    ),
    "prover/recorder.Recorder.recorded: the proof has no certificate that can be checked:": (
        "nothing was found that could be stated: a traceback"
    ),
    "prover/recorder.Recorder._asked: a query was not written down": NEXT,
    "prover/graph.Search._spend: contexts can be in more than": WORK,
    "prover/graph.Search._spend: the time of the budget was over": WORK,
    "prover/selection_machines.track: the claim's": NEXT,
    "prover/selection_machines._matching: the claim selects a position by what stands behind it": (
        "no memory is kept for it: a traceback"
    ),
    "prover/selection_machines._matching: the claim looks back by more than": WORK,
    "prover/selection_machines.values_of: the claim compares with": NEXT,
    # ------------------------------------------------ the checker
    "checker/claim._followed: the claim uses words that are not followed here": (
        f"of many parts {WORK}; of a word that is not known, {NEXT}"
    ),
    "checker/zonotope.Floats.dot: a score is out of range": (
        "a score without bounds makes every weight and every margin one without bounds,"
        " and no such margin is above 0"
    ),
    "checker/pair_claim.Numbers.values: the claim compares what is no number": (
        "the claim itself is asked for the examples of the endings, and raises"
    ),
    "checker/pairwise.Compared._head: a section does not say what each head asks": (
        "`end` and the head's name are read by nobody else here, and without a slot "
        + NEXT
    ),
    (
        "checker/positions.PositionStates._next: "
        "the states of earlier positions do not fit each other"
    ): (
        "the rows fit by the check before; a state past them is one that nothing leads"
        " to, which the next position refuses"
    ),
    "checker/positions.PositionStates.position_state: token": NEXT,
    "checker/claim.Domain.step: a prompt holds a token of several characters": (
        "texts are counted by characters, contexts by tokens: 'it covers' stops it"
    ),
    "checker/claim.Aligned._advanced: the transducer has no row for what it reads": (
        NEXT
    ),
    "checker/claim.Aligned.answer: the transducer has not come to its end": (
        "an order reads every position, and each token of the answer must be due; what"
        " is not due has no id"
    ),
    "checker/claim._shape: prompts can be read in another order only where tokens are s": (
        "texts are counted by characters: the next check finds another number"
    ),
    "checker/claim._shape: the tokens of a prompt depend on each other, so that they ca": (
        "all combinations are more than the prompts: 'it covers' stops it"
    ),
    "checker/claim_expression.Ruled._fixed: a section must fix the claim's": (
        "an expression of the past cannot be combined without its memory: 'it is not"
        " consistent'"
    ),
    "checker/claim_expression.Ruled.answer: the claim answers with what is no token": (
        NEXT
    ),
    "checker/claim_expression.Ruled._matching: the claim looks back by more than": WORK,
    (
        "checker/claim_expression.Ruled._matching: "
        "the claim selects a position by what stands behind it"
    ): ("no memory is kept for it: 'it is not consistent'"),
    "checker/claim_expression.reading_of: the claim is none that can be checked": (
        "a function or a table has no parts; an order of an expression is read by"
        " nobody"
    ),
    "checker/graph.Walk._position: nothing leads to a state": NEXT,
    "checker/graph.Walk._edges: an edge has no such group of tokens, or leads nowhere": (
        NEXT + "; a state past all others is one that nothing leads to"
    ),
    "checker/graph.Walk._targets: a state at position": (
        "contexts that go on with that token are not counted: 'it covers' stops it"
    ),
    "checker/graph.Walk.after: token": (
        NEXT
        + "; of the token that is read last in an order tests/test_forgeries.py has one"
    ),
    "checker/views.View.__init__: a query has another size than the keys": (
        "a product of two sizes is refused by NumPy: 'it is not consistent'"
    ),
    "checker/softmax.Softmax._means: a head sees no key that is known": (
        "the greatest of none is refused by Python: 'it is not consistent'; no order"
        " reads a position twice"
    ),
    "checker/softmax.Softmax._means: a key that was left out may be the best": (
        "what leaks is e to the distance, which grows past 1: the bound becomes useless"
    ),
    "checker/softmax.Softmax._mixed: the weights of a head cannot be bounded": (
        "the mean is then divided by zero, and no margin that is no number is above 0"
    ),
    "checker/check.Checker.__init__: the model has no claim": NEXT,
    "checker/check.Checker.__init__: the claim is of a kind that is not known here": (
        "a file can name no other kind, and whoever runs code of its own beside the"
        " checker can change the checker, too"
    ),
    "checker/check.Checker.__init__: it is a certificate of other weights": BOUND,
    "checker/check.Checker.__init__: it is a certificate of another claim": BOUND,
    (
        "checker/check.Checker.__init__: "
        "it states another program, another window or other assumptio"
    ): (BOUND + "; the assumptions that are printed are the checker's"),
    "checker/check.Checker._ranges: it names tokens or positions that the model has not": (
        "what is not there cannot be indexed: 'it is not consistent'"
    ),
    "checker/check.examine: it is not consistent:": (
        "nothing was found that could be stated: a traceback"
    ),
    "checker/claim_expression.Ruled.answer: the claim has no answer to some context": (
        "what is nothing is no token: the next check refuses it"
    ),
    "checker/network.Network.__init__: the rounding of": (
        "a model's numbers are float32 or float64: `Model` converts or refuses any"
        " other, so no input reaches it"
    ),
    "checker/network.Network.__init__: the activation": (
        "programs and built directories hold relu or gelu alone, and for any other the"
        " forward pass has no function"
    ),
    "checker/claim.Domain.length: a prompt and its answer do not fit the window": (
        "no section may end past the window, so these contexts are not covered"
    ),
    "checker/claim._spelled_once: a prompt holds a token of several characters": (
        "texts are counted by characters, contexts by tokens: 'it covers' stops it"
    ),
    "checker/claim._written_out: answers of a table have no token, do not fit the window, or": (
        "`Answers.expected`, which is asked for every prompt of a table, refuses the"
        " same"
    ),
    "checker/claim_expression.Ruled.answer: the claim says a token, or nothing, of a lane": (
        "a token is no float: 'it is not consistent'"
    ),
    "checker/graph.Walk._position: nothing leads to a state #2": NEXT,
    "checker/graph.Walk._edges: a state has several edges for a token": WORK,
    "checker/check.Checker._emitted: the": WORK,
    "checker/work.Allowance.spend: to check it takes more than": WORK,
}
