"""Finds the median: every position is answered with the lower middle one of the sorted digits.

Source: the sort of Weiss et al., "Thinking Like Transformers" (RASP), 2021, read at its middle.
"""

from handcraft import tag
from handcraft.sequence import count, fetch, indices, length, there, tokens

same = there(tokens) == tokens
earlier = (there(tokens) < tokens) | same & (there(indices) < indices)
median = fetch(tokens, there(count(earlier)) == (length - 1) // 2)
program = tag(median, tokens="012", n=8)
