"""Shuffles a text as cards: its two halves, a token of each in turn.

Source: the riffle shuffle; a permutation by index arithmetic as in Weiss et al., "Thinking Like
Transformers" (RASP), 2021.
"""

from handcraft import tag
from handcraft.sequence import equal, fetch, indices, length, there, tokens, where

half = (length + 1) // 2
card = where(equal(indices % 2, 0), indices // 2, half + indices // 2)
shuffle = fetch(tokens, there(indices) == card)
program = tag(shuffle, tokens="abc", n=8)
