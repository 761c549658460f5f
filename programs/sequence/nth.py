"""Numbers the copies of a token: its first is answered with 1, its second with 2, and so on.

With a causal mask a position sees no further than itself, so the histogram numbers. Source: the
histogram of Weiss et al., "Thinking Like Transformers" (RASP), 2021, read from the left.
"""

from handcraft import tag
from handcraft.sequence import count, there, tokens

nth = count(there(tokens) == tokens)
program = tag(nth, tokens="abc", n=8, causal=True)
