"""Makes programs of expressions: what should be said becomes slots, heads and neurons that say it.

    reading/      an expression in its core form, and which values each part can have
    stream        lanes, what they hold, and the rules so far
    ground        what the lowering of one part may ask of the whole
    pointwise     functions of one number, by neurons
    values/       values at one position, from others there
    heads/        selections, by heads
    lower         each node once: tables, sums, neurons or a head
    scheduling/   the rules in blocks, with the fewest weights, and then as a Program
    frames/       `tag`: each position answers
    echoes/       `answer`: the answers behind the text, for a causal model
    prompts/      `of` and `next_token`: a claim in its own prompts and window
    rasp/         `rasp.compile_rasp_to_model`
    naming        names of lanes; meanings: what they hold; refusals: what cannot be lowered

Rules of this folder: nothing is wrong silently; a radius is a bound, and what leaves it is refused.
"""
