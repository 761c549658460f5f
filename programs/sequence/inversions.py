"""Counts inversions: each token is answered with how many greater ones stand before it.

Source: insertion sort's steps, counted by one selector as in Weiss et al., "Thinking Like
Transformers" (RASP), 2021.
"""

from handcraft import tag
from handcraft.sequence import count, indices, there, tokens

inversions = count((there(tokens) > tokens) & (there(indices) < indices))
program = tag(inversions, tokens="012", n=8, causal=True)
