"""Shuffles a text as cards: its two halves, a token of each in turn.

Source: the riffle shuffle; a permutation by index arithmetic as in Weiss et al., "Thinking Like
Transformers" (RASP), 2021.
"""

from handcraft import tag
from handcraft.sequence import equal, fetch, indices, length, min_, there, tokens, where

half = (length + 1) // 2
card = where(equal(indices % 2, 0), indices // 2, half + indices // 2)
# min_ changes nothing: it says that the place is one of the text, where it can be read off exactly
shuffle = fetch(tokens, there(indices) == min_(card, length - 1))
program = tag(shuffle, tokens="abc", n=8)
