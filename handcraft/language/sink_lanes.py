"""The match lanes by which a head looks at its sink, a position that stands for no other.

    SINK       its key is 1 at the sink alone, and its query is the score of the sink, below 0;
               above 0 where the head sums against it
    AT_ITSELF  the same key; its query makes the sink, as a query, attend to itself

Rules of this file: the names are all there is; recipes write such heads, and warnings find them.
"""

from __future__ import annotations

from handcraft.language.words import local

SINK = local("sink").lanes[0]
AT_ITSELF = local("itself").lanes[0]
