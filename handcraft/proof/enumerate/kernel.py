"""Walks the trie of contexts depth first, in compiled code, one position for each context.

Depth first, only the keys and values of a single path are kept: n_ctx columns that stay in the
fastest cache, overwritten when the walk turns to the next branch. It computes the forward pass of
gpt2.py in the weights' own dtype, but skips what adds an exact zero: a number that is zero, the
cells of a row before its first and after its last non-zero one, a position whose attention weight
is below the least number of the dtype. Numbers that are not finite are handled apart, since zero
times infinity is not zero.

Rules of this file: it and kernel_judge.py alone import numba, so they are imported only where
numba is installed; every number is of the dtype of `Plan.values`, since a plain 1.0 would turn
float32 into float64. `advance` is compiled by compiled.py, which knows where to keep it.
"""

from __future__ import annotations

import math

from numba import njit

from handcraft.core.gpt2 import Array
from handcraft.proof.enumerate.arrays import (
    ATTN_BIAS,
    C_FC,
    C_PROJ,
    COLUMNS,
    DEPTH,
    DONE,
    HEAD,
    KEYS,
    LAST,
    LN_1,
    LN_2,
    LONGEST,
    PREFIX,
    PROJECTION,
    READ,
    ROWS,
    SPANS,
    VALUES,
    WILD,
    ClaimArrays,
    Counted,
    K,
    Plan,
    Q,
    V,
    WalkArrays,
)
from handcraft.proof.enumerate.kernel_judge import OPTIONS, fill, judge


def advance(
    plan: Plan, claim: ClaimArrays, walk: WalkArrays, found: Counted, steps: int
) -> bool:
    """Count so many more contexts; return True if the walk has come to its end."""
    cursor = walk.cursor
    n_vocab = plan.wte.shape[0]
    while steps > 0 and cursor[DONE] == 0:
        depth = cursor[DEPTH]
        walk.states[depth + 1] = claim.follow[
            walk.states[depth], walk.ids[depth]
        ]
        _position(plan, walk, depth)
        if depth >= cursor[PREFIX]:
            _logits(plan, walk, depth)
            judge(claim, walk, found, depth + 1)
            steps -= 1
        if depth + 1 < cursor[LONGEST]:
            if depth + 1 >= cursor[PREFIX]:
                walk.ids[depth + 1] = 0
            cursor[DEPTH] = depth + 1
        else:
            while depth >= cursor[PREFIX] and walk.ids[depth] == n_vocab - 1:
                depth -= 1
            if depth < cursor[PREFIX]:
                cursor[DONE] = 1
            else:
                walk.ids[depth] += 1
                cursor[DEPTH] = depth
    return cursor[DONE] == 1


# ---------------------------------------------------------------- one position


@njit(**OPTIONS)
def _position(plan: Plan, walk: WalkArrays, depth: int) -> None:
    """The residual stream after the last token of the path; its keys and values go beside those of
    the others.
    """
    x = walk.x
    token = walk.ids[depth]
    walk.spoiled[depth + 1] = walk.spoiled[depth]
    for i in range(len(x)):
        x[i] = plan.wte[token, i] + plan.wpe[depth, i]
    for layer in range(len(plan.layers)):
        if plan.layers[layer, ATTN_BIAS] >= 0:
            _attention(plan, walk, layer, depth)
        if plan.layers[layer, C_FC] >= 0:
            _mlp(plan, walk, layer)
    _norm(plan, x, plan.ln_f, walk.normed)
    fill(walk.normed, 0, x)


