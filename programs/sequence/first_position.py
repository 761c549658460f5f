"""Says where a token stood first, counted from 0.

Source: the first match, as Friedman et al., "Learning Transformer Programs", 2023, break ties.
"""

from handcraft import tag
from handcraft.sequence import first, there, tokens

first_position = first(there(tokens) == tokens)
program = tag(first_position, tokens="abc", n=8, causal=True)
