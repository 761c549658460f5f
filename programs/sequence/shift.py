"""Shifts a text to the right: each position is answered with the token before it.

Source: the previous-token head of Elhage et al., "A Mathematical Framework for Transformer
Circuits", 2021.
"""

from handcraft import tag
from handcraft.sequence import fetch, indices, there, tokens

shift = fetch(tokens, there(indices) == indices - 1, default=".")
program = tag(shift, tokens="abc", n=8, causal=True)
