"""Trains weights: the same forward pass, run backwards by JAX, with the optimiser of optax.

    shapes          which arrays, and what they are before the first step
    examples        what is trained on, as arrays: rows of tokens, what follows, how much it counts
    texts           of a text, or of a short sequence
    claim_examples  of the contexts or prompts of a claim: claim_prompts, with their answers,
                    claim_texts, which texts, and claim_targets, what follows in them
    loss            nats for each token that is asked, and how many are right
    settings        steps, rate, batch and the like
    frozen_cells    the cells of rules that stay as they are
    optimiser       AdamW of optax, and its rate over time
    compiling       functions of one seed's weights, for all seeds at once
    steps           many steps as one compiled loop
    evaluating      the loss of each seed on rows
    measured        what a run measures and ends with
    standing        where a run stands, and the best evaluation so far
    identity        what decides about the bits of a run
    saved           the file from which a run goes on
    pace            how many steps make a stretch
    running         a run: stretches of steps, evaluations, early stop
    apart           runs in several processes
    extra           JAX and optax

Why JAX: `core/gpt2.py` runs on its arrays as it is; `vmap` trains many seeds at once; a whole
stretch of steps is compiled as one loop, in which a step of a tiny model costs a tenth of what it
costs when each is called from Python; its random numbers are a function of seed and step, so that
a run that goes on needs no state of a generator; and it is the lighter of the two (JAX with optax
and what they need: 530 MB; torch for CPUs: 870 MB). docs/training.md has the figures.

Rules of this room: no optimiser and no derivative of its own; what is trained are plain arrays,
whose names are GPT-2's; the same settings and data give the same bits on one machine.
"""
