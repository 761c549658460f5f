"""Counts counts: each token is answered with how many different tokens occur as often as it does.

Of equal tokens only the first one counts, which is the one that has none before it. Source: the
double histogram of Weiss et al., "Thinking Like Transformers" (RASP), 2021.
"""

from handcraft import tag
from handcraft.sequence import count, equal, indices, there, tokens

same = there(tokens) == tokens
before = there(indices) < indices
hist = count(same)
is_first = equal(count(same & before), 0)
double_hist = count(there(is_first) & (there(hist) == hist))
program = tag(double_hist, tokens="abc", n=8)
