"""Counts open brackets at each position, less than 0 where more were closed than opened.

Source: Dyck-1 by counting, Bhattamishra et al., "On the Ability and Limitations of Transformers
to Recognize Formal Languages", 2020.
"""

from handcraft import tag
from handcraft.sequence import lookup, tokens, total

depth = total(lookup({"(": 1, ")": -1}, tokens))
program = tag(depth, tokens="()", n=10, causal=True)
