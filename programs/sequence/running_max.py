"""Finds the greatest digit up to each position.

Source: attention to the greatest value, the first example of hard attention in many proofs (Hahn,
"Theoretical Limitations of Self-Attention in Neural Sequence Models", 2020).
"""

from handcraft import tag
from handcraft.sequence import best, fetch, map_, tokens

digit = map_(int, tokens, over="01234")
running_max = fetch(tokens, best(digit))
program = tag(running_max, tokens="01234", n=6, causal=True)
