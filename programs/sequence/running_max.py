"""Finds the greatest digit up to each position.

Source: attention to the greatest value, the first example of hard attention in many proofs (Hahn,
"Theoretical Limitations of Self-Attention in Neural Sequence Models", 2020).
"""

from handcraft.lowering.frames import tag
from handcraft.sequence import best, fetch, map_, tokens

digit = map_(int, tokens, over="0123456789")
running_max = fetch(tokens, best(digit))
program = tag(running_max, tokens="0123456789", n=10, causal=True)
