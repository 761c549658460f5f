"""Defines the flat arrays that the compiled enumeration works on, since compiled code knows no
objects.

    Plan         the weights: all numbers in one array, and where each matrix, head and layer
                 stands in it
    ClaimArrays  an automaton over tokens (suffix_automaton.py), and the token or the
                 probabilities that must follow
    WalkArrays   the path, its keys and values, and room to compute in
    Counted      what tally.py counts

Rules of this file: names for arrays and for their columns, nothing else; compiled.py fills
them, kernel.py reads them.
"""

from __future__ import annotations

from typing import NamedTuple

from handcraft.core.gpt2 import Array

PREFIX, LONGEST, DEPTH, DONE, WILD = range(5)  # in Walk.cursor
CONTEXTS, CHECKED, CORRECT, NEAR = range(4)  # in Found.counts
LEAST, ERROR = range(
    2
)  # in Found.extremes; LEAST is also the row of the margin's context in Found.contexts
WRONG = 1  # and this the row of the wrong one
VALUES, ROWS, COLUMNS, SPANS = range(4)  # in Plan.matrices
Q, K, V, PROJECTION, KEYS, READ = range(6)  # in Plan.heads
LN_1, HEAD, LAST, ATTN_BIAS, LN_2, C_FC, C_PROJ = range(7)  # in Plan.layers


class Plan(NamedTuple):
    """The weights. An offset of -1 marks a part that does not exist; a bias follows its matrix in
    `values`.
    """

    values: Array  # [n]
    # [n_rows, 2] the first column of each row of a matrix that is not zero, and the one after
    # the last
    spans: Array
    matrices: Array  # [n_matrices, 4] offset in values, rows, columns, offset in spans
    heads: Array  # [n_heads, 6] matrices of q, k, v, out; first row in Walk.keys, in Walk.read
    # [n_layers, 7] offset of ln_1, first head, head after the last, bias of c_proj, ln_2, c_fc,
    # c_proj
    layers: Array
    wte: Array  # [n_vocab, n_embd]
    wpe: Array  # [n_ctx, n_embd]
    unembed: int  # the unembedding, transposed
    ln_f: int
    scale: Array  # [1] by which scores are divided
    epsilon: Array  # [1] of the layer norms
    relu: bool


class ClaimArrays(NamedTuple):
    """The claim: for each ending `expected` holds one token, `right` the several that are right
    somewhere, or `rows` the probabilities.
    """

    follow: Array  # [n_states, n_vocab]
    found: Array  # [n_states]
    expected: Array  # [n_endings]
    right: Array  # [n_endings, n_vocab] bool, or [n_endings, 0] where one token is right
    rows: Array  # [n_endings, n_vocab], or [n_endings, 0]
    tolerance: float
    within: float  # the slack that another order of summation could take away; less is told apart


class WalkArrays(NamedTuple):
    """The state of the walk, and room for one position."""

    cursor: Array  # [5]
    ids: Array  # [n_ctx]
    states: Array  # [n_ctx + 1] of the claim's automaton, before each token and after the last
    # [n_ctx + 1] whether an earlier position makes everything after it infinite or no number
    spoiled: Array
    keys: Array  # [lanes of all heads, n_ctx]
    read: Array  # [value lanes of all heads, n_ctx]
    x: Array  # [n_embd] the residual stream
    normed: Array  # [n_embd]
    added: Array  # [n_embd]
    lanes: Array  # [widest] a query, a key or a value, what attention reads, or neurons
    other: Array  # [widest]
    scores: Array  # [n_ctx]
    live: Array  # [widest] which numbers are not zero
    logits: Array  # [n_vocab]
    chances: Array  # [n_vocab]


class Counted(NamedTuple):
    """The counts, as in Tally, and the contexts that are not counted, since rounding could turn
    them.
    """

    counts: Array  # [4]
    extremes: Array  # [2] the least margin, the greatest error
    lengths: Array  # [2] of the two contexts; 0 where there is none
    contexts: Array  # [2, n_ctx] the least margin's, and the wrong one
    logits: Array  # [n_vocab] after the wrong one
    near: Array  # [as many as one call of the walk can count, n_ctx] contexts within rounding
    long: Array  # [the same] their lengths
