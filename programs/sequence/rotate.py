"""Rotates a text: each position is answered with the next token, the last with the first.

Source: a permutation by index arithmetic, as in Weiss et al., "Thinking Like Transformers" (RASP),
2021. `(indices + 1) % length` says the same, and takes many more neurons.
"""

from handcraft import tag
from handcraft.sequence import below, fetch, indices, length, there, tokens, where

following = where(below(indices + 1, length), indices + 1, 0)
rotate = fetch(tokens, there(indices) == following)
program = tag(rotate, tokens="abc", n=8)
