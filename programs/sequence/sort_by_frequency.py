"""Sorts by frequency: the tokens that occur most stand first, equally frequent ones as they stood.

Source: the most-freq task of Weiss et al., "Thinking Like Transformers" (RASP), 2021, with each
token as often as it occurs.
"""

from handcraft import tag
from handcraft.sequence import count, fetch, indices, there, tokens

hist = count(there(tokens) == tokens)
before = there(indices) < indices
rarer = (there(hist) > hist) | (there(hist) == hist) & before
sort_by_frequency = fetch(tokens, there(count(rarer)) == indices)
program = tag(sort_by_frequency, tokens="abc", n=8)
