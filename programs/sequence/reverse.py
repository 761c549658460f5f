"""Reverses a text: each position is answered with the token as far from the other end.

Source: the first example of Weiss et al., "Thinking Like Transformers" (RASP), 2021.
"""

from handcraft import tag
from handcraft.sequence import fetch, indices, length, there, tokens

reverse = fetch(tokens, there(indices) == length - 1 - indices)
program = tag(reverse, tokens="abc", n=8)
