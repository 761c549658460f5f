"""Says how many positions ago a token stood last, as if all of them had stood before the text.

Source: the latest match of an induction head (Olsson et al., "In-context Learning and Induction
Heads", 2022), as a distance.
"""

from handcraft import tag
from handcraft.sequence import indices, latest, otherwise, there, tokens

last = latest((there(tokens) == tokens) & (there(indices) < indices))
since = indices - otherwise(last, -1)
program = tag(since, tokens="abc", n=8, causal=True)
