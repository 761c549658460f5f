"""Adds up digits modulo three: each position is answered with the remainder of the sum up to it.

Source: the cyclic group of Liu et al., "Transformers Learn Shortcuts to Automata", 2023.
"""

from handcraft import tag
from handcraft.sequence import map_, tokens, total

sum_mod_3 = total(map_(int, tokens, over="012")) % 3
program = tag(sum_mod_3, tokens="012", n=8, causal=True)