@njit(**OPTIONS)
def _attention(plan: Plan, walk: WalkArrays, layer: Array, depth: int) -> None:
    _norm(plan, walk.x, plan.layers[layer, LN_1], walk.normed)
    count = _nonzero(walk.normed, walk.live)
    if (
        count < 0
    ):  # the keys and values of this position are infinite or no numbers, whoever asks
        walk.spoiled[depth + 1] = True
        return
    fill(plan.values, plan.layers[layer, ATTN_BIAS], walk.added)
    for head in range(plan.layers[layer, HEAD], plan.layers[layer, LAST]):
        _keep(
            plan,
            walk,
            walk.normed,
            count,
            plan.heads[head, K],
            walk.keys,
            plan.heads[head, KEYS],
            depth,
        )
        _keep(
            plan,
            walk,
            walk.normed,
            count,
            plan.heads[head, V],
            walk.read,
            plan.heads[head, READ],
            depth,
        )
        _linear(
            plan, plan.heads[head, Q], walk.normed, walk.live, count, walk.lanes
        )
        _shares(
            walk,
            plan.matrices[plan.heads[head, Q], COLUMNS],
            plan.heads[head, KEYS],
            depth,
            plan.scale[0],
        )
        _read(
            walk,
            plan.matrices[plan.heads[head, V], COLUMNS],
            plan.heads[head, READ],
            depth,
        )
        _add(plan, plan.heads[head, PROJECTION], walk.lanes, walk.added)
    for i in range(len(walk.x)):
        walk.x[i] += walk.added[i]


@njit(**OPTIONS)
def _mlp(plan: Plan, walk: WalkArrays, layer: Array) -> None:
    _norm(plan, walk.x, plan.layers[layer, LN_2], walk.normed)
    count = _nonzero(walk.normed, walk.live)
    if count < 0:
        walk.x[0] = math.nan  # whatever the neurons would add
        return
    fc = plan.layers[layer, C_FC]
    proj = plan.layers[layer, C_PROJ]
    _linear(plan, fc, walk.normed, walk.live, count, walk.lanes)
    _activate(walk.lanes, plan.matrices[fc, COLUMNS], plan.relu)
    fill(
        plan.values,
        plan.matrices[proj, VALUES]
        + plan.matrices[proj, ROWS] * plan.matrices[proj, COLUMNS],
        walk.added,
    )
    _add(plan, proj, walk.lanes, walk.added)
    for i in range(len(walk.x)):
        walk.x[i] += walk.added[i]


@njit(**OPTIONS)
def _logits(plan: Plan, walk: WalkArrays, depth: int) -> None:
    """The logits after the path; the first is NaN where the stream is not finite."""
    count = _nonzero(walk.x, walk.live)
    for i in range(len(walk.logits)):
        walk.logits[i] = 0
    if count < 0 or walk.spoiled[depth + 1]:
        walk.logits[0] = math.nan
        return
    _rows(plan, plan.unembed, walk.x, walk.live, count, walk.logits)


# ---------------------------------------------------------------- attention


@njit(**OPTIONS)
def _keep(
    plan: Plan,
    walk: WalkArrays,
    x: Array,
    count: int,
    matrix: int,
    cache: Array,
    at: int,
    depth: int,
) -> None:
    """Put the key or the value of this position into its column of the cache."""
    _linear(plan, matrix, x, walk.live, count, walk.other)
    for lane in range(plan.matrices[matrix, COLUMNS]):
        cache[at + lane, depth] = walk.other[lane]
        if not math.isfinite(walk.other[lane]):
            walk.cursor[WILD] = 1


@njit(**OPTIONS)
def _shares(
    walk: WalkArrays, n_lanes: int, at: int, depth: int, scale: float
) -> None:
    """The attention weight of each position, for the query in `lanes`."""
    scores = walk.scores
    for i in range(depth + 1):
        scores[i] = 0
    for lane in range(n_lanes):
        asked = walk.lanes[lane]
        if asked != 0 or walk.cursor[WILD]:
            for i in range(depth + 1):
                scores[i] += asked * walk.keys[at + lane, i]
    for i in range(depth + 1):
        scores[i] /= scale
    _softmax(scores, depth + 1)


@njit(**OPTIONS)
def _softmax(scores: Array, n: int) -> None:
    """The softmax; a power below the least number of the dtype is zero and is not computed."""
    least = -104.0 if scores.itemsize == 4 else -746.0
    total = scores.dtype.type(0)
    top = scores[0]
    for i in range(n):
        # max() would make top no number where one score is none
        if scores[i] > top:  # noqa: PLR1730
            top = scores[i]
    for i in range(n):
        if scores[i] - top < least:
            scores[i] = 0
        else:
            scores[i] = math.exp(scores[i] - top)
            total += scores[i]
    for i in range(n):
        scores[i] /= total


