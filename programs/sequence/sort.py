"""Sorts a text: each position is answered with the token of its rank.

A token's rank is the number of those that belong before it: lesser ones, and equal ones on its
left. Source: Weiss et al., "Thinking Like Transformers" (RASP), 2021.
"""

from handcraft import tag
from handcraft.sequence import count, fetch, indices, there, tokens

same = there(tokens) == tokens
earlier = (there(tokens) < tokens) | same & (there(indices) < indices)
sort = fetch(tokens, there(count(earlier)) == indices)
program = tag(sort, tokens="01234", n=6)
