"""Counts votes: each position is answered with who leads up to there, a or b, or = for a draw.

Source: the language of majority, of Bhattamishra et al., "On the Ability and Limitations of
Transformers to Recognize Formal Languages", 2020.
"""

from handcraft import tag
from handcraft.sequence import below, cases, lookup, tokens, total

lead = total(lookup({"a": 1, "b": -1}, tokens))
leader = cases((below(0, lead), "a"), (below(lead, 0), "b"), "=")
program = tag(leader, tokens="ab", n=10, causal=True)
