"""Counts the different tokens from the beginning up to each position.

Source: a transformer's counting of firsts, as in the double histogram of Weiss et al., "Thinking
Like Transformers" (RASP), 2021.
"""

from handcraft import tag
from handcraft.sequence import count, equal, there, tokens, total

nth = count(there(tokens) == tokens)
distinct_so_far = total(equal(nth, 1))
program = tag(distinct_so_far, tokens="abc", n=8, causal=True)
