"""Says at each position whether the tokens up to there are in order: 1, and 0 from a fall on.

Source: a fall is an inversion of neighbours; one head finds it, another looks for any.
"""

from handcraft import tag
from handcraft.sequence import any_, indices, there, tokens

fall = any_((there(indices) == indices - 1) & (there(tokens) > tokens))
sorted_so_far = 1 - any_(there(fall))
program = tag(sorted_so_far, tokens="abc", n=8, causal=True)
