"""Swaps neighbours: abcd is answered with badc; a last token without a neighbour with a stop.

Source: the permutations by index arithmetic of Weiss et al., "Thinking Like Transformers", 2021.
"""

from handcraft import tag
from handcraft.sequence import fetch, indices, there, tokens

neighbour = indices + 1 - 2 * (indices % 2)
swap = fetch(tokens, there(indices) == neighbour, default=".")
program = tag(swap, tokens="abc", n=8)
