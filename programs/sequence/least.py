"""Finds the least digit of a text: every position says it.

Source: as the greatest, by one head that prefers small values; with both of them Weiss et al.,
"Thinking Like Transformers" (RASP), 2021, begin to sort.
"""

from handcraft import tag
from handcraft.sequence import best, fetch, map_, tokens

digit = map_(int, tokens, over="01234")
least = fetch(tokens, best(0 - digit))
program = tag(least, tokens="01234", n=6)
