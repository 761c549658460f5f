"""The separable bound: of one attention layer with any weights, how many texts are surely right.

Given the query of the last token, a wrong token l is below the right token m just if

    sum over positions i of  w_i ((v_i + d)(l) - (v_i + d)(m))  <  0,    w_i = exp(score_i),

where v_i is what the value at i adds to the logits and d what stands in them anyway. The
denominator of the softmax is gone, and each term depends on one position alone. So the worst of
many texts is the sum of the worst at each position, and it is attained: for a claim on the
greatest of some tokens, whole classes of texts are shown to be right at once. Where all classes
are, the claim is proved; else the verdict is `bounded`, with the number of texts in those that
are.

    ranking.py      what the claim says: an order of the tokens, and which texts there are
    classes.py      the classes of texts, their numbers, and in which one a text is
    sized.py        the prover: plain arithmetic, and the sizes of what it is made of
    search.py       the prover: the largest classes that it can show with it
    certificate.py  what it found, as data and as a file
    layer.py        the checker: what keys, values and logits can be in floats
    weighing.py     the checker: the worst text of a class
    check.py        the checker: the verdict on a certificate
    runs.py         real runs that must agree
    method.py       prover, checker and runs, in this order

Rules of this package: what the checker needs (all but sized, search, runs and method) imports
nothing of the prover's; float32 rounding is inside the bound, in any order of summation.
"""
