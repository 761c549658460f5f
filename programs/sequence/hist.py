"""Counts: each token is answered with how often it occurs in the text.

Source: the histogram of Weiss et al., "Thinking Like Transformers" (RASP), 2021.
"""

from handcraft import tag
from handcraft.sequence import count, there, tokens

hist = count(there(tokens) == tokens)
program = tag(hist, tokens="abc", n=8)
