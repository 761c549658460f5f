"""Continues by induction: each token is answered with what followed it last, ? where it is new.

Source: the induction heads of Elhage et al., "A Mathematical Framework for Transformer Circuits",
2021, and Olsson et al., "In-context Learning and Induction Heads", 2022.
"""

from handcraft import tag
from handcraft.sequence import fetch, indices, latest, there, tokens

before = fetch(tokens, there(indices) == indices - 1, default=".")
induction = fetch(tokens, latest(there(before) == tokens), default="?")
program = tag(induction, tokens="abc", n=8, causal=True)
