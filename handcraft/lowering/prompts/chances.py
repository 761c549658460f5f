"""Makes the logits of a table of probabilities: a neuron for each ending of the context.

    chances(lower, claim, vocabulary)   adds log p, up to a constant, to the lane of each token

The neuron of an ending is 1 where each of its tokens stands at its place, else 0, and adds what
its row has more than that of the longest shorter ending. Rules of this file: a token without a
chance is so far below the others that it is lost in their rounding.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from handcraft.claims.kinds import Distribution
from handcraft.core.vocabulary import Vocabulary
from handcraft.language.affine import Affine, Lane
from handcraft.lowering.ground import Ground
from handcraft.lowering.reading.nodes import Node, Settled
from handcraft.lowering.refusals import Refused
from handcraft.lowering.stream import Hinge, LaneTable, constant, neurons_after

MOST_ENDINGS = 4_096
LOST = 40.0  # so far below, e^-40, a logit leaves nothing

_Tokens = tuple[str, ...]


def chances(lower: Ground, claim: Distribution, vocabulary: Vocabulary) -> None:
    """Writes the logits of the probabilities that a claim states."""
    table = claim.endings(vocabulary)
    if len(table) > MOST_ENDINGS:
        raise Refused(
            lower.core.make("claim", data=claim.kind),
            f"has {len(table)} endings, a neuron each",
            f"at most {MOST_ENDINGS}",
        )
    lanes = {token: _is(lower, 0, token) for token in vocabulary.tokens}
    rows = {e: _logits(e, row, vocabulary.tokens) for e, row in table.items()}
    whens = {e: _present(lower, e, shorter=_shorter(e, rows)) for e in rows}
    time = neurons_after(lower.stream.time_of(*whens.values()))
    for ending, when in whens.items():
        adds = _more(ending, rows)
        lower.stream.hinges.append(
            Hinge(
                when,
                {_lane(lanes[t]): x for t, x in adds.items() if x},
                time,
                final=True,
            )
        )


def _logits(
    ending: _Tokens, row: Mapping[str, float], tokens: tuple[str, ...]
) -> dict[str, float]:
    """Log p of each token, less what the embedding adds."""
    found = {
        token: math.log(row[token]) if row.get(token) else -LOST
        for token in tokens
    }
    if ending:
        found[ending[-1]] -= 1.0
    return found


def _more(
    ending: _Tokens, rows: Mapping[_Tokens, Mapping[str, float]]
) -> dict[str, float]:
    """The numbers that a row has more than that of the longest shorter ending."""
    found = dict(rows[ending])
    for i in range(1, len(ending) + 1):
        if ending[i:] in rows:
            for token, x in rows[ending[i:]].items():
                found[token] = found.get(token, 0.0) - x
            break
    return found


def _shorter(ending: _Tokens, rows: Mapping[_Tokens, object]) -> bool:
    """True if a shorter context than this ending is spoken of."""
    return any(len(other) < len(ending) for other in rows)


def _present(lower: Ground, ending: _Tokens, *, shorter: bool) -> Affine:
    """1 where the ending stands, at most -1 elsewhere."""
    many = len(ending)
    found = constant(1 - 2 * many)
    for i, token in enumerate(reversed(ending)):
        found = found.plus(_is(lower, i, token).scaled(2.0))
    if shorter and many > 1:
        row = tuple(float(i >= many - 1) for i in range(lower.n))
        late = lower.stream.table(f"has_{many}", LaneTable(positions=row))
        found = found.plus(late.expression().scaled(2.0)).plus(constant(-2))
    return found


def _is(lower: Ground, back: int, token: str) -> Affine:
    """1 where the token so many positions before is this one."""
    core = lower.core
    same = core.make("equal", core.token, core.constant(token))
    one: Node = core.make("cases", same, core.true, core.constant(0))
    if back:
        place = core.make("subtract", core.index, core.constant(back))
        kind = Settled("at")
        one = core.select(kind, place, one)
    held = lower.standard(one)
    if held is None:
        raise Refused(one, "is no flag", "another alphabet")
    return held.z


def _lane(x: Affine) -> Lane:
    ((lane, _),) = x.terms
    return lane
