"""Proofs lane by lane: what each lane holds, at every position of every text, checked without one.

    certificate  the list of invariants, and the numbers that it states
    propose      the prover's side: it collects the invariants that a program brings
    check        the checker's side: it accepts a list, or says what is not shown

    symbols      values at a position of which only finitely many are known: token, index, ...
    forms        functions of symbols, as tables; possible: which of their rows some text has
    totals       sums over the selected positions as symbols; choices: the selected position
    bounds       what a total is at least and at most; spans: the totals that are sums of others
    first_rank   totals that are ranks among all positions
    compared     whether a key has less of a number than who asks, as much or more; head_compared:
                 heads that are scored by that
    links        what choices and totals say of each other
    meaning      an expression of the language as a form
    numbers      what floats a lane holds, by its symbols
    scores       the scores of a head, pair by pair
    attention    which selection a head makes: head_sum, head_choice, head_mean
    offered      what a head reads; overflow: that no number can; checked_model: which models
    stream       lanes from the embedding to the logits
    logits       the least margin, some rows at a time
    shown        all that was shown: of_texts, of_prompts

    contexts     the texts of a claim on prompts: which token can stand where
    asked        the meaning of an expression at a position that such a claim asks
    first_token  the same at the token that begins a text; behind: what a key may not find
    walks        the automaton of the prompts; walked: what sums over its ways are known by it
    climbs       sums that climb by one at most; lasting, lengths: answers as long as a text says
    elements     claims that read at the answer what is known at an element of the prompt
    element_lanes, element_stream
                 lanes at elements, without what follows them; the positions that are asked
    sizes        how large lanes can be where nothing else is known of them
    by_end       tables that are too large to be looked at at once
    needed       the heads that are followed where nobody asks
    echoed       a selection among elements, as one among positions that stand for them
    ranked       counts that are ranks among such positions; ranked_sums: of what these have
                 counted; ranked_places: where
    written      short selections by a condition
    widened      tables of pairs, by what these texts can have alone
    alike        symbols of keys that are the same wherever they count
    placed       choices of a position whose index is known; head_placed: heads that make them
    next_meaning the meaning of a claim on what follows any context
    refined      heads that find what a claim finds, where that finds any
    silence      after how many contexts a claim says nothing

    greatest     claims that ask for the token of the greatest number
    pairs        the same, two tokens at a time
    summands     a number of the claim as a sum over keys
    head_linear  a head as a sum over keys; last_heads: the difference of two logits as one
    straight     neurons behind the last heads that are straight lines
    pair_rows    what two tokens are compared by, as rows
    least_mean   what a mean is at least, where a sum over the same keys is at least so much

Rules of this folder: the checker's side imports neither the lowering nor the prover, and believes
nothing that it was told: what it cannot show is Rejected.
"""
