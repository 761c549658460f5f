"""Compares a text with its mirror: 1 where the token as far from the other end is the same.

Source: the reversal of Weiss et al., "Thinking Like Transformers" (RASP), 2021, and a comparison.
"""

from handcraft import tag
from handcraft.sequence import equal, fetch, indices, length, there, tokens

mirror = equal(tokens, fetch(tokens, there(indices) == length - 1 - indices))
program = tag(mirror, tokens="abc", n=8)