@njit(**OPTIONS)
def _read(walk: WalkArrays, n_lanes: int, at: int, depth: int) -> None:
    """Put what the head reads into `lanes`: the mean of the values by the attention weights."""
    for lane in range(n_lanes):
        walk.lanes[lane] = 0
    for i in range(depth + 1):
        share = walk.scores[i]
        if share != 0 or walk.cursor[WILD]:
            for lane in range(n_lanes):
                walk.lanes[lane] += share * walk.read[at + lane, i]


# ---------------------------------------------------------------- matrices


@njit(**OPTIONS)
def _nonzero(x: Array, live: Array) -> int:
    """The places of the numbers that are not zero, and their count; -1 where one is not finite."""
    count = 0
    for i in range(len(x)):
        if x[i] != 0:
            if not math.isfinite(x[i]):
                return -1
            live[count] = i
            count += 1
    return count


@njit(**OPTIONS)
def _linear(
    plan: Plan, matrix: int, x: Array, live: Array, count: int, y: Array
) -> None:
    """A row times a matrix, and its bias: y = x @ w + b."""
    n_out = plan.matrices[matrix, COLUMNS]
    # of the bias
    at = plan.matrices[matrix, VALUES] + plan.matrices[matrix, ROWS] * n_out
    for i in range(n_out):
        y[i] = plan.values[at + i]
    _rows(plan, matrix, x, live, count, y)


@njit(**OPTIONS)
def _rows(
    plan: Plan, matrix: int, x: Array, live: Array, count: int, y: Array
) -> None:
    """The rows of a matrix, each times its number of x, added to y."""
    at = plan.matrices[matrix, VALUES]
    n_out = plan.matrices[matrix, COLUMNS]
    span = plan.matrices[matrix, SPANS]
    for j in range(count):
        row = live[j]
        first = plan.spans[span + row, 0]
        last = plan.spans[span + row, 1]
        times = x[row]
        start = at + row * n_out
        for i in range(first, last):
            y[i] += times * plan.values[start + i]


@njit(**OPTIONS)
def _add(plan: Plan, matrix: int, x: Array, y: Array) -> None:
    """The same for an x that may hold what is not finite, which spoils the whole of y."""
    at = plan.matrices[matrix, VALUES]
    n_out = plan.matrices[matrix, COLUMNS]
    span = plan.matrices[matrix, SPANS]
    for row in range(plan.matrices[matrix, ROWS]):
        times = x[row]
        if times != 0:
            if not math.isfinite(times):
                y[0] = math.nan
            for i in range(
                plan.spans[span + row, 0], plan.spans[span + row, 1]
            ):
                y[i] += times * plan.values[at + row * n_out + i]


@njit(**OPTIONS)
def _norm(plan: Plan, x: Array, at: int, y: Array) -> None:
    """Layer norm, its gain and bias one after the other; where there is none, the stream itself."""
    if at < 0:
        fill(x, 0, y)
        return
    n = x.dtype.type(len(x))
    total = x.dtype.type(0)
    squares = x.dtype.type(0)
    for value in x:
        total += value
    mean = total / n
    for value in x:
        squares += (value - mean) * (value - mean)
    deviation = math.sqrt(squares / n + plan.epsilon[0])
    for i in range(len(x)):
        y[i] = (
            plan.values[at + i] * ((x[i] - mean) / deviation)
            + plan.values[at + len(x) + i]
        )


@njit(**OPTIONS)
def _activate(x: Array, n: int, relu: bool) -> None:
    """The first n neurons: ReLU, or GPT-2's form of GELU."""
    one = x.dtype.type(1)
    half = x.dtype.type(0.5)
    cubic = x.dtype.type(0.044715)
    steep = x.dtype.type(math.sqrt(2 / math.pi))
    for i in range(n):
        if relu:
            x[i] = 0 if x[i] < 0 else x[i]  # noqa: FURB136  # what is no number stays none
        else:
            x[i] = (
                half
                * x[i]
                * (one + math.tanh(steep * (x[i] + cubic * x[i] * x[i] * x[i])))
            )
