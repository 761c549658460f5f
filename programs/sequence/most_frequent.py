"""Finds the most frequent token, of equally frequent ones the first: every position says it.

Source: the most-freq task of Weiss et al., "Thinking Like Transformers" (RASP), 2021.
"""

from handcraft import tag
from handcraft.sequence import best, count, fetch, there, tokens

hist = count(there(tokens) == tokens)
most_frequent = fetch(tokens, best(hist))
program = tag(most_frequent, tokens="abc", n=8)
