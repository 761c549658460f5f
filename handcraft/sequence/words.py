"""The words in which people say what a model should say; expressions made of them can be proved.

    tokens, own                   the token at the position where the expression is asked
    indices, here                 that position, from 0
    length                        the number of tokens of the text
    token_at(i)                   the token at another position, None outside the text
    there(e)                      e at the key position, in a condition (conditions.py)
    count, total, mean, first, latest, best, fetch, any_, distinct
                                  of the positions that a condition selects (selections.py)
    equal, below, lookup, map_, where, cases, otherwise, given, min_, max_, clip, round_, ratio
                                  of values at one position (computing.py)
    end, step                     in a claim on prompts: the index of the prompt's last token; the
                                  number of a transducer's step

An expression is a value: `e("abc")` is what it says at the last position of a text, `e.all("abc")`
what it says at each. None means undefined.

Rules of this file: it is the door, and defines only the words without arguments.
"""

from __future__ import annotations

from handcraft.core.arguments import checked_call
from handcraft.sequence.computing import (
    below,
    cases,
    clip,
    equal,
    given,
    lookup,
    map_,
    max_,
    min_,
    most,
    otherwise,
    ratio,
    round_,
    where,
)
from handcraft.sequence.conditions import bare, there
from handcraft.sequence.expression import Argument, Expression
from handcraft.sequence.selections import (
    any_,
    best,
    count,
    distinct,
    fetch,
    first,
    latest,
    lowest,
    mean,
    state,
    total,
)

__all__ = [
    "Expression",
    "any_",
    "below",
    "best",
    "cases",
    "clip",
    "count",
    "distinct",
    "end",
    "equal",
    "fetch",
    "first",
    "given",
    "here",
    "indices",
    "latest",
    "length",
    "lookup",
    "lowest",
    "map_",
    "max_",
    "mean",
    "min_",
    "most",
    "otherwise",
    "own",
    "ratio",
    "round_",
    "state",
    "step",
    "there",
    "token_at",
    "tokens",
    "total",
    "where",
]

here = Expression(op="here")
indices = here
length = Expression(op="length")
end = Expression(op="end")
step = Expression(op="step")


@checked_call()
def token_at(position: Argument) -> Expression:
    """The token at a position, None outside the text."""
    return Expression(op="token_at", args=(bare(position),))


own = token_at(here)
tokens = own
